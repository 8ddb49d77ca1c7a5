# SPDX-License-Identifier: Apache-2.0
"""Unmodified kagglehub, both generations, through a mirror of Kaggle: the first time from there, then without it."""
import json

import pytest
from support import modules
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


def test_what_kaggle_has_not(mirror, connect):
    with pytest.raises(KaggleError, match="(?i)not"):
        connect(mirror).model_download("google/nnlm/tensorFlow2/en-dim50/9")
