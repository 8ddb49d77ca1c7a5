# SPDX-License-Identifier: Apache-2.0
"""The fixtures of tests/http and tests/crash."""
import os

import pytest

from .daemon import Daemon, binary, under_thread_sanitizer
from .upstream import Upstream
from . import modules


@pytest.fixture
def start(tmp_path):
    """Starts daemons: start(settings, upstreams, name). Each is stopped after the test, which fails where one had to
    complain."""
    if not os.access(binary(), os.X_OK):
        pytest.fail(f"{binary()} is not there: run tests/run, or set LARDER_BINARY")
    daemons = []

    def start_daemon(settings=None, upstreams=(), name="larder"):
        daemon = Daemon(tmp_path / name, settings, upstreams)
        daemons.append(daemon)
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
def larder(start):
    """A daemon that no upstream is there for."""
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


@pytest.fixture(scope="session")
def big_module():
    """A module for stampedes: 64 MiB, less where each byte costs more."""
    return modules.module((8 if under_thread_sanitizer() else 64) << 20)
