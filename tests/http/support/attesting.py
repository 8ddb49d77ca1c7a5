# SPDX-License-Identifier: Apache-2.0
"""Attestations made by hand, with openssl: what larder publish --sign makes, and what it never would."""
import base64
import hashlib
import json
import subprocess

import pytest

from . import modules

STATEMENT = "https://in-toto.io/Statement/v1"
TYPE = "application/vnd.in-toto+json"
PROVENANCE = "https://slsa.dev/provenance/v1"
FILES = "https://model_signing/signature/v1.0"

MODULE = modules.module(5000)
PATH = "/acme/signed/1"
QUERY = "?tf-hub-format=compressed"


def make_key(path, *kind):
    """A private key in PEM, and its public half beside it; Ed25519 where nothing else is asked for."""
    subprocess.run(["openssl", "genpkey", "-algorithm", *(kind or ["ed25519"]), "-out", path], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-out", f"{path}.pub"], check=True, capture_output=True)
    return path


@pytest.fixture
def key(tmp_path):
    return make_key(tmp_path / "ci.key")


@pytest.fixture
def file(tmp_path):
    (tmp_path / "module.tar.gz").write_bytes(MODULE)
    return tmp_path / "module.tar.gz"


def key_id(path):
    der = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    return hashlib.sha256(der).hexdigest()


def signed_bytes(payload, kind=TYPE):
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def sign(key, data):
    (folder := key.parent).joinpath("to-sign").write_bytes(data)
    return subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", folder / "to-sign"], check=True,
                          capture_output=True).stdout


def statement(path, artifact, **changes):
    return {"_type": STATEMENT, "subject": [{"name": path.strip("/"), "digest": {"sha256": hashlib.sha256(artifact).hexdigest()}}],
            "predicateType": PROVENANCE, "predicate": {}, **changes}


def text_of(base):
    return base64.b64encode(base).decode()


def envelope(key, payload, kind=TYPE, **changes):
    payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {"payload": text_of(payload), "payloadType": kind,
            "signatures": [{"keyid": key_id(key), "sig": text_of(sign(key, signed_bytes(payload, kind)))}], **changes}


def file_statement(files, **changes):
    """As OpenSSF model signing writes it: {name: content}."""
    listed = [(name, hashlib.sha256(content)) for name, content in sorted(files.items())]
    root = hashlib.sha256(b"".join(each.digest() for _, each in listed)).hexdigest()
    predicate = {"serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": []},
                 "resources": [{"name": name, "algorithm": "sha256", "digest": each.hexdigest()} for name, each in listed]}
    return {"_type": STATEMENT, "subject": [{"name": "model", "digest": {"sha256": root}}], "predicateType": FILES,
            "predicate": {**predicate, **changes}}


def put(daemon, path, body, token=None, content_type="application/vnd.dsse.envelope.v1+json"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return daemon.put("/api/v1/attestations" + path, body, token, content_type=content_type)


def listed(daemon, path):
    reply = daemon.get("/api/v1/attestations" + path)
    assert reply.status == 200, reply
    return reply.json()["attestations"]
