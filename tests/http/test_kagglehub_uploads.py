# SPDX-License-Identifier: Apache-2.0
"""Unmodified kagglehub, of both generations: what it uploads."""
import http.client

import pytest
from support import modules
from support.daemon import assert_problem
from support.kagglehub import KaggleError, New, Old


def files_of(archive):
    """{path: bytes} of a tar.gz."""
    return New.unpack(archive)


def old(daemon, token=None):
    return Old("http://%s:%d/" % daemon.address, token)


def new(daemon, token=None):
    """KAGGLE_API_ENVIRONMENT=LOCALHOST http_proxy=http://larder"""
    return New("http://localhost/api/v1", token, proxy=daemon.address)


def by_key(daemon, token=None):
    """KAGGLE_KEY in place of KAGGLE_API_TOKEN."""
    return New("http://%s:%d/v1" % daemon.address, proxy=None, key=token)


@pytest.fixture(params=[old, new, by_key])
def connect(request):
    return request.param


TFJS = files_of(modules.tfjs_module())
# framework, files, and the format that they are published as
MODELS = {"tfjs": ("tfJs", TFJS, "tfjs"), "tflite": ("tfLite", {"model.tflite": modules.tflite_model()}, "tflite")}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_uploads_and_loads_again(larder, connect, model):
    framework, files, form = model
    client = connect(larder, larder.token("publish:acme/*"))
    client.model_upload(f"acme/half/{framework}/one", files)
    version = larder.get(f"/api/v1/modules/acme/half/{framework}/one/1").json()
    assert [artifact["format"] for artifact in version["artifacts"]] == [form]
    assert version["published_by"] == "ci-publish-acme"
    assert client.model_download(f"acme/half/{framework}/one") == files
    # The next one has the next number, whatever the case of the framework.
    client.model_upload(f"acme/half/{framework.upper()}/one", files)
    assert client.latest(("acme", "half", framework, "one")) == 2
    larder.wait_for_no_drafts()


def test_goes_on_with_a_file_that_was_cut(larder, connect):
    files = {"model.json": TFJS["model.json"], **{path: content for path, content in TFJS.items() if path != "model.json"}}
    client = connect(larder, larder.token())
    client.cut_after = 10
    client.model_upload("acme/half/tfJs/cut", files)
    assert connect(larder).model_download("acme/half/tfJs/cut/1") == files


def test_tells_what_is_wrong_with_a_model(larder, connect):
    client = connect(larder, larder.token())
    with pytest.raises(KaggleError, match="rule"):
        client.model_upload("acme/bad/tfJs/one", {"model.json": TFJS["model.json"]})
    assert larder.get("/api/v1/modules/acme/bad/tfJs/one").status == 404
    larder.wait_for_no_drafts()


def test_needs_a_token_whose_scope_fits(larder, connect):
    for token, words in ((None, "401|token"), (larder.token("read"), "403|scope"), (larder.token("publish:other/*"), "403|scope")):
        with pytest.raises(KaggleError, match=words):
            connect(larder, token).model_upload("acme/half/tfJs/one", TFJS)
    assert larder.get("/api/v1/modules/acme/half/tfJs/one").status == 404
