# SPDX-License-Identifier: Apache-2.0
"""The walk through docs/air-gap.md, as it is written there: two Larders with a stick between them, and one of the two, with all
that is done at its side, in a network that leads nowhere."""
import os
import re
import subprocess

import pytest
from support import cut_off, hub_client, modules
from support.daemon import REPORTS, ROOT, Daemon, binary
from support.waiting import DEADLINE_S, wait_until

DOCUMENT = ROOT / "docs/air-gap.md"
SHOWN, STICK = "127.0.0.1:8080", "/media/stick"
ASKED, NEW = "google/nnlm-en-dim50/2", "acme/new/1"
COMPRESSED = "?tf-hub-format=compressed"


def steps():
    """[[side, [block, …]], …] in the order in which they stand there."""
    found = []
    for side, block in re.findall(r"^```sh (connected|closed)\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.M | re.S):
        if not found or found[-1][0] != side:
            found.append([side, []])
        found[-1][1].append(block)
    return found


def make_site(folder, settings, upstreams):
    """A daemon in a folder that looks like this repository once it is built."""
    (folder / "build").mkdir(parents=True)
    (folder / "build/larder").symlink_to(os.path.abspath(binary()))
    site = Daemon(folder)
    site.data = folder / "larder-data"
    site.configure(settings, upstreams)
    return site


def paste(site, stick, block):
    text = "set -euo pipefail\n" + block.replace(SHOWN, "%s:%d" % site.address).replace(STICK, str(stick))
    done = subprocess.run(["bash", "-c", text], cwd=site.folder, capture_output=True, text=True, timeout=4 * DEADLINE_S,
                          env={**os.environ, "LARDER_SERVER": site.url, "no_proxy": "*"})
    assert not REPORTS.search(done.stderr), done.stderr
    assert done.returncode == 0, f"{text}\nstatus {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def wants_of(site):
    return site.get("/api/v1/wants").json()["wants"]


def paste_closed(site, stick, blocks):
    """Where somebody has asked in vain, what reads the list waits until that is on it."""
    for number, block in enumerate(blocks):
        paste(site, stick, block)
        if "curl" in block and number + 1 < len(blocks):
            wait_until(lambda: wants_of(site), lambda: "what was asked for is not on the list")


def walk_closed(closed, stick, blocks, check):
    def side():
        closed.start()
        paste_closed(closed, stick, blocks)
        check(closed)
        closed.stop()
    cut_off.run(side)


def check_asked(closed):
    assert closed.get(f"/{ASKED}{COMPRESSED}").status == 504


def check_taken_in(closed):
    assert closed.get(f"/{ASKED}{COMPRESSED}").status == 200 and wants_of(closed) == []
    assert closed.get(f"/{NEW}{COMPRESSED}").status == 504


def check_brought_up_to_date(closed):
    assert closed.get(f"/{NEW}{COMPRESSED}").status == 200
    assert closed.metric("larder_upstream_requests_total") == 0


@pytest.fixture
def connected(tmp_path, upstream):
    upstream.serve(f"/{ASKED}", modules.module(200_000))
    site = make_site(tmp_path / "connected", {}, [upstream.url])
    yield site.start()
    site.stop()


def test_the_whole_loop(connected, tmp_path):
    stick = tmp_path / "stick"
    stick.mkdir()
    closed = make_site(tmp_path / "closed", {"mirror": {"offline": "on"}}, [])
    checks = iter([check_asked, check_taken_in, check_brought_up_to_date])
    for number, (side, blocks) in enumerate(steps()):
        if side == "closed":
            walk_closed(closed, stick, blocks, next(checks))
            continue
        if number > 2:
            # What happens there in the meantime.
            connected.publish(f"/{NEW}", modules.module(1000, seed=3))
        for block in blocks:
            paste(connected, stick, block)
    assert next(checks, None) is None, "the walk has fewer steps than it is held against"
    assert f"{ASKED}{COMPRESSED}" not in (stick / "wants.txt").read_text()
    folder = hub_client.load(f"https://tfhub.dev/{ASKED}", str(stick / "tfhub-cache"))
    assert os.path.exists(os.path.join(folder, "saved_model.pb"))
