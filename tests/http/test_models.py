# SPDX-License-Identifier: Apache-2.0
"""Models that are there in part only, or that their own framework would refuse: published and mirrored."""
import random

import pytest
from support import modules
from support.daemon import assert_problem
from support.upstream import Answer, Raw

LITE = "/acme/lite/1?lite-format=tflite"
CORAL = "/acme/lite/1?coral-format=tflite"
MODEL = modules.tflite_model(50_000)  # less than is held back: refusals have a status
ZIP_END = b"PK\5\6" + bytes(18)

TFLITE_DAMAGE = {
    "half of it": (MODEL[:25_000], "tflite-cut"),
    "all but a byte": (MODEL[:-1], "tflite-cut"),
    "eight bytes": (MODEL[:8], "tflite-cut"),
    "zeros behind the magic": (MODEL[:8] + bytes(1000), "tflite-broken"),
    "noise behind the magic": (MODEL[:8] + random.Random(5).randbytes(40_000), None),
    "other line ends": (MODEL.replace(b"\n", b"\r\n"), "tflite-text-mode"),
    "a zip that is cut off": (MODEL + b"PK\3\4" + bytes(500), "tflite-cut"),
}
TFLITE_TAILS = {"nothing": b"", "padding": bytes(12), "a zip": b"PK\3\4" + bytes(50) + ZIP_END}


@pytest.mark.parametrize("url", [LITE, CORAL])
@pytest.mark.parametrize("body,rule", TFLITE_DAMAGE.values(), ids=TFLITE_DAMAGE)
def test_half_a_tflite_is_not_published(larder, url, body, rule):
    problem = assert_problem(larder.put(url, body), 422, "invalid-module")
    assert rule in (None, problem["violations"][0]["rule"])
    assert larder.get("/api/v1/modules").json()["total"] == 0


@pytest.mark.parametrize("tail", [*TFLITE_TAILS.values(), b"a signature of somebody's"])
def test_what_lies_behind_a_tflite_stays(larder, tail):
    larder.publish(LITE, MODEL + tail)
    assert larder.get(LITE).body == MODEL + tail


@pytest.mark.parametrize("body,rule", TFLITE_DAMAGE.values(), ids=TFLITE_DAMAGE)
def test_half_a_tflite_is_not_mirrored(upstream, mirror, body, rule):
    upstream.serve("/acme/lite/1", Answer(body, media_type="application/octet-stream"))
    assert_problem(mirror.get(LITE), 502, "upstream-failed")
    assert mirror.metric("larder_mirrored_bytes") == 0


# ---- an end that is only the connection's ----------------------------------------------------------------------------

def until_close(body, version="1.1", headers=b""):
    return Raw(b"HTTP/%s 200 OK\r\nContent-Type: application/octet-stream\r\n%s\r\n%s" % (version.encode(), headers, body))


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("tail", TFLITE_TAILS.values(), ids=TFLITE_TAILS)
def test_a_whole_tflite_proves_itself(upstream, mirror, version, tail):
    upstream.serve("/acme/lite/1", until_close(MODEL + tail, version))
    assert mirror.get(LITE).body == MODEL + tail
    assert mirror.get(LITE).header("Cache-Status") == "larder; hit"


@pytest.mark.parametrize("headers", [b"", b"Connection: close\r\n", b"Transfer-Encoding: identity\r\n"])
@pytest.mark.parametrize("cut", [25_000, 8, len(MODEL) - 1])
def test_half_a_tflite_does_not(upstream, mirror, headers, cut):
    upstream.serve("/acme/lite/1", until_close(MODEL[:cut], headers=headers))
    assert_problem(mirror.get(LITE), 502, "upstream-failed")
    assert mirror.metric("larder_mirrored_bytes") == 0


@pytest.mark.parametrize("tail", [b"a signature of somebody's", bytes(40), b"PK\3\4" + bytes(50) + ZIP_END + b"comment"])
def test_what_shows_no_end_needs_a_length(upstream, mirror, tail):
    upstream.serve("/acme/lite/1", until_close(MODEL + tail))
    problem = assert_problem(mirror.get(LITE), 502, "upstream-failed")
    assert "Content-Length" in problem["detail"]
    upstream.serve("/acme/lite/3", Answer(MODEL + tail, chunked=True, media_type="application/octet-stream"))
    assert mirror.get("/acme/lite/3?lite-format=tflite").body == MODEL + tail
    upstream.serve("/acme/lite/2", Answer(MODEL + tail, media_type="application/octet-stream"))
    assert mirror.get("/acme/lite/2?lite-format=tflite").body == MODEL + tail


@pytest.mark.parametrize("cut", [0, 1, 8, 600])
def test_archives_have_an_end_of_their_own(upstream, mirror, cut):
    archive = modules.module(30_000)
    upstream.serve("/acme/m/1", until_close(archive[:len(archive) - cut]))
    reply = mirror.get("/acme/m/1?tf-hub-format=compressed")
    if cut:
        assert_problem(reply, 502, "upstream-failed")
    else:
        assert reply.body == archive
