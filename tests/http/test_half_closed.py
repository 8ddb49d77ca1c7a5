# SPDX-License-Identifier: Apache-2.0
"""Clients that shut down their side behind the request (`nc -N`, a proxy with half-close) get the whole answer, on each way."""
import socket

import pytest
from support import modules
from support.waiting import wait_until

PATH = "/acme/half-plus-two/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
SIZES = {"small": modules.module(3000), "medium": modules.module(400_000), "large": modules.module(20_000_000)}


def head(target, method="GET", fields=(), version="HTTP/1.1"):
    return "".join(f"{line}\r\n" for line in [f"{method} {target} {version}", "Host: x", *fields, ""]).encode()


def ask(larder, pieces):
    with larder.dial() as connection:
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()
    first, _, body = answer.partition(b"\r\n\r\n")
    assert answer, "closed without an answer"
    return int(first.split()[1]), body


@pytest.mark.concurrent
@pytest.mark.parametrize("size", SIZES)
def test_modules(start_either, size):
    content = SIZES[size]
    larder = start_either()
    larder.publish(PATH, content)
    # The first answer is its handler's, those after it the response cache's; those with other fields never are.
    for fields, version in [((), "HTTP/1.1")] * 4 + [(["Authorization: Bearer x"], "HTTP/1.1"), ((), "HTTP/1.0")]:
        for pieces in ([head(COMPRESSED, "GET", fields, version)], [head(COMPRESSED, "GET", fields, version)[:20], head(COMPRESSED, "GET", fields, version)[20:]]):
            status, body = ask(larder, pieces)
            assert status == 200 and body == content, (fields, version, len(body))
    assert larder.metric("larder_express_total") >= 1
    assert ask(larder, [head(COMPRESSED, "GET", ["Range: bytes=10-99"])]) == (206, content[10:100])
    wait_until(lambda: larder.metric("larder_connections") <= 1, larder.tail)


@pytest.mark.parametrize("target, status, words", [("/healthz", 200, b"ok\n"), ("/api/v1/modules" + PATH, 200, b'"handle"'),
                                                   (PATH, 200, b"half-plus-two"), ("/nothing/here/1", 404, b"not-found"),
                                                   ("/a//b", 400, b"bad-request"), ("/healthz\0", 400, b"bad-request")])
def test_answers_from_memory(start_either, target, status, words):
    larder = start_either()
    larder.publish(PATH, SIZES["small"])
    for _ in range(3):
        got, body = ask(larder, [head(target)])
        assert got == status and words in body
    # In one piece: what comes while the first is being answered may find the connection ended.
    answers = b"".join(ask(larder, [head("/healthz") + head(target)])[1:])
    assert words in answers


@pytest.mark.parametrize("size", SIZES)
def test_uploads(start_either, size):
    content = SIZES[size]
    larder = start_either()
    token = [f"Authorization: Bearer {larder.token()}"]
    coded = [b"%x\r\n" % len(content), content, b"\r\n0\r\n\r\n"]
    assert ask(larder, [head(PATH, "PUT", [*token, f"Content-Length: {len(content)}"]), content])[0] == 201
    assert ask(larder, [head("/acme/other/1", "PUT", [*token, "Transfer-Encoding: chunked"]), *coded])[0] in (200, 201)
    assert ask(larder, [head("/acme/third/1", "PUT", [f"Content-Length: {len(content)}"]), content])[0] == 401
    status = larder.get(PATH + "?tf-hub-format=compressed")
    assert status.body == content


@pytest.mark.concurrent
def test_misses(start_either, upstream):
    mirror = start_either(upstreams=[upstream.url])
    for number, content in enumerate(SIZES.values(), 1):
        upstream.serve(f"/google/new/{number}", content)
        status, body = ask(mirror, [head(f"/google/new/{number}?tf-hub-format=compressed", version="HTTP/1.0")])
        assert status == 200 and body == content
