# SPDX-License-Identifier: Apache-2.0
"""The fast path answers what is hot and plain; whatever else a connection asks, nobody can tell where it was answered."""
import os
import socket
import threading
import time
from email.utils import parsedate_to_datetime

import pytest
from support import modules
from support.memory import chill
from support.waiting import DEADLINE_S, wait_until

PATH = "/acme/half-plus-two/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
SMALL = modules.module(3000)
MEDIUM = modules.module(40_000)
LARGE = modules.module(20_000_000)
SIZES = pytest.mark.parametrize("module", [SMALL, MEDIUM, LARGE], ids=["small", "medium", "large"])
EXPRESS = "larder_express_total"
FREIGHT = "larder_freight_total"


def plain(target=COMPRESSED, method="GET", **fields):
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()


class Connection:
    def __init__(self, larder):
        self.socket = socket.create_connection(larder.address, timeout=DEADLINE_S)
        self.stream = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, has_body=True):
        """The status, the fields but for the date, and the body of one answer."""
        status = int(self.stream.readline().split()[1])
        fields = {}
        while (line := self.stream.readline()) not in (b"\r\n", b""):
            name, value = line.decode().rstrip("\r\n").split(": ", 1)
            fields[name.lower()] = value
        assert fields.pop("date").endswith(" GMT")
        length = int(fields["content-length"]) if has_body else 0
        return status, fields, self.stream.read(length)

    def ask(self, *arguments, has_body=True, **fields):
        self.send(plain(*arguments, **fields))
        return self.receive(has_body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()


def heat(larder, module):
    """Publishes it and has it kept hot; what is told of large ones once it is known, their MD5, is told from now on."""
    larder.publish(PATH, module)
    assert larder.get(COMPRESSED).body == module
    wait_until(lambda: "md5=" in larder.request("HEAD", COMPRESSED).headers.get("X-Goog-Hash", ""), "its MD5")
    assert larder.get(COMPRESSED).body == module


@SIZES
def test_answers_are_the_same_as_elsewhere(larder, module):
    heat(larder, module)
    etag = larder.get(COMPRESSED).header("ETag")
    modified = larder.get(COMPRESSED).header("Last-Modified")
    size = len(module)
    cases = [
        {}, {"Range": "bytes=0-0"}, {"Range": f"bytes=5-{size - 2}"}, {"Range": "bytes=-7"}, {"Range": f"bytes={size - 3}-"},
        {"Range": "bytes=0-1,3-4"}, {"Range": "lines=1-2"}, {"Range": "bytes=2-9", "If-Range": etag},
        {"Range": "bytes=2-9", "If-Range": '"other"'}, {"If-None-Match": etag}, {"If-None-Match": f'"a", W/{etag}'},
        {"If-None-Match": '"other"'}, {"If-Modified-Since": modified}, {"If-Match": etag},
        {"If-Unmodified-Since": modified}, {"Range": "bytes=0-4", "If-None-Match": etag}]
    with Connection(larder) as hot, Connection(larder) as elsewhere:
        before = larder.metric(EXPRESS)
        for fields in cases:
            for method in ("GET", "HEAD"):
                has_body = method == "GET" and not (set(fields.values()) & {etag, modified, f'"a", W/{etag}'} and
                                                    "Range" not in fields and "If-Match" not in fields and
                                                    "If-Unmodified-Since" not in fields)
                has_body = has_body and fields != {"Range": "bytes=0-4", "If-None-Match": etag}
                ours = hot.ask(COMPRESSED, method, has_body=has_body, **fields)
                # A token sends it the long way.
                theirs = elsewhere.ask(COMPRESSED, method, has_body=has_body, Authorization="Bearer none", **fields)
                assert ours == theirs, f"{method} {fields}: {ours[:2]} here, {theirs[:2]} there"
                if ours[0] == 200 and has_body:
                    assert ours[2] == module
        assert larder.metric(EXPRESS) - before == 2 * len(cases)


def test_blanks_after_a_value_mean_nothing(larder):
    heat(larder, SMALL)
    etag, modified = (larder.get(COMPRESSED).header(name) for name in ("ETag", "Last-Modified"))
    cases = [({"If-None-Match": "* "}, 304), ({"If-None-Match": f"{etag} \t"}, 304), ({"If-Modified-Since": f"{modified}\t"}, 304),
             ({"If-Match": "*\t"}, 200), ({"If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:37 GMT "}, 412),
             ({"Range": "bytes=0-4 ", "If-Range": f"{etag} "}, 206), ({"Range": "bytes=0-4", "If-Range": f"{modified} "}, 206)]
    with Connection(larder) as hot, Connection(larder) as elsewhere:
        for fields, status in cases:
            ours = hot.ask(has_body=status != 304, **fields)
            theirs = elsewhere.ask(has_body=status != 304, Authorization="Bearer none", **fields)
            assert ours == theirs and ours[0] == status, f"{fields}: {ours[0]} here, {theirs[0]} there"


@SIZES
def test_refusals_come_the_long_way(larder, module):
    heat(larder, module)
    for fields, status in (({"Range": f"bytes={len(module)}-"}, 416), ({"If-Match": '"other"'}, 412)):
        before = larder.metric(EXPRESS)
        with Connection(larder) as connection:
            assert connection.ask(**fields)[0] == status
            assert connection.ask()[2] == module, "the connection goes on, and back"
        assert larder.metric(EXPRESS) == before + 1


def test_no_answer_is_dated_before_what_it_gives(larder):
    for version in range(1, 13):
        target = COMPRESSED.replace("/1?", f"/{version}?")
        wait_until(lambda: time.time() % 1 >= (0.13 * version) % 0.9, "another part of a second")
        larder.publish(target.split("?")[0], SMALL)
        assert larder.get(target).body == SMALL
        before = larder.metric(EXPRESS)
        reply = larder.get(target)
        assert larder.metric(EXPRESS) == before + 1
        assert parsedate_to_datetime(reply.header("Date")) >= parsedate_to_datetime(reply.header("Last-Modified"))


def test_one_connection_for_all_kinds_of_requests(larder):
    heat(larder, SMALL)
    with Connection(larder) as connection:
        for _ in range(3):
            assert connection.ask()[2] == SMALL
        assert connection.ask("/api/v1/modules" + PATH)[0] == 200
        for _ in range(3):
            assert connection.ask()[2] == SMALL
        assert connection.ask("/nothing/here/1")[0] in (404, 504)


@SIZES
def test_pipelined_requests_are_answered_in_order(larder, module):
    heat(larder, module)
    with Connection(larder) as connection:
        connection.send(plain() + plain(Range="bytes=3-5") + plain(method="HEAD") + plain("/healthz") + plain())
        assert connection.receive()[2] == module
        assert connection.receive()[2] == module[3:6]
        assert connection.receive(has_body=False)[0] == 200
        assert connection.receive()[0] == 200
        assert connection.receive()[2] == module


@SIZES
def test_who_wants_it_closed_gets_it_closed(larder, module):
    heat(larder, module)
    before = larder.metric(EXPRESS)
    answer = larder.raw(plain(Connection="close"))
    assert answer.endswith(module) and b"\r\nConnection: close\r\n" in answer
    assert larder.metric(EXPRESS) - before == 1
    answer = larder.raw(plain(Connection="close") + plain())
    assert answer.count(b"HTTP/1.1 200") == 1 and answer.endswith(module), "nothing is answered after that"


def test_heads_that_come_in_pieces(larder):
    heat(larder, SMALL)
    head = plain()
    for cut in (1, 10, len(head) - 2, len(head) - 1):
        with Connection(larder) as connection:
            connection.send(head[:cut])
            wait_until(lambda: larder.metric("larder_connections") >= 2, larder.tail)
            connection.send(head[cut:])
            assert connection.receive()[2] == SMALL


def padded(length, **fields):
    """A plain head of so many bytes."""
    return plain(X_Padding="x" * (length - len(plain(X_Padding="", **fields))), **fields)


@pytest.mark.parametrize("length", [8191, 8192, 8193])
def test_requests_behind_a_head_that_fills_a_look(larder, length):
    heat(larder, SMALL)
    with Connection(larder) as connection:
        connection.send(padded(length) + plain(Range="bytes=0-2") + padded(length, Connection="close") + plain())
        assert connection.receive()[2] == SMALL
        assert connection.receive()[2] == SMALL[:3]
        assert connection.receive()[2] == SMALL
        assert connection.stream.read() == b""


def test_long_heads_behind_answered_ones(start):
    """What was left in the socket and is taken at once can be more than a look."""
    larder = start({"server": {"threads": 1}})
    heat(larder, SMALL)
    before = larder.metric(EXPRESS)
    with Connection(larder) as connection:
        for length in (2000, 8192, 1900, 8000, 100):
            connection.send(padded(length))
            assert connection.receive()[2] == SMALL
    assert larder.metric(EXPRESS) - before == 5


def test_urgent_bytes_are_as_good_as_others(larder):
    """Passed over, they would shift what is still to be taken out of the socket."""
    heat(larder, SMALL)
    with Connection(larder) as connection:
        connection.send(padded(2000))
        assert connection.receive()[2] == SMALL
        connection.socket.send(b"!", socket.MSG_OOB)
        try:
            connection.send(plain(Range="bytes=0-2"))
            connection.socket.shutdown(socket.SHUT_WR)
            assert b"HTTP/1.1 206" not in connection.stream.read()
        except OSError:
            pass  # refused, and closed before all of it was sent


def test_odd_heads_are_not_answered_here(larder):
    heat(larder, SMALL)
    before = larder.metric(EXPRESS)
    for head in (b"Host: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n", b"Host: x\r\nHost: y\r\n", b"Host: x\r\nContent-Length : 0\r\n",
                 b"Host: x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n"):
        answer = larder.raw(f"GET {COMPRESSED} HTTP/1.1\r\n".encode() + head + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 400 "), answer[:80]
    assert larder.metric(EXPRESS) == before


@pytest.mark.parametrize("was_quick", [False, True])
def test_a_client_that_stops_reading_stops_nobody_else(larder, was_quick):
    heat(larder, LARGE)
    with Connection(larder) as slow:
        if was_quick:
            assert slow.ask()[2] == LARGE
        slow.send(plain())
        wait_until(lambda: larder.metric("larder_requests_running") >= 2, larder.tail)  # it, and the one who asks
        for _ in range(5):
            with Connection(larder) as other:
                assert other.ask()[2] == LARGE
        assert slow.receive()[2] == LARGE


def test_clients_that_go_away_in_the_middle(larder):
    heat(larder, LARGE)
    for _ in range(10):
        with Connection(larder) as connection:
            connection.send(plain())
            assert connection.stream.read(1000)
    larder.wait_for_idle()
    wait_until(lambda: larder.metric("larder_connections") <= 1, larder.tail)
    assert 'end="client gone"' in larder.log()
    assert larder.get(COMPRESSED).body == LARGE


@pytest.mark.parametrize("part", [{}, {"Range": "bytes=15000000-15000009"}], ids=["whole", "part"])
def test_a_file_that_has_lost_its_end_is_no_fault_of_the_client(larder, part):
    heat(larder, LARGE)
    blob = next(path for path in (larder.data / "blobs").rglob(larder.blobs()[0]))
    blob.chmod(0o644)
    os.truncate(blob, 10_000_000)
    answer = larder.raw(plain(Connection="close", **part))
    assert len(answer) < 10_010_000
    assert "end=broken" in larder.log() and 'end="client gone"' not in larder.log(), larder.tail()


def test_small_part_across_the_end_of_a_broken_file(larder):
    """What is mapped behind the end would be zeros."""
    heat(larder, LARGE)
    blob = next(path for path in (larder.data / "blobs").rglob(larder.blobs()[0]))
    blob.chmod(0o644)
    os.truncate(blob, 10_000_000)
    answer = larder.raw(plain(Range="bytes=9999990-10000009", Connection="close"))
    body = answer.partition(b"\r\n\r\n")[2]
    assert body == LARGE[9_999_990:10_000_000], body
    assert "end=broken" in larder.log(), larder.tail()


def test_idle_connections_end(start):
    larder = start({"server": {"idle_timeout_s": 5}})
    heat(larder, LARGE)
    with Connection(larder) as idle, Connection(larder) as stalled:
        assert idle.ask()[2] == LARGE
        stalled.send(plain())
        assert stalled.stream.read(1000)
        assert idle.stream.read() == b""
        wait_until(lambda: larder.metric("larder_connections") <= 1, larder.tail)
        assert len(stalled.stream.read()) < len(LARGE)


def test_what_runs_at_the_end_is_sent_whole(start):
    larder = start({"server": {"drain_timeout_s": int(DEADLINE_S)}})
    heat(larder, LARGE)
    with Connection(larder) as idle, Connection(larder) as running:
        assert idle.ask()[2] == LARGE
        running.send(plain())
        wait_until(lambda: larder.metric("larder_requests_running") >= 2, larder.tail)
        stopper = threading.Thread(target=larder.stop)
        stopper.start()
        assert running.receive()[2] == LARGE
        stopper.join()
        assert idle.stream.read() == b""


def test_a_client_that_says_it_has_asked_all(larder):
    """Half-closed along with its request, or later: it gets its answer and then the end, not a connection that stays."""
    heat(larder, MEDIUM)
    for asked_before in (0, 1, 40):
        with Connection(larder) as connection:
            for _ in range(asked_before):
                assert connection.ask()[2] == MEDIUM
            connection.send(plain())
            connection.socket.shutdown(socket.SHUT_WR)
            assert connection.receive()[2] == MEDIUM
            assert connection.stream.read() == b""
        with Connection(larder) as connection:
            for _ in range(asked_before):
                assert connection.ask()[2] == MEDIUM
            connection.socket.shutdown(socket.SHUT_WR)
            assert connection.stream.read() == b""


def test_many_answers_and_then_something_else(larder):
    """The heads that were answered are not read again by who takes the connection over, one or many at a time."""
    heat(larder, SMALL)
    before = larder.metric(EXPRESS)
    for count in (1, 5, 30, 31, 100):
        with Connection(larder) as connection:
            for _ in range(count):
                assert connection.ask()[2] == SMALL
            connection.send(plain() * 3 + plain("/api/v1/modules" + PATH) + plain())
            assert [connection.receive()[2] for _ in range(3)] == [SMALL] * 3
            assert b"half-plus-two" in connection.receive()[2]
            assert connection.receive()[2] == SMALL
            assert connection.ask("/healthz")[0] == 200
    assert larder.metric(EXPRESS) - before == 1 + 5 + 30 + 31 + 100 + 5 * 4


def test_connection_close_after_many_answers(larder):
    """Closed in order: no reset takes the last answer away, however much of the heads was left in the socket."""
    heat(larder, LARGE)
    for count in (0, 3, 33):
        with Connection(larder) as connection:
            for _ in range(count):
                connection.ask(Range="bytes=0-0")
            connection.send(plain(Connection="close"))
            assert connection.receive()[2] == LARGE
            assert connection.stream.read() == b""


@pytest.mark.parametrize("wanted", [None, (len(LARGE) // 3, len(LARGE) // 3 + 2_999_999), (9_000_001, 9_004_096)],
                         ids=["whole", "part", "small part"])
def test_what_is_not_in_memory_goes_by_the_sender_pool(larder, wanted):
    heat(larder, LARGE)
    first, last = wanted or (0, len(LARGE) - 1)

    def given():
        before = larder.metric(FREIGHT)
        _, fields, body = connection.ask(**({"Range": f"bytes={first}-{last}"} if wanted else {}))
        assert body == LARGE[first:last + 1] and int(fields["content-length"]) == len(body)
        return larder.metric(FREIGHT) - before

    with Connection(larder) as connection:
        assert connection.ask()[2] == LARGE
        wait_until(lambda: chill(larder, (first, last)) or given() == 1, "a way through the sender pool")
        wait_until(lambda: given() == 0, "a time that it is in memory")


def test_part_that_begins_out_of_memory_goes_by_the_sender_pool(larder):
    """What is small is sent from a mapping, and its end alone does not tell what is in memory. A disk may be quick enough to
    have it there when a thread comes to ask, so this takes as many tries as it takes."""
    heat(larder, LARGE)
    page = len(LARGE) * 3 // 4 // 4096 * 4096
    blob = next(path for path in (larder.data / "blobs").rglob("*") if path.is_file())

    def given():
        chill(larder)
        with open(blob, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)  # no pages but those that are read
            os.pread(file.fileno(), 1, page)
        before = larder.metric(FREIGHT)
        assert connection.ask(Range=f"bytes={page - 8192}-{page + 99}")[2] == LARGE[page - 8192:page + 100]
        return larder.metric(FREIGHT) - before

    with Connection(larder) as connection:
        connection.ask(Range="bytes=0-0")
        wait_until(given, "a way through the sender pool")


@pytest.mark.parametrize("header", ["Range", "Authorization"])
def test_what_is_not_in_memory_is_sent_by_the_sender_pool(larder, header):
    """The first request for it, or one that is not for the response cache: no thread of many connections waits for the disk. A disk may
    be quick enough to have read ahead before a thread comes to ask, so this takes as many tries as it takes."""
    larder.publish(PATH, LARGE)
    wait_until(lambda: larder.get(COMPRESSED).headers.get("x-goog-hash"), "its MD5: what is at hand is forgotten once it is known")
    larder.restart()
    fields = {"Range": "bytes=7-"} if header == "Range" else {"Authorization": f"Bearer {larder.token('read')}"}

    def given():
        before = larder.metric(FREIGHT)
        with Connection(larder) as connection:
            assert connection.ask(**fields)[2] == (LARGE[7:] if header == "Range" else LARGE)
            assert connection.ask("/healthz")[0] == 200
        return larder.metric(FREIGHT) - before

    for turn in range(2):
        answered = larder.metric(EXPRESS)
        wait_until(lambda: chill(larder) or given() > 0, f"a way through the sender pool, turn {turn}")
        wait_until(lambda: given() == 0, "a time that it is in memory")
        assert (larder.metric(EXPRESS) == answered) == (header == "Authorization"), "a part keeps the whole at hand"


def test_what_was_cold_is_kept_hot_once_it_is_not(larder):
    larder.publish(PATH, LARGE)
    larder.restart()
    chill(larder)
    before = larder.metric(EXPRESS)

    def is_hot():
        with Connection(larder) as connection:
            assert connection.ask()[2] == LARGE
        return larder.metric(EXPRESS) > before

    assert not is_hot()
    wait_until(is_hot, "an answer from the fast path")


def test_a_client_that_leaves_while_its_file_is_read(larder):
    larder.publish(PATH, LARGE)
    larder.restart()
    chill(larder)
    for _ in range(4):
        with Connection(larder) as connection:
            connection.send(plain())
            assert connection.socket.recv(1000)
        chill(larder)
    wait_until(lambda: larder.metric("larder_connections") <= 1 and larder.metric("larder_requests_running") <= 1, larder.tail)


def test_a_client_that_leaves_the_sender_pool(larder):
    heat(larder, LARGE)
    with Connection(larder) as connection:
        connection.ask(Range="bytes=0-0")
        chill(larder)
        connection.send(plain())
        wait_until(lambda: larder.metric(FREIGHT) >= 1, larder.tail)
        assert connection.socket.recv(1000)
    wait_until(lambda: larder.metric("larder_connections") <= 1 and larder.metric("larder_requests_running") <= 1, larder.tail)
    assert larder.get(COMPRESSED).body == LARGE


def test_requests_behind_one_that_went_by_the_sender_pool(larder):
    heat(larder, LARGE)
    with Connection(larder) as connection:
        connection.ask(Range="bytes=0-0")
        chill(larder)
        answered = larder.metric(EXPRESS)
        connection.send(plain() + plain(Range="bytes=7-9") + plain(method="HEAD") + plain(Range="bytes=-4", Connection="close"))
        assert connection.receive()[2] == LARGE
        assert connection.receive()[2] == LARGE[7:10]
        assert int(connection.receive(has_body=False)[1]["content-length"]) == len(LARGE)
        assert connection.receive()[2] == LARGE[-4:]
        assert connection.stream.read() == b""
    assert larder.metric(EXPRESS) == answered + 4 and larder.metric(FREIGHT) >= 1


def test_what_is_withdrawn_while_it_goes_by_the_sender_pool(larder):
    heat(larder, LARGE)
    with Connection(larder) as connection:
        connection.ask(Range="bytes=0-0")
        chill(larder)
        connection.send(plain())
        wait_until(lambda: larder.metric(FREIGHT) >= 1, larder.tail)
        larder.request("DELETE", PATH, {"Authorization": f"Bearer {larder.token('withdraw:*')}"})
        wait_until(lambda: not larder.blobs(), "the file to be gone")
        assert connection.receive()[2] == LARGE
        connection.send(plain())
        assert connection.stream.readline().split()[1] == b"410"


@pytest.mark.parametrize("takes", [True, False], ids=["who takes it", "who does not"])
def test_sender_pool_at_the_end(start, takes):
    """It has as long as drain_timeout_s for what somebody takes, and no longer for what nobody does."""
    larder = start({"server": {"drain_timeout_s": int(DEADLINE_S) if takes else 1}})
    heat(larder, LARGE)
    with Connection(larder) as connection:
        connection.ask(Range="bytes=0-0")
        chill(larder)
        connection.send(plain())
        wait_until(lambda: larder.metric(FREIGHT) >= 1, larder.tail)
        stopper = threading.Thread(target=larder.stop)
        stopper.start()
        if takes:
            assert connection.receive()[2] == LARGE
        stopper.join()
        assert takes or len(connection.stream.read()) < len(LARGE)


def test_equal_bytes_under_other_names_leave_no_file_open(larder):
    """Each keeping puts the file in place anew; what was kept hot of the one before would hold its space on the disk."""
    heat(larder, LARGE)
    for version in (2, 3, 4):
        path = f"/acme/half-plus-two/{version}"
        larder.publish(path, LARGE)
        assert larder.get(path + "?tf-hub-format=compressed").body == LARGE
        assert larder.get(COMPRESSED).body == LARGE
    open_files = [os.readlink(entry) for entry in os.scandir(f"/proc/{larder.process.pid}/fd") if os.path.islink(entry)]
    assert not [name for name in open_files if "/blobs/" in name and name.endswith("(deleted)")]


def test_parts_are_hits_but_no_downloads(larder):
    heat(larder, MEDIUM)
    hits = 'larder_artifact_requests_total{result="hit"}'
    before = larder.metric(hits)
    with Connection(larder) as connection:
        etag = connection.ask()[1]["etag"]
        connection.ask(Range="bytes=0-9")
        connection.ask(Range="bytes=10-19")
        connection.ask(has_body=False, If_None_Match=etag)
        connection.ask(COMPRESSED, "HEAD", has_body=False)
    assert larder.metric(hits) - before == 4
    larder.restart()
    assert larder.get("/api/v1/modules" + PATH).json()["artifacts"][0]["downloads"] == 4  # two of them heat it


@SIZES
def test_a_part_keeps_the_whole_at_hand(larder, module):
    """What is told of a module may change (its MD5 gets known), and from then on only parts may be asked for."""
    larder.publish(PATH, module)
    wait_until(lambda: "md5=" in larder.request("HEAD", COMPRESSED).headers.get("X-Goog-Hash", ""), "its MD5")
    size = len(module)
    parts = [(5, 9), (0, 0), (size - 4, size - 1), (1, size - 2), (2, 4_000 % size)]
    with Connection(larder) as connection:
        first = connection.ask(Range="bytes=5-9")
        before = larder.metric(EXPRESS)
        assert connection.ask(Range="bytes=5-9") == first
        for begin, end in parts:
            status, fields, body = connection.ask(Range=f"bytes={begin}-{end}")
            assert (status, body) == (206, module[begin:end + 1])
            assert fields["content-range"] == f"bytes {begin}-{end}/{size}"
        assert larder.metric(EXPRESS) == before + 1 + len(parts), "each has taken a worker"
        status, fields, body = connection.ask()
        assert (status, body) == (200, module) and "content-range" not in fields
        assert larder.metric(EXPRESS) == before + 2 + len(parts)
    wait_until(lambda: "status=206 bytes=5 " in larder.log(), "the line of the first part")


@pytest.mark.concurrent
def test_many_connections_while_it_is_withdrawn_and_stopped(larder):
    heat(larder, MEDIUM)
    faults, asked = [], threading.Semaphore(0)

    def ask(number):
        try:
            with Connection(larder) as connection:
                while True:
                    status, _, body = connection.ask(**({"Range": "bytes=7-"} if number % 2 else {}))
                    asked.release()
                    if status == 410:
                        return
                    if body != MEDIUM[7 if number % 2 else 0:]:
                        faults.append(f"{status}, {len(body)} bytes")
        except Exception as error:
            faults.append(repr(error))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        asked.acquire()
    larder.request("DELETE", PATH, {"Authorization": f"Bearer {larder.token('withdraw:*')}"})
    for thread in threads:
        thread.join()
    assert not faults, faults
