# SPDX-License-Identifier: Apache-2.0
"""Collections and publishers, as documentation trees bring them."""
import json
import re

import pytest
from support import modules
from support.daemon import Daemon, assert_problem

MODULE = "# Module {path}\n{description}\n\n<!-- asset-path: legacy -->\n<!-- task: other -->\n<!-- fine-tunable: false -->\n<!-- format: hub -->\n\n## Overview\nText.\n"
COLLECTION = "# Collection {path}\n{description}\n\n<!-- task: {task} -->\n{tags}\n## Modules\n{links}\n"


def link(path):
    return f"* [one](https://tfhub.dev/{path})"


def collection(path, description, task="other", languages=(), links=()):
    return COLLECTION.format(path=path, description=description, task=task, links="\n".join(map(link, links)),
                             tags="".join(f"<!-- language: {language} -->\n" for language in languages))


DOCUMENTS = {
    "acme/acme.md": "# Publisher acme\nAcme Ltd\n\n[![Icon URL]](https://acme.test/i.png)\n\n## Who\nWe <script>alert(1)</script> *make* things.\n",
    "zoo/zoo.md": "# Publisher zoo\nThe Zoo\n",
    "acme/models/x/1.md": MODULE.format(path="acme/x/1", description="Old."),
    "acme/models/x/2.md": MODULE.format(path="acme/x/2", description="Embeds words."),
    "acme/models/y/1.md": MODULE.format(path="acme/y/1", description="Sees."),
    "acme/collections/encoders/1.md": collection("acme/encoders/1", "All that encodes.", "text-embedding", ["en"],
                                                 ["zoo/absent/1", "acme/y/1", "acme/x/1", "acme/y"]),
    "acme/collections/nested/deep/3.md": collection("acme/nested/deep/3", "Of <b>bold</b> names.", links=["acme/x/2"]),
    "zoo/collections/cats/1.md": collection("zoo/cats/1", "Striped & spotted.", "image-classification"),
}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """For those who only look."""
    folder = tmp_path_factory.mktemp("catalogue")
    daemon = Daemon(folder).start()
    bring(daemon, folder, DOCUMENTS)
    yield daemon
    daemon.stop()


@pytest.fixture
def stocked(larder, tmp_path):
    bring(larder, tmp_path, DOCUMENTS)
    return larder


def bring(larder, folder, documents):
    for path, text in documents.items():
        file = folder / "tree/assets/docs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return larder.larder("import-docs", str(folder / "tree"))


def listed(daemon, query=""):
    listing = daemon.get("/api/v1/collections" + query).json()
    assert listing["total"] == len(listing["collections"]) and listing["next"] is None
    return [one["handle"] for one in listing["collections"]]


def test_list(catalogue):
    listing = catalogue.get("/api/v1/collections").json()
    assert listing["total"] == 3 and listing["next"] is None
    first = listing["collections"][0]
    assert first.pop("updated_at").endswith("Z")
    assert first == {"handle": "acme/encoders", "publisher": "acme", "name": "encoders", "version": 1, "description": "All that encodes.",
                     "tags": {"language": ["en"], "task": ["text-embedding"]}, "modules": 2}
    assert [one["handle"] for one in listing["collections"]] == ["acme/encoders", "acme/nested/deep", "zoo/cats"]


@pytest.mark.parametrize("query, handles", [
    ("?publisher=acme", ["acme/encoders", "acme/nested/deep"]), ("?publisher=none", []), ("?publisher=", ["acme/encoders", "acme/nested/deep", "zoo/cats"]),
    ("?q=CATS", ["zoo/cats"]), ("?q=image", ["zoo/cats"]), ("?q=all+encodes", ["acme/encoders"]), ("?q=encodes+cats", []),
    ("?q=acme/nested", ["acme/nested/deep"]), ("?q=++", ["acme/encoders", "acme/nested/deep", "zoo/cats"]),
    ("?q=striped&publisher=acme", []), ("?q=%25", []), ("?q=%27%22%2A", []), ("?q=" + "x" * 5000, []),
])
def test_search(catalogue, query, handles):
    assert listed(catalogue, query) == handles


def test_pages(catalogue):
    seen, url = [], "/api/v1/collections?limit=1"
    while url:
        page = catalogue.get(url[url.index("/api"):]).json()
        assert page["total"] == 3 and len(page["collections"]) == 1
        seen.append(page["collections"][0]["handle"])
        url = page["next"]
    assert seen == ["acme/encoders", "acme/nested/deep", "zoo/cats"]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=%21", "cursor=" + "A" * 5000, "cursor=AA"])
def test_refused_queries(catalogue, query):
    assert_problem(catalogue.get("/api/v1/collections?" + query), 400, "bad-request")


@pytest.mark.parametrize("query", ["q=%ff", "q=%00", "publisher=%ff%00", "cursor=bm9uZQ"])
def test_hostile_queries(catalogue, query):
    assert catalogue.get("/api/v1/collections?" + query).status in (200, 400)


def shelved(answer):
    return [tuple(module[key] for key in ("handle", "description", "cached", "latest_version")) for module in answer["modules"]]


def test_one(catalogue):
    answer = catalogue.get("/api/v1/collections/acme/encoders").json()
    assert [answer[key] for key in ("handle", "publisher", "name", "version", "description")] == [
        "acme/encoders", "acme", "encoders", 1, "All that encodes."]
    # In the collection's order, each once, and those only that are known.
    assert shelved(answer) == [("acme/y", "Sees.", False, 1), ("acme/x", "Embeds words.", False, 2)]
    assert answer["modules"] == [catalogue.get(f"/api/v1/modules?q={handle}").json()["modules"][0] for handle in ("acme/y", "acme/x")], "as in any list"
    assert catalogue.get("/api/v1/collections/acme/nested/deep").json()["description"] == "Of <b>bold</b> names."
    assert catalogue.get("/api/v1/collections/zoo/cats").json()["modules"] == []


def test_modules_of_one_follow_the_catalog(stocked):
    stocked.publish("/acme/x/2", modules.module(100))
    stocked.request("DELETE", "/acme/y/1", {"Authorization": f"Bearer {stocked.token('withdraw:*')}"})
    assert shelved(stocked.get("/api/v1/collections/acme/encoders").json()) == [("acme/x", "Embeds words.", True, 2)]
    stocked.publish("/zoo/absent/1", modules.module(100, seed=2))
    answer = stocked.get("/api/v1/collections/acme/encoders").json()
    assert [module["handle"] for module in answer["modules"]] == ["zoo/absent", "acme/x"]
    assert stocked.get("/api/v1/collections").json()["collections"][0]["modules"] == 2


@pytest.mark.parametrize("kind", ["collections", "collection-documentation"])
@pytest.mark.parametrize("path", ["acme/none", "none/encoders", "acme", "acme/", "acme/encoders/1", "%ff/%ff", "a" * 400 + "/b"])
def test_none(catalogue, kind, path):
    assert_problem(catalogue.get(f"/api/v1/{kind}/{path}"), 404, "not-found")


def test_documentation_of_a_collection(catalogue):
    html = catalogue.get("/api/v1/collection-documentation/acme/encoders")
    assert html.header("content-type") == "text/html; charset=utf-8" and b"<h2>Modules</h2>" in html.body
    assert "sandbox" in html.header("content-security-policy")
    markdown = catalogue.get("/api/v1/collection-documentation/acme/encoders", accept="text/markdown")
    assert markdown.body.decode() == DOCUMENTS["acme/collections/encoders/1.md"]


def test_publisher(catalogue):
    answer = catalogue.get("/api/v1/publishers/acme").json()
    assert {key: answer[key] for key in ("name", "display_name", "icon_url", "modules", "collections")} == {
        "name": "acme", "display_name": "Acme Ltd", "icon_url": "https://acme.test/i.png", "modules": 2, "collections": 2}
    assert catalogue.get("/api/v1/publishers/zoo").json()["collections"] == 1
    assert catalogue.get("/api/v1/publishers/zoo").json()["icon_url"] is None
    assert catalogue.get("/acme").json() == answer


def test_publisher_without_documentation(stocked):
    stocked.publish("/lab/m/1", modules.module(100))
    assert stocked.get("/api/v1/publishers/lab").json()["display_name"] == "lab"
    assert_problem(stocked.get("/api/v1/publisher-documentation/lab"), 404, "not-found")


@pytest.mark.parametrize("path", ["none", "acme/x", "%ff", "ACME"])
def test_no_such_publisher(catalogue, path):
    for kind in ("publishers", "publisher-documentation"):
        assert_problem(catalogue.get(f"/api/v1/{kind}/{path}"), 404, "not-found")


def test_documentation_of_a_publisher(catalogue):
    html = catalogue.get("/api/v1/publisher-documentation/acme")
    assert b"<em>make</em>" in html.body and b"<script" not in html.body and b"Acme Ltd" not in html.body
    markdown = catalogue.get("/api/v1/publisher-documentation/acme", accept="text/markdown")
    assert markdown.body.decode() == DOCUMENTS["acme/acme.md"]


def test_what_a_new_tree_says(stocked, tmp_path):
    bring(stocked, tmp_path, {"acme/collections/encoders/2.md": collection("acme/encoders/2", "Fewer.", links=["acme/x/2"])})
    answer = stocked.get("/api/v1/collections/acme/encoders").json()
    assert (answer["version"], answer["description"], answer["tags"]) == (2, "Fewer.", {"task": ["other"]})
    assert [module["handle"] for module in answer["modules"]] == ["acme/x"]


# ---- very many modules in one ----------------------------------------------------------------------------------------------------

MANY = 230


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """Of each three modules that the collection links to, one is not known."""
    folder = tmp_path_factory.mktemp("crowded")
    daemon = Daemon(folder).start()
    documents = {f"acme/models/m{i}/1.md": MODULE.format(path=f"acme/m{i}/1", description="One.") for i in range(MANY) if i % 3}
    bring(daemon, folder, documents | {
        "acme/collections/all/1.md": collection("acme/all/1", "All.", links=[f"acme/m{i}/1" for i in reversed(range(MANY))])})
    yield daemon
    daemon.stop()


KNOWN = [f"acme/m{i}" for i in reversed(range(MANY)) if i % 3]


@pytest.mark.parametrize("query, limit", [("", 50), ("?limit=1", 1), ("?limit=7", 7), ("?limit=153", 153), ("?limit=200", 200)])
def test_modules_of_one_come_in_pages(crowded, query, limit):
    seen, url = [], "/api/v1/collections/acme/all" + query
    while url:
        page = crowded.get(url[url.index("/api"):]).json()
        handles = [module["handle"] for module in page["modules"]]
        assert page["total"] == len(KNOWN) and page["handle"] == "acme/all"
        assert len(handles) == limit or (page["next"] is None and 0 < len(handles) < limit)
        seen += handles
        url = page["next"]
    assert seen == KNOWN


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=%21", "cursor=AA", "cursor=YWNtZS9t"])
def test_refused_pages_of_one(crowded, query):
    assert_problem(crowded.get("/api/v1/collections/acme/all?" + query), 400, "bad-request")


def test_the_page_of_one_leads_to_the_next(crowded):
    seen, path = [], "/-/collections/acme/all"
    while path:
        body = crowded.get(path, accept="text/html").body.decode()
        seen += re.findall(r'<h3><a href="/(acme/m\d+)"', body)
        found = re.search(r'rel="next" href="([^"]+)"', body)
        path = found and found[1].replace("&amp;", "&")
    assert seen == KNOWN


def test_an_export_takes_all_modules_of_one(crowded, tmp_path):
    report = crowded.larder("export", "--collection", "acme/all", "-o", str(tmp_path / "bundle.tar"), "--json").stdout
    assert json.loads(report)["versions"] == len(KNOWN)
