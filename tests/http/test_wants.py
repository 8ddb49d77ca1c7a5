# SPDX-License-Identifier: Apache-2.0
"""What is asked for while mirror.offline is on: noted, bounded, told, and carried to where it can be had."""
import sqlite3
import subprocess

import pytest
from support import modules
from support.client import Http
from support.daemon import assert_problem, binary
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

MODULE = modules.module(3000)
OFFLINE = {"mirror": {"offline": "true"}}

# How a name is asked for, and what is wanted then.
ASKED = {
    "whole": ("GET", "/google/x/1.tar.gz", "google/x/1?tf-hub-format=compressed"),
    "size": ("HEAD", "/google/x/2?tf-hub-format=compressed", "google/x/2?tf-hub-format=compressed"),
    "bucket": ("GET", "/tfhub-modules/google/x/3.tar.gz", "google/x/3?tf-hub-format=compressed"),
    "tfjs": ("GET", "/google/x/1?tfjs-format=compressed", "google/x/1?tfjs-format=compressed"),
    "file": ("GET", "/google/x/4/model.json?tfjs-format=file", "google/x/4?tfjs-format=compressed"),
    "size of a file": ("HEAD", "/google/x/5/model.json?tfjs-format=file", "google/x/5?tfjs-format=compressed"),
    "lite": ("GET", "/google/lite/1?lite-format=tflite", "google/lite/1?lite-format=tflite"),
    "numbers": ("GET", "/google/spice/1/default/1?tf-hub-format=compressed", "google/spice/1/default/1?tf-hub-format=compressed"),
}


def wants(larder):
    """All that was noted is written by then: who reads the list waits for no writing."""
    larder.restart()
    answer = larder.get("/api/v1/wants")
    assert answer.status == 200, answer.body
    return answer.json()


def paths(larder):
    return [want["path"] for want in wants(larder)["wants"]]


def run(larder, *arguments, status=0, **options):
    done = subprocess.run([binary(), *arguments, "--server", larder.url], capture_output=True, text=True, timeout=DEADLINE_S, **options)
    assert done.returncode == status, done
    return done


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("upstreams", [True, False], ids=["with upstreams", "without any"])
def test_each_miss_is_wanted(start, upstream, asked, upstreams):
    larder = start(OFFLINE, [upstream.url] if upstreams else [])
    method, target, path = ASKED[asked]
    for _ in range(3):
        assert larder.request(method, target).status == 504
    [want] = wants(larder)["wants"]
    assert want["path"] == path and want["times"] == 3
    assert f"{want['handle']}/{want['version']}" == path.partition("?")[0]
    assert not upstream.counts()


def test_what_is_ordered_in_advance_is_wanted(start, upstream):
    larder = start(OFFLINE, [upstream.url])
    larder.request("POST", "/api/v1/fills", {"Content-Type": "application/json"}, b'{"paths": ["google/a/1", "google/b/2"]}')
    assert paths(larder) == ["google/a/1?tf-hub-format=compressed", "google/b/2?tf-hub-format=compressed"]


def test_only_what_could_be_had_elsewhere(start, upstream):
    """Not what is here, is against the rules, is withdrawn, is published in other formats, or is no name."""
    larder = start({"mirror": {"offline": "true", "deny": "evil/*"}}, [upstream.url])
    larder.publish("/acme/here/1", MODULE)
    larder.publish("/acme/gone/1", MODULE)
    token = larder.token("withdraw:*")
    assert larder.request("DELETE", "/acme/gone/1", {"Authorization": f"Bearer {token}"}).status in (200, 204)
    for target in ("/acme/here/1.tar.gz", "/acme/here/1?tfjs-format=compressed", "/acme/gone/1.tar.gz", "/evil/x/1.tar.gz", "/x/1.tar.gz",
                   "/google/%00/1.tar.gz", "/google/x.tar.gz", "/google/x/1?tf-hub-format=uncompressed"):
        larder.get(target)
    assert paths(larder) == []


def test_what_has_come_is_wanted_no_more(start, upstream):
    larder = start(OFFLINE, [upstream.url])
    for version in (1, 2):
        assert_problem(larder.get(f"/acme/x/{version}.tar.gz"), 504, "offline")
    larder.publish("/acme/x/1", MODULE)
    assert paths(larder) == ["acme/x/2?tf-hub-format=compressed"]


def test_survives_restarts(start, upstream):
    larder = start(OFFLINE, [upstream.url])
    larder.get("/google/x/1.tar.gz")
    assert wants(larder)["wants"][0]["times"] == 1
    larder.get("/google/x/1.tar.gz")
    assert wants(larder)["wants"][0]["times"] == 2


@pytest.mark.concurrent
def test_written_without_anyone_asking_for_it(start, upstream):
    larder = start(OFFLINE, [upstream.url])
    larder.get("/google/x/1.tar.gz")
    database = f"file:{larder.data}/larder.db?mode=ro"
    wait_until(lambda: sqlite3.connect(database, uri=True).execute("SELECT count(*) FROM wants").fetchone()[0] == 1, "a row")


def test_a_flood_of_nonsense_leaves_others_their_part(start, upstream):
    larder = start(OFFLINE, [upstream.url])
    stranger, honest = Http(larder.address, "127.0.0.9"), Http(larder.address, "127.0.0.2")
    for i in range(300):
        assert stranger.request("GET", f"/stranger/m{i}/1.tar.gz").status == 504
    assert honest.request("GET", "/google/x/1.tar.gz").status == 504
    listed = paths(larder)
    assert "google/x/1?tf-hub-format=compressed" in listed and len(listed) <= 129


def test_pages_of_a_long_list(start, upstream):
    larder = start(OFFLINE, [upstream.url])
    expected = sorted(f"google/m{i}/{i % 3 + 1}?{query}" for i in range(30) for query in ("tf-hub-format=compressed", "tfjs-format=compressed"))
    for path in expected:
        larder.get("/" + path)
    larder.restart()
    for limit in (1, 7, 60, 200):
        listed, target = [], f"/api/v1/wants?limit={limit}"
        while target:
            page = larder.get(target[target.index("/api"):]).json()
            assert page["total"] == len(expected) and len(page["wants"]) <= limit
            listed += [want["path"] for want in page["wants"]]
            target = page["next"]
        assert sorted(listed) == expected and len(set(listed)) == len(expected)
    for cursor in ("nonsense", "YQ", "dGYtaHViLzE", "dGYtaHViL3gvZ29vZ2xlL3g"):
        assert_problem(larder.get(f"/api/v1/wants?cursor={cursor}"), 400, "bad-request")


def test_carried_to_where_there_is_a_way_out(start, upstream, tmp_path):
    """The file of the command, and that of the page."""
    closed = start(OFFLINE, [upstream.url])
    assert "nothing was asked for" in run(closed, "wants").stderr
    assert "Asked for offline" not in closed.request("GET", "/-/activity", {"Accept": "text/html"}).body.decode()
    for i in range(3):
        upstream.serve(f"/google/m{i}/1", Answer(MODULE))
        closed.get(f"/google/m{i}/1.tar.gz")
    closed.restart()
    file = tmp_path / "wants.txt"
    file.write_text(run(closed, "wants").stdout)
    page = closed.request("GET", "/-/activity", {"Accept": "text/html"}).body.decode()
    assert "Asked for offline" in page and 'href="/-/wants.txt"' in page and "google/m1/1" in page
    download = closed.get("/-/wants.txt")
    assert download.body.decode() == file.read_text() and "wants.txt" in download.header("Content-Disposition")
    connected = start({}, [upstream.url], "connected")
    done = run(connected, "prefetch", "--from", str(file))
    assert done.stdout.count(": fetched") == 3, done
    for i in range(3):
        assert upstream.count(f"/google/m{i}/1") == 1
        assert connected.get(f"/google/m{i}/1.tar.gz").body == MODULE


def test_cleared_by_who_may(start, upstream):
    """What is written, and what is not yet."""
    larder = start(OFFLINE, [upstream.url])
    larder.get("/google/x/1.tar.gz")
    assert_problem(larder.request("DELETE", "/api/v1/wants"), 401, "unauthorized")
    assert "admin" in run(larder, "wants", "--clear", "--token", larder.token("publish:*"), status=1).stderr
    assert len(paths(larder)) == 1
    larder.get("/google/y/1.tar.gz")
    assert "forgotten: " in run(larder, "wants", "--clear", "--token", larder.token("admin")).stdout
    assert paths(larder) == []


@pytest.mark.concurrent
def test_reading_waits_for_nobody_who_writes(start, upstream):
    """Another process has the database."""
    larder = start(OFFLINE, [upstream.url])
    with sqlite3.connect(larder.data / "larder.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        larder.get("/google/x/1.tar.gz")
        for target in ("/api/v1/wants", "/-/wants.txt"):
            assert larder.get(target).status == 200
        assert larder.request("GET", "/-/activity", {"Accept": "text/html"}).status == 200
        assert other.in_transaction
        other.execute("ROLLBACK")
    assert len(paths(larder)) == 1


def test_read_by_who_may_read(start, upstream):
    larder = start({**OFFLINE, "auth": {"read": "token"}}, [upstream.url])
    for path in ("/api/v1/wants", "/-/wants.txt"):
        assert_problem(larder.get(path), 401, "unauthorized")
