# SPDX-License-Identifier: Apache-2.0
"""Two nodes over two gateways of one Ceph: what is kept on one is there on the other, and nothing ever has two contents."""
import concurrent.futures
import http.client
import shutil
import signal
import subprocess
import threading

import pytest

from ceph import DEADLINE_S, KEY, SECRET
from conftest import Store, own_prefix
from relay import Relay
from support.daemon import assert_problem, binary
from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.kagglehub import New
from support.modules import digest, module
from support.upstream import Answer
from support.waiting import wait_until
from test_disk import small_disk  # noqa: F401

PATH, QUERY = "/acme/half-plus-two/1", "?tf-hub-format=compressed"
HALF_PLUS_TWO = "c5hmqp9fd1gmophde1m7aspdehrmu"  # in the keys of acme/half-plus-two
ROUNDS = 100


@pytest.fixture
def node(ceph, tmp_path, start, history):  # noqa: F811
    """Starts nodes over the bucket, below a prefix of this test's own: node(name, gateway, …)."""
    credentials = tmp_path / "credentials"
    credentials.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")

    def begin(name, gateway=0, upstreams=(), endpoint=None, **sections):
        store = {"kind": "s3", "endpoint": endpoint or ceph.urls[gateway], "bucket": "models", "prefix": f"n/{own_prefix(tmp_path)}",
                 "credentials_file": credentials, "timeout_s": 60, "connect_timeout_s": 60, **sections.pop("store", {})}
        daemon = start({"store": store, **sections}, upstreams, name)
        daemon.store = store
        daemon.witness = history.witness(store["prefix"], name)
        daemon.again = lambda: begin(name, gateway, upstreams, endpoint, store=store, **sections)
        return daemon

    return begin


@pytest.fixture
def nodes(node):
    return node("a", 0), node("b", 1)


def fetch(node, path=PATH):
    return node.get(path + QUERY)


def assert_has(node, body, path=PATH):
    reply = fetch(node, path)
    assert reply.status == 200 and digest(reply.body) == digest(body), reply


def bucket(gateways_store, under):
    return [line.split()[0] for line in gateways_store.run("list", under, 1000).splitlines()[:-1]]


# ---- published ----


def test_published_on_one_and_had_on_the_other(nodes, objects):
    a, b = nodes
    body = module()
    assert a.put(PATH, body).status == 201
    assert bucket(objects, "blobs/") == [f"blobs/sha256/{digest(body)[:2]}/{digest(body)}"] and len(bucket(objects, "ids/")) == 1
    assert b.head(PATH + QUERY).headers["Content-Length"] == str(len(body))
    assert_has(b, body)
    assert_has(b, body)
    shown = b.get("/api/v1/modules" + PATH).json()
    assert (shown["source"], shown["published_by"]) == ("published", "ci-publish")
    # The same bytes are there already, on each; other bytes never will be.
    assert a.put(PATH, body).status == b.put(PATH, body).status == 200
    for daemon in nodes:
        assert_problem(daemon.put(PATH, module(seed=2)), 409, "conflict")
        assert_problem(daemon.get(PATH + "?tfjs-format=compressed"), 404, "not-found")


def test_what_the_other_has_not_seen_is_there_already(nodes):
    a, b = nodes
    body = module()
    assert a.put(PATH, body).status == 201
    assert_problem(b.put(PATH, module(seed=2)), 409, "conflict")
    assert b.put(PATH, body).status == 200
    assert_has(b, body)


def test_one_wins_in_every_round(nodes):
    """Other bytes on each node at the same instant: one 201, one 409, and both serve the winner."""
    bodies = [module(size=200, seed=seed) for seed in (1, 2)]
    won = set()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for turn in range(ROUNDS):
            path = f"/acme/round/{turn + 1}"
            told = list(pool.map(lambda n: nodes[n].put(path, bodies[n]).status, (0, 1)))
            assert sorted(told) == [201, 409], (turn, told)
            winner = told.index(201)
            won.add(winner)
            for daemon in nodes:
                assert_has(daemon, bodies[winner], path)
    assert won


def test_the_same_bytes_at_the_same_instant(nodes):
    body = module(size=200)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for turn in range(10):
            told = list(pool.map(lambda n: nodes[n % 2].put(f"/acme/same/{turn + 1}", body).status, range(4)))
            assert sorted(told) == [200, 200, 200, 201], (turn, told)


def test_an_empty_disk_serves_what_was_published(node):
    a = node("a")
    bodies = {f"/acme/model-{number}/1": module(seed=number, size=50_000 * number) for number in range(1, 4)}
    for path, body in bodies.items():
        a.publish(path, body)
    a.stop()
    shutil.rmtree(a.data / "blobs")
    for path in a.data.glob("larder.db*"):
        path.unlink()
    a.start()
    for path, body in bodies.items():
        assert_has(a, body, path)


def test_the_cache_has_a_bound(node):
    """What was published may go from the disk: the bucket has it."""
    a = node("a", store={"cache_bytes": "500K"})
    bodies = {f"/acme/model-{number}/1": module(seed=number, size=200_000) for number in range(1, 6)}
    for path, body in bodies.items():
        a.publish(path, body)
    for path, body in bodies.items():
        assert_has(a, body, path)
        a.wait_for_idle()
        assert sum(file.stat().st_size for file in (a.data / "blobs").rglob("*") if file.is_file()) <= 500 << 10
    problem = assert_problem(a.put("/acme/large/1", module(size=600_000)), 507, "no-space")
    assert "cache_bytes" in problem["detail"], problem


def test_withdrawn_on_one_is_gone_on_the_other(nodes):
    a, b = nodes
    a.publish(PATH, module())
    token = {"Authorization": f"Bearer {a.token('withdraw:*')}"}
    assert a.request("DELETE", PATH, token).status == 200
    for daemon in (b, a):
        assert_problem(fetch(daemon), 410, "gone")
        assert daemon.head(PATH + QUERY).status == 410
        assert_problem(daemon.put(PATH, module()), 410, "gone")
    assert_problem(b.request("DELETE", PATH, token), 410, "gone")


def test_withdrawn_by_one_that_has_it_not(nodes):
    a, b = nodes
    a.publish(PATH, module())
    token = {"Authorization": f"Bearer {a.token('withdraw:*')}"}
    assert b.request("DELETE", PATH, token).status == 200
    assert_problem(fetch(b), 410, "gone")
    assert_problem(b.request("DELETE", "/acme/nothing/1", token), 404, "not-found")


# ---- whose folder it is ----


def refused(daemon):
    """Starts a daemon that refuses to serve; what it says."""
    done = subprocess.run([binary(), "serve", "--config", str(daemon.config_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S,
                          cwd=daemon.folder)
    assert done.returncode == 78 and "store import" in done.stderr and not done.stdout, done
    return done.stderr


def test_a_folder_is_not_taken_for_the_index_of_a_bucket_that_has_it_not(node, start, objects):  # noqa: F811
    """One that was alone, also where it was an index before, and that of another bucket. It loses nothing by that."""
    body = module()
    alone = start({}, (), "a")
    alone.publish(PATH, body)
    alone.stop()
    over = node("b")
    over.publish(PATH, module(seed=2))
    settings = {"store": over.store}
    over.stop()
    alone.configure(settings)
    assert "no bucket's" in refused(alone)
    alone.configure({})
    alone.start()
    assert_has(alone, body)
    over.configure({"store": {**over.store, "prefix": objects.keys["prefix"] + "/other"}})
    assert "another bucket's" in refused(over)
    over.configure(settings)
    over.start()
    assert_has(over, module(seed=2))
    over.stop()
    over.configure({})
    over.start()
    over.stop()
    over.configure(settings)
    assert "no bucket's" in refused(over)
    assert len(bucket(objects, "store-id")) == 1


def test_a_bundle_does_not_come_into_a_nodes_folder_beside_its_bucket(node, tmp_path):
    a = node("a")
    a.stop()
    (tmp_path / "b.tar").write_bytes(b"")
    done = subprocess.run([binary(), "import", str(tmp_path / "b.tar"), "--data", str(a.data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=DEADLINE_S)
    assert done.returncode == 1 and "over a bucket" in done.stderr, done


# ---- mirrored ----


def test_fetched_by_one_and_had_on_the_other(node, upstream):  # noqa: F811
    a, b = node("a", 0, [upstream.url]), node("b", 1, [upstream.url])
    body = module(size=200_000)
    upstream.serve("/google/model/1", body)
    for daemon in (a, b):
        assert_has(daemon, body, "/google/model/1")
    assert upstream.count("/google/model/1") == 1
    assert b.get("/api/v1/modules/google/model/1").json()["source"] == "mirrored"


def test_had_also_where_no_upstream_may_be_asked(node, upstream):  # noqa: F811
    a, b = node("a", 0, [upstream.url]), node("b", 1, [upstream.url], mirror={"offline": "on", "deny": "google/*"})
    body = module()
    upstream.serve("/google/model/1", body)
    assert_has(a, body, "/google/model/1")
    assert_has(b, body, "/google/model/1")
    assert_problem(fetch(b, "/google/none/1"), 403, "blocked-by-policy")
    assert_problem(fetch(b, "/acme/none/1"), 504, "offline")
    assert_problem(fetch(a, "/acme/none/1"), 404, "not-found")


def test_what_was_absent_is_had_once_another_has_it(node, upstream):  # noqa: F811
    """What upstream did not have is remembered, and asked of nobody but the bucket."""
    a, b = node("a", 0, [upstream.url]), node("b", 1, [upstream.url])
    assert_problem(fetch(b), 404, "not-found")
    assert_problem(fetch(b), 404, "not-found")
    assert upstream.count(PATH) == 1
    a.publish(PATH, module())
    assert_has(b, module())


def test_what_is_remembered_as_absent_costs_one_request(front, node, upstream):  # noqa: F811
    """Whether another node has it by now; and none to upstream."""
    a = node("a", endpoint=front.url, upstreams=[upstream.url])
    assert_problem(fetch(a), 404, "not-found")
    wait_until(lambda: a.metric("larder_leases_held") == 0, "the lease is gone")
    front.script.seen.clear()
    for _ in range(3):
        assert_problem(fetch(a), 404, "not-found")
    assert [method for method, path, _ in front.script.seen if HALF_PLUS_TWO in path] == ["GET"] * 3
    assert upstream.count(PATH) == 1


def test_an_upload_that_is_given_up_is_not_waited_for(front, node):
    """The store says nothing to its bytes, and would be asked again; who ends the node does not wait for that."""
    a = node("a", endpoint=front.url)
    body = module(size=200_000)
    taken = front.script.next

    def next_act(method, path, headers):
        act = taken(method, path, headers)
        return "silent" if method == "PUT" and digest(body) in path else act

    front.script.next = next_act
    head = f"PUT {PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {a.token()}\r\nContent-Length: {len(body)}\r\n\r\n"
    with a.dial(head.encode() + body):
        wait_until(lambda: any(method == "PUT" and digest(body) in path for method, path, _ in list(front.script.seen)), "its bytes are on their way")
        a.stop()
    assert sum(method == "PUT" and digest(body) in path for method, path, _ in front.script.seen) == 1
    assert not [key for key in front.objects if "/ids/" in key]
    front.script.next = taken
    a.start()
    assert a.put(PATH, body).status == 201


def test_an_upstream_that_changed_its_bytes(node, upstream):  # noqa: F811
    """Both fetch at once, since one does not reach the other, and upstream has other bytes for the second: what the first kept is the version, on both."""
    lease = {"lease_ttl_s": 5, "poll_interval_s": 1}
    a = node("a", 0, [upstream.url], store=lease)
    b = node("b", 1, [upstream.url], store={**lease, "node_url": "http://127.0.0.1:9"})
    first, second = module(seed=1, size=200_000), module(seed=2, size=200_000)
    held = Answer(second)
    upstream.serve("/google/model/1", held, first)
    held.before = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        late = pool.submit(fetch_all, b, "/google/model/1")
        upstream.wait_for_requests(1, "/google/model/1")
        assert_has(a, first, "/google/model/1")
        held.before.set()
        assert late.result() is None or late.result() != second
    b.wait_for_idle()
    for daemon in (a, b):
        assert_has(daemon, first, "/google/model/1")


def fetch_all(daemon, path):
    """The body, None where it did not come whole or was refused."""
    try:
        reply = fetch(daemon, path)
    except (http.client.HTTPException, OSError):
        return None
    return reply.body if reply.status == 200 else None


# ---- bytes that are lost ----


def lose_blob(objects, body):
    assert objects.ask("delete", f"blobs/sha256/{digest(body)[:2]}/{digest(body)}")[0] == "done"


def test_lost_bytes_are_fetched_again(node, upstream, objects):  # noqa: F811
    a, b = node("a", 0, [upstream.url]), node("b", 1, [upstream.url])
    body = module(size=200_000)
    upstream.serve("/google/model/1", body)
    assert_has(a, body, "/google/model/1")
    lose_blob(objects, body)
    assert_has(b, body, "/google/model/1")
    assert upstream.count("/google/model/1") == 2 and len(bucket(objects, "blobs/")) == 1


def test_lost_bytes_are_not_replaced_by_others(node, upstream, objects):  # noqa: F811
    a, b = node("a", 0, [upstream.url]), node("b", 1, [upstream.url])
    body = module(size=200)
    upstream.serve("/google/model/1", body, module(seed=2, size=200))
    assert_has(a, body, "/google/model/1")
    lose_blob(objects, body)
    assert_problem(fetch(b, "/google/model/1"), 451, "quarantined")


def test_lost_bytes_that_were_published_are_told(nodes, objects):
    a, b = nodes
    body = module(size=200)
    a.publish(PATH, body)
    lose_blob(objects, body)
    problem = assert_problem(fetch(b), 502, "upstream-failed")
    assert digest(body) in problem["detail"] and "the bucket has lost a module's bytes" in b.log()
    assert_has(a, body)
    assert a.put(PATH, body).status == 200
    assert_has(b, body)


def test_damaged_bytes_are_not_served(nodes, objects, tmp_path):
    """Those of a store that lies, or of somebody who wrote there."""
    a, b = nodes
    body, other = module(size=300_000), tmp_path / "other"
    a.publish(PATH, body)
    other.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    assert objects.ask("file", f"blobs/sha256/{digest(body)[:2]}/{digest(body)}", other)[0] == "done"
    assert fetch_all(b, PATH) is None
    assert b.blobs() == []


# ---- the store is away ----


@pytest.fixture
def behind_relay(ceph, node):
    relay = Relay(ceph.ports[0])
    yield relay, node("a", endpoint=relay.url, store={"timeout_s": 2, "connect_timeout_s": 2, "poll_interval_s": 1})
    relay.close()


def store_of(daemon):
    return daemon.get("/readyz").json()["store"]


def test_hits_go_on_without_the_store(behind_relay):
    relay, a = behind_relay
    body = module()
    a.publish(PATH, body)
    assert store_of(a) == {"reads": True, "writes": True}
    relay.close()
    for _ in range(3):
        assert_has(a, body)
    for reply in (fetch(a, "/acme/other/1"), a.put("/acme/other/1", body), a.request("DELETE", PATH, {"Authorization": f"Bearer {a.token('withdraw:*')}"})):
        assert_problem(reply, 503, "store-unavailable")
        assert int(reply.headers["Retry-After"]) > 0
    wait_until(lambda: store_of(a) == {"reads": False, "writes": False}, "it says that it has no store")
    assert a.get("/readyz").status == 200
    relay.open()
    wait_until(lambda: store_of(a) == {"reads": True, "writes": True}, "it says that it has one again")
    assert a.put("/acme/other/1", body).status == 201
    assert_has(a, body)


@pytest.fixture
def gateway(ceph):
    """One to do harm to."""
    opened = ceph.gateway()
    yield opened
    opened.stop()


def test_a_store_that_hangs_holds_up_nobody_for_long(gateway, node):
    a = node("a", endpoint=gateway.url, store={"timeout_s": 1, "connect_timeout_s": 1})
    body = module()
    a.publish(PATH, body)
    gateway.signal(signal.SIGSTOP)
    try:
        assert_problem(a.put("/acme/other/1", body), 503, "store-unavailable")
        assert_problem(fetch(a, "/acme/other/1"), 503, "store-unavailable")
        assert_has(a, body)
    finally:
        gateway.signal(signal.SIGCONT)
    wait_until(lambda: a.put("/acme/other/1", body).status in (200, 201), "it is published once the store answers")


# ---- what changes while bytes come from the bucket ----


@pytest.fixture
def over_front(front, node, tmp_path):
    """A node over a store with a script, and what one asks that store of it: published there is PATH. act() is called before each request for the
    bytes is answered, and says how."""
    tool = Store(tmp_path / "scripted", front.url, prefix=f"n/{own_prefix(tmp_path)}")
    body = tmp_path / "module"
    body.write_bytes(module(size=20_000))
    assert tool.vault("keep", PATH.strip("/"), "tf-hub", body, "published", "n1") == "new"
    taken, tool.act = front.script.next, lambda: None
    front.script.next = lambda method, path, headers: (method == "GET" and "/blobs/" in path and tool.act()) or taken(method, path, headers)
    return node("a", endpoint=front.url), tool


def test_what_is_withdrawn_while_its_bytes_come_is_gone(over_front):
    """And stays so, without anybody telling."""
    a, tool = over_front
    tool.act = lambda: tool.vault("withdraw", PATH.strip("/"), "here") and None
    assert_problem(fetch(a), 410, "gone")
    assert a.blobs() == []


def test_what_is_lost_while_it_comes_is_not_unknown(over_front, front):
    a, tool = over_front
    acts = ["cut"]

    def act():
        if not acts:
            for key in [key for key in front.objects if "/blobs/" in key]:
                del front.objects[key]
        return acts.pop() if acts else None

    tool.act = act
    assert_problem(fetch(a), 502, "upstream-failed")
    assert_problem(fetch(a), 502, "upstream-failed")


def test_hints_are_found_by_the_stores_clock(front, node, tmp_path):
    """It is five hours behind those of the nodes."""
    tool = Store(tmp_path / "scripted", front.url, prefix=f"n/{own_prefix(tmp_path)}")
    a, b = (node(name, endpoint=front.url, store={"poll_interval_s": 1}) for name in "ab")
    a.publish(PATH, module())
    assert_has(b, module())
    front.script.skew_s = -5 * 3600
    front.script.seen.clear()
    wait_until(lambda: sum("feed%2F" in path or "feed/" in path for _, path, _ in list(front.script.seen)) > 4, "both have listed by that clock")
    tool.vault("withdraw", PATH.strip("/"), "here")
    for daemon in (a, b):
        wait_until(lambda: fetch(daemon).status == 410, "it is gone")


def test_a_store_that_is_away_is_told_as_such_also_between_polls(behind_relay):
    """Whichever of all that asks the store has found out."""
    relay, a = behind_relay
    relay.close()
    replies = []
    wait_until(lambda: replies.append(fetch(a, f"/acme/none/{len(replies) + 1}")) or "other nodes change" in a.log(), "it has looked")
    replies += [fetch(a, f"/acme/other/{number}") for number in range(1, 20)]
    assert {(reply.status, reply.json()["code"]) for reply in replies} == {(503, "store-unavailable")}


# ---- kagglehub ----


def test_kagglehub_uploads_behind_what_other_nodes_have(nodes):
    """The next number is the next of all nodes', also where this one has seen none of the others, or of these that one is withdrawn."""
    a, b = nodes
    files = {"model.weights.h5": b"HDF", "config.json": b"{}"}
    handle = "acme/half/keras/one"
    first, second = (New("http://localhost/api/v1", daemon.token("publish:*"), proxy=daemon.address) for daemon in nodes)
    for _ in range(3):
        first.model_upload(handle, files)
    assert a.request("DELETE", f"/{handle}/2", {"Authorization": f"Bearer {a.token('withdraw:*')}"}).status == 200
    second.model_upload(handle, {**files, "more": b"more"})
    assert b.get(f"/api/v1/modules/{handle}/4").status == 200
    first.model_upload(handle, files)
    assert a.get(f"/api/v1/modules/{handle}/5").status == 200


def test_kagglehub_numbers_are_not_tried_one_by_one(front, node):
    """A node that has listed nothing yet asks once for all that the others have, also where these are more than it would try."""
    rare = {"poll_interval_s": 60, "lease_ttl_s": 120}
    a, b = (node(name, endpoint=front.url, store=rare) for name in "ab")
    handle = "acme/half/keras/one"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        told = pool.map(lambda number: a.put(f"/{handle}/{number}?archive-format=compressed", module(size=200, seed=number)).status, range(1, 71))
        assert set(told) == {201}
    front.script.seen.clear()
    client = New("http://localhost/api/v1", b.token("publish:*"), proxy=b.address)
    client.model_upload(handle, {"model.weights.h5": b"HDF", "config.json": b"{}"})
    assert len(front.script.seen) < 50
    assert b.get(f"/api/v1/modules/{handle}/71").status == 200


# ---- there is no room for it ----


@pytest.mark.parametrize("kept", ["other bytes", "the same bytes", "a tombstone", "nothing"])
def test_what_passes_through_is_compared_with_the_bucket(small_disk, node, upstream, objects, tmp_path, kept):  # noqa: F811
    """Which another node has kept meanwhile."""
    (small_disk / "larder" / "data").mkdir(parents=True)
    a = node("disk/larder", 0, [upstream.url], storage={"keep_free_bytes": 0})
    body, path = module(size=40 << 20), "/google/big/1"
    answer = Answer(body, chunked=True, ranges=True, etag='"big"', gate=threading.Event(), gate_after=4 << 20)
    upstream.serve(path, answer)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        client = pool.submit(fetch_all, a, path)
        upstream.wait_for_requests(1, path)
        wait_until(lambda: a.metric("larder_leases_held") == 1, "it has asked what the others have")
        (tmp_path / "kept").write_bytes(body if kept == "the same bytes" else module(seed=2))
        if "bytes" in kept:
            assert objects.vault("keep", path.strip("/"), "tf-hub", tmp_path / "kept", "mirrored", "n1") == "new"
        elif kept == "a tombstone":
            assert objects.vault("withdraw", path.strip("/"), "here") == "withdrawn"
        answer.gate.set()
        told = client.result()
    assert told == (body if kept in ("the same bytes", "nothing") else None)
    a.wait_for_idle()
    assert a.blobs() == []
