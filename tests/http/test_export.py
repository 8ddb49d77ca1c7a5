# SPDX-License-Identifier: Apache-2.0
"""larder export: what is here becomes a bundle, a part of it or all, in a folder, a tar or pieces; and other tools carry it."""
import base64
import hashlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess

import pytest
from support import modules
from support.bundles import Bundle, is_signed_by
from support.daemon import REPORTS, binary, under_thread_sanitizer
from support.peaks import peak
from support.ports import Port
from support.waiting import DEADLINE_S, wait_until
from test_import_docs import MODULE

EPOCH = "1795867200"  # 2026-11-28T12:00:00Z


def run(larder, *arguments, status=0, preexec=None):
    done = subprocess.run([binary(), *map(str, arguments), "--data", str(larder.data)], capture_output=True, text=True,
                          timeout=DEADLINE_S, cwd=larder.folder, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH}, preexec_fn=preexec)
    assert not REPORTS.search(done.stderr), done.stderr
    assert done.returncode == status, f"{arguments}: status {done.returncode}: {done.stdout}{done.stderr}"
    return done


def export(larder, *arguments, **options):
    return run(larder, "export", *arguments, **options)


def report(larder, *arguments, **options):
    return json.loads(export(larder, "--json", *arguments, **options).stdout)


def withdraw(larder, path):
    assert larder.request("DELETE", path, {"Authorization": "Bearer " + larder.token("withdraw:*")}).status == 200


def assert_no_traces(larder):
    outgoing = larder.data / "outgoing"
    assert not outgoing.exists() or list(outgoing.iterdir()) == []


@pytest.fixture
def stocked(larder):
    """A bit of everything."""
    larder.publish("/acme/x/1?tf-hub-format=compressed", modules.module(3000, seed=1))
    larder.publish("/acme/x/1?tfjs-format=compressed", modules.tfjs_module())
    larder.publish("/acme/x/2", modules.module(3000, seed=2))
    larder.publish("/acme/x/3", modules.module(3000, seed=3))
    withdraw(larder, "/acme/x/3")
    larder.publish("/acme-b/y/1", modules.module(3000, seed=1))  # the bytes of acme/x/1
    larder.publish("/zoo/deep/er/7?lite-format=tflite", modules.tflite_model())
    larder.publish("/acme/x/2", MODULE.format(path="acme/x/2", description="A \"<b>quoted</b>\" & more.").encode(),
                   content_type="text/markdown")
    tree = larder.folder / "tree/assets/docs/acme"
    (tree / "collections/c").mkdir(parents=True)
    (tree / "models/listed").mkdir(parents=True)
    (tree / "acme.md").write_text("# Publisher acme\nAcme Ltd\n\n[![Icon URL]](https://acme.test/i.png)\n\n## Who\nWe.\n")
    (tree / "collections/c/1.md").write_text("# Collection acme/c/1\nAll of ours.\n\n<!-- task: text-embedding -->\n\n## Modules\n"
                                             "[x](https://tfhub.dev/acme/x/2) [l](https://tfhub.dev/acme/listed)\n")
    (tree / "models/listed/1.md").write_text(MODULE.format(path="acme/listed/1", description="Not here."))
    larder.larder("import-docs", str(larder.folder / "tree"))
    return larder


# ---- all of it ---------------------------------------------------------------------------------------------------------

def test_everything_that_is_here(stocked):
    told = report(stocked, "-o", "out")
    bundle = Bundle(stocked.folder / "out")
    assert bundle.paths() == ["acme-b/y/1", "acme/listed/1", "acme/x/1", "acme/x/2", "acme/x/3", "zoo/deep/er/7"]
    assert bundle.artifacts() == {
        "acme-b/y/1 tf-hub": modules.module(3000, seed=1), "acme/x/1 tf-hub": modules.module(3000, seed=1),
        "acme/x/1 tfjs": modules.tfjs_module(), "acme/x/2 tf-hub": modules.module(3000, seed=2),
        "zoo/deep/er/7 tflite": modules.tflite_model()}
    assert [bundle.line(path)["source"] for path in bundle.paths()] == ["published", "listed", "published", "published", "published",
                                                                       "published"]
    assert bundle.line("acme/x/3")["state"] == "withdrawn" and bundle.line("acme/x/3")["artifacts"] == []
    assert list(bundle.publishers) == ["acme"] and bundle.publishers["acme"].startswith("# Publisher acme\nAcme Ltd")
    assert list(bundle.collections) == ["acme/c"]
    head = stocked.get("/api/v1/audit/head", authorization=f"Bearer {stocked.token('admin')}").json()["hash"]
    assert bundle.header == {"larder_bundle": 1, "created": "2026-11-28T12:00:00Z", "name": "", "server": bundle.header["server"]}, "what format 1 has, and no more"
    assert bundle.contents_manifest["annotations"] == {"dev.larder.audit-head": head}
    assert bundle.signature() is None
    assert {key: told[key] for key in ("versions", "withdrawn", "artifacts", "blobs", "publishers", "collections", "missing")} == {
        "versions": 6, "withdrawn": 1, "artifacts": 5, "blobs": 4, "publishers": 1, "collections": 1, "missing": []}
    assert told["index"] == bundle.digest
    assert_no_traces(stocked)


def test_a_record_has_what_is_known(stocked):
    export(stocked, "-o", "out")
    bundle = Bundle(stocked.folder / "out")
    record = bundle.record("acme/x/2")
    assert record["documentation"]["markdown"] == MODULE.format(path="acme/x/2", description="A \"<b>quoted</b>\" & more.")
    assert record["documentation"]["updated_by"] == "ci-publish" and record["published_by"] == "ci-publish"
    assert record["artifacts"] == [{"format": "tf-hub", "source": "published", "published_by": "ci-publish", "upstream": None,
                                    "created_at": record["artifacts"][0]["created_at"]}]
    assert record["saved_model"]["meta_graphs"][0]["signatures"] and {"kind": "task", "value": "text-embedding"} in record["tags"]
    assert bundle.record("acme/listed/1")["formats"] == ["tf-hub"]
    assert bundle.record("acme/x/3")["state"] == "withdrawn"


def test_what_was_mirrored_stays_so(upstream, mirror):
    upstream.serve("/google/m/1", modules.module(2000))
    assert mirror.get("/google/m/1?tf-hub-format=compressed").status == 200
    mirror.wait_for_idle()
    export(mirror, "-o", "out")
    bundle = Bundle(mirror.folder / "out")
    assert bundle.line("google/m/1")["source"] == "mirrored"
    assert bundle.record("google/m/1")["artifacts"][0]["upstream"] == "test0"


@pytest.mark.parametrize("goes, source", [("?tf-hub-format=compressed", "mirrored"), ("?tfjs-format=compressed", "published"), ("", "published")])
def test_the_word_for_it_is_that_of_what_goes(upstream, mirror, goes, source):
    """A version that is mirrored in one format, and published in another."""
    upstream.serve("/google/m/1", modules.module(2000))
    assert mirror.get("/google/m/1?tf-hub-format=compressed").status == 200
    mirror.wait_for_idle()
    mirror.publish("/google/m/1?tfjs-format=compressed", modules.tfjs_module())
    export(mirror, f"google/m/1{goes}", "-o", "out")
    assert Bundle(mirror.folder / "out").line("google/m/1")["source"] == source
    mirror.larder("import", str(mirror.folder / "out"))


def test_the_same_gives_the_same_bytes(stocked):
    for name in ("a", "b", "a.tar", "b.tar"):
        export(stocked, "-o", name)
    folder = stocked.folder
    assert (folder / "a.tar").read_bytes() == (folder / "b.tar").read_bytes()
    assert Bundle(folder / "a").files == Bundle(folder / "b").files == Bundle(folder / "a.tar").files
    assert "has it already" in export(stocked, "-o", "a").stdout


def test_an_empty_store_is_an_empty_bundle(larder):
    export(larder, "-o", "out.tar")
    assert Bundle(larder.folder / "out.tar").versions == []


# ---- a part of it ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, wanted", [
    (["acme/x"], ["acme/x/1 tf-hub", "acme/x/1 tfjs", "acme/x/2 tf-hub"]),
    (["acme/x/1"], ["acme/x/1 tf-hub", "acme/x/1 tfjs"]),
    (["acme/x/1?tfjs-format=compressed"], ["acme/x/1 tfjs"]),
    (["/acme/x/2", "zoo/deep/er"], ["acme/x/2 tf-hub", "zoo/deep/er/7 tflite"]),
    (["*/y"], ["acme-b/y/1 tf-hub"]),
    (["acme?b/*", "zoo/*?lite-format=tflite"], ["acme-b/y/1 tf-hub", "zoo/deep/er/7 tflite"]),
    (["*/x/2"], ["acme/x/2 tf-hub"]),
    (["--collection", "acme/c"], ["acme/x/1 tf-hub", "acme/x/1 tfjs", "acme/x/2 tf-hub"]),
    (["--documentation-only"], []),
])
def test_what_is_asked_for(stocked, arguments, wanted):
    export(stocked, *arguments, "-o", "out")
    assert sorted(Bundle(stocked.folder / "out").artifacts()) == sorted(wanted)


def test_pages_go_with_their_modules(stocked):
    for arguments, publishers, collections in ((["acme/x/1"], ["acme"], []), (["zoo/*"], [], []),
                                               (["--collection", "acme/c"], ["acme"], ["acme/c"]),
                                               (["--documentation-only"], ["acme"], ["acme/c"])):
        export(stocked, *arguments, "-o", "out", "--force")
        bundle = Bundle(stocked.folder / "out")
        assert (list(bundle.publishers), list(bundle.collections)) == (publishers, collections)


def test_documentation_only(stocked):
    export(stocked, "--documentation-only", "-o", "out")
    bundle = Bundle(stocked.folder / "out")
    assert bundle.paths() == ["acme/listed/1", "acme/x/2", "acme/x/3"]
    assert {line["source"] for line in bundle.versions if line["state"] == "active"} == {"listed"}


def test_want_list(stocked):
    (stocked.folder / "wants.txt").write_text("# what they lack\nacme/x/1?tf-hub-format=compressed\t12\t2026-11-28T13:40:00Z\n\n"
                                              "zoo/deep/er/7?lite-format=tflite\t1\t2026-11-28T13:40:00Z\n")
    export(stocked, "--want", "wants.txt", "-o", "out")
    assert sorted(Bundle(stocked.folder / "out").artifacts()) == ["acme/x/1 tf-hub", "zoo/deep/er/7 tflite"]


def test_lock_file(stocked):
    (stocked.folder / "models.lock").write_text(
        subprocess.run([binary(), "lock", "acme/x/1", "acme/x/2", "--server", stocked.url], capture_output=True, text=True,
                       check=True).stdout)
    export(stocked, "--lock", "models.lock", "-o", "out")
    assert sorted(Bundle(stocked.folder / "out").artifacts()) == ["acme/x/1 tf-hub", "acme/x/1 tfjs", "acme/x/2 tf-hub"]
    lock = json.loads((stocked.folder / "models.lock").read_text())
    lock["artifacts"][0]["digest"] = "sha256:" + "0" * 64
    (stocked.folder / "models.lock").write_text(json.dumps(lock))
    done = export(stocked, "--lock", "models.lock", "-o", "other", status=1)
    assert "acme/x/1 (tf-hub) is here with other bytes" in done.stderr and not (stocked.folder / "other").exists()


def test_since_a_time(stocked):
    far = report(stocked, "--since", "2099-01-01T00:00:00Z", "--dry-run")
    assert far["versions"] == 0 and far["unchanged"] == 6
    export(stocked, "--since", "2020-01-01", "-o", "out")
    bundle = Bundle(stocked.folder / "out")
    assert len(bundle.versions) == 6 and bundle.header["since"] == "2020-01-01T00:00:00Z"


@pytest.mark.parametrize("form", ["out", "out.tar", "pieces"])
def test_since_a_bundle(stocked, form):
    """What is in there to the byte does not go again: new, withdrawn and newly documented versions do, and new pages."""
    name, options = ("out.tar.pieces", ["-o", "out.tar", "--split", "1M"]) if form == "pieces" else (form, ["-o", form])
    export(stocked, *options)
    nothing = report(stocked, "--since", name, "-o", "nothing")
    assert nothing["versions"] == nothing["publishers"] == nothing["collections"] == 0 and nothing["unchanged"] == 6
    stocked.publish("/acme/x/4", modules.module(3000, seed=4))
    stocked.publish("/acme/x/1?lite-format=tflite", modules.tflite_model())
    withdraw(stocked, "/acme-b/y/1")
    stocked.publish("/zoo/deep/er/7", b"# Words\nOf it.\n", content_type="text/markdown")
    page = stocked.folder / "tree/assets/docs/acme/acme.md"
    page.write_text(page.read_text() + "And more.\n")
    stocked.larder("import-docs", str(stocked.folder / "tree"))
    export(stocked, "--since", name, "-o", "update")
    update = Bundle(stocked.folder / "update")
    assert update.paths() == ["acme-b/y/1", "acme/x/1", "acme/x/4", "zoo/deep/er/7"]
    assert update.header["since"] == update.header["created"] == "2026-11-28T12:00:00Z"
    assert update.publishers["acme"].endswith("And more.\n") and update.collections == {}
    # Of a part of it.
    export(stocked, "acme/x", "--since", name, "-o", "part")
    assert Bundle(stocked.folder / "part").paths() == ["acme/x/1", "acme/x/4"]


def test_a_bundle_that_is_damaged_is_no_base(stocked):
    export(stocked, "-o", "out")
    contents, = [file for file in (stocked.folder / "out/blobs/sha256").iterdir() if b"larder_bundle" in file.read_bytes()]
    contents.chmod(0o644)
    contents.write_bytes(contents.read_bytes().replace(b"acme/x", b"acme/z"))
    assert "--since out" in export(stocked, "--since", "out", "-o", "update", status=1).stderr


def test_what_is_lacking_is_named(stocked):
    wishes = ["acme/x/2", "acme/none/1", "acme/listed", "acme/x/2?coral-format=tflite", "none/*", "acme/x/3?tf-hub-format=compressed"]
    done = export(stocked, *wishes, "-o", "out", status=1)
    for words in ("acme/none/1 is not known here", "acme/listed is known, but its bytes are not here", "acme/x/2 (coral) is known",
                  "none/* matches nothing", "acme/x/3 (tf-hub) was withdrawn", "--partial"):
        assert words in done.stderr
    assert "acme/x/2 is" not in done.stderr and not (stocked.folder / "out").exists()
    told = report(stocked, *wishes, "--partial", "-o", "out", status=1)
    assert told["written"] and told["failure"] is None
    assert [one["path"] for one in told["missing"]] == ["acme/listed", "acme/none/1", "acme/x/2", "acme/x/3", "none/*"]
    assert list(Bundle(stocked.folder / "out").artifacts()) == ["acme/x/2 tf-hub"]
    assert report(stocked, "acme/none", "--dry-run", status=1)["missing"][0]["code"] == "not-found"


@pytest.mark.parametrize("name, words", [("acme", "'acme/*'"), ("acme/%zz", "names no module"), ("Acme/x", "lower case"), ("acme/x/0", "from 1"),
                                         ("https://tfhub.dev/acme", "'acme/*'"), ("acme/x/1/saved_model.pb", "a file of a module"),
                                         ("acme/x/", "empty segment"), ("https://tfhub.dev", "names no module")])
def test_what_can_be_no_name_is_told(larder, name, words):
    assert words in export(larder, name, "-o", "out", status=1).stderr


def test_what_is_only_listed_is_told_apart(stocked):
    """The same for patterns, collections and all that is here; a path is a wish for bytes."""
    for arguments, told in ((["acme/*"], (4, 1, 1)), ([], (6, 1, 1)), (["*/listed"], (1, 1, 0)), (["--collection", "acme/c"], (4, 1, 1))):
        found = report(stocked, *arguments, "--dry-run")
        assert (found["versions"], found["listed"], found["withdrawn"], found["missing"]) == (*told, [])
    assert "1 version: 0 with bytes, 1 only listed, 0 withdrawn" in export(stocked, "*/listed", "--dry-run").stdout
    missing = report(stocked, "acme/listed", "acme/none/1", "acme/x/3?tf-hub-format=compressed", "--dry-run", status=1)["missing"]
    assert [one["state"] for one in missing] == ["not-cached", "not-known", "withdrawn"]


def test_a_dry_run_writes_nothing(stocked):
    told = report(stocked, "-o", "out", "--dry-run")
    written = report(stocked, "-o", "real")
    assert not (stocked.folder / "out").exists() and told["dry_run"] and not told["written"]
    assert told["blob_bytes"] == written["blob_bytes"] and told["other_bytes"] == written["other_bytes"]
    assert_no_traces(stocked)


@pytest.mark.parametrize("arguments", [["-o", "x", "--split", "2M"], ["-o", "x.tar", "--split", "1000"], ["-o", "x.tar", "--split", "z"],
                                       ["-o", "x.tgz"], ["-o", "x.tar.gz"], ["-o", "x.tar.zst"], ["-o", "x.zip"], [],
                                       *(["--name", name, "-o", "x"] for name in ("n" * 300, "\x1b[2J", "a\nb", "\x7f", "\x9b2J", "a\udcff"))], ids=ascii)
def test_misuse(larder, arguments):
    export(larder, *arguments, status=2)


@pytest.mark.parametrize("arguments, words", [
    (["--since", "yesterday"], "--since yesterday is"), (["--want", "none.txt"], "none.txt"), (["--lock", "none.lock"], "none.lock"),
    (["--collection", "acme/none"], "no collection acme/none"), (["--collection", "acme"], "no collection acme"),
    (["--sign", "none.pem"], "none.pem"), (["acme/x?format=zip"], "names no format"), ([""], "names no module"), (["a b"], "names no module")])
def test_what_cannot_be_read_is_told(larder, arguments, words):
    assert words in export(larder, *arguments, "-o", "out", status=1).stderr
    assert not (larder.folder / "out").exists()


# ---- where to ----------------------------------------------------------------------------------------------------------

def test_nothing_else_is_overwritten(stocked):
    folder = stocked.folder
    (folder / "mine").mkdir()
    (folder / "mine/thesis.txt").write_text("x")
    (folder / "file").write_text("x")
    (folder / "old.tar").write_text("x")
    for name, words in (("mine", "other files"), ("file", "not a folder"), ("old.tar", "--force")):
        assert words in export(stocked, "-o", name, status=1).stderr
    assert os.listdir(folder / "mine") == ["thesis.txt"] and (folder / "old.tar").read_text() == "x"
    export(stocked, "-o", "old.tar", "--force")
    assert Bundle(folder / "old.tar").versions


def blob_of(folder, content):
    return folder / "blobs/sha256" / hashlib.sha256(content).hexdigest()


def damage(path, how):
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "link":
        path.rename(path.parents[3] / "elsewhere")
        path.symlink_to(path.parents[3] / "elsewhere")
    else:
        path.write_bytes({"cut": content[:-1], "empty": b"", "longer": content + b"x",
                          "other": content[:100] + bytes([content[100] ^ 4]) + content[101:]}[how])


@pytest.mark.parametrize("how", ["gone", "cut", "empty", "longer", "other", "link"])
@pytest.mark.parametrize("which", ["module", "record", "contents"])
def test_what_is_there_in_part_is_mended(stocked, which, how):
    """It is not called whole by its index alone."""
    folder = stocked.folder / "out"
    export(stocked, "-o", "out")
    whole = Bundle(folder)
    files = [path for path in (folder / "blobs/sha256").iterdir() if b'"larder_bundle"' in path.read_bytes()[:20]]
    damage({"module": blob_of(folder, modules.module(3000, seed=2)), "contents": files[0],
            "record": folder / "blobs/sha256" / whole.line("acme/x/2")["config"]["digest"].partition(":")[2]}[which], how)
    assert "had it, but not whole, and is mended" in export(stocked, "-o", "out").stdout
    assert Bundle(folder).files == whole.files and not any(path.is_symlink() for path in folder.rglob("*"))
    assert "has it already" in export(stocked, "-o", "out").stdout


def test_a_folder_without_its_blobs_is_mended(stocked):
    folder = stocked.folder / "out"
    export(stocked, "-o", "out")
    whole = Bundle(folder).files
    shutil.rmtree(folder / "blobs")
    export(stocked, "-o", "out")
    assert Bundle(folder).files == whole
    (stocked.folder / "linked").mkdir()
    (stocked.folder / "linked/index.json").symlink_to(folder / "index.json")
    (stocked.folder / "linked/oci-layout").write_bytes((folder / "oci-layout").read_bytes())
    export(stocked, "-o", "linked")
    assert Bundle(stocked.folder / "linked").files == whole and not (stocked.folder / "linked/index.json").is_symlink()


FORMS = {"folder": ("out", [], "out"), "tar": ("out.tar", [], "out.tar"), "pieces": ("out.tar", ["--split", "1M"], "out.tar.pieces")}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_again_is_told(stocked, form, monkeypatch):
    """In each form, also at another time: nothing is written, and status 0. Other content is refused."""
    monkeypatch.setitem(os.environ, "SOURCE_DATE_EPOCH", "1")
    stocked.publish("/acme/big/1", modules.module(1 << 20))
    name, options, result = FORMS[form]
    subprocess.run([binary(), "keygen", "-o", "key"], check=True, cwd=stocked.folder, capture_output=True)
    options = [*options, "--sign", "key", "--name", "weekly"]
    export(stocked, "-o", name, *options)

    def state():
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns)
                for pattern in ("out*", "out/**/*") for path in stocked.folder.glob(pattern)}

    before = state()
    with_clock = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
    done = subprocess.run([binary(), "export", "-o", name, *options, "--json", "--data", str(stocked.data)], cwd=stocked.folder,
                          env=with_clock, capture_output=True, text=True, timeout=DEADLINE_S)
    told = json.loads(done.stdout)
    assert done.returncode == 0 and told["was_there"] and told["written"] and told["failure"] is None, done.stderr
    assert told["index"] == Bundle(stocked.folder / result).digest
    assert "has it already" in export(stocked, "-o", name, *options).stdout
    assert before == state()
    export(stocked, "-o", name, *options[:-1], "monthly", status=1)
    stocked.publish("/acme/x/4", modules.module(3000, seed=4))
    done = subprocess.run([binary(), "export", "-o", name, *options, "--data", str(stocked.data)], cwd=stocked.folder,
                          env=with_clock, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 1 and "--force" in done.stderr
    assert before == state()


@pytest.mark.parametrize("form", ["tar", "pieces"])
@pytest.mark.parametrize("how", ["cut", "longer", "other"])
def test_a_tar_that_is_damaged_is_not_called_the_same(larder, form, how):
    larder.publish("/acme/big/1", modules.module(1 << 20))
    name, options, result = FORMS[form]
    export(larder, "-o", name, *options)
    whole = Bundle(larder.folder / result).files
    damage(larder.folder / {"tar": "out.tar", "pieces": "out.tar.001"}[form], how)
    assert "--force" in export(larder, "-o", name, *options, status=1).stderr
    export(larder, "-o", name, *options, "--force")
    assert Bundle(larder.folder / result).files == whole


def test_both_digests_are_told(stocked):
    told = report(stocked, "-o", "out")
    done = export(stocked, "-o", "out")
    assert f"bundle {told['index']}, contents {told['contents']}" in done.stdout


def test_a_failure_is_told_to_programs(stocked):
    """In JSON, too, with null for what is not known."""
    for arguments, words in ((["acme/none", "-o", "out"], "nothing is written"), (["-o", "file"], "not a folder")):
        (stocked.folder / "file").write_text("x")
        told = report(stocked, *arguments, status=1)
        assert words in told["failure"] and not told["written"] and told["index"] is told["contents"] is told["key"] is None


@pytest.mark.parametrize("lines", [b"acme/x/1\n" + b"\0" * 100, b"acme/x/1\0\n", b"a" * 9000, b"acme/x/1\n" + b" " * 9000 + b"acme/x/2"])
def test_a_want_list_that_is_none(stocked, lines):
    """It comes from the other side. Refused where the first byte is that cannot be, however much is behind it."""
    (stocked.folder / "wants.txt").write_bytes(lines)
    with open(stocked.folder / "wants.txt", "r+b") as file:
        file.truncate(4 << 30)
    assert "it is no list of paths" in export(stocked, "--want", "wants.txt", "-o", "out", status=1,
                                               preexec=lambda: resource.setrlimit(resource.RLIMIT_CPU, (20, 20))).stderr


@pytest.mark.parametrize("name", ["\x1b[31m\x07", "a\u009b31mb", "\x1b]0;owned\x07/*"])
def test_what_they_call_it_steers_no_terminal(stocked, name):
    (stocked.folder / "wants.txt").write_text(name + "\n")
    words = export(stocked, "--want", "wants.txt", "-o", "out", status=1).stderr + export(stocked, name, "-o", "out", status=1).stderr
    assert not any(letter in words for letter in "\x1b\x07\u009b")


@pytest.mark.parametrize("name", ["oci-layout", ".oci-layout.part", ".index.json.part", "blobs/sha256/unfinished", "index.json", "BLOB"])
@pytest.mark.parametrize("trap", ["link", "pipe", "second name"])
def test_what_others_put_there_is_not_written_into(larder, name, trap):
    larder.publish("/acme/x/1", modules.module(3000, seed=1))
    folder, mine = larder.folder / "out", larder.folder / "mine"
    (folder / "blobs/sha256").mkdir(parents=True)
    (folder / "oci-layout").write_text("{}")
    mine.write_text("a thesis")
    place = folder / name.replace("BLOB", "blobs/sha256/" + hashlib.sha256(modules.module(3000, seed=1)).hexdigest())
    place.unlink(missing_ok=True)
    {"pipe": lambda: os.mkfifo(place), "second name": lambda: os.link(mine, place), "link": lambda: place.symlink_to(mine)}[trap]()
    done = subprocess.run([binary(), "export", "-o", "out", "--force", "--data", str(larder.data)], cwd=larder.folder, timeout=DEADLINE_S,
                          capture_output=True, text=True)
    assert mine.read_text() == "a thesis" and (done.returncode == 0 or "other files" in done.stderr), done.stderr
    if done.returncode == 0:
        assert len(Bundle(folder).versions) == 1 and not any(path.is_symlink() for path in folder.rglob("*"))


@pytest.mark.parametrize("name", ["blobs", "blobs/sha256"])
def test_a_link_out_of_the_folder_is_not_followed(larder, name):
    larder.publish("/acme/x/1", modules.module(3000, seed=1))
    folder, theirs = larder.folder / "out", larder.folder / "theirs"
    (folder / name).parent.mkdir(parents=True)
    (folder / "oci-layout").write_text("{}")
    (theirs / "sha256").mkdir(parents=True)
    (theirs / ("0" * 64)).write_text("a thesis")
    (folder / name).symlink_to(theirs)
    assert name.partition("/")[0] in export(larder, "-o", "out", status=1).stderr
    assert sorted(path.name for path in theirs.iterdir()) == ["0" * 64, "sha256"] and not list((theirs / "sha256").iterdir())


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_whom_the_mask_allows_reads_it(stocked, mask):
    """The other side has another user: a bundle has no secret beyond its modules."""
    export(stocked, "-o", "a/b/out", preexec=lambda: os.umask(mask))
    for path in (stocked.folder / "a", *(stocked.folder / "a").rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~mask, path


def test_a_folder_is_brought_up_to_date(stocked):
    folder = stocked.folder / "out"
    export(stocked, "-o", "out")
    kept = {file.name: file.stat().st_ino for file in (folder / "blobs/sha256").iterdir()}
    withdraw(stocked, "/acme/x/1")
    stocked.publish("/acme/x/4", modules.module(3000, seed=4))
    assert "--force" in export(stocked, "-o", "out", status=1).stderr
    assert len(Bundle(folder).versions) == 6
    export(stocked, "-o", "out", "--force")
    assert set(Bundle(folder).artifacts()) == {"acme-b/y/1 tf-hub", "acme/x/2 tf-hub", "acme/x/4 tf-hub", "zoo/deep/er/7 tflite"}
    again = {file.name: file.stat().st_ino for file in (folder / "blobs/sha256").iterdir()}
    assert all(again[name] == kept[name] for name in set(kept) & set(again)), "what was there was copied again"


@pytest.mark.parametrize("place", ["data", "data/x", "data/drafts/x/y", "data/blobs/sha256/out.tar", "link/x", "link/new/out.tar"])
def test_nothing_is_written_into_the_data_folder(larder, place):
    (larder.folder / "link").symlink_to(larder.data)
    before = sorted(larder.data.rglob("*"))
    for arguments in (["-o", place], ["--tfhub-cache", place, "--as", "https://tfhub.dev"]):
        assert "is in the data folder" in export(larder, *arguments, status=1).stderr
    assert sorted(larder.data.rglob("*")) == before
    export(larder, "-o", "data-of-others")


def test_that_it_is_not_signed_is_told(larder):
    assert "not signed" in export(larder, "-o", "out").stderr
    subprocess.run([binary(), "keygen", "-o", "key"], check=True, cwd=larder.folder, capture_output=True)
    assert "not signed" not in export(larder, "-o", "other", "--sign", "key").stderr


def test_two_exports_do_not_write_the_same(stocked):
    folder = stocked.folder / "out"
    folder.mkdir()
    holder = subprocess.Popen(["flock", str(folder), "sh", "-c", "echo held; read _"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()
    assert "another export" in export(stocked, "-o", "out", status=1).stderr
    holder.communicate(b"\n")
    export(stocked, "-o", "out")


@pytest.mark.parametrize("size, split, count", [(10, "1M", 1), (3 << 20, "1M", 4), (3 << 20, "2M", 2)])
def test_what_was_written_is_named(larder, size, split, count):
    larder.publish("/acme/x/1", modules.module(size, seed=1))
    wanted = [f"p.tar.{number:03}" for number in range(1, count + 1)] + ["p.tar.pieces"]
    told = report(larder, "-o", "p.tar", "--split", split)
    assert told["files"] == wanted and all((larder.folder / name).exists() for name in wanted)
    for done in (export(larder, "-o", "p.tar", "--split", split), export(larder, "-o", "p.tar", "--split", split, "--force")):
        line = next(line for line in done.stdout.splitlines() if "bundle sha256:" in line)
        assert wanted[0] in line and wanted[-1] in line and wanted[-2] in line and "p.tar:" not in line
    assert report(larder, "-o", "p2.tar")["files"] == ["p2.tar"] and report(larder, "-o", "folder")["files"] == ["folder"]


@pytest.mark.parametrize("split", ["1M", "1500K", "64M"])
def test_pieces(larder, split):
    for i in range(3):
        larder.publish(f"/acme/big/{i + 1}", modules.module((1 << 20) + 1000 * i, seed=i))
    export(larder, "-o", "whole.tar")
    export(larder, "-o", "out.tar", "--split", split)
    folder = larder.folder
    assert Bundle(folder / "out.tar.pieces").files == Bundle(folder / "whole.tar").files
    size = {"1M": 1 << 20, "1500K": 1500 << 10, "64M": 64 << 20}[split]
    pieces = sorted(folder.glob("out.tar.0*"))
    assert all(piece.stat().st_size == size for piece in pieces[:-1]) and len(pieces) == -(-(folder / "whole.tar").stat().st_size // size)
    assert "has it already" in export(larder, "-o", "out.tar", "--split", split).stdout
    assert "--force" in export(larder, "-o", "out.tar", "--split", "3M", status=1).stderr
    export(larder, "-o", "out.tar", "--split", "2M", "--force")
    assert Bundle(folder / "out.tar.pieces").files == Bundle(folder / "whole.tar").files


# ---- going on ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["folder", "tar", "pieces"])
def test_what_was_broken_off_is_gone_on_with(larder, kind):
    """The medium takes so much and no more, then more and more: the end is as if it had been done at once."""
    for i in range(4):
        larder.publish(f"/acme/big/{i + 1}", modules.module((1 << 20) + 1000 * i, seed=i))
    name, options, result = {"folder": ("out", [], "out"), "tar": ("out.tar", [], "out.tar"),
                             "pieces": ("out.tar", ["--split", "3M"], "out.tar.pieces")}[kind]
    export(larder, "-o", "whole")
    limits = [100, 5000, 700_000] + ([] if kind == "folder" else [2_500_000])
    for limit in limits:
        done = export(larder, "-o", name, *options, status=1,
                      preexec=lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        assert "takes no file of this size" in done.stderr or limit <= 5000, done.stderr
        assert not (larder.folder / result).is_file() and not (larder.folder / "out/index.json").exists()
    export(larder, "-o", name, *options)
    assert Bundle(larder.folder / result).files == Bundle(larder.folder / "whole").files
    assert_no_traces(larder)


def test_what_lies_there_is_proved(larder):
    larder.publish("/acme/big/1", modules.module(300_000))
    export(larder, "-o", "whole")
    blobs = larder.folder / "out/blobs/sha256"
    blobs.mkdir(parents=True)
    (larder.folder / "out/oci-layout").write_text("{}")
    for file in (larder.folder / "whole/blobs/sha256").iterdir():
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        (blobs / file.name).write_bytes(content)
    (blobs / ("0" * 64)).write_bytes(b"from an earlier attempt")
    export(larder, "-o", "out")
    assert Bundle(larder.folder / "out").files == Bundle(larder.folder / "whole").files


def test_what_is_rotten_in_the_store_is_found(stocked):
    digest = hashlib.sha256(modules.module(3000, seed=2)).hexdigest()
    blob = stocked.data / "blobs/sha256" / digest[:2] / digest
    content = bytearray(blob.read_bytes())
    content[1000] ^= 4
    for change in (bytes(content), bytes(content[:-1]), b""):
        blob.unlink()
        blob.write_bytes(change)
        for name in ("out", "out.tar"):
            done = export(stocked, "-o", name, status=1)
            assert "acme/x/2 (tf-hub)" in done.stderr and digest in done.stderr
        assert not (stocked.folder / "out/index.json").exists() and not (stocked.folder / "out.tar").exists()
    export(stocked, "acme/x/1", "-o", "out")


def store_blob(larder, content):
    name = hashlib.sha256(content).hexdigest()
    return larder.data / "blobs/sha256" / name[:2] / name


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.unlink()
    path.write_bytes(content)


def turn_into_folder(path):
    path.unlink()
    path.mkdir()


# What may become of a file in the store, and what is said of it.
ROT = {"flipped": (flip, "other bytes"), "cut": (lambda path: damage(path, "cut"), "other bytes"), "empty": (lambda path: damage(path, "empty"), "other bytes"),
       "gone": (lambda path: path.unlink(), "missing"), "a folder": (turn_into_folder, "cannot be"),
       "a link to nothing": (lambda path: (path.unlink(), path.symlink_to("/none")), "cannot be")}
SHELF = {f"acme/m{number}/1": modules.module(3000, seed=50 + number) for number in range(8)} | {"acme/twin/1": modules.module(3000, seed=51)}


@pytest.fixture
def shelf(larder):
    for path, content in SHELF.items():
        larder.publish("/" + path, content)
    return larder


@pytest.mark.parametrize("form", FORMS)
def test_all_that_is_rotten_is_named(shelf, form):
    """Not only the first; the rest goes by --partial, and is a bundle like any other."""
    bad = {}
    for number, (spoil, words) in enumerate(ROT.values()):
        spoil(store_blob(shelf, SHELF[f"acme/m{number}/1"]))
        bad[f"acme/m{number}/1"] = words
    bad["acme/twin/1"] = ""
    place, options, name = FORMS[form]
    done = export(shelf, "-o", place, *options, "--partial", status=1)
    for path, words in bad.items():
        assert any(path + " (tf-hub)" in line and words in line for line in done.stderr.splitlines()), done.stderr
    whole = Bundle(shelf.folder / name)
    assert sorted(whole.artifacts()) == sorted(f"{path} tf-hub" for path in SHELF if path not in bad)
    assert_no_traces(shelf)
    told = report(shelf, "-o", place, *options, "--force", "--partial", status=1)
    assert {row["name"] for row in told["damaged"]} == {path + " (tf-hub)" for path in bad} and told["written"] and told["failure"] is None


@pytest.mark.parametrize("kinds", [["flipped", "cut"], ["gone", "gone"], ["empty", "a folder", "flipped"]])
def test_without_partial_nothing_is_written_and_all_are_named(shelf, kinds):
    for number, kind in enumerate(kinds):
        ROT[kind][0](store_blob(shelf, SHELF[f"acme/m{number}/1"]))
    for name in ("out", "out.tar"):
        told = report(shelf, "-o", name, status=1)
        assert {row["name"].split()[0] for row in told["damaged"]} >= {f"acme/m{number}/1" for number in range(len(kinds))}
        assert told["failure"] and not told["written"] and told["files"] == []
    assert not (shelf.folder / "out/index.json").exists() and not (shelf.folder / "out.tar").exists()


def test_a_cache_has_what_is_not_rotten(shelf):
    for number in (1, 2, 5):
        flip(store_blob(shelf, SHELF[f"acme/m{number}/1"])) if number != 5 else store_blob(shelf, SHELF["acme/m5/1"]).unlink()
    told = json.loads(run(shelf, "export", "--tfhub-cache", "cache", "--as", "https://tfhub.dev", "--json", status=1).stdout)
    assert {row["name"] for row in told["damaged"]} == {"acme/m1/1", "acme/m2/1", "acme/m5/1", "acme/twin/1"}
    assert told["modules"] == len(SHELF) - 4 and "hollow" not in told


# Failures from the first to the last step, each of which programs are told in JSON.
EARLY = {
    "no such folder": ["-o", "out", "--data", "none"], "no such configuration": ["-o", "out", "--config", "none.ini"],
    "a bad glob": ["acme/[", "-o", "out"], "no such module": ["acme/none", "-o", "out"], "no such key": ["-o", "out", "--sign", "none.key"],
    "a bad key": ["-o", "out", "--sign", "/etc/hostname"], "no such want list": ["-o", "out", "--want", "none.txt"],
    "no such lock file": ["-o", "out", "--lock", "none.lock"], "no such collection": ["-o", "out", "--collection", "acme/none"],
    "no such bundle before": ["-o", "out", "--since", "none"], "no such place": ["-o", "/proc/none/out"],
    "the data folder": ["-o", "data/x", "--data", "data"], "a cache of nothing": ["acme/none", "--tfhub-cache", "c", "--as", "https://tfhub.dev"],
    "a cache where none can be": ["--tfhub-cache", "/proc/none", "--as", "https://tfhub.dev"],
}


@pytest.mark.parametrize("case", EARLY)
def test_each_failure_is_told_to_programs(larder, case):
    arguments = EARLY[case] if "--data" in EARLY[case] or "--config" in EARLY[case] else [*EARLY[case], "--data", str(larder.data)]
    done = subprocess.run([binary(), "export", "--json", *arguments], capture_output=True, text=True, timeout=DEADLINE_S, cwd=larder.folder)
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["failure"] and f"larder: {told['failure']}\n" in done.stderr


def test_a_key_that_others_can_read_is_told(larder):
    key = larder.folder / "bundle.key"
    subprocess.run([binary(), "keygen", "-o", str(key)], check=True, capture_output=True, timeout=DEADLINE_S)
    for mode in (0o600, 0o400, 0o644, 0o640, 0o604, 0o622, 0o777):
        key.chmod(mode)
        done = export(larder, "-o", "out", "--sign", "bundle.key", "--force")
        assert (f"others than its owner may read or change the key bundle.key (mode {mode:04o})" in done.stderr) == bool(mode & 0o077)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_in_words(larder, number):
    larder.publish("/acme/big/1", modules.module(2 << 20))
    exporter = subprocess.Popen([binary(), "export", "-o", "out", "--data", str(larder.data)], stderr=subprocess.PIPE, text=True,
                                cwd=larder.folder, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {number}))
    exporter.send_signal(number)
    _, words = exporter.communicate(timeout=DEADLINE_S)
    assert exporter.returncode == 1 and "interrupted: the same command goes on" in words
    assert_no_traces(larder)


def test_what_dead_exporters_held_is_let_go(larder):
    larder.publish("/acme/x/1", modules.module(20_000))
    blob = next(path for path in (larder.data / "blobs").rglob("*") if path.is_file())
    left = larder.data / "outgoing/dead"
    for let_go in (larder.restart, lambda: larder.larder("gc"), lambda: export(larder, "--dry-run")):
        left.mkdir(parents=True)
        os.link(blob, left / blob.name)
        (left / "note").write_text("x")
        let_go()
        assert_no_traces(larder)


def halted_export(larder, held):
    """An exporter that was stopped while it copies; one that was done before is begun again."""
    outgoing = larder.data / "outgoing"
    part = larder.folder / "out.tar.part"
    for _ in range(50):
        exporter = subprocess.Popen([binary(), "export", "-o", "out.tar", "--data", str(larder.data)], cwd=larder.folder,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: exporter.poll() is not None or part.exists(), "the exporter to begin")
        exporter.send_signal(signal.SIGSTOP)
        if exporter.poll() is None and part.exists() and len(list(outgoing.glob("*/*"))) == held:
            return exporter, outgoing
        exporter.send_signal(signal.SIGCONT)
        exporter.communicate(timeout=DEADLINE_S)
        (larder.folder / "out.tar").unlink()
    raise AssertionError("the exporter was never halted in time")


def test_what_is_evicted_meanwhile_goes_all_the_same(upstream, start):
    """The exporter is halted as soon as it holds the blobs; then the store makes room."""
    larder = start({"storage": {"max_bytes": 100 << 20}}, upstreams=[upstream.url])
    content = {f"/google/m/{i}": modules.module(20 << 20, seed=i) for i in (1, 2, 3)}
    for path, body in content.items():
        upstream.serve(path, body)
        assert larder.get(path + "?tf-hub-format=compressed").status == 200
    larder.wait_for_idle()
    larder.stop()
    exporter, outgoing = halted_export(larder, 3)
    larder.configure({"storage": {"max_bytes": 1000}})
    subprocess.run([binary(), "gc", "--config", str(larder.config_path)], check=True, capture_output=True, timeout=DEADLINE_S)
    assert larder.blobs() == [] and len(list(outgoing.glob("*/*"))) == 3
    exporter.send_signal(signal.SIGCONT)
    _, words = exporter.communicate(timeout=DEADLINE_S)
    assert exporter.returncode == 0, words
    assert sorted(Bundle(larder.folder / "out.tar").artifacts().values()) == sorted(content.values())
    assert_no_traces(larder)
    larder.start()


# ---- signatures --------------------------------------------------------------------------------------------------------

def test_keygen_and_sign(stocked):
    folder = stocked.folder
    subprocess.run([binary(), "keygen", "-o", "key"], check=True, cwd=folder, capture_output=True)
    assert (folder / "key").stat().st_mode & 0o777 == 0o600
    again = subprocess.run([binary(), "keygen", "-o", "key"], cwd=folder, capture_output=True, text=True)
    assert again.returncode == 1 and "never overwritten" in again.stderr
    told = report(stocked, "--sign", "key", "-o", "out")
    envelope = Bundle(folder / "out").signature()
    assert is_signed_by(envelope, folder / "key.pub", folder)
    signed = json.loads(base64.b64decode(envelope["payload"]))
    assert signed["audit_head"] == Bundle(folder / "out").contents_manifest["annotations"]["dev.larder.audit-head"]
    assert told["key"] == "sha256:" + envelope["signatures"][0]["keyid"]
    der = subprocess.run(["openssl", "pkey", "-pubin", "-in", "key.pub", "-outform", "DER"], cwd=folder, check=True, capture_output=True)
    assert told["key"] == "sha256:" + hashlib.sha256(der.stdout).hexdigest()
    assert "no private Ed25519 key" in export(stocked, "--sign", "key.pub", "-o", "other", status=1).stderr
    for arguments in ([], ["-o"], ["-o", ""], ["-o", "x/"], ["-o", "x", "y"]):
        assert subprocess.run([binary(), "keygen", *arguments], cwd=folder, capture_output=True).returncode == 2


# ---- other tools -------------------------------------------------------------------------------------------------------

def skopeo(*arguments, cwd=None):
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not there")
    done = subprocess.run(["skopeo", "--insecure-policy", *map(str, arguments)], capture_output=True, text=True, cwd=cwd,
                          timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def blobs_of(bundle):
    return {name: content for name, content in bundle.files.items() if name.startswith("blobs/")}


def test_skopeo_looks_into_it(stocked):
    export(stocked, "-o", "out", "--name", "weekly & more")
    index = json.loads(skopeo("inspect", "--raw", "oci:out:bundle", cwd=stocked.folder))
    assert index == Bundle(stocked.folder / "out").index and index["annotations"]["dev.larder.name"] == "weekly & more"


@pytest.mark.parametrize("source", ["out", "out.tar"])
@pytest.mark.parametrize("target", ["oci", "oci-archive", "dir"])
def test_skopeo_copies_it(stocked, source, target):
    """To the byte, all of it: also what it writes anew, the index."""
    export(stocked, "-o", source)
    folder = stocked.folder
    name = f"{'oci-archive' if source == 'out.tar' else 'oci'}:{source}:bundle"
    copy = {"oci": "oci:copy:bundle", "oci-archive": "oci-archive:copy.tar:bundle", "dir": "dir:copy"}[target]
    skopeo("copy", "--all", name, copy, cwd=folder)
    original = blobs_of(Bundle(folder / source))
    if target == "dir":
        files = {file.name.partition(".")[0]: file.read_bytes() for file in (folder / "copy").iterdir()}
        assert {name.rpartition("/")[2] for name in original} - set(files) == {Bundle(folder / source).digest.partition(":")[2]}
        assert files["manifest"] == original["blobs/sha256/" + Bundle(folder / source).digest.partition(":")[2]]
    elif target == "oci":
        assert {f"blobs/sha256/{file.name}": file.read_bytes() for file in (folder / "copy/blobs/sha256").iterdir()} == original
    else:
        subprocess.run(["tar", "-xf", "copy.tar", "--one-top-level=copy"], check=True, cwd=folder)
        assert {f"blobs/sha256/{file.name}": file.read_bytes() for file in (folder / "copy/blobs/sha256").iterdir()} == original


@pytest.fixture
def registry(tmp_path):
    """Debian's docker-registry on the loopback: its host and port."""
    if not shutil.which("docker-registry"):
        pytest.skip("docker-registry is not there")
    reserved = Port()
    port = reserved.number
    settings = tmp_path / "registry.yml"
    settings.write_text(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\n"
                        f"http: {{addr: '127.0.0.1:{port}'}}\n")
    with open(tmp_path / "registry.log", "w") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(settings)], stdout=log, stderr=log)

    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(answers, "the registry to listen")
    yield f"127.0.0.1:{port}"
    process.kill()
    process.wait()
    reserved.close()


def test_through_a_registry(stocked, registry):
    subprocess.run([binary(), "keygen", "-o", "key"], check=True, cwd=stocked.folder, capture_output=True)
    export(stocked, "-o", "out", "--sign", "key")
    skopeo("copy", "--all", "--dest-tls-verify=false", "oci:out:bundle", f"docker://{registry}/larder/bundle:weekly", cwd=stocked.folder)
    skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{registry}/larder/bundle:weekly", "oci:back:bundle", cwd=stocked.folder)
    back = Bundle(stocked.folder / "back")
    assert blobs_of(back) == blobs_of(Bundle(stocked.folder / "out"))
    assert is_signed_by(back.signature(), stocked.folder / "key.pub", stocked.folder)


# ---- memory ------------------------------------------------------------------------------------------------------------

@pytest.mark.skipif(under_thread_sanitizer(), reason="ThreadSanitizer has memory of its own")
@pytest.mark.long
def test_memory_is_bounded(start_with_catalogue):
    """However many and however large: 32 MiB above a command that does next to nothing. As a folder, a tar, pieces, and what is new."""
    larder = start_with_catalogue()
    larder.publish("/acme/big/1", modules.module(100 << 20))
    export(larder, "--documentation-only", "-o", "base")
    idle = peak(larder, "pin", "--list")
    for arguments in (["-o", "out"], ["-o", "out.tar"], ["-o", "pieces.tar", "--split", "10M"], ["--dry-run", "--since", "base"]):
        assert peak(larder, "export", *arguments) - idle < 32 << 10, arguments
