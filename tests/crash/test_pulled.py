# SPDX-License-Identifier: Apache-2.0
"""A medium that is pulled out, or has a bad sector, at any read, write, open or sync: nothing half is on record, nobody takes what
is there for whole, what is said names the place and what to do, and the same command goes on once the medium is good again."""
import errno
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from support import bundle_writer, modules
from support.bundles import Bundle
from support.daemon import REPORTS, binary
from support.waiting import DEADLINE_S

SHIM = Path(binary()).parent / "tests" / "crash" / "pulled.so"
POINTS = 12  # of each kind
# What the medium answers, and for how many calls (None: it is gone).
ANSWERS = [(errno.EIO, None), (errno.ENODEV, None), (errno.EIO, 1)]
FORMS = {"folder": (["-o", "out"], "out/index.json", "out"), "tar": (["-o", "out.tar"], "out.tar", "out.tar"),
         "pieces": (["-o", "out.tar", "--split", "1M"], "out.tar.pieces", "out.tar.pieces")}
CONTENTS = {f"acme/m{i}/1": modules.module(250_000 + 40_000 * i, seed=i) for i in range(4)}

pytestmark = pytest.mark.skipif(not SHIM.exists(), reason=f"{SHIM} is not built")


def command_line(data, arguments):
    place = ["--data", str(data)] if isinstance(data, Path) else ["--server", data.url, "--token", data.token("admin")]
    return [binary(), *map(str, arguments), *place]


def run(data, folder, *arguments, **environment):
    """data: a folder, or a daemon."""
    if environment:
        options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        environment = {"LD_PRELOAD": SHIM, "PULLED_BELOW": folder, "ASAN_OPTIONS": options.lstrip(":"), **environment}
    done = subprocess.run(command_line(data, arguments), capture_output=True, text=True, timeout=DEADLINE_S,
                          cwd=folder, env={**os.environ, "SOURCE_DATE_EPOCH": "1795867200", **{key: str(value) for key, value in environment.items()}})
    assert not REPORTS.search(done.stderr), done.stderr
    return done


def pulled(at, answer, **more):
    number, times = answer
    return {"PULLED_AT": at, "PULLED_ERROR": number, **({"PULLED_FOR": times} if times else {}), **more}


def count_calls(tmp_path, data, folder, *arguments, **more):
    count = tmp_path / "count"
    assert run(data, folder, *arguments, PULLED_COUNT=count, **more).returncode == 0
    return int(count.read_text())


def points(calls, chance):
    """The first ones and the last ones, and some between."""
    between = range(3, calls - 2)
    return sorted({1, 2, calls - 2, calls - 1, calls, *chance.sample(between, POINTS - 5)})


def assert_told(done, words):
    """In one line of all that are there, which names what is on the medium, and says what to do."""
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and last.startswith("larder: "), done.stderr
    assert any(re.search(words, line) for line in done.stderr.splitlines()), done.stderr
    assert all(len(line) < 600 and "\0" not in line for line in done.stderr.splitlines())


@pytest.fixture
def data(larder):
    for path, content in CONTENTS.items():
        larder.publish(f"/{path}", content)
    larder.stop()
    return larder.data


# ---- export ----

TAKES_NOTHING = r"(out\S*|\.): the medium takes nothing any more \(.+\): was it pulled out.*the same command goes on"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("answer", ANSWERS, ids=["EIO", "ENODEV", "EIO once"])
def test_an_export_onto_it(data, tmp_path, form, answer):
    arguments, last, result = FORMS[form]
    chance, failed = random.Random(form), 0
    whole, medium = tmp_path / "whole", tmp_path / "medium"
    for folder in (whole, medium):
        folder.mkdir()
    calls = count_calls(tmp_path, data, whole, "export", *arguments)
    wanted = Bundle(whole / result).files
    for at in points(calls, chance):
        shutil.rmtree(medium)
        medium.mkdir()
        done = run(data, medium, "export", *arguments, **pulled(at, answer))
        if done.returncode == 0:
            # Of the old one on the medium, which is not there, nothing could be known: of the new one all is.
            assert answer[1] == 1 and (medium / last).exists(), f"{at} of {calls}: it is gone, and nobody has noticed"
        else:
            failed += 1
            assert_told(done, TAKES_NOTHING)
        if (medium / last).exists():
            assert Bundle(medium / result).files == wanted
        again = run(data, medium, "export", *arguments)
        assert again.returncode == 0, again.stderr
        assert Bundle(medium / result).files == wanted
    assert failed >= (1 if answer[1] else 8)
    assert list((data / "outgoing").iterdir()) == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("call", ["open", "write", "sync", "rename"])
def test_each_kind_of_call_that_an_export_makes(data, tmp_path, form, call):
    arguments, last, result = FORMS[form]
    whole, medium = tmp_path / "whole", tmp_path / "medium"
    for folder in (whole, medium):
        folder.mkdir()
    calls = count_calls(tmp_path, data, whole, "export", *arguments, PULLED_ONLY=call)
    # The last is what makes it whole, and what makes that durable.
    for at in sorted({max(1, calls - 1), calls}):
        shutil.rmtree(medium)
        medium.mkdir()
        done = run(data, medium, "export", *arguments, **pulled(at, (errno.EIO, None), PULLED_ONLY=call))
        assert_told(done, TAKES_NOTHING)
        assert not (medium / last).exists() or call == "sync"
    assert run(data, medium, "export", *arguments).returncode == 0
    assert Bundle(medium / result).files == Bundle(whole / result).files


@pytest.mark.parametrize("form", FORMS)
def test_what_is_whole_is_not_taken_for_absent(data, tmp_path, form):
    """Whatever the medium does not answer: without --force it stays as it is."""
    arguments, last, result = FORMS[form]
    medium = tmp_path / "medium"
    medium.mkdir()
    calls = count_calls(tmp_path, data, medium, "export", "acme/m0", *arguments)
    before = Bundle(medium / result).files
    for at in range(1, 20):
        done = run(data, medium, "export", "acme/m1", *arguments, **pulled(at, (errno.EIO, 1)))
        assert done.returncode == 1, f"{at} of {calls}: {done.stdout}"
        assert Bundle(medium / result).files == before


@pytest.mark.parametrize("form", FORMS)
def test_a_medium_that_takes_no_large_files(data, tmp_path, form):
    """As FAT does, of 4 GiB and more."""
    arguments, last, result = FORMS[form]
    medium = tmp_path / "medium"
    medium.mkdir()
    for at in (1, 2, 3):
        done = run(data, medium, "export", *arguments, **pulled(at, (errno.EFBIG, None), PULLED_ONLY="write"))
        assert_told(done, r"out\S*: the medium takes no file of this size.*-o FILE.tar --split 4000M")
        assert not (medium / last).exists()
    assert run(data, medium, "export", *arguments).returncode == 0
    assert Bundle(medium / result).paths() == sorted(CONTENTS)


# ---- import ----

UNREAD = (r"(/medium/out\S*|(^|: )out\.tar\S*): the medium (cannot|could not) be read .*was it pulled out.*the same command goes on|"
          r"pieces have other bytes than their list says, or cannot be read: .*put the medium in again")


def is_empty(data):
    with sqlite3.connect(data / "larder.db") as db:
        return all(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0 for table in ("versions", "artifacts"))


def make_bundle(folder, form, contents):
    folder.mkdir()
    bundle = bundle_writer.Bundle()
    for path, content in contents.items():
        bundle.add(path, {"tf-hub": content}, markdown=f"About {path}.")
    if form == "folder":
        return bundle.folder(folder / "out")
    path = bundle.tar(folder / "out.tar")
    return bundle_writer.split(path, 300_000) if form == "pieces" else path


def make_data(blank, data):
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o750)
    shutil.copy(blank / "data" / "larder.db", data)


def blobs(data):
    return sorted(file.name for file in data.glob("blobs/**/*") if file.is_file())


def assert_whole(data):
    with sqlite3.connect(data / "larder.db") as db:
        assert db.execute("SELECT count(*) FROM versions").fetchone()[0] == len(CONTENTS)
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert blobs(data) == sorted(map(modules.digest, CONTENTS.values()))
    assert not (data / "drafts").exists() or list((data / "drafts").iterdir()) == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("answer", ANSWERS, ids=["EIO", "ENODEV", "EIO once"])
def test_an_import_from_it(blank, tmp_path, form, answer):
    chance, failed, data, medium = random.Random(form), 0, tmp_path / "data", tmp_path / "medium"
    bundle = make_bundle(medium, form, CONTENTS)
    make_data(blank, data)
    calls = count_calls(tmp_path, data, medium, "import", bundle)
    for at in points(calls, chance):
        make_data(blank, data)
        done = run(data, medium, "import", bundle, **pulled(at, answer))
        if done.returncode == 0:
            assert answer[1] == 1, f"{at} of {calls}: it is gone, and nobody has noticed"
        else:
            failed += 1
            assert_told(done, UNREAD)
            assert is_empty(data)
            # Whatever is staged is whole, and used.
            staged = blobs(data)
            assert set(staged) <= set(map(modules.digest, CONTENTS.values()))
            again = run(data, medium, "import", "--json", bundle)
            assert again.returncode == 0, again.stderr
            assert json.loads(again.stdout)["copied"]["blobs"] == len(CONTENTS) - len(staged)
        assert_whole(data)
    assert failed >= (1 if answer[1] else 8)


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_not_all_that_was_on_it_is_told(blank, tmp_path, form):
    """Once it is pulled out; and where the rest is asked for, the rest is looked at."""
    many = {f"acme/n{i:03}/1": modules.module(2000, seed=i) for i in range(60)}
    data, medium = tmp_path / "data", tmp_path / "medium"
    bundle = make_bundle(medium, form, many)
    make_data(blank, data)
    calls = count_calls(tmp_path, data, medium, "import", bundle, PULLED_ONLY="read")
    # While the records are read, and while the modules are.
    for part in {"folder": (0.1, 0.2, 0.6), "tar": (0.75, 0.8, 0.92)}[form]:
        make_data(blank, data)
        done = run(data, medium, "import", bundle, **pulled(int(calls * part), (errno.EIO, None), PULLED_ONLY="read"))
        assert_told(done, r"/medium/out\S*: the medium could not be read 8 times in a row: was it pulled out.*the same command goes on")
        assert len(done.stderr.splitlines()) <= 10 and is_empty(data)
    assert run(data, medium, "import", bundle).returncode == 0


@pytest.mark.parametrize("form", FORMS)
def test_an_import_from_it_into_a_daemon(larder, tmp_path, form):
    chance, medium = random.Random(form), tmp_path / "medium"
    bundle = make_bundle(medium, form, CONTENTS)
    calls = count_calls(tmp_path, larder, medium, "import", bundle, "--dry-run")
    for at in points(calls, chance):
        done = run(larder, medium, "import", bundle, **pulled(at, (errno.EIO, None)))
        assert_told(done, UNREAD)
        assert larder.get("/api/v1/modules").json()["total"] == 0
    assert run(larder, medium, "import", bundle).returncode == 0
    for path, content in CONTENTS.items():
        assert larder.get(f"/{path}.tar.gz").body == content


# ---- the disk of the store ---------------------------------------------------------------------------------------------

def test_a_disk_that_is_away_gives_nothing_up(larder):
    """What verify cannot read is damaged only where it can read others; and where it has no descriptors it knows nothing."""
    bodies = {f"/acme/m{i}/1": modules.module(3000, seed=i) for i in range(3)}
    for path, body in bodies.items():
        larder.publish(path, body)
    disk = larder.data / "blobs"
    calls = count_calls(larder.folder, larder.data, disk, "verify", PULLED_ONLY="open")
    for at, answer, only, told in ((1, (errno.EIO, None), "read", "see that the disk of blobs/ is there"),
                                   (calls, (errno.EMFILE, None), "open", "Too many open files")):
        done = run(larder.data, disk, "verify", "--anew", **pulled(at, answer, PULLED_ONLY=only))
        assert done.returncode == 1 and done.stdout == "" and told in done.stderr, done
    for path, body in bodies.items():
        assert larder.get(f"{path}.tar.gz").body == body
    done = run(larder.data, disk, "verify", "--anew", **pulled(1, (errno.EIO, 2), PULLED_ONLY="read"))
    held, = [line for line in done.stdout.splitlines() if line.startswith("held")]
    assert "Input/output error" in held and done.returncode == 1, done
    assert sorted(larder.get(f"{path}.tar.gz").status for path in bodies) == [200, 200, 451]


def test_where_it_cannot_be_written_no_blob_is_left_out(larder, tmp_path):
    """Of a backup and of a restore: one failure to write ends them, and the same command goes on."""
    bodies = {f"/acme/m{i}/1": modules.module(3000, seed=i) for i in range(3)}
    for path, body in bodies.items():
        larder.publish(path, body)
    backup, restored = tmp_path / "backup", tmp_path / "restored"
    for words, data, place in ((("backup", backup), larder.data, backup), (("restore", backup), restored, restored)):
        done = run(data, tmp_path, *words, PULLED_BELOW=place / "drafts", **pulled(2, (errno.EIO, 1), PULLED_ONLY="sync"))
        assert done.returncode == 1 and done.stdout == "" and "Input/output error" in done.stderr, done
        assert run(data, tmp_path, *words).returncode == 0
    assert len(blobs(restored)) == len(bodies)
