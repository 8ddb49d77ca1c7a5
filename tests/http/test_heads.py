# SPDX-License-Identifier: Apache-2.0
"""Request heads of all sizes and shapes: each gets exactly one answer that can be read strictly, or what it asked for."""
import contextlib
import itertools
import json
import random
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import modules
from support.waiting import wait_until

PATH = "/acme/half-plus-two/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
API = "/api/v1/modules" + PATH
MODULE = modules.module(3000)
HEAD_MAX = 32 << 10
# A hot reply, JSON, a page, an unknown path, a probe, and an upload that is refused.
ADDRESSES = [COMPRESSED, API, PATH, "/nothing/here/1?tf-hub-format=compressed", "/healthz", "/"]
FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[^\x00-\x08\x0a-\x1f\x7f]*")


@pytest.fixture(scope="module")
def larder(start_shared_either):
    larder = start_shared_either()
    larder.publish(PATH, MODULE)
    assert larder.get(COMPRESSED).body == MODULE
    return larder


def read_strictly(raw, heads=itertools.repeat(False)):
    """All answers in what came on a connection, [(status, fields, body)]: nothing else is between or behind them."""
    answers = []
    for is_head in heads:
        if not raw:
            break
        head, end, raw = raw.partition(b"\r\n\r\n")
        assert end, f"a head without an end: {head[:200]!r}"
        first, *lines = head.split(b"\r\n")
        assert re.fullmatch(rb"HTTP/1\.1 [1-5][0-9][0-9] [ -~]+", first), f"no status line: {first[:100]!r}"
        assert all(FIELD.fullmatch(line) for line in lines), f"a field that is none: {lines}"
        pairs = [line.decode("latin-1").split(":", 1) for line in lines]
        fields = {name.lower(): value.strip() for name, value in pairs}
        assert len(fields) == len(pairs), f"fields come twice: {lines}"
        assert "transfer-encoding" not in fields
        length = 0 if is_head else int(fields["content-length"])
        assert len(raw) >= length, "the body is cut off"
        answers.append((int(first.split()[1]), fields, raw[:length]))
        raw = raw[length:]
    assert not raw, f"something comes behind the answers: {raw[:200]!r}"
    return answers


def send(larder, pieces, half_close=False):
    """All that comes back for these bytes until the end of the connection."""
    received = b""
    with larder.dial() as connection:
        for piece in pieces:
            connection.sendall(piece)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        while block := connection.recv(1 << 16):
            received += block
    return received


def assert_refused(raw, status, code, is_head=False, about=""):
    answers = read_strictly(raw, itertools.repeat(is_head))
    assert len(answers) == 1, f"{about}: {len(answers)} answers: {raw[:600]!r}"
    got, fields, body = answers[0]
    assert got == status, f"{about}: {got} instead of {status}: {body[:300]!r}"
    assert fields["content-type"] == "application/problem+json" and fields["access-control-allow-origin"] == "*"
    assert fields["connection"] == "close" and "date" in fields
    if not is_head:
        problem = json.loads(body)
        assert problem["code"] == code and problem["status"] == status and problem["detail"]


def head(target=API, lines=(), method="GET", version="HTTP/1.1", connection="close"):
    fields = ["Host: x", *lines, *([f"Connection: {connection}"] if connection else [])]
    return "".join(f"{line}\r\n" for line in [f"{method} {target} {version}", *fields, ""]).encode("latin-1")


def cookies(length, count):
    """So many cookies in a field of so many bytes."""
    each = (length - len("Cookie: ")) // count
    values = [f"c{number}=".ljust(each - 2, "v") for number in range(count)]
    line = "Cookie: " + "; ".join(values)
    return line + "v" * (length - len(line))


def fields_of(length, count):
    each = length // count - 2
    return [f"X-Field-{number}: ".ljust(each, "v") for number in range(count)]


def of_size(length, target, kind, connection="close"):
    """A head of exactly so many bytes, filled with one kind of thing."""
    room = length - len(head(target, connection=connection)) - 2
    fill = {
        "one cookie": lambda: [cookies(room, 1)],
        "many cookies": lambda: [cookies(room, min(200, room // 12))],
        "fields": lambda: fields_of(room, min(100, room // 20)),
        "one field": lambda: ["X-Padding: ".ljust(room, "x")],
        "target": lambda: [],
        "token": lambda: ["Authorization: Bearer ".ljust(room, "t")] if room > 30 else ["X: ".ljust(room, "x")],
    }[kind]()
    if kind == "target":
        target += ("&" if "?" in target else "?") + "padding="
        target += "v" * (length - len(head(target, connection=connection)))
    made = head(target, fill, connection=connection)
    return head(target, ["Y: ".ljust(length - len(made) - 2 + 0, "y"), *fill], connection=connection) \
        if length - len(made) >= 5 else made


KINDS = ["one cookie", "many cookies", "fields", "one field", "target"]


@pytest.mark.parametrize("kind", KINDS)
def test_heads_up_to_32_kib_are_borne_on_every_address(larder, kind):
    sizes = [2000, 5900, 6100, 8191, 8192, 8193, 11_300, 12_000, 12_288, 20_480, HEAD_MAX]
    # What a parameter is that nobody knows is said by the address; its length changes nothing.
    padded = {address: ("&" if "?" in address else "?") + "padding=v" if kind == "target" else "" for address in ADDRESSES}
    expected = {address: larder.get(address + padded[address]).status for address in ADDRESSES}
    for address in ADDRESSES:
        for size in sizes:
            request = of_size(size, address, kind)
            assert size - 200 <= len(request) <= size, (size, len(request))
            (status, _, body), = read_strictly(send(larder, [request]))
            assert status == expected[address], f"{address} with {size} bytes of {kind}: {status} {body[:200]!r}"
            if address == COMPRESSED:
                assert body == MODULE


@pytest.mark.parametrize("kind", KINDS)
def test_larger_heads_are_refused_once(larder, kind):
    for address in ADDRESSES:
        for size in (HEAD_MAX + 300, 40_000, 64 << 10, 300_000):
            assert_refused(send(larder, [of_size(size, address, kind)]), 431, "head-too-large")
    assert_refused(send(larder, [of_size(40_000, API, kind).replace(b"GET", b"HEAD", 1)]), 431, "head-too-large", is_head=True)


def test_more_parts_than_anyone_has_are_refused_once(larder):
    for count in (1001, 3000, 4000):
        for lines in ([f"a{number}:" for number in range(count)], ["Cookie: " + "a;" * count]):
            assert_refused(send(larder, [head(lines=lines)]), 431, "head-too-large")
    assert read_strictly(send(larder, [head(lines=[f"a{number}:" for number in range(900)])]))[0][0] == 200
    assert read_strictly(send(larder, [head(lines=["Cookie: " + "a=b;" * 900])]))[0][0] == 200


def test_too_many_query_parameters_are_an_answer(larder):
    for count, target in itertools.product((65, 180, 181, 400, 2000), (API, "/api/v1/search", "/", COMPRESSED)):
        query = "&".join(f"a{number}=1" for number in range(count))
        assert_refused(send(larder, [head(target.split("?")[0] + "?" + query)]), 400, "bad-request")


def test_uploads_with_large_heads(larder):
    token = larder.token()
    for number, size in enumerate((9000, 20_000, 30_000)):
        body = modules.module(5000 + number)
        lines = [f"Authorization: Bearer {token}", cookies(size, 40), f"Content-Length: {len(body)}"]
        (status, _, _), = read_strictly(send(larder, [head(f"/acme/large-head/{number + 1}", lines, "PUT"), body]))
        assert status == 201


# What has more than one meaning, or none: (what, the whole of the bytes).
GET = f"GET {API} HTTP/1.1".encode()
BAD = [
    ("NUL in the target", b"GET " + API.encode() + b"\0/x HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("NUL in a value", GET + b"\r\nHost: x\r\nX: a\0b\r\n\r\n"),
    ("NUL in a name", GET + b"\r\nHost: x\r\nX\0Y: a\r\n\r\n"),
    ("bare LF everywhere", GET + b"\nHost: x\n\n"),
    ("bare LF after the first line", GET + b"\nHost: x\r\n\r\n"),
    ("bare LF after a field", GET + b"\r\nHost: x\nX: y\r\n\r\n"),
    ("bare LF at the end", GET + b"\r\nHost: x\r\n\n"),
    ("bare CR in a value", GET + b"\r\nHost: x\r\nX: a\rb\r\n\r\n"),
    ("CR CR LF", GET + b"\r\r\nHost: x\r\n\r\n"),
    ("control character in a value", GET + b"\r\nHost: x\r\nCDN-Loop: a\x01b\r\n\r\n"),
    ("DEL in a value", GET + b"\r\nHost: x\r\nX: \x7f\r\n\r\n"),
    ("folded field", GET + b"\r\nHost: x\r\nX: a\r\n b\r\n\r\n"),
    ("folded first field", GET + b"\r\n Host: x\r\n\r\n"),
    ("blank before the colon", GET + b"\r\nHost : x\r\n\r\n"),
    ("tab before the colon", GET + b"\r\nHost\t: x\r\n\r\n"),
    ("no colon", GET + b"\r\nHost: x\r\nX\r\n\r\n"),
    ("no name", GET + b"\r\nHost: x\r\n: y\r\n\r\n"),
    ("no host", GET + b"\r\nX: y\r\n\r\n"),
    ("two hosts", GET + b"\r\nHost: x\r\nHost: y\r\n\r\n"),
    ("no version", b"GET /healthz\r\nHost: x\r\n\r\n"),
    ("HTTP/2.0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("lower case version", b"GET /healthz http/1.1\r\nHost: x\r\n\r\n"),
    ("blanks in the target", b"GET /health z HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("two blanks", b"GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("blank at the end of the line", b"GET /healthz HTTP/1.1 \r\nHost: x\r\n\r\n"),
    ("no method", b" /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("method with a colon", b"G:T /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ("TLS and more", b"\x16\x03\x01\x02\x00" + bytes(range(256)) * 2),
    *((f"Content-Length: {value}", b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: " + value + b"\r\n\r\n")
      for value in (b"", b"x", b"-1", b"+1", b"1x", b"0x10", b"1, 1", b"1 1", b"1.0", b"\xb2")),
    ("two lengths", GET + b"\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"),
    ("length and coding", GET + b"\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("other coding", GET + b"\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("Expect without a body", GET + b"\r\nHost: x\r\nExpect: 100-continue\r\n\r\n"),
    ("Expect, and a request behind", GET + b"\r\nHost: x\r\nExpect: 100-continue\r\n\r\n" + GET + b"\r\nHost: x\r\n\r\n"),
]


def test_each_odd_head_gets_one_honest_400(larder):
    for what, raw in BAD:
        for pieces in ([raw], [raw[:7], raw[7:-1], raw[-1:]]):
            assert_refused(send(larder, pieces), 400, "bad-request", about=what)


@pytest.mark.parametrize("before", [COMPRESSED, API, "/healthz"], ids=["hot", "api", "probe"])
def test_later_heads_are_judged_as_well(larder, before):
    for what, raw in BAD:
        with larder.dial() as connection:
            for _ in range(2):
                connection.sendall(head(before, connection=None))
                receive_one(connection)
            connection.sendall(raw)
            assert_refused(read_all(connection), 400, "bad-request", about=what)
    for size in (7000, 13_000, 30_000):
        with larder.dial() as connection:
            connection.sendall(head(before, connection=None))
            receive_one(connection)
            connection.sendall(of_size(size, API, "many cookies", connection=None))
            assert receive_one(connection)[0] == 200
            connection.sendall(of_size(40_000, API, "many cookies"))
            assert_refused(read_all(connection), 431, "head-too-large")


@pytest.mark.parametrize("before", [COMPRESSED, API], ids=["hot", "api"])
def test_heads_right_behind_a_request_are_judged_as_well(larder, before):
    for what, raw in BAD:
        for count in (1, 3):
            *answers, last = read_strictly(send(larder, [head(before, connection=None) * count + raw]))
            assert [status for status, _, _ in answers] == [200] * count, what
            assert last[0] == 400 and last[1]["content-type"] == "application/problem+json", what


def receive_one(connection):
    """One answer, byte by byte up to its body."""
    raw = b""
    while not raw.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        assert byte, f"closed within a head: {raw!r}"
        raw += byte
    length = int(re.search(rb"\r\n[Cc]ontent-[Ll]ength: (\d+)\r\n", raw)[1])
    while length > 0:
        block = connection.recv(length)
        assert block
        raw += block
        length -= len(block)
    return read_strictly(raw)[0]


def read_all(connection):
    received = b""
    while block := connection.recv(1 << 16):
        received += block
    return received


@pytest.mark.parametrize("seed", range(3))
def test_heads_made_at_random(larder, seed):
    """Each gets as many well-formed answers as it has requests, up to the first that is no good."""
    randomness = random.Random(seed)
    for _ in range(60):
        lines = [f"X-{number}: {'v' * randomness.choice([0, 1, 30, 800])}" for number in range(randomness.randrange(12))]
        if randomness.random() < .5:
            lines.append(cookies(randomness.randrange(200, 24_000), randomness.randrange(1, 10)))
        randomness.shuffle(lines)
        made = bytearray(head(randomness.choice(ADDRESSES), lines))
        for _ in range(randomness.choice([0, 0, 1, 1, 2])):
            at = randomness.randrange(len(made))
            made[at:at + randomness.randrange(2)] = randomness.choice([b"\0", b"\n", b"\r", b" ", b":", b"\x7f", b"%", b"", b"\xff"])
        # Whatever it became: a head ends it, and the connection.
        raw = bytes(made) + b"\r\n\r\n" + head("/healthz")
        pieces = [raw[i:i + 3000] for i in range(0, len(raw), 3000)] if randomness.random() < .5 else [raw]
        answers = read_strictly(send(larder, pieces))
        assert 1 <= len(answers) <= 2
        for status, fields, _ in answers:
            assert fields["access-control-allow-origin"] == "*"
            assert status < 400 or "json" in fields["content-type"] or "html" in fields["content-type"]


def test_heads_that_drip_in_byte_by_byte(larder):
    for request, status in ((head(API), 200), (head(COMPRESSED), 200), (head(API, ["X: a\0b"]), 400)):
        (got, _, _), = read_strictly(send(larder, [bytes([byte]) for byte in request]))
        assert got == status


@pytest.mark.parametrize("half_close", [False, True])
def test_heads_that_never_end_are_closed_without_a_word(start_either, half_close):
    larder = start_either({"server": {"idle_timeout_s": 5, "head_timeout_s": 5}})
    parts = (b"G", head()[:-1], of_size(9000, API, "fields")[:-1], b"\r\n")
    with ThreadPoolExecutor(len(parts)) as pool:
        assert list(pool.map(lambda part: send(larder, [part], half_close), parts)) == [b""] * len(parts)


def test_connections_stay_for_whatever_comes(larder):
    """Hot or not, with a body or without, large or small: on one connection, which costs one place."""
    token = larder.token()
    larder.wait_for_at_most("larder_connections", 1, "only the one who asks")
    with larder.dial() as connection:
        for turn in range(5):
            for request, status in ((head(API, connection=None), 200), (head(COMPRESSED, connection=None), 200),
                                    (of_size(20_000, PATH, "many cookies", connection=None), 200),
                                    (head("/nothing/here", connection="keep-alive"), 404),
                                    (head(f"/acme/again/{turn + 1}", [f"Content-Length: {len(MODULE)}", f"Authorization: Bearer {token}"],
                                          "PUT", connection=None) + MODULE, 201)):
                connection.sendall(request)
                assert receive_one(connection)[0] == status
            larder.wait_for_at_most("larder_connections", 2, "this one, and the one who asks")


@pytest.mark.concurrent
def test_pipelined_requests_of_all_kinds(larder):
    requests = [head(target, connection=None) for target in (API, COMPRESSED, "/healthz", PATH, API)]
    requests.insert(2, of_size(15_000, API, "fields", connection=None))
    for order in range(len(requests)):
        row = requests[order:] + requests[:order]
        answers = read_strictly(send(larder, [b"".join(row) + head("/healthz")]))
        assert [status for status, _, _ in answers] == [200] * (len(row) + 1)


# Requests behind which libmicrohttpd has, or may have, read what nobody has looked at: (what is sent first, what comes later).
FILL = b"POST /api/v1/fills HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
READ_ON = {
    "chunks": (b"POST /api/v1/fills HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"2\r\n{}\r\n0\r\n\r\n", 0),
    "chunks nobody wants": (b"GET /api/v1/modules/zz/q HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 0),
    "a byte of the next head": (FILL, 1),
    "half of the next head": (FILL, 12),
}
BEHIND = {
    "bare LF": b"GET /healthz HTTP/1.1\nHost: x\n\n",
    "NUL": b"GET /healthz\0x HTTP/1.1\r\nHost: x\r\n\r\n",
    "folded": b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "bad length": b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n",
    "parameters": b"GET /healthz?" + b"a=1&" * 200 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a large cookie": b"GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: a=" + b"z" * 9000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("first", READ_ON)
@pytest.mark.parametrize("behind", BEHIND)
def test_what_nobody_has_looked_at_is_not_read(larder, first, behind):
    request, along = READ_ON[first]
    with larder.dial() as connection, connection.makefile("rb") as answer:
        connection.sendall(request + BEHIND[behind][:along])
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += answer.readline()
        assert b"\r\nconnection: close\r\n" in head.lower(), head
        with contextlib.suppress(OSError):
            connection.sendall(BEHIND[behind][along:])
        assert b"HTTP/1." not in answer.read()
    wait_until(lambda: larder.metric("larder_connections") <= 1, larder.tail)


@pytest.mark.parametrize("along", [1, 12])
@pytest.mark.parametrize("behind", BEHIND)
def test_what_stands_behind_a_request_without_a_body_is_looked_at(larder, behind, along):
    """That it was there already, in part, costs nobody the connection; what cannot be read is refused."""
    with larder.dial() as connection:
        connection.sendall(b"GET /api/v1/modules/zz/q HTTP/1.1\r\nHost: x\r\n\r\n" + BEHIND[behind][:along])
        assert receive_one(connection)[0] == 404
        connection.sendall(BEHIND[behind][along:])
        assert receive_one(connection)[0] == (200 if behind == "a large cookie" else 400)


@pytest.mark.parametrize("host", ["tfhub.dev", "127.0.0.1", "[::1]", "storage.googleapis.com", "a" * 200])
@pytest.mark.parametrize("port", [1, 443, 65535])
def test_tunnels_are_refused_by_name(larder, host, port):
    """What https_proxy=http://larder leads to."""
    raw = send(larder, [f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()])
    (status, _, body), = read_strictly(raw)
    assert status == 400 and "no proxy for https: URLs" in json.loads(body)["detail"], body
