# SPDX-License-Identifier: Apache-2.0
"""Attestations: signed by larder publish, taken and given out as they came, required where the configuration says so, and checked
without a server."""
import base64
import copy
import gzip
import http.server
import json
import re
import signal
import subprocess
import threading

import pytest
from support import attesting, modules
from support.attesting import FILES, MODULE, PATH, PROVENANCE, QUERY, envelope, file, file_statement, key, listed, make_key, put, statement  # noqa: F401
from support.command_line import environment, run
from support.daemon import ROOT, assert_problem, binary
from support.waiting import DEADLINE_S, wait_until

OTHER = modules.module(5000, seed=2)


def settings_for(keys, globs="acme/*"):
    return {"publish": {"require_signature": globs, "trusted_keys": ", ".join(keys)}}


@pytest.fixture
def strict(start, key):
    """A daemon that takes under acme/ only what `key` has signed."""
    return start(settings_for([f"ci {key}.pub"]))


def publish(daemon, file, path, *arguments, **more):
    return run("publish", file, path.strip("/"), *arguments, server=daemon.url, token=daemon.token(), cwd=file.parent, **more)


def refuse_to_publish(daemon, path=PATH, body=MODULE):
    problem = assert_problem(daemon.put(path + QUERY, body), 403, "signature-required")
    assert "larder publish --sign" in problem["detail"]
    assert daemon.get(path + QUERY).status == 504, "nobody has it"
    daemon.assert_nothing_kept()


def reload(daemon, count):
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(re.findall(r"\breloaded\b", daemon.log())) == count, "the configuration to be read again")


# ---- larder publish --sign ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_what_is_signed_is_kept_and_told(start, file, kind):
    run("keygen", "--type", kind, "-o", file.parent / "key")
    larder = start(settings_for([f"ci {file.parent}/key.pub"]))
    done = publish(larder, file, PATH, "--sign", "key", "--builder", "https://ci.example/7", "--source", "git+https://x/y@1", "--time",
                   "2026-11-01T00:00:00Z", "--attestations", "out", "--json")
    told = json.loads(done.stdout)
    assert [(each["predicate_type"], each["created"]) for each in told["attested"]] == [(PROVENANCE, True), (FILES, True)]
    provenance, files = listed(larder, PATH)
    for each in (provenance, files):
        assert (each["signed_by"], each["format"], each["artifact"]) == ("ci", "tf-hub", "sha256:" + modules.digest(MODULE)), each
        assert each["key_id"] == attesting.key_id(file.parent / "key") == each["envelope"]["signatures"][0]["keyid"]
    said = json.loads(base64.b64decode(provenance["envelope"]["payload"]))
    assert said["subject"] == [{"name": "acme/signed/1", "digest": {"sha256": modules.digest(MODULE)}}]
    assert said["predicate"]["runDetails"]["builder"]["id"] == "https://ci.example/7"
    assert said["predicate"]["runDetails"]["metadata"]["finishedOn"] == "2026-11-01T00:00:00Z"
    assert said["predicate"]["buildDefinition"]["resolvedDependencies"] == [{"uri": "git+https://x/y@1"}]
    assert json.loads((file.parent / "out/provenance.dsse.json").read_text()) == provenance["envelope"]
    assert json.loads((file.parent / "out/model.sig").read_text()) == files["bundle"]
    version = larder.get("/api/v1/modules" + PATH).json()
    assert [each["signed_by"] for each in version["attestations"]] == ["ci", "ci"] and "envelope" not in version["attestations"][0]
    shown = run("show", "acme/signed/1", server=larder.url).stdout
    assert f"attested:\ttf-hub, {PROVENANCE}, signed by ci\n" in shown, shown
    page = larder.get(PATH, Accept="text/html").body.decode()
    assert "Attested." in page and "signed by ci" in page
    assert "signed before by key" in publish(larder, file, PATH, "--sign", "key").stdout
    assert len(listed(larder, PATH)) == 2, "a job that runs each night adds nothing"


def test_files_are_listed_as_model_signing_does(larder, file, key):
    publish(larder, file, PATH, "--sign", key)
    _, files = listed(larder, PATH)
    content = {member.name.removeprefix("./"): member.content for member in modules.members(5000) if not member.name.endswith("/")}
    said = json.loads(base64.b64decode(files["envelope"]["payload"]))
    by_name = {each["name"]: each for each in said["predicate"]["resources"]}
    wanted = file_statement(content)
    assert by_name == {each["name"]: each for each in wanted["predicate"]["resources"]}
    assert said["predicate"]["serialization"] == wanted["predicate"]["serialization"]
    assert files["bundle"]["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"


@pytest.mark.parametrize("arguments, words", [
    (["--builder", "https://x/y"], "--sign KEY"), (["--sign", "ci.key", "--source", "no uri"], "--source takes a URI"),
    (["--sign", "ci.key", "--time", "yesterday"], "--time takes a time")])
def test_what_is_misused(larder, file, key, arguments, words):
    assert words in publish(larder, file, PATH, *arguments, status=2).stderr
    larder.assert_nothing_kept()


@pytest.mark.parametrize("kind", [["ed448"], ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
                                  ["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"]])
def test_keys_of_other_kinds(larder, start, file, kind):
    other = make_key(file.parent / "other", *kind)
    assert "no private Ed25519 or P-256 key" in publish(larder, file, PATH, "--sign", other, status=1).stderr
    larder.assert_nothing_kept()
    larder.configure(settings_for([f"other {other}.pub"]))
    checked = run("serve", "--check", "--config", larder.config_path, status=1)
    assert "trusted_keys: the key other: " in checked.stderr + checked.stdout


class Older(http.server.BaseHTTPRequestHandler):
    """A Larder without attestations: it has no such address."""
    asked = []

    def do_PUT(self):
        self.asked.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"type": "urn:larder:not-found", "title": "Not found", "status": 404, "code": "not-found",
                           "detail": f"the API has no {self.path}; /api/v1/openapi.yaml tells what it has"}).encode()
        self.send_response(404)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.headers["Content-Length"] = "0"
        self.do_PUT()

    def log_message(self, format, *arguments):
        pass


def test_an_older_server(file, key):
    """It is told so, and gets no module."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Older) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run("publish", file, PATH.strip("/"), "--sign", key, server="http://127.0.0.1:%d" % server.server_port, token="x", status=1)
        server.shutdown()
    assert "older than this command" in done.stderr and "Nothing was published" in done.stderr
    assert set(Older.asked) == {"/api/v1/attestations" + PATH}


def test_a_dry_run_signs_and_sends_nothing(strict, file, key):
    done = publish(strict, file, PATH, "--sign", key, "--dry-run")
    assert "would be published" in done.stdout
    strict.assert_nothing_kept()


# ---- only what is signed ------------------------------------------------------------------------------------------------

def test_unsigned_is_refused_and_nothing_kept(strict, file, key):
    refuse_to_publish(strict)
    assert "signature-required" in publish(strict, file, PATH, status=1).stderr
    strict.publish("/else/x/1" + QUERY, MODULE)
    publish(strict, file, PATH, "--sign", key)
    assert strict.get(PATH + QUERY).body == MODULE


def wrong(key, other):
    """What does not make MODULE publishable, by name: (envelope, status of sending it)."""
    good = statement(PATH, MODULE)
    flipped = envelope(key, good)
    flipped["signatures"][0]["sig"] = attesting.text_of(bytes(64))
    swapped = {**envelope(key, good), "payload": envelope(key, statement(PATH, OTHER))["payload"]}
    pretended = copy.deepcopy(envelope(other, good))
    pretended["signatures"][0]["keyid"] = attesting.key_id(key)
    return {"by another key": (envelope(other, good), 403), "in another's name": (pretended, 403), "a broken signature": (flipped, 403),
            "another payload": (swapped, 403), "about other bytes": (envelope(key, statement(PATH, OTHER)), 201),
            "about another version": (envelope(key, statement("/acme/signed/2", MODULE)), 400),
            "about another handle": (envelope(key, statement("/acme/other/1", MODULE)), 400),
            "only files": (envelope(key, file_statement({"a": b"b"})), 404)}


@pytest.mark.parametrize("what", ["by another key", "in another's name", "a broken signature", "another payload",
                                                               "about other bytes", "about another version", "about another handle", "only files"])
def test_what_is_wrongly_signed(strict, key, what):
    sent, status = wrong(key, make_key(key.parent / "other"))[what]
    assert put(strict, PATH, sent).status == status
    refuse_to_publish(strict)


def test_a_replay_for_another_version(strict, file, key):
    publish(strict, file, PATH, "--sign", key)
    taken = listed(strict, PATH)[0]["envelope"]
    for path in ("/acme/signed/2", "/acme/other/1"):
        assert_problem(put(strict, path, taken), 400, "bad-request")
        assert_problem(strict.put(path + QUERY, MODULE), 403, "signature-required")


def test_before_the_body(strict, key):
    """Where the digest is told, it is known early."""
    assert put(strict, PATH, envelope(key, statement(PATH, OTHER))).status == 201
    reply = strict.put(PATH + QUERY, MODULE, x_checksum_sha256=modules.digest(MODULE))
    assert "other bytes" in assert_problem(reply, 403, "signature-required")["detail"]
    assert put(strict, PATH, envelope(key, statement(PATH, MODULE))).status == 201
    strict.publish(PATH + QUERY, MODULE)


@pytest.mark.parametrize("limits, words", [("until 2026-01-01", "until 2026-01-01T00:00:00Z"), ("from 2199-01-01T12:00:00Z", "from 2199-01-01T12:00:00Z"),
                                           ("from 2020-01-01 until 2199-01-01", None)])
def test_a_key_counts_for_a_time(start, key, limits, words):
    larder = start(settings_for([f"ci {key}.pub {limits}"]))
    reply = put(larder, PATH, envelope(key, statement(PATH, MODULE)))
    if words:
        detail = assert_problem(reply, 403, "signature-required")["detail"]
        assert words in detail and "the key ci" in detail
        refuse_to_publish(larder)
    else:
        larder.publish(PATH + QUERY, MODULE)


def test_a_key_that_is_taken_away_after_the_attestation(strict, start, key):
    """It is the key's time at publication that counts."""
    other = make_key(key.parent / "other")
    assert put(strict, PATH, envelope(key, statement(PATH, MODULE))).status == 201
    strict.configure(settings_for([f"next {other}.pub"]))
    reload(strict, 1)
    assert_problem(strict.put(PATH + QUERY, MODULE), 403, "signature-required")
    assert put(strict, PATH, envelope(other, statement(PATH, MODULE))).status == 201
    strict.publish(PATH + QUERY, MODULE)
    assert [each["signed_by"] for each in listed(strict, PATH)] == ["ci", "next"]


def test_a_list_that_cannot_be_read_changes_nothing(strict, file, key):
    strict.configure(settings_for([f"ci {key.parent}/none.pub"], "none/*"))
    reload(strict, 1)
    assert "the configuration is not reloaded" in strict.log() and "none.pub" in strict.log()
    refuse_to_publish(strict)
    publish(strict, file, PATH, "--sign", key)


def test_several_signatures_of_which_one_counts(strict, key):
    other = make_key(key.parent / "other")
    sent = envelope(other, statement(PATH, MODULE))
    payload = base64.b64decode(sent["payload"])
    for name in ("", "release", None):
        more = {"sig": attesting.text_of(attesting.sign(key, attesting.signed_bytes(payload)))}
        both = {**sent, "signatures": [*sent["signatures"], more if name is None else {**more, "keyid": name}]}
        assert put(strict, PATH, both).json()["signed_by"] == "ci"
    strict.publish(PATH + QUERY, MODULE)


@pytest.mark.parametrize("value, words", [("ci", "NAME FILE"), ("ci a.pub until", "NAME FILE"), ("c/i a.pub", "NAME FILE"), ("ci a.pub, ci b.pub", "two keys of the name ci"),
                                          ("ci a.pub from 2027-01-01 until 2026-01-01", "NAME FILE"), ("ci a.pub by 2026-01-01", "NAME FILE"),
                                          (", ".join(f"k{i} a.pub" for i in range(65)), "more than 64 keys")])
def test_faults_of_the_list_name_their_line(larder, value, words):
    larder.configure({"publish": {"trusted_keys": value.replace(", k", ",\n k")}})
    done = run("serve", "--check", "--config", larder.config_path, status=1)
    assert re.search(rf"larder.ini:\d+: .*{words}", done.stderr + done.stdout), done


# ---- what is sent ----------------------------------------------------------------------------------------------------------

def broken(key):
    good = statement(PATH, MODULE)
    sent = envelope(key, good)
    twice = json.dumps(sent)[:-1] + ', "payload": "e30="}'
    inner = json.dumps(good)
    odd = inner + " " * (1 - len(inner) % 3 + 3)
    loose = {**sent, "signatures": [{"sig": sent["signatures"][0]["sig"] + "!"}]}
    return {
        "no JSON": b"x", "nothing": b"", "NUL": b'{"payload": "\0"}', "a list": b"[]", "half": json.dumps(sent).encode()[:-20],
        "a key twice": twice.encode(), "a key twice within": json.dumps(envelope(key, (inner[:-1] + ', "subject": []}').encode())).encode(),
        "another payload type": json.dumps(envelope(key, good, "application/json")).encode(),
        "another statement": json.dumps(envelope(key, {**good, "_type": "https://in-toto.io/Statement/v0.1"})).encode(),
        "no predicate type": json.dumps(envelope(key, {**good, "predicateType": None})).encode(),
        "no subject": json.dumps(envelope(key, {**good, "subject": []})).encode(),
        "a subject without a digest": json.dumps(envelope(key, {**good, "subject": [{"name": "acme/signed/1"}]})).encode(),
        "a short digest": json.dumps(envelope(key, {**good, "subject": [{"name": "acme/signed/1", "digest": {"sha256": "ab"}}]})).encode(),
        "65 subjects": json.dumps(envelope(key, {**good, "subject": good["subject"] * 65})).encode(),
        "no signature": json.dumps({**sent, "signatures": []}).encode(), "5 signatures": json.dumps({**sent, "signatures": sent["signatures"] * 5}).encode(),
        "signatures that are none": json.dumps({**sent, "signatures": "x"}).encode(),
        "base64 with a line end": json.dumps({**sent, "payload": sent["payload"][:76] + "\n" + sent["payload"][76:]}).encode(),
        "base64 without padding": json.dumps({**envelope(key, odd.encode()), "payload": attesting.text_of(odd.encode()).rstrip("=")}).encode(),
        "a signature without base64": json.dumps(loose).encode(), "base64 of two alphabets": json.dumps({**sent, "payload": "+-" + sent["payload"][2:]}).encode(),
        "another bundle": json.dumps({"mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1", "dsseEnvelope": sent}).encode(),
        "deep": json.dumps(envelope(key, b"[" * 5000)).encode(), "many values": json.dumps({**sent, "more": list(range(1000))}).encode(),
    }


@pytest.fixture(scope="module")
def kept(start_shared):
    daemon = start_shared()
    daemon.publish(PATH + QUERY, MODULE)
    return daemon


@pytest.mark.parametrize("what", ["no JSON", "nothing", "NUL", "a list", "half", "a key twice", "a key twice within", "another payload type", "another statement",
                                  "no predicate type", "no subject", "a subject without a digest", "a short digest", "65 subjects", "no signature", "5 signatures",
                                  "signatures that are none", "base64 with a line end", "base64 without padding", "a signature without base64", "base64 of two alphabets", "another bundle",
                                  "deep", "many values"])
def test_what_is_no_attestation(kept, key, what):
    reply = put(kept, PATH, broken(key)[what])
    assert reply.status in (400, 413) and reply.json()["code"] in ("bad-request", "too-large"), reply
    assert listed(kept, PATH) == []


def test_base64_for_urls(larder, key):
    """DSSE has both alphabets."""
    larder.publish(PATH + QUERY, MODULE)
    sent = envelope(key, {**statement(PATH, MODULE), "predicate": {"text": "???>>>~~~"}})
    urls = {**sent, "payload": base64.urlsafe_b64encode(base64.b64decode(sent["payload"])).decode()}
    assert urls != sent and put(larder, PATH, urls).status == 201
    assert listed(larder, PATH)[0]["envelope"] == urls


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large(larder, chunked):
    body = b" " * ((512 << 10) + 1)
    assert_problem(put(larder, PATH, body if not chunked else iter([body[:1000], body[1000:]])) if not chunked else
                   larder.put("/api/v1/attestations" + PATH, iter([body[:1000], body[1000:]]), content_type="application/json"), 413, "too-large")


def test_as_many_as_there_may_be(larder, key):
    larder.publish(PATH + QUERY, MODULE)
    for number in range(16):
        assert put(larder, PATH, envelope(key, {**statement(PATH, MODULE), "predicate": {"number": number}})).status == 201
    again = envelope(key, {**statement(PATH, MODULE), "predicate": {"number": 3}})
    assert put(larder, PATH, again).status == 200, "it is here"
    assert_problem(put(larder, PATH, envelope(key, statement(PATH, MODULE))), 409, "conflict")
    assert len(listed(larder, PATH)) == 16
    assert_problem(put(larder, "/acme/large/1", envelope(key, {**statement("/acme/large/1", MODULE), "predicate": {"text": "x" * 500000}})), 413, "too-large")


def test_who_may_send_one(larder, key):
    larder.publish(PATH + QUERY, MODULE)
    sent = envelope(key, statement(PATH, MODULE))
    assert_problem(put(larder, PATH, sent, token=""), 401, "unauthorized")
    assert_problem(put(larder, PATH, sent, token=larder.token("publish:other/*")), 403, "forbidden")
    assert_problem(put(larder, PATH, sent, content_type="text/plain"), 415, "unsupported-media")
    assert put(larder, PATH, sent).json()["signed_by"] is None, "no key is trusted here"
    assert_problem(larder.get("/api/v1/attestations/acme/none/1"), 404, "not-found")
    run("withdraw", "acme/signed/1", "--yes", server=larder.url, token=larder.token("withdraw:*"))
    assert_problem(larder.get("/api/v1/attestations" + PATH), 410, "gone")
    assert_problem(put(larder, PATH, sent), 410, "gone")


def test_one_that_comes_before_its_artifact(larder, key):
    reply = put(larder, PATH, envelope(key, statement(PATH, MODULE)))
    assert reply.status == 201 and reply.json()["format"] is None
    assert larder.get("/api/v1/attestations" + PATH).status == 404
    larder.publish(PATH + QUERY, OTHER)
    assert listed(larder, PATH) == [], "it is about other bytes"
    other = modules.tfjs_module()
    assert put(larder, PATH, envelope(key, statement(PATH, other))).json()["format"] is None
    larder.publish(PATH + "?tfjs-format=compressed", other)
    assert [each["format"] for each in listed(larder, PATH)] == ["tfjs"]


# ---- lists of files ----------------------------------------------------------------------------------------------------------

ARCHIVE = {"model.gguf.txt": b"weights", "dir/notes.txt": b"notes", "dir.txt": b"more"}


def archive():
    return modules.pack([modules.Member("dir/"), *(modules.Member(name, content) for name, content in ARCHIVE.items())])


@pytest.mark.parametrize("change, words", [
    (None, None), ({"dir/notes.txt": b"others"}, "dir/notes.txt has other bytes"), ({"dir/added.txt": b""}, "dir/added.txt is signed, and not in the module"),
    ({"dir.txt": None}, "dir.txt is in the module, and not signed"), ({"../dir.txt": b"x"}, "name of a file in the module"), ({"/etc/passwd": b"x"}, "name of a file in the module"),
    ({"dir//notes.txt": b"notes"}, "name of a file in the module")])
def test_a_list_of_files_that_others_made(larder, key, change, words):
    """What OpenSSF's tool has signed of the folder, after the module was published."""
    files = {name: content for name, content in {**ARCHIVE, **(change or {})}.items() if content is not None}
    larder.publish("/acme/any/1?archive-format=compressed", archive())
    reply = put(larder, "/acme/any/1", envelope(key, file_statement(files)))
    if words:
        assert words in assert_problem(reply, 400, "bad-request")["detail"]
    else:
        assert reply.status == 201 and reply.json()["format"] == "archive"


@pytest.mark.parametrize("changes, words", [({"serialization": {"method": "shards", "hash_type": "sha256"}}, "by whole files"),
                                            ({"serialization": {"method": "files", "hash_type": "blake3"}}, "by whole files"),
                                            ({"resources": []}, "only subject's digest"),
                                            ({"resources": [{"name": "a", "algorithm": "md5", "digest": "0" * 64}]}, "sha256")])
def test_lists_of_files_that_break_the_format(larder, key, changes, words):
    larder.publish("/acme/any/1?archive-format=compressed", archive())
    reply = put(larder, "/acme/any/1", envelope(key, file_statement(ARCHIVE, **changes)))
    assert words in assert_problem(reply, 400, "bad-request")["detail"]


def test_links_are_not_signed(larder, file, key):
    folder = file.parent / "model"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(modules.saved_model(modules.half_plus_two()))
    (folder / "link").symlink_to("/etc/passwd")
    publish(larder, folder, PATH, "--sign", key, status=1)
    larder.assert_nothing_kept()


# ---- what a mirror brings along --------------------------------------------------------------------------------------------

def mirror_of(start, origin, key=None, globs="acme/*"):
    settings = {"mirror": {"private_upstreams": "on"}}
    if key:
        settings = {"mirror": {"private_upstreams": "on", "require_signature": globs}, "publish": {"trusted_keys": f"origin {key}.pub"}}
    return start(settings, [origin.url.rstrip("/")], name="mirror")


def test_a_mirror_brings_attestations_along(start, larder, file, key):
    publish(larder, file, PATH, "--sign", key)
    mirror = mirror_of(start, larder)
    assert mirror.get(PATH + QUERY).body == MODULE
    mirror.wait_for_idle()
    there, here = listed(larder, PATH), listed(mirror, PATH)
    assert [each["envelope"] for each in here] == [each["envelope"] for each in there]
    assert [each.get("bundle") for each in here] == [each.get("bundle") for each in there]
    assert {each["sent_by"] for each in here} == {"test0"} and {each["signed_by"] for each in here} == {None}


def test_a_mirror_that_wants_a_signature(start, larder, file, key):
    publish(larder, file, PATH, "--sign", key)
    larder.publish("/acme/unsigned/1" + QUERY, MODULE)
    larder.publish("/else/unsigned/1" + QUERY, MODULE)
    mirror = mirror_of(start, larder, key)
    detail = assert_problem(mirror.get("/acme/unsigned/1" + QUERY), 502, "upstream-failed")["detail"]
    assert "mirror.require_signature" in detail
    mirror.assert_nothing_kept()
    asked = larder.log().count("path=/acme/unsigned/1") + larder.log().count('path="/acme/unsigned/1')
    assert_problem(mirror.get("/acme/unsigned/1" + QUERY), 502, "upstream-failed")
    assert larder.log().count("path=/acme/unsigned/1") + larder.log().count('path="/acme/unsigned/1') == asked, "it is remembered"
    assert mirror.get("/else/unsigned/1" + QUERY).body == MODULE
    assert mirror.get(PATH + QUERY).body == MODULE
    assert {each["signed_by"] for each in listed(mirror, PATH)} == {"origin"}


def test_a_mirror_that_wants_another_signature(start, larder, file, key):
    publish(larder, file, PATH, "--sign", key)
    mirror = mirror_of(start, larder, make_key(key.parent / "other"))
    assert "signed by none of the 1 keys" in assert_problem(mirror.get(PATH + QUERY), 502, "upstream-failed")["detail"]
    mirror.assert_nothing_kept()


def test_an_upstream_that_is_no_larder(start, upstream, key):
    """It is not asked unless it must vouch."""
    upstream.serve(PATH, MODULE)
    mirror = mirror_of(start, upstream, key, "other/*")
    assert mirror.get(PATH + QUERY).body == MODULE
    assert not [path for path in upstream.counts() if "attestations" in str(path)]
    upstream.serve("/other/x/1", MODULE)
    assert "nothing is attested of it" in assert_problem(mirror.get("/other/x/1" + QUERY), 502, "upstream-failed")["detail"]
    upstream.serve("/api/v1/attestations/other/x/2", json.dumps({"attestations": [{"envelope": envelope(key, statement("/other/x/2", MODULE))}]}).encode())
    upstream.serve("/other/x/2", MODULE)
    assert mirror.get("/other/x/2" + QUERY).body == MODULE
    for number, answer in enumerate((b"[]", b"{", json.dumps({"attestations": [{"envelope": {}}, {"envelope": "x"}, 7]}).encode(), b"x" * (4 << 20)), 3):
        upstream.serve(f"/api/v1/attestations/other/x/{number}", answer)
        upstream.serve(f"/other/x/{number}", MODULE)
        assert mirror.get(f"/other/x/{number}" + QUERY).status == 502


# ---- what a bundle carries --------------------------------------------------------------------------------------------------

def test_a_bundle_carries_attestations(start, larder, file, key):
    publish(larder, file, PATH, "--sign", key)
    larder.publish("/acme/plain/1" + QUERY, OTHER)
    larder.larder("export", "acme/*", "-o", str(file.parent / "bundle"))
    far = start(name="far")
    far.larder("import", str(file.parent / "bundle"))
    assert far.get(PATH + QUERY).body == MODULE
    there, here = listed(larder, PATH), listed(far, PATH)
    assert [(each["digest"], each["envelope"], each["artifact"]) for each in here] == [(each["digest"], each["envelope"], each["artifact"]) for each in there]
    assert {each["sent_by"] for each in here} == {None} and listed(far, "/acme/plain/1") == []
    later = envelope(key, statement("/acme/plain/1", OTHER))
    assert put(larder, "/acme/plain/1", later).status == 201
    larder.larder("export", "acme/*", "-o", str(file.parent / "second"))
    far.larder("import", str(file.parent / "second"))
    assert [each["envelope"] for each in listed(far, "/acme/plain/1")] == [later]
    assert len(listed(far, PATH)) == 2
    again = far.larder("import", str(file.parent / "second")).stdout
    assert len(listed(far, "/acme/plain/1")) == 1, again


# ---- without a server ------------------------------------------------------------------------------------------------------

def test_verify_module(larder, file, key):
    other = make_key(file.parent / "other")
    publish(larder, file, PATH, "--sign", key, "--attestations", "out")
    answer = file.parent / "module.tar.gz.attestations.json"
    answer.write_bytes(larder.get("/api/v1/attestations" + PATH).body)
    larder.stop()
    done = run("verify-module", file, "--key", f"{key}.pub", "--json")
    report = json.loads(done.stdout)
    assert report["verified"] and [each["verified"] for each in report["attestations"]] == [True, True]
    for name in ("provenance.dsse.json", "model.sig"):
        run("verify-module", file, "--key", f"{key}.pub", "--attestation", file.parent / "out" / name)
    run("verify-module", file, "--key", f"{other}.pub", "--key", f"{key}.pub", "--name", "acme/signed/1")
    done = run("verify-module", file, "--key", f"{other}.pub", status=1)
    assert "is not signed by this key" in done.stderr and "is not what the key's owner has signed" in done.stderr
    done = run("verify-module", file, "--key", f"{key}.pub", "--name", "acme/signed/2", "--attestation", file.parent / "out/provenance.dsse.json", status=1)
    assert "as acme/signed/1, not as acme/signed/2" in done.stderr
    file.write_bytes(OTHER)
    done = run("verify-module", file, "--key", f"{key}.pub", status=1)
    assert "it is about other bytes" in done.stderr and "has other bytes than those that are signed" in done.stderr
    file.write_bytes(gzip.compress(gzip.decompress(MODULE), 9))
    done = run("verify-module", file, "--key", f"{key}.pub")
    assert FILES in done.stdout and "it is about other bytes" in done.stderr, "packed anew it has the same files"
    run("verify-module", file, status=2)
    run("verify-module", file, "--key", f"{key}.pub", "--attestation", file, status=1)


ROTATION = re.search(r"^## Signing$.*?^```console\n(.*?)^```$", (ROOT / "docs/trust.md").read_text(encoding="utf-8"), re.M | re.S)[1]


def test_the_rotation_that_is_written_down(start):
    """The lines of docs/trust.md in one shell, as they stand; what stands behind # is part of what the line prints."""
    larder = start()
    (larder.folder / "model").mkdir()
    (larder.folder / "model/saved_model.pb").write_bytes(modules.saved_model(modules.half_plus_two()))
    (larder.folder / "etc/larder").mkdir(parents=True)
    (larder.folder / "larder-data").symlink_to(larder.data)
    reloads = f"""systemctl() {{
        before=$(grep -cw reloaded {larder.log_path})
        kill -HUP {larder.process.pid}
        until [ "$(grep -cw reloaded {larder.log_path})" -gt "$before" ]; do sleep 0.02; done
    }}
    """
    lines = ROTATION.splitlines()
    script = f"larder() {{ '{binary()}' \"$@\"; }}\n{reloads}" + "".join(f"{{ {line}\n}} 2>&1; echo =\n" for line in lines)
    script = script.replace("127.0.0.1:8080", "%s:%d" % larder.address).replace("/etc/larder.ini", str(larder.config_path))
    script = script.replace("/etc/larder/", "etc/larder/")
    done = subprocess.run(["bash", "-c", script], cwd=larder.folder, capture_output=True, text=True, timeout=4 * DEADLINE_S,
                          env=environment(larder.url, no_proxy="*"))
    printed = [" ".join(part.split()) for part in re.split(r"^=\n", done.stdout, flags=re.M)]
    assert len(printed) == len(lines) + 1 and not done.stderr, done
    for line, part in zip(lines, printed):
        wanted = " ".join(line.partition("  # ")[2].split())
        assert wanted in part and (wanted or "larder: " not in part), (line, part)
