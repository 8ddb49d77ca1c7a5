# SPDX-License-Identifier: Apache-2.0
"""An upstream that sends one file under every path, at a rate, and counts what it is asked."""
import re
import socketserver
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

PIECE = 32 << 10


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0

    def log_message(self, format, *arguments):
        pass

    def do_GET(self):
        upstream = self.server.upstream
        upstream.count(f"{self.command} {urlsplit(self.path).path}")
        size = len(upstream.body)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        last = min(int(asked[2]) if asked and asked[2] else size - 1, size - 1)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        for name, value in (("Content-Type", "application/gzip"), ("Content-Length", last - first + 1),
                            ("ETag", '"bench"'), ("Cache-Control", "public, max-age=31536000")):
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "GET":
            self.send_paced(upstream, first, last + 1)

    do_HEAD = do_GET

    def send_paced(self, upstream, at, end):
        """Each connection at the rate: a piece leaves when its time has come, late ones catch up."""
        began, begin = time.monotonic(), at
        while at < end:
            ahead = (at - begin) / upstream.rate - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)
            piece = upstream.body[at:min(at + PIECE, end)]
            self.connection.sendall(piece)
            at += len(piece)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        pass  # a client that went away


class Upstream:
    """Runs from its creation to stop(); it stands in for the network, on the core of the load."""

    name = "upstream"

    def __init__(self, file, rate):
        self.body = Path(file).read_bytes()
        self.rate = rate
        self.mutex = threading.Lock()  # guards the counts
        self.counts = Counter()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.upstream = self
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def count(self, what):
        with self.mutex:
            self.counts[what] += 1

    def fetches(self, path):
        with self.mutex:
            return self.counts[f"GET {path}"]

    @staticmethod
    def cpu():
        return 0.0

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
