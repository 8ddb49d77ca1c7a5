# SPDX-License-Identifier: Apache-2.0
"""TF.js 4.22: what it saves here it loads again, and every real model that is published is loaded as from its own folder."""
import json
import shutil
import subprocess

import pytest
from support.daemon import ROOT, binary
from support.waiting import DEADLINE_S

TESTDATA = ROOT.parent / "shared" / "testdata" / "tfjs"
# A folder may have several models: (folder, the file that is its model.json).
MODELS = sorted((path.parent.name, path.name) for path in TESTDATA.glob("*/model*.json")) or [("none", "none")]
IDS = ["-".join(model).removesuffix(".json") for model in MODELS]

# Our own, in TF.js's two formats, for where the real ones are not.
LAYERS = {"format": "layers-model", "modelTopology": {"model_config": {"class_name": "Sequential", "config": {"name": "s", "layers": [
    {"class_name": "Dense", "config": {"name": "d", "units": 3, "batch_input_shape": [None, 2], "dtype": "float32", "use_bias": True}}]}}},
    "weightsManifest": [{"paths": ["w.bin"], "weights": [{"name": "d/kernel", "shape": [2, 3], "dtype": "float32"},
                                                        {"name": "d/bias", "shape": [3], "dtype": "float32"}]}]}


def kind_of(folder):
    return "graph" if json.loads((folder / "model.json").read_bytes())["format"] == "graph-model" else "layers"


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(LAYERS))
    (folder / "w.bin").write_bytes(bytes(range(36)))
    return folder


@pytest.fixture(params=[("own", "model.json"), *MODELS], ids=["own", *IDS])
def folder(request, tmp_path, own):
    """A model's folder, which has nothing else."""
    name, file = request.param
    if name == "own":
        return own
    copy = tmp_path / "model"
    copy.mkdir()
    if not TESTDATA.is_dir():
        pytest.skip("../shared/testdata is not there")
    shutil.copy(TESTDATA / name / file, copy / "model.json")
    for group in json.loads((copy / "model.json").read_bytes())["weightsManifest"]:
        for path in group["paths"]:
            shutil.copy(TESTDATA / name / path, copy / path)
    return copy


def test_version(tfjs):
    assert tfjs.version.startswith("4.22.")


def test_what_is_published_is_loaded(tfjs, larder, folder):
    local = tfjs.load(kind_of(folder), folder)
    subprocess.run([binary(), "publish", folder, f"{larder.url}/acme/model/1", "--token", larder.token()], check=True,
                   capture_output=True, timeout=DEADLINE_S)
    assert "digest" in local and tfjs.load(kind_of(folder), f"{larder.url}/acme/model/1") == local


@pytest.mark.parametrize("method", [None, "PUT"], ids=["POST", "PUT"])
def test_what_is_saved_is_loaded(tfjs, larder, folder, method):
    kind = kind_of(folder)
    local = tfjs.load(kind, folder)
    saved = tfjs.save(f"{larder.url}/acme/saved/1", larder.token("publish:acme/*"), method)
    assert saved.get("status") == 201, saved
    assert tfjs.save(f"{larder.url}/acme/saved/1", larder.token("publish:acme/*"), method)["status"] == 200
    assert tfjs.load(kind, f"{larder.url}/acme/saved/1") == local
    artifact, = larder.get("/api/v1/modules/acme/saved/1").json()["artifacts"]
    assert (artifact["format"], artifact["files"]) == ("tfjs", 2)


def test_what_upstream_has_as_single_files_is_loaded(tfjs, upstream, start, folder):
    local = tfjs.load(kind_of(folder), folder)
    for path in folder.iterdir():
        upstream.serve(f"/google/js/1/{path.name}", path.read_bytes())
    assert tfjs.load(kind_of(folder), f"{start(upstreams=[upstream.url]).url}/google/js/1") == local
    assert upstream.count() == 1 + len(list(folder.iterdir()))


def test_save_that_is_refused_is_an_error(tfjs, larder, own):
    tfjs.load("layers", own)
    assert "status 401" in tfjs.save(f"{larder.url}/acme/saved/1", "no-such-token")["error"]
    assert "status 403" in tfjs.save(f"{larder.url}/acme/saved/1", larder.token("publish:other/*"))["error"]
    assert "status 400" in tfjs.save(f"{larder.url}/acme/saved", larder.token())["error"]
    larder.assert_nothing_kept()
