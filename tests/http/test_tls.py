# SPDX-License-Identifier: Apache-2.0
"""With TLS of its own Larder answers as it does without: on the same ways, to as many, with ends that tell the truth.
(test_heads, test_half_closed, test_slow_clients and test_farewells try both as well.)"""
import contextlib
import hashlib
import os
import random
import socket
import ssl
import struct
import subprocess
import threading
import warnings

import pytest
from support import modules
from support.client import Download, read_status
from support.secure import Secure, make_context
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

PATH = "/acme/half-plus-two/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
SIZES = {"small": modules.module(3000), "medium": modules.module(400_000), "large": modules.module(20_000_000)}
EXPRESS = "larder_express_total"
DONE, FAILED = 'larder_handshakes_total{result="done"}', 'larder_handshakes_total{result="failed"}'
RUNNING = "larder_handshakes_running"


@pytest.fixture
def larder(start_secure):
    larder = start_secure()
    larder.publish(PATH, SIZES["small"])
    return larder


def ask(target=COMPRESSED, *lines, method="GET"):
    return "".join(f"{line}\r\n" for line in [f"{method} {target} HTTP/1.1", "Host: x", *lines, ""]).encode()


def dial_plain(larder, data=b""):
    connection = socket.create_connection(larder.address, timeout=DEADLINE_S)
    connection.sendall(data)
    return connection


def make_hello():
    """What a client begins with."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        make_context().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def receive_all(connection):
    """Up to the end, whatever end it is."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while block := connection.recv(1 << 16):
            received += block
    return received


# ---- what is spoken --------------------------------------------------------------------------------------------------

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_gives_the_same(start_secure, version, size):
    larder, content = start_secure(), SIZES[size]
    larder.context = make_context(minimum_version=VERSIONS[version], maximum_version=VERSIONS[version])
    larder.publish(PATH, content)
    assert all(larder.get(COMPRESSED).body == content for _ in range(3))
    assert larder.get(COMPRESSED, range="bytes=5-2000").body == content[5:2001]
    with larder.dial() as connection:
        assert connection.tls.version() == "TLSv" + version


def test_older_versions_are_refused(larder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = make_context(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(OSError), dial_plain(larder) as connection:
        Secure(connection, context)
    assert larder.get("/healthz").status == 200


@pytest.mark.parametrize("offered, chosen", [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), (["h2"], None), ([], None)])
def test_http_1_1_is_what_is_spoken_inside(larder, offered, chosen):
    context = make_context()
    if offered:
        context.set_alpn_protocols(offered)
    with dial_plain(larder) as connection:
        if offered == ["h2"]:
            with pytest.raises(OSError):
                Secure(connection, context)
            return
        secure = Secure(connection, context)
        assert secure.tls.selected_alpn_protocol() == chosen
        secure.sendall(ask("/healthz", "Connection: close"))
        assert read_status(receive_all(secure)) == 200


# ---- the same ways ---------------------------------------------------------------------------------------------------

@pytest.mark.concurrent
def test_hits_are_the_fast_path_s(larder):
    assert larder.get(COMPRESSED).body == SIZES["small"]
    before = larder.metric(EXPRESS)
    with larder.dial() as connection:
        answers = connection.makefile()
        for turn in range(100):
            connection.sendall(ask())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += answers.readline()
            assert head.startswith(b"HTTP/1.1 200 ") and answers.read(len(SIZES["small"])) == SIZES["small"], turn
    assert larder.metric(EXPRESS) == before + 100


@pytest.mark.concurrent
def test_a_stampede(start_secure, upstream):
    larder = start_secure(upstreams=[upstream.url])
    content = modules.module(4 << 20)
    half, gate = len(content) // 2, threading.Event()
    upstream.serve("/google/big/1", Answer(content, gate=gate, gate_after=half))
    downloads, started = [], []

    def run():
        download = Download(larder, "/google/big/1?tf-hub-format=compressed")
        started.append(download.read_up_to(half - (64 << 10)))
        download.read_to_end()
        downloads.append(download)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(32)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(started) == len(threads), larder.tail)
    assert all(started) and upstream.sent_bytes < len(content), upstream.counts()
    gate.set()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert [download.digest() for download in downloads] == [hashlib.sha256(content).hexdigest()] * len(threads)
    assert upstream.count("/google/big/1") == 1 and larder.metric("larder_freight_total") == len(threads)


def test_uploads_end_with_their_last_bytes(start_secure):
    """Neither a length, nor chunks, nor an end in their middle is waited for by the idle time-out."""
    larder = start_secure({"server": {"idle_timeout_s": 3600}})
    token = f"Authorization: Bearer {larder.token()}"
    for number, (size, content) in enumerate(SIZES.items(), 1):
        lines = [token, "Connection: close"]
        coded = ask(f"/acme/{size}/1", *lines, "Transfer-Encoding: chunked", method="PUT") + b"%x\r\n" % len(content) + content
        plain = ask(f"/acme/{size}/2", *lines, f"Content-Length: {len(content)}", method="PUT") + content
        for data in (coded + b"\r\n0\r\n\r\n", plain):
            with larder.dial(data) as connection:
                assert read_status(receive_all(connection)) in (200, 201)
        for end in ({}, {"told": False}):
            with larder.dial(plain.replace(b"/2 HTTP", b"/3 HTTP")[:-1]) as connection:
                connection.shutdown(**end)
                receive_all(connection)
        larder.wait_for("larder_uploads_aborted_total", 2 * number)
    larder.wait_for_idle()


# ---- ends ------------------------------------------------------------------------------------------------------------

ENDS = {"told": {"sent": False}, "sent": {"told": False}, "both": {}}


@pytest.mark.concurrent
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("size", SIZES)
def test_whoever_ends_first_gets_the_whole_answer(start_secure, size, end):
    larder, content = start_secure(), SIZES[size]
    larder.publish(PATH, content)
    for target, words in ((COMPRESSED, content), (COMPRESSED, content), ("/api/v1/modules" + PATH, b"handle"), ("/nothing/here/1", b"not-found")):
        with larder.dial(ask(target)) as connection:
            connection.shutdown(**ENDS[end])
            received = connection.makefile().read()  # an end that is not told would be an error
        assert words in received, (target, received[:300])
    wait_until(lambda: larder.metric("larder_connections") <= 1, larder.tail)


def test_an_end_is_told_and_then_sent(larder):
    with larder.dial(ask(COMPRESSED, "Connection: close")) as connection:
        assert connection.makefile().read().endswith(SIZES["small"])
        assert connection.socket.recv(1) == b""


CUTS = [(cut, chunked) for cut in ("reset", "close") for chunked in (False, True)]


@pytest.mark.parametrize("cut, chunked", CUTS)
@pytest.mark.parametrize("where", [200_000, 900_000, 999_999])
def test_a_cut_fill_looks_cut(start_secure, upstream, tmp_path, cut, chunked, where):
    larder = start_secure(upstreams=[upstream.url])
    content = modules.module(1_000_000)
    gate = threading.Event()
    for number in (1, 2):
        upstream.serve(f"/google/cut/{number}", Answer(content, gate=gate, gate_after=where // 2, cut_after=where, cut=cut, chunked=chunked),
                       Answer(b"", 503))
    download = Download(larder, "/google/cut/1.tar.gz")
    assert download.status == 200 and download.read_up_to(where // 2 - (64 << 10))
    file = tmp_path / "out"
    curl = subprocess.Popen(["curl", "-sSk", "--noproxy", "*", "-o", str(file), f"{larder.url.rstrip('/')}/google/cut/2.tar.gz"],
                            stderr=subprocess.PIPE, text=True)
    wait_until(lambda: file.exists() and file.stat().st_size >= where // 2 - (64 << 10) - (16 << 10), larder.tail)
    gate.set()
    assert not download.read_to_end() and isinstance(download.error, OSError), download.error
    _, words = curl.communicate(timeout=DEADLINE_S)
    assert curl.returncode in (18, 35, 56), words
    assert file.stat().st_size < len(content)


@pytest.mark.parametrize("way", ["", "Authorization: Bearer x"], ids=["fast", "handler"])
def test_a_client_that_resets_ends_its_request(start_secure, way):
    larder = start_secure()
    larder.publish(PATH, SIZES["large"])
    assert all(larder.get(COMPRESSED).status == 200 for _ in range(2))
    for _ in range(5):
        connection = larder.dial(ask(COMPRESSED, *([way] if way else [])))
        assert connection.recv(1000)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    wait_until(lambda: larder.metric("larder_requests_running") == 1 and larder.metric("larder_connections") == 1, larder.tail)


@pytest.mark.concurrent
@pytest.mark.parametrize("way", ["", "Authorization: Bearer x"], ids=["fast", "handler"])
def test_what_is_being_sent_is_sent_at_the_end(start_secure, way):
    larder = start_secure({"server": {"drain_timeout_s": 60}})
    content = SIZES["large"]
    larder.publish(PATH, content)
    assert all(larder.get(COMPRESSED).status == 200 for _ in range(2))
    connection = larder.dial(receive_bytes=1 << 14)
    connection.sendall(ask(COMPRESSED, *([way] if way else [])))
    first = connection.recv(1 << 14)
    idle, silent = larder.dial(), dial_plain(larder)
    wait_until(lambda: larder.metric("larder_requests_running") == 2, larder.tail)
    stopper = threading.Thread(target=larder.stop)
    stopper.start()
    received = first + connection.makefile().read()
    stopper.join()
    assert received.endswith(content[-1000:]) and len(received) > len(content)
    assert receive_all(idle) == b"" and receive_all(silent) == b""


# ---- handshakes ------------------------------------------------------------------------------------------------------

def make_garbage():
    """(name, bytes) that begin no handshake, or one that goes wrong."""
    randomness = random.Random(7)
    hello = make_hello()
    yield from ((f"random {number}", randomness.randbytes(randomness.choice([1, 5, 300, 20_000]))) for number in range(20))
    yield from ((f"a hello, cut at {at}", hello[:at]) for at in (1, 4, 5, 9, 60, len(hello) - 1))
    for number in range(30):
        changed = bytearray(hello)
        for _ in range(randomness.choice([1, 3, 40])):
            changed[randomness.randrange(5, len(changed))] = randomness.randrange(256)
        yield f"a hello with other bytes {number}", bytes(changed)
    yield from ((f"a record of {kind}", bytes([kind, 3, 1, 0, 2, 1, 0])) for kind in (20, 21, 23, 24))
    yield "a record of 65,535 bytes", b"\x16\x03\x01\xff\xff" + bytes(70_000)
    yield "records of nothing", b"\x16\x03\x01\x00\x00" * 1000
    yield "SSL 2", b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(37)
    yield "an e-mail", b"EHLO localhost\r\n"
    yield "SSH", b"SSH-2.0-OpenSSH_9.2\r\n"
    yield "zeros", bytes(10_000)


@pytest.mark.concurrent
def test_what_is_no_handshake_ends(larder):
    cases = list(make_garbage())
    for what, data in cases:
        with dial_plain(larder) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            answer = receive_all(connection)
            # An alert, or a server's hello where the client's was not hurt; nothing else.
            assert answer[:1] in (b"", b"\x15", b"\x16"), (what, answer[:100])
    larder.wait_for(FAILED, len(cases))
    larder.wait_for(RUNNING, lambda value: value == 0)
    wait_until(lambda: larder.metric("larder_connections") == 1, larder.tail)
    assert larder.get(COMPRESSED).body == SIZES["small"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST"])
def test_http_without_tls_is_told_so_once(larder, method):
    with dial_plain(larder, ask(COMPRESSED, "Content-Length: 300000", method=method) + bytes(300_000)) as connection:
        answer = receive_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1, answer[:300]
    assert b"application/problem+json" in answer and b"https://" in answer and b"Connection: close" in answer
    wait_until(lambda: larder.metric("larder_connections") == 1, larder.tail)


@pytest.mark.concurrent
def test_thousands_of_handshakes_that_never_end_hold_up_nobody(start_secure):
    larder = start_secure({"server": {"idle_timeout_s": 3600, "head_timeout_s": 0}})
    larder.publish(PATH, SIZES["small"])
    hello = make_hello()
    waiting = [dial_plain(larder, hello[:number % 3 and len(hello) // (number % 3 + 1)]) for number in range(2000)]
    larder.wait_for(RUNNING, len(waiting))
    for _ in range(20):
        assert larder.get(COMPRESSED).body == SIZES["small"]
    # One that was slow is served as well.
    with contextlib.closing(dial_plain(larder)) as connection:
        secure = Secure(connection, larder.context, shake=False)
        with contextlib.suppress(ssl.SSLWantReadError):
            secure.tls.do_handshake()
        for byte in secure.outgoing.read():
            connection.sendall(bytes([byte]))
        secure.run(secure.tls.do_handshake)
        secure.sendall(ask("/healthz", "Connection: close"))
        assert read_status(receive_all(secure)) == 200
    for connection in waiting:
        connection.close()
    larder.wait_for(RUNNING, lambda value: value == 0)
    wait_until(lambda: larder.metric("larder_connections") == 1, larder.tail)


@pytest.mark.concurrent
@pytest.mark.parametrize("part", [0, 1, 30, 200])
def test_a_handshake_has_a_deadline(start_secure, part):
    larder = start_secure({"server": {"idle_timeout_s": 5, "head_timeout_s": 5}})
    waiting = [dial_plain(larder, make_hello()[:part]) for _ in range(10)]
    for connection in waiting:
        assert receive_all(connection) == b""
    larder.wait_for(FAILED, 10)


@pytest.mark.concurrent
@pytest.mark.parametrize("part", [0, 60], ids=["silent", "in a hello"])
def test_who_is_at_its_handshake_for_long_makes_room(start_secure, part):
    larder = start_secure({"server": {"max_connections": 12, "idle_timeout_s": 3600, "head_timeout_s": 3600}})
    waiting = [dial_plain(larder, make_hello()[:part]) for _ in range(12)]
    for _ in range(4):
        assert larder.get("/healthz").status == 200
    assert larder.metric("larder_crowded_out_total") >= 1
    for connection in waiting:
        connection.close()


@pytest.mark.long
@pytest.mark.concurrent
def test_descriptors_that_run_out_are_waited_for(larder):
    """Each connection takes three."""
    used = len(os.listdir(f"/proc/{larder.process.pid}/fd"))
    subprocess.run(["prlimit", "--pid", str(larder.process.pid), f"--nofile={used + 10}:"], check=True)
    results = []

    def run():
        with contextlib.suppress(OSError):
            results.append(larder.get("/healthz").status)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive(), larder.tail()
    assert set(results) <= {200, 503} and results
    subprocess.run(["prlimit", "--pid", str(larder.process.pid), f"--nofile={used + 1000}:"], check=True)
    assert larder.get(COMPRESSED).body == SIZES["small"]
    wait_until(lambda: larder.metric("larder_connections") == 1, larder.tail)


# ---- inside ----------------------------------------------------------------------------------------------------------

def inner_ports(larder):
    """Where its own connections go: what it listens at, but for its address."""
    folder = f"/proc/{larder.process.pid}"
    inodes = set()
    for name in os.listdir(folder + "/fd"):
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(f"{folder}/fd/{name}"))
    with open(folder + "/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    ports = {int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}
    return ports - {larder.address[1]}


@pytest.mark.concurrent
def test_strangers_do_not_get_in(larder):
    """Who knocks where only its own connections go is sent away without a byte, and changes nothing."""
    ports = inner_ports(larder)
    assert len(ports) >= 2
    stopping = threading.Event()

    def knock(port):
        number = 0
        while not stopping.is_set():
            number += 1
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as connection:
                if number % 3 == 0:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    continue
                connection.sendall(ask("/healthz"))
                assert receive_all(connection) == b""

    threads = [threading.Thread(target=knock, args=(port,), daemon=True) for port in ports]
    for thread in threads:
        thread.start()
    for _ in range(50):
        assert larder.get(COMPRESSED).body == SIZES["small"]
    stopping.set()
    for thread in threads:
        thread.join(DEADLINE_S)
    wait_until(lambda: larder.metric("larder_connections") == 1, larder.tail)


def waits_of(larder):
    """The time-outs, in ms, that its TLS threads wait with; None: such a thread does something else."""
    found = []
    for task in os.scandir(f"/proc/{larder.process.pid}/task"):
        try:
            with open(task.path + "/comm", encoding="ascii") as name:
                if name.read().strip() != "tls":
                    continue
        except OSError:
            continue  # it has ended
        try:
            with open(task.path + "/syscall", encoding="ascii") as call:
                words = call.read().split()
        except OSError:
            pytest.skip("system calls of others cannot be seen here")
        timeout = int(words[4], 16) & 0xffffffff if len(words) > 4 else None
        found.append(-1 if timeout == 0xffffffff else timeout)
    return found


def test_nobody_wakes_for_idle_connections(larder):
    idle = [larder.dial() for _ in range(20)]
    kept = [larder.dial(ask()) for _ in range(20)]
    for connection in kept:
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    wait_until(lambda: set(waits_of(larder)) == {-1}, lambda: f"threads that wait for events alone: {waits_of(larder)}")
    for connection in idle + kept:
        connection.close()
