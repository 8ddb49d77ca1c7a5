# SPDX-License-Identifier: Apache-2.0
"""A backup and a restore that are killed at any instant: there is the backup of before or the new one, wholly, and nobody can take a
folder that is not restored to its end for a data folder. The same command goes on."""
import contextlib
import errno
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest
from support import modules
from support.daemon import REPORTS, binary
from support.waiting import DEADLINE_S

SHIM = Path(binary()).parent / "tests" / "crash" / "doomed.so"
PULLED = SHIM.with_name("pulled.so")
POINTS = 14  # of each kind
LAST_WRITES = 12

pytestmark = pytest.mark.skipif(not SHIM.exists(), reason=f"{SHIM} is not built")


def larder(*words, **environment):
    options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    done = subprocess.run([binary(), *map(str, words)], capture_output=True, text=True, timeout=DEADLINE_S,
                          env={**os.environ, "ASAN_OPTIONS": options.lstrip(":"), **{key: str(value) for key, value in environment.items()}})
    assert not REPORTS.search(done.stderr), done.stderr
    return done


def wanted_by(database):
    """The digests that its rows say are here, and its published versions: of this file alone, as a restore reads it."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?immutable=1", uri=True)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        blobs = {digest.hex() for (digest,) in opened.execute("SELECT digest FROM blobs WHERE cached = 1")}
        versions = opened.execute("SELECT count(*) FROM versions").fetchone()[0]
    return blobs, versions


def assert_blobs(folder, digests):
    for digest in digests:
        assert modules.digest((folder / "blobs/sha256" / digest[:2] / digest).read_bytes()) == digest


def backed_up(folder):
    """What a backup has, all of it verified; None where none has come to its end."""
    marker = folder / "larder-backup.json"
    told = json.loads(marker.read_text()) if marker.exists() else {}
    number = told.get("catalog", 0)
    if number == 0:
        return None
    assert modules.digest((folder / f"catalog-{number}/larder.db").read_bytes()) == told["database_sha256"]
    digests, versions = wanted_by(folder / f"catalog-{number}/larder.db")
    assert_blobs(folder, digests)
    return len(digests), versions


@pytest.fixture
def larder_of_before(start, tmp_path):
    """A daemon, and a backup of before in tmp_path/before: since then something was published, and something withdrawn."""
    daemon = start()
    for i in range(5):
        daemon.publish(f"/acme/m{i}/1", modules.module(20_000, seed=i))
    assert larder("backup", tmp_path / "before", "--data", daemon.data).returncode == 0
    for i in range(5, 9):
        daemon.publish(f"/acme/m{i}/1", modules.module(20_000, seed=i))
    assert daemon.request("DELETE", "/acme/m0/1", {"Authorization": "Bearer " + daemon.token("withdraw:*")}).status == 200
    return daemon


def count_calls(tmp_path, *words):
    done = larder(*words, LD_PRELOAD=SHIM, DOOMED_COUNT=tmp_path / "count")
    assert done.returncode == 0, done
    return int((tmp_path / "count").read_text())


def test_a_write_that_fails_once(larder_of_before, tmp_path):
    """Each of the last ones, such as those that fold the new database into one file: it is the backup then, or it is not."""
    body = modules.module(20_000, seed=7)
    blob = larder_of_before.data / "blobs/sha256" / modules.digest(body)[:2] / modules.digest(body)
    blob.chmod(0o640)
    blob.write_bytes(body[:-1])  # so that a row of the new database changes

    def back_up(name, **more):
        folder = tmp_path / name
        shutil.copytree(tmp_path / "before", folder)
        done = larder("backup", folder, "--data", larder_of_before.data, LD_PRELOAD=PULLED, PULLED_BELOW=folder, PULLED_ONLY="write", **more)
        assert done.returncode == 1, done
        return folder, backed_up(folder)
    assert back_up("counted", PULLED_COUNT=tmp_path / "count")[1] == (7, 9)
    calls = int((tmp_path / "count").read_text())
    found = set()
    for at in range(calls - LAST_WRITES + 1, calls + 1):
        folder, has = back_up(str(at), PULLED_AT=at, PULLED_FOR=1, PULLED_ERROR=errno.ENOSPC)
        assert has in ((5, 5), (7, 9)), at
        found.add(has)
        assert larder("backup", folder, "--data", larder_of_before.data).returncode == 1 and backed_up(folder) == (7, 9)
        shutil.rmtree(folder)
    assert (5, 5) in found


@pytest.mark.long
@pytest.mark.parametrize("kind", ["first", "next"])
def test_a_backup_killed_at_any_point(larder_of_before, tmp_path, kind):
    data = larder_of_before.data
    old, new = (5, 5) if kind == "next" else None, (8, 9)

    def make(name):
        folder = tmp_path / name
        if kind == "next":
            shutil.copytree(tmp_path / "before", folder)
        return folder
    words = ("--prune", "--data", data)
    calls = count_calls(tmp_path, "backup", make("counted"), *words)
    chance = random.Random(kind)
    killed = 0
    assert calls > 50 and backed_up(tmp_path / "counted") == new
    for i in range(POINTS):
        folder = make(str(i))
        for at in (1 + i * (calls - 1) // (POINTS - 1), chance.randrange(1, calls)):
            done = larder("backup", folder, *words, LD_PRELOAD=SHIM, DOOMED_AT=at)
            assert done.returncode in (-signal.SIGKILL, 0), done
            killed += done.returncode == -signal.SIGKILL
            assert not folder.exists() or backed_up(folder) in (old, new)
        done = larder("backup", folder, *words)
        assert done.returncode == 0, done
        assert backed_up(folder) == new
        assert len(list(folder.glob("catalog-*"))) == 1 and not list((folder / "drafts").iterdir())
        assert len(list((folder / "blobs").rglob("?" * 64))) == new[0]
        shutil.rmtree(folder)
    assert killed > POINTS


@pytest.mark.long
def test_a_restore_killed_at_any_point(larder_of_before, tmp_path):
    folder = tmp_path / "before"
    calls = count_calls(tmp_path, "restore", folder, "--data", tmp_path / "counted")
    chance = random.Random(3)
    killed = 0
    assert calls > 20
    for i in range(POINTS):
        data = tmp_path / str(i)
        for at in (1 + i * (calls - 1) // (POINTS - 1), chance.randrange(1, calls)):
            if data.exists() and (data / "larder.db").exists() and not (data / "restoring").exists():
                break  # it was whole
            done = larder("restore", folder, "--data", data, LD_PRELOAD=SHIM, DOOMED_AT=at)
            killed += done.returncode == -signal.SIGKILL
            assert done.returncode in (-signal.SIGKILL, 0), done
            if done.returncode and (data / "larder.db").exists() and (data / "restoring").exists():
                assert "did not come to its end" in larder("verify", "--data", data).stderr
        if not (data / "larder.db").exists() or (data / "restoring").exists():
            assert larder("restore", folder, "--data", data).returncode == 0
        digests, versions = wanted_by(data / "larder.db")
        assert (len(digests), versions) == (5, 5) and not (data / "restoring").exists()
        assert_blobs(data, digests)
        assert backed_up(folder) == (5, 5)
        shutil.rmtree(data)
    assert killed > POINTS // 2


def test_the_disk_runs_full(larder_of_before, tmp_path):
    """Of a backup and of a restore: the backup of before stays, and the same command goes on once there is room."""
    data, small = larder_of_before.data, tmp_path / "small"
    small.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(small)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    try:
        shutil.copytree(tmp_path / "before", small / "b")
        (small / "ballast").write_bytes(bytes(shutil.disk_usage(small).free - 50_000))
        done = larder("backup", small / "b", "--data", data)
        assert done.returncode == 1 and ("No space left" in done.stderr or "no room" in done.stderr), done
        assert backed_up(small / "b") == (5, 5)
        done = larder("restore", tmp_path / "before", "--data", small / "n")
        assert done.returncode == 1 and (small / "n/restoring").exists(), done
        (small / "ballast").unlink()
        assert larder("backup", small / "b", "--data", data).returncode == 0
        assert backed_up(small / "b") == (8, 9)
        assert larder("restore", tmp_path / "before", "--data", small / "n").returncode == 0
        assert not (small / "n/restoring").exists()
    finally:
        subprocess.run(["umount", str(small)], check=True)
