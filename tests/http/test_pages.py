# SPDX-License-Identifier: Apache-2.0
"""Pages as browsers get them: which address is one, what its headers allow, and that nothing from a module is markup.
tests/browser has what takes a browser."""
import gzip
import re
from html.parser import HTMLParser

import pytest
from support import modules
from support.modules import MetaGraph, Signature, Tensor

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SCRIPT = "<script>alert(1)</script>"
MEANT_TO_BE_EMPTY = {"meta", "link", "input", "img", "rect", "polygon", "polyline", "br", "hr"}


class Page(HTMLParser):
    """What a page is made of; it must be well formed."""

    def __init__(self, reply):
        super().__init__(convert_charrefs=True)
        self.status = reply.status
        self.headers = reply.headers
        self.tags, self.open, self.text, self.links, self.ids = [], [], [], [], []
        self.feed(reply.body.decode())
        assert self.open == [], f"left open: {self.open}"
        assert len(self.ids) == len(set(self.ids)), f"an id was used twice: {self.ids}"

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if tag not in MEANT_TO_BE_EMPTY:
            self.open.append(tag)
        if tag == "a":
            self.links.append(attributes.get("href"))
        if "id" in attributes:
            self.ids.append(attributes["id"])

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)

    def has_text(self, text):
        return " ".join(text.split()) in " ".join("".join(self.text).split())


def browse(larder, path, status=200):
    reply = larder.get(path, accept=BROWSER)
    assert reply.status == status, f"{path}: {reply}"
    assert reply.header("Content-Type") == "text/html; charset=utf-8"
    return Page(reply)


@pytest.fixture
def published(larder):
    larder.publish("/acme/half-plus-two/1", modules.module())
    larder.publish("/acme/half-plus-two/2", modules.module(seed=2))
    larder.put("/acme/half-plus-two/2", b"# About it\n\nTwo and a *half*. ![a](https://elsewhere.example/a.png)",
               content_type="text/markdown")
    return larder


def test_one_address_for_browsers_and_programs(published):
    for path in ("/", "/acme", "/acme/half-plus-two", "/acme/half-plus-two/2"):
        assert browse(published, path).headers["Vary"] == "Accept"
        for accept in ("*/*", "application/json"):
            reply = published.get(path, accept=accept)
            assert reply.header("Content-Type") == "application/json" and reply.header("Vary") == "Accept", path
    archive = published.get("/acme/half-plus-two/2?tf-hub-format=compressed", accept=BROWSER)
    assert archive.header("Content-Type") == "application/gzip"


def test_pages_may_load_and_run_only_what_is_ours(published):
    for path, status in (("/", 200), ("/acme/half-plus-two/2", 200), ("/-/activity", 200), ("/acme/absent/1", 404)):
        page = browse(published, path, status)
        policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
        assert policy == {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
                          "connect-src": "'self'", "base-uri": "'none'", "form-action": "'self'",
                          "frame-ancestors": "'none'"}
        assert page.headers["X-Content-Type-Options"] == "nosniff" and page.headers["Referrer-Policy"] == "no-referrer"
        assert not [tag for tag in page.tags if tag[0] in ("style", "iframe", "object") or "style" in tag[1]], path
        loaded = [value for tag, attributes in page.tags if tag != "a"
                  for name, value in attributes.items() if name in ("src", "href")]
        assert loaded and all(value.startswith("/-/static/") for value in loaded), loaded


def test_a_module_can_be_read_without_scripts(published):
    page = browse(published, "/acme/half-plus-two")
    assert page.has_text("half-plus-two") and page.has_text("Two and a half.")
    assert page.has_text("serving_default") and page.has_text("float32") and page.has_text("[ ?, 1]".replace(" ", "", 1))
    assert page.has_text("variables/variables.index")
    assert page.has_text(f'hub.load("{published.url}/acme/half-plus-two/2")')
    assert "/acme/half-plus-two/1" in page.links and "https://elsewhere.example/a.png" in page.links
    assert "img" not in [tag for tag, attributes in page.tags if not attributes.get("src", "").startswith("/-/static/")]


def test_search_works_without_scripts(published):
    published.publish("/acme/other/1", modules.module(seed=3))
    page = browse(published, "/?q=half")
    assert page.has_text("1 module") and "/acme/half-plus-two" in page.links and "/acme/other" not in page.links
    assert ("input", "half") in [(tag, attributes.get("value")) for tag, attributes in page.tags]
    assert browse(published, "/-/search?q=nothing-like-it").has_text("No module matches")


def test_empty_registry_says_how_to_begin(larder):
    page = browse(larder, "/")
    assert page.has_text(f"larder prefetch --server {larder.url}") and page.has_text("larder publish")


def test_what_is_not_known_says_how_to_fetch_it(larder):
    page = browse(larder, "/google/absent/3", 404)
    assert page.has_text("google/absent/3 is not known here")
    assert page.has_text(f"larder prefetch --server {larder.url} google/absent/3")
    assert page.headers["Cache-Control"] == "no-store"
    browse(larder, "/acme", 404)
    browse(larder, "/acme/absent", 404)


def test_withdrawn_version_is_told_and_gone(larder):
    larder.publish("/acme/x/1", modules.module())
    larder.request("DELETE", "/acme/x/1", {"Authorization": f"Bearer {larder.token('withdraw:*')}"})
    assert browse(larder, "/acme/x/1", 410).has_text("can no longer be downloaded")


def hostile_model():
    tensor = Tensor(f"{SCRIPT}:0", "float32", [-1])
    return modules.saved_model(MetaGraph(
        {SCRIPT: Signature({SCRIPT: tensor, '"><img src=x onerror=alert(2)>': tensor}, {"y\u202e": tensor}, method=SCRIPT)},
        tags=(SCRIPT,), tensorflow_version=SCRIPT, ops=(SCRIPT, "Const")))


def test_nothing_from_a_module_is_markup(larder):
    entries = modules.members(model=hostile_model()) + [modules.Member("./assets/"), modules.Member(f"./assets/{SCRIPT[:8]}.txt")]
    larder.publish("/acme/hostile/1", modules.pack(entries))
    larder.put("/acme/hostile/1", f"# {SCRIPT}\n\n{SCRIPT} [a](javascript:alert(3)) <b onclick=x>c".encode(),
               content_type="text/markdown")
    for path in ("/acme/hostile/1", "/acme", "/?q=hostile", "/-/activity", f"/?q={'%3Cscript%3Ealert(1)%3C/script%3E'}",
                 "/?q=%22%3E%3Cimg%20src=x%3E", "/?publisher=%3Cscript%3E"):
        reply = larder.get(path, accept=BROWSER)
        page = Page(reply)
        scripts = [attributes for tag, attributes in page.tags if tag == "script"]
        assert [list(script) for script in scripts] == [["type", "src"]], path
        assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")], path
        assert not [link for link in page.links if link and link.lower().startswith("javascript")], path
        assert "\u202e" not in reply.body.decode()
    assert browse(larder, "/acme/hostile/1").has_text(SCRIPT)


def test_page_of_a_reader_with_a_token(start):
    larder = start({"auth": {"read": "token"}})
    larder.publish("/acme/x/1", modules.module())
    assert larder.get("/", accept=BROWSER).status == 401
    page = browse(larder, f"/-/t/{larder.token('read')}/")
    assert f"/-/t/{larder.token('read')}/acme/x" in page.links
    for link in set(page.links):
        if link.startswith("/"):
            assert larder.get(link, accept=BROWSER).status in (200, 404), link


# ---- the page's own files -----------------------------------------------------------------------------------------------

def assets(larder):
    page = larder.get("/", accept=BROWSER).body.decode()
    found = re.findall(r'"(/-/static/[^"]+)"', page)
    assert {path.rsplit(".", 1)[1] for path in found} == {"css", "js", "svg"}
    return sorted(set(found))


def test_files_are_kept_for_ever_under_their_revision(larder):
    for path in assets(larder):
        plain = larder.get(path)
        packed = larder.get(path, accept_encoding="gzip, br")
        assert plain.status == 200 and "Content-Encoding" not in plain.headers
        assert packed.header("Content-Encoding") == "gzip" and gzip.decompress(packed.body) == plain.body
        assert len(packed.body) < len(plain.body) and plain.header("Vary") == "Accept-Encoding"
        assert plain.header("ETag") != packed.header("ETag")
        assert "immutable" in plain.header("Cache-Control")
        name = path.rsplit("/", 1)[1]
        for other in (f"/-/static/000000000000/{name}", f"/-/static/{name}"):
            assert larder.get(other).body == plain.body and larder.get(other).header("Cache-Control") == "no-cache"
        again = larder.get(path, if_none_match=plain.header("ETag"))
        assert again.status == 304 and again.body == b""
        assert larder.get(path, accept_encoding="gzip;q=0").body == plain.body
    assert larder.get("/-/static/000000000000/absent.js").status == 404
    assert larder.get("/-/static/../larder.ini").status == 400


def test_files_import_only_each_other(larder):
    for path in assets(larder):
        text = larder.get(path).body.decode()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), f"{path} names an address elsewhere"
