# SPDX-License-Identifier: Apache-2.0
"""The fixtures of tests/http and tests/crash."""
import contextlib
import fcntl
import functools
import itertools
import json
import os
import shutil
import subprocess

import pytest

from .daemon import ROOT, Daemon, binary, under_thread_sanitizer
from .secure import make_certificate
from .upstream import Upstream
from .waiting import DEADLINE_S
from . import modules

CATALOGUE = ROOT.parent / "shared/testdata/tfhub_catalog.tar.gz"


def made_once(tmp_path_factory, name, make):
    """A folder that make(folder) fills, whichever of pytest's processes needs it first."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            make(folder)
            (folder / "done").touch()
    return folder


@pytest.fixture(scope="session")
def blank(tmp_path_factory):
    """The folder of a daemon that has seen nothing yet but for its tokens. Making one is most of the work of a start."""
    def make(folder):
        daemon = Daemon(folder)
        tokens = {scope: daemon.token(scope) for scope in ("publish:*", "withdraw:*", "read", "admin")}
        (folder / "tokens").write_text(json.dumps(tokens))

    return made_once(tmp_path_factory, "blank", make)


@contextlib.contextmanager
def starting(folder, blank):
    """What starts daemons in this folder: start(settings, upstreams, name). Each is stopped in the end, which fails where one had to
    complain."""
    if not os.access(binary(), os.X_OK):
        pytest.fail(f"{binary()} is not there: run tests/run, or set LARDER_BINARY")
    daemons = []

    def start_daemon(settings=None, upstreams=(), name="larder"):
        daemon = Daemon(folder / name, settings, upstreams)
        daemons.append(daemon)
        if not daemon.data.exists():
            daemon.data.mkdir(mode=0o750)
            shutil.copy(blank / "data" / "larder.db", daemon.data)
            daemon.tokens = json.loads((blank / "tokens").read_text())
        return daemon.start()

    yield start_daemon
    faults = []
    for daemon in daemons:
        try:
            daemon.stop()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def start(tmp_path, blank):
    """Starts daemons for one test."""
    with starting(tmp_path, blank) as start_daemon:
        yield start_daemon


@pytest.fixture(scope="module")
def start_shared(tmp_path_factory, blank):
    """Starts daemons for all tests of a module: each of them uses names that no other does."""
    with starting(tmp_path_factory.mktemp("shared"), blank) as start_daemon:
        yield start_daemon


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A folder with cert.pem and key.pem."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def secured(start_daemon, certificate):
    """The same, with TLS."""
    def start_secure_daemon(settings=None, upstreams=(), name="larder"):
        merged = {section: dict(keys) for section, keys in (settings or {}).items()}
        merged.setdefault("server", {}).update(tls_certificate=certificate / "cert.pem", tls_key=certificate / "key.pem")
        return start_daemon(merged, upstreams, name)

    return start_secure_daemon


@pytest.fixture
def start_secure(start, certificate):
    """As start, with TLS."""
    return secured(start, certificate)


@pytest.fixture(scope="module", params=["plain", "tls"])
def start_shared_either(request, start_shared, certificate):
    """As start_shared, once without and once with TLS."""
    either = secured(start_shared, certificate) if request.param == "tls" else start_shared
    return functools.partial(either, name=request.param)


@pytest.fixture(params=["plain", "tls"])
def start_either(request, start, start_secure):
    """As start, once without and once with TLS."""
    return start_secure if request.param == "tls" else start


@pytest.fixture
def larder(start):
    """A daemon that no upstream is there for."""
    return start()


@pytest.fixture
def alone(start):
    """The same for one test, in a module whose others share theirs."""
    return start()


@pytest.fixture
def make_upstream():
    """Makes upstreams that go away with the test."""
    upstreams = []

    def make():
        upstreams.append(Upstream())
        return upstreams[-1]

    yield make
    for upstream in upstreams:
        upstream.stop()


@pytest.fixture
def upstream(make_upstream):
    return make_upstream()


@pytest.fixture
def mirror(upstream, start):
    """A daemon that mirrors `upstream`."""
    return start(upstreams=[upstream.url])


@pytest.fixture(scope="module")
def shared(start_shared):
    """A mirror, and its upstream, for tests that look at nothing but the module of their own `place` and have no transfer fail: of
    failures upstream's illness would be concluded. To start a daemon takes longer than to ask most of them."""
    upstream = Upstream()
    mirror = start_shared({"mirror": {"private_upstreams": "on"}}, [upstream.url], "shared")
    mirror.upstream = upstream
    yield mirror
    upstream.stop()


PLACES = itertools.count(1)


@pytest.fixture
def place():
    """The address of a module that no other test knows."""
    return f"/google/place-{next(PLACES)}/1"


@pytest.fixture(scope="session")
def big_module():
    """A module for stampedes: 64 MiB, less where each byte costs more."""
    return modules.module((8 if under_thread_sanitizer() else 64) << 20)


@pytest.fixture(scope="session")
def imported(tmp_path_factory):
    """A data folder with all documents of tfhub.dev, which take longer to import than most tests do to look at."""
    if not CATALOGUE.exists():
        pytest.skip(f"{CATALOGUE} is not there")

    def make(folder):
        subprocess.run([binary(), "import-docs", str(CATALOGUE), "--data", str(folder / "data")], check=True,
                       stdout=subprocess.DEVNULL, timeout=6 * DEADLINE_S)

    return made_once(tmp_path_factory, "imported", make) / "data"


@pytest.fixture
def start_with_catalogue(tmp_path, start, imported):
    """As start, with a copy of that folder."""
    def start_daemon(settings=None, upstreams=(), name="larder"):
        shutil.copytree(imported, tmp_path / name / "data")
        return start(settings, upstreams, name)

    return start_daemon
