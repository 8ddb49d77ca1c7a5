# SPDX-License-Identifier: Apache-2.0
"""curl and wget as people use them: publishing, fetching by any name, going on with what was broken off."""
import subprocess

import pytest
from support import modules
from support.waiting import DEADLINE_S

PATH = "/acme/half-plus-two/1"
QUERY = "?tf-hub-format=compressed"
MODULE = modules.module(3 << 20)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a tool in an empty folder, without the user's settings or proxies."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    def run_tool(*command, status=0):
        done = subprocess.run([str(word) for word in command], cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S)
        assert done.returncode == status, done
        return done.stdout + done.stderr

    return run_tool


@pytest.fixture
def published(larder):
    larder.publish(PATH, MODULE)
    return larder


# Each writes m, all of which but the first bytes is still missing.
GOES_ON = {"curl": ("curl", "-sSf", "-C", "-", "-o", "m"), "wget": ("wget", "-q", "-c", "-O", "m")}


@pytest.mark.parametrize("tool", GOES_ON)
@pytest.mark.parametrize("there", [0, 1, 1 << 20, len(MODULE) - 1])
def test_goes_on(published, run, tmp_path, tool, there):
    (tmp_path / "m").write_bytes(MODULE[:there])
    run(*GOES_ON[tool], published.url + PATH + QUERY)
    assert (tmp_path / "m").read_bytes() == MODULE
    assert published.metric("larder_sent_bytes_total") < len(MODULE) - there + (64 << 10)


@pytest.mark.parametrize("tool", GOES_ON)
def test_goes_on_on_a_miss(upstream, start, run, tmp_path, tool):
    mirror = start(upstreams=[upstream.url])
    upstream.serve("/google/x/1", MODULE)
    (tmp_path / "m").write_bytes(MODULE[:100_000])
    run(*GOES_ON[tool], mirror.url + "/google/x/1" + QUERY)
    assert (tmp_path / "m").read_bytes() == MODULE


def test_nothing_is_left_to_go_on_with(published, run, tmp_path):
    (tmp_path / "m").write_bytes(MODULE)
    run(*GOES_ON["wget"], published.url + PATH + QUERY)
    assert (tmp_path / "m").read_bytes() == MODULE


@pytest.mark.parametrize("command", [("curl", "-sSfOJ"), ("wget", "-q", "--content-disposition")], ids=lambda command: command[0])
def test_name_that_is_given(published, run, tmp_path, command):
    run(*command, published.url + PATH + QUERY)
    assert (tmp_path / "half-plus-two_1.tar.gz").read_bytes() == MODULE


@pytest.mark.parametrize("command", [("curl", "-sSfLo", "m"), ("wget", "-q", "-O", "m")], ids=lambda command: command[0])
@pytest.mark.parametrize("prefix", ["", "/-/t/{token}"], ids=["", "token"])
def test_latest_by_a_redirect(start, run, tmp_path, command, prefix):
    larder = start({"auth": {"read": "token"}} if prefix else None)
    larder.publish(PATH, MODULE)
    run(*command, larder.url + prefix.format(token=larder.token("read")) + "/acme/half-plus-two" + QUERY)
    assert (tmp_path / "m").read_bytes() == MODULE


def test_wget_puts(larder, run, tmp_path):
    (tmp_path / "m.tar.gz").write_bytes(MODULE)
    run("wget", "-q", "-O", "-", "--method=PUT", "--body-file=m.tar.gz", f"--header=Authorization: Bearer {larder.token()}", larder.url + PATH)
    assert larder.get(PATH + QUERY).body == MODULE


def test_curl_sends_a_form(larder, run, tmp_path):
    archive = modules.tfjs_module(1, 400)
    larder.publish("/acme/js/1?tfjs-format=compressed", archive)
    for name, member in (("model.json", "model.json"), ("w.bin", "group1-shard1of1.bin")):
        body = larder.get(f"/acme/js/1/{member}?tfjs-format=file").body
        (tmp_path / name).write_bytes(body.replace(b"group1-shard1of1.bin", b"model.weights.bin"))
    done = run("curl", "-sSf", "-F", "model.json=@model.json", "-F", "model.weights.bin=@w.bin",
               "-H", f"Authorization: Bearer {larder.token()}", larder.url + "/acme/form/1")
    assert '"tfjs"' in done and larder.get("/acme/form/1/model.weights.bin?tfjs-format=file").status == 200


@pytest.mark.parametrize("name", ["m.tar.gz", "saved_model.tgz", "2.tar.gz"])
def test_curl_with_a_slash_is_told_to_leave_it_off(larder, run, tmp_path, name):
    (tmp_path / name).write_bytes(MODULE)
    command = ("curl", "-sS", "-T", name, "-H", f"Authorization: Bearer {larder.token()}")
    assert "curl -T" in run(*command, larder.url + PATH + "/")
    larder.assert_nothing_kept()
    run(*command, "-f", larder.url + PATH)
    assert larder.get(PATH + QUERY).body == MODULE


@pytest.mark.parametrize("path, status, told", [("/api/v1/modules/acme/nothing/1", 8, "not-found"), (PATH + "?tf-hub-format=zip", 8, "bad-request"),
                                                ("/healthz/../x", 8, "")])
def test_wget_shows_why(published, run, path, status, told):
    """Only where it is told to: docs/clients.md says how."""
    assert "urn:larder" not in run("wget", "-O", "-", published.url + path, status=status)
    assert f"urn:larder:{told}" in run("wget", "--content-on-error", "-O", "-", published.url + path, status=status)
