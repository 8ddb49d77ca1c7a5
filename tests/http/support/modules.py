# SPDX-License-Identifier: Apache-2.0
"""Modules to order: SavedModels in protobuf's wire format, and archives around them, well made or ill made."""
import gzip
import hashlib
import io
import json
import random
import struct
import tarfile
from dataclasses import dataclass, field

UNSET = object()  # a tensor without a shape message

DTYPES = {"invalid": 0, "float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "string": 7,
          "complex64": 8, "int64": 9, "bool": 10, "qint8": 11, "quint8": 12, "qint32": 13, "bfloat16": 14, "qint16": 15,
          "quint16": 16, "uint16": 17, "complex128": 18, "float16": 19, "resource": 20, "variant": 21, "uint32": 22,
          "uint64": 23}
DTYPES.update({f"{name}_ref": number + 100 for name, number in list(DTYPES.items()) if number})


# ---- protobuf's wire format ------------------------------------------------------------------------------------------

def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number_field(number, value):
    return varint(number << 3) + varint(value)


def bytes_field(number, value):
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def map_field(number, entries):
    return b"".join(bytes_field(number, bytes_field(1, key) + bytes_field(2, value)) for key, value in entries.items())


# ---- SavedModel ------------------------------------------------------------------------------------------------------

@dataclass
class Tensor:
    """One input or output: dtype is a name of DTYPES or a number; shape is a list with -1 for unknown dimensions, None for
    unknown rank, or UNSET."""
    name: str
    dtype: object = "float32"
    shape: object = field(default_factory=list)

    def encode(self):
        out = bytes_field(1, self.name) + number_field(2, DTYPES.get(self.dtype, self.dtype))
        return out if self.shape is UNSET else out + bytes_field(3, self.encode_shape())

    def encode_shape(self):
        if self.shape is None:
            return number_field(3, 1)
        return b"".join(bytes_field(2, number_field(1, size)) for size in self.shape)


@dataclass
class Signature:
    inputs: dict
    outputs: dict
    method: str = "tensorflow/serving/predict"

    def encode(self):
        return (map_field(1, {name: tensor.encode() for name, tensor in self.inputs.items()})
                + map_field(2, {name: tensor.encode() for name, tensor in self.outputs.items()})
                + (bytes_field(3, self.method) if self.method else b""))


@dataclass
class MetaGraph:
    signatures: dict
    tags: tuple = ("serve",)
    tensorflow_version: str = "2.14.0"
    ops: tuple = ("Placeholder", "Const", "Mul", "Add")

    def encode(self):
        info = b"".join(bytes_field(4, tag) for tag in self.tags) + bytes_field(5, self.tensorflow_version)
        nodes = b"".join(bytes_field(1, bytes_field(1, f"node{i}") + bytes_field(2, op)) for i, op in enumerate(self.ops))
        return (bytes_field(1, info) + bytes_field(2, nodes)
                + map_field(5, {name: signature.encode() for name, signature in self.signatures.items()}))


def half_plus_two():
    return MetaGraph({"serving_default": Signature({"x": Tensor("x:0", "float32", [-1, 1])},
                                                   {"y": Tensor("y:0", "float32", [-1, 1])})})


def saved_model(*meta_graphs):
    """The bytes of a saved_model.pb."""
    return number_field(1, 1) + b"".join(bytes_field(2, graph.encode()) for graph in meta_graphs or (half_plus_two(),))


# ---- archives --------------------------------------------------------------------------------------------------------

@dataclass
class Member:
    """One entry of an archive. A name that ends in "/" is a folder; type is tar's type flag where it is something else."""
    name: str
    content: bytes = b""
    type: bytes = b""
    link: str = ""

    def header(self):
        info = tarfile.TarInfo(self.name)
        info.type = self.type or (tarfile.DIRTYPE if self.name.endswith("/") else tarfile.REGTYPE)
        info.mode = 0o755 if info.isdir() else 0o644
        info.linkname = self.link
        info.size = len(self.content)
        return info


def payload(size, seed=1):
    """Bytes that no compression makes smaller, the same in every run."""
    return random.Random(seed).randbytes(size)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def table_block(entries):
    """A block of LevelDB's tables, with the type and checksum behind it."""
    content = b"".join(varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in entries)
    content += struct.pack("<2I", 0, 1)
    crc = crc32c(content + b"\0")
    return content + b"\0" + struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def bundle_index(*sizes, tensors=None):
    """The index of a checkpoint whose shards have these sizes: a variable of bytes that fills each, or the tensors given as
    (shard, offset, size)."""
    tensors = [(i, 0, size) for i, size in enumerate(sizes)] if tensors is None else tensors
    entries = [(b"", number_field(1, len(sizes)) + bytes_field(3, number_field(1, 1)))]
    for i, (shard, offset, size) in enumerate(tensors):
        entries.append((b"v%05d" % i, number_field(1, 4) + bytes_field(2, bytes_field(2, number_field(1, size)))
                        + number_field(3, shard) + number_field(4, offset) + number_field(5, size)))
    data, meta = table_block(entries), table_block([])
    handle = varint(0) + varint(len(data) - 5)
    index = table_block([(b"w", handle)])
    footer = varint(len(data)) + varint(len(meta) - 5) + varint(len(data + meta)) + varint(len(index) - 5)
    return data + meta + index + footer.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")


def members(size=1000, model=None, prefix="", seed=1):
    """The usual members of a TF2 module with variables of this size."""
    return [Member(prefix + name, content) for name, content in (
        ("./", b""), ("./saved_model.pb", saved_model() if model is None else model), ("./variables/", b""),
        ("./variables/variables.index", bundle_index(size)),
        ("./variables/variables.data-00000-of-00001", payload(size, seed)))]


def tar(entries, format=tarfile.GNU_FORMAT, padded=True, pax=None):
    """The tar of these members; not padded, it ends right behind its two zero blocks."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format, pax_headers=pax or {}) as archive:
        for entry in entries:
            archive.addfile(entry.header(), io.BytesIO(entry.content))
        end = out.tell()
    return out.getvalue() if padded else out.getvalue()[:end + 1024]


def compress(data, level=1):
    return gzip.compress(data, compresslevel=level, mtime=0)


def pack(entries, level=1, **options):
    """A tar.gz of these members."""
    return compress(tar(entries, **options), level)


def module(size=1000, model=None, seed=1):
    """A module's tar.gz of about this size."""
    # Level 0: what does not get smaller need not be tried.
    return pack(members(size, model, seed=seed), level=0 if size >= 1 << 20 else 1)


def tf1_hub_module():
    graph = MetaGraph({"default": Signature({"default": Tensor("x:0", "float32", None)},
                                            {"default": Tensor("add:0", "float32", None)}, method="")},
                      tags=(), tensorflow_version="1.15.0")
    model = bytes_field(2, graph.encode())
    return pack([Member("./"), Member("./saved_model.pb", model), Member("./tfhub_module.pb", b"\x08\x03")])


def tfjs_module(shards=3, shard_size=400, **changes):
    """A TF.js archive: model.json and its shards. Members given by name replace or (None) remove the usual ones."""
    paths = [f"group1-shard{i + 1}of{shards}.bin" for i in range(shards)]
    model = {"format": "graph-model", "generatedBy": "2.14.0", "convertedBy": "TensorFlow.js Converter", "modelTopology": {},
             "weightsManifest": [{"paths": paths, "weights": [
                 {"name": "w", "shape": [shards * shard_size // 4], "dtype": "float32"}]}]}
    content = {"model.json": json.dumps(model).encode()}
    content.update({path: payload(shard_size, i) for i, path in enumerate(paths)})
    content.update({"vocab.json": b'["a","b"]'})
    content.update(changes)
    return pack([Member("./")] + [Member("./" + name, data) for name, data in content.items() if data is not None])


TFLITE_MIN = 92


def tflite_head(size):
    """The first TFLITE_MIN bytes of a TF Lite model of this size: a subgraph, an empty buffer, and one that has the rest."""
    vtable = struct.pack("<7H2x", 14, 16, 4, 0, 8, 0, 12)                   # at 8: version, subgraphs, buffers
    model = struct.pack("<4I", 24 - 8, 3, 40 - 32, 56 - 36)                 # at 24
    subgraph = struct.pack("<2I2HI", 1, 52 - 44, 4, 4, 52 - 48)             # at 40: vector, vtable, table
    buffers = struct.pack("<3I3H2x", 2, 76 - 60, 80 - 64, 6, 8, 4)          # at 56: vector; at 68: vtable
    content = struct.pack("<4I", 76 - 48, 80 - 68, 88 - 84, size - TFLITE_MIN)  # at 76, 80: buffers; at 88: the bytes
    return struct.pack("<I", 24) + b"TFL3" + vtable + model + subgraph + buffers + content


def tflite_model(size=500):
    return tflite_head(size) + payload(size - TFLITE_MIN, 7)


# ---- damage ----------------------------------------------------------------------------------------------------------

def with_bad_crc(archive):
    """The archive with a wrong CRC at its very end: all but the last 8 bytes are right."""
    return archive[:-8] + bytes([archive[-8] ^ 0xFF]) + archive[-7:]


def with_bad_length(archive):
    return archive[:-4] + struct.pack("<I", struct.unpack("<I", archive[-4:])[0] ^ 1)


def digest(data):
    return hashlib.sha256(data).hexdigest()
