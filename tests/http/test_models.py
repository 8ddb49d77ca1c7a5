# SPDX-License-Identifier: Apache-2.0
"""Models that are there in part only, or that their own framework would refuse: published and mirrored."""
import random

import pytest
from support import modules
from support.daemon import assert_problem
from support.upstream import Answer, Raw

LITE = "/acme/lite/1?lite-format=tflite"
CORAL = "/acme/lite/1?coral-format=tflite"
MODEL = modules.tflite_model(50_000)  # less than is held back: refusals have a status
ZIP_END = b"PK\5\6" + bytes(18)

TFLITE_DAMAGE = {
    "half of it": (MODEL[:25_000], "tflite-cut"),
    "all but a byte": (MODEL[:-1], "tflite-cut"),
    "eight bytes": (MODEL[:8], "tflite-cut"),
    "zeros behind the magic": (MODEL[:8] + bytes(1000), "tflite-broken"),
    "noise behind the magic": (MODEL[:8] + random.Random(5).randbytes(40_000), None),
    "other line ends": (MODEL.replace(b"\n", b"\r\n"), "tflite-text-mode"),
    "a zip that is cut off": (MODEL + b"PK\3\4" + bytes(500), "tflite-cut"),
}
TFLITE_TAILS = {"nothing": b"", "padding": bytes(12), "a zip": b"PK\3\4" + bytes(50) + ZIP_END}


@pytest.mark.parametrize("url", [LITE, CORAL])
@pytest.mark.parametrize("body,rule", TFLITE_DAMAGE.values(), ids=TFLITE_DAMAGE)
def test_half_a_tflite_is_not_published(larder, url, body, rule):
    problem = assert_problem(larder.put(url, body), 422, "invalid-module")
    assert rule in (None, problem["violations"][0]["rule"])
    assert larder.get("/api/v1/modules").json()["total"] == 0


@pytest.mark.parametrize("tail", [*TFLITE_TAILS.values(), b"a signature of somebody's"])
def test_what_lies_behind_a_tflite_stays(larder, tail):
    larder.publish(LITE, MODEL + tail)
    assert larder.get(LITE).body == MODEL + tail


@pytest.mark.parametrize("body,rule", TFLITE_DAMAGE.values(), ids=TFLITE_DAMAGE)
def test_half_a_tflite_is_not_mirrored(upstream, mirror, body, rule):
    upstream.serve("/acme/lite/1", Answer(body, media_type="application/octet-stream"))
    assert_problem(mirror.get(LITE), 502, "upstream-failed")
    assert mirror.metric("larder_mirrored_bytes") == 0


# ---- an end that is only the connection's ----------------------------------------------------------------------------

def until_close(body, version="1.1", headers=b""):
    return Raw(b"HTTP/%s 200 OK\r\nContent-Type: application/octet-stream\r\n%s\r\n%s" % (version.encode(), headers, body))


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("tail", TFLITE_TAILS.values(), ids=TFLITE_TAILS)
def test_a_whole_tflite_proves_itself(upstream, mirror, version, tail):
    upstream.serve("/acme/lite/1", until_close(MODEL + tail, version))
    assert mirror.get(LITE).body == MODEL + tail
    assert mirror.get(LITE).header("Cache-Status") == "larder; hit"


@pytest.mark.parametrize("headers", [b"", b"Connection: close\r\n", b"Transfer-Encoding: identity\r\n"])
@pytest.mark.parametrize("cut", [25_000, 8, len(MODEL) - 1])
def test_half_a_tflite_does_not(upstream, mirror, headers, cut):
    upstream.serve("/acme/lite/1", until_close(MODEL[:cut], headers=headers))
    assert_problem(mirror.get(LITE), 502, "upstream-failed")
    assert mirror.metric("larder_mirrored_bytes") == 0


@pytest.mark.parametrize("tail", [b"a signature of somebody's", bytes(40), b"PK\3\4" + bytes(50) + ZIP_END + b"comment"])
def test_what_shows_no_end_needs_a_length(upstream, mirror, tail):
    upstream.serve("/acme/lite/1", until_close(MODEL + tail))
    problem = assert_problem(mirror.get(LITE), 502, "upstream-failed")
    assert "Content-Length" in problem["detail"]
    upstream.serve("/acme/lite/3", Answer(MODEL + tail, chunked=True, media_type="application/octet-stream"))
    assert mirror.get("/acme/lite/3?lite-format=tflite").body == MODEL + tail
    upstream.serve("/acme/lite/2", Answer(MODEL + tail, media_type="application/octet-stream"))
    assert mirror.get("/acme/lite/2?lite-format=tflite").body == MODEL + tail


@pytest.mark.parametrize("cut", [0, 1, 8, 600])
def test_archives_have_an_end_of_their_own(upstream, mirror, cut):
    archive = modules.module(30_000)
    upstream.serve("/acme/m/1", until_close(archive[:len(archive) - cut]))
    reply = mirror.get("/acme/m/1?tf-hub-format=compressed")
    if cut:
        assert_problem(reply, 502, "upstream-failed")
    else:
        assert reply.body == archive


# ---- variables -------------------------------------------------------------------------------------------------------

INDEX = "./variables/variables.index"
SAVER = modules.bytes_field(3, modules.bytes_field(1, "save/Const:0") + modules.bytes_field(3, "save/restore_all"))
VARIABLE = modules.bytes_field(7, modules.bytes_field(1, modules.bytes_field(7, modules.number_field(1, 1))))
PLAIN = modules.saved_model()
QUERY = "?tf-hub-format=compressed"
HUB = "/acme/m/1" + QUERY


def model_with(extra):
    """A SavedModel with one more field in its meta graph."""
    return modules.number_field(1, 1) + modules.bytes_field(2, modules.half_plus_two().encode() + extra)


def archive(model, files):
    entries = [modules.Member("./"), modules.Member("./saved_model.pb", model), modules.Member("./variables/")]
    return modules.pack(entries + [modules.Member(name, content) for name, content in files.items()])


def shard(number, count):
    return f"./variables/variables.data-{number:05}-of-{count:05}"


THREE = {INDEX: modules.bundle_index(10, 20, 30), **{shard(i, 3): bytes(10 * i + 10) for i in range(3)}}
NO_FOLDER = modules.pack([modules.Member("./"), modules.Member("./saved_model.pb", model_with(SAVER))])


def without(*names):
    return {name: content for name, content in THREE.items() if name not in names}


def indexed(index):
    return archive(PLAIN, {**THREE, INDEX: index})


GAPS = {
    "a saver and no folder": (NO_FOLDER, "variables-missing"),
    "a saver and an empty folder": (archive(model_with(SAVER), {}), "variables-missing"),
    "variables of TF2 and none": (archive(model_with(VARIABLE), {}), "variables-missing"),
    "no first shard": (archive(PLAIN, without(shard(0, 3))), "checkpoint-shards"),
    "no second shard": (archive(PLAIN, without(shard(1, 3))), "checkpoint-shards"),
    "no last shard": (archive(model_with(SAVER), without(shard(2, 3))), "checkpoint-shards"),
    "an index alone": (archive(model_with(SAVER), {INDEX: THREE[INDEX]}), "checkpoint-shards"),
    "shards alone": (archive(model_with(SAVER), without(INDEX)), "checkpoint-index"),
    "another saving's shards": (archive(PLAIN, {INDEX: modules.bundle_index(10), shard(0, 2): b"", shard(1, 2): b""}),
                                "checkpoint-shards"),
    "a short shard": (archive(PLAIN, {**THREE, shard(1, 3): bytes(19)}), "checkpoint-index"),
    "an entry behind its shard": (indexed(modules.bundle_index(10, 20, 30, tensors=[(0, 0, 10), (1, 15, 6)])),
                                  "checkpoint-index"),
    "an entry in no shard": (indexed(modules.bundle_index(10, 20, 30, tensors=[(3, 0, 1)])), "checkpoint-index"),
    "an entry that wraps": (indexed(modules.bundle_index(10, 20, 30, tensors=[(0, 2 ** 64 - 1, 2)])), "checkpoint-index"),
    "an empty index": (indexed(b""), "checkpoint-index"),
    "half an index": (indexed(THREE[INDEX][:60]), "checkpoint-index"),
    "noise for an index": (indexed(random.Random(3).randbytes(200)), "checkpoint-index"),
}


@pytest.mark.parametrize("body,rule", GAPS.values(), ids=GAPS)
def test_what_lacks_of_the_variables(shared, place, body, rule):
    problem = assert_problem(shared.put(place + QUERY, body), 422, "invalid-module")
    assert [violation["rule"] for violation in problem["violations"]] == [rule]
    shared.upstream.serve(place, body)
    assert shared.get(place + QUERY).body == body
    version = shared.get("/api/v1/modules" + place).json()
    assert rule in str(version), version


WHOLE = {
    "none needed": archive(PLAIN, {}),
    "three shards": archive(model_with(SAVER), THREE),
    "shards of an earlier saving beside them": archive(model_with(SAVER), {**THREE, shard(0, 1): b"x"}),
    "variables that fill no shard": archive(PLAIN, {**THREE, shard(2, 3): bytes(100)}),
    "the first format": archive(model_with(SAVER), {"./variables/variables": b"x"}),
    "the first format, sharded": archive(model_with(SAVER), {"./variables/variables-00000-of-00001": b"x"}),
}


@pytest.mark.parametrize("body", WHOLE.values(), ids=WHOLE)
def test_what_has_its_variables(shared, place, body):
    shared.publish(place + QUERY, body)


@pytest.mark.parametrize("seed", range(3))
def test_any_index_is_borne(larder, seed):
    """Bits that flip: it is refused or taken, and the daemon lives (AddressSanitizer watches)."""
    rng = random.Random(seed)
    for version in range(1, 40):
        index = bytearray(THREE[INDEX])
        for _ in range(rng.randint(1, 4)):
            index[rng.randrange(len(index))] ^= 1 << rng.randrange(8)
        assert larder.put(f"/acme/m/{version}", indexed(bytes(index))).status in (201, 422)


# ---- what protobuf refuses -------------------------------------------------------------------------------------------

def node(*fields):
    """A graph with this node."""
    return modules.bytes_field(2, modules.bytes_field(1, b"".join(fields)))


def attr(value):
    return modules.bytes_field(5, modules.bytes_field(1, "a") + modules.bytes_field(2, value))


def nested(levels):
    """An attribute that is a list of functions with such an attribute, and so on."""
    value = modules.number_field(3, 1)
    for _ in range(levels):
        value = modules.bytes_field(10, modules.bytes_field(1, "f") + modules.bytes_field(
            2, modules.bytes_field(1, "a") + modules.bytes_field(2, value)))
    return attr(value)


REFUSED = {
    "bad UTF-8 in a node's name": node(modules.bytes_field(1, b"\xff")),
    "a lone surrogate in an input": node(modules.bytes_field(3, b"\xed\xa0\x80")),
    "half a character at the end of a device": node(modules.bytes_field(4, b"x" * 300 + b"\xc3")),
    "a character cut by a piece's end, then a bad one": node(modules.bytes_field(1, b"x" * 255 + "ä".encode() + b"\x80")),
    "an attribute's key": node(modules.bytes_field(5, modules.bytes_field(1, b"\xc0\x80"))),
    "an attribute that is cut off": node(attr(b"\x0a\x05ab")),
    "an attribute with field number 0": node(attr(b"\x00\x00")),
    "half a packed float": node(attr(modules.bytes_field(8, modules.bytes_field(5, b"123")))),
    "a packed number without an end": node(attr(modules.bytes_field(8, modules.bytes_field(10, b"\x80\x80")))),
    "a packed number of 11 bytes": node(attr(modules.bytes_field(1, modules.bytes_field(3, b"\x80" * 10 + b"\x01")))),
    "a hundred levels": node(nested(40)),
    "a collection's key": modules.bytes_field(4, modules.bytes_field(1, b"\xfe")),
    "an asset's name": modules.bytes_field(6, modules.bytes_field(2, b"\xf8\x88\x80\x80\x80")),
    "a variable's name": modules.bytes_field(7, modules.bytes_field(1, modules.bytes_field(7, modules.bytes_field(6, b"\xff")))),
}
TAKEN = {
    "UTF-8 cut by pieces": node(modules.bytes_field(1, b"x" * 255 + "ä€😀".encode() * 200)),
    "a NUL": node(modules.bytes_field(1, b"a\0b")),
    "any bytes in a string attribute": node(attr(modules.bytes_field(2, b"\xff\xfe"))),
    "whole packed numbers": node(attr(modules.bytes_field(8, modules.bytes_field(5, bytes(8)) + modules.bytes_field(7, b"\x80\x01\x05")))),
    "fields that nobody knows": node(modules.bytes_field(99, b"\xff") + modules.number_field(98, 1)),
    "thirty levels": node(nested(30)),
}


@pytest.mark.parametrize("extra", REFUSED.values(), ids=REFUSED)
def test_what_protobuf_refuses(upstream, mirror, extra):
    body = archive(model_with(extra), {})
    problem = assert_problem(mirror.put(HUB, body), 422, "invalid-module")
    assert [violation["rule"] for violation in problem["violations"]] == ["saved-model-broken"]
    upstream.serve("/acme/m/1", body)
    assert_problem(mirror.get(HUB), 502, "upstream-failed")


@pytest.mark.parametrize("extra", TAKEN.values(), ids=TAKEN)
def test_what_protobuf_takes(shared, place, extra):
    shared.publish(place + QUERY, archive(model_with(extra), {}))


TEXT = 'meta_graphs { meta_info_def { tags: "serve" } %s }'
ODD_TEXT = ['graph_def { node { nam: "x" } }', "surprise: 1", "graph_def { node { attr { key: \"a\" value { what { } } } } }",
            "graph_def { [some.extension]: 1 }"]
ODD_VALUES = ['graph_def { node { attr { key: "a" value { type: DT_FLOAT32 } } } }',
              'graph_def { node { attr { key: "a" value { list { type: [DT_INT32, DT_int32] } } } } }',
              'graph_def { node { attr { key: "a" value { tensor { dtype: float } } } } }', "saver_def { version: V9 }",
              'graph_def { node { experimental_type { type_id: TFT_NOTHING } } }', "meta_info_def { stripped_op_list { op { attr { type: \"t\" } "
              "input_arg { type: DT_INVALID_REF } } } }", 'object_graph_def { nodes { variable { aggregation: MEAN } } }',
              'object_graph_def { nodes { function { function_spec { jit_compile: on } } } }']
WRONG_TEXT = ["graph_def { node { name: 1 } }", "graph_def { versions { producer: \"1\" } }", "graph_def { node: 1 }",
              "graph_def { versions { producer: [1] } }", "graph_def { node { name: \"\\xff\" } }",
              "graph_def { version: 3000000000 }", "saver_def { sharded: 7 }"]
GOOD_TEXT = ["graph_def { node { name: \"x\" op: \"Const\" attr { key: \"a\" value { f: 1e-3 } } input: [\"a\", \"b\"] } }",
             "graph_def { versions { producer: 21 bad_consumers: [1, 2] } }", "saver_def { version: V2 sharded: true }",
             "meta_info_def { any_info { [type.googleapis.com/any.Message] { whatever: 1 } } }",
             "graph_def { node { attr { key: \"a\" value { s: \"\\377\" } } } }",
             "graph_def { node { attr { key: \"a\" value { list { type: [DT_FLOAT, DT_FLOAT4_E2M1FN_REF, 77, -1] } } } "
             "experimental_type { type_id: TFT_ITERATOR args { type_id: 999 } } } }",
             "object_graph_def { nodes { function { function_spec { jit_compile: ON } } } } saver_def { version: LEGACY }"]


def text_archive(text):
    return modules.pack([modules.Member("./"), modules.Member("./saved_model.pbtxt", (TEXT % text).encode())])


@pytest.mark.parametrize("text", ODD_TEXT)
def test_text_with_unknown_fields(shared, place, text):
    body = text_archive(text)
    problem = assert_problem(shared.put(place + QUERY, body), 422, "invalid-module")
    assert "pbtxt-unknown-field" in [violation["rule"] for violation in problem["violations"]]
    shared.upstream.serve(place, body)
    assert shared.get(place + QUERY).body == body


@pytest.mark.parametrize("text", ODD_VALUES)
def test_text_with_unknown_names_of_values(shared, place, text):
    body = text_archive(text)
    problem = assert_problem(shared.put(place + QUERY, body), 422, "invalid-module")
    assert "pbtxt-unknown-value" in [violation["rule"] for violation in problem["violations"]]
    shared.upstream.serve(place, body)
    assert shared.get(place + QUERY).body == body
    artifact, = shared.get("/api/v1/modules" + place).json()["artifacts"]
    assert "pbtxt-unknown-value" in [warning["rule"] for warning in artifact["warnings"]]


@pytest.mark.parametrize("text", WRONG_TEXT)
def test_text_with_wrong_values(shared, place, text):
    problem = assert_problem(shared.put(place + QUERY, text_archive(text)), 422, "invalid-module")
    assert problem["violations"][0]["rule"] == "saved-model-broken"


@pytest.mark.parametrize("text", GOOD_TEXT)
def test_text_that_tensorflow_reads(shared, place, text):
    shared.publish(place + QUERY, text_archive(text))
