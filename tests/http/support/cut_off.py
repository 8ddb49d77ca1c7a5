# SPDX-License-Identifier: Apache-2.0
"""A site without a way out: a network namespace that has a loopback and no route."""
import ctypes
import fcntl
import os
import socket
import struct
import traceback

import pytest

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
NOT_HERE = "no network namespace: "


def enter():
    """Takes this process, which must have one thread, out of the network."""
    owner, group = os.geteuid(), os.getegid()
    spaces = CLONE_NEWNET if owner == 0 else CLONE_NEWNET | CLONE_NEWUSER
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(spaces) != 0:
        raise OSError(ctypes.get_errno(), NOT_HERE + os.strerror(ctypes.get_errno()))
    if owner != 0:
        for name, line in ("setgroups", "deny"), ("uid_map", f"{owner} {owner} 1"), ("gid_map", f"{group} {group} 1"):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as out:
                out.write(line)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = struct.unpack_from("16xH", fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0)))[0]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def has_a_way_out():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return False
        return True


def report_of(work):
    """What went wrong in it; "" where all went well."""
    try:
        enter()
        assert not has_a_way_out()
        work()
    except BaseException as error:
        return str(error.strerror) if isinstance(error, OSError) and str(error.strerror).startswith(NOT_HERE) else traceback.format_exc()
    return ""


def run(work):
    """Calls work() in a process of its own, with what it starts, where no packet leads out. Its failure is the test's."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with open(writer, "w", encoding="utf-8") as out:
            out.write(report_of(work))
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as source:
        report = source.read()
    os.waitpid(child, 0)
    if report.startswith(NOT_HERE):
        pytest.skip(report)
    assert not report, report
