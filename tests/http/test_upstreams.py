# SPDX-License-Identifier: Apache-2.0
"""Upstreams that fail, throttle, want a secret or must not be asked: each outcome of the interface, and what reaches whom."""
import contextlib
import http.client
import json
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
import time

import pytest
from support import modules
from support.client import Download, Http
from support.daemon import Daemon, assert_problem
from support.upstream import Answer, Raw, redirect
from support.waiting import wait_until

PATH = "/google/nnlm/2"
COMPRESSED = PATH + "?tf-hub-format=compressed"
MIB = 1 << 20
SMALL = modules.module(1000)
OTHER = modules.module(1000, seed=9)
MODULE = modules.module(MIB)


def url_of(number):
    return f"/google/m{number}/1.tar.gz"


def template(upstream):
    return upstream.url + "/{path}?{query}"


class Requests:
    """GETs at once, each on a thread of its own."""

    def __init__(self, larder, *urls):
        self.replies = {}
        self.threads = [threading.Thread(target=self.run, args=(larder, url), daemon=True) for url in urls]
        for thread in self.threads:
            thread.start()

    def run(self, larder, url):
        try:
            self.replies[url] = larder.get(url)
        except (OSError, http.client.HTTPException) as error:
            self.replies[url] = error

    def join(self):
        for thread in self.threads:
            thread.join()
        return self.replies


# ---- cool-downs ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_failures_in_a_row_begin_a_cool_down(upstream, mirror, status):
    for number in range(4):
        upstream.serve(f"/google/m{number}/1", Answer(b"", status))
    for number in range(3):
        assert_problem(mirror.get(url_of(number)), 502, "upstream-failed")
    reply = mirror.get(url_of(3))
    problem = assert_problem(reply, 504, "upstream-unreachable")
    assert "circuit breaker is open" in problem["detail"] and "test0" in problem["detail"], problem
    assert 1 <= int(reply.header("Retry-After")) <= 15
    assert_problem(mirror.get(url_of(3)), 504, "upstream-unreachable")
    assert mirror.head(url_of(3)).status == 504
    assert upstream.count() == 3 and upstream.count(method="HEAD") == 0
    assert mirror.metric("larder_upstream_cooldowns_total") == 1
    assert mirror.metric("larder_upstreams_cooling") == 1


def test_unreachable_begins_a_cool_down(upstream, mirror):
    upstream.stop()
    for number in range(3):
        assert_problem(mirror.get(url_of(number)), 504, "upstream-unreachable")
    assert "circuit breaker is open" in assert_problem(mirror.get(url_of(3)), 504, "upstream-unreachable")["detail"]


@pytest.mark.parametrize("status", [404, 410, 403, 401, 400])
def test_an_upstream_that_says_no_is_well(upstream, mirror, status):
    for number in range(8):
        upstream.serve(f"/google/m{number}/1", Answer(b"", status))
        mirror.get(url_of(number))
    assert upstream.count() == 8
    assert mirror.metric("larder_upstream_cooldowns_total") == 0


def test_success_in_between_ends_the_row(upstream, mirror):
    for number in range(8):
        upstream.serve(f"/google/m{number}/1", Answer(b"", 500) if number % 3 else Answer(SMALL))
        assert mirror.get(url_of(number)).status == (502 if number % 3 else 200)
    assert mirror.metric("larder_upstream_cooldowns_total") == 0


def test_another_upstream_is_asked_meanwhile(upstream, make_upstream, start):
    second = make_upstream()
    mirror = start(upstreams=[upstream.url, second.url])
    for number in range(6):
        upstream.serve(f"/google/m{number}/1", Answer(b"", 500))
        second.serve(f"/google/m{number}/1", SMALL)
        assert mirror.get(url_of(number)).body == SMALL
    assert (upstream.count(), second.count()) == (3, 6)


def test_absent_elsewhere_is_not_absent_while_one_cools_down(upstream, make_upstream, start):
    second = make_upstream()
    mirror = start(upstreams=[upstream.url, second.url])
    upstream.serve(PATH, Answer(b"", 503, headers={"Retry-After": "600"}))
    assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    assert_problem(mirror.get(COMPRESSED), 504, "upstream-unreachable")
    assert (upstream.count(), second.count()) == (1, 2)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(upstream, mirror, status):
    upstream.serve(PATH, Answer(b"", status, headers={"Retry-After": "1800"}), SMALL)
    assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    reply = mirror.get(COMPRESSED)
    assert_problem(reply, 504, "upstream-unreachable")
    assert 1700 < int(reply.header("Retry-After")) <= 1800
    assert upstream.count() == 1


def test_retry_after_is_believed_for_an_hour_only(upstream, mirror):
    upstream.serve(PATH, Answer(b"", 503, headers={"Retry-After": "9999999"}))
    mirror.get(COMPRESSED)
    assert 3500 < int(mirror.get(COMPRESSED).header("Retry-After")) <= 3600


@pytest.mark.concurrent
def test_one_probes_behind_a_cool_down_and_its_success_ends_it(upstream, mirror):
    before = threading.Event()
    upstream.serve(PATH, Answer(b"", 503, headers={"Retry-After": "1"}), Answer(SMALL, before=before))
    upstream.serve("/google/m0/1", SMALL)
    assert mirror.get(COMPRESSED).status == 502
    probes = []

    def probe():
        wait_until(lambda: probes.append(mirror.get(COMPRESSED)) or probes[-1].status != 504, "a probe to be let through")

    thread = threading.Thread(target=probe)
    thread.start()
    upstream.wait_for_requests(2)
    assert_problem(mirror.get(url_of(0)), 504, "upstream-unreachable")
    before.set()
    thread.join()
    assert probes[-1].body == SMALL
    assert mirror.get(url_of(0)).body == SMALL
    assert upstream.count() == 3 and mirror.metric("larder_upstreams_cooling") == 0


def test_a_probe_that_fails_begins_a_longer_cool_down(upstream, mirror):
    upstream.serve(PATH, Answer(b"", 503, headers={"Retry-After": "1"}), Answer(b"", 500))
    assert mirror.get(COMPRESSED).status == 502
    wait_until(lambda: mirror.get(COMPRESSED).status == 502, "a probe to be let through")
    assert 15 <= int(mirror.get(COMPRESSED).header("Retry-After")) <= 26
    assert upstream.count() == 2 and mirror.metric("larder_upstream_cooldowns_total") == 2


@pytest.mark.parametrize("end", [Daemon.stop, Daemon.kill])
def test_a_restart_does_not_end_a_cool_down(upstream, mirror, end):
    upstream.serve(PATH, Answer(b"", 429, headers={"Retry-After": "1800"}), SMALL)
    assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    for _ in range(2):
        end(mirror)
        mirror.start()
        reply = mirror.get(COMPRESSED)
        assert "circuit breaker is open" in assert_problem(reply, 504, "upstream-unreachable")["detail"]
        assert 1700 < int(reply.header("Retry-After")) <= 1800
    assert upstream.count() == 1
    assert mirror.metric("larder_upstreams_cooling") == 1 and mirror.metric("larder_upstream_cooldowns_total") == 0
    explained = mirror.get("/api/v1/explain?url=" + COMPRESSED.replace("?", "%3f")).json()
    assert explained["upstreams"][0]["cooling_until"], explained
    # Whoever changes what an upstream is need not wait.
    mirror.stop()
    mirror.configure(upstreams=[upstream.url + "/{handle}/{version}?{query}"])
    assert mirror.start().get(COMPRESSED).body == SMALL


def test_a_cool_down_that_has_ended_is_not_remembered(upstream, mirror):
    upstream.serve(PATH, Answer(b"", 503, headers={"Retry-After": "1"}), Answer(SMALL))
    assert mirror.get(COMPRESSED).status == 502
    wait_until(lambda: mirror.get(COMPRESSED).status == 200, "a probe to be let through")
    mirror.restart()
    assert mirror.metric("larder_upstreams_cooling") == 0


def test_a_fill_does_not_wait_for_the_end_of_a_cool_down(upstream, start):
    mirror = start({"mirror": {"retries": 100}}, [upstream.url])
    upstream.serve(PATH, Answer(b"", 429))
    problem = assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    assert "429" in problem["detail"]
    assert upstream.count() == 3


# What one path brings forth, and what a client is told of it. The upstream is well otherwise.
FAULTS_OF_ONE = {"500": (Answer(b"", 500), 502), "502": (Answer(b"", 502), 502), "503": (Answer(b"", 503), 502),
                 "no HTTP": (Raw(b"hello, this is no HTTP\r\n\r\n"), 502),
                 "bad status line": (Raw(b"HTTP/1.1 two hundred\r\n\r\n"), 502),
                 "bad field": (Raw(b"HTTP/1.1 200 OK\r\nthis is no field\r\n\r\n"), 502),
                 "bad Content-Length": (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), 502),
                 "half a head": (Raw(b"HTTP/1.1 200 OK\r\nContent-Ty"), 502),
                 "hangs up": (Raw(b""), 504),
                 "wrong bytes": (Answer(b"no module"), 502),
                 "broken archive": (Answer(modules.with_bad_crc(SMALL)), 502),
                 "206": (Answer(SMALL, 206), 502),
                 "absurd length": (Answer(b"", declared_length=(1 << 63) - 1), 502)}


@pytest.mark.parametrize("fault", FAULTS_OF_ONE)
def test_what_is_wrong_with_one_module_costs_no_other(upstream, mirror, fault):
    answer, status = FAULTS_OF_ONE[fault]
    upstream.serve(PATH, answer)
    upstream.serve("/google/m0/1", SMALL)
    for _ in range(5):
        assert_problem(mirror.get(COMPRESSED), status, "upstream-failed" if status == 502 else "upstream-unreachable")
    assert mirror.metric("larder_upstream_cooldowns_total") == 0
    assert mirror.get(url_of(0)).body == SMALL


def test_silence_for_several_modules_begins_a_cool_down(upstream, mirror):
    for number in range(3):
        upstream.serve(f"/google/m{number}/1", Raw(b""))
        assert_problem(mirror.get(url_of(number)), 504, "upstream-unreachable")
    assert mirror.metric("larder_upstream_cooldowns_total") == 1


@pytest.mark.parametrize("status", [502, 504, 507])
def test_a_larder_whose_own_upstream_fails_is_well(upstream, mirror, status):
    for number in range(5):
        upstream.serve(f"/google/m{number}/1", Answer(b"{}", status, "application/problem+json"))
        assert_problem(mirror.get(url_of(number)), 502, "upstream-failed")
    upstream.serve(PATH, SMALL)
    assert mirror.get(COMPRESSED).body == SMALL


def test_a_part_where_the_whole_was_asked_for_is_told(upstream, mirror):
    upstream.serve(PATH, Answer(SMALL, 206))
    assert "it answered 206, a part" in assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")["detail"]
    assert upstream.count() == 1


def test_a_head_passes_on_no_absurd_length(upstream, mirror):
    upstream.serve(PATH, Answer(b"", declared_length=(1 << 63) - 1))
    assert mirror.head(COMPRESSED).status == 502


# ---- throughput ------------------------------------------------------------------------------------------------------

def test_an_upstream_that_trickles_is_given_up(upstream, start):
    # Two tries take longer than it is tried anew, twice connect_timeout_s.
    mirror = start({"mirror": {"max_fills": 1, "retries": 1, "connect_timeout_s": 3, "stall_timeout_s": 4, "min_bytes_per_s": "1K"}}, [upstream.url])
    upstream.serve(PATH, Answer(MODULE, rate=100, etag='"v1"', ranges=True))
    upstream.serve("/google/m0/1", SMALL)
    slow = Requests(mirror, COMPRESSED)
    upstream.wait_for_requests(1)
    assert mirror.get(url_of(0)).body == SMALL, "the only place was held for ever"
    problem = assert_problem(slow.join()[COMPRESSED], 502, "upstream-failed")
    assert "less than 1" in problem["detail"] and "a second" in problem["detail"], problem
    assert upstream.count(PATH) == 2
    mirror.wait_for_idle()
    assert len(mirror.blobs()) == 1


def test_a_limit_of_our_own_is_no_trickle(upstream, start):
    module = modules.module(8 * MIB)
    mirror = start({"mirror": {"stall_timeout_s": 4, "min_bytes_per_s": "2M"},
                    "upstream slow": {"url": template(upstream), "rate_bytes_per_s": "1M"}})
    upstream.serve(PATH, module)
    assert mirror.get(COMPRESSED).body == module


# ---- turns -----------------------------------------------------------------------------------------------------------

@pytest.mark.concurrent
def test_no_more_transfers_at_once_than_max_connections(upstream, start):
    mirror = start({"upstream one": {"url": template(upstream), "max_connections": 2}})
    events = [threading.Event() for _ in range(6)]
    held = iter([Answer(SMALL, before=event) for event in events])
    take = upstream.take
    upstream.take = lambda seen: take(seen) and next(held)
    requests = Requests(mirror, *map(url_of, range(6)))
    mirror.wait_for("larder_fills_running", 6)
    for number, event in enumerate(events):
        upstream.wait_for_requests(min(number + 2, 6))
        assert upstream.count() == min(number + 2, 6)
        event.set()
    assert [reply.status for reply in requests.join().values()] == [200] * 6


def test_daemon_stops_with_fills_waiting_for_their_turn(upstream, start):
    mirror = start({"upstream one": {"url": template(upstream), "max_connections": 1}})
    for number in range(3):
        upstream.serve(f"/google/m{number}/1", Answer(SMALL, before=threading.Event()))
    requests = Requests(mirror, *map(url_of, range(3)))
    mirror.wait_for("larder_fills_running", 3)
    upstream.wait_for_requests(1)
    mirror.stop()
    # Whoever was not told in time was cut off.
    assert not [reply for reply in requests.join().values() if getattr(reply, "status", 503) != 503]
    assert upstream.count() == 1


def test_more_fills_than_may_wait_are_refused(upstream, start):
    mirror = start({"mirror": {"max_fills": 1}}, [upstream.url])
    before = threading.Event()
    for number in range(17):
        upstream.serve(f"/google/m{number}/1", Answer(SMALL, before=before))
    requests = [Requests(Http(mirror.address, f"127.0.0.{2 + i}"), *map(url_of, range(8 * i, 8 * i + 8))) for i in range(2)]
    mirror.wait_for("larder_fills_running", 16)
    reply = mirror.get(url_of(16))
    assert_problem(reply, 503, "busy")
    assert int(reply.header("Retry-After")) >= 1
    before.set()
    assert {reply.body for each in requests for reply in each.join().values()} == {SMALL}
    assert mirror.get(url_of(16)).body == SMALL


def test_waiting_for_a_turn_has_an_end(upstream, start):
    mirror = start({"mirror": {"max_fills": 1, "queue_timeout_s": 1}}, [upstream.url])
    before = threading.Event()
    upstream.serve(PATH, Answer(SMALL, before=before))
    upstream.serve("/google/m0/1", SMALL)
    first = Requests(mirror, COMPRESSED)
    upstream.wait_for_requests(1)
    reply = mirror.get(url_of(0))
    assert "turn" in assert_problem(reply, 503, "busy")["detail"] and int(reply.header("Retry-After")) >= 1
    assert upstream.count() == 1
    before.set()
    assert first.join()[COMPRESSED].body == SMALL
    assert mirror.get(url_of(0)).body == SMALL


def test_waiting_for_a_connection_has_an_end(upstream, start):
    mirror = start({"mirror": {"queue_timeout_s": 1}, "upstream one": {"url": template(upstream), "max_connections": 1}})
    before = threading.Event()
    upstream.serve(PATH, Answer(SMALL, before=before))
    first = Requests(mirror, COMPRESSED)
    upstream.wait_for_requests(1)
    assert_problem(mirror.get(url_of(0)), 503, "busy")
    before.set()
    assert first.join()[COMPRESSED].body == SMALL


def order(client, paths):
    """What becomes of fills that nobody waits for."""
    posted = client.request("POST", "/api/v1/fills", {"Content-Type": "application/json"}, json.dumps({"paths": paths}).encode())
    assert posted.status == 202, posted
    return posted.json()


@pytest.mark.concurrent
def test_what_is_fetched_in_advance_leaves_room_for_clients(upstream, start):
    mirror = start({"mirror": {"max_fills": 4}}, [upstream.url])
    before = threading.Event()
    paths = [f"google/m{number}/1" for number in range(12 * 4)]
    for path in paths:
        upstream.serve("/" + path, Answer(SMALL, before=before))
    upstream.serve(PATH, SMALL)
    clients = [Http(mirror.address, f"127.0.0.{2 + i}") for i in range(3)]
    for client, ordered in zip(clients, (paths[:36], paths[36:])):  # as many as one may have, and the rest
        assert not order(client, ordered)["refused"]
    upstream.wait_for_requests(3)
    assert mirror.get(COMPRESSED).body == SMALL, "a client waited behind what nobody waits for"
    assert upstream.count() == 4, "a quarter of the places is for clients"
    assert [refused["code"] for refused in order(clients[2], ["google/more/1"])["refused"]] == ["busy"]
    # A client that waits for one of them moves it up, and what it leaves goes to the next.
    late = Requests(mirror, url_of(40))
    upstream.wait_for_requests(1, "/google/m40/1")
    before.set()
    assert late.join()[url_of(40)].body == SMALL
    mirror.wait_for_idle()
    assert len(mirror.blobs()) == 1 and mirror.metric('larder_fills_total{event="kept"}') == 49


def test_rate_is_kept(upstream, start):
    mirror = start({"upstream slow": {"url": template(upstream), "rate_bytes_per_s": "256K"}})
    upstream.serve(PATH, MODULE)
    began = time.monotonic()
    assert mirror.get(COMPRESSED).body == MODULE
    # Up to three seconds' worth may come at once.
    assert time.monotonic() - began > 0.9, "1 MiB came much faster than 256 KiB a second"


def test_connections_are_reused(upstream, mirror):
    accepted = []
    accept = upstream.server.get_request
    upstream.server.get_request = lambda: accepted.append(accept()) or accepted[-1]
    for number in range(5):
        upstream.serve(f"/google/m{number}/1", SMALL)
        assert mirror.get(url_of(number)).status == 200
    assert upstream.count() == 5 and len(accepted) == 1


# ---- truth -----------------------------------------------------------------------------------------------------------

def lose_blob(mirror):
    """As if it had been evicted."""
    mirror.wait_for_idle()
    blob, = (mirror.data / "blobs").rglob(mirror.blobs()[0])
    blob.unlink()


def test_other_bytes_than_recorded_are_quarantined(upstream, start):
    mirror = start({"mirror": {"negative_ttl_s": 0}}, [upstream.url])
    upstream.serve(PATH, SMALL)
    assert mirror.get(COMPRESSED).body == SMALL
    lose_blob(mirror)
    upstream.serve(PATH, OTHER)
    assert_problem(mirror.get(COMPRESSED), 451, "quarantined")
    assert mirror.metric("larder_quarantined_total") == 1
    line, = (line for line in mirror.log().splitlines() if "upstream changed the bytes" in line)
    assert "error" in line.lower() and PATH[1:] in line, line
    assert mirror.blobs() == [], "the new bytes were kept"
    artifact = mirror.get("/api/v1/modules" + PATH).json()["artifacts"][0]
    assert artifact["digest"] == "sha256:" + modules.digest(SMALL)
    upstream.serve(PATH, SMALL)
    assert mirror.get(COMPRESSED).body == SMALL, "ours stay what is right"


def test_other_bytes_cost_upstream_one_fetch(upstream, mirror):
    upstream.serve(PATH, SMALL)
    assert mirror.get(COMPRESSED).body == SMALL
    lose_blob(mirror)
    upstream.serve(PATH, OTHER)
    assert_problem(mirror.get(COMPRESSED), 451, "quarantined")
    for _ in range(3):
        reply = mirror.get(COMPRESSED)
        assert_problem(reply, 451, "quarantined")
        assert 1 <= int(reply.header("Retry-After")) <= 600
    mirror.restart()
    assert_problem(mirror.get(COMPRESSED), 451, "quarantined")
    assert upstream.count() == 2 and upstream.count(method="HEAD") == 0
    explained = mirror.get("/api/v1/explain?url=" + COMPRESSED.replace("?", "%3F")).json()
    assert explained["quarantine"]["until"] and explained["answer"]["code"] == "quarantined", explained
    assert explained["answer"]["status"] == 451 and explained["negative"] is None
    # Ours are right, from wherever they come.
    mirror.publish(COMPRESSED, SMALL)
    assert mirror.get(COMPRESSED).body == SMALL


def test_other_bytes_are_looked_at_again_in_time(upstream, start):
    mirror = start({"mirror": {"negative_ttl_s": 1}}, [upstream.url])
    upstream.serve(PATH, SMALL)
    assert mirror.get(COMPRESSED).body == SMALL
    lose_blob(mirror)
    upstream.serve(PATH, OTHER, SMALL)
    assert_problem(mirror.get(COMPRESSED), 451, "quarantined")
    wait_until(lambda: mirror.get(COMPRESSED).body == SMALL, "upstream to be asked again")


def test_other_bytes_never_reach_a_client_whole(upstream, mirror):
    other = modules.module(MIB, seed=3)
    upstream.serve(PATH, MODULE)
    assert mirror.get(COMPRESSED).body == MODULE
    lose_blob(mirror)
    upstream.serve(PATH, other)
    download = Download(mirror, COMPRESSED)
    download.read_to_end()
    assert not download.whole or download.status == 451
    assert download.received < len(other)
    mirror.wait_for("larder_quarantined_total", 1)


# ---- not a packet ----------------------------------------------------------------------------------------------------

@pytest.fixture
def ear():
    """A port that tells who knocked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def assert_nobody_knocked(listener):
    with pytest.raises(BlockingIOError):
        listener.accept()


def url_at(listener):
    return "http://127.0.0.1:%d" % listener.getsockname()[1]


def assert_offline(mirror):
    assert_problem(mirror.get(COMPRESSED), 504, "offline")
    assert mirror.head(COMPRESSED).status == 504
    assert mirror.metric("larder_upstream_requests_total") == 0


def test_offline_by_configuration(ear, start):
    mirror = start({"mirror": {"offline": "on"}}, [url_at(ear)])
    assert_offline(mirror)
    assert_nobody_knocked(ear)


def test_offline_by_signal_and_back(upstream, ear, start):
    mirror = start(upstreams=[url_at(ear)])
    mirror.publish("/acme/x/1", SMALL)
    mirror.configure({"mirror": {"offline": "on"}}, [url_at(ear)])
    mirror.process.send_signal(signal.SIGHUP)
    wait_until(lambda: mirror.get("/api/v1/explain?url=" + PATH).json()["offline"], "offline to be on")
    assert_offline(mirror)
    assert mirror.get("/acme/x/1.tar.gz").body == SMALL
    assert_nobody_knocked(ear)


def test_offline_by_flag(ear, start):
    mirror = start(upstreams=[url_at(ear)])
    mirror.stop()
    mirror.start("--offline")
    assert_offline(mirror)
    assert_nobody_knocked(ear)


@pytest.mark.parametrize("rules", [{"deny": "google/*"}, {"allow": "acme/*"}, {"allow": "google/*", "deny": "google/nn*"}])
def test_blocked_before_anything_is_asked(ear, start, rules):
    mirror = start({"mirror": rules}, [url_at(ear)])
    assert_problem(mirror.get(COMPRESSED), 403, "blocked-by-policy")
    assert mirror.head(COMPRESSED).status == 403
    assert_nobody_knocked(ear)


def test_formats_decide_who_is_asked(upstream, make_upstream, start):
    second = make_upstream()
    mirror = start({"upstream lite": {"url": template(upstream), "formats": "tflite"},
                    "upstream hub": {"url": template(second)}})
    second.serve(PATH, SMALL)
    assert mirror.get(COMPRESSED).body == SMALL
    assert (upstream.count(), second.count()) == (0, 1)


# ---- what an upstream says of its failure ---------------------------------------------------------------------------

def problem(detail, status=504, **more):
    return Answer(json.dumps({"type": "urn:x", "status": status, "detail": detail}).encode(), status, "application/problem+json",
                  **more)


def test_the_reason_comes_through_a_chain_of_larders(upstream, start):
    first = start({"upstream origin": {"url": template(upstream)}}, name="first")
    second = start({"upstream first": {"url": first.url + "/{path}?{query}"}}, name="second")
    upstream.serve(PATH, Answer(b"", 500))
    reply = second.get(COMPRESSED)
    detail = assert_problem(reply, 502, "upstream-failed")["detail"]
    assert detail == 'upstream first: it answered 502, saying "upstream origin: it answered 500"'
    assert f"why={json.dumps(detail)}" in second.log()
    upstream.stop()
    detail = assert_problem(second.get(url_of(1)), 502, "upstream-failed")["detail"]
    assert detail.startswith('upstream first: it answered 504, saying "upstream origin: ') and "connect" in detail, detail


@pytest.mark.parametrize("status", [400, 403, 429, 451, 500, 503])
def test_the_reason_is_told_for_any_refusal(upstream, mirror, status):
    upstream.serve(PATH, problem("come back\r\ntomorrow", status, chunked=True))
    detail = assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")["detail"]
    assert detail == f'upstream test0: it answered {status}, saying "come back tomorrow"'


@pytest.mark.parametrize("answer", [
    Answer(b'{"detail": "told"}', 504, "application/json"), problem("told" * 5000), problem("told" * 5000, chunked=True),
    problem("told", declared_length=1000, cut_after=10), problem("told", headers={"Content-Encoding": "br"}),
    Answer(b"[" * 16384, 504, "application/problem+json"), Answer(b"told", 504, "application/problem+json")])
def test_what_is_no_reason_is_not_told(upstream, mirror, answer):
    upstream.serve(PATH, answer)
    assert assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")["detail"] == "upstream test0: it answered 504"
    assert "told" not in mirror.log()


def test_a_reason_that_trickles_is_not_waited_for(upstream, start):
    mirror = start({"mirror": {"stall_timeout_s": 1}}, [upstream.url])
    upstream.serve(PATH, problem("told", gate=threading.Event(), gate_after=5))
    assert assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")["detail"] == "upstream test0: it answered 504"


def test_our_credentials_are_not_told_by_others(upstream, start, tmp_path):
    (tmp_path / "token").write_text("t0p-secret\n")
    host = upstream.url.removeprefix("http://")
    mirror = start({"upstream ours": {"url": f"http://ci:pass-word@{host}/-/t/tok3n-1/{{path}}?sig=abcd-1&{{query}}",
                                      "bearer_token_file": tmp_path / "token"}})
    secrets = ["Bearer t0p-secret", f"http://ci:pass-word@{host}/", "/-/t/tok3n-1/google/nnlm/2", "?sig=abcd-1"]
    for number, secret in enumerate(secrets):
        upstream.serve(f"/-/t/tok3n-1/google/m{number}/1", problem(f"no access by {secret.replace(PATH, f'/google/m{number}/1')}", 403))
        detail = assert_problem(mirror.get(url_of(number)), 502, "upstream-failed")["detail"]
        assert detail == "upstream ours: it answered 403"
    assert not any(secret in mirror.log() for secret in ("t0p-secret", "pass-word", "tok3n-1", "abcd-1"))


def test_a_reason_is_escaped_on_pages(upstream, mirror):
    upstream.serve(PATH, problem("</td><script>alert(1)</script>"))
    assert mirror.get(COMPRESSED).status == 502
    mirror.wait_for_idle()  # the client is told before the list is
    page = mirror.get("/-/activity", accept="text/html").body.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "<script>alert" not in page


# ---- loops -----------------------------------------------------------------------------------------------------------

@pytest.mark.concurrent
def test_two_larders_that_point_at_each_other(start):
    first = start({"mirror": {"retries": 2}}, name="first")
    second = start({"mirror": {"retries": 2}}, [first.url], name="second")
    first.stop()
    first.configure({"mirror": {"retries": 2}}, [second.url])
    first.start()
    problem = assert_problem(first.get(COMPRESSED), 508, "loop-detected")
    assert "upstream" in problem["detail"]
    assert first.metric("larder_upstream_requests_total") == 1, "a loop was asked again"
    assert first.metric("larder_upstream_cooldowns_total") == 0
    second.publish(PATH, SMALL)
    assert first.get(COMPRESSED).body == SMALL


# ---- secrets, certificates, proxies ----------------------------------------------------------------------------------

def test_token_is_sent_and_read_anew(upstream, start, tmp_path):
    file = tmp_path / "token"
    file.write_text("first-secret\n")
    mirror = start({"upstream ours": {"url": template(upstream), "bearer_token_file": file}})
    for number, secret in enumerate(("first-secret", "second-secret")):
        file.write_text(secret + "\n")
        upstream.serve(f"/google/m{number}/1", SMALL)
        assert mirror.get(url_of(number)).body == SMALL
        assert upstream.requests[-1].headers["authorization"] == f"Bearer {secret}"
    assert "secret" not in mirror.log()


def test_token_does_not_follow_a_redirect_to_another_server(upstream, make_upstream, start, tmp_path):
    elsewhere = make_upstream()
    (tmp_path / "token").write_text("secret")
    mirror = start({"mirror": {"private_upstreams": "on"},
                    "upstream ours": {"url": template(upstream), "bearer_token_file": tmp_path / "token"}})
    upstream.serve(PATH, redirect(elsewhere.url + "/blob"))
    elsewhere.serve("/blob", SMALL)
    assert mirror.get(COMPRESSED).body == SMALL
    assert upstream.requests[0].headers["authorization"] == "Bearer secret"
    assert "authorization" not in elsewhere.requests[0].headers


def test_token_that_cannot_be_read_is_told(upstream, start, tmp_path):
    (tmp_path / "token").write_text("secret")
    mirror = start({"upstream ours": {"url": template(upstream), "bearer_token_file": tmp_path / "token"}})
    (tmp_path / "token").unlink()
    assert "bearer_token_file" in assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")["detail"]
    assert upstream.count() == 0


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority of our own (ca.pem), and a server's certificate by it (server.pem, server.key)."""
    folder = tmp_path_factory.mktemp("authority")
    elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(folder, "req", "-x509", *elliptic, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Test CA")
    openssl(folder, "req", *elliptic, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=upstream")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", "names", "-out", "server.pem")
    return folder


@pytest.fixture
def secure_upstream(upstream, authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    upstream.server.socket = context.wrap_socket(upstream.server.socket, server_side=True)
    upstream.url = upstream.url.replace("http:", "https:")
    upstream.serve(PATH, SMALL)
    return upstream


def test_authority_of_our_own(secure_upstream, authority, start):
    mirror = start({"upstream tls": {"url": template(secure_upstream), "ca_file": authority / "ca.pem"}})
    assert mirror.get(COMPRESSED).body == SMALL


def test_certificate_by_a_stranger_is_refused(secure_upstream, start):
    mirror = start({"upstream tls": {"url": template(secure_upstream)}})
    problem = assert_problem(mirror.get(COMPRESSED), 504, "upstream-unreachable")
    assert "certificate" in problem["detail"].lower(), problem
    assert secure_upstream.count() == 0


class Tunnels(socketserver.ThreadingTCPServer):
    """A proxy that opens tunnels (CONNECT), all to one place, and remembers who was asked for."""
    daemon_threads = True

    def __init__(self, target):
        super().__init__(("127.0.0.1", 0), Tunnel)
        self.target = target
        self.asked = []


class Tunnel(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.asked.append(self.rfile.readline().decode().split()[:2])
        while self.rfile.readline().strip():
            pass
        with socket.create_connection(self.server.target) as far:
            self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            threading.Thread(target=self.copy, args=(far, self.connection), daemon=True).start()
            self.copy(self.connection, far)

    @staticmethod
    def copy(source, sink):
        with contextlib.suppress(OSError):
            while block := source.recv(1 << 16):
                sink.sendall(block)
            sink.shutdown(socket.SHUT_WR)


def test_secure_proxy_of_the_environment(secure_upstream, authority, start, monkeypatch):
    with Tunnels(("127.0.0.1", secure_upstream.port)) as tunnels:
        threading.Thread(target=tunnels.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:%d" % tunnels.server_address[1])
        monkeypatch.setenv("no_proxy", "near.example")
        mirror = start({"upstream far": {"url": "https://localhost:443/{path}?{query}", "ca_file": authority / "ca.pem"}})
        assert mirror.get(COMPRESSED).body == SMALL
        assert tunnels.asked == [["CONNECT", "localhost:443"]]
        mirror.stop()
        tunnels.shutdown()


def test_proxy_of_the_environment(upstream, start, monkeypatch):
    monkeypatch.setenv("http_proxy", upstream.url)
    monkeypatch.delenv("no_proxy", raising=False)
    mirror = start({"upstream far": {"url": "http://models.example/{path}?{query}"}})
    upstream.serve(PATH, SMALL)
    assert mirror.get(COMPRESSED).body == SMALL
    assert upstream.requests[0].headers["host"] == "models.example"
