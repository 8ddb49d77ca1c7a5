# SPDX-License-Identifier: Apache-2.0
"""Archives as tools really write them: what is published, what is mirrored with a warning, and that each refusal's own advice
makes an archive that is taken."""
import gzip
import io
import os
import re
import shutil
import subprocess
import tarfile

import pytest
from support import hub_client, modules, packers
from support.daemon import Daemon, assert_problem
from support.modules import Member, compress, members, pack, tar

GOOD = members()
PLAIN = tar(GOOD, padded=False)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    daemon = Daemon(tmp_path_factory.mktemp("archives")).start()
    yield daemon
    daemon.stop()


def sparse(version):
    """The usual members and one with a hole, by GNU's forms in pax headers."""
    records = {"0.0": {"GNU.sparse.size": "9000", "GNU.sparse.numblocks": "1", "GNU.sparse.offset": "8000",
                       "GNU.sparse.numbytes": "5", "path": "./holes"},
               "0.1": {"GNU.sparse.size": "9000", "GNU.sparse.map": "8000,5", "GNU.sparse.name": "./holes"},
               "1.0": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9000",
                       "GNU.sparse.name": "./holes"}}[version]
    content = b"1\n8000\n5\n".ljust(512, b"\0") + b"hello" if version == "1.0" else b"hello"
    info = Member("./GNUSparseFile.0/holes", content).header()
    info.pax_headers = records
    block = info.tobuf(tarfile.PAX_FORMAT)
    return compress(PLAIN[:-1024] + block + content.ljust(-(-len(content) // 512) * 512, b"\0") + bytes(1024))


def with_extra():
    packed = compress(PLAIN)
    return packed[:3] + b"\x04" + packed[4:10] + b"\5\0hello" + packed[10:]


# What every client takes is taken.
HARMLESS = {
    "zeros behind the gzip stream": lambda: compress(PLAIN) + bytes(1000),
    "zeros to a record": lambda: compress(PLAIN).ljust(10240, b"\0"),
    "zeros behind the tar": lambda: compress(PLAIN + bytes(50_000)),
    "root called /": lambda: pack([Member("/", type=tarfile.DIRTYPE)] + GOOD[1:]),
    "root without a name": lambda: pack([Member("", type=tarfile.DIRTYPE)] + GOOD[1:]),
    "root called .": lambda: pack([Member(".", type=tarfile.DIRTYPE)] + GOOD[1:]),
    "root at the end": lambda: pack(GOOD[1:] + GOOD[:1]),
    "root twice": lambda: pack(GOOD[:1] + GOOD),
    "folder twice": lambda: pack(GOOD + [Member("./variables/"), Member("variables/")]),
    "global pax header": lambda: pack(GOOD, format=tarfile.PAX_FORMAT, pax={"comment": "0123456789abcdef"}),
}
# Refused when published, kept with this warning when mirrored.
HAMPERING = {
    "sparse 0.0": (lambda: sparse("0.0"), "sparse-member"),
    "sparse 0.1": (lambda: sparse("0.1"), "sparse-member"),
    "sparse 1.0": (lambda: sparse("1.0"), "sparse-member"),
    "two cases": (lambda: pack(GOOD + [Member("./Saved_Model.pb", b"x")]), "name-case-collision"),
    "two cases in Greek": (lambda: pack(GOOD + [Member("./Σ", b"x"), Member("./ς", b"x")]), "name-case-collision"),
    "two cases in Armenian": (lambda: pack(GOOD + [Member("./Ա", b"x"), Member("./ա", b"x")]), "name-case-collision"),
    "two cases in Adlam": (lambda: pack(GOOD + [Member("./\U0001e900", b"x"), Member("./\U0001e922", b"x")]), "name-case-collision"),
    "no end": (lambda: compress(PLAIN[:-1024]), "tar-end-missing"),
    "half an end": (lambda: compress(PLAIN[:-512]), "tar-end-missing"),
    "an end cut in a block": (lambda: compress(PLAIN[:-700]), "tar-end-missing"),
    "model twice": (lambda: pack(GOOD + GOOD[1:2]), "name-repeated"),
    "variables twice": (lambda: pack(GOOD + GOOD[2:]), "name-repeated"),
    "all twice": (lambda: pack(GOOD + GOOD), "name-repeated"),
    "backslash": (lambda: pack(GOOD + [Member("./assets\\vocab.txt", b"x")]), "name-backslash"),
    "backslashes": (lambda: pack(GOOD + [Member("a\\b\\c", b"x")]), "name-backslash"),
    "leading backslash": (lambda: pack(GOOD + [Member("\\x", b"x")]), "name-backslash"),
    "gzip with extra fields": (with_extra, "gzip-extra"),
    "Git LFS pointer": (lambda: pack(GOOD + [Member("./vocab", b"version https://git-lfs.github.com/spec/v1\noid sha256:"
                                             + b"0" * 64 + b"\nsize 5\n")]), "lfs-pointer"),
}
REFUSED_ANYWHERE = {
    "repeated with other content": lambda: pack(GOOD + [Member("./saved_model.pb", modules.saved_model(modules.half_plus_two(),
                                                                                                     modules.half_plus_two()))]),
    "repeated with as much other content": lambda: pack(GOOD + [Member("./variables/variables.index", modules.bundle_index(1000)[::-1])]),
    "backslashes that lead out": lambda: pack(GOOD + [Member("a\\..\\..\\x", b"x")]),
    "volume label": lambda: pack([Member("models", type=b"V")] + GOOD),
    "gzip in gzip": lambda: compress(compress(PLAIN)),
    "tar cut in a member": lambda: compress(PLAIN[:-1024][:-600]),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_every_client_takes_is_published(registry, case, tmp_path):
    path = f"/acme/harmless/{1 + list(HARMLESS).index(case)}"
    answer = registry.publish(path, HARMLESS[case]()).json()
    assert not answer["artifacts"][0].get("warnings"), answer
    folder = hub_client.load(registry.url.rstrip("/") + path, tmp_path)
    assert packers.files(folder) == {member.name.lstrip("./"): member.content for member in GOOD if member.content}


@pytest.mark.parametrize("case", HAMPERING)
def test_what_hampers_some_clients_is_mirrored_with_a_warning(registry, case, upstream, mirror, tmp_path):
    make, rule = HAMPERING[case]
    problem = assert_problem(registry.put("/acme/hampering/1", make()), 422, "invalid-module")
    assert rule in {violation["rule"] for violation in problem["violations"]}, problem
    upstream.serve("/acme/hampering/1", make())
    assert mirror.get("/acme/hampering/1?tf-hub-format=compressed").body == make()
    version = mirror.get("/api/v1/modules/acme/hampering/1").json()
    assert {warning["rule"] for warning in version["artifacts"][0]["warnings"]} == {rule}, version
    if rule != "gzip-extra":
        hub_client.load(mirror.url.rstrip("/") + "/acme/hampering/1", tmp_path)


def test_single_files_are_what_clients_unpack(upstream, mirror, tmp_path):
    """Of files that come again, that differ in case, and that have holes."""
    (tmp_path / "client").mkdir()
    model = b'{"modelTopology":{},"weightsManifest":[]}'
    entries = [Member("./"), Member("./model.json", model), Member("./Vocab", b"large"), Member("./vocab", b"small"),
               Member("./model.json", model)]
    info = Member("./GNUSparseFile.0/holes", b"hello").header()
    info.pax_headers = {"GNU.sparse.size": "9000", "GNU.sparse.map": "8000,5", "GNU.sparse.name": "./holes"}
    archive = compress(tar(entries, padded=False)[:-1024] + info.tobuf(tarfile.PAX_FORMAT) + b"hello".ljust(512, b"\0"))
    upstream.serve("/acme/files/1", archive)
    hub_client.unpack(io.BytesIO(mirror.get("/acme/files/1?tfjs-format=compressed").body), tmp_path / "client")
    files = packers.files(tmp_path / "client")
    assert len(files["holes"]) == 9000 and set(files) == {"model.json", "Vocab", "vocab", "holes"}
    for name, content in files.items():
        assert mirror.get(f"/acme/files/1/{name}?tfjs-format=file").body == content, name


@pytest.mark.parametrize("case", REFUSED_ANYWHERE)
def test_what_is_broken_or_dangerous_is_refused_anywhere(registry, case, upstream, mirror):
    assert_problem(registry.put("/acme/refused/1", REFUSED_ANYWHERE[case]()), 422, "invalid-module")
    upstream.serve("/acme/refused/1", REFUSED_ANYWHERE[case]())
    assert mirror.get("/acme/refused/1?tf-hub-format=compressed").status == 502
    mirror.assert_nothing_kept()


@pytest.mark.parametrize("name", packers.PACKERS)
def test_real_packers(registry, name, tmp_path):
    if not packers.available(name):
        pytest.skip(f"{name} is not there")
    root = packers.folder(tmp_path / "module")
    packer, warnings = packers.PACKERS[name]
    packer(root, tmp_path / "packed.tar.gz")
    path = f"/acme/packed/{1 + list(packers.PACKERS).index(name)}"
    reply = registry.put(path, (tmp_path / "packed.tar.gz").read_bytes())
    if warnings:
        assert {violation["rule"] for violation in assert_problem(reply, 422, "invalid-module")["violations"]} == warnings
        return
    if warnings == set():
        assert reply.status == 201, reply
        assert packers.files(hub_client.load(registry.url.rstrip("/") + path, tmp_path / "cache")) == packers.files(root)


def linked_folder(tmp_path):
    """A folder as caches lay it out: links to files and folders elsewhere, and one file under two names."""
    root = packers.folder(tmp_path / "module")
    store = tmp_path / "store"
    store.mkdir()
    (root / "variables").rename(store / "variables")
    (root / "variables").symlink_to(store / "variables")
    (root / "saved_model.pb").rename(store / "model")
    (root / "saved_model.pb").symlink_to(store / "model")
    os.link(root / "assets" / "holes", root / "assets" / "again")
    return root


def run(command, where):
    subprocess.run(command, shell=True, check=True, cwd=where, executable="/bin/bash", env=dict(os.environ, LC_ALL="C.UTF-8"),
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


# Each writes refused.tar.gz beside the folder "module".
BEGINNINGS = {
    "links": "tar -C module -czf refused.tar.gz .",
    "links, followed": "tar -h -C module -czf refused.tar.gz .",
    "wrapper": "tar -h --hard-dereference -czf refused.tar.gz module",
    "wrapper with links": "tar -czf refused.tar.gz module",
    "label": "tar -h --hard-dereference -V models -C module -czf refused.tar.gz .",
    "sparse": "tar -h --hard-dereference -S -C module -czf refused.tar.gz .",
    "snapshot": "tar -h --hard-dereference -g snapshot -C module -czf refused.tar.gz .",
    "files without folders": "tar -h --hard-dereference -C module --no-recursion -czf refused.tar.gz $(cd module; find -L . -type f)",
    "file twice": "tar -h --hard-dereference -C module -czf refused.tar.gz . saved_model.pb",
    "absolute": "tar -h --hard-dereference -P -czf refused.tar.gz $PWD/module/saved_model.pb",
    "gzip twice": "tar -h --hard-dereference -C module -czf - . | gzip > refused.tar.gz",
    "no gzip": "tar -h --hard-dereference -C module -cf refused.tar.gz .",
    "bzip2": "tar -h --hard-dereference -C module -cjf refused.tar.gz .",
    "two streams": "tar -h --hard-dereference -C module -cf - . | split -b 20000 --filter=gzip > refused.tar.gz",
    "no end": "tar -h --hard-dereference -b 1 -C module -cf - . | head -c -1024 | gzip > refused.tar.gz",
    "zip": "cd module && python3 -m zipfile -c ../refused.tar.gz .",
}


@pytest.mark.parametrize("case", BEGINNINGS)
def test_advice_leads_to_what_is_taken(registry, case, tmp_path):
    linked_folder(tmp_path)
    run(BEGINNINGS[case], tmp_path)
    path = f"/acme/advised/{1 + list(BEGINNINGS).index(case)}"
    problem = assert_problem(registry.put(path, (tmp_path / "refused.tar.gz").read_bytes()), 422, "invalid-module")
    commands = [command for violation in problem["violations"] for command in re.findall("`([^`]+)`", violation["message"])]
    assert commands, problem
    for number, command in enumerate(sorted(set(commands))):
        shutil.copy(tmp_path / "refused.tar.gz", tmp_path / "FILE")
        run(command.replace("FOLDER", "module"), tmp_path)
        reply = registry.put(f"/acme/advised{number}{path[13:]}", (tmp_path / "module.tar.gz").read_bytes())
        assert reply.status == 201, (command, reply.body)


def test_lfs_pointer_instead_of_a_module(registry):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    for body in (pointer, gzip.compress(pointer), pack([Member("./"), Member("./saved_model.pb", pointer)])):
        problem = assert_problem(registry.put("/acme/pointer/1", body), 422, "invalid-module")
        assert any("`git lfs pull`" in violation["message"] for violation in problem["violations"]), problem


@pytest.mark.parametrize("shard", ["100%.bin", "a#1.bin", "who?.bin", "%41.bin"])
def test_shards_that_no_url_names(registry, upstream, mirror, shard):
    model = (b'{"modelTopology":{},"weightsManifest":[{"paths":["%s"],"weights":[{"name":"w","shape":[1],"dtype":"float32"}]}]}'
             % shard.encode())
    archive = pack([Member("./"), Member("./model.json", model), Member("./" + shard, b"abcd")])
    problem = assert_problem(registry.put("/acme/shards/1?tfjs-format=compressed", archive), 422, "invalid-module")
    assert [violation["rule"] for violation in problem["violations"]] == ["shard-name"]
    upstream.serve("/acme/shards/1", archive)
    assert mirror.get("/acme/shards/1?tfjs-format=compressed").body == archive
    version = mirror.get("/api/v1/modules/acme/shards/1").json()
    assert [warning["rule"] for warning in version["artifacts"][0]["warnings"]] == ["shard-name"]
