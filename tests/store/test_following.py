# SPDX-License-Identifier: Apache-2.0
"""Three nodes that want the same of an upstream at once: one fetches it for all, and the others follow it."""
import base64
import concurrent.futures
import hashlib
import http.client
import itertools
import json
import os
import random
import signal
import threading

import pytest

from ceph import DEADLINE_S
from relay import Relay
from support.daemon import assert_problem
from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.modules import digest, module
from support.upstream import Answer
from support.waiting import wait_until
from test_nodes import QUERY, assert_has, bucket, fetch, node  # noqa: F401

PATH = "/google/model/1"
TTL_S = 5
SIZE = 4 << 20
KILLS, FILLS_A_KILL = 4, 5


@pytest.fixture
def trio(node, upstream):  # noqa: F811
    """The holder-to-be first, since it is asked first."""
    return [node(name, number % 2, [upstream.url], store={"lease_ttl_s": TTL_S, "poll_interval_s": 1}) for number, name in enumerate("abc")]


class Client:
    """One download, which tells when its first byte is there and what became of it."""

    def __init__(self, daemon, pool, path=PATH, headers=None):
        self.daemon, self.path, self.headers = daemon, path, headers or {}
        self.first, self.length = threading.Event(), 0
        self.done = pool.submit(self.run)

    def run(self):
        host = self.daemon.url.split("//")[1]
        connection, seen = http.client.HTTPConnection(host, timeout=DEADLINE_S), hashlib.sha256()
        try:
            connection.request("GET", self.path + QUERY, headers=self.headers)
            reply = connection.getresponse()
            if reply.status != 200:
                return reply.status
            while piece := reply.read1(1 << 16):
                seen.update(piece)
                self.length += len(piece)
                self.first.set()
            self.daemon.witness.see_whole(self.path + QUERY, seen.hexdigest())
            return seen.hexdigest()
        except (http.client.HTTPException, OSError):
            return "cut"
        finally:
            connection.close()

    def await_first(self):
        assert self.first.wait(DEADLINE_S), "no byte comes"

    def result(self):
        return self.done.result(DEADLINE_S)


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(64) as opened:
        yield opened


@pytest.fixture
def gated(upstream):  # noqa: F811
    """A module that upstream has given half of, and gives the rest of once it may."""
    body = module(size=SIZE)
    answer = Answer(body, gate=threading.Event(), gate_after=SIZE // 2, etag='"one"', ranges=True)
    upstream.serve(PATH, answer)
    yield answer
    answer.gate.set()


def held_by(daemons):
    return [daemon for daemon in daemons if daemon.metric("larder_leases_held") == 1]


def begin(trio, pool):
    """A client on each, whose first bytes are there."""
    clients = [Client(trio[0], pool)]
    clients[0].await_first()
    assert held_by(trio) == [trio[0]]
    clients += [Client(daemon, pool) for daemon in trio[1:]]
    for client in clients:
        client.await_first()
    return clients


def assert_one_identity(trio, body):
    for daemon in trio:
        assert_has(daemon, body, PATH)


def test_one_fetches_for_all(trio, pool, gated, upstream):  # noqa: F811
    """Bytes are on each node while upstream still holds the rest back."""
    clients = [Client(trio[number % 3], pool) for number in range(60)]
    for client in clients:
        client.await_first()
    assert len(held_by(trio)) == 1
    gated.gate.set()
    assert {client.result() for client in clients} == {digest(gated.body)}
    assert upstream.count(PATH) == 1
    wait_until(lambda: not held_by(trio), "the lease is given back")
    assert sum(daemon.metric('larder_leases_total{event="followed"}') for daemon in trio) >= 2
    assert_one_identity(trio, gated.body)


class Steps:
    """A gate that lets so many pieces through once it may, and the rest later."""

    def __init__(self, pieces):
        self.pieces, self.some, self.rest = pieces, threading.Event(), threading.Event()

    def wait(self, timeout):
        if self.some.is_set() and self.pieces > 0:
            self.pieces -= 1
            return True
        return self.rest.wait(timeout)


def test_a_link_that_broke_goes_on_as_it_comes(node, upstream, pool):  # noqa: F811
    """Not only once the other has all of it."""
    relay = Relay(0)
    lease = {"lease_ttl_s": TTL_S, "poll_interval_s": 1}
    a = node("a", 0, [upstream.url], store={**lease, "node_url": relay.url})
    relay.target = a.address
    b = node("b", 1, [upstream.url], store=lease)
    body = module(size=SIZE)
    gate = Steps(16)
    upstream.serve(PATH, Answer(body, gate=gate, gate_after=SIZE // 2, etag='"one"', ranges=True))
    try:
        first = Client(a, pool)
        first.await_first()
        second = Client(b, pool)
        second.await_first()
        relay.close()
        relay.open()
        gate.some.set()
        wait_until(lambda: second.length > SIZE // 2 + (1 << 19), "it goes on")
        gate.rest.set()
        assert first.result() == second.result() == digest(body)
        assert upstream.count(PATH) == 1
    finally:
        gate.rest.set()
        relay.close()


def test_who_asks_with_a_token_only_is_followed(node, upstream, pool):  # noqa: F811
    """Reading takes a token: the others have an address that is good for this version alone."""
    settings = {"auth": {"read": "token"}, "store": {"lease_ttl_s": TTL_S, "poll_interval_s": 1}}
    trio = [node(name, 0, [upstream.url], **{key: dict(value) for key, value in settings.items()}) for name in "abc"]
    body = module(size=SIZE)
    answer = Answer(body, gate=threading.Event(), gate_after=SIZE // 2)
    upstream.serve(PATH, answer)
    clients = [Client(daemon, pool, headers={"Authorization": f"Bearer {daemon.token('read')}"}) for daemon in trio]
    for client in clients:
        client.await_first()
    answer.gate.set()
    assert {client.result() for client in clients} == {digest(body)}
    assert upstream.count(PATH) == 1


def test_a_holder_that_is_killed_is_replaced(trio, pool, gated, upstream):  # noqa: F811
    """Where upstream can prove that it has the rest of the same, the others' clients notice nothing."""
    clients = begin(trio, pool)
    trio[0].kill()
    assert clients[0].result() == "cut"
    upstream.wait_for_requests(2, PATH)
    gated.gate.set()
    assert [client.result() for client in clients[1:]] == [digest(gated.body)] * 2
    assert upstream.count(PATH) == 2
    assert upstream.requests[-1].headers["range"].startswith("bytes=")
    trio[0].start()
    assert_one_identity(trio, gated.body)


@pytest.mark.parametrize("turn", range(KILLS))
def test_a_holder_that_is_killed_anywhere(trio, pool, upstream, turn):  # noqa: F811
    """At 20 random bytes, five fills to a kill: at most two fetches of each, and nobody takes a short body for whole."""
    chance, gate = random.Random(turn), threading.Event()
    bodies = {f"/google/model-{number}/1": module(size=1 << 20, seed=number) for number in range(FILLS_A_KILL)}
    for path, body in bodies.items():
        upstream.serve(path, Answer(body, gate=gate, gate_after=chance.randrange(len(body))), Answer(body))
    clients = {path: [Client(trio[0], pool, path)] for path in bodies}
    for path in bodies:
        upstream.wait_for_requests(1, path)
        clients[path] += [Client(daemon, pool, path) for daemon in trio[1:] * 2]
    wait_until(lambda: all(daemon.metric("larder_fills_running") == len(bodies) for daemon in trio), "all have begun")
    trio[0].kill()
    gate.set()
    for path, body in bodies.items():
        told = [client.result() for client in clients[path]]
        assert set(told) <= {digest(body), "cut", 502, 503}, told
        for daemon in trio[1:]:
            assert_has(daemon, body, path)
    trio[0].start()
    for path, body in bodies.items():
        assert_has(trio[0], body, path)
        assert upstream.count(path) <= 2


def test_a_holder_that_is_frozen_and_comes_back(trio, pool, gated, upstream):  # noqa: F811
    clients = begin(trio, pool)
    os.kill(trio[0].process.pid, signal.SIGSTOP)
    try:
        upstream.wait_for_requests(2, PATH)
        gated.gate.set()
        assert [client.result() for client in clients[1:]] == [digest(gated.body)] * 2
    finally:
        os.kill(trio[0].process.pid, signal.SIGCONT)
    assert clients[0].result() == digest(gated.body)
    trio[0].wait_for('larder_leases_total{event="lost"}', lambda count: count == 1)
    assert upstream.count(PATH) == 2
    assert_one_identity(trio, gated.body)


def test_a_holder_that_cannot_be_reached(node, upstream, pool):  # noqa: F811
    """It says that it is at it, where nobody reaches it: fetched twice, and one identity."""
    body = module(size=SIZE)
    answer = Answer(body, gate=threading.Event(), gate_after=SIZE // 2)
    upstream.serve(PATH, answer, body)
    lease = {"lease_ttl_s": TTL_S, "poll_interval_s": 1}
    a = node("a", 0, [upstream.url], store={**lease, "node_url": "http://127.0.0.1:9"})
    b = node("b", 1, [upstream.url], store=lease)
    first = Client(a, pool)
    first.await_first()
    assert Client(b, pool).result() == digest(body)
    answer.gate.set()
    assert first.result() == digest(body)
    assert upstream.count(PATH) == 2
    assert_one_identity((a, b), body)


def test_what_upstream_has_not(trio, upstream, objects):  # noqa: F811
    """Each finds it out once, and nothing stays of it: else whoever makes names up would fill the bucket."""
    for number in range(1, 6):
        for daemon in trio:
            assert_problem(fetch(daemon, f"/google/none-{number}/1"), 404, "not-found")
        assert upstream.count(f"/google/none-{number}/1") == 3
    wait_until(lambda: not held_by(trio), "the leases are given back")
    wait_until(lambda: not bucket(objects, "leases/"), "no lease is left")
    assert bucket(objects, "ids/") == bucket(objects, "feed/") == []


def test_the_address_of_another_node_is_nobodys(trio, pool, gated, upstream, objects):  # noqa: F811
    """It is good for one version, as long as it is being fetched there."""
    begin(trio, pool)
    held = json.loads(objects.ask("read", lease_key(PATH, "tf-hub"))[1])
    # Nobody has this node ask upstreams by it: the fill that runs answers.
    assert trio[0].head(held["url"].removeprefix(trio[0].url)).status == 200
    assert not [request for request in upstream.requests if request.method == "HEAD"]
    for path in ("/-/t/cap_1_" + "0" * 64 + PATH, "/-/t/cap_99999999999_" + "0" * 64 + PATH):
        assert_problem(trio[0].get(path + QUERY), 401, "unauthorized")


# ---- of which object another node's bytes are ----


def lease_key(path, format):
    handle, version = path.strip("/").rsplit("/", 1)
    return f"leases/{base64.b32hexencode(handle.encode()).decode().lower().rstrip('=')}/{version}/{format}"


@pytest.fixture
def leased(objects, tmp_path):  # noqa: F811
    """Writes the lease on PATH as another node would: leased(nonce, url, etag, state)."""
    def write(nonce, url, etag, state="active", upstream="test0"):
        handle, version = PATH.strip("/").rsplit("/", 1)
        work = {"upstream": upstream if etag else "", "etag": etag, "last_modified": "", "bytes": 0, "total_bytes": len(module(size=SIZE)) if etag else -1}
        record = {"larder_lease": 1, "handle": handle, "version": int(version), "format": "tf-hub", "state": state, "nonce": nonce, "count": next(counts),
                  "node": url, "url": url, **work}
        (tmp_path / "lease").write_text(json.dumps(record))
        assert objects.ask("file", lease_key(PATH, "tf-hub"), tmp_path / "lease")[0] == "done"

    counts = itertools.count()
    return write


def of_nodes(make_upstream, body):  # noqa: F811
    """Another node, which has given a quarter of its object and then dies once its gate is opened."""
    other = make_upstream()
    gate = threading.Event()
    other.serve(PATH, Answer(body, gate=gate, gate_after=SIZE // 4, cut_after=SIZE // 4), Answer(b"", 503))
    return other, gate


@pytest.mark.parametrize("first, second, state", [('"one"', '"two"', "active"), ('"one"', '"two"', "failed"), ("", '"two"', "failed"), ("", '"two"', "active"),
                                                  ('"one"', "", "active")])
def test_bytes_go_on_only_as_those_of_their_own_object(node, upstream, make_upstream, leased, pool, first, second, state):  # noqa: F811
    """One node gave some, and another, which had another object of upstream's, was the last to hold the lease: nobody is told that the ones begin
    the other."""
    b = node("b", 0, [upstream.url], store={"lease_ttl_s": TTL_S, "poll_interval_s": 1})
    bodies = module(seed=1, size=SIZE), module(seed=2, size=SIZE)
    upstream.serve(PATH, Answer(bodies[1], etag='"two"', ranges=True))
    a, gate = of_nodes(make_upstream, bodies[0])
    c = make_upstream()
    c.serve(PATH, Answer(bodies[1], etag='"two"', ranges=True))
    leased("a", a.url + PATH, first)
    client = Client(b, pool)
    client.await_first()
    leased("c", c.url + PATH, second, state)
    gate.set()
    assert client.result() == "cut"
    assert all(request.headers.get("if-range", '"one"') == '"one"' for request in upstream.requests), upstream.requests
    assert not (first and c.requests), c.requests
    b.wait_for_idle()
    leased("c", c.url + PATH, second, "failed")
    assert_has(b, bodies[1], PATH)


def test_bytes_go_on_as_those_of_the_object_that_is_told_later(node, upstream, make_upstream, leased, pool):  # noqa: F811
    """The lease told nothing of it when the first bytes came; and another holder of the same object is as good."""
    b = node("b", 0, [upstream.url], store={"lease_ttl_s": TTL_S, "poll_interval_s": 1})
    body = module(size=SIZE)
    upstream.serve(PATH, Answer(body, etag='"one"', ranges=True))
    a, gate = of_nodes(make_upstream, body)
    leased("a", a.url + PATH, "")
    client = Client(b, pool)
    client.await_first()
    leased("a", a.url + PATH, '"one"')
    gate.set()
    wait_until(lambda: a.count(PATH) >= 2, "it is asked again")
    leased("c", "http://127.0.0.1:9", '"one"', "failed")
    assert client.result() == digest(body)
    assert [request.headers.get("if-range") for request in upstream.requests] == ['"one"']


def test_what_upstream_has_not_is_found_out_beside_each_other(node, upstream, pool):  # noqa: F811
    """Who was told by one that there is nothing asks itself, and waits for no third; which no node is blamed for."""
    gates = [threading.Event() for _ in range(4)]
    answers = [Answer(b"", 404, before=gate) for gate in gates]
    upstream.serve(PATH, *answers)
    four = [node(name, number % 2, [upstream.url], store={"lease_ttl_s": 30, "poll_interval_s": 1}) for number, name in enumerate("abcd")]
    try:
        replies = [pool.submit(fetch, four[0], PATH)]
        wait_until(lambda: upstream.count(PATH) == 1, "the first asks")
        replies += [pool.submit(fetch, daemon, PATH) for daemon in four[1:]]
        wait_until(lambda: all(daemon.metric("larder_leases_following") == 1 for daemon in four[1:]), "the others follow it")
        gates[0].set()
        wait_until(lambda: upstream.count(PATH) == 4, "the others ask, while none of them has an answer")
    finally:
        for gate in gates:
            gate.set()
    for reply in replies:
        assert_problem(reply.result(), 404, "not-found")
    for daemon in four[1:]:
        assert [peer["last_error"] for peer in daemon.get("/api/v1/activity").json()["store"]["peers"]] == [None]
