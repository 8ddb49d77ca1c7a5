# SPDX-License-Identifier: Apache-2.0
"""Another process has the database: what has been received waits for it, and is not lost."""
import concurrent.futures
import contextlib
import socket
import sqlite3
import struct

import pytest
from support import modules
from support.daemon import assert_problem
from support.waiting import DEADLINE_S
from test_forms import FORM, PARTS, form


@contextlib.contextmanager
def database_held(larder):
    larder.token()  # made by yet another process
    database = sqlite3.connect(larder.data / "larder.db", timeout=DEADLINE_S, isolation_level=None, check_same_thread=False)
    with contextlib.closing(database):
        database.execute("BEGIN IMMEDIATE")
        yield database


def put(larder, number):
    return larder.put(f"/acme/held/{number}", modules.module(seed=number))


def put_tflite(larder, number):
    return larder.put(f"/acme/held/{number}?lite-format=tflite", modules.tflite_model(500 + number))


def put_chunked(larder, number):
    module = modules.module(100_000, seed=number)
    return larder.put(f"/acme/held/{number}", (module[i:i + 7001] for i in range(0, len(module), 7001)))


def post_form(larder, number):
    sent = {"Authorization": f"Bearer {larder.token()}", "Content-Type": FORM}
    return larder.request("POST", f"/acme/held/{number}", sent, form(PARTS))


def same_bytes(larder, number):
    return larder.put(f"/acme/again/{number}", modules.module(seed=1))


def test_received_uploads_wait_for_the_database(larder):
    """Beyond SQLite's own patience, and all kinds of uploads."""
    larder.publish("/acme/here/1", modules.module(seed=100))
    kinds = [put, put_tflite, put_chunked, post_form, same_bytes, same_bytes]
    with concurrent.futures.ThreadPoolExecutor(len(kinds)) as pool:
        with database_held(larder) as database:
            calls = [pool.submit(kind, larder, number) for number, kind in enumerate(kinds, 1)]
            larder.wait_for("larder_commits_waiting", 1)
            # Nobody else waits, and they hold no thread.
            assert larder.get("/acme/here/1?tf-hub-format=compressed").status == 200
            assert not any(call.done() for call in calls)
            database.execute("ROLLBACK")
        for call in calls:
            assert call.result().status == 201, str(call.result())
    assert larder.metric("larder_commits_waiting") == 0
    for number, query in ((1, "tf-hub-format=compressed"), (2, "lite-format=tflite"), (3, "tf-hub-format=compressed")):
        assert larder.get(f"/acme/held/{number}?{query}").status == 200
    larder.wait_for_no_drafts()


@pytest.mark.long
@pytest.mark.parametrize("clients", [1, 3])
def test_fills_wait_for_the_database(mirror, upstream, clients):
    module = modules.module(seed=7)
    upstream.serve("/acme/fetched/1", module)
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        with database_held(mirror) as database:
            calls = [pool.submit(mirror.get, "/acme/fetched/1?tf-hub-format=compressed") for _ in range(clients)]
            mirror.wait_for("larder_commits_waiting", 1)
            assert not any(call.done() for call in calls)
            database.execute("ROLLBACK")
        for call in calls:
            assert call.result().body == module
    assert mirror.metric("larder_commits_waiting") == 0 and upstream.count() == 1
    mirror.wait_for_no_drafts()


def document(larder, version):
    return larder.put(f"/acme/here/{version}", b"# number\n", content_type="text/markdown")


def withdraw(larder, version):
    return larder.request("DELETE", f"/acme/here/{version}", {"Authorization": f"Bearer {larder.token('withdraw:*')}"})


def test_documentation_and_withdrawals_wait_for_the_database(larder):
    """More of them than there are workers, and nobody else waits."""
    larder.token("withdraw:*")
    versions = range(1, 13)
    for version in versions:
        larder.publish(f"/acme/here/{version}", modules.module(seed=version))
    kinds = {version: withdraw if version % 2 else document for version in versions}
    with concurrent.futures.ThreadPoolExecutor(len(versions)) as pool:
        with database_held(larder) as database:
            calls = {version: pool.submit(kind, larder, version) for version, kind in kinds.items()}
            larder.wait_for("larder_commits_waiting", len(versions))
            assert larder.get("/acme/here/1?tf-hub-format=compressed").status == 200
            assert not any(call.done() for call in calls.values())
            database.execute("ROLLBACK")
        for version, call in calls.items():
            assert call.result().status == (200 if version % 2 else 201), str(call.result())
    assert larder.metric("larder_commits_waiting") == 0
    assert {larder.get(f"/acme/here/{version}?tf-hub-format=compressed").status for version in versions if version % 2} == {410}


@pytest.mark.long
@pytest.mark.parametrize("kind", [document, withdraw])
def test_a_change_has_a_limit_too(start, kind):
    larder = start({"publish": {"commit_timeout_s": 5}})
    larder.token("withdraw:*")
    larder.publish("/acme/here/1", modules.module())
    with database_held(larder):
        assert "publish.commit_timeout_s" in assert_problem(kind(larder, 1), 503, "busy")["detail"]
    assert kind(larder, 1).status in (200, 201)


def test_a_change_whose_client_has_gone_is_not_made(larder):
    larder.publish("/acme/here/1", modules.module())
    token = larder.token("withdraw:*")
    with database_held(larder) as database:
        with socket.create_connection(larder.address) as client:
            client.sendall(f"DELETE /acme/here/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            larder.wait_for("larder_commits_waiting", 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        larder.wait_for("larder_commits_waiting", lambda value: value == 0)
        database.execute("ROLLBACK")
    assert larder.get("/acme/here/1?tf-hub-format=compressed").status == 200


@pytest.mark.long
def test_up_to_a_limit(start):
    larder = start({"publish": {"commit_timeout_s": 5}})
    with concurrent.futures.ThreadPoolExecutor(1) as pool, database_held(larder):
        reply = pool.submit(put, larder, 1).result()
        assert "publish.commit_timeout_s" in assert_problem(reply, 503, "busy")["detail"]
        assert int(reply.header("Retry-After")) > 0
    larder.assert_nothing_kept()
    assert put(larder, 1).status == 201


@pytest.mark.long
@pytest.mark.parametrize("drain_s", [0, 1])
def test_an_end_does_not_wait_for_it(start, drain_s):
    larder = start({"server": {"drain_timeout_s": drain_s}})
    with concurrent.futures.ThreadPoolExecutor(1) as pool, database_held(larder) as database:
        call = pool.submit(put, larder, 1)
        larder.wait_for("larder_commits_waiting", 1)
        larder.stop()  # which has a deadline, far below commit_timeout_s
        assert call.exception() is not None
        database.execute("ROLLBACK")
    larder.start()
    larder.assert_nothing_kept()
