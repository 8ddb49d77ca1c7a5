# SPDX-License-Identifier: Apache-2.0
"""An upstream that follows a script: each path has its answers, and each answer may be slow, cut, or a lie."""
import re
import socket
import socketserver
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from .ports import Port
from .waiting import DEADLINE_S, wait_until

BLOCK = 64 << 10


@dataclass
class Answer:
    """One scripted answer. Events hold it back: `before` until the head is sent, `gate` once gate_after bytes of the body
    are out. With cut_after the connection ends there: in order ("close") or not ("reset")."""
    body: bytes = b""
    status: int = 200
    media_type: str = "application/gzip"
    headers: dict = field(default_factory=dict)
    chunked: bool = False
    declared_length: int = None  # tells this Content-Length instead of the true one
    etag: str = None
    ranges: bool = False
    before: threading.Event = None
    gate: threading.Event = None
    gate_after: int = 0
    rate: int = 0  # bytes a second
    cut_after: int = None
    cut: str = "reset"


def by_method(head, get):
    """Answers HEAD and GET differently."""
    return lambda seen: head if seen.method == "HEAD" else get


def bucket_403():
    """What S3, GCS and their like answer for a key that is not there to those who may not list the bucket."""
    return Answer(b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message>'
                  b"<RequestId>4442587FB7D0A2F9</RequestId></Error>", 403, "application/xml")


class Raw(Answer):
    """Bytes in place of an answer; the connection ends after them."""

    def __init__(self, sent):
        super().__init__()
        self.sent = sent


def redirect(location, status=302):
    return Answer(b"", status, "text/plain", {"Location": location})


def html(status=200):
    return Answer(b"<!doctype html><title>Models</title>\n", status, "text/html; charset=utf-8")


@dataclass
class Seen:
    """A request that came in."""
    method: str
    path: str
    query: str
    headers: dict  # names in lower case


class Cut(Exception):
    """The script says that the connection ends here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One write an answer's head, and no delay: a client sees a piece as soon as the script sends it.
    wbufsize = 0
    disable_nagle_algorithm = True

    def log_message(self, format, *arguments):
        pass

    def setup(self):
        context = self.server.upstream.context
        # TLS begins with this byte, and no request does.
        if context and self.request.recv(1, socket.MSG_PEEK) == b"\x16":
            self.request = context.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self):
        super().finish()
        # It may be another one than the server knows.
        self.server.shutdown_request(self.request)

    def handle(self):
        self.server.upstream.connections.add(self.connection)
        try:
            super().handle()
        except (OSError, Cut):
            self.close_connection = True

    def do_GET(self):
        url = urlsplit(self.path)
        seen = Seen(self.command, url.path, url.query, {name.lower(): value for name, value in self.headers.items()})
        answer = self.server.upstream.take(seen)
        if answer.before:
            self.server.upstream.hold(answer.before)
        if isinstance(answer, Raw):
            self.wfile.write(answer.sent)
            raise Cut
        first = self.first_byte(answer)
        self.send_head(answer, first)
        if self.command != "HEAD":
            self.send_body(answer, first)

    do_HEAD = do_GET

    def first_byte(self, answer):
        """Where a Range begins that may be honoured; None for the whole."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not (answer.ranges and asked and answer.status == 200) or int(asked[1]) >= len(answer.body):
            return None
        return int(asked[1]) if self.headers.get("If-Range", answer.etag) == answer.etag else None

    def send_head(self, answer, first):
        length = len(answer.body) - (first or 0)
        self.send_response(206 if first is not None else answer.status)
        self.send_header("Content-Type", answer.media_type)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length if answer.declared_length is None else answer.declared_length))
        if first is not None:
            self.send_header("Content-Range", f"bytes {first}-{len(answer.body) - 1}/{len(answer.body)}")
        if answer.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if answer.etag:
            self.send_header("ETag", answer.etag)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def send_body(self, answer, first):
        at = first or 0
        while at < len(answer.body):
            if answer.gate and at >= answer.gate_after:
                self.server.upstream.hold(answer.gate)
            end = self.end_of_piece(answer, at)
            if answer.cut_after is not None and at >= answer.cut_after:
                self.cut(answer)
            self.send_piece(answer, answer.body[at:end])
            at = end
        if answer.gate and answer.gate_after >= at:
            self.server.upstream.hold(answer.gate)
        if answer.cut_after is not None:
            self.cut(answer)
        if answer.chunked:
            self.wfile.write(b"0\r\n\r\n")
        elif answer.declared_length not in (None, len(answer.body)):
            # What was said does not hold: this connection cannot go on.
            raise Cut

    @staticmethod
    def end_of_piece(answer, at):
        """Up to where to send at once: no further than the next point where the script does something."""
        block = max(1, answer.rate // 20) if answer.rate else BLOCK
        stops = [stop for stop in (answer.gate and answer.gate_after, answer.cut_after) if stop and stop > at]
        return min([at + block, len(answer.body)] + stops)

    def send_piece(self, answer, piece):
        # Counted first: whoever holds a byte can rely on its having been counted.
        self.server.upstream.count_sent(len(piece))
        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if answer.chunked else piece)
        if answer.rate:
            time.sleep(len(piece) / answer.rate)

    def cut(self, answer):
        if answer.cut == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Cut


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass

    def shutdown_request(self, request):
        # Not shutdown() first, as the base class does: that would end in order what the script resets.
        self.upstream.connections.discard(request)
        request.close()


class Upstream:
    """Serves until stop(); after that its port is nobody's. A path without a script is answered 404. With a context of ssl it
    speaks TLS, too, on the same port."""

    def __init__(self, context=None):
        self.context = context
        self.mutex = threading.Lock()  # guards all below
        self.scripts = {}
        self.requests = []
        self.sent_bytes = 0
        self.connections = set()
        self.stopping = threading.Event()
        self.reserved = Port()
        self.server = Server(self.reserved.address, Handler)
        self.server.upstream = self
        self.port = self.reserved.number
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def serve(self, path, *answers):
        """Sets a path's answers, one a request; the last one stays. Bytes stand for an answer with that body; a function
        makes one for the request that it is called with."""
        with self.mutex:
            self.scripts[path] = [Answer(answer) if isinstance(answer, bytes) else answer for answer in answers]

    def take(self, seen):
        with self.mutex:
            self.requests.append(seen)
            script = self.scripts.get(seen.path)
            if not script:
                return Answer(b"no such thing\n", 404, "text/plain")
            answer = script.pop(0) if len(script) > 1 else script[0]
            return answer(seen) if callable(answer) else answer

    def count_sent(self, length):
        with self.mutex:
            self.sent_bytes += length

    def hold(self, event):
        """Waits for an event of the script; an upstream that stops lets go of everything by a cut."""
        end = time.monotonic() + 4 * DEADLINE_S
        while not event.wait(0.05):
            if self.stopping.is_set() or time.monotonic() > end:
                raise Cut

    def count(self, path=None, method="GET"):
        """How many requests came, for this path or any."""
        with self.mutex:
            return sum(1 for seen in self.requests if seen.method == method and path in (None, seen.path))

    def counts(self):
        with self.mutex:
            return Counter(f"{seen.method} {seen.path}" for seen in self.requests)

    def wait_for_requests(self, count, path=None):
        wait_until(lambda: self.count(path) >= count, lambda: f"{count} requests at the upstream; it saw {self.counts()}")

    def stop(self):
        """Goes away: running answers are cut and new connections refused."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it ended by itself meanwhile
        self.thread.join()
