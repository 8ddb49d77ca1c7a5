# SPDX-License-Identifier: Apache-2.0
"""Holds our SavedModel reader against Google's protobuf runtime: the same bytes must say the same to both.

LARDER_DUMP_SAVEDMODEL is the path of the program built from dump_savedmodel.c."""
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import warnings

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TESTDATA = ROOT.parent / "shared" / "testdata"
DUMP = os.environ.get("LARDER_DUMP_SAVEDMODEL")
SEEDS = range(120)
BIT_FLIPS = 100  # in each batch

pytestmark = pytest.mark.skipif(not DUMP, reason="LARDER_DUMP_SAVEDMODEL names no program")


@pytest.fixture(scope="session")
def pb(tmp_path_factory):
    pytest.importorskip("google.protobuf")
    out = tmp_path_factory.mktemp("protoc")
    subprocess.run(["protoc", f"--proto_path={ROOT / 'schema'}", f"--python_out={out}", "saved_model.proto",
                    "whole_model.proto"], check=True)
    sys.path.insert(0, str(out))
    import saved_model_pb2
    return saved_model_pb2


@pytest.fixture(scope="session")
def whole(pb):
    """The same messages with all of TensorFlow's fields."""
    import whole_model_pb2
    return whole_model_pb2


class Dump:
    """The program, which a process under sanitizers reads thousands of files with: most of a start is not reading them."""

    def __init__(self):
        self.process = None

    def ask(self, line):
        if not self.process:
            self.reports = tempfile.TemporaryFile()
            self.process = subprocess.Popen([DUMP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.reports)
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer.endswith(b"\n"):
            self.end()
            raise AssertionError(f"no answer about {line}")
        return json.loads(answer)

    def end(self):
        """It must have nothing to complain about, leaks among it."""
        process, self.process = self.process, None
        if process:
            process.communicate(timeout=60)
            self.reports.seek(0)
            assert process.returncode == 0, self.reports.read().decode(errors="replace")


DUMPING = Dump()


@pytest.fixture(scope="module", autouse=True)
def ended():
    yield
    DUMPING.end()


def run(path, form="binary"):
    """What is found in it, or {"error": sentence}."""
    return DUMPING.ask(f"{form} {path}")


def dump(path, form="binary"):
    found = run(path, form)
    assert "error" not in found, found
    return found


def dump_bytes(tmp_path, data, form="binary"):
    path = tmp_path / "saved_model"
    path.write_bytes(data)
    return dump(path, form)


# What the runtime's messages say, in the dump's words.

def dtype_name(number):
    names = """invalid float32 float64 int32 uint8 int16 int8 string complex64 int64 bool qint8 quint8 qint32 bfloat16 qint16
        quint16 uint16 complex128 float16 resource variant uint32 uint64 float8_e5m2 float8_e4m3fn float8_e4m3fnuz
        float8_e4m3b11fnuz float8_e5m2fnuz int4 uint4 int2 uint2 float4_e2m1fn""".split()
    if 0 <= number < len(names):
        return names[number]
    if 100 < number < 100 + len(names):
        return names[number - 100] + "_ref"
    return f"dtype_{number}"


def shape_of(message, field):
    if not message.HasField(field):
        return "unset"
    shape = getattr(message, field)
    return None if shape.unknown_rank else [max(dim.size, -1) for dim in shape.dim]


def type_of(spec):
    names = {0: "", 1: "SparseTensorSpec", 2: "IndexedSlicesSpec", 3: "RaggedTensorSpec", 4: "TensorArraySpec",
             5: "DatasetSpec", 6: "IteratorSpec", 7: "OptionalSpec", 8: "PerReplicaSpec", 9: "VariableSpec",
             10: "RowPartitionSpec", 12: "RegisteredTypeSpec", 13: "ExtensionTypeSpec"}
    number = spec.type_spec_class
    return spec.type_spec_class_name or names.get(number, f"type_spec_{number}")


def tensor_of(name, info):
    tensor = {"name": name, "dtype": dtype_name(info.dtype), "shape": shape_of(info, "tensor_shape")}
    which = info.WhichOneof("encoding")
    if which == "coo_sparse":
        coo = info.coo_sparse
        return tensor | {"encoding": "coo", "values": coo.values_tensor_name, "indices": coo.indices_tensor_name,
                         "dense_shape": coo.dense_shape_tensor_name}
    if which == "composite_tensor":
        return tensor | {"encoding": "composite", "type": type_of(info.composite_tensor.type_spec)}
    return tensor | {"encoding": "dense", "tensor": info.name}


def by_bytes(items):
    return sorted(items, key=lambda name: name.encode())


def tensors_of(tensors):
    return [tensor_of(name, tensors[name]) for name in by_bytes(tensors)]


def signatures_of(graph):
    return [{"name": name, "method": graph.signature_def[name].method_name,
             "inputs": tensors_of(graph.signature_def[name].inputs),
             "outputs": tensors_of(graph.signature_def[name].outputs)}
            for name in by_bytes(graph.signature_def) if name != "__saved_model_init_op"]


def ops_of(graph):
    counts = {}
    nodes = [*graph.graph_def.node, *(node for f in graph.graph_def.library.function for node in f.node_def)]
    for node in nodes:
        if node.op:
            counts[node.op] = counts.get(node.op, 0) + 1
    return counts


def literal_of(value):
    which = value.WhichOneof("kind")
    if which in ("float64_value", "int64_value", "string_value", "bool_value"):
        return repr(getattr(value, which))
    if which == "tensor_dtype_value":
        return "tf." + dtype_name(value.tensor_dtype_value)
    if which == "tensor_shape_value":
        shape = value.tensor_shape_value
        if shape.unknown_rank:
            return "TensorShape(None)"
        return f"TensorShape({[dim.size if dim.size >= 0 else None for dim in shape.dim]})"
    return {"none_value": "None", None: "<unknown>"}.get(which, "<constant>")


def leaf_of(name, value):
    which = value.WhichOneof("kind")
    if which in ("tensor_spec_value", "bounded_tensor_spec_value"):
        spec = getattr(value, which)
        return {"name": name, "encoding": "dense", "dtype": dtype_name(spec.dtype), "shape": shape_of(spec, "shape")}
    if which != "type_spec_value":
        return {"name": name, "encoding": "literal", "dtype": "invalid", "shape": "unset", "type": literal_of(value)}
    spec = value.type_spec_value
    leaf = {"name": name, "encoding": "composite", "type": type_of(spec), "dtype": "invalid", "shape": "unset"}
    for item in spec.type_state.tuple_value.values:
        if leaf["dtype"] == "invalid":
            leaf["dtype"] = dtype_name(item.tensor_dtype_value)
        if leaf["shape"] == "unset":
            leaf["shape"] = shape_of(item, "tensor_shape_value")
    return leaf


def leaves_of(path, value):
    """Pairs of a leaf's path and what it is, in order."""
    which = value.WhichOneof("kind")
    if which in ("list_value", "tuple_value"):
        steps = [(str(i) if path else f"output_{i}", v) for i, v in enumerate(getattr(value, which).values)]
    elif which == "dict_value":
        fields = value.dict_value.fields
        steps = [(key, fields[key]) for key in by_bytes(fields)]
    elif which == "named_tuple_value":
        steps = [(pair.key, pair.value) for pair in value.named_tuple_value.values]
    else:
        yield path or "output_0", value
        return
    for step, inner in steps:
        yield from leaves_of(f"{path}/{step}" if path else step, inner)


def inputs_of(function, signature):
    spec = function.function_spec
    members = {pair.key: pair.value for pair in reversed(spec.fullargspec.named_tuple_value.values)}
    names = [v.string_value for v in members["args"].list_value.values] if "args" in members else []
    names = names[1:] if spec.is_method else names
    rest = (members["varargs"].string_value if "varargs" in members else "") or "arg"
    pair = list(signature.tuple_value.values)
    for i, argument in enumerate(pair[0].tuple_value.values if pair else []):
        known = names[i] if i < len(names) else ""
        path = known or f"{rest}_{i}"
        for at, leaf in leaves_of(path, argument):
            yield at, (not known and at == path and leaf.tensor_spec_value.name) or at, leaf
    for key in by_bytes(pair[1].dict_value.fields) if len(pair) > 1 else []:
        for at, leaf in leaves_of(key, pair[1].dict_value.fields[key]):
            yield at, at, leaf


def callables_of(graph):
    objects = graph.object_graph_def
    seen = {}
    for child in objects.nodes[0].children if objects.nodes else []:
        name = child.local_name
        if not name or (name.startswith("_") and name != "__call__") or not 0 <= child.node_id < len(objects.nodes):
            continue
        function = objects.nodes[child.node_id].function
        for concrete_name in function.concrete_functions:
            if concrete_name not in objects.concrete_functions:
                continue
            concrete = objects.concrete_functions[concrete_name]
            inputs = [(at, leaf_of(shown, v)) for at, shown, v in inputs_of(function, concrete.canonicalized_input_signature)]
            results = concrete.output_signature
            shown = concrete.HasField("output_signature") and results.WhichOneof("kind") != "none_value"
            outputs = [(at, leaf_of(at, v)) for at, v in leaves_of("", results)] if shown else []
            nameless = [[(at, {k: v for k, v in leaf.items() if k != "name"}) for at, leaf in leaves]
                        for leaves in (inputs, outputs)]
            seen.setdefault((name, json.dumps(nameless, sort_keys=True)), []).append(
                {"name": name, "inputs": [leaf for _, leaf in inputs], "outputs": [leaf for _, leaf in outputs]})
    return seen


def check_callables(found, graph):
    """Of traces that are equal but for names any one may be shown, and their order within a name is free."""
    expected = callables_of(graph)
    assert [c["name"] for c in found] == by_bytes(name for name, _ in expected)
    for traces in expected.values():
        assert [c for c in found if c in traces], traces[0]


def check(found, model):
    assert found["schema_version"] == model.saved_model_schema_version
    assert not found["truncated"]
    assert len(found["meta_graphs"]) == len(model.meta_graphs)
    for seen, graph in zip(found["meta_graphs"], model.meta_graphs):
        assert seen["tags"] == by_bytes(graph.meta_info_def.tags)
        assert seen["tensorflow_version"] == graph.meta_info_def.tensorflow_version
        assert seen["signatures"] == signatures_of(graph)
        assert seen["ops"] == ops_of(graph)
        check_callables(seen["callables"], graph)


# Random SavedModels, as messages and as bytes that no orderly writer would write.

WORDS = ["x", "y", "serving_default", "__saved_model_init_op", "training", "größe", "a/b", "", "'q'", "\"", "tab\t", "語", "\x85"]


class Maker:
    def __init__(self, pb, seed):
        self.pb = pb
        self.random = random.Random(seed)

    def word(self):
        return self.random.choice(WORDS)

    def times(self, most):
        return range(self.random.randint(0, most))

    def dtype(self):
        return self.random.choice([*range(0, 34), 101, 107, 77, 134, -1])

    def shape(self, shape):
        shape.SetInParent()
        shape.unknown_rank = self.random.random() < 0.2
        for _ in self.times(3):
            shape.dim.add().size = self.random.choice([-1, 0, 1, 784, 1 << 40])

    def info(self, info):
        kind = self.random.randint(0, 3)
        if kind == 0:
            info.name = self.word()
        elif kind == 1:
            info.coo_sparse.values_tensor_name = self.word()
            info.coo_sparse.dense_shape_tensor_name = self.word()
        elif kind == 2:
            self.type_spec(info.composite_tensor.type_spec)
        info.dtype = self.dtype()
        if self.random.random() < 0.7:
            self.shape(info.tensor_shape)

    def type_spec(self, spec):
        spec.type_spec_class = self.random.choice([0, 1, 3, 9, 12, 50])
        spec.type_spec_class_name = self.random.choice(["", "MySpec"])
        state = spec.type_state.tuple_value.values
        self.shape(state.add().tensor_shape_value)
        state.add().tensor_dtype_value = self.dtype()

    def value(self, value, depth=0):
        kinds = ["none", "float", "int", "string", "bool", "shape", "dtype", "spec", "spec", "bounded", "type", "numpy", ""]
        kind = self.random.choice(kinds + (["list", "tuple", "dict", "named"] if depth < 3 else []))
        if kind == "none":
            value.none_value.SetInParent()
        elif kind == "float":
            value.float64_value = self.random.choice([0.0, -0.0, 1.5, 1e-7, 0.1, 1e16, 123456.789, -2e300, 1e15, float("inf"), 1/3])
        elif kind == "int":
            value.int64_value = self.random.choice([0, -1, 7, -(1 << 63), (1 << 63) - 1])
        elif kind == "string":
            value.string_value = self.word()
        elif kind == "bool":
            value.bool_value = self.random.random() < 0.5
        elif kind == "shape":
            self.shape(value.tensor_shape_value)
        elif kind == "dtype":
            value.tensor_dtype_value = self.dtype()
        elif kind in ("spec", "bounded"):
            spec = value.tensor_spec_value if kind == "spec" else value.bounded_tensor_spec_value
            spec.name = self.word()
            spec.dtype = self.dtype()
            if self.random.random() < 0.8:
                self.shape(spec.shape)
        elif kind == "type":
            self.type_spec(value.type_spec_value)
        elif kind == "numpy":
            value.numpy_value.SetInParent()
        elif kind in ("list", "tuple"):
            many = value.list_value if kind == "list" else value.tuple_value
            many.SetInParent()
            for _ in self.times(3):
                self.value(many.values.add(), depth + 1)
        elif kind == "dict":
            value.dict_value.SetInParent()
            for _ in self.times(3):
                self.value(value.dict_value.fields[self.word()], depth + 1)
        elif kind == "named":
            for _ in self.times(3):
                pair = value.named_tuple_value.values.add(key=self.word())
                self.value(pair.value, depth + 1)

    def function(self, function):
        for _ in self.times(3):
            function.concrete_functions.append(f"f{self.random.randint(0, 4)}")
        spec = function.function_spec
        spec.is_method = self.random.random() < 0.5
        members = spec.fullargspec.named_tuple_value
        arguments = members.values.add(key="args").value.list_value
        for name in ["self", "inputs", "training"][:self.random.randint(0, 3)]:
            arguments.values.add().string_value = name
        if self.random.random() < 0.5:
            members.values.add(key="varargs").value.string_value = "rest"

    def objects(self, objects):
        for i in self.times(5):
            node = objects.nodes.add()
            if i == 0 or self.random.random() < 0.2:
                for _ in self.times(5):
                    node.children.add(node_id=self.random.randint(-1, 6), local_name=self.random.choice(
                        ["__call__", "__call__", "encode", "_private", "", "call_and_return_all_conditional_losses"]))
            if self.random.random() < 0.8:
                self.function(node.function)
            else:
                node.variable.SetInParent()
        for i in self.times(5):
            concrete = objects.concrete_functions[f"f{i}"]
            if self.random.random() < 0.9:
                pair = concrete.canonicalized_input_signature.tuple_value.values
                arguments = pair.add().tuple_value
                for _ in self.times(3):
                    self.value(arguments.values.add())
                keywords = pair.add().dict_value
                for _ in self.times(2):
                    self.value(keywords.fields[self.word()])
            if self.random.random() < 0.8:
                self.value(concrete.output_signature)

    def meta_graph(self, graph):
        graph.meta_info_def.tags.extend(self.word() for _ in self.times(3))
        graph.meta_info_def.tensorflow_version = self.word()
        for _ in self.times(20):
            graph.graph_def.node.add(op=self.random.choice(["Const", "MatMul", "Add", ""]))
        for _ in self.times(3):
            function = graph.graph_def.library.function.add()
            for _ in self.times(5):
                function.node_def.add(op=self.random.choice(["Const", "Relu"]))
        for _ in self.times(5):
            signature = graph.signature_def[self.word()]
            signature.method_name = self.word()
            for tensors in (signature.inputs, signature.outputs):
                for _ in self.times(4):
                    self.info(tensors[self.word()])
        self.objects(graph.object_graph_def)

    def model(self):
        model = self.pb.SavedModel(saved_model_schema_version=self.random.choice([0, 1, -5]))
        for _ in range(self.random.randint(1, 3)):
            self.meta_graph(model.meta_graphs.add())
        return model


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields_of(data):
    """Triples of tag, payload and, for a length-delimited field, True."""
    at, fields = 0, []
    while at < len(data):
        tag, at = read_varint(data, at)
        start = at
        if tag & 7 == 2:
            length, at = read_varint(data, at)
            fields.append((tag, data[at:at + length], True))
            at += length
            continue
        at = read_varint(data, at)[1] if tag & 7 == 0 else at + (8 if tag & 7 == 1 else 4)
        fields.append((tag, data[start:at], False))
    return fields


def written(fields):
    return b"".join(varint(tag) + (varint(len(payload)) if is_long else b"") + payload for tag, payload, is_long in fields)


UNKNOWN = [varint(900 << 3) + b"\x07", varint(901 << 3 | 2) + b"\x03abc", varint(902 << 3 | 5) + b"1234",
           varint(903 << 3 | 1) + b"12345678", varint(904 << 3 | 3) + b"\x08\x01\x13\x14" + varint(904 << 3 | 4)]


def disordered(rng, data, descriptor):
    """The same message type, written as no orderly writer would: fields shuffled, singular sub-messages cut in two (which
    merge), unknown fields strewn in. The meaning may change; it must change for both readers alike."""
    by_number = descriptor.fields_by_number
    pieces = []
    for tag, payload, is_long in fields_of(data):
        field = by_number.get(tag >> 3)
        if field is not None and field.message_type is not None and is_long:
            inner = disordered(rng, payload, field.message_type)
            parts = fields_of(inner)
            if field.label != field.LABEL_REPEATED and len(parts) > 1 and rng.random() < 0.3:
                cut = rng.randint(1, len(parts) - 1)
                pieces.append([(tag, written(parts[:cut]), True), (tag, written(parts[cut:]), True)])
                continue
            payload = inner
        pieces.append([(tag, payload, is_long)])
    if rng.random() < 0.5:
        rng.shuffle(pieces)
    if pieces and rng.random() < 0.1:
        pieces.append(rng.choice(pieces))
    out = b""
    for piece in (field for pair in pieces for field in pair):
        if rng.random() < 0.05 and not descriptor.GetOptions().map_entry:
            out += rng.choice(UNKNOWN[:4])  # fields_of reads no groups
        out += written([piece])
    return out


def test_testdata(pb):
    folder = TESTDATA / "savedmodel"
    if not folder.exists():
        pytest.skip("../shared/testdata is not there")
    from google.protobuf import text_format
    for path in sorted(folder.glob("*/saved_model.pb*")):
        is_text = path.suffix == ".pbtxt"
        model = pb.SavedModel()
        if is_text:
            text_format.Parse(path.read_text(), model, allow_unknown_field=True)
        else:
            model.ParseFromString(path.read_bytes())
        found = dump(path, "text" if is_text else "binary")
        check(found, model)
        check_expected(found, json.loads((TESTDATA / "expected" / f"{path.parent.name}.json").read_text()))


def check_expected(found, expected):
    assert found["schema_version"] == expected["schema_version"]
    for seen, graph in zip(found["meta_graphs"], expected["meta_graphs"], strict=True):
        assert seen["tags"] == sorted(graph["tags"])
        assert seen["tensorflow_version"] == graph["tensorflow_version"]
        assert sorted(seen["ops"]) == graph["ops"]
        signatures = {s["name"]: s for s in seen["signatures"]}
        assert signatures.keys() == graph["signatures"].keys() - {"__saved_model_init_op"}
        for name, signature in signatures.items():
            assert signature["method"] == graph["signatures"][name]["method_name"]
            for side in ("inputs", "outputs"):
                shapes = {t["name"]: (t.get("tensor"), t["shape"]) for t in signature[side]}
                assert shapes == {k: (t.get("name"), t["shape"]) for k, t in graph["signatures"][name][side].items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_random_models(pb, tmp_path, seed):
    from google.protobuf import text_format
    model = Maker(pb, seed).model()
    data = model.SerializeToString()
    check(dump_bytes(tmp_path, data), model)
    rng = random.Random(seed)
    for _ in range(3):
        data = disordered(rng, data, model.DESCRIPTOR)
        again = pb.SavedModel.FromString(data)
        check(dump_bytes(tmp_path, data), again)
    check(dump_bytes(tmp_path, text_format.MessageToString(model).encode(), "text"), model)
    line = text_format.MessageToString(model, as_one_line=True, as_utf8=True, pointy_brackets=True)
    check(dump_bytes(tmp_path, line.encode(), "text"), model)


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_unknown_fields_and_groups(pb, tmp_path, unknown):
    graph = pb.MetaGraphDef()
    graph.signature_def["s"].inputs["x"].name = "x:0"
    data = unknown + varint(2 << 3 | 2) + varint(len(graph.SerializeToString() + unknown)) + graph.SerializeToString() + unknown
    check(dump_bytes(tmp_path, data), pb.SavedModel.FromString(data))


def small_model(pb):
    return Maker(pb, 7).model().SerializeToString()[:3000]


def test_truncated_at_every_byte(pb, tmp_path):
    data = small_model(pb)
    path = tmp_path / "saved_model.pb"
    for length in range(0, len(data), 1 if len(data) < 1500 else 3):
        path.write_bytes(data[:length])
        run(path)


def parsed(module, data):
    """What protobuf reads; None where it refuses, or stops at a stray end of a group, of which it only warns."""
    from google.protobuf.message import DecodeError
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            model = module.SavedModel.FromString(bytes(data))
    except DecodeError:
        return None
    return None if warned else model


def flipped(rng, data):
    broken = bytearray(data)
    broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    return bytes(broken)


@pytest.mark.parametrize("batch", range(4))
def test_bit_flips_agree_with_protobuf(pb, whole, tmp_path, batch):
    """Whatever protobuf parses we must read the same."""
    rng = random.Random(1 + batch)
    data = small_model(pb)
    path = tmp_path / "saved_model.pb"
    for _ in range(BIT_FLIPS):
        broken = flipped(rng, data)
        path.write_bytes(broken)
        found = run(path)
        model = parsed(pb, broken)
        if model is None or parsed(whole, broken) is None:
            continue
        if "error" in found:
            assert "NUL" in found["error"] or not model.meta_graphs
        else:
            check(found, model)


class Filler:
    """A model with something in every field that TensorFlow has."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def scalar(self, field):
        kinds = {field.TYPE_STRING: lambda: self.random.choice(["", "x", "ä€", "name:0", "y" * 300]),
                 field.TYPE_BYTES: lambda: self.random.randbytes(self.random.randint(0, 5)),
                 field.TYPE_FLOAT: self.random.random, field.TYPE_DOUBLE: self.random.random,
                 field.TYPE_BOOL: lambda: True,
                 field.TYPE_ENUM: lambda: self.random.choice([self.random.choice(field.enum_type.values).number, self.random.randint(0, 300)])}
        return kinds.get(field.type, lambda: self.random.randint(0, 300))()

    def fill(self, message, depth=0):
        for field in message.DESCRIPTOR.fields:
            if self.random.random() < (0.4 if depth < 4 else 0.75):
                continue
            if field.message_type is None:
                if field.label == field.LABEL_REPEATED:
                    getattr(message, field.name).extend(self.scalar(field) for _ in range(self.random.randint(0, 3)))
                else:
                    setattr(message, field.name, self.scalar(field))
            elif depth > 12:
                continue
            elif field.message_type.GetOptions().map_entry:
                key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
                if value.message_type is None:
                    getattr(message, field.name)[self.scalar(key)] = self.scalar(value)
                else:
                    self.fill(getattr(message, field.name)[self.scalar(key)], depth + 1)
            elif field.label == field.LABEL_REPEATED:
                self.fill(getattr(message, field.name).add(), depth + 1)
            else:
                inner = getattr(message, field.name)
                inner.SetInParent()
                self.fill(inner, depth + 1)


@pytest.mark.parametrize("seed", range(12))
def test_refuses_what_protobuf_refuses(whole, tmp_path, seed):
    """Every field, read or not: what protobuf takes we take, and what it refuses we refuse."""
    model = whole.SavedModel(saved_model_schema_version=1)
    graph = model.meta_graphs.add()
    Filler(seed).fill(graph)
    graph.object_graph_def.ClearField("nodes") if seed % 2 else None
    data = model.SerializeToString()
    rng = random.Random(seed)
    path = tmp_path / "saved_model.pb"
    path.write_bytes(data)
    dump(path)
    refused = 0
    for _ in range(60):
        broken = flipped(rng, data)
        path.write_bytes(broken)
        found = run(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = parsed(whole, broken)
        refused += read is None
        if read is None:
            assert "error" in found, broken
        else:
            assert "error" not in found or "NUL" in found["error"] or not read.meta_graphs, found
    assert refused > 0


def enum_words(text):
    """Where values of enums stand that are written by name."""
    return [found.span(1) for found in re.finditer(r"^ *\w+: ((?!true$|false$|inf$|nan$)[A-Za-z]\w*)$", text, re.M)]


def changed_word(rng, word, others):
    return rng.choice([word + "X", word[:-1], word.lower(), word + "_REF", rng.choice(others), "17", "-1", "3000000000", "DT_FLOAT32",
                       "DT_INVALID_REF", "TFT_FLOAT64", "V3", "true"])


@pytest.mark.parametrize("seed", range(12))
def test_knows_the_names_of_values(whole, tmp_path, seed):
    """In text, TensorFlow takes those names that an enum has, and any number, in fields that are not read as in others."""
    from google.protobuf import text_format
    model = whole.SavedModel(saved_model_schema_version=1)
    filler = Filler(seed)
    while not enum_words(text_format.MessageToString(model)):
        filler.fill(model.meta_graphs.add())
    text = text_format.MessageToString(model)
    assert dump_bytes(tmp_path, text.encode(), "text")["odd_name"] == ""
    rng = random.Random(seed)
    spans = enum_words(text)
    others = [text[first:last] for first, last in spans]
    refused = 0
    for _ in range(60):
        first, last = rng.choice(spans)
        broken = text[:first] + changed_word(rng, text[first:last], others) + text[last:]
        (tmp_path / "saved_model").write_bytes(broken.encode())
        found = run(tmp_path / "saved_model", "text")
        try:
            text_format.Parse(broken, whole.SavedModel())
        except (text_format.ParseError, ValueError):  # the latter for numbers that are too large
            refused += 1
            assert "error" in found or found["odd_name"], broken[first - 80:last + 20]
        else:
            assert "error" not in found and not found["odd_name"], broken[first - 80:last + 20]
    assert 0 < refused < 60
