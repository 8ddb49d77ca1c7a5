# SPDX-License-Identifier: Apache-2.0
"""Who is answered before its body is sent still gets that answer: nothing is reset under a sender's hands."""
import re
import socket
import subprocess
import threading

import pytest
from support import modules
from support.proxies import KINDS, Proxy
from support.waiting import DEADLINE_S, wait_until

PATH = "/acme/large/1"
BODY_BYTES = 32 << 20  # far more than sockets and proxies buffer
TRIES = 6
LINGERED = "larder_lingered_total"


@pytest.fixture
def body(tmp_path):
    file = tmp_path / "body.tar.gz"
    with open(file, "wb") as out:
        out.truncate(BODY_BYTES)
    return file


def set_up(start, request):
    is_too_much = getattr(request.node, "callspec", None) and request.node.callspec.params.get("refusal") == TOO_MUCH
    larder = start({"publish": {"max_upload_bytes": BODY_BYTES - 1 if is_too_much else 2 * BODY_BYTES}})
    larder.publish("/acme/taken/1", modules.module(3000))
    larder.publish("/acme/gone/1", modules.module(3000))
    assert larder.request("DELETE", "/acme/gone/1", {"Authorization": f"Bearer {larder.token('withdraw:*')}"}).status == 200
    return larder


@pytest.fixture
def larder(start, request):
    return set_up(start, request)


@pytest.fixture
def either(start_either, request):
    """Without TLS and with it."""
    return set_up(start_either, request)


TOO_MUCH = "more than an upload may have"

# What refuses at once: (path, scope of the token or None, more fields, status).
REFUSALS = {
    "no token": (PATH, None, [], 401),
    "not its publisher": (PATH, "publish:others/*", [], 403),
    "a path that takes none": ("/healthz", "publish:*", [], 405),
    "an address that is none": ("/a//b/1", "publish:*", [], 400),
    "other bytes than are there": ("/acme/taken/1", "publish:*", ["X-Checksum-Sha256: " + "0" * 64], 409),
    "a number that is never used again": ("/acme/gone/1", "publish:*", [], 410),
    TOO_MUCH: (PATH, "publish:*", [], 413),
}


def fields_for(larder, scope):
    return [] if scope is None else [f"Authorization: Bearer {larder.token(scope)}"]


def curl(url, file, fields):
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", "-m", str(int(DEADLINE_S)), "-T", str(file), "-H", "Expect: 100-continue",
                           *(part for field in fields for part in ("-H", field)), "-o", "-", "-w", "\n%{http_code}", url],
                          capture_output=True, text=True)
    answer, _, status = done.stdout.rpartition("\n")
    return int(status or 0), answer, done.stderr


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("kind", KINDS)
def test_proxies_pass_early_refusals_on(larder, body, tmp_path, kind, refusal):
    path, scope, more, status = REFUSALS[refusal]
    proxy = Proxy(kind, tmp_path / kind, larder.address)
    try:
        for turn in range(TRIES):
            got, answer, words = curl(proxy.url + path, body, fields_for(larder, scope) + more)
            assert got == status, f"try {turn}: {got} {answer[:200]} {words}"
            assert '"code"' in answer
    finally:
        proxy.stop()


def send_all(connection, length, gone):
    """All of a body, whatever is answered meanwhile."""
    try:
        for _ in range(length >> 20):
            connection.sendall(bytes(1 << 20))
        connection.shutdown(socket.SHUT_WR)
    except OSError as error:
        gone.append(error)


# In chunks nobody knows before the end that it is too much.
FRAMED = [(refusal, framing) for refusal in REFUSALS for framing in ("Content-Length", "chunked")
          if (REFUSALS[refusal][3], framing) != (413, "chunked")]


@pytest.mark.parametrize("refusal, framing", FRAMED)
def test_a_client_that_sends_all_before_it_reads(either, refusal, framing):
    path, scope, more, status = REFUSALS[refusal]
    before = either.metric(LINGERED)
    for turn in range(TRIES):
        with either.dial() as connection:
            coded = f"Content-Length: {BODY_BYTES}" if framing == "Content-Length" else "Transfer-Encoding: chunked"
            head = [f"PUT {path} HTTP/1.1", "Host: x", "Expect: 100-continue", coded, *fields_for(either, scope), *more, "", ""]
            connection.sendall("\r\n".join(head).encode())
            if framing == "chunked":
                connection.sendall(b"%x\r\n" % BODY_BYTES)
            gone = []
            send_all(connection, BODY_BYTES, gone)
            assert not gone, f"try {turn}: reset while it sent: {gone}"
            answer = connection.makefile("rb").read()
        assert re.match(rb"HTTP/1\.1 %d " % status, answer) and answer.count(b"HTTP/1.1") == 1, answer[:200]
    assert either.metric(LINGERED) >= before + TRIES
    wait_until(lambda: either.metric("larder_connections") <= 1, either.tail)


def test_heads_that_are_refused_with_much_behind_them(either):
    for head in (b"PUT /acme/a/1 HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", b"\x16\x03\x01", b"GET / HTTP/1.1\nHost: x\n\n",
                 b"PUT /acme/a/1 HTTP/1.1\r\nHost: x\r\nCookie: " + b"c" * 50_000 + b"\r\n\r\n"):
        with either.dial() as connection:
            connection.sendall(head)
            gone = []
            send_all(connection, BODY_BYTES, gone)
            assert not gone
            answer = connection.makefile("rb").read()
            assert answer.count(b"HTTP/1.1 4") == 1 and b"application/problem+json" in answer


@pytest.mark.long
@pytest.mark.concurrent
def test_who_never_ends_holds_up_nobody(either):
    """Many that are seen off at once hold no worker and no thread that serves; and they end."""
    head = f"PUT {PATH} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {1 << 40}\r\n\r\n".encode()
    connections = [either.dial() for _ in range(40)]
    try:
        for connection in connections:
            connection.sendall(head + bytes(100_000))
        wait_until(lambda: either.metric(LINGERED) >= len(connections), either.tail)
        for _ in range(20):
            assert either.get("/api/v1/modules/acme/taken/1").status == 200
        wait_until(lambda: either.metric("larder_requests_running") == 1, either.tail)
        for connection in connections:
            assert connection.recv(20).startswith(b"HTTP/1.1 401 ")
        # What sends nothing more is closed after a while, and gives its place back.
        wait_until(lambda: either.metric("larder_connections") <= 1, either.tail)
    finally:
        for connection in connections:
            connection.close()


def test_the_end_waits_for_none_of_them(either):
    with either.dial() as connection:
        connection.sendall(f"PUT {PATH} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {1 << 40}\r\n\r\n".encode())
        wait_until(lambda: either.metric(LINGERED) >= 1, either.tail)
        sender = threading.Thread(target=send_all, args=(connection, 1 << 32, []))
        sender.start()
        either.stop()
        sender.join()
