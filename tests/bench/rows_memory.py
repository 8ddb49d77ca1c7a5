# SPDX-License-Identifier: Apache-2.0
"""How much memory the server takes: resting, with many connections, and with large bodies under way."""
import contextlib

import bodies
import load
import machine
from bodies import GIB, KIB, MIB
from rows import Row
from rows_upload import put
from servers import Failed, Larder, Nginx

NGINX = "nginx static"
SMALL = "/bench/small/1?lite-format=tflite"
LARGE = "/bench/large/1?lite-format=tflite"
IDLE = 1000
DOWNLOADS = 64
UNIT = "MiB"

ROWS = [
    Row("memory-start", "resident after the start", NGINX, UNIT),
    Row("memory-idle", "resident with 1,000 idle connections", NGINX, UNIT),
    Row("memory-downloads", "resident with 64 running downloads of 1 GiB", NGINX, UNIT, quick=False),
    Row("memory-both", "resident with 1,000 idle connections, 64 downloads", "", UNIT, "L", 32, quick=False),
    Row("memory-put", "resident during a PUT of 1 GiB", "nginx PUT", UNIT, quick=False),
    Row("memory-idle-api", "resident with 1,000 idle connections that asked for JSON", "", UNIT, "L", 32),
]


class Place:
    def __init__(self, bench, large):
        self.folder = bench.folder / "memory"
        root = self.folder / "root"
        for name, size in (("small", KIB), ("large", GIB if large else KIB)):
            (root / "bench" / name).mkdir(parents=True)
            bodies.tflite(root / "bench" / name / "1", size)
        self.large = root / "bench" / "large" / "1"
        self.larder = Larder(self.folder / "larder")
        self.token = self.larder.token()
        self.larder.start()
        self.larder.publish(SMALL, root / "bench" / "small" / "1", self.token)
        self.larder.publish(LARGE, self.large, self.token)
        # A process of its own, so that its memory is not what publishing took.
        self.larder.stop()
        bench.own(self.larder).start()
        (self.folder / "dav").mkdir()
        self.nginx = bench.own(Nginx(self.folder / "nginx", "nginx", [
            f"root {root};", f"root {self.folder}/dav; location / {{ dav_methods PUT; create_full_put_path on; }}"])).start()

    def both(self, look):
        return look(self.larder), look(self.nginx)


def resident(server):
    return machine.resident_of(server.process.pid) / MIB


def with_idle(server, target=SMALL):
    with load.idle_connections(server.port, target, IDLE):
        return resident(server)


def peak_of_downloads(server, idle=0):
    """While they run, each at full speed."""
    with load.idle_connections(server.port, SMALL, idle) if idle else contextlib.nullcontext():
        with machine.Memory(server.process.pid) as memory:
            load.downloads(server, LARGE, seconds=2, connections=DOWNLOADS)
    return memory.peak / MIB


def peak_of_put(server, port, path, file, token=None):
    with machine.Memory(server.process.pid) as memory:
        status, _ = put(port, path, file, token)
    if status != 201:
        raise Failed(f"{server.name} answered a PUT with {status}")
    return memory.peak / MIB


def measure(bench, rows):
    place = Place(bench, large=rows.keys() & {"memory-downloads", "memory-both", "memory-put"})
    if "memory-start" in rows:
        rows["memory-start"].add(*place.both(resident))
    if "memory-idle" in rows:
        rows["memory-idle"].add(*place.both(with_idle))
    if "memory-downloads" in rows:
        rows["memory-downloads"].add(*place.both(peak_of_downloads))
    if "memory-both" in rows:
        rows["memory-both"].add(peak_of_downloads(place.larder, IDLE))
    if "memory-put" in rows:
        bodies.tflite(place.large, GIB, 3)
        rows["memory-put"].add(peak_of_put(place.larder, place.larder.port, "/bench/put/1?lite-format=tflite", place.large, place.token),
                               peak_of_put(place.nginx, place.nginx.ports[1], "/put/1", place.large))
    # The last, as the C library gives back little of what these connections took.
    if "memory-idle-api" in rows:
        rows["memory-idle-api"].add(with_idle(place.larder, "/api/v1/modules/bench/small/1"))
