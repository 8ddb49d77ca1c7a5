# SPDX-License-Identifier: Apache-2.0
"""What any node has kept, all list: soon after it was kept, and also where a node comes without anything."""
import contextlib
import datetime
import shutil
import sqlite3

import pytest

from relay import Relay
from support.daemon import assert_problem
from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.modules import module, tfjs_module
from support.waiting import wait_until
from test_safety import module_with
from test_nodes import PATH, QUERY, assert_has, bucket, fetch, node  # noqa: F401

STORE = {"poll_interval_s": 1, "lease_ttl_s": 5}
RARE = {"poll_interval_s": 60, "lease_ttl_s": 120}
TFJS = "?tfjs-format=compressed"
MANY = 150  # more than are written down at once


@pytest.fixture
def trio(node):  # noqa: F811
    return [node(name, number % 2, store=STORE) for number, name in enumerate("abc")]


def details(daemon, path=PATH):
    reply = daemon.get("/api/v1/modules" + path)
    return reply.json() if reply.status == 200 else None


def wait_for_listed(daemon, path=PATH):
    return wait_until(lambda: details(daemon, path), "it is listed")


def withdraw(daemon, path=PATH):
    reply = daemon.request("DELETE", path, {"Authorization": f"Bearer {daemon.token('withdraw:*')}"})
    assert reply.status == 200, reply


def wipe(daemon):
    """A new disk."""
    daemon.stop()
    shutil.rmtree(daemon.data)
    daemon.tokens.clear()


# ---- what is shown ----


def test_all_list_what_one_has(trio):
    a, b, c = trio
    body = module()
    began = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    a.publish(PATH, body)
    shown = wait_for_listed(c)
    artifact, = shown["artifacts"]
    own, = details(a)["artifacts"]
    assert (shown["source"], shown["published_by"], shown["state"]) == ("published", "ci-publish", "active")
    # For all it was made when it came into the bucket; its own node wrote it down right after that.
    assert began <= shown["created_at"] <= details(a)["created_at"]
    assert (artifact["digest"], artifact["size_bytes"], artifact["cached"]) == (own["digest"], len(body), False)
    # What only the bytes tell is not known yet, and nothing is said in its place.
    assert artifact["files"] is None and artifact["unpacked_bytes"] is None and shown["saved_model"] is None
    assert artifact.get("unavailable") is None
    assert c.blobs() == [] and c.metric("larder_hearsay_total") == 1 and a.metric("larder_hearsay_total") == 0
    summary, = c.get("/api/v1/modules?q=half").json()["modules"]
    assert (summary["handle"], summary["latest_version"], summary["cached"]) == ("acme/half-plus-two", 1, False)
    page = c.get(PATH).body.decode()
    assert "acme/half-plus-two" in page and own["digest"].removeprefix("sha256:")[:12] in page
    assert c.get("/acme/half-plus-two" + QUERY).status in (301, 302, 303, 307, 308, 200)
    # Once they are here, all of it is.
    assert_has(c, body)
    wait_until(lambda: details(c)["artifacts"][0]["cached"], "it is here")
    assert details(c)["saved_model"] == details(a)["saved_model"] and details(c)["artifacts"][0]["files"] == own["files"]
    assert details(c)["artifacts"][0]["unpacked_bytes"] == own["unpacked_bytes"]
    assert c.get("/api/v1/modules?op=" + "Placeholder").json()["total"] == a.get("/api/v1/modules?op=" + "Placeholder").json()["total"]
    assert details(b)["artifacts"][0]["cached"] is False


def test_files_of_what_was_only_heard_of(trio):
    """None is known, and each can be had."""
    a, b, _ = trio
    a.publish(PATH, module())
    wait_for_listed(b)
    assert b.get("/api/v1/files" + PATH).json() == {"files": [], "total": 0, "next": None, "truncated": True}
    path = a.get("/api/v1/files" + PATH).json()["files"][0]["path"]
    theirs, own = (daemon.get(f"{PATH}/{path}?tf-hub-format=file") for daemon in (b, a))
    assert theirs.status == own.status == 200 and theirs.body == own.body
    assert b.get("/api/v1/files" + PATH).json()["total"] == a.get("/api/v1/files" + PATH).json()["total"]


def test_who_kept_it_tells_of_it(node, tmp_path):  # noqa: F811
    """The webhooks and the audit of the others say nothing of it."""
    secret = tmp_path / "secret"
    secret.write_text("a secret in plain letters")
    secret.chmod(0o600)
    hook = {"webhook ci": {"url": "http://127.0.0.1:9/", "secret_file": secret}}
    a, b = (node(name, number, store=STORE, **hook) for number, name in enumerate("ab"))
    a.publish(PATH, module())
    wait_for_listed(b)
    assert_has(b, module())
    withdraw(a)
    wait_until(lambda: details(b)["state"] == "withdrawn", "it is withdrawn")
    assert rows(a, "SELECT event FROM webhook_queue ORDER BY id") == [("published",), ("withdrawn",)]
    assert rows(b, "SELECT event FROM webhook_queue ORDER BY id") == [("withdrawn",)]
    assert rows(b, "SELECT count(*) FROM audit WHERE action = 'publish'") == [(0,)]


def rows(daemon, statement):
    with contextlib.closing(sqlite3.connect(daemon.data / "larder.db")) as opened:
        return opened.execute(statement).fetchall()


def test_the_latest_and_what_is_mirrored(node, upstream):  # noqa: F811
    a, b = node("a", 0, [upstream.url], store=STORE), node("b", 1, store=STORE)
    for version in (1, 2):
        upstream.serve(f"/google/model/{version}", module(seed=version))
        assert_has(a, module(seed=version), f"/google/model/{version}")
    for version in (1, 2):
        assert wait_for_listed(b, f"/google/model/{version}")["source"] == "mirrored"
    summary, = b.get("/api/v1/modules?q=model").json()["modules"]
    assert (summary["latest_version"], summary["versions"]) == (2, [1, 2])
    assert_has(b, module(seed=2), "/google/model/2")


def test_what_was_mirrored_and_is_published(node, upstream):  # noqa: F811
    """Also where the others had it as mirrored, and in a format beside it."""
    a, b, c = node("a", 0, [upstream.url], store=STORE), node("b", 1, store=STORE), node("c", 0, store=STORE)
    body, other = module(), tfjs_module()
    upstream.serve(PATH, body)
    assert_has(a, body)
    assert wait_for_listed(b)["source"] == "mirrored"
    assert b.put(PATH, body).status == 200
    for daemon in (a, c):
        wait_until(lambda: (details(daemon) or {}).get("source") == "published", "it is published")
        assert details(daemon)["published_by"] == "ci-publish"
    assert b.put(PATH + TFJS, other).status == 201
    for daemon in (a, c):
        wait_until(lambda: len(details(daemon)["artifacts"]) == 2, "it has two formats")
        assert_has(daemon, body)
        assert daemon.get(PATH + TFJS).body == other


def test_a_published_format_comes_before_the_mirrored_one(node, upstream):  # noqa: F811
    """What is asked for first decides nothing."""
    a = node("a", 0, [upstream.url], store=STORE)
    body, other = module(), tfjs_module()
    upstream.serve(PATH, body)
    assert_has(a, body)
    assert a.put(PATH + TFJS, other).status == 201
    b = node("b", 1, store={**STORE, **RARE})
    assert b.get(PATH + TFJS).body == other
    assert_has(b, body)


def test_requests_wait_for_no_list(node):  # noqa: F811
    a, b = node("a", 0, store=STORE), node("b", 1, store={**STORE, **RARE})
    a.publish(PATH, module())
    assert_has(b, module())
    assert a.put(PATH + TFJS, tfjs_module()).status == 201
    assert b.get(PATH + TFJS).body == tfjs_module()
    assert_problem(b.put("/acme/half-plus-two/1", module(seed=2)), 409, "conflict")


def test_what_is_held_back_is_so_under_each_name(node):  # noqa: F811
    """Its bytes are on this disk already when another node keeps them under another name."""
    a, b = node("a", 0, store=STORE), node("b", 1, store=STORE, safety={"published": "quarantine"})
    body = module_with("WriteFile")
    a.publish("/acme/writer/1", body)
    assert_problem(fetch(b, "/acme/writer/1"), 451, "quarantined")
    assert len(b.blobs()) == 1
    a.publish("/other/writer/1", body)
    a.publish(PATH, module())
    wait_for_listed(b)
    assert_problem(fetch(b, "/other/writer/1"), 451, "quarantined")
    assert details(b, "/other/writer/1")["state"] == "quarantined"
    # Both heard of before either is here: what is found in one is not given out as the other.
    late = module_with("WriteFile", "ReadFile")
    for path in ("/acme/late/1", "/other/late/1"):
        a.publish(path, late)
    for path in ("/acme/late/1", "/other/late/1"):
        wait_for_listed(b, path)
    for path in ("/acme/late/1", "/other/late/1"):
        assert_problem(fetch(b, path), 451, "quarantined")
    # What nothing was found in is here at once.
    assert_has(b, module())
    a.publish("/other/model/1", module())
    assert wait_for_listed(b, "/other/model/1")["artifacts"][0]["cached"] is True


# ---- nodes that come with nothing ----


def publish_many(daemon):
    bodies = {f"/acme/many-{number}/1": module(size=200, seed=number) for number in range(MANY)}
    for path, body in bodies.items():
        daemon.publish(path, body)
    return bodies


def total(daemon):
    return daemon.get("/api/v1/modules?limit=1").json()["total"]


def test_a_node_whose_disk_was_wiped(trio):
    a, b, c = trio
    bodies = publish_many(a)
    gone = "/acme/many-7/1"
    withdraw(b, gone)
    wipe(c)
    c.start()
    wait_until(lambda: total(c) == MANY - 1, lambda: f"all is listed: {total(c)}")
    assert fetch(c, gone).status == 410 and details(c, gone)["state"] == "withdrawn"
    for path, body in bodies.items():
        if path != gone:
            assert_has(c, body, path)
    assert len(c.blobs()) == MANY - 1
    # And all of them.
    for daemon in trio:
        wipe(daemon)
    a.start()
    wait_until(lambda: total(a) == MANY - 1, lambda: f"all is listed: {total(a)}")
    assert_has(a, bodies["/acme/many-9/1"], "/acme/many-9/1")


def test_a_listing_goes_on_after_the_store_was_away(ceph, node):  # noqa: F811
    a = node("a", 0, store=STORE)
    publish_many(a)
    relay = Relay(ceph.ports[0])
    try:
        b = node("b", endpoint=relay.url, store={**STORE, "timeout_s": 2, "connect_timeout_s": 2})
        relay.close()
        relay.open()
        wait_until(lambda: total(b) == MANY, lambda: f"all is listed: {total(b)}")
        relay.close()
        assert total(b) == MANY
        assert_problem(fetch(b, "/acme/many-1/1"), 503, "store-unavailable")
        relay.open()
        wait_until(lambda: fetch(b, "/acme/many-1/1").status == 200, "it is had again")
    finally:
        relay.close()


def test_a_hint_that_is_missing_is_made_up_for(trio, objects):
    a, b, _ = trio
    b.stop()
    a.publish(PATH, module())
    hints = bucket(objects, "feed/")
    assert [hint.split("/", 2)[2] for hint in hints] == bucket(objects, "ids/")
    for hint in hints:
        assert objects.ask("delete", hint)[0] == "done"
    b.start()
    wait_for_listed(b)


@pytest.mark.parametrize("text", ["x", "x" * (32 << 10)], ids=["none", "large"])
def test_an_identity_that_is_none_is_passed_over(trio, objects, text):
    a, b, _ = trio
    a.publish(PATH, module())
    b.stop()
    key, = bucket(objects, "ids/")
    assert objects.ask("put", key.replace("/1/", "/2/"), text)[0] == "done"
    b.start()
    wait_until(lambda: "what another node has kept is not listed here" in b.log(), "it is told")
    wait_for_listed(b)
    assert details(b, "/acme/half-plus-two/2") is None
    assert_problem(fetch(b, "/acme/half-plus-two/2"), 502, "upstream-failed")
    # Which says nothing of the store: what has to be read there is had at once.
    assert_has(b, module())


def test_a_spelling_that_another_has_published_is_had_before_it_is_listed(node):  # noqa: F811
    """It is no other module's, as one that the catalog of this node knows alone would have it."""
    a, b = node("a", store=STORE), node("b", 1, store={"poll_interval_s": 60, "lease_ttl_s": 120})
    wait_until(lambda: "what all nodes have was listed" in b.log(), "all was listed")
    for path in ("/acme/m/TensorFlow2/v/1", "/acme/n/tensor_flow_2/v/1"):
        a.publish(path, module())
        assert_has(b, module(), path)
    a.publish("/acme/m/TensorFlow2/v/2", module(seed=2))
    assert_has(b, module(seed=2), "/acme/m/TensorFlow2/v/2")
