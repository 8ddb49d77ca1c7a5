# SPDX-License-Identifier: Apache-2.0
"""Modules that come in: durable and wholly verified, against nginx and the tools that would do the same afterwards."""
import contextlib
import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

import bodies
import load
import machine
from bodies import KIB, MIB
from rows import Row
from servers import DEADLINE_S, ROOT, Failed, Larder, Nginx, forget

VERIFY = ROOT / "build-bench" / "tests" / "bench" / "bench_verify"
BOTH = (machine.SERVER_CORE, machine.LOAD_CORE)

ROWS = [
    Row("put", "PUT of 256 MiB of float weights (quick: 64), verified, durable", "nginx PUT + fsync + sha256sum + gzip -t", "s", "M10",
        1 / 2.0, 1 / 2.7),
    Row("put-parts", "PUT of 256 MiB of float weights (quick: 64), verified, durable", "nginx PUT + fsync + Larder's own checks, one by one", "s"),
    Row("put-cpu", "the same, on both cores", "nginx PUT + fsync + sha256sum + gzip -t", "CPU s"),
    Row("put-p99", "p99 of small GETs during PUTs and reads from disk", "the same with no other work", "ms", "M11", 5.0, quick=False),
    Row("verify", "gzip, tar and model of a tar.gz, one thread", "libarchive + zlib", "CPU s", "M13", 1 / 1.3, quick=False),
    Row("cold-stream", "cold 256 MiB of a fast upstream, one client, verified", "inflating the same bytes alone", "s", "M14", 1.15, 1.05,
        quick=False),
    Row("cold-stream-stored", "the same, stored instead of deflated", "nginx proxy_cache, which verifies nothing", "s", "M14", 1.2, 1.0,
        quick=False),
]


def put(port, path, file, token=None):
    """PUTs a file on a connection of its own: (status, seconds until the answer is here)."""
    size = Path(file).stat().st_size
    head = f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as connection, open(file, "rb") as body:
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        connection.sendfile(body)
        answer = connection.recv(1 << 16)
        passed = time.monotonic() - began
    return int(answer.split(b" ", 2)[1]), passed


def renew(file, number):
    """Other bytes of the same content: the time in the gzip header."""
    with open(file, "r+b") as out:
        out.seek(4)
        out.write(number.to_bytes(4, "little"))


def tool(*command):
    """Runs a tool on both cores: (seconds, seconds of the processor)."""
    before = os.times()
    began = time.monotonic()
    done = subprocess.run(machine.pin(command, BOTH), stdout=subprocess.DEVNULL)
    passed = time.monotonic() - began
    after = os.times()
    if done.returncode != 0:
        raise Failed(f"{' '.join(str(word) for word in command)} failed")
    return passed, after.children_user + after.children_system - before.children_user - before.children_system


def read_verify(file, rounds):
    """{row: (seconds, seconds of the processor)} of bench_verify."""
    found = re.findall(r"^(\S.*?)\s+([\d.]+)\s+([\d.]+)\s+[\d.]+x", load.run(machine.pin([VERIFY, file, rounds], BOTH)), re.M)
    return {name.split(":")[0]: (float(seconds), float(cpu)) for name, seconds, cpu in found}


class Uploads:
    """The file, Larder and nginx, each on both cores, as verifying has more to do than one can."""

    def __init__(self, bench):
        self.folder = bench.folder / "uploads"
        self.folder.mkdir()
        self.file = bodies.archive(self.folder / "module.tar.gz", (64 if bench.quick else 256) * MIB)
        self.larder = bench.own(Larder(self.folder / "larder", cores=BOTH))
        self.token = self.larder.token()
        self.larder.start()
        (self.folder / "dav").mkdir()
        self.nginx = bench.own(Nginx(self.folder / "nginx", "nginx", [
            f"root {self.folder}/dav; location / {{ dav_methods PUT DELETE; create_full_put_path on; }}"], cores=BOTH)).start()
        self.count = 0

    def put_larder(self):
        self.count += 1
        renew(self.file, self.count)
        before = self.larder.cpu()
        path = f"/bench/upload/{self.count}"
        status, seconds = put(self.larder.port, path, self.file, self.token)
        if status != 201:
            raise Failed(f"Larder answered a PUT with {status}")
        return path, seconds, self.larder.cpu() - before

    def put_nginx(self):
        """(seconds of PUT and fsync, seconds of all, processor's seconds of all)"""
        self.count += 1
        before = self.nginx.cpu()
        status, seconds = put(self.nginx.port, f"/upload/{self.count}", self.file)
        if status != 201:
            raise Failed(f"nginx answered a PUT with {status}")
        kept = self.folder / "dav" / "upload" / str(self.count)
        steps = [tool("sync", kept), tool("sha256sum", kept), tool("gzip", "-t", kept)]
        cpu = self.nginx.cpu() - before + sum(step[1] for step in steps)
        if bodies.sha256(kept) != bodies.sha256(self.file):
            raise Failed("nginx kept other bytes than were sent")
        kept.unlink()
        return seconds + steps[0][0], seconds + sum(step[0] for step in steps), cpu


def measure_puts(bench, rows):
    uploads = Uploads(bench)
    rounds = 1 if bench.quick else bench.rounds
    parts = read_verify(uploads.file, rounds)
    checks = parts["examination"][0] + parts["SHA-256"][0]
    for _ in range(rounds):
        path, ours, our_cpu = uploads.put_larder()
        load.check(uploads.larder, path + "?tf-hub-format=compressed", bodies.sha256(uploads.file))
        stored, theirs, their_cpu = uploads.put_nginx()
        for name, values in (("put", (ours, theirs)), ("put-parts", (ours, stored + checks)),
                             ("put-cpu", (our_cpu, their_cpu))):
            if name in rows:
                rows[name].add(*values)
    if "verify" in rows:
        rows["verify"].add(parts["examination"][1], parts["libarchive"][1])


# ---- small requests beside large ones -------------------------------------------------------------------------------------

class Busy:
    """Uploads, and downloads of what the page cache has lost, one after the other until it is left."""

    def __init__(self, larder, token, file, cold):
        self.ending = threading.Event()
        self.failure = None
        self.threads = [threading.Thread(target=self.guard, args=(work,)) for work in (
            lambda turn: self.upload(larder, token, file, turn), lambda turn: self.read_cold(larder, cold))]

    def guard(self, work):
        """The client of small requests shares its core with this, and is not to wait for it: only servers are measured."""
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        turn = 0
        try:
            while not self.ending.is_set():
                turn += 1
                work(turn)
        except (OSError, Failed) as failure:
            self.failure = failure

    @staticmethod
    def upload(larder, token, file, turn):
        renew(file, time.monotonic_ns() // 1000 % (1 << 32))
        status, _ = put(larder.port, f"/bench/busy/{time.monotonic_ns() // 1000}", file, token)
        if status != 201:
            raise Failed(f"Larder answered a PUT with {status}")

    @staticmethod
    def read_cold(larder, cold):
        forget(cold[1])
        load.run([load.BENCH_LOAD, "--each", 1, "127.0.0.1", larder.port, cold[0]])

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        if self.failure:
            raise Failed(f"the work beside small requests failed: {self.failure}")


def measure_busy(bench, row):
    folder = bench.folder / "busy"
    folder.mkdir()
    larder = bench.own(Larder(folder / "larder"))
    token = larder.token()
    larder.start()
    small, cold = "/bench/small/1?lite-format=tflite", "/bench/cold/1?lite-format=tflite"
    large = bodies.tflite(folder / "cold", 256 * MIB, 2)
    larder.publish(small, bodies.tflite(folder / "small", KIB), token)
    larder.publish(cold, large, token)
    blob = larder.blob(bodies.sha256(large))
    file = bodies.archive(folder / "module.tar.gz", 256 * MIB)
    for _ in range(bench.rounds):
        idle = load.downloads(larder, small, seconds=bench.seconds, connections=8)
        with Busy(larder, token, file, (cold, blob)):
            busy = load.downloads(larder, small, seconds=2 * bench.seconds, connections=8)
        row.add(busy.p99_ms, idle.p99_ms)


# ---- one client of a fast upstream ---------------------------------------------------------------------------------------------

def measure_streams(bench, rows, name, level):
    folder = bench.folder / name
    (folder / "root").mkdir(parents=True)
    file = bodies.archive(folder / "root" / "module.tar.gz", 256 * MIB, level=level)
    digest = bodies.sha256(file)
    upstream = bench.own(Nginx(folder / "upstream", "nginx", [f"root {folder}/root; location / {{ rewrite ^ /module.tar.gz break; }}"],
                               cores=(machine.LOAD_CORE,))).start()
    larder = bench.own(Larder(folder / "larder", upstream=f"http://127.0.0.1:{upstream.port}/{{path}}?{{query}}", cores=BOTH)).start()
    cache = bench.own(Nginx(folder / "nginx", "nginx", [f"location / {{ proxy_pass http://127.0.0.1:{upstream.port}; proxy_cache hub; }}"],
                            f"proxy_cache_path {folder}/cache keys_zone=hub:10m inactive=1h; proxy_cache_valid 200 1h; "
                            "proxy_http_version 1.1; proxy_max_temp_file_size 4096m;", cores=BOTH)).start()
    for turn in range(bench.rounds):
        target = f"/bench/stream-{turn}/1?tf-hub-format=compressed"
        # Other bytes each time: what is here under another name would not have to be kept again.
        renew(file, turn + 1)
        digest = bodies.sha256(file)
        ours = load.downloads(larder, target, each=1, copy=1)
        load.check(larder, target, digest)
        if level:
            theirs = read_verify(file, 1)["gunzip"][0]
        else:
            theirs = load.downloads(cache, target, each=1, copy=1).seconds
            load.check(cache, target, digest)
        rows[name].add(ours.seconds, theirs)
    with contextlib.suppress(OSError):
        file.unlink()


def measure(bench, rows):
    if rows.keys() & {"put", "put-parts", "put-cpu", "verify"}:
        measure_puts(bench, rows)
    if "put-p99" in rows:
        measure_busy(bench, rows["put-p99"])
    for name, level in (("cold-stream", 6), ("cold-stream-stored", 0)):
        if name in rows:
            measure_streams(bench, rows, name, level)
