# SPDX-License-Identifier: Apache-2.0
"""larder doctor: what is wrong with the place that a daemon works in, found beside the daemon and without a change."""
import json
import os
import sqlite3
import subprocess

import pytest
from support.command_line import run
from support.daemon import binary
from support.waiting import DEADLINE_S

CHECKS = ["data-folder", "file-system", "free-space", "inodes", "descriptors", "clock", "database"]


def modest(folder):
    """However little room the tests have."""
    config = folder / "modest.ini"
    config.write_text("[storage]\nkeep_free_bytes = 0\n")
    return "--config", config


def examine(data, status, *words):
    report = json.loads(run("doctor", "--data", data, "--json", *(words or modest(data.parent)), status=status).stdout)
    assert [row["check"] for row in report["checks"]] == CHECKS
    assert report["state"] == max((row["state"] for row in report["checks"]), key=["ok", "warning", "fault"].index)
    for row in report["checks"]:
        assert row["finding"] and (row["state"] == "ok") == (row["remedy"] is None), row
    return {row["check"]: row for row in report["checks"]}


def new_store(tmp_path):
    """A store that no daemon has."""
    data = tmp_path / "data"
    run("token", "create", "ci", "--scope", "read", "--data", data)
    return data


def test_beside_a_daemon_all_is_well_and_nothing_changes(larder):
    found = examine(larder.data, 0)
    for name in ("data-folder", "clock", "database"):
        assert found[name]["state"] == "ok", found[name]
    assert not list(larder.data.glob("doctor-*")), "the folder of its trials has gone"
    assert larder.get("/readyz").status == 200


def test_where_no_store_is_it_makes_none(tmp_path):
    found = examine(tmp_path / "nowhere", 0)
    assert found["data-folder"]["state"] == found["database"]["state"] == "warning"
    assert not (tmp_path / "nowhere").exists()


def make_newer(path):
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99999")


def orphan_a_row(path):
    """A row that names a module which is not there."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute("CREATE TABLE strays (id INTEGER PRIMARY KEY, module INTEGER REFERENCES modules)")
        database.execute("INSERT INTO strays VALUES (1, 424242)")


def damage(path):
    """All pages behind the schema's become noise."""
    with sqlite3.connect(path) as database:
        page, = database.execute("PRAGMA page_size").fetchone()
        roots = [row[0] for row in database.execute("SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND rootpage > 1")]
    with open(path, "r+b") as file:
        for root in roots:
            file.seek((root - 1) * page)
            file.write(b"\xa5" * page)


@pytest.mark.parametrize("harm, word", [(make_newer, "newer"), (orphan_a_row, "strays"), (damage, "")])
def test_a_database_that_is_not_sound_is_a_fault(tmp_path, harm, word):
    data = new_store(tmp_path)
    harm(data / "larder.db")
    found = examine(data, 1)
    assert found["database"]["state"] == "fault" and word in found["database"]["finding"]
    assert found["data-folder"]["state"] == "ok"


def test_less_room_than_is_to_be_kept_free_is_a_fault(tmp_path):
    data = new_store(tmp_path)
    config = tmp_path / "larder.ini"
    config.write_text("[storage]\nkeep_free_bytes = 1000000T\n")
    found = examine(data, 1, "--config", config)
    assert found["free-space"]["state"] == "fault" and "keep_free_bytes" in found["free-space"]["finding"]


def test_fewer_open_files_than_connections_are_a_warning(tmp_path):
    data = new_store(tmp_path)
    done = subprocess.run(["bash", "-c", 'ulimit -n 300; exec "$0" "$@"', binary(), "doctor", "--json", "--data", data, *modest(tmp_path)],
                          capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    row = {row["check"]: row for row in json.loads(done.stdout)["checks"]}["descriptors"]
    assert row["state"] == "warning" and "300" in row["finding"]


def test_a_clock_behind_the_database_is_a_warning(tmp_path):
    data = new_store(tmp_path)
    os.utime(data / "larder.db", (1 << 32, 1 << 32))
    assert examine(data, 0)["clock"]["state"] == "warning"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_folder_of_another_user_is_a_fault(tmp_path):
    data = new_store(tmp_path)
    for path in (data, *data.rglob("*")):
        os.chown(path, 54321, 54321)
    found = examine(data, 1)
    assert found["data-folder"]["state"] == "fault" and "54321" in found["data-folder"]["finding"]
    assert found["database"]["state"] == "warning"


def test_for_people_each_check_has_a_line(tmp_path):
    lines = run("doctor", "--data", new_store(tmp_path), *modest(tmp_path)).stdout.splitlines()
    told = [line.split()[1].rstrip(":") for line in lines if not line.startswith(" ")]
    assert told == CHECKS
