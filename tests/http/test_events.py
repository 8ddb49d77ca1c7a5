# SPDX-License-Identifier: Apache-2.0
"""What goes on, asked once and listened to: a listener sleeps, hears of every change, and holds nothing up."""
import json
import threading

import pytest
from support import modules
from support.client import Http
from support.daemon import assert_problem
from support.upstream import Answer
from support.waiting import wait_until

LISTENERS_MAX = 16  # of one client
PATH = "/acme/x/1"


class Listener:
    """Reads events one by one."""

    def __init__(self, larder, source=None):
        self.response = Http(larder.address, source).open("/api/v1/events")
        self.status = self.response.status

    def next(self):
        """The next activity; None at the end of the stream."""
        kind = None
        while line := self.response.readline():
            line = line.decode().rstrip("\n")
            if line.startswith("event: "):
                kind = line[len("event: "):]
            elif line.startswith("data: "):
                assert kind == "activity"
                return json.loads(line[len("data: "):])
        return None

    def until(self, condition):
        while (activity := self.next()) is not None:
            if condition(activity):
                return activity
        raise AssertionError("the stream ended")

    def close(self):
        self.response.close()


def test_activity_tells_what_goes_on(upstream, start):
    larder = start({"storage": {"max_bytes": "64M"}}, upstreams=[upstream.url])
    upstream.serve(PATH, modules.module(100_000))
    larder.publish("/acme/own/3", modules.module(seed=5))
    for _ in range(3):
        larder.get(PATH + "?tf-hub-format=compressed")
    larder.wait_for_idle()
    activity = larder.get("/api/v1/activity").json()
    assert (activity["hits"], activity["misses"]) == (2, 1) and abs(activity["hit_rate"] - 2 / 3) < 1e-6
    assert activity["disk"]["max_bytes"] == 64 << 20 and activity["disk"]["free_bytes"] > 0
    assert activity["disk"]["cached_bytes"] > 100_000 and activity["upstream_bytes_saved"] > 100_000
    assert activity["fills"] == [] and [fill["handle"] for fill in activity["ended_fills"]] == ["acme/x"]
    assert [(row["handle"], row["version"], row["source"], row["published_by"]) for row in activity["recent"]] == [
        ("acme/x", 1, "mirrored", None), ("acme/own", 3, "published", "ci-publish")]


def test_what_modules_save_is_not_counted_by_pages(upstream, start):
    larder = start(upstreams=[upstream.url])
    archive = modules.module(100_000)
    upstream.serve(PATH, archive)
    for _ in range(3):
        larder.get(PATH + "?tf-hub-format=compressed")
    wait_until(lambda: larder.get("/api/v1/activity").json()["sent_bytes"] == 3 * len(archive), "three downloads are counted")
    for accept in ("text/html", "*/*"):
        larder.get("/", accept=accept)
        larder.get(PATH, accept=accept)
    activity = larder.get("/api/v1/activity").json()
    assert activity["upstream_bytes_saved"] == activity["sent_bytes"] - activity["upstream_bytes"] == 2 * len(archive)
    stats = larder.get("/api/v1/stats").json()
    assert stats["saved_bytes"] == 2 * len(archive) and stats["sent_bytes"] > 3 * len(archive)


@pytest.mark.concurrent
def test_listener_hears_of_a_fill_while_it_runs(upstream, mirror):
    gate = threading.Event()
    upstream.serve(PATH, Answer(modules.module(3 << 20), gate=gate, gate_after=1 << 20))
    listener = Listener(mirror)
    assert listener.response.headers["Content-Type"] == "text/event-stream"
    assert listener.next()["fills"] == []
    mirror.request("POST", "/api/v1/fills", {"Content-Type": "application/json"},
                   json.dumps({"paths": [PATH]}).encode())
    running = listener.until(lambda now: now["fills"] and now["fills"][0]["bytes"] > 0)["fills"][0]
    assert running["handle"] == "acme/x" and running["total_bytes"] > 3 << 20
    gate.set()
    assert listener.until(lambda now: now["recent"])["recent"][0]["handle"] == "acme/x"
    listener.close()


@pytest.mark.concurrent
def test_listeners_are_bounded_and_hold_no_worker(start):
    larder = start({"server": {"workers": 2}})
    listeners = [Listener(larder) for _ in range(LISTENERS_MAX)]
    assert all(listener.next() for listener in listeners)
    refused = larder.get("/api/v1/events")
    assert_problem(refused, 503, "busy")
    others = [Listener(larder, f"127.0.0.{i}") for i in (2, 2, 3)]
    assert all(listener.next() for listener in others)
    listeners += others
    larder.publish("/acme/own/1", modules.module())
    for listener in listeners:
        listener.until(lambda now: now["recent"])
        listener.close()
    # The next words to clients that have gone find that out.
    larder.publish("/acme/own/2", modules.module(seed=2))
    larder.wait_for("larder_event_listeners", lambda value: value < LISTENERS_MAX)


@pytest.mark.concurrent
def test_listeners_do_not_hold_up_the_end(start):
    larder = start({"server": {"drain_timeout_s": 600}})
    listeners = [Listener(larder) for _ in range(5)]
    assert all(listener.next() for listener in listeners)
    larder.stop()
    for listener in listeners:
        while listener.next() is not None:
            pass


def test_listening_takes_http_1_1(larder):
    answer = larder.raw(b"GET /api/v1/events HTTP/1.0\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.") and b" 400 " in answer.split(b"\r\n", 1)[0]
    assert larder.head("/api/v1/events").status == 200
