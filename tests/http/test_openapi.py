# SPDX-License-Identifier: Apache-2.0
"""schema/openapi.yaml tells of every path and every status, and of nothing else. That answers are as it says is held by every test that
reads one (support/contract.py); here it is that nothing is left out, and that a fault would be found."""
import json
import re
import threading
import urllib.parse

import pytest
import yaml
from support import attesting, modules
from support.contract import METHODS, ROOT, Contract, contract
from support.upstream import Answer
from test_collections import DOCUMENTS, bring

# What takes the other end's help, or ends the walk: who answers so is held by the tests of its own subject.
ELSEWHERE = {("downloadArtifact", "303"), ("getPage", "303"), ("listenToActivity", "200"), ("publishForm", "200"), ("publishForm", "201"), ("sendForm", "303")}
OF_IMPORTS = {"beginImport", "getImport", "dropImport", "listLacking", "listRemarks", "sendBlob", "recordImport"}
TEXT = (ROOT / "schema/openapi.yaml").read_text(encoding="utf-8")


def declared():
    """(operation, its description, path) of all."""
    for path, item in contract().document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), item[method], path


# ---- the table of routes ------------------------------------------------------------------------------------------------

def routes():
    source = (ROOT / "server/routes.c").read_text(encoding="utf-8")
    return set(re.findall(r'\{METHOD_(\w+), "([^"]+)"', source)) - {("GET", "/api"), ("GET", "/api/*")}


def as_route(path):
    if path.startswith("/{"):
        return "/*"
    return re.sub(r"\{.*", "*", path)


def test_routes_and_description_are_the_same():
    described = {(method, as_route(path)) for method, _, path in declared()}
    pages = {(method, path) for method, path in routes() if path.startswith("/-/") and path != "/-/blobs/*"}
    assert described - {("GET", "/-/*"), ("POST", "/-/*")} == routes() - pages
    assert {("GET", "/-/*"), ("POST", "/-/*")} <= described
    assert {path for method, path in pages if method != "GET"} == {"/-/fills/*", "/-/sign-in", "/-/sign-out"}


def test_operations_have_names_of_their_own():
    names = [operation["operationId"] for _, operation, _ in declared()]
    assert len(names) == len(set(names))


def test_no_text_is_cut_by_a_comma():
    """`{description: a, b}` is a key "b" without a value."""
    def empty(node, at):
        if isinstance(node, dict):
            return [f"{at}/{key}" for key, value in node.items() if value is None] + [
                fault for key, value in node.items() for fault in empty(value, f"{at}/{key}")]
        return [fault for i, value in enumerate(node) for fault in empty(value, f"{at}/{i}")] if isinstance(node, list) else []

    assert not empty(yaml.safe_load(TEXT), "")


def test_codes_are_those_of_the_server():
    names = re.findall(r'\[ERR_\w+\] = "([a-z-]+)"', (ROOT / "common/err.c").read_text(encoding="utf-8"))
    assert contract().document["components"]["schemas"]["Code"]["enum"] == [name for name in names if name != "none"]


# ---- a walk ---------------------------------------------------------------------------------------------------------------

def walk(larder, upstream, folder):
    bring(larder, folder, DOCUMENTS)
    archive, tfjs = modules.module(4000), modules.tfjs_module()
    gate = threading.Event()
    upstream.serve("/google/far/1", Answer(archive, before=gate))
    for path in ("/acme/m/1", "/acme/m/2.tar.gz"):
        for _ in range(2):
            larder.publish(path, archive if path.endswith("/1") else modules.module(4000, seed=2))
    larder.publish("/acme/web/1?tfjs-format=compressed", tfjs)
    larder.publish("/acme/m/1", b"# About\n\nIt.\n", content_type="text/markdown")
    attested = attesting.envelope(attesting.make_key(folder / "key"), attesting.statement("/acme/m/1", archive))
    assert [attesting.put(larder, "/acme/m/1", attested).status for _ in range(2)] == [201, 200]
    admin = {"Authorization": f"Bearer {larder.token('admin')}"}
    started = larder.request("POST", "/api/v1/fills", {"Content-Type": "application/json"}, json.dumps({"paths": ["google/far/1"]}).encode())
    assert started.status == 202
    known = larder.request("POST", "/api/v1/artifacts", {"Content-Type": "application/json"}, json.dumps({"versions": ["acme/m/1", "acme/none/1"]}).encode())
    assert known.status == 200
    fill = f"/api/v1/fills/{started.json()['fills'][0]['id']}"
    larder.request("DELETE", fill, admin)
    gate.set()
    for path in ("/", "/acme", "/acme/m", "/acme/m/1", "/acme/m/1?tf-hub-format=compressed", "/acme/m/1.tar.gz", "/acme/m?tf-hub-format=compressed",
                 "/acme/web/1/model.json", "/favicon.ico", "/robots.txt", "/-/activity", "/-/wants.txt", "/healthz", "/readyz", "/metrics",
                 "/api/v1/openapi.yaml", "/api/v1/modules?q=m&facets=true", "/api/v1/modules?limit=1", "/api/v1/modules/acme/m", "/api/v1/modules/acme/m/1",
                 "/api/v1/signatures/acme/m/1", "/api/v1/files/acme/m/1", "/api/v1/documentation/acme/m/1", "/api/v1/attestations/acme/m/1", "/api/v1/diff/acme/m/1/2",
                 "/api/v1/publishers", "/api/v1/publishers/acme", "/api/v1/publisher-documentation/acme", "/api/v1/collections",
                 "/api/v1/collections/acme/encoders", "/api/v1/collection-documentation/acme/encoders", "/api/v1/stats", "/api/v1/fills", "/api/v1/wants",
                 "/api/v1/activity", "/api/v1/webhooks", "/api/v1/explain?url=acme/m/1", "/api/v1/explain?url=google/other/1", fill):
        reply = larder.get(path)
        assert reply.status in (200, 302), (path, reply)
        if "ETag" in reply.headers:
            larder.get(path, if_none_match="*")
            larder.get(path, range="bytes=0-1")
            larder.get(path, accept_encoding="gzip")
        larder.head(path)
        larder.get(path, accept="text/html")
        for method in ("OPTIONS", "PATCH"):
            larder.request(method, path)
    walk_kaggle(larder)
    assert larder.request("GET", "/api/v1/imports", admin).status == 200
    assert larder.request("GET", "/api/v1/imports", {**admin, "If-None-Match": "*"}).status == 304
    for path in ("/api/v1/audit", "/api/v1/audit?limit=1&order=oldest", "/api/v1/audit/head"):
        assert larder.request("GET", path, admin).status == 200
        assert larder.request("GET", path, {**admin, "If-None-Match": "*"}).status == 304
    assert larder.request("DELETE", "/api/v1/wants", admin).status == 200
    order = json.dumps({"decision": "approve", "reason": "ours"}).encode()
    assert larder.request("POST", "/api/v1/decisions/acme/m/1", admin, order).status == 200
    assert larder.request("DELETE", "/acme/m/2", {"Authorization": f"Bearer {larder.token('withdraw:*')}"}).status == 200
    assert larder.get("/acme/m/2.tar.gz").status == 410


def walk_kaggle(larder):
    """kagglehub's calls."""
    larder.publish("/acme/web/tfJs/v/1?tfjs-format=compressed", modules.tfjs_module())
    sender = {"Authorization": f"Bearer {larder.token()}", "Content-Type": "application/json"}
    ref = {"ownerSlug": "acme", "modelSlug": "web", "framework": "MODEL_FRAMEWORK_TF_JS", "instanceSlug": "v", "versionNumber": 1}
    model = {"ownerSlug": "acme", "slug": "web", "modelSlug": "web"}

    def post(path, body, status=200):
        reply = larder.request("POST", path, sender, json.dumps(body).encode())
        assert reply.status == status, (path, reply)
        return reply

    for path in ("acme/web/get", "acme/web/tfJs/v/get", "acme/web/tfJs/v/1/files", "acme/web/tfJs/v/1/download"):
        assert larder.get(f"/api/v1/models/{path}").status in (200, 302)
    assert larder.get("/api/v1/models/acme/web/tfJs/v/1/other").status == 404
    assert larder.get("/acme/web/tfJs/v/1/none.bin?tfjs-format=file&for=kagglehub").status == 404
    for place in ("/v1", "/api/v1"):
        service = f"{place}/models.ModelApiService"
        for method in ("GetModelInstance", "ListModelInstanceVersionFiles"):
            post(f"{service}/{method}", ref)
        post(f"{service}/DownloadModelInstanceVersion", ref, 302)
        post(f"{service}/CreateModel", model)
        post(f"{service}/Other", model, 404)
    post("/api/v1/models/create/new", model)
    for path in ("/v1/blobs.BlobApiService/StartBlobUpload", "/api/v1/blobs.BlobApiService/StartBlobUpload", "/api/v1/blobs/upload"):
        begun = post(path, {"name": "a.txt", "contentLength": 4}).json()
    place = urllib.parse.urlsplit(begun["createUrl"]).path
    assert larder.request("PUT", place, {"Content-Range": "bytes 0-1/4"}, b"ab").status == 308
    assert larder.request("PUT", place, {"Content-Range": "bytes 2-3/4"}, b"cd").status == 200


def test_every_operation_answers_as_described(mirror, upstream, tmp_path):
    walk(mirror, upstream, tmp_path)
    wanted = {(operation["operationId"], status) for _, operation, _ in declared() for status in operation["responses"]
              if status < "4" and operation["operationId"] not in OF_IMPORTS}
    assert wanted - ELSEWHERE - contract().seen == set()


# ---- what is wrong is found ---------------------------------------------------------------------------------------------------

SMALL = Contract("""
paths:
  /api/v1/things/{thing}:
    get:
      operationId: getThing
      responses:
        '200':
          content:
            application/json:
              schema:
                allOf:
                  - {$ref: '#/components/schemas/Base'}
                  - {type: object, required: [list], properties: {list: {type: array, items: {$ref: '#/components/schemas/Base'}}}}
        default: {content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}}
components:
  schemas:
    Base:
      type: object
      required: [n]
      properties:
        n: {type: integer, minimum: 1}
        at: {type: [string, 'null'], format: date-time}
        kind: {type: string, enum: [a, b]}
        either: {oneOf: [{$ref: '#/components/schemas/Base'}, {type: 'null'}]}
    Problem:
      type: object
      required: [type, status, code]
      properties: {type: {type: string}, status: {type: integer}, code: {type: string}}
""")
PATH = "/api/v1/things/x"
JSON = {"Content-Type": "application/json"}
GOOD = {"n": 1, "at": "2026-01-02T03:04:05Z", "kind": "a", "either": {"n": 2}, "list": [{"n": 3, "either": None}]}


def told(value=GOOD, method="GET", path=PATH, status=200, headers=JSON):
    return SMALL.fault(method, path, status, headers, json.dumps(value).encode())


def test_what_is_right_passes():
    assert told() is None and told(GOOD, path=PATH + "?a=b") is None
    assert told({"type": "urn:larder:gone", "status": 410, "code": "gone"}, status=410, headers={"Content-Type": "application/problem+json"}) is None
    assert SMALL.fault("OPTIONS", PATH, 204, {"Allow": "GET, HEAD, OPTIONS"}, b"") is None


@pytest.mark.parametrize("change", [
    {"n": "1"}, {"n": True}, {"n": 0}, {"n": None}, {"at": "yesterday"}, {"at": 5}, {"kind": "c"}, {"more": 1}, {"list": {}}, {"list": [{}]},
    {"list": [{"n": 1, "more": 1}]}, {"either": {"n": 2, "more": 1}}, {"either": 7}], ids=json.dumps)
def test_wrong_fields_are_found(change):
    assert told({**GOOD, **change})


@pytest.mark.parametrize("name", ["n", "list"])
def test_missing_fields_are_found(name):
    assert f"has no {name}" in told({key: value for key, value in GOOD.items() if key != name})


def test_wrong_answers_are_found():
    assert "no such path" in told(path="/api/v1/others")
    assert "to answer 201" in told(status=201)
    assert "PUT" in told(method="PUT")
    assert "text/plain" in told(headers={"Content-Type": "text/plain"})
    assert "not the answer's" in told({"type": "urn:larder:gone", "status": 404, "code": "gone"}, status=410, headers={"Content-Type": "application/problem+json"})
    for allow in ("GET, HEAD", "GET, HEAD, PUT, OPTIONS", ""):
        assert "Allow" in SMALL.fault("OPTIONS", PATH, 204, {"Allow": allow}, b"")
        assert "Allow" in SMALL.fault("PUT", PATH, 405, {"Allow": allow}, b"")
