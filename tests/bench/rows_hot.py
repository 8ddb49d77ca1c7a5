# SPDX-License-Identifier: Apache-2.0
"""Artifacts that are here, small and hot: processor time per request against nginx."""
import bodies
import load
from bodies import KIB, MIB
from rows import Row
from servers import Larder, Nginx, header_lines, share

CPU = "CPU µs a request"
STATIC = "nginx static"
SIZES = {"1k": KIB, "32k": 32 * KIB, "1m": MIB, "16m": 16 * MIB}

ROWS = [
    Row("hot-1k", "1 KiB, 64 connections", "nginx static, sendfile, open_file_cache", CPU, "M1", 0.75, 0.66),
    Row("hot-1k-best", "1 KiB, 64 connections", "nginx static, sendfile off, open_file_cache", CPU, quick=False),
    Row("hot-1k-debian", "1 KiB, 64 connections", "nginx static as shipped", CPU),
    Row("hot-1k-cache", "1 KiB, 64 connections", "nginx proxy_cache", CPU, "M2", 0.65, 0.56),
    Row("hot-1k-idle", "1 KiB, 64 connections, 1,000 idle ones", "nginx static, sendfile, open_file_cache", CPU, "M3", 0.75,
        quick=False),
    Row("hot-1k-idle-best", "1 KiB, 64 connections, 1,000 idle ones", "nginx static, sendfile off, open_file_cache", CPU,
        quick=False),
    Row("hot-1k-log", "1 KiB, a log line each", "nginx static, access log on", CPU, quick=False),
    Row("hot-304", "304 by ETag, 64 connections", "nginx static, open_file_cache", CPU),
    Row("hot-32k", "32 KiB, 64 connections", "nginx static, open_file_cache", CPU, quick=False),
    Row("hot-1m", "1 MiB, 64 connections", "nginx static, open_file_cache", CPU),
    Row("range-4k", "random 4 KiB of 16 MiB, 64 connections", "nginx static, open_file_cache", CPU, "M12", 0.95, 0.80),
    Row("range-1m", "random 1 MiB of 16 MiB, 8 connections", "nginx static, open_file_cache", CPU),
]

CACHED = "open_file_cache max=1000; open_file_cache_valid 1h;"


def target(size):
    return f"/bench/{size}/1?lite-format=tflite"


class Place:
    """Larder with its artifacts, and nginx with the same bytes and headers, in the settings that suit it best."""

    def __init__(self, bench, logging):
        self.folder = bench.folder / "hot"
        root = self.folder / "root"
        self.files = {}
        for size, length in SIZES.items():
            (root / "bench" / size).mkdir(parents=True)
            self.files[size] = bodies.tflite(root / "bench" / size / "1", length, seed=length)
        self.digests = {size: bodies.sha256(file) for size, file in self.files.items()}
        self.larder = self.start_larder(bench, "larder")
        self.logging = self.start_larder(bench, "logging", {"log": {"level": "info"}}) if logging else self.larder
        self.headers = {size: load.check(self.larder, target(size), self.digests[size]) for size in SIZES}
        for size, file in self.files.items():
            share(self.larder, file, self.digests[size])
        self.start_nginx(bench, root)
        self.check_all()

    def start_larder(self, bench, name, settings=None):
        larder = bench.own(Larder(self.folder / name, settings))
        token = larder.token()
        larder.start()
        for size, file in self.files.items():
            larder.publish(target(size), file, token)
        return larder

    def start_nginx(self, bench, root):
        site = f"root {root};" + "".join(f" location /bench/{size}/ {{ {header_lines(self.headers[size])} }}" for size in SIZES)
        origin = f"root {root}; location / {{ }}"
        cache = "".join(f" location /bench/{size}/ {{ proxy_pass http://127.0.0.1:{{origin}}; proxy_cache hub; "
                        f"proxy_cache_valid 200 1h; {header_lines(self.headers[size])} }}" for size in SIZES)
        self.origin = bench.own(Nginx(self.folder / "origin", "nginx", [origin])).start()
        cache = cache.replace("{origin}", str(self.origin.port))
        self.nginx = bench.own(Nginx(
            self.folder / "nginx", "nginx",
            [site, f"sendfile off; {CACHED} {site}", f"{CACHED} {site}", f"sendfile off; {cache}",
             f"access_log {self.folder}/access.log combined; sendfile off; {CACHED} {site}"],
            f"proxy_cache_path {self.folder}/cache keys_zone=hub:10m inactive=1h; proxy_http_version 1.1;")).start()
        self.debian, self.unsent, self.sent, self.cache, self.logged = self.nginx.ports

    def check_all(self):
        """Each body at each port, and that nginx's answers have what Larder's have."""
        for port in self.nginx.ports:
            for size, digest in self.digests.items():
                there = {name.lower() for name in load.check(self.nginx, target(size), digest, port)}
                missing = {name.lower() for name in self.headers[size]} - there
                if missing:
                    raise load.Failed(f"nginx lacks the headers {missing}")
        for first, last in ((0, 4 * KIB - 1), (5 * MIB + 3, 6 * MIB + 2)):
            with open(self.files["16m"], "rb") as file:
                file.seek(first)
                digest = load.hashlib.sha256(file.read(last - first + 1)).hexdigest()
            asked = {"Range": f"bytes={first}-{last}"}
            load.check(self.larder, target("16m"), digest, headers=asked, expected=206)
            load.check(self.nginx, target("16m"), digest, self.sent, asked, 206)


def in_turn(bench, rows, larder, others):
    """Rounds of Larder and of what its rows hold it against, in an order that changes."""
    others = {name: side for name, side in others.items() if name in rows}
    for turn in range(bench.rounds if others else 0):
        ours = larder() if turn % 2 == 0 else None
        theirs = {name: side() for name, side in others.items()}
        ours = ours or larder()
        for name, result in theirs.items():
            rows[name].add(ours.cpu_us, result.cpu_us)


def sides_of(place, seconds):
    """What is done to Larder, and with it for each row what is done to nginx."""
    def whole(server, size, port=None):
        return lambda: load.wrk(server, target(size), seconds, port=port)

    def large(server, size, port=None):
        return lambda: load.downloads(server, target(size), port, seconds / 2, connections=64)

    def parts(server, length, connections, port=None):
        return lambda: load.downloads(server, target("16m"), port, seconds / 2, connections=connections, status=206,
                                      range=f"{length}:{SIZES['16m']}")

    def unchanged(server, port=None):
        tag = load.check(server, target("1k"), place.digests["1k"], port)["ETag"]
        return lambda: load.downloads(server, target("1k"), port, seconds / 2, connections=64, status=304,
                                      header=f"If-None-Match: {tag}")

    def idle(server, port=None):
        def measure_it():
            with load.idle_connections(port or server.port, target("1k"), 1000):
                return load.wrk(server, target("1k"), seconds, port=port)
        return measure_it

    larder, nginx = place.larder, place.nginx
    return [
        (whole(larder, "1k"), {"hot-1k": whole(nginx, "1k", place.sent), "hot-1k-best": whole(nginx, "1k", place.unsent),
                               "hot-1k-debian": whole(nginx, "1k", place.debian), "hot-1k-cache": whole(nginx, "1k", place.cache)}),
        (idle(larder), {"hot-1k-idle": idle(nginx, place.sent), "hot-1k-idle-best": idle(nginx, place.unsent)}),
        (whole(place.logging, "1k"), {"hot-1k-log": whole(nginx, "1k", place.logged)}),
        (unchanged(larder), {"hot-304": unchanged(nginx, place.sent)}),
        (large(larder, "32k"), {"hot-32k": large(nginx, "32k", place.sent)}),
        (large(larder, "1m"), {"hot-1m": large(nginx, "1m", place.sent)}),
        (parts(larder, 4 * KIB, 64), {"range-4k": parts(nginx, 4 * KIB, 64, place.sent)}),
        (parts(larder, MIB, 8), {"range-1m": parts(nginx, MIB, 8, place.sent)}),
    ]


def measure(bench, rows):
    place = Place(bench, logging="hot-1k-log" in rows)
    for larder, others in sides_of(place, bench.seconds):
        in_turn(bench, rows, larder, others)
