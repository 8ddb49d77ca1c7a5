# SPDX-License-Identifier: Apache-2.0
"""A large artifact that is here: how fast it goes out, and what memory downloads take."""
import bodies
import load
import machine
from bodies import KIB, MIB
from rows import Row
from servers import Larder, Nginx

NGINX = "nginx static"
TARGET = "/bench/large/1?lite-format=tflite"
STALLED = 32

ROWS = [
    Row("large-1", "256 MiB, 1 connection", NGINX, "GB/s", less=False),
    Row("large-8", "256 MiB, 8 connections", NGINX, "GB/s", "M4", 0.90, 1.0, less=False),
    Row("large-cpu", "256 MiB, 8 connections", NGINX, "CPU s per GB"),
    Row("large-memory", "256 MiB, 8 connections: resident", NGINX, "MiB", "M4", 0.60),
    Row("large-stalled", "a download that is not read: kernel memory", NGINX, "KiB", "M5", 0.12, 0.09),
]


def start(bench):
    folder = bench.folder / "large"
    root = folder / "root"
    (root / "bench" / "large").mkdir(parents=True)
    file = bodies.tflite(root / "bench" / "large" / "1", 256 * MIB)
    digest = bodies.sha256(file)
    larder = Larder(folder / "larder").start()
    larder.publish(TARGET, file)
    # A process of its own, so that its memory is not what publishing took.
    larder.stop()
    bench.own(larder).start()
    nginx = bench.own(Nginx(folder / "nginx", "nginx", [f"root {root};"])).start()
    for server in (larder, nginx):
        load.check(server, TARGET, digest)
    return larder, nginx


def measure_rates(bench, rows, larder, nginx):
    for turn in range(bench.rounds):
        for connections in (1, 8):
            both = {}
            for server in (larder, nginx) if turn % 2 == 0 else (nginx, larder):
                with machine.Memory(server.process.pid) as memory:
                    both[server] = load.downloads(server, TARGET, seconds=bench.seconds / 2, connections=connections,
                                                 copy=1)
                both[server].detail["resident"] = memory.peak
            ours, theirs = both[larder], both[nginx]
            if connections == 1:
                add(rows, "large-1", ours.gb_per_s, theirs.gb_per_s)
            else:
                add(rows, "large-8", ours.gb_per_s, theirs.gb_per_s)
                add(rows, "large-cpu", ours.cpu_s_per_gb, theirs.cpu_s_per_gb)
                add(rows, "large-memory", ours.detail["resident"] / MIB, theirs.detail["resident"] / MIB)


def add(rows, name, ours, theirs):
    if name in rows:
        rows[name].add(ours, theirs)


def stalled_memory(server):
    with load.stalled_downloads(server.port, TARGET, STALLED):
        return machine.settled(lambda: machine.queued_by(server.port)) / STALLED / KIB


def measure(bench, rows):
    larder, nginx = start(bench)
    if set(rows) - {"large-stalled"}:
        measure_rates(bench, rows, larder, nginx)
    if "large-stalled" in rows:
        for _ in range(bench.rounds):
            rows["large-stalled"].add(stalled_memory(larder), stalled_memory(nginx))
