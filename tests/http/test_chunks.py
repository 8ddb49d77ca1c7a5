# SPDX-License-Identifier: Apache-2.0
"""Bodies in chunks (RFC 9112, 7.1): what is one is read, however it is cut; what is none gets one honest 400, and nothing is kept."""
import contextlib
import json
import random
import socket

import pytest
from support import modules
from support.waiting import DEADLINE_S, wait_until

SMALL = modules.module(3000)
PATH = "/acme/chunked/1"


def chunk(data, size=None, extension=b"", end=b"\r\n", after=b"\r\n"):
    return (size if size is not None else b"%x" % len(data)) + extension + end + data + after


def coded(data, piece, **options):
    return b"".join(chunk(data[i:i + piece], **options) for i in range(0, len(data), piece))


LAST = b"0\r\n\r\n"
HALF = len(SMALL) // 2
BEFORE = chunk(SMALL[:HALF])
REST = SMALL[HALF:]


def good():
    """All mean SMALL."""
    sizes = random.Random(7)
    mixed, at = b"", 0
    while at < len(SMALL):
        data = SMALL[at:at + sizes.choice([1, 2, 15, 16, 17, 300])]
        mixed += chunk(data, size=b"0" * sizes.randrange(3) + (b"%x" if at % 2 else b"%X") % len(data))
        at += len(data)
    return {
        "one": chunk(SMALL) + LAST, "many": coded(SMALL, 7) + LAST, "mixed": mixed + LAST,
        "extensions": coded(SMALL, 500, extension=b';a;b=c ; d = "e\\"f;\t\xc3\xa9"') + b"000;last\r\n\r\n",
        "a long extension": chunk(SMALL, extension=b";a=" + b"x" * 240) + LAST,
        "trailers": chunk(SMALL) + b"0\r\nX-Sum: 1\r\nX-Empty:\r\nDigest: a, b\r\n\r\n",
        "64 trailers": chunk(SMALL) + b"0\r\n" + b"".join(b"T%d: %s\r\n" % (i, b"v" * 100) for i in range(64)) + b"\r\n",
        "zeros": chunk(SMALL, size=b"0" * 200 + b"%x" % len(SMALL)) + LAST,
    }


def broken():
    """Each is wrong in one place. What is behind the wrong place would do."""
    sizes = {"empty": b"", "signed": b"+%x", "negative": b"-%x", "blank before": b" %x", "blank behind": b"%x ", "tab behind": b"%x\t",
             "0x": b"0x%x", "underscore": b"1_%x", "no digit": b"%xg", "decimal point": b"%x.0", "NUL": b"%x\0", "quoted": b'"%x"', "comma": b"%x,%x"}
    cases = {f"size: {name}": size.replace(b"%x", b"%x" % len(REST)) for name, size in sizes.items()}
    cases.update({f"size: {bits} bits": b"1" + b"0" * (bits // 4) for bits in (60, 64, 68, 128, 800)})
    cases["size: all ones"] = b"f" * 16
    cases["size: one more than 64 bits and what is there"] = b"1" + b"%016x" % len(REST)
    cases = {name: BEFORE + chunk(REST, size=size) + LAST for name, size in cases.items()}
    for name, end in {"LF": b"\n", "CR": b"\r", "LF CR": b"\n\r", "CR CR LF": b"\r\r\n", "nothing": b"", "blank and CR LF": b" \r\n"}.items():
        cases[f"behind a size: {name}"] = BEFORE + chunk(REST, end=end) + LAST
        cases[f"behind an extension: {name}"] = BEFORE + chunk(REST, extension=b";a", end=end) + LAST
        cases[f"behind the last size: {name}"] = BEFORE + chunk(REST) + b"0" + end + b"\r\n"
        if name != "blank and CR LF":
            cases[f"behind data: {name}"] = BEFORE + chunk(REST, after=end) + LAST
            cases[f"behind a trailer: {name}"] = BEFORE + chunk(REST) + b"0\r\nA: b" + end + b"\r\n"
    for name, extension in {"empty": b";", "blanks": b"; ", "no name": b";=a", "no value": b";a=", "open quote": b';a="b', "control": b";a=\x01",
                            "control in quotes": b';a="\x01"', "CR in quotes": b';a="\r"', "LF in quotes": b';a="\n"', "two words": b";a b", "no semicolon": b" a",
                            "long": b";a=" + b"x" * 300, "very long": b";a=" + b"x" * 70_000, "many": b";a" * 200}.items():
        cases[f"extension: {name}"] = BEFORE + chunk(REST, extension=extension) + LAST
    for name, trailer in {"no colon": b"A\r\n", "no name": b": b\r\n", "blank": b"A : b\r\n", "folded": b"A: b\r\n c\r\n", "NUL": b"A: \0\r\n", "65": b"A: b\r\n" * 65,
                          "long": b"A: " + b"x" * 1100 + b"\r\n", "very long": b"A: " + b"x" * 100_000 + b"\r\n",
                          "large": b"".join(b"T%d: %s\r\n" % (i, b"v" * 900) for i in range(10))}.items():
        cases[f"trailer: {name}"] = BEFORE + chunk(REST) + b"0\r\n" + trailer + b"\r\n"
    cases["data is longer"] = BEFORE + chunk(REST, size=b"%x" % (len(REST) - 1)) + LAST
    cases["data is shorter"] = BEFORE + chunk(REST, size=b"%x" % (len(REST) + 1)) + LAST
    return cases


def cut():
    """Each ends before its end, and the client's side with it."""
    whole = BEFORE + chunk(REST, extension=b";a=b") + b"0\r\nA: b\r\n\r\n"
    places = [0, 1, 3, len(BEFORE) - 2, len(BEFORE) - 1, len(BEFORE), len(BEFORE) + 1, len(BEFORE) + 5, *range(len(whole) - 13, len(whole))]
    return {f"{place - len(whole)}": whole[:place] for place in places}


def head(larder, method="PUT", path=PATH, *fields):
    return (f"{method} {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {larder.token()}\r\nTransfer-Encoding: chunked\r\n"
            + "".join(field + "\r\n" for field in fields) + "\r\n").encode()


def send(larder, pieces, ends=False):
    """All that is answered to the connection's end."""
    with socket.create_connection(larder.address, timeout=DEADLINE_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    return answer


def read_one(answer):
    """The status and the body of the one answer there is."""
    fields, _, body = answer.partition(b"\r\n\r\n")
    assert answer.count(b"HTTP/1.") == 1, answer
    names = dict(line.lower().split(b": ", 1) for line in fields.split(b"\r\n")[1:])
    assert len(body) == int(names[b"content-length"]) and names[b"connection"] == b"close", answer
    return int(answer.split()[1]), names[b"content-type"], body


def assert_400(larder, answer):
    status, media_type, body = read_one(answer)
    assert status == 400 and media_type == b"application/problem+json", answer
    problem = json.loads(body)
    assert problem["type"].endswith("bad-request") and "send" in problem["detail"], problem


def pieces_of(whole, cutting):
    if cutting == "in one":
        return [whole]
    if cutting == "head first":
        end = whole.index(b"\r\n\r\n") + 4
        return [whole[:end], whole[end:]]
    return [whole[i:i + 11] for i in range(0, len(whole), 11)]


CUTTINGS = ["in one", "head first", "in pieces"]


@pytest.mark.concurrent
@pytest.mark.parametrize("cutting", CUTTINGS)
def test_what_is_chunks_is_read(larder, cutting):
    for number, (name, body) in enumerate(good().items(), 1):
        status, _, answer = read_one(send(larder, pieces_of(head(larder, "PUT", f"/acme/chunked/{number}") + body, cutting)))
        assert status == 201, (name, answer)
        assert larder.get(f"/acme/chunked/{number}?tf-hub-format=compressed").body == SMALL, name
    larder.wait_for_no_drafts()


@pytest.mark.concurrent
@pytest.mark.parametrize("cutting", CUTTINGS)
def test_what_is_none_is_refused_once(larder, cutting):
    for name, body in broken().items():
        with contextlib.suppress(ConnectionResetError):
            answer = send(larder, pieces_of(head(larder) + body, cutting), ends=True)
        print(name)
        assert_400(larder, answer)
    larder.assert_nothing_kept()
    assert read_one(send(larder, [head(larder) + chunk(SMALL) + LAST]))[0] == 201


@pytest.mark.concurrent
@pytest.mark.parametrize("cutting", CUTTINGS)
def test_what_ends_early_is_refused_at_once(larder, cutting):
    for name, body in cut().items():
        print(name)
        assert_400(larder, send(larder, pieces_of(head(larder) + body, cutting), ends=True))
    larder.assert_nothing_kept()


JSON = b'{"paths": ["google/x/1"]}'


@pytest.mark.parametrize("body, status", [(chunk(JSON) + LAST, 202), (coded(JSON, 1) + LAST, 202), (chunk(JSON, end=b"\n") + LAST, 400),
                                          (chunk(b" " * 65_000) + chunk(b" " * 65_000) + LAST, 413), (LAST, 400)], ids=range(5))
def test_bodies_in_memory(mirror, body, status):
    answer = send(mirror, [head(mirror, "POST", "/api/v1/fills", "Content-Type: application/json"), body])
    assert read_one(answer)[0] == status, answer


@pytest.mark.parametrize("method, path, status", [("GET", "/healthz", 200), ("GET", "/nothing", 404), ("DELETE", "/acme/none/1", 403), ("PUT", "/healthz", 405),
                                                  ("PUT", "/other/secret/1", 403)])
@pytest.mark.parametrize("body", [chunk(SMALL) + LAST, chunk(SMALL, end=b"\n") + LAST], ids=["good", "broken"])
def test_bodies_that_nobody_wants(larder, method, path, status, body):
    """What is refused by its head says so; whatever else must be a request to its end."""
    request = head(larder, method, path).replace(larder.token().encode(), larder.token("publish:acme/*").encode())
    got = read_one(send(larder, [request, body]))[0]
    assert got == (status if body == chunk(SMALL) + LAST or method == "PUT" else 400)


@pytest.mark.parametrize("path, status", [("/other/secret/1", 403), ("/healthz", 405), (PATH + "?tf-hub-format=other", 400)])
def test_expect_of_what_is_refused(larder, path, status):
    request = head(larder, "PUT", path, "Expect: 100-continue").replace(larder.token().encode(), larder.token("publish:acme/*").encode())
    with socket.create_connection(larder.address, timeout=DEADLINE_S) as connection:
        connection.sendall(request)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    assert read_one(answer)[0] == status


def test_expect(larder):
    with socket.create_connection(larder.address, timeout=DEADLINE_S) as connection:
        connection.sendall(head(larder, "PUT", PATH, "Expect: 100-continue"))
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(chunk(SMALL) + LAST)
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")


def test_one_behind_another_request(larder):
    """Chunks are read where a request stands for itself: what comes behind another is sent again, or answered behind it."""
    first = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
    answer = send(larder, [first + head(larder) + chunk(SMALL) + LAST], ends=True)
    assert answer.count(b"HTTP/1.1 200 ") == 1 and (b"connection: close" in answer.lower() or b"HTTP/1.1 201 " in answer)


@pytest.mark.concurrent
def test_uploads_in_chunks_wait_for_room_and_turns(start):
    larder = start({"publish": {"max_uploads": 2}})
    module = modules.module(2 << 20)
    connections = []
    for i in range(6):
        connections.append(socket.create_connection(larder.address, timeout=DEADLINE_S))
        connections[-1].sendall(head(larder, "PUT", f"/acme/turn/{i + 1}") + chunk(module[:9000]))
    larder.wait_for("larder_uploads_waiting", 4, "4 that wait their turn")
    for i in range(6):
        connections[i].sendall(coded(module[9000:], 100_000) + LAST)
    for connection in connections:
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")
        connection.close()
    larder.wait_for_no_drafts()


@pytest.mark.concurrent
def test_whoever_is_gone_is_forgotten(larder):
    for reset in (True, False):
        with socket.create_connection(larder.address, timeout=DEADLINE_S) as connection:
            connection.sendall(head(larder) + BEFORE)
            larder.wait_for("larder_uploads_running", 1, "the upload")
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        larder.wait_for_at_most("larder_uploads_running", 0, "its end")
    larder.wait_for_no_drafts()
    wait_until(lambda: larder.metric("larder_connections") <= 1, larder.tail)


@pytest.mark.concurrent
def test_stopping_ends_a_body(start):
    larder = start({"server": {"drain_timeout_s": 1}})
    with socket.create_connection(larder.address, timeout=DEADLINE_S) as connection:
        connection.sendall(head(larder) + BEFORE)
        larder.wait_for("larder_uploads_running", 1, "the upload")
        larder.stop()
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""


def test_whoever_sends_nothing_is_ended(start):
    larder = start({"server": {"idle_timeout_s": 1}})
    with socket.create_connection(larder.address, timeout=DEADLINE_S) as connection:
        connection.sendall(head(larder) + BEFORE)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""
    larder.wait_for_no_drafts()
