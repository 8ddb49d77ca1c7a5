# SPDX-License-Identifier: Apache-2.0
"""Archives as tools really write them: what is published, what is mirrored with a warning, and that each refusal's own advice
makes an archive that is taken."""
import gzip
import io
import itertools
import os
import re
import shutil
import subprocess
import tarfile

import pytest
from support import hub_client, modules, packers
from support.daemon import Daemon, assert_problem, binary
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


def assert_is_found_by_its_finding(mirror, rule):
    counted = mirror.get(f"/api/v1/modules?finding={rule}&finding=none&facets=true").json()
    assert [module["handle"] for module in counted["modules"]] == ["acme/hampering"]
    assert counted["facets"]["finding"][rule] == 1  # beside what the safety rules say: that a sparse file was not looked into
    assert mirror.get("/api/v1/modules?finding=none").json()["total"] == 0
    page = mirror.get("/acme/hampering/1", Accept="text/html").body.decode()
    assert f'/?finding={rule}"><code>{rule}</code></a>' in page
    assert "acme/hampering" in mirror.get(f"/?finding={rule}", Accept="text/html").body.decode()


@pytest.mark.parametrize("case", HAMPERING)
def test_what_hampers_some_clients_is_mirrored_with_a_warning(registry, case, upstream, mirror, tmp_path):
    make, rule = HAMPERING[case]
    problem = assert_problem(registry.put("/acme/hampering/1", make()), 422, "invalid-module")
    assert rule in {violation["rule"] for violation in problem["violations"]}, problem
    upstream.serve("/acme/hampering/1", make())
    assert mirror.get("/acme/hampering/1?tf-hub-format=compressed").body == make()
    version = mirror.get("/api/v1/modules/acme/hampering/1").json()
    assert {warning["rule"] for warning in version["artifacts"][0]["warnings"]} == {rule}, version
    assert_is_found_by_its_finding(mirror, rule)
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


@pytest.mark.parametrize("real", [1, 4096, 5 << 20])
def test_a_file_that_is_one_hole_is_mirrored(upstream, mirror, real, tmp_path):
    """By its one member as by the whole archive."""
    root = tmp_path / "module"
    root.mkdir()
    (root / "model.json").write_bytes(b'{"modelTopology":{},"weightsManifest":[]}')
    for name, program in (("old", "tar -S -cf"), ("pax", "tar --format=pax -S -cf"), ("bsdtar", "bsdtar --read-sparse -cf")):
        if not shutil.which(program.split()[0]):
            continue
        with open(root / "hole", "wb") as out:
            out.truncate(real)
        subprocess.run([*program.split(), tmp_path / "packed.tar", "."], cwd=root, check=True)
        path = f"/acme/{name}/1"
        upstream.serve(path, compress((tmp_path / "packed.tar").read_bytes()))
        (tmp_path / name).mkdir()
        hub_client.unpack(io.BytesIO(mirror.get(path + "?tfjs-format=compressed").body), tmp_path / name)
        assert (tmp_path / name / "hole").read_bytes() == bytes(real)
        assert mirror.get(path + "/hole?tfjs-format=file").body == bytes(real)


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_lengths_of_names(registry, format):
    """What docs/limits.md says of them, a byte below and above each."""
    def name(length, segment):
        return "/".join(["s" * segment] * (length // (segment + 1) + 1))[:length].rstrip("/").ljust(length, "e")

    for number, (length, segment, fits) in enumerate([(255, 255, True), (256, 256, False), (1024, 250, True), (1025, 250, False), (2000, 99, False),
                                                      (4000, 199, False), (4094, 199, False), (4095, 199, False), (9000, 199, False)], 1):
        path = name(length, segment)
        assert len(path) == length
        folders = [Member("./" + path[:at] + "/") for at in range(length) if path[at] == "/"]
        reply = registry.put(f"/acme/{'gnu' if format == tarfile.GNU_FORMAT else 'pax'}/{number}",
                             pack(GOOD + folders + [Member("./" + path, b"x")], format=format))
        if fits:
            assert reply.status == 201, reply
            continue
        found = {violation["rule"]: violation["message"] for violation in assert_problem(reply, 422, "invalid-module")["violations"]}
        assert set(found) == {"name-too-long"} and "1024" in found["name-too-long"] and "255" in found["name-too-long"], found


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


def run(command, where, check=True):
    """As a user would, who has larder on the PATH. A tar that cannot go on leaves its compressor behind: until that ends, it holds stderr."""
    path = f"{os.path.dirname(os.path.abspath(binary()))}:{os.environ['PATH']}"
    subprocess.run(command, shell=True, check=check, cwd=where, executable="/bin/bash",
                   env=dict(os.environ, LC_ALL="C.UTF-8", PATH=path), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def advised(*texts):
    """The commands that these sentences name."""
    return sorted({command for text in texts for command in re.findall("`([^`]*)`", text)})


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
    "file twice, GNU tar": "tar -h -C module -czf refused.tar.gz . saved_model.pb variables/variables.index",
    "one hole": "truncate -s 3M module/assets/hole; bsdtar --read-sparse -h -C module -cf - . | gzip > refused.tar.gz",
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
    commands = advised(*(violation["message"] for violation in problem["violations"]))
    assert commands, problem
    version = itertools.count(1)
    for command in commands:
        if command.startswith("larder publish"):
            url = f"{registry.url.rstrip('/')}{path}/sent/{next(version)}"
            run(command.replace("FOLDER", "module").replace("URL", f"{url} --token {registry.token()}"), tmp_path)
            continue
        for file in ("FILE", "module.tar.gz", "mended.tar.gz"):
            shutil.copy(tmp_path / "refused.tar.gz", tmp_path / file)
            run(command.replace("FOLDER", "module").replace("FILE", file), tmp_path)
            mended = f"{file}.mended" if "FILE" in command else "mended.tar.gz"
            if mended != file:
                assert (tmp_path / file).read_bytes() == (tmp_path / "refused.tar.gz").read_bytes(), (command, file)
            reply = registry.put(f"{path}/mended/{next(version)}", (tmp_path / mended).read_bytes())
            assert reply.status == 201, (command, reply.body)


def test_each_way_to_pack_has_one_command_for_every_tar(registry):
    problem = assert_problem(registry.put("/acme/ways/1", pack(GOOD + [Member("./again", type=b"1", link="./saved_model.pb")])),
                             422, "invalid-module")
    commands = advised(*(violation["message"] for violation in problem["violations"]))
    assert [command.split()[0] for command in commands] == ["larder", "tar"]


def hostile_names():
    """Names of folders that would have a shell do something, by every way that it has to be told so."""
    for wrap in ("{}", '"{}"', "'{}'", "a b {}", "x\"{}\"y", "x'{}'y", "\\{}", "{} '", "`'{}'`", "é{}"):
        for code in ("$(touch PWNED)", "`touch PWNED`", "; touch PWNED;", "&& touch PWNED &&", "| touch PWNED |", "\ntouch PWNED\n",
                     "> PWNED", "${{x:-$(touch PWNED)}}", "$PWNED", "~", "*", "#", "!!", "-o PWNED", "--to-command=touch PWNED"):
            yield wrap.format(code)
    yield from ("-", "--", "-C", "x" * 255, "$" * 255, "a'", 'a"', "a\\", "`", "(", "{a,b}", "%s%n")


HOSTILE = [name for name in hostile_names() if "/" not in name]
# Where such a name may come to stand in a refusal: what holds what.
PLACES = {
    "wrapper": lambda name: members(prefix=f"{name}/"),
    "a folder without an entry": lambda name: GOOD + [Member(f"{name}/x", b"x")],
    "under a file": lambda name: GOOD + [Member(f"./{name}", b"x"), Member(f"./{name}/x", b"x")],
    "twice": lambda name: GOOD + [Member(f"./{name}", b"x"), Member(f"./{name}", b"y")],
    "a link": lambda name: GOOD + [Member(f"./{name}", type=b"2", link=name)],
    "two cases": lambda name: GOOD + [Member(f"./{name}k", b"x"), Member(f"./{name}\u212a", b"x")],
    "two cases above": lambda name: GOOD + [Member(f"./{name}k/"), Member(f"./{name}K/x", b"x")],
}


def try_commands(texts, where):
    """What is advised is run where nothing is: nothing but what it names may come of it."""
    for command in advised(*texts):
        where.mkdir()
        assert re.fullmatch(r"(larder pack|larder publish|tar|gzip|bzip2|xz|zstd) [A-Za-z0-9._/ <>|'…-]*", command), command
        run(command, where, check=False)
        assert {path.name for path in where.iterdir()} <= {"mended.tar.gz", "FILE.mended"}, command
        shutil.rmtree(where)


@pytest.mark.parametrize("place", PLACES)
def test_no_name_becomes_a_command(registry, upstream, mirror, place, tmp_path):
    texts = set()
    chosen = HOSTILE if place == "wrapper" else HOSTILE[list(PLACES).index(place)::6]
    for number, name in enumerate(chosen, 1):
        archive = pack(PLACES[place](name), format=tarfile.PAX_FORMAT)
        problem = assert_problem(registry.put(f"/acme/hostile/{number}", archive), 422, "invalid-module")
        texts |= {problem["detail"], *(v["message"] for v in problem["violations"]), *(v["path"] for v in problem["violations"])}
        if number % (10 if place == "wrapper" else 3):
            continue
        upstream.serve(f"/acme/hostile/{number}", archive)
        reply = mirror.get(f"/acme/hostile/{number}?tf-hub-format=compressed")
        told = mirror.get(f"/api/v1/modules/acme/hostile/{number}").json()["artifacts"][0]["warnings"] if reply.status == 200 else []
        texts |= {warning[key] for warning in told for key in ("path", "message")} if told else {reply.json()["detail"]}
    try_commands(texts, tmp_path / "empty")


def test_no_folder_of_an_archive_becomes_a_command_of_ours(tmp_path):
    """What `larder pack` and `larder publish` say of an archive that was unpacked."""
    for number, name in enumerate(HOSTILE[::31]):
        root = tmp_path / str(number)
        packers.folder(root / "outer" / name)
        for arguments in (["pack", "outer", "-o", "out.tar.gz"], ["publish", "outer", "http://127.0.0.1:1/acme/m/1"]):
            done = subprocess.run([binary(), *arguments], cwd=root, capture_output=True, text=True)
            assert done.returncode == 1 and re.search("wrapper-folder|name-control", done.stderr), done
            try_commands([done.stderr], root / "empty")


@pytest.mark.parametrize("name", ["m1", "My module", "v1.0_final-2", "-x"])
def test_a_wrapper_is_named_by_every_command(registry, larder, name, tmp_path):
    root = packers.folder(tmp_path / "w" / name)
    token = larder.token("publish:acme/*")
    environment = dict(os.environ, LARDER_SERVER=larder.url, LARDER_TOKEN=token)
    for arguments, rest in ((["publish", "w", "/acme/r/1"], " /acme/r/1"), (["pack", "w/", "-o", "out.tar.gz"], " -o out.tar.gz")):
        done = subprocess.run([binary(), *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 1, done
        command, = advised(done.stderr)
        assert command.startswith(f"larder {arguments[0]} ") and command.endswith(" …")
        subprocess.run(command.replace("larder", binary(), 1).replace(" …", rest), shell=True, cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "out.tar.gz").stat().st_size > 0
    archive = tmp_path / "refused.tar.gz"
    subprocess.run(["tar", "-czf", archive, "-C", "w", "--", f"./{name}" if name.startswith("-") else name], cwd=tmp_path, check=True)
    problem = assert_problem(registry.put("/acme/named/1", archive.read_bytes()), 422, "invalid-module")
    commands = advised(*(violation["message"] for violation in problem["violations"]))
    assert len(commands) == 2 and root.exists()
    for command in commands:
        run(command, tmp_path / "w")


@pytest.mark.parametrize("name", ["one/two", "a/b/c/d", "My models/half plus two"])
def test_a_wrapper_within_others_is_named_by_our_commands(larder, name, tmp_path):
    packers.folder(tmp_path / "w" / name)
    environment = dict(os.environ, LARDER_SERVER=larder.url, LARDER_TOKEN=larder.token("publish:acme/*"))
    for arguments, rest in ((["publish", "w", "/acme/r/1"], " /acme/r/1"), (["pack", "w/", "-o", "out.tar.gz"], " -o out.tar.gz")):
        done = subprocess.run([binary(), *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)
        command, = advised(done.stderr)
        subprocess.run(command.replace("larder", binary(), 1).replace(" …", rest), shell=True, cwd=tmp_path, env=environment, check=True)


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
