# SPDX-License-Identifier: Apache-2.0
"""Room is made by who needs it: nobody else waits for the database or for the removal of files meanwhile."""
import hashlib
import sqlite3
import threading

import pytest
from support import modules
from support.client import Download
from support.upstream import Answer
from support.waiting import DEADLINE_S

MiB = 1 << 20


@pytest.fixture(name="locked")
def hold_the_database():
    """Another process' write, for as long as the test wants."""
    held = []

    def hold(larder):
        database = sqlite3.connect(larder.data / "larder.db", timeout=DEADLINE_S, isolation_level=None)
        database.execute("BEGIN IMMEDIATE")
        held.append(database)

    def let_go():
        while held:
            held.pop().close()

    hold.let_go = let_go
    yield hold
    let_go()


@pytest.mark.concurrent
def test_a_fill_that_must_evict_holds_up_no_other(start, upstream, locked):
    mirror = start({"storage": {"max_bytes": 10 * MiB}}, upstreams=[upstream.url])
    for number in range(8):
        upstream.serve(f"/google/old{number}/1", modules.module(MiB, seed=number))
        assert mirror.get(f"/google/old{number}/1.tar.gz").status == 200
    mirror.wait_for_idle()
    gate = threading.Event()
    content = modules.module(MiB, seed=100)
    upstream.serve("/google/other/1", Answer(content, gate=gate, gate_after=MiB // 4))
    upstream.serve("/google/large/1", modules.module(4 * MiB, seed=101))
    other = Download(mirror, "/google/other/1.tar.gz")
    assert other.read_up_to(MiB // 8)
    locked(mirror)
    large = threading.Thread(target=mirror.get, args=("/google/large/1.tar.gz",))
    large.start()
    # It has its answer, and waits for the database to make room.
    upstream.wait_for_requests(1, "/google/large/1")
    gate.set()
    # All but the tail, which needs a commit.
    assert other.read_up_to(MiB - MiB // 8)
    assert large.is_alive()
    locked.let_go()
    assert other.read_to_end() and other.digest() == hashlib.sha256(content).hexdigest()
    other.close()
    large.join()
    mirror.wait_for_idle()
    assert mirror.get("/google/large/1.tar.gz").status == 200
    assert mirror.metric("larder_evictions_total") > 0
