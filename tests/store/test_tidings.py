# SPDX-License-Identifier: Apache-2.0
"""What one node withdraws, those that have it know of soon: by hints, and where these are missing, by a listing."""
import pytest

from conftest import Store
from support.daemon import assert_problem
from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.modules import module
from support.waiting import wait_until
from test_nodes import PATH, QUERY, assert_has, bucket, fetch, node  # noqa: F401

STORE = {"poll_interval_s": 1, "lease_ttl_s": 5}


@pytest.fixture
def trio(node):  # noqa: F811
    return [node(name, number % 2, store=STORE) for number, name in enumerate("abc")]


def withdraw(daemon, path=PATH):
    reply = daemon.request("DELETE", path, {"Authorization": f"Bearer {daemon.token('withdraw:*')}"})
    assert reply.status == 200, reply


def wait_for_gone(daemon, path=PATH):
    wait_until(lambda: fetch(daemon, path).status == 410, "it is gone")


def test_what_is_withdrawn_is_gone_where_it_is_served(trio):
    """Also from the response cache, the lists and the disk."""
    for number in (1, 2):
        trio[0].publish(f"/acme/model/{number}", module(seed=number))
    for daemon in trio:
        for number in (1, 2):
            for _ in range(2):
                assert_has(daemon, module(seed=number), f"/acme/model/{number}")
    withdraw(trio[1], "/acme/model/2")
    for daemon in trio:
        wait_for_gone(daemon, "/acme/model/2")
        assert len(daemon.blobs()) == 1
        assert daemon.head("/acme/model/2" + QUERY).status == 410
        assert_has(daemon, module(seed=1), "/acme/model/1")
    assert trio[0].metric("larder_tidings_total") == trio[2].metric("larder_tidings_total") == 1
    assert trio[1].metric("larder_tidings_total") == 0


def test_who_was_away_learns_it_at_the_start(trio):
    trio[0].publish(PATH, module())
    for daemon in trio:
        assert_has(daemon, module())
    trio[2].stop()
    withdraw(trio[0])
    trio[2].start()
    wait_for_gone(trio[2])


def test_a_hint_that_is_missing_is_made_up_for(trio, objects):  # noqa: F811
    trio[0].publish(PATH, module())
    assert_has(trio[1], module())
    withdraw(trio[0])
    hints = bucket(objects, "feed/")
    assert bucket(objects, "gone/") == [hint.split("/", 2)[2] for hint in hints if "/gone/" in hint]
    for hint in hints:
        assert objects.ask("delete", hint)[0] == "done"
    trio[1].restart()
    wait_for_gone(trio[1])


def test_old_hints_go(trio, objects):  # noqa: F811
    old = [f"feed/{number:016x}-00000000/gone/none" for number in (1, 2, (1 << 40))]
    for key in old:
        assert objects.ask("put", key, "x")[0] == "done", key
    trio[0].publish(PATH, module())
    withdraw(trio[0])
    trio[1].restart()
    wait_until(lambda: not set(old) & set(bucket(objects, "feed/")), "those of long ago are gone")
    assert len(bucket(objects, "feed/")) == 2


def test_what_is_no_hint_is_passed_over(trio, objects, tmp_path):  # noqa: F811
    trio[0].publish(PATH, module())
    assert_has(trio[1], module())
    (tmp_path / "empty").write_bytes(b"")
    for key in ("feed/none", "feed/9999999999999999-00000000/gone/none", "feed/9999999999999999-00000000/later/none", "gone/none"):
        assert objects.ask("put", key, "x")[0] == "done", key
    withdraw(trio[0])
    wait_for_gone(trio[1])


@pytest.mark.parametrize("act", ["denied", "error", (200, b"x" * 20000), "silent"], ids=["denied", "error", "long", "silent"])
def test_what_cannot_be_read_holds_up_nothing_else(node, front, act):  # noqa: F811
    """Nor what was kept: one identity alone, of which there is no answer, or none that can be used."""
    a, b = (node(name, endpoint=front.url, store={**STORE, "timeout_s": 2, "connect_timeout_s": 2}) for name in "ab")
    a.publish(PATH, module())
    assert_has(b, module())
    b.stop()
    before = set(front.objects)
    a.publish("/acme/bad/1", module(seed=2))
    bad, = (key for key in set(front.objects) - before if "/ids/" in key and "/feed/" not in key)
    withdraw(a)
    a.publish("/acme/good/1", module(seed=3))
    a.stop()
    serve = front.script.next

    def fail(method, path, headers):
        found = serve(method, path, headers)
        return act if method == "GET" and path.partition("?")[0].endswith(bad) else found

    front.script.next = fail
    b.start()
    wait_for_gone(b)
    wait_until(lambda: b.get("/api/v1/modules/acme/good/1").status == 200, "it is listed")
    wait_until(lambda: "what all nodes have was listed" in b.log(), "all was listed")
    assert b.get("/api/v1/modules/acme/bad/1").status == 404
    front.script.next = serve
    b.restart()
    for name in ("bad", "good"):
        wait_until(lambda: b.get(f"/api/v1/modules/acme/{name}/1").status == 200, "it is listed")


def test_without_strict_within_the_interval_and_with_it_at_once(node):  # noqa: F811
    """The second hears of nothing by itself meanwhile, and has it on its disk and in its memory."""
    slow = {"poll_interval_s": 60, "lease_ttl_s": 120}
    a, lax, strict = node("a", store=STORE), node("lax", 1, store=slow), node("strict", 1, store={**slow, "strict": "on"})
    for number in (1, 2):
        a.publish(f"/acme/model/{number}", module(seed=number))
        for daemon in (lax, strict):
            for _ in range(3):
                assert_has(daemon, module(seed=number), f"/acme/model/{number}")
    inside = "/acme/model/1/saved_model.pb?tf-hub-format=file"
    assert strict.get(inside).status == 200
    withdraw(a, "/acme/model/1")
    assert fetch(lax, "/acme/model/1").status == 200
    assert_problem(fetch(strict, "/acme/model/1"), 410, "gone")
    withdraw(a, "/acme/model/2")
    assert strict.head("/acme/model/2" + QUERY).status == 410
    assert_problem(strict.get(inside), 410, "gone")
    assert strict.get("/api/v1/modules/acme/model/1").json()["state"] == "withdrawn"
    assert not strict.blobs() and len(lax.blobs()) == 2


def test_strict_gives_nothing_out_while_the_store_is_away(node, front):  # noqa: F811
    store = {**STORE, "timeout_s": 2, "connect_timeout_s": 2}
    lax, strict = node("lax", endpoint=front.url, store=store), node("strict", endpoint=front.url, store={**store, "strict": "on"})
    lax.publish(PATH, module())
    for daemon in (lax, strict):
        for _ in range(2):
            assert_has(daemon, module())
    serve = front.script.next
    front.script.next = lambda method, path, headers: "slow"
    problem = fetch(strict)
    assert_problem(problem, 503, "store-unavailable")
    assert int(problem.headers["Retry-After"]) > 0
    assert_has(lax, module())
    front.script.next = serve
    wait_until(lambda: fetch(strict).status == 200, "the store is back")


# ---- who is told of what is kept ----


def hints_refused(front):
    """Has the store refuse whatever tells of an identity, until that is called."""
    serve = front.script.next
    front.script.next = lambda method, path, headers: (method == "PUT" and "feed/" in path and "/ids/" in path and serve(method, path, headers) is None and "slow") or serve(
        method, path, headers)

    def end():
        front.script.next = serve

    return end


def wait_for_listing(daemon, path=PATH):
    wait_until(lambda: daemon.get("/api/v1/modules" + path).status == 200, "it is listed")


def test_what_others_cannot_be_told_of_is_not_published(front, node):
    """Else it would be listed nowhere but here for a day."""
    a, b = (node(name, endpoint=front.url, store=STORE) for name in "ab")
    end = hints_refused(front)
    assert_problem(a.put(PATH, module()), 503, "store-unavailable")
    assert not [key for key in front.objects if "/ids/" in key]
    end()
    wait_until(lambda: a.put(PATH, module()).status == 201, "the store is back")
    wait_for_listing(b)


def test_to_publish_again_tells_the_others(front, node):
    """Whatever became of who published it first."""
    a, b = (node(name, endpoint=front.url, store=STORE) for name in "ab")
    wait_until(lambda: "what all nodes have was listed" in b.log(), "all was listed")
    body = module()
    c = node("c", endpoint=front.url, store=STORE)
    c.publish(PATH, body)
    c.stop()
    for daemon in (a, b):
        wait_for_listing(daemon)
    before = {key for key in front.objects if "/feed/" in key}
    assert a.put(PATH, body).status == 200
    assert [key for key in front.objects if "/feed/" in key and "/ids/" in key and key not in before]
