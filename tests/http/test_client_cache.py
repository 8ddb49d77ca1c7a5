# SPDX-License-Identifier: Apache-2.0
"""larder export --tfhub-cache: code that asks tfhub.dev for its modules finds them, unpacked, without a server or a network."""
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
from pathlib import Path

import pytest
from support import hub_client, modules
from support.daemon import REPORTS, binary
from support.waiting import DEADLINE_S

SHIM = Path(binary()).parent / "tests/crash/linkless.so"
os.umask(MASK := os.umask(0))
TFHUB = "https://tfhub.dev"
SPELLINGS = ("", "/", "?tf-hub-format=compressed")
SHELVES = {
    "acme/x/1": lambda: modules.module(3000, seed=1),
    "acme/x/2": lambda: modules.module(3000, seed=2),
    "acme/old/1": modules.tf1_hub_module,
    "other/deep/er/name/7": lambda: modules.pack([*modules.members(), modules.Member("assets/"), modules.Member("assets/\u00e9.txt", b"wide"),
                                                  modules.Member("assets/empty", b"")]),
}


def export(larder, *arguments, status=0, **more):
    done = subprocess.run([binary(), "export", *map(str, arguments), "--data", str(larder.data)], capture_output=True, text=True,
                          timeout=DEADLINE_S, cwd=larder.folder, **more)
    assert not REPORTS.search(done.stderr), done.stderr
    assert done.returncode == status, f"{arguments}: status {done.returncode}: {done.stdout}{done.stderr}"
    return done


@pytest.fixture
def stocked(larder):
    for path, make in SHELVES.items():
        larder.publish(f"/{path}", make())
    larder.publish("/acme/lite/1?lite-format=tflite", modules.tflite_model())
    larder.publish("/acme/x/2?tfjs-format=compressed", modules.tfjs_module())
    return larder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def no_server(monkeypatch):
    """Whoever asks one has not found it in the cache."""
    def refuse(*arguments, **more):
        raise AssertionError(f"the client asked a server: {arguments}")
    monkeypatch.setattr(hub_client.urllib.request, "build_opener", refuse)


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def load(handle, cache):
    return tree(type(cache)(hub_client.load(handle, str(cache))))


def fetched(larder, path, tmp_path):
    """What the client makes of it by itself."""
    return load(larder.url.rstrip("/") + "/" + path, tmp_path / "own")


def test_code_finds_all_that_it_may_ask_for(stocked, cache, tmp_path, monkeypatch):
    """By each spelling of each origin, the same as from a server."""
    theirs = {path: fetched(stocked, path, tmp_path) for path in SHELVES}
    origins = [TFHUB, "http://models.example:8080/", f"http://localhost:1/{TFHUB}"]
    done = export(stocked, "--tfhub-cache", cache, *(word for origin in origins for word in ("--as", origin)))
    assert "acme/lite/1 is left out" in done.stderr and "TFHUB_CACHE_DIR" in done.stdout
    stocked.stop()
    monkeypatch.setattr(hub_client.urllib.request, "build_opener", None)
    for path in SHELVES:
        for origin in origins:
            for spelling in SPELLINGS:
                assert load(f"{origin.rstrip('/')}/{path}{spelling}", cache) == theirs[path]
    assert cache.stat().st_mode & 0o777 == 0o777 & ~MASK
    folders = [path for path in cache.iterdir() if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o777 & ~MASK}
    assert len(folders) == len(SHELVES) * len(origins) * len(SPELLINGS)
    # The same files for all spellings, so that a cache for many costs what it costs for one.
    assert len({path.stat().st_ino for path in cache.rglob("saved_model.pb")}) == len(SHELVES)
    stocked.start()


@pytest.mark.parametrize("arguments, found", [
    (["acme/x/1"], ["acme/x/1"]), (["acme/x"], ["acme/x/1", "acme/x/2"]), (["acme/*"], ["acme/old/1", "acme/x/1", "acme/x/2"]),
    (["acme/x/2?tf-hub-format=compressed", "other/*"], ["acme/x/2", "other/deep/er/name/7"]),
])
def test_takes_what_is_named(stocked, cache, no_server, arguments, found):
    report = json.loads(export(stocked, "--tfhub-cache", cache, "--as", TFHUB, "--json", *arguments).stdout)
    assert (report["modules"], report["made"], report["already_here"], report["missing"]) == (len(found), 3 * len(found), 0, [])
    for path in SHELVES:
        if path in found:
            load(f"{TFHUB}/{path}", cache)
        else:
            with pytest.raises(AssertionError, match="asked a server"):
                load(f"{TFHUB}/{path}", cache)


def test_takes_want_lists_and_lock_files(stocked, cache, tmp_path, no_server):
    (tmp_path / "wants.txt").write_text("acme/x/1?tf-hub-format=compressed\t3\t2026-11-28T00:00:00Z\n")
    lock = subprocess.run([binary(), "lock", "acme/old/1", "--server", stocked.url], capture_output=True, text=True, check=True).stdout
    (tmp_path / "models.lock").write_text(lock)
    export(stocked, "--tfhub-cache", cache, "--as", TFHUB, "--want", tmp_path / "wants.txt", "--lock", tmp_path / "models.lock")
    assert load(f"{TFHUB}/acme/x/1", cache) and load(f"{TFHUB}/acme/old/1", cache)
    assert sum(path.is_dir() for path in cache.iterdir()) == 6


def test_what_is_there_stays(stocked, cache, no_server):
    export(stocked, "--tfhub-cache", cache, "--as", TFHUB, "acme/x/1")
    before = {path: path.stat().st_ino for path in cache.iterdir() if path.is_dir()}
    again = json.loads(export(stocked, "--tfhub-cache", cache, "--as", TFHUB, "--as", "http://a", "--json", "acme/x").stdout)
    assert (again["modules"], again["made"], again["already_here"]) == (2, 9, 3)
    assert all(path.stat().st_ino == number for path, number in before.items())
    # A cleaner of /tmp took the files: every client fails with such a folder, and says so of none.
    for path in next(iter(before)).rglob("saved_model.pb"):
        path.unlink()
    done = export(stocked, "--tfhub-cache", cache, "--as", TFHUB, "acme/x/1")
    assert "1 of those" in done.stdout and str(next(iter(before))) in done.stderr and f"{TFHUB}/acme/x/1" in done.stderr


@pytest.mark.parametrize("trap", ["link", "dangling", "pipe", "second name"])
def test_what_others_put_there_is_not_written_into(stocked, cache, tmp_path, trap):
    """A cache may be in /tmp, and its names can be foretold."""
    cache.mkdir()
    mine = tmp_path / "mine"
    if trap != "dangling":
        mine.write_text("a thesis")
    description = cache / (hashlib.sha1(f"{TFHUB}/acme/x/1".encode()).hexdigest() + ".descriptor.txt")
    {"pipe": lambda: os.mkfifo(description), "second name": lambda: os.link(mine, description)}.get(
        trap, lambda: description.symlink_to(mine))()
    export(stocked, "--tfhub-cache", cache, "--as", TFHUB, "acme/x/1")
    assert not description.is_symlink() and description.read_text().startswith(f"Module: {TFHUB}/acme/x/1\n")
    assert mine.read_text() == "a thesis" if trap != "dangling" else not mine.exists()


def test_what_is_not_here_is_named(stocked, cache):
    for name, words in ("acme/none/1", "not known"), ("nobody/*", "matches nothing"):
        done = export(stocked, "--tfhub-cache", cache, "--as", TFHUB, "acme/x/1", name, status=1)
        assert name in done.stderr and words in done.stderr and list(cache.iterdir()) == []
    done = export(stocked, "--tfhub-cache", cache, "--as", TFHUB, "--partial", "acme/x/1", "acme/none/1", status=1)
    assert "acme/none/1" in done.stderr and sum(path.is_dir() for path in cache.iterdir()) == 3
    done = export(stocked, "--tfhub-cache", cache, "--as", TFHUB, "acme/lite/1", status=1)
    assert "acme/lite/1 is left out" in done.stderr and "nothing is here" in done.stderr


def test_what_is_something_else_is_no_cache(stocked, tmp_path):
    export(stocked, "-o", tmp_path / "bundle", "acme/x/1")
    for folder in (tmp_path / "bundle", stocked.data):
        before = sorted(path.name for path in folder.iterdir())
        assert ("data folder" if folder == stocked.data else "folder of its own") in export(stocked, "--tfhub-cache", folder, "--as", TFHUB, "acme/x/1", status=1).stderr
        assert sorted(path.name for path in folder.iterdir()) == before
    export(stocked, "--tfhub-cache", tmp_path / "cache", "--as", TFHUB, "acme/x/1")
    assert "other files" in export(stocked, "-o", tmp_path / "cache", status=1).stderr


def test_only_looks(stocked, cache):
    report = json.loads(export(stocked, "--tfhub-cache", cache, "--as", TFHUB, "--dry-run", "--json", "acme/x").stdout)
    assert (report["modules"], report["made"]) == (2, 6) and list(cache.iterdir()) == []


@pytest.mark.parametrize("arguments", [
    ["--tfhub-cache", "c"], ["--as", TFHUB, "-o", "b"], ["--tfhub-cache", "c", "--as", "tfhub.dev"], ["--tfhub-cache", "", "--as", TFHUB],
    ["--tfhub-cache", "c", "--as", TFHUB, "-o", "b"], ["--tfhub-cache", "c", "--as", TFHUB, "--split", "2M"],
    ["--tfhub-cache", "c", *["--as", TFHUB] * 17], ["--tfhub-cache", "c", "--as", TFHUB, "--sign", "k"],
])
def test_misused(stocked, arguments):
    assert export(stocked, *arguments, status=2).stderr.startswith("larder: ")


@pytest.mark.parametrize("seed", range(3))
def test_damaged_bytes_are_found(stocked, cache, no_server, seed):
    """One bit anywhere; what was made before is whole."""
    chance = random.Random(seed)
    digest = modules.digest(SHELVES["acme/x/2"]())
    [blob] = [path for path in (stocked.data / "blobs").rglob("*") if path.name == digest.removeprefix("sha256:")]
    spoilt = bytearray(blob.read_bytes())
    spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    blob.chmod(0o600)
    blob.write_bytes(spoilt)
    done = export(stocked, "--tfhub-cache", cache, "--as", TFHUB, "acme/*", status=1)
    assert "acme/x/2: " in done.stderr and digest.removeprefix("sha256:") in done.stderr
    assert load(f"{TFHUB}/acme/x/1", cache)
    with pytest.raises(AssertionError, match="asked a server"):
        load(f"{TFHUB}/acme/x/2", cache)


@pytest.mark.skipif(not SHIM.exists(), reason=f"{SHIM} is not built")
def test_a_stick_without_hard_links(stocked, cache, no_server):
    environment = {**os.environ, "LD_PRELOAD": str(SHIM), "ASAN_OPTIONS": (os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0").lstrip(":")}
    export(stocked, "--tfhub-cache", cache, "--as", TFHUB, env=environment)
    for path in SHELVES:
        assert len({str(load(f"{TFHUB}/{path}{spelling}", cache)) for spelling in SPELLINGS}) == 1
    assert {path.stat().st_nlink for path in cache.rglob("saved_model.pb")} == {1}
    assert not [name for name in os.listdir(cache) if ".part-" in name]


def test_a_disk_that_is_full(stocked, cache, no_server):
    stocked.publish("/acme/large/1", modules.module(2_000_000))

    def confine():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    done = export(stocked, "--tfhub-cache", cache, "--as", TFHUB, "acme/large", "acme/x", status=1, preexec_fn=confine)
    assert "acme/large/1: " in done.stderr
    assert [path.name for path in cache.iterdir() if path.is_dir()] == []
    export(stocked, "--tfhub-cache", cache, "--as", TFHUB, "acme/large", "acme/x")
    assert load(f"{TFHUB}/acme/large/1", cache)


def assert_each_is_whole(cache, path, whole):
    for spelling in SPELLINGS:
        folder = cache / hashlib.sha1(f"{TFHUB}/{path}{spelling}".encode()).hexdigest()
        assert not folder.exists() or tree(folder) == whole


@pytest.mark.parametrize("seed", range(4))
def test_killed_anywhere(stocked, cache, tmp_path, seed):
    """Each folder that a client could take is whole; the next run goes on, and cleans up."""
    chance = random.Random(seed)
    theirs = {path: fetched(stocked, path, tmp_path) for path in SHELVES}
    command = [binary(), "export", "--tfhub-cache", str(cache), "--as", TFHUB, "--data", str(stocked.data)]
    for _ in range(6):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(chance.uniform(0.05, 0.6))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        for path, whole in theirs.items():
            assert_each_is_whole(cache, path, whole)
    export(stocked, "--tfhub-cache", cache, "--as", TFHUB)
    assert all(tree(cache / hashlib.sha1(f"{TFHUB}/{path}{spelling}".encode()).hexdigest()) == theirs[path]
               for path in SHELVES for spelling in SPELLINGS)
    assert not [name for name in os.listdir(cache) if ".part-" in name]
