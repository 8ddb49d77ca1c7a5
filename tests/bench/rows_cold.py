# SPDX-License-Identifier: Apache-2.0
"""What is not here yet: 64 clients at once ask for the same module of a slow upstream, and one client of a fast one."""
import bodies
import load
from bodies import MIB
from rows import Row
from servers import Larder, Nginx, Varnish
from upstream import Upstream

CLIENTS = 64
RATE = 20_000_000
LOCK = "nginx proxy_cache_lock"
SLICE = "nginx slice, proxy_cache_lock"

ROWS = [
    Row("cold-fetches", "64 clients, 64 MiB: fetches from upstream", unit="requests", goal="M6", floor=1),
    Row("cold-fetches-long", "64 clients, a transfer of 8 s: fetches", LOCK, "requests", "M6", quick=False),
    Row("cold-first", "64 clients, 64 MiB: first byte, median", LOCK, "ms", "M7", 1 / 200, 1 / 1000),
    Row("cold-first-worst", "64 clients, 64 MiB: first byte, worst", LOCK, "ms"),
    Row("cold-first-slice", "64 clients, 64 MiB: first byte, median", SLICE, "ms", "M7", 1 / 50, 1 / 150, quick=False),
    Row("cold-last", "64 clients, 64 MiB: the last is done", "upstream to one client", "s", "M8", 1.03),
    Row("cold-cpu", "64 clients, 64 MiB", "Varnish, which verifies nothing", "CPU s per GB", "M9", 1.0, 0.6),
    Row("cold-cpu-lock", "64 clients, 64 MiB", LOCK + ", which verifies nothing", "CPU s per GB"),
]


class Place:
    """The servers in front of one slow upstream."""

    def __init__(self, bench, size, rate):
        self.folder = bench.folder / f"cold-{rate}"
        self.folder.mkdir()
        file = bodies.archive(self.folder / "module.tar.gz", size)
        self.digest = bodies.sha256(file)
        self.upstream = bench.own(Upstream(file, rate))
        port = self.upstream.port
        self.larder = bench.own(Larder(self.folder / "larder", upstream=f"http://127.0.0.1:{port}/{{path}}?{{query}}")).start()
        self.nginx = bench.own(Nginx(self.folder / "nginx", "nginx", [self.location(port), self.slices(port)],
                                     f"proxy_cache_path {self.folder}/cache keys_zone=hub:10m inactive=1h; "
                                     "proxy_http_version 1.1; proxy_cache_valid 200 206 1h; proxy_cache_lock on;")).start()
        self.lock, self.slice = self.nginx.ports
        self.round = 0

    def location(self, port):
        return (f"location / {{ proxy_pass http://127.0.0.1:{port}; proxy_cache hub; proxy_cache_key whole$uri; "
                "add_header X-Cache $upstream_cache_status; }")

    def slices(self, port):
        return (f"location / {{ slice 1m; proxy_pass http://127.0.0.1:{port}; proxy_cache hub; "
                "proxy_cache_key slice$uri$slice_range; proxy_set_header Range $slice_range; }")

    def start_varnish(self, bench):
        self.varnish = bench.own(Varnish(self.folder / "varnish", self.upstream.port)).start()

    def stampede(self, server, port=None, clients=CLIENTS):
        """All clients at once, for a module that was never asked for."""
        self.round += 1
        path = f"/bench/cold-{self.round}/1"
        result = load.downloads(server, f"{path}?tf-hub-format=compressed", port, connections=clients, each=1)
        if result.bytes != clients * len(self.upstream.body):
            raise load.Failed(f"{server.name} gave {result.bytes} bytes to {clients} clients")
        result.detail["fetches"] = self.upstream.fetches(path)
        if server is not self.upstream:
            load.check(server, f"{path}?tf-hub-format=compressed", self.digest, port)
        return result


def first(result):
    return result.detail["first_ms"]["p50"]


def worst(result):
    return result.detail["first_ms"]["max"]


def last_s(result):
    return result.detail["whole_ms"]["max"] / 1e3


def measure_stampedes(bench, rows):
    place = Place(bench, 64 * MIB, RATE)
    if "cold-cpu" in rows:
        place.start_varnish(bench)
    for _ in range(1 if bench.quick else bench.rounds):
        ours = place.stampede(place.larder)
        if "cold-fetches" in rows:
            rows["cold-fetches"].add(ours.detail["fetches"])
        if rows.keys() & {"cold-first", "cold-first-worst", "cold-cpu-lock"}:
            theirs = place.stampede(place.nginx, place.lock)
            for name, value in (("cold-first", first), ("cold-first-worst", worst), ("cold-cpu-lock", cpu)):
                add(rows, name, value(ours), value(theirs))
        if "cold-first-slice" in rows:
            add(rows, "cold-first-slice", first(ours), first(place.stampede(place.nginx, place.slice)))
        if "cold-last" in rows:
            add(rows, "cold-last", last_s(ours), last_s(place.stampede(place.upstream, clients=1)))
        if "cold-cpu" in rows:
            add(rows, "cold-cpu", cpu(ours), cpu(place.stampede(place.varnish)))


def cpu(result):
    return result.cpu_s_per_gb


def add(rows, name, ours, theirs):
    if name in rows:
        rows[name].add(ours, theirs)


def measure_long(bench, row):
    """Longer than nginx's lock waits (5 s)."""
    place = Place(bench, 12 * MIB, 1_500_000)
    ours, theirs = place.stampede(place.larder), place.stampede(place.nginx, place.lock)
    row.add(ours.detail["fetches"], theirs.detail["fetches"])


def measure(bench, rows):
    if set(rows) - {"cold-fetches-long"}:
        measure_stampedes(bench, rows)
    if "cold-fetches-long" in rows:
        measure_long(bench, rows["cold-fetches-long"])
