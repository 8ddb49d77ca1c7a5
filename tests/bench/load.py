# SPDX-License-Identifier: Apache-2.0
"""Load: small requests by wrk, bodies by bench_load, and connections that just stay."""
import contextlib
import hashlib
import json
import re
import socket
import subprocess
from dataclasses import dataclass, field

from servers import DEADLINE_S, ROOT, Failed

BENCH_LOAD = ROOT / "build-bench" / "tests" / "bench" / "bench_load"
UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass
class Result:
    """What a load saw, and what it cost the server."""
    requests: int
    bytes: int
    seconds: float
    cpu: float
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    detail: dict = field(default_factory=dict)

    @property
    def cpu_us(self):
        return self.cpu / self.requests * 1e6

    @property
    def cpu_s_per_gb(self):
        return self.cpu / self.bytes * 1e9

    @property
    def gb_per_s(self):
        return self.bytes / self.seconds / 1e9


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(str(word) for word in command)}: {done.stdout.strip()} {done.stderr.strip()}")
    return done.stdout


def wrk(server, target, seconds, connections=64, port=None, header=None, script=None):
    """Keep-alive GETs of one target by wrk, on one thread; a script may choose others."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    if header:
        command += ["-H", header]
    if script:
        command += ["-s", script]
    before = server.cpu()
    out = run([*command, f"http://127.0.0.1:{port or server.port}{target}"])
    cpu = server.cpu() - before
    found = re.search(r"(\d+) requests in ([\d.]+)(\w+),", out)
    trouble = re.search(r"Socket errors:.*|Non-2xx.*", out)
    if not found or int(found[1]) == 0 or trouble:
        raise Failed(f"wrk of {target} at {server.name}: {trouble[0] if trouble else out}")
    return Result(int(found[1]), 0, float(found[2]) * UNITS_MS[found[3]] / 1e3, cpu,
                  latency(out, 50), latency(out, 99))


def take_turns(file, targets):
    """A script for wrk that asks for these in turn."""
    listed = ", ".join(json.dumps(target) for target in targets)
    file.write_text(f"local targets, at = {{{listed}}}, 0\n"
                    'function request() at = at % #targets + 1; return wrk.format("GET", targets[at]) end\n')
    return file


def latency(out, percent):
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)", out, re.M)
    return float(found[1]) * UNITS_MS[found[2]]


def downloads(server, targets, port=None, seconds=None, **options):
    """bench_load's requests; options are its own, by name."""
    if seconds is not None:
        options["seconds"] = seconds
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    before = server.cpu()
    out = json.loads(run([BENCH_LOAD, *words, "127.0.0.1", port or server.port,
                          *([targets] if isinstance(targets, str) else targets)]))
    return Result(out["requests"], out["bytes"], out["seconds"], server.cpu() - before, out["whole_ms"]["p50"],
                  out["whole_ms"]["p99"], out)


def check(server, target, digest, port=None, headers=None, expected=200):
    """The digest pass: the body as a client reads it, against what it must be."""
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", port or server.port, timeout=DEADLINE_S)
    with contextlib.closing(connection):
        connection.request("GET", target, headers=headers or {})
        answer = connection.getresponse()
        hash_ = hashlib.sha256()
        for block in iter(lambda: answer.read(1 << 20), b""):
            hash_.update(block)
        if answer.status != expected or hash_.hexdigest() != digest:
            raise Failed(f"{server.name} gave a wrong body for {target}: status {answer.status}, {hash_.hexdigest()}")
        return answer.headers


@contextlib.contextmanager
def idle_connections(port, target, count):
    """Connections that have each had one answer and stay open."""
    sockets = []
    request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    try:
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
            sockets.append(connection)
            connection.sendall(request)
            read_answer(connection)
        yield sockets
    finally:
        for connection in sockets:
            connection.close()


def read_answer(connection):
    """Reads a small answer with a Content-Length whole."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += received_block(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    left = int(re.search(rb"(?i)content-length: *(\d+)", head)[1]) - len(body)
    while left > 0:
        left -= len(received_block(connection))


def received_block(connection):
    block = connection.recv(1 << 16)
    if not block:
        raise Failed("a connection ended that should have stayed")
    return block


@contextlib.contextmanager
def stalled_downloads(port, target, count):
    """Downloads of which only the first bytes are read."""
    sockets = []
    request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    try:
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
            sockets.append(connection)
            connection.sendall(request)
        for connection in sockets:
            connection.recv(1)
        yield sockets
    finally:
        for connection in sockets:
            connection.close()


class Background:
    """bench_load going on beside something else, until it is left."""

    def __init__(self, server, target, port=None, **options):
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        self.command = [str(BENCH_LOAD), *words, "127.0.0.1", str(port or server.port), target]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        return self.process

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
