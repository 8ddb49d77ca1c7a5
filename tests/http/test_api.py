# SPDX-License-Identifier: Apache-2.0
"""The JSON for people and programs."""
import re
from urllib.parse import urlsplit

import pytest
from support import modules
from support.daemon import Daemon, assert_problem
from support.modules import MetaGraph, Signature, Tensor

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def signature_listing(*graphs):
    return modules.module(100, model=modules.saved_model(*graphs))


def walk(larder, url):
    """All items of a list, page by page."""
    items, pages = [], 0
    while url:
        page = larder.get(url).json()
        items += page["modules"]
        parts = urlsplit(page["next"] or "")
        url = page["next"] and parts.path + "?" + parts.query
        pages += 1
    return items, pages, page["total"]


@pytest.fixture
def stocked(larder):
    for i in range(7):
        larder.publish(f"/acme/model-{i}/1", modules.module(100, seed=i))
    larder.publish("/zoo/tiger/1", modules.module(100, seed=50))
    larder.publish("/zoo/tiger/4", modules.module(100, seed=51))
    return larder


def test_empty_listing(larder):
    assert larder.get("/api/v1/modules").json() == {"modules": [], "total": 0, "next": None}


def test_listing(stocked):
    listing = stocked.get("/api/v1/modules").json()
    assert listing["total"] == 8 and listing["next"] is None
    tiger = next(module for module in listing["modules"] if module["handle"] == "zoo/tiger")
    assert (tiger["publisher"], tiger["name"], tiger["latest_version"], tiger["versions"]) == ("zoo", "tiger", 4, [1, 4])
    assert tiger["formats"] == ["tf-hub"] and tiger["source"] == "published" and tiger["cached"] is True
    assert tiger["size_bytes"] == len(modules.module(100, seed=51)) and tiger["downloads"] == 0
    assert TIME.fullmatch(tiger["updated_at"]), tiger


def test_pages(stocked):
    for limit in (1, 3, 8, 200):
        items, pages, total = walk(stocked, f"/api/v1/modules?limit={limit}")
        handles = [item["handle"] for item in items]
        assert len(handles) == len(set(handles)) == total == 8, handles
        assert pages == -(-8 // limit), pages


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=-1", "cursor=%ff%fe", "cursor=nonsense"])
def test_queries_that_make_no_sense(stocked, query):
    assert_problem(stocked.get("/api/v1/modules?" + query), 400, "bad-request")


def test_search_in_handles(stocked):
    assert [m["handle"] for m in stocked.get("/api/v1/modules?q=tiger").json()["modules"]] == ["zoo/tiger"]
    assert [m["handle"] for m in stocked.get("/api/v1/modules?q=TIG+zoo").json()["modules"]] == ["zoo/tiger"]
    assert stocked.get("/api/v1/modules?q=elephant").json()["total"] == 0
    assert stocked.get("/api/v1/modules?q=%25").json()["total"] == 0
    assert stocked.get("/api/v1/modules?q=%22%27%29%28*").status == 200
    assert stocked.get("/api/v1/modules?publisher=zoo").json()["total"] == 1
    assert stocked.get("/api/v1/modules?publisher=acme&q=model-3").json()["total"] == 1
    assert stocked.get("/api/v1/modules?format=tflite").json()["total"] == 0
    assert stocked.get("/api/v1/modules?source=mirrored").json()["total"] == 0


def test_module(stocked):
    module = stocked.get("/api/v1/modules/zoo/tiger").json()
    assert module["handle"] == "zoo/tiger" and module["latest_version"] == 4
    assert [version["version"] if isinstance(version, dict) else version for version in module["versions"]] == [1, 4]
    assert_problem(stocked.get("/api/v1/modules/zoo/lion"), 404, "not-found")


def test_version(stocked):
    version = stocked.get("/api/v1/modules/zoo/tiger/4").json()
    assert version["url"].endswith("/zoo/tiger/4") and version["url"].startswith("http://127.0.0.1:")
    assert TIME.fullmatch(version["created_at"])
    artifact, = version["artifacts"]
    assert artifact["media_type"] == "application/gzip" and artifact["files"] == 3 and artifact["cached"] is True
    assert artifact["unpacked_bytes"] == 100 + len(modules.bundle_index(100)) + len(modules.saved_model())
    assert artifact["url"].endswith("/zoo/tiger/4?tf-hub-format=compressed")
    assert stocked.get(urlsplit(artifact["url"]).path + "?tf-hub-format=compressed").status == 200
    assert version["saved_model"]["kind"] == "saved-model"
    assert version["saved_model"]["tensorflow_version"] == "2.14.0"
    assert_problem(stocked.get("/api/v1/modules/zoo/tiger/3"), 404, "not-found")


def test_downloads_are_counted(stocked):
    for _ in range(3):
        stocked.get("/zoo/tiger/4.tar.gz")
    stocked.restart()
    assert stocked.get("/api/v1/modules/zoo/tiger/4").json()["artifacts"][0]["downloads"] == 3


def test_signatures(larder):
    larder.publish("/acme/x/1", signature_listing(
        MetaGraph({"b": Signature({"z": Tensor("z:0", "string", [-1]), "a": Tensor("a:0", "int64", [])},
                                  {"y": Tensor("y:0", "bfloat16", None)}),
                   "a": Signature({}, {"y": Tensor("y:0", "float32_ref", modules.UNSET)}, method=""),
                   "__saved_model_init_op": Signature({}, {"__saved_model_init_op": Tensor("NoOp", "invalid", None)}, method="")},
                  tags=("train", "serve"), tensorflow_version="1.15.0"),
        MetaGraph({}, tags=())))
    assert larder.get("/api/v1/signatures/acme/x/1").json() | {"meta_graphs": None} == {
        "handle": "acme/x", "version": 1, "format": "tf-hub", "meta_graphs": None}
    graphs = larder.get("/api/v1/signatures/acme/x/1").json()["meta_graphs"]
    assert sorted(graph["tags"] for graph in graphs) == [[], ["serve", "train"]]
    graph = next(graph for graph in graphs if graph["tags"])
    assert graph["signatures"] == [
        {"name": "a", "method": "", "inputs": [], "outputs": [{"name": "y", "tensor": "y:0", "dtype": "float32_ref"}]},
        {"name": "b", "method": "tensorflow/serving/predict",
         "inputs": [{"name": "a", "tensor": "a:0", "dtype": "int64", "shape": []},
                    {"name": "z", "tensor": "z:0", "dtype": "string", "shape": [-1]}],
         "outputs": [{"name": "y", "tensor": "y:0", "dtype": "bfloat16", "shape": None}]}]


def test_tf1_hub_module(larder):
    larder.publish("/acme/old/1", modules.tf1_hub_module())
    model = larder.get("/api/v1/modules/acme/old/1").json()["saved_model"]
    assert model["kind"] == "tf1-hub" and model["tensorflow_version"] == "1.15.0"
    assert model["meta_graphs"][0]["tags"] == [] and model["meta_graphs"][0]["signatures"][0]["name"] == "default"


@pytest.fixture(scope="module")
def shared_larder(tmp_path_factory):
    daemon = Daemon(tmp_path_factory.mktemp("shared")).start()
    yield daemon
    daemon.stop()


@pytest.mark.parametrize("number, name", [(number, name) for name, number in modules.DTYPES.items() if number]
                         + [(77, "dtype_77"), (9999, "dtype_9999")])
def test_dtype_names(shared_larder, number, name):
    path = f"/acme/dtype-{number}/1"
    graph = MetaGraph({"s": Signature({"x": Tensor("x:0", number, [])}, {})})
    shared_larder.publish(path, signature_listing(graph))
    listed = shared_larder.get("/api/v1/signatures" + path).json()["meta_graphs"][0]["signatures"][0]["inputs"][0]
    assert listed["dtype"] == name


def test_sparse_tensors(larder):
    class Sparse(Tensor):
        def encode(self):
            parts = (modules.bytes_field(1, "v:0") + modules.bytes_field(2, "i:0") + modules.bytes_field(3, "d:0"))
            return modules.bytes_field(4, parts) + modules.number_field(2, 1) + modules.bytes_field(3, self.encode_shape())

    larder.publish("/acme/sparse/1", signature_listing(MetaGraph({"s": Signature({"x": Sparse("", "float32", [-1, 5])}, {})})))
    tensor = larder.get("/api/v1/signatures/acme/sparse/1").json()["meta_graphs"][0]["signatures"][0]["inputs"][0]
    assert tensor["encoding"] == "coo" and "tensor" not in tensor and tensor["shape"] == [-1, 5]
    assert {"v:0", "i:0", "d:0"} <= set(value for value in tensor.values() if isinstance(value, str)), tensor


def test_files(stocked):
    listing = stocked.get("/api/v1/files/zoo/tiger/4").json()
    assert [(file["path"], file["size_bytes"]) for file in listing["files"]] == [
        ("saved_model.pb", len(modules.saved_model())), ("variables/variables.index", len(modules.bundle_index(100))),
        ("variables/variables.data-00000-of-00001", 100)]
    assert_problem(stocked.get("/api/v1/files/zoo/tiger/4?format=tfjs"), 404, "not-found")
    assert_problem(stocked.get("/api/v1/files/zoo/tiger/4?format=zip"), 400, "bad-request")


def test_hub_urls_answer_json_to_programs(stocked):
    assert stocked.get("/zoo/tiger/4").json() == stocked.get("/api/v1/modules/zoo/tiger/4").json()
    assert stocked.get("/zoo/tiger").json() == stocked.get("/api/v1/modules/zoo/tiger").json()


@pytest.mark.parametrize("path", ["/api/v1/nonsense", "/api/v2/modules", "/api", "/api/v1/modules/acme/nothing/1",
                                  "/api/v1/signatures/acme/nothing/1", "/api/v1/files/acme/nothing/1"])
def test_what_is_not_there(larder, path):
    assert_problem(larder.get(path), 404, "not-found")


def test_lists_are_for_browsers_of_any_origin(stocked):
    assert stocked.get("/api/v1/modules").header("Access-Control-Allow-Origin") == "*"
