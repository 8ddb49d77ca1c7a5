# SPDX-License-Identifier: Apache-2.0
"""Two versions of a module held against each other."""
import pytest
from support import modules
from support.daemon import assert_problem
from support.modules import UNSET, Member, MetaGraph, Signature, Tensor

X = Tensor("x:0", "float32", [-1, 8])
Y = Tensor("y:0", "float32", [-1, 2])


def graph(inputs=None, outputs=None, name="serving_default", **options):
    return MetaGraph({name: Signature({"x": X} if inputs is None else inputs, {"y": Y} if outputs is None else outputs)}, **options)


def publish(daemon, *models, path="/acme/m"):
    for version, model in enumerate(models, 1):
        model = model if isinstance(model, tuple) else (model,)
        daemon.publish(f"{path}/{version}", modules.module(100, model=modules.saved_model(*model)))


def diff(daemon, path="acme/m/1/2"):
    answer = daemon.get("/api/v1/diff/" + path)
    assert answer.status == 200, answer
    return answer.json()


def shaped(shape, dtype="float32"):
    return Tensor("t:0", dtype, shape)


@pytest.mark.parametrize("side, before, after, change, breaking", [
    # An input may take more, never less.
    ("inputs", X, shaped([-1, -1]), "changed", False),
    ("inputs", X, shaped(None), "changed", False),
    ("inputs", X, shaped(UNSET), "changed", False),
    ("inputs", shaped([-1, -1]), X, "changed", True),
    ("inputs", X, shaped([4, 8]), "changed", True),
    ("inputs", X, shaped([-1, 9]), "changed", True),
    ("inputs", X, shaped([-1, 8, 1]), "changed", True),
    ("inputs", shaped(None), X, "changed", True),
    ("inputs", shaped([]), shaped([1]), "changed", True),
    ("inputs", X, shaped([-1, 8], "float64"), "changed", True),
    ("inputs", X, None, "removed", True),
    ("inputs", None, X, "added", True),
    # An output may promise more, never less.
    ("outputs", Y, shaped([4, 2]), "changed", False),
    ("outputs", shaped(None), Y, "changed", False),
    ("outputs", Y, shaped([-1, -1]), "changed", True),
    ("outputs", Y, shaped(None), "changed", True),
    ("outputs", Y, shaped([-1, 3]), "changed", True),
    ("outputs", Y, shaped([-1]), "changed", True),
    ("outputs", Y, shaped([-1, 2], "int32"), "changed", True),
    ("outputs", Y, None, "removed", True),
    ("outputs", None, Y, "added", False),
])
def test_tensors(larder, side, before, after, change, breaking):
    def model(tensor):
        return graph(**{side: {"kept": X, **({"t": tensor} if tensor else {})}})

    publish(larder, model(before), model(after))
    answer = diff(larder)
    signature, = answer["signatures"]
    tensor, = signature[side]
    assert (tensor["name"], tensor["change"], tensor["breaking"]) == ("t", change, breaking)
    assert (tensor["from"] is None, tensor["to"] is None) == (before is None, after is None)
    other = "outputs" if side == "inputs" else "inputs"
    assert (signature["name"], signature["meta_graph"], signature["change"], signature[other]) == ("serving_default", ["serve"], "changed", [])
    assert signature["breaking"] == answer["breaking"] == breaking


def test_what_tensors_were_and_are(larder):
    publish(larder, graph(inputs={"x": X}), graph(inputs={"x": shaped(None, "string")}))
    tensor = diff(larder)["signatures"][0]["inputs"][0]
    assert tensor["from"] == {"dtype": "float32", "shape": [-1, 8]} and tensor["to"] == {"dtype": "string", "shape": None}


def test_nothing_differs(larder):
    # What a tensor is called within the graph is nobody's business.
    publish(larder, graph(), graph(inputs={"x": Tensor("other:7", "float32", [-1, 8])}))
    for path in ("acme/m/1/2", "acme/m/2/1", "acme/m/1/1"):
        answer = diff(larder, path)
        assert not answer["breaking"]
        assert [answer[key] for key in ("signatures", "callables", "ops")] == [[], [], []]
    assert diff(larder, "acme/m/1/1")["files"] == []


def test_signatures_come_and_go(larder):
    publish(larder, (graph(), graph(name="old", tags=("train",))), (graph(), graph(name="new", tags=("train",))))
    old, new = diff(larder)["signatures"]
    assert [old[key] for key in ("name", "meta_graph", "change", "breaking")] == ["old", ["train"], "removed", True]
    assert [new[key] for key in ("name", "meta_graph", "change", "breaking")] == ["new", ["train"], "added", False]
    assert new["inputs"] == [{"name": "x", "change": "added", "breaking": False, "from": None, "to": {"dtype": "float32", "shape": [-1, 8]}}]
    assert old["outputs"][0]["change"] == "removed" and diff(larder)["breaking"]
    assert diff(larder, "acme/m/1/1")["signatures"] == []


def test_meta_graphs_are_told_apart_by_tags(larder):
    publish(larder, graph(tags=("serve",)), graph(tags=("serve", "gpu")))
    assert [(one["meta_graph"], one["change"]) for one in diff(larder)["signatures"]] == [(["serve"], "removed"), (["gpu", "serve"], "added")]


def test_ops_sizes_and_versions(larder):
    publish(larder, graph(ops=("Const", "Const", "Mul", "Relu"), tensorflow_version="1.15.0"),
            graph(ops=("Const", "Mul", "Gelu"), tensorflow_version="2.11.0"))
    answer = diff(larder)
    assert answer["ops"] == [{"op": "Const", "from": 2, "to": 1}, {"op": "Gelu", "from": 0, "to": 1}, {"op": "Relu", "from": 1, "to": 0}]
    assert answer["tensorflow_version"] == {"from": "1.15.0", "to": "2.11.0"}
    assert (answer["handle"], answer["from"], answer["to"], answer["format"]) == ("acme/m", 1, 2, "tf-hub")
    for key in ("size_bytes", "unpacked_bytes"):
        assert answer[key] == {side: larder.get(f"/api/v1/modules/acme/m/{version}").json()["artifacts"][0][key]
                               for side, version in (("from", 1), ("to", 2))}


def archive(files):
    return modules.pack([Member("./"), Member("./saved_model.pb", modules.saved_model()), Member("./assets/")]
                        + [Member("./assets/" + name, b"x" * size) for name, size in files.items()])


def test_files(larder):
    larder.publish("/acme/m/1", archive({"gone": 1, "same": 2, "grown": 3}))
    larder.publish("/acme/m/2", archive({"came": 4, "same": 2, "grown": 5}))
    answer = diff(larder)
    assert answer["files"] == [{"path": "assets/came", "change": "added", "from": None, "to": 4},
                               {"path": "assets/gone", "change": "removed", "from": 1, "to": None},
                               {"path": "assets/grown", "change": "changed", "from": 3, "to": 5}]
    assert "files_truncated" not in answer


def test_very_many_files(larder):
    larder.publish("/acme/m/1", archive({}))
    for version, count in ((2, 1000), (3, 1001)):
        larder.publish(f"/acme/m/{version}", archive({f"{i:04}": 1 for i in range(count)}))
    whole, cut = diff(larder, "acme/m/1/2"), diff(larder, "acme/m/1/3")
    assert len(whole["files"]) == len(cut["files"]) == 1000
    assert "files_truncated" not in whole and cut["files_truncated"] is True


def test_formats(larder):
    for version in (1, 2):
        larder.publish(f"/acme/m/{version}?lite-format=tflite", modules.tflite_model(500 + version))
    larder.publish("/acme/m/2", modules.module(100))
    # The first that both have, unless it is said.
    for path in ("acme/m/1/2", "acme/m/1/2?format=tflite"):
        answer = diff(larder, path)
        assert (answer["format"], answer["size_bytes"], answer["breaking"]) == ("tflite", {"from": 501, "to": 502}, False)
        assert answer["signatures"] == [] and answer["tensorflow_version"] == {"from": None, "to": None}
    assert_problem(larder.get("/api/v1/diff/acme/m/1/2?format=tf-hub"), 404, "not-found")
    assert_problem(larder.get("/api/v1/diff/acme/m/1/2?format=zip"), 400, "bad-request")


@pytest.mark.parametrize("path, status, code", [
    ("acme/m/1/3", 404, "not-found"), ("acme/m/3/1", 404, "not-found"), ("acme/none/1/2", 404, "not-found"),
    ("acme/m/1", 400, "bad-request"), ("acme/m", 400, "bad-request"), ("acme", 400, "bad-request"), ("", 404, "not-found"),
    ("acme/m/1/02", 400, "bad-request"), ("acme/m/1/-2", 400, "bad-request"), ("acme/m/1/0", 400, "bad-request"),
    ("acme/m/0/1", 400, "bad-request"), ("acme/m/1/99999999999999999999", 400, "bad-request"), ("acme/m/1/x", 400, "bad-request"),
    ("acme/m/1/", 400, "bad-request"), ("%ff/m/1/2", 400, "bad-request"), ("acme/../m/1/2", 400, "bad-request"),
    ("acme/m/2/1", 410, "gone"), ("acme/m/1/2", 410, "gone"),
])
def test_what_cannot_be_compared(larder, path, status, code):
    publish(larder, graph(), graph())
    if status == 410:
        larder.request("DELETE", "/acme/m/2", {"Authorization": f"Bearer {larder.token('withdraw:*')}"})
    assert_problem(larder.get("/api/v1/diff/" + path), status, code)
