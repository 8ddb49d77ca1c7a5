# SPDX-License-Identifier: Apache-2.0
"""What models of TF Lite and TF.js take and give: read from their bytes, listed as signatures are, also where they were kept before
that was done."""
import json
import random
import sqlite3

import pytest
from support import flatmodel, modules
from support.daemon import ROOT
from support.flatmodel import signature, subgraph, tensor
from support.waiting import wait_until

TESTDATA = ROOT.parent / "shared" / "testdata"
LITE = "?lite-format=tflite"


def lite(larder, body, path="/acme/lite/1"):
    larder.publish(path + LITE, body)
    return model_of(larder, path)


def model_of(larder, path):
    artifact, = larder.get("/api/v1/modules" + path).json()["artifacts"]
    return artifact.get("model")


def js(larder, model, path="/acme/js/1"):
    body = modules.tfjs_module(**{"model.json": json.dumps(model).encode(), "vocab.json": None, **{
        f"group1-shard{i}of3.bin": None for i in (1, 2, 3)}})
    larder.publish(path + "?tfjs-format=compressed", body)
    return model_of(larder, path)


def brief(tensors):
    return [(one["name"], one["dtype"], one.get("shape", "unset")) for one in tensors]


def signatures(model):
    return {one["name"]: (brief(one["inputs"]), brief(one["outputs"])) for one in model["meta_graphs"][0]["signatures"]}


# ---- TF Lite ------------------------------------------------------------------------------------------------------------

def test_signatures_of_tflite(larder):
    tensors = [tensor("a:0", "int64", [1], [-1]), tensor("b:0", "float32", [1, 4]), tensor("c:0", "string", None)]
    model = lite(larder, flatmodel.model([subgraph(tensors, [0, 1], [2], "main")],
                                         [signature("serving_default", {"y": 1, "x": 0}, {"z": 2}), signature("other", {}, {"z": 1})]))
    assert model["kind"] == "tflite"
    assert signatures(model) == {
        "other": ([], [("z", "float32", [1, 4])]),
        "serving_default": ([("x", "int64", [-1]), ("y", "float32", [1, 4])], [("z", "string", None)])}
    assert [one["name"] for one in model["meta_graphs"][0]["signatures"]] == ["other", "serving_default"]
    assert model["meta_graphs"][0]["signatures"][1]["inputs"][0]["tensor"] == "a:0"
    answer = larder.get("/api/v1/signatures/acme/lite/1").json()
    assert answer["format"] == "tflite" and answer["meta_graphs"][0]["signatures"] == model["meta_graphs"][0]["signatures"]


def test_tflite_without_signatures_has_its_subgraph(larder):
    model = lite(larder, flatmodel.model([subgraph([tensor("out"), tensor("z"), tensor("a", shape=[2])], [1, 2], [0])]))
    assert model["kind"] == "tflite-subgraph"
    assert signatures(model) == {"main": ([("z", "float32", []), ("a", "float32", [2])], [("out", "float32", [])])}, "in their own order"


def test_signatures_of_other_subgraphs(larder):
    model = lite(larder, flatmodel.model([subgraph([tensor("a")], [0], [0]), subgraph([tensor("b", "bool", [3])], [0], [0])],
                                         [signature("s", {"x": 0}, {"y": 7}, of=1), signature("t", {"x": 0}, {}, of=9)]))
    assert signatures(model) == {"s": ([("x", "bool", [3])], [("y", "invalid", "unset")]), "t": ([("x", "invalid", "unset")], [])}


def test_quantisation(larder):
    tensors = [tensor("a", "uint8", [1], scales=[0.0078125], zeros=[128]), tensor("b", "int8", [2, 3], scales=[0.5, 0.25], zeros=[-1, 0]),
               tensor("c", "int8", scales=[float("nan")], zeros=[0])]
    one, = lite(larder, flatmodel.model([subgraph(tensors, [0, 1, 2], [])]))["meta_graphs"][0]["signatures"]
    assert [part.get("quantization") for part in one["inputs"]] == [
        {"scale": 0.0078125, "zero_point": 128}, {"scale": 0.5, "zero_point": -1, "channels": 2}, None]


@pytest.mark.parametrize("seed", range(4))
def test_made_tflite_models(larder, seed):
    chance = random.Random(seed)
    tensors, expected = [], []
    for i in range(chance.randrange(1, 12)):
        dtype = chance.choice(list(flatmodel.TYPES))
        shape = [chance.randrange(1, 9) for _ in range(chance.randrange(4))]
        open_shape = [chance.choice([-1, size]) for size in shape]
        tensors.append(tensor(f"t{i}", dtype, shape, open_shape))
        expected.append((f"t{i}", dtype, open_shape))
    chosen = chance.sample(range(len(tensors)), chance.randrange(len(tensors) + 1))
    body = flatmodel.model([subgraph(tensors, chosen, chosen[::-1])])
    assert signatures(lite(larder, body)) == {"main": ([expected[i] for i in chosen], [expected[i] for i in chosen[::-1]])}


def test_more_signatures_than_are_kept(larder):
    many = [signature(f"s{i:05}", {"x": 0}, {"y": 0}) for i in range(6000)]
    model = lite(larder, flatmodel.model([subgraph([tensor("a", shape=[1] * 8)], [0], [0])], many))
    assert model["truncated"] is True and model["counts"]["signatures"] == 6000
    assert 500 < len(model["meta_graphs"][0]["signatures"]) < 6000


def test_a_vector_that_all_share_costs_its_bytes(larder):
    """Each of these refers to the same names and shapes: what is listed is bounded, whatever they stand for."""
    shape = [1] * 200
    one = tensor("n" * 3000, shape=shape)
    model = lite(larder, flatmodel.model([subgraph([one], [0] * 100_000, [0] * 100_000)]))
    assert model["truncated"] is True and len(json.dumps(model)) < 4 << 20


# ---- graph models of TF.js ----------------------------------------------------------------------------------------------

def info(dtype, *sizes, name="n:0"):
    return {"name": name, "dtype": dtype, "tensorShape": {"dim": [{"size": str(size)} for size in sizes]}}


def graph(nodes, **more):
    return {"format": "graph-model", "modelTopology": {"node": nodes, "versions": {}}, "weightsManifest": [], **more}


def node(name, op, *inputs, **attr):
    return {"name": name, "op": op, "input": list(inputs), "attr": attr}


NODES = [node("x", "Placeholder", dtype={"type": "DT_INT32"}, shape={"shape": {"dim": [{"size": "-1"}, {"size": "3"}]}}),
         node("w", "Const", dtype={"type": "DT_FLOAT"}, value={"tensor": {"dtype": "DT_FLOAT"}}),
         node("m", "MatMul", "x", "w:0", T={"type": "DT_FLOAT"}), node("y", "Identity", "m", "^w", T={"type": "DT_FLOAT"})]


@pytest.mark.parametrize("place", ["userDefinedMetadata", "root"])
def test_signature_of_a_graph_model(larder, place):
    told = {"inputs": {"b": info("DT_FLOAT", -1, 784), "a": info("DT_STRING")},
            "outputs": {"y": {"name": "y:0", "dtype": 9, "tensorShape": {"unknownRank": True}}}}
    model = js(larder, graph(NODES, **({"signature": told} if place == "root" else {"userDefinedMetadata": {"signature": told}})))
    assert model["kind"] == "graph-model"
    assert signatures(model) == {"predict": ([("a", "string", []), ("b", "float32", [-1, 784])], [("y", "int64", None)])}
    assert model["meta_graphs"][0]["ops"] == [{"op": op, "count": 1} for op in ("Const", "Identity", "MatMul", "Placeholder")]


def test_graph_model_without_a_signature(larder):
    assert signatures(js(larder, graph(NODES))) == {"predict": ([("x", "int32", [-1, 3])], [("y", "float32", "unset")])}


def test_nodes_of_a_library_count_as_operations(larder):
    model = graph(NODES)
    model["modelTopology"]["library"] = {"function": [{"nodeDef": [node("a", "Relu"), node("b", "Relu")]}]}
    assert {"op": "Relu", "count": 2} in js(larder, model)["meta_graphs"][0]["ops"]
    assert larder.get("/api/v1/modules?op=Relu").json()["total"] == 1


@pytest.mark.parametrize("model", [
    {"format": "graph-model", "modelTopology": {"node": {}}, "weightsManifest": []}, {"modelTopology": 7, "weightsManifest": []},
    {"modelTopology": {"model_config": {"config": {}}}, "weightsManifest": []}, graph([None, 1, "x", [], {"name": 5, "op": {}, "input": "x"}]),
    graph([], userDefinedMetadata={"signature": {"inputs": [1], "outputs": "x"}}), graph(NODES, signature={"inputs": {"x": None, "y": {}}}),
    {"modelTopology": {"class_name": "Sequential", "config": [1, None, {"class_name": "Dense", "config": {"units": "x"}}]}, "weightsManifest": []},
    {"modelTopology": {"class_name": "Model", "config": {"layers": [{}], "input_layers": {}, "output_layers": [[[]]]}}, "weightsManifest": []}])
def test_nonsense_is_kept_and_listed_as_far_as_it_says_anything(larder, model):
    js(larder, model)
    assert larder.get("/acme/js/1", accept="text/html").status == 200


def test_a_huge_graph_is_listed_in_part(larder):
    nodes = [node(f"n{i}", "Relu", f"n{i - 1}") for i in range(100_000)]
    model = js(larder, graph(nodes, signature={"inputs": {"x": info("DT_FLOAT", 1)}, "outputs": {}}))
    assert model["truncated"] is True and len(json.dumps(model)) < 1 << 20


def test_deep_and_repeated_parts(larder):
    deep = {"a": 1}
    for _ in range(200):
        deep = {"class_name": "Sequential", "config": {"layers": [deep]}}
    model = js(larder, {"modelTopology": {"class_name": "Sequential", "config": {"layers": [deep]}}, "weightsManifest": []})
    assert model["kind"] == "layers-model" and model["truncated"] is True
    body = b'{"modelTopology":{"node":[],"node":[{"name":"x","op":"Placeholder"}]},"modelTopology":{"node":[]},"weightsManifest":[]}'
    larder.publish("/acme/twice/1?tfjs-format=compressed", modules.pack([modules.Member("./"), modules.Member("./model.json", body)]))
    assert model_of(larder, "/acme/twice/1")["meta_graphs"][0]["signatures"][0]["inputs"] == [], "of a key that comes twice the last counts"


# ---- layers models of TF.js ---------------------------------------------------------------------------------------------

def layer(kind, **config):
    return {"class_name": kind, "config": {"name": kind.lower(), "kernel_initializer": {"class_name": "Zeros", "config": {}}, **config}}


def sequential(*layers, **more):
    return {"modelTopology": {"class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}, **more}, "weightsManifest": []}


CHAINS = {
    "dense": ([layer("Dense", units=50, batch_input_shape=[None, 8]), layer("Dropout"), layer("Dense", units=3)], [-1, 8], [-1, 3]),
    "same padding": ([layer("Conv2D", filters=4, kernel_size=[3, 3], strides=[2, 2], padding="same", batch_input_shape=[None, 29, 28, 1]),
                      layer("Flatten")], [-1, 29, 28, 1], [-1, 15 * 14 * 4]),
    "valid padding": ([layer("Conv2D", filters=8, kernel_size=5, strides=1, padding="valid", batch_input_shape=[None, 28, 28, 1]),
                       layer("MaxPooling2D", pool_size=[2, 2], strides=[2, 2], padding="valid")], [-1, 28, 28, 1], [-1, 12, 12, 8]),
    "mobile": ([layer("ZeroPadding2D", padding=[[0, 1], [0, 1]], batch_input_shape=[None, 224, 224, 3]),
                layer("DepthwiseConv2D", kernel_size=[3, 3], strides=[2, 2], padding="valid", depth_multiplier=2),
                layer("GlobalAveragePooling2D")], [-1, 224, 224, 3], [-1, 6]),
    "words": ([layer("Embedding", input_dim=100, output_dim=20, batch_input_shape=[None, 10]), layer("GRU", units=4, return_sequences=True),
               {"class_name": "Bidirectional", "config": {"name": "b", "merge_mode": "concat", "layer": layer("LSTM", units=7)}}],
              [-1, 10], [-1, 14]),
    "each in time": ([{"class_name": "TimeDistributed", "config": {"name": "t", "batch_input_shape": [None, 5, 9], "layer": layer("Dense", units=2)}}],
                     [-1, 5, 9], [-1, 5, 2]),
    "reshape": ([layer("Dense", units=12, batch_input_shape=[2, 4]), layer("Reshape", target_shape=[3, -1]), layer("Permute", dims=[2, 1])],
                [2, 4], [2, 4, 3]),
    "open sizes": ([layer("Conv1D", filters=2, kernel_size=3, strides=1, padding="valid", batch_input_shape=[None, None, 4])],
                   [-1, -1, 4], [-1, -1, 2]),
    "unknown layer": ([layer("Dense", units=2, batch_input_shape=[None, 8]), layer("Attention2099")], [-1, 8], None),
}


@pytest.mark.parametrize("name", CHAINS)
def test_shapes_of_layers(larder, name):
    layers, taken, given = CHAINS[name]
    one, = js(larder, sequential(*layers))["meta_graphs"][0]["signatures"]
    assert (one["inputs"][0]["shape"], one["outputs"][0]["shape"]) == (taken, given)
    assert js(larder, {**sequential(), "modelTopology": {"keras_version": "2", "model_config": sequential(*layers)["modelTopology"]}},
              "/acme/keras/1")["meta_graphs"][0]["signatures"] == [one], "as Keras writes it"
    assert js(larder, {**sequential(), "modelTopology": {"class_name": "Sequential", "config": layers}}, "/acme/old/1")[
        "meta_graphs"][0]["signatures"] == [one], "as old Keras wrote it"


def test_functional_model(larder):
    layers = [{**layer("InputLayer", batch_input_shape=[None, 4], dtype="int32"), "name": "in1", "inbound_nodes": []},
              {**layer("InputLayer", batch_input_shape=[None, 6]), "name": "in2", "inbound_nodes": []},
              {**layer("Concatenate", axis=-1), "name": "join", "inbound_nodes": [[["in1", 0, 0, {}], ["in2", 0, 0, {}]]]},
              {**layer("Dense", units=3), "name": "out", "inbound_nodes": [[["join", 0, 0, {}]]]}]
    model = js(larder, {"modelTopology": {"class_name": "Model", "config": {"layers": layers, "input_layers": [["in2", 0, 0], ["in1", 0, 0]],
                                                                             "output_layers": [["out", 0, 0], ["join", 0, 0]]}},
                        "weightsManifest": []})
    one, = model["meta_graphs"][0]["signatures"]
    assert [part["shape"] for part in one["inputs"]] == [[-1, 6], [-1, 4]], "in the model's order"
    assert [part["shape"] for part in one["outputs"]] == [[-1, 3], [-1, 10]] and one["inputs"][1]["dtype"] == "int32"


@pytest.mark.parametrize("depth", [1, 3, 40])
def test_models_within_models(larder, depth):
    inner = {"class_name": "Sequential", "config": {"name": "i", "layers": [layer("Dense", units=5, batch_input_shape=[None, 8])]}}
    for i in range(depth):
        inner = {"class_name": "Sequential", "config": {"name": f"o{i}", "layers": [inner]}}
    model = js(larder, {"modelTopology": inner, "weightsManifest": []})
    if "truncated" not in model:
        one, = model["meta_graphs"][0]["signatures"]
        assert (one["inputs"][0]["shape"], one["outputs"][0]["shape"]) == ([-1, 8], [-1, 5])


# ---- real models --------------------------------------------------------------------------------------------------------

REAL = {
    "tflite/serving-half_plus_two/model.tflite": {"main": ([("x", "float32", [1, 1])], [("y", "float32", [1, 1])])},
    "tflite/serving-half_plus_two_sigdef/model.tflite": {"main": ([("tflite_input", "float32", [1, 1])], [("y", "float32", [1, 1])])},
    "tflite/serving-parse_example/model.tflite": {"main": ([("input", "string", [-1])], [
        ("ParseExample/ParseExampleV2", "float32", [-1, 1]), ("ParseExample/ParseExampleV2:1", "string", [-1, 1])])},
    "tflite/support-mobilenet_v1_0.25_224_quant/mobilenet_v1_0.25_224_quant.tflite": {
        "main": ([("input", "uint8", [1, 224, 224, 3])], [("MobilenetV1/Predictions/Reshape_1", "uint8", [1, 1001])])},
    "tflite/tfjs-add4/add4.tflite": {"serving_default": ([("input_1", "float32", [-1, 4]), ("input_2", "float32", [-1, 4])],
                                                         [("add_1", "float32", [-1, 4])])},
    "tfjs/derived-layers_model-3shards/model.json": {"predict": ([("embedding_Embedding2", "float32", [-1, 10])], [("gru_GRU1", "float32", [-1, 4])])},
    "tfjs/tfjs-graph_model_int/model.json": {"predict": ([("Placeholder:0", "float32", [2, 2])], [("MatMul:0", "float32", [2, 2])])},
    "tfjs/tfjs-inference_test/model.json": {"predict": ([("Placeholder:0", "float32", [2, 2])], [("MatMul:0", "float32", [2, 2])])},
    "tfjs/tfjs-layers_model/model.json": {"predict": ([("embedding_Embedding2", "float32", [-1, 10])], [("gru_GRU1", "float32", [-1, 4])])},
    "tfjs/tfjs-rn_graph_model/model.json": {"predict": ([("dense_dense2_input", "float32", [-1, 10])], [("Identity", "float32", "unset")])},
    "tfjs/tfjsexamples-abalone/model.json": {"predict": ([("dense_Dense1", "float32", [-1, 8])], [("dense_Dense3", "float32", [-1, 1])])},
}


def real_body(path):
    file = TESTDATA / path
    if file.suffix == ".tflite":
        return file.read_bytes()
    names = [name for group in json.loads(file.read_bytes())["weightsManifest"] for name in group["paths"]]
    return modules.pack([modules.Member("./"), modules.Member("./model.json", file.read_bytes())]
                        + [modules.Member("./" + name, (file.parent / name).read_bytes()) for name in names])


@pytest.mark.parametrize("path", REAL)
def test_real_models(larder, path):
    if not TESTDATA.is_dir():
        pytest.skip("../shared/testdata is not there")
    query = LITE if path.endswith(".tflite") else "?tfjs-format=compressed"
    larder.publish("/acme/real/1" + query, real_body(path))
    assert signatures(model_of(larder, "/acme/real/1")) == REAL[path]


# ---- what was kept before -----------------------------------------------------------------------------------------------

def forget_listings(larder):
    """As an older version left it."""
    with sqlite3.connect(larder.data / "larder.db") as db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM saved_models WHERE kind <> 'saved-model'")
        db.execute("UPDATE inspections SET listed = 0 WHERE format IN ('tflite', 'tfjs', 'coral')")
    db.close()


def test_what_was_kept_before_is_listed_later(larder):
    lite_before = lite(larder, flatmodel.model([subgraph([tensor("a", "int8", [4])], [0], [0])]))
    js_before = js(larder, graph(NODES))
    larder.publish("/acme/broken/1" + LITE, modules.tflite_model(700))
    larder.stop()
    forget_listings(larder)
    larder.start()
    wait_until(lambda: larder.metric("larder_late_listings_total") == 3, "three models are listed late")
    assert model_of(larder, "/acme/lite/1") == lite_before and model_of(larder, "/acme/js/1") == js_before
    assert larder.get("/api/v1/modules?op=MatMul").json()["total"] == 1
    assert larder.get("/api/v1/modules?input_dtype=int8").json()["total"] == 1


def test_the_same_bytes_under_another_name_bring_their_listing(larder):
    body = flatmodel.model([subgraph([tensor("a", "int8", [4])], [0], [0])])
    before = lite(larder, body)
    larder.stop()
    forget_listings(larder)
    larder.start()
    assert lite(larder, body, "/acme/other/1") == before
    assert model_of(larder, "/acme/lite/1") == before


def test_versions_of_other_formats_are_compared(larder):
    for version, dtype in ((1, "int8"), (2, "int8"), (3, "float32")):
        larder.publish(f"/acme/lite/{version}" + LITE, flatmodel.model([subgraph([tensor("a", dtype, [version > 1 and 4 or 2])], [0], [0])]))
    answer = larder.get("/api/v1/diff/acme/lite/2/3?format=tflite").json()
    assert answer["breaking"] is True and answer["signatures"][0]["inputs"][0]["to"]["dtype"] == "float32"
    assert larder.get("/api/v1/diff/acme/lite/3/3?format=tflite").json()["signatures"] == []
