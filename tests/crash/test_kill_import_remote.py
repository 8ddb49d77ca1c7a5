# SPDX-License-Identifier: Apache-2.0
"""An import into a running daemon: whichever of both is killed at any instant, the catalog has all of the bundle or nothing, and
the same command goes on."""
import random
import subprocess
import time

import pytest
from support.daemon import binary
from support.waiting import DEADLINE_S
from test_kill_import import CONTENTS, assert_equal, count, make_bundle, run_whole

POINTS = 50
WHOLE = len(CONTENTS) + 1


def command(larder, bundle):
    return [binary(), "import", str(bundle), "--server", larder.url, "--token", larder.token("admin")]


@pytest.mark.long
def test_killed_at_many_points(start, tmp_path):
    bundle, chance, daemons = make_bundle(tmp_path / "bundle"), random.Random(8), 0
    larder = start(name="d0")
    lasts_s, found = run_whole(command(larder, bundle)), {0: 0, WHOLE: 0}
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
    run_whole(command(larder, bundle))
    larder.restart()
    assert_equal(larder)
