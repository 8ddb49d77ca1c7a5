# SPDX-License-Identifier: Apache-2.0
"""The format "archive": a tar.gz with files of any kind that is safe to unpack."""
import html
import os
import re
import subprocess
from pathlib import Path

import pytest
from support import modules
from support.command_line import run
from support.daemon import assert_problem, binary

Member = modules.Member
FILES = {"config.json": b'{"model_type": "gemma"}', "model-00001.safetensors": modules.payload(70_000), "deep/er/vocab.txt": b"a\nb\n"}
ENTRIES = [Member("./"), Member("./deep/"), Member("./deep/er/"), *(Member("./" + name, body) for name, body in FILES.items())]
BODY = modules.pack(ENTRIES)
PATH = "/acme/gemma/keras/2b/3"
QUERY = "?archive-format=compressed"

UNSAFE = {
    "a name that leads out": [Member("../x", b"1")],
    "an absolute name": [Member("/etc/x", b"1")],
    "a name twice": [Member("./"), Member("./x", b"1"), Member("./x", b"22")],
    "names that differ in case": [Member("./"), Member("./x", b"1"), Member("./X", b"1")],
    "a folder without an entry": [Member("./"), Member("./a/x", b"1")],
    "a backslash": [Member("./"), Member("./a\\x", b"1")],
}


def test_files_of_any_kind(larder):
    reply = larder.put(PATH + QUERY, BODY)
    assert reply.status == 201, reply
    artifact, = reply.json()["artifacts"]
    assert (artifact["format"], artifact["media_type"], artifact["files"]) == ("archive", "application/gzip", 3)
    assert artifact["url"].endswith(PATH + QUERY)
    got = larder.get(PATH + QUERY)
    assert got.body == BODY and got.header("Content-Type") == "application/gzip" and ".tar.gz" in got.header("Content-Disposition")
    assert larder.get(PATH.rsplit("/", 1)[0] + QUERY).header("Location").endswith(PATH + QUERY)
    assert_problem(larder.get(PATH + "?tf-hub-format=compressed"), 404, "not-found")
    listed = larder.get("/api/v1/modules?format=archive").json()["modules"]
    assert [(module["handle"], module["formats"]) for module in listed] == [("acme/gemma/keras/2b", ["archive"])]
    assert {row["path"] for row in larder.get("/api/v1/files" + PATH).json()["files"]} == set(FILES)
    page = larder.get(PATH, Accept="text/html").body.decode()
    assert QUERY in page and "larder pull" in page


@pytest.mark.parametrize("fault", UNSAFE)
def test_what_is_not_safe_is_refused(larder, fault):
    assert_problem(larder.put(PATH + QUERY, modules.pack(UNSAFE[fault])), 422, "invalid-module")
    larder.assert_nothing_kept()


@pytest.mark.parametrize("body", [BODY[:-5], modules.with_bad_crc(BODY), b"no archive", BODY + b"more"], ids=["cut", "crc", "text", "more"])
def test_what_is_not_whole_is_refused(larder, body):
    assert_problem(larder.put(PATH + QUERY, body), 422, "invalid-module")
    larder.assert_nothing_kept()


def test_mirrored(mirror, upstream):
    upstream.serve(PATH, BODY)
    assert mirror.get(PATH + QUERY).body == BODY
    assert mirror.get("/api/v1/modules" + PATH).json()["artifacts"][0]["format"] == "archive"


def test_a_folder_is_published_as_one(larder, tmp_path):
    folder = tmp_path / "gemma"
    for name, body in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    token = larder.token()
    refused = run("publish", folder, PATH[1:], server=larder.url, token=token, cwd=tmp_path, status=1)
    assert "--format archive" in refused.stderr
    done = run("publish", "--format", "archive", folder, PATH[1:], server=larder.url, token=token, cwd=tmp_path)
    assert PATH in done.stdout
    run("pull", "--unpack", "out", PATH[1:] + QUERY, server=larder.url, cwd=tmp_path)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in FILES} == FILES
    run("pack", "--format", "archive", folder, "-o", "one.tar.gz", cwd=tmp_path)
    run("pack", "--format", "archive", folder, "-o", "two.tar.gz", cwd=tmp_path)
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes() == larder.get(PATH + QUERY).body


def code_of(page, word):
    """The blocks of code on a page that have this word, tags taken off."""
    blocks = [html.unescape(re.sub(r"<[^>]*>", "", block)) for block in re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)]
    return [block for block in blocks if word in block]


def test_the_code_on_its_page_works(larder, tmp_path):
    larder.publish(PATH + QUERY, BODY)
    page = larder.get(PATH, Accept="text/html").body.decode()
    python, = code_of(page, "tarfile.open")
    curl, = code_of(page, "curl -fL")
    pull, = code_of(page, "--unpack")
    for name, command in (("python", ["/usr/bin/python3", "-c", python]), ("curl", ["sh", "-e", "-c", curl]), ("pull", ["sh", "-e", "-c", pull])):
        folder = tmp_path / name
        folder.mkdir()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False,
                              env={**os.environ, "PATH": f"{Path(binary()).parent}:{os.environ['PATH']}", "no_proxy": "*"})
        assert done.returncode == 0, f"{name}: {done.stderr}"
    assert next((tmp_path / "curl").iterdir()).read_bytes() == BODY
    for name in ("python", "pull"):
        out, = (path for path in (tmp_path / name).iterdir() if path.is_dir())
        assert {file: (out / file).read_bytes() for file in FILES} == FILES
