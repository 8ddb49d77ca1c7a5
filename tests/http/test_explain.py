# SPDX-License-Identifier: Apache-2.0
"""/api/v1/explain: what would be answered and why, without a packet to an upstream."""
import io
import json
import tarfile
import threading
from urllib.parse import quote

import pytest
from support import modules
from support.daemon import assert_problem
from support.upstream import Answer, redirect
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


def member_names(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return [member.name.removeprefix("./") for member in tar if member.isfile()]


@pytest.mark.parametrize("query", ["", "?tfjs-format=file"])
def test_files_of_an_archive_that_is_here(larder, query):
    """Before it is unpacked, while it is, and when it was removed again: as a GET has it, and nothing is unpacked to tell."""
    archive = modules.pack([modules.Member("./"), *(modules.Member("./" + name, content) for name, content in (
        ("model.json", b'{"modelTopology": {}}'), ("a.bin", b"1"), ("b b.bin", b"2"))),
        modules.Member("./c/"), modules.Member("./c/d.txt", b"3")])
    larder.publish("/acme/js/1?tfjs-format=compressed", archive)
    paths = [f"/acme/js/1/{name}{query}" for name in [*member_names(archive), "nope.bin", "c", "c/e.txt", "c/d.txt/x", "x/model.json"]]
    before = [explain(larder, path)["answer"] for path in paths]
    assert not list((larder.data / "unpacked").iterdir())
    for path, told in zip(paths, before):
        got = larder.get(quote(path, safe="/?="), accept="application/problem+json")
        assert told["status"] == got.status and told["cache"] == ("hit" if got.status == 200 else None), (path, told)
        assert got.status == 200 or (told["code"], told["detail"]) == (got.json()["code"], got.json()["detail"])
    assert [explain(larder, path)["answer"] for path in paths] == before
    assert {answer["status"] for answer in before} == {200, 404}


def test_a_file_that_is_not_listed_any_more(larder):
    """Of very many files the first are listed: what may be one of the others is not called absent before it is unpacked."""
    entries = [modules.Member(f"./{number:05}-{'long' * 30}", b"") for number in range(6000)]
    larder.publish("/acme/js/1?tfjs-format=compressed", modules.pack(
        [modules.Member("./"), modules.Member("./model.json", b'{"modelTopology": {}}'), *entries]))
    assert larder.get("/api/v1/files/acme/js/1?format=tfjs").json()["truncated"] is True
    last, none = "/acme/js/1/" + entries[-1].name.removeprefix("./"), "/acme/js/1/none"
    assert explain(larder, last)["answer"]["status"] == 200
    assert larder.get(last).status == 200
    assert explain(larder, last)["answer"]["status"] == 200 and explain(larder, none)["answer"]["status"] == 404


FAILURES = {"an error": [Answer(b"no", 500, "text/plain")],
            "nothing in it": [Answer(b"", 204)],
            "a cut": [Answer(MODULE, cut_after=1000)],
            "a sum that is not the bytes'": [Answer(modules.module(), headers={"x-goog-hash": "md5=AAAAAAAAAAAAAAAAAAAAAA=="})],
            "a private address": [redirect("http://10.1.2.3/x.tar.gz")]}


@pytest.mark.parametrize("kind", FAILURES)
def test_the_last_failure_although_it_is_not_remembered(upstream, start, kind):
    mirror = start({"mirror": {"private_upstreams": "false"}}, [upstream.url])
    upstream.serve(PATH, *FAILURES[kind])
    assert explain(mirror, COMPRESSED)["last_fill"] is None
    refused = mirror.get(COMPRESSED)
    assert refused.status in (502, 504), refused
    mirror.wait_for_idle()
    explained = explain(mirror, COMPRESSED)
    last = explained["last_fill"]
    assert explained["negative"] is None and explained["fill"] is None, "it is asked again"
    assert (last["state"], last["handle"], last["format"]) == ("failed", "google/x", "tf-hub")
    assert (last["code"], last["detail"]) == (refused.json()["code"], refused.json()["detail"])
    assert last["ended_at"].endswith("Z") and explain(mirror, "/google/x/2.tar.gz")["last_fill"] is None


def test_the_last_fill_of_several(upstream, mirror):
    upstream.serve(PATH, Answer(b"no", 500, "text/plain"), Answer(MODULE))
    assert mirror.get(COMPRESSED).status == 502
    mirror.wait_for_idle()
    assert explain(mirror, COMPRESSED)["last_fill"]["state"] == "failed"
    assert mirror.get(COMPRESSED).status == 200
    mirror.wait_for_idle()
    assert explain(mirror, COMPRESSED)["last_fill"]["state"] == "kept"


@pytest.mark.parametrize("path, asked", [
    ("/google/published/1.tar.gz", False), ("/google/published/1?tfjs-format=compressed", False), ("/google/published/1", False),
    ("/google/withdrawn/1.tar.gz", False), ("/google/withdrawn/1?lite-format=tflite", False),
    ("/google/published/2.tar.gz", True), ("/google/mirrored/1.tar.gz", True), ("/google/mirrored/1?tfjs-format=compressed", True)])
def test_upstreams_that_are_never_asked(upstream, mirror, path, asked):
    upstream.serve("/google/mirrored/1", MODULE)
    for name in ("published", "withdrawn"):
        mirror.publish(f"/google/{name}/1", MODULE)
    mirror.get("/google/mirrored/1.tar.gz")
    mirror.wait_for_idle()
    token = mirror.token("admin")
    assert mirror.request("DELETE", "/google/withdrawn/1", {"Authorization": f"Bearer {token}"}).status == 200
    shown = explain(mirror, path)["upstreams"][0]
    assert shown["may_have"] is asked and (shown["url"] is not None) is asked, shown


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
