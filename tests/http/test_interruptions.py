# SPDX-License-Identifier: Apache-2.0
"""Commands of long work that are interrupted: each says what stays and how it goes on, and fails with status 1."""
import os
import signal
import socket
import subprocess

import pytest
from support import modules
from support.daemon import binary
from support.waiting import DEADLINE_S

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
# The command, and what it says stays.
HELD = {"pull": (["pull", "acme/x/1", "-o", "out"], ".part"), "pull to a folder": (["pull", "acme/x/1", "--unpack", "new"], ".part"),
        "pull away": (["pull", "acme/x/1", "-o", "-"], "of no use"), "prefetch": (["prefetch", "acme/x/1"], "larder fills"),
        "publish": (["publish", "x.tar.gz", "{server}/acme/x/1", "--token", "t"], "all of the version or nothing")}


@pytest.fixture
def silent():
    """A server that takes connections, and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_S)
        yield server


def begin(silent, folder, command, ignored=()):
    """The command, once it has come to its server."""
    def prepare():
        for number in NUMBERS:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    (folder / "x.tar.gz").write_bytes(modules.module(30_000, seed=6))
    server = f"http://127.0.0.1:{silent.getsockname()[1]}"
    process = subprocess.Popen([binary(), *(word.format(server=server) for word in HELD[command][0])], cwd=folder, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "LARDER_SERVER": server}, preexec_fn=prepare)
    connection, _ = silent.accept()
    return process, connection


@pytest.mark.parametrize("command", HELD)
def test_it_says_what_stays(silent, tmp_path, command):
    for number in NUMBERS:
        process, connection = begin(silent, tmp_path, command)
        with connection:
            process.send_signal(number)
            out, said = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 1 and out == "", (number, out)
        assert said.startswith("larder: interrupted: ") and HELD[command][1] in said and said.count("\n") == 1, said
        assert not (tmp_path / "out").exists() and not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", HELD)
def test_who_wants_it_to_go_on_has_it_go_on(silent, tmp_path, command):
    """nohup, and a shell that puts it into the background."""
    process, connection = begin(silent, tmp_path, command, ignored=[signal.SIGHUP, signal.SIGINT])
    with connection:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1 and said.count("interrupted") == 1
