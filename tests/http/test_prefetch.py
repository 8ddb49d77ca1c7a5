# SPDX-License-Identifier: Apache-2.0
"""larder prefetch: a mirror is filled from the command line, and what cannot be had is named."""
import json
import os
import pty
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from support import modules
from support.daemon import REPORTS, binary
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

MODULE = modules.module(200_000)


def environment(server):
    unset = ("LARDER_SERVER", "LARDER_TOKEN", "http_proxy", "all_proxy")
    return {**{name: value for name, value in os.environ.items() if name not in unset}, "LARDER_SERVER": server}


def prefetch(larder, *arguments, status=0, lines=None):
    done = subprocess.run([binary(), "prefetch", *map(str, arguments)], capture_output=True, text=True, input=lines,
                          timeout=DEADLINE_S, env=environment(larder.url))
    assert not REPORTS.search(done.stderr), done.stderr
    assert done.returncode == status, f"{arguments}: status {done.returncode}: {done.stdout}{done.stderr}"
    return done


class OnTerminal:
    """A prefetch whose output is a terminal; `printed` grows while it runs."""

    def __init__(self, larder, *paths):
        self.ours, theirs = pty.openpty()
        self.printed = b""
        self.process = subprocess.Popen([binary(), "prefetch", *paths], stdout=theirs, stderr=theirs,
                                        env=environment(larder.url))
        os.close(theirs)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            try:
                block = os.read(self.ours, 1 << 16)
            except OSError:  # how Linux tells that nobody has the other end any more
                break
            if not block:
                break
            self.printed += block
        os.close(self.ours)

    def wait_for(self, text):
        wait_until(lambda: text in self.printed, lambda: f"{text!r} on the terminal; there is {self.printed!r}")

    def end(self):
        status = self.process.wait(DEADLINE_S)
        self.reader.join(DEADLINE_S)
        assert not REPORTS.search(self.printed.decode(errors="replace")), self.printed
        return status


@pytest.mark.concurrent
def test_modules_are_there_afterwards(upstream, mirror):
    contents = {f"google/m{i}/1": modules.module(50_000, seed=i) for i in range(5)}
    for path, content in contents.items():
        upstream.serve("/" + path, content)
    printed = prefetch(mirror, *contents).stdout
    for path in contents:
        assert f"{path}: fetched, " in printed
    assert printed.endswith("5 fetched, 0 already here, 0 failed\n")
    sent = upstream.count()
    for path, content in contents.items():
        assert mirror.get(f"/{path}.tar.gz").body == content
    assert upstream.count() == sent == 5
    assert prefetch(mirror, *contents).stdout.endswith("0 fetched, 5 already here, 0 failed\n")


def test_paths_from_a_file_and_from_standard_input(upstream, mirror, tmp_path):
    for name in "abc":
        upstream.serve(f"/google/{name}/1", MODULE)
    wanted = tmp_path / "wanted"
    wanted.write_text("# what the team needs\n\n  google/a/1  \r\n\t# and\ngoogle/b/1")
    assert "3 fetched" in prefetch(mirror, "--from", wanted, "google/c/1").stdout
    assert "2 already here" in prefetch(mirror, "--from", "-", lines=wanted.read_text()).stdout
    assert prefetch(mirror, "--from", "-", lines="# nothing\n").stdout == "0 fetched, 0 already here, 0 failed\n"


def test_what_cannot_be_had_is_named(upstream, mirror):
    upstream.serve("/google/good/1", MODULE)
    upstream.serve("/google/broken/1", b"this is no module")
    done = prefetch(mirror, "google/good/1", "google/missing/1", "google/broken/1", "google/unversioned", status=1)
    assert "google/good/1: fetched" in done.stdout and "1 fetched, 0 already here, 3 failed" in done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 3, lines
    for path, code in (("missing/1", "not-found"), ("broken/1", "upstream-failed"), ("unversioned", "not-found")):
        assert [line for line in lines if line.startswith(f"larder: google/{path}: ") and line.endswith(f"({code})")], lines


def test_json(upstream, mirror):
    upstream.serve("/google/good/1", MODULE)
    done = prefetch(mirror, "--json", "google/good/1", "google/missing/1", status=1)
    report = json.loads(done.stdout)
    good, missing = report["paths"]
    assert good == {"path": "google/good/1", "state": "kept", "bytes": len(MODULE)}
    assert (missing["state"], missing["code"]) == ("failed", "not-found") and missing["detail"]
    assert (report["kept"], report["already_here"], report["failed"]) == (1, 0, 1)


def test_formats(upstream, mirror):
    upstream.serve("/google/x/1", modules.tflite_model())
    prefetch(mirror, "google/x/1?lite-format=tflite")
    assert upstream.requests[0].query == "lite-format=tflite"


@pytest.mark.concurrent
def test_more_than_the_queue_takes(upstream, start):
    larder = start({"mirror": {"max_fills": 1}}, [upstream.url])
    paths = [f"google/m{i}/1" for i in range(40)]
    for path in paths:
        upstream.serve("/" + path, MODULE)
    assert "40 fetched" in prefetch(larder, *paths).stdout


@pytest.mark.concurrent
def test_bars_on_a_terminal(upstream, mirror):
    gate = threading.Event()
    upstream.serve("/google/big/1", Answer(MODULE, gate=gate, gate_after=(len(MODULE) + 1) // 2))
    upstream.serve("/google/small/1", MODULE)
    terminal = OnTerminal(mirror, "google/big/1", "google/small/1")
    terminal.wait_for(b" 50 % of ")
    terminal.wait_for(b"1 of 2 done, 1 on their way")
    assert b"google/big/1  " in terminal.printed and b"[##########          ]" in terminal.printed
    gate.set()
    assert terminal.end() == 0
    assert terminal.printed.endswith(b"2 fetched, 0 already here, 0 failed\r\n")


@pytest.mark.concurrent
def test_a_fill_that_somebody_cancels(upstream, mirror):
    gate = threading.Event()
    upstream.serve("/google/big/1", Answer(MODULE, before=gate))
    terminal = OnTerminal(mirror, "google/big/1")
    terminal.wait_for(b"1 on their way")
    number = json.loads(mirror.get("/api/v1/fills").body)["fills"][0]["id"]
    mirror.request("DELETE", f"/api/v1/fills/{number}", {"Authorization": f"Bearer {mirror.token('admin')}"})
    assert terminal.end() == 1
    assert b"cancelled (busy)" in terminal.printed
    gate.set()


@pytest.mark.parametrize("arguments", [(), ("--nonsense", "google/x/1")])
def test_misuse(larder, arguments):
    assert "larder:" in prefetch(larder, *arguments, status=2).stderr


@pytest.mark.parametrize("lines, words", [
    ("x" * 2000, "more than 1024 bytes"), ("a\n\udcff\n", "UTF-8"), ("a/b/1\n" + "x" * 5000, "no list of paths"),
    ("google/x/1\0", "no list of paths"), ("a/b/1\n" * 100_001, "more than 100000 paths")],
    ids=["a long path", "bytes", "a long line", "a NUL", "very many"])
def test_lines_that_are_no_paths(larder, tmp_path, lines, words):
    wanted = tmp_path / "wanted"
    wanted.write_bytes(lines.encode(errors="surrogateescape"))
    assert words in prefetch(larder, "--from", wanted, status=1).stderr
    assert "open" in prefetch(larder, "--from", tmp_path / "nothing", status=1).stderr


def test_a_list_without_an_end_costs_nothing(larder, tmp_path):
    endless = tmp_path / "endless"
    with open(endless, "wb") as file:
        file.truncate(4 << 30)
    for source in (endless, "/dev/zero"):
        assert "no list of paths" in prefetch(larder, "--from", source, status=1).stderr


def test_nobody_answers(larder):
    larder.stop()
    assert prefetch(larder, "google/x/1", status=1).stderr.startswith("larder: http://")


# ---- a server that is none ---------------------------------------------------------------------------------------------

@pytest.fixture
def impostor():
    """Answers what `posted` and `listed` say; `posts` counts what was asked for."""
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format, *arguments):
            pass

        def answer(self, value):
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.server.script.posts += 1
            self.answer(self.server.script.posted)

        def do_GET(self):
            self.answer(self.server.script.listed)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.script = SimpleNamespace(posted={}, listed={}, posts=0, url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server.script
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_fill_that_is_forgotten_is_asked_for_again_but_not_for_ever(impostor):
    impostor.posted = {"fills": [{"path": "google/x/1", "id": 7, "started_at": "2026-01-01T00:00:00Z"}]}
    # The same number of another time, as after a restart, is another fill.
    impostor.listed = {"fills": [], "recent": [{"id": 7, "started_at": "2026-01-02T00:00:00Z", "state": "kept"}]}
    assert "lost track" in prefetch(impostor, "google/x/1", status=1).stderr
    assert impostor.posts == 3


def test_what_a_server_says_cannot_steer_the_terminal(impostor):
    impostor.posted = {"refused": [{"path": "google/x/1", "code": "gone\x1b[2J", "detail": "\x9b1mno\nlarder: all is well"}]}
    lines = prefetch(impostor, "google/x/1", status=1).stderr
    assert lines.count("\n") == 1 and "\x1b" not in lines and "\x9b" not in lines


@pytest.mark.parametrize("posted", [{}, {"fills": 1}, {"fills": [1, None, {"path": 1}]}, {"already_here": ["other/x/1"]}])
def test_answers_that_tell_nothing(impostor, posted):
    impostor.posted = posted
    assert "says nothing of google/x/1" in prefetch(impostor, "google/x/1", status=1).stderr
