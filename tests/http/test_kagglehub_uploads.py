# SPDX-License-Identifier: Apache-2.0
"""Unmodified kagglehub, of both generations: what it uploads."""
import concurrent.futures
import io
import json
import os
import pathlib
import re
import socket
import sqlite3
import stat
import urllib.parse
import zipfile

import pytest
from support import modules
from support.daemon import ROOT
from support.kagglehub import KaggleError, New, Old
from support.waiting import DEADLINE_S


def files_of(archive):
    """{path: bytes} of a tar.gz."""
    return New.unpack(archive)


def old(daemon, token=None):
    return Old("http://%s:%d/" % daemon.address, token)


def new(daemon, token=None):
    """KAGGLE_API_ENVIRONMENT=LOCALHOST http_proxy=http://larder"""
    return New("http://localhost/api/v1", token, proxy=daemon.address)


def by_key(daemon, token=None):
    """KAGGLE_KEY in place of KAGGLE_API_TOKEN."""
    return New("http://%s:%d/v1" % daemon.address, proxy=None, key=token)


@pytest.fixture(params=[old, new, by_key])
def connect(request):
    return request.param


TFJS = files_of(modules.tfjs_module())
SAVED_MODEL = {"saved_model.pb": modules.saved_model(), "assets/empty.txt": b"", "assets/extra/a.b/words.txt": b"one\n", "assets.extra": b"2"}
# framework, files, and the format that they are published as
MODELS = {"tf2": ("tensorFlow2", SAVED_MODEL, "tf-hub"), "tf1": ("tensorFlow1", SAVED_MODEL, "tf-hub"),
          "keras": ("keras", {"model.weights.h5": b"HDF", "config.json": b"{}"}, "archive"),
          "no saved model": ("tensorFlow2", {"model.h5": b"HDF"}, "archive"),
          "two lite ones": ("tfLite", {"a.tflite": modules.tflite_model(), "labels.txt": b"cat"}, "archive"),
          "many": ("pyTorch", {f"layers/{number % 7}/{number}.bin": b"%d" % number for number in range(60)}, "archive"),
          "tfjs": ("tfJs", TFJS, "tfjs"), "tflite": ("tfLite", {"model.tflite": modules.tflite_model()}, "tflite")}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_uploads_and_loads_again(larder, connect, model):
    framework, files, form = model
    client = connect(larder, larder.token("publish:acme/*"))
    client.model_upload(f"acme/half/{framework}/one", files)
    version = larder.get(f"/api/v1/modules/acme/half/{framework}/one/1").json()
    assert [artifact["format"] for artifact in version["artifacts"]] == [form]
    assert version["published_by"] == "ci-publish-acme"
    assert client.model_download(f"acme/half/{framework}/one") == files
    # The next one has the next number, whatever the case of the framework.
    client.model_upload(f"acme/half/{framework.upper()}/one", files)
    assert client.latest(("acme", "half", framework, "one")) == 2
    larder.wait_for_no_drafts()


def test_goes_on_with_a_file_that_was_cut(larder, connect):
    files = {"model.json": TFJS["model.json"], **{path: content for path, content in TFJS.items() if path != "model.json"}}
    client = connect(larder, larder.token())
    client.cut_after = 10
    client.model_upload("acme/half/tfJs/cut", files)
    assert connect(larder).model_download("acme/half/tfJs/cut/1") == files


def test_tells_what_is_wrong_with_a_model(larder, connect):
    client = connect(larder, larder.token())
    with pytest.raises(KaggleError, match="rule"):
        client.model_upload("acme/bad/tfJs/one", {"model.json": TFJS["model.json"]})
    assert larder.get("/api/v1/modules/acme/bad/tfJs/one").status == 404
    larder.wait_for_no_drafts()


def sent_to_blobs(client):
    """The calls that begin a file, and the files."""
    return [(method, url) for method, url, _ in client.requests.sent if method == "PUT" or "lobs" in url.rsplit("/", 2)[-2]]


@pytest.mark.parametrize("known", [False, True], ids=["new model", "known model"])
@pytest.mark.parametrize("scope, words", [(None, "401|token"), ("read", "403|scope"), ("publish:other/*", "403|scope"), ("publish:acme/hal/*", "403|scope"),
                                          ("publish:acme/half", "403|scope"), ("publish:acme/halfer/*", "403|scope")])
def test_needs_a_token_whose_scope_fits(larder, connect, scope, words, known):
    """And tells so before a byte of a file is sent."""
    if known:
        larder.publish("/acme/half/tensorFlow2/v/1", modules.module())
    client = connect(larder, scope and larder.token(scope))
    with pytest.raises(KaggleError, match=words):
        client.model_upload("acme/half/tfJs/one", TFJS)
    assert not [url for method, url in sent_to_blobs(client) if method == "PUT"]
    assert larder.get("/api/v1/modules/acme/half/tfJs/one").status == 404


@pytest.mark.parametrize("scope", ["publish:acme/half/*", "publish:acme/half/tfJs/one", "publish:*/tfJs/one", "publish:a?me/*",
                                   "publish:acme/[h]alf/tfJs/*", "admin"])
def test_a_scope_that_fits_is_enough(larder, connect, scope):
    for _ in range(2):
        connect(larder, larder.token(scope)).model_upload("acme/half/tfJs/one", TFJS)


@pytest.mark.parametrize("handle", ["Acme/half/tfJs/one", "acme/h:f/tfJs/one", "a_b/half/tfJs/one"])
def test_a_name_that_cannot_be_is_told_before_a_file_is_sent(larder, connect, handle):
    client = connect(larder, larder.token())
    with pytest.raises(KaggleError):
        client.model_upload(handle, TFJS)
    assert not sent_to_blobs(client)


def test_without_a_token_it_is_told_where_it_goes(larder):
    answer = larder.request("POST", "/v1/models.ModelApiService/CreateModel", {}, b'{"ownerSlug": "acme", "slug": "m"}')
    assert answer.status == 401 and all(word in answer.json()["message"] for word in ("KAGGLE_API_TOKEN", "KAGGLE_KEY"))


def test_what_a_refusal_says_is_whole(larder):
    """Each rule that is broken, and nothing that is not there."""
    with pytest.raises(KaggleError) as told:
        new(larder, larder.token()).model_upload("acme/bad/tfJs/one", {"model.json": TFJS["model.json"], "extra/x.bin": b"x"})
    words = str(told.value)
    assert "rule" in words and not any(odd in words for odd in ("listed in violations", ".;", ": ;", "..")) and words[0] != ";", words


@pytest.mark.parametrize("body, words", [(b"[]", "is other JSON"), (b"{", "line 1"), (b"[", "line 1")])
def test_a_body_that_is_none_is_told_of(larder, body, words):
    answer = larder.request("POST", "/v1/models.ModelApiService/GetModel", {}, body)
    assert answer.status == 400 and words in answer.json()["message"] and "line -1" not in answer.json()["message"], answer


TESTDATA = ROOT.parent / "shared/testdata"
REAL = [(framework, folder) for kind, framework in (("savedmodel", "tensorFlow2"), ("tfjs", "tfJs"), ("tflite", "tfLite"))
        for folder in sorted((TESTDATA / kind).glob("*")) if folder.is_dir()]


@pytest.mark.skipif(not REAL, reason=f"{TESTDATA} is not there")
@pytest.mark.parametrize("framework, folder", REAL, ids=lambda value: getattr(value, "name", value))
def test_real_models_come_back_as_they_were(larder, framework, folder):
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    handle = f"acme/{folder.name.lower().replace('_', '-')}/{framework}/v"
    for connect in (old, new):
        connect(larder, larder.token()).model_upload(handle, files)
    # A bare file's name is nobody's.
    whole = {"model.tflite": body for body in files.values()} if [path for path in files if path.endswith(".tflite")] == list(files) else files
    path, content = max(whole.items(), key=lambda item: len(item[1]))

    def load_all():
        for loader in (old, new):
            assert loader(larder).model_download(handle) == whole, "without a version"
            for version in (1, 2):
                assert loader(larder).model_download(f"{handle}/{version}") == whole
                assert loader(larder).model_download(f"{handle}/{version}", path) == {path: content}

    load_all()
    larder.stop()
    larder.configure({"mirror": {"offline": "on"}})
    larder.start()
    load_all()


# ---- what goes wrong ----------------------------------------------------------------------------------------------------------

def zipped(entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()


PLAIN = stat.S_IFREG | 0o644
BAD_ZIPS = {"up": [("../x", b"x", PLAIN)], "root": [("/etc/x", b"x", PLAIN)], "link": [("x", b"/etc/passwd", stat.S_IFLNK | 0o777)],
            "deep up": [("a/../../x", b"x", PLAIN)], "bomb": [("x", bytes(40 << 20), PLAIN)], "nothing": []}


@pytest.mark.parametrize("entries", BAD_ZIPS.values(), ids=BAD_ZIPS)
def test_refuses_zips_that_are_not_safe(larder, entries):
    client = new(larder, larder.token())
    with pytest.raises(KaggleError, match="archive.zip|no file"):
        client.model_upload("acme/zip/pyTorch/v", {"archive.zip": zipped(entries)})
    assert larder.get("/api/v1/modules/acme/zip/pyTorch/v").status == 404
    larder.wait_for_no_drafts()


def test_a_zip_may_have_any_names(larder):
    files = {"gr\u00f6\u00dfe.bin": b"1", "\u6a21\u578b/\U0001f600.txt": b"2", "plain.txt": b"3"}
    archive = zipped([(path, content, PLAIN) for path, content in files.items()])
    new(larder, larder.token()).model_upload("acme/zip/pyTorch/v", {"archive.zip": archive})
    assert new(larder).model_download("acme/zip/pyTorch/v/1") == files


@pytest.mark.parametrize("content", [b"PK\x03\x04 broken", b"not a zip", zipped([("a", b"a" * 9999, PLAIN)])[:-30]])
def test_refuses_what_is_no_zip(larder, content):
    with pytest.raises(KaggleError, match="archive.zip|no file"):
        new(larder, larder.token()).model_upload("acme/zip/pyTorch/v", {"archive.zip": content})


@pytest.mark.parametrize("count, taken", [(3, True), (5, False), (5000, False)])
@pytest.mark.parametrize("kind", ["plain", "streamed", "commented"])
def test_a_zip_has_so_many_files(start, count, taken, kind):
    larder = start({"publish": {"max_members": 4}})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = b"PK of files" if kind == "commented" else b""
        for number in range(count):
            with archive.open(f"{number}.bin", "w", force_zip64=kind == "streamed") as file:
                file.write(b"x")
    client = new(larder, larder.token())
    if taken:
        client.model_upload("acme/zip/pyTorch/v", {"archive.zip": out.getvalue()})
        assert len(client.model_download("acme/zip/pyTorch/v")) == count
    else:
        with pytest.raises(KaggleError, match="max_members"):
            client.model_upload("acme/zip/pyTorch/v", {"archive.zip": out.getvalue()})


def start_blob(larder, token, **more):
    return larder.request("POST", "/v1/blobs.BlobApiService/StartBlobUpload", {"Authorization": f"Bearer {token}"},
                          json.dumps({"name": "a.txt", "contentLength": 4, **more}).encode())


def place_of(blob):
    return urllib.parse.urlsplit(blob.json()["createUrl"]).path


def make(larder, token, tree, variation="v"):
    body = {"ownerSlug": "acme", "modelSlug": "m", "body": {"instanceSlug": variation, "framework": "MODEL_FRAMEWORK_OTHER", **tree}}
    return larder.request("POST", "/v1/models.ModelApiService/CreateModelInstance", {"Authorization": f"Bearer {token}"}, json.dumps(body).encode())


def test_an_address_is_for_its_bytes_only(larder):
    blob = start_blob(larder, larder.token())
    place = place_of(blob)
    assert larder.request("PUT", place, {"Content-Range": "bytes 2-3/4"}, b"cd").status == 308  # what comes before is missing
    first = larder.request("PUT", place, {"Content-Range": "bytes 0-1/4"}, b"ab")
    assert first.status == 308 and first.header("Range") == "bytes=0-1"
    # What is there already is passed over.
    assert larder.request("PUT", place, {"Content-Range": "bytes 0-3/4"}, b"abcd").status == 200
    assert larder.request("PUT", place, {"Content-Range": "bytes */4"}).status == 200
    for headers, body in (({"Content-Range": "bytes 0-4/5"}, b"abcde"), ({}, b"abcde"), ({"Content-Range": "bytes 3-1/4"}, b""),
                          ({"Content-Range": "lines 1"}, b"")):
        assert larder.request("PUT", place, headers, body).status == 400
    assert larder.request("PUT", place[:-1] + ("1" if place[-1] == "0" else "0"), {}, b"abcd").status == 401
    assert larder.request("PUT", "/" + place.split("/", 4)[4], {}, b"abcd").status == 401
    assert larder.get(place).status in (401, 404, 405)
    assert place.split("/")[3] not in larder.log()


@pytest.mark.parametrize("told", ["bytes 5-6/10", "bytes 0-4/10", "bytes 0-2/10", "bytes +0-3/10", "bytes 0-+3/10", "bytes 0-3/+10", "bytes 0-3/ 10",
                                  "bytes  0-3/10", "bytes -0-3/10", "bytes 0-3/10 ", "bytes 0-3", "bytes 0-3/", "bytes 0x0-3/10", "bytes */+10", "bytes */",
                                  "bytes 0-99999999999999999999/10", "bytes 0-3/9", "octets 0-3/10", "bytes 7-10/10"])
def test_what_is_told_of_bytes_is_not_believed_in_part(larder, told):
    place = place_of(start_blob(larder, larder.token(), contentLength=10))
    assert larder.request("PUT", place, {"Content-Range": told}, b"abcd").status == 400
    state = larder.request("PUT", place, {"Content-Range": "bytes */10"})
    assert state.status == 308 and "Range" not in state.headers


@pytest.mark.parametrize("told", [{}, {"Content-Range": "bytes 0-3/10"}])
def test_nothing_stays_of_a_body_that_is_too_long(larder, told):
    """One whose length nobody told."""
    place = place_of(start_blob(larder, larder.token(), contentLength=10))
    head = "".join(f"{name}: {value}\r\n" for name, value in {**told, "Transfer-Encoding": "chunked"}.items())
    answer = larder.raw(f"PUT {place} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n".encode() + b"4\r\nabcd\r\n8\r\nefghijkl\r\n0\r\n\r\n")
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert larder.request("PUT", place, {"Content-Range": "bytes */10"}).status == 404


def test_a_file_is_its_senders_and_used_once(larder):
    sender, other = larder.token("publish:acme/*"), larder.token("publish:*")
    blob = start_blob(larder, sender)
    tree = {"files": [{"token": blob.json()["token"]}]}
    early = make(larder, sender, tree).json()
    assert early["errorCode"] == 400 and "bytes have come" in early["error"]
    assert larder.request("PUT", place_of(blob), {}, b"abcd").status == 200
    assert make(larder, other, tree).json()["errorCode"] == 404
    assert make(larder, sender, tree).json()["error"] == ""
    assert make(larder, sender, tree, "w").json()["errorCode"] == 404


@pytest.mark.parametrize("where", ["here", "below"])
def test_a_file_that_is_named_twice(larder, where):
    token = larder.token()
    blob = start_blob(larder, token)
    assert larder.request("PUT", place_of(blob), {}, b"abcd").status == 200
    file = {"token": blob.json()["token"]}
    tree = {"files": [file, file]} if where == "here" else {"files": [file], "directories": [{"name": "d", "files": [file]}]}
    answer = make(larder, token, tree).json()
    assert answer["errorCode"] == 400 and "a.txt" in answer["error"] and "twice" in answer["error"]
    assert make(larder, token, {"files": [file]}).json()["error"] == "", "it can be used still"


@pytest.mark.parametrize("tree", [{"files": [{}]}, {"files": [5]}, {"files": [{"token": "none"}]}, {"directories": [{"files": []}]},
                                  {"directories": [{"name": "a/b"}]}, {}, {"files": {}}])
def test_refuses_trees_that_are_none(larder, tree):
    assert make(larder, larder.token(), tree).json()["errorCode"] in (400, 404, 422)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a" * 300, "a\nb", "a\\b"])
def test_refuses_names_that_no_file_may_have(larder, name):
    blob = start_blob(larder, larder.token(), name=name)
    assert larder.request("PUT", place_of(blob), {}, b"abcd").status == 200
    refused = make(larder, larder.token(), {"files": [{"token": blob.json()["token"]}]}).json()
    assert refused["errorCode"] == 422 and refused["error"]


@pytest.mark.parametrize("before", ["/", "a/", "ab/"])
@pytest.mark.parametrize("letter", ["\u00e9", "\u6a21", "\U0001f600"])
def test_a_refusal_that_is_cut_is_told(larder, before, letter):
    blob = start_blob(larder, larder.token(), name=before + 160 * letter)
    assert larder.request("PUT", place_of(blob), {}, b"abcd").status == 200
    assert "is no name" in make(larder, larder.token(), {"files": [{"token": blob.json()["token"]}]}).json()["error"]


REFUSED = {"a file that is too large": ("acme/m/other/v", {"a.bin": bytes(1001)}, "max_upload_bytes"),
           "a model that may not be called so": ("acme/m/other/v v", {"a.txt": b"1"}, "letters, digits"),
           "no file": ("acme/m/other/v", {}, "no file")}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_told_to_each_generation(start, connect, case):
    """Up to 0.3 a client tells of a status above 400 nothing but the status."""
    handle, files, words = case
    larder = start({"publish": {"max_upload_bytes": "1000"}})
    with pytest.raises(KaggleError, match=words):
        connect(larder, larder.token()).model_upload(handle, files)


def test_what_was_sent_is_bounded(start):
    larder = start({"publish": {"max_upload_bytes": "1000"}})
    assert start_blob(larder, larder.token(), contentLength=1001).status == 413
    assert start_blob(larder, larder.token(), contentLength=600).status == 200
    full = start_blob(larder, larder.token(), contentLength=600)
    assert full.status == 503 and full.json()["code"] == 503
    others = [start_blob(larder, larder.token("publish:acme/*"), contentLength=1).status for _ in range(130)]
    assert others == 128 * [200] + 2 * [503]
    larder.restart()
    larder.wait_for_no_drafts()


def test_versions_are_counted_on_whoever_comes(larder):
    client = new(larder, larder.token())
    client.model_upload("acme/m/other/v", {"a.txt": b"0"})

    def upload(number):
        new(larder, larder.token()).model_upload("acme/m/other/v", {"a.txt": b"%d" % number})

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(upload, range(1, 9)))
    loaded = {new(larder).model_download(f"acme/m/other/v/{version}")["a.txt"] for version in range(1, 10)}
    assert loaded == {b"%d" % number for number in range(9)}


def test_formats_share_no_number(larder):
    """Whoever packs at the same time counts on from the same version; one of them has to count again."""
    kinds = [({"a.txt": b"0"}, "archive"), (TFJS, "tfjs")]

    def upload(number):
        new(larder, larder.token()).model_upload("acme/m/tfJs/v", kinds[number % 2][0])

    upload(0)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(upload, range(1, 16)))
    found = [larder.get(f"/api/v1/modules/acme/m/tfJs/v/{version}").json()["artifacts"] for version in range(1, 17)]
    assert [len(artifacts) for artifacts in found] == 16 * [1]
    assert sorted(artifacts[0]["format"] for artifacts in found) == 8 * ["archive"] + 8 * ["tfjs"]


def test_nothing_follows_the_last_number(larder):
    client = new(larder, larder.token())
    larder.publish(f"/acme/m/tfJs/v/{2 ** 63 - 1}?tfjs-format=compressed", modules.tfjs_module())
    with pytest.raises(KaggleError, match="last version"):
        client.model_upload("acme/m/tfJs/v", TFJS)


def read_until(connection, words):
    """All that came up to these words."""
    got = b""
    while words not in got:
        piece = connection.recv(4096)
        assert piece, f"the end after {got!r}"
        got += piece
    return got


SIGN = b"HTTP/1.1 100 Continue\r\n\r\n"
# What is sent in the place of a version, what comes behind it, and whether interim answers come meanwhile.
WAITING = {"old": ("1.1", "", True), "old, HTTP/1.0": ("1.0", "", False), "old, by a proxy": ("1.1", "X-Forwarded-For: 192.0.2.1\r\n", False),
           "new": ("1.1", "", False)}


@pytest.mark.long
def test_shows_life_to_who_would_not_wait(larder):
    """Up to 0.3 a client waits for 15 seconds. Another process has the database, so that no version can be made."""
    token = larder.token()
    connections = {}
    with concurrent.futures.ThreadPoolExecutor(1) as pool, sqlite3.connect(larder.data / "larder.db", isolation_level=None) as db:
        for kind, (version, headers, _) in WAITING.items():
            blob = start_blob(larder, token)
            assert larder.request("PUT", place_of(blob), {}, b"abcd").status == 200
            body = {"instanceSlug": "v" + str(len(connections)), "framework": "other", "files": [{"token": blob.json()["token"]}]}
            path = "/api/v1//models/acme/m/create/instance"
            if kind == "new":
                path = "/v1/models.ModelApiService/CreateModelInstance"
                body = {"ownerSlug": "acme", "modelSlug": "m", "body": {**body, "framework": "MODEL_FRAMEWORK_OTHER"}}
            sent = json.dumps(body)
            connections[kind] = (f"POST {path} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{headers}"
                                 f"Content-Length: {len(sent)}\r\nConnection: close\r\n\r\n{sent}").encode()
        db.execute("BEGIN IMMEDIATE")
        for kind, request in connections.items():
            connections[kind] = socket.create_connection(larder.address, DEADLINE_S)
            connections[kind].sendall(request)
        real = pool.submit(old(larder, token).model_upload, "acme/m/other/real", {"a.txt": b"abcd"})
        assert read_until(connections["old"], 2 * SIGN) == 2 * SIGN
        db.execute("ROLLBACK")
        for kind, connection in connections.items():
            answer = read_until(connection, b"}")
            while answer.startswith(SIGN):
                assert WAITING[kind][2], kind
                answer = answer.removeprefix(SIGN)
            assert answer.startswith(b"HTTP/1.1 200 "), f"{kind}: {answer}"
            connection.close()
        assert real.result()["error"] == ""
    assert new(larder).model_download("acme/m/other/real/1") == {"a.txt": b"abcd"}


def worker_bytes(larder):
    """What the ordinary workers have read and written so far."""
    total = 0
    for task in pathlib.Path(f"/proc/{larder.process.pid}/task").iterdir():
        if re.fullmatch(r"worker.*", (task / "comm").read_text().strip()):
            counts = dict(line.split(": ") for line in (task / "io").read_text().splitlines())
            total += int(counts["rchar"]) + int(counts["wchar"])
    return total


@pytest.mark.parametrize("zips", [False, True], ids=["files", "zip"])
def test_disk_workers_pack(larder, zips):
    content = os.urandom(4 << 20)
    files = {"archive.zip": zipped([("a.bin", content, PLAIN)])} if zips else {"a.bin": content}
    before = worker_bytes(larder)
    new(larder, larder.token()).model_upload("acme/m/other/v", files)
    assert 0 < worker_bytes(larder) - before < 1 << 20
    assert new(larder).model_download("acme/m/other/v/1") == {"a.bin": content}
