# SPDX-License-Identifier: Apache-2.0
"""What the daemon tells the service manager that has started it, over the socket of NOTIFY_SOCKET."""
import signal
import socket
import tempfile
import time

import pytest
from support.waiting import DEADLINE_S


@pytest.fixture(params=["file", "abstract"])
def manager(request, monkeypatch):
    """The socket of a manager, as a file and without one."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taken:
        place = f"{folder}/notify"
        address = place if request.param == "file" else "@" + place
        taken.bind(address.replace("@", "\0"))
        taken.settimeout(DEADLINE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield taken


def told(manager):
    """The next message, by name; each name once."""
    pairs = [line.split("=", 1) for line in manager.recv(1 << 16).decode().splitlines()]
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def test_it_tells_how_it_does(start, manager):
    larder = start()
    ready = told(manager)
    assert ready == {"READY": "1", "STATUS": f"serving on {larder.url}"}
    sound = larder.config_path.read_text()
    for text, words in ((sound, "serving on"), (sound + "\n[server]\nno_such_key = 1\n", "not reloaded: "), (sound, "serving on")):
        larder.config_path.write_text(text)
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        larder.process.send_signal(signal.SIGHUP)
        reloading, ready = told(manager), told(manager)
        assert reloading["RELOADING"] == "1" and "READY" not in reloading
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert ready["READY"] == "1" and words in ready["STATUS"], ready
        assert larder.get("/healthz").status == 200
    larder.stop()
    assert told(manager)["STOPPING"] == "1"


@pytest.mark.parametrize("place", ["/nobody/is/there", "@larder-nobody", "relative", "/" + 200 * "x", "@"])
def test_a_manager_that_cannot_be_told_is_no_reason_not_to_serve(start, monkeypatch, place):
    monkeypatch.setenv("NOTIFY_SOCKET", place)
    larder = start()
    assert larder.get("/healthz").status == 200
    assert "the service manager was not told" in larder.log()
    larder.stop()
