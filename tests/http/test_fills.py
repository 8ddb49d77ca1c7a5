# SPDX-License-Identifier: Apache-2.0
"""/api/v1/fills: what a mirror is doing, how it is started without a download, and how it is ended."""
import json
import re
import subprocess
import threading

import pytest
from support import modules
from support.client import Download
from support.daemon import assert_problem, binary
from support.upstream import Answer
from support.waiting import wait_until

PATH = "/google/big/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
FILLS = "/api/v1/fills"
MODULE = modules.module(1 << 20)
HALF = len(MODULE) // 2


def list_fills(larder):
    reply = larder.get(FILLS)
    assert reply.status == 200, reply
    return json.loads(reply.body)


def post(larder, body, **headers):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return larder.request("POST", FILLS, {"Content-Type": "application/json", **headers}, body)


def prefetch(larder, *paths):
    reply = post(larder, {"paths": list(paths)})
    assert reply.status == 202, reply
    return json.loads(reply.body)


def cancel(larder, number, scope="admin"):
    return larder.request("DELETE", f"{FILLS}/{number}", {"Authorization": f"Bearer {larder.token(scope)}"})


def wait_for_fill(larder, meets):
    """The one fill that runs, once it meets a condition."""
    found = []

    def look():
        found[:] = list_fills(larder)["fills"]
        return len(found) == 1 and meets(found[0])

    wait_until(look, lambda: f"a fill to come so far; there are {found}; log:\n{larder.tail()}")
    return found[0]


def wait_for_end(larder):
    """What ended last, once nothing runs."""
    wait_until(lambda: not list_fills(larder)["fills"], lambda: f"the fills to end: {list_fills(larder)}")
    return list_fills(larder)["recent"][0]


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


def test_nothing_runs(larder):
    assert list_fills(larder) == {"fills": [], "total": 0, "next": None, "recent": []}


@pytest.mark.concurrent
def test_a_running_fill_is_shown_with_its_clients(upstream, mirror, gate):
    upstream.serve(PATH, Answer(MODULE, gate=gate, gate_after=HALF))
    downloads = [Download(mirror, COMPRESSED) for _ in range(3)]
    fill = wait_for_fill(mirror, lambda fill: fill["bytes"] == HALF and fill["waiters"] == 3)
    assert (fill["handle"], fill["version"], fill["format"]) == ("google/big", 1, "tf-hub")
    assert fill["state"] == "transferring" and fill["total_bytes"] == len(MODULE)
    assert fill["upstream"] == "test0" and fill["attempts"] == 1
    assert fill["rate"] >= 0 and (fill["eta_s"] is None or fill["eta_s"] >= 0)
    assert fill["started_at"].endswith("Z") and "ended_at" not in fill
    gate.set()
    assert all(download.read_to_end() for download in downloads)
    ended = wait_for_end(mirror)
    assert ended["id"] == fill["id"] and ended["state"] == "kept" and ended["bytes"] == len(MODULE)
    assert "code" not in ended and ended["ended_at"] >= ended["started_at"]


@pytest.mark.concurrent
def test_attempts_and_a_total_that_upstream_does_not_tell(upstream, start, gate):
    larder = start({"mirror": {"retries": 2}}, [upstream.url])
    upstream.serve(PATH, Answer(MODULE, etag='"1"', ranges=True, cut_after=HALF // 2),
                   Answer(MODULE, etag='"1"', ranges=True, gate=gate, gate_after=HALF))
    prefetch(larder, "google/big/1")
    fill = wait_for_fill(larder, lambda fill: fill["bytes"] == HALF)
    assert fill["attempts"] == 2 and fill["total_bytes"] == len(MODULE) and fill["waiters"] == 0
    gate.set()
    assert wait_for_end(larder)["state"] == "kept"
    assert larder.metric("larder_upstream_resumes_total") == 1
    assert larder.metric("larder_upstream_retries_total") == 1
    hold = threading.Event()
    upstream.serve("/google/chunked/1", Answer(MODULE, chunked=True, gate=hold, gate_after=HALF))
    prefetch(larder, "google/chunked/1")
    fill = wait_for_fill(larder, lambda fill: fill["bytes"] == HALF)
    assert fill["total_bytes"] is None and fill["eta_s"] is None
    hold.set()
    assert wait_for_end(larder)["state"] == "kept"


@pytest.mark.concurrent
def test_a_fill_waits_for_its_turn(upstream, start, gate):
    larder = start({"mirror": {"max_fills": 1}}, [upstream.url])
    upstream.serve(PATH, Answer(MODULE, gate=gate, gate_after=HALF))
    upstream.serve("/google/next/1", MODULE)
    prefetch(larder, "google/big/1")
    wait_for_fill(larder, lambda fill: fill["bytes"] == HALF)
    second = prefetch(larder, "google/next/1")["fills"][0]
    states = [fill["state"] for fill in list_fills(larder)["fills"]]
    assert states == ["transferring", "waiting"], "oldest first"
    assert cancel(larder, second["id"]).status == 204
    wait_until(lambda: len(list_fills(larder)["fills"]) == 1, lambda: f"one to end: {list_fills(larder)}")
    assert list_fills(larder)["recent"][0]["code"] == "busy"
    gate.set()
    assert wait_for_end(larder)["state"] == "kept"
    assert upstream.count("/google/next/1") == 0


# ---- cancelling ----------------------------------------------------------------------------------------------------

@pytest.mark.concurrent
def test_cancelling_cuts_those_who_have_bytes(upstream, mirror, gate):
    upstream.serve(PATH, Answer(MODULE, gate=gate, gate_after=HALF))
    download = Download(mirror, COMPRESSED)
    assert download.read_up_to(HALF - (64 << 10))
    fill = wait_for_fill(mirror, lambda fill: fill["bytes"] == HALF)
    assert cancel(mirror, fill["id"]).status == 204
    assert not download.read_to_end()
    ended = wait_for_end(mirror)
    assert (ended["state"], ended["code"]) == ("failed", "busy") and "cancelled" in ended["detail"]
    mirror.assert_nothing_kept()
    assert_problem(cancel(mirror, fill["id"]), 404, "not-found")


@pytest.mark.concurrent
def test_cancelling_refuses_those_who_have_none(upstream, mirror, gate):
    upstream.serve(PATH, Answer(MODULE, before=gate))
    replies = []
    client = threading.Thread(target=lambda: replies.append(mirror.get(COMPRESSED)))
    client.start()
    fill = wait_for_fill(mirror, lambda fill: fill["waiters"] == 1 and fill["attempts"] == 1)
    assert fill["bytes"] == 0 and fill["total_bytes"] is None
    assert cancel(mirror, fill["id"]).status == 204
    client.join()
    assert_problem(replies[0], 503, "busy")
    assert "cancelled" in replies[0].body.decode()
    # It was not found absent: whoever asks again gets it.
    gate.set()
    wait_for_end(mirror)
    upstream.serve(PATH, MODULE)
    assert mirror.get(COMPRESSED).body == MODULE


def test_cancelling_takes_an_admin(larder):
    assert_problem(larder.request("DELETE", FILLS + "/1"), 401, "unauthorized")
    assert_problem(cancel(larder, 1, "read"), 403, "forbidden")
    assert_problem(cancel(larder, 1), 404, "not-found")
    assert_problem(cancel(larder, "x"), 400, "bad-request")


# ---- starting ------------------------------------------------------------------------------------------------------

def test_fills_go_on_without_a_client(upstream, mirror):
    upstream.serve("/google/x/1", MODULE)
    upstream.serve("/google/y/2", MODULE)
    mirror.publish("/acme/z/1", MODULE)
    answer = prefetch(mirror, "google/x/1", "/google/y/2?tf-hub-format=compressed", "acme/z/1", "nonsense/../x")
    assert [fill["path"] for fill in answer["fills"]] == ["google/x/1", "/google/y/2?tf-hub-format=compressed"]
    assert [fill["handle"] for fill in answer["fills"]] == ["google/x", "google/y"]
    assert answer["already_here"] == ["acme/z/1"]
    assert [(refusal["path"], refusal["code"]) for refusal in answer["refused"]] == [("nonsense/../x", "bad-request")]
    mirror.wait_for('larder_fills_total{event="kept"}', 2)
    assert prefetch(mirror, "google/x/1", "google/y/2")["already_here"] == ["google/x/1", "google/y/2"]
    assert mirror.get("/google/x/1?tf-hub-format=compressed").headers["Cache-Status"] == "larder; hit"


def test_two_paths_of_one_artifact_are_one_fill(upstream, mirror, gate):
    upstream.serve(PATH, Answer(MODULE, before=gate))
    first, second = prefetch(mirror, "google/big/1", "https://tfhub.dev/google/big/1?tf-hub-format=compressed")["fills"]
    assert first["id"] == second["id"] and upstream.count() <= 1


@pytest.mark.parametrize("path, code", [
    ("google/x", "bad-request"),
    ("google", "bad-request"),
    ("", "bad-request"),
    ("google/x/1?tf-hub-format=uncompressed", "bad-request"),
    ("https://elsewhere.example/google/x/1", "bad-request"),
    ("evil/x/1", "blocked-by-policy"),
])
def test_paths_that_are_refused(upstream, start, path, code):
    larder = start({"mirror": {"deny": "evil/*"}}, [upstream.url])
    answer = prefetch(larder, path)
    assert [refusal["code"] for refusal in answer["refused"]] == [code] and not answer["fills"]
    assert upstream.count() == 0


def test_what_upstream_does_not_have_is_told_among_the_recent(mirror):
    number = prefetch(mirror, "google/nothing/1")["fills"][0]["id"]
    ended = wait_for_end(mirror)
    assert (ended["id"], ended["state"], ended["code"]) == (number, "failed", "not-found")
    assert prefetch(mirror, "google/nothing/1")["refused"][0]["code"] == "not-found"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"paths": "x"}', b'{"paths": [1]}', b'{"paths": [], "x": 1}',
                                  b'{"paths": [], "paths": []}', b'{"paths": ["a\\u0000b"]}', b'{"paths": ["\xff"]}'])
def test_bodies_that_are_refused(larder, body):
    assert_problem(post(larder, body), 400, "bad-request")


def test_a_body_has_a_limit(larder):
    assert_problem(post(larder, {"paths": ["google/x/1"] * 8000}), 413, "too-large")


def test_reading_may_take_a_token(start):
    larder = start({"auth": {"read": "token"}})
    assert_problem(larder.get(FILLS), 401, "unauthorized")
    assert_problem(post(larder, {"paths": []}), 401, "unauthorized")
    assert post(larder, {"paths": []}, Authorization=f"Bearer {larder.token('read')}").status == 202


# ---- very many -------------------------------------------------------------------------------------------------------------------

MANY, ENDED = 130, 8


@pytest.fixture
def crowd(upstream, start, gate):
    """One fill that runs, those that wait for it, and some that were cancelled."""
    larder = start({"mirror": {"max_fills": 20}, "upstream test0": {"url": upstream.url + "/{path}?{query}", "max_connections": 1}})
    upstream.serve(PATH, Answer(MODULE, gate=gate, gate_after=HALF))
    prefetch(larder, "google/big/1")
    wait_for_fill(larder, lambda fill: fill["bytes"] == HALF)
    asked = [f"google/m{i}/1" for i in range(MANY + ENDED - 1)]
    ids = [fill["id"] for at in range(0, len(asked), 50) for fill in prefetch(larder, *asked[at:at + 50])["fills"]]
    for number in ids[::MANY // ENDED][:ENDED]:
        assert cancel(larder, number).status == 204
    wait_until(lambda: list_fills(larder)["total"] == MANY, lambda: f"some to end: {list_fills(larder)}")
    return larder


def walk(larder, query):
    """The pages of a list: what runs and what ended on each."""
    url = FILLS + query
    while url:
        page = larder.get(url[url.index("/api"):]).json()
        assert page["total"] == MANY
        yield [fill["id"] for fill in page["fills"]], [fill["id"] for fill in page["recent"]]
        url = page["next"]


def test_fills_come_in_pages(crowd):
    whole = None
    for query, limit in (("", 50), ("?limit=1", 1), ("?limit=13", 13), (f"?limit={MANY}", MANY), (f"?limit={MANY + ENDED}", MANY + ENDED), ("?limit=200", 200)):
        pages = list(walk(crowd, query))
        assert [len(running) + len(ended) for running, ended in pages[:-1]] == [limit] * (len(pages) - 1), query
        running, ended = [sum(lists, []) for lists in zip(*pages)]
        assert running == sorted(set(running)) and len(running) == MANY and len(set(ended)) == len(ended) == ENDED
        whole = whole or (running, ended)
        assert whole == (running, ended), query


def test_who_follows_the_pages_misses_none_that_ends_meanwhile(crowd):
    first = crowd.get(FILLS + "?limit=20").json()
    last = list(walk(crowd, "?limit=200"))[0][0][-1]
    assert cancel(crowd, last).status == 204
    wait_until(lambda: list_fills(crowd)["total"] == MANY - 1, "it to end")
    seen, url = [], first["next"]
    while url:
        page = crowd.get(url[url.index("/api"):]).json()
        seen += [fill["id"] for fill in page["fills"] + page["recent"]]
        url = page["next"]
    assert last in seen and len(seen) == len(set(seen)) == MANY - 20 + ENDED


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=%21", "cursor=AA", "cursor=ZW5kZWQt", "cursor=ZW5kZWQteA", "cursor=eA"])
def test_refused_pages(larder, query):
    assert_problem(larder.get(f"{FILLS}?{query}"), 400, "bad-request")


def run(larder, *arguments):
    return subprocess.run([binary(), *arguments, "--server", larder.url], capture_output=True, text=True, check=True).stdout


def test_commands_follow_the_pages(crowd):
    everything = json.loads(run(crowd, "fills", "--json"))
    assert len(everything["fills"]) == everything["total"] == MANY and len(everything["recent"]) == ENDED
    assert len(run(crowd, "fills", "--recent").splitlines()) == MANY + ENDED
    assert f"fills:\t{MANY} running" in run(crowd, "status")


def test_pages_of_the_web_are_bounded(crowd, gate):
    activity = crowd.get("/api/v1/activity").json()
    assert len(activity["fills"]) == 50 and activity["fills_total"] == MANY
    page = crowd.get("/-/activity", accept="text/html").body.decode()
    assert page.count("<progress") == 50 and f'<p class="raw" id="more-fills"><a href="/-/fills">All <span id="fills-total">{MANY}<' in page
    bars, ended, path = 0, 0, "/-/fills"
    while path:
        page = crowd.get(path, accept="text/html").body.decode()
        assert page.count("<tr><th scope=\"row\">") <= 100
        bars, ended = bars + page.count("<progress"), ended + page.count('class="change removed"')
        found = re.search(r'rel="next" href="([^"]+)"', page)
        path = found and found[1].replace("&amp;", "&")
    assert (bars, ended) == (MANY, ENDED)
    gate.set()
    wait_until(lambda: list_fills(crowd)["total"] == 0, "all to end")
    assert 'id="more-fills" hidden' in crowd.get("/-/activity", accept="text/html").body.decode()
