# SPDX-License-Identifier: Apache-2.0
"""storage.scrub_days: the daemon reads all that is stored, bit by bit, goes on where it was, and gives what is damaged to nobody."""
import sqlite3

import pytest
from support import modules
from support.daemon import assert_problem
from support.waiting import wait_until
from test_verify import FORMAT, HARM, blob_of

SCRUBBED = {"storage": {"scrub_days": 7}}


def passes(daemon):
    return daemon.get("/api/v1/stats").json()["passes"]


def settled(daemon, before=0):
    daemon.wait_for("larder_scrub_passes_total", before + 1)
    return passes(daemon)["scrub"]


def make_due(daemon):
    """As if the last pass had begun long ago: the daemon is away meanwhile."""
    with sqlite3.connect(daemon.data / "larder.db") as database:
        database.execute("UPDATE passes SET last_started_at = 1 WHERE kind = 'scrub'")


@pytest.mark.concurrent
def test_the_store_is_scrubbed(start):
    daemon = start(SCRUBBED)
    bodies = {f"/acme/m{seed}/1": modules.module(3000, seed=seed) for seed in range(len(HARM) + 1)}
    for path, body in bodies.items():
        daemon.publish(path, body)
        assert daemon.get(f"{path}?{FORMAT}").status == 200
    assert settled(daemon)["running"] is None
    daemon.stop()
    make_due(daemon)
    for path, harm in zip(bodies, HARM.values()):
        harm(blob_of(daemon, bodies[path]))
    daemon.start()
    shown = settled(daemon)
    assert (shown["last"]["blobs"], shown["last"]["damaged"], shown["running"]) == (len(bodies), len(HARM), None)
    assert daemon.metric("larder_scrub_damaged_total") == daemon.metric("larder_scrub_last_damaged") == len(HARM)
    assert daemon.metric("larder_scrub_last_end_timestamp_seconds") > 0
    for path, harm in zip(bodies, [*HARM, None]):
        reply = daemon.get(f"{path}?{FORMAT}")
        if harm:
            assert_problem(reply, 451, "quarantined")
        assert harm or reply.body == bodies[path]
    for path, _ in zip(bodies, HARM):
        assert path.removeprefix("/") in daemon.log()
    assert daemon.log().count("a blob is not what it was") == len(HARM) and "larder verify --repair" in daemon.log()
    page = daemon.get("/-/activity", accept="text/html").body.decode()
    assert "Held against their digests" in page and f">{len(HARM)}</td>" in page
    # What it has done counts until it is due again.
    daemon.restart()
    assert passes(daemon)["scrub"]["last"] == shown["last"] and daemon.metric("larder_scrub_damaged_total") == 0


def test_it_goes_on_where_it_was(start):
    """A pass that an earlier process began: what that one has read counts."""
    daemon = start(SCRUBBED)
    for seed in range(4):
        daemon.publish(f"/acme/m{seed}/1", modules.module(3000, seed=seed))
    settled(daemon)
    daemon.stop()
    digests = sorted(blob.name for blob in (daemon.data / "blobs/sha256").glob("*/*"))
    with sqlite3.connect(daemon.data / "larder.db") as database:
        assert database.execute("UPDATE passes SET started_at = last_ended_at, blobs = 1, bytes = 3000, damaged = 0, behind = ?"
                                " WHERE kind = 'scrub'", (bytes.fromhex(digests[0]),)).rowcount == 1
    daemon.start()
    assert settled(daemon)["last"]["blobs"] == 4
    assert daemon.metric("larder_scrub_blobs") == 4


def test_none_is_scrubbed_unasked(larder):
    larder.publish("/acme/m/1", modules.module(3000))
    assert passes(larder) == {"scrub_days": 0, "scrub": None, "verify": None}
    larder.larder("verify")
    assert passes(larder)["scrub"] is None and passes(larder)["verify"]["last"]["blobs"] == 1
