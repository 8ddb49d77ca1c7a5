# SPDX-License-Identifier: Apache-2.0
"""Commands whose server lies: wrong types, text that would steer a terminal, redirects astray, bodies that do not end."""
import json
import random
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from support.command_line import run
from support.upstream import Answer

ASKING = [["list"], ["show", "acme/x/1"], ["signatures", "acme/x/1"], ["diff", "acme/x", "1", "2"], ["withdraw", "acme/x/1", "--yes"],
          ["pull", "acme/x/1", "-o", "-"], ["prefetch", "acme/x/1"], ["wants"], ["explain", "acme/x/1"], ["status"], ["fills"],
          ["fills", "cancel", "1"], ["lock", "acme/x/1"]]
EVIL = "\x1b]0;owned\x07\x9b31m\u202e\r\n\t"
KEYS = ["handle", "version", "latest_version", "versions", "version_list", "description", "formats", "artifacts", "format", "digest", "size_bytes", "source",
        "saved_model", "model", "meta_graphs", "signatures", "callables", "inputs", "outputs", "name", "dtype", "shape", "tags", "truncated", "counts", "fills",
        "recent", "id", "state", "bytes", "detail", "code", "wants", "modules", "answer", "status", "upstreams", "policy", "ready", "unavailable", "imported_from",
        "created", "cancelled", "withdrawn", "path", "refused", "already_here", "started_at"]


def anything(generator, depth=0):
    kind = generator.randrange(8 if depth < 3 else 5)
    if kind < 5:
        return [EVIL, generator.randint(-2 ** 63, 2 ** 63 - 1), None, generator.choice([True, False]), generator.random()][kind]
    if kind == 5:
        return [anything(generator, depth + 1) for _ in range(generator.randint(0, 4))]
    return {key: anything(generator, depth + 1) for key in generator.sample(KEYS, 8)}


def told(value, status=200):
    return Answer(json.dumps(value).encode(), status, "application/json")


@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_a_server_that_says_anything(upstream, arguments):
    """No type is as the interface says, and each text would steer a terminal."""
    for seed in range(3):
        generator = random.Random(seed)
        for path in ("modules", "modules/acme/x/1", "signatures/acme/x/1", "diff/acme/x/1/2", "wants", "explain", "stats", "fills", "fills/1", "artifacts"):
            upstream.serve(f"/api/v1/{path}", told({key: anything(generator) for key in KEYS}, generator.choice([200, 200, 404, 503])))
        for path in ("/readyz", "/acme/x/1"):
            upstream.serve(path, told({key: anything(generator) for key in KEYS}))
        for done in (run(*arguments, server=upstream.url, status=None), run(*arguments, "--json", server=upstream.url, status=None)):
            assert done.returncode in (0, 1, 2), done
            assert not set("\x1b\x07\x9b\u202e") & set(done.stderr), done.stderr


class Astray(BaseHTTPRequestHandler):
    """Takes no path for a version, and leads those that ask for the latest somewhere."""

    def log_message(self, format, *arguments):
        pass

    def answer(self, status, value, location=None):
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Location", location)):
            if text is not None:
                self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        paths = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["paths"]
        self.answer(200, {"fills": [], "already_here": [], "refused": [{"path": path, "code": "bad-request", "detail": "names none"} for path in paths]})

    def do_GET(self):
        self.server.asked.append(self.path)
        self.answer(302, {}, self.server.location)


@pytest.mark.parametrize("location", ["/google/x/1\x9b31m", "/google/\xff/1", "http://elsewhere.invalid/", "", "/google/y", "//elsewhere.invalid/google/x/1"])
def test_a_latest_version_that_leads_astray(location):
    """The server's redirect is followed once, and on the same server."""
    with HTTPServer(("127.0.0.1", 0), Astray) as server:
        server.location, server.asked = location, []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            done = run("prefetch", "google/x", server=f"http://127.0.0.1:{server.server_port}", status=1)
        finally:
            server.shutdown()
            thread.join()
    assert "\x9b" not in done.stderr and "names none" in done.stderr and done.stderr.count("\n") == 1, done
    assert server.asked == ["/google/x?tf-hub-format=compressed"]


def test_a_body_that_does_not_end(upstream):
    upstream.serve("/api/v1/modules", Answer(b'{"modules": [' + b"1," * (34 << 20), 200, "application/json", chunked=True))
    assert "answers more than a registry would" in run("list", server=upstream.url, status=1).stderr
