# SPDX-License-Identifier: Apache-2.0
"""The safety gate: what a module may do to whoever runs it is found, shown, and searched for."""
import http.client
import io
import json
import pathlib
import pickle
import re
import sqlite3
import subprocess
import tarfile
import urllib.parse
import zipfile

import pytest

from support.command_line import environment, run
from support.daemon import assert_problem, binary
from support.modules import Member, bytes_field, half_plus_two, members, number_field, pack, payload
from support.waiting import DEADLINE_S

WRITER = "tf-hub-format=compressed"
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Danger:
    """Its pickle starts a program when it is loaded."""

    def __reduce__(self):
        import os
        return os.system, ("true",)


def node(op, name="n"):
    return bytes_field(1, name.encode()) + bytes_field(2, op.encode())


def model_with(*ops):
    """A saved_model.pb that can be served, whose graph has these ops."""
    graph = half_plus_two().encode() + bytes_field(2, b"".join(bytes_field(1, node(op)) for op in ops))
    return number_field(1, 1) + bytes_field(2, graph)


def module_with(*ops, seed=1):
    return pack(members(model=model_with(*ops), seed=seed))


def torch_file(obj):
    """As torch.save writes it: a zip whose files are stored, the pickle first."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(obj, protocol=2))
        archive.writestr("archive/data/0", payload(5000))
    return out.getvalue()


class Pipe(io.RawIOBase):
    """What cannot be written again, so that a zip tells lengths behind its files, as PyTorch's own writer does."""

    def __init__(self):
        super().__init__()
        self.written = b""

    def writable(self):
        return True

    def write(self, data):
        self.written += bytes(data)
        return len(data)


def streamed_torch_file(obj, tensor=b""):
    out = Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in (("archive/data/0", tensor or b"PK\x07" + payload(5000) + b"PK\x07\x08" * 9), ("archive/data.pkl", pickle.dumps(obj, protocol=2))):
            archive.writestr(name, content)
    assert out.written[:4] == b"PK\3\4" and out.written[6] & 8 and out.written[18:26] == bytes(8)
    return out.written


def keras_file(layer):
    """A .keras file, deflated."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps({"module": "keras", "class_name": "Sequential", "config": {"layers": [layer]}}))
    return out.getvalue()


def archive_of(**files):
    return pack([Member("./"), *(Member("./" + name.replace("__", "."), content) for name, content in files.items())])


def findings_of(larder, path):
    version = larder.get(f"/api/v1/modules/{path}").json()
    return [(finding["rule"], finding["severity"], finding["where"], finding["detail"]) for finding in version["findings"]]


ARCHIVES = {
    "torch_danger": (lambda: archive_of(model__pt=torch_file(Danger())),
                     [("pickle-danger", "critical", "model.pt: archive/data.pkl", "posix.system"),
                      ("pickle", "info", "model.pt: archive/data.pkl", "1 of them")]),
    "torch_streamed": (lambda: archive_of(model__pt=streamed_torch_file(Danger())),
                       [("pickle-danger", "critical", "model.pt: archive/data.pkl", "posix.system"),
                        ("pickle", "info", "model.pt: archive/data.pkl", "1 of them")]),
    "torch_streamed_weights": (lambda: archive_of(model__pt=streamed_torch_file({"a": 1})),
                               [("pickle", "info", "model.pt: archive/data.pkl", "1 of them")]),
    "torch_weights": (lambda: archive_of(model__pt=torch_file({"layer.weight": [1.0, 2.0]})),
                      [("pickle", "info", "model.pt: archive/data.pkl", "1 of them")]),
    "joblib_import": (lambda: archive_of(model__joblib=pickle.dumps(pathlib.PureWindowsPath("a"))),
                      [("pickle-import", "medium", "model.joblib", "pathlib.PureWindowsPath"), ("pickle", "info", "model.joblib", "1 of them")]),
    "protocol_5": (lambda: archive_of(model__pkl=pickle.dumps(Danger(), protocol=5)),
                   [("pickle-danger", "critical", "model.pkl", "posix.system"), ("pickle", "info", "model.pkl", "1 of them")]),
    "protocol_0": (lambda: archive_of(model__pkl=pickle.dumps(Danger(), protocol=0)),
                   [("pickle-danger", "critical", "model.pkl", "posix.system"), ("pickle", "info", "model.pkl", "1 of them")]),
    "keras_lambda": (lambda: archive_of(model__keras=keras_file({"class_name": "Lambda", "config": {"function": "4wEAAA=="}})),
                     [("keras-lambda", "high", "model.keras: config.json", "class_name Lambda")]),
    "keras_dense": (lambda: archive_of(model__keras=keras_file({"class_name": "Dense", "config": {"name": "Lambda"}})), []),
    "elf": (lambda: archive_of(run=b"\x7fELF" + payload(100)), [("file-executable", "high", "run", "ELF")]),
    "key": (lambda: archive_of(id_rsa=b"-----BEGIN RSA PRIVATE KEY-----\n" + b"MIIEpAIBAAKCAQEA" * 8), [("secret-key", "high", "id_rsa", "a private key in PEM")]),
}


# ---- pickles that Python's own machine reads otherwise than they look ---------------------------------------------------


def text(value):
    return b"\x8c" + bytes([len(value)]) + value.encode()


def memo_pickles():
    """Each ends with an import of two names of the memo, which Python finds to be posix.system, and who counts keys otherwise finds to be
    collections.OrderedDict."""
    bad, good = (text("posix"), text("system")), (text("collections"), text("OrderedDict"))

    def put(key):
        return b"q" + bytes([key])

    def get(key):
        return b"h" + bytes([key])

    head, tail = b"\x80\x04", b"\x93\x8c\x02id\x85R."
    # A key that is set twice counts once.
    yield "twice", head + b"N" + put(0) + put(0) + bad[0] + b"\x94" + bad[1] + b"\x94" + good[0] + b"\x94" + good[1] + b"\x94" + get(1) + get(2) + tail
    # MEMOIZE counts keys that are far apart.
    yield "apart", head + b"N" + put(9) + put(200) + bad[0] + b"\x94" + bad[1] + b"\x94" + good[0] + put(0) + good[1] + put(1) + get(2) + get(3) + tail
    # … and may set one again that was set by number.
    yield "again", head + good[0] + put(1) + good[1] + put(2) + bad[0] + b"\x94" + bad[1] + b"\x94\x94" + bad[0] + put(1) + get(1) + get(2) + tail
    # Keys are read as Python reads numbers.
    for name, key in (("underscore", b"1_0"), ("blank", b" 10"), ("tab", b"\t10"), ("plus", b"+10"), ("zeros", b"0010"), ("back", b"10 ")):
        yield name, head + good[0] + put(1) + good[1] + put(2) + bad[0] + b"p" + key + b"\n" + bad[1] + put(2) + get(10) + get(2) + tail
        yield name + "_get", head + good[0] + put(1) + bad[0] + put(10) + bad[1] + put(2) + b"g" + key + b"\n" + get(2) + tail
    # A key beyond what is remembered.
    far = (5 << 20).to_bytes(4, "little")
    yield "far", head + bad[0] + b"r" + far + bad[1] + put(2) + b"j" + far + get(2) + tail
    yield "far_counts", head + b"Nr" + far + bad[0] + b"\x94" + bad[1] + b"\x94" + good[0] + b"\x94" + good[1] + b"\x94" + get(1) + get(2) + tail


class Recorder(pickle.Unpickler):
    """What Python imports, which is called in its stead by nothing."""

    def __init__(self, data):
        super().__init__(io.BytesIO(data))
        self.imports = []

    def find_class(self, module, name):
        self.imports.append((module, name))
        return str


def imports_of(data):
    recorder = Recorder(data)
    recorder.load()
    return recorder.imports


@pytest.mark.parametrize("case", dict(memo_pickles()))
def test_the_memo_is_that_of_python(shared, place, case):
    data = dict(memo_pickles())[case]
    try:
        imports = imports_of(data)
    except Exception as error:  # then it runs nothing
        imports = error
    shared.publish(f"{place}?archive-format=compressed", archive_of(model__pkl=data))
    rules = [finding[0] for finding in findings_of(shared, place.lstrip("/"))]
    if case in ("twice", "apart", "underscore", "underscore_get", "far", "far_counts", "plus", "zeros"):
        assert imports == [("posix", "system")], "Python takes it so"
    assert isinstance(imports, Exception) or imports[0] != ("posix", "system") or "pickle-danger" in rules, (imports, rules)


@pytest.mark.parametrize("path", ["sklearn/os.system", "datetime/sys.modules.get", "numpy.random._pickle/os.system", "logging/os.system",
                                  "torch/os.system", "collections/_sys.modules.get", "datetime/__builtins__.get", "tensorflow/io.write_file",
                                  "_io/open", "_operator/methodcaller", "cPickle/loads", "pandas/read_pickle", "numpy/fromfile",
                                  "numpy.f2py.crackfortran/getlincoef", "uuid/_get_command_stdout", "torch.utils.collect_env/run",
                                  "_osx_support/_read_output", "concurrent.futures.process/ProcessPoolExecutor", "ensurepip/_run_pip",
                                  "_imp/create_dynamic", "_ctypes/dlopen", "yaml/unsafe_load", "bz2/open", "gzip/open", "codecs/open",
                                  "telnetlib/Telnet", "setuptools._distutils.spawn/spawn", "commands/getoutput", "popen2/popen3"])
def test_what_reaches_out_is_denied_however_it_is_reached(shared, place, path):
    module, name = path.split("/")
    shared.publish(f"{place}?archive-format=compressed", archive_of(model__pkl=b"\x80\x04" + text(module) + text(name) + b"\x93."))
    assert ("pickle-danger", "critical", "model.pkl", f"{module}.{name}") in findings_of(shared, place.lstrip("/"))


# ---- layers and graphs wherever they lie ------------------------------------------------------------------------------


def keras_metadata(index):
    """A keras_metadata.pb whose Lambda is the node of this index, among others, as Keras writes it."""
    saved = b""
    for node_id in range(5):
        layer = "Lambda" if node_id == index else "Dense"
        metadata = json.dumps({"name": f"layer_{node_id}", "class_name": layer, "config": {"name": "x" * node_id}})
        version = number_field(1, 1) + number_field(2, 1)
        fields = number_field(2, node_id) + bytes_field(3, f"root.layer-{node_id}".encode()) + bytes_field(4, b"_tf_keras_layer") + \
            bytes_field(5, metadata.encode()) + bytes_field(6, version)
        saved += bytes_field(1, fields)
    return saved


@pytest.mark.parametrize("index", range(5))
def test_a_lambda_is_found_at_each_node(shared, place, index):
    shared.publish(f"{place}?archive-format=compressed", archive_of(keras_metadata__pb=keras_metadata(index)))
    assert findings_of(shared, place.lstrip("/")) == [("keras-lambda", "high", "keras_metadata.pb", "class_name Lambda")]


def test_no_lambda_is_found_where_none_is(shared, place):
    shared.publish(f"{place}?archive-format=compressed", archive_of(keras_metadata__pb=keras_metadata(9)))
    assert findings_of(shared, place.lstrip("/")) == []


@pytest.mark.parametrize("name", ["saved_model.pb", "a/saved_model.pb", "a/b/Saved_Model.PB"])
def test_a_graph_is_looked_at_wherever_it_lies(shared, place, name):
    folders = [Member("./" + name[:i + 1]) for i, letter in enumerate(name) if letter == "/"]
    lying = [Member("./" + name, model_with("WriteFile"))]
    found = [("op-file-write", "high", name, "WriteFile")]
    shared.publish(f"{place}?archive-format=compressed", pack([Member("./"), *folders, *lying]))
    assert findings_of(shared, place.lstrip("/")) == found
    if "/" in name:
        shared.publish(f"{place}2?{WRITER}", pack(members() + folders + lying))
        assert findings_of(shared, f"{place}2".lstrip("/")) == found


def test_a_graph_in_a_zip_is_told(shared, place):
    shared.publish(f"{place}?archive-format=compressed", archive_of(m__zip=zip_of({"m/saved_model.pb": model_with("WriteFile"), "saved_model.txt": b"x"})))
    assert [(rule, where) for rule, _, where, _ in findings_of(shared, place.lstrip("/"))] == [
        ("op-hidden-graph", "m.zip: m/saved_model.pb"), ("file-archive", "m.zip")]


def test_a_graph_that_cannot_be_looked_at_is_told(shared, place):
    shared.publish(f"{place}?archive-format=compressed", archive_of(saved_model__pb=b"\xff\xff no message", saved_model__cpb=b"\x0a\0"))
    assert [(rule, severity, where) for rule, severity, where, _ in findings_of(shared, place.lstrip("/"))] == [
        ("op-hidden-graph", "high", "saved_model.cpb"), ("op-hidden-graph", "high", "saved_model.pb")]


# ---- arrays, and zips that are large in small ------------------------------------------------------------------------


def array_of(head, content):
    text_ = head.encode()
    text_ += b" " * (-(10 + len(text_) + 1) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + len(text_).to_bytes(2, "little") + text_ + content


@pytest.mark.parametrize("type_", ["'|O'", '"O"', "'O'", "'object'", "[('a', \"O\")]", "[('a', '<f4'), ('b', '|O')]", "'\\x4f'", "'<f4', 'descr': '|O'",
                                   "'<f4' if 0 else 'o'.upper()", "('|' 'O')", "'|O8'"])
@pytest.mark.parametrize("form", ["{{'descr': {}, 'fortran_order': False, 'shape': (1,), }}", "{{'fortran_order': False, 'shape': (1,), 'descr': {}}}"])
def test_an_array_of_objects_is_followed(shared, place, type_, form):
    body = archive_of(a__npy=array_of(form.format(type_), pickle.dumps(Danger())), b__npz=zip_of({"a.npy": array_of(form.format(type_), pickle.dumps(Danger()))}))
    shared.publish(f"{place}?archive-format=compressed", body)
    found = findings_of(shared, place.lstrip("/"))
    assert [where for rule, _, where, _ in found if rule == "pickle-danger"] == ["a.npy", "b.npz: a.npy"], found


@pytest.mark.parametrize("type_", ["<f4", "|u1", ">i8", "<U5", "|S3", "|b1", "<c16", "<M8"])
def test_an_array_of_numbers_is_not(shared, place, type_):
    head = f"{{'descr': '{type_}', 'fortran_order': True, 'shape': (), }}"
    shared.publish(f"{place}?archive-format=compressed", archive_of(a__npy=array_of(head, pickle.dumps(Danger()))))
    assert findings_of(shared, place.lstrip("/")) == []


def zip_of(files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_zips_share_what_may_be_unpacked_of_them(shared, place):
    large = zip_of({"a": bytes(12 << 20)})
    shared.publish(f"{place}?archive-format=compressed", archive_of(a__zip=large))
    assert [finding[0] for finding in findings_of(shared, place.lstrip("/"))] == ["file-archive"]
    shared.publish(f"{place}2?archive-format=compressed", archive_of(a__zip=large, b__zip=large, c__zip=large))
    assert [finding[:3] for finding in findings_of(shared, f"{place}2".lstrip("/"))] == [
        ("zip-unread", "medium", "b.zip"), ("zip-unread", "medium", "c.zip"), ("file-archive", "low", "a.zip"), ("file-archive", "low", "b.zip"),
        ("file-archive", "low", "c.zip")]


INNER = {"archive/data.pkl": pickle.dumps({"a": 1}, protocol=2), "b": b"b"}


def with_hidden_file(zipped):
    """A zip whose directory has one file more than it begins with."""
    return zipped[:-12] + (3).to_bytes(2, "little") + zipped[-10:]


@pytest.mark.parametrize("suffix", ["pt", "npz", "keras", "zip", "bin"])
@pytest.mark.parametrize("form", ["behind_another", "in_another", "count", "cut", "comment_with_zip"])
def test_a_zip_of_an_odd_layout_is_told(shared, place, suffix, form):
    one = zip_of(INNER)
    zipped = {"behind_another": one + zip_of(INNER), "in_another": zip_of({f"x.{suffix}": one, **INNER}), "count": with_hidden_file(one),
              "cut": one[:-10], "comment_with_zip": one[:-2] + len(one).to_bytes(2, "little") + one}[form]
    shared.publish(f"{place}?archive-format=compressed", pack([Member("./"), Member(f"./m.{suffix}", zipped)]))
    where = f"m.{suffix}: x.{suffix}" if form == "in_another" else f"m.{suffix}"
    assert [finding[2] for finding in findings_of(shared, place.lstrip("/")) if finding[0] == "zip-unread"] == [where]


@pytest.mark.parametrize("suffix", ["pt", "npz", "keras", "zip", "bin"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_usual_zip_is_gone_through(shared, place, suffix, method):
    shared.publish(f"{place}?archive-format=compressed", pack([Member("./"), Member(f"./m.{suffix}", zip_of(INNER, method))]))
    assert "zip-unread" not in [finding[0] for finding in findings_of(shared, place.lstrip("/"))]


def test_what_is_imported_behind_many_others_is_found(shared, place):
    others = b"".join(text("m") + text(f"C{number}") + b"\x93" + text("m") + text(f"C{number % 7}") + b"\x93" for number in range(300))
    body = archive_of(model__pkl=b"\x80\x04" + others + text("posix") + text("system") + b"\x93.")
    shared.publish(f"{place}?archive-format=compressed", body)
    found = findings_of(shared, place.lstrip("/"))
    assert ("pickle-danger", "critical", "model.pkl", "posix.system") in found and len(found) == 22


def many_words():
    """A pickle that a vocabulary makes long, with an import behind it that only its memo names."""
    words = [f"word{i}" for i in range(50000)]
    return archive_of(model__pkl=pickle.dumps([pathlib.PurePosixPath("a"), words, pathlib.PurePosixPath("b")], protocol=4))


@pytest.mark.parametrize("case", ARCHIVES)
def test_files_are_looked_into(shared, place, case):
    make, wanted = ARCHIVES[case]
    shared.publish(f"{place}?archive-format=compressed", make())
    assert findings_of(shared, place.lstrip("/")) == wanted


def test_names_are_remembered_over_many_words(shared, place):
    shared.publish(f"{place}?archive-format=compressed", many_words())
    assert findings_of(shared, place.lstrip("/")) == [("pickle", "info", "model.pkl", "1 of them")]


def test_findings_are_shown_and_searched_for(larder):
    larder.publish("/acme/reader/1", module_with("ReadFile", "WriteFile", "MyOp", "MatMul", "MatMul"))
    larder.publish("/acme/calm/1", module_with("MatMul", "Relu"))
    assert findings_of(larder, "acme/reader/1") == [
        ("op-file-read", "high", "saved_model.pb", "ReadFile"), ("op-file-write", "high", "saved_model.pb", "WriteFile"),
        ("op-custom", "medium", "saved_model.pb", "MyOp")]
    assert findings_of(larder, "acme/calm/1") == []
    found = larder.get("/api/v1/modules?finding=op-file-read&facets=true").json()
    assert [module["handle"] for module in found["modules"]] == ["acme/reader"]
    assert found["facets"]["finding"] == {"op-file-read": 1, "op-file-write": 1, "op-custom": 1}
    page = larder.get("/acme/reader/1", Accept="text/html").body.decode()
    assert "Safety findings" in page and '/?finding=op-file-read"><code>op-file-read</code></a> (high)' in page
    assert "Safety findings" not in larder.get("/acme/calm/1", Accept="text/html").body.decode()
    assert "finding:\thigh, op-file-read: ReadFile, in saved_model.pb\n" in run("show", "acme/reader/1", server=larder.url).stdout


def test_what_is_only_of_interest_is_no_facet(larder):
    larder.publish("/acme/tables/1", module_with("InitializeTableFromTextFileV2"))
    assert findings_of(larder, "acme/tables/1") == [("op-asset-read", "info", "saved_model.pb", "InitializeTableFromTextFileV2")]
    assert larder.get("/api/v1/modules?finding=op-asset-read").json()["total"] == 0
    assert "Safety findings" not in larder.get("/acme/tables/1", Accept="text/html").body.decode()


def test_the_table_of_rules_is_theirs():
    table = (ROOT / "docs/trust.md").read_text(encoding="utf-8")
    rules = json.loads((ROOT / "schema/safety.json").read_text(encoding="utf-8"))["rules"]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| `") and line.count(" | ") == 4]
    assert [(row[0], row[1], row[2]) for row in rows] == [(f"| `{rule['id']}`", rule["severity"], rule["meaning"]) for rule in rules]
    assert all(len(row) == 5 and row[3] and row[4].strip(" |") for row in rows)


# ---- policy -----------------------------------------------------------------------------------------------------------


def test_what_the_policy_refuses_is_not_published(start):
    larder = start({"safety": {"published": "refuse"}})
    problem = assert_problem(larder.put("/acme/writer/1", module_with("WriteFile", "MyOp")), 422, "unsafe-module")
    assert [(finding["rule"], finding["severity"], finding["detail"]) for finding in problem["findings"]] == [
        ("op-file-write", "high", "WriteFile"), ("op-custom", "medium", "MyOp")]
    assert "op-file-write (WriteFile, in saved_model.pb)" in problem["detail"]
    larder.assert_nothing_kept()
    larder.publish("/acme/custom/1", module_with("MyOp"))
    larder.publish("/acme/calm/1", module_with("MatMul"))


def test_rules_go_by_rule_severity_and_handle(start):
    larder = start({"safety": {"published": "refuse", "rules": "op-*@acme/*:warn, medium:refuse, op-custom@acme/trusted:off"}})
    larder.publish("/acme/writer/1", module_with("WriteFile"))
    assert_problem(larder.put("/acme/writer/2", module_with("MyOp")), 422, "unsafe-module")
    assert_problem(larder.put("/other/writer/1", module_with("WriteFile")), 422, "unsafe-module")
    larder.publish("/acme/trusted/1", module_with("MyOp"))


def held_back(reply, reason):
    problem = assert_problem(reply, 451, "quarantined")
    assert reason in problem["detail"], problem
    return problem


def approver(larder, glob="acme/*"):
    return larder.larder("token", "create", f"approver-{glob.replace('*', 'all').replace('/', '-')}", "--scope", f"approve:{glob}", "--data",
                         larder.data).stdout.strip()


def audited(larder):
    with sqlite3.connect(f"file:{larder.data}/larder.db?mode=ro", uri=True) as database:
        return database.execute("SELECT who, action, subject, detail FROM audit WHERE action IN ('quarantine', 'approve', 'reject')"
                                " ORDER BY id").fetchall()


def test_quarantine_approval_and_rejection(start):
    larder = start({"safety": {"published": "quarantine"}})
    body = module_with("WriteFile")
    path = f"/acme/writer/1?{WRITER}"
    assert larder.publish("/acme/writer/1", body).json()["state"] == "quarantined"
    held_back(larder.get(path), "op-file-write (WriteFile, in saved_model.pb)")
    held_back(larder.get("/acme/writer/1/saved_model.pb?tf-hub-format=file"), "op-file-write")
    assert "Held back" in larder.get("/acme/writer/1", Accept="text/html").body.decode()
    token = approver(larder)
    assert run("approve", "acme/writer/1", "--reason", "read by Ann", server=larder.url, token=token).stdout == "acme/writer/1: active\n"
    assert larder.get(path).body == body
    assert larder.get(path).body == body
    larder.publish("/acme/writer/1", body)
    assert larder.get(path).status == 200, "what was approved stays so"
    assert run("reject", "acme/writer/1", "--reason", "Bob knows better", server=larder.url, token=token).stdout == \
        "acme/writer/1: quarantined\n"
    held_back(larder.get(path), "Bob knows better")
    larder.restart()
    held_back(larder.get(path), "Bob knows better")
    assert audited(larder) == [
        ("ci-publish", "quarantine", "acme/writer/1", "tf-hub: op-file-write (WriteFile, in saved_model.pb)"),
        ("approver-acme-all", "approve", "acme/writer/1", "read by Ann"),
        ("approver-acme-all", "reject", "acme/writer/1", "Bob knows better")]


def test_only_who_may_decides(start):
    larder = start({"safety": {"published": "quarantine"}})
    larder.publish("/acme/writer/1", module_with("WriteFile"))
    order = json.dumps({"decision": "approve", "reason": "x"})

    def decide(token, path="/acme/writer/1", body=order):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} if token else {}
        return larder.request("POST", f"/api/v1/decisions{path}", headers, body.encode())

    token = approver(larder)
    assert_problem(decide(""), 401, "unauthorized")
    assert_problem(decide(larder.token("publish:*")), 403, "forbidden")
    assert_problem(decide(approver(larder, "other/*")), 403, "forbidden")
    assert_problem(decide(token, "/acme/other/1"), 404, "not-found")
    for body in ("", "{", "[]", '{"decision": "maybe", "reason": "x"}', '{"decision": "approve"}', '{"decision": "approve", "reason": ""}',
                 json.dumps({"decision": "approve", "reason": "x" * 1001})):
        assert_problem(decide(token, body=body), 400, "bad-request")
    held_back(larder.get(f"/acme/writer/1?{WRITER}"), "op-file-write")
    assert decide(token).json()["state"] == "active"


# What is signed has its own day, in test_attestations.py.
WRITTEN = re.sub(r"^## Signing$.*?(?=^## )", "", (ROOT / "docs/trust.md").read_text(encoding="utf-8"), flags=re.M | re.S)
DAY = re.findall(r"^```console\n(.*?)^```$", WRITTEN, re.M | re.S)


def test_the_day_that_is_written_down(start):
    """The lines of docs/trust.md in one shell, as they stand; what stands behind # is part of what the line prints."""
    larder = start({"safety": {"published": "quarantine"}})
    with tarfile.open(fileobj=io.BytesIO(module_with("WriteFile"))) as archive:
        archive.extractall(larder.folder / "writer")
    (larder.folder / "larder-data").symlink_to(larder.data)
    lines = [line for block in DAY for line in block.splitlines()]
    script = f"larder() {{ '{binary()}' \"$@\"; }}\n" + "".join(f"{{ {line}\n}} 2>&1; echo =\n" for line in lines)
    script = script.replace("127.0.0.1:8080", "%s:%d" % larder.address)
    done = subprocess.run(["bash", "-c", script], cwd=larder.folder, capture_output=True, text=True, timeout=4 * DEADLINE_S,
                          env=environment(larder.url, no_proxy="*"))
    printed = [" ".join(part.split()) for part in done.stdout.split("=\n")]
    assert len(printed) == len(lines) + 1 and not done.stderr, done
    for line, part in zip(lines, printed):
        wanted = " ".join(line.partition("  # ")[2].split())
        assert wanted in part and (wanted or "larder: " not in part), (line, part)


def test_a_fill_that_is_held_back_reaches_no_client_whole(start, upstream):
    mirror = start({"safety": {"mirrored": "quarantine"}, "mirror": {"hold_until_verified": "never"}}, [upstream.url])
    body = pack(members(400000, model=model_with("WriteFile")))
    upstream.serve("/acme/writer/1", body)
    try:
        reply = mirror.get(f"/acme/writer/1?{WRITER}")
    except (http.client.HTTPException, ConnectionError):
        reply = None
    assert reply is None or reply.status == 451
    held_back(mirror.get(f"/acme/writer/1?{WRITER}"), "op-file-write (WriteFile, in saved_model.pb)")
    mirror.wait_for_no_drafts()
    asked = len(upstream.requests)
    held_back(mirror.get(f"/acme/writer/1?{WRITER}"), "op-file-write")
    assert len(upstream.requests) == asked, "it is here, and not asked for again"
    run("approve", "acme/writer/1", "--reason", "ours", server=mirror.url, token=approver(mirror))
    assert mirror.get(f"/acme/writer/1?{WRITER}").body == body
    upstream.serve("/acme/calm/1", module_with("MatMul"))
    assert mirror.get(f"/acme/calm/1?{WRITER}").status == 200


def states_of(larder, path):
    version = larder.get(f"/api/v1/modules/{path}").json()
    return version["state"], {artifact["format"]: artifact["state"] for artifact in version["artifacts"]}


def explained(larder, path):
    return larder.get(f"/api/v1/explain?url={urllib.parse.quote(path, safe='')}").json()


def test_formats_are_held_back_one_by_one(start):
    larder = start({"safety": {"published": "quarantine", "rules": "pickle-danger:quarantine"}})
    archive, compressed = "/acme/writer/1?archive-format=compressed", f"/acme/writer/1?{WRITER}"
    danger = archive_of(model__pkl=pickle.dumps(Danger()))
    larder.publish(f"/acme/writer/1?{WRITER}", module_with("WriteFile"))
    assert states_of(larder, "acme/writer/1") == ("quarantined", {"tf-hub": "quarantined"})
    token = approver(larder)
    run("approve", "acme/writer/1", "--reason", "read by Ann", server=larder.url, token=token)
    assert states_of(larder, "acme/writer/1") == ("active", {"tf-hub": "active"})
    larder.publish(archive, danger)
    held_back(larder.get(archive), "pickle-danger")
    assert larder.get(compressed).status == 200, "what was approved stays so"
    assert larder.get(f"/acme/writer?{WRITER}").status in (200, 302), "and is the latest of its format"
    assert states_of(larder, "acme/writer/1") == ("active", {"tf-hub": "active", "archive": "quarantined"})
    told = explained(larder, archive)
    assert told["artifact"]["state"] == "quarantined" and told["answer"]["status"] == 451, told
    assert explained(larder, compressed)["answer"]["status"] == 200
    run("reject", "acme/writer/1", "--reason", "Bob knows better", server=larder.url, token=token)
    held_back(larder.get(compressed), "Bob knows better")
    run("approve", "acme/writer/1", "--reason", "both are read", server=larder.url, token=token)
    assert larder.get(compressed).status == larder.get(archive).status == 200
    assert states_of(larder, "acme/writer/1") == ("active", {"tf-hub": "active", "archive": "active"})


def test_what_is_clean_comes_to_a_version_that_is_held_back(start):
    larder = start({"safety": {"published": "quarantine"}})
    larder.publish(f"/acme/writer/1?{WRITER}", module_with("WriteFile"))
    clean = archive_of(weights__txt=b"1 2 3")
    assert larder.publish("/acme/writer/1?archive-format=compressed", clean).json()["state"] == "active"
    assert larder.get("/acme/writer/1?archive-format=compressed").body == clean
    held_back(larder.get(f"/acme/writer/1?{WRITER}"), "op-file-write")
    assert states_of(larder, "acme/writer/1") == ("active", {"tf-hub": "quarantined", "archive": "active"})


def test_what_older_rules_judged_is_judged_when_it_comes_again(larder):
    larder.publish(f"/acme/writer/1?{WRITER}", module_with("WriteFile"))
    found = findings_of(larder, "acme/writer/1")
    assert [finding[0] for finding in found] == ["op-file-write"]
    with sqlite3.connect(larder.data / "larder.db") as database:
        version = database.execute("SELECT safety_version FROM inspections").fetchone()
        database.execute("UPDATE inspections SET safety_version = 0")
        database.execute("DELETE FROM safety_findings")
    assert not findings_of(larder, "acme/writer/1")
    larder.publish("/acme/writer/1", b"# Module acme/writer/1\nWrites a file.\n", content_type="text/markdown")
    listed = "/api/v1/modules?finding=op-file-write"
    assert larder.get(listed).json()["total"] == 0
    larder.publish(f"/acme/writer/1?{WRITER}", module_with("WriteFile"))
    assert findings_of(larder, "acme/writer/1") == found and larder.get(listed).json()["total"] == 1
    with sqlite3.connect(larder.data / "larder.db") as database:
        assert database.execute("SELECT safety_version FROM inspections").fetchone() == version


def bundle_of_writer(start, tmp_path):
    """Of a site that has approved it."""
    larder = start({"safety": {"published": "quarantine"}}, name="origin")
    larder.publish(f"/acme/writer/1?{WRITER}", module_with("WriteFile"))
    larder.publish(f"/acme/calm/1?{WRITER}", module_with("MatMul"))
    run("approve", "acme/writer/1", "--reason", "read by Ann", server=larder.url, token=approver(larder))
    bundle = tmp_path / "all.tar"
    larder.larder("export", "-o", str(bundle))
    return bundle


def imported(larder, bundle, *options, check=True):
    return larder.larder("import", str(bundle), "--config", str(larder.config_path), *options, check=check)


def test_what_a_bundle_brings_is_held_back(start, tmp_path):
    bundle = bundle_of_writer(start, tmp_path)
    larder = start({"safety": {"published": "quarantine"}})
    imported(larder, bundle)
    held_back(larder.get(f"/acme/writer/1?{WRITER}"), "op-file-write (WriteFile, in saved_model.pb)")
    assert larder.get(f"/acme/calm/1?{WRITER}").status == 200
    assert [row[1] for row in audited(larder)] == ["quarantine"]
    imported(larder, bundle)
    assert states_of(larder, "acme/writer/1") == ("quarantined", {"tf-hub": "quarantined"}), "once more changes nothing"
    other = start({"safety": {"published": "quarantine"}}, name="other")
    run("import", bundle, server=other.url, token=other.token("admin"))
    assert states_of(other, "acme/writer/1") == ("quarantined", {"tf-hub": "quarantined"}), "over the network, too"
    run("approve", "acme/writer/1", "--reason", "read by Bob, too", server=larder.url, token=approver(larder))
    imported(larder, bundle)
    assert larder.get(f"/acme/writer/1?{WRITER}").status == 200, "and what was approved stays so"


def test_what_a_bundle_brings_is_refused(start, tmp_path):
    bundle = bundle_of_writer(start, tmp_path)
    larder = start({"safety": {"rules": "op-file-write@acme/*:refuse"}})
    done = imported(larder, bundle, check=False)
    assert done.returncode == 1 and "acme/writer/1" in done.stderr and "the safety rules refuse it: op-file-write" in done.stderr, done
    assert larder.get("/api/v1/modules").json()["total"] == 0
    assert imported(larder, bundle, "--dry-run", check=False).returncode == 1, "its bytes are here, and known"
    assert imported(larder, bundle, "--partial", check=False).returncode == 1
    assert larder.get(f"/acme/calm/1?{WRITER}").status == 200 and larder.get("/api/v1/modules/acme/writer/1").status == 404


def test_a_fill_that_is_refused_is_not_kept(start, upstream):
    mirror = start({"safety": {"rules": "pickle-danger:refuse"}}, [upstream.url])
    upstream.serve("/acme/pickle/1", archive_of(model__pkl=pickle.dumps(Danger())))
    problem = assert_problem(mirror.get("/acme/pickle/1?archive-format=compressed"), 502, "upstream-failed")
    assert "the safety rules refuse" in problem["detail"] and "pickle-danger" in problem["detail"]
    mirror.assert_nothing_kept()


def test_configuration_tells_what_rules_are(start, tmp_path):
    config = tmp_path / "larder.ini"
    config.write_text("[safety]\nrules = op-file-read:warn, nonsense:refuse\n")
    assert 'rules has "nonsense:refuse"' in run("serve", "--check", "--config", config, status=1).stderr
