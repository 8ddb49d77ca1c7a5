# SPDX-License-Identifier: Apache-2.0
"""Real models: what is listed of each equals what Google's protobuf runtime reads in it."""
import io
import json
import tarfile

import pytest
from support import hub_client
from support.daemon import ROOT, Daemon

TESTDATA = ROOT.parent / "shared" / "testdata"
MODELS = sorted(path.name for path in TESTDATA.glob("savedmodel/*")) or ["none"]
TFJS = sorted(path.name for path in TESTDATA.glob("tfjs/*")) or ["none"]
TFLITE = sorted(path.name for path in TESTDATA.glob("tflite/*")) or ["none"]

DTYPES = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_STRING": "string", "DT_BOOL": "bool", "DT_HALF": "float16",
          "DT_BFLOAT16": "bfloat16", "DT_RESOURCE": "resource", "DT_VARIANT": "variant", "DT_INT8": "int8", "DT_INT16": "int16",
          "DT_INT32": "int32", "DT_INT64": "int64", "DT_UINT8": "uint8", "DT_UINT16": "uint16", "DT_UINT32": "uint32",
          "DT_UINT64": "uint64"}


@pytest.fixture(scope="module")
def larder(start_shared):
    return start_shared()


@pytest.fixture(scope="module")
def larder(tmp_path_factory):
    if not TESTDATA.is_dir():
        pytest.skip("../shared/testdata is not there")
    daemon = Daemon(tmp_path_factory.mktemp("testdata")).start()
    yield daemon
    daemon.stop()


def pack_folder(folder):
    """As `tar --sort=name --owner=0 --group=0 --mtime=@0 -C FOLDER -czf - .`"""
    def plain(info):
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = ""
        info.mode = 0o755 if info.isdir() else 0o644
        return info

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        archive.add(folder, ".", filter=plain)
    return out.getvalue()


def model_path(prefix, name):
    return f"/{prefix}/{name}/1"


def expected_dtype(name):
    return expected_dtype(name[:-4]) + "_ref" if name.endswith("_REF") else DTYPES[name]


def expected_tensors(tensors):
    listed = []
    for name, tensor in sorted(tensors.items()):
        entry = {"name": name, "tensor": tensor["name"], "dtype": expected_dtype(tensor["dtype"])}
        if tensor["shape"] != "unset":
            entry["shape"] = tensor["shape"]
        listed.append(entry)
    return listed


def expected_graph(graph):
    return {"tags": sorted(graph["tags"]), "signatures": [
        {"name": name, "method": signature["method_name"], "inputs": expected_tensors(signature["inputs"]),
         "outputs": expected_tensors(signature["outputs"])}
        for name, signature in sorted(graph["signatures"].items()) if name != "__saved_model_init_op"]}


def listed_graph(graph):
    return {"tags": graph["tags"], "signatures": [
        {key: signature[key] for key in ("name", "method", "inputs", "outputs")} for signature in graph["signatures"]]}


def by_tags(graphs):
    return sorted(graphs, key=lambda graph: graph["tags"])


@pytest.mark.parametrize("name", MODELS)
def test_saved_model_is_listed_as_it_is(larder, tmp_path, name):
    path = model_path("real", name)
    archive = pack_folder(TESTDATA / "savedmodel" / name)
    larder.publish(path, archive)
    expected = json.loads((TESTDATA / "expected" / f"{name}.json").read_text())

    listed = larder.get("/api/v1/signatures" + path).json()["meta_graphs"]
    assert by_tags(map(listed_graph, listed)) == by_tags(map(expected_graph, expected["meta_graphs"]))

    model = larder.get("/api/v1/modules" + path).json()["saved_model"]
    assert model["kind"] == ("tf1-hub" if expected["tfhub_module_pb"] else "saved-model")
    assert model["tensorflow_version"] == expected["meta_graphs"][0]["tensorflow_version"]
    assert larder.get(path + "?tf-hub-format=compressed").body == archive
    hub_client.load(larder.url.rstrip("/") + path, tmp_path)


def test_archive_of_the_hub_clients_own_tests(larder, tmp_path):
    archive = (TESTDATA / "archive" / "hub-half_plus_two_v1" / "half_plus_two_v1.tar.gz").read_bytes()
    larder.publish("/real/half_plus_two_v1/1", archive)
    model = larder.get("/api/v1/modules/real/half_plus_two_v1/1").json()["saved_model"]
    assert model["kind"] == "tf1-hub"
    assert [signature["name"] for graph in model["meta_graphs"] for signature in graph["signatures"]] == ["default"]
    hub_client.load(larder.url.rstrip("/") + "/real/half_plus_two_v1/1", tmp_path)


@pytest.mark.parametrize("name", TFJS)
def test_tfjs_models(larder, name):
    folder = TESTDATA / "tfjs" / name
    path = model_path("js", name)
    larder.publish(path + "?tfjs-format=compressed", pack_folder(folder))
    for file in folder.iterdir():
        reply = larder.get(f"{path}/{file.name}?tfjs-format=file")
        assert reply.status == 200 and reply.body == file.read_bytes(), f"{file.name}: {reply.status}"


@pytest.mark.parametrize("name", TFLITE)
def test_tflite_models(larder, name):
    file = next((TESTDATA / "tflite" / name).glob("*.tflite"))
    path = model_path("lite", name)
    larder.publish(path + "?lite-format=tflite", file.read_bytes())
    assert larder.get(path + "?lite-format=tflite").body == file.read_bytes()


TURNED = {"added": "removed", "removed": "added", "changed": "changed"}


def told(differences, turned=False):
    """What a diff says of signatures and callables, in any order; turned: as if asked the other way round."""
    def tensor(one):
        sides = (one["to"], one["from"]) if turned else (one["from"], one["to"])
        return [one["name"] or "", TURNED[one["change"]] if turned else one["change"], *sides]

    def function(one):
        change = TURNED[one["change"]] if turned else one["change"]
        return [one["meta_graph"], one["name"], change, *(sorted(map(tensor, one[side]), key=str) for side in ("inputs", "outputs"))]

    return sorted((function(one) for kind in ("signatures", "callables") for one in differences[kind]), key=str)


def signatures_of(larder, path):
    """By meta graph and name, without what tensors are called within the graph."""
    return {(str(graph["tags"]), signature["name"]): str([[(tensor["name"], tensor.get("dtype"), tensor.get("shape", "unset"))
                                                           for tensor in signature[side]] for side in ("inputs", "outputs")])
            for graph in larder.get(f"/api/v1/signatures/{path}").json()["meta_graphs"] for signature in graph["signatures"]}


def expected_changes(before, after):
    return {key: "added" if key not in before else "removed" if key not in after else "changed"
            for key in {**before, **after} if before.get(key) != after.get(key)}


def test_real_models_compared(larder):
    signatures = {}
    for version, name in enumerate(MODELS, 1):
        larder.publish(f"/real/all/{version}", pack_folder(TESTDATA / "savedmodel" / name))
        signatures[version] = signatures_of(larder, f"real/all/{version}")
    for before in signatures:
        for after in range(before, len(MODELS) + 1):
            forth = larder.get(f"/api/v1/diff/real/all/{before}/{after}").json()
            back = larder.get(f"/api/v1/diff/real/all/{after}/{before}").json()
            assert told(forth) == told(back, turned=True)
            assert {(str(one["meta_graph"]), one["name"]): one["change"] for one in forth["signatures"]} == expected_changes(
                signatures[before], signatures[after])
            assert [(op["op"], op["from"], op["to"]) for op in forth["ops"]] == [(op["op"], op["to"], op["from"]) for op in back["ops"]]
            assert before != after or told(forth) == forth["ops"] == forth["files"] == []
