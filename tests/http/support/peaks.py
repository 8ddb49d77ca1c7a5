# SPDX-License-Identifier: Apache-2.0
"""How much memory a command takes at its peak."""
import os
import subprocess
import sys

from support.daemon import binary
from support.waiting import DEADLINE_S

# A child's peak begins with that of the process that it was forked from: this one is small.
MEASURE = """import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)"""


def peak(larder, *arguments, status=0):
    """In KiB; what is freed is not kept for AddressSanitizer to look at."""
    options = "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
    done = subprocess.run([sys.executable, "-S", "-c", MEASURE, binary(), *arguments, "--data", str(larder.data)], capture_output=True, text=True,
                          timeout=6 * DEADLINE_S, cwd=larder.folder, env={**os.environ, "ASAN_OPTIONS": options})
    code, kilobytes = map(int, done.stdout.split())
    assert code == status, done.stderr
    return kilobytes
