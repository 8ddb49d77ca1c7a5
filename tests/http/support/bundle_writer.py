# SPDX-License-Identifier: Apache-2.0
"""Bundles by the documented format (docs/bundle.md), written without Larder: for what it must take, and for what no Larder
would ever write."""
import base64
import hashlib
import io
import json
import subprocess
import tarfile

CREATED = "2026-01-02T03:04:05Z"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SIGNED = "application/vnd.larder.bundle.v1+json"


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def keys(folder):
    """An Ed25519 key pair as openssl makes it: paths of the private and the public half."""
    private, public = folder / "key.pem", folder / "key.pem.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(private)], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)], check=True, capture_output=True)
    return private, public


class Bundle:
    """Versions and pages are added, then it is written. All parts may be tampered with before or after build()."""

    def __init__(self, name="spring", created=CREATED):
        self.header = {"larder_bundle": 1, "created": created, "name": name, "server": "tests"}
        self.versions, self.pages, self.blobs = [], [], {}
        self.key = None
        self.index_entries = None

    def blob(self, content):
        self.blobs[digest(content).removeprefix("sha256:")] = content
        return {"digest": digest(content), "size": len(content)}

    def add(self, path, artifacts=(), source="published", state="active", markdown=None, documented=CREATED, record=(), line=(),
            sources=()):
        """artifacts: {format: bytes}; record and line: members that take the place of those that belong there."""
        handle, version = path.strip("/").rsplit("/", 1)
        artifacts, sources = dict(artifacts), dict(sources)
        formats = ["tf-hub", "tfjs", "tflite", "coral", "archive"]
        ordered = sorted(artifacts.items(), key=lambda item: formats.index(item[0]) if item[0] in formats else 9)
        artifact_source = "published" if source == "published" else "mirrored"
        config = {"larder_version": 1, "handle": handle, "version": int(version), "source": source, "state": state,
                  "published_by": "ci" if source == "published" else None, "upstream": None if source == "published" else "tfhub",
                  "created_at": CREATED, "updated_at": CREATED,
                  "documentation": None if markdown is None else {"markdown": markdown, "updated_by": None, "updated_at": documented},
                  "formats": [],
                  "artifacts": [{"format": form, "source": sources.get(form, artifact_source),
                                 "published_by": "ci" if sources.get(form, artifact_source) == "published" else None,
                                 "upstream": "tfhub" if sources.get(form, artifact_source) == "mirrored" else None,
                                 "created_at": CREATED} for form, _ in ordered]}
        config = self.blob(compact(config | dict(record)))
        layers = [{"mediaType": f"application/vnd.larder.module.{form}.v1.tar+gzip", **self.blob(content)} for form, content in ordered]
        layers = layers or [{"mediaType": "application/vnd.oci.empty.v1+json", **self.blob(b"{}")}]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.larder.module.v1",
                    "config": {"mediaType": "application/vnd.larder.version.v1+json", **config}, "layers": layers}
        self.versions.append({"handle": handle, "version": int(version), "source": source, "state": state,
                              "manifest": self.blob(compact(manifest)), "config": config,
                              "artifacts": [{"format": form, "digest": digest(content), "size_bytes": len(content)}
                                            for form, content in ordered]} | dict(line))
        return self

    def page(self, kind, name, markdown):
        self.pages.append({kind: name, "markdown": markdown})
        return self

    def lines(self):
        versions = sorted(self.versions, key=lambda row: (row["handle"].encode(), row["version"]))
        pages = sorted(self.pages, key=lambda row: ("collection" in row, row.get("publisher", row.get("collection"))))
        return [self.header, *versions, *pages]

    def sign(self, contents):
        payload = compact({"contents": contents, "created": self.header["created"]})
        message = b"DSSEv1 %d %s %d %s" % (len(SIGNED), SIGNED.encode(), len(payload), payload)
        public = subprocess.run(["openssl", "pkey", "-in", str(self.key), "-pubout", "-outform", "DER"], check=True,
                                capture_output=True).stdout
        document = self.key.parent / "to-sign"
        document.write_bytes(message)
        signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", str(self.key), "-rawin", "-in", str(document)],
                                   check=True, capture_output=True).stdout
        return compact({"payload": base64.b64encode(payload).decode(), "payloadType": SIGNED,
                        "signatures": [{"keyid": hashlib.sha256(public).hexdigest(), "sig": base64.b64encode(signature).decode()}]})

    def build(self, contents=None):
        """All files of the layout: {path: bytes}. contents: takes the place of the lines."""
        self.contents = self.blob(contents if contents is not None else b"".join(compact(line) + b"\n" for line in self.lines()))
        layers = [{"mediaType": "application/vnd.larder.contents.v1+jsonl", **self.contents}]
        if self.key:
            layers.append({"mediaType": "application/vnd.larder.signature.v1.dsse+json", **self.blob(self.sign(self.contents))})
        manifest = compact({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.larder.contents.v1",
                            "config": {"mediaType": "application/vnd.oci.empty.v1+json", **self.blob(b"{}")}, "layers": layers})
        entries = [{"mediaType": MANIFEST, **self.blob(manifest), "annotations": {"dev.larder.contents": "1"}}]
        entries += [{"mediaType": MANIFEST, **version["manifest"]} for version in self.versions]
        index = compact({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.index_entries or entries,
                         "annotations": {"dev.larder.bundle": "1"}})
        outer = {"schemaVersion": 2, "manifests": [{"mediaType": INDEX, **self.blob(index),
                                                    "annotations": {"org.opencontainers.image.ref.name": "bundle"}}]}
        files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": compact(outer)}
        return files | {"blobs/sha256/" + name: content for name, content in self.blobs.items()}

    def folder(self, path, **options):
        write_folder(path, self.build(**options))
        return path

    def tar(self, path, order=None, **options):
        path.write_bytes(tar_of(self.build(**options), order))
        return path


def write_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


def member(name, size=0, kind=tarfile.REGTYPE, **fields):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def tar_of(files, order=None, extra=(), format=tarfile.USTAR_FORMAT):
    """A tar of these files; order sorts their names; extra: (TarInfo, bytes) behind them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as tar:
        for name in sorted(files, key=order):
            tar.addfile(member(name, len(files[name])), io.BytesIO(files[name]))
        for info, content in extra:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def split(path, size):
    """Cuts a tar into pieces as export --split does; returns the path of their manifest."""
    content, pieces = path.read_bytes(), []
    for number, start in enumerate(range(0, len(content), size), 1):
        part = content[start:start + size]
        piece = path.with_name(f"{path.name}.{number:03}")
        piece.write_bytes(part)
        pieces.append({"name": piece.name, "size": len(part), "digest": digest(part)})
    path.unlink()
    manifest = path.with_name(path.name + ".pieces")
    manifest.write_bytes(compact({"larder_pieces": 1, "name": path.name, "size": len(content), "pieces": pieces}))
    return manifest
