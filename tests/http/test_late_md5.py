# SPDX-License-Identifier: Apache-2.0
"""MD5 is computed after a large blob was kept: x-goog-hash appears when it is known, and no client needs it. What is small, or
whose MD5 somebody tells, has it at once, and what is told must be true."""
import base64
import hashlib
import sqlite3

import pytest
from support import claims, hub_client, modules
from support.client import Download
from support.daemon import assert_problem
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

PATH = "/acme/large/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
SMALL = modules.module(1000)
LARGE = modules.module(3 << 20)
OTHER = modules.module(3 << 20, seed=2)
LATE = "larder_late_md5_total"


def md5(content):
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def hash_of(larder, path=PATH, method="GET", **headers):
    return larder.request(method, path + "?tf-hub-format=compressed", headers).headers.get("x-goog-hash")


def assert_appears(larder, content, path=PATH):
    wait_until(lambda: hash_of(larder, path) is not None, lambda: f"the MD5 of {path}; log:\n{larder.tail()}")
    assert hash_of(larder, path) == f"md5={md5(content)}"


def rows_without(larder):
    with sqlite3.connect(larder.data / "larder.db") as db:
        return db.execute("SELECT count(*) FROM blobs WHERE md5 IS NULL").fetchone()[0]


class Held:
    """The database is in the hands of another process."""

    def __init__(self, larder):
        self.db = sqlite3.connect(larder.data / "larder.db", isolation_level=None, timeout=DEADLINE_S)

    def __enter__(self):
        self.db.execute("BEGIN IMMEDIATE")
        return self.db

    def __exit__(self, *_):
        self.db.close()


def publish_without_md5(larder):
    """A large module whose MD5 is not known, and cannot be written down until it is let go."""
    for number in range(1, 50):
        path = f"/acme/large/{number}"
        content = modules.module(3 << 20, seed=number)
        larder.publish(path, content)
        held = Held(larder)
        held.__enter__()
        if rows_without(larder):
            return path, content, held
        held.__exit__()
    raise AssertionError("each MD5 was known before anybody could look")


@pytest.mark.concurrent
@pytest.mark.parametrize("way", ["published", "mirrored"])
def test_it_appears_when_it_is_known(upstream, mirror, way):
    path = PATH if way == "published" else "/google/large/1"
    upstream.serve(path, LARGE)
    if way == "published":
        mirror.publish(path, LARGE)
    first = mirror.get(path + "?tf-hub-format=compressed")
    assert first.body == LARGE
    assert_appears(mirror, LARGE, path)
    mirror.wait_for(LATE, 1)
    reply = mirror.get(path + "?tf-hub-format=compressed")
    assert reply.body == LARGE and reply.header("ETag") == f'"sha256:{modules.digest(LARGE)}"'


def test_what_is_kept_at_hand_learns_of_it(larder):
    """The same answer from the response cache, before and after; and every other form of it."""
    path, content, held = publish_without_md5(larder)
    url = path + "?tf-hub-format=compressed"
    larder.get(url)
    before = larder.metric("larder_prepared_total")
    without = larder.get(url)
    larder.wait_for("larder_prepared_total", lambda value: value > before)
    assert without.body == content and "x-goog-hash" not in without.headers
    held.__exit__()
    assert_appears(larder, content, path)
    before = larder.metric("larder_prepared_total")
    told = larder.get(url)
    larder.wait_for("larder_prepared_total", lambda value: value > before)
    expected = f"md5={md5(content)}"
    assert told.header("x-goog-hash") == expected and told.header("ETag") == without.header("ETag")
    assert hash_of(larder, path, "HEAD") == expected
    assert hash_of(larder, path, **{"Range": "bytes=0-9"}) == expected
    larder.wait_for_idle()


@pytest.mark.parametrize("restart", ["kill", "stop"])
def test_a_restart_forgets_nothing(larder, restart):
    path, content, held = publish_without_md5(larder)
    if restart == "kill":
        larder.kill()
        held.__exit__()
    else:
        held.__exit__()
        larder.stop()
    larder.start()
    reply = larder.get(path + "?tf-hub-format=compressed")
    assert reply.body == content
    assert_appears(larder, content, path)
    wait_until(lambda: rows_without(larder) == 0, "all of them")


def test_all_that_an_earlier_process_left(larder):
    contents = {f"/acme/m{i}/1": modules.module(10_000 + i, seed=i) for i in range(70)}
    for path, content in contents.items():
        larder.publish(path, content)
    larder.stop()
    with sqlite3.connect(larder.data / "larder.db") as db:
        db.execute("UPDATE blobs SET md5 = NULL")
    larder.start()
    larder.wait_for(LATE, len(contents))
    for path, content in contents.items():
        assert hash_of(larder, path) == f"md5={md5(content)}"


def test_a_blob_that_is_gone_is_in_nobodys_way(larder):
    larder.publish("/acme/gone/1", LARGE)
    larder.publish("/acme/lost/1", OTHER)
    larder.publish("/acme/here/1", SMALL)
    larder.stop()
    with sqlite3.connect(larder.data / "larder.db") as db:
        db.execute("UPDATE blobs SET md5 = NULL")
    for content in (LARGE, OTHER):
        next(larder.data.rglob(modules.digest(content))).unlink()
    larder.start()
    assert_appears(larder, SMALL, "/acme/here/1")
    larder.publish("/acme/gone/2", LARGE)
    assert_appears(larder, LARGE, "/acme/gone/2")


def test_what_is_small_has_it_at_once(larder):
    larder.publish(PATH, SMALL)
    assert hash_of(larder) == f"md5={md5(SMALL)}"
    assert larder.metric(LATE) == 0


def test_hub_clients_need_nothing_of_it(larder, tmp_path):
    path, _, held = publish_without_md5(larder)
    assert hash_of(larder, path) is None
    hub_client.load(larder.url + path, str(tmp_path))
    assert hash_of(larder, path) is None
    held.__exit__()


# ---- told by who sends it ------------------------------------------------------------------------------------------------

FORMS = {
    "Content-MD5": lambda content: {"Content-MD5": md5(content)},
    "x-goog-hash": lambda content: {"x-goog-hash": f"md5={md5(content)}"},
    "x-goog-hash, both": claims.OF_THE_WHOLE["x-goog-hash, both"],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("content, other", [(SMALL, LARGE), (LARGE, OTHER)], ids=["small", "large"])
def test_what_a_publisher_declares_is_held_against_the_bytes(larder, form, content, other):
    assert_problem(larder.put(PATH, content, **FORMS[form](other)), 400, "digest-mismatch")
    larder.assert_nothing_kept()
    assert larder.put(PATH, content, **FORMS[form](content)).status == 201
    assert hash_of(larder) == f"md5={md5(content)}"
    assert larder.metric(LATE) == 0


@pytest.mark.parametrize("headers", [{"Content-MD5": "AAAA"}, {"Content-MD5": "???"}, {"x-goog-hash": "md5=AAAA"}])
def test_a_malformed_declaration_is_refused(larder, headers):
    assert_problem(larder.put(PATH, SMALL, **headers), 400, "bad-request")


@pytest.mark.parametrize("form", FORMS)
def test_what_an_upstream_tells_is_held_against_the_bytes(upstream, mirror, form):
    path = "/google/large/1"
    upstream.serve(path, Answer(LARGE, headers=FORMS[form](OTHER)))
    download = Download(mirror, path + ".tar.gz")
    download.read_to_end()
    assert not (download.whole and download.status == 200)
    mirror.assert_nothing_kept()
    upstream.serve(path, Answer(LARGE, headers=FORMS[form](LARGE)))
    assert mirror.get(path + ".tar.gz").body == LARGE
    assert hash_of(mirror, path) == f"md5={md5(LARGE)}"
    assert mirror.metric(LATE) == 0
