# SPDX-License-Identifier: Apache-2.0
"""A TF.js module that upstream has as single files only becomes the one archive that it would always become."""
import gzip
import io
import json
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from support import claims, modules
from support.daemon import assert_problem
from support.upstream import Answer, Raw, bucket_403, by_method, html, redirect

PATH = "/google/js/1"
ARCHIVE = PATH + "?tfjs-format=compressed"


def model(paths, sizes, groups=1):
    return json.dumps({"format": "graph-model", "modelTopology": {}, "weightsManifest": [
        {"paths": paths, "weights": [{"name": "w", "shape": [sum(sizes) // 4], "dtype": "float32"}]}] * groups}).encode()


def serve(upstream, paths=("group1-shard1of2.bin", "group1-shard2of2.bin"), size=4000, path=PATH, json_bytes=None, **others):
    """Serves the files; gives what the archive must have."""
    files = {name: modules.payload(size, i) for i, name in enumerate(dict.fromkeys(paths))}
    files["model.json"] = json_bytes or model(list(paths), [size] * len(files))
    files.update(others)
    for name, content in files.items():
        upstream.serve(f"{path}/{quote(name)}", content)
    return files


def unpack(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {info.name.removeprefix("./"): tar.extractfile(info).read() for info in tar if info.isfile()}


@pytest.mark.concurrent
@pytest.mark.parametrize("paths", [["w.bin"], ["a.bin", "b.bin", "c.bin"], ["./b.bin", "a.bin"], ["deep/er/a.bin", "deep/b.bin", "c.bin"],
                                   ["my model.weights.bin", "gewichte-\u00e4.bin"], ["a-b.bin", "a/b.bin", "a.bin"]])
def test_archive_is_made_of_files(mirror, upstream, paths):
    files = {name.removeprefix("./"): content for name, content in serve(upstream, [path.removeprefix("./") for path in paths],
             json_bytes=model(paths, [4000] * len(paths))).items()}
    archive = mirror.get(ARCHIVE)
    assert archive.status == 200 and unpack(archive.body) == files
    assert upstream.count() == len(paths) + 2
    for name, content in files.items():
        assert mirror.get(f"{PATH}/{quote(name)}?tfjs-format=file").body == content
    assert upstream.count() == len(paths) + 2
    mirror.wait_for_no_drafts()
    version = mirror.get(f"/api/v1/modules{PATH}").json()
    assert version["source"] == "mirrored" and [each["format"] for each in version["artifacts"]] == ["tfjs"]


def test_file_is_asked_for_first(mirror, upstream):
    files = serve(upstream)
    reply = mirror.get(PATH + "/model.json?tfjs-format=file")
    assert reply.status == 200 and reply.body == files["model.json"]
    assert mirror.get(PATH + "/absent.json?tfjs-format=file").status == 404


def test_head_is_answered(mirror, upstream):
    serve(upstream)
    assert mirror.head(ARCHIVE).status == 200
    assert mirror.get(ARCHIVE).status == 200 and mirror.head(ARCHIVE).status == 200


def test_same_files_are_the_same_bytes(upstream, start):
    serve(upstream)
    assert start(upstreams=[upstream.url], name="a").get(ARCHIVE).body == start(upstreams=[upstream.url], name="b").get(ARCHIVE).body


def test_archive_is_preferred(mirror, upstream):
    serve(upstream)
    upstream.serve(PATH, modules.tfjs_module())
    assert mirror.get(ARCHIVE).body == modules.tfjs_module()
    assert upstream.count() == 1


def test_absent_as_a_whole(mirror, upstream):
    assert_problem(mirror.get(ARCHIVE), 404, "not-found")
    assert upstream.count() == 2
    assert_problem(mirror.get("/google/js/2?tf-hub-format=compressed"), 404, "not-found")
    assert upstream.count() == 3


def test_next_upstream_has_it(make_upstream, start):
    first, second = make_upstream(), make_upstream()
    serve(second)
    assert start(upstreams=[first.url, second.url]).get(ARCHIVE).status == 200


@pytest.mark.parametrize("name, json_bytes, more", [
    ("a shard is absent", model(["group1-shard1of2.bin", "gone.bin"], [4000, 4000]), {}),
    ("a shard is too long", model(["group1-shard1of2.bin"], [3996]), {}),
    ("a shard is too short", model(["group1-shard1of2.bin"], [4004]), {}),
    ("a shard is refused", model(["group1-shard1of2.bin", "busy.bin"], [4000, 4000]), {"busy.bin": Answer(b"", 503)}),
    ("no JSON", b"{", {}), ("no model", b"{}", {}), ("a page", b"<!doctype html>", {}),
    ("a shard is named twice", model(2 * ["group1-shard1of2.bin"], [4000]), {}),
    ("too many groups", model(["group1-shard1of2.bin"], [4000], groups=1100), {}),
    ("groups of nothing", json.dumps({"modelTopology": {}, "weightsManifest": 1100 * [{}]}).encode(), {}),
    ("weights of no size", json.dumps({"weightsManifest": [{"paths": ["group1-shard1of2.bin"], "weights": [{}]}]}).encode(), {}),
    ("no weights", json.dumps({"modelTopology": {}, "weightsManifest": {}}).encode(), {}),
    ("deep folders", model([20 * "a/" + "w.bin"], [4]), {}),
    ("too many shards", model([f"{i}.bin" for i in range(2000)], [0]), {"x": b""}),
    *[(f"the name {name}", model([name], [4]), {}) for name in ("/etc/passwd", "../w.bin", "a/../../w.bin", "a\\b.bin", "w%2e.bin",
                                                                  "w.bin?x", "w.bin#x", "http://other/w.bin", "", ".", ".hidden", 1200 * "w")],
], ids=lambda value: value[:40] if isinstance(value, str) else "")
def test_what_is_no_module(mirror, upstream, name, json_bytes, more):
    serve(upstream, json_bytes=json_bytes, **more)
    for i in range(1100):
        upstream.serve(f"{PATH}/{i}.bin", b"")
    reply = mirror.get(ARCHIVE)
    assert reply.status in (502, 504), reply
    mirror.assert_nothing_kept()
    assert upstream.count() <= 1100


def test_broken_transfers_are_tried_again(upstream, start):
    files = serve(upstream)
    for name, content in files.items():
        upstream.serve(f"{PATH}/{name}", Answer(content, cut_after=len(content) // 2), content)
    mirror = start({"mirror": {"retries": 2}}, upstreams=[upstream.url])
    assert unpack(mirror.get(ARCHIVE).body) == files


def test_published_is_not_gathered(mirror, upstream):
    serve(upstream)
    mirror.publish(PATH, modules.module())
    assert mirror.get(PATH + "?tf-hub-format=compressed").status == 200


# ---- what others may do meanwhile ----------------------------------------------------------------------------------------


@pytest.mark.concurrent
def test_however_many_wait_it_is_gathered_once(mirror, upstream):
    files = serve(upstream)
    gate = threading.Event()
    upstream.serve(f"{PATH}/group1-shard2of2.bin", Answer(files["group1-shard2of2.bin"], gate=gate, gate_after=100))
    paths = 8 * [ARCHIVE, *[f"{PATH}/{name}?tfjs-format=file" for name in files]]
    with ThreadPoolExecutor(len(paths)) as pool:
        replies = [pool.submit(mirror.get, path) for path in paths]
        mirror.wait_for("larder_fill_waiters", lambda value: value == len(paths))
        gate.set()
        bodies = {path: reply.result().body for path, reply in zip(paths, replies)}
    assert unpack(bodies.pop(ARCHIVE)) == files
    assert {path.split("/")[-1].split("?")[0]: body for path, body in bodies.items()} == files
    assert upstream.count() == 1 + len(files)


def test_cancelled_fill_lets_go(mirror, upstream):
    files = serve(upstream)
    upstream.serve(f"{PATH}/group1-shard2of2.bin", Answer(files["group1-shard2of2.bin"], gate=threading.Event(), gate_after=100))
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(mirror.get, ARCHIVE)
        mirror.wait_for("larder_fill_waiters", lambda value: value == 1)
        upstream.wait_for_requests(1, f"{PATH}/group1-shard2of2.bin")
        fill = mirror.get("/api/v1/fills").json()["fills"][0]
        assert mirror.request("DELETE", f"/api/v1/fills/{fill['id']}", headers=admin(mirror)).status in (200, 202, 204)
        assert reply.result().status == 503
    mirror.assert_nothing_kept()


def admin(mirror):
    return {"Authorization": "Bearer " + mirror.token("admin")}


def test_killed_in_the_middle(mirror, upstream):
    files = serve(upstream)
    upstream.serve(f"{PATH}/group1-shard2of2.bin", Answer(files["group1-shard2of2.bin"], gate=threading.Event(), gate_after=100),
                   files["group1-shard2of2.bin"])
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(mirror.get, ARCHIVE)
        upstream.wait_for_requests(1, f"{PATH}/group1-shard2of2.bin")
        mirror.kill()
        assert reply.exception()
    mirror.start()
    assert unpack(mirror.get(ARCHIVE).body) == files
    mirror.wait_for_no_drafts()


def test_evicted_comes_back_as_it_was(start, upstream):
    serve(upstream, size=40000)
    serve(upstream, ["other.bin"], size=80000, path="/google/js/2")
    mirror = start({"storage": {"max_bytes": 230000}}, [upstream.url])
    first = mirror.get(ARCHIVE)
    assert mirror.get("/google/js/2?tfjs-format=compressed").status == 200
    mirror.wait_for_idle()
    asked = upstream.count()
    again = mirror.get(ARCHIVE)
    assert again.status == 200 and again.body == first.body and upstream.count() > asked
    assert again.headers["ETag"] == first.headers["ETag"]
    assert mirror.get("/google/js/2?tfjs-format=compressed").status == 200
    upstream.serve(PATH, modules.tfjs_module())
    assert_problem(mirror.get(ARCHIVE), 451, "quarantined")


def test_no_room_for_it(start, upstream):
    serve(upstream, size=40000)
    mirror = start({"storage": {"max_bytes": 100000}}, [upstream.url])
    assert_problem(mirror.get(ARCHIVE), 507, "no-space")
    mirror.assert_nothing_kept()


def test_offline(start, upstream):
    files = serve(upstream)
    mirror = start(upstreams=[upstream.url])
    assert mirror.get(ARCHIVE).status == 200
    mirror.stop()
    mirror.configure({"mirror": {"offline": "on"}}, [upstream.url])
    mirror.start()
    assert mirror.get(PATH + "/model.json?tfjs-format=file").body == files["model.json"]
    asked = upstream.count()
    assert_problem(mirror.get("/google/js/2?tfjs-format=compressed"), 504, "offline")
    assert upstream.count() == asked


def test_published_without_it_is_not_asked_for(mirror, upstream):
    serve(upstream)
    mirror.publish(PATH, modules.module())
    assert mirror.get(ARCHIVE).status == 404
    assert upstream.count() == 0


# ---- HEAD ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [405, 403, 501])
def test_head_that_is_refused(mirror, upstream, status):
    files = serve(upstream)
    upstream.serve(f"{PATH}/model.json", by_method(Answer(b"", status), Answer(files["model.json"], media_type="application/json")))
    assert mirror.head(ARCHIVE).status == 200
    assert upstream.count(f"{PATH}/group1-shard1of2.bin") == 0
    mirror.assert_nothing_kept()


def test_head_of_what_is_absent(mirror, upstream):
    assert mirror.head(ARCHIVE).status == 404
    assert mirror.head(PATH + "/model.json?tfjs-format=file").status == 404


# ---- what upstreams send -------------------------------------------------------------------------------------------------


def coded(content, **headers):
    return Answer(gzip.compress(content), media_type="application/octet-stream", headers={"Content-Encoding": "gzip", **headers})


@pytest.mark.parametrize("which", ["model.json", "group1-shard1of2.bin", "all"])
def test_codings_are_taken_off(mirror, upstream, which):
    files = serve(upstream)
    for name, content in files.items():
        if which in (name, "all"):
            upstream.serve(f"{PATH}/{name}", coded(content))
    assert unpack(mirror.get(ARCHIVE).body) == files
    assert {seen.headers["accept-encoding"] for seen in upstream.requests} == {"identity"}


@pytest.mark.parametrize("broken", [
    lambda content: Answer(gzip.compress(content)[:-9], headers={"Content-Encoding": "gzip"}),
    lambda content: Answer(gzip.compress(content) + b"more", headers={"Content-Encoding": "gzip"}),
    lambda content: Answer(gzip.compress(content + content), headers={"Content-Encoding": "gzip"}),
    lambda content: Answer(b"\x1b\x2e\x00\xf8" + content[4:], headers={"Content-Encoding": "br"}),
], ids=["cut off", "more behind it", "longer than declared", "br"])
def test_codings_that_do_not_hold(mirror, upstream, broken):
    files = serve(upstream)
    upstream.serve(f"{PATH}/model.json", broken(files["model.json"]))
    upstream.serve(f"{PATH}/group1-shard1of2.bin", broken(files["group1-shard1of2.bin"]))
    assert_problem(mirror.get(ARCHIVE), 502, "upstream-failed")
    mirror.assert_nothing_kept()


def test_shards_that_are_gzip_by_themselves_stay_so(mirror, upstream):
    """Whatever the bytes of a file look like, they are no archive."""
    shards = {"a.bin": gzip.compress(modules.payload(3000)), "b.bin": modules.module(), "c.bin": gzip.decompress(modules.module())}
    total = sum(map(len, shards.values()))
    files = serve(upstream, [], json_bytes=json.dumps({"modelTopology": {}, "weightsManifest": [
        {"paths": list(shards), "weights": [{"name": "w", "shape": [total], "dtype": "uint8"}]}]}).encode(), **shards)
    assert unpack(mirror.get(ARCHIVE).body) == files


@pytest.mark.parametrize("label", ["text/html", "text/html; charset=utf-8", "text/plain", "application/gzip", ""])
def test_labels_do_not_matter(mirror, upstream, label):
    files = serve(upstream)
    for name, content in files.items():
        upstream.serve(f"{PATH}/{name}", Answer(content, media_type=label))
    assert unpack(mirror.get(ARCHIVE).body) == files


@pytest.mark.parametrize("page", [html(), Answer(b"\xef\xbb\xbf\n <HTML><body>Models</body>", media_type="text/html"),
                                  coded(b"<!DOCTYPE html>" + 2000 * b" ", **{"Content-Type": "text/html"})], ids=["html", "BOM", "coded"])
def test_page_in_place_of_model_json_is_absent(mirror, upstream, page):
    serve(upstream)
    page.media_type = "text/html"
    page.headers.pop("Content-Type", None)
    upstream.serve(f"{PATH}/model.json", page)
    assert_problem(mirror.get(ARCHIVE), 404, "not-found")


def test_bucket_that_hides_what_it_lacks(mirror, upstream):
    files = serve(upstream)
    upstream.serve(PATH, bucket_403())
    assert unpack(mirror.get(ARCHIVE).body) == files
    upstream.serve("/google/js/2", bucket_403())
    assert "403" in assert_problem(mirror.get("/google/js/2?tfjs-format=compressed"), 404, "not-found")["detail"]


@pytest.mark.parametrize("private, status", [("on", 200), ("off", 502)])
def test_redirects(start, make_upstream, private, status):
    hub, store = make_upstream(), make_upstream()
    files = serve(hub)
    for name, content in files.items():
        store.serve("/" + name, content)
        hub.serve(f"{PATH}/{name}", redirect(f"{store.url}/{name}?signed=1"))
    mirror = start({"mirror": {"private_upstreams": private}}, [hub.url])
    reply = mirror.get(ARCHIVE)
    assert reply.status == status
    assert store.count() == (len(files) if status == 200 else 0)


FORMS = {**claims.OF_THE_WHOLE, **claims.OF_THE_BODY}


@pytest.mark.parametrize("which", ["model.json", "group1-shard2of2.bin"])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_told_of_a_file_is_held_against_it(start, upstream, form, which):
    files = serve(upstream)
    mirror = start({"mirror": {"retries": 0}}, [upstream.url])
    upstream.serve(f"{PATH}/{which}", Answer(files[which], headers=FORMS[form](files[which] + b"x")))
    problem = assert_problem(mirror.get(ARCHIVE), 502, "upstream-failed")
    assert which in problem["detail"] and next(iter(FORMS[form](b""))).lower() in problem["detail"].lower()
    mirror.assert_nothing_kept()
    upstream.serve(f"{PATH}/{which}", Answer(files[which], headers=FORMS[form](files[which])))
    assert unpack(mirror.get(ARCHIVE).body) == files


# ---- limits --------------------------------------------------------------------------------------------------------------


def test_no_more_is_read_than_is_declared(mirror, upstream):
    serve(upstream, ["w.bin"])
    upstream.serve(f"{PATH}/w.bin", Answer(bytes(64 << 20), chunked=True))
    problem = assert_problem(mirror.get(ARCHIVE), 502, "upstream-failed")
    assert "w.bin" in problem["detail"] and "more bytes" in problem["detail"]
    assert upstream.count(f"{PATH}/w.bin") == 1 and upstream.sent_bytes < 32 << 20
    upstream.serve(f"{PATH}/w.bin", Answer(b"", declared_length=1 << 40))
    assert_problem(mirror.get(ARCHIVE), 502, "upstream-failed")


def test_model_json_has_an_end(start, upstream):
    mirror = start({"mirror": {"retries": 0}}, [upstream.url])
    serve(upstream)
    upstream.serve(f"{PATH}/model.json", Answer(b" " * (70 << 20)))
    assert_problem(mirror.get(ARCHIVE), 502, "upstream-failed")
    upstream.serve("/google/js/2/model.json", Answer(b" " * (70 << 20), chunked=True))
    assert_problem(mirror.get("/google/js/2?tfjs-format=compressed"), 502, "upstream-failed")
    mirror.assert_nothing_kept()


@pytest.mark.parametrize("dtype", ["float32", "string"])
def test_all_files_together_are_no_larger_than_a_module_may_be(start, upstream, dtype):
    """Each would be small enough."""
    mirror = start({"publish": {"max_unpacked_bytes": 10000}}, [upstream.url])
    groups = [{"paths": [f"{i}.bin"], "weights": [{"name": str(i), "shape": [1000], "dtype": dtype}]} for i in range(4)]
    serve(upstream, [], json_bytes=json.dumps({"modelTopology": {}, "weightsManifest": groups}).encode(),
          **{f"{i}.bin": modules.payload(4000) for i in range(4)})
    assert_problem(mirror.get(ARCHIVE), 502, "upstream-failed")
    assert upstream.count(f"{PATH}/3.bin") == 0
    mirror.assert_nothing_kept()


def test_nothing_is_asked_for_where_the_manifest_cannot_be(mirror, upstream):
    names = [f"{i}.bin" for i in range(100000)]
    serve(upstream, [], json_bytes=model(names, [0]))
    assert_problem(mirror.get(ARCHIVE), 502, "upstream-failed")
    serve(upstream, ["w.bin"], path="/google/js/2", json_bytes=model(["w.bin", "../x.bin"], [4000]))
    assert_problem(mirror.get("/google/js/2?tfjs-format=compressed"), 502, "upstream-failed")
    assert upstream.count() == 4


@pytest.mark.parametrize("what", ["a shard is absent", "a name", "no JSON"])
def test_certain_refusals_are_remembered(start, upstream, what):
    mirror = start({"mirror": {"negative_ttl_s": 3600, "retries": 3}}, [upstream.url])
    bad = {"a shard is absent": model(["gone.bin"], [4]), "a name": model(["../w.bin"], [4]), "no JSON": b"{"}[what]
    serve(upstream, json_bytes=bad)
    assert_problem(mirror.get(ARCHIVE), 502, "upstream-failed")
    asked = upstream.count()
    assert upstream.count(f"{PATH}/model.json") == 1
    assert_problem(mirror.get(ARCHIVE), 502, "upstream-failed")
    assert upstream.count() == asked


# ---- transfers -----------------------------------------------------------------------------------------------------------


def test_what_is_here_is_not_fetched_again(start, upstream):
    """After a failure it goes on where it was: with the file, and with the bytes where upstream can resume."""
    size = 1 << 20
    files = serve(upstream, size=size)
    first, second = "group1-shard1of2.bin", "group1-shard2of2.bin"
    upstream.serve(f"{PATH}/{first}", Answer(b"", 503), files[first])
    upstream.serve(f"{PATH}/{second}", *[Answer(files[second], etag='"v1"', ranges=True, cut_after=cut) for cut in (size // 4, size // 2)],
                   Answer(files[second], etag='"v1"', ranges=True))
    mirror = start({"mirror": {"retries": 1}}, [upstream.url])
    assert unpack(mirror.get(ARCHIVE).body) == files
    assert upstream.count(PATH) == 1 and upstream.count(f"{PATH}/model.json") == 1
    assert upstream.sent_bytes < 2 * size + size // 2


def test_file_that_changes_in_the_middle(start, upstream):
    files = serve(upstream)
    name = "group1-shard1of2.bin"
    upstream.serve(f"{PATH}/{name}", Answer(bytes(4000), etag='"v1"', ranges=True, cut_after=1000),
                   Answer(files[name], etag='"v2"', ranges=True))
    assert unpack(start({"mirror": {"retries": 2}}, [upstream.url]).get(ARCHIVE).body) == files


def test_upstream_that_never_gets_further(start, upstream):
    files = serve(upstream)
    name = "group1-shard1of2.bin"
    upstream.serve(f"{PATH}/{name}", *[Answer(files[name], cut_after=1000 + i) for i in range(40)])
    assert_problem(start({"mirror": {"retries": 1}}, [upstream.url]).get(ARCHIVE), 502, "upstream-failed")
    assert upstream.count(f"{PATH}/{name}") <= 5


@pytest.mark.parametrize("cut", ["model.json", "group1-shard1of2.bin"])
def test_end_of_the_connection_is_no_end(start, upstream, cut):
    """Without a length, half a file looks whole; what is declared shows that it is not, and it is asked for again."""
    files = serve(upstream)
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    upstream.serve(f"{PATH}/{cut}", Raw(head + files[cut][:50]), Raw(head + files[cut]))
    assert unpack(start({"mirror": {"retries": 2}}, [upstream.url]).get(ARCHIVE).body) == files


def test_chain_of_two(start, upstream):
    files = serve(upstream)
    first = start(upstreams=[upstream.url], name="first")
    second = start(upstreams=[first.url], name="second")
    assert unpack(second.get(ARCHIVE).body) == files
    assert second.get(PATH + "/model.json?tfjs-format=file").body == files["model.json"]
