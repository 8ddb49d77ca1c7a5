# SPDX-License-Identifier: Apache-2.0
"""Archives made to harm: each is refused with the rule that it breaks, costs little, and leaves nothing behind."""
import bz2
import gzip
import io
import json
import tarfile
import zlib

import pytest
from support import modules
from support.daemon import Daemon, assert_problem
from support.modules import Member, members, pack, tar

PATH = "/acme/hostile/1"
GOOD = members()


@pytest.fixture(scope="module")
def larder(start_shared):
    return start_shared()


def raw_header(name, size=b"00000000000\0", type=b"0"):
    """A tar header as no library writes it, with a right checksum."""
    block = bytearray(512)
    block[:len(name)] = name
    block[100:108] = b"0000644\0"
    block[124:136] = size
    block[148:156] = b" " * 8
    block[156:157] = type
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def raw_tar(*blocks):
    return modules.compress(tar(GOOD, padded=False)[:-1024] + b"".join(blocks) + bytes(1024))


def nested(depth):
    message = b""
    for _ in range(depth):
        message = modules.bytes_field(7, modules.bytes_field(1, message))
        if len(message) > 1 << 20:
            break
    return modules.number_field(1, 1) + modules.bytes_field(2, message)


def bomb(unpacked_bytes):
    """A gzip that expands a thousandfold."""
    out = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = [out.compress(raw_header(b"zeros", b"%011o\0" % unpacked_bytes))]
    for _ in range(unpacked_bytes >> 20):
        data.append(out.compress(bytes(1 << 20)))
    data += [out.compress(bytes(1024)), out.flush()]
    return b"".join(data)


def pax_bomb():
    """A PAX header that claims to be some gigabytes of names."""
    return raw_tar(raw_header(b"PaxHeader", b"%011o\0" % (7 << 30), b"x"), bytes(4096))


HOSTILE = {
    "traversal": lambda: pack(GOOD + [Member("../../etc/cron.d/x", b"boom")]),
    "traversal in the middle": lambda: pack(GOOD + [Member("./variables/../../x", b"boom")]),
    "absolute": lambda: pack(GOOD + [Member("/etc/passwd", b"boom")]),
    "name that starts with two dots": lambda: pack(GOOD + [Member("..x", b"boom")]),
    "symbolic link": lambda: pack(GOOD + [Member("l", type=tarfile.SYMTYPE, link="/etc/passwd")]),
    "symbolic link as a folder": lambda: pack(GOOD + [Member("d", type=tarfile.SYMTYPE, link="/tmp"), Member("d/x", b"boom")]),
    "hard link": lambda: pack(GOOD + [Member("l", type=tarfile.LNKTYPE, link="./saved_model.pb")]),
    "character device": lambda: pack(GOOD + [Member("d", type=tarfile.CHRTYPE)]),
    "block device": lambda: pack(GOOD + [Member("d", type=tarfile.BLKTYPE)]),
    "pipe": lambda: pack(GOOD + [Member("p", type=tarfile.FIFOTYPE)]),
    "sparse file": lambda: raw_tar(raw_header(b"s", type=b"S")),
    "control characters": lambda: pack(GOOD + [Member("a\x1b[2Jb", b"x")]),
    "newline in a name": lambda: pack(GOOD + [Member("a\nb", b"x")]),
    "name that is no UTF-8": lambda: raw_tar(raw_header(b"caf\xe9")),
    "duplicate": lambda: pack(GOOD + [Member("./saved_model.pb", modules.saved_model())]),
    "duplicate in another spelling": lambda: pack(GOOD + [Member("saved_model.pb", modules.saved_model())]),
    "duplicate in another case": lambda: pack(GOOD + [Member("./Saved_Model.pb", b"x")]),
    "file and folder of one name": lambda: pack(GOOD + [Member("./variables", b"x")]),
    "no folder entry": lambda: pack([member for member in GOOD if member.name != "./variables/"]),
    "folder entry behind its file": lambda: pack(GOOD[:2] + GOOD[3:] + GOOD[2:3]),
    "wrapper folder": lambda: pack([Member("m/")] + members(prefix="m/")),
    "no model": lambda: pack([Member("./"), Member("./readme", b"x")]),
    "empty": lambda: pack([]),
    "long name": lambda: pack(GOOD + [Member("x" * 5000, b"x")]),
    "long name in PAX": lambda: pack(GOOD + [Member("é" * 3000, b"x")], format=tarfile.PAX_FORMAT),
    "long name that is a bomb": lambda: raw_tar(raw_header(b"././@LongLink", b"%011o\0" % (1 << 31), b"L"), bytes(4096)),
    "PAX header that is a bomb": pax_bomb,
    "size beyond the end": lambda: raw_tar(raw_header(b"big", b"%011o\0" % (1 << 30))),
    "size that is negative": lambda: raw_tar(raw_header(b"neg", b"\xff" * 12)),
    "size that overflows": lambda: raw_tar(raw_header(b"huge", b"\x80" + b"\x7f" * 11)),
    "size that is no number": lambda: raw_tar(raw_header(b"odd", b"12x45678901\0")),
    "bad header checksum": lambda: modules.compress(tar(GOOD)[:148] + b"0000000\0" + tar(GOOD)[156:]),
    "no end blocks": lambda: modules.compress(tar(GOOD, padded=False)[:-1024]),
    "one end block": lambda: modules.compress(tar(GOOD, padded=False)[:-512]),
    "bytes behind the end": lambda: modules.compress(tar(GOOD, padded=False) + b"x" * 512),
    "second archive behind the first": lambda: modules.compress(tar(GOOD, padded=False) + tar(GOOD, padded=False)),
    "gzip cut": lambda: pack(GOOD)[:-9],
    "gzip without its trailer": lambda: pack(GOOD)[:-8],
    "gzip CRC": lambda: modules.with_bad_crc(pack(GOOD)),
    "gzip length": lambda: modules.with_bad_length(pack(GOOD)),
    "gzip with garbage behind": lambda: pack(GOOD) + b"garbage",
    "second gzip member": lambda: pack(GOOD) + modules.compress(b"more"),
    "gzip twice": lambda: modules.compress(pack(GOOD)),
    "no gzip": lambda: tar(GOOD),
    "zip": lambda: b"PK\x03\x04" + bytes(100),
    "bzip2": lambda: bz2.compress(tar(GOOD)),
    "HTML": lambda: b"<!doctype html><title>Sign in</title>",
    "broken deflate": lambda: pack(GOOD)[:10] + b"\xff" * 400,
    "model that is no protobuf": lambda: modules.module(model=b"\xff" * 64),
    "model that is cut": lambda: modules.module(model=modules.saved_model()[:-5]),
    "model without a meta graph": lambda: modules.module(model=modules.number_field(1, 1)),
    "model that is empty": lambda: modules.module(model=b""),
    "field with a lying length": lambda: modules.module(model=b"\x12" + modules.varint(1 << 40) + b"x"),
    "field with the largest length": lambda: modules.module(model=b"\x12" + b"\xff" * 9 + b"\x01"),
    "varint without an end": lambda: modules.module(model=b"\x08" + b"\x80" * 200),
    "field number 0": lambda: modules.module(model=b"\x00\x01" + modules.saved_model()),
    "end of a group that never began": lambda: modules.module(model=modules.saved_model() + b"\x0c"),
    "group without an end": lambda: modules.module(model=modules.saved_model() + b"\x0b"),
    "groups in groups": lambda: modules.module(model=modules.saved_model() + b"\x5b" * 100_000),
    "folder that is the model": lambda: pack([Member("./"), Member("./saved_model.pb/")]),
}


@pytest.fixture(scope="module")
def larder(tmp_path_factory):
    """One daemon for the whole table: what is refused leaves nothing, so each case begins as the first did."""
    daemon = Daemon(tmp_path_factory.mktemp("hostile"), {"publish": {"max_unpacked_bytes": "64M", "max_members": 2000}}).start()
    yield daemon
    daemon.stop()


@pytest.mark.parametrize("case", HOSTILE)
def test_refused(larder, case):
    reply = larder.put(PATH, HOSTILE[case]())
    problem = assert_problem(reply, 422, "invalid-module")
    assert problem["violations"], problem
    for violation in problem["violations"]:
        assert violation["rule"] and violation["message"] and isinstance(violation["path"], str), violation
    larder.assert_nothing_kept()


@pytest.mark.parametrize("make", [
    lambda: bomb(256 << 20),
    lambda: pack([Member("./"), Member("./saved_model.pb", modules.saved_model()), Member("./zeros", bytes(65 << 20))], level=9),
    lambda: pack(GOOD + [Member(f"./f{i}", b"") for i in range(2100)]),
], ids=["expands a thousandfold", "expands beyond the limit", "too many members"])
def test_bombs(larder, make):
    before = resident_kib(larder)
    reply = larder.put(PATH, make())
    assert reply.status in (413, 422), reply
    assert reply.json()["code"] in ("invalid-module", "too-large"), reply
    larder.assert_nothing_kept()
    assert resident_kib(larder) - before < 256 << 10, "the bomb went off in memory"


def resident_kib(larder):
    with open(f"/proc/{larder.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


@pytest.mark.parametrize("make", [
    lambda: nested(2000),
    lambda: modules.saved_model() + modules.bytes_field(1000, b"x" * 100_000),
    lambda: modules.saved_model() + b"".join(modules.number_field(n, 1) for n in range(100, 20_000)),
    lambda: modules.saved_model() + modules.bytes_field(2, modules.map_field(5, {f"s{i}": b"" for i in range(6000)})),
    lambda: modules.saved_model() + b"".join(modules.bytes_field(2, b"") for _ in range(500)),
    lambda: modules.saved_model(modules.MetaGraph({"s" * 100_000: modules.Signature({}, {})})),
], ids=["nested objects", "large unknown field", "many unknown fields", "many signatures", "many meta graphs", "long name"])
def test_odd_models_do_no_harm(larder, make, request):
    path = "/acme/odd/" + str(1 + request.node.callspec.indices["make"])
    reply = larder.put(path, modules.module(model=make()))
    assert reply.status in (201, 422, 409), reply
    assert larder.get("/healthz").status == 200
    if reply.status == 201:
        assert larder.get("/api/v1/signatures" + path).status == 200
        larder.request("DELETE", path, {"Authorization": f"Bearer {larder.token('withdraw:*')}"})


def test_every_violation_is_told(larder):
    reply = larder.put("/acme/many/1", pack([Member("./"), Member("a\nb", b"x"), Member("l", type=tarfile.SYMTYPE, link="x")]))
    problem = assert_problem(reply, 422, "invalid-module")
    assert len({violation["rule"] for violation in problem["violations"]}) >= 3, problem


def test_violations_are_limited(larder):
    reply = larder.put("/acme/many/1", pack(GOOD + [Member(f"l{i}", type=tarfile.SYMTYPE, link="x") for i in range(500)]))
    problem = assert_problem(reply, 422, "invalid-module")
    assert len(problem["violations"]) == 100


def test_one_byte_is_told_as_one(larder):
    problem = larder.put("/acme/one/1", b"x").json()
    message, = (violation["message"] for violation in problem["violations"])
    assert message.startswith("This is not gzip: it begins with 78 and looks like something else; "), problem


@pytest.mark.parametrize("changes", [
    {"model.json": None}, {"model.json": b"{"}, {"model.json": b"[]"}, {"model.json": b"{}"}, {"model.json": b"[" * 100_000},
    {"group1-shard2of3.bin": None}, {"group1-shard2of3.bin": b"short"},
    {"model.json": json.dumps({"modelTopology": {}, "weightsManifest": [
        {"paths": ["../../etc/passwd"], "weights": []}]}).encode()},
], ids=["no model.json", "cut JSON", "array", "no weights", "deep JSON", "no shard", "short shard", "traversal"])
def test_tfjs_archives(larder, changes):
    reply = larder.put("/acme/tfjs/1?tfjs-format=compressed", modules.tfjs_module(**changes))
    assert_problem(reply, 422, "invalid-module")


@pytest.mark.parametrize("body", [b"TFL3", b"\x1c\0\0\0TFL2" + bytes(100), b"\x1c\0\0\0TFL3" + bytes(100), modules.module(100), b"\0" * 3])
def test_tflite_files(larder, body):
    assert_problem(larder.put("/acme/lite/1?lite-format=tflite", body), 422, "invalid-module")


def test_the_table_is_what_it_says():
    """Spot checks of the archives themselves: each is wrong in one way only."""
    assert gzip.decompress(HOSTILE["gzip without its trailer"]() + pack(GOOD)[-8:]) == tar(GOOD)
    with tarfile.open(fileobj=io.BytesIO(HOSTILE["traversal"]())) as archive:
        assert archive.getnames()[-1] == "../../etc/cron.d/x"
    with tarfile.open(fileobj=io.BytesIO(HOSTILE["hard link"]())) as archive:
        assert archive.getmembers()[-1].islnk()
    with tarfile.open(fileobj=io.BytesIO(raw_tar(raw_header(b"fine")))) as archive:
        assert archive.getnames()[-1] == "fine"
