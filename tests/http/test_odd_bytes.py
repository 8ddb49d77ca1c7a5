# SPDX-License-Identifier: Apache-2.0
"""What is sent that is no module of the format asked for: each refusal says what it looks like, and its advice leads, by however
many refusals, to a version that is taken. Files of every kind, each sent as every format."""
import base64
import itertools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field

import pytest
from support import modules
from support.daemon import Daemon, assert_problem, binary
from support.modules import Member, compress, members, pack, tar

QUERIES = ["", "?tf-hub-format=compressed", "?tfjs-format=compressed", "?lite-format=tflite", "?coral-format=tflite", "?archive-format=compressed"]
STEPS_MAX = 5
# What only the source has right: a clause without a command.
SOURCE = re.compile(r"take it from its source again|download the file again|send the (archive|model) itself|`git lfs pull`|send it again|"
                    r"send it with -T or --data-binary|as it came from the converter")


@dataclass
class Model:
    """A module as its maker has it: a folder, and how it is published right."""
    name: str
    members: list
    key: str  # the file that is taken for the whole
    query: str
    files: dict = field(default_factory=dict)

    def __post_init__(self):
        self.files = {member.name.removeprefix("./"): member.content for member in self.members if not member.name.endswith("/")}

    def right(self):
        return self.files[self.key] if self.query.endswith("=tflite") else pack(self.members)

    def wrapped(self, folder):
        """Its members in a folder, with entries for those above."""
        parts = folder.split("/")
        heads = [Member("/".join(parts[:length + 1]) + "/") for length in range(len(parts))]
        return heads + [Member(f"{folder}/{member.name.removeprefix('./')}", member.content) for member in self.members[1:]]


def models():
    shard = modules.payload(40)
    json = b'{"modelTopology":{},"weightsManifest":[{"paths":["a.bin"],"weights":[{"name":"w","shape":[10],"dtype":"float32"}]}]}'
    yield Model("SavedModel", members(), "saved_model.pb", "")
    yield Model("TF.js", [Member("./"), Member("./model.json", json), Member("./a.bin", shard)], "model.json", "?tfjs-format=compressed")
    yield Model("TF Lite", [Member("./"), Member("./model.tflite", modules.tflite_model())], "model.tflite", "?lite-format=tflite")


MODELS = {model.name: model for model in models()}


def piped(command):
    def make(data):
        if not shutil.which(command.split()[0]):
            pytest.skip(f"{command} is not there")
        return subprocess.run(command.split(), input=data, capture_output=True, check=True).stdout
    return make


def by_archiver(suffix, command):
    def make(model, tmp_path):
        if not shutil.which(command[0]):
            pytest.skip(f"{command[0]} is not there")
        root = lay_out(model, tmp_path / "packed")
        subprocess.run([*command, tmp_path / f"out.{suffix}", "."], cwd=root, check=True, stdout=subprocess.DEVNULL)
        return (tmp_path / f"out.{suffix}").read_bytes()
    return make


def stripped(data):
    """As curl sends it with --data @FILE: the lines, each up to its first NUL."""
    return b"".join(line.split(b"\0")[0].split(b"\r")[0] for line in data.split(b"\n"))


ENCODINGS = {
    "bare": lambda data: data, "gzip": compress, "gzip twice": lambda data: compress(compress(data)), "bzip2": piped("bzip2 -c"),
    "xz": piped("xz -c"), "Zstandard": piped("zstd -c"), "LZ4": piped("lz4 -c"), "bzip2 in gzip": lambda data: compress(piped("bzip2 -c")(data)),
    "xz in gzip": lambda data: compress(piped("xz -c")(data)), "Base64 of gzip": lambda data: base64.encodebytes(compress(data)),
    "gzip of Base64 of gzip": lambda data: compress(base64.encodebytes(compress(data))),
}
DAMAGES = {
    "gzip as UTF-8": lambda data: compress(data).decode("utf-8", "replace").encode(),
    "gzip as Latin-1": lambda data: compress(data).decode("latin-1").encode(),
    "line ends": lambda data: compress(data + modules.payload(20_000), 0).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "curl --data": lambda data: stripped(compress(data + modules.payload(20_000))),
    "half": lambda data: compress(data)[:-40], "nothing": lambda data: b"",
    "wrong CRC": lambda data: modules.with_bad_crc(compress(data)),
    "pointer": lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n",
    "pointer in gzip": lambda data: compress(DAMAGES["pointer"](data)),
    "page": lambda data: b"\n<!DOCTYPE html><title>Log in</title>", "page with a mark": lambda data: b"\xef\xbb\xbf<html><body>404",
    "page in gzip": lambda data: compress(b"  <html>"), "XML": lambda data: b'<?xml version="1.0"?><Error/>',
}
# In which folder the model lies, where it is in one.
FOLDERS = {"in a folder": "m", "two deep": "one/two", "six deep": "a/b/c/d/e/f"}
LAYOUTS = {
    "its archive": lambda model: tar(model.members, padded=False),
    "its main file": lambda model: model.files[model.key],
    **{layout: lambda model, folder=folder: tar(model.wrapped(folder)) for layout, folder in FOLDERS.items()},
    "in a folder with an odd name": lambda model: tar(model.wrapped("it's $(odd)")),
    "two of them": lambda model: tar([*model.wrapped("one"), *model.wrapped("two")]),
    "two, two deep": lambda model: tar([Member("x/"), *model.wrapped("x/one")[1:], *model.wrapped("x/two")[1:]]),
}


def lay_out(model, root):
    for name, content in model.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    daemon = Daemon(tmp_path_factory.mktemp("odd")).start()
    yield daemon
    daemon.stop()


class Publisher:
    """Who has a model and a file of it, and does what he is told and nothing else."""
    numbers = itertools.count(1)

    def __init__(self, registry, model, data, query, where, folder="FOLDER"):
        self.registry, self.model, self.data, self.query = registry, model, data, query
        self.where = where / str(next(self.numbers))
        lay_out(model, self.where / "FOLDER")
        lay_out(model, self.where / folder)
        self.path = f"/acme/odd/{next(self.numbers)}"
        self.told = []

    def run(self, command):
        url = self.registry.url.rstrip("/") + self.path
        tools = f"{os.path.dirname(os.path.abspath(binary()))}:{os.environ['PATH']}"
        (self.where / "FILE").write_bytes(self.data)
        return subprocess.run(command.replace(" URL", f" {url}"), shell=True, cwd=self.where, executable="/bin/bash", capture_output=True,
                              text=True, env=dict(os.environ, PATH=tools, LARDER_TOKEN=self.registry.token()))

    def published(self):
        return self.registry.get(f"/api/v1/modules{self.path}").status == 200

    def obey(self, text):
        """Whether it told anything to do."""
        query = re.search(r"under (\?[a-z-]+=[a-z]+)|without (a) query", text)
        commands = re.findall("`(larder [^`]*|[^`]* > FILE.mended)`", text)
        lite = self.model.files.get("model.tflite") if re.search("that file alone|publish the .tflite file that", text) else None
        if query:
            self.query = query[1] or ""
        if lite:
            self.data = lite
        elif commands and commands[0].startswith("larder"):
            done = self.run(commands[0])
            if done.returncode and not self.published():
                self.told.append(done.stderr)
                return self.obey(done.stderr) if done.stderr != text else False
            if "-o mended.tar.gz" in commands[0]:
                self.data = (self.where / "mended.tar.gz").read_bytes()
        elif commands:
            self.run(commands[0])
            self.data = (self.where / "FILE.mended").read_bytes()
        elif SOURCE.search(text):
            self.data = self.model.right()
        else:
            return bool(query)
        return True

    def publish(self):
        for _ in range(STEPS_MAX):
            before = self.data, self.query
            reply = self.registry.put(self.path + self.query, self.data)
            if reply.status == 201:
                return
            problem = assert_problem(reply, 422, "invalid-module")
            text = "; ".join(violation["message"] for violation in problem["violations"])
            self.told.append(text)
            assert self.obey(text), f"nothing to do: {self.told}"
            if self.published():
                return
            assert (self.data, self.query) != before, f"in a circle: {self.told}"
        raise AssertionError(f"no end: {self.told}")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", MODELS)
def test_advice_leads_from_anything_to_a_version(registry, name, layout, tmp_path):
    model = MODELS[name]
    encodings = ENCODINGS if layout in ("its archive", "its main file") else {"gzip": compress}
    for (encoding, encode), query in itertools.product(encodings.items(), QUERIES):
        publisher = Publisher(registry, model, encode(LAYOUTS[layout](model)), query, tmp_path, FOLDERS.get(layout, "FOLDER"))
        publisher.publish()
        assert not any("something else" in text for text in publisher.told), (encoding, query, publisher.told)


@pytest.mark.parametrize("archiver", [("zip", ["zip", "-qr"]), ("7z", ["7z", "a", "-t7z", "-bd"])], ids=["zip", "7z"])
@pytest.mark.parametrize("name", MODELS)
def test_so_it_does_from_archives_of_others(registry, name, archiver, tmp_path):
    data = by_archiver(*archiver)(MODELS[name], tmp_path)
    for wrap, query in itertools.product((lambda data: data, compress), QUERIES):
        publisher = Publisher(registry, MODELS[name], wrap(data), query, tmp_path)
        publisher.publish()
        assert f"a {archiver[0]} archive" in " ".join(publisher.told), publisher.told


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", MODELS)
def test_what_is_damaged_is_to_be_sent_again(registry, name, damage, tmp_path):
    model = MODELS[name]
    for query in QUERIES:
        publisher = Publisher(registry, model, DAMAGES[damage](tar(model.members)), query, tmp_path)
        publisher.publish()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 5000])
def test_it_is_named_however_it_comes(registry, size):
    """In pieces of any size, as the network has it."""
    for data, what in ((tar(members()), "a plain tar"), (modules.tflite_model(5000), "a bare .tflite file"), (b"\n\n<html>" + bytes(900), "HTML"),
                       (b"\x1f\x9d" + bytes(900), "compress"), (b"\x08\x01\x12" + bytes(900), "saved_model.pb")):
        pieces = (data[at:at + size] for at in range(0, len(data), size))
        problem = assert_problem(registry.put("/acme/pieces/1", pieces), 422, "invalid-module")
        assert what in problem["violations"][0]["message"], problem


def test_real_curl_with_data(registry, tmp_path):
    """Not -T, nor --data-binary: it leaves out the line ends, which the refusal tells by the bytes."""
    for number, size in enumerate((1000, 20_000, 200_000)):
        (tmp_path / "x.tgz").write_bytes(modules.module(size, seed=number))
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", "-X", "PUT", "--data", f"@{tmp_path}/x.tgz", "-H",
                               f"Authorization: Bearer {registry.token()}", registry.url.rstrip("/") + "/acme/data/1"], capture_output=True)
        assert b"send it with -T or --data-binary" in done.stdout, done


@pytest.mark.parametrize("member", ["model.json", "group1-shard1of1.bin", "vocab/words.txt"])
@pytest.mark.parametrize("query", ["?tfjs-format=file", "?tfjs-format=file&x=1"])
def test_a_file_of_a_model_is_none(registry, member, query, tmp_path):
    """Neither where it would stand nor under the version's own name; what it says is run."""
    model = MODELS["TF.js"]
    for tail in (f"/{member}", ""):
        publisher = Publisher(registry, model, model.files["model.json"], "", tmp_path)
        text = assert_problem(registry.put(publisher.path + tail + query, publisher.data), 400, "bad-request")["detail"]
        assert "slash" not in text
        publisher.obey(text)
        assert publisher.published(), text
        publisher.run("larder pack FOLDER -o mended.tar.gz")
        asked = re.search(r"with (\?[a-z-]+=[a-z]+)", text)[1]
        assert registry.put(publisher.path + asked, (publisher.where / "mended.tar.gz").read_bytes()).status == 200


@pytest.mark.parametrize("text", [b"# Module acme/m/1\nHalves.\n", b"\n\n## Overview\n", b"\xef\xbb\xbf# x"])
@pytest.mark.parametrize("query", QUERIES)
def test_documentation_without_its_type(registry, text, query):
    problem = assert_problem(registry.put("/acme/documented/1" + query, text), 422, "invalid-module")
    assert '"Content-Type: text/markdown"' in problem["violations"][0]["message"]


@pytest.mark.parametrize("data, what", [(b"saved_model_schema_version: 1\n", "saved_model.pbtxt"), (b"\x89HDF\r\n\x1a\n" + bytes(90), "HDF5"),
                                        (b"Rar!\x1a\7" + bytes(90), "RAR"), (b"LZIP\1" + bytes(90), "lzip")])
def test_others_are_named(registry, data, what):
    for query, wrap in itertools.product(QUERIES, (lambda data: data, compress)):
        if query.endswith("=tflite") and wrap is compress:
            continue
        problem = assert_problem(registry.put("/acme/others/1" + query, wrap(data)), 422, "invalid-module")
        assert what in problem["violations"][0]["message"], problem


def test_what_cannot_be_told_has_advice_too(registry):
    for number, query in itertools.product(range(20), QUERIES):
        data = b"?" + modules.payload(700, number)
        problem = assert_problem(registry.put("/acme/unknown/1" + query, data), 422, "invalid-module")
        text = problem["violations"][0]["message"]
        assert "something else; " in text and ("`larder pack " in text or "as it came from the converter" in text), text
