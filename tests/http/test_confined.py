# SPDX-License-Identifier: Apache-2.0
"""The daemon under the restrictions of deploy/larder.service: it does all that it does without them, and nothing is refused."""
import os
import re
import shutil
import signal
import subprocess
import threading
from collections import Counter
from pathlib import Path

import pytest
from support import confined, modules
from support.daemon import ROOT, Daemon, binary
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

UNIT = ROOT / "deploy" / "larder.service"
MIRRORED = "/google/mirrored/1?tf-hub-format=compressed"
HELD = "/google/held/1?tf-hub-format=compressed"
SIZE = 3_000_000  # more than is received at once
INSPECTING = 10, os.SCHED_BATCH
SETTINGS = {"log": {"level": "debug"}, "mirror": {"max_fills": 4}}

systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")


confinable = pytest.mark.skipif(not confined.can_confine(), reason="no systemd, no python3-seccomp or no user namespaces here")


def test_the_unit_goes_on_trying_but_for_a_faulty_configuration(tmp_path):
    """What it must say for that, and that the daemon ends as it expects."""
    lines = UNIT.read_text().splitlines()
    unit, service = lines.index("[Unit]"), lines.index("[Service]")
    assert unit < lines.index("StartLimitIntervalSec=0") < service, "the limit is a key of [Unit]; in [Service] it says nothing"
    said = dict(line.split("=", 1) for line in lines[service:] if "=" in line and not line.startswith("#"))
    assert said["Restart"] == "on-failure" and float(said["RestartSec"]) >= 5
    assert not any(line.startswith(("StartLimitBurst", "StartLimitAction")) for line in lines)
    (tmp_path / "larder.ini").write_text("[server]\nlisten = nonsense\n")
    ended = subprocess.run([binary(), "serve", "--config", str(tmp_path / "larder.ini"), "--data", str(tmp_path / "data")],
                           capture_output=True, timeout=DEADLINE_S)
    assert str(ended.returncode) == said["RestartPreventExitStatus"] == "78", ended
    (tmp_path / "larder.ini").write_text("[server]\nlisten = 192.0.2.1:1\n")
    ended = subprocess.run([binary(), "serve", "--config", str(tmp_path / "larder.ini"), "--data", str(tmp_path / "data")],
                           capture_output=True, timeout=DEADLINE_S)
    assert ended.returncode not in (0, 78), "an address that comes late is tried again"


@pytest.fixture
def confine(tmp_path, monkeypatch, upstream):
    """Starts a daemon as the unit would: confine(action), or without any restriction: confine(None)."""
    # The leak checker needs ptrace, which the unit forbids with good reason.
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0:exitcode=99")
    daemons = []

    def start(action):
        daemon = Daemon(tmp_path / f"under-{action}", SETTINGS, [upstream.url])
        daemon.data.mkdir()
        # As systemd starts it, however nice these tests are.
        daemon.launcher = ["nice", "-n", str(-os.nice(0)), *(confined.launcher(UNIT, daemon.data, action) if action else [])]
        daemons.append(daemon)
        return daemon.start()

    yield start
    for daemon in daemons:
        if daemon.is_running():
            daemon.stop()


def places(daemon):
    """How many threads have which niceness, policy of scheduling: sched(7)."""
    found = Counter()
    for stat in Path(f"/proc/{daemon.process.pid}/task").glob("*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            found[int(fields[16]), int(fields[38])] += 1
        except (OSError, IndexError):
            pass  # it has ended
    return found


def complaints(daemon):
    return [line for line in daemon.log().splitlines() if re.match(r"\S+ (warn|error) ", line)]


def while_inspecting(daemon, upstream, look):
    """Calls look() while an upload and a fill have come half way, so that both are being inspected."""
    body = modules.module(SIZE)
    gate, sent = threading.Event(), threading.Event()
    upstream.serve(HELD.partition("?")[0], Answer(body, gate=gate, gate_after=SIZE // 2))

    def halves():
        yield body[:SIZE // 2]
        sent.set()
        gate.wait(DEADLINE_S)
        yield body[SIZE // 2:]

    token = daemon.token()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(daemon.put("/acme/slow/1", halves(), token=token))),
               threading.Thread(target=lambda: answers.append(daemon.get(HELD)))]
    try:
        for thread in threads:
            thread.start()
        assert sent.wait(DEADLINE_S)
        return look()
    finally:
        gate.set()
        for thread in threads:
            thread.join()
        assert sorted(answer.status for answer in answers) == [200, 201], answers


def expect(daemon, method, path, status, **headers):
    reply = daemon.request(method, path, {name.replace("_", "-").title(): value for name, value in headers.items()})
    assert reply.status == status, f"{method} {path}: {reply}"
    return reply


def use(daemon, upstream):
    """A bit of everything."""
    archive = modules.module(SIZE)
    upstream.serve(MIRRORED.partition("?")[0], Answer(archive))
    for path in (MIRRORED, MIRRORED):
        assert expect(daemon, "GET", path, 200).body == archive
    expect(daemon, "GET", MIRRORED, 206, range="bytes=1000000-2000000")
    expect(daemon, "GET", MIRRORED.replace("mirrored", "missing"), 404)
    daemon.publish("/acme/m/1", archive)
    daemon.publish("/acme/m/1", b"# About\n\nSome *words*.\n", content_type="text/markdown")
    daemon.publish("/acme/js/1?tfjs-format=compressed", modules.tfjs_module())
    assert daemon.put("/acme/bad/1", archive[:-100]).status == 422
    expect(daemon, "GET", "/acme/js/1/model.json?tfjs-format=file", 200)
    for path in ("/", "/acme/m/1", "/acme/m", "/-/activity"):
        expect(daemon, "GET", path, 200, accept="text/html")
    for path in ("/api/v1/modules?q=words", "/api/v1/signatures/acme/m/1", "/api/v1/activity", "/metrics", "/healthz", "/readyz"):
        expect(daemon, "GET", path, 200)
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reloaded" in daemon.log(), daemon.tail)


@confinable
def test_threads_are_as_nice_as_without_the_unit(confine, upstream):
    seen = {}
    for action in (None, "errno"):
        daemon = confine(action)
        if os.getpriority(os.PRIO_PROCESS, daemon.process.pid) != 0:
            pytest.skip("only root may start a daemon that is not as nice as this test")
        use(daemon, upstream)
        daemon.wait_for_idle()

        def inspecting():
            return wait_until(lambda: places(daemon)[INSPECTING] == 4, lambda: f"two inspections: {places(daemon)}")

        while_inspecting(daemon, upstream, inspecting)
        wait_until(lambda: places(daemon)[INSPECTING] == 0, daemon.tail)
        seen[action] = {place for place in places(daemon) if place[0] > 0}
        assert not complaints(daemon)
    assert seen["errno"] == seen[None] and seen[None], seen


@confinable
def test_nothing_that_it_does_is_refused(confine, upstream):
    """What systemd would answer with EPERM ends the process here."""
    daemon = confine("kill")
    use(daemon, upstream)
    while_inspecting(daemon, upstream, lambda: expect(daemon, "GET", "/healthz", 200))
    assert daemon.is_running(), daemon.process.returncode
    daemon.restart()
    expect(daemon, "GET", MIRRORED, 200)
    daemon.stop()


@confinable
@pytest.mark.parametrize("call", ["unshare", "chown", "nice", "socket", "mmap"])
def test_the_filter_does_refuse(tmp_path, call):
    """Else the tests above would prove nothing."""
    tries = {
        "unshare": "libc.unshare(0x20000)",
        "chown": "libc.chown(b'/tmp', 0, 0)",
        "nice": "libc.syscall(144, 0, 1, 0)",  # sched_setscheduler on x86-64
        "socket": "libc.socket(17, 3, 0)",
        "mmap": "libc.mmap(None, 4096, 7, 0x22, -1, 0)",
    }
    script = f"import ctypes; libc = ctypes.CDLL(None, use_errno=True); print({tries[call]}, ctypes.get_errno())"
    done = subprocess.run([*confined.launcher(UNIT, tmp_path), "/usr/bin/python3", "-c", script], capture_output=True, text=True)
    assert re.match(r"-1 (1|97)\n", done.stdout), done


@systemd
def test_the_unit_is_sound(tmp_path):
    unit = tmp_path / "larder.service"
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/larder", binary()))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert done.returncode == 0 and "larder.service" not in done.stderr, done.stderr


@systemd
def test_the_unit_exposes_little():
    """As systemd rates it: under 2.0 of 10 is its best class."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=19", "--no-pager", str(UNIT)],
                          capture_output=True, text=True)
    if "offline" in done.stderr:
        pytest.skip("this systemd rates running units only")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_bounds_what_a_fault_can_take():
    assert confined.value_of(UNIT, "LimitCORE") == "0"
    assert confined.value_of(UNIT, "MemoryMax") and confined.value_of(UNIT, "OOMPolicy") == "kill"
