# SPDX-License-Identifier: Apache-2.0
"""What Prometheus is told, and what is made of it."""
import json
import re
import shutil
import subprocess

import pytest
import yaml
from support import modules
from support.daemon import ROOT
from support.waiting import DEADLINE_S

MODULE = modules.module(300)
COMPRESSED = "?tf-hub-format=compressed"


@pytest.fixture(scope="module")
def told(shared):
    """The metrics of a daemon that has fetched a module, given it twice more, and taken another one."""
    larder = shared
    larder.upstream.serve("/google/told/1", MODULE)
    for _ in range(3):
        assert larder.get("/google/told/1" + COMPRESSED).body == MODULE
        larder.wait_for_idle()
    larder.publish("/acme/told/1", MODULE)
    return larder.metrics()


@pytest.mark.parametrize("family, least", [
    ('larder_first_byte_seconds{result="miss"}', 1), ('larder_first_byte_seconds{result="hit"}', 2), ('larder_first_byte_seconds{result="collapsed"}', 0),
    ("larder_upstream_seconds", 1), ("larder_fsync_seconds", 2), ("larder_commit_seconds", 2),
    ('larder_queue_wait_seconds{queue="workers"}', 1), ('larder_queue_wait_seconds{queue="fills"}', 1),
])
def test_how_long_things_took(told, family, least):
    name, _, labels = family.rstrip("}").partition("{")
    braces = f"{{{labels}}}" if labels else ""
    count, total = told[f"{name}_count{braces}"], told[f"{name}_sum{braces}"]
    assert count >= least and total >= 0
    start = f"{name}_bucket{{{labels}{',' if labels else ''}le="
    buckets = [(float(key[len(start):].strip('"}')), value) for key, value in told.items() if key.startswith(start)]
    assert buckets[-1] == (float("inf"), count) and buckets == sorted(buckets), buckets
    assert [value for _, value in buckets] == sorted(value for _, value in buckets), "cumulative"


# ---- the alerts and the dashboard -------------------------------------------------------------------------------------------

DEPLOY = ROOT / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]


def expressions():
    board = json.loads((DEPLOY / "grafana" / "larder.json").read_text())
    return [rule["expr"] for rule in RULES] + [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def test_what_they_read_is_told(told):
    """Each metric by its name, and with the labels that are asked for by their values."""
    wanted = {(name, label) for expression in expressions() for name, labels in re.findall(r"(larder_[a-z0-9_]+)(?:\{([^}]*)\})?", expression)
              for label in [None, *re.findall(r'[a-z]+="[^"]*"', labels)]}
    assert len(wanted) > 30
    missing = [(name, label) for name, label in wanted if not any(key.partition("{")[0] == name and (label or "") in key for key in told)]
    assert not missing, missing


def test_each_alert_has_its_runbook():
    text = (ROOT / "docs" / "operations.md").read_text()
    headings = re.findall(r"^### (Larder\w+)$", text, re.MULTILINE)
    assert headings == [rule["alert"] for rule in RULES]
    for rule in RULES:
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{rule['alert'].lower()}" and rule["annotations"]["summary"]
    tried = {test["alert_rule_test"][0]["alertname"] for test in yaml.safe_load((DEPLOY / "prometheus" / "alerts_test.yml").read_text())["tests"]}
    assert tried == set(headings)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.parametrize("arguments", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]], ids=["check", "test"])
def test_prometheus_takes_the_alerts(arguments):
    done = subprocess.run(["promtool", *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_prometheus_reads_the_metrics(shared):
    done = subprocess.run(["promtool", "check", "metrics"], input=shared.get("/metrics").body, capture_output=True, timeout=DEADLINE_S)
    assert b"error while linting" not in done.stderr and done.returncode in (0, 3), done
