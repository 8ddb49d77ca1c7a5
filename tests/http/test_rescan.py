# SPDX-License-Identifier: Apache-2.0
"""larder rescan: what older rules have judged is judged by those of this release, beside the daemon."""
import json
import pathlib
import signal
import sqlite3
import subprocess

import pytest

from support.command_line import on_terminal, run
from support.daemon import assert_problem, binary
from support.modules import members, pack
from test_safety import WRITER, approver, audited, findings_of, held_back, model_with, module_with, states_of

REASON = "op-file-write (WriteFile, in saved_model.pb)"
FOUND = "1 finding: high, op-file-write (WriteFile, in saved_model.pb)"


def age(larder, where="1"):
    """As an older version of the rules has left it, which found nothing."""
    with sqlite3.connect(larder.data / "larder.db") as database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute(f"DELETE FROM safety_findings WHERE inspection_id IN (SELECT id FROM inspections WHERE {where})")
        database.execute(f"UPDATE inspections SET safety_version = 0 WHERE {where}")


def policy(larder, published="quarantine", rules=""):
    path = larder.folder / f"policy-{published}.ini"
    path.write_text(f"[safety]\npublished = {published}\nmirrored = {published}\nrules = {rules}\n", encoding="utf-8")
    return "--config", str(path)


def rescan(larder, *words, status=0):
    """What it printed: the lines, and the totals."""
    done = larder.larder("rescan", *words, check=False)
    assert done.returncode == status and not done.stderr, done
    lines = done.stdout.splitlines()
    return [tuple(line.split("\t")) for line in lines[:-1]], lines[-1]


def outdated(larder):
    number = larder.get("/api/v1/stats").json()["outdated"]
    assert number == larder.metric("larder_outdated_inspections")
    return number


def writers(larder, *paths):
    bodies = {path: module_with("WriteFile", seed=seed) for seed, path in enumerate(paths, 1)}
    for path, body in bodies.items():
        larder.publish(f"/{path}?{WRITER}", body)
    return bodies


def found_by_search(larder):
    return [module["handle"] for module in larder.get("/api/v1/modules?finding=op-file-write").json()["modules"]]


@pytest.mark.concurrent
@pytest.mark.parametrize("action", ["quarantine", "refuse"])
def test_what_newer_rules_find_is_held_back_from_then_on(larder, action):
    body = writers(larder, "acme/writer/1")["acme/writer/1"]
    larder.publish(f"/acme/calm/1?{WRITER}", module_with("MatMul"))
    findings = findings_of(larder, "acme/writer/1")
    age(larder)
    assert outdated(larder) == 2 and findings_of(larder, "acme/writer/1") == []
    assert "2 artifacts were judged by older safety rules" in run("status", server=larder.url).stdout
    for _ in range(3):  # from memory
        assert larder.get(f"/acme/writer/1?{WRITER}").body == body
    lines, totals = rescan(larder, *policy(larder, action))
    assert sorted(lines) == [("held", "acme/writer/1 (tf-hub)", REASON), ("unchanged", "acme/calm/1 (tf-hub)", "no findings")]
    assert totals.endswith(": 1 unchanged, 0 with other findings, 1 held back, 0 unreadable")
    held_back(larder.get(f"/acme/writer/1?{WRITER}"), REASON)
    assert states_of(larder, "acme/writer/1") == ("quarantined", {"tf-hub": "quarantined"})
    assert findings_of(larder, "acme/writer/1") == findings
    assert audited(larder) == [(None, "quarantine", "acme/writer/1", f"tf-hub: {REASON}")]
    assert larder.larder("audit", "--verify").returncode == 0
    assert larder.get(f"/acme/calm/1?{WRITER}").status == 200
    assert outdated(larder) == 0 and "older safety rules" not in run("status", server=larder.url).stdout
    assert rescan(larder, *policy(larder, action))[0] == [], "all of it is judged"
    larder.restart()
    held_back(larder.get(f"/acme/writer/1?{WRITER}"), REASON)


def test_without_a_policy_it_is_told_and_found(larder):
    writers(larder, "acme/writer/1")
    assert found_by_search(larder) == ["acme/writer"]
    with sqlite3.connect(larder.data / "larder.db") as database:  # as lists had it then
        database.execute("DELETE FROM module_facets WHERE value_id IN (SELECT id FROM facet_values WHERE facet = 'finding')")
    larder.restart()
    age(larder)
    assert found_by_search(larder) == []
    assert rescan(larder)[0] == [("judged", "acme/writer/1 (tf-hub)", FOUND)]
    assert found_by_search(larder) == ["acme/writer"]
    assert larder.get(f"/acme/writer/1?{WRITER}").status == 200 and not audited(larder)


def test_what_an_earlier_release_has_left_is_counted_bit_by_bit(larder):
    paths = [f"acme/m{i}/1" for i in range(4)]
    writers(larder, *paths)
    age(larder)
    with sqlite3.connect(larder.data / "larder.db") as database:  # as the migration leaves it
        database.execute("DELETE FROM safety_totals")
        database.execute("UPDATE safety_counting SET behind_id = 0, last_id = (SELECT max(id) FROM inspections)")
    assert outdated(larder) == 0
    assert [line[1] for line in rescan(larder, paths[1])[0]] == [f"{paths[1]} (tf-hub)"]
    assert outdated(larder) == 3
    with sqlite3.connect(larder.data / "larder.db") as database:
        database.execute("DELETE FROM safety_totals")
        database.execute("UPDATE safety_counting SET behind_id = 2, last_id = (SELECT max(id) FROM inspections)")
        database.execute("INSERT INTO safety_totals (version, inspections) SELECT safety_version, 1 FROM inspections WHERE id <= 2")
        database.execute("UPDATE inspections SET safety_version = 700 WHERE id IN (1, 4)")  # one was counted before, one is not yet
        assert dict(database.execute("SELECT * FROM safety_totals WHERE version IN (0, 700)")) == {0: 0, 700: 1}
    larder.publish(f"/acme/new/1?{WRITER}", module_with("MatMul"))
    larder.restart()
    larder.wait_for("larder_sweeps_total", 1)
    with sqlite3.connect(larder.data / "larder.db") as database:
        assert {row: count for row, count in database.execute("SELECT * FROM safety_totals") if count} == \
            dict(database.execute("SELECT safety_version, count(*) FROM inspections GROUP BY 1"))


def test_a_dry_run_changes_nothing(larder):
    writers(larder, "acme/writer/1")
    age(larder)
    lines, totals = rescan(larder, "--dry-run", *policy(larder))
    assert lines == [("held", "acme/writer/1 (tf-hub)", REASON)] and totals.startswith("would be, by version ")
    assert larder.get(f"/acme/writer/1?{WRITER}").status == 200
    assert findings_of(larder, "acme/writer/1") == [] and not audited(larder) and outdated(larder) == 1


def test_what_people_have_decided_stays(start):
    larder = start({"safety": {"published": "quarantine"}})
    body = module_with("WriteFile")
    for path in ("acme/approved/1", "acme/rejected/1", "acme/held/1"):
        larder.publish(f"/{path}?{WRITER}", body)
    token = approver(larder)
    run("approve", "acme/approved/1", "--reason", "read by Ann", server=larder.url, token=token)
    run("reject", "acme/rejected/1", "--reason", "Bob knows better", server=larder.url, token=token)
    before = audited(larder)
    age(larder)
    lines, _ = rescan(larder, *policy(larder), "acme/approved/1")
    assert lines == [("judged", f"acme/{name}/1 (tf-hub)", FOUND) for name in ("approved", "held", "rejected")], "they have the same bytes"
    assert audited(larder) == before and outdated(larder) == 0
    assert larder.get(f"/acme/approved/1?{WRITER}").body == body
    held_back(larder.get(f"/acme/rejected/1?{WRITER}"), "Bob knows better")
    held_back(larder.get(f"/acme/held/1?{WRITER}"), REASON)


def test_what_comes_again_does_not_speak_for_other_names(larder):
    body = writers(larder, "acme/old/1")["acme/old/1"]
    age(larder)
    larder.publish(f"/acme/new/1?{WRITER}", body)
    assert [finding[0] for finding in findings_of(larder, "acme/old/1")] == ["op-file-write"]
    assert outdated(larder) == 1, "the policy was asked of the new one only"
    assert rescan(larder, *policy(larder))[0] == [("held", f"acme/{name}/1 (tf-hub)", REASON) for name in ("new", "old")]
    held_back(larder.get(f"/acme/old/1?{WRITER}"), REASON)
    assert outdated(larder) == 0


def test_what_only_rules_name_goes_by_handle(larder):
    writers(larder, "acme/writer/1", "other/writer/1")
    age(larder)
    lines, _ = rescan(larder, *policy(larder, "warn", "op-file-write@acme/*:quarantine"))
    assert sorted(lines) == [("held", "acme/writer/1 (tf-hub)", REASON), ("judged", "other/writer/1 (tf-hub)", FOUND)]


def test_paths_choose(larder):
    writers(larder, "acme/a/1", "acme/a/2", "acme/b/1", "other/c/1")
    age(larder)
    assert [line[1] for line in rescan(larder, "acme/a/2")[0]] == ["acme/a/2 (tf-hub)"]
    assert [line[1] for line in rescan(larder, "acme/a")[0]] == ["acme/a/1 (tf-hub)"]
    assert [line[1] for line in rescan(larder, "acme/*", "nobody/x")[0]] == ["acme/b/1 (tf-hub)"]
    assert outdated(larder) == 1
    for wrong in ("", "/acme/a", "acme/a,acme/b"):
        assert larder.larder("rescan", wrong, check=False).returncode == 2
    for wrong in ("fast", "-1", ""):
        assert larder.larder("rescan", f"--rate={wrong}", check=False).returncode == 2


def test_what_is_damaged_is_named_and_left(larder):
    writers(larder, "acme/damaged/1", "acme/gone/1", "acme/whole/1")
    digests = {name: larder.get(f"/api/v1/modules/acme/{name}/1").json()["artifacts"][0]["digest"].removeprefix("sha256:") for name in ("damaged", "gone")}
    blob = {name: next(path for path in pathlib.Path(larder.data, "blobs").rglob("*") if path.name == digest) for name, digest in digests.items()}
    content = bytearray(blob["damaged"].read_bytes())
    content[len(content) // 2] ^= 1
    blob["damaged"].chmod(0o640)
    blob["damaged"].write_bytes(content)
    blob["gone"].unlink()
    age(larder)
    lines, totals = rescan(larder, *policy(larder), status=1)
    told = {path: (outcome, detail) for outcome, path, detail in lines}
    assert told["acme/whole/1 (tf-hub)"] == ("held", REASON)
    assert told["acme/gone/1 (tf-hub)"][0] == "unreadable" and told["acme/damaged/1 (tf-hub)"][0] == "unreadable"
    assert digests["damaged"] in told["acme/damaged/1 (tf-hub)"][1]
    assert totals.endswith("1 held back, 2 unreadable") and outdated(larder) == 2
    assert blob["damaged"].read_bytes() == content and states_of(larder, "acme/damaged/1")[0] == "active"
    assert [name for _, _, name, _ in audited(larder)] == ["acme/whole/1"]


def test_an_interrupted_one_goes_on_where_it_was(larder):
    writers(larder, "acme/a/1")
    larder.publish(f"/acme/b/1?{WRITER}", pack(members(2 << 20, model=model_with("WriteFile"))))
    age(larder)
    command = [binary(), "rescan", "--rate", "20K", "--data", str(larder.data), *policy(larder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == f"held\tacme/a/1 (tf-hub)\t{REASON}\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert process.returncode == 1 and "the same command goes on" in told
    held_back(larder.get(f"/acme/a/1?{WRITER}"), REASON)
    assert larder.get(f"/acme/b/1?{WRITER}").status == 200 and outdated(larder) == 1
    assert rescan(larder, "--rate", "0", *policy(larder))[0] == [("held", "acme/b/1 (tf-hub)", REASON)]


def test_what_a_killed_one_did_not_tell_the_daemon_is_told_by_the_next(larder):
    body = writers(larder, "acme/a/1")["acme/a/1"]
    age(larder)
    for _ in range(3):
        assert larder.get(f"/acme/a/1?{WRITER}").body == body
    with sqlite3.connect(larder.data / "larder.db") as database:
        database.execute("INSERT INTO holds (version_id, format, decision, reason, at) SELECT id, 'tf-hub', 'held', 'found late', 1 FROM versions")
        database.execute("UPDATE versions SET state = 'quarantined'")
    assert rescan(larder, *policy(larder))[0] == [("judged", "acme/a/1 (tf-hub)", FOUND)]
    held_back(larder.get(f"/acme/a/1?{WRITER}"), "found late")


def test_what_goes_counts_no_more(start, upstream):
    mirror = start(upstreams=[upstream.url])
    upstream.serve("/acme/fetched/1", module_with("MatMul"))
    assert mirror.get(f"/acme/fetched/1?{WRITER}").status == 200
    mirror.wait_for_no_drafts()
    writers(mirror, "own/a/1", "own/b/1")
    age(mirror)
    assert outdated(mirror) == 3
    assert mirror.request("DELETE", "/own/a/1", {"Authorization": f"Bearer {mirror.token('withdraw:*')}"}).status == 200
    assert outdated(mirror) == 2
    narrow = mirror.folder / "narrow.ini"
    narrow.write_text("[storage]\nmax_bytes = 1\nkeep_free_bytes = 0\n", encoding="utf-8")
    mirror.larder("gc", "--config", str(narrow))
    assert outdated(mirror) == 1
    assert [line[1] for line in rescan(mirror)[0]] == ["own/b/1 (tf-hub)"]
    assert mirror.get(f"/acme/fetched/1?{WRITER}").status == 200
    mirror.wait_for_no_drafts()
    assert outdated(mirror) == 0, "what comes again is judged as it comes"


def test_json_and_a_terminal(larder):
    writers(larder, "acme/a/1")
    age(larder)
    report = json.loads(larder.larder("rescan", "--json", "--dry-run", *policy(larder)).stdout)
    assert report.pop("rules") > 0
    assert report == {"dry_run": True, "error": None, "unchanged": 0, "judged": 0, "held": 1, "unreadable": 0,
                      "artifacts": [{"path": "acme/a/1", "format": "tf-hub", "outcome": "held", "detail": REASON}]}
    assert f"held\tacme/a/1 (tf-hub)\t{REASON}" in on_terminal("rescan", "--data", larder.data, *policy(larder)).replace("    ", "\t")
    assert_problem(larder.get(f"/acme/a/1?{WRITER}"), 451, "quarantined")


def test_without_a_folder_there_is_nothing_to_judge(tmp_path):
    assert "larder: " in run("rescan", "--data", tmp_path / "none", status=1).stderr
    assert not (tmp_path / "none").exists()
