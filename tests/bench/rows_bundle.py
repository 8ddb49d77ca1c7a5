# SPDX-License-Identifier: Apache-2.0
"""Bundles: out of a data folder into one tar and into another folder, against copying the same bytes and hashing them."""
import contextlib
import re
import shutil
import subprocess
import time
from pathlib import Path

import bodies
import machine
from bodies import MIB
from rows import Row
from rows_upload import BOTH, renew, tool
from servers import LARDER, Failed, Larder

COPIED = "cp + sha256sum of the same bytes"
KEPT = "cp + sync + sha256sum of the same bytes"
# Half of the pace; 32 MiB more than the 12 of a command that does nothing.
ROWS = [
    Row("export", "4 GiB of modules (quick: 512 MiB) into a bundle, durable", COPIED, "s", "", 2.0, quick=False),
    Row("export-durable", "the same", KEPT, "s", "", 2.0, quick=False),
    Row("export-memory", "the same: resident", "", "MiB", "", 44.0, quick=False),
    Row("import", "that bundle, verified, durable", COPIED, "s", "", 2.0, quick=False),
    Row("import-durable", "the same", KEPT, "s", "", 2.0, quick=False),
    Row("import-memory", "the same: resident", "", "MiB", "", 44.0, quick=False),
]


def peak_of(process):
    """The most that was resident so far, in MiB; 0 once it has ended."""
    with contextlib.suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text(), re.M)
        return int(found[1]) / 1024 if found else 0
    return 0


def command(*words):
    """Runs one of Larder's on both cores: (seconds, the most that was resident, in MiB)."""
    began, peak = time.monotonic(), 0
    with subprocess.Popen(machine.pin([LARDER, *words], BOTH), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, peak_of(process))
            time.sleep(0.01)
        passed = time.monotonic() - began
    if process.returncode != 0:
        raise Failed(f"larder {' '.join(map(str, words))}: status {process.returncode}")
    return passed, peak


def fill(bench, folder, size):
    """A data folder with modules of 256 MiB that differ, and nothing running on it."""
    larder = bench.own(Larder(folder, cores=BOTH))
    token = larder.token()
    larder.start()
    file = bodies.archive(folder / "module.tar.gz", min(size, 256 * MIB))
    for number in range(1, size // file.stat().st_size + 2):
        renew(file, number)
        larder.publish(f"/bench/bundle/{number}", file, token)
    larder.stop()
    file.unlink()
    return larder


def copied(bundle, copy):
    """(seconds of cp and sha256sum, with sync too)"""
    steps = [tool("cp", bundle, copy), tool("sync", copy), tool("sha256sum", copy)]
    copy.unlink()
    return steps[0][0] + steps[2][0], sum(step[0] for step in steps)


def add(rows, name, ours, peak, theirs):
    for row, values in ((name, (ours, theirs[0])), (f"{name}-durable", (ours, theirs[1])), (f"{name}-memory", (peak,))):
        if row in rows:
            rows[row].add(*values)


def measure(bench, rows):
    folder = bench.folder / "bundle"
    folder.mkdir()
    larder = fill(bench, folder / "full", (512 if bench.quick else 4096) * MIB)
    bundle, copy, other = folder / "bundle.tar", folder / "copy", folder / "other"
    for _ in range(1 if bench.quick else 3):
        ours, peak = command("export", "-o", bundle, "--data", larder.data)
        add(rows, "export", ours, peak, copied(bundle, copy))
        if any(name.startswith("import") for name in rows):
            ours, peak = command("import", bundle, "--data", other)
            add(rows, "import", ours, peak, copied(bundle, copy))
            shutil.rmtree(other)
        bundle.unlink()
