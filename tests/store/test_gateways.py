# SPDX-License-Identifier: Apache-2.0
"""What stands between the nodes and their bytes is killed while it is at work: a gateway, and the object store behind all of them."""
import concurrent.futures
import threading

import pytest

from ceph import Ceph
from conftest import make_bucket
from support.daemon import assert_problem
from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.modules import module
from support.waiting import wait_until
from test_faults import assert_right_or_unavailable, assert_taken_or_unavailable, fetch_or_none, wait_for_having
from test_nodes import assert_has, fetch, gateway, node  # noqa: F401

STORE = {"timeout_s": 5, "connect_timeout_s": 5, "poll_interval_s": 1, "lease_ttl_s": 5}
HERE = "/acme/here/1"


def put_all(daemon, bodies, over):
    """Publishes until it is over, at least each once; what was told of each."""
    told = {}
    while len(told) < len(bodies) or not over.is_set():
        for path, body in bodies.items():
            reply = daemon.put(path, body)
            assert_taken_or_unavailable(reply)
            told[path] = told.get(path) or reply.status in (200, 201)
    return told


def get_all(daemon, bodies, over):
    """Asks until it is over, at least once; how often it was answered with the bytes."""
    count = 0
    while count == 0 or not over.is_set():
        for path, body in bodies.items():
            reply = fetch_or_none(daemon, path)
            assert_right_or_unavailable(reply, body)
            count += reply is not None and reply.status == 200
    return count


def test_a_gateway_that_is_killed_at_work(gateway, node, upstream):  # noqa: F811
    """One node has it, another has a second one: hits go on on both, publishes and fills on the second; what was told to be there is."""
    a, b = (node(name, 1, [upstream.url], endpoint=endpoint, store=STORE) for name, endpoint in (("a", gateway.url), ("b", None)))
    here = module()
    a.publish(HERE, here)
    assert_has(b, here, HERE)
    published = {f"/acme/p-{number}/1": module(seed=number, size=300_000) for number in range(1, 5)}
    mirrored = {f"/google/m-{number}/1": module(seed=10 + number, size=300_000) for number in range(1, 5)}
    for path, body in mirrored.items():
        upstream.serve(path, body)
    over, stage = threading.Event(), threading.Event()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        try:
            work = [pool.submit(put_all, daemon, published, over) for daemon in (a, b)]
            hits = [pool.submit(get_all, daemon, {HERE: here}, over) for daemon in (a, b)]
            for turn in range(3):
                before = a.metric("larder_store_failures_total")
                gateway.kill()
                fills = [pool.submit(get_all, daemon, dict([list(mirrored.items())[turn]]), stage) for daemon in (a, b)]
                wait_until(lambda: a.metric("larder_store_failures_total") > before, "it is noticed")
                for daemon in (a, b):
                    assert_has(daemon, here, HERE)
                gateway.start()
                wait_until(lambda: a.put("/acme/again/1", here).status in (200, 201), "it is taken once the gateway is there again")
                stage.set()
                for fill in fills:
                    fill.result()
                stage.clear()
        finally:
            stage.set()
            over.set()
        for hit in hits:
            assert hit.result() > 0
        told = [each.result() for each in work]
    assert all(told[1].values()), "the other gateway was there all the time"
    for path, body in {**published, **mirrored}.items():
        for daemon in (a, b):
            wait_for_having(daemon, body, path)
    assert max(upstream.count(path) for path in mirrored) <= 2


@pytest.fixture(scope="module")
def on_disk(ceph, tmp_path_factory):
    """A Ceph whose object store has its objects on a disk, and may be killed."""
    opened = Ceph(tmp_path_factory.mktemp("bluestore"), objectstore="bluestore")
    try:
        make_bucket(f"{opened.urls[0]}/models")
        yield opened
    finally:
        opened.stop()


@pytest.mark.long
def test_an_object_store_that_is_killed(on_disk, node):
    """All that was told to be published is there once it has started again, and what was not can be."""
    a, b = (node(name, endpoint=on_disk.urls[0], store=STORE) for name in "ab")
    here = module()
    a.publish(HERE, here)
    bodies = {f"/acme/p-{number}/1": module(seed=number, size=2 << 20) for number in range(1, 5)}
    over = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        try:
            work = pool.submit(put_all, a, bodies, over)
            wait_until(lambda: a.metric("larder_published_total") >= 2, "some are published")
            on_disk.kill_osd()
            assert_has(a, here, HERE)
            wait_until(lambda: a.put("/acme/other/1", here).status == 503, "it is noticed")
            assert_problem(fetch(b, "/acme/none/1"), 503, "store-unavailable")
            on_disk.start_osd()
            wait_until(lambda: a.put("/acme/other/1", here).status in (200, 201), "it is taken once the object store is there again")
        finally:
            over.set()
        told = work.result()
    assert sum(map(bool, told.values())) >= 2
    for path, body in {**bodies, HERE: here, "/acme/other/1": here}.items():
        wait_until(lambda path=path, body=body: a.put(path, body).status in (200, 201), "it is taken")
        wait_for_having(b, body, path)
