# SPDX-License-Identifier: Apache-2.0
"""A disk that can be made to get stuck: what is to become durable waits until it is let go. See tests/crash/stuck.c."""
import os
from pathlib import Path

import pytest

from .daemon import binary, under_thread_sanitizer

SHIM = Path(binary()).parent / "tests" / "crash" / "stuck.so"

needs_shim = pytest.mark.skipif(not SHIM.exists() or under_thread_sanitizer(), reason=f"{SHIM} is not built")


class Disk:
    """Daemons that are started on it get stuck together."""

    def __init__(self, folder):
        self.gate = folder / "stuck"
        self.writing = folder / "stuck-writing"
        self.log = folder / "stuck.log"

    def environment(self):
        options = os.environ.get("ASAN_OPTIONS", "")
        return {"LD_PRELOAD": str(SHIM), "STUCK_WHILE": str(self.gate), "STUCK_LOG": str(self.log), "STUCK_WRITING": str(self.writing),
                "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0".lstrip(":")}

    def stick(self):
        self.log.write_text("")
        self.gate.touch()

    def stick_writing(self):
        """What reads along stands still after the first 8 MiB, which it has the disk begin with."""
        self.writing.touch()

    def let_go(self):
        self.gate.unlink(missing_ok=True)
        self.writing.unlink(missing_ok=True)

    def lines(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    def waiting(self):
        """How many calls have waited since it got stuck."""
        return sum(not line.startswith("+") for line in self.lines())

    def synced(self, name):
        """How often a file of this name has become durable since it got stuck last."""
        return sum(line.startswith("+") and line.endswith("/" + name) for line in self.lines())
