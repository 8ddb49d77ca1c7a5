# SPDX-License-Identifier: Apache-2.0
"""One file of an archive of any format, with its own digests; the list of files, and what differs, by those."""
import base64
import concurrent.futures
import hashlib
import io
import shutil
import sqlite3
import tarfile
import threading
import urllib.parse

import pytest
from support import modules
from support.daemon import assert_problem
from support.modules import Member
from support.upstream import Answer

PATH = "/acme/m/1"
PLAIN = {"config.json": b'{"code": 500, "message": "no"}', "weights.bin": modules.payload(200_000), "empty": b"", "README": b"# read\n",
         "page.html": b"<script>alert(1)</script>", "picture.svg": b"<svg onload='x'/>", "deep/er/vocab.txt": b"a\nb\n",
         "odd name ä%?#.txt": b"odd"}


def archive(files):
    folders = {"/".join(name.split("/")[:i]) + "/" for name in files for i in range(1, name.count("/") + 1)}
    return modules.pack([Member("./"), *(Member("./" + name) for name in sorted(folders)),
                         *(Member("./" + name, body) for name, body in files.items())])


BODIES = {"tf-hub": modules.module(50_000), "tfjs": modules.tfjs_module(), "archive": archive(PLAIN)}


def contents(body):
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {member.name.removeprefix("./"): tar.extractfile(member).read() for member in tar if member.isfile()}


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def quoted(name):
    return urllib.parse.quote(name, safe="/")


def member_url(format, name, path=PATH):
    return f"{path}/{quoted(name)}?{format}-format=file"


def listed(larder, path=PATH, format=None):
    return larder.get(f"/api/v1/files{path}" + (f"?format={format}" if format else "")).json()["files"]


def publish(larder, format, body=None, path=PATH):
    larder.publish(f"{path}?{format}-format=compressed", BODIES[format] if body is None else body)


def assert_digests(reply, content):
    assert reply.header("ETag") == f'"sha256:{sha256(content)}"'
    assert reply.header("Repr-Digest") == f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"
    assert reply.header("x-goog-hash") == f"md5={base64.b64encode(hashlib.md5(content).digest()).decode()}"


@pytest.mark.parametrize("format", BODIES)
def test_each_file(larder, format):
    publish(larder, format)
    for name, content in contents(BODIES[format]).items():
        url = member_url(format, name)
        reply = larder.get(url)
        assert (reply.status, reply.body) == (200, content), f"{name}: {reply}"
        assert reply.header("Content-Length") == str(len(content)) and reply.header("Accept-Ranges") == "bytes"
        assert_digests(reply, content)
        head = larder.head(url)
        assert (head.status, head.header("Content-Length")) == (200, str(len(content)))
        assert_digests(head, content)
        assert larder.get(url, if_none_match=reply.header("ETag")).status == 304
        for first, last in ((0, 0), (1, 9), (len(content) // 2, len(content) - 1), (3, None)):
            if first < len(content):
                part = larder.get(url, range=f"bytes={first}-{'' if last is None else last}", if_range=reply.header("ETag"))
                assert (part.status, part.body) == (206, content[first:None if last is None else last + 1]), f"{name}: {part}"
                assert_digests(part, content)
        beyond = larder.get(url, range=f"bytes={len(content)}-")
        assert beyond.status == 416, beyond
    assert [path.name for path in (larder.data / "unpacked").iterdir()] == [sha256(BODIES[format])]


def test_formats_side_by_side(larder):
    for format in BODIES:
        publish(larder, format)
    for format, body in BODIES.items():
        for name, content in contents(body).items():
            assert larder.get(member_url(format, name)).body == content
    assert_problem(larder.get(member_url("archive", "saved_model.pb")), 404, "not-found")
    assert_problem(larder.get(member_url("tf-hub", "config.json")), 404, "not-found")


@pytest.mark.parametrize("format", ["tf-hub", "archive"])
def test_what_is_no_file(larder, format):
    publish(larder, format)
    for name in ("none", "deep", "variables", "../config.json", "."):
        reply = larder.get(member_url(format, name))
        assert reply.status in (400, 404) and reply.json()["detail"], f"{name}: {reply}"
    assert_problem(larder.get(f"{PATH}?{format}-format=file"), 400, "bad-request")
    assert_problem(larder.get(f"/acme/never/1/x?{format}-format=file"), 504, "upstream-unreachable")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("format", BODIES)
def test_nothing_is_unpacked_for_what_was_never_there(larder, format, method):
    publish(larder, format)
    for name in ("none", "deep/none", "none/none", "model.json/x", "Config.json", "0" * 200):
        reply = larder.request(method, member_url(format, name))
        assert reply.status == 404, f"{name}: {reply}"
    assert not list((larder.data / "unpacked").iterdir())
    for name, content in contents(BODIES[format]).items():
        reply = larder.request(method, member_url(format, name))
        assert (reply.status, reply.header("Content-Length")) == (200, str(len(content))), f"{name}: {reply}"


@pytest.mark.parametrize("name, media_type", [("config.json", "text/plain"), ("README", "text/plain"), ("page.html", "text/plain"),
                                              ("deep/er/vocab.txt", "text/plain"), ("picture.svg", "application/octet-stream"),
                                              ("weights.bin", "application/octet-stream"), ("empty", "application/octet-stream")])
def test_nothing_is_a_page_of_this_origin(shared, name, media_type):
    path = "/acme/types/1"
    shared.publish(path + "?archive-format=compressed", BODIES["archive"])
    reply = shared.get(member_url("archive", name, path))
    assert reply.header("Content-Type").split(";")[0] == media_type
    assert reply.header("X-Content-Type-Options") == "nosniff"


def test_digests_of_the_list(larder):
    publish(larder, "archive")
    assert {row["path"]: row.get("sha256") for row in listed(larder)} == {
        name: sha256(body) for name, body in PLAIN.items()}, "known from the inspection"


LATE = "larder_late_file_digests_total"


@pytest.mark.parametrize("format", ["tf-hub", "tfjs"])
def test_digests_that_nobody_asked_for(mirror, upstream, format):
    upstream.serve(PATH, BODIES[format])
    assert mirror.get(f"{PATH}?{format}-format=compressed").body == BODIES[format]
    mirror.wait_for(LATE, 1)
    assert {row["path"]: row.get("sha256") for row in listed(mirror)} == {
        name: sha256(body) for name, body in contents(BODIES[format]).items()}
    assert not list((mirror.data / "unpacked").iterdir())


def edit(larder, *statements):
    larder.stop()
    with sqlite3.connect(larder.data / "larder.db") as db:
        for statement in statements:
            db.execute(statement)


def test_digests_of_what_was_kept_without(larder):
    """By an earlier release. What is gone is in nobody's way, and what is broken is read once."""
    bodies = {f"/acme/{word}/1": modules.module(5000, seed=seed) for seed, word in enumerate(("broken", "gone", "here"), 1)}
    for path, body in bodies.items():
        publish(larder, "tf-hub", body, path)
    larder.wait_for(LATE, 3)
    edit(larder, "DELETE FROM member_digests", "UPDATE undigested_before SET behind_id = 0, last_id = (SELECT max(id) FROM inspections)")
    for word, change in (("broken", lambda file: file.chmod(0o640) or file.write_bytes(file.read_bytes()[:-9] + b"otherwise")),
                         ("gone", lambda file: file.unlink())):
        change(next(larder.data.rglob(sha256(bodies[f"/acme/{word}/1"]))))
    larder.start()
    larder.wait_for(LATE, 2)
    known = {path: all("sha256" in row for row in listed(larder, path)) for path in bodies}
    assert known == {"/acme/broken/1": False, "/acme/gone/1": False, "/acme/here/1": True}
    # Also what is small, and has its MD5 at once.
    publish(larder, "tf-hub", path="/acme/more/1")
    larder.wait_for(LATE, 3)
    assert larder.log().count("stay without digests") == 1


@pytest.mark.parametrize("format", ["tf-hub", "tfjs"])
def test_digests_once_it_was_unpacked(larder, format):
    publish(larder, format)
    larder.wait_for(LATE, 1)
    edit(larder, "DELETE FROM member_digests")
    larder.start()
    files = contents(BODIES[format])
    assert {row["path"]: row.get("sha256") for row in listed(larder)} == dict.fromkeys(files)
    assert larder.get(member_url(format, sorted(files)[0])).status == 200
    expected = {name: sha256(body) for name, body in files.items()}
    assert {row["path"]: row.get("sha256") for row in listed(larder)} == expected
    shutil.rmtree(larder.data / "unpacked")
    larder.restart()
    assert {row["path"]: row.get("sha256") for row in listed(larder)} == expected, "in the catalog, whatever is unpacked"


def test_very_many_files(larder):
    files = {f"part-{i:05d}": b"%d" % i for i in range(1700)}
    body = archive({**contents(BODIES["tf-hub"]), **files})
    publish(larder, "tf-hub", body)
    assert larder.get(member_url("tf-hub", "part-01699")).body == b"1699"
    url, rows = f"/api/v1/files{PATH}?limit=200", []
    while url:
        page = larder.get(url).json()
        rows += page["files"]
        url = page["next"] and page["next"].removeprefix(larder.url)
    assert {row["path"]: row["sha256"] for row in rows if row["path"].startswith("part-")} == {
        name: sha256(content) for name, content in files.items()}


def changes(larder, format):
    return {row["path"]: row for row in larder.get(f"/api/v1/diff/acme/m/1/2?format={format}").json()["files"]}


def test_files_that_differ_in_their_bytes_only(larder):
    publish(larder, "archive", archive({"same": b"abc", "other": b"abc", "longer": b"abc", "gone": b"abc"}))
    publish(larder, "archive", archive({"same": b"abc", "other": b"abd", "longer": b"abcd", "new": b"abc"}), "/acme/m/2")
    rows = changes(larder, "archive")
    assert {path: row["change"] for path, row in rows.items()} == {
        "other": "changed", "longer": "changed", "gone": "removed", "new": "added"}
    assert rows["other"] == {"path": "other", "change": "changed", "from": 3, "to": 3,
                             "from_sha256": sha256(b"abc"), "to_sha256": sha256(b"abd")}
    assert "from_sha256" not in rows["gone"]


def test_sizes_are_compared_where_a_digest_is_missing(larder):
    for version, word in ((1, b"abc"), (2, b"abd")):
        publish(larder, "tf-hub", archive({**contents(BODIES["tf-hub"]), "assets/word.txt": word}), f"/acme/m/{version}")
    larder.wait_for(LATE, 2)
    assert list(changes(larder, "tf-hub")) == ["assets/word.txt"]
    edit(larder, "DELETE FROM member_digests")
    larder.start()
    assert changes(larder, "tf-hub") == {}
    for version, seen in ((1, []), (2, ["assets/word.txt"])):
        assert larder.get(member_url("tf-hub", "assets/word.txt", f"/acme/m/{version}")).status == 200
        assert sorted(changes(larder, "tf-hub")) == seen


@pytest.mark.parametrize("format", BODIES)
def test_a_download_is_counted_for_the_model_json_of_tfjs_only(larder, format):
    files = {"model.json": b"{}", **contents(BODIES[format])}
    publish(larder, format, archive(files))
    for name, content in files.items():
        assert larder.get(member_url(format, name)).body == content
    larder.restart()
    artifact, = larder.get("/api/v1/modules" + PATH).json()["artifacts"]
    assert artifact["downloads"] == (1 if format == "tfjs" else 0)


@pytest.mark.concurrent
@pytest.mark.parametrize("format", ["tf-hub", "archive"])
def test_a_stampede_is_one_fetch_and_unpacked_once(mirror, upstream, format):
    gate = threading.Event()
    upstream.serve(PATH, Answer(BODIES[format], before=gate))
    files = contents(BODIES[format])
    wanted = [name for name in sorted(files) for _ in range(48 // len(files) + 1)]
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        replies = [(name, pool.submit(mirror.get, member_url(format, name))) for name in wanted]
        mirror.wait_for("larder_fill_waiters", len(wanted), "every client waits for the fill")
        gate.set()
        for name, reply in replies:
            assert (reply.result().status, reply.result().body) == (200, files[name]), f"{name}: {reply.result()}"
    assert upstream.count(PATH) == 1
    assert [path.name for path in (mirror.data / "unpacked").iterdir()] == [sha256(BODIES[format])]
