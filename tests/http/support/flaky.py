# SPDX-License-Identifier: Apache-2.0
"""A server in front of a Larder that passes on what comes, but for some requests, which it answers, or cuts off, by a script."""
import socketserver
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler

CUT = "cut"


def busy(seconds):
    """503, as a proxy answers that has too much to do."""
    return 503, {"Retry-After": str(seconds)}, b"busy"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *arguments):
        pass

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        faults = self.server.faults.get(next((part for part in self.server.faults if self.path.partition("?")[0].endswith(part)), ""), [])
        fault = faults.pop(0) if faults else None
        self.server.seen.append((self.command, self.path))
        if fault == CUT:
            self.close_connection = True
            self.connection.close()
            return
        self.answer(*(fault or self.pass_on(body)))

    def answer(self, status, headers, content):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def pass_on(self, body):
        connection = HTTPConnection(*self.server.target, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "expect", "connection")}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        skipped = ("content-length", "transfer-encoding", "connection", "date", "server")
        return answer.status, {name: value for name, value in answer.getheaders() if name.lower() not in skipped}, content

    do_GET = do_POST = do_PUT = do_DELETE = handle_any


class Flaky(socketserver.ThreadingTCPServer):
    """faults: {how a path ends: what the first requests for it come to}. Has a url."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, larder, faults):
        super().__init__(("127.0.0.1", 0), Handler)
        self.target, self.faults, self.seen = larder.address, faults, []
        self.url = "http://127.0.0.1:%d" % self.server_address[1]

    def handle_error(self, request, client_address):
        pass

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        return self

    def __exit__(self, *failure):
        self.shutdown()
        self.thread.join()
        self.server_close()
