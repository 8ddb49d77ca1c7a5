# SPDX-License-Identifier: Apache-2.0
"""What safetensors, GGUF and ONNX files of an archive say of their tensors: listed, searched, shown; never a reason to refuse."""
import json
import random
import struct

import pytest
from support import modules
from support.command_line import run
from support.modules import Member

PATH = "/acme/m/1"
QUERY = "?archive-format=compressed"


def safetensors(tensors, data=b"weights"):
    head = json.dumps({"__metadata__": {"format": "pt"}, **{name: {"dtype": dtype, "shape": shape, "data_offsets": [0, 1]}
                                                            for name, (dtype, shape) in tensors.items()}}).encode()
    return struct.pack("<Q", len(head)) + head + data


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(value)) + value


def gguf(tensors, metadata=(("general.architecture", "llama"), ("general.name", "tiny"))):
    body = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    body += b"".join(text(key) + struct.pack("<I", 8) + text(value) for key, value in metadata)
    for name, (number, shape) in tensors.items():
        body += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, number, 0)
    return body + bytes(64)


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def value_info(name, number, shape):
    dimensions = b"".join(field(1, field(1, size) if size >= 0 else field(2, "batch")) for size in shape)
    return field(1, name) + field(2, field(1, field(1, number) + field(2, dimensions)))


def onnx(inputs, outputs, initializers=("w",), ops=("MatMul", "Relu")):
    graph = b"".join(field(1, field(1, "x") + field(4, op)) for op in ops) + field(2, "main")
    graph += b"".join(field(5, field(1, 2) + field(8, name) + field(9, bytes(100))) for name in initializers)
    graph += b"".join(field(11, value_info(name, *value)) for name, value in inputs.items())
    graph += b"".join(field(12, value_info(name, *value)) for name, value in outputs.items())
    return field(1, 8) + field(2, "pytorch") + field(7, graph) + field(8, field(1, "") + field(2, 17))


FILES = {
    "model.safetensors": safetensors({"b.weight": ("BF16", [4, 2]), "a.bias": ("F32", []), "odd": ("X9", [1])}),
    "gguf/tiny.gguf": gguf({"output.weight": (14, (256, 512)), "norm": (0, (256,))}),
    "model.onnx": onnx({"x": (1, [-1, 784]), "w": (1, [2])}, {"y": (7, [-1])}),
    "config.json": b'{"model_type": "tiny"}',
}


def archive(files):
    return modules.pack([Member("./"), Member("./gguf/"), *(Member("./" + name, body) for name, body in files.items())])


def publish(larder, files, path=PATH):
    larder.publish(path + QUERY, archive(files))
    artifact, = larder.get("/api/v1/modules" + path).json()["artifacts"]
    return artifact


def brief(tensors):
    return [(one["name"], one["dtype"], one.get("shape", "unset")) for one in tensors]


EXPECTED = {
    "gguf/tiny.gguf": ("gguf", [], [("norm", "float32", [256]), ("output.weight", "q6_k", [256, 512])]),
    "model.onnx": ("onnx", [("x", "float32", [-1, 784])], [("y", "int64", [-1])]),
    "model.safetensors": ("safetensors", [], [("a.bias", "float32", []), ("b.weight", "bfloat16", [4, 2]), ("odd", "invalid", [1])]),
}


def test_listed_as_signatures_are(larder):
    model = publish(larder, FILES)["model"]
    assert model["kind"] == "files" and "truncated" not in model
    graph, = model["meta_graphs"]
    assert {one["name"]: (one["method"], brief(one["inputs"]), brief(one["outputs"])) for one in graph["signatures"]} == EXPECTED
    answer = larder.get("/api/v1/signatures" + PATH).json()
    assert answer["format"] == "archive" and answer["meta_graphs"][0]["signatures"] == graph["signatures"]
    page = larder.get(PATH, Accept="text/html").body.decode()
    shown = run("signatures", PATH[1:], server=larder.url).stdout
    for word in ("gguf/tiny.gguf", "q6_k", "model.onnx", "b.weight", "bfloat16"):
        assert word in page and word in shown, word


@pytest.mark.parametrize("query, found", [("output_dtype=q6_k", True), ("output_dtype=bfloat16", True), ("output_dtype=int64", True),
                                          ("input_dtype=float32", True), ("input_dtype=bfloat16", False), ("output_dtype=q4_k", False),
                                          ("op=MatMul", True), ("op=Conv", False)])
def test_searched_by_dtype_and_op(shared, query, found):
    shared.publish("/searched/heads/1" + QUERY, archive(FILES))
    handles = [module["handle"] for module in shared.get("/api/v1/modules?publisher=searched&" + query).json()["modules"]]
    assert handles == (["searched/heads"] if found else [])


def raw_safetensors(name):
    head = b'{"' + name + b'":{"dtype":"F32","shape":[1]}}'
    return struct.pack("<Q", len(head)) + head


# Not UTF-8, a NUL, half of a pair, overlong, beyond Unicode, cut off.
NO_TEXTS = [b"\xff", b"\0", b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xc3"]


def hostile():
    rng = random.Random(5)
    yield from ((name, b"") for name in ("m.safetensors", "m.gguf", "m.onnx"))
    for name, body in (("m.safetensors", FILES["model.safetensors"][:80]), ("m.gguf", FILES["gguf/tiny.gguf"][:60]),
                       ("m.onnx", FILES["model.onnx"][:40])):
        yield name, body
        yield name, rng.randbytes(3000)
    yield "m.safetensors", struct.pack("<Q", 2**63) + b"{}"
    yield "m.safetensors", struct.pack("<Q", 1_000_000) + b"{" + b" " * 1_000_000
    yield "m.safetensors", struct.pack("<Q", 1_000_002) + b'{"' + b"n" * 1_000_000
    yield "m.safetensors", struct.pack("<Q", 100_000) + b'{"a":' + b"[" * 99_995
    yield "m.gguf", b"GGUF" + struct.pack("<IQQ", 3, 2**64 - 1, 2**64 - 1)
    yield "m.gguf", b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 12, 2**62)
    yield "m.onnx", field(7, b"\x0a\xff\xff\xff\xff\x07")
    for bad in NO_TEXTS:
        stem = rng.randbytes(rng.randrange(20)).hex().encode()
        yield "m.gguf", gguf({stem + bad: (0, (1,))})
        yield "m.safetensors", raw_safetensors(stem + (b"\\u0000" if bad == b"\0" else bad))
        yield "m.onnx", onnx({stem + bad: (1, [1])}, {})
        yield "m.onnx", onnx({}, {stem + bad: (1, [1])})
        yield "m.onnx", onnx({}, {}, initializers=[stem + bad])
        yield "m.onnx", onnx({}, {}, ops=[stem + bad])
    yield "m.gguf", gguf({b"n" * 4097: (0, (1,))})
    yield "m.safetensors", raw_safetensors(b"n" * 4097)


@pytest.mark.parametrize("name, body", hostile(), ids=lambda value: value if isinstance(value, str) else f"{len(value)}-bytes")
def test_hostile_heads_are_kept_with_a_warning(shared, place, name, body):
    shared.publish(place + QUERY, archive({"gguf/x": b"x", name: body, "z.safetensors": FILES["model.safetensors"]}))
    artifact, = shared.get("/api/v1/modules" + place).json()["artifacts"]
    assert [(one["rule"], one["path"]) for one in artifact["warnings"]] == [("file-head", name)]
    assert [one["name"] for one in artifact["model"]["meta_graphs"][0]["signatures"]] == ["z.safetensors"]
    assert shared.get(f"{place}/{name}?archive-format=file").body == body


def odd_names():
    """What is text, whatever it does where it is not escaped."""
    rng = random.Random(6)
    yield from ("a\nb", "\x1b[2J\x07", "\x7f\x85", "\u202egnp.exe", "\r\nSet-Cookie: a=b", "<script>alert(1)</script>", "\"'&lt;<!--", "'; DROP TABLE facets; --",
                "`x` **x** [x](javascript:x)", "%00%s%n", "n" * 4096, "\U0001f980" * 1024, " ", "ä\u0301", "\ufeff", "\uffff")
    for _ in range(8):
        yield "".join(chr(rng.choice((rng.randrange(1, 0x250), rng.randrange(0xe000, 0x11000)))) for _ in range(rng.randrange(1, 60)))


@pytest.mark.parametrize("word", odd_names(), ids=lambda word: ascii(word[:20]))
def test_odd_names_are_listed_as_they_are(shared, place, word):
    names = {"m.gguf": gguf({word: (0, (1,))}), "m.safetensors": safetensors({word: ("F32", [1])}), "m.onnx": onnx({word: (1, [1])}, {}, ops=[word])}
    shared.publish(place + QUERY, archive({"gguf/x": b"x", **names}))
    artifact, = shared.get("/api/v1/modules" + place).json()["artifacts"]
    assert not artifact.get("warnings")
    graph, = artifact["model"]["meta_graphs"]
    for one in graph["signatures"]:
        assert [tensor["name"] for tensor in one["inputs"] + one["outputs"]] == [word], one["name"]
    assert [one["op"] for one in graph["ops"]] == [word]
    page = shared.get(place, Accept="text/html").body.decode()
    shown = run("signatures", place[1:], server=shared.url).stdout
    assert "<script>alert" not in page and "<!--" not in page
    for raw in ("\x1b", "\x07", "\x85", "\u202e"):
        assert raw not in page and raw not in shown, ascii(raw)


REFUSED = {
    "folder-missing": [Member("./new/x", b"x")],
    "name-repeated": [Member("./x", b"x")] * 2,
    "name-case-collision": [Member("./x", b"x"), Member("./X", b"x")],
    "name-backslash": [Member("./a\\b", b"x")],
    "lfs-pointer": [Member("./x", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 7\n")],
    "name-traversal": [Member("./../x", b"x")],
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_hundred_broken_heads_hide_nothing(shared, place, rule):
    body = modules.pack([Member("./"), *(Member(f"./{i}.gguf", b"") for i in range(100)), *REFUSED[rule]])
    reply = shared.put(place + QUERY, body)
    assert reply.status == 422 and rule in {one["rule"] for one in reply.json()["violations"]}, reply


def test_what_is_no_such_file_has_no_listing_and_no_warning(larder):
    artifact = publish(larder, {"gguf/README": b"x", "a.bin": FILES["model.onnx"]})
    assert "model" not in artifact and not artifact.get("warnings")


def test_very_many_tensors_are_listed_in_part(larder):
    artifact = publish(larder, {"gguf/x": b"", "m.safetensors": safetensors({f"layers.{i}.weight": ("F16", [i, 64]) for i in range(30_000)})})
    model = artifact["model"]
    assert model["truncated"] and model["counts"]["tensors"] == 30_000
    assert 1000 < len(model["meta_graphs"][0]["signatures"][0]["outputs"]) < 30_000


def test_differences_of_tensors(larder):
    publish(larder, FILES)
    publish(larder, {**FILES, "model.onnx": onnx({"x": (1, [-1, 10])}, {"y": (7, [-1])})}, "/acme/m/2")
    diff = larder.get("/api/v1/diff/acme/m/1/2").json()
    assert diff["format"] == "archive" and diff["breaking"]
    assert [(one["name"], one["change"]) for one in diff["signatures"]] == [("model.onnx", "changed")]


def test_texts_are_opened_from_the_page(larder):
    publish(larder, {**FILES, "gguf/notes.html": b"<p>"})
    page = larder.get(PATH, Accept="text/html").body.decode()
    for name, linked in (("config.json", True), ("gguf/notes.html", True), ("model.onnx", False), ("gguf/tiny.gguf", False)):
        assert (f'{PATH}/{name}?archive-format=file"' in page) == linked, name
    assert larder.get(f"{PATH}/gguf/notes.html?archive-format=file").header("Content-Type").startswith("text/plain")
