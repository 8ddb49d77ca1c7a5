# SPDX-License-Identifier: Apache-2.0
"""larder backup and restore: while the daemon serves, whatever happens to it; and a restored one gives every body bit for bit."""
import json
import os
import shutil
import sqlite3
import subprocess
import threading

import pytest
from support import modules
from support.command_line import run
from support.daemon import assert_problem
from support.waiting import DEADLINE_S
from test_verify import FORMAT, HARM, blob_of, flip


def backup(larder, folder, *words, status=0):
    done = larder.larder("backup", folder, "--json", *words, check=False)
    assert done.returncode == status, done
    return json.loads(done.stdout)


def restore(folder, data, status=0, *words):
    done = run("restore", folder, "--data", data, "--json", *words, status=status)
    return json.loads(done.stdout)


def blobs_of(folder):
    return {path.name for path in (folder / "blobs").rglob("?" * 64)}


def publish_some(larder, count, first=0):
    bodies = {f"/acme/m{i}/1": modules.module(3000, seed=i) for i in range(first, first + count)}
    for path, body in bodies.items():
        larder.publish(path, body)
    return bodies


def assert_has(larder, bodies):
    for path, body in bodies.items():
        reply = larder.get(f"{path}?{FORMAT}")
        assert reply.status == 200 and reply.body == body, path


@pytest.fixture
def revive(start, tmp_path):
    """A daemon on what a backup is restored into."""
    def make(folder, name="revived", status=0, upstreams=()):
        data = tmp_path / name / "data"
        report = restore(folder, data, status)
        daemon = start(name=name, upstreams=upstreams)
        daemon.report = report
        return daemon
    return make


@pytest.mark.concurrent
def test_what_is_restored_is_what_was(upstream, start, revive, tmp_path):
    larder = start(upstreams=[upstream.url])
    bodies = publish_some(larder, 5)
    for i in range(2):
        body = modules.module(4000, seed=100 + i)
        upstream.serve(f"/google/m{i}/1", body)
        bodies[f"/google/m{i}/1"] = body
    assert_has(larder, bodies)
    larder.put("/acme/m0/1", b"# Words\n", Content_Type="text/markdown")
    larder.wait_for_idle()
    report = backup(larder, tmp_path / "b")
    assert (report["blobs"], report["new_blobs"], report["left_out"], report["index_only"]) == (7, 7, [], False)
    assert report["bytes"] == sum(map(len, bodies.values()))
    assert not list((tmp_path / "b").rglob("*-wal")) and not list((tmp_path / "b/drafts").iterdir())
    second = revive(tmp_path / "b")
    assert second.report["blobs"] == 7
    before = upstream.count()
    assert_has(second, bodies)
    assert upstream.count() == before
    assert second.get("/api/v1/documentation/acme/m0/1", accept="text/markdown").body == b"# Words\n"
    assert second.put("/acme/m0/2", modules.module(3000, seed=7), token=larder.token()).status == 201, "tokens, too"
    assert second.larder("audit", "--verify").returncode == 0 and second.larder("verify").returncode == 0
    assert not (second.data / "restoring").exists()


def test_it_grows_by_what_is_new(larder, revive, tmp_path):
    bodies = publish_some(larder, 3)
    folder = tmp_path / "b"
    assert backup(larder, folder)["new_blobs"] == 3
    times = {path: path.stat().st_mtime_ns for path in (folder / "blobs").rglob("?" * 64)}
    bodies |= publish_some(larder, 2, first=3)
    withdrawn = "/acme/m0/1"
    assert larder.request("DELETE", withdrawn, {"Authorization": "Bearer " + larder.token("withdraw:*")}).status == 200
    gone = bodies.pop(withdrawn)
    report = backup(larder, folder)
    assert (report["blobs"], report["new_blobs"], report["pruned_blobs"]) == (4, 2, 0)
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert blobs_of(folder) == {modules.digest(body) for body in [*bodies.values(), gone]}
    report = backup(larder, folder, "--prune")
    assert (report["blobs"], report["new_blobs"], report["pruned_blobs"], report["pruned_bytes"]) == (4, 0, 1, len(gone))
    assert blobs_of(folder) == {modules.digest(body) for body in bodies.values()}
    assert len(list(folder.glob("catalog-*"))) == 1
    second = revive(folder)
    assert_has(second, bodies)
    assert second.get(f"{withdrawn}?{FORMAT}").status == 410


def test_hard_links(larder, revive, tmp_path):
    bodies = publish_some(larder, 3)
    backup(larder, tmp_path / "b", "--link")
    for body in bodies.values():
        path = blob_of(larder, body)
        assert path.samefile(tmp_path / "b" / path.relative_to(larder.data)) and path.stat().st_nlink == 2
    rotten, body = next(iter(bodies.items()))
    flip(blob_of(larder, body))  # of both
    assert backup(larder, tmp_path / "b", "--link")["left_out"] == [], "it is not read again"
    report = backup(larder, tmp_path / "b", "--link", "--check", status=1)
    assert [fault["path"] for fault in report["left_out"]] == [rotten[1:]]
    second = revive(tmp_path / "b")
    bodies.pop(rotten)
    assert_has(second, bodies)
    assert_problem(second.get(f"{rotten}?{FORMAT}"), 451, "quarantined")


def test_what_is_damaged_here_is_told_and_left_out(larder, revive, tmp_path):
    """A first backup has none of what is damaged; a second one still has what was whole when it was made first."""
    bodies = publish_some(larder, len(HARM))
    harmed = dict(zip(bodies, HARM))
    backup(larder, tmp_path / "old")
    for path, harm in harmed.items():
        HARM[harm](blob_of(larder, bodies[path]))
    whole = publish_some(larder, 1, first=50)
    report = backup(larder, tmp_path / "new", status=1)
    assert sorted(fault["path"] for fault in report["left_out"]) == sorted(path[1:] for path in bodies) and report["blobs"] == 1
    poor = revive(tmp_path / "new", "poor")
    assert_has(poor, whole)
    for path in bodies:
        assert_problem(poor.get(f"{path}?{FORMAT}"), 451, "quarantined")
    assert larder.larder("verify", check=False).returncode == 1  # its rows say that they are gone by now
    report = backup(larder, tmp_path / "old", "--prune")
    assert (report["blobs"], report["new_blobs"], report["pruned_blobs"]) == (len(HARM) + 1, 1, 0)
    assert_has(revive(tmp_path / "old", "rich"), bodies | whole)
    assert larder.larder("verify", "--repair", "--from", tmp_path / "old").returncode == 0
    assert_has(larder, bodies | whole)


def test_a_damaged_backup_is_told(upstream, start, revive, tmp_path):
    larder = start(upstreams=[upstream.url])
    bodies = publish_some(larder, len(HARM) + 1)
    mirrored = modules.module(4000, seed=100)
    upstream.serve("/google/m/1", mirrored)
    assert_has(larder, {"/google/m/1": mirrored})
    larder.wait_for_idle()
    backup(larder, tmp_path / "b")
    shutil.copytree(tmp_path / "b", tmp_path / "mended")
    harmed = dict(zip(bodies, HARM))
    for path, harm in harmed.items():
        HARM[harm](tmp_path / "b" / blob_of(larder, bodies[path]).relative_to(larder.data))
    flip(tmp_path / "b" / blob_of(larder, mirrored).relative_to(larder.data))
    second = revive(tmp_path / "b", status=1, upstreams=[upstream.url])
    assert sorted(fault["path"] for fault in second.report["left_out"]) == sorted([path[1:] for path in harmed] + ["google/m/1"])
    assert_has(second, {path: body for path, body in bodies.items() if path not in harmed} | {"/google/m/1": mirrored})
    for path in harmed:
        assert_problem(second.get(f"{path}?{FORMAT}"), 451, "quarantined")
    report = backup(larder, tmp_path / "b", "--check")
    assert report["new_blobs"] == len(HARM) + 1
    assert blobs_of(tmp_path / "b") == {modules.digest(body) for body in [*bodies.values(), mirrored]}
    assert restore(tmp_path / "b", tmp_path / "third")["left_out"] == []


def test_a_damaged_database_is_not_restored(alone, tmp_path):
    """Wherever it is damaged: a bit of a row, say, that SQLite would not miss."""
    publish_some(alone, 1)
    backup(alone, tmp_path / "b", "--prune")
    database, = (tmp_path / "b").glob("catalog-*/larder.db")
    for seed in range(3):
        flip(database, seed)
        assert f"{database} is damaged" in run("restore", tmp_path / "b", "--data", tmp_path / "n", status=1).stderr
        assert (tmp_path / "n/restoring").exists()
        flip(database, seed)
    assert restore(tmp_path / "b", tmp_path / "n")["left_out"] == []


@pytest.mark.concurrent
def test_while_others_publish_and_withdraw(larder, revive, tmp_path):
    """Each backup is one that could have been: what was answered before it began is in it, or was withdrawn by the time it ended."""
    done, withdrawn, over = {}, [], threading.Event()

    def publish():
        for i in range(500):
            if over.is_set():
                return
            path, body = f"/acme/m{i % 7}/{i + 1}", modules.module(2000, seed=i % 50)
            assert larder.put(path, body).status == 201
            done[path] = body
            if i % 4 == 3:
                assert larder.request("DELETE", path, {"Authorization": "Bearer " + larder.token("withdraw:*")}).status == 200
                withdrawn.append(path)
    larder.token("withdraw:*"), larder.token()
    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        for _ in range(4):
            before = dict(done)
            assert backup(larder, tmp_path / "b", "--prune")["left_out"] == []
    finally:
        over.set()
        publisher.join(DEADLINE_S)
    second = revive(tmp_path / "b")
    assert before, "nothing was published meanwhile"
    for path, body in before.items():
        reply = second.get(f"{path}?{FORMAT}")
        assert (reply.status, reply.body) == (200, body) or (reply.status == 410 and path in withdrawn), path
    assert second.larder("verify").returncode == 0


# ---- folders ------------------------------------------------------------------------------------------------------------

def test_no_other_folder_is_taken(alone, tmp_path):
    larder = alone
    publish_some(larder, 1)
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "precious").write_text("x")
    assert "is not empty, and no backup" in larder.larder("backup", strange, check=False).stderr
    assert "no backup" in larder.larder("backup", larder.data, check=False).stderr
    assert [path.name for path in strange.iterdir()] == ["precious"]
    assert "no folder that \"larder backup\" has made" in run("restore", strange, "--data", tmp_path / "n", status=1).stderr
    assert not (tmp_path / "n").exists()
    backup(larder, tmp_path / "b")
    assert "is not empty" in run("restore", tmp_path / "b", "--data", strange, status=1).stderr
    assert "is not empty" in run("restore", tmp_path / "b", "--data", larder.data, status=1).stderr
    marker = tmp_path / "b/larder-backup.json"
    before = marker.read_text()
    marker.write_text(before.replace('"format": 1', '"format": 2'))
    assert "another format" in larder.larder("backup", tmp_path / "b", check=False).stderr
    marker.write_text("{")
    assert "is damaged" in run("restore", tmp_path / "b", "--data", tmp_path / "n", status=1).stderr
    marker.write_text(before)
    with open(tmp_path / "b/larder-backup.json"):
        folder = os.open(tmp_path / "b", os.O_RDONLY)
        subprocess.run(["flock", "--exclusive", "--nonblock", str(folder)], pass_fds=[folder], check=True)
        assert "another backup or restore works on" in larder.larder("backup", tmp_path / "b", check=False).stderr
        assert "another backup or restore works on" in run("restore", tmp_path / "b", "--data", tmp_path / "n", status=1).stderr
        os.close(folder)
    assert restore(tmp_path / "b", tmp_path / "n")["left_out"] == []
    for words, said in {("backup",): "takes the folder DIR", ("restore",): "takes the folder DIR", ("restore", "x"): "with --data",
                        ("backup", "x", "--rate", "much"): "--rate takes"}.items():
        assert said in run(*words, status=2).stderr


def test_a_restore_that_was_cut_off_is_nobodys_folder(larder, tmp_path):
    bodies = publish_some(larder, 2)
    backup(larder, tmp_path / "b")
    data = tmp_path / "n"
    restore(tmp_path / "b", data)
    (data / "restoring").touch()
    for words in (("serve",), ("gc",), ("verify",), ("token", "create", "x", "--scope", "read"), ("backup", tmp_path / "c")):
        said = run(*words, "--data", data, status=78 if words == ("serve",) else 1).stderr
        assert "did not come to its end" in said, said
    with sqlite3.connect(data / "larder.db") as database:  # as who was cut off may leave it
        database.execute("DELETE FROM blobs")
    report = restore(tmp_path / "b", data)
    assert report["blobs"] == 2 and report["new_blobs"] == 0 and not (data / "restoring").exists()
    assert run("verify", "--data", data).stdout.startswith("read 2 blobs")


def test_a_bucket_keeps_its_own(larder, tmp_path):
    """Of a node over a bucket it is the index only, which says so."""
    publish_some(larder, 2)
    config = tmp_path / "s3.ini"
    (tmp_path / "key").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    (tmp_path / "key").chmod(0o600)
    config.write_text(f"[store]\nkind = s3\nendpoint = http://127.0.0.1:9\nbucket = larder-test\ncredentials_file = {tmp_path / 'key'}\nnode_url = http://127.0.0.1:8\n")
    done = larder.larder("backup", str(tmp_path / "b"), "--config", str(config))
    assert "the blobs are the bucket's" in done.stdout
    assert blobs_of(tmp_path / "b") == set()
    assert restore(tmp_path / "b", tmp_path / "n")["index_only"] is True
    with sqlite3.connect(tmp_path / "n/larder.db") as database:
        assert database.execute("SELECT count(*), sum(cached) FROM blobs").fetchone() == (2, 0)
