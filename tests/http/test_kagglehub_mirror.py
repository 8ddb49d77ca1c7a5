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
    "google/yamnet/tfLite/classification": {"1.tflite": modules.tflite_model(4000)},
}


@pytest.fixture
def kaggle():
    kaggle = Kaggle()
    for handle, files in VARIATIONS.items():
        for number in (1, 2):
            some = {**files, "version": str(number).encode()} if len(files) > 1 else files
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
    whole = {**files, "version": b"2"} if len(files) > 1 else {"model.tflite": files["1.tflite"]}
    client = connect(mirror)
    assert client.model_download(f"{handle}/2") == whole
    assert client.model_download(handle) == whole, "the newest"
    some = sorted(whole)[0]
    assert client.model_download(f"{handle}/2", some) == {some: whole[some]}
    kaggle.stop()
    assert connect(mirror).model_download(f"{handle}/2") == whole, "without Kaggle"
    with pytest.raises(KaggleError):
        client.model_download(f"{handle}/1")


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
