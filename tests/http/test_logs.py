# SPDX-License-Identifier: Apache-2.0
"""What the daemon writes to its log: levels, priorities for the journal, JSON, who asked."""
import json
import re
import socket
import subprocess

import pytest
from support.command_line import binary
from support.daemon import Daemon
from support.waiting import DEADLINE_S, wait_until

PRIORITIES = {"error": "3", "warn": "4", "notice": "5", "info": "6", "debug": "7"}


def requests(larder, count):
    """The first so many requests of a log in JSON."""
    def told():
        whole = larder.log().rpartition("\n")[0]
        return [event for event in map(json.loads, whole.splitlines()) if event["event"] == "request"]

    wait_until(lambda: len(told()) >= count, lambda: f"{count} requests to be in the log: {larder.tail()}")
    return told()[:count]


@pytest.fixture
def journaled(tmp_path, monkeypatch):
    """journaled(own, format): the lines of a daemon whose standard error is what JOURNAL_STREAM names, or is not; it has answered
    a page that is there and one that is not, and has ended."""

    def run(own, form):
        daemon = Daemon(tmp_path / "larder", {"log": {"level": "debug", "format": form}})
        daemon.log_path.touch()
        status = daemon.log_path.stat()
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino + (0 if own else 1)}")
        daemon.start()
        assert (daemon.get("/healthz").status, daemon.get("/nothing/1/2/3/4").status) == (200, 404)
        daemon.stop()
        return daemon.log().splitlines()

    return run


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_journal_is_told_priorities(journaled, form):
    seen = {}
    for line in journaled(True, form):
        found = re.fullmatch(r"<([3-7])>(.*)", line)
        assert found, line
        level = json.loads(found[2])["level"] if form == "json" else found[2].split()[1]
        assert PRIORITIES[level] == found[1], line
        seen[level] = line
    assert {"notice", "info"} <= set(seen), seen


def test_what_only_inherits_the_journals_name_is_told_none(journaled):
    lines = journaled(False, "text")
    assert lines and not [line for line in lines if line.startswith("<")], lines


def test_every_line_is_json_where_json_is_asked_for(journaled):
    events = [json.loads(line) for line in journaled(False, "json")]
    assert all({"time", "level", "event"} <= set(event) for event in events), events
    names = [event["event"] for event in events]
    assert "listening" in names and "stopping" in names and "request" in names, names


@pytest.mark.parametrize("faults", ["[server]\nlisten = nowhere\n", "[nonsense]\n", "[server]\ntls_certificate = /missing\ntls_key = /missing\n",
                                    "[storage]\ndata_dir = /dev/null/x\n"],
                         ids=["address", "section", "file", "folder"])
def test_faults_are_json_too(tmp_path, faults):
    config = tmp_path / "larder.ini"
    config.write_text(faults + "[log]\nformat = json\n")
    done = subprocess.run([binary(), "serve", "--config", str(config)], capture_output=True, text=True, timeout=DEADLINE_S)
    lines = done.stderr.splitlines()
    assert done.returncode != 0 and lines, done
    assert {json.loads(line)["level"] for line in lines} <= {"error", "warn"}, done.stderr
    # Whoever only looks for faults reads them himself.
    checked = subprocess.run([binary(), "serve", "--check", "--config", str(config)], capture_output=True, text=True, timeout=DEADLINE_S)
    assert not checked.stderr.startswith("{"), checked.stderr


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_an_address_is_written_as_what_it_is(start):
    larder = start({"server": {"listen": "[::]:0"}, "log": {"format": "json"}})
    port = larder.address[1]
    for address, path in [("127.0.0.1", "/healthz"), ("[::1]", "/healthz?second")]:
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", "-g", f"http://{address}:{port}{path}"], capture_output=True, timeout=DEADLINE_S)
        assert done.returncode == 0, done
    clients = {event["path"]: event["client"] for event in requests(larder, 2)}
    assert clients == {"/healthz": "127.0.0.1", "/healthz?second": "::1"}
