# SPDX-License-Identifier: Apache-2.0
"""While a module arrives: one fetch for all, everyone streams, nobody gets the end before it is verified, and what breaks
is cut off."""
import hashlib
import threading
import time

import pytest
from support import modules
from support.client import Download, read_status
from support.daemon import assert_problem
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

PATH = "/google/big/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
HELD_BACK = 64 << 10
CLIENTS = 64
MODULE = modules.module(1 << 20)


class Crowd:
    """Clients that all download the same at once. `started` tells how many have so many bytes; all are then read to
    their end."""

    def __init__(self, larder, count, until):
        self.larder = larder
        self.until = until
        self.mutex = threading.Lock()  # guards the two below
        self.started = 0
        self.downloads = []
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self):
        download = Download(self.larder, COMPRESSED)
        reached = download.read_up_to(self.until)
        with self.mutex:
            self.started += reached
            self.downloads.append(download)
        download.read_to_end()

    def wait_for_started(self):
        wait_until(lambda: self.started == len(self.threads),
                   lambda: f"all {len(self.threads)} clients to have {self.until} bytes; {self.started} have")

    def join(self):
        end = time.monotonic() + 4 * DEADLINE_S
        for thread in self.threads:
            thread.join(max(0, end - time.monotonic()))
            assert not thread.is_alive(), "a client is still waiting for its bytes"
        return self.downloads


@pytest.mark.concurrent
def test_stampede_on_a_cold_module(upstream, mirror, big_module):
    gate = threading.Event()
    half = len(big_module) // 2
    upstream.serve(PATH, Answer(big_module, gate=gate, gate_after=half))
    crowd = Crowd(mirror, CLIENTS, half - HELD_BACK)
    crowd.wait_for_started()
    assert upstream.sent_bytes == half, "the clients streamed while upstream still had half of it"
    gate.set()
    downloads = crowd.join()
    expected = hashlib.sha256(big_module).hexdigest()
    assert [download.digest() for download in downloads] == [expected] * CLIENTS
    assert all(download.whole for download in downloads)
    assert upstream.count() == 1, upstream.counts()
    statuses = sorted(download.headers["Cache-Status"].replace(" ", "") for download in downloads)
    assert statuses.count("larder;fwd=miss;stored") == 1, statuses[-3:]
    assert statuses.count("larder;fwd=miss;collapsed") == CLIENTS - 1, statuses[:3]
    assert {download.headers.get("Transfer-Encoding") for download in downloads} == {"chunked"}
    assert mirror.blobs() and mirror.metric('larder_fills_total{event="started"}') == 1
    assert mirror.metric("larder_freight_total") == CLIENTS


@pytest.mark.concurrent
@pytest.mark.parametrize("cut", ["reset", "close"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_upstream_is_cut_midway_and_never_back(upstream, mirror, cut, chunked):
    gate = threading.Event()
    half = len(MODULE) // 2
    upstream.serve(PATH, Answer(MODULE, gate=gate, gate_after=half, cut_after=half, cut=cut, chunked=chunked), Answer(b"", 503))
    crowd = Crowd(mirror, CLIENTS, half - HELD_BACK)
    crowd.wait_for_started()
    gate.set()
    downloads = crowd.join()
    whole = [download for download in downloads if download.whole]
    assert not whole, f"{len(whole)} of {len(downloads)} clients took a part for the whole"
    assert max(download.received for download in downloads) <= half
    mirror.wait_for_idle()
    mirror.assert_nothing_kept()
    assert mirror.metric('larder_fills_total{event="failed"}') == 1


@pytest.mark.concurrent
def test_many_modules_at_once(upstream, mirror):
    contents = {f"/google/m{i}/1": modules.module(200_000, seed=i) for i in range(12)}
    for path, content in contents.items():
        upstream.serve(path, content)
    bodies = {}

    def fetch(number, path):
        bodies[number, path] = mirror.get(path + ".tar.gz").body

    threads = [threading.Thread(target=fetch, args=(number, path)) for path in contents for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wrong = [key for key, body in bodies.items() if body != contents[key[1]]]
    assert not wrong and len(bodies) == len(threads), wrong
    assert upstream.count() == len(contents), upstream.counts()


# ---- the last 64 KiB -------------------------------------------------------------------------------------------------

def test_last_bytes_are_held_back_until_all_is_verified(upstream, mirror):
    gate = threading.Event()
    upstream.serve(PATH, Answer(MODULE, gate=gate, gate_after=len(MODULE), chunked=True))
    download = Download(mirror, COMPRESSED)
    assert download.read_up_to(len(MODULE) - HELD_BACK - 1), download.error
    # Upstream has sent the last byte, but not the chunk that ends its answer.
    mirror.wait_for("larder_upstream_received_bytes_total", len(MODULE))
    assert mirror.metric("larder_fills_running") == 1
    gate.set()
    assert download.read_to_end() and download.digest() == modules.digest(MODULE)


@pytest.mark.concurrent
def test_module_that_is_wrong_at_its_very_end_never_completes(upstream, mirror):
    upstream.serve(PATH, modules.with_bad_crc(MODULE))
    crowd = Crowd(mirror, 16, 1)
    downloads = crowd.join()
    for download in downloads:
        assert not download.whole or download.status == 502, f"a client got {download.received} bytes as a whole"
        assert download.received <= len(MODULE) - HELD_BACK
    mirror.wait_for_idle()
    mirror.assert_nothing_kept()


def test_wrong_after_the_first_byte_is_a_reset(upstream, mirror):
    gate = threading.Event()
    upstream.serve(PATH, Answer(modules.with_bad_crc(MODULE), gate=gate, gate_after=len(MODULE) // 2))
    download = Download(mirror, COMPRESSED)
    assert download.status == 200 and download.read_up_to(1000)
    gate.set()
    assert not download.read_to_end()
    assert isinstance(download.error, ConnectionResetError) or "Incomplete" in type(download.error).__name__, download.error
    mirror.wait_for("larder_cut_total", 1)


def test_fewer_bytes_than_upstream_promised(upstream, mirror):
    upstream.serve(PATH, Answer(MODULE, declared_length=len(MODULE) + 1000), Answer(b"", 503))
    download = Download(mirror, COMPRESSED)
    assert not (download.read_to_end() and download.whole and download.status == 200)
    mirror.wait_for_idle()
    mirror.assert_nothing_kept()


def test_more_bytes_than_upstream_promised(upstream, mirror):
    # HTTP ends at the promised length: the archive is cut short.
    upstream.serve(PATH, Answer(MODULE, declared_length=len(MODULE) - 1000))
    download = Download(mirror, COMPRESSED)
    assert not (download.read_to_end() and download.whole and download.status == 200)
    mirror.wait_for_idle()
    mirror.assert_nothing_kept()


def test_failure_before_the_first_byte_is_an_honest_status(upstream, mirror):
    before = threading.Event()
    upstream.serve(PATH, Answer(b"", 500, before=before))
    replies = []
    threads = [threading.Thread(target=lambda: replies.append(mirror.get(COMPRESSED))) for _ in range(8)]
    for thread in threads:
        thread.start()
    mirror.wait_for("larder_fill_waiters", 8)
    before.set()
    for thread in threads:
        thread.join()
    for reply in replies:
        assert_problem(reply, 502, "upstream-failed")
    assert len(replies) == 8 and upstream.count() == 1


def test_stalled_upstream_ends_in_time(upstream, start):
    mirror = start({"mirror": {"stall_timeout_s": 1}}, [upstream.url])
    upstream.serve(PATH, Answer(MODULE, gate=threading.Event(), gate_after=len(MODULE) // 2), Answer(b"", 503))
    download = Download(mirror, COMPRESSED)
    assert not download.read_to_end() and not download.whole
    mirror.wait_for_idle()
    mirror.assert_nothing_kept()


def test_upstream_that_never_answers_is_unreachable(upstream, start):
    mirror = start({"mirror": {"stall_timeout_s": 1, "connect_timeout_s": 1}}, [upstream.url])
    upstream.serve(PATH, Answer(MODULE, before=threading.Event()))
    assert_problem(mirror.get(COMPRESSED), 504, "upstream-unreachable")


# ---- broken transfers are taken up -----------------------------------------------------------------------------------

@pytest.mark.concurrent
def test_broken_transfer_is_resumed(upstream, start):
    mirror = start({"mirror": {"retries": 3}}, [upstream.url])
    half = len(MODULE) // 2
    upstream.serve(PATH, Answer(MODULE, cut_after=half, etag='"v1"', ranges=True), Answer(MODULE, etag='"v1"', ranges=True))
    download = Download(mirror, COMPRESSED)
    assert download.read_to_end(), download.error
    assert download.digest() == modules.digest(MODULE)
    again = upstream.requests[1].headers
    assert again["range"].startswith("bytes=") and again["if-range"] == '"v1"', again
    assert upstream.sent_bytes < len(MODULE) * 3 // 2
    assert mirror.metric("larder_upstream_resumes_total") == 1


def test_bytes_that_changed_between_two_tries_are_never_mixed(upstream, start):
    mirror = start({"mirror": {"retries": 3}}, [upstream.url])
    other = modules.module(1 << 20, seed=9)
    half = len(MODULE) // 2
    upstream.serve(PATH, Answer(MODULE, cut_after=half, etag='"v1"', ranges=True), Answer(other, etag='"v2"', ranges=True))
    download = Download(mirror, COMPRESSED)
    download.read_to_end()
    assert not download.whole or download.digest() in (modules.digest(MODULE), modules.digest(other))
    mirror.wait_for_idle()
    assert set(mirror.blobs()) <= {modules.digest(MODULE), modules.digest(other)}


# ---- clients come and go ---------------------------------------------------------------------------------------------

def test_fill_outlives_its_clients(upstream, mirror):
    gate = threading.Event()
    upstream.serve(PATH, Answer(MODULE, gate=gate, gate_after=len(MODULE) // 2))
    download = Download(mirror, COMPRESSED)
    assert download.read_up_to(1000)
    download.close()
    gate.set()
    mirror.wait_for('larder_fills_total{event="kept"}', 1)
    assert mirror.get(COMPRESSED).body == MODULE
    assert upstream.count() == 1


def test_latecomers_get_it_from_the_start(upstream, mirror):
    gate = threading.Event()
    upstream.serve(PATH, Answer(MODULE, gate=gate, gate_after=len(MODULE) // 2))
    first = Download(mirror, COMPRESSED)
    assert first.read_up_to(len(MODULE) // 2 - HELD_BACK)
    late = Download(mirror, COMPRESSED)
    assert late.read_up_to(len(MODULE) // 2 - HELD_BACK)
    gate.set()
    for download in (first, late):
        assert download.read_to_end() and download.digest() == modules.digest(MODULE), download.error
    assert upstream.count() == 1


def test_slow_client_holds_nobody_up(upstream, mirror):
    upstream.serve(PATH, MODULE)
    slow = Download(mirror, COMPRESSED)
    assert mirror.get(COMPRESSED).body == MODULE
    assert slow.read_to_end() and slow.digest() == modules.digest(MODULE)


def test_http_1_0_client_waits_for_the_whole(upstream, mirror):
    gate = threading.Event()
    upstream.serve(PATH, Answer(MODULE, gate=gate, gate_after=len(MODULE) // 2))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(mirror.raw(f"GET {COMPRESSED} HTTP/1.0\r\n\r\n".encode())))
    thread.start()
    mirror.wait_for("larder_fill_waiters", 1)
    gate.set()
    thread.join()
    head, body = answers[0].split(b"\r\n\r\n", 1)
    assert read_status(answers[0]) == 200 and body == MODULE
    assert f"content-length: {len(MODULE)}".encode() in head.lower() and b"chunked" not in head.lower()


def test_range_while_it_arrives(upstream, mirror):
    gate = threading.Event()
    upstream.serve(PATH, Answer(MODULE, gate=gate, gate_after=len(MODULE) // 2))
    first = Download(mirror, COMPRESSED)
    assert first.read_up_to(1000)
    replies = []
    thread = threading.Thread(target=lambda: replies.append(mirror.get(COMPRESSED, range="bytes=500-999")))
    thread.start()
    gate.set()
    thread.join()
    assert first.read_to_end()
    assert (replies[0].status, replies[0].body) in ((206, MODULE[500:1000]), (200, MODULE))


def test_daemon_stops_with_a_fill_running(upstream, mirror):
    upstream.serve(PATH, Answer(MODULE, gate=threading.Event(), gate_after=len(MODULE) // 2))
    download = Download(mirror, COMPRESSED)
    assert download.read_up_to(1000)
    mirror.stop()
    assert not download.read_to_end() and not download.whole
    mirror.start()
    assert mirror.blobs() == []
