# SPDX-License-Identifier: Apache-2.0
"""Real clients of other people, and a registry for them."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "http"))

from support.fixtures import *  # noqa: E402,F401,F403 (pytest finds fixtures by name)


class TensorflowJs:
    """tfjs.mjs, which keeps one model."""

    def __init__(self):
        self.process = subprocess.Popen(["node", "tfjs.mjs"], cwd=HERE, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.version = self.read()["version"]

    def read(self):
        line = self.process.stdout.readline()
        assert line, f"tfjs.mjs ended with status {self.process.wait()}"
        return json.loads(line)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.read()

    def load(self, kind, source):
        return self.ask(do="load", kind=kind, **{"from": str(source)})

    def save(self, url, token, method=None):
        return self.ask(do="save", to=url, token=token, method=method)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def tfjs():
    if not shutil.which("node") or not (HERE / "node_modules").is_dir():
        pytest.fail("no Node.js, or no node_modules in tests/clients: tests/run brings both")
    opened = TensorflowJs()
    yield opened
    opened.close()
