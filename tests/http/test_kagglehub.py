# SPDX-License-Identifier: Apache-2.0
"""Unmodified kagglehub, of both generations: what it loads. Its uploads are in test_kagglehub_uploads.py."""
import base64
import hashlib
import json
import tarfile

import pytest
from support import modules
from support.kagglehub import KaggleError, New, Old

READ_BY_TOKEN = {"auth": {"read": "token"}}


def files_of(archive):
    """{path: bytes} of a tar.gz."""
    return New.unpack(archive)


def old(daemon, token=None):
    return Old("http://%s:%d/" % daemon.address, token)


def new(daemon, token=None, **more):
    """KAGGLE_API_ENVIRONMENT=LOCALHOST http_proxy=http://larder"""
    return New("http://localhost/api/v1", token, proxy=daemon.address, **more)


def production(daemon, token=None, **more):
    """As it calls api.kaggle.com, whose name leads here."""
    return New("http://%s:%d/v1" % daemon.address, token, **more)


CLIENTS = [old, new, production]


@pytest.fixture(params=CLIENTS, ids=["old", "new", "production"])
def connect(request):
    return request.param


@pytest.mark.parametrize("path", ["/acme/half/tfJs/js/2", "/acme/half/TFJS/js/2", "/acme/half/tf_js/js/2"])
def test_loads_what_is_published_whichever_the_case(larder, connect, path):
    module = modules.tfjs_module()
    larder.publish(f"{path}?tfjs-format=compressed", module)
    client = connect(larder)
    for handle in ("acme/half/tfJs/js/2", "acme/half/TFjs/js", "acme/half/tfjs/js"):
        assert client.model_download(handle) == files_of(module)
    assert client.model_download("acme/half/tfJs/js/2", "model.json") == {"model.json": files_of(module)["model.json"]}
