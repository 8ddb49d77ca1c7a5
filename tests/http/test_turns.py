# SPDX-License-Identifier: Apache-2.0
"""More uploads than publish.max_uploads: each waits its turn, and what it sends waits with it."""
import concurrent.futures
import socket
import struct

import pytest
from support import modules
from support.client import read_status
from support.daemon import assert_problem
from support.waiting import DEADLINE_S, wait_until
from test_forms import FORM, PARTS, form

MODULE = modules.module(200_000)
LINE_PER_PLACE = 8


def knock(larder, number, length=len(MODULE), *more):
    """Sends a head, and is to send the body."""
    connection = socket.create_connection(larder.address, timeout=DEADLINE_S)
    head = [f"PUT /acme/turn/{number + 1} HTTP/1.1", "Host: larder", f"Authorization: Bearer {larder.token()}",
            f"Content-Length: {length}", *more]
    connection.sendall("\r\n".join([*head, "", ""]).encode())
    return connection


def occupy(larder, places):
    larder.token()
    held = [knock(larder, 1000 + number) for number in range(places)]
    larder.wait_for("larder_uploads_running", places)
    return held


def put(larder, number):
    return larder.put(f"/acme/turn/{number}", modules.module(seed=number))


def put_chunked(larder, number):
    module = modules.module(100_000, seed=number)
    return larder.put(f"/acme/turn/{number}", (module[i:i + 7001] for i in range(0, len(module), 7001)))


def put_large(larder, number):
    return larder.put(f"/acme/turn/{number}", modules.module(4 << 20, seed=number))


def post_form(larder, number):
    sent = {"Authorization": f"Bearer {larder.token()}", "Content-Type": FORM}
    return larder.request("POST", f"/acme/turn/{number}", sent, form(PARTS))


def test_the_next_waits_its_turn(start):
    larder = start({"publish": {"max_uploads": 2}, "server": {"workers": 2}})
    larder.publish("/acme/here/1", modules.module(seed=9))
    held = occupy(larder, 2)
    kinds = [put, put_chunked, put_large, post_form] * 2
    with concurrent.futures.ThreadPoolExecutor(len(kinds)) as pool:
        calls = [pool.submit(kind, larder, number) for number, kind in enumerate(kinds, 1)]
        larder.wait_for("larder_uploads_waiting", len(kinds))
        # They hold no worker.
        assert larder.get("/acme/here/1?tf-hub-format=compressed").status == 200
        assert larder.put("/acme/here/1", b"# here", content_type="text/markdown").status == 201
        assert larder.metric("larder_uploads_running") == 2 and not any(call.done() for call in calls)
        held[0].sendall(MODULE)
        assert read_status(held[0].recv(65536)) == 201
        for call in calls:
            assert call.result().status == 201, str(call.result())
    held[1].close()
    larder.wait_for_idle()
    assert larder.metric("larder_uploads_waiting") == 0


def test_first_come_first_served(start):
    larder = start({"publish": {"max_uploads": 1}})
    holder, = occupy(larder, 1)
    line = []
    for number in range(1, 5):
        line.append(knock(larder, number, len(MODULE), "Expect: 100-continue"))
        larder.wait_for("larder_uploads_waiting", number)
    holder.close()
    for connection in line:
        assert read_status(connection.recv(65536)) == 100
        for other in line[line.index(connection) + 1:]:
            other.setblocking(False)
            with pytest.raises(BlockingIOError):
                other.recv(1)
            other.settimeout(DEADLINE_S)
        connection.close()


def test_a_line_that_is_too_long(start):
    larder = start({"publish": {"max_uploads": 1}})
    holder, = occupy(larder, 1)
    line = [knock(larder, number) for number in range(LINE_PER_PLACE)]
    larder.wait_for("larder_uploads_waiting", LINE_PER_PLACE)
    reply = put(larder, 100)
    assert "publish.max_uploads" in assert_problem(reply, 503, "busy")["detail"]
    assert int(reply.header("Retry-After")) > 0
    for connection in [holder, *line]:
        connection.sendall(MODULE)
    for connection in [holder, *line]:
        assert read_status(connection.recv(65536)) == 201
    assert put(larder, 100).status == 201


def close(connection):
    connection.close()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def close_after_some(connection):
    connection.sendall(MODULE[:1000])
    connection.close()


@pytest.mark.parametrize("go", [close, reset, close_after_some])
def test_who_goes_away_leaves_the_line(start, go):
    larder = start({"publish": {"max_uploads": 1}})
    holder, = occupy(larder, 1)
    line = [knock(larder, number, 10 << 20) for number in range(3)]
    larder.wait_for("larder_uploads_waiting", 3)
    go(line[1])
    larder.wait_for("larder_uploads_waiting", lambda waiting: waiting == 2)
    for connection in (line[0], line[2], holder):
        go(connection)
    larder.wait_for("larder_uploads_waiting", lambda waiting: waiting == 0)
    larder.wait_for_idle()
    assert put(larder, 7).status == 201


def test_who_has_sent_all_and_listens_stays(start):
    """Half-closed: the answer can still be read."""
    larder = start({"publish": {"max_uploads": 1}})
    holder, = occupy(larder, 1)
    small = modules.module(seed=3)
    waiting = knock(larder, 1, len(small))
    waiting.sendall(small)
    waiting.shutdown(socket.SHUT_WR)
    gone = knock(larder, 2, 10 << 20)
    larder.wait_for("larder_uploads_waiting", 2)
    gone.close()
    larder.wait_for("larder_uploads_waiting", lambda count: count == 1)
    holder.close()
    assert read_status(waiting.recv(65536)) == 201


def test_an_end_does_not_wait_for_the_line(start):
    larder = start({"publish": {"max_uploads": 1}, "server": {"drain_timeout_s": 0}})
    held = occupy(larder, 1)
    line = [knock(larder, number) for number in range(3)]
    larder.wait_for("larder_uploads_waiting", 3)
    larder.stop()
    wait_until(lambda: all(not connection.recv(1) for connection in [*held, *line]), "each connection to end")
