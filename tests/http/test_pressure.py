# SPDX-License-Identifier: Apache-2.0
"""What a year brings by chance: descriptors that run out, reloads without end, slow clients behind TLS, and a site that
is closed to strangers on every path."""
import contextlib
import http.client
import itertools
import os
import re
import resource
import signal
import socket
import ssl
import threading

import pytest
from support import modules
from support.client import Http
from support.daemon import ROOT, Daemon, assert_problem
from support.memory import chill
from support.waiting import DEADLINE_S, wait_until

MIB = 1 << 20
HELD = "/acme/held/1"


class Clients:
    """Threads that ask for something again and again, or once, and remember what they got."""

    def __init__(self, *jobs):
        self.results = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=job, args=(self,), daemon=True) for job in jobs]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        return self.join()

    def join(self):
        for thread in self.threads:
            thread.join()
        return self.results


# ---- descriptors -----------------------------------------------------------------------------------------------------

def limit_descriptors(larder, more):
    """Leaves the daemon so many beside those that it has open."""
    used = len(os.listdir(f"/proc/{larder.process.pid}/fd"))
    _, hard = resource.prlimit(larder.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(larder.process.pid, resource.RLIMIT_NOFILE, (used + more, hard))


def get_once(larder, path):
    def run(clients):
        try:
            clients.results.append((path, larder.get(path + ".tar.gz")))
        except TimeoutError:
            clients.results.append((path, None))
        except (OSError, http.client.HTTPException):
            pass  # cut off, which tells the truth as well
    return run


@pytest.mark.long
@pytest.mark.concurrent
@pytest.mark.parametrize("more", [2, 6, 12, 24])
def test_descriptors_run_out_under_load(upstream, start, more):
    larder = start(upstreams=[upstream.url])
    held = modules.module(MIB, seed=99)
    larder.publish(HELD, held)
    contents = {f"/google/m{i}/1": modules.module(200_000, seed=i) for i in range(30)}
    for path, content in contents.items():
        upstream.serve(path, content)
    limit_descriptors(larder, more)
    for path, reply in Clients(*(get_once(larder, path) for path in contents)).join():
        assert reply, f"no answer for {path}: {larder.tail()}"
        if reply.status == 200:
            assert reply.body == contents[path]
        else:
            assert_problem(reply, 503, "busy")
            assert int(reply.header("Retry-After")) >= 1
    limit_descriptors(larder, 1000)
    larder.wait_for_idle()
    assert larder.metric("larder_upstream_cooldowns_total") == 0, "our own want was held against upstream"
    for path, content in {HELD: held, **contents}.items():
        assert larder.get(path + ".tar.gz").body == content
    larder.wait_for_idle()
    assert larder.drafts() == [] and len(larder.blobs()) == 31


# ---- reloads ---------------------------------------------------------------------------------------------------------

@pytest.mark.concurrent
def test_reloads_without_end(upstream, start):
    larder = start(upstreams=[upstream.url])
    held = modules.module(MIB)
    larder.publish(HELD, held)

    def read(clients):
        while not clients.stopping.is_set():
            clients.results.append(larder.get(HELD + ".tar.gz").body == held)

    def miss(clients):
        for number in range(1000):
            if clients.stopping.is_set():
                return
            reply = larder.get(f"/google/m{number}/1.tar.gz")
            clients.results.append((reply.status, reply.json()["code"]) in ((404, "not-found"), (504, "offline")))

    clients = Clients(read, read, miss)
    for number in range(60):
        larder.configure({"mirror": {"offline": "on" if number % 2 == 0 else "off"},
                          "log": {"format": "json" if number % 3 == 0 else "text"}}, [upstream.url])
        for _ in range(10):
            larder.process.send_signal(signal.SIGHUP)
        # A file with faults changes nothing.
        if number % 7 == 0:
            larder.config_path.write_text("[mirror\nnonsense")
            larder.process.send_signal(signal.SIGHUP)
    results = clients.stop()
    assert results and all(results)
    assert larder.is_running() and larder.get(HELD + ".tar.gz").body == held


# ---- a closed site ---------------------------------------------------------------------------------------------------

def routes():
    """The rows of the table of routes: method, a path of that pattern, role."""
    source = (ROOT / "server" / "routes.c").read_text()
    rows = re.findall(r"\{METHOD_(\w+), \"([^\"]+)\", ROLE_(\w+),", source)
    assert len(rows) > 20, rows
    return [(method, pattern.replace("*", "acme/held/1"), role) for method, pattern, role in rows]


@pytest.fixture(scope="module")
def closed_to_all(tmp_path_factory):
    daemon = Daemon(tmp_path_factory.mktemp("closed"), {"auth": {"read": "token"}}).start()
    daemon.publish(HELD, modules.module(1000))
    yield daemon, itertools.count(1)
    daemon.stop()


@pytest.fixture
def closed(closed_to_all):
    """It is asked from an address of the test's own: from one address it takes so many wrong tokens only."""
    daemon, numbers = closed_to_all
    number = next(numbers)
    daemon.source = f"127.1.{number // 250}.{number % 250 + 1}"
    return daemon


def status_of(larder, method, path, **headers):
    """Of the head alone: some answers never end."""
    body = b"{}" if method in ("POST", "PUT") else None
    with larder.open(path, method, {name.title(): text for name, text in headers.items()}, body) as response:
        return response.status


@pytest.mark.parametrize("method,path,role", routes())
def test_every_path_of_a_closed_site(closed, method, path, role):
    wrong = {"authorization": "Bearer wrong"}
    reader = {"authorization": f"Bearer {closed.token('read')}"}
    methods = (method, "HEAD") if method == "GET" else (method,)
    # That kagglehub has no such call is told before anything else.
    if method == "POST" and path.startswith(("/v1/models.", "/api/v1/models")):
        assert status_of(closed, method, path) == status_of(closed, method, path, **reader) == 404
        return
    for each in methods:
        if role == "NONE":
            # A form without a token is one with a wrong token.
            assert (status_of(closed, each, path) == 401) == (path == "/-/sign-in" and method == "POST")
            continue
        assert status_of(closed, each, path) == 401
        assert status_of(closed, each, path, **wrong) == 401
        assert status_of(closed, each, "/-/t/wrong" + path) in (401, 404, 405)
        if role == "READ":
            assert status_of(closed, each, path, **reader) not in (401, 403)
        else:
            # A form's page takes no header for consent, nor does an address that carries its own right.
            assert status_of(closed, each, path, **reader) == (401 if path.startswith(("/-/fills/", "/-/blobs/")) else 403)


@pytest.mark.parametrize("path", [HELD + "?tf-hub-format=compressed", HELD + ".tar.gz", HELD + ".tgz",
                                  "/tfhub-modules" + HELD + ".tar.gz", "/https://tfhub.dev" + HELD + "?tf-hub-format=compressed",
                                  "/https:/tfhub.dev" + HELD + ".tar.gz", "/acme/held?tf-hub-format=compressed",
                                  HELD + "/saved_model.pb", "http://tfhub.dev" + HELD + ".tar.gz", "//" + HELD, "/%61cme/held/1"])
def test_every_spelling_on_a_closed_site(closed, path):
    # Once with a token first, so that it would be given again from memory.
    closed.get(path, authorization=f"Bearer {closed.token('read')}")
    assert status_of(closed, "GET", path) in (400, 401)
    assert status_of(closed, "HEAD", path) in (400, 401)


# ---- slow clients behind TLS -----------------------------------------------------------------------------------------

class Secure(Http):
    """As Http, over TLS."""

    def __init__(self, address, certificate):
        super().__init__(address)
        self.context = ssl.create_default_context(cafile=certificate / "cert.pem")

    def connect(self):
        return self.context.wrap_socket(socket.create_connection(self.address, timeout=DEADLINE_S), server_hostname="127.0.0.1")

    def ask(self, path):
        connection = self.connect()
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return connection

    def fetch(self, path, connection=None):
        response = http.client.HTTPResponse(connection or self.ask(path))
        response.begin()
        return response.read()


def start_secure(start, certificate, **server):
    """The daemon, and with its data already there: its tests' own client speaks no TLS."""
    keys = {"tls_certificate": certificate / "cert.pem", "tls_key": certificate / "key.pem", **server}
    plain = start()
    content = modules.module(8 * MIB)
    plain.publish(HELD, content)
    plain.stop()
    plain.configure({"server": keys})
    plain.start()
    return plain, Secure(plain.address, certificate), content


def test_slow_clients_behind_tls_hold_up_nobody(start, certificate):
    larder, secure, content = start_secure(start, certificate)
    silent = [socket.create_connection(larder.address) for _ in range(100)]
    halfway = [secure.connect() for _ in range(20)]
    for connection in halfway:
        connection.sendall(b"GET " + HELD.encode())
    lazy = [secure.ask(HELD + ".tar.gz") for _ in range(20)]
    for _ in range(5):
        assert secure.fetch(HELD + ".tar.gz") == content
    for connection in lazy:
        assert secure.fetch(None, connection) == content, "who reads late gets less"
    for connection in silent + halfway + lazy:
        connection.close()
    assert secure.fetch("/healthz") == b"ok\n"


def test_what_is_not_in_memory_behind_tls(start, certificate):
    larder, secure, content = start_secure(start, certificate)

    def has_gone_by_the_sender_pool():
        chill(larder)
        assert secure.fetch(HELD + ".tar.gz") == content
        return "larder_freight_total 0" not in secure.fetch("/metrics").decode()

    wait_until(has_gone_by_the_sender_pool, "a way through the sender pool")


def test_silent_clients_are_let_go_behind_tls(start, certificate):
    larder, secure, content = start_secure(start, certificate, idle_timeout_s=5, head_timeout_s=5, max_connections=20)
    silent = [socket.create_connection(larder.address, timeout=DEADLINE_S) for _ in range(10)]
    halfway = [secure.connect() for _ in range(5)]
    for connection in halfway:
        connection.sendall(b"GET " + HELD.encode())
    for connection in silent + halfway:
        with connection, contextlib.suppress(ConnectionResetError, ssl.SSLError):
            while connection.recv(4096):
                pass  # an answer that says so, if there is one; then the end
    assert secure.fetch(HELD + ".tar.gz") == content
