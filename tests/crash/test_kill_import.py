# SPDX-License-Identifier: Apache-2.0
"""An import that is killed at any instant: the catalog has all of the bundle or nothing, and the same command goes on."""
import random
import shutil
import sqlite3
import subprocess
import time

from support import modules
import pytest
from support.bundle_writer import Bundle
from support.daemon import binary
from support.waiting import DEADLINE_S

POINTS = 100
CONTENTS = {f"acme/m{i}/1": modules.module(30_000 + 5_000 * i, seed=i) for i in range(12)}


def make_bundle(path):
    bundle = Bundle()
    for name, content in CONTENTS.items():
        bundle.add(name, {"tf-hub": content}, source="mirrored" if name.endswith("3/1") else "published", markdown=f"About {name}.")
    bundle.add("acme/gone/1", state="withdrawn")
    return bundle.folder(path)


def command(bundle, data):
    return [binary(), "import", str(bundle), "--data", str(data)]


def run_whole(arguments):
    began = time.monotonic()
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=6 * DEADLINE_S)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began


def count(data):
    with sqlite3.connect(data / "larder.db") as db:
        return db.execute("SELECT count(*) FROM versions").fetchone()[0]


def assert_equal(larder):
    """What the daemon serves is what the bundle has, and the store holds nothing else."""
    larder.wait_for("larder_sweeps_total", 1)
    for name, content in CONTENTS.items():
        assert larder.get(f"/{name}.tar.gz").body == content
        assert larder.get(f"/api/v1/documentation/{name}").status == 200
    assert larder.get("/acme/gone/1.tar.gz").status == 410
    assert sorted(larder.blobs()) == sorted(map(modules.digest, CONTENTS.values()))
    assert larder.drafts() == []


@pytest.mark.long
def test_killed_at_many_points_of_an_import(start, blank, tmp_path):
    bundle, data, chance = make_bundle(tmp_path / "bundle"), tmp_path / "data", random.Random(6)
    whole = len(CONTENTS) + 1

    def empty():
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o750)
        shutil.copy(blank / "data" / "larder.db", data)

    empty()
    lasts_s, found = run_whole(command(bundle, data)), {0: 0, whole: 0}
    empty()
    for _ in range(POINTS):
        process = subprocess.Popen(command(bundle, data), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Time decides where it is killed, since any instant must do.
        time.sleep(chance.uniform(0, lasts_s))
        process.kill()
        process.wait()
        assert count(data) in found, "a part of the bundle is on record"
        found[count(data)] += 1
        if count(data) == whole:
            empty()
    assert found[0] > 0, "no import was killed before its end: nothing was tested"
    run_whole(command(bundle, data))
    (tmp_path / "larder").mkdir(exist_ok=True)
    shutil.move(data, tmp_path / "larder" / "data")
    assert_equal(start())
