# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong with any one request to the store: who published is told what is so, nobody is told that something is not there which is, and
all nodes have the same."""
import base64
import concurrent.futures
import http.client

import pytest

from support.daemon import assert_problem
from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.modules import digest, module
from support.waiting import wait_until
from test_nodes import assert_has, fetch, node  # noqa: F401

ACTS = ["drop", "slow", "error", "late-error", "lost", "conflict", "cut", "delay", "late", "twice"]
OF_CONDITIONS = ["late-error", "lost", "conflict", "twice"]  # after which what was written, and its ETag, have to be read back
STORE = {"timeout_s": 1, "connect_timeout_s": 1, "poll_interval_s": 1, "lease_ttl_s": 5}


@pytest.fixture
def pair(front, node, upstream):  # noqa: F811
    return [node(name, 0, [upstream.url], endpoint=front.url, store=STORE) for name in "ab"]


def turns(steps, act):
    """Which request it is done to; to every third where it takes seconds."""
    return range(1, steps + 1, 3 if act == "late" else 1)


def words_of(path, *bodies):
    """What the addresses of a version's objects have in them: these name its handle, or its bytes."""
    handle = path.strip("/").rsplit("/", 1)[0]
    return [base64.b32hexencode(handle.encode()).decode().lower().rstrip("="), *map(digest, bodies)]


def count_requests(front, words, act):
    """How many of them doing this takes."""
    front.script.seen.clear()
    act()
    return sum(any(word in path for word in words) for _, path, _ in list(front.script.seen))


def assert_taken_or_unavailable(reply):
    """Never a 409: nobody else has published anything."""
    if reply.status not in (200, 201):
        assert_problem(reply, 503, "store-unavailable")
        assert int(reply.headers["Retry-After"]) > 0


def publish_again(daemon, path, body):
    """Until the store has recovered, which the node finds out within seconds."""
    wait_until(lambda: daemon.put(path, body).status in (200, 201), "it is taken once the store does what it is asked")


def fetch_or_none(daemon, path):
    """The answer, None where it was cut off."""
    try:
        return fetch(daemon, path)
    except (http.client.HTTPException, OSError):
        return None


def assert_right_or_unavailable(reply, body):
    """Cut off, or refused for now: never absent, never short, never other bytes."""
    assert reply is None or reply.status in (200, 502, 503), reply
    assert reply is None or reply.status != 200 or digest(reply.body) == digest(body), "other bytes were taken for whole"


def wait_for_having(daemon, body, path):
    wait_until(lambda: fetch(daemon, path).status == 200, "it is had once the store does what it is asked")
    assert_has(daemon, body, path)


@pytest.mark.parametrize("act", ACTS)
def test_publishing(pair, front, act):
    """With each request of a publish in its turn, and then with each of another node's first download."""
    a, b = pair
    first = module(size=200)
    steps = count_requests(front, words_of("/acme/first/1", first), lambda: a.publish("/acme/first/1", first))
    looks = count_requests(front, words_of("/acme/first/1", first), lambda: assert_has(b, first, "/acme/first/1"))
    assert steps > 5 and looks > 2
    met = 0
    for number in turns(steps, act):
        path, body = f"/acme/p-{number}/1", module(size=200, seed=number)
        front.script.at(number, act, words_of(path, body))
        reply = a.put(path, body)
        met += front.script.met()
        assert_taken_or_unavailable(reply)
        publish_again(a, path, body)
        front.script.at((number - 1) % looks + 1, act, words_of(path, body))
        reply = fetch_or_none(b, path)
        met += front.script.met()
        assert_right_or_unavailable(reply, body)
        wait_for_having(b, body, path)
    # Those that the other node has heard of meanwhile take it fewer.
    assert met > len(turns(steps, act))


@pytest.mark.parametrize("act", ACTS)
def test_publishing_at_the_same_instant(pair, front, act):
    """Other bytes on each node: at most one is told that it made the version, and then that is what all have."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for number in turns(14, act):
            path, bodies = f"/acme/p-{number}/1", [module(size=200, seed=seed) for seed in (1, 2)]
            front.script.at(number, act, words_of(path))
            replies = list(pool.map(lambda n: pair[n].put(path, bodies[n]), (0, 1)))
            front.script.met()
            told = [reply.status for reply in replies]
            assert set(told) <= {201, 409, 503} and told.count(201) <= 1 and told != [409, 409], (act, number, told)
            if 201 not in told:
                for n in (0, 1):
                    wait_until(lambda n=n: pair[n].put(path, bodies[n]).status != 503, "it is decided once the store does what it is asked")
            winner = told.index(201) if 201 in told else [digest(body) for body in bodies].index(digest(fetch(pair[0], path).body))
            for daemon in pair:
                wait_for_having(daemon, bodies[winner], path)


@pytest.mark.parametrize("etags, act", [("quoted", act) for act in ACTS] + [("bare", act) for act in OF_CONDITIONS])
def test_mirroring(front, node, upstream, etags, act):  # noqa: F811
    """With each request of a fill in its turn, on stores that compare ETags with and without their quotes."""
    front.script.etags = etags
    a, b = (node(name, 0, [upstream.url], endpoint=front.url, store=STORE) for name in "ab")
    first, paths = module(size=20_000), []
    upstream.serve("/google/first/1", first)
    steps = count_requests(front, words_of("/google/first/1", first), lambda: assert_has(a, first, "/google/first/1"))
    assert steps > 6
    for number in list(turns(steps, act))[etags == "bare"::2]:
        path, body = f"/google/m-{number}/1", module(size=20_000, seed=number)
        upstream.serve(path, body)
        front.script.at(number, act, words_of(path, body))
        assert_right_or_unavailable(fetch_or_none(a, path), body)
        front.script.met()
        wait_for_having(b, body, path)
        wait_for_having(a, body, path)
        paths.append(path)
    assert max(upstream.count(path) for path in paths) <= 2
