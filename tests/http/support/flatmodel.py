# SPDX-License-Identifier: Apache-2.0
"""A writer of small TensorFlow Lite models: subgraphs, tensors, signatures. Front to back, as FlatBuffers want references."""
import struct

TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "string": 5, "bool": 6, "int16": 7, "complex64": 8, "int8": 9,
         "float64": 10, "complex128": 11, "uint64": 12, "resource": 13, "variant": 14, "uint32": 15, "uint16": 16, "int4": 17, "bfloat16": 18}


class Table:
    """Fields by slot: ("u8" | "u32", number), or what is referred to: Table, Text, Numbers, Tables."""

    def __init__(self, **fields):
        self.fields = {int(slot[1:]): value for slot, value in fields.items() if value is not None}


class Text(str):
    pass


class Numbers(list):
    def __init__(self, kind, values):
        super().__init__(values)
        self.kind = kind


class Tables(list):
    pass


class Writer:
    def __init__(self):
        self.out = bytearray()

    def align(self, to=4):
        self.out += bytes(-len(self.out) % to)

    def refer(self, at, target):
        struct.pack_into("<I", self.out, at, target - at)

    def write(self, at, value):
        """What the cell at this place refers to."""
        if isinstance(value, Table):
            return self.table(at, value)
        self.align()
        if isinstance(value, Numbers) and struct.calcsize(value.kind) == 8:
            self.out += bytes(-(len(self.out) + 4) % 8)
        self.refer(at, len(self.out))
        self.out += struct.pack("<I", len(value.encode() if isinstance(value, Text) else value))
        if isinstance(value, Text):
            self.out += value.encode() + b"\0"
        elif isinstance(value, Numbers):
            self.out += struct.pack(f"<{len(value)}{value.kind}", *value)
        else:
            first = len(self.out)
            self.out += bytes(4 * len(value))
            for i, one in enumerate(value):
                self.table(first + 4 * i, one)
        return None

    def table(self, at, table):
        self.align()
        slots = max(table.fields, default=-1) + 1
        vtable = len(self.out)
        places = {slot: 4 + 4 * i for i, slot in enumerate(sorted(table.fields))}
        self.out += struct.pack(f"<{2 + slots}H", 4 + 2 * slots, 4 + 4 * len(places), *(places.get(slot, 0) for slot in range(slots)))
        self.align()
        start = len(self.out)
        self.refer(at, start)
        self.out += struct.pack("<i", start - vtable) + bytes(4 * len(places))
        for slot, value in sorted(table.fields.items()):
            cell = start + places[slot]
            if isinstance(value, tuple):
                struct.pack_into("<B" if value[0] == "u8" else "<I", self.out, cell, value[1])
            else:
                self.write(cell, value)


def tensor(name, dtype="float32", shape=(), signature=None, scales=(), zeros=()):
    quantization = Table(s2=Numbers("f", scales), s3=Numbers("q", zeros)) if scales else None
    return Table(s0=None if shape is None else Numbers("i", shape), s1=("u8", TYPES.get(dtype, dtype)), s3=Text(name), s4=quantization,
                 s7=None if signature is None else Numbers("i", signature))


def subgraph(tensors, inputs, outputs, name=None):
    return Table(s0=Tables(tensors), s1=Numbers("i", inputs), s2=Numbers("i", outputs), s4=None if name is None else Text(name))


def signature(key, inputs, outputs, of=0):
    """inputs and outputs: {name: index of a tensor}."""
    def maps(tensors):
        return Tables(Table(s0=Text(name), s1=("u32", index)) for name, index in tensors.items())
    return Table(s0=maps(inputs), s1=maps(outputs), s2=Text(key), s4=("u32", of))


def model(subgraphs, signatures=()):
    writer = Writer()
    writer.out += bytes(4) + b"TFL3"
    writer.table(0, Table(s0=("u32", 3), s2=Tables(subgraphs), s4=Tables([Table(s0=Numbers("B", b"\0"))]),
                          s7=Tables(signatures) if signatures else None))
    return bytes(writer.out)
