# SPDX-License-Identifier: Apache-2.0
"""What the daemon writes to its log: levels, priorities for the journal, JSON, who asked."""
import json
import re
import socket
import subprocess

import pytest
from support import modules
from support.command_line import binary
from support.daemon import Daemon
from support.waiting import DEADLINE_S, wait_until

PRIORITIES = {"error": "3", "warn": "4", "notice": "5", "info": "6", "debug": "7"}


def requests(larder):
    """Those of a log in JSON, as far as it is written."""
    whole = larder.log().rpartition("\n")[0]
    return [event for event in map(json.loads, whole.splitlines()) if event["event"] == "request"]


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
    wait_until(lambda: len(requests(larder)) >= 2, lambda: f"both to be in the log: {larder.tail()}")
    clients = {event["path"]: event["client"] for event in requests(larder)}
    assert clients == {"/healthz": "127.0.0.1", "/healthz?second": "::1"}


# ---- behind proxies ---------------------------------------------------------------------------------------------------------

MODULE = modules.module(300)
INVENTED = {"X-Forwarded-For": "203.0.113.66", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "x.example",
            "Forwarded": 'for=203.0.113.99;proto=https;host="f.example"'}


@pytest.mark.parametrize("server, client, base", [
    ({"trusted_proxies": "127.0.0.1"}, "203.0.113.66", "https://x.example"),
    ({"trusted_proxies": "127.0.0.1", "proxy_header": "forwarded"}, "203.0.113.99", "https://f.example"),
    ({"trusted_proxies": "10.0.0.0/8"}, "127.0.0.1", None),
    ({}, "127.0.0.1", None),
], ids=["x-forwarded", "forwarded", "another", "none"])
def test_the_client_is_whom_a_trusted_proxy_tells_of(start, server, client, base):
    """An answer from the response cache, one of a worker, an upload, a refusal, and links in answers."""
    larder = start({"server": server, "log": {"format": "json"}})
    larder.publish("/acme/told/1", MODULE)
    paths = ["/acme/told/1?tf-hub-format=compressed"] * 3 + ["/api/v1/stats", "/acme/nothing/1?tf-hub-format=compressed"]
    for path in paths:
        larder.get(path, **INVENTED)
    assert larder.metric("larder_express_total") >= 1
    larder.request("PUT", "/acme/told/2", {**INVENTED, "Authorization": f"Bearer {larder.token('publish:*')}"}, MODULE)
    paths.append("/acme/told/2")

    def told():
        return sorted((event["path"], event["client"]) for event in requests(larder) if event["path"] in paths)

    wait_until(lambda: len(told()) >= len(paths), lambda: f"all to be in the log: {larder.tail()}")
    assert told() == sorted((path, client) for path in paths)
    links = larder.get("/api/v1/modules/acme/told/1", **INVENTED).body.decode()
    assert '"' + (base or "http://%s:%d" % larder.address) + "/acme/told/1" in links, links
