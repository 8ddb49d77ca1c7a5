# SPDX-License-Identifier: Apache-2.0
"""The machine that is measured on: which core does what, and who used how much of the processor."""
import contextlib
import os
import platform
import re
import subprocess
import threading
import time
from pathlib import Path

SERVER_CORE = 0
LOAD_CORE = 1
TICKS = os.sysconf("SC_CLK_TCK")


def pin_load():
    """This process, and all that it starts, goes to the core of the load."""
    os.sched_setaffinity(0, {LOAD_CORE})


def pin(command, cores=(SERVER_CORE,)):
    """The command, to be run on these cores."""
    return ["taskset", "-c", ",".join(str(core) for core in cores), *[str(word) for word in command]]


def children_of(pid):
    """The processes below this one, with itself."""
    found = [pid]
    for process in found:
        for path in Path(f"/proc/{process}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in path.read_text().split()]
    return found


def fields_of(pid):
    """/proc/PID/stat from the third field on."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def cpu_of(pid):
    """Seconds of the processor that this process and all below it have used, and those below it that have ended."""
    ticks = 0
    for process in children_of(pid):
        with contextlib.suppress(OSError):
            ticks += sum(int(value) for value in fields_of(process)[11:15])
    return ticks / TICKS


def rollup_of(pid):
    """/proc/PID/smaps_rollup in bytes, by name."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(rest.split()[0]) * 1024 for name, rest in (line.split(":", 1) for line in lines)}


def resident_of(pid):
    """Bytes of memory of this process and all below it; what they share counts once. Libraries count in full, although other
    programs may have them, too."""
    rollups = []
    for process in children_of(pid):
        with contextlib.suppress(OSError, IndexError):
            rollups.append(rollup_of(process))
    rollups.sort(key=lambda rollup: rollup["Rss"])
    own = sum(rollup["Private_Clean"] + rollup["Private_Dirty"] for rollup in rollups[:-1])
    return own + rollups[-1]["Rss"] if rollups else 0


def private_of(pid):
    """Bytes of memory of this process and all below it that are no file's: neither libraries nor what is sent."""
    total = 0
    for process in children_of(pid):
        with contextlib.suppress(OSError, IndexError):
            rollup = rollup_of(process)
            total += rollup["Pss_Anon"] + rollup["Pss_Shmem"]
    return total


class Memory:
    """The most that a process and those below it had resident, and privately, while this was entered, by looking again and
    again."""

    def __init__(self, pid, every_s=0.05):
        self.pid, self.every_s, self.peak, self.private = pid, every_s, 0, 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while True:
            self.peak = max(self.peak, resident_of(self.pid))
            self.private = max(self.private, private_of(self.pid))
            if self.ending.wait(self.every_s):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()


def queued_by(port):
    """Bytes that the kernel holds for what the sockets of a server's port have still to send."""
    listed = subprocess.run(["ss", "-tmnH", "state", "established", f"sport = :{port}"], capture_output=True, text=True,
                            check=True).stdout
    return sum(int(value) for value in re.findall(r"skmem:\([^)]*?,w(\d+)", listed))


def settled(read, looks=5):
    """A value once it has stayed as it is for some looks."""
    value, same = read(), 0
    while same < looks:
        time.sleep(0.05)
        now = read()
        same = same + 1 if now == value else 0
        value = now
    return value


class ForeignCpu:
    """How much of the processor others used while this object lives: neither we nor what we started."""

    def __init__(self):
        self.began = time.monotonic()
        self.before = self.read()

    @staticmethod
    def read():
        user, nice, system, idle, wait, irq, softirq, steal = (
            int(value) / TICKS for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
        times = os.times()
        ours = times.user + times.system + times.children_user + times.children_system
        ours += sum(cpu_of(child) for child in children_of(os.getpid())[1:])
        return user + nice + system + irq + softirq, steal, ours

    def shares(self):
        """Cores used by others, and cores that the host took away, on average."""
        passed = time.monotonic() - self.began
        busy, steal, ours = (now - then for now, then in zip(self.read(), self.before))
        return max(0.0, busy - ours) / passed, steal / passed


def await_quiet(patience_s, cores):
    """Waits until others leave the machine alone, as far as patience goes."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        foreign = ForeignCpu()
        time.sleep(1)
        if sum(foreign.shares()) < cores:
            return


def processor_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def describe():
    """Words on the machine, for the table's head and the JSON file."""
    release = platform.freedesktop_os_release()
    return {"processor": processor_name(), "cores": os.cpu_count(), "kernel": platform.release(),
            "system": release.get("PRETTY_NAME", ""), "date": time.strftime("%Y-%m-%d %H:%M"),
            "congestion_control": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
            "nginx": version_of("nginx"), "varnish": version_of("varnish"), "wrk": version_of("wrk"),
            "libmicrohttpd": version_of("libmicrohttpd12")}


def version_of(package):
    done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""
