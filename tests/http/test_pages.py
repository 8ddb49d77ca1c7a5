# SPDX-License-Identifier: Apache-2.0
"""Pages as browsers get them: which address is one, what its headers allow, and that nothing from a module is markup.
tests/browser has what takes a browser."""
import gzip
import re
from html import unescape
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
        assert browse(published, path).headers["Vary"] == "Accept, Accept-Encoding"
        for accept in ("*/*", "application/json"):
            reply = published.get(path, accept=accept)
            assert reply.header("Content-Type") == "application/json" and reply.header("Vary") == "Accept, Accept-Encoding", path
    archive = published.get("/acme/half-plus-two/2?tf-hub-format=compressed", accept=BROWSER)
    assert archive.header("Content-Type") == "application/gzip"


def test_pages_are_packed_for_those_who_take_it(published):
    for path, status in (("/", 200), ("/acme/half-plus-two", 200), ("/acme/absent/1", 404)):
        plain = published.get(path, accept=BROWSER)
        packed = published.get(path, accept=BROWSER, accept_encoding="gzip, deflate, br")
        assert plain.status == packed.status == status
        assert "Content-Encoding" not in plain.headers and packed.header("Content-Encoding") == "gzip"
        assert gzip.decompress(packed.body) == plain.body and len(packed.body) * 2 < len(plain.body)
    assert "Content-Encoding" not in published.get("/", accept="*/*", accept_encoding="gzip").headers
    # A token beside words that others choose must not be guessed by how well both pack.
    assert "Content-Encoding" not in published.get(f"/-/t/{published.token('read')}/", accept=BROWSER, accept_encoding="gzip").headers


def test_pages_may_load_and_run_only_what_is_ours(published):
    for path, status in (("/", 200), ("/acme/half-plus-two/2", 200), ("/-/activity", 200), ("/acme/absent/1", 404)):
        page = browse(published, path, status)
        policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
        assert policy == {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
                          "connect-src": "'self'", "base-uri": "'none'", "form-action": "'self'",
                          "frame-ancestors": "'none'"}
        assert page.headers["X-Content-Type-Options"] == "nosniff" and page.headers["Referrer-Policy"] == "no-referrer"
        assert not [tag for tag in page.tags if tag[0] in ("style", "iframe", "object") or "style" in tag[1]], path
        loaded = [value for tag, attributes in page.tags if tag != "a" and attributes.get("rel") != "alternate"
                  for name, value in attributes.items() if name in ("src", "href")]
        assert loaded and all(value.startswith("/-/static/") for value in loaded), loaded


def test_a_module_can_be_read_without_scripts(published):
    page = browse(published, "/acme/half-plus-two")
    assert page.has_text("half-plus-two") and page.has_text("Two and a half.")
    assert page.has_text("serving_default") and page.has_text("float32") and page.has_text("[ ?, 1]".replace(" ", "", 1))
    assert page.has_text("variables/variables.index")
    assert page.has_text(f'hub.load("{published.url}/acme/half-plus-two/2")')
    assert [attributes.get("class") for tag, attributes in page.tags if tag == "li"].count("current") == 1
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


# ---- refusals ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path, status", [("/-/nothing", 400), ("/acme/../x", 400), ("/acme/x/1/model.json/y?a=%zz", 400), ("/-/compare/acme/absent", 404),
                                          ("/-/collections/acme/absent", 404), ("/-/collections/acme", 404), ("/-/versions/acme/absent", 404), ("/acme", 404)])
def test_browsers_are_refused_by_pages(larder, path, status):
    page = browse(larder, path, status)
    assert "/" in page.links and page.headers["Cache-Control"] == "no-store"
    assert not page.has_text("/api/"), "people are sent to where programs ask"


@pytest.mark.parametrize("path, status", [("/-/nothing", 400), ("/acme/../x", 400), ("/api/v1/nothing", 404), ("/acme/absent/1", 404)])
def test_programs_are_refused_by_problems(larder, path, status):
    for accept in ("*/*", "application/json"):
        reply = larder.get(path, accept=accept)
        assert reply.status == status and reply.header("Content-Type") == "application/problem+json"


def test_browser_without_a_token_is_told_how_to_send_one(start):
    larder = start({"auth": {"read": "token"}})
    page = browse(larder, "/", 401)
    assert page.has_text(f"{larder.url}/-/t/<token>/") and page.headers["WWW-Authenticate"].startswith("Bearer")


# ---- comparing --------------------------------------------------------------------------------------------------------------

def signed(**tensors):
    inputs = {name: Tensor(f"{name}:0", "float32", shape) for name, shape in tensors.items()}
    return modules.saved_model(MetaGraph({"serving_default": Signature(inputs, {"y": Tensor("y:0", "float32", [-1])})}))


def test_two_versions_are_compared(larder):
    for version, model in enumerate((signed(x=[-1]), signed(x=[-1], scale=[]), signed(x=[-1], scale=[])), 1):
        larder.publish(f"/acme/m/{version}", modules.module(1000 * min(version, 2), model=model))
    page = browse(larder, "/-/compare/acme/m?from=1&to=2")
    assert page.has_text("m: version 1 and version 2")
    assert page.has_text("Code that calls version 1 may fail with version 2") and page.has_text("Signature serving_default: input scale is new")
    assert page.has_text("saved_model.pb")
    assert browse(larder, "/-/compare/acme/m?from=2&to=1").has_text("Signature serving_default: input scale is gone")
    assert browse(larder, "/-/compare/acme/m").has_text("No difference. Code that calls version 2 can call version 3 as well.")
    assert browse(larder, "/-/compare/acme/m?from=&to=").has_text("m: version 2 and version 3")
    assert browse(larder, "/-/compare/acme/m?from=x&to=", 400).has_text('The parameter "from" must be a version, such as 2.')
    links = browse(larder, "/acme/m/2")
    assert ("form", "/-/compare/acme/m") in [(tag, attributes.get("action")) for tag, attributes in links.tags]


def test_a_version_is_not_compared_with_itself(larder):
    larder.publish("/acme/m/1", modules.module())
    for query in ("", "?from=1&to=1", "?from=1", "?to=1", "?from=&to=1"):
        page = browse(larder, f"/-/compare/acme/m{query}")
        assert page.has_text("with itself it has no differences. This module has only one version") and not page.has_text("1 to 1")
        assert "form" not in [tag for tag, attributes in page.tags if attributes.get("class") == "compare"]
    assert not browse(larder, "/acme/m/1").has_text("Compare")
    for version in (2, 3):
        larder.publish(f"/acme/m/{version}", modules.module(seed=version))
    for version in (1, 2, 3):
        page = browse(larder, f"/-/compare/acme/m?from={version}&to={version}")
        chosen = [attributes for tag, attributes in page.tags if tag == "option" and "selected" in attributes]
        assert page.has_text("Choose two") and len(chosen) == 2


def test_the_api_refuses_browsers_by_problems(start):
    larder = start({"auth": {"read": "token"}})
    for method, path, status in (("GET", "/api/v1/modules", 401), ("GET", "/api/v1/nothing", 404), ("GET", "/api/v1/../x", 400), ("GET", "/api/v1/%zz", 400),
                                 ("GET", "/api//v1", 400), ("POST", "/api/v1/fills", 401), ("PATCH", "/api/v1/stats", 405), ("GET", "/api/v1/imports", 401),
                                 ("GET", "/api", 404), ("GET", "/-/t/wrong/api/v1/modules", 401)):
        reply = larder.request(method, path, {"Accept": BROWSER})
        assert (reply.status, reply.header("Content-Type")) == (status, "application/problem+json"), path
    assert larder.get("/apis/x", accept=BROWSER).header("Content-Type").startswith("text/html")


def test_what_was_never_here_cannot_be_compared(mirror):
    """What an upstream may have can be brought here, in the format that is asked for; a command that would fail is none."""
    larder = mirror
    larder.publish("/acme/m/1", modules.module())
    page = browse(larder, "/-/compare/acme/m?from=1&to=7", 404)
    assert page.has_text(f"larder prefetch --server {larder.url} acme/m/7") and not page.has_text("acme/m/1")
    assert browse(larder, "/-/compare/acme/m?from=7&to=8&format=tfjs", 404).has_text(
        f"larder prefetch --server {larder.url} 'acme/m/7?tfjs-format=compressed'")
    larder.publish("/acme/m/2", modules.module(seed=2))
    assert browse(larder, "/-/compare/acme/m?format=").has_text("m: version 1 and version 2")
    page = browse(larder, "/-/compare/acme/m?format=tfjs", 404)
    assert page.has_text("were not both here as tfjs yet") and not page.has_text("prefetch"), "what is published comes from nowhere else"
    assert browse(larder, "/-/compare/acme/m/1", 404).has_text("without its number")
    for query, status, words in (("from=0", 400, '"from" must be a version'), ("to=-1", 400, '"to" must be a version'),
                                 ("format=foo", 400, "The format must be tf-hub"), ("from=1&to=7&format=%22%3E", 404, "7 is not known here")):
        page = browse(larder, f"/-/compare/acme/m?{query}", status)
        assert page.has_text(words) and not page.has_text("prefetch"), query
    larder.request("DELETE", "/acme/m/1", {"Authorization": f"Bearer {larder.token('withdraw:*')}"})
    page = browse(larder, "/-/compare/acme/m?from=1&to=2", 410)
    assert page.has_text("withdrawn") and not page.has_text("prefetch")


@pytest.mark.long
def test_a_comparison_is_bounded_whatever_differs(larder):
    """Of each part the page says that there is more."""
    for version, letter in ((1, "a"), (2, "b")):
        signatures = {f"{letter}{i}": Signature({"x": Tensor("x:0")}, {"y": Tensor("y:0")}) for i in range(2500)}
        signatures["wide"] = Signature({f"{letter}{i}": Tensor("x:0") for i in range(200)}, {"y": Tensor("y:0")})
        model = modules.saved_model(MetaGraph(signatures, ops=tuple(f"{letter}Op{i}" for i in range(4000))))
        files = [modules.Member("./"), modules.Member("./saved_model.pb", model), modules.Member("./assets/")]
        larder.publish(f"/acme/m/{version}", modules.pack(files + [modules.Member(f"./assets/{letter}{i:05}", b"x") for i in range(3000)]))
    reply = larder.get("/-/compare/acme/m", accept=BROWSER)
    assert len(reply.body) < 256 << 10, len(reply.body)
    page = Page(reply)
    assert page.has_text("More of them differ than a page can hold") and page.has_text("more, which the API tells of")
    assert page.has_text("More files differ than are compared")


@pytest.mark.parametrize("count, more", [(1, None), (12, None), (13, "and 1 more"), (100, "and 88 more")])
def test_reasons_why_callers_break_are_counted(larder, count, more):
    larder.publish("/acme/m/1", modules.module(model=signed(x=[-1], **{f"gone{i}": [] for i in range(count)})))
    larder.publish("/acme/m/2", modules.module(model=signed(x=[-1]), seed=2))
    page = browse(larder, "/-/compare/acme/m")
    assert sum("is gone" in text for text in page.text) == min(count, 12)
    assert page.has_text(f"{more}, see below") if more else not page.has_text("see below")


def test_formats_without_signatures_are_compared_by_their_files(larder):
    for version, size in ((1, 400), (2, 800)):
        larder.publish(f"/acme/js/{version}?tfjs-format=compressed", modules.tfjs_module(2, size))
    page = browse(larder, "/-/compare/acme/js")
    assert page.has_text("group1-shard1of2.bin") and not page.has_text("Operations")


# ---- documentation -------------------------------------------------------------------------------------------------------

LINKS = ("[one](https://tfhub.dev/google/x/1) [two](http://hub.test/google/y?tf-hub-format=compressed) "
         "[search](https://tfhub.dev/s?q=x) [other](https://other.test/google/z/1) [near](#usage)\n")
STAY = ["https://tfhub.dev/s?q=x", "https://other.test/google/z/1", "#usage"]


def links_of(reply):
    return [unescape(link) for link in re.findall(r'<a href="([^"]*)"', reply.body.decode())]


@pytest.mark.parametrize("settings", [{}, {"server": {"public_url": "https://models.acme.test/hub"}}])
def test_documentation_leads_to_the_modules_of_this_server(start, settings):
    larder = start({"hub": {"hosts": "tfhub.dev, hub.test"}, **settings})
    larder.publish("/acme/x/1", modules.module(400))
    larder.publish("/acme/x/1", LINKS.encode(), content_type="text/markdown")
    home = settings.get("server", {}).get("public_url") or larder.url.rstrip("/")
    paths = ["/google/x/1", "/google/y?tf-hub-format=compressed"]
    documentation = "/api/v1/documentation/acme/x/1"
    assert set(paths + STAY) <= set(browse(larder, "/acme/x/1").links)
    # A fragment may be shown anywhere: whole addresses, as in the rest of the API.
    assert links_of(larder.get(documentation)) == [home + path for path in paths] + STAY
    assert larder.get(documentation, accept="text/markdown").body.decode() == LINKS, "what was published stays as it is"


# ---- collections and publishers ---------------------------------------------------------------------------------------------

MODULE = "# Module acme/{}/1\n{}\n\n<!-- asset-path: legacy -->\n<!-- task: other -->\n<!-- fine-tunable: false -->\n<!-- format: hub -->\n\n## Overview\nText.\n"
DOCUMENTS = {
    "acme/acme.md": f"# Publisher acme\nAcme {SCRIPT}\n\n[![Icon URL]](https://acme.test/i.png)\n\n## Who\nWe make *things*.\n",
    "acme/models/x/1.md": MODULE.format("x", "Embeds words."),
    "acme/models/y/1.md": MODULE.format("y", "Sees."),
    "acme/collections/all/1.md": f"# Collection acme/all/1\nAll {SCRIPT} of it.\n\n<!-- task: other -->\n\n## Modules\n"
                                 "[x](https://tfhub.dev/acme/x/1) [z](https://tfhub.dev/acme/z/1) [home](https://acme.test/)\n",
}


@pytest.fixture
def catalogue(larder, tmp_path):
    for path, text in DOCUMENTS.items():
        file = tmp_path / "tree/assets/docs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    larder.larder("import-docs", str(tmp_path / "tree"))
    return larder


def test_collections_are_listed_and_shown(catalogue):
    page = browse(catalogue, "/-/collections")
    assert page.has_text("1 collection") and page.has_text(f"All {SCRIPT} of it.") and "/-/collections/acme/all" in page.links
    assert "/-/collections/acme/all" in browse(catalogue, "/-/collections?q=ALL&publisher=acme").links
    assert browse(catalogue, "/-/collections?q=none").has_text("No collection matches")
    page = browse(catalogue, "/-/collections/acme/all")
    assert page.has_text("Embeds words.") and "/acme/x" in page.links and "/acme" in page.links
    assert "/acme/x/1" in page.links and "https://acme.test/" in page.links, "links to modules lead home, others stay"
    assert not [link for link in page.links if link.startswith("https://tfhub.dev")]


def test_collection_is_found_where_the_hub_had_it(catalogue):
    for path in ("/acme/collections/all", "/acme/collections/all/1", "/https://tfhub.dev/acme/collections/all/1"):
        reply = catalogue.get(path, accept=BROWSER)
        assert reply.status == 302 and reply.header("Location") == "/-/collections/acme/all"
        assert catalogue.get(path).status == 404
    browse(catalogue, "/acme/collections/none/1", 404)


def test_home_begins_with_what_is_here(catalogue):
    catalogue.publish("/zoo/the-longest-name/1", modules.module(400))
    links = [link for link in browse(catalogue, "/").links if link in ("/acme/x", "/acme/y", "/zoo/the-longest-name")]
    assert links == ["/zoo/the-longest-name", "/acme/x", "/acme/y"], "what nobody has fetched yet: here, then new, then by name"


def test_no_collection_says_where_they_come_from(larder):
    assert browse(larder, "/-/collections").has_text("larder import-docs")


def test_publisher_is_shown_with_its_collections(catalogue):
    page = browse(catalogue, "/acme")
    assert page.has_text(f"Acme {SCRIPT}") and page.has_text("We make things.") and not page.has_text("Icon URL")
    assert page.has_text("2 modules and 1 collection") and {"/-/collections/acme/all", "/acme/x", "/acme/y"} <= set(page.links)


def test_listed_module_offers_its_formats_and_no_comparing(catalogue):
    page = browse(catalogue, "/acme/x")
    assert page.has_text("Not stored here yet") and page.has_text("hub.load(") and not page.has_text("tf.loadGraphModel")
    assert "form" in [tag for tag, _ in page.tags] and not page.has_text("Compare")


@pytest.mark.long
@pytest.mark.parametrize("letter", ["x", "&", "\u20ac"])
def test_tags_of_one_publisher_make_no_page_huge(larder, letter):
    """As many and as long as they may be, in five modules: of all that others look at as well."""
    kinds = ("task", "dataset", "language", "network-architecture")
    for number in range(1, 6):
        path, room = f"/acme/m{number}/1", 100 // len(letter.encode()) - 6
        tags = "".join(f"<!-- {kinds[i % 4]}: {number}.{i:03}.{letter * room} -->\n" for i in range(252))
        larder.publish(path, modules.module(seed=number))
        larder.publish(path, f"# Module {path[1:]}\nSays much.\n\n{tags}".encode(), content_type="text/markdown")
    for path in ("/", "/acme", "/acme/m1", "/acme/m1/1"):
        size = len(larder.get(path, accept=BROWSER).body)
        assert size < (256 if letter == "&" else 128) << 10, (path, size)
    assert browse(larder, "/acme/m1").has_text("and 220 more")
    answer = larder.get("/api/v1/modules?facets=true&limit=1")
    assert len(answer.body) < 150 << 10, len(answer.body)


@pytest.mark.parametrize("path, links", [
    ("/acme/x/9", {"/?q=x"}), ("/-/compare/acme/x?from=1&to=9", {"/acme/x"}), ("/acme/absent", {"/?q=absent"}), ("/acme/deep/absent/3", {"/?q=absent"}),
    ("/nobody", {"/-/publishers"}), ("/-/collections/acme/none", {"/-/collections"}), ("/-/versions/acme/absent", {"/?q=absent"})])
def test_who_asks_for_what_is_not_known_is_led_on(larder, path, links):
    larder.publish("/acme/x/1", modules.module())
    page = browse(larder, path, 404)
    assert links <= set(page.links) and not page.has_text("/api/"), page.links
    for link in links:
        browse(larder, link)


@pytest.mark.parametrize("written, read", [
    ("Takes `float32`, gives `[1, 2]`.", "Takes float32, gives [1, 2]."), ("See [the `paper`](https://a.test/p) first.", "See the paper first."),
    ("A ` alone.", "A ` alone."), ("[x] (y), [z](", "[x] (y), [z]("), ("[a](b c) and [](d)", "[a](b c) and [](d)"), (f"{SCRIPT} `x`", f"{SCRIPT} x"), ("[[a](b)]", "[a]")])
def test_descriptions_are_told_as_they_read(larder, written, read):
    larder.publish("/acme/x/1", modules.module())
    larder.publish("/acme/x/1", f"# Module acme/x/1\n{written}\n\n<!-- task: t -->\n".encode(), content_type="text/markdown")
    for path in ("/", "/acme", "/acme/x"):
        about = browse(larder, path)
        assert about.has_text(read) and (read == written or not about.has_text(written)), path
    assert larder.get("/api/v1/modules/acme/x/1").json()["description"] == written


@pytest.mark.parametrize("offline, told", [("on", "not stored here"), ("off", "downloaded at first use")])
def test_lists_tell_what_becomes_of_what_is_not_here(start, tmp_path, offline, told):
    larder = start({"mirror": {"offline": offline}})
    for path in ("acme/models/x/1.md", "acme/models/y/1.md"):
        file = tmp_path / "tree/assets/docs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(DOCUMENTS[path])
    larder.larder("import-docs", str(tmp_path / "tree"))
    larder.publish("/acme/z/1", modules.module())
    other = {"not stored here", "downloaded at first use"} - {told}
    for path in ("/", "/acme", "/?cached=false", "/acme/x"):
        page = browse(larder, path)
        assert page.has_text(told) and not page.has_text(*other), path
