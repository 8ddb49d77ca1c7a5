# SPDX-License-Identifier: Apache-2.0
"""What is here is served at every URL that clients use, with every header that they look at."""
import base64
import email.utils
import hashlib
import time

import pytest
from support import modules
from support.client import read_status
from support.daemon import assert_problem

PATH = "/acme/half-plus-two/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
MODULE = modules.module(300_000)
DIGEST = hashlib.sha256(MODULE)


@pytest.fixture(scope="module")
def larder(start_shared):
    return start_shared()


@pytest.fixture
def larder(larder):
    larder.publish(PATH, MODULE)
    return larder


@pytest.mark.parametrize("url", [
    COMPRESSED,
    PATH + ".tar.gz",
    PATH + ".tgz",
    PATH + ".tar.gz?tf-hub-format=compressed",
    "/tfhub-modules" + PATH + ".tar.gz",
    "/tfhub-modules" + PATH + ".tar.gz?tf-hub-format=compressed",
    PATH + "?tf-hub-format=compressed&tf-hub-format=compressed",
    PATH + "?tf-hub-format=compressed,uncompressed",
    PATH + "?tf-hub-format=zip,compressed",
    PATH + "?a=1&tf-hub-format=compressed",
    PATH + "?tfhub-redirect=true&tf-hub-format=compressed",
    "/https://tfhub.dev" + COMPRESSED,
    "/https:/tfhub.dev" + COMPRESSED,
    "/https://www.tfhub.dev" + COMPRESSED,
    "/https://hub.tensorflow.google.cn" + COMPRESSED,
    "/https://gcs.tensorflow.google.cn/tfhub-modules" + PATH + ".tar.gz",
    "http://tfhub.dev" + COMPRESSED,
])
def test_every_form_gives_the_same_bytes(larder, url):
    reply = larder.get(url)
    assert reply.status == 200, f"{url}: {reply}"
    assert reply.body == MODULE, f"{url}: {len(reply.body)} other bytes"
    assert reply.header("Content-Type") == "application/gzip"


def test_hosts_that_are_not_configured_are_no_prefix(larder):
    assert larder.get("/https://example.org" + COMPRESSED).status in (400, 404)
    assert larder.get("http://example.org" + COMPRESSED).status in (400, 404)


def test_headers_of_an_artifact(larder):
    reply = larder.get(COMPRESSED)
    md5 = base64.b64encode(hashlib.md5(MODULE).digest()).decode()
    expected = {
        "Content-Type": "application/gzip",
        "Content-Length": str(len(MODULE)),
        "ETag": f'"sha256:{DIGEST.hexdigest()}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "public, max-age=31536000, immutable",
        "Repr-Digest": f"sha-256=:{base64.b64encode(DIGEST.digest()).decode()}:",
        "Access-Control-Allow-Origin": "*",
    }
    assert {name: reply.headers.get(name) for name in expected} == expected
    assert f"md5={md5}" in reply.header("x-goog-hash")
    assert reply.header("Cache-Status").replace(" ", "") == "larder;hit"
    assert "half-plus-two" in reply.header("Content-Disposition") and ".tar.gz" in reply.header("Content-Disposition")
    modified = email.utils.parsedate_to_datetime(reply.header("Last-Modified")).timestamp()
    assert abs(modified - time.time()) < 600
    assert "Content-Encoding" not in reply.headers and "Transfer-Encoding" not in reply.headers


def test_head_is_get_without_the_body(larder):
    get, head = larder.get(COMPRESSED), larder.head(COMPRESSED)
    assert (head.status, head.body) == (200, b"")
    volatile = {"date", "connection"}
    assert ({name.lower(): value for name, value in head.headers.items() if name.lower() not in volatile}
            == {name.lower(): value for name, value in get.headers.items() if name.lower() not in volatile})


@pytest.mark.parametrize("asked, first, last", [
    ("bytes=0-0", 0, 0),
    ("bytes=100-199", 100, 199),
    ("bytes=65536-", 65536, len(MODULE) - 1),
    ("bytes=-10", len(MODULE) - 10, len(MODULE) - 1),
    (f"bytes=-{len(MODULE) + 5}", 0, len(MODULE) - 1),
    (f"bytes=7-{len(MODULE) + 100}", 7, len(MODULE) - 1),
])
def test_ranges(larder, asked, first, last):
    reply = larder.get(COMPRESSED, range=asked)
    assert reply.status == 206, f"{asked}: {reply.status}"
    assert reply.header("Content-Range") == f"bytes {first}-{last}/{len(MODULE)}"
    assert reply.header("Content-Length") == str(last - first + 1)
    assert reply.body == MODULE[first:last + 1]
    assert reply.header("ETag") == f'"sha256:{DIGEST.hexdigest()}"'


def test_range_behind_the_end(larder):
    reply = larder.get(COMPRESSED, range=f"bytes={len(MODULE)}-")
    assert reply.status == 416, reply
    assert reply.header("Content-Range") == f"bytes */{len(MODULE)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-3", "bytes=x-y", "bytes=", "lines=1-2"])
def test_ranges_that_are_answered_whole(larder, asked):
    reply = larder.get(COMPRESSED, range=asked)
    assert (reply.status, len(reply.body)) == (200, len(MODULE)), f"{asked}: {reply.status}"


def test_if_range(larder):
    etag = larder.head(COMPRESSED).header("ETag")
    assert larder.get(COMPRESSED, range="bytes=1-2", if_range=etag).status == 206
    assert larder.get(COMPRESSED, range="bytes=1-2", if_range='"sha256:other"').status == 200
    assert larder.get(COMPRESSED, range="bytes=1-2", if_range="W/" + etag).status == 200
    modified = larder.head(COMPRESSED).header("Last-Modified")
    assert larder.get(COMPRESSED, range="bytes=1-2", if_range="Sun, 06 Nov 1994 08:49:37 GMT").status == 200
    assert larder.get(COMPRESSED, range="bytes=1-2", if_range=modified).status in (200, 206)


def test_conditional_requests(larder):
    whole = larder.get(COMPRESSED)
    etag, modified = whole.header("ETag"), whole.header("Last-Modified")
    for headers, status in (({"if_none_match": etag}, 304), ({"if_none_match": "*"}, 304),
                            ({"if_none_match": f'"x", W/{etag}'}, 304), ({"if_none_match": '"x"'}, 200),
                            ({"if_modified_since": modified}, 304),
                            ({"if_modified_since": "Sun, 06 Nov 1994 08:49:37 GMT"}, 200),
                            ({"if_none_match": '"x"', "if_modified_since": modified}, 200),
                            ({"if_modified_since": "yesterday"}, 200)):
        reply = larder.get(COMPRESSED, **headers)
        assert reply.status == status, f"{headers}: {reply.status}"
        if status == 304:
            assert reply.body == b"" and reply.header("ETag") == etag and "max-age" in reply.header("Cache-Control")


def test_several_requests_on_one_connection(larder):
    request = f"GET {COMPRESSED} HTTP/1.1\r\nHost: h\r\nRange: bytes=0-9\r\n"
    answer = larder.raw((request + "\r\n" + request + "Connection: close\r\n\r\n").encode())
    assert answer.count(b"HTTP/1.1 206") == 2 and answer.count(MODULE[:10]) == 2


def test_http_1_0_client(larder):
    answer = larder.raw(f"GET {COMPRESSED} HTTP/1.0\r\n\r\n".encode())
    head, body = answer.split(b"\r\n\r\n", 1)
    assert read_status(answer) == 200 and body == MODULE
    assert b"chunked" not in head.lower() and f"content-length: {len(MODULE)}".encode() in head.lower()


def test_uncompressed_without_a_root(larder):
    problem = assert_problem(larder.get(PATH + "?tf-hub-format=uncompressed"), 404, "not-found")
    assert "uncompressed" in problem["detail"], problem


def test_uncompressed_with_a_root(start):
    larder = start({"hub": {"uncompressed_root": "gs://acme-models/tfhub"}})
    larder.publish(PATH, MODULE)
    reply = larder.get(PATH + "?tf-hub-format=uncompressed")
    assert reply.status == 303 and reply.body == b"gs://acme-models/tfhub" + PATH.encode(), str(reply)
    assert not reply.headers.get("Location", "").startswith("http"), "urllib would follow it"


@pytest.mark.parametrize("query", ["tf-hub-format=compressed", "tf-hub-format=uncompressed"])
def test_missing_version_leads_to_the_latest(larder, query):
    larder.publish("/acme/half-plus-two/3", MODULE)
    larder.publish("/acme/half-plus-two/12", MODULE)
    reply = larder.get("/acme/half-plus-two?" + query)
    assert reply.status == 302, reply
    assert reply.header("Location").endswith("/acme/half-plus-two/12?" + query)
    assert reply.header("Cache-Control") == "no-cache"
    assert reply.header("Access-Control-Allow-Origin") == "*"


def test_bare_version_and_handle_are_json(larder):
    assert larder.get(PATH).json()["version"] == 1
    assert larder.get("/acme/half-plus-two").json()["handle"] == "acme/half-plus-two"


def test_tfjs_members(larder):
    archive = modules.tfjs_module()
    larder.publish("/acme/tfjs/1?tfjs-format=compressed", archive)
    assert larder.get("/acme/tfjs/1?tfjs-format=compressed").body == archive
    for url in ("/acme/tfjs/1/model.json?tfjs-format=file", "/acme/tfjs/1/model.json"):
        reply = larder.get(url)
        assert reply.status == 200 and reply.json()["format"] == "graph-model", f"{url}: {reply}"
    for i in range(3):
        reply = larder.get(f"/acme/tfjs/1/group1-shard{i + 1}of3.bin?tfjs-format=file")
        assert reply.body == modules.payload(400, i), f"shard {i + 1}: {reply}"
    assert larder.get("/acme/tfjs/1/vocab.json?tfjs-format=file").body == b'["a","b"]'


def test_tfjs_member_that_is_not_there(larder):
    larder.publish("/acme/tfjs/1?tfjs-format=compressed", modules.tfjs_module())
    reply = larder.get("/acme/tfjs/1/group9-shard1of1.bin?tfjs-format=file")
    assert (reply.status, reply.body) == (404, b""), "TF.js would decode the body of an error as weights"


@pytest.mark.parametrize("key", ["lite-format", "coral-format"])
def test_tflite(larder, key):
    model = modules.tflite_model()
    larder.publish(f"/acme/lite/1?{key}=tflite", model)
    reply = larder.get(f"/acme/lite/1?{key}=tflite")
    assert reply.status == 200 and reply.body == model
    assert ".tflite" in reply.header("Content-Disposition")
    assert larder.get(f"/acme/lite/1?{key}=tflite", range="bytes=4-7").body == b"TFL3"


def test_formats_of_one_version_stand_side_by_side(larder):
    lite = modules.tflite_model()
    larder.publish(PATH + "?lite-format=tflite", lite)
    assert larder.get(COMPRESSED).body == MODULE
    assert larder.get(PATH + "?lite-format=tflite").body == lite
    formats = {artifact["format"] for artifact in larder.get("/api/v1/modules" + PATH).json()["artifacts"]}
    assert formats == {"tf-hub", "tflite"}


def test_options_preflight(larder):
    reply = larder.request("OPTIONS", COMPRESSED, {"Origin": "http://x", "Access-Control-Request-Method": "GET"})
    assert reply.status in (200, 204) and reply.header("Access-Control-Allow-Origin") == "*"


def test_reading_with_a_token(start):
    larder = start({"auth": {"read": "token"}})
    larder.publish(PATH, MODULE)
    assert_problem(larder.get(COMPRESSED), 401, "unauthorized")
    assert_problem(larder.get(COMPRESSED, authorization="Bearer wrong"), 401, "unauthorized")
    reader = larder.token("read")
    assert larder.get(COMPRESSED, authorization=f"Bearer {reader}").body == MODULE
    assert larder.get(f"/-/t/{reader}{COMPRESSED}").body == MODULE
    assert_problem(larder.get(f"/-/t/wrong{COMPRESSED}"), 401, "unauthorized")
    assert larder.get("/healthz").status == 200
    assert reader not in larder.log(), "a token is in the log"


def test_served_again_after_a_restart(larder):
    larder.restart()
    assert larder.get(COMPRESSED).body == MODULE
