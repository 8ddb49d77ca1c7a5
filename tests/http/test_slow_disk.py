# SPDX-License-Identifier: Apache-2.0
"""A disk that takes its time: whoever waits for it waits alone."""
import concurrent.futures

import pytest
from support import modules
from support.daemon import Daemon
from support.stuck import Disk, needs_shim
from support.waiting import wait_until
from test_forms import FORM, PARTS, form

pytestmark = needs_shim

WORKERS = 2
AT_ONCE = 8
# Not /readyz, which asks the disk: one worker may wait with it, never two.
SHORT = ["/healthz", "/metrics", "/api/v1/modules", "/api/v1/modules/acme/here/1", "/api/v1/signatures/acme/here/1",
         "/acme/here/1?tf-hub-format=compressed", "/api/v1/stats", "/"]


@pytest.fixture(name="disk")
def make_disk(tmp_path):
    disk = Disk(tmp_path)
    yield disk
    disk.let_go()


@pytest.fixture(name="larder")
def start_larder(tmp_path, disk, monkeypatch):
    daemon = Daemon(tmp_path / "larder", {"server": {"workers": WORKERS}})
    for name, value in disk.environment().items():
        monkeypatch.setenv(name, value)
    daemon.start()
    daemon.token()
    daemon.token("withdraw:*")
    yield daemon
    disk.let_go()
    daemon.stop()


def put(larder, number):
    return larder.put(f"/acme/slow/{number}", modules.module(seed=number))


def put_tflite(larder, number):
    return larder.put(f"/acme/slow/{number}?lite-format=tflite", modules.tflite_model(500 + number))


def post_form(larder, number):
    sent = {"Authorization": f"Bearer {larder.token()}", "Content-Type": FORM}
    return larder.request("POST", f"/acme/slow/{number}", sent, form(PARTS))


def document(larder, number):
    return larder.put("/acme/here/1", f"# number {number}\n".encode(), content_type="text/markdown")


def withdraw(larder, number):
    return larder.request("DELETE", f"/acme/gone/{number}", {"Authorization": f"Bearer {larder.token('withdraw:*')}"})


def read_file(larder, number):
    return larder.get(f"/acme/script/{number}/model.json?tfjs-format=file")


ENDS = {"archives": (put, 201), "bare models": (put_tflite, 201), "forms": (post_form, 201), "documents": (document, 201),
        "withdrawals": (withdraw, 200), "files of archives": (read_file, 200)}


@pytest.mark.parametrize("name", ENDS)
def test_who_waits_for_the_disk_waits_alone(larder, disk, name):
    call, status = ENDS[name]
    larder.publish("/acme/here/1", modules.module())
    for number in range(1, AT_ONCE + 1):
        larder.publish(f"/acme/gone/{number}", modules.module(seed=100 + number))
        larder.publish(f"/acme/script/{number}?tfjs-format=compressed", modules.tfjs_module(shards=number))
    disk.stick()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        calls = [pool.submit(call, larder, number) for number in range(1, AT_ONCE + 1)]
        wait_until(lambda: disk.waiting() >= 1, lambda: f"nothing waits for the disk: {disk.lines()}")
        larder.wait_for("larder_requests_running", AT_ONCE)
        for path in SHORT:
            assert larder.get(path).status == 200, path
        assert not any(done.done() for done in calls)
        disk.let_go()
        assert {done.result().status for done in calls} <= {status, 200}, [str(done.result()) for done in calls]
