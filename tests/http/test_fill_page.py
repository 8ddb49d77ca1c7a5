# SPDX-License-Identifier: Apache-2.0
"""Downloads from upstream as people see them: how far they are, what is left; and how an admin ends one by a form."""
import re
import threading

import pytest
from support import modules
from support.upstream import Answer
from support.waiting import wait_until
from test_pages import browse

PATH = "/acme/x/1"
SIZE = 4 << 20


@pytest.fixture
def gate():
    event = threading.Event()
    yield event
    event.set()


def begin(daemon, upstream, gate, **more):
    upstream.serve(PATH, Answer(modules.module(SIZE), gate=gate, gate_after=SIZE // 2, **more))
    token = {"Authorization": f"Bearer {daemon.token('admin')}"}
    assert daemon.request("POST", "/api/v1/fills", {**token, "Content-Type": "application/json"}, b'{"paths":["acme/x/1"]}').status == 202
    return wait_until(lambda: [fill for fill in daemon.request("GET", "/api/v1/fills", token).json()["fills"] if fill["bytes"] > 0],
                      "bytes have come")[0]["id"]


def send(daemon, path, body, **headers):
    return daemon.request("POST", path, {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded", **headers}, body.encode())


def running(daemon):
    return [fill["id"] for fill in daemon.get("/api/v1/fills").json()["fills"]]


def test_a_fill_is_told_by_its_id(upstream, mirror, gate):
    number = begin(mirror, upstream, gate)
    fill = mirror.get(f"/api/v1/fills/{number}").json()
    assert (fill["id"], fill["handle"]) == (number, "acme/x") and "ended_at" not in fill
    for path in ("/-/activity", "/-/fills", f"/-/fills/{number}"):
        page = browse(mirror, path)
        assert re.search(r"\d MiB of 4\.\d MiB", "".join(page.text)) and page.has_text("downloading"), path
    assert f"/-/fills/{number}" in browse(mirror, "/-/activity").links
    gate.set()
    wait_until(lambda: mirror.get(f"/api/v1/fills/{number}").json()["state"] == "kept", "it is kept")
    page = browse(mirror, f"/-/fills/{number}")
    assert page.has_text("and is stored here") and "form" not in [attributes.get("method", tag) for tag, attributes in page.tags if tag == "form"][1:]
    for other in (number + 1, 0, 2 ** 63 - 1):
        assert mirror.get(f"/api/v1/fills/{other}").status == 404
        browse(mirror, f"/-/fills/{other}", 404)
    for other in ("x", "-1", "1.0", "99999999999999999999", "1/2"):
        assert mirror.get(f"/api/v1/fills/{other}").status == 400
        browse(mirror, f"/-/fills/{other}", 400)


@pytest.mark.parametrize("upstream_tells", [True, False])
def test_what_upstream_does_not_tell_is_not_shown(upstream, mirror, gate, upstream_tells):
    number = begin(mirror, upstream, gate, chunked=not upstream_tells)
    text = "".join(browse(mirror, f"/-/fills/{number}").text)
    assert bool(re.search(r" of \d\.\d MiB", text)) == upstream_tells, text


@pytest.mark.parametrize("body", ["", "token=", "token=lrd_" + "0" * 64, "token=%00", "token=%zz", "&=&" * 100, "token=a&token=b", "tokens=x"])
def test_a_form_without_an_admins_token_ends_nothing(upstream, mirror, gate, body):
    number = begin(mirror, upstream, gate)
    read = mirror.token("read")
    for sent in (body, f"token={read}"):
        reply = send(mirror, f"/-/fills/{number}", sent)
        assert reply.status in (400, 401, 403) and b"Not cancelled." in reply.body and read.encode() not in reply.body, reply
        assert reply.header("Cache-Control") == "no-store"
    assert send(mirror, f"/-/t/{read}/-/fills/{number}", "").status == 403
    assert running(mirror) == [number]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_ends_by_being_looked_at(upstream, mirror, gate, method):
    number = begin(mirror, upstream, gate)
    admin = mirror.token("admin")
    for path in (f"/-/fills/{number}?token={admin}", f"/-/t/{admin}/-/fills/{number}", f"/-/fills/{number}/cancel"):
        mirror.request(method, path, {"Accept": "text/html", "Authorization": f"Bearer {admin}"})
    assert running(mirror) == [number]


@pytest.mark.parametrize("way", ["form", "address", "form within a reader's address"])
def test_an_admin_ends_it(upstream, mirror, gate, way):
    number = begin(mirror, upstream, gate)
    admin, read = mirror.token("admin"), mirror.token("read")
    path, body, headers, back = {
        "form": (f"/-/fills/{number}", f"token={admin}", {}, "/-/activity"),
        "address": (f"/-/t/{admin}/-/fills/{number}", "token=", {}, "./../../-/activity"),
        "form within a reader's address": (f"/-/t/{read}/-/fills/{number}", f"token={admin}", {}, "./../../-/activity"),
    }[way]
    reply = send(mirror, path, body, **headers)
    assert (reply.status, reply.header("Location")) == (303, back)
    wait_until(lambda: running(mirror) == [], "it has ended")
    assert browse(mirror, f"/-/fills/{number}").has_text("It ended")
    assert send(mirror, path, body, **headers).status == 404


def test_a_header_that_something_adds_ends_nothing(upstream, mirror, gate):
    """What signs people in in front of it may add one to a form of another site's."""
    number = begin(mirror, upstream, gate)
    assert send(mirror, f"/-/fills/{number}", "token=", Authorization=f"Bearer {mirror.token('admin')}").status == 401
    assert running(mirror) == [number]


def test_who_may_not_read_is_told_nothing(upstream, start, gate):
    larder = start({"auth": {"read": "token"}}, upstreams=[upstream.url])
    number = begin(larder, upstream, gate)
    for sent in ("", "token=wrong", f"token={larder.token('publish:*')}"):
        reply = send(larder, f"/-/fills/{number}", sent)
        assert reply.status in (401, 403) and b"acme/x" not in reply.body, reply
    read = larder.token("read")
    reply = send(larder, f"/-/t/{read}/-/fills/{number}", "token=wrong")
    assert reply.status == 401 and b"acme/x" in reply.body
    assert f"/-/t/{read}/-/activity" in browse(larder, f"/-/t/{read}/-/fills/{number}").links


def test_tiles_say_what_they_count(upstream, start, gate):
    larder = start({"storage": {"max_bytes": "64M"}}, upstreams=[upstream.url])
    upstream.serve("/acme/kept/1", modules.module(1 << 20))
    for _ in range(3):
        assert larder.get("/acme/kept/1?tf-hub-format=compressed").status == 200
    larder.wait_for_idle()
    begin(larder, upstream, gate)
    disk = larder.get("/api/v1/activity").json()["disk"]
    page = "".join(browse(larder, "/-/activity").text)
    # What has been promised to a fill is not stored.
    assert disk["cached_bytes"] < 2 << 20 and disk["drafts_bytes"] >= SIZE // 2
    assert re.search(r"Stored from upstreams\s*1\.\d MiB", page) and re.search(r"[2-9]\.\d MiB more promised", page), page
    assert re.search(r"66\.7 %", page) and re.search(r"2 stored already, 1 downloaded first", page), page


def test_the_day_is_told(upstream, mirror):
    archive = modules.module(100_000)
    upstream.serve(PATH, archive)
    for _ in range(3):
        mirror.get(PATH + "?tf-hub-format=compressed")
    wait_until(lambda: mirror.get("/api/v1/activity").json()["sent_bytes"] == 3 * len(archive), "three downloads are counted")
    activity = mirror.get("/api/v1/activity").json()
    day = activity["history"]
    assert all(len(day[key]) == 48 for key in ("hits", "misses", "sent_bytes", "upstream_bytes")) and day["slot_s"] == 1800
    assert {key: sum(day[key]) for key in ("hits", "misses", "sent_bytes")} == {"hits": 2, "misses": 1, "sent_bytes": 3 * len(archive)}
    assert sum(day["upstream_bytes"]) == activity["upstream_bytes"] > 0
    charts = {attributes["id"]: attributes for tag, attributes in browse(mirror, "/-/activity").tags if tag == "svg" and "id" in attributes}
    assert charts["day-requests"]["role"] == "img" and "in the last 24 hours: 3, at most" in charts["day-requests"]["aria-label"]
    assert set(charts) == {"day-requests", "day-sent", "day-upstream"}


def test_times_are_told_as_people_tell_them(larder):
    larder.publish("/acme/m/1", modules.module())
    created = larder.get("/api/v1/activity").json()["recent"][0]["at"]
    rows = larder.get("/-/activity", accept="text/html").body.decode().partition(' id="recent"')[2]
    found = re.search(r'<time class="ago" datetime="([^"]+)" title="([^"]+)">\d+ (?:s|min) ago</time>', rows)
    assert found[1] == created and found[2] == f"{created[:10]} {created[11:19]} UTC"
