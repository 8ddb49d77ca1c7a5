# SPDX-License-Identifier: Apache-2.0
"""What Larder lists of an archive is what tensorflow_hub unpacks of it, with the tarfile of every Python that is at hand."""
import atexit
import glob
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "http"))

import test_hostile  # noqa: E402 (found by the path above)
from support import modules, packers  # noqa: E402
from support.modules import Member  # noqa: E402

DUMP = os.environ.get("LARDER_DUMP_ARCHIVE", "build-asan/tests/dump_archive")
# What a client of this kind cannot use, and is told so.
CLIENT_MAY_FAIL = {"folder-missing", "gzip-extra"}


def pythons():
    """Each Python from 3.8 on that runs, by its version."""
    found = {}
    names = [shutil.which(f"python3.{minor}") for minor in range(8, 20)] + [sys.executable]
    names += glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3"))
    for name in filter(None, names):
        told = subprocess.run([name, "-c", "import sys, zlib; print(*sys.version_info[:3])"], capture_output=True, check=False)
        if told.returncode == 0 and (3, 8) <= tuple(map(int, told.stdout.split())):
            found.setdefault(told.stdout.decode().strip().replace(" ", "."), name)
    return found


PYTHONS = pythons()


class Reader:
    """hub_reader.py in one of the Pythons, which takes longer to start than to read most of what it is given."""

    def __init__(self, python):
        self.process = subprocess.Popen([python, str(HERE / "hub_reader.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, scratch, archives):
        self.process.stdin.write(json.dumps([str(scratch), *map(str, archives)]).encode() + b"\n")
        self.process.stdin.flush()
        return [json.loads(self.process.stdout.readline()) for _ in archives]


READERS = {}


def reader(python):
    if python not in READERS:
        READERS[python] = Reader(python)
    return READERS[python]


@atexit.register
def end_readers():
    for each in READERS.values():
        each.process.communicate()


def lines(command, archives):
    out = subprocess.run([*command, *archives], capture_output=True, check=False)
    assert out.returncode == 0, out.stderr.decode()
    return [json.loads(line) for line in out.stdout.splitlines()]


def parents(paths):
    return {parent.as_posix() for path in paths for parent in Path(path).parents} - {"."}


def differences(ours, theirs):
    """How the client's view differs from ours, where we let it have the archive."""
    if ours["violations"]:
        return None
    warned = {rule for rule, _ in ours["warnings"]}
    if "error" in theirs:
        return None if warned & CLIENT_MAY_FAIL else theirs["error"]
    if theirs["files"] != ours["files"] or set(ours["sizes"]) != set(ours["files"]):
        return f"files: {theirs['files']} instead of {ours['files']}"
    folders = set(ours["folders"]) | parents(ours["folders"])
    return None if set(theirs["folders"]) == folders else f"folders: {theirs['folders']} instead of {folders}"


def assert_same(tmp_path, archives):
    """archives: bytes by name. Returns what Larder makes of each."""
    paths = []
    for number, data in enumerate(archives.values()):
        paths.append(tmp_path / f"{number}.tar.gz")
        paths[-1].write_bytes(data)
    ours = lines([DUMP], paths)
    faults = []
    for version, python in PYTHONS.items():
        theirs = reader(python).read(tmp_path / "scratch", paths)
        assert len(theirs) == len(ours) == len(paths)
        faults += [f"{name}, Python {version}: {difference}" for name, our, their in zip(archives, ours, theirs)
                   if (difference := differences(our, their))]
    assert not faults, "\n".join(faults[:20])
    return dict(zip(archives, ours))


def seal(block):
    """The header with its checksum set right."""
    block = bytearray(block)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def test_hostile_archives(tmp_path):
    seen = assert_same(tmp_path, {name: make() for name, make in test_hostile.HOSTILE.items()})
    assert all(answer["violations"] or answer["warnings"] for answer in seen.values())


FIELDS = {"name": (0, 100), "mode": (100, 8), "uid": (108, 8), "gid": (116, 8), "size": (124, 12), "mtime": (136, 12),
          "type": (156, 1), "linkname": (157, 100), "magic": (257, 8), "uname": (265, 32), "gname": (297, 32),
          "devmajor": (329, 8), "devminor": (337, 8), "prefix": (345, 155), "sparse": (386, 110)}
VALUES = [b"\0", b" ", b"0", b"7", b"8", b"-1", b"0000644\0", b"\x80", b"\xff", b"\x80\0\0\0\0\0\0\5", b"a/", b"/", b"./", b"..",
          b"\\", b"\xc3\xa4", b"\xff\xfe", b"ustar\x0000", b"ustar  \0", b"00000000005\0", b"00000000010", b"       5", b"5       ",
          b"5\0garbage", b"0o5", b"5_0", b"\t5", b"5\n", b"S", b"x", b"g", b"L", b"K", b"5", b"2", b"1", b"V", b"D", b"X", b"\x01"]


def mutated(seed):
    """A tar of some members of every kind with one or two fields of one header changed, and its checksum right."""
    chance = random.Random(seed)
    entries = modules.members() + [Member("./x/"), Member("./x/" + "n" * 98, b"long"), Member("./x/ä", b"hello")]
    data = bytearray(modules.tar(entries, format=chance.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])))
    heads = [at for at in range(0, len(data), 512) if data[at + 257:at + 262] == b"ustar"]
    at = chance.choice(heads)
    for _ in range(chance.choice([1, 1, 1, 2])):
        begin, length = FIELDS[chance.choice(list(FIELDS))]
        value = chance.choice(VALUES)[:length]
        keep = bytes(data[at + begin + len(value):at + begin + length]) if chance.random() < 0.5 else bytes(length - len(value))
        data[at + begin:at + begin + length] = value + keep
    data[at:at + 512] = seal(data[at:at + 512])
    return gzip.compress(bytes(data), 1, mtime=0)


@pytest.mark.parametrize("batch", range(4))
def test_changed_headers(tmp_path, batch):
    assert_same(tmp_path, {seed: mutated(seed) for seed in range(batch * 100, batch * 100 + 100)})


def gzip_head(flags, extra=b""):
    packed = gzip.compress(modules.tar(modules.members()), 1, mtime=0)
    return b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + extra + packed[10:]


def test_gzip_heads(tmp_path):
    seen = assert_same(tmp_path, {
        "plain": gzip_head(0), "name": gzip_head(8, b"module.tar\0"), "comment": gzip_head(16, b"a comment\0"),
        "long name": gzip_head(8, b"n" * 70_000 + b"\0"), "both": gzip_head(24, b"name\0comment\0"), "text": gzip_head(1),
        "no extra": gzip_head(4, b"\0\0"), "extra": gzip_head(4, b"\5\0hello"), "bgzf": gzip_head(4, b"\6\0BC\2\0\x10\0"),
        "extra and name": gzip_head(12, b"\4\0abcdname\0"), "long extra": gzip_head(4, b"\xff\xff" + b"x" * 65535)})
    for name, answer in seen.items():
        extra = "extra" in name and name != "no extra" or name == "bgzf"
        assert [rule for rule, _ in answer["warnings"]] == ["gzip-extra"] * extra and not answer["violations"], name


def ends():
    whole = modules.tar(modules.members(), padded=False)
    content = whole[:-1024]
    return {"whole": whole, "none": content, "one": content + bytes(512), "part": content + bytes(100),
            "one and a part": content + bytes(700), "many": whole + bytes(100_000), "odd": whole + bytes(1)}


def test_ends_of_the_tar(tmp_path):
    seen = assert_same(tmp_path, {name: modules.compress(data) for name, data in ends().items()})
    for name, answer in seen.items():
        missing = name in ("none", "one", "part", "one and a part")
        assert [rule for rule, _ in answer["warnings"]] == ["tar-end-missing"] * missing and not answer["violations"], name


def test_every_cut(tmp_path):
    """Cut anywhere in a whole gzip: we let nobody have less than the client takes for whole, nor the other way round."""
    tar = modules.tar(modules.members(600), padded=False)
    assert_same(tmp_path, {length: modules.compress(tar[:length]) for length in range(0, len(tar) + 1, 128)})


@pytest.mark.parametrize("name", packers.PACKERS)
def test_packers(tmp_path, name):
    if not packers.available(name):
        pytest.skip(f"{name} is not there")
    root = packers.folder(tmp_path / "module")
    pack, expected = packers.PACKERS[name]
    pack(root, tmp_path / "packed.tar.gz")
    answer = assert_same(tmp_path, {name: (tmp_path / "packed.tar.gz").read_bytes()})[name]
    assert not answer["violations"], answer["violations"]
    if expected is not None:
        assert {rule for rule, _ in answer["warnings"]} == expected, answer["warnings"]
    assert {path: len(data) for path, data in packers.files(root).items()} == answer["sizes"]
