# SPDX-License-Identifier: Apache-2.0
"""Archives whose files are asked for are unpacked in turn: nobody waits for all that another client has asked for."""
import concurrent.futures
import contextlib
import hashlib
import re

import pytest
from support import modules
from support.client import Http
from support.daemon import Daemon
from support.stuck import Disk, needs_shim
from support.waiting import wait_until
from test_strangers import asking, reset

pytestmark = needs_shim

STRANGER, HONEST, ANOTHER = "127.0.0.9", "127.0.0.2", "127.0.0.3"
WORKERS = 8
PLACES = 6  # a quarter of the workers is left to the ends of uploads,
A_CLIENTS = 5  # … and a quarter of the places to other clients


@pytest.fixture(name="disk")
def make_disk(tmp_path):
    disk = Disk(tmp_path)
    yield disk
    disk.let_go()


@pytest.fixture(name="begin")
def make_begin(tmp_path, disk, monkeypatch):
    """Starts a daemon of so many workers that has so many archives, none of them unpacked, on a disk that is stuck."""
    daemons = []

    def begin(workers, archives):
        daemon = Daemon(tmp_path / "larder", {"server": {"workers": workers, "drain_timeout_s": 0}})
        for name, value in disk.environment().items():
            monkeypatch.setenv(name, value)
        daemon.start()
        daemons.append(daemon)
        daemon.token()
        for number in range(archives):
            daemon.publish(f"/acme/script/{number + 1}?tfjs-format=compressed", module(number))
        disk.stick()
        return daemon

    yield begin
    disk.let_go()
    for daemon in daemons:
        daemon.stop()


def module(number):
    return modules.tfjs_module(shards=number + 1)


def asks(source, *numbers):
    return [(source, "GET", f"/acme/script/{number + 1}/model.json?tfjs-format=file") for number in numbers]


def unpacked(disk):
    """The numbers of the archives whose files have come to the disk, in their order; and those of what waits for it."""
    digests = {hashlib.sha256(module(number)).hexdigest(): number for number in range(30)}
    found = [re.match(r"(\+?).*/unpacked/([0-9a-f]{64})", line) for line in disk.lines()]
    order = [digests[match[2]] for match in found if match]
    return list(dict.fromkeys(order))


def test_one_who_asks_for_many_archives_waits_alone(begin, disk):
    larder = begin(WORKERS, 20)
    with asking(larder, asks(STRANGER, *range(17))) as theirs:
        larder.wait_for("larder_unpackings_waiting", 17 - A_CLIENTS)
        with asking(larder, asks(HONEST, 18)) as ours:
            wait_until(lambda: 18 in unpacked(disk), lambda: f"ours begins: {disk.lines()}")
            wait_until(lambda: len(unpacked(disk)) == PLACES, lambda: f"all that have a place: {disk.lines()}")
            assert larder.metric("larder_unpackings_waiting") == 17 - A_CLIENTS
            # And the end of an upload finds a worker.
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                upload = pool.submit(larder.put, "/acme/late/1", modules.module(seed=5))
                wait_until(lambda: any("/unpacked/" not in line for line in disk.lines()), "the upload comes to the disk")
                disk.let_go()
                assert upload.result().status == 201
    assert set(theirs) == {200} and ours == [200]
    larder.wait_for_at_most("larder_unpackings_waiting", 0, "an empty line")


# Who comes behind four of the stranger's, and whose turn it is then.
LATE = {"one": ([HONEST], [HONEST, STRANGER, STRANGER, STRANGER, STRANGER]),
        "two": ([HONEST, ANOTHER], [HONEST, ANOTHER, STRANGER, STRANGER, STRANGER, STRANGER]),
        "one with two": ([ANOTHER, HONEST, HONEST], [ANOTHER, HONEST, STRANGER, HONEST, STRANGER, STRANGER, STRANGER])}


@pytest.mark.parametrize("name", LATE)
def test_who_has_waited_longest_for_a_turn_is_next(begin, disk, name):
    late, order = LATE[name]
    larder = begin(1, 12)
    with asking(larder, asks(STRANGER, 0)) as first:
        wait_until(lambda: unpacked(disk) == [0], lambda: str(disk.lines()))
        with asking(larder, asks(STRANGER, 1, 2, 3, 4)) as theirs:
            larder.wait_for("larder_unpackings_waiting", 4)
            with contextlib.ExitStack() as stack:
                ours = []
                for i, source in enumerate(late, 5):
                    ours.append(stack.enter_context(asking(larder, asks(source, i))))
                    larder.wait_for("larder_unpackings_waiting", i)
                disk.let_go()
    assert {*first, *theirs, *(status for statuses in ours for status in statuses)} == {200}
    assert [STRANGER if number < 5 else late[number - 5] for number in unpacked(disk)] == [STRANGER, *order]


def test_who_hangs_up_leaves_the_line(begin, disk):
    larder = begin(1, 8)
    with asking(larder, asks(STRANGER, 0)) as first:
        wait_until(lambda: unpacked(disk) == [0], lambda: str(disk.lines()))
        gone = [Http(larder.address, STRANGER).connect() for _ in range(5)]
        for connection, (_, method, path) in zip(gone, asks(STRANGER, 1, 2, 3, 4, 5)):
            connection.request(method, path)
        larder.wait_for("larder_unpackings_waiting", 5)
        for connection in gone:
            reset(connection)
        larder.wait_for("larder_unpackings_waiting", lambda waiting: waiting == 0)
        with asking(larder, asks(HONEST, 6)) as ours:
            larder.wait_for("larder_unpackings_waiting", 1)
            disk.let_go()
    assert first == [200] and ours == [200]
    assert unpacked(disk) == [0, 6]


@pytest.mark.parametrize("workers", [1, 2, WORKERS])
def test_all_files_of_one_archive_at_once(begin, disk, workers):
    larder = begin(workers, 1)
    with asking(larder, asks(HONEST, 0) * 20) as statuses:
        larder.wait_for("larder_requests_running", 20)
        disk.let_go()
    assert set(statuses) == {200}
    record = [line for line in disk.lines() if line.startswith("+") and "/unpacked/" in line]
    assert len(set(record)) == len(record), "it is unpacked once"


def test_an_end_does_not_wait_for_the_line(begin, disk):
    larder = begin(1, 6)
    with asking(larder, asks(STRANGER, *range(6))) as statuses:
        larder.wait_for("larder_unpackings_waiting", 5)
        disk.let_go()
        larder.stop()
    assert all(status == 200 or isinstance(status, Exception) for status in statuses)
