# SPDX-License-Identifier: Apache-2.0
"""What deploy/ has for containers, Kubernetes and systemd says what the daemon understands."""
import os
import re
import shutil
import subprocess

import pytest
import yaml
from support.daemon import ROOT, binary
from support.waiting import DEADLINE_S

DEPLOY = ROOT / "deploy"
CONTAINERFILE = (DEPLOY / "container" / "Containerfile").read_text()
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*/*.yaml"))


def documents(name):
    return [document for path in KUBERNETES if path.parent.name == name for document in yaml.safe_load_all(path.read_text())]


def pods(name):
    return [document["spec"]["template"]["spec"] for document in documents(name) if document["kind"] == "StatefulSet"]


def variables(pod):
    return {row["name"]: row["value"] for row in pod["containers"][0]["env"] if "value" in row}


def stated_by_the_image():
    return dict(re.findall(r"(LARDER_\w+)=(\S+)", re.search(r"^ENV (.*)$", CONTAINERFILE, re.M).group(1)))


SETTINGS = {"container": {}, "compose": yaml.safe_load((DEPLOY / "container" / "compose.yaml").read_text())["services"]["larder"]["environment"],
            "single": variables(*pods("single")), "bucket": {**variables(*pods("single")), **variables(*pods("bucket"))}}


@pytest.mark.parametrize("name", SETTINGS)
def test_each_variable_is_a_key(name, tmp_path):
    settings = {**stated_by_the_image(), **SETTINGS[name]}
    if name == "bucket":
        credentials = tmp_path / "credentials"
        credentials.write_text("[default]\naws_access_key_id = A\naws_secret_access_key = B\n")
        settings |= {"LARDER_STORE_CREDENTIALS_FILE": str(credentials), "LARDER_STORE_NODE_URL": settings["LARDER_STORE_NODE_URL"].replace("$(NODE)", "larder-0")}
    done = subprocess.run([binary(), "serve", "--check"], capture_output=True, text=True, timeout=DEADLINE_S, env={**os.environ, **settings})
    assert done.returncode == 0, done
    assert {line.split(": ")[1] for line in done.stdout.splitlines() if ": LARDER_" in line} == set(settings)


def test_what_probes_ask_is_answered(larder):
    container = pods("single")[0]["containers"][0]
    assert {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")} == {"/healthz", "/readyz"}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert larder.get(container[probe]["httpGet"]["path"]).status == 200
        assert container[probe]["httpGet"]["port"] == container["ports"][0]["name"]
    command = re.search(r'HEALTHCHECK .* CMD \["larder", "(\w+)"\]', CONTAINERFILE).group(1)
    assert subprocess.run([binary(), command, larder.url], timeout=DEADLINE_S).returncode == 0


def test_a_pod_may_do_no_more_than_it_must():
    for name in ("single", "bucket"):
        for pod in pods(name):
            assert pod.get("enableServiceLinks", False) is False
    pod, = pods("single")
    context = pod["containers"][0]["securityContext"]
    assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"], context["capabilities"]["drop"]) == (True, False, ["ALL"])
    assert pod["securityContext"]["runAsNonRoot"] and f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" in CONTAINERFILE
    # A stop is waited for: the delay, and what drains.
    assert pod["terminationGracePeriodSeconds"] > int(variables(pod)["LARDER_SERVER_DRAIN_DELAY_S"]) + 30


def test_who_is_selected_is_there():
    labels = next(document for document in documents("single") if document["kind"] == "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    for document in documents("single") + documents("bucket"):
        for selector in (document.get("spec", {}).get("selector"), document.get("spec", {}).get("podSelector")):
            if selector:
                assert selector.get("matchLabels", selector).items() <= labels.items(), document


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@pytest.mark.parametrize("name, nodes", [("single", 1), ("bucket", 3)])
def test_kustomize_puts_it_together(name, nodes):
    done = subprocess.run(["kubectl", "kustomize", str(DEPLOY / "kubernetes" / name)], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    made = {(document["kind"], document["metadata"]["name"]): document for document in yaml.safe_load_all(done.stdout)}
    node = made["StatefulSet", "larder"]["spec"]
    assert node["replicas"] == nodes and node["template"]["spec"]["containers"][0]["image"].startswith("registry.example/larder:")
    assert {row["name"] for row in node["template"]["spec"]["containers"][0]["env"]} >= set(SETTINGS[name])


def test_the_image_gets_what_the_binary_needs():
    done = subprocess.run([DEPLOY / "container" / "runtime-packages", binary()], capture_output=True, text=True, timeout=DEADLINE_S)
    names = done.stdout.split()
    assert done.returncode == 0 and not done.stderr, done
    assert {"libc6", "libsqlite3-0"} <= set(names) and any(name.startswith("libcurl") for name in names), names
    subprocess.run(["dpkg-query", "-W", *names], check=True, stdout=subprocess.DEVNULL, timeout=DEADLINE_S)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_unit_is_exposed_little():
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", DEPLOY / "larder.service"], capture_output=True, text=True,
                          timeout=DEADLINE_S)
    assert float(re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout).group(1)) <= 2.0, done.stdout
