# SPDX-License-Identifier: Apache-2.0
"""What the nodes of one bucket have ever said that a version's bytes are, and a check that they never said two things. Whoever asks a node in a
test leaves here what he was told: bodies that came whole, ETags and digests of what did not, JSON, and uploads that were taken."""
import base64
import binascii
import collections
import hashlib
import re
import threading
import urllib.parse

FORMATS = {("tf-hub-format", "compressed"): "tf-hub", ("tfjs-format", "compressed"): "tfjs", ("lite-format", "tflite"): "tflite",
           ("coral-format", "tflite"): "coral", ("archive-format", "compressed"): "archive"}
ETAG = re.compile(r'^(?:W/)?"sha256:([0-9a-f]{64})"$')
REPR_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")


def digests_told(headers):
    """By the fields of an answer's head."""
    etag = ETAG.match(headers.get("ETag") or "")
    told = REPR_DIGEST.search(headers.get("Repr-Digest") or "")
    if etag:
        yield etag[1]
    if told:
        yield binascii.hexlify(base64.b64decode(told[1])).decode()


def artifact_of(path):
    """(version, format) of an artifact's own address, the format None where the query names none; None for all other addresses, such as those of
    files of archives."""
    url = urllib.parse.urlsplit(path)
    pairs = [pair for pair in urllib.parse.parse_qsl(url.query, keep_blank_values=True) if pair[0].endswith("-format")]
    place = re.sub(r"^/-/t/[^/]+", "", url.path).strip("/")
    if place.startswith(("api/", "-/")) or not re.search(r"/\d+$", place) or (pairs and pairs[0] not in FORMATS):
        return None
    return place, FORMATS[pairs[0]] if pairs else None


class Witness:
    """Is called with each answer of a node over this bucket."""

    def __init__(self, history, bucket, node):
        self.history, self.bucket, self.node = history, bucket, node

    def note(self, version, format, digest, what):
        self.history.note(self.bucket, version, format, digest, f"{self.node}: {what}")

    def __call__(self, method, path, sent, reply):
        found = artifact_of(path)
        if found and method == "PUT":
            self.see_upload(*found, sent, reply)
        elif found and found[1] and method in ("GET", "HEAD"):
            self.see_artifact(*found, method, reply)
        self.see_json(reply)

    def see_upload(self, version, format, sent, reply):
        """What was taken; documentation is not gzipped, and has no format."""
        if reply.status in (200, 201) and isinstance(sent, bytes) and (format or sent[:2] == b"\x1f\x8b"):
            self.note(version, format or "tf-hub", hashlib.sha256(sent).hexdigest(), f"PUT: {reply.status}")

    def see_artifact(self, version, format, method, reply):
        if reply.status in (200, 206, 304):
            for digest in digests_told(reply.headers):
                self.note(version, format, digest, f"head of {method}: {reply.status}")
        if method == "GET" and reply.status == 200:
            self.note(version, format, hashlib.sha256(reply.body).hexdigest(), "GET")

    def see_whole(self, path, digest):
        """Of a body that came to its end, for who does not gather it."""
        found = artifact_of(path)
        if found and found[1]:
            self.note(*found, digest, "GET")

    def see_json(self, reply):
        """Of a version, be it shown or published."""
        if reply.status not in (200, 201) or not reply.body or not (reply.headers.get("Content-Type") or "").startswith("application/json"):
            return
        document = reply.json()
        if not isinstance(document, dict) or not {"artifacts", "handle", "version"} <= set(document):
            return
        for artifact in document["artifacts"]:
            if artifact.get("digest"):
                self.note(f"{document['handle']}/{document['version']}", artifact["format"], artifact["digest"].removeprefix("sha256:"), "JSON")


class History:
    def __init__(self):
        self.lock = threading.Lock()
        self.seen = collections.defaultdict(lambda: collections.defaultdict(list))  # (bucket, version, format): digest: who said so, and how

    def witness(self, bucket, node):
        return Witness(self, bucket, node)

    def note(self, bucket, version, format, digest, what):
        with self.lock:
            self.seen[bucket, version, format][digest].append(what)

    def faults(self):
        with self.lock:
            return [f"{version} ({format}) in {bucket}: " + "; ".join(f"{digest[:12]} by {whats[:3]}" for digest, whats in digests.items())
                    for (bucket, version, format), digests in self.seen.items() if len(digests) > 1]

    def check(self):
        faults = self.faults()
        assert not faults, "a version has had two contents:\n" + "\n".join(faults)
