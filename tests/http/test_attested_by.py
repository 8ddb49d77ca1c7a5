# SPDX-License-Identifier: Apache-2.0
"""By whom something is told to be signed, against those who would have a key's name on what it never signed, or take it away."""
import gzip
import json
import signal

import pytest
from support import attesting, modules
from support.attesting import FILES, MODULE, PATH, PROVENANCE, QUERY, envelope, file, key, listed, make_key, put, statement  # noqa: F401
from support.command_line import run
from support.daemon import assert_problem
from support.upstream import Answer
from support.waiting import wait_until

EVIL = modules.module(5000, seed=2)


def settings_for(key, globs=""):
    return {"publish": {"require_signature": globs, "trusted_keys": f"ci {key}.pub"}}


def publish(daemon, file, path, *arguments, **more):
    return run("publish", file, path.strip("/"), *arguments, server=daemon.url, token=daemon.token(), cwd=file.parent, **more)


def reload(daemon):
    before = daemon.log().count("reloaded")
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.log().count("reloaded") > before, "the configuration to be read again")


def signers(daemon, path):
    return [(each["predicate_type"], each["signed_by"]) for each in listed(daemon, path)]


# ---- what is sent once more ---------------------------------------------------------------------------------------------

def again(daemon, envelope):
    """To the byte, as larder publish had sent it."""
    return put(daemon, PATH, json.dumps(envelope, separators=(",", ":")).encode())


def attested(daemon):
    reply = daemon.get("/api/v1/audit?limit=200&order=oldest", Authorization=f"Bearer {daemon.token('admin')}")
    return [row for row in reply.json()["rows"] if row["action"] == "attest"]


def test_what_a_key_had_signed_stays(start, file, key):
    larder = start(settings_for(key))
    publish(larder, file, PATH, "--sign", key)
    before, rows = listed(larder, PATH), attested(larder)
    larder.configure(settings_for(make_key(key.parent / "other")))
    reload(larder)
    assert again(larder, before[0]["envelope"]).json()["signed_by"] == "ci"
    assert listed(larder, PATH) == before and attested(larder) == rows


def test_who_is_found_to_have_signed_is_told(start, file, key):
    larder = start()
    publish(larder, file, PATH, "--sign", key)
    provenance = listed(larder, PATH)[0]
    larder.configure(settings_for(key))
    reload(larder)
    reply = again(larder, provenance["envelope"])
    assert (reply.status, reply.json()["signed_by"]) == (200, "ci")
    assert signers(larder, PATH) == [(PROVENANCE, "ci"), (FILES, None)]
    first, _, last = attested(larder)
    assert first["after"] == last["after"]


@pytest.mark.parametrize("trusts", [True, False])
def test_another_in_the_name_of_the_key(start, file, key, trusts):
    """Whoever may publish writes anything for a keyid."""
    larder = start(settings_for(key) if trusts else None)
    larder.publish(PATH + QUERY, MODULE)
    pretended = envelope(key, statement(PATH, MODULE))
    pretended["signatures"][0]["sig"] = "AAAA"
    assert put(larder, PATH, pretended).json()["signed_by"] is None
    done = publish(larder, file, PATH, "--sign", key)
    assert "signed before" not in done.stdout, done
    assert signers(larder, PATH)[1:] == [(PROVENANCE, "ci" if trusts else None), (FILES, "ci" if trusts else None)]


def test_what_was_signed_before_the_key_was_trusted(start, file, key):
    larder = start()
    publish(larder, file, PATH, "--sign", key)
    for signer in (None, "ci", "ci"):
        done = publish(larder, file, PATH, "--sign", key)
        assert done.stdout.count("signed before by key") == 2, done
        assert signers(larder, PATH) == [(PROVENANCE, signer), (FILES, signer)], "none is added"
        if not signer:
            larder.configure(settings_for(key))
            reload(larder)


# ---- a list of files ---------------------------------------------------------------------------------------------------

def unsigned(path, artifact, root):
    """What anybody may write: these bytes have those files."""
    said = statement(path, artifact, predicate={"runDetails": {"byproducts": [{"name": "files", "digest": {"sha256": root}}]}})
    payload = json.dumps(said).encode()
    return {"payload": attesting.text_of(payload), "payloadType": attesting.TYPE, "signatures": [{"sig": "AAAA"}]}


def signed_files(daemon, file, key):
    """What the key has signed of MODULE's files, and their root digest."""
    publish(daemon, file, PATH, "--sign", key, "--attestations", "out")
    taken = json.loads((file.parent / "out/model.sig").read_text())
    return taken, json.loads(attesting.base64.b64decode(taken["dsseEnvelope"]["payload"]))["subject"][0]["digest"]["sha256"]


def test_files_of_another_module(start, file, key):
    larder = start(settings_for(key))
    taken, root = signed_files(larder, file, key)
    larder.publish("/acme/evil/1" + QUERY, EVIL)
    wait_until(lambda: put(larder, "/acme/evil/1", taken).status == 400, "the digests of its files")
    assert put(larder, "/acme/evil/1", unsigned("/acme/evil/1", EVIL, root)).status == 201
    detail = assert_problem(put(larder, "/acme/evil/1", taken), 400, "bad-request")["detail"]
    assert "the attestation is not about acme/evil/1" in detail
    assert signers(larder, "/acme/evil/1") == [(PROVENANCE, None)]


def test_files_of_another_module_before_it_comes(start, file, key):
    larder = start(settings_for(key))
    taken, root = signed_files(larder, file, key)
    assert put(larder, "/acme/evil/1", unsigned("/acme/evil/1", EVIL, root)).status == 201
    assert put(larder, "/acme/evil/1", taken).json()["signed_by"] is None
    larder.publish("/acme/evil/1" + QUERY, EVIL)
    assert signers(larder, "/acme/evil/1") == [(PROVENANCE, None), (FILES, None)]


def test_files_of_another_module_that_an_upstream_tells(start, file, key):
    origin = start()
    taken, root = signed_files(origin, file, key)
    assert put(origin, "/acme/evil/1", unsigned("/acme/evil/1", EVIL, root)).status == 201
    assert put(origin, "/acme/evil/1", taken).status == 201
    origin.publish("/acme/evil/1" + QUERY, EVIL)
    mirror = start({"mirror": {"private_upstreams": "on"}, **settings_for(key)}, [origin.url.rstrip("/")], name="mirror")
    for path, body in ((PATH, MODULE), ("/acme/evil/1", EVIL)):
        assert mirror.get(path + QUERY).body == body
    mirror.wait_for_idle()
    assert signers(mirror, PATH) == [(PROVENANCE, "ci"), (FILES, "ci")]
    assert signers(mirror, "/acme/evil/1") == [(PROVENANCE, None), (FILES, None)]


# ---- the places that a version has ------------------------------------------------------------------------------------------

def many(key, number):
    return envelope(key, {**statement(PATH, modules.module(500, seed=number)), "predicate": {"number": number}})


def test_what_was_refused_takes_no_place(start, file, key):
    """Of a version that fails again and again, and is mended then."""
    larder = start(settings_for(key, "acme/*"))
    for number in range(20):
        assert put(larder, PATH, many(key, number)).status == 201
        assert larder.put(PATH + QUERY, b"no module").status in (403, 422)
    publish(larder, file, PATH, "--sign", key)
    assert larder.get(PATH + QUERY).body == MODULE
    assert signers(larder, PATH) == [(PROVENANCE, "ci"), (FILES, "ci")]


def test_uploads_that_break_off_take_no_place(start, file, key):
    """The same bytes, and each time another moment at which they were built."""
    larder = start(settings_for(key, "acme/*"))
    for number in range(20):
        assert put(larder, PATH, envelope(key, {**statement(PATH, MODULE), "predicate": {"number": number}})).status == 201
    publish(larder, file, PATH, "--sign", key)
    assert [each["predicate_type"] for each in listed(larder, PATH)][-2:] == [PROVENANCE, FILES]


def test_what_is_here_gives_no_place_away(start, key):
    larder = start(settings_for(key))
    larder.publish(PATH + QUERY, MODULE)
    for number in range(16):
        assert put(larder, PATH, envelope(key, {**statement(PATH, MODULE), "predicate": {"number": number}})).status == 201
    before = listed(larder, PATH)
    assert_problem(put(larder, PATH, many(key, 1)), 409, "conflict")
    assert listed(larder, PATH) == before


# ---- an upstream that does not tell -------------------------------------------------------------------------------------

TELLING = "/api/v1/attestations"


@pytest.mark.parametrize("answer, words", [
    (Answer(b"", 429, headers={"Retry-After": "600"}), "429"), (Answer(b"", 503, headers={"Retry-After": "600"}), "503"), (b"{", "cannot be read")])
def test_a_question_that_fails(upstream, mirror, answer, words):
    """The module is kept, the log says what is missing, and others are fetched."""
    larder = {"Cache-Status": "Larder; hit"}
    for number in (1, 2):
        upstream.serve(f"/acme/told/{number}", Answer(MODULE, headers=larder))
        upstream.serve(f"{TELLING}/acme/told/{number}", answer)
        assert mirror.get(f"/acme/told/{number}" + QUERY).body == MODULE
        mirror.wait_for_idle()
        assert listed(mirror, f"/acme/told/{number}") == []
    told = [line for line in mirror.log().splitlines() if "what an upstream attests is not known" in line]
    assert len(told) == 2 and "acme/told/1" in told[0] and words in told[0], told


# ---- without a server ------------------------------------------------------------------------------------------------------

def test_a_list_of_files_says_nothing_of_the_name(larder, file, key):
    publish(larder, file, PATH, "--sign", key, "--attestations", "out")
    (file.parent / "module.tar.gz.attestations.json").write_bytes(larder.get("/api/v1/attestations" + PATH).body)
    check = ["verify-module", file, "--key", f"{key}.pub", "--name"]
    assert run(*check, "acme/signed/1").stdout.count("verified: ") == 2
    for name in ("acme/signed/2", "evil/other/9"):
        done = run(*check, name, status=1)
        assert not done.stdout and f"says nothing of the name, and no statement about {name}" in done.stderr, done
    files, provenance = (["--attestation", file.parent / "out" / name] for name in ("model.sig", "provenance.dsse.json"))
    assert "says nothing of the name" in run(*check, "acme/signed/1", *files, status=1).stderr
    assert run(*check, "acme/signed/1", *files, *provenance).stdout.count("verified: ") == 2
    other = make_key(file.parent / "other")
    said = attesting.base64.b64decode(json.loads(provenance[1].read_text())["payload"])
    (file.parent / "others.json").write_text(json.dumps(envelope(other, said.replace(b"acme/signed/1", b"evil/other/9"))))
    done = run(*check, "evil/other/9", *files, *provenance, "--attestation", file.parent / "others.json", status=1)
    assert done.stderr.count("not verified: ") == 3, done
    file.write_bytes(gzip.compress(gzip.decompress(MODULE), 9))
    assert FILES in run(*check, "acme/signed/1").stdout, "packed anew it has the same files, and that name"
