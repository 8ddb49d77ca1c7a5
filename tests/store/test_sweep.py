# SPDX-License-Identifier: Apache-2.0
"""`larder gc` over a bucket: what nobody names goes once it is old, mirrored bytes go over a limit, and no publish loses any."""
import concurrent.futures
import hashlib
import random
import subprocess
import threading

import pytest

from conftest import DEADLINE_S, VAULT_TOOL, Store, binary, own_prefix
from support.fixtures import blank, make_upstream, start  # noqa: F401
from support.modules import digest, module
from test_nodes import assert_has, bucket, fetch, node  # noqa: F401

NAME = "acme/half-plus-two/1"


def written(folder, seed, size=2000):
    path = folder / f"file-{seed}-{size}"
    data = random.Random(f"{seed}-{size}").randbytes(size)
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


def gc(store, *words, data=None, status=0):
    """The lines that tell of an object, as (reason, key), and all that was said."""
    done = subprocess.run([binary(), "gc", "--config", str(store.config), "--data", str(data or store.folder / "none"), *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S)
    assert done.returncode == status, done
    return [tuple(line.split("\t")[:2]) for line in done.stdout.splitlines() if "\t" in line], done.stdout + done.stderr


def blob_key(sha256):
    return f"blobs/sha256/{sha256[:2]}/{sha256}"


def key_of(front, under):
    """The first such one; the hints of others have their keys within."""
    return next(key for key in front.objects if f"/{under}" in key and "/feed/" not in key)


def put_blob(front, folder, seed, hours):
    """One without a name, so old."""
    path, sha256 = written(folder, seed)
    key = f"a/test/{blob_key(sha256)}"
    front.objects[key] = path.read_bytes()
    front.age(key, hours)
    return path, key


# ---- with a clock ----


def test_what_nobody_names_goes_once_it_is_old(front, scripted, tmp_path):
    path, sha256 = written(tmp_path, 1)
    assert scripted.vault("keep", NAME, "tf-hub", path, "published", "n1") == "new"
    front.age(key_of(front, blob_key(sha256)), 1000)
    _, old = put_blob(front, tmp_path, 2, 25)
    _, young = put_blob(front, tmp_path, 3, 23)
    front.objects[old.rsplit("/", 1)[0] + "/what-is-this"] = b"x"
    front.age(old.rsplit("/", 1)[0] + "/what-is-this", 1000)
    before = set(front.objects)
    lines, said = gc(scripted, "--dry-run")
    assert [reason for reason, _ in lines] == ["unnamed"] and old.endswith(lines[0][1]) and "would remove 1 blobs" in said
    assert {key for key in front.objects if "/leases/" not in key} == before
    assert gc(scripted)[0] == lines
    assert before - set(front.objects) == {old} and young in front.objects
    assert scripted.vault("read", sha256, 0, -1) == sha256
    assert gc(scripted)[0] == []


@pytest.mark.parametrize("skew_s", [-500, 500])
def test_the_age_is_by_the_stores_clock(front, scripted, tmp_path, skew_s):
    front.script.skew_s = skew_s
    _, old = put_blob(front, tmp_path, 2, 24.05)
    _, young = put_blob(front, tmp_path, 3, 23.95)
    assert [reason for reason, _ in gc(scripted)[0]] == ["unnamed"]
    assert old not in front.objects and young in front.objects


def test_what_was_withdrawn_goes_once_that_is_old(front, scripted, tmp_path):
    path, sha256 = written(tmp_path, 1)
    scripted.vault("keep", NAME, "tf-hub", path, "published", "n1")
    scripted.vault("withdraw", NAME, "here")
    front.age(key_of(front, "blobs/"), 100)
    assert gc(scripted)[0] == []
    front.age(key_of(front, "gone/"), 25)
    assert gc(scripted)[0] == [("withdrawn", blob_key(sha256))]
    assert scripted.vault("find", NAME, "tf-hub") == "gone" and key_of(front, "ids/")
    # Where another name has the same bytes they stay.
    other = NAME.replace("/1", "/2")
    for name in (NAME.replace("/1", "/3"), other):
        scripted.vault("keep", name, "tf-hub", path, "published", "n2")
    scripted.vault("withdraw", NAME.replace("/1", "/3"), "here")
    for key in list(front.objects):
        front.age(key, 100)
    assert gc(scripted)[0] == [] and scripted.vault("read", sha256, 0, -1) == sha256


def test_mirrored_bytes_go_over_the_limit(front, scripted, tmp_path):
    """Those that were written before the others first; what is published, young or below the limit stays, and identities do."""
    sums = {}
    for number, hours in ((1, 100), (2, 300), (3, 200), (4, 1)):
        path, sums[number] = written(tmp_path, number)
        scripted.vault("keep", f"hub/model/{number}", "tf-hub", path, "mirrored", "n1")
        front.age(key_of(front, blob_key(sums[number])), hours)
    path, published = written(tmp_path, 5)
    scripted.vault("keep", NAME, "tf-hub", path, "published", "n1")
    path, marked = written(tmp_path, 6)
    scripted.vault("keep", "hub/model/6", "tf-hub", path, "mirrored", "n1")
    assert scripted.vault("keep", "hub/model/6", "tf-hub", path, "published", "n2") == "before"
    for sha256 in (published, marked):
        front.age(key_of(front, blob_key(sha256)), 1000)
    assert gc(scripted)[0] == []
    with open(scripted.config, "a") as config:
        config.write("[storage]\nmax_bytes = 4000\n")
    assert gc(scripted, "--dry-run")[0] == gc(scripted)[0] == [("max_bytes", blob_key(sums[number])) for number in (2, 3)]
    assert gc(scripted)[0] == []
    assert scripted.vault("find", "hub/model/2", "tf-hub").startswith(f"recorded {sums[2]}")


def test_what_this_node_pins_or_has_used_stays(front, scripted, tmp_path, start, make_upstream, history):  # noqa: F811
    hub = make_upstream()
    for number in range(1, 4):
        hub.serve(f"/hub/model/{number}", module(seed=number))
    store = {"kind": "s3", "endpoint": front.url, "bucket": "models", "prefix": "a/test", "credentials_file": scripted.credentials}
    daemon = start({"store": store}, [hub.url])
    daemon.witness = history.witness("a/test", "a")
    for number in range(1, 4):
        assert fetch(daemon, f"/hub/model/{number}").status == 200
    daemon.larder("pin", "hub/model/1", *daemon.place())
    daemon.stop()
    for number, hours in ((1, 300), (2, 200), (3, 100)):
        front.age(key_of(front, blob_key(digest(module(seed=number)))), hours)
    with open(scripted.config, "a") as config:
        config.write("[storage]\nmax_bytes = 1\n")
    lines, _ = gc(scripted, data=daemon.data)
    assert {key for _, key in lines} == {blob_key(digest(module(seed=number))) for number in (2, 3)}


def test_old_leases_and_hints_go(front, scripted, tmp_path):
    path, _ = written(tmp_path, 1)
    scripted.vault("keep", NAME, "tf-hub", path, "published", "n1")
    scripted.vault("withdraw", NAME, "here")
    base = key_of(front, "ids/").split("ids/")[0]
    for key, hours in (("leases/0/1/tf-hub", 167), ("leases/0/2/tf-hub", 169), ("feed/0000000000000001-00000000/gone/0/1", 169)):
        front.objects[base + key] = b""
        front.age(base + key, hours)
    assert sorted(gc(scripted)[0]) == [("old hint", "feed/0000000000000001-00000000/gone/0/1"), ("old lease", "leases/0/2/tf-hub")]
    assert base + "leases/0/1/tf-hub" in front.objects and sum("/feed/" in key for key in front.objects) == 2


@pytest.mark.parametrize("key, body", [("ids/0/1/tf-hub", b"{}"), ("ids/later", b"x")])
def test_an_identity_that_cannot_be_read_ends_it(front, scripted, tmp_path, key, body):
    """It may name any of the bytes."""
    _, old = put_blob(front, tmp_path, 2, 100)
    front.objects[old.split("blobs/")[0] + key] = body
    lines, said = gc(scripted, status=1)
    assert lines == [] and old in front.objects and "identit" in said


@pytest.mark.parametrize("act", ["error", "denied", "drop"])
def test_a_store_that_fails_loses_nothing(front, scripted, tmp_path, act):
    path, sha256 = written(tmp_path, 1)
    scripted.vault("keep", NAME, "tf-hub", path, "published", "n1")
    front.age(key_of(front, blob_key(sha256)), 100)
    for number in range(1, 30, 7):
        front.script.acts.clear()
        front.script.on("GET", *[None] * number, *[act] * 8)
        done = subprocess.run([binary(), "gc", "--config", str(scripted.config), "--data", str(tmp_path / "none"), "--dry-run"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S)
        assert "\t" not in done.stdout, done
    front.script.acts.clear()
    assert scripted.vault("read", sha256, 0, -1) == sha256


# ---- a publish of the same bytes at the same time ----


def test_bytes_that_may_go_soon_are_sent_anew(front, scripted, tmp_path):
    """Whoever gives them a name does so before; a sweep that has listed them already sees it. Who publishes them does so in any case."""
    path, key = put_blob(front, tmp_path, 2, 13)
    sha256 = key.rsplit("/", 1)[1]
    assert scripted.vault("keep", NAME, "tf-hub", path, "mirrored", "n1") == "new"
    assert [seen[0] for seen in front.script.seen if seen[1].endswith(blob_key(sha256))].count("PUT") == 1
    # Again by whoever: they have a name by now.
    front.age(key, 100)
    scripted.vault("keep", NAME, "tf-hub", path, "mirrored", "n2")
    assert [seen[0] for seen in front.script.seen if seen[1].endswith(blob_key(sha256))].count("PUT") == 1


def test_what_is_sent_anew_between_listing_and_removal_stays(front, scripted, tmp_path):
    """The sweep has read all names and listed the blob as old; then it is written anew and named, before the sweep looks once more."""
    path, key = put_blob(front, tmp_path, 2, 100)
    seen = []

    def name_it():
        seen.append(key)
        front.age(key, 0)

    original = front.script.next

    def watch(method, target, headers):
        if method == "GET" and "blobs" in target:
            front.script.after("GET", 1, name_it)
        return original(method, target, headers)

    front.script.next = watch
    lines, _ = gc(scripted)
    assert seen == [key] and lines == [] and key in front.objects


def test_a_mark_of_publishing_counts_as_a_name(front, scripted, tmp_path):
    """Bytes that were mirrored are sent anew before they are published: a sweep that has them as mirrored sees it."""
    path, sha256 = written(tmp_path, 1)
    scripted.vault("keep", NAME, "tf-hub", path, "mirrored", "n1")
    front.age(key_of(front, blob_key(sha256)), 100)
    before = len([seen for seen in front.script.seen if seen[0] == "PUT" and seen[1].endswith(sha256)])
    assert scripted.vault("keep", NAME, "tf-hub", path, "published", "n2") == "before"
    assert len([seen for seen in front.script.seen if seen[0] == "PUT" and seen[1].endswith(sha256)]) == before + 1


# ---- Ceph ----


def test_a_sweep_of_a_ceph(gateways, tmp_path):
    store = gateways[0]
    kept, sha256 = written(tmp_path, 1)
    lost, unnamed = written(tmp_path, 2)
    store.vault("keep", NAME, "tf-hub", kept, "published", "n1")
    assert store.ask("put", blob_key(unnamed), "x")[0] == "done"
    assert gc(store)[0] == []
    lines, _ = gc(gateways[1], "--grace", "0s")
    assert lines == [("unnamed", blob_key(unnamed))]
    assert bucket(store, "blobs/") == [blob_key(sha256)] and store.vault("read", sha256, 0, -1) == sha256


def test_a_sweep_beside_publishing(node, objects):  # noqa: F811
    """The same bytes under many names on two nodes while sweeps run one after another: nothing is lost, and all of it is served."""
    nodes = node("a", 0), node("b", 1)
    bodies = [module(size=200, seed=seed) for seed in range(4)]
    over = threading.Event()

    def sweep():
        swept = 0
        while not over.is_set() or not swept:
            assert gc(objects)[0] == []
            swept += 1
        return swept

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        sweeps = pool.submit(sweep)
        try:
            told = list(pool.map(lambda n: nodes[n % 2].put(f"/acme/many/{n + 1}", bodies[n % 4]).status, range(60)))
        finally:
            over.set()
        assert sweeps.result() > 0 and told == [201] * 60
    assert len(bucket(objects, "blobs/")) == 4
    for number in (1, 2, 3, 4):
        assert_has(nodes[number % 2], bodies[number - 1], f"/acme/many/{number}")


def test_a_sweep_that_takes_bytes_which_are_being_published(front, node, tmp_path):  # noqa: F811
    """Nobody names them, and they are old: sweeps remove them, one after another, while two nodes publish the same. What was told to be published has
    its bytes; of what nobody has published none stay."""
    store = Store(tmp_path / "tool", front.url, prefix=f"n/{own_prefix(tmp_path)}")
    nodes = [node(name, endpoint=front.url) for name in "ab"]
    bodies = [module(size=200, seed=seed) for seed in range(40)]
    keys = [f"{store.keys['prefix']}/{blob_key(digest(body))}" for body in bodies]
    for key, body in zip(keys, bodies):
        front.objects[key] = body
        front.age(key, 100)
    over, removed = threading.Event(), []

    def sweep():
        while not over.is_set() or not removed:
            removed.extend(key for _, key in gc(store)[0])

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        sweeps = pool.submit(sweep)
        try:
            told = list(pool.map(lambda n: nodes[n // 2 % 2].put(f"/acme/many-{n}/1", bodies[n]).status, range(0, len(bodies), 2)))
        finally:
            over.set()
        sweeps.result()
    assert told == [201] * 20 and set(removed) >= {blob_key(digest(body)) for body in bodies[1::2]}
    assert [key in front.objects for key in keys] == [True, False] * 20
    for number in range(0, len(bodies), 2):
        assert_has(nodes[number // 2 % 2], bodies[number], f"/acme/many-{number}/1")


def test_one_node_sweeps(gateways, tmp_path):
    """Who holds the lease is named; who is dead is waited for."""
    store = gateways[0]
    for other in gateways:
        other.write(lease_ttl_s=5, poll_interval_s=1)
    holder = subprocess.Popen([VAULT_TOOL, str(store.config), "hold", "!janitor/1", "tf-hub", "holder", "bare"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline().startswith("new")
        assert "another node sweeps the bucket now (holder)" in gc(gateways[1], status=1)[1]
        assert gc(gateways[1], "--dry-run")[0] == []
    finally:
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()
    assert gc(gateways[1])[0] == []
