# SPDX-License-Identifier: Apache-2.0
"""A Chromium for all tests, driven by driver.mjs, and a registry to look at."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "http"))

from support import modules  # noqa: E402
from support.fixtures import *  # noqa: E402,F401,F403 (pytest finds fixtures by name)

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")


class Browser:
    def __init__(self):
        environment = {**os.environ, "CHROMIUM": CHROMIUM,
                       "LARDER_SCREENSHOTS": os.environ.get("LARDER_SCREENSHOTS", str(ROOT / "build-browser"))}
        self.process = subprocess.Popen(["node", "driver.mjs"], cwd=HERE, env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.version = self.read()["version"]

    def read(self):
        line = self.process.stdout.readline()
        assert line, f"the driver ended with status {self.process.wait()}"
        return json.loads(line)

    def write(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def play(self, scenario, larder, on_told=None, **args):
        """Plays scenarios/<scenario>.mjs against a daemon; what it tells calls on_told[what]()."""
        self.write({"scenario": scenario, "url": larder.url, "args": args})
        while "told" in (answer := self.read()):
            on_told[answer["told"]]()
            self.write({})
        assert "error" not in answer, answer["error"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def browser():
    if not CHROMIUM or not (HERE / "node_modules").is_dir():
        pytest.fail("no Chromium, or no node_modules in tests/browser: tests/run brings both")
    opened = Browser()
    yield opened
    opened.close()


def document(kind, path, sentence, **tags):
    comments = "".join(f"<!-- {key.replace('_', '-')}: {value} -->\n" for key, values in tags.items()
                       for value in (values if isinstance(values, list) else [values]))
    return (f"# {kind} {path}\n{sentence}\n\n{comments}\n## Overview\n\nA *model* of its time, see "
            f"[the paper](https://example.org/paper) and ![a picture](https://example.org/a.png).\n\n"
            f"| input | output |\n|---|---|\n| text | 128 numbers |\n\n```python\nprint('hello')\n```\n").encode()


EMBEDDING = {"asset_path": "https://example.org/a.tar.gz", "format": "saved_model_2", "fine_tunable": "true",
             "task": "text-embedding"}
CLASSIFIER = {**EMBEDDING, "task": "image-classification", "fine_tunable": "false"}
LISTED = [
    ("acme/nnlm-de/1", "German sentences as numbers.", {**EMBEDDING, "language": "de", "license": "mit"}),
    ("acme/nnlm-en/1", "English sentences as numbers.", {**EMBEDDING, "language": "en", "network_architecture": "nnlm"}),
    ("acme/nnlm-en/2", "English sentences as numbers, again.", {**EMBEDDING, "language": "en", "network_architecture": "nnlm"}),
    ("lab/mobilenet/1", "What a picture shows.", {**CLASSIFIER, "network_architecture": "mobilenet-v2", "license": "apache-2.0"}),
    ("lab/resnet/4", "What a picture shows, more slowly.", {**CLASSIFIER, "network_architecture": "resnet"}),
]


def changed_model():
    """half_plus_two with another input, and another type of what it gives."""
    signature = modules.Signature({"x": modules.Tensor("x:0", "float32", [-1, 1]), "scale": modules.Tensor("s:0", "float32", [])},
                                  {"y": modules.Tensor("y:0", "float16", [-1, 1])})
    return modules.saved_model(modules.MetaGraph({"serving_default": signature}, tensorflow_version="2.15.0",
                                                 ops=("Placeholder", "Const", "Mul", "Cast")))


COLLECTION = """# Collection lab/pictures/1
What tells what a picture shows.

<!-- task: image-classification -->

## Modules
[the small one](https://tfhub.dev/lab/mobilenet/1) and [the large one](https://tfhub.dev/lab/resnet/4)
"""


@pytest.fixture
def shelf(start, upstream, tmp_path):
    """A daemon with some modules of two publishers and a collection, and an upstream."""
    larder = start(upstreams=[upstream.url])
    for seed, (path, sentence, tags) in enumerate(LISTED):
        model = changed_model() if path == "acme/nnlm-en/2" else None
        larder.publish("/" + path, modules.module(1000 + seed, model=model, seed=seed))
        reply = larder.put("/" + path, document("Module", path, sentence, **tags), content_type="text/markdown")
        assert reply.status in (200, 201), reply
    tree = tmp_path / "tree/assets/docs/lab/collections/pictures"
    tree.mkdir(parents=True)
    (tree / "1.md").write_text(COLLECTION)
    larder.larder("import-docs", str(tmp_path / "tree"))
    larder.publish("/acme/nnlm-en/1?tfjs-format=compressed", modules.tfjs_module())
    larder.publish("/acme/nnlm-en/1?lite-format=tflite", modules.tflite_model())
    return larder
