# SPDX-License-Identifier: Apache-2.0
"""Bundles as OCI image layouts: read by themselves, each digest proved on the way."""
import base64
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

INDEX, MANIFEST = "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"


class Bundle:
    """files: {name: bytes} of a folder, a tar, or pieces that FILE.pieces names."""

    def __init__(self, path):
        path = Path(path)
        if path.is_dir():
            self.files = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
        else:
            whole = path.read_bytes() if path.suffix == ".tar" else join(path)
            self.files = untar(whole)
        for name, content in self.files.items():
            if name.startswith("blobs/"):
                assert name == "blobs/sha256/" + hashlib.sha256(content).hexdigest(), f"{name} has other bytes"
        self.used = set()
        assert json.loads(self.files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
        outer = json.loads(self.files["index.json"])["manifests"]
        assert len(outer) == 1 and outer[0]["mediaType"] == INDEX
        assert outer[0]["annotations"]["org.opencontainers.image.ref.name"] == "bundle"
        self.index = json.loads(self.blob(outer[0]))
        self.digest = outer[0]["digest"]
        assert self.index["annotations"]["dev.larder.bundle"] == "1"
        first, *others = self.index["manifests"]
        assert first["annotations"] == {"dev.larder.contents": "1"}
        self.contents_manifest = self.manifest(first)
        self.contents_text = self.blob(self.contents_manifest["layers"][0])
        self.header, *self.lines = [json.loads(line) for line in self.contents_text.splitlines()]
        self.versions = [line for line in self.lines if "handle" in line]
        self.publishers = {line["publisher"]: line["markdown"] for line in self.lines if "publisher" in line}
        self.collections = {line["collection"]: line["markdown"] for line in self.lines if "collection" in line}
        self.check_versions(others)
        # Nothing lies there that is not part of it.
        blobs = {name.rpartition("/")[2] for name in self.files if name.startswith("blobs/")}
        assert blobs == self.used and set(self.files) == {"oci-layout", "index.json", *("blobs/sha256/" + name for name in blobs)}

    def blob(self, descriptor):
        kind, _, name = descriptor["digest"].partition(":")
        content = self.files[f"blobs/{kind}/{name}"]
        assert len(content) == descriptor.get("size", descriptor.get("size_bytes"))
        self.used.add(name)
        return content

    def manifest(self, descriptor):
        assert descriptor["mediaType"] == MANIFEST
        manifest = json.loads(self.blob(descriptor))
        assert manifest["mediaType"] == MANIFEST and manifest["schemaVersion"] == 2
        for part in [manifest["config"], *manifest["layers"]]:
            self.blob(part)
        return manifest

    def check_versions(self, descriptors):
        assert [one["digest"] for one in descriptors] == [line["manifest"]["digest"] for line in self.versions]
        order = [(line["handle"].encode(), line["version"]) for line in self.versions]
        assert order == sorted(set(order)), "versions are not in order"
        for line, descriptor in zip(self.versions, descriptors):
            manifest = self.manifest(descriptor)
            assert manifest["artifactType"] == "application/vnd.larder.module.v1"
            assert manifest["config"]["digest"] == line["config"]["digest"]
            layers = [layer["digest"] for layer in manifest["layers"]] if line["artifacts"] else []
            assert layers == [artifact["digest"] for artifact in line["artifacts"]]
            assert descriptor["annotations"] == {"dev.larder.handle": line["handle"], "dev.larder.version": str(line["version"])}
            assert manifest["annotations"]["dev.larder.handle"] == line["handle"]

    def record(self, path):
        """What the bundle says of one version."""
        return json.loads(self.blob(self.line(path)["config"]))

    def line(self, path):
        return next(line for line in self.versions if f"{line['handle']}/{line['version']}" == path)

    def paths(self):
        return [f"{line['handle']}/{line['version']}" for line in self.versions]

    def artifacts(self):
        """{"acme/x/1 tf-hub": bytes}"""
        return {f"{line['handle']}/{line['version']} {artifact['format']}": self.blob(artifact)
                for line in self.versions for artifact in line["artifacts"]}

    def signature(self):
        """The envelope, which must be over the contents; None where it is not signed."""
        layers = self.contents_manifest["layers"]
        if len(layers) == 1:
            return None
        envelope = json.loads(self.blob(layers[1]))
        payload = json.loads(base64.b64decode(envelope["payload"]))
        assert payload["contents"] == {"digest": layers[0]["digest"], "size": layers[0]["size"]}
        assert payload["created"] == self.header["created"]
        return envelope


def is_signed_by(envelope, public_key, folder):
    """openssl's word for it."""
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    (folder / "signed").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    (folder / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public_key), "-rawin", "-in", "signed",
                           "-sigfile", "signature"], cwd=folder, capture_output=True).returncode == 0


def join(path):
    """The whole of the pieces that a .pieces file names, each of them proved."""
    pieces = json.loads(path.read_text())
    assert pieces["larder_pieces"] == 1 and pieces["name"] + ".pieces" == path.name
    whole = b""
    for piece in pieces["pieces"]:
        content = (path.parent / piece["name"]).read_bytes()
        assert len(content) == piece["size"] and piece["digest"] == "sha256:" + hashlib.sha256(content).hexdigest()
        whole += content
    assert len(whole) == pieces["size"]
    return whole


def untar(whole):
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        entries = archive.getmembers()
        assert all(entry.isfile() for entry in entries) and len({entry.name for entry in entries}) == len(entries)
        return {entry.name: archive.extractfile(entry).read() for entry in entries}
