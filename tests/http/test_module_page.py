# SPDX-License-Identifier: Apache-2.0
"""A version's page: its head, a line a function, and code that calls the model as its signature says."""
import ast
import json
import random
import re
import threading
from html import unescape

import pytest
from support import flatmodel, modules
from support.flatmodel import signature, subgraph, tensor
from support.daemon import assert_problem
from support.modules import MetaGraph, Signature, Tensor
from support.upstream import Answer
from support.waiting import wait_until
from test_pages import BROWSER, Page, browse

LITE = "?lite-format=tflite"


def publish(larder, signatures, path="/acme/m/1", **more):
    larder.publish(path, modules.module(400, model=modules.saved_model(MetaGraph(signatures, **more))))


def html(larder, path):
    return larder.get(path, accept="text/html").body.decode()


def code_of(larder, path, client):
    return unescape(re.search(rf'id="use-{client}">.*?<code>(.*?)</code>', html(larder, path), re.S)[1])


def lines(page):
    return [" ".join(unescape(re.sub("<[^>]*>", "", line)).split()) for line in re.findall(r"<code><b>.*?</code>", page)]


# ---- signatures ---------------------------------------------------------------------------------------------------------

def test_one_line_a_function(larder):
    publish(larder, {"b": Signature({}, {"y": Tensor("y:0", "string", None)}),
                     "serving_default": Signature({"x": Tensor("x:0", "float32", [-1, 784]), "n": Tensor("n:0", "int64", [])},
                                                  {"y": Tensor("y:0", "float32", [-1, 10])})})
    page = html(larder, "/acme/m/1")
    assert lines(page) == ["serving_default(n: int64[], x: float32[?,784]) → y: float32[?,10]", "b() → y: string[…]"], "the default comes first"
    assert re.findall(r'<details class="function" id="([^"]*)"( open)?>', page) == [
        ("tf-hub-signature-serving_default", " open"), ("tf-hub-signature-b", "")]


def test_many_signatures_are_a_page_of_a_few_screens(larder):
    many = {f"method_{i:03}": Signature({f"input_{j}": Tensor(f"x{j}:0", "float32", [-1, 224, 224, 3]) for j in range(3)},
                                        {"out": Tensor("y:0", "float32", [-1, 1000])}) for i in range(120)}
    publish(larder, many)
    page = html(larder, "/acme/m/1")
    assert len(lines(page)) == 120 and page.count("<table") <= 4 and 'class="sift"' in page
    assert len(page) <= 60 << 10, len(page)
    browse(larder, "/acme/m/1")


@pytest.mark.parametrize("count", [2000, 4000])
def test_more_than_a_page_can_hold(larder, count):
    publish(larder, {f"s{i:05}": Signature({"x" * 200: Tensor("x:0", "float32", [1])}, {}) for i in range(count)})
    page = html(larder, "/acme/m/1")
    assert len(page) <= 60 << 10 and "which the API tells of" in page
    browse(larder, "/acme/m/1")


def test_many_tensors_in_one_line(larder):
    publish(larder, {"s": Signature({f"i{i:03}": Tensor(f"x{i}:0", "float32", [1]) for i in range(300)}, {})})
    page = html(larder, "/acme/m/1")
    assert lines(page)[0].endswith("… 288 more) → nothing") and "and 200 more" in page and len(page) < 60 << 10


def test_names_that_are_no_anchors(larder):
    for number, names in enumerate((["1", "2", "a b"], ["é", "", "x"], ['"><b>', "a", "-"]), 1):
        publish(larder, {name: Signature({}, {"y": Tensor("y:0", "float32", [])}) for name in names}, f"/acme/m/{number}")
        browse(larder, f"/acme/m/{number}")


def test_signatures_of_each_format(larder):
    publish(larder, {"serving_default": Signature({"x": Tensor("x:0", "float32", [1])}, {})})
    larder.publish("/acme/m/1" + LITE, flatmodel.model([subgraph([tensor("in", "uint8", [1, 4])], [0], [0])]))
    page = html(larder, "/acme/m/1")
    assert lines(page) == ["serving_default(x: float32[1]) → nothing", "main(in: uint8[1,4]) → in: uint8[1,4]"]
    assert "first subgraph, in order" in page and ">TF Lite <span" in page
    browse(larder, "/acme/m/1")


def test_no_column_for_names_that_there_are_none_of(larder):
    publish(larder, {"serving_default": Signature({"x": Tensor("x:0", "float32", [1])}, {})})
    assert ">Tensor</th>" in html(larder, "/acme/m/1")
    layers = [{"class_name": "Dense", "config": {"name": "dense", "batch_input_shape": [None, 3], "dtype": "float32", "units": 2}}]
    model = {"format": "layers-model", "modelTopology": {"model_config": {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}},
             "weightsManifest": []}
    larder.publish("/acme/layers/1?tfjs-format=compressed", modules.tfjs_module(**{"model.json": json.dumps(model).encode()}))
    page = html(larder, "/acme/layers/1")
    assert lines(page)[0].startswith("predict(dense") and ">Shape</th>" in page and ">Tensor</th>" not in page


# ---- code ---------------------------------------------------------------------------------------------------------------

def calls(code):
    return [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]


def test_the_call_is_written_from_the_signature(larder):
    publish(larder, {"serving_default": Signature({"image": Tensor("x:0", "float32", [-1, -1, -1, 3]), "text": Tensor("t:0", "string", [-1]),
                                                   "on": Tensor("b:0", "bool", [])}, {})})
    assert code_of(larder, "/acme/m/1", "hub-load").splitlines()[-1] == (
        'outputs = model.signatures["serving_default"](image=tf.zeros([1, 224, 224, 3], tf.float32), on=tf.zeros([], tf.bool), '
        'text=tf.fill([1], "text"))')
    assert code_of(larder, "/acme/m/1", "keras-layer").splitlines()[-2].endswith('signature="serving_default", signature_outputs_as_dict=True)')


@pytest.mark.parametrize("seed", range(4))
def test_code_is_python_whatever_the_names(larder, seed):
    chance = random.Random(seed)
    signs = ["a", "class", "x:0", '"', "'", "\\", "\n", "é", "{", "}", "#", " ", "1", "None", "𝒳", "{url}", "<b>"]
    names = {"".join(chance.choices(signs, k=chance.randrange(1, 5))) for _ in range(6)}
    dtypes = [name for name, number in modules.DTYPES.items() if number]
    inputs = {name: Tensor("x:0", chance.choice(dtypes), [-1] * chance.randrange(4)) for name in names}
    publish(larder, {chance.choice(sorted(names)): Signature(inputs, {})})
    keywords = [key for call in calls(code_of(larder, "/acme/m/1", "hub-load")) for key in call.keywords]
    told = {key.arg for key in keywords if key.arg} | {key.value for word in keywords if word.arg is None for key in word.value.keys}
    assert told == names
    ast.parse(code_of(larder, "/acme/m/1", "keras-layer"))
    larder.publish("/acme/lite/1" + LITE, flatmodel.model([subgraph([tensor("a", "bfloat16", [2], [-1]), tensor("b", "string", [1])], [0, 1], [0])],
                                                          [signature(name, {"x": 0, name: 1}, {"y": 1}) for name in names]))
    ast.parse(code_of(larder, "/acme/lite/1", "tflite"))


def test_tflite_code(larder):
    larder.publish("/acme/lite/1" + LITE, flatmodel.model([subgraph([tensor("in", "uint8", [1, 4], [-1, 4])], [0], [0])]))
    code = code_of(larder, "/acme/lite/1", "tflite")
    assert 'interpreter.resize_tensor_input(inputs[0]["index"], [1, 4])' in code and "np.zeros([1, 4], np.uint8)" in code
    larder.publish("/acme/lite/2" + LITE, flatmodel.model([subgraph([tensor("in", "int8", [1, 4])], [0], [0])], [signature("s", {"x": 0}, {"y": 0})]))
    assert 'interpreter.get_signature_runner("s")' in code_of(larder, "/acme/lite/2", "tflite")


def test_serving_request(larder):
    publish(larder, {"serving_default": Signature({"x": Tensor("x:0", "float32", [-1, 3]), "it's": Tensor("s:0", "string", [])}, {})})
    assert """{"signature_name": "serving_default", "inputs": {"it'\\''s": "text", "x": [[0.0, 0.0, 0.0]]}}""" in code_of(larder, "/acme/m/1", "serving")
    publish(larder, {"serving_default": Signature({"x": Tensor("x:0", "float32", [-1, 784])}, {})}, "/acme/m/2")
    assert ":predict" not in code_of(larder, "/acme/m/2", "serving")


# ---- the head -----------------------------------------------------------------------------------------------------------

HEAD = ("# Module acme/m/1\nWords as *numbers*.\n\n<!-- asset-path: legacy -->\n<!-- task: text-embedding -->\n<!-- fine-tunable: false -->\n"
        "<!-- format: hub -->\n<!-- license: apache-2.0 -->\n<!-- colab: {} -->\n<!-- interactive-visualizer: vision -->\n\n## Overview\nThe text.\n")


def test_head(larder):
    for version in (1, 2, 3):
        larder.publish(f"/acme/m/{version}", modules.module(400, seed=version))
    larder.put("/acme/m/1", HEAD.format("https://colab.research.google.com/github/a/b.ipynb").encode(), content_type="text/markdown")
    page = browse(larder, "/acme/m/1")
    assert page.has_text("m version 1") and page.has_text("Version 3 is newer · compare") and page.has_text("vision")
    assert {"/-/compare/acme/m?from=1&to=3", "/acme/m/1?tf-hub-format=compressed", "/?license=apache-2.0", "#signatures", "#documentation",
            "https://colab.research.google.com/github/a/b.ipynb"} <= set(page.links)
    text = html(larder, "/acme/m/1")
    assert text.index('id="signatures"') < text.index('id="documentation"')
    assert not browse(larder, "/acme/m/3").has_text("is newer")


def test_colab_is_linked_to_and_nothing_else(larder):
    larder.publish("/acme/m/1", modules.module(400))
    larder.put("/acme/m/1", HEAD.format("https://colab.test/https://colab.research.google.com/").encode(), content_type="text/markdown")
    assert not browse(larder, "/acme/m/1").has_text("Open in Colab")


def test_a_version_without_documentation_has_that_of_the_newest_with_some(larder):
    for version in (1, 2, 3):
        larder.publish(f"/acme/m/{version}", modules.module(400, seed=version))
    assert browse(larder, "/acme/m/3").has_text("Add documentation")
    larder.put("/acme/m/1", b"First words.", content_type="text/markdown")
    larder.put("/acme/m/2", b"Second words.", content_type="text/markdown")
    assert larder.get("/api/v1/modules/acme/m").json()["documented_version"] == 2
    page = browse(larder, "/acme/m/3")
    assert page.has_text("Second words.") and page.has_text("the documentation of version 2, the newest that has some")
    assert browse(larder, "/acme/m/1").has_text("First words.") and not browse(larder, "/acme/m/2").has_text("the newest that has some")


def test_empty_sections_do_not_appear(larder):
    larder.publish("/acme/lite/1" + LITE, modules.tflite_model(300))
    page = html(larder, "/acme/lite/1")
    assert 'id="files"' not in page and 'id="documentation"' not in page and 'id="use"' in page


def test_downloads_are_those_of_the_version(larder):
    for version in (1, 2):
        larder.publish(f"/acme/m/{version}", modules.module(400, seed=version))
    for _ in range(3):
        larder.get("/acme/m/1?tf-hub-format=compressed")
    larder.restart()
    assert browse(larder, "/acme/m/1").has_text("Downloads3") and browse(larder, "/acme/m/2").has_text("Downloads0")


# ---- one model in several formats ---------------------------------------------------------------------------------------

DEPLOYED = "# {kind} acme/{name}/1\nDeployed.\n\n<!-- asset-path: legacy -->\n<!-- parent-model: acme/m/1 -->\n\n## Use\nIt.\n"


@pytest.fixture
def family(larder):
    larder.publish("/acme/m/1", modules.module(400))
    for kind, prefix in (("Lite", "lite-model"), ("Tfjs", "tfjs-model")):
        query = LITE if kind == "Lite" else "?tfjs-format=compressed"
        larder.publish(f"/acme/{prefix}/m/small/1" + query, modules.tflite_model(300) if kind == "Lite" else modules.tfjs_module())
        larder.put(f"/acme/{prefix}/m/small/1", DEPLOYED.format(kind=kind, name="m/small").encode(), content_type="text/markdown")
    return larder


def test_parent_and_deployments(family):
    parent = family.get("/api/v1/modules/acme/m/1").json()
    assert parent["parent"] is None and parent["deployments"] == [
        {"handle": "acme/lite-model/m/small", "version": 1, "formats": ["tflite"]},
        {"handle": "acme/tfjs-model/m/small", "version": 1, "formats": ["tfjs"]}]
    child = family.get("/api/v1/modules/acme/lite-model/m/small/1").json()
    assert child["parent"] == {"handle": "acme/m", "version": 1} and child["deployments"] == []
    family.request("DELETE", "/acme/tfjs-model/m/small/1", {"Authorization": f"Bearer {family.token('withdraw:*')}"})
    assert len(family.get("/api/v1/modules/acme/m/1").json()["deployments"]) == 1


def test_each_format_leads_to_the_others(family):
    paths = ["/acme/m/1", "/acme/lite-model/m/small/1", "/acme/tfjs-model/m/small/1"]
    for path in paths:
        assert set(paths) - {path} <= set(browse(family, path).links), path
    family.publish("/acme/alone/1", modules.module(400, seed=9))
    assert 'class="family"' not in html(family, "/acme/alone/1")


def test_a_panel_a_format(family):
    for path in ("/acme/m/1", "/acme/lite-model/m/small/1"):
        text = html(family, path)
        assert re.findall(r'id="format-([^"]*)">\n<h3>([^<]*)', text) == [
            ("tf-hub", "TensorFlow"), ("tfjs", "TF.js"), ("tflite", "TF Lite"), ("all", "All ")], path
        assert re.findall(r'"panel open" id="format-([^"]*)', text) == ["tflite" if "lite" in path else "tf-hub"], "its own is found open"
        assert text.count('aria-current="page">acme/') == 2, "in its own format, and among all"
        assert 'href="/acme/lite-model/m/small/1?lite-format=tflite" download' in text
        browse(family, path)


def test_a_family_that_is_too_large_for_a_page(larder):
    larder.publish("/acme/m/1", modules.module(400))
    for i in range(40):
        path = f"/acme/lite-model/{'n' * 200}{i}/1"
        larder.publish(path + LITE, modules.tflite_model(300 + i))
        larder.put(path, f"# Lite acme/{'n' * 200}{i}/1\nD.\n\n<!-- asset-path: legacy -->\n<!-- parent-model: acme/m/1 -->\n\n## U\n".encode(),
                   content_type="text/markdown")
    page = html(larder, "/acme/m/1")
    assert "and 16 more" in page and "and 17 more" in page and len(page) < 60 << 10, len(page)
    last = html(larder, path)
    assert 'aria-current="page">acme/' not in last and re.findall(r'"panel open" id="format-([^"]*)', last) == ["tf-hub"], "the first, where its own does not show it"
    browse(larder, "/acme/m/1")


# ---- what is not here yet -----------------------------------------------------------------------------------------------

def test_a_fill_is_shown_where_one_waits_for_it(mirror, upstream):
    gate = threading.Event()
    upstream.serve("/far/away/3", Answer(modules.module(1 << 20), gate=gate, gate_after=1 << 19))
    before = html(mirror, "/far/away/3")
    assert 'data-version="far/away/3"' in before and "larder prefetch" in before and "<progress" not in before
    number = mirror.request("POST", "/api/v1/fills", {"Content-Type": "application/json"}, b'{"paths": ["far/away/3"]}').json()["fills"][0]["id"]
    fills = lambda: mirror.get("/api/v1/fills?path=far/away/3").json()["fills"]
    wait_until(lambda: fills() and fills()[0]["bytes"] > 0, lambda: f"the fill to come so far: {fills()}")
    page = html(mirror, "/far/away/3")
    assert f'data-fill="{number}"' in page and re.search(r'<progress aria-label="Progress" max="\d+" value="\d+">', page)
    assert re.search(r'class="told">[\d.]+ \w+ of [\d.]+ \w+', page) and 'class="unscripted"' in page
    assert mirror.get("/api/v1/fills?path=far/away/4").json() == {**mirror.get("/api/v1/fills?path=far/away/4").json(), "fills": [], "recent": [], "total": 0}
    assert_problem(mirror.get("/api/v1/fills?path=far"), 400, "bad-request")
    gate.set()
    wait_until(lambda: not fills(), lambda: f"the fill to end: {fills()}")
    assert [fill["id"] for fill in mirror.get("/api/v1/fills?path=far/away/3").json()["recent"]] == [number]
    assert "<progress" not in html(mirror, "/far/away/3")


def test_why_the_last_fill_failed_is_told(mirror, upstream):
    upstream.serve("/far/broken/1", Answer(b"no module"))
    mirror.request("POST", "/api/v1/fills", {"Content-Type": "application/json"}, b'{"paths": ["far/broken/1"]}')
    recent = lambda: mirror.get("/api/v1/fills?path=far/broken/1").json()["recent"]
    wait_until(recent, lambda: "the fill to fail")
    page = Page(mirror.get("/far/broken/1", accept=BROWSER))
    assert page.has_text("The last download from upstream failed: ") or page.has_text("cannot be downloaded from upstream now: "), mirror.get("/far/broken/1", accept=BROWSER).body


# ---- files, tables ------------------------------------------------------------------------------------------------------

def test_files_that_are_text_can_be_opened(larder):
    larder.publish("/acme/m/1", modules.module(400))
    larder.publish("/acme/m/1?tfjs-format=compressed", modules.tfjs_module())
    files = [link for link in browse(larder, "/acme/m/1").links if link.endswith("?tfjs-format=file")]
    assert "/acme/m/1/model.json?tfjs-format=file" in files
    for file in files:
        assert larder.get(file, accept="text/html").header("Content-Type") in ("application/json", "text/plain; charset=utf-8")


def test_size_of_each_format(larder):
    larder.publish("/acme/m/1", modules.module(400))
    assert browse(larder, "/acme/m/1").has_text("Size") and not browse(larder, "/acme/m/1").has_text("Size, ")
    larder.publish("/acme/m/1" + LITE, modules.tflite_model(300))
    page = browse(larder, "/acme/m/1")
    assert page.has_text("Size, tf-hub") and page.has_text("Size, tflite")


# ---- what is only listed ------------------------------------------------------------------------------------------------

LISTED = "# {kind} acme/{name}/1\nListed.\n\n<!-- asset-path: legacy -->\n<!-- task: text-embedding -->\n<!-- fine-tunable: false -->\n<!-- format: hub -->\n\n## Use\nIt.\n"


@pytest.mark.parametrize("offline", ["off", "on"])
def test_what_is_listed(start, upstream, tmp_path, offline):
    larder = start({"mirror": {"offline": offline}}, [upstream.url])
    folder = tmp_path / "tree/assets/docs/acme/models"
    for kind, name in (("Module", "x"), ("Placeholder", "p")):
        text = LISTED.format(kind=kind, name=name)
        if kind == "Placeholder":
            text = re.sub("<!-- (asset-path|format).*\n", "", text)
        (folder / name).mkdir(parents=True)
        (folder / name / "1.md").write_text(text)
    larder.larder("import-docs", str(tmp_path / "tree"))
    page = browse(larder, "/acme/x/1")
    assert page.has_text("downloaded at first use" if offline == "off" else "not stored here") and page.has_text("Use it")
    assert ("/acme/x/1?tf-hub-format=compressed" in page.links) == (offline == "off"), "what cannot be had is not offered"
    page = browse(larder, "/acme/p/1")
    assert not page.has_text("Use it") and 'data-tabs="Clients"' not in html(larder, "/acme/p/1")


def test_state_of_what_is_here(larder):
    larder.publish("/acme/m/1", modules.module(400))
    assert browse(larder, "/acme/m/1").has_text("stored here")
    larder.request("DELETE", "/acme/m/1", {"Authorization": f"Bearer {larder.token('withdraw:*')}"})
    page = browse(larder, "/acme/m/1", 410)
    assert page.has_text("withdrawn") and not any("compressed" in link for link in page.links)
