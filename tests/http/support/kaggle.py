# SPDX-License-Identifier: Apache-2.0
"""Kaggle as an upstream sees it: an API that redirects to signed addresses of a bucket, each good for so many requests."""
import base64
import hashlib
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from .upstream import Answer, Upstream, redirect


def told(value, status=200, **headers):
    return Answer(json.dumps(value).encode(), status, "application/json", headers)


def problem(status, message, **headers):
    return told({"code": status, "message": message}, status, **headers)


def bucket_refusal(status=403):
    return Answer(b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code><Message>Invalid argument.</Message></Error>",
                  status, "application/xml; charset=UTF-8")


@dataclass
class Version:
    archive: bytes
    files: dict = field(default_factory=dict)
    gated: bool = False
    hash: str = None  # of another body than the true one
    cut_after: int = None  # the first transfer ends there, and its address with it


class Kaggle:
    """api and bucket are upstreams; url is the API's."""

    def __init__(self):
        self.api = Upstream()
        self.bucket = Upstream()
        self.url = self.api.url + "/api/v1"
        self.expired = set()
        self.signed = 0
        self.refusal = 403  # what an address answers that is not good any more

    def stop(self):
        self.api.stop()
        self.bucket.stop()

    def publish(self, handle, number, version):
        base = f"/api/v1/models/{handle}"
        names = [{"name": name, "size": len(body), "creationDate": "2024-01-01T00:00:00Z"} for name, body in version.files.items()]
        listing = {"files": names[:25], "nextPageToken": "more" if len(names) > 25 else ""}
        self.api.serve(f"{base}/get", told({"id": 1, "slug": handle.split("/")[3], "versionNumber": number}))
        self.api.serve(f"{base}/{number}/files", self.consented(version, lambda seen: told(listing)))
        self.place(f"{base}/{number}/download", f"/{handle}/{number}.tar.gz", version, version.archive)
        for name, body in version.files.items():
            self.place(f"{base}/{number}/download/{name}", f"/{handle}/{number}/{name}", version, body)

    def consented(self, version, answer):
        return lambda seen: problem(403, "Permission 'models.get' was denied") if version.gated else answer(seen)

    def place(self, path, key, version, body):
        self.api.serve(path, self.consented(version, lambda seen: redirect(self.sign(key))))
        self.bucket.serve(key, lambda seen: self.give(seen, version, body))

    def sign(self, key):
        self.signed += 1
        return f"{self.bucket.url}{key}?X-Goog-Expires=60&X-Goog-Signature=s1gned{self.signed:04}"

    def give(self, seen, version, body):
        signature = parse_qs(seen.query).get("X-Goog-Signature", [""])[0]
        if not signature or signature in self.expired:
            return bucket_refusal(self.refusal)
        hashed = version.hash or base64.b64encode(hashlib.md5(body).digest()).decode()
        answer = Answer(body, media_type="application/x-gzip", etag='"v1"', ranges=True, headers={"x-goog-hash": f"md5={hashed}"})
        if version.cut_after and signature.endswith("0001"):
            self.expired.add(signature)
            answer.cut_after = version.cut_after
        return answer
