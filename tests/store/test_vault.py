# SPDX-License-Identifier: Apache-2.0
"""The vault over a bucket: against a real Ceph through two gateways, and against a store that fails as it is told to."""
import concurrent.futures
import hashlib
import json
import random
import time

import pytest

NAME = "acme/half-plus-two/1"


def written(folder, seed, size=2000):
    path = folder / f"file-{seed}-{size}"
    data = random.Random(f"{seed}-{size}").randbytes(size)
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


def objects(front):
    """{the key behind the prefix: the body}"""
    return {key.removeprefix("a/test/"): body for key, body in front.objects.items()}


# ---- Ceph ----


def test_what_is_kept_is_found_and_read(gateways, tmp_path):
    one, other = gateways
    path, digest = written(tmp_path, 1)
    assert one.vault("find", NAME, "tf-hub") == "unknown"
    assert one.vault("keep", NAME, "tf-hub", path, "published", "n1") == "new"
    assert other.vault("find", NAME, "tf-hub") == f"recorded {digest} 2000 published who-n1"
    assert other.vault("read", digest, 0, -1) == digest
    assert other.vault("read", digest, 10, 20) == hashlib.sha256(path.read_bytes()[10:30]).hexdigest()
    # Again by the same, and by others.
    assert one.vault("keep", NAME, "tf-hub", path, "published", "n1") == "new"
    assert other.vault("keep", NAME, "tf-hub", path, "published", "n2") == "before"
    assert other.vault("keep", NAME, "tf-hub", path, "published", "n2", "new").startswith("conflict")
    another, _ = written(tmp_path, 2)
    assert other.vault("keep", NAME, "tf-hub", another, "published", "n3").startswith("conflict")
    assert other.vault("keep", NAME, "tf-hub", another, "mirrored", "n3").startswith("conflict")
    assert one.vault("find", NAME, "tf-hub").startswith(f"recorded {digest}")
    # A published version has the formats that were published.
    assert one.vault("find", NAME, "tfjs") == "lacking"
    assert other.vault("keep", NAME, "tfjs", another, "mirrored", "n4").startswith("not-found")
    assert other.vault("keep", NAME, "tfjs", another, "published", "n4", "new").startswith("conflict")
    assert other.vault("keep", NAME, "tfjs", another, "published", "n4") == "new"


def test_large_bytes_go_in_parts(gateways, tmp_path):
    path, digest = written(tmp_path, 1, (64 << 20) + 1)
    assert gateways[0].vault("keep", NAME, "archive", path, "mirrored", "n1") == "new"
    assert gateways[1].vault("read", digest, 0, -1) == digest


def test_what_was_mirrored_is_published(gateways, tmp_path):
    path, digest = written(tmp_path, 1)
    assert gateways[0].vault("keep", NAME, "tf-hub", path, "mirrored", "n1") == "new"
    assert gateways[0].vault("find", NAME, "tfjs") == "unknown"
    assert gateways[1].vault("keep", NAME, "tf-hub", path, "published", "n2") == "before"
    assert gateways[0].vault("find", NAME, "tf-hub") == f"recorded {digest} 2000 published who-n2"
    assert gateways[0].vault("find", NAME, "tfjs") == "lacking"


def test_what_is_withdrawn_is_gone_for_good(gateways, tmp_path):
    one, other = gateways
    path, _ = written(tmp_path, 1)
    assert one.vault("withdraw", NAME, "nowhere").startswith("not-found")
    one.vault("keep", NAME, "tf-hub", path, "published", "n1")
    assert other.vault("withdraw", NAME, "nowhere") == "withdrawn"
    assert one.vault("find", NAME, "tf-hub") == "gone" == one.vault("find", NAME, "tfjs")
    assert one.vault("keep", NAME, "tf-hub", path, "published", "n1").startswith("gone")
    assert one.vault("withdraw", NAME, "here") == "before"
    assert one.vault("withdraw", "acme/listed/1", "here") == "withdrawn"


@pytest.mark.parametrize("turn", range(3))
def test_one_of_many_is_the_identity(gateways, tmp_path, turn):
    """Eight at once through two gateways, each with bytes of its own: one keeps them, the others conflict, and both gateways read that one's."""
    paths = [written(tmp_path, number) for number in range(8)]
    for store in gateways:
        store.write(timeout_s=60, connect_timeout_s=60)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda n: gateways[n % 2].vault("keep", NAME, "tf-hub", paths[n][0], "published", f"n{n}").split()[0], range(8)))
    assert sorted(told) == ["conflict"] * 7 + ["new"], told
    winner = told.index("new")
    for store in gateways:
        assert store.vault("find", NAME, "tf-hub") == f"recorded {paths[winner][1]} 2000 published who-n{winner}"


def test_no_bucket_is_no_answer(gateways, tmp_path):
    path, digest = written(tmp_path, 1)
    store = gateways[0]
    store.bucket = "none"
    store.write()
    for words in (("find", NAME, "tf-hub"), ("keep", NAME, "tf-hub", path, "published", "n1"), ("withdraw", NAME, "here")):
        assert store.vault(*words).startswith("store-unavailable"), words


# ---- what fails ----


@pytest.mark.parametrize("act", ["lost", "late-error", "drop", "error", "slow", "conflict"])
@pytest.mark.parametrize("which", [0, 1])
def test_lost_answers_are_resolved(front, scripted, tmp_path, act, which):
    """Of the blob, and of the identity."""
    path, digest = written(tmp_path, 1)
    front.script.on("PUT", *[None] * which, act)
    assert scripted.vault("keep", NAME, "tf-hub", path, "published", "n1") == "new"
    kept = {key: body for key, body in objects(front).items() if not key.startswith("feed/")}
    assert len(kept) == 2 and json.loads(kept[next(key for key in kept if key.startswith("ids/"))])["sha256"] == digest
    assert scripted.vault("find", NAME, "tf-hub").startswith(f"recorded {digest}")


@pytest.mark.parametrize("act", ["lost", "late-error", "drop", "error"])
def test_a_lost_answer_to_a_withdrawal_is_resolved(front, scripted, act):
    front.script.on("PUT", act)
    assert scripted.vault("withdraw", NAME, "here") == "withdrawn"
    assert scripted.vault("find", NAME, "tf-hub") == "gone"


def test_a_lost_create_that_another_won(front, scripted, tmp_path):
    """The answer is lost, and what is there is another node's."""
    path, digest = written(tmp_path, 1)
    another, _ = written(tmp_path, 2)
    scripted.vault("keep", NAME, "tf-hub", path, "published", "n1")
    key, body = next((key, body) for key, body in front.objects.items() if "/ids/" in key and "/feed/" not in key)
    del front.objects[key]
    front.script.on("PUT", None, "drop")
    front.script.after("PUT", 2, lambda: front.objects.update({key: body}))
    assert scripted.vault("keep", NAME, "tf-hub", another, "published", "n2").startswith("conflict")
    assert scripted.vault("find", NAME, "tf-hub").startswith(f"recorded {digest}")


def test_a_blob_that_a_sweep_took_meanwhile_is_written_again(front, scripted, tmp_path):
    path, digest = written(tmp_path, 1)
    front.script.after("PUT", 2, lambda: front.objects.pop(next(key for key in front.objects if "/blobs/" in key)))
    assert scripted.vault("keep", NAME, "tf-hub", path, "published", "n1") == "new"
    assert scripted.vault("read", digest, 0, -1) == digest


def test_a_blob_that_is_gone(front, scripted, tmp_path):
    path, digest = written(tmp_path, 1)
    scripted.vault("keep", NAME, "tf-hub", path, "mirrored", "n1")
    del front.objects[next(key for key in front.objects if "/blobs/" in key)]
    assert scripted.vault("read", digest, 0, -1).startswith("not-found")
    assert scripted.vault("keep", NAME, "tf-hub", path, "mirrored", "n2") == "before"
    assert scripted.vault("read", digest, 0, -1) == digest


@pytest.mark.parametrize("method, words", [("HEAD", "find"), ("GET", "find"), ("PUT", "keep"), ("PUT", "withdraw"), ("HEAD", "keep")])
@pytest.mark.parametrize("act", ["slow", "error", "drop", "denied"])
def test_no_answer_is_none(front, scripted, tmp_path, method, words, act):
    path, _ = written(tmp_path, 1)
    front.script.on(method, *[act] * 40)
    told = scripted.vault(words, *{"find": (NAME, "tf-hub"), "keep": (NAME, "tf-hub", path, "published", "n1"), "withdraw": (NAME, "here")}[words])
    assert told.startswith("store-unavailable"), told


@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 10000, b"no", b'{"larder_identity":2}', b"x" * (32 << 10)],
                         ids=["empty", "other", "deep", "text", "later", "large"])
def test_an_identity_that_is_none(front, scripted, tmp_path, body):
    path, _ = written(tmp_path, 1)
    scripted.vault("keep", NAME, "tf-hub", path, "published", "n1")
    key = next(key for key in front.objects if "/ids/" in key and "/feed/" not in key)
    front.objects[key] = body
    assert scripted.vault("find", NAME, "tf-hub").startswith("upstream-failed")
    assert scripted.vault("keep", NAME, "tf-hub", path, "published", "n2").startswith("upstream-failed")


def test_an_identity_of_another_name(front, scripted, tmp_path):
    path, _ = written(tmp_path, 1)
    scripted.vault("keep", NAME, "tf-hub", path, "published", "n1")
    key = next(key for key in front.objects if "/ids/" in key and "/feed/" not in key)
    front.objects[key.replace("/1/", "/2/")] = front.objects[key]
    assert scripted.vault("find", NAME.replace("/1", "/2"), "tf-hub").startswith("upstream-failed")


# ---- withdrawn meanwhile, and told ----


@pytest.mark.parametrize("source", ["published", "mirrored"])
@pytest.mark.parametrize("puts", [1, 2])
def test_what_is_withdrawn_while_it_is_kept_is_gone(front, scripted, tmp_path, source, puts):
    """After the bytes, and after the identity were written."""
    path, _ = written(tmp_path, 1)
    scripted.vault("withdraw", NAME, "here")
    gone = {key: body for key, body in front.objects.items() if "/gone/" in key}
    front.objects.clear()
    front.script.after("PUT", puts, lambda: front.objects.update(gone))
    assert scripted.vault("keep", NAME, "tf-hub", path, source, "n1").startswith("gone")


@pytest.mark.parametrize("act", ["slow", "error", "drop", "denied"])
def test_a_withdrawal_that_nobody_was_told_of_is_not_done(front, scripted, act):
    """It is in force, and the next try tells the others."""
    front.script.on("PUT", None, *[act] * 40)
    assert scripted.vault("withdraw", NAME, "here").startswith("store-unavailable")
    assert scripted.vault("find", NAME, "tf-hub") == "gone" and not any("/feed/" in key for key in front.objects)
    front.script.acts.clear()
    assert scripted.vault("withdraw", NAME, "here") == "before"
    assert sum("/feed/" in key for key in front.objects) == 1


def test_hints_stand_in_the_stores_time(front, scripted):
    """Whatever the clock of who withdraws says."""
    front.script.skew_s = -5 * 3600
    scripted.vault("withdraw", NAME, "here")
    hint = next(key for key in objects(front) if key.startswith("feed/"))
    assert abs(int(hint[5:21], 16) / 1000 - (time.time() + front.script.skew_s)) < 3600, hint


@pytest.mark.parametrize("name, told", [(NAME, "before"), ("acme/other/1", "new")])
def test_damaged_bytes_are_mended_by_whoever_publishes_them(front, scripted, tmp_path, name, told):
    """Of the right length, so that nothing but their digest tells: under their name, and under a new one."""
    path, digest = written(tmp_path, 1)
    scripted.vault("keep", NAME, "tf-hub", path, "published", "n1")
    key = next(key for key in front.objects if "/blobs/" in key)
    front.objects[key] = bytes(len(front.objects[key]))
    assert scripted.vault("keep", name, "tf-hub", path, "published", "n2") == told
    assert scripted.vault("read", digest, 0, -1) == digest


def test_bytes_that_the_disk_has_damaged_are_no_fault_of_the_store(gateways, tmp_path):
    """A small object's, which the store holds against their digest itself."""
    path = tmp_path / "damaged"
    path.write_bytes(b"x" * 1000)
    told = gateways[0].vault("keep", "acme/damaged/1", "tf-hub", path, "published", "n1", "-", "0" * 64)
    assert told.startswith("internal ") and "damaged on the disk" in told, told
    assert gateways[1].vault("find", "acme/damaged/1", "tf-hub") == "unknown"
    assert gateways[0].vault("keep", "acme/damaged/1", "tf-hub", path, "published", "n1") == "new"
