# SPDX-License-Identifier: Apache-2.0
"""`larder store import`: what a data folder has comes into a bucket, and nodes over it serve that."""
import json
import subprocess

import pytest

from conftest import DEADLINE_S, Store, binary
from support.daemon import assert_problem
from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.modules import digest, module, tfjs_module
from test_nodes import PATH, QUERY, assert_has, bucket, fetch, node, refused  # noqa: F401


@pytest.fixture
def folder(start, make_upstream):  # noqa: F811
    """A daemon on a folder with two modules that were published, one that was mirrored, and one that was withdrawn."""
    hub = make_upstream()
    hub.serve("/hub/model/1", module(seed=9))
    daemon = start({}, [hub.url], "folder")
    daemon.publish(PATH, module(seed=1))
    daemon.publish("/acme/other/3", module(seed=2))
    assert daemon.get("/hub/model/1" + QUERY).status == 200
    daemon.publish("/acme/gone/1", module(seed=3))
    assert daemon.request("DELETE", "/acme/gone/1", {"Authorization": f"Bearer {daemon.token('withdraw:*')}"}).status == 200
    return daemon


def run(store, data, *words):
    return subprocess.run([binary(), "store", "import", "--config", str(store.config), "--data", str(data), *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S)


def told(store, data, *words, status=0):
    done = run(store, data, "--json", *words)
    assert done.returncode == status, done
    told = json.loads(done.stdout)
    return {(item["path"], item["result"]) for item in told["items"] if "topic" not in item}, told


def test_a_folder_comes_into_a_bucket(folder, objects, node):  # noqa: F811
    """While its daemon runs, and after it has gone; a second time changes nothing."""
    wanted = {("acme/half-plus-two/1", "sent"), ("acme/other/3", "sent"), ("hub/model/1", "sent"), ("acme/gone/1", "withdrawn")}
    items, _ = told(objects, folder.data, "--dry-run")
    assert items == wanted and not bucket(objects, "ids/") + bucket(objects, "blobs/") + bucket(objects, "gone/")
    done = run(objects, folder.data)
    assert done.returncode == 0 and "sent 3 artifacts" in done.stdout and "sent\tacme/other/3 (tf-hub)" in done.stdout, done
    assert len(bucket(objects, "ids/")) == 3 and len(bucket(objects, "gone/")) == 1
    assert sorted(key.rsplit("/", 1)[1] for key in bucket(objects, "blobs/")) == sorted(digest(module(seed=seed)) for seed in (1, 2, 9))
    folder.stop()
    items, report = told(objects, folder.data)
    assert {result for _, result in items} == {"there"} and report["complete"] and report["totals"]["sent"] == 0
    a = node("a")
    assert_has(a, module(seed=1))
    assert_has(a, module(seed=9), "/hub/model/1")
    assert_problem(fetch(a, "/acme/gone/1"), 410, "gone")
    assert_problem(a.put(PATH, module(seed=5)), 409, "conflict")
    # A node over the bucket serves from the folder itself now; what a daemon alone takes there is not in the bucket.
    folder.configure({"store": a.store})
    folder.start()
    assert_has(folder, module(seed=1))
    assert folder.put("/acme/more/1", module(seed=6)).status == 201
    assert_has(a, module(seed=6), "/acme/more/1")
    folder.stop()
    folder.configure({})
    folder.start()
    done = run(objects, folder.data)
    assert done.returncode == 0 and "stop it" in done.stderr, done
    folder.stop()
    folder.configure({"store": a.store})
    refused(folder)
    assert run(objects, folder.data).returncode == 0
    folder.start()
    assert_has(folder, module(seed=6), "/acme/more/1")
    for path, source, who in (("/hub/model/1", "mirrored", None), ("/acme/other/3", "published", "ci-publish")):
        assert fetch(a, path).status == 200
        shown = a.get("/api/v1/modules" + path).json()
        assert (shown["source"], shown["published_by"]) == (source, who)


def test_what_lacks_is_sent_by_the_next_run(folder, objects):
    told(objects, folder.data)
    lost = [next(key for key in bucket(objects, "blobs/") if digest(module(seed=2)) in key), bucket(objects, "ids/")[0]]
    for key in lost:
        assert objects.ask("delete", key)[0] == "done"
    items, report = told(objects, folder.data)
    assert report["totals"]["sent"] + report["totals"]["named"] in (1, 2) and report["totals"]["there"] >= 2
    assert set(lost) <= set(bucket(objects, "blobs/") + bucket(objects, "ids/"))


def test_other_bytes_in_the_bucket_stay(folder, objects, node):  # noqa: F811
    """The conflict is named, and the rest goes on; what is withdrawn there stays so."""
    a = node("a")
    a.publish(PATH, module(seed=7))
    a.publish("/acme/other/3", module(seed=2))
    assert a.request("DELETE", "/acme/other/3", {"Authorization": f"Bearer {a.token('withdraw:*')}"}).status == 200
    items, _ = told(objects, folder.data, status=1)
    assert items == {("acme/half-plus-two/1", "conflict"), ("acme/other/3", "left"), ("hub/model/1", "sent"), ("acme/gone/1", "withdrawn")}
    done = run(objects, folder.data)
    assert done.returncode == 1 and "conflict\tacme/half-plus-two/1 (tf-hub): the bucket has other bytes" in done.stderr, done
    assert_has(a, module(seed=7))
    assert_problem(fetch(a, "/acme/other/3"), 410, "gone")
    folder.stop()
    assert run(objects, folder.data).returncode == 1
    folder.configure({"store": a.store})
    refused(folder)


def test_a_tombstone_is_of_the_same_bytes(folder, objects, node):  # noqa: F811
    """Other bytes under that name are not withdrawn with what had it here; the same ones are."""
    folder.publish("/acme/same/1", module(seed=4))
    assert folder.request("DELETE", "/acme/same/1", {"Authorization": f"Bearer {folder.token('withdraw:*')}"}).status == 200
    a = node("a")
    a.publish("/acme/gone/1", module(seed=8))
    a.publish("/acme/same/1", module(seed=4))
    for words in (("--dry-run",), (), ()):
        items, _ = told(objects, folder.data, *words, status=1)
        assert ("acme/gone/1", "conflict") in items
        assert {("acme/same/1", "withdrawn"), ("acme/same/1", "there")} & items
    assert len(bucket(objects, "gone/")) == 1
    assert_has(a, module(seed=8), "/acme/gone/1")
    assert_problem(fetch(node("b"), "/acme/same/1"), 410, "gone")


def test_a_version_that_was_mirrored_and_published_comes_whole(start, make_upstream, objects, node):  # noqa: F811
    """Its published format sorts first, and no mirrored one may join a version that is published."""
    hub = make_upstream()
    hub.serve("/hub/both/1", tfjs_module())
    folder = start({}, [hub.url], "folder")
    assert folder.get("/hub/both/1?tfjs-format=compressed").status == 200
    folder.publish("/hub/both/1", module(seed=4))
    _, report = told(objects, folder.data)
    assert {item["format"]: item["result"] for item in report["items"] if item["path"] == "hub/both/1"} == {"tf-hub": "sent", "tfjs": "sent"}
    folder.stop()
    a = node("a")
    assert a.get("/hub/both/1?tfjs-format=compressed").body == tfjs_module()
    assert_has(a, module(seed=4), "/hub/both/1")


def damage(folder, wanted):
    """One bit, so that its length stays."""
    blob = next(path for path in folder.data.rglob(wanted))
    blob.chmod(0o640)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)


def test_a_damaged_file_is_not_sent(folder, objects):
    folder.stop()
    wanted = digest(module(seed=1))
    damage(folder, wanted)
    items, _ = told(objects, folder.data, status=1)
    assert ("acme/half-plus-two/1", "failed") in items and ("acme/other/3", "sent") in items
    assert not any(wanted in key for key in bucket(objects, "blobs/")) and len(bucket(objects, "ids/")) == 2


def test_a_damaged_file_is_not_sent_over_good_bytes(folder, objects):
    """Also where the bucket has them without a name, and of what goes in parts."""
    large = module(size=(64 << 20) + 1000, seed=4)
    folder.publish("/acme/large/1", large)
    told(objects, folder.data)
    folder.stop()
    for key in bucket(objects, "ids/"):
        assert objects.ask("delete", key)[0] == "done"
    for body in (module(seed=1), large):
        damage(folder, digest(body))
    items, report = told(objects, folder.data, status=1)
    assert items == {("acme/half-plus-two/1", "failed"), ("acme/large/1", "failed"), ("acme/other/3", "named"), ("hub/model/1", "named"),
                     ("acme/gone/1", "there")}
    assert report["complete"]
    for body in (module(seed=1), large):
        assert objects.vault("read", digest(body), 0, -1) == digest(body)


def test_what_was_evicted_keeps_its_name(folder, objects, start, make_upstream, node):  # noqa: F811
    """Its digest counts for ever, also where its bytes come from the upstream again."""
    folder.stop()
    next(folder.data.rglob(digest(module(seed=9)))).unlink()
    items, _ = told(objects, folder.data)
    assert ("hub/model/1", "named") in items
    changed = make_upstream()
    changed.serve("/hub/model/1", module(seed=10))
    assert_problem(fetch(node("a", upstreams=[changed.url]), "/hub/model/1"), 451, "quarantined")


def test_a_store_that_is_away_ends_it(folder, front, tmp_path):
    """Nothing is said to be there that is not; the same command goes on."""
    store = Store(tmp_path / "scripted", front.url)
    front.script.after("PUT", 14, lambda: front.script.on("PUT", *["error"] * 200))
    done = run(store, folder.data, "--json")
    assert done.returncode == 1 and not json.loads(done.stdout)["complete"] and "bucket cannot be used now" in done.stderr, done
    front.script.acts.clear()
    _, report = told(store, folder.data)
    assert report["complete"] and sum("/ids/" in key and "/feed/" not in key for key in front.objects) == 3 and sum("/blobs/" in key for key in front.objects) == 3


def test_a_store_that_ignores_conditions_gets_nothing(folder, front, tmp_path):
    front.script.ignores_conditions = True
    done = run(Store(tmp_path / "scripted", front.url), folder.data)
    assert done.returncode == 78 and "cannot be trusted" in done.stderr, done
    assert not any("/ids/" in key or "/blobs/" in key for key in front.objects)
