# SPDX-License-Identifier: Apache-2.0
"""What is counted and logged as sent is what clients were sent, also those that go away within an answer."""
import functools
import re
import socket
import ssl
import struct

import pytest
from support import modules
from support.daemon import Daemon
from support.waiting import DEADLINE_S, wait_until

PATH = "/acme/half-plus-two/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
# What the kernel's buffers on both sides may hold beside what a client has read.
BUFFERS = 12 << 20
SENT, MODULES = "larder_sent_bytes_total", "larder_module_bytes_total"


@functools.cache
def large():
    """Made where it is needed: every process of pytest has all files of tests."""
    return modules.module(64 << 20)


def connect(larder, secure=False):
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    connection.settimeout(DEADLINE_S)
    connection.connect(larder.address)
    if not secure:
        return connection
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


def leave(connection, how):
    if how == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def counted(text, name):
    return int(re.search(rf"^{name} (\d+)", text, re.M)[1])


def read_metrics(larder, secure):
    if not secure:
        return larder.get("/metrics").body.decode()
    with connect(larder, True) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return connection.makefile("rb").read().decode()


# What a client has read, and its kernel has not confirmed yet when it resets the connection: two segments of the loopback.
UNCONFIRMED = 2 * 65536

# What the response cache answers, a handler, libmicrohttpd (which answers odd words about the connection), and a part of the file.
WAYS = {"fast": ("HTTP/1.1", ""), "handler": ("HTTP/1.1", "Authorization: Bearer x\r\n"), "old": ("HTTP/1.0", ""),
        "libmicrohttpd": ("HTTP/1.1", "Connection: Upgrade\r\n"),
        "part": ("HTTP/1.1", "Range: bytes=1000-50000000\r\n"), "tls": ("HTTP/1.1", "")}


@pytest.fixture(scope="module")
def larders(tmp_path_factory, certificate):
    """One that speaks plainly, one with TLS; both have the large module."""
    keys = {"tls_certificate": certificate / "cert.pem", "tls_key": certificate / "key.pem"}
    found = {}
    for secure in (False, True):
        larder = found[secure] = Daemon(tmp_path_factory.mktemp("larder"))
        larder.start()
        larder.publish(PATH, large())
        if secure:
            larder.stop()
            larder.configure({"server": keys})
            larder.start()
        else:
            assert all(larder.get(COMPRESSED).body == large() for _ in range(3))
    yield found
    for larder in found.values():
        larder.stop()


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("read", [1000, 5_000_000])
def test_who_goes_within_an_answer_was_sent_no_more(larders, way, read, how):
    secure = way == "tls"
    larder = larders[secure]
    before = read_metrics(larder, secure)
    version, fields = WAYS[way]
    connection = connect(larder, secure)
    connection.sendall(f"GET {COMPRESSED} {version}\r\nHost: x\r\n{fields}\r\n".encode())
    got = 0
    while got < read:
        got += len(connection.recv(min(1 << 16, read - got)))
    leave(connection, how)
    after = wait_until(lambda: (lambda text: counted(text, MODULES) > counted(before, MODULES) and text)(read_metrics(larder, secure)),
                       larder.tail)
    for name in (SENT, MODULES):
        sent = counted(after, name) - counted(before, name)
        assert read - UNCONFIRMED <= sent <= read + BUFFERS, f"{name}: {sent} for a client that read {read}"
    line = [line for line in larder.log().splitlines() if "half-plus-two/1" in line and re.search("status=20[06]", line)][-1]
    assert read - UNCONFIRMED <= int(re.search(r"bytes=(\d+)", line)[1]) <= read + BUFFERS, line


def test_who_takes_all_was_sent_all(start):
    larder = start()
    larder.publish(PATH, large())
    for target in (COMPRESSED, COMPRESSED, PATH + ".tar.gz"):
        before = larder.metrics()
        assert larder.get(target).body == large()
        wait_until(lambda: larder.metric(MODULES) - before[MODULES] == len(large()), larder.tail)
        assert larder.get("/api/v1/stats").json()["saved_bytes"] == larder.metric(MODULES)
