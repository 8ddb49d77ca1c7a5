# SPDX-License-Identifier: Apache-2.0
"""What is here is served at every URL that clients use, with every header that they look at."""
import base64
import email.utils
import gzip
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


# ---- texts: ETag, 304, gzip --------------------------------------------------------------------------------------------------

BROWSER = "text/html,*/*;q=0.8"
TEXTS = ["/api/v1/openapi.yaml", "/api/v1/modules/acme/x/1", "/acme/x", "/metrics", "/api/v1/modules?q=x", "/-/search?q=x"]


@pytest.fixture(scope="module")
def texts(start_shared):
    larder = start_shared(name="texts")
    larder.publish(PATH, modules.module())
    larder.publish("/acme/x/1", modules.module())
    larder.publish("/acme/x/1", b"# About\n\n" + b"It is *good*.\n" * 100, content_type="text/markdown")
    return larder


@pytest.mark.parametrize("path", [path for path in TEXTS if path != "/metrics"])
@pytest.mark.parametrize("accept", ["*/*", BROWSER], ids=["program", "browser"])
def test_texts_are_sent_once(texts, path, accept):
    plain = texts.get(path, accept=accept)
    packed = texts.get(path, accept=accept, accept_encoding="gzip")
    tags = [reply.header("ETag") for reply in (plain, packed)]
    assert "Accept-Encoding" in plain.header("Vary") and "Accept-Encoding" in packed.header("Vary")
    if len(plain.body) >= 1000:
        assert packed.header("Content-Encoding") == "gzip" and tags[0] != tags[1]
        assert gzip.decompress(packed.body) == plain.body and packed.header("Content-Length") == str(len(packed.body))
    for tag in tags:
        for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            reply = texts.get(path, accept=accept, accept_encoding="gzip" if "gzip" in tag else "identity", if_none_match=given)
            assert reply.status == 304 and reply.body == b"" and reply.header("ETag") == tag and reply.header("Vary"), reply
    # The bytes of one coding are not those of the other.
    if tags[0] != tags[1]:
        assert texts.get(path, accept=accept, if_none_match=tags[1]).status == 200
    assert texts.get(path, accept=accept, if_none_match='"other"').body == plain.body


def test_a_change_changes_the_tag(alone):
    path = "/api/v1/documentation/acme/x/1"
    alone.publish("/acme/x/1", modules.module())
    alone.publish("/acme/x/1", b"# One\n\nOne.\n", content_type="text/markdown")
    first = alone.get(path).header("ETag")
    assert alone.get(path, if_none_match=first).status == 304
    alone.publish("/acme/x/1", b"# Other\n\nOther.\n", content_type="text/markdown")
    changed = alone.get(path, if_none_match=first)
    assert changed.status == 200 and changed.header("ETag") != first


@pytest.mark.parametrize("accept, packs", [
    ("gzip", True), ("GZIP", True), ("x-gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("deflate, *;q=0.1", True), ("gzip; q=1.0", True),
    ("gzip;q=0", False), ("gzip;q=0.000", False), ("gzip; q=0.0, *", False), ("*;q=0", False), ("br", False), ("", False), ("identity", False),
    ("gzipped", False), ("gzip;q=0.001", True)])
def test_only_who_takes_gzip_gets_it(texts, accept, packs):
    for path in ("/api/v1/openapi.yaml", "/metrics"):
        reply = texts.get(path, accept_encoding=accept)
        assert (reply.headers.get("Content-Encoding") == "gzip") == packs, (path, accept)
        text = gzip.decompress(reply.body) if packs else reply.body
        assert b"openapi: 3.1" in text or b"larder_" in text


def test_bytes_of_modules_are_never_packed(texts):
    for path in (COMPRESSED, PATH + ".tar.gz"):
        for _ in range(2):
            reply = texts.get(path, accept_encoding="gzip, br")
            assert "Content-Encoding" not in reply.headers and "Accept-Encoding" not in reply.headers.get("Vary", "")


def test_an_answer_to_head_tells_what_get_would(texts):
    for accept_encoding in ("identity", "gzip"):
        get = texts.get("/api/v1/openapi.yaml", accept_encoding=accept_encoding)
        head = texts.head("/api/v1/openapi.yaml", accept_encoding=accept_encoding)
        for name in ("Content-Length", "ETag", "Vary", "Content-Type"):
            assert head.header(name) == get.header(name)


# ---- what other sites' pages may see and do, and who asks unbidden ------------------------------------------------------------

def test_other_sites_see_what_they_need(texts):
    texts.get(COMPRESSED)
    for reply in (texts.get(COMPRESSED), texts.get(COMPRESSED, range="bytes=0-3"), texts.get("/acme/absent/1"), texts.get("/api/v1/stats")):
        exposed = {name.strip().lower() for name in reply.header("Access-Control-Expose-Headers").split(",")}
        assert exposed >= {"content-range", "accept-ranges", "retry-after", "content-disposition", "x-goog-hash", "etag", "repr-digest"}


VERSION, READ = "GET, HEAD, PUT, POST, DELETE, OPTIONS", "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path, allow", [
    ("/acme/x/1", VERSION), ("/acme/not/here/7", VERSION), ("/acme/x/1.tar.gz", VERSION), ("/-/t/secret/acme/x/1", VERSION),
    ("/https://tfhub.dev/acme/x/1", VERSION), ("/acme/x/1?tf-hub-format=compressed", VERSION),
    ("/acme/x", READ), ("/acme", READ), ("/", READ), ("/acme/x/1/model.json", READ), ("/-/activity", READ), ("/-/static/larder.css", READ),
    ("/-/compare/acme/x", READ), ("/api/v1/modules", READ), ("/api/v1/modules/acme/x/1", READ), ("/api/v1/explain", READ), ("/healthz", READ),
    ("/api/v1/fills", "GET, HEAD, POST, OPTIONS"), ("/api/v1/fills/7", "GET, HEAD, DELETE, OPTIONS"), ("/api/v1/wants", "GET, HEAD, DELETE, OPTIONS"),
    ("/favicon.ico", READ), ("/robots.txt", READ), ("/api/v1/nothing", None), ("/api", None), ("/api/v2/modules", None)])
def test_what_is_allowed_goes_by_the_path(texts, path, allow):
    reply = texts.request("OPTIONS", path, {"Origin": "http://x", "Access-Control-Request-Method": "GET"})
    if not allow:
        for method in ("OPTIONS", "GET", "PUT", "DELETE", "POST", "PATCH"):
            assert texts.request(method, path).status == 404
        return
    assert reply.status == 204 and reply.header("Allow") == reply.header("Access-Control-Allow-Methods") == allow
    refused = texts.request("PATCH", path)
    assert refused.status == 405 and refused.header("Allow") == allow
    for method in {"PUT", "POST", "DELETE", "GET"} - set(allow.split(", ")):
        other = texts.request(method, path)
        assert other.status in (400, 401, 405, 415) and (other.status != 405 or other.header("Allow") == allow), other


def test_what_is_asked_for_unbidden(texts):
    icon, robots = texts.get("/favicon.ico"), texts.get("/robots.txt")
    assert icon.status == 200 and icon.header("Content-Type") == "image/vnd.microsoft.icon" and icon.body.startswith(b"\0\0\1\0")
    assert robots.status == 200 and robots.header("Content-Type") == "text/plain; charset=utf-8"
    for line in ("User-agent: *", "Disallow: /api/", "Disallow: /-/"):
        assert line in robots.body.decode().splitlines()
    for path in ("/favicon.ico", "/robots.txt"):
        assert texts.get(path, if_none_match=texts.get(path).header("ETag")).status == 304
