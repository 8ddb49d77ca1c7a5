# SPDX-License-Identifier: Apache-2.0
"""larder verify: what lies in the store is held against its digests; what is damaged is given to nobody, named, and mended."""
import json
import random
import shutil
import signal
import sqlite3
import subprocess

import pytest
from support import modules
from support.command_line import run
from support.daemon import assert_problem, binary
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

FORMAT = "tf-hub-format=compressed"


def blob_of(larder, body):
    digest = modules.digest(body)
    return larder.data / "blobs/sha256" / digest[:2] / digest


def overwrite(path, change):
    """In place, as a disk rots: whoever has it open sees it."""
    path.chmod(0o640)
    with open(path, "r+b") as file:
        change(file, path.stat().st_size)
    path.chmod(0o440)


def flip(path, seed=0):
    def change(file, size):
        place = random.Random(seed).randrange(size)
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ (1 << seed % 8)]))
    overwrite(path, change)


HARM = {"a bit flipped": flip,
        "cut": lambda path: overwrite(path, lambda file, size: file.truncate(size - 1)),
        "longer": lambda path: overwrite(path, lambda file, size: (file.seek(size), file.write(b"\0"))),
        "emptied": lambda path: overwrite(path, lambda file, size: file.truncate(0)),
        "zeroed": lambda path: overwrite(path, lambda file, size: file.write(bytes(size))),
        "gone": lambda path: path.unlink()}


def verify(larder, *words, status=0):
    """What it printed: the lines, and the last one."""
    done = larder.larder("verify", *words, check=False)
    assert done.returncode == status and not done.stderr, done
    lines = done.stdout.splitlines()
    return [tuple(line.split("\t")) for line in lines[:-1]], lines[-1]


def passes(larder):
    with sqlite3.connect(larder.data / "larder.db") as database:
        database.row_factory = sqlite3.Row
        return {row["kind"]: dict(row) for row in database.execute("SELECT * FROM passes")}


def audited(larder, *actions):
    with sqlite3.connect(larder.data / "larder.db") as database:
        return [row for row in database.execute("SELECT action, subject FROM audit ORDER BY id") if row[0] in actions]


def test_what_is_whole_is_told_so(larder):
    bodies = {f"acme/m{i}/1": modules.module(3000, seed=i) for i in range(3)}
    for path, body in bodies.items():
        larder.publish(f"/{path}", body)
    lines, last = verify(larder)
    assert lines == [] and last.startswith("read 3 blobs (") and "0 damaged or missing" in last
    row = passes(larder)["verify"]
    assert (row["started_at"], row["last_blobs"], row["last_bytes"], row["last_damaged"]) == (0, 3, sum(map(len, bodies.values())), 0)
    assert not list(larder.data.glob("damaged/*")) and larder.drafts() == []


@pytest.mark.concurrent
def test_what_is_damaged_is_held_back_and_restored(larder, tmp_path):
    """Each harm to a published module of its own, beside a whole one; clients had them from the daemon's memory before."""
    backup = tmp_path / "backup"
    bodies = {harm: modules.module(3000, seed=seed) for seed, harm in enumerate(HARM)}
    paths = {harm: f"acme/{harm.replace(' ', '-')}/1" for harm in HARM}
    for harm, body in bodies.items():
        larder.publish(f"/{paths[harm]}", body)
        copy = backup / blob_of(larder, body).relative_to(larder.data)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(body)
    larder.publish("/acme/whole/1", modules.module(3000, seed=99))
    larder.publish("/acme/twin/7", bodies["cut"])
    for path in [*paths.values(), "acme/whole/1", "acme/twin/7"]:
        for _ in range(2):
            assert larder.get(f"/{path}?{FORMAT}").status == 200
    for harm, body in bodies.items():
        HARM[harm](blob_of(larder, body))
    lines, last = verify(larder, status=1)
    named = {line[1]: line for line in lines}
    assert set(named) == {f"{path} (tf-hub)" for path in [*paths.values(), "acme/twin/7"]}
    assert {line[0] for line in lines} == {"held"} and f"{len(HARM)} damaged or missing" in last
    assert all(line[2].startswith("missing: " if "gone" in line[1] else "damaged: ") for line in lines), lines
    for path in [*paths.values(), "acme/twin/7"]:
        problem = larder.get(f"/{path}?{FORMAT}")
        assert_problem(problem, 451, "quarantined")
        assert "verify --repair" in problem.json()["detail"]
        assert larder.request("HEAD", f"/{path}?{FORMAT}").status == 451
    assert larder.get(f"/acme/whole/1?{FORMAT}").status == 200
    assert {path.name for path in (larder.data / "damaged").iterdir()} == {modules.digest(body) for harm, body in bodies.items() if harm != "gone"}
    lost, last = verify(larder, status=1)
    assert {line[:2] for line in lost} == {line[:2] for line in lines} and "0 damaged" in last
    assert all(line[2].startswith("lost: ") for line in lost)
    (backup / blob_of(larder, bodies["emptied"]).relative_to(larder.data)).write_bytes(b"rotten as well")
    larder.restart()
    lines, _ = verify(larder, "--repair", "--from", backup, "--server", larder.url, status=1)
    assert {line[1]: line[0] for line in lines} == {f"{path} (tf-hub)": "held" if "emptied" in path else "restored" for path in [*paths.values(), "acme/twin/7"]}
    assert_problem(larder.get(f"/{paths['emptied']}?{FORMAT}"), 451, "quarantined")
    larder.publish(f"/{paths['emptied']}", bodies["emptied"])  # the same bytes once more
    assert verify(larder)[0] == []
    for harm, body in bodies.items():
        assert larder.get(f"/{paths[harm]}?{FORMAT}").body == body
    assert len(audited(larder, "lose")) == len(HARM) and len(audited(larder, "restore")) == len(HARM) - 1
    assert larder.larder("audit", "--verify").returncode == 0


def test_what_lies_in_its_place_again_is_taken_back(larder, tmp_path):
    """Somebody has put it back, or its file system is there again: it is never what nothing claims, and what is not whole is not given."""
    bodies = {f"/acme/m{i}/1": modules.module(3000, seed=i) for i in range(3)}
    for path, body in bodies.items():
        larder.publish(path, body)
    back, rotten, withdrawn = bodies
    (larder.data / "blobs/sha256").rename(tmp_path / "away")
    assert {line[0] for line in verify(larder, status=1)[0]} == {"held"}
    larder.stop()
    shutil.rmtree(larder.data / "blobs/sha256")
    (tmp_path / "away").rename(larder.data / "blobs/sha256")
    flip(blob_of(larder, bodies[rotten]))
    larder.start()
    assert larder.request("DELETE", withdrawn, {"Authorization": "Bearer " + larder.token("withdraw:*")}).status == 200
    larder.restart()  # a start removes what nothing claims
    larder.wait_for("larder_sweeps_total", 1)
    larder.larder("gc")
    assert sorted(larder.blobs()) == sorted(modules.digest(bodies[path]) for path in (back, rotten))
    assert "lies in its place again" in larder.log()
    for path in bodies:
        assert larder.get(f"{path}?{FORMAT}").status == (410 if path == withdrawn else 451)
    lines, _ = verify(larder, "--repair", "--server", larder.url, status=1)
    assert {line[1]: line[0] for line in lines} == {f"{back[1:]} (tf-hub)": "restored", f"{rotten[1:]} (tf-hub)": "held"}
    assert larder.get(f"{back}?{FORMAT}").body == bodies[back]
    larder.publish(rotten, bodies[rotten])
    assert larder.get(f"{rotten}?{FORMAT}").body == bodies[rotten] and verify(larder)[0] == []


# ---- what was mirrored -------------------------------------------------------------------------------------------------

def mirrored(mirror, upstream, count, size=3000):
    bodies = {f"/google/m{i}/1": modules.module(size, seed=50 + i) for i in range(count)}
    for path, body in bodies.items():
        upstream.serve(path, body)
        for _ in range(2):
            assert mirror.get(f"{path}?{FORMAT}").body == body
    mirror.wait_for_idle()
    return bodies


def test_mirrored_ones_are_fetched_again(upstream, mirror):
    bodies = mirrored(mirror, upstream, len(HARM) + 1)
    harmed = dict(zip(bodies, HARM))
    for path, harm in harmed.items():
        HARM[harm](blob_of(mirror, bodies[path]))
    lines, last = verify(mirror, status=1)
    assert sorted(line[:2] for line in lines) == sorted(("dropped", f"{path[1:]} (tf-hub)") for path in harmed)
    assert f"{len(bodies)} blobs" in last and f"{len(HARM)} dropped" in last
    assert not (mirror.data / "damaged").exists() and len(mirror.blobs()) == 1 and not audited(mirror, "lose")
    before = upstream.count()
    for path, body in bodies.items():
        assert mirror.get(f"{path}?{FORMAT}").body == body
    assert upstream.count() == before + len(HARM)
    assert verify(mirror)[0] == []


def test_repair_has_the_daemon_fetch_them(upstream, start):
    mirror = start({"mirror": {"negative_ttl_s": 0}}, [upstream.url])
    bodies = mirrored(mirror, upstream, 3)
    gone, other, fine = bodies
    for path in bodies:
        flip(blob_of(mirror, bodies[path]))
    upstream.serve(gone, Answer(b"", 404))
    upstream.serve(other, modules.module(3000, seed=1))
    done = mirror.larder("verify", "--repair", "--server", mirror.url, "--json", check=False)
    report = json.loads(done.stdout)
    assert done.returncode == 1 and not done.stderr, done
    assert {artifact["path"]: (artifact["outcome"], artifact["fault"], artifact["source"], artifact["digest"]) for artifact in report["artifacts"]} == {
        path[1:]: ("fetched" if path == fine else "dropped", "damaged", "mirrored", "sha256:" + modules.digest(bodies[path])) for path in bodies}
    assert (report["blobs"], report["damaged"], report["dropped"], report["fetched"], report["held"], report["error"]) == (3, 3, 2, 1, 0, None)
    assert_problem(mirror.get(f"{other}?{FORMAT}"), 451, "quarantined")
    assert mirror.get(f"{gone}?{FORMAT}").status == 404
    assert mirror.get(f"{fine}?{FORMAT}").body == bodies[fine]
    for path in (gone, other):
        upstream.serve(path, bodies[path])
        assert mirror.get(f"{path}?{FORMAT}").body == bodies[path]


def test_without_a_daemon_they_are_fetched_later(upstream, mirror):
    path, body = next(iter(mirrored(mirror, upstream, 1).items()))
    mirror.stop()
    flip(blob_of(mirror, body))
    lines, _ = verify(mirror, "--repair", "--server", mirror.url, status=1)
    assert [line[0] for line in lines] == ["dropped"]
    mirror.start()
    assert mirror.get(f"{path}?{FORMAT}").body == body


# ---- another registry --------------------------------------------------------------------------------------------------

def test_a_peer_gives_what_has_the_digest(start, tmp_path):
    larder, peer = start(), start({"auth": {"read": "token"}}, name="peer")
    bodies = {f"/acme/m{i}/1": modules.module(3000, seed=i) for i in range(3)}
    same, other, lacking = bodies
    for path, body in bodies.items():
        larder.publish(path, body)
    peer.publish(same, bodies[same])
    peer.publish(other, modules.module(3000, seed=77))
    for body in bodies.values():
        flip(blob_of(larder, body))
    assert {line[0] for line in verify(larder, "--repair", "--from", peer.url, status=1)[0]} == {"held"}, "it was sent no token"
    (tmp_path / "token").write_text(peer.token("read"))
    lines, _ = verify(larder, "--repair", "--from", peer.url, "--from-token-file", tmp_path / "token", status=1)
    assert {line[1]: line[0] for line in lines} == {f"{path[1:]} (tf-hub)": "restored" if path == same else "held" for path in bodies}
    words = {line[1].split()[0]: line[2] for line in lines}
    assert "other bytes" in words[other[1:]] and peer.url in words[lacking[1:]], words
    assert larder.get(f"{same}?{FORMAT}").body == bodies[same]
    assert_problem(larder.get(f"{other}?{FORMAT}"), 451, "quarantined")
    assert larder.drafts() == []


# ---- going on ----------------------------------------------------------------------------------------------------------

def begin_slowly(larder):
    return subprocess.Popen([binary(), "verify", "--rate", "50K", "--data", larder.data], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_goes_on_where_it_was(larder, number):
    bodies = [modules.module(100_000, seed=i) for i in range(40)]
    for i, body in enumerate(bodies):
        larder.publish(f"/acme/m{i}/1", body)
    process = begin_slowly(larder)
    wait_until(lambda: passes(larder).get("verify", {}).get("blobs", 0) > 0, "some blobs are read")
    busy = larder.larder("verify", check=False)
    assert busy.returncode == 1 and "another \"larder verify\" works on" in busy.stderr
    process.send_signal(number)
    out, said = process.communicate(timeout=DEADLINE_S)
    assert out == "" and ("goes on where it was" in said) == (number != signal.SIGKILL)
    row = passes(larder)["verify"]
    assert row["started_at"] and 0 < row["blobs"] < 40
    first = min(bodies, key=modules.digest)
    flip(blob_of(larder, first))  # behind it: this pass does not come to it any more
    lines, last = verify(larder)
    assert lines == [] and last.startswith("read 40 blobs (")
    assert passes(larder)["verify"]["last_started_at"] == row["started_at"]
    assert [line[0] for line in verify(larder, status=1)[0]] == ["held"]


def test_anew(larder):
    body = modules.module(3000)
    larder.publish("/acme/x/1", body)
    with sqlite3.connect(larder.data / "larder.db") as database:
        database.execute("INSERT INTO passes (kind, started_at, behind, blobs) VALUES ('verify', 1, ?, 7)", (b"\xff" * 32,))
    flip(blob_of(larder, body))
    assert verify(larder)[1].startswith("read 7 blobs (0 B) since 1970")
    assert [line[0] for line in verify(larder, "--anew", status=1)[0]] == ["held"]


@pytest.mark.concurrent
def test_nothing_is_condemned_that_comes_and_goes(upstream, start):
    """Blobs are replaced by the same bytes, evicted, withdrawn and fetched again while they are read."""
    larder = start({"storage": {"max_bytes": 400_000}}, [upstream.url])
    bodies = [modules.module(60_000, seed=i) for i in range(12)]
    for i, body in enumerate(bodies):
        upstream.serve(f"/google/m{i}/1", body)
    larder.publish("/acme/x/1", bodies[0])
    process = None
    for number in range(60):
        if process is None or process.poll() is not None:
            process = subprocess.Popen([binary(), "verify", "--rate", "0", "--data", larder.data], stdout=subprocess.PIPE, text=True)
        i = number % 12
        assert larder.get(f"/google/m{i}/1?{FORMAT}").body == bodies[i]
        assert larder.put(f"/acme/y{i}/{number + 1}", bodies[0]).status == 201
        if number % 3 == 0:
            assert larder.request("DELETE", f"/acme/y{i}/{number + 1}", {"Authorization": "Bearer " + larder.token("withdraw:*")}).status == 200
        if process.poll() is not None:
            assert process.returncode == 0, process.stdout.read()
            process.stdout.close()
    out, _ = process.communicate(timeout=DEADLINE_S) if not process.stdout.closed else ("", None)
    assert process.returncode == 0, out
    assert not audited(larder, "lose") and not (larder.data / "damaged").exists()


MISUSES = {("--from", "x"): "--from goes with --repair", ("--repair", "--from", "/not/there"): "is no folder of a backup",
           ("--repair", "--from-token-file", "x"): "goes with --from URL", ("--rate", "much"): "--rate takes bytes",
           ("--lock", "x", "--repair"): "--lock asks a daemon", ("acme/x/1",): "takes no arguments"}


def test_misuse(alone):
    for words, said in MISUSES.items():
        done = alone.larder("verify", *words, check=False)
        assert done.returncode == (1 if "/not/there" in words else 2) and said in done.stderr, done
    assert "there is no store" in run("verify", "--data", alone.folder / "none", status=1).stderr
