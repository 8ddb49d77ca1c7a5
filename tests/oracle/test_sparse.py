# SPDX-License-Identifier: Apache-2.0
"""Sparse files with maps of every shape, in each form that tars have them: where we let an archive pass, what we list of it is what
the tarfile of every Python puts together. Maps are made by chance, with empty pieces wherever they can be."""
import random
import subprocess
import tarfile

import pytest
from test_archive import assert_same  # isort: skip (it knows the way to what follows)
from support import modules
from support.modules import Member

FORMS = ["old", "0.0", "0.1", "1.0"]
WHOLE = modules.tar(modules.members(), padded=False)[:-1024]


def padded(data):
    return data.ljust(-(-len(data) // 512) * 512, b"\0")


def old_gnu(pieces, real, stored):
    """GNU's first form: four pieces in the header, 21 in each block behind it."""
    def cells(some):
        return b"".join(b"%011o\0" % number for piece in some for number in piece)

    block = bytearray(Member("./holes", stored).header().tobuf(tarfile.GNU_FORMAT))
    rest = pieces[4:]
    block[156:157] = b"S"
    block[386:386 + 96] = cells(pieces[:4]).ljust(96, b"\0")
    block[482] = bool(rest)
    block[483:495] = b"%011o\0" % real
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    out = bytes(block)
    while rest:
        out += cells(rest[:21]).ljust(504, b"\0") + bytes([len(rest) > 21]) + bytes(7)
        rest = rest[21:]
    return out + padded(stored)


def pax(form, pieces, real, stored):
    numbers = ",".join(f"{offset},{length}" for offset, length in pieces)
    info = Member("./GNUSparseFile.0/holes", stored).header()
    if form == "0.0":  # its keys repeat, which tarfile does not write
        texts = [("GNU.sparse.size", real), ("GNU.sparse.numblocks", len(pieces)), ("path", "./holes")]
        texts += [text for offset, length in pieces for text in (("GNU.sparse.offset", offset), ("GNU.sparse.numbytes", length))]
        content = b"".join(record(key, str(value)) for key, value in texts)
        head = Member("./PaxHeader", content, type=b"x").header()
        return head.tobuf(tarfile.USTAR_FORMAT) + padded(content) + info.tobuf(tarfile.USTAR_FORMAT) + padded(stored)
    if form == "1.0":
        stored = padded("".join(f"{number}\n" for number in (len(pieces), *(n for piece in pieces for n in piece))).encode()) + stored
        info.size = len(stored)
    info.pax_headers = {"0.1": {"GNU.sparse.size": str(real), "GNU.sparse.numblocks": str(len(pieces)), "GNU.sparse.map": numbers,
                                "GNU.sparse.name": "./holes"},
                        "1.0": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(real),
                                "GNU.sparse.name": "./holes"}}[form]
    return info.tobuf(tarfile.PAX_FORMAT) + padded(stored)


def record(key, value):
    length = len(f" {key}={value}\n")
    total = length + len(str(length))
    total = length + len(str(total))
    return f"{total} {key}={value}\n".encode()


def archive(form, pieces, real):
    stored = modules.payload(sum(length for _, length in pieces), len(pieces))
    member = old_gnu(pieces, real, stored) if form == "old" else pax(form, pieces, real, stored)
    return modules.compress(WHOLE + member + padded(Member("./behind", b"x").header().tobuf(tarfile.GNU_FORMAT)) + padded(b"x") + bytes(1024))


def ascending(seed):
    """A map as packers could write it, and the file's size: whether it has empty pieces, and where, is chance."""
    chance = random.Random(seed)
    pieces, at = [], 0
    for _ in range(chance.choice([1, 2, 3, 4, 5, 6, 25, 26, 60])):
        at += chance.choice([0, 0, 1, 511, 512, 700])
        length = chance.choice([0, 0, 1, 5, 512, 600])
        pieces.append((at, length))
        at += length
    return pieces, at + chance.choice([0, 0, 1, 512, 5_000])


def holes():
    """Files that have nothing but a hole: every way to say so."""
    for real in (1, 512, 5 << 20):
        yield from ([pieces, real] for pieces in ([(0, 0)], [(real, 0)], [(0, 0), (real, 0)], [(0, 0)] * 3, [(real, 0)] * 2,
                                                  [(0, 0), (real // 2, 0), (real, 0)], [(0, 0)] * 30, [(0, 0)] * 29 + [(real, 0)]))


@pytest.mark.parametrize("form", FORMS)
def test_files_that_are_one_hole(tmp_path, form):
    made = {f"{pieces} of {real}": archive(form, pieces, real) for pieces, real in holes()}
    for (pieces, real), (name, answer) in zip(holes(), assert_same(tmp_path, made).items()):
        assert not answer["violations"] and [rule for rule, _ in answer["warnings"]] == ["sparse-member"], (name, answer)
        assert answer["sizes"]["holes"] == real and answer["sizes"]["behind"] == 1


@pytest.mark.parametrize("batch", range(4))
@pytest.mark.parametrize("form", FORMS)
def test_maps_with_empty_pieces(tmp_path, form, batch):
    seeds = range(batch * 60, batch * 60 + 60)
    seen = assert_same(tmp_path, {seed: archive(form, *ascending(seed)) for seed in seeds})
    for seed, answer in seen.items():
        pieces, real = ascending(seed)
        # tarfile leaves a piece at the very beginning out of a block that continues the map.
        if form == "old" and any(offset == 0 and length for offset, length in pieces[4:]):
            assert [rule for rule, _ in answer["violations"]] == ["tar-broken"], answer
            continue
        assert not answer["violations"], (seed, answer["violations"])
        assert answer["sizes"]["holes"] == real


@pytest.mark.parametrize("form", FORMS)
def test_maps_that_do_not_ascend(tmp_path, form):
    def spoiled(seed):
        chance = random.Random(seed)
        pieces, real = ascending(seed)
        pieces = [piece for piece in pieces if piece[1]] + [(real, 5), (real + 20, 5)]
        at = chance.randrange(1, len(pieces))
        pieces[at] = chance.choice([(0, pieces[at][1]), (pieces[at - 1][0], pieces[at][1]), (pieces[at][0], real * 2 + 1000)])
        return pieces, real + 30

    made = {seed: archive(form, *spoiled(seed)) for seed in range(60)}
    assert all(answer["violations"] for answer in assert_same(tmp_path, made).values())


PROGRAMS = {"bsdtar": "bsdtar --read-sparse -cf", "GNU": "tar --format=gnu -S -cf", **{
    form: f"tar --format=pax --sparse-version={form} -S -cf" for form in FORMS[1:]}}


@pytest.mark.parametrize("program", PROGRAMS)
def test_real_packers_and_holes(tmp_path, program):
    """Holes at the beginning, in the middle, at the end, and nothing else, of files of many sizes."""
    root = tmp_path / "module"
    root.mkdir()
    (root / "saved_model.pb").write_bytes(modules.saved_model())
    shapes = {f"{before}-{data}-{behind}": (before, data, behind) for before in (0, 4096, 65536) for data in (0, 1, 5000)
              for behind in (0, 8192, 400_000) if before + data + behind}
    for name, (before, data, behind) in shapes.items():
        with open(root / name, "wb") as out:
            out.seek(before)
            out.write(b"d" * data)
            out.truncate(before + data + behind)
    try:
        subprocess.run([*PROGRAMS[program].split(), tmp_path / "packed.tar", "."], cwd=root, check=True)
    except FileNotFoundError:
        pytest.skip(f"{program} is not there")
    answer = assert_same(tmp_path, {program: modules.compress((tmp_path / "packed.tar").read_bytes())})[program]
    assert not answer["violations"], answer["violations"]
    assert {name: answer["sizes"][name] for name in shapes} == {name: sum(shape) for name, shape in shapes.items()}


def test_a_link_to_itself_is_no_repeated_file(tmp_path):
    """As GNU tar writes for a file that it is told of twice: no Python unpacks it, so it is refused."""
    root = tmp_path / "module"
    root.mkdir()
    (root / "saved_model.pb").write_bytes(modules.saved_model())
    for number, names in enumerate((". saved_model.pb", "saved_model.pb ./saved_model.pb", "./saved_model.pb ./saved_model.pb")):
        subprocess.run(["tar", "-cf", tmp_path / "packed.tar", *names.split()], cwd=root, check=True)
        data = (tmp_path / "packed.tar").read_bytes()
        with tarfile.open(tmp_path / "packed.tar", "r|*") as packed, pytest.raises((tarfile.StreamError, OSError)):
            packed.extractall(tmp_path / str(number))
        answer = assert_same(tmp_path, {names: modules.compress(data)})[names]
        assert [rule for rule, _ in answer["violations"]] == ["member-type"], answer
