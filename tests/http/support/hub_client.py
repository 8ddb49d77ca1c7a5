# SPDX-License-Identifier: Apache-2.0
"""A stand-in for tensorflow_hub's resolver of http(s) handles: the same request, the same rules for members, the same cache.
It is as careless as the original: it checks no length, no CRC and no digest."""
import hashlib
import http.client
import os
import tarfile
import urllib.parse
import urllib.request
import uuid


class ResolveError(Exception):
    """The handle could not be resolved; hub.load() would have raised."""


def request_url(handle):
    """The handle with tf-hub-format=compressed appended, even where it is there already."""
    url = urllib.parse.urlparse(handle)
    query = urllib.parse.parse_qsl(url.query) + [("tf-hub-format", "compressed")]
    return urllib.parse.urlunparse(url._replace(query=urllib.parse.urlencode(query)))


def member_path(folder, name):
    """Where a member goes; names that lead out of the folder, or only look so, are refused."""
    normal = os.path.normpath(name.lstrip("/"))
    if normal.startswith(".."):
        raise ValueError(f"{name} is not in the archive's root")
    return os.path.join(folder, normal)


def unpack(stream, folder):
    with tarfile.open(mode="r|*", fileobj=stream) as archive:
        for member in archive:
            path = member_path(folder, member.name)
            if member.isfile():
                # Parent folders are not made: the archive must hold them, and before their files.
                with open(path, "wb") as out:
                    source = archive.extractfile(member)
                    while block := source.read(1 << 20):
                        out.write(block)
            elif member.isdir():
                os.makedirs(path, exist_ok=True)
            else:
                raise ValueError(f"unexpected object type in tar archive: {member.type!r} {member.name}")


def resolve(handle, cache):
    """The folder that holds the module, downloaded unless it is in the cache."""
    folder = os.path.join(cache, hashlib.sha1(handle.encode()).hexdigest())
    if os.path.isdir(folder) and os.listdir(folder):
        return folder
    draft = f"{folder}.{uuid.uuid4().hex}.tmp"
    os.makedirs(draft)
    try:
        # Python's own opener, but without the proxies that the machine may have set.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(request_url(handle))) as answer:
            unpack(answer, draft)
    except (OSError, ValueError, tarfile.ReadError, http.client.HTTPException) as error:
        raise ResolveError(f"{handle}: {type(error).__name__}: {error}") from error
    with open(folder + ".descriptor.txt", "w", encoding="utf-8") as out:
        out.write(f"Module: {handle}\n")
    os.rename(draft, folder)
    return folder


def load(handle, cache):
    """As resolve, and what hub.load() demands of the folder."""
    folder = resolve(handle, cache)
    if not any(os.path.exists(os.path.join(folder, name)) for name in ("saved_model.pb", "saved_model.pbtxt")):
        raise ResolveError(f"{handle}: {folder} contains neither saved_model.pb nor saved_model.pbtxt")
    return folder
