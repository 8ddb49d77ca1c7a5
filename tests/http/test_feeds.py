# SPDX-License-Identifier: Apache-2.0
"""What is new and what is asked for of late: Atom feeds, the order of what came last, downloads by the day."""
import datetime
import re
import socket
import sqlite3
import time
import xml.etree.ElementTree as ElementTree

import pytest
from support import modules
from support.daemon import assert_problem
from support.waiting import wait_until
from test_pages import browse

ATOM = "{http://www.w3.org/2005/Atom}"
DAY_S = 86400


def read_feed(daemon, path, url=None):
    """What RFC 4287 asks of a feed, and its entries."""
    reply = daemon.get(path)
    assert reply.status == 200 and reply.header("Content-Type") == "application/atom+xml; charset=utf-8", reply
    feed = ElementTree.fromstring(reply.body)
    assert feed.tag == ATOM + "feed"
    for element in [feed, *feed.findall(ATOM + "entry")]:
        for name in ("id", "title", "updated"):
            assert len(element.findall(ATOM + name)) == 1 and element.find(ATOM + name).text, (element.tag, name)
        assert re.fullmatch(r"https?://.+", element.find(ATOM + "id").text)
        datetime.datetime.strptime(element.find(ATOM + "updated").text, "%Y-%m-%dT%H:%M:%SZ")
        links = [link.get("rel") for link in element.findall(ATOM + "link")]
        assert len(links) == len(set(links)) and "alternate" in links
    own = feed.find(f"{ATOM}link[@rel='self']")
    assert own.get("href") == (url or daemon.url) + path and own.get("type") == "application/atom+xml"
    entries = feed.findall(ATOM + "entry")
    assert all(entry.find(f"{ATOM}author/{ATOM}name").text for entry in entries)
    times = [entry.find(ATOM + "updated").text for entry in entries]
    assert times == sorted(times, reverse=True) and (not times or feed.find(ATOM + "updated").text == times[0])
    assert len({entry.find(ATOM + "id").text for entry in entries}) == len(entries)
    return feed, entries


def titles(daemon, path):
    return {entry.find(ATOM + "title").text for entry in read_feed(daemon, path)[1]}


def test_feeds_of_all_of_a_publisher_and_of_a_module(larder):
    assert titles(larder, "/-/feed.atom") == set()
    for path in ("acme/one/1", "acme/one/2", "acme/deep/er/1", "zoo/tiger/7"):
        larder.publish("/" + path, modules.module(seed=len(path)))
    assert titles(larder, "/-/feed.atom") == {"acme/one/1", "acme/one/2", "acme/deep/er/1", "zoo/tiger/7"}
    assert titles(larder, "/-/feeds/acme.atom") == {"acme/one/1", "acme/one/2", "acme/deep/er/1"}
    assert titles(larder, "/-/feeds/acme/one.atom") == {"acme/one/1", "acme/one/2"}
    assert titles(larder, "/-/feeds/acme/deep/er.atom") == {"acme/deep/er/1"}
    larder.request("DELETE", "/acme/one/1", {"Authorization": f"Bearer {larder.token('withdraw:*')}"})
    assert titles(larder, "/-/feeds/acme/one.atom") == {"acme/one/2"}
    for path in ("/-/feeds/nobody.atom", "/-/feeds/acme/none.atom", "/-/feeds/acme", "/-/feeds/.atom", "/-/feeds/acme/one/2.atom"):
        assert_problem(larder.get(path), 404, "not-found")


@pytest.mark.parametrize("path", ["/-/feeds/nobody.atom", "/-/feeds/acme/none.atom", "/-/feeds/acme"])
def test_the_first_question_may_be_for_a_feed_that_is_none(larder, path):
    assert_problem(larder.get(path), 404, "not-found")
    assert larder.get("/healthz").status == 200


def test_ids_stay_whatever_name_the_server_is_reached_by(larder):
    larder.publish("/acme/one/1", modules.module())
    port = larder.url.rsplit(":", 1)[1]
    by_name = larder.get("/-/feed.atom", host="localhost:" + port).body
    by_number = larder.get("/-/feed.atom").body
    ids = [re.findall(rb"<id>(.*?)</id>", body) for body in (by_name, by_number)]
    assert ids[0] == ids[1] and len(ids[0]) == 2
    assert f'rel="self" type="application/atom+xml" href="http://localhost:{port}/-/feed.atom"'.encode() in by_name
    token = larder.token("read")
    assert f"/-/t/{token}/-/feed.atom".encode() in larder.get(f"/-/t/{token}/-/feed.atom").body


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "0.0.0.0:0"])
def test_ids_are_where_it_listens_in_the_end(start, listen):
    """Not what the configuration says of it: a port that is to be taken, or all addresses."""
    larder = start({"server": {"listen": listen}})
    larder.publish("/acme/one/1", modules.module())
    host, port = larder.url.removeprefix("http://").rsplit(":", 1)
    here = f"http://{socket.gethostname() if listen.startswith('0.0.0.0') else host}:{port}/"
    ids = re.findall(r"<id>(.*?)</id>", larder.get("/-/feed.atom").body.decode())
    assert len(ids) == 2 and all(one.startswith(here) for one in ids), ids


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "]]> & &amp; \"'", "\u200b\ufffe\uffff \U0001fffe", "\u202eturned", "Ünïcode \U0001f600",
                                  "<!-- -- >", "a\u0085b"])
def test_feeds_are_well_formed_whatever_they_tell(larder, text):
    larder.publish("/acme/one/1", modules.module())
    body = f"# Module acme/one/1\nSays {text} here.\n\n<!-- task: text-embedding -->\n<!-- fine-tunable: true -->\n"
    larder.publish("/acme/one/1", body.encode(), content_type="text/markdown")
    entry, = read_feed(larder, "/-/feed.atom")[1]
    said = entry.find(ATOM + "summary").text
    assert said.startswith("Says ") and said.endswith(" here."), said


def test_feeds_of_a_whole_catalogue_tell_what_is_here(start_with_catalogue):
    larder = start_with_catalogue()
    assert titles(larder, "/-/feed.atom") == set(), "what is only listed is no news"
    larder.publish("/google/own/1", modules.module())
    assert titles(larder, "/-/feed.atom") == titles(larder, "/-/feeds/google.atom") == {"google/own/1"}
    assert titles(larder, "/-/feeds/google/elmo.atom") == {"google/elmo/1", "google/elmo/2", "google/elmo/3"}


def test_a_feed_has_the_newest_of_very_many(larder):
    for version in range(1, 36):
        larder.publish(f"/acme/many/{version}", modules.module(seed=version % 3))
    entries = read_feed(larder, "/-/feed.atom")[1]
    assert len(entries) == 30


def test_pages_name_their_feed(larder):
    larder.publish("/acme/one/1", modules.module())
    for path, feed in (("/", "/-/feed.atom"), ("/acme", "/-/feeds/acme.atom"), ("/acme/one", "/-/feeds/acme/one.atom"),
                       ("/-/publishers", "/-/feed.atom")):
        page = browse(larder, path)
        named = [attributes["href"] for tag, attributes in page.tags if tag == "link" and attributes.get("rel") == "alternate"]
        assert named == [feed] and feed in page.links, path
        read_feed(larder, feed)


def test_equal_bytes_are_as_new_as_others(larder):
    same = modules.module()
    for number in range(3):
        larder.publish(f"/acme/first-{number}/1", modules.module(seed=number + 1))
    larder.publish("/acme/twin-a/1", same)
    larder.stop()
    with sqlite3.connect(larder.data / "larder.db") as database:
        database.execute("UPDATE artifacts SET created_at = created_at - 1000")
    larder.start()
    for name in ("twin-b", "twin-c"):
        larder.publish(f"/acme/{name}/1", same)
    recent = larder.get("/api/v1/activity").json()["recent"]
    assert {row["handle"] for row in recent[:2]} == {"acme/twin-b", "acme/twin-c"}, recent
    assert [row["at"] if "at" in row else row["created_at"] for row in recent] == sorted(
        (row["at"] if "at" in row else row["created_at"] for row in recent), reverse=True)


# ---- downloads ----

def daily(daemon, handle):
    return daemon.get("/api/v1/modules/" + handle).json()["daily_downloads"]


def load(daemon, path, times):
    for _ in range(times):
        assert daemon.get(f"/{path}?tf-hub-format=compressed").status == 200


def downloads(daemon, handle):
    return daemon.get("/api/v1/modules/" + handle).json()["downloads"]


def test_downloads_by_the_day(larder):
    for name in ("quiet", "loud"):
        larder.publish(f"/acme/{name}/1", modules.module(seed=len(name)))
    before = int(time.time()) // DAY_S
    load(larder, "acme/loud/1", 3)
    load(larder, "acme/quiet/1", 1)
    wait_until(lambda: downloads(larder, "acme/loud") == 3 and downloads(larder, "acme/quiet") == 1, lambda: "counted")
    days = daily(larder, "acme/loud")
    assert sum(days.values()) == 3 and set(days) <= {str(datetime.date(1970, 1, 1) + datetime.timedelta(day))
                                                    for day in range(before, int(time.time()) // DAY_S + 1)}
    page = browse(larder, "/acme/loud")
    assert page.has_text("3 in the last 7 days, 3 in a year, of all versions")
    assert [tag for tag, attributes in page.tags if tag == "svg" and "spark" in attributes.get("class", "")]
    larder.publish("/acme/never/1", modules.module(seed=9))
    assert daily(larder, "acme/never") == {}
    assert "polyline" not in [tag for tag, _ in browse(larder, "/acme/never").tags]
    assert larder.get("/api/v1/modules?sort=trending").json()["modules"][0]["handle"] == "acme/loud"


def test_trending_is_what_is_asked_for_of_late(larder):
    for name in ("old", "new", "never"):
        larder.publish(f"/acme/{name}/1", modules.module(seed=len(name)))
    load(larder, "acme/old/1", 5)
    wait_until(lambda: downloads(larder, "acme/old") == 5, lambda: "counted")
    larder.stop()
    today = int(time.time()) // DAY_S
    with sqlite3.connect(larder.data / "larder.db") as database:
        # As if those five were made four weeks ago, and others more than a year.
        database.execute("UPDATE modules SET trend = trend - 4000000 WHERE trend > 0")
        database.execute("UPDATE download_days SET day = day - 28")
        module, = database.execute("SELECT id FROM modules WHERE handle = 'acme/old'").fetchone()
        database.executemany("INSERT INTO download_days VALUES (?, ?, 1)", [(module, today - 365 - day) for day in range(20)])
    larder.start()
    load(larder, "acme/new/1", 1)
    wait_until(lambda: downloads(larder, "acme/new") == 1, lambda: "counted")
    listed = larder.get("/api/v1/modules?sort=trending").json()["modules"]
    assert [module["handle"] for module in listed] == ["acme/new", "acme/old", "acme/never"]
    assert [module["handle"] for module in larder.get("/api/v1/modules?sort=downloads").json()["modules"]][0] == "acme/old"
    assert sum(daily(larder, "acme/old").values()) == 5
    larder.stop()
    with sqlite3.connect(larder.data / "larder.db") as database:
        assert database.execute("SELECT count(*) FROM download_days WHERE day < ?", (today - 364,)).fetchone() == (0,)
    larder.start()


# ---- publishers' pages ----

def test_the_page_of_publishers(larder):
    for path in ("acme/one/1", "acme/two/1", "zoo/tiger/1"):
        larder.publish("/" + path, modules.module(seed=len(path)))
    page = browse(larder, "/-/publishers")
    assert page.has_text("2 publishers") and {"/acme", "/zoo"} <= set(page.links)
    assert page.links.index("/acme") < page.links.index("/zoo")
    page = browse(larder, "/-/publishers?q=ZO&sort=name")
    assert page.has_text("1 publisher") and "/acme" not in page.links and ("mark", {}) in page.tags
    assert browse(larder, "/-/publishers?q=none").has_text("No publisher matches")
    assert "/-/publishers" in browse(larder, "/").links
    assert larder.get("/-/publishers?sort=colour", accept="text/html").status == 400


def test_a_search_within_a_publisher(larder):
    for path in ("acme/half/1", "acme/whole/1", "zoo/half/1"):
        larder.publish("/" + path, modules.module(seed=len(path)))
    page = browse(larder, "/acme?q=half")
    assert "/acme/half" in page.links and "/acme/whole" not in page.links and "/zoo/half" not in page.links
    assert page.has_text("1 module matches") and ("mark", {}) in page.tags
    page = browse(larder, "/acme?q=tiger")
    assert page.has_text("0 modules match")
    names = [link for link in browse(larder, "/acme?sort=name").links if link in ("/acme/half", "/acme/whole")]
    assert names == ["/acme/half", "/acme/whole"]
    reply = larder.get("/acme?sorts=name", accept="text/html")
    assert reply.status == 400 and b"did you mean" in reply.body
