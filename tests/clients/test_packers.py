# SPDX-License-Identifier: Apache-2.0
"""Programs that pack and unpack: what each writes is taken, or refused with words that lead to what is; what is served, and what
`larder pack` makes, each unpacks to the same files."""
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from support import hub_client, modules, packers
from support.daemon import assert_problem, binary
from support.waiting import DEADLINE_S

HERE = Path(__file__).resolve().parent
PATH = "/acme/packed/1"
QUERY = "?tf-hub-format=compressed"


def run(*command, cwd=None):
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done
    return done.stdout


# ---- packing -------------------------------------------------------------------------------------------------------------


def node(*entries, task="pack", **options):
    return lambda root, out: run("node", HERE / "tar.mjs", task, out, root, json.dumps(options), *entries, cwd=HERE)


def seven_zip(command):
    return packers.shell(command.replace("7z a ", packers.SEVEN_ZIP + " a "))


def names_of(root):
    return sorted(path.name for path in Path(root).iterdir())


def node_all(root, out):
    node(*names_of(root))(root, out)


def node_files(root, out):
    node(*sorted(packers.files(root)))(root, out)


def node_wrapper(root, out):
    node(Path(root).name)(Path(root).parent, out)


def node_follow(root, out):
    linked = Path(root).parent / "linked"
    linked.mkdir()
    for name in names_of(root):
        (linked / name).symlink_to(Path(root) / name)
    node(".", follow=True)(linked, out)


def node_links(root, out):
    """A folder of links is packed as links, unless follow is set."""
    linked = Path(root).parent / "linked"
    linked.mkdir()
    for name in names_of(root):
        (linked / name).symlink_to(Path(root) / name)
    node(".")(linked, out)


def node_hard_links(root, out):
    (Path(root) / "again.pb").hardlink_to(Path(root) / "saved_model.pb")
    node(".")(root, out)


NODE = {
    "node": node("."),
    "node, portable": node(".", portable=True),
    "node, noMtime": node(".", noMtime=True),
    "node, level 9": node(".", gzip={"level": 9}),
    "node, a stream": node(".", task="pipe"),
    "node, of names": node_all,
    "node, preservePaths": node("./", preservePaths=True),
    "node, links followed": node_follow,
}
SEVEN = {f"7-Zip, {name}": seven_zip(command) for name, command in {
    "tar, then gzip": "7z a -ttar {out}.tar . && 7z a -tgzip {out} {out}.tar",
    "tar, then gzip, all on": "7z a -ttar {out}.tar * && 7z a -tgzip -mx=9 {out} {out}.tar",
    "pax": "7z a -ttar -mm=pax {out}.tar . && 7z a -tgzip {out} {out}.tar",
    "gnu": "7z a -ttar -mm=gnu {out}.tar . && 7z a -tgzip {out} {out}.tar",
    "to a pipe": "7z a -ttar -so -an . | gzip -n > {out}",
}.items()}
TAKEN = {**NODE, **SEVEN, "shutil": lambda root, out: shutil.make_archive(str(out).removesuffix(".tar.gz"), "gztar", root), **{name: packers.PACKERS[name][0] for name in packers.PACKERS if packers.PACKERS[name][1] == set()}}

# What is refused, by which rule, and a part of what the refusal says.
REFUSED = {
    "node, files without folders": (node_files, "folder-missing", "pack the whole folder"),
    "node, wrapper folder": (node_wrapper, "wrapper-folder", "tar"),
    "node, prefix": (node(".", prefix="model"), "wrapper-folder", "tar"),
    "node, links": (node_links, "member-type", "tar -h"),
    "node, hard links": (node_hard_links, "member-type", "--hard-dereference"),
    "node, no gzip": (node(".", gzip=False), "gzip-broken", "gzip"),
    "node, brotli": (node(".", gzip=False, brotli=True), "gzip-broken", ""),
    **{f"7-Zip, -t{kind}": (seven_zip(f"7z a -t{kind} {{out}}.{kind} . && mv {{out}}.{kind} {{out}}"), "gzip-broken", kind)
       for kind in ("7z", "zip")},
    "7-Zip, tar only": (seven_zip("7z a -ttar {out}.tar . && mv {out}.tar {out}"), "gzip-broken", "gzip"),
    "7-Zip, wrapper folder": (seven_zip("cd .. && 7z a -ttar {out}.tar module && 7z a -tgzip {out} {out}.tar"),
                              "wrapper-folder", "tar"),
    "7-Zip, gzip of gzip": (seven_zip("7z a -ttar {out}.tar . && 7z a -tgzip {out}.1.gz {out}.tar && 7z a -tgzip {out} {out}.1.gz"),
                            "tar-broken", "gzip -dc"),
    "bsdtar, sparse": (packers.PACKERS["bsdtar, sparse"][0], "sparse-member", "--no-read-sparse"),
    "bsdtar, zip": (packers.shell("bsdtar --format=zip -cf {out} ."), "gzip-broken", "zip"),
    "bsdtar, xz": (packers.shell("bsdtar -cJf {out} ."), "gzip-broken", "xz"),
    "bsdtar, cpio": (packers.shell("bsdtar --no-read-sparse --format=cpio -czf {out} ."), "tar-broken", "tar"),
    "tarfile, bzip2": (lambda root, out: tarfile_of(root, out, "w:bz2"), "gzip-broken", "bzip2"),
    "tarfile, no gzip": (lambda root, out: tarfile_of(root, out, "w"), "gzip-broken", "gzip"),
    "tarfile, wrapper folder": (lambda root, out: tarfile_of(root, out, "w:gz", "module"), "wrapper-folder", "tar"),
}


def tarfile_of(root, out, mode, name="."):
    with tarfile.open(out, mode) as archive:
        archive.add(root, name)


@pytest.fixture
def packed(tmp_path):
    """Packs the folder by a packer, and gives the archive."""
    packers.folder(tmp_path / "module")

    def pack(packer):
        packer(tmp_path / "module", tmp_path / "packed.tar.gz")
        return (tmp_path / "packed.tar.gz").read_bytes()

    return pack


@pytest.mark.parametrize("name", TAKEN)
def test_what_packers_write_is_taken(larder, upstream, start, packed, tmp_path, name):
    archive = packed(TAKEN[name])
    wanted = packers.files(tmp_path / "module")
    assert larder.publish(PATH, archive).status == 201
    assert packers.files(hub_client.load(larder.url.rstrip("/") + PATH, tmp_path / "cache")) == wanted
    upstream.serve(PATH, archive)
    assert start(upstreams=[upstream.url], name="mirror").get(PATH + QUERY).body == archive


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_told_what_mends_it(larder, packed, name):
    packer, rule, words = REFUSED[name]
    violations = assert_problem(larder.put(PATH, packed(packer)), 422, "invalid-module")["violations"]
    assert any(violation["rule"] == rule and words.lower() in violation["message"].lower() for violation in violations), violations
    larder.assert_nothing_kept()


# ---- unpacking -----------------------------------------------------------------------------------------------------------


def by_tarfile(mode):
    def unpack(file, folder):
        with open(file, "rb") as stream, tarfile.open(fileobj=stream, mode=mode) as archive:
            archive.extractall(folder)
    return unpack


def by_seven_zip(file, folder):
    """As its users do: once for gzip, once for the tar inside."""
    run(packers.SEVEN_ZIP, "x", "-y", f"-o{folder}.between", file)
    inside, = Path(f"{folder}.between").iterdir()
    run(packers.SEVEN_ZIP, "x", "-y", f"-o{folder}", inside)


READERS = {
    "tar": lambda file, folder: run("tar", "-xzf", file, "-C", folder),
    "bsdtar": lambda file, folder: run("bsdtar", "-xf", file, "-C", folder),
    "7-Zip": by_seven_zip,
    "node": lambda file, folder: run("node", HERE / "tar.mjs", "unpack", file, folder, cwd=HERE),
    "tarfile": by_tarfile("r:gz"),
    "tarfile, stream": by_tarfile("r|*"),
    "shutil": lambda file, folder: shutil.unpack_archive(file, folder, "gztar"),
}


def made_by_pack(larder, tmp_path):
    run(binary(), "pack", packers.folder(tmp_path / "module"), "-o", tmp_path / "packed.tar.gz")
    return (tmp_path / "packed.tar.gz").read_bytes(), packers.files(tmp_path / "module")


def published(larder, tmp_path):
    archive, files = made_by_pack(larder, tmp_path)
    larder.publish(PATH, archive)
    return larder.get(PATH + QUERY).body, files


def model_of(files):
    return json.dumps({"modelTopology": {}, "weightsManifest": [{"paths": list(files), "weights": [
        {"name": "w", "shape": [sum(map(len, files.values()))], "dtype": "uint8"}]}]}).encode()


def saved_by_a_form(larder, tmp_path):
    """Stored, not compressed: what TF.js saves."""
    files = {"model.weights.bin": modules.payload(200_000)}
    files["model.json"] = model_of(files)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    run("curl", "-sSf", *[word for name in files for word in ("-F", f"{name}=@{tmp_path / name}")], "-H",
        f"Authorization: Bearer {larder.token()}", larder.url.rstrip("/") + PATH)
    return larder.get(PATH + "?tfjs-format=compressed").body, files


def gathered(larder, tmp_path, upstream, start):
    """Stored: what an upstream has as single files."""
    files = {"deep/er/a.bin": modules.payload(70_000), "b.bin": modules.payload(100_000, 2)}
    files["model.json"] = model_of(files)
    for name, content in files.items():
        upstream.serve(f"{PATH}/{name}", content)
    return start(upstreams=[upstream.url], name="mirror").get(PATH + "?tfjs-format=compressed").body, files


SERVED = {"larder pack": made_by_pack, "what was published": published, "what TF.js saved": saved_by_a_form, "what was gathered": gathered}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("served", SERVED)
def test_what_is_served_is_unpacked(larder, upstream, start, tmp_path, served, reader):
    others = (upstream, start) if served == "what was gathered" else ()
    archive, files = SERVED[served](larder, tmp_path, *others)
    (tmp_path / "served.tar.gz").write_bytes(archive)
    (tmp_path / "unpacked").mkdir()
    READERS[reader](tmp_path / "served.tar.gz", tmp_path / "unpacked")
    assert packers.files(tmp_path / "unpacked") == files


def test_nodes_tar_lists_what_is_served(larder, tmp_path):
    _, files = published(larder, tmp_path)
    (tmp_path / "served.tar.gz").write_bytes(larder.get(PATH + QUERY).body)
    listed = run("node", HERE / "tar.mjs", "list", tmp_path / "served.tar.gz", cwd=HERE).decode().splitlines()
    assert {name.removeprefix("./") for name in listed if not name.endswith("/")} == set(files)
