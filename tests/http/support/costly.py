# SPDX-License-Identifier: Apache-2.0
"""Small files that say very much: makers of whatever a stranger may have many of, long or deep, by the room that reads it."""
import json
import struct
import tarfile

from . import modules
from .modules import Member, bytes_field, map_field, number_field, pack, varint

MANY = 100_000


def model(*graphs):
    return modules.module(model=number_field(1, 1) + b"".join(bytes_field(2, graph) for graph in graphs))


def tensor(dimensions=1):
    return bytes_field(1, "x:0") + number_field(2, 1) + bytes_field(3, bytes_field(2, b"") * dimensions)


def signature(inputs, dimensions=1):
    return map_field(1, {f"x{i}": tensor(dimensions) for i in range(inputs)})


def tags(count, text=b"t"):
    return bytes_field(1, bytes_field(4, text) * count)


def nodes(count):
    return bytes_field(2, b"".join(bytes_field(1, bytes_field(2, f"Op{i}")) for i in range(count)))


def callables(functions, leaves):
    """So many functions of the root, which all name one large trace."""
    root = b"".join(bytes_field(1, number_field(1, 1) + bytes_field(2, f"f{i}")) for i in range(functions))
    function = bytes_field(6, bytes_field(1, "c"))
    value = bytes_field(33, bytes_field(2, b"") + number_field(3, 1))
    concrete = bytes_field(4, bytes_field(52, bytes_field(1, value) * leaves))
    return bytes_field(7, bytes_field(1, root) + bytes_field(1, function) + map_field(2, {"c": concrete}))


def objects(count):
    """Functions that nobody can call, each with a trace of its own."""
    named = (bytes_field(1, bytes_field(6, bytes_field(1, f"c{i}"))) for i in range(count))
    traces = map_field(2, {f"c{i}": bytes_field(4, bytes_field(33, bytes_field(2, b""))) for i in range(count)})
    return bytes_field(7, bytes_field(1, b"") + b"".join(named) + traces)


def text(body):
    return pack([Member("./"), Member("./saved_model.pbtxt", ("meta_graphs {" + body + "}").encode())])


def tfjs(head, piece, times, tail):
    return pack([Member("./"), Member("./model.json", (head + piece * times + tail).encode())])


def archive(names):
    return pack(modules.members() + [Member("./" + name) for name in names], level=9)


def nested(root, depth):
    """A file so many folders down, and before it the folders."""
    path = root + "/"
    for _ in range(depth):
        yield path
        path += "a/"
    yield path
    yield path + "file"


MODELS = {
    "a million tags": lambda: model(tags(1_000_000)),
    "long tags": lambda: model(tags(3000, b"\1" * 4096)),
    "100,000 inputs": lambda: model(map_field(5, {"s": signature(MANY)})),
    "100,000 signatures": lambda: model(map_field(5, {f"s{i}": b"" for i in range(MANY)})),
    "4,000 inputs of 254 dimensions": lambda: model(map_field(5, {"s": signature(4000, 254)})),
    "64 graphs of 30,000 tags": lambda: model(*[tags(30_000)] * 64),
    "64 graphs of 4,000 kinds of operations": lambda: model(*[nodes(4000)] * 64),
    "100,000 graphs": lambda: model(*[b""] * MANY),
    "10,000 callables of 1,000 outputs": lambda: model(callables(10_000, 1000)),
    "50,000 functions that none can call": lambda: model(objects(50_000)),
    "40,000 signatures as text": lambda: text("".join(f'signature_def {{ key: "s{i}" value {{}} }}\n' for i in range(40_000))),
    "a million tags as text": lambda: text("meta_info_def { " + 'tags: "t" ' * 1_000_000 + "}"),
}

REFUSED = {
    "a million dimensions": lambda: model(map_field(5, {"s": signature(1, 1_000_000)})),
    "500,000 dimensions in a trace": lambda: model(bytes_field(7, bytes_field(1, b"") + map_field(2, {"c": bytes_field(
        4, bytes_field(33, bytes_field(2, bytes_field(2, b"") * 500_000)))}))),
    "255 dimensions as text": lambda: text('signature_def { key: "s" value { inputs { key: "x" value { tensor_shape { '
                                           + "dim {} " * 255 + "} } } } }"),
}

SCRIPTS = {
    "a million {} in model.json": lambda: tfjs('{"modelTopology":[{}', ",{}", 1_000_000, "]}"),
    "a million texts in model.json": lambda: tfjs('{"modelTopology":[""', ',"x"', 1_000_000, "]}"),
    "a million keys in model.json": lambda: tfjs('{"modelTopology":{"k":0', ',"k":0', 1_000_000, "}}"),
    "arrays in arrays in model.json": lambda: tfjs('{"modelTopology":', "[" * 1000 + "]" * 1000 + ",", 0, "[]}"),
    "a long text in model.json": lambda: tfjs('{"modelTopology":"', "x", 500_000, '"}'),
    "a million dimensions in model.json": lambda: tfjs(
        '{"weightsManifest":[{"paths":[],"weights":[{"dtype":"string","shape":[1', ",1", 1_000_000, "]}]}]}"),
}

ARCHIVES = {
    "100,000 members": lambda: archive(f"{i:x}" for i in range(MANY - 10)),
    "20,000 members with long names": lambda: archive(f"{i:0250}" for i in range(20_000)),
    "9,000 folders in folders": lambda: archive(name for i in range(100) for name in nested(f"{i}", 90)),
}

def pax(records):
    return pack(modules.members(), level=9, format=tarfile.PAX_FORMAT, pax=records)


HEADS = {
    "a PAX head of 20,000 records": lambda: pax({f"comment.{i}": "x" for i in range(20_000)}),
    "a PAX head of one long record": lambda: pax({"comment": "x" * 1_000_000}),
    "5,000 members with PAX heads": lambda: pack(modules.members() + [Member(f"./{i:03500}") for i in range(5000)], level=9,
                                                 format=tarfile.PAX_FORMAT),
}


def subgraphs(count):
    """A TF Lite model whose subgraphs are all the same one."""
    end = 44 + 4 * count
    head = (struct.pack("<I", 24) + b"TFL3" + struct.pack("<7H2x", 14, 16, 4, 0, 8, 0, 12)
            + struct.pack("<4I", 16, 3, 40 - 32, end + 8 - 36))
    vector = struct.pack("<I", count) + b"".join(struct.pack("<I", end + 4 - (44 + 4 * i)) for i in range(count))
    return head + vector + struct.pack("<2HI", 4, 4, 4) + struct.pack("<2I2HI", 1, 8, 4, 4, 4)


BARE = {
    "250,000 subgraphs": lambda: subgraphs(250_000),
    "a buffer of 4 MiB": lambda: modules.tflite_model(4 << 20),
    "a vector that says a billion": lambda: subgraphs(4)[:40] + struct.pack("<I", 10 ** 9) + bytes(1000),
}

KINDS = {"model": ("tf-hub", MODELS), "model.json": ("tfjs", SCRIPTS), "tar": ("tf-hub", ARCHIVES), "pax": ("tf-hub", HEADS),
         "flatbuffer": ("tflite", BARE)}

MAY_BE_REFUSED = {*HEADS, *BARE}

QUERIES = {
    "a long word": "q=" + "a" * 24_000,
    "many words": "q=" + "a+" * 12_000,
    "many keys": "&".join(f"k{i}=1" for i in range(3000)),
    "one key again and again": "q=a&" * 6000,
    "escapes": "q=" + "%41" * 8000,
}

UPSTREAM = "[upstream u{}]\nurl = http://127.0.0.1:9/{{path}}?{{query}}\n"
CONFIGURATIONS = {
    "a thousand upstreams": "".join(UPSTREAM.format(i) for i in range(1000)),
    "a list of 50,000 patterns": "[mirror]\n" + "".join(f"allow = {'a/* ' * 50}\n" for _ in range(1000)),
    "10,000 unknown keys": "[server]\n" + "".join(f"k{i} = 1\n" for i in range(10_000)),
    "a line of 1 MB": "[mirror]\nallow = " + "a/* " * 250_000 + "\n",
}


def documents():
    """Markdown of a megabyte that is slow to read for one reason each, and some of an honest kind."""
    units = ["a@a.", "a@a.b@", "x@", "www.a.", "http://a", "[a](", "](b)", "*a", "*_", "~a", "`a``", "<a ", "&#x", "![[", "\\", "> ", "- a\n",
             "a|b\n-|-\n", "# a\n", "[a]: b\n\n", "plain words and **some** [links](http://a.example/b).\n\n"]
    pairs = [("http://a", ")"), ("http://a<", ""), ("www.a(", ")"), ("a@", "a."), ("[", "]"), ("~", "_")]
    return ({unit: (unit * (1_000_000 // len(unit)))[:1_000_000] for unit in units}
            | {f"{head} … {tail}": head * (500_000 // len(head)) + tail * (490_000 // max(1, len(tail))) for head, tail in pairs})


__all__ = ["ARCHIVES", "CONFIGURATIONS", "KINDS", "MAY_BE_REFUSED", "MODELS", "QUERIES", "REFUSED", "SCRIPTS", "documents", "json", "varint"]
