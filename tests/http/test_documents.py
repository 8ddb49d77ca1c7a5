# SPDX-License-Identifier: Apache-2.0
"""The commands that README and docs/ show do what they say. Blocks marked sh run as they stand, one after the other in one
shell, in a folder that looks like this repository once it is built. Two things are put in their place: build/larder is the
binary under test, and 127.0.0.1:8080 is where it listens. Blocks marked console need root or the network: their syntax is
looked at, and no more."""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import hub_client, sample
from support.daemon import REPORTS, ROOT, Daemon, binary, under_thread_sanitizer
from support.waiting import DEADLINE_S, wait_until

sys.path.insert(0, str(ROOT / "tests"))
import check_docs  # noqa: E402

SHOWN = "127.0.0.1:8080"
START = "deploy/run\n"
# What curl got has to be an answer, not a refusal.
PREAMBLE = "set -euo pipefail\ncurl() { command curl --silent --show-error --fail-with-body --noproxy '*' \"$@\"; }\n"


def blocks(document, language):
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def typed(block):
    """What is typed of a block: what follows a "$ ", with the lines that go on with it; all of one that shows no prompt."""
    return "\n".join(re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.M)) or block


def with_blocks(language):
    return [name for path in check_docs.documents()
            if blocks(name := path.relative_to(ROOT).as_posix(), language) and name != "README.md"]


@pytest.fixture
def checkout(tmp_path):
    """A daemon as `deploy/run` starts it: in the root of a checkout, with its data folder. It asks nobody: tests are not to
    depend on what is out in the world."""
    for name in ("README.md", "config.example.ini", "docs", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "build").mkdir()
    (tmp_path / "build/larder").symlink_to(os.path.abspath(binary()))
    daemon = Daemon(tmp_path)
    daemon.data = tmp_path / "larder-data"
    daemon.configure({"mirror": {"offline": "on"}})
    yield daemon.start()
    daemon.stop()


def run(daemon, scripts):
    """All blocks in one shell, as a person pastes them one after the other."""
    text = PREAMBLE + "".join(scripts).replace(SHOWN, "%s:%d" % daemon.address)
    done = subprocess.run(["bash", "-c", text], cwd=daemon.folder, capture_output=True, text=True, timeout=4 * DEADLINE_S,
                          env={**os.environ, "LARDER_SERVER": daemon.url})
    assert not REPORTS.search(done.stderr), done.stderr
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def first_steps():
    start, *others = blocks("README.md", "sh")
    assert start == START, "README's first block starts the daemon, which the fixture does here"
    return others


def test_readme(checkout, tmp_path):
    shown = run(checkout, first_steps())
    assert "serving_default" in shown and "saved_model.pb" in shown, shown
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    page = re.search(rf"<http://{re.escape(SHOWN)}(/[^>]+)>", text)[1]
    reply = checkout.get(page, Accept="text/html")
    assert reply.status == 200 and b"Halves a number" in reply.body, reply
    loaded = re.search(rf'hub\.load\("http://{re.escape(SHOWN)}(/[^"]+)"\)', text)[1]
    folder = hub_client.load(checkout.url.rstrip("/") + loaded, tmp_path / "cache")
    assert Path(folder, "saved_model.pb").read_bytes() == sample.FILE.read_bytes()


@pytest.mark.parametrize("document", with_blocks("sh"))
def test_commands(checkout, document):
    run(checkout, [*first_steps(), *blocks(document, "sh")])


def test_python_of_the_api(checkout):
    """As it stands, but for where the server is."""
    run(checkout, first_steps())
    code, = blocks("docs/api.md", "python")
    done = subprocess.run([sys.executable, "-c", code.replace(SHOWN, "%s:%d" % checkout.address)], capture_output=True, text=True,
                          timeout=DEADLINE_S, env={**os.environ, "no_proxy": "*"})
    assert done.returncode == 0, done.stderr
    assert "acme/half-plus-two 1 " in done.stdout and "serving_default" in done.stdout, done.stdout


def test_all_documents_one_after_the_other(checkout):
    """In the order in which README names them: no block undoes what a later one shows."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    order = sorted(with_blocks("sh"), key=lambda name: readme.find(f"]({name}"))
    run(checkout, [*first_steps(), *(block for name in order for block in blocks(name, "sh"))])
    shown, = re.findall(r"^build/larder list .*--op.*$", "\n".join(blocks("docs/api.md", "sh")), re.M)
    assert "acme/half-plus-two" in run(checkout, [shown + "\n"])


@pytest.mark.parametrize("document", with_blocks("console"))
def test_syntax(document):
    for block in map(typed, blocks(document, "console")):
        done = subprocess.run(["bash", "-n", "-c", block], capture_output=True, text=True)
        assert done.returncode == 0, f"{block}\n{done.stderr}"


def test_start_is_there():
    script = ROOT / START.strip()
    assert os.access(script, os.X_OK)
    assert "--build-only" in subprocess.run([script, "--help"], capture_output=True, text=True, check=True).stdout


def test_sample_is_as_written():
    assert sample.FILE.read_bytes() == sample.saved_model(), "python3 -m support.sample (in tests/http) writes it anew"


@pytest.mark.skipif(under_thread_sanitizer(), reason="ThreadSanitizer has a thread of its own")
def test_threads_at_rest_are_as_many_as_told(start):
    told = re.search(r"At rest on two cores, without TLS, that makes (\d+)\.", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    larder = start({"server": {"threads": 2}})
    assert larder.get("/readyz").status == 200

    def names():
        return sorted(task.read_text().strip() for task in Path(f"/proc/{larder.process.pid}/task").glob("*/comm"))
    wait_until(lambda: len(names()) == int(told[1]), lambda: f"{told[1]} threads: {names()}")


# ---- the check of documents finds what is wrong ----

@pytest.mark.parametrize("target, fault", [
    ("docs/nowhere.md", "is not there"),
    ("docs/clients.md#no-such-heading", "has no heading"),
    ("#no-such-heading", "has no heading"),
    ("../outside.md", "is not there"),
    ("docs/clients.md", None),
    ("docs/clients.md#proxies-in-front", None),
    ("https://example.org/#x", None),
])
def test_wrong_links_are_told(target, fault):
    told = check_docs.wrong_link(ROOT / "README.md", target)
    assert told is None if fault is None else fault in told, told


@pytest.mark.parametrize("line, fault", [
    ("`server/http/nothing` says", "server/http/nothing is not there"),
    ("`tests/http/test_documents.py::test_nothing`", "has no test_nothing"),
    ("`tests/http/test_documents.py::test_readme`, `::test_nothing`", "has no test_nothing"),
    ("`tests/unit/test_spool.c: holds_nothing`", "has no holds_nothing"),
    ("`server/http/front`, `server/hub/`, `tests/unit/test_spool.c: holds_back_the_last_bytes`", None),
])
def test_wrong_names_are_told(line, fault):
    told = "; ".join(check_docs.named_faults(line))
    assert told == "" if fault is None else fault in told, told


@pytest.mark.parametrize("heading, anchor", [
    ("Where do I change …?", "where-do-i-change-"),
    ("A second Larder behind the first", "a-second-larder-behind-the-first"),
    ("`code` and [a link](x.md)", "code-and-a-link"),
    ("hub · api: 2 of_them", "hub--api-2-of_them"),
])
def test_anchors(heading, anchor):
    assert check_docs.slug(heading) == anchor
