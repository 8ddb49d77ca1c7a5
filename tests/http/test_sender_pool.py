# SPDX-License-Identifier: Apache-2.0
"""What the sender pool sends of a running fill, to clients of every kind: each has all of it in order, or notices."""
import socket
import struct
import threading

import pytest
from support import modules
from support.client import Download
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

PATH = "/google/big/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
HELD_BACK = 64 << 10
MODULE = modules.module(1 << 20)
LARGE = modules.module(12 << 20)  # more than socket buffers take
FREIGHT = "larder_freight_total"
RUNNING = "larder_requests_running"


def plain(target=COMPRESSED, method="GET", **fields):
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()


class Client:
    """One connection, read by hand, that may be slow on purpose."""

    def __init__(self, larder, receive_bytes=None):
        self.socket = socket.socket()
        self.socket.settimeout(DEADLINE_S)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect(larder.address)
        self.stream = self.socket.makefile("rb")

    def send(self, *requests):
        self.socket.sendall(b"".join(requests))
        return self

    def head(self):
        status = int(self.stream.readline().split()[1])
        fields = {}
        while (line := self.stream.readline()) not in (b"\r\n", b""):
            name, value = line.decode().rstrip("\r\n").split(": ", 1)
            fields[name.lower()] = value
        return status, fields

    def exactly(self, length):
        block = self.stream.read(length)
        assert len(block) == length, f"{len(block)} of {length} bytes"
        return block

    def chunks(self):
        while length := int(self.stream.readline(), 16):
            yield self.exactly(length)
            assert self.exactly(2) == b"\r\n"
        assert self.exactly(2) == b"\r\n"

    def answer(self, has_body=True):
        status, fields = self.head()
        if not has_body:
            return status, b""
        if fields.get("transfer-encoding") == "chunked":
            return status, b"".join(self.chunks())
        return status, self.exactly(int(fields["content-length"]))

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.stream.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def begin(mirror, upstream, module=MODULE, **answer):
    """A fill that stops half-way until the gate opens."""
    gate = threading.Event()
    upstream.serve(PATH, Answer(module, gate=gate, gate_after=len(module) // 2, **answer))
    return gate


def await_senders(mirror, count):
    wait_until(lambda: mirror.metric(FREIGHT) == count, mirror.tail)


def test_requests_behind_it_are_answered_in_turn(upstream, mirror):
    gate = begin(mirror, upstream)
    with Client(mirror) as client:
        client.send(plain(), plain("/healthz"), plain(method="HEAD"), plain(Range="bytes=5-9"), plain())
        await_senders(mirror, 1)
        gate.set()
        assert client.answer() == (200, MODULE)
        assert client.answer() == (200, b"ok\n")
        assert client.answer(has_body=False) == (200, b"")
        assert client.answer() == (206, MODULE[5:10])
        assert client.answer() == (200, MODULE)
        client.send(plain("/healthz", Connection="close"))
        assert client.answer() == (200, b"ok\n")
        assert client.stream.read() == b""


def test_a_client_that_asks_to_close(upstream, mirror):
    gate = begin(mirror, upstream)
    with Client(mirror) as client:
        client.send(plain(Connection="close"))
        await_senders(mirror, 1)
        gate.set()
        assert client.answer() == (200, MODULE)
        assert client.stream.read() == b""


def test_a_client_that_sends_no_more_gets_the_rest(upstream, mirror):
    gate = begin(mirror, upstream)
    with Client(mirror) as client:
        client.send(plain())
        await_senders(mirror, 1)
        client.socket.shutdown(socket.SHUT_WR)
        gate.set()
        assert client.answer() == (200, MODULE)


@pytest.mark.concurrent
def test_clients_with_little_room(upstream, mirror):
    """Frames and bytes of chunks go out in whatever pieces the sockets take."""
    gate = begin(mirror, upstream)
    clients = [Client(mirror, 1024 << (number % 3)).send(plain()) for number in range(12)]
    await_senders(mirror, len(clients))
    gate.set()
    answers = [None] * len(clients)

    def read(number):
        answers[number] = clients[number].answer()

    threads = [threading.Thread(target=read, args=(number,)) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    assert answers == [(200, MODULE)] * len(clients)


def test_a_client_that_resets_is_noticed_while_there_is_nothing_to_send(upstream, mirror):
    gate = begin(mirror, upstream)
    with Client(mirror) as stays:
        goes = Client(mirror).send(plain())
        stays.send(plain())
        await_senders(mirror, 2)
        goes.head()
        goes.reset()
        mirror.wait_for("larder_fill_waiters", lambda value: value == 1)
        wait_until(lambda: 'end="client gone"' in mirror.log(), mirror.tail)
        assert mirror.metric("larder_cut_total") == 0
        gate.set()
        assert stays.answer() == (200, MODULE)


def test_who_takes_nothing_is_let_go(upstream, start):
    mirror = start({"server": {"idle_timeout_s": 5}}, [upstream.url])
    upstream.serve(PATH, LARGE)
    with Client(mirror, 4096) as stalled:
        stalled.send(plain())
        mirror.wait_for('larder_fills_total{event="kept"}', 1)
        wait_until(lambda: "end=timeout" in mirror.log(), mirror.tail)
        mirror.wait_for("larder_fill_waiters", lambda value: value == 0)
        with pytest.raises((AssertionError, ValueError)):
            stalled.answer()
    assert mirror.get(COMPRESSED).body == LARGE


def test_who_waits_for_upstream_is_not_idle(upstream, start):
    mirror = start({"server": {"idle_timeout_s": 5}}, [upstream.url])
    gate = begin(mirror, upstream)
    waits = Download(mirror, COMPRESSED)
    assert waits.read_up_to(len(MODULE) // 2 - HELD_BACK)
    with Client(mirror) as idle:
        assert idle.stream.read() == b"", "by now both had nothing for longer than is allowed"
    gate.set()
    assert waits.read_to_end() and waits.digest() == modules.digest(MODULE), waits.error


@pytest.mark.parametrize("length", [len(LARGE), len(LARGE) // 2 - HELD_BACK], ids=["refused", "cut short"])
def test_who_was_slow_does_not_get_the_end_of_what_is_refused(upstream, mirror, length):
    gate = begin(mirror, upstream, modules.with_bad_crc(LARGE) if length == len(LARGE) else LARGE,
                 **({} if length == len(LARGE) else {"cut_after": len(LARGE) // 2}))
    with Client(mirror, 4096) as slow:
        slow.send(plain())
        await_senders(mirror, 1)
        gate.set()
        mirror.wait_for('larder_fills_total{event="failed"}', 1)
        received = 0
        with pytest.raises((OSError, AssertionError, ValueError)):
            slow.head()
            for chunk in slow.chunks():
                received += len(chunk)
        assert received <= length
    mirror.wait_for("larder_cut_total", 1)
    mirror.assert_nothing_kept()


@pytest.mark.concurrent
@pytest.mark.parametrize("drain_s", [0, 1])
def test_all_kinds_at_the_end(upstream, start, drain_s):
    """Some have nothing to send, some no room, some are just coming."""
    mirror = start({"server": {"drain_timeout_s": drain_s}}, [upstream.url])
    gate = begin(mirror, upstream, LARGE)
    starved = [Download(mirror, COMPRESSED) for _ in range(4)]
    for download in starved:
        assert download.read_up_to(len(LARGE) // 2 - HELD_BACK)
    stalled = [Client(mirror, 4096).send(plain()) for _ in range(4)]
    await_senders(mirror, 8)
    coming = [Client(mirror).send(plain()) for _ in range(4)]
    mirror.stop()
    assert not any(download.read_to_end() or download.whole for download in starved)
    for client in stalled + coming:
        with client, pytest.raises((OSError, AssertionError, ValueError, IndexError)):
            client.answer()
    assert mirror.log().count("end=shutdown") >= 8, mirror.tail()
    gate.set()
