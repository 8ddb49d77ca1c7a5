# SPDX-License-Identifier: Apache-2.0
"""Searching, filtering, counting and paging the list of modules."""
import base64
import random
import threading
from urllib.parse import quote, urlencode, urlsplit

import pytest
from support import modules
from support.daemon import Daemon, assert_problem
from support.modules import MetaGraph, Signature, Tensor

DOCUMENTS = {
    "acme/half-plus-two/1": ("Adds two to the half of a number.", "image-classification", ["en", "de"], "mit", "MobileNetV2 from the zoo."),
    "acme/bert_small/1": ("Small encoder of texts.", "text-embedding", ["en"], "apache-2.0", "Trained on wikipedia, for tigers."),
    "zoo/tiger/4": ("Finds striped cats.", "image-classification", [], "mit", "An encoder."),
    "zoo/lion/1": ("Finds lions.", "image-object-detection", ["sw"], "custom", "Über Löwen."),
}


def document(path, description, task, languages, license, body):
    languages = "".join(f"<!-- language: {language} -->\n" for language in languages)
    return (f"# Module {path}\n{description}\n\n<!-- task: {task} -->\n{languages}<!-- license: {license} -->\n<!-- fine-tunable: true -->\n"
            f"<!-- asset-path: legacy -->\n<!-- format: saved_model_2 -->\n\n## Overview\n{body}\n").encode()


def model(op, dtype, version, tag):
    return modules.module(100, model=modules.saved_model(MetaGraph(
        {"serving_default": Signature({"x": Tensor("x:0", dtype, [-1])}, {"y": Tensor("y:0", "float32", [])})},
        tags=(tag,), tensorflow_version=version, ops=("Const", op))))


def stock(daemon):
    daemon.publish("/acme/half-plus-two/1", model("Conv2D", "float32", "2.11.0", "serve"))
    daemon.publish("/acme/bert_small/1", model("MatMul", "string", "2.1.0", "serve"))
    daemon.publish("/zoo/tiger/1", modules.module(100, seed=3))
    daemon.publish("/zoo/tiger/4", model("Relu", "uint8", "1.15.0", "train"))
    daemon.publish("/zoo/tiger/4?lite-format=tflite", modules.tflite_model(900_000))
    daemon.publish("/zoo/lion/1?lite-format=tflite", modules.tflite_model(500))
    for path, facts in DOCUMENTS.items():
        daemon.publish("/" + path, document(path, *facts), content_type="text/markdown")
    return daemon


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    daemon = stock(Daemon(tmp_path_factory.mktemp("zoo")).start())
    yield daemon
    daemon.stop()


def found(daemon, query):
    answer = daemon.get("/api/v1/modules?" + query)
    assert answer.status == 200, f"{query}: {answer}"
    listing = answer.json()
    assert listing["total"] == len(listing["modules"]), listing
    return [module["handle"] for module in listing["modules"]]


@pytest.mark.parametrize("query, handles", [
    ("q=tiger", ["zoo/tiger", "acme/bert_small"]),  # the name before the documentation
    ("q=TIG", ["zoo/tiger", "acme/bert_small"]),
    ("q=encoder", ["acme/bert_small", "zoo/tiger"]),  # the description before the documentation
    ("q=finds", ["zoo/tiger", "zoo/lion"]),  # no deployment, and two versions
    ("q=image+class", ["zoo/tiger", "acme/half-plus-two"]),  # a tag; as often downloaded: the shorter handle
    ("q=class+image", []),  # only of the last word its beginning is enough
    ("q=half-plus", ["acme/half-plus-two"]),
    ("q=uber+lowen", ["zoo/lion"]),
    ("q=%C3%BCBER", ["zoo/lion"]),
    ("q=bert+mit", []),
    ("q=elephant", []),
    ("q=", ["acme/bert_small", "acme/half-plus-two", "zoo/lion", "zoo/tiger"]),
    ("q=zoo+encoder", ["zoo/tiger", "acme/half-plus-two"][:1]),
])
def test_words(zoo, query, handles):
    assert found(zoo, query) == handles


@pytest.mark.parametrize("query, handles", [
    ("task=image-classification", ["acme/half-plus-two", "zoo/tiger"]),
    ("task=image-classification&task=text-embedding", ["acme/bert_small", "acme/half-plus-two", "zoo/tiger"]),
    ("task=image-classification&license=custom", []),
    ("language=en", ["acme/bert_small", "acme/half-plus-two"]),
    ("language=de&language=sw", ["acme/half-plus-two", "zoo/lion"]),
    ("language=EN", []),
    ("license=mit&publisher=zoo", ["zoo/tiger"]),
    ("fine_tunable=true&publisher=acme", ["acme/bert_small", "acme/half-plus-two"]),
    ("fine_tunable=false", []),
    ("dataset=wikipedia", []),
    ("architecture=bert", []),
    ("format=tflite", ["zoo/lion", "zoo/tiger"]),
    ("format=tflite&format=tf-hub", ["acme/bert_small", "acme/half-plus-two", "zoo/lion", "zoo/tiger"]),
    ("format=coral", []),
    ("publisher=zoo", ["zoo/lion", "zoo/tiger"]),
    ("source=published&publisher=zoo", ["zoo/lion", "zoo/tiger"]),
    ("source=mirrored", []),
    ("cached=true&publisher=zoo", ["zoo/lion", "zoo/tiger"]),
    ("cached=false", []),
    ("op=Const", ["acme/bert_small", "acme/half-plus-two", "zoo/tiger"]),
    ("op=MatMul", ["acme/bert_small"]),
    ("op=Relu&op=Conv2D", ["acme/half-plus-two", "zoo/tiger"]),
    ("input_dtype=string", ["acme/bert_small"]),
    ("input_dtype=uint8&output_dtype=float32", ["zoo/tiger"]),
    ("output_dtype=string", []),
    ("tag=serve", ["acme/bert_small", "acme/half-plus-two"]),
    ("tag=train", ["zoo/tiger"]),
    ("tensorflow_version=2", ["acme/bert_small", "acme/half-plus-two"]),
    ("tensorflow_version=2.1", ["acme/bert_small"]),
    ("tensorflow_version=2.11", ["acme/half-plus-two"]),
    ("tensorflow_version=1.15.0", ["zoo/tiger"]),
    ("q=finds&task=image-object-detection", ["zoo/lion"]),
    ("task=&language=sw", ["zoo/lion"]),  # an empty value filters nothing
])
def test_filters(zoo, query, handles):
    assert found(zoo, query) == handles


@pytest.mark.parametrize("query", ["format=zip", "source=here", "cached=yes", "fine_tunable=1", "input_dtype=float", "sort=colour", "facets=all",
                                   "q=" + "+".join("abcdefghijklmnopq")])
def test_filters_that_make_no_sense(zoo, query):
    assert_problem(zoo.get("/api/v1/modules?" + query), 400, "bad-request")


def test_sorting(zoo):
    for _ in range(2):
        zoo.get("/zoo/lion/1?lite-format=tflite")
    assert found(zoo, "sort=name") == ["acme/bert_small", "acme/half-plus-two", "zoo/lion", "zoo/tiger"]
    assert found(zoo, "sort=size")[0] == "zoo/tiger" and found(zoo, "sort=size")[-1] == "zoo/lion"
    assert sorted(found(zoo, "sort=updated")) == found(zoo, "sort=name")
    assert found(zoo, "sort=relevance") == found(zoo, "sort=name"), "without words there is nothing to rank"


def test_facets(zoo):
    facets = zoo.get("/api/v1/modules?facets=true").json()["facets"]
    assert facets["task"] == {"image-classification": 2, "image-object-detection": 1, "text-embedding": 1}
    assert next(iter(facets["task"])) == "image-classification", "the most frequent comes first"
    assert facets["language"] == {"en": 2, "de": 1, "sw": 1}
    assert facets["license"] == {"mit": 2, "apache-2.0": 1, "custom": 1}
    assert facets["format"] == {"tf-hub": 3, "tflite": 2}
    assert facets["publisher"] == {"acme": 2, "zoo": 2} and facets["source"] == {"published": 4}
    assert facets["cached"] == {"true": 4, "false": 0} and facets["fine_tunable"] == {"true": 4}
    assert facets["dataset"] == {} and facets["architecture"] == {}
    assert "facets" not in zoo.get("/api/v1/modules").json()


def test_facets_leave_alternatives_visible(zoo):
    facets = zoo.get("/api/v1/modules?facets=true&task=image-classification&publisher=zoo&limit=1").json()["facets"]
    assert facets["task"] == {"image-classification": 1, "image-object-detection": 1}
    assert facets["publisher"] == {"acme": 1, "zoo": 1}
    assert facets["license"] == {"mit": 1} and facets["language"] == {}


def test_tags_and_description(zoo):
    module = zoo.get("/api/v1/modules?q=half-plus").json()["modules"][0]
    assert module["description"] == "Adds two to the half of a number."
    assert module["tags"]["task"] == ["image-classification"] and module["tags"]["language"] == ["de", "en"]
    for path in ("/api/v1/modules/acme/half-plus-two", "/api/v1/modules/acme/half-plus-two/1"):
        assert {key: zoo.get(path).json()[key] for key in ("tags", "description")} == {key: module[key] for key in ("tags", "description")}


def test_what_changes_is_found(larder):
    larder.publish("/acme/x/1", modules.module(100))
    assert found(larder, "q=wonderful") == []
    larder.publish("/acme/x/1", document("acme/x/1", "Does a wonderful thing.", "text-embedding", [], "mit", "."), content_type="text/markdown")
    assert found(larder, "q=wonderful") == ["acme/x"] == found(larder, "task=text-embedding")
    larder.publish("/acme/x/1", b"Just text, and terrible.", content_type="text/markdown")
    assert found(larder, "q=wonderful") == [] == found(larder, "task=text-embedding")
    assert found(larder, "q=terrible") == ["acme/x"]
    assert larder.get("/api/v1/modules/acme/x").json()["tags"] == {}
    larder.request("DELETE", "/acme/x/1", {"Authorization": "Bearer " + larder.token("admin")})
    assert found(larder, "q=terrible") == [] == found(larder, "")


HEAD, TEXT, BARE = "a head", "a text", "no documentation"


def make_history(seed):
    """What is done to one module's versions, in turn: most bring a new version, some document or withdraw an old one."""
    chance = random.Random(seed)
    versions = 0
    for _ in range(chance.randint(3, 7)):
        versions += 1
        yield "publish", versions, None
        for _ in range(chance.choice((0, 0, 1, 2))):
            what = chance.choice((HEAD, HEAD, TEXT, "withdraw"))
            yield what, chance.randint(1, versions), f"word{seed}x{chance.randrange(1 << 20)}"


def play(larder, path, history):
    """{version: (description, licence, text)}, None for what a version does not say; only those that are active."""
    told = {}
    for what, version, word in history:
        if what == "publish":
            larder.publish(f"{path}/{version}", modules.module(100))
            told[version] = (None, None, None)
        elif version not in told:
            continue
        elif what == "withdraw":
            assert larder.request("DELETE", f"{path}/{version}", {"Authorization": "Bearer " + larder.token("admin")}).status == 200
            del told[version]
        else:
            facts = (f"About {word}d.", "text-embedding", [], "mit", f"Text {word}t.")
            text = document(f"{path[1:]}/{version}", *facts) if what == HEAD else f"Free {word}t.".encode()
            larder.publish(f"{path}/{version}", text, content_type="text/markdown")
            told[version] = (word + "d", "mit", word + "t") if what == HEAD else (None, None, word + "t")
    return told


def assert_told(larder, path, told):
    """Description and licence of the newest that has them, the text of the newest that has one."""
    words = {word for version in told.values() for word in (version[0], version[2]) if word}
    newest = [told[version] for version in sorted(told, reverse=True)]
    description = next((version[0] for version in newest if version[0]), None)
    text = next((version[2] for version in newest if version[2]), None)
    assert {word for word in words if found(larder, "q=" + word) == [path[1:]]} == {description, text} - {None}, told
    if told:
        module = larder.get("/api/v1/modules" + path).json()
        assert module["description"] == (f"About {description}." if description else "") and module["latest_version"] == max(told)
        assert module["tags"].get("license") == (["mit"] if description else None)
        assert (path[1:] in found(larder, "license=mit&op=Const")) == bool(description)


def test_new_versions_without_documentation(larder):
    histories = {f"/acme/m{seed}": list(make_history(seed)) for seed in range(12)}
    told = {path: play(larder, path, history) for path, history in histories.items()}
    assert any(versions and versions[max(versions)] == (None, None, None) and any(version[0] for version in versions.values())
               for versions in told.values()), "the kind that this is about"
    for path, versions in told.items():
        assert_told(larder, path, versions)
    larder.restart()
    for path, versions in told.items():
        assert_told(larder, path, versions)


def test_another_process_is_followed(larder):
    assert found(larder, "") == []
    other = Daemon(larder.folder / "other").start()
    try:
        assert found(other, "") == []
    finally:
        other.stop()
    larder.publish("/acme/x/1", modules.module(100))
    larder.restart()
    assert found(larder, "q=x") == ["acme/x"]


def pages(daemon, query):
    url = "/api/v1/modules?" + query
    while url:
        page = daemon.get(url).json()
        yield [module["handle"] for module in page["modules"]]
        parts = urlsplit(page["next"] or "")
        url = page["next"] and parts.path + "?" + parts.query


@pytest.mark.parametrize("sort", ["name", "downloads", "updated", "size", "relevance"])
def test_pages_while_modules_arrive(larder, sort):
    for i in range(9):
        larder.publish(f"/acme/model-{i}/1", modules.module(100 + 10 * i, seed=i))
    seen = []
    for number, page in enumerate(pages(larder, urlencode({"q": "model", "sort": sort, "limit": 2, "publisher": "acme"}))):
        seen += page
        larder.publish(f"/acme/a-model-{number}/1", modules.module(50, seed=100 + number))
        larder.publish(f"/acme/model-{number}-b/1", modules.module(5000, seed=200 + number))
    old = [handle for handle in seen if handle[-1].isdigit() and handle.startswith("acme/model")]
    assert len(seen) == len(set(seen)), f"a module came twice: {seen}"
    assert sorted(old) == [f"acme/model-{i}" for i in range(9)]


@pytest.mark.parametrize("sort", ["name", "downloads", "updated", "size", "relevance"])
def test_pages_are_the_whole(zoo, sort):
    for limit in (1, 2, 3):
        walked = list(pages(zoo, f"q=i&limit={limit}&sort={sort}"))
        assert [handle for page in walked for handle in page] == found(zoo, f"q=i&sort={sort}")
        assert all(len(page) == limit for page in walked[:-1])


HOSTILE = ['"', "'", '"""', "a\"b", "a OR b", "NOT a", "a AND", "NEAR(a b)", "(", ")", "a)(", "*", "**", "a*b", "^a", "-a", "+a", "a:b", "handle:a",
           "{documentation}:a", "description : x", "\\", "%", "_", "--", ";DROP TABLE modules", "rowid", "\x01\x02", "\x7f", "\u200c", "\u202e", "𝔘𝔫𝔦", "é́", "—",
           "a—b", "ﬁ", "\u0000x".replace("\u0000", "%00"), " ", "a" * 500, "日本語", "🐅", "null", "0", "1e309"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words(zoo, text):
    for prefix in ("", "tiger "):
        for suffix in ("", " tiger"):
            answer = zoo.get("/api/v1/modules?facets=true&q=" + quote(prefix + text + suffix))
            assert answer.status == 200, f"{text!r}: {answer}"


@pytest.mark.parametrize("query", ["q=%ff%fe", "q=%c3", "q=a%80b", "q=%ed%a0%80", "task=%ff", "publisher=%27%22", "op=" + "x" * 2000])
def test_hostile_bytes(zoo, query):
    assert zoo.get("/api/v1/modules?facets=true&" + query).status == 200


@pytest.mark.parametrize("query", ["q=%00", "q=" + "a" * 513, "limit=99999999999999999999", "limit=1e3", "limit=%00", "q=%", "q=%zz"])
def test_hostile_and_refused(zoo, query):
    assert_problem(zoo.get("/api/v1/modules?" + query), 400, "bad-request")


def test_query_of_ten_kilobytes(zoo):
    assert zoo.get("/api/v1/modules?q=" + "a+" * 5000).status in (400, 414)


def test_cursors_of_others(zoo):
    texts = [b"x", b"n0", b"n0.", b"n0.0", b"n0.0.0", b"n0.0.acme/x", b"n9.0.0.a", b"n0.-1.0.a", b"n0.0.-1.a", b"n0.0.99999999999999999999999.a",
             b"n0.99999999999999999999999.0.a", b"d0.0.0.acme/x", b"r0.x.0.a", b"n0.0.0." + b"a" * 570, b"n0.0.0.\x01", b"n0.0.0.\xff",
             b"n4.0.0.acme", b"'", b"%s%n"]
    for text in texts:
        cursor = base64.urlsafe_b64encode(text).decode().rstrip("=")
        assert_problem(zoo.get("/api/v1/modules?sort=name&cursor=" + cursor), 400, "bad-request")
    cursor = base64.urlsafe_b64encode(b"n0.0.0.acme/nothing").decode().rstrip("=")
    assert zoo.get("/api/v1/modules?sort=name&cursor=" + cursor).json()["modules"][0]["handle"] == "zoo/lion"


@pytest.mark.concurrent
def test_searching_while_publishing(larder):
    failures = []

    def search():
        for _ in range(15):
            for query in ("q=m", "facets=true", "task=text-embedding&facets=true", "q=model&sort=updated&limit=3"):
                answer = larder.get("/api/v1/modules?" + query)
                if answer.status != 200:
                    failures.append(answer)

    searchers = [threading.Thread(target=search) for _ in range(4)]
    for thread in searchers:
        thread.start()
    for i in range(12):
        larder.publish(f"/acme/model-{i}/1", modules.module(100, seed=i))
        larder.get(f"/acme/model-{i}/1.tar.gz")
        assert f"acme/model-{i}" in larder.handles(), "what was answered with 201 is listed"
    for thread in searchers:
        thread.join()
    assert not failures, failures[0]
    assert larder.get("/api/v1/modules?q=model").json()["total"] == 12
