# SPDX-License-Identifier: Apache-2.0
"""The sample model of examples/: y = x / 2 + 2 with constants, as TensorFlow runs it. Run as a program (from tests/http, with -m
support.sample) it writes examples/half-plus-two/saved_model.pb."""
import struct

from .daemon import ROOT
from .modules import DTYPES, Signature, Tensor, bytes_field, map_field, number_field

FILE = ROOT / "examples" / "half-plus-two" / "saved_model.pb"
FLOAT = DTYPES["float32"]
VECTOR = Tensor("", "float32", [-1])
# The numbers of GraphDef's producer that TensorFlow 1.15 wrote, which every later one reads.
PRODUCER = 134


def attribute(kind, value):
    """An AttrValue: kind is the number of its field."""
    return number_field(kind, value) if isinstance(value, int) else bytes_field(kind, value)


def scalar(value):
    """A TensorProto of a float without dimensions."""
    return number_field(1, FLOAT) + bytes_field(2, b"") + bytes_field(4, struct.pack("<f", value))


def node(name, op, inputs=(), **attributes):
    return (bytes_field(1, name) + bytes_field(2, op) + b"".join(bytes_field(3, source) for source in inputs)
            + map_field(5, attributes))


def constant(name, value):
    return node(name, "Const", dtype=attribute(6, FLOAT), value=attribute(8, scalar(value)))


def graph():
    nodes = (
        node("x", "Placeholder", dtype=attribute(6, FLOAT), shape=attribute(7, VECTOR.encode_shape())),
        constant("half", 0.5),
        constant("two", 2.0),
        node("halved", "Mul", ("x", "half"), T=attribute(6, FLOAT)),
        node("y", "AddV2", ("halved", "two"), T=attribute(6, FLOAT)),
    )
    return b"".join(bytes_field(1, each) for each in nodes) + bytes_field(4, number_field(1, PRODUCER))


def saved_model():
    signature = Signature({"x": Tensor("x:0", "float32", [-1])}, {"y": Tensor("y:0", "float32", [-1])})
    meta_graph = (bytes_field(1, bytes_field(4, "serve")) + bytes_field(2, graph())
                  + map_field(5, {"serving_default": signature.encode()}))
    return number_field(1, 1) + bytes_field(2, meta_graph)


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_bytes(saved_model())
