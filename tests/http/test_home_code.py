# SPDX-License-Identifier: Apache-2.0
"""Code in documentation that loads from the hosts that a server stands for loads from the server; nothing else of it changes."""
import random
import re
from html import escape

import pytest
from support import modules
from test_pages import browse

HOSTS = "tfhub.dev|www.tfhub.dev|hub.tensorflow.google.cn|gcs.tensorflow.google.cn".replace(".", r"\.")
# As the renderer writes code: an address ends at what cannot be in one, and one inside of another is none.
ADDRESS = re.compile(r"([A-Za-z0-9+.-]*)://((?:(?!&quot;|&lt;|&gt;)[^\s'`\\,;|()\[\]<])*)")


def led(code, url):
    def lead(match):
        found = re.fullmatch(rf"(?:{HOSTS})(/|/[^/?#]+/.*)", match[2], re.S) if match[1].lower() in ("http", "https") else None
        return escape(url, quote=False) + found[1] if found else match[0]
    return ADDRESS.sub(lead, code)


def with_code_led(html, url):
    """What the server should make of a rendering in which nothing is led."""
    def element(match):
        inner = led(match[2], url)
        return f"<code{' data-led' if inner != match[2] else ''}{match[1]}>{inner}</code>"
    return re.sub(r"<code([^>]*)>(.*?)</code>", element, html, flags=re.S)


def without_targets(html):
    return re.sub(r'href="[^"]*"', "", html)


@pytest.mark.long
def test_no_other_byte_of_the_whole_catalogue_changes(start_with_catalogue):
    ours = start_with_catalogue()
    others = start_with_catalogue({"hub": {"hosts": "nobody.invalid"}}, name="others")
    documents = changed = 0
    url = "/api/v1/modules?limit=200&sort=name"
    while url:
        page = ours.get(url).json()
        for path in (f"{module['handle']}/{version}" for module in page["modules"] for version in module["versions"]):
            plain, here = (daemon.get(f"/api/v1/documentation/{path}") for daemon in (others, ours))
            if plain.status == 404:
                continue
            before, after = (without_targets(reply.body.decode()) for reply in (plain, here))
            assert after == with_code_led(before, ours.url), path
            documents += 1
            changed += after != before
        url = page["next"] and page["next"].removeprefix(ours.url)
    assert documents > 2700 and changed > 1570, (documents, changed)


DOCUMENT = """# About

Load it: https://tfhub.dev/acme/x/1, or `hub.load("https://tfhub.dev/acme/x/1")`.

```python
model = hub.KerasLayer("https://tfhub.dev/acme/x/1", trainable=True)  # not https://tfhub.dev.example.org/acme/x/1
```

    wget 'https://www.tfhub.dev/acme/x/1?tf-hub-format=compressed'
"""


def test_code_on_a_page(larder):
    larder.publish("/acme/x/1", modules.module(400))
    larder.put("/acme/x/1", DOCUMENT.encode(), content_type="text/markdown")
    html = larder.get("/acme/x/1", accept="text/html").body.decode()
    assert f'<code data-led>hub.load(&quot;{larder.url}/acme/x/1&quot;)</code>' in html
    assert (f'<code data-led class="language-python">model = hub.KerasLayer(&quot;{larder.url}/acme/x/1&quot;, trainable=True)  '
            "# not https://tfhub.dev.example.org/acme/x/1\n</code>") in html
    assert f"wget '{larder.url}/acme/x/1?tf-hub-format=compressed'" in html
    assert '<a href="/acme/x/1">https://tfhub.dev/acme/x/1</a>' in html, "text stays as it was written"
    page = browse(larder, "/acme/x/1")
    assert page.has_text("loads from this server what was written to be loaded from elsewhere")
    assert html.count('<div class="code"><pre tabindex="0" aria-label="Code ') == 2
    markdown = larder.get("/api/v1/documentation/acme/x/1", accept="text/markdown").body
    assert markdown == DOCUMENT.encode()


def test_whoever_reads_by_a_token_has_it_in_code(start):
    larder = start({"auth": {"read": "token"}})
    larder.publish("/acme/x/1", modules.module(400))
    larder.put("/acme/x/1", DOCUMENT.encode(), content_type="text/markdown")
    token = larder.token("read")
    html = larder.get(f"/-/t/{token}/acme/x/1", accept="text/html").body.decode()
    assert f"hub.load(&quot;{larder.url}/-/t/{token}/acme/x/1&quot;)" in html


def test_no_note_where_nothing_is_led(larder):
    larder.publish("/acme/x/1", modules.module(400))
    larder.put("/acme/x/1", b"`https://example.org/a/b/1` and <code data-led>\n\n    <code data-led>\n", content_type="text/markdown")
    assert not browse(larder, "/acme/x/1").has_text("loads from this server what was")


def test_whatever_code_says(start):
    """Against the rule as it is written above, for code of signs that mean something to it."""
    ours, others = start(), start({"hub": {"hosts": "nobody.invalid"}}, name="others")
    signs = ["https://", "http://", "://", "tfhub.dev", "/a/b/1", "/", "?x=", "&", "<", ">", '"', "'", " ", "\n    ", "(", "]", "x", ".", "@", ":443", "é", "</code>"]
    for seed in range(5):
        chance = random.Random(seed)
        text = "\n\n".join("    " + "".join(chance.choices(signs, k=chance.randrange(4, 40))) for _ in range(60))
        path = f"/acme/seed-{seed}/1"
        for daemon in (ours, others):
            daemon.publish(path, modules.module(400))
            daemon.put(path, text.encode(), content_type="text/markdown")
        plain, here = (daemon.get(f"/api/v1/documentation{path}").body.decode() for daemon in (others, ours))
        assert here == with_code_led(plain, ours.url), seed
