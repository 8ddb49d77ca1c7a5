# SPDX-License-Identifier: Apache-2.0
"""Buckets: of a real Ceph, of a store with a script, of one that lies."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "http"), str(HERE)]

from support.daemon import binary  # noqa: E402
from ceph import DEADLINE_S, KEY, SECRET, Ceph, SharedCeph, bound_to_parent, is_here, shared_ceph  # noqa: E402
from front import Front  # noqa: E402
from history import History  # noqa: E402

# What was freed is kept for a while, so that its use is found; 256 MiB of it in each of a dozen nodes would be the machine's memory.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=16"

TOOL = os.environ.get("LARDER_BUCKET_TOOL", str(Path(binary()).parent / "tests" / "store" / "bucket_tool"))
VAULT_TOOL = str(Path(TOOL).with_name("vault_tool"))


class Store:
    """A bucket by its configuration, and what is asked of it."""

    is_ceph = False  # it compares ETags without their quotes, which nobody finds out who does not prove it

    def __init__(self, folder, endpoint, bucket="models", **keys):
        self.folder, self.endpoint, self.bucket, self.keys = folder, endpoint, bucket, keys
        folder.mkdir(parents=True, exist_ok=True)
        self.credentials = folder / "credentials"
        self.credentials.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
        self.config = folder / "larder.ini"
        self.write()

    def write(self, **keys):
        keys = {"kind": "s3", "endpoint": self.endpoint, "bucket": self.bucket, "prefix": "a/test", "credentials_file": self.credentials,
                "timeout_s": 5, **self.keys, **keys}
        # Whole at each moment: others may be starting with it.
        fresh = self.folder / f"larder.ini.{threading.get_ident()}"
        fresh.write_text("[store]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items() if value is not None))
        fresh.replace(self.config)

    def run(self, *words, environment=None, tool=TOOL):
        done = subprocess.run([tool, str(self.config), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=DEADLINE_S, env={**os.environ, **(environment or {})})
        assert done.returncode == 0, done
        assert SECRET not in done.stdout + done.stderr
        return done.stdout

    def vault(self, *words):
        return self.run(*words, tool=VAULT_TOOL).rstrip("\n")

    def ask(self, *words, **more):
        """(outcome, what was told)"""
        outcome, _, told = self.run(*words, **more).rstrip("\n").partition(" ")
        return outcome, told

    def check(self, *words):
        return subprocess.run([binary(), "store", "check", "--config", str(self.config), *words], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S)

    def report(self):
        done = self.check("--json")
        assert SECRET not in done.stdout + done.stderr
        report = json.loads(done.stdout)
        assert done.returncode == (0 if report["sound"] else 1), done
        return report["sound"], {step["step"]: step for step in report["steps"]}


@pytest.fixture
def history():
    """Of all that the nodes of a test have said; a test has a bucket, or a prefix, of its own."""
    told = History()
    yield told
    told.check()


@pytest.fixture
def front():
    opened = Front()
    yield opened
    opened.stop()


@pytest.fixture
def scripted(front, tmp_path):
    return Store(tmp_path, front.url)


def pytest_collection_modifyitems(items):
    """The long ones first."""
    items.sort(key=lambda item: not item.get_closest_marker("long"))


def pytest_configure(config):
    """Where there are several of pytest's processes, the one that began them has a Ceph for all."""
    config.larder_ceph = None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    if not node.config.larder_ceph:
        node.config.larder_ceph = SharedCeph(Path(tempfile.mkdtemp(prefix="larder-ceph-")), prepare_ceph)
    node.workerinput["larder_ceph"] = str(node.config.larder_ceph.folder)


def pytest_unconfigure(config):
    if getattr(config, "larder_ceph", None):
        config.larder_ceph.stop()


def prepare_ceph(opened):
    make_bucket(f"{opened.urls[0]}/models")


@pytest.fixture(scope="session")
def ceph(request, tmp_path_factory):
    if not is_here():
        pytest.skip("no ceph-mon, ceph-osd and radosgw: tests/run installs them where the distribution has them")
    shared = getattr(request.config, "workerinput", {}).get("larder_ceph")
    if shared:
        yield shared_ceph(Path(shared))
        return
    opened = Ceph(tmp_path_factory.mktemp("ceph"), gateways=2)
    try:
        prepare_ceph(opened)
        yield opened
    finally:
        opened.stop()


def own_prefix(tmp_path):
    """Of a test's own, also beside those of pytest's other processes."""
    return f"{tmp_path.name}-{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}".lower()


def make_bucket(url):
    """By curl, which signs as the daemon does; older ones add no digest of the body."""
    subprocess.run(["curl", "-sf", "-K", "-", "--aws-sigv4", "aws:amz:us-east-1:s3", "-X", "PUT", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", url],
                   input=f'user = "{KEY}:{SECRET}"', text=True, check=True, timeout=DEADLINE_S)


@pytest.fixture
def gateways(ceph, tmp_path):
    """The same bucket through two gateways, below a prefix of this test's own."""
    stores = [Store(tmp_path / str(number), url, prefix=f"t/{own_prefix(tmp_path)}") for number, url in enumerate(ceph.urls)]
    for store in stores:
        store.is_ceph = True
    return stores


@pytest.fixture
def objects(ceph, tmp_path):
    """The bucket of the nodes of a test, by its own client."""
    return Store(tmp_path / "tool", ceph.urls[0], prefix=f"n/{own_prefix(tmp_path)}", timeout_s=60)


@pytest.fixture(scope="session")
def liar(tmp_path_factory):
    """A store that ignores conditions: s3rver."""
    server = HERE / "node_modules" / "s3rver" / "bin" / "s3rver.js"
    if not shutil.which("node") or not server.exists():
        pytest.fail("no Node.js, or no node_modules in tests/store: tests/run brings both")
    with open(tmp_path_factory.mktemp("liar-log") / "stderr", "wb") as log:
        process = subprocess.Popen(bound_to_parent("node", str(server), "-d", str(tmp_path_factory.mktemp("liar")), "-a", "127.0.0.1", "-p", "0", "--configure-bucket", "models"),
                                   stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        for line in process.stdout:
            if "listening on" in line:
                break
        yield f"http://127.0.0.1:{int(line.rsplit(':', 1)[1])}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
