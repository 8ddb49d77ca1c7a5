# SPDX-License-Identifier: Apache-2.0
"""Hub URLs without a version: upstream is asked which one is its latest, once and without a download."""
import json
import threading

import pytest
from support import modules
from support.daemon import assert_problem
from support.upstream import Answer, bucket_403, by_method, html, redirect
from support.waiting import wait_until

QUERY = "?tf-hub-format=compressed"
PATH = "/google/nnlm-en-dim50"


def asked(upstream, path=PATH):
    return [seen.method for seen in upstream.requests if seen.path == path]


def assert_redirect(reply, version, path=PATH, query=QUERY):
    assert reply.status == 302, reply
    assert (reply.header("Location"), reply.header("Cache-Control")) == (f"{path}/{version}{query}", "no-cache")


@pytest.mark.parametrize("location", [
    "{path}/3{query}", "{path}/3", "{base}{path}/3{query}", "{base}/hub{path}/3.tar.gz", "{path}/3/", "..{path}/3{query}",
])
def test_fresh_mirror_asks_upstream(mirror, upstream, location):
    upstream.serve(PATH, redirect(location.format(path=PATH, query=QUERY, base=upstream.url)))
    assert_redirect(mirror.get(PATH + QUERY), 3)
    assert_redirect(mirror.get(PATH + QUERY), 3)
    assert asked(upstream) == ["HEAD"] and upstream.count(PATH + "/3") == 0
    assert mirror.get("/metrics").status == 200 and mirror.blobs() == []


@pytest.mark.parametrize("query", ["?tf-hub-format=compressed", "?tfjs-format=compressed", "?lite-format=tflite", "?coral-format=tflite"])
def test_each_format_is_asked_for_itself(mirror, upstream, query):
    upstream.serve(PATH, redirect(f"{PATH}/7{query}"))
    assert_redirect(mirror.get(PATH + query), 7, query=query)
    assert_redirect(mirror.head(PATH + query), 7, query=query)
    assert [seen.query for seen in upstream.requests] == [query[1:]]


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 405, 410, 429, 451, 500, 501, 503])
@pytest.mark.parametrize("wait", [{}, {"Retry-After": "600"}], ids=["", "to come again"])
def test_where_head_does_not_tell_get_is_asked_and_its_body_left(mirror, upstream, status, wait):
    held = threading.Event()
    body = b"x" * (8 << 20)
    upstream.serve(PATH, Answer(b"no HEAD here\n", status, "text/plain", wait),
                   Answer(body, 302, "text/plain", {"Location": f"{PATH}/3{QUERY}"}, gate=held, gate_after=1 << 20))
    assert_redirect(mirror.get(PATH + QUERY), 3)
    held.set()
    assert asked(upstream) == ["HEAD", "GET"] and upstream.count(PATH + "/3") == 0


def test_other_redirects_are_followed_to_the_one_that_tells(mirror, upstream):
    upstream.serve(PATH, redirect("/moved" + PATH + QUERY))
    upstream.serve("/moved" + PATH, redirect(PATH + "/4" + QUERY, 301))
    assert_redirect(mirror.get(PATH + QUERY), 4)
    assert upstream.count(PATH + "/4", "HEAD") == 0


@pytest.mark.parametrize("answer", [
    Answer(b"", 404), Answer(b"", 410), html(), Answer(b"bytes"), redirect("/google/other/3" + QUERY), redirect(PATH + "/03" + QUERY),
    redirect(PATH + "/3x" + QUERY), redirect(PATH + "/0" + QUERY), redirect("/google/nnlm-en-dim50-with-more/3"),
    redirect(PATH + "/99999999999999999999"),
], ids=["404", "410", "a page", "bytes", "another handle", "a zero in front", "letters", "zero", "a longer handle", "too large"])
def test_who_does_not_tell_is_remembered_as_absent(mirror, upstream, answer):
    upstream.serve(PATH, answer)
    for _ in range(3):
        reply = mirror.get(PATH + QUERY)
        assert_problem(reply, 404, "not-found")
    assert asked(upstream) == ["HEAD", "GET"]
    assert int(reply.header("Retry-After")) > 0


@pytest.mark.parametrize("status", [400, 401, 402, 403, 451])
@pytest.mark.parametrize("head", [None, 405, 200])
def test_no_is_asked_for_once_and_told_with_its_reason(mirror, upstream, status, head):
    problem = json.dumps({"title": "no", "detail": "by order"}).encode()
    refused = Answer(problem, status, "application/problem+json")
    upstream.serve(PATH, by_method(Answer(b"", head) if head else refused, refused))
    for _ in range(3):
        reply = mirror.get(PATH + QUERY)
        assert_problem(reply, 502, "upstream-failed")
        assert f"answered {status}" in reply.json()["detail"] and "by order" in reply.json()["detail"], reply
    assert asked(upstream) == ["HEAD", "GET"] and int(reply.header("Retry-After")) > 0
    told = mirror.get("/api/v1/explain?url=" + PATH + "%3Ftf-hub-format=compressed").json()["answer"]
    assert (told["status"], told["code"]) == (502, "upstream-failed") and "by order" in told["detail"]


@pytest.mark.parametrize("others", [[], [404], [404, 403]])
def test_what_a_bucket_does_not_show_is_absent(start, make_upstream, others):
    bucket, rest = make_upstream(), [make_upstream() for _ in others]
    mirror = start(upstreams=[one.url + "/{path}?{query}" for one in [bucket, *rest]])
    bucket.serve(PATH, bucket_403())
    for one, status in zip(rest, others):
        one.serve(PATH, Answer(b"", status, "text/plain"))
    for _ in range(3):
        reply = mirror.get(PATH + QUERY)
        assert_problem(reply, 404, "not-found")
        assert "403" in reply.json()["detail"]
    assert int(reply.header("Retry-After")) > 0
    for one in [bucket, *rest]:
        assert asked(one) == ["HEAD", "GET"]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_what_may_pass_is_not_remembered(mirror, upstream, status):
    upstream.serve(PATH, Answer(b"", status), Answer(b"", status), redirect(PATH + "/3" + QUERY))
    assert mirror.get(PATH + QUERY).status == 502
    assert asked(upstream) == ["HEAD", "GET"]
    assert_redirect(mirror.get(PATH + QUERY), 3)


def test_who_cannot_be_asked_without_a_version_spoils_no_memory(start, make_upstream):
    first, second = make_upstream(), make_upstream()
    mirror = start(upstreams=[first.url + "/{handle}/{version}?{query}", second.url])
    second.serve(PATH, Answer(b"", 401, "text/plain"))
    for _ in range(3):
        assert_problem(mirror.get(PATH + QUERY), 502, "upstream-failed")
    assert asked(second) == ["HEAD", "GET"] and not first.requests


def test_absences_and_answers_are_forgotten_in_time(start, upstream):
    mirror = start({"mirror": {"latest_ttl_s": 0, "negative_ttl_s": 0}}, [upstream.url])
    upstream.serve(PATH, Answer(b"", 404), Answer(b"", 404), redirect(PATH + "/1"), redirect(PATH + "/2"))
    assert mirror.get(PATH + QUERY).status == 404
    assert_redirect(mirror.get(PATH + QUERY), 1)
    assert_redirect(mirror.get(PATH + QUERY), 2)


def test_latest_is_not_stale_on_a_used_mirror(mirror, upstream):
    upstream.serve(PATH + "/1", modules.module(100))
    assert mirror.get(PATH + "/1" + QUERY).status == 200
    upstream.serve(PATH, redirect(PATH + "/2" + QUERY))
    assert_redirect(mirror.get(PATH + QUERY), 2)


def test_what_is_here_counts_where_upstream_cannot_be_asked(start, upstream):
    mirror = start(upstreams=[upstream.url])
    for version in (1, 2):
        upstream.serve(f"{PATH}/{version}", modules.module(100, seed=version))
        assert mirror.get(f"{PATH}/{version}{QUERY}").status == 200
    upstream.stop()
    assert_redirect(mirror.get(PATH + QUERY), 2)
    mirror.stop()
    mirror.start("--offline")
    assert_redirect(mirror.get(PATH + QUERY), 2)
    assert_problem(mirror.get("/google/unknown" + QUERY), 504, "offline")


def test_failures_are_not_absences(mirror, upstream):
    upstream.serve(PATH, Answer(b"", 500))
    assert_problem(mirror.get(PATH + QUERY), 502, "upstream-failed")
    upstream.stop()
    assert_problem(mirror.get("/google/other" + QUERY), 504, "upstream-unreachable")


def test_published_handles_never_ask(mirror, upstream):
    mirror.publish("/acme/m/1", modules.module(100))
    assert_redirect(mirror.get("/acme/m" + QUERY), 1, "/acme/m")
    assert_problem(mirror.get("/acme/m?tfjs-format=compressed"), 404, "not-found")
    assert not upstream.requests


def test_a_stranger_changes_no_latest_of_what_is_published(mirror, upstream):
    """Nor what he fetched before it was published, nor once what was published is withdrawn."""
    for version in (1, 7, 8):
        upstream.serve(f"{PATH}/{version}", modules.module(100, seed=version))
    assert mirror.get(f"{PATH}/7{QUERY}").status == 200
    mirror.publish(PATH + "/2", modules.module(100))
    mirror.publish(PATH + "/3", modules.module(200))
    assert mirror.get(f"{PATH}/8{QUERY}").status == 200
    assert_redirect(mirror.get(PATH + QUERY), 3)
    assert mirror.get("/api/v1/explain?url=" + PATH + "%3Ftf-hub-format=compressed").json()["answer"]["latest"] == 3
    withdrawing = {"Authorization": "Bearer " + mirror.token("withdraw:*")}
    assert mirror.request("DELETE", PATH + "/3", withdrawing).status == 200
    assert_redirect(mirror.get(PATH + QUERY), 2)
    assert mirror.request("DELETE", PATH + "/2", withdrawing).status == 200
    assert_problem(mirror.get(PATH + QUERY), 404, "not-found")
    assert asked(upstream) == []


def test_what_is_published_while_upstream_is_asked_is_the_latest(mirror, upstream):
    held = threading.Event()
    upstream.serve(PATH, Answer(b"", 302, "text/plain", {"Location": PATH + "/9"}, before=held))
    threads, replies = get_all(mirror, [PATH + QUERY])
    wait_until(lambda: asked(upstream), lambda: "the question at the upstream")
    mirror.publish(PATH + "/2", modules.module(100))
    held.set()
    threads[0].join()
    for reply in (replies[0], mirror.get(PATH + QUERY)):
        assert_redirect(reply, 2)


def test_withdrawn_versions_are_no_latest(mirror, upstream):
    for version in (1, 2):
        upstream.serve(f"{PATH}/{version}", modules.module(100, seed=version))
        assert mirror.get(f"{PATH}/{version}{QUERY}").status == 200
    assert mirror.request("DELETE", PATH + "/2", {"Authorization": "Bearer " + mirror.token("withdraw:*")}).status == 200
    upstream.serve(PATH, redirect(PATH + "/2" + QUERY))
    assert_redirect(mirror.get(PATH + QUERY), 1)


def test_policy_goes_before_asking(start, upstream):
    mirror = start({"mirror": {"deny": "google/*"}}, [upstream.url])
    assert_problem(mirror.get(PATH + QUERY), 403, "blocked-by-policy")
    assert not upstream.requests


@pytest.mark.parametrize("template", ["/{handle}/{version}?{query}", "/{path}.tar.gz", "/{path}/archive?{query}"])
def test_templates_that_need_a_version_cannot_be_asked(start, upstream, template):
    mirror = start(upstreams=[upstream.url + template])
    assert_problem(mirror.get(PATH + QUERY), 404, "not-found")
    assert not upstream.requests


def test_the_next_upstream_is_asked_where_one_does_not_tell(start, make_upstream):
    first, second, third = make_upstream(), make_upstream(), make_upstream()
    mirror = start(upstreams=[first.url, second.url, third.url])
    first.serve(PATH, Answer(b"", 500))
    third.serve(PATH, redirect(PATH + "/5" + QUERY))
    assert_redirect(mirror.get(PATH + QUERY), 5)
    assert asked(second) == ["HEAD", "GET"]


def test_explain_asks_nobody(mirror, upstream):
    told = mirror.get("/api/v1/explain?url=" + PATH + "%3Ftf-hub-format=compressed").json()
    answer = told["answer"]
    assert (answer["status"], answer["code"], answer["latest"], answer["asks_upstream"]) == (404, "not-found", None, True)
    assert "upstream is asked" in answer["detail"]
    assert not upstream.requests
    upstream.serve(PATH, redirect(PATH + "/3" + QUERY))
    assert_redirect(mirror.get(PATH + QUERY), 3)
    told = mirror.get("/api/v1/explain?url=" + PATH + "%3Ftf-hub-format=compressed").json()
    assert told["answer"] == {"status": 302, "cache": None, "latest": 3, "asks_upstream": False}


# ---- many at once ----------------------------------------------------------------------------------------------------------

def get_all(daemon, paths):
    replies = [None] * len(paths)

    def get(i):
        replies[i] = daemon.get(paths[i])

    threads = [threading.Thread(target=get, args=(i,)) for i in range(len(paths))]
    for thread in threads:
        thread.start()
    return threads, replies


@pytest.mark.concurrent
def test_once_however_many_ask_and_no_worker_waits(start, upstream):
    mirror = start({"server": {"workers": 2}}, [upstream.url])
    held = threading.Event()
    upstream.serve(PATH, Answer(b"", 302, "text/plain", {"Location": PATH + "/3"}, before=held))
    threads, replies = get_all(mirror, [PATH + QUERY] * 40)
    wait_until(lambda: asked(upstream), lambda: "the question at the upstream")
    for _ in range(10):
        assert mirror.get("/api/v1/stats").status == 200
    held.set()
    for thread in threads:
        thread.join()
    for reply in replies:
        assert_redirect(reply, 3)
    assert asked(upstream) == ["HEAD"]


@pytest.mark.concurrent
def test_too_many_questions_are_told_to_come_again(mirror, upstream):
    held = threading.Event()
    paths = [f"/google/m{i}" for i in range(80)]
    for path in paths:
        upstream.serve(path, Answer(b"", 302, "text/plain", {"Location": path + "/1"}, before=held))
    threads, replies = get_all(mirror, [path + QUERY for path in paths])
    wait_until(lambda: any(replies), lambda: "a refusal")
    held.set()
    for thread in threads:
        thread.join()
    assert {reply.status for reply in replies} <= {302, 503}
    assert [reply.status for reply in replies].count(302) >= 16


def test_stopping_ends_a_question(start, upstream):
    mirror = start(upstreams=[upstream.url])
    upstream.serve(PATH, Answer(b"", 302, "text/plain", {"Location": PATH + "/3"}, before=threading.Event()))
    connection = mirror.open
    waiting = threading.Thread(target=lambda: pytest.raises(OSError, connection, PATH + QUERY))
    waiting.start()
    wait_until(lambda: asked(upstream), lambda: "the question at the upstream")
    mirror.stop()
    waiting.join()


# ---- chains ------------------------------------------------------------------------------------------------------------------

def test_a_chain_keeps_the_answer_right(start, upstream):
    origin = start(upstreams=[upstream.url], name="origin")
    edge = start(upstreams=[origin.url.rstrip("/")], name="edge")
    upstream.serve(PATH, redirect(PATH + "/3" + QUERY))
    upstream.serve(PATH + "/3", modules.module(100))
    assert_redirect(edge.get(PATH + QUERY), 3)
    assert edge.get(PATH + "/3" + QUERY).body == modules.module(100)
    assert asked(upstream) == ["HEAD"]


def test_what_the_next_published_is_its_latest(start):
    origin = start(name="origin")
    edge = start(upstreams=[origin.url.rstrip("/")], name="edge")
    origin.publish("/acme/m/4", modules.module(100))
    assert_redirect(edge.get("/acme/m" + QUERY), 4, "/acme/m")


@pytest.mark.concurrent
def test_circles_are_cut(start, tmp_path):
    """Two that ask each other, both at once: nobody waits for himself, and each tells what it has."""
    first = start(name="first")
    second = start(upstreams=[first.url.rstrip("/")], name="second")
    first.publish("/acme/m/1", modules.module(100))
    address = second.url.rstrip("/")
    first.stop()
    first.configure(None, [address])
    first.start()
    for path in ("/acme/other", "/acme/third", "/acme/fourth"):
        one, replies_one = get_all(first, [path + QUERY] * 4)
        two, replies_two = get_all(second, [path + QUERY] * 4)
        for thread in one + two:
            thread.join()
        assert {reply.status for reply in replies_one + replies_two} <= {404, 502, 508}
    assert_redirect(second.get("/acme/m" + QUERY), 1, "/acme/m")
    assert_redirect(first.get("/acme/m" + QUERY), 1, "/acme/m")
