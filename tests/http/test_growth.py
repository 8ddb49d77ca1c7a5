# SPDX-License-Identifier: Apache-2.0
"""What does not grow with the number of things that are here: an answer, a page, what a command holds before it prints."""
import json
import re
import sqlite3
import subprocess
import threading
from urllib.parse import urlsplit

import pytest
from support import modules
from support.daemon import binary
from support.upstream import Answer
from support.waiting import DEADLINE_S

VERSIONS = 1_500
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
# A version's row in JSON and in a page is below this.
ROW_BYTES = 300


def add_versions(larder, handle, count):
    """Listed ones, by the hundred or thousand, past the daemon: versions 2 to count + 1 of a module that has version 1."""
    database = sqlite3.connect(larder.data / "larder.db", timeout=DEADLINE_S)
    with database:
        module, = database.execute("SELECT id FROM modules WHERE handle = ?", (handle,)).fetchone()
        database.executemany("INSERT INTO versions (module_id, version, source, created_at, updated_at) VALUES (?, ?, 'listed', 1, 1)",
                             ((module, version) for version in range(2, count + 2)))
        database.execute("UPDATE modules SET latest_id = (SELECT id FROM versions WHERE module_id = ?1 ORDER BY version DESC LIMIT 1), "
                         "latest_source = 'listed' WHERE id = ?1", (module,))
    database.close()


@pytest.fixture
def nightly(larder):
    larder.publish("/acme/nightly/1", modules.module())
    add_versions(larder, "acme/nightly", VERSIONS)
    return larder


def target_of(url):
    parts = urlsplit(url)
    return parts.path + "?" + parts.query


def walk(larder, target, key):
    found = []
    while target:
        page = larder.get(target).json()
        assert len(page[key]) <= 200
        found += page[key]
        target = page["next"] and target_of(page["next"])
    return found


def test_versions_come_in_pages(nightly):
    first = nightly.get("/api/v1/modules/acme/nightly")
    assert len(first.body) < 50 * ROW_BYTES
    assert first.json()["total"] == first.json()["version_count"] == VERSIONS + 1 and first.json()["latest_version"] == VERSIONS + 1
    assert [row["version"] for row in first.json()["version_list"]] == list(range(1, 51))
    assert len(nightly.get("/api/v1/modules/acme/nightly?limit=7").json()["version_list"]) == 7
    for query, expected in (("limit=200", range(1, VERSIONS + 2)), ("limit=199&newest=true", range(VERSIONS + 1, 0, -1))):
        assert [row["version"] for row in walk(nightly, f"/api/v1/modules/acme/nightly?{query}", "version_list")] == list(expected)
    for wrong in ("limit=0", "limit=201", "cursor=x", "newest=1"):
        assert nightly.get(f"/api/v1/modules/acme/nightly?{wrong}").status == 400


def test_lists_tell_of_the_highest_versions_only(nightly):
    answer = nightly.get("/api/v1/modules")
    module, = answer.json()["modules"]
    assert module["versions"] == list(range(VERSIONS - 198, VERSIONS + 2)) and module["version_count"] == VERSIONS + 1
    assert len(answer.body) < 50 * ROW_BYTES


def test_a_page_shows_the_newest_and_leads_to_the_others(nightly):
    page = nightly.get("/acme/nightly", accept=BROWSER)
    assert page.status == 200 and len(page.body) < 350 * ROW_BYTES
    assert f'href="/acme/nightly/{VERSIONS - 48}"'.encode() in page.body and f'href="/acme/nightly/{VERSIONS - 49}"'.encode() not in page.body
    target, seen = "/-/versions/acme/nightly", []
    assert f'href="{target}"'.encode() in page.body
    while target:
        text = nightly.get(target, accept=BROWSER).body.decode()
        assert len(text) < 250 * ROW_BYTES
        seen += [int(number) for number in re.findall(r'href="/acme/nightly/(\d+)"', text)]
        following = re.search(r'rel="next" href="([^"]+)"', text)
        target = following and following[1].replace("&amp;", "&")
    assert seen == list(range(VERSIONS + 1, 0, -1))
    assert nightly.get("/-/versions/acme/absent", accept=BROWSER).status == 404


@pytest.mark.parametrize("count", [0, 1, 49, 50])
def test_few_versions_come_as_they_always_did(larder, count):
    larder.publish("/acme/few/1", modules.module())
    add_versions(larder, "acme/few", count)
    module = larder.get("/api/v1/modules/acme/few?limit=51").json()
    assert module["versions"] == [row["version"] for row in module["version_list"]] == list(range(1, count + 2))
    assert module["next"] is None and module["total"] == count + 1
    assert (b"/-/versions/" in larder.get("/acme/few", accept=BROWSER).body) == (count + 1 > 50)


def test_shows_all_versions(nightly):
    done = subprocess.run([binary(), "show", "acme/nightly", "--server", nightly.url], capture_output=True, text=True, check=True)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()][-VERSIONS - 1:] == [str(number) for number in range(1, VERSIONS + 2)]
    done = subprocess.run([binary(), "show", "acme/nightly", "--json", "--server", nightly.url], capture_output=True, text=True, check=True)
    assert len(json.loads(done.stdout)["version_list"]) == VERSIONS + 1


# ---- commands ---------------------------------------------------------------------------------------------------------------

def page_of(things, rows, following, **more):
    return Answer(json.dumps({**more, things: rows, "total": 2, "next": following}).encode(), 200, "application/json")


@pytest.mark.parametrize("arguments, path, things, row", [
    (["list"], "/api/v1/modules", "modules", lambda name: {"handle": name, "latest_version": 1}),
    (["list", "--json"], "/api/v1/modules", "modules", lambda name: {"handle": name, "tags": {"task": ["x\ny"]}}),
    (["show", "acme/x"], "/api/v1/modules/acme/x", "version_list", lambda name: {"version": 1, "state": name}),
])
def test_prints_each_page_before_it_asks_for_the_next(upstream, arguments, path, things, row):
    second = page_of(things, [row("the-second")], None)
    second.before = threading.Event()
    upstream.serve("/next", second)
    upstream.serve(path, page_of(things, [row("the-first")], f"{upstream.url}/next", handle="acme/x"))
    with subprocess.Popen([binary(), *arguments, "--server", upstream.url], stdout=subprocess.PIPE, bufsize=0) as process:
        seen = b""
        while b"the-first" not in seen:
            piece = process.stdout.read(4096)
            assert piece, f"it ended with {seen}"
            seen += piece
        second.before.set()
        seen += process.stdout.read()
        assert process.wait(DEADLINE_S) == 0
    assert b"the-second" in seen
    if "--json" in arguments:
        assert json.loads(seen) == {"modules": [row("the-first"), row("the-second")], "total": 2}


def test_a_list_that_breaks_off_is_no_whole_one(upstream):
    upstream.serve("/api/v1/modules", page_of("modules", [{"handle": "a/x"}], f"{upstream.url}/gone"))
    done = subprocess.run([binary(), "list", "--json", "--server", upstream.url], capture_output=True, text=True)
    assert done.returncode == 1 and "a/x" in done.stdout
    with pytest.raises(json.JSONDecodeError):
        json.loads(done.stdout)


def test_an_empty_list_is_json_too(larder):
    done = subprocess.run([binary(), "list", "--json", "--server", larder.url], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"modules": [], "total": 0}
