# SPDX-License-Identifier: Apache-2.0
"""Unmodified kagglehub, both generations, through a mirror of Kaggle: the first time from there, then without it."""
import json
import sqlite3

import pytest
from support import modules
from support.daemon import assert_problem
from support.kaggle import Kaggle, Version
from support.kagglehub import KaggleError
from test_kagglehub import CLIENTS, MODEL, files_of, packed

VARIATIONS = {
    "google/nnlm/tensorFlow2/en-dim50": MODEL,
    "google/gemma/keras/2b": {"config.json": b'{"code": 500}', "model.weights.h5": modules.payload(90_000), "a/b/vocab.txt": b"x\n"},
    "google/many/pyTorch/files": {f"shard-{number:03}.bin": modules.payload(100, seed=number) for number in range(30)},
    "google/weights/tensorFlow2/no-saved-model": {"model.h5": b"HDF", "config.json": b"{}"},
    "google/weights/tfJs/no-model": {"weights.bin": b"1234"},
    "google/lite/tfLite/two": {"a.tflite": modules.tflite_model(), "b.tflite": modules.tflite_model(500)},
    "google/yamnet/tfLite/classification": {"1.tflite": modules.tflite_model(4000)},
}


def of_version(files, number):
    """With a file that tells the version, but where there is to be one .tflite alone."""
    return files if [*files] == ["1.tflite"] else {**files, "version": str(number).encode()}


@pytest.fixture
def kaggle():
    kaggle = Kaggle()
    for handle, files in VARIATIONS.items():
        for number in (1, 2):
            some = of_version(files, number)
            kaggle.publish(handle, number, Version(packed(some), some))
    yield kaggle
    kaggle.stop()


@pytest.fixture
def mirror(kaggle, start):
    return start({"mirror": {"private_upstreams": "on"}, "upstream kaggle": {"kind": "kaggle", "url": kaggle.url}})


@pytest.fixture(params=CLIENTS, ids=["old", "new", "production"])
def connect(request):
    return request.param


@pytest.mark.parametrize("handle", VARIATIONS)
def test_what_kaggle_has_is_loaded_and_kept(kaggle, mirror, connect, handle):
    files = VARIATIONS[handle]
    whole = {"model.tflite": files["1.tflite"]} if "1.tflite" in files else of_version(files, 2)
    client = connect(mirror)
    assert client.model_download(f"{handle}/2") == whole
    assert client.model_download(handle) == whole, "the newest"
    some = sorted(whole)[0]
    assert client.model_download(f"{handle}/2", some) == {some: whole[some]}
    kaggle.stop()
    assert connect(mirror).model_download(f"{handle}/2") == whole, "without Kaggle"
    with pytest.raises(KaggleError):
        client.model_download(f"{handle}/1")


def test_the_newest_is_that_of_before_while_kaggle_is_away(kaggle, start, connect):
    """Asked anew each time, so that nothing is remembered."""
    mirror = start({"mirror": {"private_upstreams": "on", "latest_ttl_s": 0, "retries": 0}, "upstream kaggle": {"kind": "kaggle", "url": kaggle.url}})
    handle = "google/nnlm/tensorFlow2/en-dim50"
    assert connect(mirror).model_download(handle) == of_version(VARIATIONS[handle], 2)
    kaggle.stop()
    assert connect(mirror).model_download(handle) == of_version(VARIATIONS[handle], 2)


def test_files_whose_names_look_like_versions(larder, connect):
    """A TF Lite variation is often one file called by a number."""
    files = {"1.tflite": b"not one", "2.tar.gz": b"nor this", "3": b"three", "4/5": b"five"}
    larder.publish("/acme/odd/other/names/7?archive-format=compressed", packed(files))
    client = connect(larder)
    assert client.model_download("acme/odd/other/names/7") == files
    assert [client.model_download("acme/odd/other/names/7", name) for name in files] == [{name: body} for name, body in files.items()]


@pytest.mark.parametrize("handle", ["google/nnlm/tensorFlow2/en-dim50/9", "google/nnlm/tensorFlow2/none", "google/none/pyTorch/x", "google/none/tfLite/x/1"])
def test_what_kaggle_has_not(mirror, connect, handle):
    """Told as of the framework's own format, and not as if nobody had been asked."""
    with pytest.raises(KaggleError) as told:
        connect(mirror).model_download(handle)
    words = str(told.value)
    assert "404" in words and handle.rsplit("/", 1)[0] in words and "no upstream" in words, words
    assert "configured" not in words and "coral" not in words and "kind = kaggle" not in words, words


def test_a_failure_is_told_before_what_is_not_there(kaggle, start, connect):
    larder = start({"mirror": {"private_upstreams": "on", "retries": 0}, "upstream kaggle": {"kind": "kaggle", "url": kaggle.url}})
    kaggle.stop()
    with pytest.raises(KaggleError, match="50[234]"):
        connect(larder).model_download("google/none/pyTorch/x")


# ---- spellings --------------------------------------------------------------------------------------------------------------

SPELLINGS = ["PYTORCH", "PyTorch", "p_yTorch", "pytorch_", "pyTorch"]
OURS, FOREIGN = {"w.bin": b"ours"}, {"w.bin": b"foreign"}
ARCHIVE = "?archive-format=compressed"


def serve_foreign(kaggle, *versions):
    for number in versions:
        kaggle.publish("acme/m/pyTorch/v", number, Version(packed(FOREIGN), FOREIGN))


@pytest.mark.parametrize("word", SPELLINGS)
def test_a_stranger_changes_nothing_of_what_is_published(kaggle, mirror, connect, word):
    """Whatever he has fetched under another spelling: neither what is loaded, nor the newest, nor where the publisher publishes."""
    serve_foreign(kaggle, 1, 2)
    client = connect(mirror, mirror.token("publish:acme/m/pyTorch/*"))
    for _ in range(2):
        client.model_upload("acme/m/pyTorch/v", OURS)
    for path in ("/1", "/2", "/1/w.bin", ""):
        mirror.get(f"/acme/m/{word}/v{path}{ARCHIVE}")
    assert mirror.handles() == ["acme/m/pyTorch/v"]
    assert mirror.get(f"/acme/m/{word}/v/1/w.bin?archive-format=file").body == b"ours"
    for handle in ("acme/m/pyTorch/v/1", "acme/m/pyTorch/v/2", "acme/m/pyTorch/v", f"acme/m/{word}/v/1"):
        assert connect(mirror).model_download(handle) == OURS, handle
    client.model_upload("acme/m/pyTorch/v", OURS)
    assert mirror.handles() == ["acme/m/pyTorch/v"]


@pytest.mark.parametrize("word", SPELLINGS)
def test_a_higher_version_that_a_stranger_has_fetched_is_not_the_newest(kaggle, mirror, connect, word):
    serve_foreign(kaggle, 1, 7)
    client = connect(mirror, mirror.token("publish:acme/m/pyTorch/*"))
    client.model_upload("acme/m/pyTorch/v", OURS)
    assert connect(mirror).model_download(f"acme/m/{word}/v/7") == FOREIGN
    assert mirror.get(f"/acme/m/{word}/v/7{ARCHIVE}").body == packed(FOREIGN)
    assert connect(mirror).model_download("acme/m/pyTorch/v") == connect(mirror).model_download(f"acme/m/{word}/v") == OURS
    for form in (f"/acme/m/{word}/v", f"/models/acme/m/{word}/v", f"/models/acme/m/frameworks/{word}/variations/v"):
        assert mirror.get(form + ARCHIVE).header("Location") == f"/acme/m/pyTorch/v/1{ARCHIVE}", form


def fetched_as(larder, word):
    """Has version 1 fetched, and kept under this spelling, as an earlier Larder kept it."""
    assert larder.get(f"/acme/m/pyTorch/v/1{ARCHIVE}").status == 200
    larder.stop()
    with sqlite3.connect(larder.data / "larder.db") as db:
        db.execute("UPDATE modules SET handle = ? WHERE handle = 'acme/m/pyTorch/v'", (f"acme/m/{word}/v",))
    db.close()
    larder.start()


@pytest.mark.parametrize("word", SPELLINGS[:-1])
def test_a_spelling_that_was_mirrored_beside_what_is_published(kaggle, mirror, connect, word):
    serve_foreign(kaggle, 1)
    fetched_as(mirror, word)
    before = mirror.get(f"/acme/m/{word}/v/1{ARCHIVE}").body
    client = connect(mirror, mirror.token("publish:acme/m/pyTorch/*"))
    assert client.model_download("acme/m/pyTorch/v/1") == FOREIGN, "there is no other yet"
    client.model_upload("acme/m/pyTorch/v", OURS)
    for handle in ("acme/m/pyTorch/v/1", "acme/m/pyTorch/v", f"acme/m/{word}/v"):
        assert client.model_download(handle) == OURS, handle
    assert mirror.get(f"/acme/m/{word}/v/1{ARCHIVE}").body == before, "what an address answers never changes"
    assert sorted(mirror.handles()) == sorted([f"acme/m/{word}/v", "acme/m/pyTorch/v"])


@pytest.mark.parametrize("word", SPELLINGS)
def test_a_model_is_fetched_once_whatever_its_spelling(kaggle, mirror, connect, word):
    serve_foreign(kaggle, 1)
    bodies = {mirror.get(f"/acme/m/{one}/v/1{ARCHIVE}").body for one in [word] + SPELLINGS}
    assert bodies == {packed(FOREIGN)} and kaggle.bucket.count() == 1
    assert mirror.handles() == ["acme/m/pyTorch/v"]
    assert connect(mirror).model_download(f"acme/m/{word}/v/1") == FOREIGN and kaggle.bucket.count() == 1


def restricted(start, kaggle, **rules):
    return start({"mirror": {"private_upstreams": "on", **rules}, "upstream kaggle": {"kind": "kaggle", "url": kaggle.url}})


@pytest.mark.parametrize("rule", SPELLINGS)
@pytest.mark.parametrize("key", ["deny", "allow", "match"])
def test_rules_hold_for_each_spelling(kaggle, start, connect, key, rule):
    """However they spell it themselves."""
    serve_foreign(kaggle, 1)
    other = "acme/other/pyTorch/v"
    kaggle.publish(other, 1, Version(packed(FOREIGN), FOREIGN))
    pattern = f"x/*, acme/m/{rule}/*"
    settings = {"mirror": {"private_upstreams": "on", **({} if key == "match" else {key: pattern})},
                "upstream kaggle": {"kind": "kaggle", "url": kaggle.url, **({"match": pattern} if key == "match" else {})}}
    larder = start(settings)
    for word in SPELLINGS:
        for handle in ("acme/m", "acme/other"):
            reply = larder.get(f"/{handle}/{word}/v/1{ARCHIVE}")
            assert (reply.status == 200) == ((handle == "acme/m") != (key == "deny")), (reply, word, handle)
    with pytest.raises(KaggleError, match="40[34]"):
        connect(larder).model_download("acme/m/pyTorch/v/1" if key == "deny" else "acme/other/pyTorch/v/1")
