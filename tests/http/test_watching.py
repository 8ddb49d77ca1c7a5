# SPDX-License-Identifier: Apache-2.0
"""A system too short of memory to watch a connection: that connection ends, is counted and told; nobody waits for it."""
import os
import socket
from pathlib import Path

import pytest
from support import modules
from support.daemon import binary, under_thread_sanitizer
from support.waiting import DEADLINE_S, wait_until

SHIM = Path(binary()).parent / "tests" / "crash" / "unwatched.so"
PATH = "/acme/half-plus-two/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
LARGE = modules.module(20_000_000)
UNWATCHED = "larder_unwatched_total"
# How many calls go well before one fails: what a request takes, and a few more.
SPARED = range(7)

pytestmark = pytest.mark.skipif(not SHIM.exists() or under_thread_sanitizer(), reason=f"{SHIM} is not built")


@pytest.fixture
def short(tmp_path, monkeypatch, start, upstream):
    """A daemon with such a system under it; short.fail(spared, failing) begins the shortage."""
    numbers = tmp_path / "unwatched"
    numbers.write_text("0 0")
    monkeypatch.setenv("UNWATCHED", str(numbers))
    monkeypatch.setenv("ASAN_OPTIONS", (os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0").lstrip(":"))
    monkeypatch.setenv("LD_PRELOAD", str(SHIM))
    # A request that hangs would hold up its end for longer than a test waits.
    larder = start({"server": {"drain_timeout_s": int(DEADLINE_S) * 2}}, [upstream.url])
    monkeypatch.delenv("LD_PRELOAD")
    larder.publish(PATH, LARGE)
    for _ in range(3):
        assert larder.get(COMPRESSED).body == LARGE
    larder.fail = lambda spared, failing: numbers.write_text(f"{spared} {failing}          ")
    larder.failed = lambda: int(numbers.read_text().split()[1]) == 0
    return larder


def head(target, method="GET", fields=()):
    return "".join(f"{line}\r\n" for line in [f"{method} {target} HTTP/1.1", "Host: x", *fields, ""]).encode()


def ask(larder, request, body=b""):
    """What comes back until the connection ends, or the answer is whole: b"" for a connection that just ended."""
    with socket.create_connection(larder.address, timeout=DEADLINE_S) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        received = b""
        try:
            connection.sendall(request + body)
            connection.shutdown(socket.SHUT_WR)
            while block := connection.recv(1 << 20):
                received += block
        except OSError:
            pass
        return received


def requests(larder):
    token = larder.token()
    return {
        "hot": (head(COMPRESSED), b""),
        "api": (head("/api/v1/modules" + PATH), b""),
        "probe": (head("/healthz"), b""),
        "large": (head(PATH + ".tar.gz"), b""),
        "upload": (head("/acme/more/1", "PUT", [f"Content-Length: {len(LARGE)}", f"Authorization: Bearer {token}"]), LARGE),
        "upload that is refused": (head("/acme/more/2", "PUT", ["Content-Length: 100"]), bytes(100)),
        "miss": (head("/google/new/1?tf-hub-format=compressed"), b""),
    }


@pytest.mark.long
@pytest.mark.parametrize("kind", ["hot", "api", "probe", "large", "upload", "upload that is refused", "miss"])
def test_what_cannot_be_watched_ends(short, upstream, kind):
    upstream.serve("/google/new/1", LARGE)
    request, body = requests(short)[kind]
    told = 0
    for spared in SPARED:
        before = short.metric(UNWATCHED)
        short.fail(spared, 1)
        answer = ask(short, request, body)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
        short.fail(0, 0)
        wait_until(lambda: short.metric("larder_requests_running") == 1, short.tail)
        wait_until(lambda: short.metric("larder_connections") <= 1, short.tail)
        told += short.metric(UNWATCHED) - before
        assert short.get("/healthz").status == 200
    assert told >= 1, "nothing failed that is counted"
    assert "connection lost" in short.log()
    short.stop()


@pytest.mark.long
@pytest.mark.concurrent
def test_many_that_cannot_be_watched_hold_up_nobody(short):
    before = short.metric(UNWATCHED)
    short.fail(0, 50)
    for _ in range(60):
        ask(short, head(COMPRESSED))
    wait_until(short.failed, "all failures")
    assert short.metric(UNWATCHED) >= before + 25
    assert short.get(COMPRESSED).body == LARGE
