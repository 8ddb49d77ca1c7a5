# SPDX-License-Identifier: Apache-2.0
"""Killed at any instant and started again: a version is wholly there or not at all, drafts are swept, nothing is orphaned."""
import http.client
import itertools
import random
import socket
import threading

import pytest
from support import modules
from support.client import Download
from support.upstream import Answer
from support.waiting import DEADLINE_S

PATH = "/acme/x/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
MODULE = modules.module(2 << 20)
ROUNDS = 12


def assert_consistent(larder, contents, complete=()):
    """Each path is served wholly or unknown (those of `complete` served), and the store holds what the catalog claims and
    nothing else. The daemon must be started with no upstream that has them."""
    larder.wait_for("larder_sweeps_total", 1)
    claimed = set()
    for path, content in contents.items():
        reply = larder.get("/api/v1/modules" + path)
        if path in complete:
            assert reply.status == 200, f"{path} was acknowledged, and is gone: {reply}"
        if reply.status != 200:
            assert reply.status == 404, f"{path}: {reply}"
            continue
        assert larder.get(path + ".tar.gz").body == content, f"{path} is there, but not as it was sent"
        claimed.add(modules.digest(content))
        assert reply.json()["artifacts"][0]["digest"] == "sha256:" + modules.digest(content)
        assert larder.get("/api/v1/signatures" + path).json()["meta_graphs"][0]["signatures"], f"{path} has no signatures"
    assert set(larder.blobs()) == claimed, "the store and the catalog do not say the same"
    assert larder.drafts() == [], "drafts were not swept"


def send_part_of_a_put(larder, path, body, part):
    connection = socket.create_connection(larder.address, timeout=DEADLINE_S)
    connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {larder.token()}\r\n"
                       f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:part])
    return connection


def test_killed_during_a_put(larder):
    connection = send_part_of_a_put(larder, PATH, MODULE, len(MODULE) // 2)
    larder.wait_for("larder_uploads_running", 1)
    larder.kill()
    connection.close()
    larder.start()
    assert_consistent(larder, {PATH: MODULE})
    assert larder.get("/api/v1/modules").json()["total"] == 0
    assert larder.put(PATH, MODULE).status == 201


def test_killed_right_after_the_answer(larder):
    for i in range(ROUNDS):
        assert larder.put(f"/acme/m{i}/1", modules.module(20_000, seed=i)).status == 201
        larder.kill()
        larder.start()
    contents = {f"/acme/m{i}/1": modules.module(20_000, seed=i) for i in range(ROUNDS)}
    assert_consistent(larder, contents, complete=contents)


def test_killed_during_a_fill(upstream, mirror):
    gate = threading.Event()
    upstream.serve(PATH, Answer(MODULE, gate=gate, gate_after=len(MODULE) // 2), MODULE)
    download = Download(mirror, COMPRESSED)
    assert download.read_up_to(100_000)
    mirror.kill()
    assert not download.read_to_end() and not download.whole
    gate.set()
    mirror.start()
    assert mirror.blobs() == [] and mirror.get("/api/v1/modules").json()["total"] == 0
    assert mirror.get(COMPRESSED).body == MODULE
    mirror.restart()
    assert_consistent(mirror, {PATH: MODULE}, complete=[PATH])


def put_until_killed(larder, contents, acknowledged):
    for path, content in contents.items():
        try:
            if larder.put(path, content).status in (200, 201):
                acknowledged.add(path)
        except (OSError, http.client.HTTPException):
            return


def test_killed_at_random_points_of_puts(larder):
    chance = random.Random(4)
    contents = {f"/acme/r{i}/1": modules.module(30_000 + 1000 * i, seed=i) for i in range(60)}
    larder.token()
    acknowledged, rounds, longest_s = set(), itertools.count(), 0.25
    # Until one PUT at least was done before a kill, however slow the disk is: else nothing would be tested.
    while next(rounds) < ROUNDS or not acknowledged:
        missing = {path: content for path, content in contents.items() if path not in acknowledged}
        writer = threading.Thread(target=put_until_killed, args=(larder, missing, acknowledged))
        writer.start()
        # The one place where time decides, since any instant must do.
        writer.join(chance.uniform(0, longest_s))
        longest_s *= 1.1
        larder.kill()
        writer.join()
        larder.start()
        assert_consistent(larder, contents, complete=set(acknowledged))


def fetch_until_killed(larder, paths):
    for path in paths:
        try:
            larder.get(path + ".tar.gz")
        except (OSError, http.client.HTTPException):
            return


def test_killed_at_random_points_of_fills(upstream, start):
    chance = random.Random(5)
    contents = {f"/google/r{i}/1": modules.module(150_000, seed=i) for i in range(40)}
    for path, content in contents.items():
        upstream.serve(path, content)
    larder = start(upstreams=[upstream.url])
    for _ in range(ROUNDS):
        readers = [threading.Thread(target=fetch_until_killed, args=(larder, chance.sample(sorted(contents), 20)))
                   for _ in range(3)]
        for reader in readers:
            reader.start()
        readers[0].join(chance.uniform(0, 0.3))
        larder.kill()
        for reader in readers:
            reader.join()
        larder.start()
        assert set(larder.blobs()) <= {modules.digest(content) for content in contents.values()}
    larder.kill()
    larder.configure({"mirror": {"offline": "on"}})
    larder.start()
    assert_consistent(larder, contents)


def withdraw(larder, path):
    return larder.request("DELETE", path, {"Authorization": f"Bearer {larder.token('withdraw:*')}"}).status


def test_killed_right_after_a_withdrawal(larder):
    larder.publish(PATH, MODULE)
    assert withdraw(larder, PATH) in (200, 204)
    larder.kill()
    larder.start()
    assert larder.get(COMPRESSED).status == 410
    assert larder.blobs() == []


def test_blob_that_nobody_claims_is_swept(larder):
    larder.publish(PATH, MODULE)
    larder.kill()
    blob = next(path for path in (larder.data / "blobs").rglob("*") if path.is_file())
    orphan = "ab" + "0" * 62
    folder = larder.data / "blobs" / "sha256" / "ab"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / orphan).write_bytes(b"renamed, and killed before the row was committed")
    (larder.data / "drafts" / "stray").write_bytes(b"half of something")
    larder.start()
    assert_consistent(larder, {PATH: MODULE}, complete=[PATH])
    assert blob.exists() and orphan not in larder.blobs()


@pytest.mark.parametrize("times", [3])
def test_killed_while_starting(larder, times):
    larder.publish(PATH, MODULE)
    for _ in range(times):
        larder.kill()
        larder.start()
    assert_consistent(larder, {PATH: MODULE}, complete=[PATH])
