# SPDX-License-Identifier: Apache-2.0
"""What was served once is served from memory, and nobody can tell: same answers, same counts, gone at once where withdrawn
or evicted."""
import contextlib
import glob
import os
import signal
import socket
import sqlite3
import threading

import pytest
from support import modules
from support.daemon import assert_problem
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

PATH = "/acme/half-plus-two/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
SMALL = modules.module(3000)
LARGE = modules.module(300_000)
PREPARED = "larder_prepared_total"
HITS = 'larder_artifact_requests_total{result="hit"}'


def headers(reply):
    return sorted((name, value) for name, value in reply.headers.items() if name != "Date")


def withdraw(larder, path=PATH):
    return larder.request("DELETE", path, {"Authorization": f"Bearer {larder.token('withdraw:*')}"})


def downloads(larder, path=PATH):
    return larder.get("/api/v1/modules" + path).json()["artifacts"][0]["downloads"]


@pytest.mark.parametrize("module", [SMALL, LARGE], ids=["small", "large"])
def test_every_answer_is_like_the_first(larder, module):
    larder.publish(PATH, module)
    first = larder.get(COMPRESSED)
    assert first.status == 200 and first.body == module
    before = larder.metric(PREPARED)
    for _ in range(5):
        reply = larder.get(COMPRESSED)
        assert (reply.status, reply.body, headers(reply)) == (200, module, headers(first))
        head = larder.head(COMPRESSED)
        assert (head.status, head.body, headers(head)) == (200, b"", headers(first))
    assert larder.metric(PREPARED) - before == 10


def threads(larder):
    return [open(path).read().strip() for path in glob.glob(f"/proc/{larder.process.pid}/task/*/comm")]


def test_serving_starts_nothing_of_libcurl(start, upstream):
    """Which starts TLS, and that takes more memory than all that serving needs."""
    upstream.serve("/google/m/1", SMALL)
    larder = start(upstreams=[upstream.url])
    larder.publish(PATH, LARGE)
    larder.restart()
    for _ in range(3):
        assert larder.get(COMPRESSED).body == LARGE
    assert larder.get("/readyz").status == 200 and "upstream" not in threads(larder)
    assert larder.get("/google/m/1.tar.gz").body == SMALL and "upstream" in threads(larder)


@pytest.mark.parametrize("module", [SMALL, LARGE], ids=["small", "large"])
def test_special_requests_are_answered_as_ever(larder, module):
    larder.publish(PATH, module)
    first = larder.get(COMPRESSED)
    larder.get(COMPRESSED)
    etag, modified = first.header("ETag"), first.header("Last-Modified")
    part = larder.get(COMPRESSED, Range="bytes=10-19")
    assert (part.status, part.body) == (206, module[10:20])
    assert larder.get(COMPRESSED, If_None_Match=etag).status == 304
    assert larder.get(COMPRESSED, If_Modified_Since=modified).status == 304
    assert larder.get(COMPRESSED, If_Match='"other"').status == 412
    assert larder.get(COMPRESSED, Range="bytes=0-3", If_Range='"other"').body == module
    assert larder.get(COMPRESSED, Range=f"bytes={len(module)}-").status == 416
    assert larder.request("PATCH", COMPRESSED).status == 405
    assert larder.request("OPTIONS", COMPRESSED).status == 204
    assert larder.get(COMPRESSED).body == module
    raw = larder.raw(f"GET {COMPRESSED} HTTP/1.0\r\n\r\n".encode())
    assert raw.endswith(module) and b" 200 " in raw[:20]


def test_every_hit_is_counted(larder):
    larder.publish(PATH, SMALL)
    before, sent = larder.metric(HITS), larder.metric("larder_sent_bytes_total")
    for _ in range(20):
        assert larder.get(COMPRESSED).status == 200
    for _ in range(3):
        assert larder.head(COMPRESSED).status == 200
    assert larder.metric(HITS) - before == 20
    assert larder.metric("larder_sent_bytes_total") - sent >= 20 * len(SMALL)
    larder.restart()
    assert downloads(larder) == 20


def test_every_hit_is_in_the_log(larder):
    larder.publish(PATH, SMALL)
    for _ in range(3):
        larder.get(COMPRESSED)
    wait_until(lambda: larder.log().count("note=hit") == 3, lambda: larder.tail())
    lines = [line for line in larder.log().splitlines() if "note=hit" in line]
    for line in lines:
        for part in ("method=GET", PATH, "status=200", f"bytes={len(SMALL)}", "client=127.0.0.1"):
            assert part in line, line


def test_a_token_goes_before_the_table(start):
    larder = start({"auth": {"read": "token"}})
    larder.publish(PATH, SMALL)
    allowed = {"Authorization": f"Bearer {larder.token('read')}"}
    for _ in range(3):
        assert larder.request("GET", COMPRESSED, allowed).status == 200
        assert_problem(larder.get(COMPRESSED), 401, "unauthorized")
    assert larder.metric(PREPARED) == 0


@pytest.mark.parametrize("module", [SMALL, LARGE], ids=["small", "large"])
def test_withdrawn_is_gone_at_once(larder, module):
    larder.publish(PATH, module)
    for url in (COMPRESSED, PATH + ".tar.gz"):
        for _ in range(2):
            assert larder.get(url).status == 200
    assert withdraw(larder).status in (200, 204)
    for url in (COMPRESSED, PATH + ".tar.gz"):
        assert_problem(larder.get(url), 410, "gone")
        assert larder.head(url).status == 410


def test_withdrawn_while_the_head_arrives(larder):
    larder.publish(PATH, SMALL)
    larder.get(COMPRESSED), larder.get(COMPRESSED)
    with socket.create_connection(larder.address, timeout=DEADLINE_S) as late:
        late.sendall(f"GET {COMPRESSED} HTTP/1.1\r\nHost: x\r\n".encode())
        wait_until(lambda: larder.metric("larder_connections") >= 2, larder.tail)
        assert withdraw(larder).status == 200
        late.sendall(b"Connection: close\r\n\r\n")
        assert b" 410 " in late.makefile("rb").readline()


@pytest.mark.parametrize("size", [3000, 300_000])
def test_evicted_is_gone_at_once(upstream, start, size):
    """What is only kept at hand is not in use: it makes way, and is not given any more."""
    paths = [f"/google/m{i}/1" for i in range(4)]
    contents = {path: modules.module(size, seed=i + 1) for i, path in enumerate(paths)}
    for path, content in contents.items():
        upstream.serve(path, content)
    larder = start({"storage": {"max_bytes": 3 * len(contents[paths[0]]) + 1000}}, [upstream.url])
    for path in paths[:3]:
        for _ in range(3):
            assert larder.get(path + ".tar.gz").body == contents[path]
            larder.wait_for_idle()
    prepared = larder.metric(PREPARED)
    assert prepared >= 3
    assert larder.get(paths[3] + ".tar.gz").body == contents[paths[3]]
    larder.wait_for_idle()
    assert larder.metric("larder_evictions_total") == 1
    sent = upstream.count()
    for path in paths[:3]:
        if not larder.get("/api/v1/modules" + path).json()["artifacts"][0]["cached"]:
            assert larder.get(path + ".tar.gz").body == contents[path]
    assert upstream.count() > sent, "what was evicted was given all the same"


@pytest.mark.concurrent
@pytest.mark.parametrize("size", [3000, 300_000])
def test_gc_of_another_process_is_heard(upstream, start, tmp_path, size):
    """What the daemon keeps at hand does not hold up larder gc, and is not given any more once that has ended."""
    paths = [f"/google/m{i}/1" for i in range(4)]
    contents = {path: modules.module(size, seed=i + 1) for i, path in enumerate(paths)}
    for path, content in contents.items():
        upstream.serve(path, content)
    larder = start(upstreams=[upstream.url])
    for path in paths:
        for _ in range(3):
            assert larder.get(path + ".tar.gz").body == contents[path]
            larder.wait_for_idle()
    assert larder.metric(PREPARED) >= 4
    narrow = tmp_path / "narrow.ini"
    narrow.write_text("[storage]\nmax_bytes = 1\nkeep_free_bytes = 0\n")
    done = larder.larder("gc", "--config", str(narrow))
    assert "removed 4 mirrored" in done.stdout and done.stderr == "", done
    assert larder.blobs() == []
    prepared = larder.metric(PREPARED)
    for path in paths:
        upstream.serve(path, Answer(b"gone", 404))
    for path in paths:
        assert_problem(larder.get(path + ".tar.gz"), 404, "not-found")
    assert larder.metric(PREPARED) == prepared


@pytest.mark.long
def stop_while_it_writes_nothing(larder):
    """Stops it where it holds no lock on the database, which it would hold on to."""
    def stops():
        larder.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: open(f"/proc/{larder.process.pid}/stat").read().rpartition(")")[2].split()[0] == "T", "it stands still")
        with contextlib.closing(sqlite3.connect(larder.data / "larder.db", timeout=0, isolation_level=None)) as database:
            with contextlib.suppress(sqlite3.OperationalError):
                database.execute("BEGIN IMMEDIATE")
                return True
        larder.process.send_signal(signal.SIGCONT)

    wait_until(stops, "it writes nothing")


def test_gc_beside_a_daemon_that_does_not_answer(upstream, start, tmp_path):
    """It is told, and removes what the daemon does not keep open."""
    path, other = "/google/m/1", "/google/other/1"
    for each in (path, other):
        upstream.serve(each, LARGE if each == path else modules.module(400_000))
    larder = start(upstreams=[upstream.url])
    larder.get(other + ".tar.gz")
    for _ in range(3):
        larder.get(path + ".tar.gz")
        larder.wait_for_idle()
    narrow = tmp_path / "narrow.ini"
    narrow.write_text("[storage]\nmax_bytes = 1\nkeep_free_bytes = 0\n")
    stop_while_it_writes_nothing(larder)
    try:
        done = larder.larder("gc", "--config", str(narrow))
    finally:
        larder.process.send_signal(signal.SIGCONT)
    assert "does not answer" in done.stderr and "removed 1 mirrored" in done.stdout, done
    assert larder.get(path + ".tar.gz").body == LARGE


def open_files(pid):
    """Where a process's descriptors lead, but for those that it closes meanwhile."""
    for link in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(f"/proc/{pid}/fd/{link}")


def test_the_table_keeps_no_more_files_than_it_may(larder):
    """More large modules than descriptors: those that were asked for least make way."""
    paths = [f"/acme/m{i}/1" for i in range(140)]
    module = modules.module(100_000)
    for path in paths:
        larder.publish(path, module)
        assert larder.get(path + ".tar.gz").body == module
    blobs = [path for path in open_files(larder.process.pid) if "/blobs/" in path]
    assert len(blobs) <= 129, f"{len(blobs)} blobs are open"


@pytest.mark.concurrent
def test_withdrawn_is_gone_at_once_under_load(larder):
    """Whoever asks after the withdrawal was answered is told so, whatever was on its way meanwhile."""
    for version in range(1, 6):
        path = f"/acme/half-plus-two/{version}"
        larder.publish(path, modules.module(3000, seed=version))
        told, faults, asked = threading.Event(), [], threading.Semaphore(0)

        def ask():
            while True:
                after = told.is_set()
                reply = larder.get(path + "?tf-hub-format=compressed")
                if reply.status != (410 if after else reply.status) or reply.status not in (200, 410):
                    faults.append(f"{reply.status} {'after' if after else 'before'} the withdrawal")
                asked.release()
                if after:
                    return

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(40):
            asked.acquire()
        assert withdraw(larder, path).status in (200, 204)
        told.set()
        for thread in threads:
            thread.join()
        assert not faults, faults


@pytest.mark.concurrent
def test_no_hit_of_many_threads_is_lost(larder):
    larder.publish(PATH, SMALL)

    def ask():
        for _ in range(50):
            assert larder.get(COMPRESSED).body == SMALL

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    larder.restart()
    assert downloads(larder) == 200
