# SPDX-License-Identifier: Apache-2.0
"""Unpacks archives as tensorflow_hub does, with the tarfile of the Python that runs this. Each line of standard input is a list in
JSON, of a folder that is not there yet and of archives; each archive is answered with a line, of its folders and the SHA-256 of its
files, or the error. For Python 3.8 and later, alone."""
import hashlib
import json
import os
import shutil
import sys
import tarfile


def member_path(folder, name):
    normal = os.path.normpath(name.lstrip("/"))
    if normal == ".":
        return folder
    if normal.startswith(".."):
        raise ValueError(name + " is not in the archive's root")
    return os.path.join(folder, normal)


def unpack(archive_path, folder):
    with open(archive_path, "rb") as stream, tarfile.open(mode="r|*", fileobj=stream) as archive:
        for member in archive:
            path = member_path(folder, member.name)
            if member.isfile():
                with open(path, "wb") as out:
                    source = archive.extractfile(member)
                    while True:
                        block = source.read(1 << 16)
                        if not block:
                            break
                        out.write(block)
            elif member.isdir():
                os.makedirs(path, exist_ok=True)
            else:
                raise ValueError("unexpected object type %r" % member.type)


def listing(root):
    folders, files = [], {}
    for at, subfolders, names in os.walk(root):
        folders += [os.path.relpath(os.path.join(at, name), root) for name in subfolders]
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as content:
                files[os.path.relpath(path, root)] = hashlib.sha256(content.read()).hexdigest()
    return {"folders": folders, "files": files}


def answer_about(scratch, *archives):
    for archive in archives:
        os.mkdir(scratch)
        try:
            unpack(archive, scratch)
            answer = listing(scratch)
        except Exception as error:  # whatever it is, hub.load() would have raised it
            answer = {"error": "%s: %s" % (type(error).__name__, error)}
        shutil.rmtree(scratch)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    for line in sys.stdin:
        answer_about(*json.loads(line))
