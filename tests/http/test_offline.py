# SPDX-License-Identifier: Apache-2.0
"""mirror.offline needs nothing that a site without a way out may lack: no network, no DNS, no secrets, no clock. What is here is
served, what is not is 504 at once: were anything waited for, the patience that is configured here would outlast the test."""
import contextlib
import json
import os
import time
from pathlib import Path

import pytest
from support import cut_off, modules
from support.daemon import Daemon, binary, under_thread_sanitizer

SHIM = Path(binary()).parent / "tests" / "crash" / "misdated.so"
PATH = "/acme/half-plus-two/1"
COMPRESSED = "?tf-hub-format=compressed"
MODULE = modules.module(200_000)
YEAR_S = 365 * 24 * 3600
PATIENCE = {"retries": 20, "connect_timeout_s": 3600, "stall_timeout_s": 3600}
NAMED = {"url": "https://models.example/{path}?{query}"}
# What may be missing: a name server, an authority, a secret, an upstream at all.
UPSTREAMS = {
    "a name": NAMED,
    "an address": {"url": "http://192.0.2.1/{path}?{query}"},
    "no authorities": {**NAMED, "ca_file": "/nowhere/authorities.pem"},
    "no secret": {**NAMED, "bearer_token_file": "/nowhere/token"},
    "neither": {**NAMED, "ca_file": "/nowhere/authorities.pem", "bearer_token_file": "/nowhere/token"},
}


CLOCK = pytest.mark.skipif(not SHIM.exists() or under_thread_sanitizer(), reason=f"{SHIM} is not built")


def offline(folder, upstream, **mirror):
    return Daemon(folder, {"mirror": {**PATIENCE, "offline": "on", **mirror}, "upstream far": upstream})


def threads_of(larder):
    names = set()
    for path in Path(f"/proc/{larder.process.pid}/task").glob("*/comm"):
        with contextlib.suppress(OSError):  # it has ended
            names.add(path.read_text().strip())
    return names


def assert_serves(larder):
    """All that clients and people ask for, and nobody else is asked."""
    assert larder.get(PATH + COMPRESSED).body == MODULE
    assert larder.get(PATH).status == 200 and larder.get("/readyz").status == 200
    assert larder.get(f"{PATH.removesuffix('/1')}{COMPRESSED}").status in (200, 302)
    for number in range(3):
        miss = larder.get(f"/google/missing{number}/{number + 1}{COMPRESSED}")
        assert miss.status == 504 and json.loads(miss.body)["code"] == "offline", miss
    assert larder.metric("larder_upstream_requests_total") == 0
    names = threads_of(larder)
    assert "upstream" not in names and len(names) > 5, names


def assert_publishes(larder):
    body = modules.module(1000, seed=2)
    token = larder.larder("token", "create", "site", "--scope", "publish:*").stdout.strip()
    larder.publish("/acme/other/1", body, token=token)
    assert larder.get("/acme/other/1" + COMPRESSED).body == body


def published(start, name):
    """The folder of a daemon that has the module."""
    larder = start(name=name)
    larder.publish(PATH, MODULE)
    larder.stop()
    return larder.folder


@pytest.mark.parametrize("lacking", UPSTREAMS)
def test_needs_no_network_and_no_secrets(start, lacking):
    folder = published(start, "site")

    def site():
        larder = offline(folder, UPSTREAMS[lacking]).start()
        assert_serves(larder)
        assert_publishes(larder)
        larder.stop()

    cut_off.run(site)


def test_is_switched_on_by_the_command_line(start):
    folder = published(start, "site")

    def site():
        larder = offline(folder, UPSTREAMS["neither"], offline="off").start("--offline")
        assert_serves(larder)
        larder.stop()

    cut_off.run(site)


def put_wrong(years, environment):
    """A clock that is wrong from the next start on."""
    options = (os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0").lstrip(":")
    environment.update(MISDATED_S=str(years * YEAR_S), LD_PRELOAD=str(SHIM), ASAN_OPTIONS=options)


@CLOCK
@pytest.mark.parametrize("years", [-56, -20, -1, 1, 15, 60])
def test_needs_no_clock(start, years):
    """What was kept by a clock that was right is served by one that is wrong, and the other way round."""
    folder = published(start, "site")

    def site():
        put_wrong(years, os.environ)
        larder = offline(folder, UPSTREAMS["neither"]).start()
        assert abs(clock_of(larder) - time.gmtime().tm_year - years) <= 1
        assert_serves(larder)
        assert_publishes(larder)
        larder.stop()
        os.environ.pop("LD_PRELOAD")
        larder.start()
        assert_serves(larder)
        assert larder.get("/acme/other/1" + COMPRESSED).status == 200
        larder.stop()

    cut_off.run(site)


@CLOCK
@pytest.mark.parametrize("years, counts", [(-20, False), (-1, False), (0, True), (1, False)])
def test_what_is_remembered_for_a_minute_is_not_remembered_for_years(mirror, upstream, monkeypatch, years, counts):
    """That an upstream lacks it, noted before the clock was put right or wrong."""
    assert mirror.get("/google/late/1" + COMPRESSED).status == 404
    upstream.serve("/google/late/1", MODULE)
    mirror.stop()
    put_wrong(years, environment := {})
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    mirror.start()
    answer = mirror.get("/google/late/1" + COMPRESSED)
    assert answer.status == (404 if counts else 200), answer
    mirror.stop()
    monkeypatch.undo()
    mirror.start()


def clock_of(larder):
    """The year that it says it is."""
    return int(larder.get("/healthz").headers["Date"].split()[3])
