# SPDX-License-Identifier: Apache-2.0
"""The code that a page shows, as it stands there: run in TF.js, and read by Python."""
import ast
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
from support.daemon import ROOT, binary
from support.waiting import DEADLINE_S

HERE = Path(__file__).resolve().parent
TESTDATA = ROOT.parent / "shared" / "testdata"
JS_MODELS = sorted((path.parent.name, path.name) for path in (TESTDATA / "tfjs").glob("*/model*.json"))
SAVED_MODELS = sorted(path.name for path in (TESTDATA / "savedmodel").glob("*"))
LITE_MODELS = sorted(str(path.relative_to(TESTDATA)) for path in (TESTDATA / "tflite").glob("*/*.tflite"))

# What the package of all of TF.js is: its parts under one name.
WHOLE = """import { createRequire } from "node:module";
const require = createRequire(%s);
const parts = ["core", "layers", "converter"].map((part) => require(`@tensorflow/tfjs-${part}`));
require("@tensorflow/tfjs-backend-cpu");
export const { %s } = Object.assign({}, ...parts);
"""
NAMES = "zeros, fill, loadGraphModel, loadLayersModel"


def panels(larder, path):
    page = larder.get(path, accept="text/html").body.decode()
    return {name: unescape(code) for name, code in
            re.findall(r'<div class="panel(?: open)?" id="use-([^"]+)">.*?<code>(.*?)</code>', page, re.S)}


def publish(larder, source, path):
    subprocess.run([binary(), "publish", source, f"{larder.url}{path}", "--token", larder.token()], check=True, capture_output=True,
                   timeout=DEADLINE_S)


def run_in_node(folder, code):
    package = folder / "node_modules/@tensorflow/tfjs"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "@tensorflow/tfjs", "type": "module", "main": "index.js"}')
    (package / "index.js").write_text(WHOLE % (json.dumps(str(HERE / "package.json")), NAMES))
    tell = "\nconsole.log(JSON.stringify(Object.values(outputs.dtype ? [outputs] : outputs).map((one) => [one.dtype, one.shape])));\n"
    (folder / "snippet.mjs").write_text(code + tell)
    done = subprocess.run(["node", "snippet.mjs"], cwd=folder, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, f"{code}\n{done.stderr[-2000:]}"
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name, file", JS_MODELS or [("none", "none")])
def test_code_for_tfjs_runs(larder, tmp_path, name, file):
    if not TESTDATA.is_dir():
        pytest.skip("../shared/testdata is not there")
    if not (HERE / "node_modules").is_dir():
        pytest.fail("no node_modules in tests/clients: tests/run brings them")
    model = tmp_path / "model"
    model.mkdir()
    shutil.copy(TESTDATA / "tfjs" / name / file, model / "model.json")
    for group in json.loads((model / "model.json").read_bytes())["weightsManifest"]:
        for path in group["paths"]:
            shutil.copy(TESTDATA / "tfjs" / name / path, model / path)
    publish(larder, model, "/acme/js/1")
    told, = larder.get("/api/v1/modules/acme/js/1").json()["artifacts"][0]["model"]["meta_graphs"][0]["signatures"][0]["outputs"]
    (dtype, shape), = run_in_node(tmp_path, panels(larder, "/acme/js/1")["tfjs"])
    assert dtype == told["dtype"]
    if "shape" in told:
        assert len(shape) == len(told["shape"]) and all(size in (-1, real) for size, real in zip(told["shape"], shape))


PYTHON = ("hub-load", "keras-layer", "kagglehub", "tflite")


def check_python(code):
    """It parses, and calls with the tensors of a signature."""
    tree = ast.parse(code)
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("name", SAVED_MODELS or ["none"])
def test_code_for_saved_models_is_python(larder, name):
    if not TESTDATA.is_dir():
        pytest.skip("../shared/testdata is not there")
    publish(larder, TESTDATA / "savedmodel" / name, "/acme/saved/1")
    shown = panels(larder, "/acme/saved/1")
    calls = {client: check_python(shown[client]) for client in PYTHON if client in shown}
    signatures = larder.get("/api/v1/modules/acme/saved/1").json()["saved_model"]["meta_graphs"][0]["signatures"]
    if signatures:
        assert any(call.startswith("model.signatures[") for call in calls["hub-load"]), shown["hub-load"]
    assert "hub.KerasLayer" in calls["keras-layer"]
    for shell in ("serving", "pull", "curl"):
        assert subprocess.run(["bash", "-n"], input=shown[shell], text=True, timeout=DEADLINE_S).returncode == 0, shown[shell]


@pytest.mark.parametrize("path", LITE_MODELS or ["none"])
def test_code_for_tflite_is_python(larder, path):
    if not TESTDATA.is_dir():
        pytest.skip("../shared/testdata is not there")
    publish(larder, TESTDATA / path, "/acme/lite/1")
    calls = check_python(panels(larder, "/acme/lite/1")["tflite"])
    assert {"tf.lite.Interpreter", "urllib.request.urlretrieve"} <= set(calls)
    assert "runner" in calls or {"interpreter.set_tensor", "interpreter.invoke"} <= set(calls)
