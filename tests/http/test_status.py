# SPDX-License-Identifier: Apache-2.0
"""What operators look at: health, readiness, numbers, starting, stopping, and faults in the configuration."""
import re
import signal
import subprocess

from support import modules
from support.daemon import binary, ini
from support.waiting import DEADLINE_S

PATH = "/acme/x/1"


def test_health_and_readiness(larder):
    assert larder.get("/healthz").status == 200
    assert larder.get("/readyz").status == 200
    assert larder.head("/healthz").status == 200


def test_metrics_are_prometheus_text(larder):
    reply = larder.get("/metrics")
    assert reply.header("Content-Type").startswith("text/plain")
    text = reply.body.decode()
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? -?[0-9.e+]+', line), line
    helped = re.findall(r"^# TYPE (\w+)", text, re.M)
    assert len(helped) == len(set(helped)), "a family was described twice"


def test_metrics_count(upstream, mirror):
    upstream.serve(PATH, modules.module(100_000))
    for _ in range(3):
        mirror.get(PATH + ".tar.gz")
    mirror.get("/acme/absent/1.tar.gz")
    mirror.get("/acme/absent/1.tar.gz")
    mirror.get("/acme/../x")
    mirror.wait_for_idle()
    metrics = mirror.metrics()
    expected = {
        'larder_artifact_requests_total{result="hit"}': 2,
        'larder_fills_total{event="started"}': 2,
        'larder_fills_total{event="kept"}': 1,
        'larder_fills_total{event="absent"}': 1,
        'larder_artifact_requests_total{result="absent"}': 1,
        'larder_refusals_total{code="not-found"}': 2,
        'larder_refusals_total{code="bad-request"}': 1,
        "larder_fills_running": 0,
        "larder_upstream_requests_total": 2,
    }
    assert {name: metrics.get(name) for name in expected} == expected
    assert metrics["larder_upstream_received_bytes_total"] >= 100_000
    assert metrics["larder_sent_bytes_total"] >= 300_000


def test_a_second_daemon_on_the_same_folder(larder):
    done = subprocess.run([binary(), "serve", "--config", str(larder.config_path)], capture_output=True, text=True,
                          timeout=DEADLINE_S)
    assert done.returncode == 1 and str(larder.data) in done.stderr, done
    assert larder.get("/healthz").status == 200


def test_port_that_is_taken(larder, tmp_path):
    done = subprocess.run([binary(), "serve", "--listen", "%s:%d" % larder.address, "--data", str(tmp_path / "other")],
                          capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 1 and str(larder.address[1]) in done.stderr, done


def test_faults_in_the_configuration(tmp_path):
    config = tmp_path / "bad.ini"
    config.write_text("[server]\nlisten = nowhere\n[mirror]\nno_such_key = 1\nretries = many\n[nonsense]\nx = 1\n")
    done = subprocess.run([binary(), "serve", "--check", "--config", str(config)], capture_output=True, text=True,
                          timeout=DEADLINE_S)
    assert done.returncode == 1, done
    for line in (2, 4, 5, 6):
        assert f"bad.ini:{line}:" in done.stdout + done.stderr, f"line {line} is not named: {done}"


def test_configuration_without_faults(tmp_path):
    config = tmp_path / "good.ini"
    config.write_text(ini({"server": {"listen": "127.0.0.1:0"}, "publish": {"max_upload_bytes": "3G"}}))
    done = subprocess.run([binary(), "serve", "--check", "--config", str(config)], capture_output=True, text=True,
                          timeout=DEADLINE_S)
    assert done.returncode == 0, done


def test_command_line():
    def run(*arguments):
        return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=DEADLINE_S)

    assert run("--help").returncode == 0 and "serve" in run("--help").stdout
    assert run("serve", "--help").returncode == 0 and "--config" in run("serve", "--help").stdout
    assert run("nonsense").returncode == 2 and "nonsense" in run("nonsense").stderr
    assert run("serve", "--nonsense").returncode == 2
    assert run().returncode == 2


def test_interrupt_ends_it_as_sigterm_does(start):
    larder = start()
    larder.process.send_signal(signal.SIGINT)
    assert larder.process.wait(DEADLINE_S) == 0
    larder.process.stdout.close()
    larder.process = None


def test_hangup_reloads(larder):
    larder.process.send_signal(signal.SIGHUP)
    assert larder.get("/healthz").status == 200 and larder.is_running()
