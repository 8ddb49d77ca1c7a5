# SPDX-License-Identifier: Apache-2.0
"""A TF.js model as model.save() sends it: a form whose two parts become the archive that they would always become."""
import hashlib
import json
import socket
import tarfile
import io

import pytest
from support import modules
from support.client import read_status
from support.daemon import assert_problem

PATH = "/acme/saved/1"
ARCHIVE = PATH + "?tfjs-format=compressed"
BOUNDARY = "----formdata-undici-012345678901"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def model(weight_bytes=400, path="./model.weights.bin"):
    return json.dumps({"format": "layers-model", "modelTopology": {"class_name": "Sequential"}, "weightsManifest": [
        {"paths": [path], "weights": [{"name": "w", "shape": [weight_bytes // 4], "dtype": "float32"}]}]}).encode()


WEIGHTS = modules.payload(400)
PARTS = [("model.json", model()), ("model.weights.bin", WEIGHTS)]


def part(name, content, head=""):
    return f'Content-Disposition: form-data; name="{name}"; filename="{name}"\r\n{head}\r\n'.encode() + content


def form(parts, boundary=BOUNDARY, preamble=b"", epilogue=b"\r\n", end=b"--"):
    line = b"--" + boundary.encode()
    return preamble + b"".join(line + b"\r\n" + (each if isinstance(each, bytes) else part(*each)) + b"\r\n" for each in parts) \
        + line + end + epilogue


def send(larder, body, method="POST", path=PATH, token=None, **headers):
    headers = {"Content-Type": FORM, "Authorization": f"Bearer {token or larder.token()}",
               **{name.replace("_", "-"): value for name, value in headers.items()}}
    return larder.request(method, path, headers, body)


def files(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {info.name: tar.extractfile(info).read() if info.isfile() else None for info in tar}


@pytest.mark.concurrent
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("query", ["", "?tfjs-format=compressed"])
def test_form_becomes_an_archive(larder, method, query):
    reply = send(larder, form(PARTS), method, PATH + query)
    assert reply.status == 201 and reply.header("Location") == PATH, reply
    artifact, = reply.json()["artifacts"]
    assert artifact["format"] == "tfjs" and reply.json()["source"] == "published"
    archive = larder.get(ARCHIVE).body
    assert artifact["digest"] == "sha256:" + hashlib.sha256(archive).hexdigest()
    assert files(archive) == {".": None, "./model.json": model(), "./model.weights.bin": WEIGHTS}
    for name, content in PARTS:
        assert larder.get(f"{PATH}/{name}?tfjs-format=file").body == content
    larder.wait_for_no_drafts()
    assert larder.metric("larder_published_total") == 1 and len(larder.blobs()) == 1


def test_same_parts_are_the_same_bytes(larder):
    assert send(larder, form(PARTS)).status == 201
    assert send(larder, form(PARTS), "PUT").status == 200
    other = form(PARTS[::-1], boundary="x", preamble=b"This is a form.\r\n", epilogue=b"")
    assert send(larder, other, Content_Type='multipart/form-data; charset=utf-8; boundary="x"').status == 200
    assert send(larder, (form(PARTS)[i:i + 1] for i in range(len(form(PARTS))))).status == 200
    assert_problem(send(larder, form([PARTS[0], ("model.weights.bin", modules.payload(400, 9))])), 409, "conflict")
    assert files(larder.get(ARCHIVE).body)["./model.weights.bin"] == WEIGHTS


def tricky_weights():
    line = f"\r\n--{BOUNDARY}".encode()
    return {"boundary cut short": line[:-1] + b"!" * 9, "ends like a boundary": b"x" * 64 + line[:-2], "only returns": b"\r" * 4096,
            "returns and hyphens": b"\r\n--" * 1024, "empty": b"", "boundary without its line": line[2:] * 8 + b"x" * 4,
            "blocks": modules.payload(3 * 65536 + 4)}


@pytest.mark.parametrize("name", tricky_weights())
@pytest.mark.parametrize("size", [1, 73, 65536])
def test_weights_that_look_like_boundaries(larder, name, size):
    weights = tricky_weights()[name]
    weights += bytes(-len(weights) % 4)
    body = form([("model.json", model(len(weights))), ("model.weights.bin", weights)])
    size = size if len(body) < 9000 or size > 1 else 7
    reply = send(larder, (body[i:i + size] for i in range(0, len(body), size)))
    assert reply.status == 201, reply
    assert files(larder.get(ARCHIVE).body)["./model.weights.bin"] == weights


@pytest.mark.parametrize("name, body, words", [
    ("several shards", form([PARTS[0], ("group1-shard1of2.bin", b"a"), ("group1-shard2of2.bin", b"b")]), "larder publish"),
    ("another file", form(PARTS + [("vocab.json", b"[]")]), "vocab.json"),
    ("a path", form([("../model.json", b"{}")]), "larder publish"),
    ("a part twice", form(PARTS + PARTS[1:]), "twice"),
    ("no model", form(PARTS[1:]), "no part"),
    ("no part", form([]), "no part"),
    ("cut off", form(PARTS)[:-40], "cut off"),
    ("cut off in a head", form(PARTS)[:90], "cut off"),
    ("cut off before the end", form(PARTS, end=b"", epilogue=b""), "cut off"),
    ("another boundary", form(PARTS, boundary="other") * 9, "does not begin"),
    ("longer boundary", form(PARTS, boundary=BOUNDARY + "x"), "boundary"),
    ("long head", form([part("model.json", b"", "X-Long: " + "y" * 5000 + "\r\n")]), "head"),
    ("NUL in a head", form([part("model.json", b"", "X-Nul: \0\r\n")]), "head"),
    ("no name", form([b"Content-Disposition: form-data\r\n\r\nx"]), "Content-Disposition"),
    ("two names", form([b'Content-Disposition: form-data; name="model.json"\r\nContent-Disposition: form-data; name="a"\r\n\r\nx']), "one name"),
    ("no head", form([b"\r\nx"]), "Content-Disposition"),
    ("long name", form([(300 * "m", b"x")]), "255"),
    ("open quote", form([b'Content-Disposition: form-data; name="model.json\r\n\r\nx']), "Content-Disposition"),
    ("base64", form([part("model.json", b"e30=", "Content-Transfer-Encoding: base64\r\n")]), "as it is"),
    ("no form", b"\x1f\x8b" + bytes(10_000), "does not begin"),
], ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "")
def test_forms_that_are_refused(larder, name, body, words):
    reply = send(larder, body)
    assert_problem(reply, 400, "bad-request")
    assert words in reply.json()["detail"], reply
    larder.assert_nothing_kept()


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="a',
                                          f"multipart/form-data; boundary={71 * 'b'}", 'multipart/form-data; boundary="ä"'.encode().decode("latin-1")])
def test_boundaries_that_are_none(larder, content_type):
    assert_problem(send(larder, form(PARTS), Content_Type=content_type), 400, "bad-request")
    larder.assert_nothing_kept()


@pytest.mark.parametrize("parts, rule", [
    ([("model.json", model(800)), PARTS[1]], "shard-size"),
    ([PARTS[0]], "shard-missing"),
    ([("model.json", b"{"), PARTS[1]], "model-json-broken"),
    ([("model.json", model(path="weights.bin")), PARTS[1]], "shard-missing"),
])
def test_models_that_break_rules(larder, parts, rule):
    reply = send(larder, form(parts))
    assert_problem(reply, 422, "invalid-module")
    assert rule in [violation["rule"] for violation in reply.json()["violations"]], reply
    larder.assert_nothing_kept()


def test_who_may(larder):
    assert_problem(send(larder, form(PARTS), token="no-such"), 401, "unauthorized")
    assert_problem(send(larder, form(PARTS), token=larder.token("publish:other/*")), 403, "forbidden")
    assert_problem(larder.request("POST", PATH, {"Content-Type": FORM}, form(PARTS)), 401, "unauthorized")
    larder.assert_nothing_kept()
    assert send(larder, form(PARTS), token=larder.token("publish:acme/*")).status == 201
    token = larder.token("publish:acme/*")
    reply = larder.request("POST", f"/-/t/{token}/acme/saved/2", {"Content-Type": FORM}, form(PARTS))
    assert reply.status == 201 and token not in str(reply.headers) + reply.body.decode(), reply


def test_what_a_form_cannot_be(larder):
    assert_problem(send(larder, form(PARTS), path=PATH + "?lite-format=tflite"), 400, "bad-request")
    assert_problem(send(larder, form(PARTS), path=PATH + "?tf-hub-format=compressed"), 400, "bad-request")
    assert_problem(send(larder, form(PARTS), path="/acme/saved"), 400, "bad-request")
    assert_problem(send(larder, form(PARTS), path=PATH + "/model.json"), 400, "bad-request")
    assert_problem(send(larder, form(PARTS), Content_Encoding="gzip"), 415, "unsupported-media")
    for content_type in ("application/gzip", "text/markdown", "application/json"):
        assert_problem(send(larder, modules.module(), Content_Type=content_type), 415, "unsupported-media")
    assert_problem(larder.request("POST", PATH, {"Authorization": f"Bearer {larder.token()}"}, b""), 415, "unsupported-media")
    larder.assert_nothing_kept()


def test_withdrawn_stays_withdrawn(larder):
    assert send(larder, form(PARTS)).status == 201
    assert larder.request("DELETE", PATH, {"Authorization": f"Bearer {larder.token('withdraw:*')}"}).status == 200
    assert_problem(send(larder, form(PARTS)), 410, "gone")


def test_digest_of_the_form(larder):
    right = hashlib.sha256(form(PARTS)).hexdigest()
    assert_problem(send(larder, form(PARTS), X_Checksum_Sha256=hashlib.sha256(b"").hexdigest()), 400, "digest-mismatch")
    larder.assert_nothing_kept()
    assert send(larder, form(PARTS), X_Checksum_Sha256=right).status == 201


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large(start, chunked):
    larder = start({"publish": {"max_upload_bytes": "1M"}})
    body = form([("model.json", model(2 << 20)), ("model.weights.bin", bytes(2 << 20))])
    assert_problem(send(larder, (body[i:i + 65536] for i in range(0, len(body), 65536)) if chunked else body), 413, "too-large")
    larder.assert_nothing_kept()


def padded():
    """Forms that are small but for what belongs to no part."""
    line = b"--" + BOUNDARY.encode()
    long = "X-Padding: " + "y" * 3500 + "\r\n"
    return {"epilogue of blanks": form(PARTS, epilogue=b"\r\n" * 50_000), "epilogue of forms": form(PARTS) * 40,
            "epilogue of one byte too many": form(PARTS, epilogue=b"z" * (LIMIT + 1 - len(form(PARTS, epilogue=b"")))),
            "heads": form([part(name, content, long) for name, content in PARTS], preamble=b"p" * 3000 + b"\r\n", epilogue=b"e" * 1500),
            "blanks behind boundaries": form(PARTS).replace(line + b"\r\n", line + b" " * 4000 + b"\r\n")}


LIMIT = 8192


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("name", padded())
def test_what_belongs_to_no_part_counts(start, name, chunked):
    larder = start({"publish": {"max_upload_bytes": str(LIMIT)}})
    body = padded()[name]
    assert len(body) > LIMIT
    assert_problem(send(larder, (body[i:i + 5000] for i in range(0, len(body), 5000)) if chunked else body), 413, "too-large")
    larder.assert_nothing_kept()
    assert send(larder, iter([form(PARTS, epilogue=b"z" * (LIMIT - len(form(PARTS, epilogue=b""))))])).status == 201


def test_client_that_goes_away(larder):
    body = form([("model.json", model(1 << 20)), ("model.weights.bin", bytes(1 << 20))])
    head = (f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\nAuthorization: Bearer {larder.token()}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    with socket.create_connection(larder.address) as connection:
        connection.sendall(head + body[:600_000])
        larder.wait_for("larder_uploads_running", lambda running: running == 1)
    larder.wait_for("larder_uploads_running", lambda running: running == 0)
    larder.assert_nothing_kept()


def test_expect_is_answered_before_the_body(larder):
    answer = larder.raw(f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\nExpect: 100-continue\r\n"
                        "Content-Length: 99999\r\nConnection: close\r\n\r\n".encode())
    assert read_status(answer) == 401


@pytest.mark.parametrize("path", [PATH, "/-/t/some/acme/saved/1"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_preflight(larder, path, method):
    reply = larder.request("OPTIONS", path, {"Origin": "https://studio.example", "Access-Control-Request-Method": method,
                                             "Access-Control-Request-Headers": "authorization,content-type"})
    assert reply.status == 204 and reply.header("Access-Control-Allow-Origin") == "*"
    assert method in reply.header("Access-Control-Allow-Methods").split(", ")
    allowed = reply.header("Access-Control-Allow-Headers").lower().split(", ")
    assert "authorization" in allowed and "content-type" in allowed
    answer = send(larder, form(PARTS), method, Origin="https://studio.example")
    assert answer.header("Access-Control-Allow-Origin") == "*"
    assert send(larder, b"", method, Origin="https://studio.example").header("Access-Control-Allow-Origin") == "*"


@pytest.mark.parametrize("name, path", [("m.tar.gz", PATH), ("half-plus-two.tflite", PATH + "?lite-format=tflite"), ("2.tar.gz", PATH),
                                        ("model.json", PATH)])
def test_file_name_that_curl_adds(larder, name, path):
    """curl -T FILE URL/"""
    base, _, query = path.partition("?")
    reply = larder.put(f"{base}/{name}" + (f"?{query}" if query else ""), modules.module())
    assert_problem(reply, 400, "bad-request")
    assert "curl -T" in reply.json()["detail"] and ("/acme/saved/1" in reply.json()["detail"] or name[0] == "2"), reply
    larder.assert_nothing_kept()
    assert larder.put("/google/spice/1/default/1.tar.gz", modules.module(), token=larder.token("publish:*")).status == 201
