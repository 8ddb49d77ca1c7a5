# SPDX-License-Identifier: Apache-2.0
"""`larder import` on a node over a bucket: a bundle's modules are all nodes' before they are on record, and what others have decides."""
import fcntl
import json
import subprocess

import pytest

from conftest import DEADLINE_S, binary
from support import carried
from support.bundle_writer import Bundle
from support.carried import X, Y
from support.daemon import assert_problem
from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.modules import module
from support.waiting import wait_until
from test_nodes import assert_has, bucket, fetch, node  # noqa: F401
from test_notes import documented
from test_store_import import run as store_import
from test_tidings import STORE


@pytest.fixture
def pair(node):  # noqa: F811
    """The first one brings. It looks seldom what others have kept: what it heard of before it has recorded it counts as had."""
    seldom = {"poll_interval_s": 60, "lease_ttl_s": 120}
    a, b = node("a", 0, store=seldom), node("b", 1, store=STORE)
    wait_until(lambda: "what all nodes have was listed" in a.log(), "all was listed")
    return a, b


def brought(daemon, path, *options, way="folder", status=0):
    """What an import came to: on the node's own folder, or into the running daemon."""
    place = daemon.place() + ("--data", str(daemon.data)) if way == "folder" else ("--server", daemon.url, "--token", daemon.token("admin"))
    done = subprocess.run([binary(), "import", str(path), *place, "--json", *options], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == status, done
    return json.loads(done.stdout)


@pytest.mark.parametrize("way", ["folder", "daemon"])
def test_what_it_brings_is_had_on_all(pair, objects, tmp_path, way):  # noqa: F811
    a, b = pair
    path = carried.sample().tar(tmp_path / "b.tar")
    dry = brought(a, path, "--dry-run", way=way) if way == "folder" else None
    assert not bucket(objects, "ids/") and (not dry or dry["new"] == 3)
    told = brought(a, path, way=way)
    assert (told["new"], told["withdrawn"], told["recorded"]) == (3, 1, True)
    assert len(bucket(objects, "ids/")) == 2 and len(bucket(objects, "gone/")) == 1
    for daemon in (a, b):
        assert_has(daemon, X, "/acme/x/1")
        assert_has(daemon, Y, "/google/y/2")
        assert_problem(fetch(daemon, "/acme/old/1"), 410, "gone")
        wait_until(lambda: documented(daemon, "/acme/x/1") == carried.DOC, "it is documented")
    shown = b.get("/api/v1/modules/google/y/2").json()
    assert (shown["source"], shown["upstream"]) == ("mirrored", "tfhub")
    again = brought(a, path, way=way)
    assert (again["new"], again["changed"], again["recorded"]) == (0, 0, False)
    other = brought(b, path, way=way)
    assert other["refused"] == 0 and len(bucket(objects, "ids/")) == 2


@pytest.mark.parametrize("way", ["folder", "daemon"])
def test_what_contradicts_the_others_is_named_and_nothing_is_sent(node, objects, tmp_path, way):  # noqa: F811
    """Of what this node has not heard of."""
    a, b = node("a", store=STORE), node("b", 1, store={"poll_interval_s": 60, "lease_ttl_s": 120})
    wait_until(lambda: "what all nodes have was listed" in b.log(), "all was listed")
    a.publish("/acme/x/1", module(seed=5))
    before = bucket(objects, "ids/")
    path = carried.sample().tar(tmp_path / "b.tar")
    told = brought(b, path, way=way, status=1)
    assert told["refused"] == 1 and not told["recorded"] and "all nodes have" in json.dumps(told)
    assert bucket(objects, "ids/") == before and not bucket(objects, "gone/")
    told = brought(b, path, "--partial", way=way, status=1)
    assert told["refused"] == 1 and told["recorded"]
    assert_has(a, Y, "/google/y/2")
    for daemon in (a, b):
        assert_has(daemon, module(seed=5), "/acme/x/1")


def test_where_the_store_went_away_the_same_command_goes_on(node, front, tmp_path):  # noqa: F811
    a = node("a", endpoint=front.url, store={**STORE, "timeout_s": 2, "connect_timeout_s": 2})
    bodies = {f"acme/many-{number}/1": module(seed=number) for number in range(6)}
    bundle = Bundle()
    for name, body in bodies.items():
        bundle.add(name, {"tf-hub": body})
    path = bundle.tar(tmp_path / "b.tar")
    serve = front.script.next

    def fail(method, path, headers):
        kept = len([key for key in front.objects if "/ids/" in key and "/feed/" not in key])
        return "slow" if kept >= 3 and "/probe/" not in path else serve(method, path, headers)

    front.script.next = fail
    told = brought(a, path, status=1)
    assert not told["recorded"] and a.get("/api/v1/modules").status == 200
    front.script.next = serve
    told = brought(a, path)
    assert told["recorded"] and told["copied"]["blobs"] == 0
    for name, body in bodies.items():
        assert_has(a, body, f"/{name}")


def test_what_all_have_is_not_sent_again(node, front, tmp_path):  # noqa: F811
    """Whoever goes on with an import that was broken off sends the rest, and no more."""
    a, b = (node(name, endpoint=front.url, store=STORE) for name in "ab")
    names = [f"acme/many-{number}/1" for number in range(3)]
    bundle = Bundle()
    for number, name in enumerate(names):
        bundle.add(name, {"tf-hub": module(seed=number)})
    path = bundle.tar(tmp_path / "b.tar")
    brought(a, path)
    key = sorted(key for key in front.objects if "/ids/" in key and "/feed/" not in key)[-1]
    del front.objects[key]
    front.script.seen.clear()
    brought(b, path)
    written = [path for method, path, _ in front.script.seen if method == "PUT" and "/probe/" not in path]
    assert key in front.objects and len([path for path in written if "/blobs/" in path]) <= 1
    assert [path for path in written if "/ids/" in path and "/feed/" not in path and "feed%2F" not in path] == [f"/models/{key}"]
    for number, name in enumerate(names):
        assert_has(b, module(seed=number), f"/{name}")


def test_one_command_at_a_time_brings_something(start, objects, tmp_path):  # noqa: F811
    """None may note that the bucket has all, while another brings more."""
    daemon = start({}, (), "folder")
    path = carried.sample().tar(tmp_path / "b.tar")
    with open(daemon.data / "work.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for done in (daemon.larder("import", str(path), check=False), store_import(objects, daemon.data),
                     subprocess.run([binary(), "store", "export", "--config", str(objects.config), "--data", str(daemon.data)], capture_output=True, text=True, timeout=DEADLINE_S)):
            assert done.returncode == 1 and "another import or export" in done.stderr, done
    assert not bucket(objects, "ids/") and daemon.larder("import", str(path)).returncode == 0
