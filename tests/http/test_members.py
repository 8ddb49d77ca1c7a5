# SPDX-License-Identifier: Apache-2.0
"""Single files of TF.js archives: what a browser asks for, one model.json and its shards."""
import concurrent.futures
import io
import shutil
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest

from support import modules
from support.daemon import assert_problem
from support.upstream import Answer

TESTDATA = Path(__file__).resolve().parents[2].parent / "shared" / "testdata" / "tfjs"
HANDLE = "/acme/half-plus-two-js/1"
SHARD = "group1-shard1of3.bin"


def contents(archive):
    """{path: bytes} of the files in a tar.gz."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name.removeprefix("./"): tar.extractfile(member).read() for member in tar if member.isfile()}


def real_archive(folder):
    return modules.pack([modules.Member("./")] + [modules.Member(f"./{path.name}", path.read_bytes())
                                                  for path in sorted(folder.iterdir())])


def unpacked(larder):
    return sorted(path.name for path in (larder.data / "unpacked").iterdir())


@pytest.fixture
def published(larder):
    larder.archive = modules.tfjs_module()
    larder.publish(HANDLE + "?tfjs-format=compressed", larder.archive)
    return larder


def assert_members(larder, path, archive):
    for member, content in contents(archive).items():
        for query in ("?tfjs-format=file", ""):
            reply = larder.get(f"{path}/{member}{query}")
            assert (reply.status, reply.body) == (200, content), f"{member}: {reply}"
            assert reply.header("Content-Length") == str(len(content))
            assert reply.header("Access-Control-Allow-Origin") == "*"


def test_every_member_of_a_made_archive(published):
    assert_members(published, HANDLE, published.archive)
    assert unpacked(published) == [modules.digest(published.archive)]


@pytest.mark.skipif(not TESTDATA.is_dir(), reason="no testdata here")
@pytest.mark.parametrize("name", ["derived-layers_model-3shards", "tfjs-rn_graph_model", "tfjsexamples-abalone"])
def test_every_member_of_a_real_model(larder, name):
    archive = real_archive(TESTDATA / name)
    larder.publish("/acme/real/1?tfjs-format=compressed", archive)
    assert_members(larder, "/acme/real/1", archive)


def test_members_in_folders(larder):
    archive = modules.pack([modules.Member("./")] + [
        modules.Member(name, content) for name, content in [
            ("./model.json", contents(modules.tfjs_module(shards=1))["model.json"]),
            ("./group1-shard1of1.bin", contents(modules.tfjs_module(shards=1))["group1-shard1of1.bin"]),
            ("./assets/", b""), ("./assets/words.txt", b"a\nb\n"), ("./assets/empty.bin", b"")]])
    larder.publish(HANDLE + "?tfjs-format=compressed", archive)
    assert_members(larder, HANDLE, archive)
    assert larder.get(HANDLE + "/assets/words.txt").header("Content-Type").startswith("text/plain")
    assert larder.get(HANDLE + "/assets?tfjs-format=file").status == 404
    assert larder.get(HANDLE + "/words.txt").status == 404


def test_headers(published):
    model = published.get(HANDLE + "/model.json?tfjs-format=file")
    shard = published.get(f"{HANDLE}/{SHARD}?tfjs-format=file")
    assert model.header("Content-Type") == "application/json"
    assert shard.header("Content-Type") == "application/octet-stream"
    for reply in (model, shard):
        assert reply.header("ETag") == f'"sha256:{modules.digest(reply.body)}"'
        assert reply.header("Cache-Control") == "public, max-age=31536000, immutable"
        assert reply.header("Accept-Ranges") == "bytes"
        assert reply.header("Cache-Status") == "larder; hit"
        assert reply.headers.get("Last-Modified")
        assert reply.headers.get("Content-Encoding") is None
    assert model.header("ETag") != shard.header("ETag")


def test_conditions_and_ranges(published):
    path = f"{HANDLE}/{SHARD}?tfjs-format=file"
    content = contents(published.archive)[SHARD]
    etag = published.get(path).header("ETag")
    assert published.get(path, if_none_match=etag).status == 304
    part = published.get(path, range="bytes=10-19")
    assert (part.status, part.body) == (206, content[10:20])
    assert part.header("Content-Range") == f"bytes 10-19/{len(content)}"
    assert published.get(path, range="bytes=-5").body == content[-5:]
    assert published.get(path, range="bytes=10-19", if_range='"other"').body == content
    beyond = published.get(path, range=f"bytes={len(content)}-")
    assert (beyond.status, beyond.body) == (416, b"")
    assert beyond.header("Content-Range") == f"bytes */{len(content)}"


def test_head(published):
    for query in ("?tfjs-format=file", ""):
        reply = published.head(f"{HANDLE}/{SHARD}{query}")
        assert (reply.status, reply.header("Content-Length")) == (200, "400")
    assert published.head(f"{HANDLE}/none.bin").status == 404


def test_head_of_a_miss_fetches_nothing(mirror, upstream):
    upstream.serve(HANDLE, Answer(modules.tfjs_module()))
    assert mirror.head(f"{HANDLE}/model.json?tfjs-format=file").status == 200
    assert mirror.blobs() == []


def test_errors_have_no_words_but_for_model_json(published):
    for path in (f"{HANDLE}/none.bin", "/acme/never-there/1/group1-shard1of1.bin"):
        for query in ("?tfjs-format=file", ""):
            reply = published.get(path + query)
            assert reply.body == b"" and reply.status >= 400, reply
            assert reply.header("Access-Control-Allow-Origin") == "*"
    assert published.get(f"{HANDLE}/none.bin").status == 404
    reply = published.get("/acme/never-there/1/model.json?tfjs-format=file")
    assert reply.status >= 400 and reply.json()["code"], reply


@pytest.mark.parametrize("accept", ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                                    "application/problem+json", "Application/Problem+JSON, */*"])
def test_who_asks_for_words_gets_them(published, accept):
    published.publish("/acme/hub/1", modules.module())
    paths = [f"{HANDLE}/none.bin", f"{HANDLE}/a/b/c.txt", "/acme/hub/1/zzz", "/acme/never-there/1/group1-shard1of1.bin"]
    for path in [path + query for path in paths for query in ("?tfjs-format=file", "")]:
        bare = published.get(path)
        assert bare.body == b"" and bare.header("Vary") == "Accept", bare
        words = published.get(path, accept=accept)
        assert_problem(words, bare.status, words.json()["code"])
        assert words.json()["detail"] and words.header("Vary") == "Accept"


def test_words_after_a_fill_that_failed(mirror, upstream):
    upstream.serve(HANDLE, Answer(b"no module" * 100), Answer(b"no module" * 100))
    words = mirror.get(f"{HANDLE}/{SHARD}?tfjs-format=file", accept="application/problem+json")
    assert_problem(words, 502, "upstream-failed")
    assert mirror.get(f"{HANDLE}/{SHARD}?tfjs-format=file").body == b""


def test_an_archive_without_such_a_model_json(published):
    assert_problem(published.get(f"{HANDLE}/other/model.json?tfjs-format=file"), 404, "not-found")


def test_withdrawn(published):
    assert published.get(HANDLE + "/model.json").status == 200
    token = published.token("withdraw:*")
    assert published.request("DELETE", HANDLE, {"Authorization": f"Bearer {token}"}).status < 300
    assert_problem(published.get(HANDLE + "/model.json?tfjs-format=file"), 410, "gone")
    reply = published.get(f"{HANDLE}/{SHARD}?tfjs-format=file")
    assert (reply.status, reply.body) == (410, b"")


def test_a_stampede_on_a_cold_model_is_one_fetch(mirror, upstream):
    archive = modules.tfjs_module(shards=63, shard_size=40000)
    wanted = {name: content for name, content in contents(archive).items() if name != "vocab.json"}
    gate = threading.Event()
    upstream.serve(HANDLE, Answer(archive, before=gate))
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        replies = {name: pool.submit(mirror.get, f"{HANDLE}/{name}?tfjs-format=file") for name in wanted}
        mirror.wait_for("larder_fill_waiters", len(wanted), "every client waits for the fill")
        gate.set()
        for name, reply in replies.items():
            reply = reply.result()
            assert (reply.status, reply.body) == (200, wanted[name]), f"{name}: {reply}"
            assert reply.header("Access-Control-Allow-Origin") == "*"
            assert reply.header("Cache-Status").startswith("larder; fwd=miss")
    assert upstream.count(HANDLE) == 1
    assert unpacked(mirror) == [modules.digest(archive)]


def test_a_stampede_on_an_archive_that_is_not_unpacked(published):
    wanted = contents(published.archive)
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        names = sorted(wanted) * 16
        for name, reply in zip(names, pool.map(lambda name: published.get(f"{HANDLE}/{name}"), names)):
            assert (reply.status, reply.body) == (200, wanted[name]), f"{name}: {reply}"
    assert unpacked(published) == [modules.digest(published.archive)]


def test_an_absent_model(mirror, upstream):
    upstream.serve(HANDLE, Answer(b"no", 404))
    assert_problem(mirror.get(HANDLE + "/model.json?tfjs-format=file"), 404, "not-found")
    reply = mirror.get(f"{HANDLE}/{SHARD}?tfjs-format=file")
    assert (reply.status, reply.body) == (404, b"")


def test_a_shard_of_a_fill_that_fails_has_no_words(mirror, upstream):
    upstream.serve(HANDLE, Answer(modules.with_bad_crc(modules.tfjs_module())))
    reply = mirror.get(f"{HANDLE}/{SHARD}?tfjs-format=file")
    assert (reply.status, reply.body) == (502, b"")
    assert not unpacked(mirror)


def test_a_restart_keeps_what_is_unpacked_and_sweeps_what_is_half_made(published):
    assert published.get(HANDLE + "/model.json").status == 200
    half_made = published.data / "unpacked" / ("0" * 64 + ".new")
    half_made.mkdir()
    (half_made / "x").write_bytes(b"x")
    published.restart()
    published.wait_for("larder_sweeps_total", 1, "what a start leaves for afterwards")
    assert unpacked(published) == [modules.digest(published.archive)]
    assert_members(published, HANDLE, published.archive)


@pytest.mark.parametrize("what", ["unpacked", "unpacked/{digest}"])
def test_unpacked_files_may_be_removed_at_any_time(published, what):
    assert_members(published, HANDLE, published.archive)
    shutil.rmtree(published.data / what.format(digest=modules.digest(published.archive)))
    assert_members(published, HANDLE, published.archive)


def test_a_single_file_that_is_lost_is_unpacked_again(published):
    assert_members(published, HANDLE, published.archive)
    for file in (published.data / "unpacked" / modules.digest(published.archive)).iterdir():
        file.unlink()
        assert_members(published, HANDLE, published.archive)


# ---- room ------------------------------------------------------------------------------------------------------------

KiB = 1024
MODELS = [f"/acme/js{i}/1" for i in range(6)]


def bytes_on_disk(larder, folder):
    return int(subprocess.run(["du", "-s", "-B1", str(larder.data / folder)], check=True, capture_output=True,
                              text=True).stdout.split()[0])


def serve_models(upstream, paths, shard_size):
    archives = {path: modules.tfjs_module(shard_size=shard_size + 4 * i) for i, path in enumerate(paths)}
    for path, archive in archives.items():
        upstream.serve(path, archive)
    return archives


def assert_model(larder, path, archive):
    for member, content in contents(archive).items():
        reply = larder.get(f"{path}/{member}?tfjs-format=file")
        assert (reply.status, reply.body) == (200, content), f"{path}/{member}: {reply}"
    larder.wait_for_idle()


def test_unpacked_files_count_under_max_bytes(upstream, start):
    archives = serve_models(upstream, MODELS, 200 * KiB)
    unpacked_size = sum(len(content) + 4 * KiB for content in contents(archives[MODELS[0]]).values())
    blobs = sum(len(archive) for archive in archives.values())
    limit = blobs + 2 * unpacked_size + unpacked_size // 2
    larder = start({"storage": {"max_bytes": limit}}, [upstream.url])
    for path in MODELS + MODELS[:3]:
        assert_model(larder, path, archives[path])
        assert bytes_on_disk(larder, "unpacked") + sum(len(archive) for archive in archives.values()
                                                       if modules.digest(archive) in larder.blobs()) <= limit + 64 * KiB
    assert unpacked(larder) == sorted(modules.digest(archives[path]) for path in MODELS[1:3])
    assert len(larder.blobs()) == len(MODELS), "blobs went before what is unpacked"
    assert upstream.count() == len(MODELS)
    larder.restart()
    assert_model(larder, MODELS[3], archives[MODELS[3]])
    assert len(unpacked(larder)) == 2, "a restart forgot what lies there"


def test_a_model_that_cannot_be_unpacked_evicts_nothing(upstream, start):
    archives = serve_models(upstream, MODELS[:2], 10 * KiB)
    plain = modules.tfjs_module(**{"vocab.json": b"[" + b"0," * 400 * KiB + b"0]"})
    larder = start({"storage": {"max_bytes": 300 * KiB}}, [upstream.url])
    for path in archives:
        assert_model(larder, path, archives[path])
    there = unpacked(larder)
    larder.publish(HANDLE + "?tfjs-format=compressed", plain)
    assert_problem(larder.get(f"{HANDLE}/model.json?tfjs-format=file"), 507, "no-space")
    assert unpacked(larder) == there and len(there) == 2
    assert larder.get(HANDLE + "?tfjs-format=compressed").body == plain
    for path in archives:
        assert_model(larder, path, archives[path])
    assert upstream.count() == 2


def test_an_evicted_model_takes_its_unpacked_files_with_it(upstream, start, tmp_path):
    archives = serve_models(upstream, MODELS[:2], 200 * KiB)
    larder = start(upstreams=[upstream.url])
    for path, archive in archives.items():
        assert_model(larder, path, archive)
    narrow = tmp_path / "narrow.ini"
    narrow.write_text("[storage]\nmax_bytes = 1000\nkeep_free_bytes = 0\n")
    assert larder.larder("gc", "--config", str(narrow)).returncode == 0
    assert not larder.blobs() and not unpacked(larder)
    for path, archive in archives.items():
        assert_model(larder, path, archive)


def test_a_withdrawn_model_takes_its_unpacked_files_with_it(published):
    assert_members(published, HANDLE, published.archive)
    token = published.token("withdraw:*")
    assert published.request("DELETE", HANDLE, {"Authorization": f"Bearer {token}"}).status < 300
    assert not unpacked(published)


def test_gc_removes_unpacked_files_that_nothing_needs(published):
    assert_members(published, HANDLE, published.archive)
    folder = published.data / "unpacked"
    stray = folder / ("0" * 64)
    shutil.copytree(folder / modules.digest(published.archive), stray)
    would = published.larder("gc", "--dry-run").stdout
    assert "would remove 1 unpacked archives" in would, would
    assert stray.exists()
    did = published.larder("gc").stdout
    assert "removed 1 unpacked archives" in did, did
    assert unpacked(published) == [modules.digest(published.archive)]
    assert_members(published, HANDLE, published.archive)
