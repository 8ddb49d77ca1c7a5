# SPDX-License-Identifier: Apache-2.0
"""An export that is killed at any instant: nobody can take what is there for whole, and the same command makes it so. And a
medium that is full."""
import os
import random
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support import modules
from support.bundles import Bundle
from support.daemon import REPORTS, binary
from support.waiting import DEADLINE_S

SHIM = Path(binary()).parent / "tests" / "crash" / "doomed.so"
LINKLESS = SHIM.with_name("linkless.so")
POINTS = 40  # of each kind
KINDS = {"folder": (["-o", "out"], "out/index.json", "out"), "tar": (["-o", "out.tar"], "out.tar", "out.tar"),
         "pieces": (["-o", "out.tar", "--split", "1M"], "out.tar.pieces", "out.tar.pieces")}


def export(data, folder, *arguments, **environment):
    options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    done = subprocess.run([binary(), "export", *arguments, "--data", str(data)], capture_output=True, text=True, timeout=DEADLINE_S,
                          cwd=folder, env={**os.environ, "SOURCE_DATE_EPOCH": "1795867200", "ASAN_OPTIONS": options.lstrip(":"),
                                           **{key: str(value) for key, value in environment.items()}})
    assert not REPORTS.search(done.stderr), done.stderr
    return done


@pytest.fixture
def stocked(larder):
    for i in range(8):
        larder.publish(f"/acme/m{i % 4}/{i // 4 + 1}", modules.module(250_000 + 40_000 * i, seed=i))
    assert larder.request("DELETE", "/acme/m1/2", {"Authorization": "Bearer " + larder.token("withdraw:*")}).status == 200
    assert export(larder.data, larder.folder, "-o", "whole").returncode == 0
    return larder


def count_calls(stocked, arguments):
    folder = stocked.folder / "counted"
    folder.mkdir()
    assert export(stocked.data, folder, *arguments, LD_PRELOAD=SHIM, DOOMED_COUNT=folder / "count").returncode == 0
    return int((folder / "count").read_text())


@pytest.mark.long
@pytest.mark.skipif(not SHIM.exists(), reason=f"{SHIM} is not built")
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_point(stocked, kind):
    arguments, last, result = KINDS[kind]
    wanted = Bundle(stocked.folder / "whole").files
    calls = count_calls(stocked, arguments)
    chance = random.Random(kind)
    killed = 0
    assert calls > 50
    for i in range(POINTS):
        folder = stocked.folder / str(i)
        folder.mkdir()
        # Once, and once more on what that left.
        for at in (1 + i * (calls - 1) // (POINTS - 1), chance.randrange(1, calls)):
            done = export(stocked.data, folder, *arguments, LD_PRELOAD=SHIM, DOOMED_AT=at)
            assert done.returncode in (-signal.SIGKILL, 0) or "--force" in done.stderr, done.stderr
            killed += done.returncode == -signal.SIGKILL
            if (folder / last).exists():
                assert Bundle(folder / result).files == wanted
        if not (folder / last).exists():
            done = export(stocked.data, folder, *arguments)
            assert done.returncode == 0, done.stderr
        assert Bundle(folder / result).files == wanted
        shutil.rmtree(folder)
    assert killed > POINTS
    outgoing = stocked.data / "outgoing"
    export(stocked.data, stocked.folder, "--dry-run")
    assert list(outgoing.iterdir()) == []


@pytest.mark.skipif(not SHIM.exists(), reason=f"{SHIM} is not built")
def test_killed_while_a_folder_is_brought_up_to_date(stocked):
    arguments = ["-o", "out", "--force"]
    for i in range(12):
        folder = stocked.folder / str(i)
        shutil.copytree(stocked.folder / "whole", folder / "out")
        export(stocked.data, folder, "acme/m0", *arguments, LD_PRELOAD=SHIM, DOOMED_AT=1 + 9 * i)
        assert export(stocked.data, folder, "acme/m0", *arguments).returncode == 0
        assert Bundle(folder / "out").paths() == ["acme/m0/1", "acme/m0/2"]


@pytest.fixture
def medium(tmp_path):
    """A file system of 1 MiB."""
    folder = tmp_path / "medium"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_medium_is_full(stocked, medium, kind):
    arguments, last, result = KINDS[kind]
    for _ in range(2):
        done = export(stocked.data, medium, *arguments)
        assert done.returncode == 1 and "the medium is full" in done.stderr and "goes on" in done.stderr, done.stderr
        assert not (medium / last).exists()
    subprocess.run(["mount", "-o", "remount,size=16m", str(medium)], check=True)
    assert export(stocked.data, medium, *arguments).returncode == 0
    assert Bundle(medium / result).files == Bundle(stocked.folder / "whole").files


@pytest.mark.skipif(not LINKLESS.exists(), reason=f"{LINKLESS} is not built")
def test_a_store_without_hard_links(stocked):
    """Nothing holds the blobs then, and they go all the same."""
    assert export(stocked.data, stocked.folder, "-o", "out", LD_PRELOAD=LINKLESS).returncode == 0
    assert Bundle(stocked.folder / "out").files == Bundle(stocked.folder / "whole").files


def test_the_medium_becomes_read_only(stocked, medium):
    subprocess.run(["mount", "-o", "remount,size=16m", str(medium)], check=True)
    assert export(stocked.data, medium, "acme/m0", "-o", "out").returncode == 0
    before = Bundle(medium / "out").files
    subprocess.run(["mount", "-o", "remount,ro", str(medium)], check=True)
    for arguments in (["-o", "out", "--force"], ["-o", "other"], ["-o", "out.tar"]):
        done = export(stocked.data, medium, *arguments)
        assert done.returncode == 1 and "Read-only" in done.stderr, done.stderr
    assert Bundle(medium / "out").files == before
