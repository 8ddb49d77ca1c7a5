# SPDX-License-Identifier: Apache-2.0
"""Commands on a data folder as it stands: nothing is made there that its daemon could not read, and nothing where it was not meant."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from support import modules
from support.bundle_writer import Bundle
from support.daemon import binary
from support.waiting import DEADLINE_S

NOBODY = 65534
X = modules.module(20_000, seed=9)
WRITERS = {
    "import": ["import", "bundle"],
    "import, dry": ["import", "bundle", "--dry-run"],
    "import-docs": ["import-docs", "docs"],
    "gc": ["gc"],
    "rescan": ["rescan"],
    "pin": ["pin", "acme/x"],
    "unpin": ["unpin", "acme/x"],
    "token": ["token", "create", "ci", "--scope", "publish:*"],
    "export": ["export", "-o", "out"],
}

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of several users")


@pytest.fixture
def place():
    """Everybody may come here, but for what is in it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        Bundle().add("acme/x/1", {"tf-hub": X}).folder(Path(folder, "bundle"))
        Path(folder, "docs").mkdir()
        yield Path(folder)


def run(place, *arguments, user=None):
    done = subprocess.run([binary(), *arguments], cwd=place, capture_output=True, text=True, timeout=DEADLINE_S, user=user,
                          extra_groups=None if user is None else [])
    assert "ERROR:" not in done.stderr, done.stderr
    return done


def give(blank, place, user):
    data = place / "larder-data"
    data.mkdir(mode=0o750)
    shutil.copy(blank / "data" / "larder.db", data)
    for path in [data, *data.rglob("*")]:
        os.chown(path, user, user)
    return data


@as_root
@pytest.mark.parametrize("command", WRITERS)
def test_root_makes_nothing_in_a_folder_of_another_user(blank, place, command):
    data = give(blank, place, NOBODY)
    before = sorted(data.rglob("*"))
    done = run(place, *WRITERS[command])
    assert done.returncode == 1 and "larder-data belongs to nobody (uid 65534)" in done.stderr
    assert "sudo -u nobody larder" in done.stderr
    assert sorted(data.rglob("*")) == before


@as_root
def test_a_user_without_a_name_is_told_by_number(blank, place):
    give(blank, place, 54321)
    assert "belongs to uid 54321" in run(place, "gc").stderr and "sudo -u '#54321'" in run(place, "gc").stderr


@as_root
def test_root_makes_no_store_in_an_empty_folder_of_another_user(place):
    (place / "larder-data").mkdir()
    os.chown(place / "larder-data", NOBODY, NOBODY)
    assert "belongs to nobody" in run(place, "import", "bundle", "--data", "larder-data").stderr
    assert list((place / "larder-data").iterdir()) == []


@as_root
@pytest.mark.parametrize("command", WRITERS)
def test_permissions_are_told_as_what_they_are(blank, place, command):
    give(blank, place, 0)
    done = run(place, *WRITERS[command], user=NOBODY)
    assert done.returncode == 1 and "larder-data: Permission denied; it belongs to root (uid 0)" in done.stderr


@as_root
def test_a_folder_that_is_read_only_to_others(blank, place):
    os.chmod(give(blank, place, 0), 0o755)
    assert "larder-data: Permission denied; it belongs to root" in run(place, "gc", user=NOBODY).stderr


@as_root
def test_the_owner_goes_on(blank, place):
    data = give(blank, place, NOBODY)
    done = run(place, "import", "bundle", user=NOBODY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"into the data folder {data}\n")
    assert {path.stat().st_uid for path in data.rglob("*")} == {NOBODY}


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--json"], ["--partial"]])
def test_import_makes_no_folder_that_was_not_named(place, options):
    done = run(place, "import", "bundle", *options)
    assert done.returncode == 1 and "there is no store in larder-data" in done.stderr and "--data" in done.stderr
    assert not (place / "larder-data").exists()


def test_import_makes_one_that_was_named_and_says_so(place):
    done = run(place, "import", "bundle", "--data", "new")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"into the data folder {place}/new, which is new\n")
    (place / "ini").write_text(f"[storage]\ndata_dir = {place}/other\n")
    assert run(place, "import", "bundle", "--config", "ini").returncode == 0
    assert (place / "other" / "larder.db").exists()


ADDING = {"pin": ["pin", "acme/x"], "token": ["token", "create", "ci", "--scope", "publish:*"], "import-docs": ["import-docs", "docs"],
          "import": ["import", "bundle"]}
LOOKING = {"unpin": ["unpin", "acme/x"], "pins": ["pin", "--list"], "tokens": ["token", "list"], "revoke": ["token", "revoke", "ci"],
           "docs, dry": ["import-docs", "docs", "--dry-run"], "import, dry": ["import", "bundle", "--dry-run"], "gc": ["gc"],
           "export": ["export", "-o", "out"]}


def fill_docs(place):
    tree = place / "docs" / "assets" / "docs" / "acme"
    tree.mkdir(parents=True)
    (tree / "acme.md").write_text("# Publisher acme\nAcme\n\n## Who\nWe.\n")


@pytest.mark.parametrize("command", ADDING | LOOKING)
def test_no_folder_is_made_that_was_not_named(place, command):
    fill_docs(place)
    done = run(place, *(ADDING | LOOKING)[command])
    assert done.returncode == 1 and "there is no store in larder-data" in done.stderr, done.stderr
    assert "--data" in done.stderr and "--config" in done.stderr and ("larder serve" in done.stderr) == (command in ADDING)
    assert not (place / "larder-data").exists()


@pytest.mark.parametrize("command", LOOKING)
def test_what_only_looks_makes_none_that_was_named(place, command):
    fill_docs(place)
    done = run(place, *LOOKING[command], "--data", "new")
    assert done.returncode == 1 and "there is no store in new" in done.stderr, done.stderr
    assert not (place / "new").exists()


@pytest.mark.parametrize("named", ["--data", "--config"])
@pytest.mark.parametrize("command", ADDING)
def test_one_that_was_named_is_made(place, command, named):
    fill_docs(place)
    (place / "ini").write_text(f"[storage]\ndata_dir = {place}/new\n")
    done = run(place, *ADDING[command], named, "new" if named == "--data" else "ini")
    assert done.returncode == 0, done.stderr
    assert (place / "new" / "larder.db").exists() and not (place / "larder-data").exists()


@pytest.mark.parametrize("form", ["nothing", "an empty folder"])
def test_a_dry_run_makes_nothing(place, form):
    if form != "nothing":
        (place / "new").mkdir()
    done = run(place, "import", "bundle", "--dry-run", "--data", "new")
    assert done.returncode == 1 and "a dry run makes no data folder" in done.stderr
    assert list(place.glob("new/*")) == [] and (place / "new").exists() == (form != "nothing")
