# SPDX-License-Identifier: Apache-2.0
"""import --server: bundles that a client brings into a running daemon, by the same rules as into a folder."""
import base64
import json
import random
import shutil
import socket
import sqlite3
import subprocess
import threading
import urllib.parse

import pytest
from support import bundle_writer as bundles
from support import modules
from support.bundle_writer import Bundle
from support.carried import X, Y, Z, sample
from support.daemon import binary
from support.flaky import CUT, Flaky, busy
from support.waiting import DEADLINE_S, wait_until



def run(larder, path, *options, token=None, check=True):
    command = [binary(), "import", str(path), "--server", larder.url, "--token", token or larder.token("admin"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=6 * DEADLINE_S)
    assert "Sanitizer" not in done.stderr, done.stderr
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def report(larder, path, *options, check=True):
    return json.loads(run(larder, path, "--json", *options, check=check).stdout)


def assert_there(larder):
    x, y = (larder.get("/api/v1/modules/" + path).json() for path in ("acme/x/1", "google/y/2"))
    assert (x["source"], x["published_by"], x["description"]) == ("published", "ci", "Embeds words.")
    assert (y["source"], y["upstream"]) == ("mirrored", "tfhub")
    assert larder.get("/acme/x/1.tar.gz").body == X and larder.get("/google/y/2.tar.gz").body == Y
    assert larder.get("/acme/old/1.tar.gz").status == 410


@pytest.mark.parametrize("form", ["folder", "tar", "pieces"])
def test_takes_all_in_and_again_changes_nothing(larder, tmp_path, form):
    path = tmp_path / "bundle"
    if form == "folder":
        sample().folder(path)
    else:
        sample().tar(path)
    if form == "pieces":
        path = bundles.split(path, 50_000)
    told = report(larder, path)
    assert (told["new"], told["unchanged"], told["withdrawn"], told["recorded"]) == (3, 0, 1, True)
    assert told["pages"] == {"new": 1, "changed": 0, "left": 0}
    assert told["copied"] == {"blobs": 2, "bytes": len(X) + len(Y)}
    assert_there(larder)
    again = report(larder, path)
    assert (again["new"], again["changed"], again["unchanged"], again["recorded"]) == (0, 0, 3, False) and again["copied"]["blobs"] == 0
    assert "nothing changed" in run(larder, path).stdout


def test_a_dry_run_sends_nothing(larder, tmp_path):
    told = report(larder, sample().folder(tmp_path / "b"), "--dry-run")
    assert (told["new"], told["recorded"], told["dry_run"]) == (3, False, True)
    assert_nothing(larder)
    assert larder.blobs() == [] and imports(larder) == []
    assert "to send: " in run(larder, tmp_path / "b", "--dry-run").stdout


def assert_nothing(larder):
    assert larder.get("/api/v1/modules").json()["total"] == 0


def refused(larder, path, *options, **others):
    done = run(larder, path, *options, check=False, **others)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize("scope", ["read", "publish:*", "withdraw:*"])
def test_only_an_admin_may(larder, tmp_path, scope):
    said = refused(larder, sample().folder(tmp_path / "b"), token=larder.token(scope))
    assert "forbidden" in said
    assert "unauthorized" in refused(larder, tmp_path / "b", token="larder_nobody")
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/" + "0" * 32), ("PUT", "/x"), ("POST", "/x"), ("DELETE", "/x")):
        headers = {"Authorization": f"Bearer {larder.token(scope)}"}
        assert larder.request(method, "/api/v1/imports" + path, headers).status == 403
    assert_nothing(larder)


def test_places_that_exclude_each_other(larder, tmp_path):
    done = subprocess.run([binary(), "import", "b", "--server", larder.url, "--data", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2 and "not to both" in done.stderr
    done = subprocess.run([binary(), "import", "b", "--server", larder.url, "--as", "acme/x/1"], capture_output=True, text=True)
    assert done.returncode == 2 and "--as" in done.stderr


def test_a_folder_that_is_named_goes_before_the_variable(larder, tmp_path):
    path = sample().folder(tmp_path / "b")
    environment = {"LARDER_SERVER": larder.url, "LARDER_TOKEN": larder.token("admin"), "PATH": "/usr/bin:/bin"}
    here = subprocess.run([binary(), "import", str(path), "--data", str(tmp_path / "data")], capture_output=True, text=True, env=environment)
    assert here.returncode == 0 and "into the data folder" in here.stdout
    assert_nothing(larder)
    there = subprocess.run([binary(), "import", str(path)], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert there.returncode == 0 and f"into the daemon at {larder.url}" in there.stdout
    (tmp_path / "larder-data").symlink_to(tmp_path / "data")
    assert "into the data folder" in subprocess.run([binary(), "import", str(path)], capture_output=True, text=True, env=environment, cwd=tmp_path).stdout
    assert_there(larder)


# ---- the proof ----

def test_verify(larder, tmp_path):
    private, public = bundles.keys(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = bundles.keys(tmp_path / "other")
    assert "not signed" in refused(larder, sample().folder(tmp_path / "unsigned"), "--verify", str(public))
    signed = sample()
    signed.key = private
    signed.folder(tmp_path / "signed")
    assert refused(larder, tmp_path / "signed", "--verify", str(other))
    assert_nothing(larder)
    assert "signed by the owner of" in run(larder, tmp_path / "signed", "--verify", str(public)).stdout
    with sqlite3.connect(larder.data / "larder.db") as db:
        assert len(db.execute("SELECT signer FROM imports").fetchone()[0]) == 64
    assert_there(larder)


def test_the_daemon_holds_the_signature_against_the_key_itself(larder, tmp_path):
    private, _ = bundles.keys(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = bundles.keys(tmp_path / "other")
    bundle = sample()
    bundle.key = private
    for key, answer in ((raw_key(tmp_path / "key.pem.pub"), "open"), (raw_key(other), "ended")):
        state = begin(larder, bundle, "?key=" + quote(key, safe=""))
        assert state["state"] == answer, state
    assert state["failure"]["code"] == "forbidden"
    assert call(larder, "POST", f"/{state['id']}/record").status == 409
    for key in ("", "x", "A" * 44, "AAAA"):
        assert call(larder, "POST", "?key=" + key, head_of(bundle)).status == 400


def test_one_flipped_bit_is_refused_wherever_it_is(start, blank, tmp_path):
    private, public = bundles.keys(tmp_path)
    bundle = sample()
    bundle.key = private
    tar = bundle.tar(tmp_path / "b.tar").read_bytes()
    larder, chance = start(), random.Random(12)
    for _ in range(20):
        # Each time into an empty store: what is here already is not sent once more.
        larder.stop()
        shutil.rmtree(larder.data)
        larder.data.mkdir()
        shutil.copy(blank / "data" / "larder.db", larder.data)
        larder.start()
        flipped = bytearray(tar)
        flipped[chance.randrange(len(tar))] ^= 1 << chance.randrange(8)
        (tmp_path / "flipped.tar").write_bytes(flipped)
        done = run(larder, tmp_path / "flipped.tar", "--verify", str(public), check=False)
        assert done.returncode == 1, "a flipped bit was taken"
        assert_nothing(larder)


# ---- what contradicts, what is broken ----

def test_conflicts_are_told_with_both_digests(larder, tmp_path):
    assert larder.put("/acme/x/1", Z).status == 201
    bundle = sample().folder(tmp_path / "b")
    said = refused(larder, bundle)
    assert "acme/x/1" in said and bundles.digest(X) in said and bundles.digest(Z) in said and "--partial" in said
    assert larder.get("/google/y/2.tar.gz").status != 200
    assert refused(larder, bundle, "--partial")
    assert larder.get("/acme/x/1.tar.gz").body == Z and larder.get("/google/y/2.tar.gz").body == Y
    told = report(larder, bundle, "--partial", check=False)
    assert (told["refused"], told["unchanged"], told["new"]) == (1, 2, 0)


def test_withdrawals_are_taken_over_at_once(larder, tmp_path):
    run(larder, Bundle("first").add("acme/old/1", {"tf-hub": Z}).folder(tmp_path / "first"))
    assert larder.get("/acme/old/1.tar.gz").body == Z and larder.get("/acme/old/1.tar.gz").body == Z
    run(larder, sample().folder(tmp_path / "b"))
    assert larder.get("/acme/old/1.tar.gz").status == 410
    assert modules.digest(Z) not in larder.blobs()


@pytest.mark.parametrize("content", [b"this is no archive" * 100, X[:-20], modules.module(1000, seed=9) + b"behind"], ids=["text", "cut", "more"])
def test_modules_are_inspected(larder, tmp_path, content):
    path = Bundle().add("acme/bad/1", {"tf-hub": content}).add("acme/x/1", {"tf-hub": X}).folder(tmp_path / "b")
    said = refused(larder, path)
    assert said.count("acme/bad/1 (tf-hub)") == 1 and "rules" in said
    assert_nothing(larder)
    told = report(larder, path, "--partial", check=False)
    assert (told["new"], told["faulty"], told["recorded"]) == (1, 1, True)
    assert [remark["name"] for remark in told["remarks"]] == ["acme/bad/1"] and told["remarks"][0]["findings"][0]["rule"]
    assert larder.get("/acme/x/1.tar.gz").body == X


@pytest.mark.parametrize("kind", ["flipped", "missing", "short", "of a record", "of a manifest"])
def test_damage_is_told_by_name(larder, tmp_path, kind):
    bundle = sample()
    path = bundle.folder(tmp_path / "b")
    name = {"of a record": bundle.versions[1]["config"]["digest"], "of a manifest": bundle.versions[1]["manifest"]["digest"]}.get(kind)
    lost = path / "blobs/sha256" / (name.removeprefix("sha256:") if name else modules.digest(Y))
    content = lost.read_bytes()
    lost.unlink()
    if kind != "missing":
        lost.write_bytes(content[:-1] + (b"" if kind == "short" else bytes([content[-1] ^ 1])))
    said = refused(larder, path)
    assert "google/y/2" in said and lost.name in said and "--partial" in said
    assert_nothing(larder)
    lost.write_bytes(content)
    assert report(larder, path)["recorded"]
    assert_there(larder)


def test_the_rules_of_the_daemon_count(start, tmp_path):
    larder = start({"publish": {"max_upload_bytes": str(len(Y) - 1)}})
    told = report(larder, sample().folder(tmp_path / "b"), "--partial", check=False)
    assert (told["new"], told["faulty"]) == (2, 1) and "max_upload_bytes" in told["remarks"][0]["detail"]


def test_no_room(start, tmp_path):
    larder = start({"storage": {"keep_free_bytes": str(1 << 60)}})
    assert "no-space" in refused(larder, sample().folder(tmp_path / "b"))
    assert larder.drafts() == [] and imports(larder) == []


# ---- going on ----

def test_what_came_is_not_sent_again(larder, tmp_path):
    path = sample().folder(tmp_path / "b")
    lost = path / "blobs/sha256" / modules.digest(Y)
    lost.unlink()
    refused(larder, path)
    assert larder.blobs() == [modules.digest(X)]
    larder.restart()
    larder.wait_for("larder_sweeps_total", 1)
    lost.write_bytes(Y)
    assert report(larder, path)["copied"] == {"blobs": 1, "bytes": len(Y)}
    assert_there(larder)


# ---- the protocol, by hand ----

def quote(text, safe=""):
    return urllib.parse.quote(text, safe=safe)


def raw_key(public):
    der = subprocess.run(["openssl", "pkey", "-pubin", "-in", str(public), "-outform", "DER"], check=True, capture_output=True).stdout
    return base64.b64encode(der[-32:]).decode()


def head_of(bundle, **options):
    """All of a bundle but its artifacts."""
    files = bundle.build(**options)
    artifacts = {row["digest"].removeprefix("sha256:") for version in bundle.versions for row in version["artifacts"]}
    return bundles.tar_of({name: content for name, content in files.items() if name.rsplit("/", 1)[-1] not in artifacts})


def call(larder, method, path, body=None, token=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return larder.request(method, "/api/v1/imports" + path, {"Authorization": f"Bearer {token or larder.token('admin')}"} | headers, body)


def imports(larder):
    return call(larder, "GET", "").json()["imports"]


def wait_for_it(larder, identity):
    state = {}

    def is_over():
        state.update(call(larder, "GET", "/" + identity).json())
        return state["state"] in ("open", "ended")

    wait_until(is_over, "the import waits for its client")
    return state


def begin(larder, bundle, query=""):
    answer = call(larder, "POST", query, head_of(bundle))
    assert answer.status == 202 and answer.headers["Location"] == "/api/v1/imports/" + answer.json()["id"], answer.body
    return wait_for_it(larder, answer.json()["id"])


def put_blob(larder, identity, content, name=None, form="tf-hub", **options):
    return call(larder, "PUT", f"/{identity}/blobs/sha256/{name or modules.digest(content)}?format={form}", content, **options)


def record(larder, identity, order=None):
    answer = call(larder, "POST", f"/{identity}/record", json.dumps(order).encode() if order else b"")
    assert answer.status == 202, answer.body
    return wait_for_it(larder, identity)


def test_the_protocol(larder):
    state = begin(larder, sample())
    assert (state["state"], state["new"], state["recorded"], state["failure"]) == ("open", 3, False, None)
    assert state["by"] == "ci-admin" and state["lacking"] == {"blobs": 2, "bytes": len(X) + len(Y)}
    page = call(larder, "GET", f"/{state['id']}/lacking?limit=1").json()
    rest = larder.request("GET", page["next"].removeprefix(larder.url), {"Authorization": f"Bearer {larder.token('admin')}"}).json()
    assert rest["next"] is None or larder.request("GET", rest["next"].removeprefix(larder.url), {
        "Authorization": f"Bearer {larder.token('admin')}"}).json() == {"blobs": [], "total": 2, "next": None}
    rows = page["blobs"] + rest["blobs"]
    assert [(row["handle"], row["digest"], row["size_bytes"]) for row in rows] == [
        ("acme/x", bundles.digest(X), len(X)), ("google/y", bundles.digest(Y), len(Y))]
    missing = record(larder, state["id"])
    assert missing["state"] == "ended" and missing["faulty"] == 2 and "has not come" in missing["remarks"][0]["detail"]
    assert_nothing(larder)
    for row, content in zip(rows, (X, Y)):
        path = row["url"].removeprefix("/api/v1/imports")
        assert call(larder, "PUT", path, content).status == 201
        assert call(larder, "PUT", path, content).status == 200
    done = record(larder, state["id"])
    assert (done["recorded"], done["copied"]["blobs"], done["failure"]) == (True, 2, None)
    assert_there(larder)
    again = record(larder, state["id"])
    assert (again["unchanged"], again["new"], again["failure"], again["recorded"]) == (3, 0, None, False)
    assert call(larder, "DELETE", "/" + state["id"]).status == 204 and call(larder, "GET", "/" + state["id"]).status == 404
    with sqlite3.connect(larder.data / "larder.db") as db:
        assert db.execute("SELECT DISTINCT who FROM audit WHERE action IN ('withdraw', 'document')").fetchall() == [("ci-admin",)]


def test_blobs_that_are_not_as_the_bundle_says(larder):
    state = begin(larder, sample())
    identity = state["id"]
    other = put_blob(larder, identity, Y[:-1] + bytes([Y[-1] ^ 1]), modules.digest(Y))
    assert other.status == 422 and "other bytes than it is named by" in other.json()["detail"]
    chunked = put_blob(larder, identity, iter([Y]), modules.digest(Y))
    assert chunked.status == 422 and "Content-Length" in chunked.json()["detail"]
    for name, form in ((modules.digest(Z), "tf-hub"), (modules.digest(Y), "tfjs"), ("0" * 64, "coral")):
        stranger = put_blob(larder, identity, Z, name, form)
        assert stranger.status == 404 and "lacks no blob" in stranger.json()["detail"]
    assert put_blob(larder, identity, Y, form="none").status == 400
    assert put_blob(larder, identity, Y, "g" * 64).status == 404
    assert put_blob(larder, "0" * 32, Y).status == 404
    assert larder.blobs() == [] and larder.drafts() != []
    told = record(larder, identity, {"partial": True})
    assert {remark["name"]: remark["remark"] for remark in told["remarks"]} == {"acme/x/1": "faulty", "google/y/2": "faulty"}
    assert "other bytes" in [remark["detail"] for remark in told["remarks"] if remark["name"] == "google/y/2"][0]
    assert (told["new"], told["recorded"]) == (1, True) and larder.get("/acme/old/1.tar.gz").status == 410
    assert put_blob(larder, identity, Y).status == 201 and put_blob(larder, identity, X).status == 201
    assert record(larder, identity)["recorded"]
    assert_there(larder)


@pytest.mark.parametrize("content", [b"", Y[:1], Y[:-1], Y + b"x", Y + Y], ids=len)
def test_a_blob_of_another_length_is_told_by_name(larder, content):
    identity = begin(larder, sample())["id"]
    answer = put_blob(larder, identity, content, modules.digest(Y))
    assert answer.status == 422 and f"has {len(content)} bytes, and should have {len(Y)}" in answer.json()["detail"]
    assert put_blob(larder, identity, X).status == 201
    told = record(larder, identity)
    assert (told["faulty"], told["recorded"]) == (1, False)
    assert [(remark["name"], remark["remark"], remark["detail"]) for remark in told["remarks"]] == [("google/y/2", "faulty", answer.json()["detail"])]
    assert put_blob(larder, identity, Y).status == 201
    assert record(larder, identity)["recorded"]
    assert_there(larder)


HEADS = {"nothing": b"", "zeros": b"\0" * 10240, "text": b"hello" * 500, "cut": head_of(sample())[:3000],
         "no bundle": bundles.tar_of({"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": b"{}"}),
         "a link": bundles.tar_of(sample().build(), extra=[(bundles.member("blobs/sha256/" + "0" * 64, kind=b"2", linkname="/etc/passwd"), b"")]),
         "contents of another kind": head_of(sample(), contents=b"[1,2,3]"),
         "endless contents": head_of(sample(), contents=b"[" * 100_000)}


@pytest.mark.parametrize("case", HEADS)
def test_heads_that_are_none(larder, case):
    answer = call(larder, "POST", "", HEADS[case])
    assert answer.status == 202
    state = wait_for_it(larder, answer.json()["id"])
    assert state["state"] == "ended" and state["failure"]["detail"] and state["failure"]["code"] != "internal"
    assert str(larder.folder) not in state["failure"]["detail"], "paths of the server are shown"
    for path, method in (("/record", "POST"), ("/lacking", "GET")):
        assert call(larder, method, "/" + state["id"] + path).status == 409
    assert put_blob(larder, state["id"], X).status == 409


def test_paths_and_orders_that_are_none(larder):
    state = begin(larder, sample())
    for method, path in (("GET", "x"), ("GET", "0" * 32), ("GET", state["id"] + "/x"), ("POST", state["id"] + "/x"), ("DELETE", state["id"] + "/x"),
                         ("PUT", state["id"]), ("PUT", state["id"] + "/blobs/sha256/"), ("GET", state["id"] + "/lacking/1")):
        assert call(larder, method, "/" + path).status == 404, (method, path)
    for order in (b"[]", b"{", b'{"partial":1}'):
        assert call(larder, "POST", f"/{state['id']}/record", order).status == 400
    for cursor in ("x", "MQ", "OTk5OTk5OTk5"):
        assert call(larder, "GET", f"/{state['id']}/lacking?cursor={cursor}").status in (200, 400)


def test_only_so_many_are_open(larder):
    states = [begin(larder, sample()) for _ in range(8)]
    full = call(larder, "POST", "", head_of(sample()))
    assert full.status == 503 and full.headers["Retry-After"] and "8 imports" in full.json()["detail"]
    assert len(imports(larder)) == 8
    assert call(larder, "DELETE", "/" + states[3]["id"]).status == 204
    assert begin(larder, sample())["state"] == "open"
    for state in imports(larder):
        call(larder, "DELETE", "/" + state["id"])
    assert larder.drafts() == []


# ---- at the same time ----

@pytest.mark.concurrent
def test_several_at_once(larder, tmp_path):
    """The same bundle by several clients, and one that contradicts it: what one recorded the others find, or contradict."""
    same = sample().folder(tmp_path / "same")
    other = Bundle("other").add("acme/x/1", {"tf-hub": Z}).add("acme/z/1", {"tf-hub": Y}).folder(tmp_path / "other")
    token, said = larder.token("admin"), []
    threads = [threading.Thread(target=lambda path=path: said.append(run(larder, path, "--json", token=token, check=False)))
               for path in (same, same, same, other, other)]
    for thread in threads:
        thread.start()
    larder.get("/api/v1/modules")
    for thread in threads:
        thread.join()
    assert sorted(done.returncode for done in said) in ([0, 0, 0, 1, 1], [0, 0, 1, 1, 1]), [done.stderr for done in said]
    assert larder.get("/acme/x/1.tar.gz").body in (X, Z)
    assert imports(larder) == [] and larder.drafts() == []


def open_connection(larder, method, path, length, token):
    connection = socket.create_connection(larder.address)
    connection.sendall(f"{method} /api/v1/imports{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                       f"Content-Length: {length}\r\n\r\n".encode())
    return connection


@pytest.mark.concurrent
def test_a_slow_client_holds_up_nobody(larder):
    token, states = larder.token("admin"), [begin(larder, sample()) for _ in range(3)]
    slow = [open_connection(larder, "PUT", f"/{state['id']}/blobs/sha256/{modules.digest(X)}?format=tf-hub", len(X), token)
            for state in states for _ in range(10)]
    for connection in slow:
        connection.sendall(X[:5000])
    larder.wait_for("larder_uploads_running", len(slow))
    identity = begin(larder, sample())["id"]
    assert put_blob(larder, identity, X).status == 201 and put_blob(larder, identity, Y).status == 201
    assert record(larder, identity)["recorded"]
    assert_there(larder)
    for connection in slow[::2]:
        connection.close()
    for connection in slow[1::2]:
        connection.sendall(X[5000:])
        assert b" 201 " in connection.recv(100)
        connection.close()
    larder.wait_for("larder_uploads_running", lambda value: value == 0)


def test_an_import_that_is_dropped_while_its_blob_comes(larder):
    state = begin(larder, sample())
    connection = open_connection(larder, "PUT", f"/{state['id']}/blobs/sha256/{modules.digest(X)}?format=tf-hub", len(X), larder.token("admin"))
    connection.sendall(X[:5000])
    larder.wait_for("larder_uploads_running", 1)
    assert call(larder, "DELETE", "/" + state["id"]).status == 204
    connection.sendall(X[5000:])
    assert b" 201 " in connection.recv(100)
    connection.close()
    assert larder.blobs() == [modules.digest(X)]
    wait_until(lambda: larder.drafts() == [], "nothing is left of it")


def test_a_token_that_is_revoked_meanwhile(larder, tmp_path):
    token = larder.larder("token", "create", "short", "--scope", "admin").stdout.strip()
    answer = call(larder, "POST", "", head_of(sample()), token=token)
    identity = answer.json()["id"]
    wait_for_it(larder, identity)
    assert put_blob(larder, identity, X, token=token).status == 201
    larder.larder("token", "revoke", "short")
    wait_until(lambda: call(larder, "GET", "/" + identity, token=token).status == 401, "the token is of no use any more")
    assert put_blob(larder, identity, Y, token=token).status == 401
    assert call(larder, "POST", f"/{identity}/record", token=token).status == 401
    assert_nothing(larder)
    assert report(larder, sample().folder(tmp_path / "b"))["copied"]["blobs"] == 1


# ---- servers and networks that falter ----

FALTERS = {"a page": {"/lacking": [busy(1), CUT]}, "a blob": {modules.digest(X): [busy(1), CUT]},
           "the record": {"/record": [busy(1), CUT]}, "remarks": {"/remarks": [CUT, busy(1)]}}


@pytest.mark.parametrize("what", FALTERS)
def test_what_passes_ends_no_import(larder, tmp_path, what):
    """A server that is busy, and a connection that breaks: both are tried again."""
    bundle, faults = sample(), {ending: list(answers) for ending, answers in FALTERS[what].items()}
    if what == "remarks":
        bundle.add("acme/bad/1", {"tf-hub": b"no module"})
    path = bundle.folder(tmp_path / "b")
    with Flaky(larder, faults) as front:
        done = subprocess.run([binary(), "import", str(path), "--server", front.url, "--token", larder.token("admin"), "--partial", "--json"],
                              capture_output=True, text=True, timeout=6 * DEADLINE_S)
        told = json.loads(done.stdout)
        assert not any(faults.values()), "it was not asked again"
    assert told["recorded"], done.stderr
    if what == "remarks":
        assert done.returncode == 1 and [remark["name"] for remark in told["remarks"]] == ["acme/bad/1"]
    else:
        assert done.returncode == 0, done.stderr
        assert_there(larder)


def test_a_server_that_has_too_much_to_do_for_long_is_not_waited_for(larder, tmp_path):
    with Flaky(larder, {"/lacking": [busy(100_000)]}) as front:
        done = subprocess.run([binary(), "import", str(sample().folder(tmp_path / "b")), "--server", front.url, "--token", larder.token("admin")],
                              capture_output=True, text=True, timeout=6 * DEADLINE_S)
    assert done.returncode == 1 and "503" in done.stderr
    assert_nothing(larder)
    assert imports(larder) == []


# ---- much that is to be told ----

def test_remarks_have_pages(larder, tmp_path):
    bundle = Bundle()
    for number in range(450):
        bundle.add(f"acme/bad{number:03}/1", {"tf-hub": b"no module %d" % number})
    state = begin(larder, bundle)
    told = record(larder, state["id"])
    assert (told["faulty"], len(told["remarks"]), told["more_remarks"]) == (450, 100, 350)
    assert [row["more_remarks"] for row in imports(larder)] == [350]
    names, target = [], f"/api/v1/imports/{state['id']}/remarks?limit=200"
    while target:
        page = larder.request("GET", target, {"Authorization": f"Bearer {larder.token('admin')}"}).json()
        assert page["total"] == 450 and len(page["remarks"]) <= 200
        names += [remark["name"] for remark in page["remarks"]]
        target = page["next"] and page["next"].removeprefix(larder.url)
    assert names == [f"acme/bad{number:03}/1" for number in range(450)]
    for cursor in ("x", "MQ", "OTk5OTk5OTk5"):
        assert call(larder, "GET", f"/{state['id']}/remarks?cursor={cursor}").status in (200, 400)
    assert report(larder, bundle.folder(tmp_path / "b"), check=False)["faulty"] == 450


# ---- being ended ----

def long_head(megabytes):
    """Of a bundle whose index is long: it is read to its end for its digest."""
    bundle = sample()
    files = bundle.build()
    outer = json.loads(files["index.json"])
    text = files["blobs/sha256/" + outer["manifests"][0]["digest"][7:]]
    index = text[:-1] + b" " * (megabytes << 20) + b"}"
    outer["manifests"][0] |= bundle.blob(index)
    artifacts = {row["digest"].removeprefix("sha256:") for version in bundle.versions for row in version["artifacts"]}
    files = {name: content for name, content in files.items() if name.rsplit("/", 1)[-1] not in artifacts and content is not text}
    return bundles.tar_of(files | {"index.json": bundles.compact(outer), "blobs/sha256/" + modules.digest(index): index})


def test_an_import_that_is_ended_while_its_head_is_read_leaves_nothing(larder):
    head = long_head(64)
    states = [call(larder, "POST", "", head).json() for _ in range(3)]
    for state in states:
        assert call(larder, "DELETE", "/" + state["id"]).status == 204
    wait_until(lambda: larder.drafts() == [], "nothing is left of them")
    # The thread that read them is free.
    assert begin(larder, sample())["state"] == "open"
    state = call(larder, "POST", "", head).json()
    assert state["state"] == "reading"
    larder.stop()
    assert larder.drafts() == []
    larder.start()
    assert imports(larder) == [] and wait_for_it(larder, call(larder, "POST", "", head).json()["id"])["state"] == "open"
