# SPDX-License-Identifier: Apache-2.0
"""Killed at any instant: no change is there without its row in the audit log, no row without its change, and the chain is whole.
So it is with commands that write to the database beside the daemon."""
import base64
import contextlib
import hashlib
import http.client
import json
import random
import sqlite3
import subprocess
import threading

from support import modules
from support.attesting import TYPE, statement
from support.daemon import binary

ROUNDS = 10


def attestation(path, module):
    """As anybody may write it: nobody has signed it."""
    payload = base64.b64encode(json.dumps(statement(path, module)).encode()).decode()
    return json.dumps({"payload": payload, "payloadType": TYPE, "signatures": [{"sig": "AAAA"}]}).encode()


def publish_until_killed(larder, number):
    """Versions of one handle: attested, published, described, withdrawn."""
    for version in range(1, 200):
        path = f"/acme/r{number}/{version}"
        try:
            module = modules.module(2000, seed=number * 1000 + version)
            larder.put(f"/api/v1/attestations{path}", attestation(path, module), content_type="application/json")
            larder.put(path, module)
            larder.put(path, f"# text {version}\n".encode(), content_type="text/markdown")
            if version % 3 == 0:
                larder.request("DELETE", path, {"Authorization": f"Bearer {larder.token('withdraw:*')}"})
        except (OSError, http.client.HTTPException):
            return


def kill_commands(larder, chance, name):
    """Some that end by themselves, and some that do not."""
    for command in (["token", "create", name, "--scope", "read"], ["pin", f"{name}/*"], ["token", "revoke", name], ["unpin", f"{name}/*"]):
        process = subprocess.Popen([binary(), *command, "--data", larder.data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            # Any instant must do.
            process.wait(chance.uniform(0, 0.4))
        process.kill()
        process.wait()


def column(database, statement):
    return [value for value, in database.execute(statement)]


def subjects(database, action):
    return sorted(column(database, f"SELECT subject FROM audit WHERE action = '{action}'"))


def assert_each_change_has_its_row(larder):
    with contextlib.closing(sqlite3.connect(f"file:{larder.data}/larder.db?mode=ro", uri=True)) as database:
        versions = "SELECT m.handle || '/' || v.version FROM versions v JOIN modules m ON m.id = v.module_id"
        published = sorted(column(database, versions + " JOIN artifacts a ON a.version_id = v.id WHERE a.source = 'published'"))
        assert published == subjects(database, "publish")
        assert sorted(column(database, versions + " WHERE v.state = 'withdrawn'")) == subjects(database, "withdraw")
        written = database.execute("SELECT m.handle || '/' || v.version, d.markdown FROM documentation d"
                                   " JOIN versions v ON v.id = d.version_id JOIN modules m ON m.id = v.module_id").fetchall()
        told = dict(database.execute("SELECT subject, digest_after FROM audit WHERE action = 'document' ORDER BY id"))
        assert told == {path: "sha256:" + hashlib.sha256(text.encode()).hexdigest() for path, text in written}
        assert sorted(column(database, "SELECT handle || '/' || version FROM attestations")) == subjects(database, "attest")
        assert sorted(column(database, "SELECT name FROM tokens")) == subjects(database, "token-create")
        assert sorted(column(database, "SELECT name FROM tokens WHERE revoked_at <> 0")) == subjects(database, "token-revoke")
        pinned = sorted(set(subjects(database, "pin")) - set(subjects(database, "unpin")))
        assert sorted(column(database, "SELECT pattern FROM pins")) == pinned
    done = subprocess.run([binary(), "audit", "--verify", "--data", larder.data], capture_output=True, text=True)
    assert done.returncode == 0, done
    return len(published)


def test_killed_at_random_points_of_changes(larder):
    chance = random.Random(15)
    larder.token(), larder.token("withdraw:*")
    number, published = 0, 0
    while number < ROUNDS or published == 0:
        number += 1
        writers = [threading.Thread(target=publish_until_killed, args=(larder, 2 * number + i)) for i in range(2)]
        for writer in writers:
            writer.start()
        kill_commands(larder, chance, f"t{number}")
        larder.kill()
        for writer in writers:
            writer.join()
        published = assert_each_change_has_its_row(larder)
        larder.start()
        assert assert_each_change_has_its_row(larder) == published
