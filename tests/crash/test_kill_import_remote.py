# SPDX-License-Identifier: Apache-2.0
"""An import into a running daemon: whichever of both is killed at any instant, the catalog has all of the bundle or nothing, and
the same command goes on."""
import random
import subprocess
import time

from support import modules
from support.daemon import binary
from support.waiting import DEADLINE_S
from test_kill_import import CONTENTS, count, make_bundle

POINTS = 50
WHOLE = len(CONTENTS) + 1


def command(larder, bundle):
    return [binary(), "import", str(bundle), "--server", larder.url, "--token", larder.token("admin")]


def run_whole(larder, bundle):
    began = time.monotonic()
    done = subprocess.run(command(larder, bundle), capture_output=True, text=True, timeout=6 * DEADLINE_S)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began


def assert_equal(larder):
    """What the daemon serves is what the bundle has, and the store holds nothing else."""
    larder.wait_for("larder_sweeps_total", 1)
    for name, content in CONTENTS.items():
        assert larder.get(f"/{name}.tar.gz").body == content
        assert larder.get(f"/api/v1/documentation/{name}").status == 200
    assert larder.get("/acme/gone/1.tar.gz").status == 410
    assert sorted(larder.blobs()) == sorted(map(modules.digest, CONTENTS.values()))
    assert larder.drafts() == []


def test_killed_at_many_points(start, tmp_path):
    bundle, chance, daemons = make_bundle(tmp_path / "bundle"), random.Random(8), 0
    larder = start(name="d0")
    lasts_s, found = run_whole(larder, bundle), {0: 0, WHOLE: 0}
    larder = start(name="d1")
    for number in range(POINTS):
        process = subprocess.Popen(command(larder, bundle), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Time decides where it is killed, since any instant must do.
        time.sleep(chance.uniform(0, lasts_s))
        if number % 2:
            larder.kill()
            assert process.wait(DEADLINE_S) in (0, 1)
            larder.start()
        else:
            process.kill()
            process.wait()
        now = count(larder.data)
        assert now in found, "a part of the bundle is on record"
        found[now] += 1
        if now == WHOLE:
            daemons += 1
            larder.stop()
            larder = start(name=f"again{daemons}")
    assert found[0] > 0, "no import was killed before its end: nothing was tested"
    run_whole(larder, bundle)
    larder.restart()
    assert_equal(larder)
