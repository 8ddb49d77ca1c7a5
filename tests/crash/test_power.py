# SPDX-License-Identifier: Apache-2.0
"""The power fails on a disk that keeps what was synchronized and nothing else: every 201 survives. forgetful.c writes down what
the daemon makes and synchronizes; what it did not is taken away, as such a disk would."""
import os
import random
import shutil
from pathlib import Path

import pytest
from support import modules
from support.daemon import Daemon, binary, under_thread_sanitizer

SHIM = Path(binary()).parent / "tests" / "crash" / "forgetful.so"
CUTS = 12

pytestmark = pytest.mark.skipif(not SHIM.exists() or under_thread_sanitizer(), reason=f"{SHIM} is not built")


class Disk:
    """What of a folder would not survive, by the log of what was done in it."""

    def __init__(self, folder, log):
        self.folder = str(folder)
        self.log = log
        log.touch()

    def unsynced(self):
        """Names whose folder was not synchronized since they were made, and files whose bytes never were."""
        names, contents = {}, set()
        for line in self.log.read_text().splitlines():
            what, *paths = line.split("\t")
            self.note(what, paths, names, contents)
        return names, contents

    def note(self, what, paths, names, contents):
        path = paths[0]
        if what in "CM":
            names[path] = what
            if what == "C":
                contents.add(path)
        elif what == "R":
            self.move(path, paths[1], names, contents)
        elif what == "U":
            names.pop(path, None)
            contents.discard(path)
        elif what == "F":
            contents.discard(path)
        elif what == "S":
            for name in [name for name in names if os.path.dirname(name) == path]:
                del names[name]

    @staticmethod
    def move(old, new, names, contents):
        for name in [name for name in names if name.startswith(old + "/")]:
            names[new + name[len(old):]] = names.pop(name)
        for name in [name for name in contents if name == old or name.startswith(old + "/")]:
            contents.discard(name)
            contents.add(new + name[len(old):])
        names.pop(old, None)
        names[new] = "R"

    def cut(self):
        """Takes away what would be lost; gives the names."""
        names, contents = self.unsynced()
        lost = sorted(name for name in names if name.startswith(self.folder) and os.path.lexists(name))
        for name in lost:
            if os.path.isdir(name) and not os.path.islink(name):
                shutil.rmtree(name)
            elif os.path.lexists(name):
                os.unlink(name)
        for name in contents:
            if name.startswith(self.folder) and os.path.isfile(name):
                os.truncate(name, 0)
        self.log.write_text("")
        return lost


@pytest.fixture
def forgetful(tmp_path, monkeypatch):
    """A daemon in a folder that is not there yet, on such a disk; `disk` cuts the power."""
    disk = Disk(tmp_path / "disk", tmp_path / "done")
    (tmp_path / "disk").mkdir()
    monkeypatch.setenv("FORGETFUL_LOG", str(disk.log))
    options = os.environ.get("ASAN_OPTIONS", "")
    monkeypatch.setenv("ASAN_OPTIONS", f"{options}:verify_asan_link_order=0".lstrip(":"))
    daemons = []

    def make(name):
        larder = Daemon(tmp_path / "daemon" / name)
        larder.data = tmp_path / "disk" / name / "deep" / "data"
        larder.configure()
        monkeypatch.setenv("LD_PRELOAD", str(SHIM))
        daemons.append(larder)
        return larder.start()

    def cut(larder):
        larder.kill()
        lost = disk.cut()
        monkeypatch.delenv("LD_PRELOAD")
        larder.start()
        return lost

    disk.make, disk.cut_and_start = make, cut
    yield disk
    for larder in daemons:
        if larder.is_running():
            larder.stop()


def test_the_shim_takes_away_what_was_not_synchronized(forgetful, tmp_path):
    """Else the other tests would prove nothing."""
    log = forgetful.log
    made = tmp_path / "disk" / "made"
    for name in ("kept", "lost", "moved"):
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text("bytes")
    log.write_text("".join(f"{line}\n" for line in (
        f"M\t{made}", f"S\t{tmp_path}/disk", f"C\t{made}/kept", f"F\t{made}/kept", f"S\t{made}", f"C\t{made}/lost",
        f"C\t{made}/begun", f"R\t{made}/begun\t{made}/moved")))
    assert forgetful.cut() == [str(made / "lost"), str(made / "moved")]
    assert (made / "kept").read_text() == "bytes"


@pytest.mark.parametrize("cut", range(CUTS))
def test_every_201_survives(forgetful, cut):
    chance = random.Random(cut)
    larder = forgetful.make(f"n{cut}")
    contents = {f"/acme/m{number}/1": modules.module(20_000, seed=100 * cut + number) for number in range(chance.randint(1, 6))}
    for path, content in contents.items():
        assert larder.put(path, content).status == 201
    synced = forgetful.log.read_text()
    assert f"M\t{larder.data}/blobs" in synced and f"S\t{larder.data}/blobs" in synced, "the shim sees nothing"
    lost = forgetful.cut_and_start(larder)
    assert not any("/blobs" in name for name in lost), lost
    for path, content in contents.items():
        assert larder.get(path + ".tar.gz").body == content, f"{path} was acknowledged, and is gone: {lost}"


def test_a_folder_that_another_start_made_and_did_not_synchronize(forgetful):
    """It was killed between the two: the next start makes it durable."""
    larder = forgetful.make("half")
    larder.kill()
    for folder in ("blobs/sha256", "blobs", "drafts", "."):
        forgetful.log.write_text(forgetful.log.read_text() + f"M\t{os.path.normpath(larder.data / folder)}\n")
    larder.start()
    content = modules.module(30_000)
    assert larder.put("/acme/x/1", content).status == 201
    lost = forgetful.cut_and_start(larder)
    assert larder.get("/acme/x/1.tar.gz").body == content, lost
