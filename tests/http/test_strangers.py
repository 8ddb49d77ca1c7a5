# SPDX-License-Identifier: Apache-2.0
"""Nothing that a stranger chooses may hold up anyone but itself: one client takes all it can of each thing that all share,
and another one, who comes from another address, still gets everything."""
import contextlib
import http.client
import socket
import struct
import threading

import pytest
from support import modules
from support.client import Http
from support.upstream import Answer
from support.waiting import wait_until

SMALL = modules.module(1000)
HONEST = "127.0.0.2"


def client(daemon, source):
    return Http(daemon.address, source)


def reset_socket(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def reset(connection):
    reset_socket(connection.sock)
    connection.close()


@contextlib.contextmanager
def asking(daemon, requests):
    """Sends each (source, method, path, headers) on a thread of its own; the answers' statuses come when they come."""
    statuses = [None] * len(requests)
    connections = []

    def ask(i, connection, method, path, headers):
        try:
            connection.request(method, path, headers=headers)
            statuses[i] = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            statuses[i] = error

    threads = []
    for i, (source, method, path, *headers) in enumerate(requests):
        connections.append(client(daemon, source).connect())
        threads.append(threading.Thread(target=ask, args=(i, connections[-1], method, path, *(headers or [{}]))))
        threads[-1].start()
    try:
        yield statuses
    finally:
        for thread in threads:
            thread.join()
        for connection in connections:
            connection.close()


def held_modules(upstream, publisher, count):
    """The upstream takes questions for these, and is silent until the event."""
    held = threading.Event()
    for i in range(count):
        upstream.serve(f"/{publisher}/m{i}/1", Answer(SMALL, before=held))
        upstream.serve(f"/{publisher}/m{i}", Answer(b"", 302, "text/plain", {"Location": f"/{publisher}/m{i}/1"}, before=held))
    return held


QUESTIONS = {"size": ("HEAD", "/{}/m{}/1.tar.gz"), "latest": ("GET", "/{}/m{}?tf-hub-format=compressed")}


# ---- questions to upstreams --------------------------------------------------------------------------------------------------

@pytest.mark.concurrent
@pytest.mark.parametrize("kind", QUESTIONS)
def test_one_who_asks_all_questions_waits_alone(start, upstream, kind):
    mirror = start({"mirror": {"connect_timeout_s": 60}}, [upstream.url])
    method, path = QUESTIONS[kind]
    held = held_modules(upstream, "stranger", 100)
    upstream.serve("/acme/m0/1", SMALL)
    upstream.serve("/acme/m0", Answer(b"", 302, "text/plain", {"Location": "/acme/m0/1"}))
    with asking(mirror, [("127.0.0.9", method, path.format("stranger", i)) for i in range(100)]) as statuses:
        try:
            wait_until(lambda: statuses.count(503) == 36, lambda: f"36 refusals; there are {statuses}")
            mirror.wait_for("larder_questions_waiting", 56, "64 questions of one client, of which 8 are asked at once")
            honest = client(mirror, HONEST)
            assert honest.request(method, path.format("acme", 0)).status in (200, 302)
            assert statuses.count(None) == 64
        finally:
            held.set()
    assert statuses.count(503) == 36 and {200, 302} & set(statuses) and len(set(statuses)) == 2
    mirror.wait_for_at_most("larder_questions_waiting", 0, "nothing waits")


@pytest.mark.concurrent
@pytest.mark.parametrize("kind", QUESTIONS)
def test_who_asks_what_a_stranger_waits_for_does_not_wait_with_him(start, upstream, kind):
    mirror = start({"mirror": {"connect_timeout_s": 60}}, [upstream.url])
    method, path = QUESTIONS[kind]
    held = held_modules(upstream, "stranger", 20)
    upstream.serve("/acme/m0/1", SMALL)
    upstream.serve("/acme/m0", Answer(b"", 302, "text/plain", {"Location": "/acme/m0/1"}))
    wanted = path.format("acme", 0)
    with asking(mirror, [("127.0.0.9", method, path.format("stranger", i)) for i in range(20)]) as statuses:
        try:
            mirror.wait_for("larder_questions_waiting", 12, "12 that wait their turn")
            with asking(mirror, [("127.0.0.9", method, wanted)]) as last:
                mirror.wait_for("larder_questions_waiting", 13, "one more")
                assert client(mirror, HONEST).request(method, wanted).status in (200, 302)
            assert last[0] in (200, 302) and statuses.count(None) == 20
        finally:
            held.set()


@pytest.mark.parametrize("forwarded", ["10.0.0.1", "10.1.1.{i}, 10.0.0.1", " 2001:db8::{i:x}", "nonsense{i}"])
@pytest.mark.parametrize("trusted", [True, False])
def test_behind_a_proxy_each_client_has_a_share(start, upstream, forwarded, trusted):
    mirror = start({"server": {"trusted_proxies": "127.0.0.9/32" if trusted else "10.0.0.0/8"}, "mirror": {"connect_timeout_s": 60}}, [upstream.url])
    held = held_modules(upstream, "stranger", 12)
    upstream.serve("/acme/m0/1", SMALL)
    requests = [("127.0.0.9", "HEAD", f"/stranger/m{i}/1.tar.gz", {"X-Forwarded-For": forwarded.format(i=i)}) for i in range(12)]
    behind = [("127.0.0.9", "HEAD", "/acme/m0/1.tar.gz", {"X-Forwarded-For": "2001:db8::ff, 10.0.0.2"})]
    with asking(mirror, requests) as statuses:
        try:
            mirror.wait_for("larder_questions_waiting", 4, "4 that wait their turn")
            with asking(mirror, behind) as others:
                if not trusted:
                    mirror.wait_for("larder_questions_waiting", 5, "one more of what is one client")
                else:
                    wait_until(lambda: others[0] == 200, "an answer")
                assert statuses.count(None) == 12
                held.set()
            assert others == [200]
        finally:
            held.set()


@pytest.mark.concurrent
def test_whoever_is_gone_leaves_the_line(start, upstream):
    mirror = start({"mirror": {"connect_timeout_s": 60}}, [upstream.url])
    held = held_modules(upstream, "stranger", 30)
    connections = {}
    for i in range(30):
        path = f"/stranger/m{i}/1.tar.gz"
        connections[f"HEAD {path[:-7]}"] = client(mirror, "127.0.0.9").connect()
        connections[f"HEAD {path[:-7]}"].request("HEAD", path)
    mirror.wait_for("larder_questions_waiting", 22, "22 that wait their turn")
    wait_until(lambda: upstream.count(method="HEAD") == 8, lambda: f"8 questions; there are {upstream.counts()}")
    asked = upstream.counts()
    for question in sorted(connections, key=lambda question: question in asked):  # a place that is free would go to the next in line
        if question in asked:
            mirror.wait_for_at_most("larder_questions_waiting", 0, "an empty line")
        reset(connections[question])
    held.set()
    mirror.wait_for_at_most("larder_requests_running", 1, "nothing but this question")
    assert upstream.count(method="HEAD") == 8


@pytest.mark.concurrent
@pytest.mark.parametrize("asks", ["HTTP/1.0", "a proxied one", "a part at the end", "HTTP/1.1"])
def test_whoever_is_gone_waits_for_no_fill(start, upstream, asks):
    """A fill goes on without him; his connection is for others."""
    mirror = start({"mirror": {"hold_until_verified": "proxied", "connect_timeout_s": 60}}, [upstream.url])
    held = held_modules(upstream, "stranger", 1)
    fields = {"a proxied one": "Via: 1.1 other\r\n", "a part at the end": "Range: bytes=900-\r\n"}.get(asks, "")
    head = f"GET /stranger/m0/1.tar.gz HTTP/{'1.0' if asks == 'HTTP/1.0' else '1.1'}\r\nHost: h\r\n{fields}\r\n"
    connections = [socket.create_connection(mirror.address) for _ in range(8)]
    try:
        for connection in connections:
            connection.sendall(head.encode())
        mirror.wait_for("larder_fill_waiters", 8, "all of them")
        for connection in connections[1:]:
            reset_socket(connection)
        mirror.wait_for_at_most("larder_fill_waiters", 1, "the one that is left")
        mirror.wait_for_at_most("larder_connections", 2, "his connection and this question's")
        held.set()
        assert connections[0].recv(1 << 16).split(b" ")[1] in (b"200", b"206")
    finally:
        held.set()
        for connection in connections:
            connection.close()


@pytest.mark.concurrent
@pytest.mark.parametrize("knows", ["only one may have it", "the first does not have it"])
def test_a_slow_upstream_leaves_places_to_the_others(start, make_upstream, knows):
    slow, quick = make_upstream(), make_upstream()
    match = {"match": "stranger/*"} if knows.startswith("only") else {}
    order = [slow, quick] if match else [quick, slow]
    mirror = start({"mirror": {"connect_timeout_s": 60}, **{f"upstream u{i}": {"url": each.url + "/{path}?{query}", "max_connections": "1000",
                                                                              **(match if each is slow else {})}
                                                            for i, each in enumerate(order)}})
    held = held_modules(slow, "stranger", 100)
    quick.serve("/acme/m0/1", SMALL)
    requests = [(f"127.0.0.{9 + i // 16}", "HEAD", f"/stranger/m{i}/1.tar.gz") for i in range(80)]
    with asking(mirror, requests) as statuses:
        try:
            wait_until(lambda: slow.count(method="HEAD") == 48, lambda: f"48 questions; there are {slow.counts()}")
            mirror.wait_for("larder_questions_waiting", 32, "32 that wait for the slow one")
            assert client(mirror, HONEST).request("HEAD", "/acme/m0/1.tar.gz").status == 200
            assert slow.count(method="HEAD") == 48 and statuses.count(None) == 80
        finally:
            held.set()
    assert set(statuses) == {200}


# ---- fills -------------------------------------------------------------------------------------------------------------------

@pytest.mark.concurrent
def test_one_who_asks_for_many_modules_leaves_places_and_rows_to_others(start, upstream):
    """Of eight places one is for others, and a quarter of the rows behind them."""
    mirror = start({"mirror": {"connect_timeout_s": 60, "max_fills": 8}}, [upstream.url])
    held = held_modules(upstream, "stranger", 100)
    for name in ("acme", "other"):
        upstream.serve(f"/{name}/m/1", SMALL)
    with asking(mirror, [("127.0.0.9", "GET", f"/stranger/m{i}/1.tar.gz") for i in range(100)]) as statuses:
        try:
            wait_until(lambda: upstream.count() == 7 and statuses.count(503) == 4,
                       lambda: f"7 of 96 that are fetched, and 4 refusals; there are {upstream.counts()}, {statuses}")
            for name, source in (("acme", HONEST), ("other", "127.0.0.3")):
                assert client(mirror, source).request("GET", f"/{name}/m/1.tar.gz").status == 200
            assert statuses.count(None) == 96 and upstream.count() == 9
        finally:
            held.set()
    assert statuses.count(200) == 96


@pytest.mark.concurrent
def test_who_has_least_goes_first_and_lends_that(start, upstream):
    """What somebody else waits for as well is not behind what only the one with many fills wants."""
    mirror = start({"mirror": {"connect_timeout_s": 60, "max_fills": 1}}, [upstream.url])
    held = held_modules(upstream, "stranger", 1)
    for i in range(1, 6):
        upstream.serve(f"/stranger/m{i}/1", SMALL)
    upstream.serve("/acme/m/1", SMALL)
    stranger = [("127.0.0.9", "GET", f"/stranger/m{i}/1.tar.gz") for i in range(6)]
    with asking(mirror, stranger[:1]):
        try:
            mirror.wait_for("larder_fills_running", 1)
            upstream.wait_for_requests(1)
            with asking(mirror, stranger[1:]):
                mirror.wait_for("larder_fills_running", 6)
                with asking(mirror, [(HONEST, "GET", "/stranger/m3/1.tar.gz")]):
                    mirror.wait_for("larder_fill_waiters", 7)
                    with asking(mirror, [(HONEST, "GET", "/acme/m/1.tar.gz")]):
                        mirror.wait_for("larder_fills_running", 7)
                        held.set()
        finally:
            held.set()
    order = [seen.path for seen in upstream.requests if seen.method == "GET"]
    assert [order[0], order[1], order[3]] == ["/stranger/m0/1", "/stranger/m3/1", "/acme/m/1"] and len(order) == 7, order


# ---- uploads -----------------------------------------------------------------------------------------------------------------

def put_head(path, token, *fields):
    return (f"PUT {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n" + "".join(f"{field}\r\n" for field in fields) + "\r\n").encode()


@pytest.mark.concurrent
@pytest.mark.parametrize("coding", [f"Content-Length: {len(SMALL)}", "Transfer-Encoding: chunked"])
def test_one_who_uploads_slowly_leaves_places_to_others(start, coding):
    larder = start({"publish": {"max_uploads": 4}})
    stranger, honest, other = (larder.token(f"publish:{scope}/*") for scope in ("stranger", "acme", "other"))
    connections = []
    for i in range(40):
        connections.append(socket.create_connection(larder.address))
        connections[-1].sendall(put_head(f"/stranger/m/{i + 1}", stranger, coding))
    try:
        larder.wait_for("larder_uploads_waiting", 32, "as many as one token may have in line")
        larder.wait_for("larder_uploads_running", 3, "three of the four places")
        for number, token in enumerate((honest, other, honest), 1):
            path = f"/{'other' if token is other else 'acme'}/m/{number}"
            assert larder.request("PUT", path, {"Authorization": f"Bearer {token}"}, SMALL).status == 201
        refused = larder.request("PUT", "/stranger/m/100", {"Authorization": f"Bearer {stranger}"}, SMALL)
        assert refused.status == 503 and "of your uploads" in refused.json()["detail"]
    finally:
        for connection in connections:
            reset_socket(connection)
    larder.wait_for_at_most("larder_uploads_waiting", 0, "an empty line")
    larder.wait_for_at_most("larder_uploads_running", 0, "no upload")
    larder.wait_for_no_drafts()
