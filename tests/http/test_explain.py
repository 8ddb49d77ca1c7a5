# SPDX-License-Identifier: Apache-2.0
"""/api/v1/explain: what would be answered and why, without a packet to an upstream."""
import json
import threading
from urllib.parse import quote

import pytest
from support import modules
from support.daemon import assert_problem
from support.upstream import Answer
from support.waiting import wait_until

MODULE = modules.module(1 << 18)
PATH = "/google/x/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"


def explain(larder, url):
    reply = larder.get("/api/v1/explain?url=" + quote(url, safe=""))
    assert reply.status == 200, reply
    return json.loads(reply.body)


def test_a_miss_and_the_hit_that_follows(upstream, mirror):
    upstream.serve(PATH, MODULE)
    miss = explain(mirror, COMPRESSED)
    assert miss["url"] == COMPRESSED and miss["wanted"] == "artifact"
    assert miss["name"] == {"handle": "google/x", "version": 1, "format": "tf-hub"}
    assert miss["answer"] == {"status": 200, "cache": "miss"}
    assert miss["artifact"] is None and miss["fill"] is None and miss["negative"] is None
    assert miss["last_used_at"] is None and miss["pinned_by"] is None and miss["offline"] is False
    assert miss["policy"] == {"allowed": True, "rule": None}
    assert miss["upstreams"] == [{"name": "test0", "url": upstream.url + COMPRESSED, "may_have": True, "cooling_until": None}]
    assert upstream.requests == [], "nobody was asked"
    assert mirror.get(COMPRESSED).body == MODULE
    hit = explain(mirror, COMPRESSED)
    assert hit["answer"] == {"status": 200, "cache": "hit"}
    artifact = hit["artifact"]
    assert (artifact["digest"], artifact["size_bytes"]) == ("sha256:" + modules.digest(MODULE), len(MODULE))
    assert artifact["cached"] is True and artifact["source"] == "mirrored" and hit["last_used_at"].endswith("Z")


@pytest.mark.parametrize("spelling", ["google/x/1?tf-hub-format=compressed", "/google/x/1.tar.gz",
                                      "https://tfhub.dev/google/x/1?tf-hub-format=compressed"])
def test_spellings_of_one_thing(mirror, spelling):
    assert explain(mirror, spelling)["name"] == {"handle": "google/x", "version": 1, "format": "tf-hub"}


def test_a_url_of_this_server_and_a_token_in_it(mirror):
    explained = explain(mirror, f"{mirror.url}/-/t/secret{COMPRESSED}")
    assert explained["wanted"] == "artifact" and "secret" not in json.dumps(explained)


@pytest.mark.parametrize("url, status, code", [
    ("/google/x/1", 404, "not-found"),
    ("/google/x?tf-hub-format=compressed", 404, "not-found"),
    ("/google/x/1?tf-hub-format=uncompressed", 404, "not-found"),
    ("/google/x/1?tf-hub-format=nonsense", 400, "bad-request"),
    ("/google/../1", 400, "bad-request"),
    ("https://elsewhere.example/google/x/1", 400, "bad-request"),
    ("", 400, "bad-request"),
])
def test_refusals_as_a_get_meets_them(upstream, mirror, url, status, code):
    answer = explain(mirror, url)["answer"]
    assert (answer["status"], answer["code"], answer["cache"]) == (status, code, None) and answer["detail"]
    assert upstream.requests == []
    if url.startswith("/") and ".." not in url:
        assert_problem(mirror.get(url), status, code)


def test_the_latest_version_and_the_description(larder):
    larder.publish("/acme/x/3", MODULE)
    assert explain(larder, "/acme/x?tf-hub-format=compressed")["answer"]["status"] == 302
    page = explain(larder, "/acme/x/3")
    assert page["wanted"] == "description" and page["answer"] == {"status": 200, "cache": None}
    assert page["artifact"]["source"] == "published"


def test_a_withdrawn_version(larder):
    larder.publish("/acme/x/1", MODULE)
    token = larder.token("admin")
    assert larder.request("DELETE", "/acme/x/1", {"Authorization": f"Bearer {token}"}).status in (200, 204)
    answer = explain(larder, "/acme/x/1?tf-hub-format=compressed")["answer"]
    assert (answer["status"], answer["code"]) == (410, "gone")


def test_what_was_found_absent(upstream, mirror):
    assert mirror.get(COMPRESSED).status == 404
    asked = len(upstream.requests)
    absent = explain(mirror, COMPRESSED)
    assert (absent["answer"]["status"], absent["answer"]["code"]) == (404, "not-found")
    assert absent["negative"]["until"].endswith("Z")
    assert mirror.metric('larder_artifact_requests_total{result="absent"}') == 0, "looking is no request"
    assert len(upstream.requests) == asked


def test_policy(upstream, start):
    larder = start({"mirror": {"deny": "evil/*", "allow": "google/*, evil/*"}}, [upstream.url])
    for path, allowed, rule in (("/evil/x/1", False, "mirror.deny"), ("/other/x/1", False, "mirror.allow"),
                                ("/google/x/1", True, "mirror.allow")):
        explained = explain(larder, path + "?tf-hub-format=compressed")
        assert explained["policy"] == {"allowed": allowed, "rule": rule}
        assert explained["answer"].get("code") == (None if allowed else "blocked-by-policy")


def test_offline(upstream, start):
    larder = start({"mirror": {"offline": "true"}}, [upstream.url])
    explained = explain(larder, COMPRESSED)
    assert explained["offline"] is True
    assert (explained["answer"]["status"], explained["answer"]["code"]) == (504, "offline")


def test_upstreams_are_shown_without_secrets(upstream, start):
    url = f"http://user:password@127.0.0.1:{upstream.port}/{{path}}?key=secret&{{query}}"
    larder = start({"upstream first": {"url": url, "match": "google/*"},
                    "upstream second": {"url": "http://127.0.0.1:9/{path}?{query}", "match": "other/*"}})
    explained = explain(larder, COMPRESSED)
    assert explained["upstreams"] == [
        {"name": "first", "url": f"http://127.0.0.1:{upstream.port}/google/x/1", "may_have": True, "cooling_until": None},
        {"name": "second", "url": None, "may_have": False, "cooling_until": None}]
    assert "password" not in json.dumps(explained) and "secret" not in json.dumps(explained)


@pytest.mark.concurrent
def test_a_running_fill(upstream, mirror):
    gate = threading.Event()
    upstream.serve(PATH, Answer(MODULE, gate=gate, gate_after=len(MODULE) // 2))
    started = mirror.request("POST", "/api/v1/fills", {"Content-Type": "application/json"},
                             json.dumps({"paths": ["google/x/1"]}).encode())
    number = json.loads(started.body)["fills"][0]["id"]
    explained = explain(mirror, COMPRESSED)
    assert explained["answer"] == {"status": 200, "cache": "collapsed"} and explained["fill"]["id"] == number
    gate.set()
    wait_until(lambda: explain(mirror, COMPRESSED)["answer"]["cache"] == "hit", lambda: "the fill to end")


def test_a_file_of_an_archive(upstream, mirror):
    explained = explain(mirror, "/google/x/1/model.json?tfjs-format=file")
    assert explained["wanted"] == "member" and explained["name"]["format"] == "tfjs"
    assert explained["answer"] == {"status": 200, "cache": "miss"} and upstream.requests == []


def test_without_a_url(larder):
    assert_problem(larder.get("/api/v1/explain"), 400, "bad-request")


def test_what_pins_it(upstream, mirror):
    upstream.serve(PATH, MODULE)
    mirror.get(PATH + ".tar.gz")
    assert explain(mirror, PATH)["pinned_by"] is None
    mirror.larder("pin", PATH.lstrip("/"))
    assert explain(mirror, PATH)["pinned_by"] == PATH.lstrip("/")


def test_an_upstream_that_is_left_alone(upstream, start):
    mirror = start(upstreams=[upstream.url])
    upstream.serve(PATH, Answer(b"later", 503, headers={"Retry-After": "60"}))
    mirror.get(COMPRESSED)
    explained = explain(mirror, COMPRESSED)
    assert explained["upstreams"][0]["cooling_until"].endswith("Z")
    assert (explained["answer"]["status"], explained["answer"]["code"]) == (504, "upstream-unreachable")
    refused = assert_problem(mirror.get(COMPRESSED), 504, "upstream-unreachable")
    assert explained["answer"]["detail"][:40] == refused["detail"][:40], (explained, refused)
