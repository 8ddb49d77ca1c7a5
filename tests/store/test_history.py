# SPDX-License-Identifier: Apache-2.0
"""The check that is made after each test of nodes finds what it is there for."""
import pytest

from history import History, artifact_of
from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.modules import digest, module, tfjs_module
from test_following import Client, pool  # noqa: F401
from test_nodes import PATH, QUERY, fetch, node  # noqa: F401


@pytest.mark.parametrize("path, found", [
    ("/acme/a/1?tf-hub-format=compressed", ("acme/a/1", "tf-hub")), ("/acme/a/b/2?lite-format=tflite", ("acme/a/b/2", "tflite")),
    ("/-/t/word/acme/a/1?tfjs-format=compressed", ("acme/a/1", "tfjs")), ("/acme/a/1", ("acme/a/1", None)),
    ("/acme/a/1/model.json?tfjs-format=file", None), ("/acme/a/1?tfjs-format=file", None), ("/api/v1/modules/acme/a/1", None), ("/metrics", None)])
def test_addresses_of_artifacts(path, found):
    assert artifact_of(path) == found


@pytest.fixture
def apart(start):  # noqa: F811
    """Two that share nothing, taken for two nodes of one bucket, and what they said."""
    told = History()
    both = [start({}, (), name) for name in "ab"]
    for daemon, name in zip(both, "ab"):
        daemon.witness = told.witness("one", name)
    return *both, told


def assert_found(told, *bodies):
    fault, = told.faults()
    assert PATH.strip("/") in fault and all(digest(body)[:12] in fault for body in bodies)
    with pytest.raises(AssertionError, match="two contents"):
        told.check()


def test_the_same_bytes_are_no_fault(apart):
    a, b, told = apart
    for daemon in (a, b):
        daemon.publish(PATH, module())
        assert fetch(daemon).status == 200 and daemon.head(PATH + QUERY).status == 200
        assert daemon.get("/api/v1/modules" + PATH).status == 200
    # Another format, another version and documentation have bytes of their own.
    assert a.put(PATH + "?tfjs-format=compressed", tfjs_module()).status == 201
    a.publish("/acme/half-plus-two/2", module(seed=2))
    assert a.put(PATH, b"# asset\nText.\n", content_type="text/markdown").status in (200, 201)
    told.check()
    assert len(told.seen) == 3


def test_two_that_are_taken_are_found(apart):
    a, b, told = apart
    bodies = module(), module(seed=2)
    for daemon, body in zip((a, b), bodies):
        daemon.publish(PATH, body)
    assert_found(told, *bodies)


@pytest.mark.parametrize("ask", [fetch, lambda daemon: daemon.head(PATH + QUERY), lambda daemon: daemon.get(PATH + QUERY, range="bytes=0-9"),
                                 lambda daemon: daemon.get("/api/v1/modules" + PATH)], ids=["body", "head", "part", "json"])
def test_two_that_are_given_are_found(apart, ask):
    """In whichever way they are told of."""
    a, b, told = apart
    bodies = module(), module(seed=2)
    for daemon, body in zip((a, b), bodies):
        daemon.publish(PATH, body)
    told.seen.clear()
    for daemon in (a, b):
        assert ask(daemon).status in (200, 206)
    assert_found(told, *bodies)


def test_who_reads_piece_by_piece_is_a_witness(apart, pool):  # noqa: F811
    a, b, told = apart
    bodies = module(), module(seed=2)
    for daemon, body in zip((a, b), bodies):
        daemon.publish(PATH, body)
    told.seen.clear()
    assert [Client(daemon, pool, PATH).result() for daemon in (a, b)] == [digest(body) for body in bodies]
    assert_found(told, *bodies)


def test_the_nodes_of_a_bucket_are_looked_at(node, history):  # noqa: F811
    """The check is at work where nodes are started as all tests do."""
    a, b = node("a"), node("b", 1)
    a.publish(PATH, module())
    assert fetch(b).status == 200
    (key, digests), = history.seen.items()
    assert key[1:] == (PATH.strip("/"), "tf-hub") and set(digests) == {digest(module())}
    assert {what[:2] for whats in digests.values() for what in whats} == {"a:", "b:"}
