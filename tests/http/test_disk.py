# SPDX-License-Identifier: Apache-2.0
"""The disk's limits: what is mirrored stays below max_bytes, the file system keeps its free bytes, and a full disk breaks
nothing that is there."""
import contextlib
import http.client
import json
import os
import subprocess
import threading
import time
import urllib.parse

import pytest
from support import modules
from support.client import Download
from support.daemon import assert_problem, binary, under_thread_sanitizer
from support.kagglehub import New
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

MiB = 1 << 20
EVICTED = "larder_evictions_total"


def names(count, prefix="m"):
    return [f"/google/{prefix}{i}/1" for i in range(count)]


def serve_modules(upstream, paths, size, first_seed=1):
    """Distinct modules of one size; {path: bytes}."""
    contents = {path: modules.module(size, seed=first_seed + i) for i, path in enumerate(paths)}
    for path, content in contents.items():
        upstream.serve(path, content)
    return contents


def fetch(larder, path):
    reply = larder.get(path + ".tar.gz")
    larder.wait_for_idle()
    return reply


def is_cached(larder, path):
    return larder.get("/api/v1/modules" + path).json()["artifacts"][0]["cached"]


def wait_for_next_second():
    now = int(time.time())
    wait_until(lambda: int(time.time()) > now, "the next second")


class Gauge:
    """Looks at the daemon's figures and its folder for as long as the test runs; remembers the highest."""

    def __init__(self, larder):
        self.larder = larder
        self.claimed = 0
        self.on_disk = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping.wait(0.02):
            metrics = self.larder.metrics()
            self.claimed = max(self.claimed, metrics["larder_mirrored_bytes"] + metrics["larder_reserved_bytes"])
            self.on_disk = max(self.on_disk, self.bytes_on_disk())

    def bytes_on_disk(self):
        """What lay there at one moment for certain: files that were there before and after it, as long as before."""
        before = self.files()
        after = self.files()
        return sum(size for inode, size in before.items() if after.get(inode, -1) >= size)

    def files(self):
        found = {}
        for folder in ("drafts", "blobs"):
            for path in (self.larder.data / folder).rglob("*"):
                try:
                    status = path.stat()
                    if path.is_file():
                        found[status.st_ino] = status.st_size
                except FileNotFoundError:
                    pass  # it went between the two looks
        return found

    def stop(self):
        self.stopping.set()
        self.thread.join()


# ---- max_bytes -------------------------------------------------------------------------------------------------------

@pytest.mark.concurrent
def test_many_clients_pull_more_than_there_is_room_for(upstream, start):
    """1 GiB with LARDER_TEST_PULL_MIB=1024."""
    scale = 8 if under_thread_sanitizer() else 1
    limit = 64 * MiB // scale
    total = int(os.environ.get("LARDER_TEST_PULL_MIB", "256")) * MiB // scale
    size = 2 * MiB // scale
    larder = start({"storage": {"max_bytes": limit}, "mirror": {"max_fills": 16}}, [upstream.url])
    published = {f"/acme/p{i}/1": modules.module(size, seed=10_000 + i) for i in range(2)}
    for path, content in published.items():
        larder.publish(path, content)
    pinned = serve_modules(upstream, ["/google/pinned/1"], size, 20_000)
    assert fetch(larder, "/google/pinned/1").body == pinned["/google/pinned/1"]
    assert larder.larder("pin", "google/pinned/1").returncode == 0
    # The names differ, and so do the bytes; made on the way, so that the test does not hold them all.
    paths = names(total // size)
    faults = []
    todo = iter(enumerate(paths))
    mutex = threading.Lock()

    def pull():
        while True:
            with mutex:
                number, path = next(todo, (None, None))
            if path is None:
                return
            content = modules.module(size, seed=number + 1)
            upstream.serve(path, content)
            reply = larder.get(path + ".tar.gz")
            upstream.serve(path, Answer(b"", 500))
            if reply.status != 200 or reply.body != content:
                faults.append(f"{path}: {str(reply)[:300]}")

    gauge = Gauge(larder)
    threads = [threading.Thread(target=pull) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gauge.stop()
    assert not faults, f"{len(faults)} failed: {faults[:3]}"
    larder.wait_for_idle()
    module = len(published["/acme/p0/1"])
    assert gauge.claimed <= limit + module, f"{gauge.claimed} bytes were claimed of {limit}"
    assert gauge.on_disk <= limit + module * (1 + len(published)), f"{gauge.on_disk} bytes lay on the disk"
    assert larder.metric(EVICTED) >= (total - limit) // module - 1
    sent = upstream.count()
    for path, content in (published | pinned).items():
        assert larder.get(path + ".tar.gz").body == content
    assert upstream.count() == sent, "what was pinned was fetched again"


def test_least_recently_used_goes_first(upstream, start):
    contents = serve_modules(upstream, names(4), 200_000)
    size = len(contents["/google/m0/1"])
    larder = start({"storage": {"max_bytes": 3 * size + 1000}}, [upstream.url])
    for path in names(3):
        assert fetch(larder, path).body == contents[path]
        wait_for_next_second()  # by which uses are told apart
    assert fetch(larder, "/google/m0/1").status == 200
    larder.restart()  # writes what was counted
    assert fetch(larder, "/google/m3/1").status == 200
    assert [is_cached(larder, path) for path in names(4)] == [True, False, True, True]


def test_evicted_module_is_fetched_again_and_equal(upstream, start):
    contents = serve_modules(upstream, names(3), 200_000)
    size = len(contents["/google/m0/1"])
    larder = start({"storage": {"max_bytes": 2 * size + 1000}}, [upstream.url])
    for path in names(3):
        assert fetch(larder, path).status == 200
    gone = [path for path in names(3) if not is_cached(larder, path)]
    assert len(gone) == 1 and len(larder.blobs()) == 2
    assert larder.metric(EVICTED) == 1 and larder.metric("larder_evicted_bytes_total") == size
    head = larder.head(gone[0] + ".tar.gz")
    assert head.status == 200 and int(head.header("Content-Length")) == size
    assert upstream.count() == 3 and upstream.count(method="HEAD") == 0, "the catalog knows the size"
    assert fetch(larder, gone[0]).body == contents[gone[0]]
    assert upstream.count(gone[0]) == 2


def test_evicted_and_offline(upstream, start):
    contents = serve_modules(upstream, names(2), 200_000)
    settings = {"storage": {"max_bytes": len(contents["/google/m0/1"]) + 1000}}
    larder = start(settings, [upstream.url])
    for path in names(2):
        assert fetch(larder, path).status == 200
    larder.stop()
    larder.configure(settings | {"mirror": {"offline": "true"}}, [upstream.url])
    larder.start()
    assert larder.get("/google/m1/1.tar.gz").body == contents["/google/m1/1"]
    assert_problem(larder.get("/google/m0/1.tar.gz"), 504, "offline")


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_module_larger_than_all_room(upstream, start, chunked):
    content = modules.module(300_000)
    upstream.serve("/google/small/1", modules.module(50_000, seed=2))
    upstream.serve("/google/m/1", Answer(content, chunked=chunked))
    larder = start({"storage": {"max_bytes": 200_000}}, [upstream.url])
    assert fetch(larder, "/google/small/1").status == 200
    reply = fetch_or_cut(larder, "/google/m/1.tar.gz")
    if not chunked:
        problem = assert_problem(reply, 507, "no-space")
        assert "max_bytes" in problem["detail"] and "195" in problem["detail"], problem
        assert is_cached(larder, "/google/small/1"), "what can never fit must not empty the store"
    larder.wait_for_idle()
    larder.wait_for_no_drafts()
    assert larder.metric("larder_reserved_bytes") == 0


def fetch_or_cut(larder, path):
    """The answer, or None where it was cut off."""
    try:
        return larder.get(path)
    except (OSError, http.client.HTTPException):
        return None


def test_shared_bytes_count_as_published(upstream, start):
    content = modules.module(200_000)
    upstream.serve("/google/m0/1", content)
    others = serve_modules(upstream, names(3, "other"), 200_000, 50)
    larder = start({"storage": {"max_bytes": len(content) + 1000}}, [upstream.url])
    assert fetch(larder, "/google/m0/1").body == content
    larder.publish("/acme/m/1", content)
    for path in others:
        assert fetch(larder, path).status == 200
    assert larder.get("/google/m0/1.tar.gz").body == content and upstream.count("/google/m0/1") == 1


def test_what_is_being_read_stays(upstream, start):
    big = modules.module(24 * MiB)
    upstream.serve("/google/big/1", big)
    upstream.serve("/google/other/1", modules.module(20 * MiB, seed=2))
    larder = start({"storage": {"max_bytes": 30 * MiB}}, [upstream.url])
    assert fetch(larder, "/google/big/1").status == 200
    reader = Download(larder, "/google/big/1.tar.gz")
    assert reader.read_up_to(1000)
    other = []
    thread = threading.Thread(target=lambda: other.append(larder.get("/google/other/1.tar.gz")))
    thread.start()
    upstream.wait_for_requests(1, "/google/other/1")
    assert is_cached(larder, "/google/big/1") and larder.metric(EVICTED) == 0
    assert reader.read_to_end() and reader.digest() == modules.digest(big)
    reader.close()
    thread.join()
    assert other[0].status == 200, other[0]
    larder.wait_for_idle()
    assert not is_cached(larder, "/google/big/1")


# ---- pin, unpin, gc --------------------------------------------------------------------------------------------------

def test_pins_are_listed_and_let_go(upstream, start):
    contents = serve_modules(upstream, names(4), 200_000)
    size = len(contents["/google/m0/1"])
    larder = start({"storage": {"max_bytes": 2 * size + 1000}}, [upstream.url])
    assert fetch(larder, "/google/m0/1").status == 200
    larder.larder("pin", "google/m0")
    assert "google/m0" in larder.larder("pin", "--list").stdout
    for path in names(4)[1:]:
        assert fetch(larder, path).status == 200
        assert is_cached(larder, "/google/m0/1")
    larder.larder("unpin", "google/m0")
    failed = larder.larder("unpin", "google/m0", check=False)
    assert failed.returncode == 1 and "google/m0" in failed.stderr
    assert fetch(larder, "/google/m1/1").status == 200
    assert not is_cached(larder, "/google/m0/1")


def test_all_pinned_leaves_no_room(upstream, start):
    contents = serve_modules(upstream, names(2), 200_000)
    larder = start({"storage": {"max_bytes": len(contents["/google/m0/1"]) + 1000}}, [upstream.url])
    larder.larder("pin", "google/*")
    assert fetch(larder, "/google/m0/1").status == 200
    assert_problem(fetch(larder, "/google/m1/1"), 507, "no-space")
    assert larder.get("/google/m0/1.tar.gz").status == 200


def test_gc_beside_a_running_daemon(upstream, start, tmp_path):
    contents = serve_modules(upstream, names(4), 200_000)
    size = len(contents["/google/m0/1"])
    larder = start(upstreams=[upstream.url])
    for path in names(4):
        assert fetch(larder, path).status == 200
    stray = larder.data / "blobs" / "sha256" / "00" / ("00" * 32)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"nobody's")
    narrow = tmp_path / "narrow.ini"
    narrow.write_text(f"[storage]\nmax_bytes = {2 * size + 1000}\nkeep_free_bytes = 0\n")
    would = larder.larder("gc", "--dry-run", "--config", str(narrow)).stdout
    assert "would remove 1 files" in would and "would remove 2 mirrored" in would, would
    assert len(larder.blobs()) == 5
    did = larder.larder("gc", "--config", str(narrow)).stdout
    assert "removed 1 files" in did and "removed 2 mirrored" in did, did
    assert len(larder.blobs()) == 2 and not stray.exists()
    for path in names(4):
        assert fetch(larder, path).body == contents[path]
    assert upstream.count() == 6


def test_gc_of_a_folder_that_is_no_store(tmp_path):
    nowhere = tmp_path / "nowhere"
    done = subprocess.run([binary(), "gc", "--data", str(nowhere)], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 1 and "no store" in done.stderr and not nowhere.exists(), done


# ---- the file system's end -------------------------------------------------------------------------------------------

@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 32 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def start_on(start, disk, upstream, keep_free):
    data = disk / "larder" / "data"
    data.mkdir(parents=True)
    larder = start({"storage": {"keep_free_bytes": keep_free}}, [upstream.url], name="disk/larder")
    assert larder.data == data
    return larder


def free_bytes(folder):
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_bytes_stay_free(small_disk, upstream, start, chunked):
    larder = start_on(start, small_disk, upstream, 8 * MiB)
    contents = {path: modules.module(2 * MiB, seed=i) for i, path in enumerate(names(16))}
    for path, content in contents.items():
        upstream.serve(path, Answer(content, chunked=chunked))
    for path, content in contents.items():
        reply = fetch(larder, path)
        assert reply.body == content, f"{path}: {reply}"
        assert free_bytes(small_disk) >= 8 * MiB - (1 << 20), "what the database needs is not foreseen"
    assert larder.metric(EVICTED) > 0
    reply = larder.put("/acme/huge/1", modules.module(25 * MiB, seed=99))
    assert_problem(reply, 507, "no-space")
    larder.publish("/acme/large/1", modules.module(10 * MiB, seed=98))
    assert larder.get("/acme/large/1.tar.gz").status == 200


def fill_disk(folder, leave):
    """A file of somebody else's that leaves only so many bytes."""
    other = folder / "other"
    with open(other, "wb") as file:
        while (room := free_bytes(folder) - leave) > 0:
            try:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), room)
            except OSError:
                pass  # the daemon took some of it meanwhile
    return other


def test_disk_runs_full_in_the_middle(small_disk, upstream, start):
    larder = start_on(start, small_disk, upstream, 0)
    published = modules.module(300_000, seed=5)
    larder.publish("/acme/p/1", published)
    content = modules.module(12 * MiB)
    gate = threading.Event()
    upstream.serve("/google/big/1", Answer(content, gate=gate, gate_after=4 * MiB), content)
    reader = Download(larder, "/google/big/1.tar.gz")
    assert reader.read_up_to(MiB)
    other = fill_disk(small_disk, 256 << 10)
    gate.set()
    assert not reader.read_to_end(), "the rest cannot have been kept"
    reader.close()
    larder.wait_for_idle()
    larder.wait_for_no_drafts()
    assert larder.get("/acme/p/1.tar.gz").body == published
    assert_problem(larder.get("/google/big/1.tar.gz"), 507, "no-space")
    assert larder.get("/healthz").status == 200
    other.unlink()
    assert fetch(larder, "/google/big/1").body == content
    larder.stop()
    check = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])"
    done = subprocess.run(["/usr/bin/python3", "-c", check, str(larder.data / "larder.db")], capture_output=True, text=True)
    assert done.stdout.strip() == "ok", done


class Crowd:
    """Clients that read one artifact, each on a thread of its own."""

    def __init__(self, larder, path, count=8):
        self.readers = [Download(larder, path) for _ in range(count)]
        self.whole = [None] * count
        self.threads = [threading.Thread(target=self.read, args=(i,)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def read(self, number):
        self.whole[number] = self.readers[number].read_to_end()

    def digests(self):
        """Of those who got it whole; for the others what cut them off."""
        for thread in self.threads:
            thread.join()
        for reader in self.readers:
            reader.close()
        return {self.digest(reader, whole) for reader, whole in zip(self.readers, self.whole)}

    @staticmethod
    def digest(reader, whole):
        if reader.status != 200:
            return reader.status
        return reader.digest() if whole else f"{reader.received} bytes, then {reader.error!r}"


def assert_nothing_stays(larder, path):
    larder.wait_for_idle()
    larder.wait_for_no_drafts()
    assert not larder.blobs() and larder.metric("larder_reserved_bytes") == 0
    assert larder.get("/healthz").status == 200
    assert larder.get("/api/v1/modules" + path).status == 404


@pytest.mark.concurrent
def test_module_larger_than_the_disk_is_passed_on(small_disk, upstream, start):
    larder = start_on(start, small_disk, upstream, 0)
    content = modules.module(64 * MiB)
    gate = threading.Event()
    answer = Answer(content, chunked=True, ranges=True, etag='"big"', gate=gate, gate_after=4 * MiB)
    upstream.serve("/google/big/1", answer)
    crowd = Crowd(larder, "/google/big/1.tar.gz")
    gate.set()  # all have joined: who comes later finds the first bytes gone
    assert crowd.digests() == {modules.digest(content)}
    assert_nothing_stays(larder, "/google/big/1")
    small = serve_modules(upstream, names(1), 2 * MiB)
    assert fetch(larder, "/google/m0/1").body == small["/google/m0/1"]
    assert is_cached(larder, "/google/m0/1")


@pytest.mark.concurrent
def test_disk_runs_full_and_clients_get_the_rest_by_pass_through(small_disk, upstream, start):
    larder = start_on(start, small_disk, upstream, 0)
    content = modules.module(16 * MiB)
    gate = threading.Event()
    answer = Answer(content, ranges=True, etag='"big"', gate=gate, gate_after=4 * MiB)
    upstream.serve("/google/big/1", answer)
    crowd = Crowd(larder, "/google/big/1.tar.gz")
    wait_until(lambda: min(reader.received for reader in crowd.readers) > MiB, "bytes at every client")
    whole = []
    partial = threading.Thread(target=lambda: whole.append(larder.get("/google/big/1.tar.gz", range="bytes=-5")))
    partial.start()
    wait_until(lambda: larder.metric("larder_fill_waiters") == 9, "somebody who needs the whole")
    other = fill_disk(small_disk, 256 << 10)
    gate.set()
    assert crowd.digests() == {modules.digest(content)}
    partial.join()
    assert_problem(whole[0], 507, "no-space")
    assert_nothing_stays(larder, "/google/big/1")
    assert_problem(larder.get("/google/big/1.tar.gz"), 507, "no-space")
    other.unlink()
    assert fetch(larder, "/google/big/1").body == content
    assert is_cached(larder, "/google/big/1")


def test_changed_bytes_are_refused_by_pass_through(small_disk, upstream, start):
    larder = start_on(start, small_disk, upstream, 0)
    contents = serve_modules(upstream, ["/google/big/1", "/google/other/1"], 16 * MiB)
    for path in contents:
        assert fetch(larder, path).status == 200
    assert not is_cached(larder, "/google/big/1"), "it has made way"
    larder.larder("pin", "google/other/1")
    changed = modules.module(24 * MiB, seed=7)
    upstream.serve("/google/big/1", Answer(changed, chunked=True, ranges=True, etag='"new"'))
    assert fetch_or_cut(larder, "/google/big/1.tar.gz") is None
    larder.wait_for_idle()
    larder.wait_for_no_drafts()
    assert larder.metric("larder_quarantined_total") == 1
    assert not is_cached(larder, "/google/big/1")


def link_all(larder, folder):
    """A second name for each blob, as `cp -al` and backups by hard links make them."""
    folder.mkdir()
    for blob in (larder.data / "blobs").rglob("*"):
        if blob.is_file():
            os.link(blob, folder / blob.name)


def test_what_has_other_names_does_not_go_for_the_disk(small_disk, upstream, start):
    larder = start_on(start, small_disk, upstream, 8 * MiB)
    kept = serve_modules(upstream, names(4), 3 * MiB)
    for path in kept:
        assert fetch(larder, path).status == 200
    link_all(larder, small_disk / "backup")
    upstream.serve("/google/large/1", modules.module(12 * MiB, seed=50))
    reply = fetch(larder, "/google/large/1")
    assert_problem(reply, 507, "no-space")
    assert "hard links" in reply.json()["detail"], reply.body
    assert all(is_cached(larder, path) for path in kept), "gone, and nothing was gained"
    assert larder.metric(EVICTED) == 0
    for path in list(kept)[2:]:
        (small_disk / "backup" / modules.digest(kept[path])).unlink()
    wait_until(lambda: fetch(larder, "/google/large/1").status == 200, "the search for what may go again")
    assert [is_cached(larder, path) for path in kept] == [True, True, False, False]


def test_what_has_other_names_goes_for_the_limit(upstream, start):
    contents = serve_modules(upstream, names(4), 200_000)
    larder = start({"storage": {"max_bytes": 2 * len(contents["/google/m0/1"]) + 1000}}, [upstream.url])
    for path in list(contents)[:2]:
        assert fetch(larder, path).status == 200
    link_all(larder, larder.data.parent / "backup")
    for path in list(contents)[2:]:
        assert fetch(larder, path).status == 200
    assert larder.metric(EVICTED) == 2


@pytest.mark.concurrent
def test_no_more_goes_than_is_needed_where_the_bytes_come_late(small_disk, upstream, start):
    larder = start_on(start, small_disk, upstream, 8 * MiB)
    contents = serve_modules(upstream, names(5), 3 * MiB)
    with contextlib.ExitStack() as programs:
        for path, content in contents.items():
            assert fetch(larder, path).status == 200
            digest = modules.digest(content)
            programs.enter_context(open(larder.data / "blobs" / "sha256" / digest[:2] / digest, "rb"))
        upstream.serve("/google/late/1", modules.module(6 * MiB, seed=50))
        late = []
        client = threading.Thread(target=lambda: late.append(fetch(larder, "/google/late/1").status))
        client.start()
        larder.wait_for(EVICTED, lambda value: value >= 1, "room made")
        assert not late and all(larder.get("/readyz").status in (200, 503) for _ in range(20))
    client.join()
    assert late == [200]
    assert larder.metric(EVICTED) <= 2, "evicted for nothing"


def test_no_passing_on_without_ranges(small_disk, upstream, start):
    larder = start_on(start, small_disk, upstream, 0)
    upstream.serve("/google/big/1", Answer(modules.module(48 * MiB), chunked=True, etag='"big"'))
    assert fetch_or_cut(larder, "/google/big/1.tar.gz") is None
    assert_nothing_stays(larder, "/google/big/1")


def test_a_full_disk_is_told_as_such(small_disk, upstream, start):
    larder = start_on(start, small_disk, upstream, 0)
    content = modules.module(2 * MiB)
    larder.publish("/acme/p/1", content)
    assert larder.get("/readyz").json()["full"] is False and larder.metric("larder_storage_full") == 0
    other = fill_disk(small_disk, 0)
    ready = larder.get("/readyz")
    assert ready.status == 200, "what is here is served"
    assert ready.json()["ready"] is True and ready.json()["full"] is True, ready
    assert larder.metric("larder_storage_full") == 1
    assert larder.get("/acme/p/1.tar.gz").body == content
    assert_problem(larder.put("/acme/q/1", modules.module(2 * MiB, seed=2)), 507, "no-space")
    other.unlink()
    assert larder.get("/readyz").json()["full"] is False and larder.metric("larder_storage_full") == 0
    larder.publish("/acme/q/1", modules.module(2 * MiB, seed=2))


def test_what_could_go_is_room(small_disk, upstream, start):
    larder = start_on(start, small_disk, upstream, 8 * MiB)
    contents = serve_modules(upstream, names(2), 2 * MiB)
    for path in contents:
        assert fetch(larder, path).status == 200
    fill_disk(small_disk, 8 * MiB)
    assert larder.get("/readyz").json()["full"] is False
    larder.larder("pin", "google/*")
    assert larder.get("/readyz").json()["full"] is True


def test_mirrored_modules_make_way_when_others_fill_the_disk(small_disk, upstream, start):
    contents = serve_modules(upstream, names(6), 2 * MiB)
    larder = start_on(start, small_disk, upstream, 0)
    for path in names(4):
        assert fetch(larder, path).status == 200
    fill_disk(small_disk, 64 << 10)
    for path in names(6)[4:]:
        assert fetch(larder, path).body == contents[path]
    assert larder.metric(EVICTED) > 0 and not is_cached(larder, "/google/m0/1")


def test_starts_and_serves_on_a_full_disk(small_disk, upstream, start):
    contents = serve_modules(upstream, names(2), 300_000)
    larder = start_on(start, small_disk, upstream, 0)
    assert fetch(larder, "/google/m0/1").status == 200
    larder.larder("pin", "google/m0/1")
    larder.stop()
    other = fill_disk(small_disk, 0)
    larder.start()
    assert larder.get("/google/m0/1.tar.gz").body == contents["/google/m0/1"]
    other.write_bytes(b"")
    assert fetch(larder, "/google/m1/1").body == contents["/google/m1/1"]
    assert (larder.data / "reserve").stat().st_size > 0


@pytest.mark.parametrize("again", [False, True], ids=["running", "started anew"])
def test_withdrawing_needs_no_room(small_disk, upstream, start, again):
    larder = start_on(start, small_disk, upstream, 0)
    larder.publish("/acme/x/1", modules.module(300_000))
    allowed = {"Authorization": f"Bearer {larder.token('withdraw:*')}"}
    if again:
        larder.stop()
    fill_disk(small_disk, 0)
    if again:
        larder.start()
    reply = larder.request("DELETE", "/acme/x/1", allowed)
    assert (reply.status, reply.json()["state"]) == (200, "withdrawn"), reply
    assert_problem(larder.get("/acme/x/1.tar.gz"), 410, "gone")
    assert free_bytes(small_disk) > 200_000


@pytest.mark.parametrize("asks", [False, True])
def test_a_file_is_there_once_the_disk_has_it(small_disk, upstream, start, asks):
    """What kagglehub sends, where the disk runs full before its last byte: it is told that it is there only when it is."""
    larder = start_on(start, small_disk, upstream, 0)
    rights = {"Authorization": f"Bearer {larder.token()}"}
    content = os.urandom(200 << 10)  # one piece: all of it is taken before any is written
    size = len(content)

    def call(service, body):
        return larder.request("POST", f"/v1/{service}", rights, json.dumps(body).encode())

    blob = call("blobs.BlobApiService/StartBlobUpload", {"name": "a.bin", "contentLength": size}).json()
    model = {"ownerSlug": "acme", "modelSlug": "m", "body": {"instanceSlug": "v", "framework": "MODEL_FRAMEWORK_OTHER",
                                                              "files": [{"token": blob["token"]}]}}
    place = urllib.parse.urlsplit(blob["createUrl"]).path
    other = fill_disk(small_disk, 64 << 10)
    assert larder.request("PUT", place, {}, content).status == 507
    assert larder.request("PUT", place, {"Content-Range": f"bytes */{size}"}).status == 507
    assert call("models.ModelApiService/CreateModelInstance", model).json()["errorCode"] == 507
    other.unlink()
    if asks:
        assert larder.request("PUT", place, {"Content-Range": f"bytes */{size}"}).status == 200
    assert call("models.ModelApiService/CreateModelInstance", model).json()["error"] == ""
    assert New("http://localhost/api/v1", proxy=larder.address).model_download("acme/m/other/v/1") == {"a.bin": content}
