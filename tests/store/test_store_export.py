# SPDX-License-Identifier: Apache-2.0
"""`larder store export`: what a bucket has comes into a data folder, which then serves it alone."""
import json
import subprocess

import pytest

from conftest import DEADLINE_S, Store, binary
from support.daemon import assert_problem
from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.modules import digest, module, tfjs_module
from test_nodes import PATH, assert_has, bucket, fetch, node  # noqa: F401


@pytest.fixture
def filled(node, upstream):  # noqa: F811
    """A node over a bucket with two modules that were published, one that was mirrored, and one that was withdrawn."""
    upstream.serve("/hub/model/1", module(seed=9))
    daemon = node("a", upstreams=[upstream.url])
    daemon.publish(PATH, module(seed=1))
    daemon.publish("/acme/other/3", module(seed=2))
    assert fetch(daemon, "/hub/model/1").status == 200
    daemon.publish("/acme/gone/1", module(seed=3))
    assert daemon.request("DELETE", "/acme/gone/1", {"Authorization": f"Bearer {daemon.token('withdraw:*')}"}).status == 200
    return daemon


def run(store, data, *words):
    return subprocess.run([binary(), "store", "export", "--config", str(store.config), "--data", str(data), *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S)


def told(store, data, *words, status=0):
    done = run(store, data, "--json", *words)
    assert done.returncode == status, done
    told = json.loads(done.stdout)
    return {(item["path"], item["result"]) for item in told["items"] if "topic" not in item}, told


ALL = {("acme/half-plus-two/1", "taken"), ("acme/other/3", "taken"), ("hub/model/1", "taken"), ("acme/gone/1", "withdrawn")}


def test_a_bucket_comes_into_a_folder(filled, objects, start):  # noqa: F811
    """Into that of a daemon that runs; a second time changes nothing, and what was taken is served without the bucket."""
    alone = start({}, (), "alone")
    assert told(objects, alone.data, "--dry-run")[0] == ALL and not alone.blobs()
    assert told(objects, alone.data)[0] == ALL
    filled.stop()
    items, report = told(objects, alone.data)
    assert {result for _, result in items} == {"there"} and report["complete"]
    for body, path in ((module(seed=1), PATH), (module(seed=2), "/acme/other/3"), (module(seed=9), "/hub/model/1")):
        assert_has(alone, body, path)
    assert_problem(fetch(alone, "/acme/gone/1"), 410, "gone")
    for path, source, who in (("/hub/model/1", "mirrored", None), ("/acme/other/3", "published", "ci-publish")):
        shown = alone.get("/api/v1/modules" + path).json()
        assert (shown["source"], shown["published_by"]) == (source, who)


def test_into_a_new_folder_and_back(filled, objects, tmp_path):
    done = run(objects, tmp_path / "new")
    assert done.returncode == 0 and "took 3 artifacts" in done.stdout and "taken\thub/model/1 (tf-hub)" in done.stdout, done
    back = Store(tmp_path / "back", objects.endpoint, prefix=objects.keys["prefix"] + "-back", timeout_s=60)
    sent = subprocess.run([binary(), "store", "import", "--config", str(back.config), "--data", str(tmp_path / "new")], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S)
    assert sent.returncode == 0, sent
    assert bucket(back, "gone/") == bucket(objects, "gone/")
    for under in ("ids/", "blobs/"):
        # All but those of the version that was withdrawn.
        assert set(bucket(back, under)) < set(bucket(objects, under)) and len(bucket(back, under)) == 3


def test_other_bytes_in_the_folder_stay(filled, objects, start):  # noqa: F811
    alone = start({}, (), "alone")
    alone.publish(PATH, module(seed=7))
    alone.publish("/acme/other/3", module(seed=2))
    assert alone.request("DELETE", "/acme/other/3", {"Authorization": f"Bearer {alone.token('withdraw:*')}"}).status == 200
    assert told(objects, alone.data, status=1)[0] == {("acme/half-plus-two/1", "conflict"), ("acme/other/3", "left"), ("hub/model/1", "taken"),
                                                      ("acme/gone/1", "withdrawn")}
    assert_has(alone, module(seed=7))


def test_a_tombstone_is_of_the_same_bytes(filled, objects, start):  # noqa: F811
    """Other bytes under that name are not withdrawn with what had it in the bucket; the same ones are."""
    filled.publish("/acme/same/1", module(seed=4))
    assert filled.request("DELETE", "/acme/same/1", {"Authorization": f"Bearer {filled.token('withdraw:*')}"}).status == 200
    alone = start({}, (), "alone")
    alone.publish("/acme/gone/1", module(seed=8))
    alone.publish("/acme/same/1", module(seed=4))
    for words in (("--dry-run",), (), ()):
        items, _ = told(objects, alone.data, *words, status=1)
        assert ("acme/gone/1", "conflict") in items
        assert {("acme/same/1", "withdrawn"), ("acme/same/1", "there")} & items
    assert_has(alone, module(seed=8), "/acme/gone/1")
    assert_problem(fetch(alone, "/acme/same/1"), 410, "gone")


def test_a_version_that_was_mirrored_and_published_comes_whole(node, upstream, objects, start):  # noqa: F811
    """Its published format sorts first, and no mirrored one may join a version that is published."""
    upstream.serve("/hub/both/1", tfjs_module())
    a = node("a", upstreams=[upstream.url])
    alone = start({}, (), "alone")
    assert a.get("/hub/both/1?tfjs-format=compressed").status == 200
    a.publish("/hub/both/1", module(seed=4))
    _, report = told(objects, alone.data)
    assert {item["format"]: item["result"] for item in report["items"] if item["path"] == "hub/both/1"} == {"tf-hub": "taken", "tfjs": "taken"}
    a.stop()
    assert alone.get("/hub/both/1?tfjs-format=compressed").body == tfjs_module()
    assert_has(alone, module(seed=4), "/hub/both/1")


def test_bytes_that_are_damaged_or_lost_are_not_kept(filled, objects, tmp_path):
    keys = {key.rsplit("/", 1)[1]: key for key in bucket(objects, "blobs/")}
    assert objects.ask("put", keys[digest(module(seed=1))], "other bytes")[0] == "done"
    for seed in (2, 9):
        assert objects.ask("delete", keys[digest(module(seed=seed))])[0] == "done"
    items, _ = told(objects, tmp_path / "new", status=1)
    assert items == {("acme/half-plus-two/1", "failed"), ("acme/other/3", "failed"), ("hub/model/1", "left"), ("acme/gone/1", "withdrawn")}
    assert not list((tmp_path / "new").rglob("blobs/*/*"))


def test_a_nodes_own_folder_is_refused(filled, objects):
    """What was published may go from there."""
    filled.stop()
    done = run(objects, filled.data)
    assert done.returncode == 1 and "folder of a node over a bucket" in done.stderr, done


def test_a_dry_run_makes_no_folder(filled, objects, tmp_path):
    done = run(objects, tmp_path / "new", "--dry-run")
    assert done.returncode == 1 and "a dry run makes no data folder" in done.stderr and not (tmp_path / "new").exists(), done
