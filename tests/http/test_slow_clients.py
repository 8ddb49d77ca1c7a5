# SPDX-License-Identifier: Apache-2.0
"""Clients that send as slowly as they may hold no place for long: heads have a deadline, uploads a least rate, and when all
places are taken, who has been idle longest makes room."""
import itertools
import threading
from pathlib import Path

import pytest
from support import modules
from support.upstream import Answer
from support.waiting import wait_until

PATH = "/acme/half-plus-two/1"
CROWDED = "larder_crowded_out_total"


def connect(larder, data=b""):
    return larder.dial(data)


def drip_until_closed(connections, pieces):
    """Sends each a little again and again, until all are closed."""
    def is_closed(connection):
        try:
            connection.sendall(next(pieces))
            connection.setblocking(False)
            return connection.recv(1 << 16) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            connection.setblocking(True)
    left = list(connections)

    def are_closed():
        left[:] = [connection for connection in left if not is_closed(connection)]
        return not left

    wait_until(are_closed, lambda: f"the end of {len(left)} connections")


HEADS = {"in the method": b"G", "in the target": b"GET /healthz", "in a field": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ",
         "large": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9000}


@pytest.mark.long
@pytest.mark.concurrent
@pytest.mark.parametrize("kind", HEADS)
def test_a_head_has_a_deadline_however_it_drips(start_either, kind):
    larder = start_either({"server": {"head_timeout_s": 5, "idle_timeout_s": 3600}})
    connections = [connect(larder, HEADS[kind]) for _ in range(5)]
    drip_until_closed(connections, itertools.repeat(b"x"))
    wait_until(lambda: larder.metric("larder_connections") <= 1, larder.tail)
    # One that has sent nothing is idle, not slow.
    with connect(larder) as idle:
        assert larder.get("/healthz").status == 200
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert idle.makefile("rb").read().startswith(b"HTTP/1.1 200 ")


@pytest.mark.long
@pytest.mark.concurrent
def test_an_upload_has_a_least_rate(start_either):
    """A byte at each look is far below it; of one that is refused as well."""
    larder = start_either({"server": {"upload_bytes_per_s": 1_000_000, "idle_timeout_s": 3600}})
    token = larder.token()
    heads = [f"PUT /acme/slow/{number} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
             for number in range(4)]
    heads.append(b"PUT /acme/slow/9 HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
    connections = [connect(larder, head) for head in heads]
    drip_until_closed(connections, itertools.repeat(b"x"))
    assert larder.metric("larder_slow_uploads_total") == len(heads)
    larder.wait_for("larder_uploads_running", lambda value: value == 0)
    larder.assert_nothing_kept()


@pytest.mark.concurrent
@pytest.mark.parametrize("data", [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["silent", "in a head", "kept"])
def test_who_is_idle_longest_makes_room(start_either, data):
    larder = start_either({"server": {"max_connections": 12, "idle_timeout_s": 3600, "head_timeout_s": 3600}})
    idle = [connect(larder, data) for _ in range(12)]
    for _ in range(4):
        with connect(larder, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as more:
            assert more.makefile("rb").read().startswith(b"HTTP/1.1 200 "), larder.tail()
    assert larder.metric(CROWDED) >= 1
    for connection in idle:
        connection.close()


@pytest.mark.concurrent
def test_who_is_being_answered_does_not(start_either):
    larder = start_either({"server": {"max_connections": 3, "idle_timeout_s": 3600}})
    content = modules.module(20_000_000)
    larder.publish(PATH, content)
    target = PATH + "?tf-hub-format=compressed"
    assert all(larder.get(target).body == content for _ in range(2))
    download = connect(larder, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert download.recv(1000)
    idle = [connect(larder) for _ in range(2)]
    assert larder.get("/healthz").status == 200
    received = len(download.makefile("rb").read())
    assert received >= len(content) - 2000
    for connection in idle:
        connection.close()


def switches(larder):
    """How often the threads of each name have come to their turn."""
    counts = {}
    for task in Path(f"/proc/{larder.process.pid}/task").iterdir():
        try:
            status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
        except OSError:
            continue  # it has ended
        turns = sum(int(status[kind]) for kind in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"))
        counts[status["Name"]] = counts.get(status["Name"], 0) + turns
    return counts


@pytest.mark.long
@pytest.mark.parametrize("sent", [0, 20_000, -1], ids=["nothing", "a part", "all but a byte"])
def test_uploads_that_stand_still_wake_nobody(start, sent):
    larder = start({"publish": {"max_uploads": 48}, "server": {"upload_bytes_per_s": 500}})
    module = modules.module(60_000)
    head = f"Host: x\r\nAuthorization: Bearer {larder.token()}\r\nContent-Length: {len(module)}\r\n\r\n"
    uploads = [connect(larder, f"PUT /acme/still/{number + 1} HTTP/1.1\r\n{head}".encode() + module[:sent]) for number in range(48)]
    # One client leaves some places to others.
    wait_until(lambda: larder.metric("larder_uploads_running") + larder.metric("larder_uploads_waiting") == 48, larder.tail)
    assert larder.metric("larder_uploads_running") > 8

    def turns_of_a_few_seconds():
        """The fast path's threads tick once a second."""
        before = switches(larder)
        wait_until(lambda: switches(larder)["fast path"] >= before["fast path"] + 6, larder.tail)
        return sum(count - before.get(name, 0) for name, count in switches(larder).items() if name in ("inspector", "hashing", "MHD-worker"))

    wait_until(lambda: turns_of_a_few_seconds() < 48, "uploads that wake nobody")
    for upload in uploads:
        upload.close()


STALLS = ["a hit", "a fill that goes on", "a fill that is cut", "what libmicrohttpd sends"]


@pytest.mark.long
@pytest.mark.concurrent
@pytest.mark.parametrize("kind", STALLS)
def test_who_does_not_take_the_answer_loses_the_place(start_either, upstream, kind):
    """However it ends on this side: the client sees no more of that than of what was sent before."""
    larder = start_either({"server": {"idle_timeout_s": 5, "max_connections": 12}}, [upstream.url])
    content, gate = modules.module(20_000_000), threading.Event()
    target, lines = PATH + "?tf-hub-format=compressed", "Host: x\r\n"
    if "fill" in kind:
        cut = {"cut_after": 19_000_000} if "cut" in kind else {}
        upstream.serve(PATH, Answer(content, gate=gate, gate_after=18_000_000, **cut), Answer(b"", 503))
    else:
        larder.publish(PATH, content)
        assert all(larder.get(target).body == content for _ in range(2))
    if "libmicrohttpd" in kind:
        lines += "Connection: Upgrade\r\n"
    stalled = [larder.dial(f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode(), receive_bytes=4096) for _ in range(8)]
    wait_until(lambda: larder.metric("larder_requests_running") == 9, larder.tail)
    gate.set()
    wait_until(lambda: larder.metric("larder_connections") == 1, larder.tail)
    for connection in stalled:
        connection.close()
