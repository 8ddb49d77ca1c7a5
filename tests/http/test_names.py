# SPDX-License-Identifier: Apache-2.0
"""Names that are none are refused before anything else is done with them, and in the words of problem+json."""
import urllib.parse

import pytest
from support import modules
from support.client import read_status
from support.daemon import assert_problem

QUERY = "?tf-hub-format=compressed"


@pytest.fixture(scope="module")
def larder(start_shared):
    return start_shared()


@pytest.mark.parametrize("path", [
    "/acme/x/../y/1", "/acme/./x/1", "/acme//x/1", "/acme/x%2Fy/1", "/acme/x%2f1", "/acme/%2e%2e/1", "/acme/x/1%00",
    "/acme/%zz/1", "/acme/%/1", "/ACME/x/1", "/acme/x y/1".replace(" ", "%20"), "/acme/x;y/1", "/acme/" + "x" * 520 + "/1",
    "/acme/x/0", "/acme/x/99999999999999999999",
])
def test_malformed_names(larder, path):
    assert_problem(larder.get(path + QUERY), 400, "bad-request")


@pytest.mark.parametrize("path", ["/api/x/1", "/healthz/x/1", "/metrics/x/1", "/-/x/1"])
def test_reserved_publishers(larder, path):
    reply = larder.put(path, modules.module(100))
    assert reply.status in (400, 404, 405), f"PUT {path}: {reply}"
    assert reply.json()["code"] in ("bad-request", "not-found", "method-not-allowed")


@pytest.mark.parametrize("path", ["/google/spice/1/default/1", "/acme/1/1", "/acme/a.b_C-d/7", "/acme/x/1/y/2/z/3"])
def test_names_with_digits_and_dots(larder, path):
    larder.publish(path, modules.module(100))
    assert larder.get(path + QUERY).status == 200
    handle, version = path[1:].rsplit("/", 1)
    described = larder.get("/api/v1/modules" + path).json()
    assert (described["handle"], described["version"]) == (handle, int(version))


def test_one_version_may_be_a_prefix_of_another(larder):
    short, long = modules.module(100, seed=1), modules.module(100, seed=2)
    larder.publish("/google/prefix/1", short)
    larder.publish("/google/prefix/1/default/1", long)
    assert larder.get("/google/prefix/1" + QUERY).body == short
    assert larder.get("/google/prefix/1/default/1" + QUERY).body == long


def test_handles_are_case_sensitive(larder):
    larder.publish("/acme/Model/1", modules.module(100, seed=1))
    larder.publish("/acme/model/1", modules.module(100, seed=2))
    assert larder.get("/acme/Model/1" + QUERY).body != larder.get("/acme/model/1" + QUERY).body


@pytest.mark.parametrize("request_bytes", [
    b"GET /a\x00b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"GET " + b"/x" * 9000 + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\nConnection: close\r\n" + b"X-Long: " + b"y" * 70000 + b"\r\n\r\n",
    b"BREW /acme/x/1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
], ids=["control character", "long target", "long header", "method"])
def test_requests_that_make_no_sense(larder, request_bytes):
    answer = larder.raw(request_bytes)
    assert not answer or 400 <= read_status(answer) < 600
    assert larder.get("/healthz").status == 200


def test_method_that_a_path_does_not_have(larder):
    reply = larder.request("POST", "/healthz", body=b"x")
    assert_problem(reply, 405, "method-not-allowed")
    assert reply.header("Allow") == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("token", ["s3cret", "a%20b", "%22%3E%3Cscript%3E", "%C3%A4"])
@pytest.mark.parametrize("asked", ["acme/x", "acme/x/", "https://tfhub.dev/acme/x", "acme/deep/er/y", "acme/deep/er/y/"])
def test_redirect_does_not_repeat_the_token_but_keeps_it(larder, token, asked):
    module = modules.module(1000)
    larder.publish("/acme/x/1", module)
    larder.publish("/acme/deep/er/y/7", module)
    asked = f"/-/t/{token}/{asked}?tf-hub-format=compressed"
    reply = larder.get(asked)
    assert reply.status == 302 and token not in str(reply.headers), reply
    target = urllib.parse.urljoin(asked, reply.header("Location"))
    assert target.startswith(f"/-/t/{token}/") and target.endswith(("/acme/x/1?tf-hub-format=compressed",
                                                                    "/acme/deep/er/y/7?tf-hub-format=compressed"))
    assert larder.get(target).body == module


def test_redirect_without_a_token_is_a_path(larder):
    larder.publish("/acme/x/1", modules.module(1000))
    assert larder.get("/acme/x?tf-hub-format=compressed").header("Location") == "/acme/x/1?tf-hub-format=compressed"


@pytest.mark.parametrize("path", ["/acme/x/1", "/acme/x", "/acme", "/acme/absent/1", "/acme/x/1/absent.bin", "/acme/../x", "/acme/x/1" + QUERY[:-10] + "zip",
                                  "/api/v1/modules", "/api/v1/modules/acme/x/1", "/api/v1/nothing", "/api/v1/explain?url=/-/t/s3cret/acme/x/1"])
def test_programs_are_not_told_the_token(larder, path):
    larder.publish("/acme/x/1", modules.module(1000))
    reply = larder.get(f"/-/t/s3cret{path}", accept="application/json")
    assert "s3cret" not in str(reply.headers) + reply.body.decode(), reply
