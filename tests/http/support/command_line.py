# SPDX-License-Identifier: Apache-2.0
"""Commands as people and scripts run them: in a pipe, and on a terminal."""
import fcntl
import os
import pty
import struct
import subprocess
import termios

from .daemon import REPORTS, binary
from .waiting import DEADLINE_S

UNSET = ("LARDER_SERVER", "LARDER_TOKEN", "COLUMNS", "TERM", "NO_COLOR", "http_proxy", "all_proxy")


def environment(server=None, token=None, **more):
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    given = {"LARDER_SERVER": server, "LARDER_TOKEN": token, **more}
    return {**kept, **{name: str(value) for name, value in given.items() if value is not None}}


def run(*arguments, status=0, server=None, token=None, cwd=None, more=None, **given):
    """In a pipe. status None: whichever it is."""
    given = {"stdin": subprocess.DEVNULL, **given} if "input" not in given else given
    done = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE_S, cwd=cwd,
                          env=environment(server, token, **(more or {})), **given)
    assert not REPORTS.search(done.stderr), done.stderr
    assert status is None or done.returncode == status, f"{arguments}: status {done.returncode}: {done.stdout}{done.stderr}"
    assert "\x1b" not in done.stdout + done.stderr, "a pipe is no terminal"
    return done


def read_to_end(ours):
    printed = b""
    while True:
        try:
            block = os.read(ours, 1 << 16)
        except OSError:  # how Linux tells that nobody has the other end any more
            return printed
        if not block:
            return printed
        printed += block


def on_terminal(*arguments, columns=80, status=0, server=None, token=None, **more):
    """What it prints where all of its output is a terminal that is so wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                               env=environment(server, token, **more))
    os.close(theirs)
    printed = read_to_end(ours)
    os.close(ours)
    assert process.wait(DEADLINE_S) == status, printed
    assert not REPORTS.search(printed.decode(errors="replace")), printed
    return printed.decode().replace("\r\n", "\n")
