# SPDX-License-Identifier: Apache-2.0
"""Misses that upstream takes its time over: whoever asks for anything else is not held up, and each is asked for once."""
import http.client
import json
import signal
import subprocess
import threading

import pytest
from support import modules
from support.client import Reply
from support.daemon import binary
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

SMALL = modules.module(1000)


# ---- HEAD of what is not here ------------------------------------------------------------------------------------------------

MISS = "/google/m{}/1.tar.gz"
FILE = "/google/m{}/1/model.json?tfjs-format=file"


def head_all(daemon, paths):
    replies = [None] * len(paths)

    def head(i):
        try:
            replies[i] = daemon.head(paths[i])
        except (OSError, http.client.HTTPException) as error:
            replies[i] = error

    threads = [threading.Thread(target=head, args=(i,)) for i in range(len(paths))]
    for thread in threads:
        thread.start()
    return threads, replies


def assert_alive(daemon):
    for _ in range(5):
        assert [daemon.get(path).status for path in ("/healthz", "/readyz", "/api/v1/stats", "/api/v1/modules")] == 4 * [200]


def silent(upstream, paths):
    """The upstream takes these requests, and is silent until the event."""
    held = threading.Event()
    for path in paths:
        upstream.serve(path, Answer(SMALL, before=held))
    return held


@pytest.mark.concurrent
@pytest.mark.parametrize("path", [MISS, FILE], ids=["archive", "file"])
def test_heads_of_many_misses_hold_up_nobody(start, upstream, path):
    mirror = start({"server": {"workers": 2}, "mirror": {"connect_timeout_s": 60}}, [upstream.url])
    held = silent(upstream, [f"/google/m{i}/1" for i in range(8)])
    threads, replies = head_all(mirror, [path.format(i) for i in range(8)])
    wait_until(lambda: upstream.count(method="HEAD") == 8, lambda: f"8 questions; there were {upstream.counts()}")
    assert_alive(mirror)
    assert replies == 8 * [None]
    held.set()
    for thread in threads:
        thread.join()
    assert [reply.status for reply in replies] == 8 * [200]
    assert path == FILE or {reply.header("Content-Length") for reply in replies} == {str(len(SMALL))}


@pytest.mark.concurrent
@pytest.mark.parametrize("answer", [200, 404, 500])
def test_heads_of_one_miss_are_one_question(start, upstream, answer):
    mirror = start({"server": {"workers": 2}, "mirror": {"connect_timeout_s": 60}}, [upstream.url])
    held = threading.Event()
    upstream.serve("/google/m0/1", Answer(SMALL, answer, before=held))
    threads, replies = head_all(mirror, 32 * [MISS.format(0)])
    wait_until(lambda: upstream.count(method="HEAD"), "the question")
    mirror.wait_for("larder_requests_running", 33, "32 heads, and the question how many there are")
    assert_alive(mirror)
    held.set()
    for thread in threads:
        thread.join()
    assert [reply.status for reply in replies] == 32 * [502 if answer == 500 else answer]
    assert upstream.count(method="HEAD") == 1
    upstream.serve("/google/m0/1", SMALL)
    assert mirror.get(MISS.format(0)).body == SMALL, "what HEAD was answered is no absence"


@pytest.mark.concurrent
def test_too_many_heads_are_told_to_come_again(start, upstream):
    mirror = start({"mirror": {"connect_timeout_s": 60}}, [upstream.url])
    held = silent(upstream, [f"/google/m{i}/1" for i in range(80)])
    threads, replies = head_all(mirror, [MISS.format(i) for i in range(80)])
    wait_until(lambda: len([reply for reply in replies if reply]) >= 16, "refusals")
    assert_alive(mirror)
    held.set()
    for thread in threads:
        thread.join()
    assert sorted(reply.status for reply in replies) == 64 * [200] + 16 * [503]
    assert all(reply.header("Retry-After") for reply in replies if reply.status == 503)


def test_stopping_ends_heads(start, upstream):
    mirror = start({"server": {"drain_timeout_s": 1}, "mirror": {"connect_timeout_s": 600}}, [upstream.url])
    silent(upstream, [f"/google/m{i}/1" for i in range(8)])
    threads, replies = head_all(mirror, [MISS.format(i) for i in range(8)])
    wait_until(lambda: upstream.count(method="HEAD") == 8, "8 questions")
    mirror.stop()
    for thread in threads:
        thread.join()
    assert not [reply for reply in replies if isinstance(reply, Reply) and reply.status == 200]


# ---- HEAD of a name whose fill is running ------------------------------------------------------------------------------------

PATH, ARCHIVE, MEMBER = "/google/m/1", "/google/m/1.tar.gz", "/google/m/1/model.json?tfjs-format=file"
LARGE, SMALL_JS = modules.module(1 << 20), modules.tfjs_module()


def go_offline(mirror, upstream):
    mirror.configure({"mirror": {"offline": "on"}}, [upstream.url])
    mirror.process.send_signal(signal.SIGHUP)
    wait_until(lambda: mirror.get("/api/v1/stats").json()["offline"], mirror.tail)


def collapsed(reply, length):
    return (reply.status, reply.header("Cache-Status"), reply.headers.get("Content-Length")) == (200, "larder; fwd=miss; collapsed", length)


def fills(mirror):
    return mirror.get("/api/v1/fills").json()["fills"]


def explained(mirror):
    return mirror.get("/api/v1/explain?url=" + ARCHIVE).json()["answer"]


@pytest.mark.concurrent
@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_head_is_answered_by_the_fill(start, upstream, chunked, offline):
    mirror = start({}, [upstream.url])
    gate = threading.Event()
    upstream.serve(PATH, Answer(LARGE, chunked=chunked, gate=gate, gate_after=1 << 19))
    threads, replies = get_all(mirror, [ARCHIVE])
    wait_until(lambda: sum(fill["bytes"] for fill in fills(mirror)), "the first bytes")
    if offline:
        go_offline(mirror, upstream)
    reply = mirror.head(ARCHIVE)
    assert collapsed(reply, None if chunked else str(len(LARGE))), reply
    assert explained(mirror)["status"] == 200
    gate.set()
    threads[0].join()
    assert replies[0].body == LARGE
    assert mirror.head(ARCHIVE).header("Cache-Status") == "larder; hit"
    assert upstream.count() == 1 and upstream.count(method="HEAD") == 0


@pytest.mark.concurrent
@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("path", [ARCHIVE, MEMBER], ids=["archive", "file"])
def test_head_waits_for_a_fill_that_knows_nothing_yet(start, upstream, path, status):
    mirror = start({}, [upstream.url])
    held = threading.Event()
    upstream.serve(PATH, Answer(SMALL if path == ARCHIVE else SMALL_JS, status, before=held))
    gets, replies = get_all(mirror, [path])
    upstream.wait_for_requests(1)
    go_offline(mirror, upstream)
    heads, answers = head_all(mirror, 3 * [path])
    wait_until(lambda: [fill["waiters"] for fill in fills(mirror)] == [4], "four who wait")
    assert_alive(mirror)
    held.set()
    for thread in gets + heads:
        thread.join()
    assert [reply.status for reply in replies + answers] == 4 * [status]
    assert upstream.count(PATH) == 1 and not upstream.count(method="HEAD")


@pytest.mark.concurrent
def test_head_of_what_waits_for_its_turn_is_a_question(make_upstream, start):
    """Nobody's order in advance holds up whoever asks about it, and asking makes it no more urgent."""
    slow, mirror = two_upstreams(make_upstream, start, 1, 4)
    held = silent(slow, ["/slow/m0/1"])
    gets, _ = get_all(mirror, ["/slow/m0/1.tar.gz"])
    slow.wait_for_requests(1)
    body = json.dumps({"paths": ["/slow/m1/1.tar.gz"]}).encode()
    headers = {"Content-Type": "application/json", "Authorization": "Bearer " + mirror.token("admin")}
    assert mirror.request("POST", "/api/v1/fills", headers, body).status == 202
    slow.serve("/slow/m1/1", SMALL)
    reply = mirror.head("/slow/m1/1.tar.gz")
    assert (reply.status, reply.header("Cache-Status"), reply.header("Content-Length")) == (200, "larder; fwd=miss", str(len(SMALL)))
    assert slow.count("/slow/m1/1", method="HEAD") == 1
    held.set()
    gets[0].join()


def test_head_of_what_was_evicted_is_judged_as_get_is(start, upstream):
    contents = [modules.module(200_000, seed=seed) for seed in range(2)]
    for number, content in enumerate(contents):
        upstream.serve(f"/google/m{number}/1", content)
    mirror = start({"storage": {"max_bytes": len(contents[0]) + 1000}}, [upstream.url])
    assert [mirror.get(MISS.format(number)).status for number in range(2)] == [200, 200]
    mirror.wait_for("larder_evictions_total", 1)
    assert mirror.head(MISS.format(0)).header("Content-Length") == str(len(contents[0]))
    go_offline(mirror, upstream)
    assert [mirror.get(MISS.format(0)).status, mirror.head(MISS.format(0)).status] == [504, 504]
    assert upstream.count(method="HEAD") == 0


# ---- places ------------------------------------------------------------------------------------------------------------------

QUICK = "/quick/m/1.tar.gz"


def two_upstreams(make_upstream, start, max_fills, connections, **mirror):
    slow, quick = make_upstream(), make_upstream()
    quick.serve("/quick/m/1", SMALL)
    return slow, start({
        "mirror": {"max_fills": max_fills, "connect_timeout_s": 60, **mirror},
        "upstream slow": {"url": slow.url + "/{path}?{query}", "match": "slow/*", "max_connections": connections},
        "upstream quick": {"url": quick.url + "/{path}?{query}", "match": "quick/*"},
    })


def get_all(daemon, paths):
    replies = [None] * len(paths)

    def get(i):
        try:
            replies[i] = daemon.get(paths[i])
        except (OSError, http.client.HTTPException) as error:
            replies[i] = error

    threads = [threading.Thread(target=get, args=(i,)) for i in range(len(paths))]
    for thread in threads:
        thread.start()
    return threads, replies


@pytest.mark.concurrent
@pytest.mark.parametrize("max_fills, connections, count, most", [(4, 16, 6, 3), (4, 2, 20, 2), (2, 16, 6, 1), (8, 3, 40, 3)])
def test_a_slow_upstream_holds_up_no_other(make_upstream, start, max_fills, connections, count, most):
    slow, mirror = two_upstreams(make_upstream, start, max_fills, connections)
    held = silent(slow, [f"/slow/m{i}/1" for i in range(count)])
    threads, replies = get_all(mirror, [f"/slow/m{i}/1.tar.gz" for i in range(count)])
    mirror.wait_for("larder_fills_running", count)
    slow.wait_for_requests(most)
    assert mirror.get(QUICK).body == SMALL
    assert replies == count * [None] and slow.count() == most
    held.set()
    for thread in threads:
        thread.join()
    assert [reply.body for reply in replies] == count * [SMALL]
    assert slow.count() == count


@pytest.mark.concurrent
def test_one_place_is_nobodys_while_a_connection_is_waited_for(make_upstream, start):
    """What waits behind a HEAD for the only connection leaves the only place to others."""
    slow, mirror = two_upstreams(make_upstream, start, 1, 1)
    held = silent(slow, ["/slow/m0/1", "/slow/m1/1"])
    heads, _ = head_all(mirror, ["/slow/m0/1.tar.gz"])
    wait_until(lambda: slow.count(method="HEAD") == 1, "the question")
    threads, replies = get_all(mirror, ["/slow/m1/1.tar.gz"])
    mirror.wait_for("larder_fills_running", 1)
    assert mirror.get(QUICK).body == SMALL
    held.set()
    for thread in threads + heads:
        thread.join()
    assert replies[0].body == SMALL


@pytest.mark.concurrent
def test_what_waits_for_a_connection_can_be_cancelled_and_stopped(make_upstream, start):
    slow, mirror = two_upstreams(make_upstream, start, 4, 1)
    silent(slow, [f"/slow/m{i}/1" for i in range(6)])
    threads, replies = get_all(mirror, [f"/slow/m{i}/1.tar.gz" for i in range(6)])
    mirror.wait_for("larder_fills_running", 6)
    slow.wait_for_requests(1)
    waiting = [fill["id"] for fill in mirror.get("/api/v1/fills").json()["fills"] if not fill["upstream"]]
    headers = {"Authorization": "Bearer " + mirror.token("admin")}
    assert mirror.request("DELETE", f"/api/v1/fills/{waiting[0]}", headers).status in (200, 202, 204)
    wait_until(lambda: any(replies), "the answer to the one that was cancelled")
    assert [reply.status for reply in replies if reply] == [503]
    mirror.stop()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("connections, told", [(15, True), (16, False), (None, False)])
def test_check_tells_of_places_that_are_never_taken(tmp_path, connections, told):
    config = tmp_path / "larder.ini"
    upstream = f"[upstream one]\nurl = http://127.0.0.1:9/{{path}}?{{query}}\n" + (f"max_connections = {connections}\n" if connections else "")
    config.write_text(f"[storage]\ndata_dir = {tmp_path}\n" + ("[mirror]\nmax_fills = 16\n" if connections else "") + upstream)
    done = subprocess.run([binary(), "serve", "--check", "--config", str(config)], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0 and ("max_connections" in done.stderr) == told, done
