# SPDX-License-Identifier: Apache-2.0
"""Lists for people have one row a model: its deployments in other formats are named in it. The API's lists are as they were."""
import random

import pytest
from support import modules
from support.daemon import assert_problem
from test_pages import browse

LITE, TFJS = "?lite-format=tflite", "?tfjs-format=compressed"
HEAD = "# {kind} acme/{name}/1\n{text}\n\n<!-- asset-path: legacy -->\n<!-- parent-model: {parent} -->\n\n## Use\nIt.\n"


def deploy(larder, name, parent, kind="Lite", text="Deployed."):
    path = f"/acme/{'lite' if kind == 'Lite' else 'tfjs'}-model/{name}/1"
    body = modules.tflite_model(300 + len(name)) if kind == "Lite" else modules.tfjs_module()
    larder.publish(path + (LITE if kind == "Lite" else TFJS), body)
    reply = larder.put(path, HEAD.format(kind=kind, name=name, parent=parent, text=text).encode(), content_type="text/markdown")
    assert reply.status in (200, 201), reply
    return path


def rows(larder, query="", path=""):
    page = browse(larder, f"/{path}{query}")
    return [link for link in page.links if link.startswith("/acme/")]


def api(larder, query=""):
    answer = larder.get("/api/v1/modules?sort=name" + query).json()
    return {module["handle"]: module for module in answer["modules"]}, answer["total"]


@pytest.fixture
def family(larder):
    larder.publish("/acme/m/1", modules.module(400))
    for name, kind in (("m/a", "Lite"), ("m/b", "Lite"), ("m/a", "Tfjs")):
        deploy(larder, name, "acme/m/1", kind)
    larder.publish("/acme/alone/1", modules.module(401))
    return larder


def test_one_row_for_a_model(family):
    whole, total = api(family)
    assert set(whole) == {"acme/m", "acme/alone", "acme/lite-model/m/a", "acme/lite-model/m/b", "acme/tfjs-model/m/a"} and total == 5
    assert all("deployments" not in module for module in whole.values())
    folded, total = api(family, "&fold=true")
    assert set(folded) == {"acme/m", "acme/alone"} and total == 5, "what matches is counted as ever"
    assert folded["acme/m"]["deployment_count"] == 3 and folded["acme/alone"]["deployments"] == []
    assert {(one["handle"], *one["formats"]) for one in folded["acme/m"]["deployments"]} == {
        ("acme/lite-model/m/a", "tflite"), ("acme/lite-model/m/b", "tflite"), ("acme/tfjs-model/m/a", "tfjs")}
    for path in ("", "acme"):
        page = browse(family, f"/{path}")
        assert "/acme/tfjs-model/m/a" in page.links and "/acme/m#format-tflite" in page.links and "/acme/lite-model/m/a" not in page.links
        assert page.has_text("Also as TF.js TF Lite 2")
    assert_problem(family.get("/api/v1/modules?fold=maybe"), 400, "bad-request")


def test_what_the_parent_does_not_match_is_found(family):
    assert set(api(family, "&fold=true&format=tflite")[0]) == {"acme/lite-model/m/a", "acme/lite-model/m/b"}
    assert set(api(family, "&fold=true&parent_model=acme/m")[0]) == {"acme/lite-model/m/a", "acme/lite-model/m/b", "acme/tfjs-model/m/a"}
    ranked = [module["handle"] for module in family.get("/api/v1/modules?q=acme/lite-model/m/a&fold=true").json()["modules"]]
    assert ranked[0] == "acme/lite-model/m/a", "the better hit keeps its row"


def test_the_row_is_there_whoever_comes_and_goes(family):
    token = {"Authorization": f"Bearer {family.token('withdraw:*')}"}
    family.request("DELETE", "/acme/m/1", token)
    assert len(api(family, "&fold=true")[0]) == 4
    family.publish("/acme/m/2", modules.module(402))
    assert set(api(family, "&fold=true")[0]) == {"acme/m", "acme/alone"}
    family.restart()
    assert set(api(family, "&fold=true")[0]) == {"acme/m", "acme/alone"}
    deploy(family, "early", "acme/later/1")
    assert "acme/lite-model/early" in api(family, "&fold=true")[0]
    family.publish("/acme/later/1", modules.module(403))
    assert "acme/lite-model/early" not in api(family, "&fold=true")[0]


def test_many_formats_are_some_and_how_many_more(larder):
    larder.publish("/acme/m/1", modules.module(400))
    for i in range(9):
        deploy(larder, f"m/{i}", "acme/m/1")
    module = api(larder, "&fold=true")[0]["acme/m"]
    assert len(module["deployments"]) == 6 and module["deployment_count"] == 9
    page = browse(larder, "/")
    assert page.has_text("and 3 more") and "/?parent_model=acme%2Fm" in page.links


@pytest.mark.parametrize("seed", range(3))
def test_nobody_is_lost(larder, seed):
    """Whatever names whatever as its parent: each module is a row, or its parent is one on some page; and pages never repeat."""
    chance = random.Random(seed)
    names = [f"d{i}" for i in range(14)]
    for i in range(4):
        larder.publish(f"/acme/p{i}/1", modules.module(400 + i))
    parents = {}
    for name in names:
        parents[f"acme/lite-model/{name}"] = chance.choice([f"acme/p{i}" for i in range(6)] + [f"acme/lite-model/{other}" for other in names])
        deploy(larder, name, parents[f"acme/lite-model/{name}"] + "/1")
    known = set(api(larder)[0])
    for sort in ("name", "downloads", "relevance&q=acme"):
        seen, url = [], f"/api/v1/modules?fold=true&limit=3&sort={sort}"
        while url:
            answer = larder.get(url).json()
            seen += [module["handle"] for module in answer["modules"]]
            url = answer["next"] and answer["next"].removeprefix(larder.url)
        assert len(seen) == len(set(seen))
        assert all(handle in seen or parents[handle] in seen for handle in known), sort


# ---- collections ---------------------------------------------------------------------------------------------------------

COLLECTION = "# Collection acme/speech/1\nAll that hears.\n\n<!-- task: other -->\n\n## Modules\n{links}\n"


def collect(larder, folder, handles):
    file = folder / "tree/assets/docs/acme/collections/speech/1.md"
    file.parent.mkdir(parents=True)
    file.write_text(COLLECTION.format(links="\n".join(f"* [one](https://tfhub.dev/{handle}/1)" for handle in handles)))
    larder.larder("import-docs", str(folder / "tree"))


def shelf(larder, query):
    """The modules of the collection, page by page, and what each page says of their number."""
    found, totals, url = [], set(), f"/api/v1/collections/acme/speech?{query}"
    while url:
        answer = larder.get(url).json()
        found += answer["modules"]
        totals.add(answer["total"])
        url = answer["next"] and answer["next"].removeprefix(larder.url)
    return found, totals


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_a_collection_has_one_row_for_a_model(family, tmp_path, limit):
    order = ["acme/lite-model/m/a", "acme/alone", "acme/tfjs-model/m/a", "acme/m", "acme/lite-model/m/b"]
    collect(family, tmp_path, order)
    assert [module["handle"] for module in shelf(family, f"limit={limit}")[0]] == order
    found, totals = shelf(family, f"limit={limit}&fold=true")
    assert [module["handle"] for module in found] == ["acme/alone", "acme/m"] and totals == {5}
    assert found[1]["deployment_count"] == 3 and {one["handle"] for one in found[1]["deployments"]} == set(order) - {"acme/alone", "acme/m"}


def test_a_collection_without_the_parent_has_its_deployments(family, tmp_path):
    collect(family, tmp_path, ["acme/lite-model/m/a", "acme/lite-model/m/b"])
    assert [module["handle"] for module in shelf(family, "fold=true")[0]] == ["acme/lite-model/m/a", "acme/lite-model/m/b"]
    assert_problem(family.get("/api/v1/collections/acme/speech?fold=maybe"), 400, "bad-request")


def test_the_page_of_a_collection_is_folded(family, tmp_path):
    collect(family, tmp_path, ["acme/lite-model/m/a", "acme/m", "acme/lite-model/m/b"])
    page = browse(family, "/-/collections/acme/speech")
    assert "/acme/m" in page.links and "/acme/m#format-tflite" in page.links and "/acme/lite-model/m/a" not in page.links
    assert page.has_text("Also as TF.js TF Lite 2") and page.has_text("stored here")
