# SPDX-License-Identifier: Apache-2.0
"""import: bundles become modules, all or nothing; whoever made one is a stranger."""
import gzip
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import tarfile

import pytest
from support import bundle_writer as bundles
from support import carried
from support import modules
from support.bundle_writer import Bundle
from support.carried import DOC, X, Y, Z
from support.daemon import binary, under_thread_sanitizer
from support.peaks import peak
from support.waiting import DEADLINE_S, wait_until

COLLECTION = "# Collection acme/c/1\nAll of ours.\n\n## Modules\n[x](https://tfhub.dev/acme/x/1)\n"


def sample():
    return carried.sample().page("collection", "acme/c", COLLECTION)


def run(larder, path, *options, check=True):
    return larder.larder("import", str(path), *options, check=check, timeout=6 * DEADLINE_S)


def report(larder, path, *options, check=True):
    return json.loads(run(larder, path, "--json", *options, check=check).stdout)


def refused(larder, path, *options):
    """What is said; nothing may be on record."""
    done = run(larder, path, *options, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def version(larder, path):
    return larder.get("/api/v1/modules/" + path).json()


def assert_there(larder, bundle=None):
    x, y = version(larder, "acme/x/1"), version(larder, "google/y/2")
    assert (x["source"], x["published_by"], x["description"]) == ("published", "ci", "Embeds words.")
    assert (y["source"], y["upstream"]) == ("mirrored", "tfhub")
    assert larder.get("/acme/x/1.tar.gz").body == X and larder.get("/google/y/2.tar.gz").body == Y
    assert larder.get("/acme/old/1.tar.gz").status == 410
    assert larder.get("/api/v1/signatures/acme/x/1").json()["meta_graphs"][0]["signatures"]


def assert_nothing(larder):
    assert larder.get("/api/v1/modules").json()["total"] == 0


@pytest.mark.parametrize("form", ["folder", "tar", "shuffled tar", "pieces"])
def test_takes_all_in_and_again_changes_nothing(larder, tmp_path, form):
    path = tmp_path / "bundle"
    if form == "folder":
        sample().folder(path)
    else:
        chance = random.Random(7)
        sample().tar(path, order=(lambda name: chance.random()) if form == "shuffled tar" else None)
    if form == "pieces":
        path = bundles.split(path, 50_000)
    told = report(larder, path)
    assert (told["new"], told["unchanged"], told["withdrawn"], told["recorded"]) == (3, 0, 1, True)
    assert told["pages"] == {"new": 2, "changed": 0, "left": 0}
    assert told["copied"]["bytes"] == len(X) + len(Y)
    assert_there(larder)
    again = report(larder, path)
    assert (again["new"], again["changed"], again["unchanged"], again["recorded"]) == (0, 0, 3, False) and again["copied"]["blobs"] == 0
    assert "nothing changed" in run(larder, path).stdout
    larder.restart()
    larder.wait_for("larder_sweeps_total", 1)
    assert_there(larder)


def test_any_piece_names_the_bundle_and_missing_ones_are_named(larder, tmp_path):
    path = tmp_path / "bundle.tar"
    sample().tar(path)
    bundles.split(path, 30_000)
    (tmp_path / "bundle.tar.002").rename(tmp_path / "two")
    (tmp_path / "bundle.tar.003").write_bytes(b"short")
    said = refused(larder, tmp_path / "bundle.tar.001")
    assert "bundle.tar.002" in said and "bundle.tar.003 (it has 5 of 30000 bytes)" in said
    bundles.split(sample().tar(path), 30_000)
    assert report(larder, tmp_path / "bundle.tar.003")["new"] == 3


@pytest.mark.parametrize("bad", [[1], [3], [2, 4], [1, 2, 3, 4]], ids=str)
def test_damaged_pieces_are_all_named_before_anything_is_copied(larder, tmp_path, bad):
    """Also where it is only the list that is wrong: nobody knows which of the two is."""
    path = tmp_path / "b.tar"
    bundle = Bundle().add("acme/x/1", {"tf-hub": X}).add("acme/y/1", {"tf-hub": Y})
    for where in ("piece", "list"):
        manifest = bundles.split(bundle.tar(path), 30_000)
        told = json.loads(manifest.read_text())
        for number in bad:
            if where == "list":
                told["pieces"][number - 1]["digest"] = bundles.digest(b"other")
                continue
            piece = tmp_path / f"b.tar.{number:03}"
            content = bytearray(piece.read_bytes())
            content[len(content) // 2] ^= 1
            piece.write_bytes(content)
        manifest.write_text(json.dumps(told))
        for options in ([], ["--dry-run"]):
            said = refused(larder, path, *options)
            assert [number for number in range(1, 6) if f"b.tar.{number:03}" in said] == bad, said
    assert_nothing(larder)
    assert report(larder, path, "--partial")["new"] == 2


def test_dry_run_changes_nothing(larder, tmp_path):
    told = report(larder, sample().folder(tmp_path / "b"), "--dry-run")
    assert (told["new"], told["recorded"], told["dry_run"]) == (3, False, True)
    assert_nothing(larder)
    assert larder.blobs() == []


# ---- what larder export writes ----

def stock(larder):
    assert larder.put("/acme/x/1", X).status == 201 and larder.put("/acme/old/1", Z).status == 201
    admin = {"Authorization": f"Bearer {larder.token('admin')}"}
    assert larder.request("PUT", "/acme/x/1", admin | {"Content-Type": "text/markdown"}, DOC.encode()).status in (200, 201)
    larder.request("DELETE", "/acme/old/1", admin)


def essence(version):
    return {key: version[key] for key in ("handle", "version", "source", "state", "published_by", "description", "tags", "saved_model")} | {
        "artifacts": [(row["format"], row["digest"], row["source"], row["published_by"]) for row in version["artifacts"]]}


@pytest.mark.parametrize("form", ["b", "b.tar", "split", "by skopeo"])
def test_what_is_exported_comes_in(start, tmp_path, form):
    there, here = start(name="there"), start(name="here")
    stock(there)
    private, public = bundles.keys(tmp_path)
    path = tmp_path / ("b" if form in ("b", "by skopeo") else "b.tar")
    there.larder("export", "-o", str(path), "--sign", str(private), *(["--split", "1M"] if form == "split" else []))
    if form == "by skopeo":
        if not shutil.which("skopeo"):
            pytest.skip("there is no skopeo")
        subprocess.run(["skopeo", "copy", "--all", f"oci:{path}:bundle", f"oci-archive:{tmp_path}/copy.tar:any"], check=True,
                       capture_output=True, timeout=DEADLINE_S)
        path = tmp_path / "copy.tar"
    if form == "split":
        path = tmp_path / "b.tar.pieces"
    told = report(here, path, "--verify", str(public))
    assert (told["new"], told["withdrawn"], told["refused"], told["faulty"]) == (2, 1, 0, 0)
    assert essence(version(here, "acme/x/1")) == essence(version(there, "acme/x/1"))
    assert here.get("/api/v1/documentation/acme/x/1").body == there.get("/api/v1/documentation/acme/x/1").body
    assert here.get("/acme/x/1.tar.gz").body == X and here.get("/acme/old/1.tar.gz").status == 410
    assert report(here, path)["unchanged"] == 2


# ---- signatures ----

def test_verify(larder, tmp_path):
    private, public = bundles.keys(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = bundles.keys(tmp_path / "other")
    bundle = sample()
    unsigned = bundle.folder(tmp_path / "unsigned")
    assert "not signed" in refused(larder, unsigned, "--verify", str(public))
    signed = sample()
    signed.key = private
    signed = signed.folder(tmp_path / "signed")
    assert refused(larder, signed, "--verify", str(other))
    assert_nothing(larder)
    assert "nobody has checked" in run(larder, signed, "--dry-run").stdout
    done = run(larder, signed, "--verify", str(public))
    assert "signed by the owner of" in done.stdout
    assert_there(larder)


def test_a_signature_of_other_contents_is_refused(larder, tmp_path):
    private, public = bundles.keys(tmp_path)
    bundle, other = sample(), Bundle("other")
    bundle.key = private
    genuine = bundle.build()
    signature = bundle.sign(bundle.contents)
    other.add("acme/x/1", {"tf-hub": Z})
    other.key = private
    other.sign = lambda contents: signature
    assert genuine
    assert "other contents" in refused(larder, other.folder(tmp_path / "b"), "--verify", str(public))
    assert_nothing(larder)


def test_one_flipped_bit_is_refused_wherever_it_is(larder, blank, tmp_path):
    private, public = bundles.keys(tmp_path)
    bundle = sample()
    bundle.key = private
    tar = bundle.tar(tmp_path / "b.tar").read_bytes()
    chance = random.Random(11)
    for number in range(100):
        place = chance.randrange(len(tar))
        flipped = bytearray(tar)
        flipped[place] ^= 1 << chance.randrange(8)
        (tmp_path / "flipped.tar").write_bytes(flipped)
        # Each time into an empty store: what is here already is not read once more.
        larder.data = tmp_path / f"data{number}"
        larder.data.mkdir()
        shutil.copy(blank / "data" / "larder.db", larder.data)
        done = run(larder, tmp_path / "flipped.tar", "--verify", str(public), check=False)
        assert done.returncode == 1, f"byte {place} was flipped, and taken"
        with sqlite3.connect(larder.data / "larder.db") as db:
            assert db.execute("SELECT count(*) FROM versions").fetchone() == (0,)
        shutil.rmtree(larder.data)


# ---- what contradicts ----

def test_conflicts_are_told_with_both_digests(larder, tmp_path):
    assert larder.put("/acme/x/1", Z).status == 201
    bundle = sample().folder(tmp_path / "b")
    said = refused(larder, bundle)
    assert "acme/x/1" in said and bundles.digest(X) in said and bundles.digest(Z) in said and "--partial" in said
    assert larder.get("/google/y/2.tar.gz").status != 200
    done = run(larder, bundle, "--partial", check=False)
    assert done.returncode == 1
    assert larder.get("/acme/x/1.tar.gz").body == Z and larder.get("/google/y/2.tar.gz").body == Y
    told = report(larder, bundle, "--partial", check=False)
    assert (told["refused"], told["unchanged"], told["new"]) == (1, 2, 0)


def test_a_withdrawn_name_stays_withdrawn(larder, tmp_path):
    assert larder.put("/acme/x/1", X).status == 201
    larder.request("DELETE", "/acme/x/1", {"Authorization": f"Bearer {larder.token('withdraw:*')}"})
    assert "withdrawn" in refused(larder, sample().folder(tmp_path / "b"))


def test_withdrawals_are_taken_over_by_a_daemon_that_serves_it(larder, tmp_path):
    run(larder, Bundle("first").add("acme/old/1", {"tf-hub": Z}).folder(tmp_path / "first"))
    assert larder.get("/acme/old/1.tar.gz").body == Z and larder.get("/acme/old/1.tar.gz").body == Z
    run(larder, sample().folder(tmp_path / "b"))
    assert larder.get("/acme/old/1.tar.gz").status == 410
    assert modules.digest(Z) not in larder.blobs()


def test_a_withdrawal_destroys_nothing_that_was_published_here(larder, tmp_path):
    assert larder.put("/acme/old/1", Z).status == 201
    path = sample().folder(tmp_path / "b")
    said = refused(larder, path)
    assert "acme/old/1" in said and bundles.digest(Z) in said and "larder withdraw acme/old/1" in said
    told = report(larder, path, "--partial", check=False)
    assert (told["new"], told["refused"], told["withdrawn"]) == (2, 1, 0)
    assert larder.get("/acme/old/1.tar.gz").body == Z and larder.get("/acme/x/1.tar.gz").body == X
    # Whoever means them, too, says so here; then nothing stands against the bundle.
    larder.request("DELETE", "/acme/old/1", {"Authorization": f"Bearer {larder.token('withdraw:*')}"})
    assert report(larder, path)["unchanged"] == 3


WAYS = ("a verified bundle", "a bundle", "a verified bundle of what a bundle had brought", "an upstream", "a token")


@pytest.mark.parametrize("verified", [False, True], ids=["unchecked", "verified"])
@pytest.mark.parametrize("way", WAYS)
def test_who_may_withdraw_what(mirror, upstream, tmp_path, way, verified):
    """A medium is a stranger, unless a key says whose it is."""
    private, public = bundles.keys(tmp_path)
    first = Bundle("first").add("google/m/1", {"tf-hub": Z}, source="mirrored")
    first.key = private
    first.folder(tmp_path / "first")
    if way == "a token":
        assert mirror.put("/google/m/1", Z).status == 201
    elif way == "an upstream":
        upstream.serve("/google/m/1", Z)
        assert mirror.get("/google/m/1?tf-hub-format=compressed").status == 200
        mirror.wait_for_idle()
    if way in ("a bundle", WAYS[2]):
        run(mirror, tmp_path / "first")
    if "verified" in way:
        run(mirror, tmp_path / "first", "--verify", str(public))
    withdrawing = Bundle("second").add("google/m/1", state="withdrawn", source="mirrored").add("google/other/7", state="withdrawn")
    withdrawing.key = private
    path = withdrawing.folder(tmp_path / "second")
    options = ["--verify", str(public)] if verified else []
    if (way == "a bundle" or verified) and way != "a token":
        assert report(mirror, path, *options)["withdrawn"] == 2
    else:
        said = refused(mirror, path, *options)
        assert "google/m/1" in said and bundles.digest(Z) in said and "larder withdraw google/m/1" in said
        assert "google/other/7" not in said
        told = report(mirror, path, "--partial", *options, check=False)
        assert (told["withdrawn"], told["refused"], told["recorded"]) == (1, 1, True)
        assert mirror.get("/google/m/1?tf-hub-format=compressed").body == Z
    assert mirror.get("/google/other/7.tar.gz").status == 410


def test_modules_of_a_bundle_are_inspected(larder, tmp_path):
    bundle = Bundle().add("acme/bad/1", {"tf-hub": b"this is no archive" * 100}).add("acme/x/1", {"tf-hub": X})
    path = bundle.folder(tmp_path / "b")
    said = refused(larder, path)
    assert "acme/bad/1 (tf-hub)" in said and "rules" in said
    assert_nothing(larder)
    told = report(larder, path, "--partial", check=False)
    assert (told["new"], told["faulty"], told["recorded"]) == (1, 1, True)
    assert told["remarks"][0]["findings"][0]["rule"]
    assert larder.get("/acme/x/1.tar.gz").body == X


# ---- going on ----

def test_an_interrupted_import_goes_on_without_copying(larder, tmp_path):
    bundle = sample().folder(tmp_path / "b")
    lost = bundle / "blobs/sha256" / modules.digest(Y)
    lost.write_bytes(Y[:-1] + bytes([Y[-1] ^ 1]))
    said = refused(larder, bundle)
    assert modules.digest(Y) in said and "damaged" in said
    assert_nothing(larder)
    assert larder.blobs() == [modules.digest(X)]
    # What is staged stays, through gc and the daemon's start.
    larder.larder("gc")
    larder.restart()
    larder.wait_for("larder_sweeps_total", 1)
    assert larder.blobs() == [modules.digest(X)]
    lost.write_bytes(Y)
    assert report(larder, bundle)["copied"] == {"blobs": 1, "bytes": len(Y)}
    assert_there(larder)


def test_a_daemon_that_starts_meanwhile_leaves_the_import_its_draft(larder, tmp_path):
    large = modules.module(64 << 20, seed=5)
    bundle = Bundle().add("acme/large/1", {"tf-hub": large}).folder(tmp_path / "b")
    larder.stop()
    importing = subprocess.Popen([binary(), "import", str(bundle), "--data", str(larder.data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: larder.drafts() or importing.poll() is not None, "the import has begun with a draft")
    importing.send_signal(signal.SIGSTOP)
    larder.start()
    larder.wait_for("larder_sweeps_total", 1)
    importing.send_signal(signal.SIGCONT)
    said = importing.communicate(timeout=6 * DEADLINE_S)
    assert importing.returncode == 0, said
    assert larder.get("/acme/large/1.tar.gz").body == large


def test_no_room(larder, tmp_path):
    larder.configure({"storage": {"keep_free_bytes": str(1 << 60)}})
    said = refused(larder, sample().folder(tmp_path / "b"), "--config", str(larder.config_path))
    assert "keep_free_bytes" in said and "acme/x/1" in said
    assert_nothing(larder)
    assert report(larder, tmp_path / "b")["new"] == 3


def test_the_rules_of_the_configuration_count(larder, tmp_path):
    larder.configure({"publish": {"max_upload_bytes": str(len(Y) - 1)}})
    told = report(larder, sample().folder(tmp_path / "b"), "--partial", "--config", str(larder.config_path), check=False)
    assert (told["new"], told["faulty"]) == (2, 1) and "max_upload_bytes" in told["remarks"][0]["detail"]


def test_the_want_list_loses_what_came(larder, tmp_path):
    larder.configure({"mirror": {"offline": "true"}})
    larder.restart()
    assert larder.get("/google/y/2?tf-hub-format=compressed").status >= 400
    larder.restart()
    assert [row["handle"] for row in larder.get("/api/v1/wants").json()["wants"]] == ["google/y"]
    run(larder, sample().folder(tmp_path / "b"))
    assert larder.get("/api/v1/wants").json()["wants"] == []


# ---- models of others ----

def foreign(path, layers, family="application/vnd.cncf.model", outer=None):
    """A ModelPack artifact: layers are (kind and ending, title, bytes)."""
    bundle = Bundle()
    described = [{"mediaType": f"{family}.{kind}", **bundle.blob(content), "annotations": {"org.cncf.model.filepath": title}}
                 for kind, title, content in layers]
    config = {"mediaType": f"{family}.config.v1+json", **bundle.blob(b"{}")}
    manifest = bundles.compact({"schemaVersion": 2, "mediaType": bundles.MANIFEST, "artifactType": f"{family}.manifest.v1+json",
                                "config": config, "layers": described})
    entries = [{"mediaType": bundles.MANIFEST, **bundle.blob(manifest)}]
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": bundles.compact({"schemaVersion": 2, "manifests": outer or entries})}
    bundles.write_folder(path, files | {"blobs/sha256/" + name: content for name, content in bundle.blobs.items()})
    return path


@pytest.mark.parametrize("family", ["application/vnd.cncf.model", "application/vnd.cnai.model"])
def test_a_model_of_others_is_taken_by_layers(larder, tmp_path, family):
    path = foreign(tmp_path / "m", [("doc.v1.raw", "README.md", b"# Read me"), ("weight.v1.tar+gzip", "model", X),
                                    ("weight.v1.tar+gzip", "again", Y), ("weight.v1.tar", "plain", b"\0" * 1024),
                                    ("weight.v1.raw", "model.safetensors", b"x" * 500)], family)
    assert "--as" in refused(larder, path)
    done = run(larder, path, "--as", "acme/theirs/3")
    assert "1 new" in done.stdout
    for left in ("README.md", "again", "plain", "model.safetensors"):
        assert f"acme/theirs/3 ({left}): " in done.stderr
    there = version(larder, "acme/theirs/3")
    assert there["source"] == "published" and there["artifacts"][0]["imported_from"]["bundle"] == "m"
    assert larder.get("/acme/theirs/3.tar.gz").body == X
    again = report(larder, path, "--as", "acme/theirs/3")
    assert (again["new"], again["unchanged"], again["copied"]["blobs"]) == (0, 1, 0)
    assert bundles.digest(X) in refused(larder, foreign(tmp_path / "n", [("weight.v1.tar+gzip", "o", Z)], family), "--as", "acme/theirs/3")


def test_a_model_of_others_without_a_module(larder, tmp_path):
    path = foreign(tmp_path / "m", [("weight.v1.tar+gzip", "model", b"none" * 500), ("code.v1.tar", "code", b"x")])
    said = refused(larder, path, "--as", "acme/theirs/3")
    assert "none of its 2 layers is a module" in said and "(model)" in said and "(code)" in said
    assert "application/vnd.cncf.model" in refused(larder, foreign(tmp_path / "n", [("x", "y", b"z")], "application/x"), "--as", "acme/t/1")
    assert "names 2 things" in refused(larder, foreign(tmp_path / "o", [], outer=[{}, {}]), "--as", "acme/t/1")
    assert "takes no --as" in refused(larder, sample().folder(tmp_path / "b"), "--as", "acme/t/1")
    assert_nothing(larder)


# ---- strangers ----

def tampered(files, **replaced):
    return files | {name.replace("__", "/"): content for name, content in replaced.items()}


HOSTILE_TARS = {
    "climbs": [(bundles.member("blobs/../../../etc/x"), b"")],
    "is absolute": [(bundles.member("/blobs/sha256/" + "0" * 64), b"")],
    "is a link": [(bundles.member("blobs/sha256/" + "0" * 64, kind=tarfile.SYMTYPE, linkname="/etc/passwd"), b"")],
    "is a hard link": [(bundles.member("blobs/sha256/" + "0" * 64, kind=tarfile.LNKTYPE, linkname="index.json"), b"")],
    "is a device": [(bundles.member("blobs/sha256/" + "0" * 64, kind=tarfile.CHRTYPE), b"")],
    "is no digest": [(bundles.member("blobs/sha256/" + "g" * 64), b"")],
    "is in capitals": [(bundles.member("blobs/sha256/" + "A" * 64), b"")],
    "is beside": [(bundles.member("README.md"), b"")],
    "is there twice": [(bundles.member("index.json", 2), b"{}")],
}


@pytest.mark.parametrize("case", HOSTILE_TARS)
def test_members_that_do_not_belong_there(larder, tmp_path, case):
    path = tmp_path / "b.tar"
    path.write_bytes(bundles.tar_of(sample().build(), extra=HOSTILE_TARS[case]))
    assert "in the bundle's tar" in refused(larder, path)
    assert_nothing(larder)


def test_a_blob_twice_in_a_tar(larder, tmp_path):
    files = sample().build()
    name = "blobs/sha256/" + modules.digest(X)
    path = tmp_path / "b.tar"
    path.write_bytes(bundles.tar_of(files, extra=[(bundles.member(name, len(Z)), Z)]))
    assert "twice" in refused(larder, path)


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_a_tar_that_was_cut(larder, tmp_path, cut):
    path = sample().tar(tmp_path / "b.tar")
    os.truncate(path, int(path.stat().st_size * cut) & ~1)
    assert "copy it again" in refused(larder, path)
    assert_nothing(larder)


def test_other_files_are_told_apart(larder, tmp_path):
    packed, text, empty = tmp_path / "b.tar.gz", tmp_path / "text", tmp_path / "empty"
    packed.write_bytes(gzip.compress(sample().tar(tmp_path / "b.tar").read_bytes()))
    text.write_bytes(b"hello" * 200)
    empty.mkdir()
    assert "gunzip" in refused(larder, packed)
    assert "no bundle" in refused(larder, text)
    assert "no bundle" in refused(larder, empty)
    assert "No such file" in refused(larder, tmp_path / "nothing")


def test_an_unfinished_export_is_no_bundle(larder, tmp_path):
    path = sample().folder(tmp_path / "b")
    (path / "index.json").unlink()
    assert "index.json" in refused(larder, path)


@pytest.mark.parametrize("which", ["index.json", "oci-layout", "blob"])
def test_links_in_a_folder_are_not_followed(larder, tmp_path, which):
    path = sample().folder(tmp_path / "b")
    name = path / ("blobs/sha256/" + modules.digest(X) if which == "blob" else which)
    shutil.move(name, tmp_path / "elsewhere")
    name.symlink_to(tmp_path / "elsewhere")
    assert "link" in refused(larder, path)
    assert_nothing(larder)


LYING = {
    "artifact is longer": {"line": {"artifacts": [{"format": "tf-hub", "digest": bundles.digest(X), "size_bytes": len(X) + 1}]}},
    "artifact is huge": {"line": {"artifacts": [{"format": "tf-hub", "digest": bundles.digest(X), "size_bytes": 1 << 62}]}},
    "config is huge": {"line": {"config": {"digest": bundles.digest(b"x"), "size": 1 << 40}}},
    "config is missing": {"line": {"config": {"digest": bundles.digest(b"x"), "size": 1}}},
    "manifest is missing": {"line": {"manifest": {"digest": bundles.digest(b"x"), "size": 1}}},
    "names another": {"record": {"handle": "acme/other"}},
    "another state": {"record": {"state": "withdrawn"}},
    "another source": {"record": {"source": "mirrored"}},
    **{f"called {word}, with {' and '.join(sources.values()) or 'nothing'}": {
        "artifacts": dict.fromkeys(sources, X), "sources": sources, "source": word}
       for word in ("published", "mirrored", "listed")
       for sources in ({}, {"tf-hub": "published"}, {"tf-hub": "mirrored"}, {"tf-hub": "mirrored", "tfjs": "published"},
                       {"tf-hub": "mirrored", "tfjs": "mirrored"})
       if word != ("published" if "published" in sources.values() else "mirrored" if sources else "listed")},
    "lacks its artifact": {"record": {"artifacts": []}},
    "documentation of another": {"record": {"documentation": {"markdown": "# Module acme/other/1\nIt.\n", "updated_by": None,
                                                              "updated_at": bundles.CREATED}}},
}


@pytest.mark.parametrize("case", LYING)
def test_versions_that_lie(larder, tmp_path, case):
    bundle = sample()
    bundle.versions = [row for row in bundle.versions if row["handle"] != "acme/x"]
    bundle.add("acme/x/1", **{"artifacts": {"tf-hub": X}} | LYING[case])
    path = bundle.folder(tmp_path / "b")
    assert "acme/x/1" in refused(larder, path)
    assert_nothing(larder)
    told = report(larder, path, "--partial", check=False)
    assert (told["new"], told["faulty"]) == (2, 1)
    assert larder.get("/google/y/2.tar.gz").body == Y and larder.get("/acme/x/1.tar.gz").status != 200


BROKEN_CONTENTS = {
    "nothing": b"",
    "no header": b'{"publisher":"acme","markdown":"x"}\n',
    "no JSON": b"not json\n",
    "an endless line": b'{"larder_bundle":1,"x":"' + b"a" * (9 << 20),
    "a bomb of values": b"[" * 100_000,
    "twice": None,
}


@pytest.mark.parametrize("case", BROKEN_CONTENTS)
def test_contents_that_are_none(larder, tmp_path, case):
    bundle = sample()
    contents = BROKEN_CONTENTS[case]
    if contents is None:
        lines = [bundles.compact(line) + b"\n" for line in bundle.lines()]
        contents = b"".join(lines[:2] + lines[1:])
    path = bundle.folder(tmp_path / "b", contents=contents)
    assert refused(larder, path)
    assert_nothing(larder)


def test_an_index_bomb(larder, tmp_path):
    bundle = sample()
    path = tmp_path / "b"
    files = bundle.build()
    outer = json.loads(files["index.json"])
    bundles.write_folder(path, tampered(files, **{"index.json": bundles.compact(outer | {"manifests": outer["manifests"] * 30_000})}))
    assert "index.json" in refused(larder, path)
    bundles.write_folder(path, tampered(files, **{"index.json": b"[" * 500_000}))
    assert "index.json" in refused(larder, path)
    bundles.write_folder(path, tampered(files, **{"index.json": bundles.compact(outer | {"manifests": outer["manifests"] * 2})}))
    assert "2 indexes" in refused(larder, path)
    bundles.write_folder(path, tampered(files, **{"index.json": bundles.compact(outer | {"manifests": []})}))
    assert "none of them is an index" in refused(larder, path)
    assert_nothing(larder)


def test_who_forgot_the_key_makes_good_for_it(larder, tmp_path):
    private, public = bundles.keys(tmp_path)
    bundle = sample()
    bundle.key = private
    path = bundle.folder(tmp_path / "b")
    run(larder, path)
    assert version(larder, "acme/x/1")["artifacts"][0]["imported_from"]["verified_by"] is None
    assert report(larder, path)["signer_recorded"] is False
    assert not report(larder, path, "--verify", str(public), "--dry-run")["signer_recorded"]
    assert "on record from now on" in run(larder, path, "--verify", str(public)).stdout
    assert len(version(larder, "acme/x/1")["artifacts"][0]["imported_from"]["verified_by"]) == 64
    again = report(larder, path, "--verify", str(public))
    assert again["signer_recorded"] is False and again["recorded"] is False


def test_a_wrong_key_is_told_which_ones_did_sign(larder, tmp_path):
    private, _ = bundles.keys(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = bundles.keys(tmp_path / "other")
    bundle = sample()
    bundle.key = private
    path = bundle.folder(tmp_path / "b")
    envelope = next(json.loads(content) for content in bundle.blobs.values() if b"payloadType" in content)
    assert f"its signature names {envelope['signatures'][0]['keyid']};" in refused(larder, path, "--verify", str(other))
    honest = bundle.sign
    for lie in ("", "\x1b[31m" * 12, "A" * 64, 7):
        bundle.sign = lambda contents: bundles.compact(
            (envelope := json.loads(honest(contents))) | {"signatures": [envelope["signatures"][0] | {"keyid": lie}]})
        assert "its signature names no key;" in refused(larder, bundle.folder(tmp_path / f"b{len(str(lie))}"), "--verify", str(other))


@pytest.mark.parametrize("options", [["--dry-run"], ["--partial"], ["--partial", "--dry-run"], []])
@pytest.mark.parametrize("fault", ["missing", "flipped", "lying", "conflict"])
def test_counts_add_up(larder, tmp_path, fault, options):
    bundle = sample()
    if fault == "lying":
        bundle.add("acme/z/1", {"tf-hub": Z}, record={"handle": "acme/other"})
    elif fault == "conflict":
        assert larder.put("/acme/x/1", Z).status == 201
    path = bundle.folder(tmp_path / "b")
    blob = path / "blobs/sha256" / modules.digest(X)
    if fault == "missing":
        blob.unlink()
    elif fault == "flipped":
        blob.write_bytes(X[:-1] + bytes([X[-1] ^ 1]))
    told = report(larder, path, *options, check=fault == "flipped" and "--dry-run" in options)
    assert told["versions"] == sum(told[key] for key in ("new", "changed", "unchanged", "refused", "faulty"))
    assert told["documentation"]["new"] <= told["new"]


def test_what_is_not_known_is_null(larder, tmp_path):
    told = report(larder, tmp_path / "none", check=False)
    assert told["bundle"] is None and told["failure"]
    bundle = Bundle("")
    assert report(larder, bundle.folder(tmp_path / "b"))["bundle"]["name"] is None
    assert report(larder, bundle.folder(tmp_path / "c", contents=b"x"), check=False)["bundle"]["created_at"] is None


@pytest.mark.parametrize("arguments", [["none"], ["none", "--data", "new", "--dry-run"], ["none", "--config", "none.ini"], ["none", "--verify", "none.pub"],
                                       ["none", "--verify", "/etc/hostname"], ["none", "--data", "/proc/none"]], ids=" ".join)
def test_each_failure_is_told_to_programs(tmp_path, arguments):
    done = subprocess.run([binary(), "import", "--json", *arguments], capture_output=True, text=True, timeout=DEADLINE_S, cwd=tmp_path)
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["failure"] and f"larder: {told['failure']}\n" in done.stderr
    assert (told["bundle"], told["versions"], told["recorded"], list(tmp_path.iterdir())) == (None, 0, False, [])


def test_an_import_that_is_interrupted_says_what_goes_on(larder, tmp_path):
    """A quick one ends before the signal comes: then the next one is interrupted."""
    for i in range(20):
        name, content = f"acme/large{i}/1", modules.module(32 << 20, seed=i)
        path = Bundle().add(name, {"tf-hub": content}).folder(tmp_path / f"b{i}")
        importing = subprocess.Popen([binary(), "import", str(path), "--data", str(larder.data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     text=True)
        wait_until(lambda: larder.drafts() or importing.poll() is not None, "the import has begun with a draft")
        importing.send_signal(signal.SIGINT)
        _, said = importing.communicate(timeout=6 * DEADLINE_S)
        if importing.returncode != 0:
            break
    assert importing.returncode == 1 and "interrupted: the same command goes on" in said
    assert larder.get(f"/api/v1/modules/{name}").status == 404
    run(larder, path)
    assert larder.get(f"/{name}.tar.gz").body == content


def test_what_is_no_bundle_is_told_by_what_it_is(larder, tmp_path):
    path = sample().folder(tmp_path / "stick" / "first")
    for name in ("index.json", "oci-layout"):
        assert "give that folder" in refused(larder, path / name)
    assert f"{tmp_path}/stick/first may be one" in refused(larder, tmp_path / "stick")
    (tmp_path / "models.lock").write_text('{"larder_lock": 1, "artifacts": [\n' + " " * 600 + "]}\n")
    assert "larder verify --lock" in refused(larder, tmp_path / "models.lock")
    (tmp_path / "module.tar.gz").write_bytes(X)
    said = refused(larder, tmp_path / "module.tar.gz")
    assert "larder publish" in said and "larder import-docs" in said and "gunzip" in said
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"")
    assert "larder publish" in refused(larder, tmp_path / "model")


def test_pieces_by_the_name_of_the_whole_and_without_their_list(larder, tmp_path):
    manifest = bundles.split(sample().tar(tmp_path / "b.tar"), 30_000)
    assert report(larder, tmp_path / "b.tar", "--dry-run")["new"] == 3
    manifest.unlink()
    for number in (1, 2, 3):
        assert "b.tar.pieces is missing beside it" in refused(larder, tmp_path / f"b.tar.{number:03}")
    # A whole tar may be called so.
    assert report(larder, sample().tar(tmp_path / "backup.2026"))["new"] == 3


def test_a_dry_run_tells_that_there_is_no_room(larder, tmp_path):
    path = sample().folder(tmp_path / "b")
    assert "not enough room" not in run(larder, path, "--dry-run").stdout
    larder.configure({"storage": {"keep_free_bytes": str(1 << 60)}})
    said = run(larder, path, "--dry-run", "--config", str(larder.config_path)).stdout
    assert "there is not enough room" in said and "keep_free_bytes" in said


def test_show_tells_the_bundle(larder, tmp_path):
    private, public = bundles.keys(tmp_path)
    bundle = sample()
    bundle.key = private
    path = bundle.folder(tmp_path / "b")
    run(larder, path)
    show = [binary(), "show", "acme/x/1", "--server", larder.url]
    said = subprocess.run(show, capture_output=True, text=True, timeout=DEADLINE_S).stdout
    assert "imported:" in said and "tf-hub in spring of " in said and bundle.contents["digest"] + ", no signature was checked" in said
    run(larder, path, "--verify", str(public))
    assert "signed by " in subprocess.run(show, capture_output=True, text=True, timeout=DEADLINE_S).stdout


# ---- memory ----


def documented(markdown):
    return {"documentation": {"markdown": markdown, "updated_by": None, "updated_at": bundles.CREATED}}


# As long as a configuration may be (8 MiB), or as long as what it says is taken; {record: members, or page: its Markdown}.
LONG = {
    "a long member": (0, {"record": {"padding": "x" * ((8 << 20) - 2000)}}),
    "many values": (0, {"record": {"padding": [0] * 4_100_000}}),
    "many objects": (0, {"record": {"padding": [{}] * 2_700_000}}),
    "deep": (0, {"record": {"padding": [[[[[[[[1]]]]]]]] * 450_000}}),
    "words": (0, {"record": documented("# Module acme/x/1\nIt.\n\n## Overview\n" + "word " * 200_000)}),
    "words that are escaped": (0, {"record": documented("# Module acme/x/1\nIt.\n\n## Overview\n" + "\u0001" * ((1 << 20) - 100))}),
    "a long publisher": (1, {"record": {"published_by": "x" * (6 << 20)}}),
    "too long a configuration": (1, {"record": {"padding": "x" * (8 << 20)}}),
    "too many words": (1, {"record": documented("# Module acme/x/1\n" + "x" * (6 << 20))}),
    "a page": (0, {"page": "# Publisher acme\nAcme\n\n## Who\n" + "word " * 200_000}),
    "a page that is escaped": (0, {"page": "# Publisher acme\nAcme\n\n## Who\n" + "\u0001" * ((1 << 20) - 100)}),
    "too long a page": (1, {"page": "# Publisher acme\nAcme\n\n## Who\n" + "x" * (7 << 20)}),
}


@pytest.mark.skipif(under_thread_sanitizer(), reason="ThreadSanitizer has memory of its own")
@pytest.mark.parametrize("case", LONG)
def test_memory_is_bounded(larder, tmp_path, case):
    """However long what the bundle says of itself: with what a small one takes, 32 MiB above a command that does next to nothing."""
    status, parts = LONG[case]
    bundle = Bundle()
    bundle.add("acme/x/1", {"tf-hub": X}, record=parts.get("record", {}))
    if "page" in parts:
        bundle.page("publisher", "acme", parts["page"])
    # A sanitizer takes more than that for the threads that inspect; a release build, 3 MiB.
    small = peak(larder, "import", str(Bundle().add("acme/small/1", {"tf-hub": X}).folder(tmp_path / "small")))
    assert peak(larder, "import", str(bundle.folder(tmp_path / "b")), status=status) - small < 28 << 10


# ---- sizes that nobody should believe ----

def hole(path, size):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        file.truncate(size)


def test_a_record_that_many_lines_name_is_noted_for_none_of_them(larder, tmp_path):
    """However many lines there are: no file of ours gets near to what they add up to."""
    bundle = Bundle()
    filler = {"padding": ["x" * 1000] * 7000}
    bundle.add("acme/a/1", {"tf-hub": X}, record=filler)
    config = bundle.versions[0]["config"]
    for number in range(40):
        bundle.add(f"acme/b{number:03}/1", line={"config": config})
    done = subprocess.run([binary(), "import", str(bundle.folder(tmp_path / "b")), "--data", str(larder.data)], capture_output=True,
                          text=True, timeout=6 * DEADLINE_S,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 20, 20 << 20)))
    assert done.returncode == 1 and "none of these versions'" in done.stderr, done.stderr
    assert "No space" not in done.stderr
    assert_nothing(larder)


@pytest.mark.parametrize("what", ["contents", "index", "manifest"])
def test_blobs_of_unbelievable_size(larder, tmp_path, what):
    bundle, path = sample(), tmp_path / "b"
    lie = {"digest": "sha256:" + "0" * 64, "size": 1 << 42}
    if what == "manifest":
        bundle.versions[0]["manifest"] = lie
    files = bundle.build()
    if what == "index":
        outer = json.loads(files["index.json"])
        files["index.json"] = bundles.compact(outer | {"manifests": [outer["manifests"][0] | lie]})
    elif what == "contents":
        index = json.loads(files["blobs/sha256/" + json.loads(files["index.json"])["manifests"][0]["digest"][7:]])
        manifest = json.loads(files["blobs/sha256/" + index["manifests"][0]["digest"][7:]])
        manifest["layers"][0] |= lie
        index["manifests"][0] |= bundle.blob(bundles.compact(manifest))
        outer = json.loads(files["index.json"])
        outer["manifests"][0] |= bundle.blob(bundles.compact(index))
        files |= {"index.json": bundles.compact(outer)} | {"blobs/sha256/" + name: content for name, content in bundle.blobs.items()}
    bundles.write_folder(path, files)
    hole(path / "blobs/sha256" / ("0" * 64), 1 << 42)
    assert "4.0 TiB" in refused(larder, path)
    assert_nothing(larder)


def test_a_tar_with_a_long_nothing_behind_it(larder, tmp_path):
    path = sample().tar(tmp_path / "b.tar")
    hole(path, 1 << 41)
    assert "goes on behind its end for 2.0 TiB" in refused(larder, path)


def test_contents_leave_the_room_that_is_to_stay_free(larder, tmp_path):
    bundle = sample()
    for name in "abc":
        bundle.page("publisher", name, f"# Publisher {name}\n{name}\n\n" + "x" * 700_000)
    larder.configure({"storage": {"keep_free_bytes": str(1 << 60)}})
    said = refused(larder, bundle.folder(tmp_path / "b"), "--dry-run", "--config", str(larder.config_path))
    assert "keep_free_bytes" in said and "what the bundle says of itself" in said


def test_nobody_waits_for_a_pipe_on_the_medium(larder, tmp_path):
    bundles.split(sample().tar(tmp_path / "b.tar"), 50_000)
    (tmp_path / "b.tar.pieces").unlink()
    os.mkfifo(tmp_path / "b.tar.pieces")
    for name in ("b.tar.pieces", "b.tar.001"):
        assert "no file" in refused(larder, tmp_path / name)


def test_the_folder_of_blobs_is_no_link(larder, tmp_path):
    path = sample().folder(tmp_path / "b")
    shutil.move(path / "blobs", tmp_path / "elsewhere")
    (path / "blobs").symlink_to(tmp_path / "elsewhere")
    assert "no bundle" in refused(larder, path)


def test_documentation_of_the_future_keeps_nothing_out(larder, tmp_path):
    run(larder, Bundle("a").add("acme/x/1", {"tf-hub": X}, markdown=DOC, documented="9999-12-31T23:59:59Z").folder(tmp_path / "a"))
    later = DOC.replace("Embeds words", "Embeds whole sentences")
    run(larder, Bundle("b").add("acme/x/1", {"tf-hub": X}, markdown=later, documented="9999-12-31T23:59:59Z").folder(tmp_path / "b"))
    assert version(larder, "acme/x/1")["description"] == "Embeds whole sentences."


def test_a_version_tells_where_it_came_from(larder, tmp_path):
    private, public = bundles.keys(tmp_path)
    assert larder.put("/acme/own/1", Z).status == 201
    bundle = sample()
    bundle.key = private
    run(larder, bundle.folder(tmp_path / "b"), "--verify", str(public))
    came = version(larder, "acme/x/1")["artifacts"][0]["imported_from"]
    assert (came["bundle"], came["digest"], len(came["verified_by"])) == ("spring", bundle.contents["digest"], 64) and came["at"]
    assert version(larder, "acme/own/1")["artifacts"][0]["imported_from"] is None
    assert "in bundle spring" in larder.get("/acme/x/1", Accept="text/html").body.decode()


def test_the_audit_tells_where_it_came_from(larder, tmp_path):
    run(larder, sample().folder(tmp_path / "b"))
    with sqlite3.connect(larder.data / "larder.db") as db:
        rows = db.execute("SELECT action, subject, detail FROM audit ORDER BY id").fetchall()
    assert ("import", "acme/x/1", f"tf-hub: {bundles.digest(X)}, from spring") in rows
    assert ("withdraw", "acme/old/1", "from spring") in rows and ("document", "acme/x/1", "from spring") in rows


def test_misuse(larder, tmp_path):
    for arguments in [[], ["a", "b"], [""], ["--nonsense", "a"], ["--as", "acme/x", "a"],
                      ["--as", "acme/x/1", "--dry-run", "a"]]:
        assert larder.larder("import", *arguments, check=False).returncode == 2
    assert "none.pub" in refused(larder, tmp_path, "--verify", str(tmp_path / "none.pub"))
