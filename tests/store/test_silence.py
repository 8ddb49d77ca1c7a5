# SPDX-License-Identifier: Apache-2.0
"""A store that says nothing: whoever needs it waits or is refused, and all others go on."""
import contextlib
import threading

import pytest

from support.daemon import assert_problem
from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.modules import module
from support.waiting import wait_until
from test_following import pool  # noqa: F401
from test_nodes import PATH, assert_has, fetch, node  # noqa: F401
from test_tidings import withdraw

WORKERS = 4
STORE = {"timeout_s": 30, "connect_timeout_s": 30, "poll_interval_s": 1, "lease_ttl_s": 5}


@pytest.fixture
def hush(front):
    """with hush(word): what is asked of the store with that word in its address waits for the end of that; gives the list of such."""

    @contextlib.contextmanager
    def silent(word):
        serve, over, asked = front.script.next, threading.Event(), []

        def wait(method, path, headers):
            if word in path and not over.is_set():
                asked.append((method, path))
                over.wait(60)
            return serve(method, path, headers)

        front.script.next = wait
        try:
            yield asked
        finally:
            over.set()
            front.script.next = serve

    return silent


def assert_all_goes_on(daemon):
    for path in ("/api/v1/modules", "/api/v1/stats", "/", "/acme/half-plus-two"):
        assert daemon.get(path, Accept="text/html" if path == "/" else "application/json").status == 200, path


def test_strict_leaves_half_of_the_workers(front, node, hush, pool):  # noqa: F811
    """Those who wait have their answer in the end; the others are refused and told when to come again."""
    a = node("a", endpoint=front.url, store={**STORE, "strict": "on"}, server={"workers": WORKERS})
    body = module()
    a.publish(PATH, body)
    assert_has(a, body)
    with hush("/gone/") as asked:
        replies = [pool.submit(fetch, a) for _ in range(4 * WORKERS)]
        wait_until(lambda: sum(reply.done() for reply in replies) == 4 * WORKERS - WORKERS // 2, "all but those who wait are answered")
        refused = [reply.result() for reply in replies if reply.done()]
        for reply in refused:
            assert_problem(reply, 503, "store-unavailable")
            assert int(reply.headers["Retry-After"]) > 0
        assert len(asked) == WORKERS // 2
        assert_all_goes_on(a)
    for reply in replies:
        assert reply.result() in refused or reply.result().status == 200
    assert_has(a, body)
    withdraw(a)
    assert_problem(fetch(a), 410, "gone")


def test_names_of_another_spelling_leave_half_of_the_workers(front, node, hush, pool):  # noqa: F811
    """Which anybody may ask for."""
    a = node("a", endpoint=front.url, store=STORE, server={"workers": WORKERS})
    body = module()
    a.publish(PATH, body)
    with hush("/") as asked:
        replies = [pool.submit(a.get, f"/acme/n{number}/tensorflow2/y/7") for number in range(4 * WORKERS)]
        wait_until(lambda: sum(reply.done() for reply in replies) == 4 * WORKERS - WORKERS // 2, "all but those who wait are answered")
        assert len([path for _, path in asked if "/gone/" in path]) == WORKERS // 2
        assert_all_goes_on(a)
        assert_has(a, body)
    assert {reply.result().status for reply in replies} == {404}


def test_what_nobody_has_as_it_is_written_is_asked_once(front, node):
    """Until the node is told of it anyway."""
    a = node("a", endpoint=front.url, store={**STORE, "poll_interval_s": 60})
    b = node("b", endpoint=front.url, store=STORE)
    path = "/acme/n/tensorflow2/y/7"
    assert a.get(path).status == 404
    seen = len([1 for _, asked, _ in front.script.seen if "/feed/" not in asked and "prefix" not in asked])
    for _ in range(3):
        assert a.get(path).status == 404
    assert len([1 for _, asked, _ in front.script.seen if "/feed/" not in asked and "prefix" not in asked]) <= seen + 1
    b.publish("/acme/n/TensorFlow2/y/8", module())
    assert_has(a, module(), "/acme/n/TensorFlow2/y/8")


@pytest.mark.parametrize("word", ["/gone/", "/ids/", "/blobs/"])
def test_an_upload_that_is_given_up_waits_for_no_answer(front, node, hush, word):
    """Whatever the store was asked for it; who ends the node does not wait either."""
    a = node("a", endpoint=front.url, store={**STORE, "timeout_s": 3600})
    body = module()
    head = f"PUT {PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {a.token()}\r\nContent-Length: {len(body)}\r\n\r\n"
    with hush(word) as asked, a.dial(head.encode() + body):
        wait_until(lambda: asked, "the store is asked")
        a.stop()
    assert not [key for key in front.objects if "/ids/" in key and "/feed/" not in key]
    a.start()
    assert a.put(PATH, body).status == 201
