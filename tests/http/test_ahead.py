# SPDX-License-Identifier: Apache-2.0
"""Clients are never far ahead of the inspection, so that the end comes as soon as the rest did. The inspection stands still in
here after its first 8 MiB, and bytes are counted."""
import functools
import http.client
import socket
import threading

import pytest
from support import modules
from support.client import Download
from support.daemon import Daemon
from support.stuck import Disk, needs_shim
from support.upstream import Answer
from support.waiting import wait_until

pytestmark = needs_shim

MiB = 1 << 20
# What the inspection has had, its lead at most, and what is on its way in buffers.
BOUND = 8 * MiB + 64 * MiB + 4 * MiB
PATH = "/google/large/1"


@functools.cache
def large(size=96):
    """Made where it is needed: every process of pytest has all files of tests."""
    return modules.module(size * MiB)


@pytest.fixture(name="disk")
def make_disk(tmp_path):
    disk = Disk(tmp_path)
    yield disk
    disk.let_go()


@pytest.fixture(name="larder")
def start_larder(tmp_path, disk, monkeypatch, upstream):
    daemon = Daemon(tmp_path / "larder", None, [upstream.url])
    for name, value in disk.environment().items():
        monkeypatch.setenv(name, value)
    daemon.start()
    daemon.token()
    yield daemon
    disk.let_go()
    daemon.stop()


def stands_still(look):
    """What it comes to when it has not grown for a hundred looks."""
    seen, same = -1, 0

    def again():
        nonlocal seen, same
        before, seen = seen, look()
        same = same + 1 if seen == before else 0
        return same > 100

    wait_until(again, lambda: f"an end of it; it is {seen}")
    return seen


class Reading:
    """A client that reads as fast as it can."""

    def __init__(self, larder):
        self.larder = larder
        self.download = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        self.download = Download(self.larder, PATH + ".tar.gz")
        self.download.read_to_end()

    def received(self):
        return self.download.received if self.download else 0

    def stalled_at(self):
        wait_until(lambda: self.received() >= MiB, "the first bytes")
        return stands_still(self.received)

    def assert_ends_well(self):
        self.thread.join()
        assert self.download.whole and self.download.digest() == modules.digest(large()), self.download.error


def assert_others_are_served(larder):
    assert larder.get("/healthz").status == 200
    small = modules.module(20_000, seed=3)
    larder.publish("/acme/beside/1", small)
    assert larder.get("/acme/beside/1.tar.gz").body == small


@pytest.mark.parametrize("chunked", [False, True], ids=["of a length", "in chunks"])
def test_an_upload_is_paused(larder, disk, chunked):
    disk.stick_writing()
    answers = []
    body = [large()[at:at + MiB] for at in range(0, len(large()), MiB)] if chunked else large()
    thread = threading.Thread(target=lambda: answers.append(larder.put("/acme/large/1", body)))
    thread.start()
    larder.wait_for("larder_received_bytes_total", 8 * MiB)
    received = stands_still(lambda: larder.metric("larder_received_bytes_total"))
    assert received < BOUND
    assert_others_are_served(larder)
    disk.let_go()
    thread.join()
    assert [answer.status for answer in answers] == [201]
    assert larder.get("/acme/large/1.tar.gz").body == large()


def test_a_paused_upload_can_be_left(larder, disk):
    disk.stick_writing()
    with socket.create_connection(larder.address) as connection:
        connection.sendall(f"PUT /acme/large/1 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {larder.token()}\r\n"
                           f"Content-Length: {len(large())}\r\n\r\n".encode())
        connection.settimeout(2)
        with pytest.raises(TimeoutError):
            connection.sendall(large())
    assert_others_are_served(larder)
    disk.let_go()
    larder.wait_for_idle()
    larder.wait_for_no_drafts()
    assert larder.get("/acme/large/1.tar.gz").status == 404


@pytest.mark.parametrize("size", [96, 32], ids=["paused", "waiting for its inspection"])
def test_a_server_that_ends_waits_for_no_paused_upload(larder, disk, size):
    disk.stick_writing()
    ends = []

    def put():
        try:
            ends.append(larder.put("/acme/large/1", large(size)).status)
        except (OSError, http.client.HTTPException) as error:
            ends.append(error)

    thread = threading.Thread(target=put)
    thread.start()
    larder.wait_for("larder_received_bytes_total", 8 * MiB)
    stands_still(lambda: larder.metric("larder_received_bytes_total"))

    def release():
        """Once its client has been left, so that what is left of it stands still yet."""
        wait_until(lambda: " path=/acme/large/1 " in larder.tail(), lambda: "the end of the upload")
        disk.let_go()

    stopper = threading.Thread(target=release)
    stopper.start()
    larder.stop()
    stopper.join()
    thread.join()
    larder.start()
    assert len(ends) == 1 and ends[0] != 201 and larder.get("/acme/large/1.tar.gz").status == 404


def test_clients_of_a_fill_are_not_far_ahead(larder, disk, upstream):
    upstream.serve(PATH, Answer(large(), etag='"v1"', ranges=True))
    disk.stick_writing()
    readers = [Reading(larder) for _ in range(3)]
    for reader in readers:
        assert reader.stalled_at() < BOUND
    # The transfer is not held up by it.
    larder.wait_for("larder_upstream_received_bytes_total", len(large()))
    assert_others_are_served(larder)
    disk.let_go()
    for reader in readers:
        reader.assert_ends_well()
    assert upstream.count(PATH) == 1


def test_what_an_earlier_process_left_comes_while_it_is_read_again(larder, disk, upstream):
    upstream.serve(PATH, Answer(large(), etag='"v1"', ranges=True, gate=threading.Event(), gate_after=90 * MiB),
                   Answer(large(), etag='"v1"', ranges=True))
    first = Reading(larder)
    larder.wait_for("larder_upstream_received_bytes_total", 88 * MiB)
    larder.wait_for("larder_fill_bookmarks_total", 1)
    larder.kill()
    first.thread.join()
    disk.stick_writing()
    larder.start()
    reader = Reading(larder)
    stalled = reader.stalled_at()
    assert MiB <= stalled < BOUND, "nothing came before all was read again, or all came"
    # Nor is the transfer of the rest held up by it.
    larder.wait_for("larder_upstream_received_bytes_total", 4 * MiB)
    disk.let_go()
    reader.assert_ends_well()
    assert upstream.sent_bytes < len(large()) + 20 * MiB
