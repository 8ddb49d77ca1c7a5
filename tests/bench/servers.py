# SPDX-License-Identifier: Apache-2.0
"""The servers that are compared, each from a configuration of its own in a temporary folder."""
import contextlib
import http.client
import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

import machine

ROOT = Path(__file__).resolve().parents[2]
LARDER = ROOT / "build-bench" / "larder"
DEADLINE_S = 60

# What nginx writes by itself, or what is one connection's own business.
NOT_ADDED = {"date", "server", "content-type", "content-length", "connection", "accept-ranges", "etag", "last-modified",
             "transfer-encoding"}


class Failed(Exception):
    """A server or a load did not do what it must; the words are for whoever reads the table."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process with a port. Its name is what the table calls it."""

    name = ""

    def __init__(self, folder, cores=(machine.SERVER_CORE,)):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cores = cores
        self.process = None
        self.port = free_port()

    def launch(self, command, **options):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(machine.pin(command, self.cores), stderr=log, cwd=self.folder, **options)
        log.close()
        return self

    def await_port(self):
        """Polls until the port is open."""
        end = time.monotonic() + DEADLINE_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failed(f"{self.name} did not start: {self.log()}")
            time.sleep(0.01)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def cpu(self):
        return machine.cpu_of(self.process.pid)

    def resident(self):
        return machine.resident_of(self.process.pid)

    def stop(self):
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failed(f"{self.name} did not stop: {self.log()}") from None

    def request(self, path, method="GET", headers=None, body=None):
        """(status, headers, body) over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()


class Larder(Server):
    """Settings are {section: {key: value}}; an upstream is a template of URLs."""

    name = "Larder"

    def __init__(self, folder, settings=None, upstream=None, cores=(machine.SERVER_CORE,), threads=1):
        super().__init__(folder, cores)
        self.data = self.folder / "data"
        merged = {"server": {"listen": "127.0.0.1:0", "threads": threads, "drain_timeout_s": 1},
                  "storage": {"data_dir": self.data, "keep_free_bytes": 0}, "log": {"level": "warn"},
                  # Nothing listens on the discard port.
                  "upstream only": {"url": upstream or "http://127.0.0.1:9/{path}?{query}"}}
        for section, keys in (settings or {}).items():
            merged.setdefault(section, {}).update(keys)
        lines = [line for section, keys in merged.items()
                 for line in (f"[{section}]", *(f"{key} = {value}" for key, value in keys.items()))]
        (self.folder / "larder.ini").write_text("\n".join(lines) + "\n")

    def start(self):
        self.launch([LARDER, "serve", "--config", self.folder / "larder.ini"], stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE_S)
        line = self.process.stdout.readline() if ready else ""
        if "http://" not in line:
            raise Failed(f"Larder did not start: {line} {self.log()}")
        self.port = int(line.strip().rstrip("/").rsplit(":", 1)[1])
        return self

    def stop(self):
        process = self.process
        super().stop()
        if process:
            process.stdout.close()
            if process.returncode != 0:
                raise Failed(f"Larder ended with status {process.returncode}: {self.log()}")

    def token(self):
        done = subprocess.run([LARDER, "token", "create", f"bench-{time.monotonic_ns()}", "--scope", "publish:*",
                               "--data", self.data], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"no token: {done.stderr}")
        return done.stdout.strip()

    def publish(self, path, file, token=None):
        """PUTs a file."""
        with open(file, "rb") as body:
            status, _, answer = self.request(path, "PUT", {"Authorization": f"Bearer {token or self.token()}",
                                                           "Content-Length": str(Path(file).stat().st_size)}, body)
        if status not in (200, 201):
            raise Failed(f"PUT {path} was answered {status}: {answer[:400]}")

    def blob(self, digest):
        """The file that holds what has this SHA-256."""
        for path in (self.data / "blobs").rglob(f"*{digest}"):
            return path
        raise Failed(f"Larder keeps no blob {digest}")

    def metric(self, name):
        for line in self.request("/metrics")[2].decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise Failed(f"Larder has no metric {name}")


def forget(file):
    """Drops a file from the page cache."""
    with open(file, "rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def share(larder, file, digest):
    """Makes a file the same as Larder's blob: which pages hold it decides how fast it goes out, and those depend on how it was
    written or read. So it is read back from the disk, too, as it is after a while."""
    blob = larder.blob(digest)
    Path(file).unlink()
    os.link(blob, file)
    forget(blob)


def header_lines(headers):
    """Lines for nginx that add the headers of an answer of Larder's, as they are."""
    lines = []
    for name, value in headers.items():
        if name.lower() not in NOT_ADDED:
            quoted = value.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'add_header {name} "{quoted}";')
    return " ".join(lines)


class Nginx(Server):
    """The distribution's binary, one worker. `http` are lines for the http block, `servers` one text of directives for each
    server; they listen on ports in turn. What Debian's own nginx.conf says holds where they do not say otherwise."""

    def __init__(self, folder, name, servers, http="", cores=(machine.SERVER_CORE,)):
        super().__init__(folder, cores)
        self.name = name
        self.ports = [free_port() for _ in servers]
        self.port = self.ports[0] if self.ports else None
        blocks = "".join(f"  server {{ listen 127.0.0.1:{port} backlog=4096; {text} }}\n"
                         for port, text in zip(self.ports, servers))
        temporary = "".join(f"  {kind}_temp_path {self.folder}/{kind};\n"
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "nginx.conf").write_text(
            f"user root;\nworker_processes 1;\ndaemon off;\npid {self.folder}/pid;\nerror_log {self.folder}/error.log crit;\n"
            "worker_rlimit_nofile 8192;\nevents { worker_connections 4096; }\nhttp {\n"
            "  default_type application/octet-stream; sendfile on; tcp_nopush on; types_hash_max_size 2048;\n"
            "  access_log off; keepalive_requests 1000000000; client_max_body_size 0; server_tokens off;\n"
            f"{temporary}  {http}\n{blocks}}}\n")

    def start(self):
        return self.launch(["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf", "-e",
                            self.folder / "error.log"], stdout=subprocess.DEVNULL).await_port()


class Varnish(Server):
    """varnishd as Debian ships it, with its store in memory."""

    name = "Varnish"

    def __init__(self, folder, backend_port, cores=(machine.SERVER_CORE,), memory="512m"):
        super().__init__(folder, cores)
        self.memory = memory
        (self.folder / "bench.vcl").write_text(
            f'vcl 4.1;\nbackend default {{ .host = "127.0.0.1"; .port = "{backend_port}"; }}\n'
            "sub vcl_backend_response { set beresp.ttl = 1h; }\n")

    def start(self):
        return self.launch(["varnishd", "-F", "-j", "none", "-n", self.folder / "work", "-a", f"127.0.0.1:{self.port}", "-f",
                            self.folder / "bench.vcl", "-s", f"malloc,{self.memory}", "-T", "none"],
                           stdout=subprocess.DEVNULL).await_port()
