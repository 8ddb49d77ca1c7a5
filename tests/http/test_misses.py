# SPDX-License-Identifier: Apache-2.0
"""Misses that upstream takes its time over: whoever asks for anything else is not held up, and each is asked for once."""
import http.client
import threading

import pytest
from support import modules
from support.client import Reply
from support.upstream import Answer
from support.waiting import wait_until

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
