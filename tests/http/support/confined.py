# SPDX-License-Identifier: Apache-2.0
"""The restrictions of a systemd unit without systemd: its filter of system calls as systemd would build it, its limits, no
capability, and a system that is read-only but for one folder.

As a program it is what a daemon is started by: confined.py mounts FOLDER COMMAND…, and confined.py filter UNIT ACTION COMMAND…"""
import ctypes
import errno
import os
import re
import resource
import socket
import subprocess
import sys
from pathlib import Path

ENOSYS, EPERM = errno.ENOSYS, errno.EPERM
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
NEW_NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)  # CLONE_NEW…
SCHED_OTHER, SCHED_BATCH, SCHED_IDLE = 0, 3, 5
# Not of files on a disk: there is nothing to write there that matters, or the daemon needs it.
LIVELY = {"proc", "sysfs", "devtmpfs", "devpts", "tmpfs", "mqueue", "cgroup", "cgroup2", "securityfs"}


# ---- what the unit says ------------------------------------------------------------------------------------------------------

def settings(unit):
    """[(key, value)] of a unit's file, in its order."""
    lines = Path(unit).read_text().splitlines()
    return [tuple(line.split("=", 1)) for line in lines if "=" in line and not line.startswith("#")]


def value_of(unit, key):
    return dict(settings(unit)).get(key)


def groups():
    """{"@group": [name or group]}, as this machine's systemd has them."""
    shown = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in shown.splitlines():
        word = re.sub(r"\x1b\[[0-9;]*m", "", line)
        if word.startswith("@"):
            members = found.setdefault(word.strip(), [])
        elif re.match(r"\s+[@\w-]+$", word):
            members.append(word.strip())
    return found


def expand(name, table):
    if not name.startswith("@"):
        return {name}
    return set().union(*(expand(member, table) for member in table[name]))


def allowed(unit, table):
    """The system calls that SystemCallFilter= leaves: the first line is a list of what is allowed, those with ~ take away."""
    left = set()
    for key, value in settings(unit):
        names = set().union(*(expand(name, table) for name in value.lstrip("~").split())) if key == "SystemCallFilter" else set()
        left = left - names if value.startswith("~") else left | names
    return left | expand("@default", table)


# ---- filters -----------------------------------------------------------------------------------------------------------------

def add(rules, action, name, *conditions):
    try:
        rules.add_rule(action, name, *conditions)
    except (RuntimeError, OSError, ValueError):
        pass  # not a system call of this machine; systemd goes past it too


def filter_calls(seccomp, unit, refusal):
    """What is not allowed but known is refused, and what systemd does not know is not there."""
    table = groups()
    calls = allowed(unit, table)
    rules = seccomp.SyscallFilter(seccomp.ERRNO(ENOSYS))
    for name in sorted(calls):
        add(rules, seccomp.ALLOW, name)
    for name in sorted(expand("@known", table) - calls):
        add(rules, refusal, name)
    rules.load()


def filter_arguments(seccomp, unit):
    """RestrictAddressFamilies=, MemoryDenyWriteExecute=, RestrictNamespaces=, RestrictRealtime= and LockPersonality=."""
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    refuse = seccomp.ERRNO(EPERM)
    families = {getattr(socket, name) for name in (value_of(unit, "RestrictAddressFamilies") or "").split()}
    for family in set(range(46)) - families:
        add(rules, seccomp.ERRNO(errno.EAFNOSUPPORT), "socket", seccomp.Arg(0, seccomp.EQ, family))
    if value_of(unit, "MemoryDenyWriteExecute") == "yes":
        both = PROT_WRITE | PROT_EXEC
        add(rules, refuse, "mmap", seccomp.Arg(2, seccomp.MASKED_EQ, both, both))
        add(rules, refuse, "mprotect", seccomp.Arg(2, seccomp.MASKED_EQ, PROT_EXEC, PROT_EXEC))
        add(rules, refuse, "shmat", seccomp.Arg(2, seccomp.MASKED_EQ, SHM_EXEC, SHM_EXEC))
    if value_of(unit, "RestrictNamespaces") == "yes":
        for flag in NEW_NAMESPACES:
            add(rules, refuse, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
        add(rules, seccomp.ERRNO(ENOSYS), "clone3")
        add(rules, refuse, "unshare")
        add(rules, refuse, "setns")
    if value_of(unit, "RestrictRealtime") == "yes":
        for policy in set(range(8)) - {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE}:
            add(rules, refuse, "sched_setscheduler", seccomp.Arg(1, seccomp.EQ, policy))
    if value_of(unit, "LockPersonality") == "yes":
        add(rules, refuse, "personality", seccomp.Arg(0, seccomp.NE, ctypes.CDLL(None).personality(0xffffffff)))
    rules.load()


def set_limits(unit):
    for key, which in (("LimitNOFILE", resource.RLIMIT_NOFILE), ("LimitCORE", resource.RLIMIT_CORE)):
        limit = value_of(unit, key)
        hard = resource.getrlimit(which)[1]
        if limit is not None:
            limit = int(limit) if hard == resource.RLIM_INFINITY else min(int(limit), hard)
            resource.setrlimit(which, (limit, limit))
    os.umask(int(value_of(unit, "UMask"), 8))


# ---- mounts ------------------------------------------------------------------------------------------------------------------

def mount(*arguments):
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


def make_read_only(folder):
    """All that is mounted, in a namespace of our own, but for a folder; and /proc with nothing but processes."""
    assert mount("--bind", folder, folder)
    with open("/proc/self/mounts", encoding="utf-8") as lines:
        mounts = [line.split()[1:3] for line in lines]
    for place, kind in mounts:
        if kind not in LIVELY and place != folder:
            mount("-o", "remount,bind,ro", place)
    mount("-t", "proc", "-o", "subset=pid,hidepid=invisible", "proc", "/proc")


# An ordinary user without any capability, who owns what ours are.
ORDINARY = ["unshare", "--user", "--map-user=999", "--map-group=999"]


# ---- the command that starts a daemon so ---------------------------------------------------------------------------------------

def may(*command):
    try:
        return subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def can_confine():
    """Whether there are user namespaces, setpriv, systemd's groups of system calls, and what makes a filter of them."""
    return may(*ORDINARY, "setpriv", "--no-new-privs") and may("systemd-analyze", "--version") and \
        may(sys.executable, "-c", "import seccomp")


def launcher(unit, folder, action="errno"):
    """What to put before a daemon's command. Of mounts as much as this machine lets us. action is what
    happens at a system call that the unit refuses: "errno", as under systemd, or "kill"."""
    program = [sys.executable, str(Path(__file__).resolve())]
    namespace = next((way for way in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]) if may(*way)), [])
    mounts = [*namespace, *program, "mounts", str(folder)] if namespace else []
    return [*mounts, *ORDINARY, "setpriv", "--no-new-privs", *program, "filter", str(unit), action]


def main(what, *arguments):
    if what == "mounts":
        folder, *command = arguments
        make_read_only(folder)
    else:
        import seccomp  # of the distribution, and only here
        unit, action, *command = arguments
        set_limits(unit)
        filter_arguments(seccomp, unit)
        filter_calls(seccomp, unit, seccomp.KILL_PROCESS if action == "kill" else seccomp.ERRNO(EPERM))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
