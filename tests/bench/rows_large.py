# SPDX-License-Identifier: Apache-2.0
"""A large artifact that is here: how fast it goes out, and what memory downloads take."""
import os

import bodies
import load
import machine
from bodies import KIB, MIB
from rows import Row
from servers import Larder, Nginx, share

NGINX = "nginx static, the same file"
TARGET = "/bench/large/1?lite-format=tflite"
STALLED = 32

ROWS = [
    Row("large-1", "256 MiB, 1 connection", NGINX, "GB/s", less=False),
    Row("large-8", "256 MiB, 8 connections", NGINX, "GB/s", "M4", 0.90, 1.0, less=False),
    Row("large-cpu", "256 MiB, 8 connections", NGINX, "CPU s per GB"),
    Row("large-private", "256 MiB, 8 connections: private memory", NGINX, "MiB", "M4", 1.1),
    Row("large-memory", "the same: resident, libraries included", "", "MiB", "M4", 20),
    Row("large-fresh", "the same, from the pages that its PUT wrote", NGINX, "CPU s per GB", quick=False),
    Row("large-stalled", "a download that is not read: kernel memory", NGINX, "KiB", "M5", 0.12, 0.09),
]


class Place:
    """Larder with the body, and nginx with the very file that Larder keeps."""

    def __init__(self, bench):
        folder = bench.folder / "large"
        root = folder / "root"
        (root / "bench" / "large").mkdir(parents=True)
        self.file = bodies.tflite(root / "bench" / "large" / "1", 256 * MIB)
        self.digest = bodies.sha256(self.file)
        self.larder = Larder(folder / "larder")
        token = self.larder.token()
        self.larder.start()
        self.larder.publish(TARGET, self.file, token)
        # A process of its own, so that its memory is not what publishing took.
        self.larder.stop()
        bench.own(self.larder).start()
        self.file.unlink()
        os.link(self.larder.blob(self.digest), self.file)
        self.nginx = bench.own(Nginx(folder / "nginx", "nginx", [f"root {root};"])).start()

    def read_back(self):
        share(self.larder, self.file, self.digest)
        for server in (self.larder, self.nginx):
            load.check(server, TARGET, self.digest)


def measure_rates(bench, rows, place):
    for turn in range(bench.rounds):
        for connections in (1, 8):
            sides = [place.larder, place.nginx]
            results = {server: with_memory(bench, server, connections) for server in (sides if turn % 2 == 0 else sides[::-1])}
            ours, theirs = results[place.larder], results[place.nginx]
            if connections == 1:
                add(rows, "large-1", ours.gb_per_s, theirs.gb_per_s)
            else:
                add(rows, "large-8", ours.gb_per_s, theirs.gb_per_s)
                add(rows, "large-cpu", ours.cpu_s_per_gb, theirs.cpu_s_per_gb)
                add(rows, "large-private", ours.detail["private"] / MIB, theirs.detail["private"] / MIB)
                add(rows, "large-memory", ours.detail["resident"] / MIB)


def with_memory(bench, server, connections):
    with machine.Memory(server.process.pid) as memory:
        result = load.downloads(server, TARGET, seconds=bench.seconds / 2, connections=connections, copy=1)
    result.detail["resident"], result.detail["private"] = memory.peak, memory.private
    return result


def add(rows, name, ours, theirs=None):
    if name in rows:
        rows[name].add(ours, theirs)


def stalled_memory(server):
    with load.stalled_downloads(server.port, TARGET, STALLED):
        return machine.settled(lambda: machine.queued_by(server.port)) / STALLED / KIB


def measure(bench, rows):
    place = Place(bench)
    for _ in range(bench.rounds if "large-fresh" in rows else 0):
        add(rows, "large-fresh", *(load.downloads(server, TARGET, seconds=bench.seconds / 2, connections=8, copy=1).cpu_s_per_gb
                                   for server in (place.larder, place.nginx)))
    place.read_back()
    if rows.keys() & {"large-1", "large-8", "large-cpu", "large-private", "large-memory"}:
        measure_rates(bench, rows, place)
    if "large-stalled" in rows:
        for _ in range(bench.rounds):
            rows["large-stalled"].add(stalled_memory(place.larder), stalled_memory(place.nginx))
