# SPDX-License-Identifier: Apache-2.0
"""What is promised in the field: what was published stays, no stranger's bytes enter it, no client can spoil what others wait
for, and no secret is shown."""
import itertools
import json
import re
import subprocess
import threading
from urllib.parse import quote

import pytest
from support import modules
from support.client import Download
from support.daemon import assert_problem, binary
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

PATH = "/acme/shared/1"
HUB, JS, LITE = "?tf-hub-format=compressed", "?tfjs-format=compressed", "?lite-format=tflite"
MODULE = modules.module(200_000)
SCRIPT = modules.tfjs_module(shards=3, shard_size=40_000)
LARGE = modules.module(1 << 20)
FILLS = "/api/v1/fills"


def artifacts(larder, path=PATH):
    version = larder.get("/api/v1/modules" + path).json()
    return version, {artifact["format"]: artifact for artifact in version["artifacts"]}


def show(larder, path):
    return subprocess.run([binary(), "show", "--server", larder.url, path], capture_output=True, text=True, check=True,
                          timeout=DEADLINE_S).stdout


def crowd_out(larder, upstream, suffix=""):
    """Mirrors more than the limit, so that all goes that may go."""
    for number in range(8):
        path = f"/google/crowd{number}/1"
        upstream.serve(path + suffix, modules.module(150_000, seed=100 + number))
        assert larder.get(path + HUB).status == 200
        larder.wait_for_idle()
    larder.wait_for("larder_evictions_total", 3)


@pytest.fixture
def tight(upstream, start):
    """A mirror with room for a few modules, whose upstream has a path for each format."""
    return start({"storage": {"max_bytes": "600K"}}, [upstream.url + "/{path}/{format}"])


# ---- what was published stays ------------------------------------------------------------------------------------------

def test_a_format_that_is_published_into_a_mirrored_version_stays(upstream, tight):
    upstream.serve(PATH + "/tf-hub", MODULE)
    assert tight.get(PATH + HUB).body == MODULE
    tight.wait_for_idle()
    reply = tight.publish(PATH + JS, SCRIPT)
    assert reply.status == 201
    version, found = artifacts(tight)
    assert (version["source"], version["published_by"], version["upstream"]) == ("published", "ci-publish", "test0")
    assert (found["tfjs"]["source"], found["tfjs"]["published_by"], found["tfjs"]["upstream"]) == ("published", "ci-publish", None)
    assert (found["tf-hub"]["source"], found["tf-hub"]["published_by"], found["tf-hub"]["upstream"]) == ("mirrored", None, "test0")
    crowd_out(tight, upstream, "/tf-hub")
    found = artifacts(tight)[1]
    assert found["tfjs"]["cached"] is True and found["tf-hub"]["cached"] is False
    assert tight.get(PATH + JS).body == SCRIPT
    # What was mirrored before comes back; a changed one does not.
    asked = upstream.count(PATH + "/tf-hub")
    assert tight.get(PATH + HUB).body == MODULE and upstream.count(PATH + "/tf-hub") == asked + 1


@pytest.mark.concurrent
@pytest.mark.parametrize("query, content", [(HUB, MODULE), (JS, SCRIPT)], ids=["tf-hub", "tfjs"])
def test_publishing_what_was_mirrored_keeps_it(upstream, start, query, content):
    larder = start({"storage": {"max_bytes": "600K"}}, [upstream.url])
    upstream.serve(PATH, content)
    assert larder.get(PATH + query).body == content
    larder.wait_for_idle()
    assert larder.publish(PATH + query, content).status == 200
    version, found = artifacts(larder)
    artifact = next(iter(found.values()))
    assert version["source"] == artifact["source"] == "published" and artifact["published_by"] == "ci-publish"
    crowd_out(larder, upstream)
    upstream.stop()
    assert larder.get(PATH + query).body == content
    assert larder.get("/api/v1/modules?source=published").json()["total"] == 1


def test_pages_and_tables_say_who_brought_it(upstream, tight):
    upstream.serve(PATH + "/tf-hub", MODULE)
    assert tight.get(PATH + HUB).status == 200
    tight.wait_for_idle()
    tight.publish(PATH + JS, SCRIPT)
    page = tight.get(PATH, accept="text/html").body.decode()
    assert "published by ci-publish" in page and "mirrored from test0" in page
    recent = tight.get("/api/v1/activity").json()["recent"]
    assert {row["format"]: (row["source"], row["published_by"]) for row in recent} == {
        "tfjs": ("published", "ci-publish"), "tf-hub": ("mirrored", None)}
    shown = show(tight, PATH[1:])
    assert re.search(r"tfjs\s.*published\s+ci-publish", shown) and re.search(r"tf-hub\s.*mirrored\s+test0", shown), shown


# ---- and nothing else enters it ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("url", [PATH + JS, PATH + LITE, PATH + "?coral-format=tflite", PATH + "/model.json",
                                 PATH + "/model.json?tfjs-format=file"])
def test_no_upstream_is_asked_for_what_a_published_version_lacks(upstream, mirror, url):
    upstream.serve(PATH, SCRIPT)
    mirror.publish(PATH, MODULE)
    assert mirror.get(url).status == 404 and mirror.head(url).status == 404
    reply = mirror.request("POST", FILLS, {"Content-Type": "application/json"}, json.dumps({"paths": [url]}).encode())
    assert [refused["code"] for refused in reply.json()["refused"]] == ["not-found"], reply
    answer = mirror.get("/api/v1/explain?url=" + quote(url, safe="")).json()["answer"]
    assert (answer["status"], answer["code"]) == (404, "not-found")
    assert upstream.requests == [], "an upstream was asked"
    assert mirror.put(PATH + JS, SCRIPT).status == 201, "the team's own is refused"


@pytest.mark.concurrent
def test_a_fill_that_runs_while_the_team_publishes_is_not_kept(upstream, start):
    mirror = start(upstreams=[upstream.url + "/{path}/{format}"])
    gate = threading.Event()
    upstream.serve(PATH + "/tf-hub", Answer(LARGE, gate=gate, gate_after=len(LARGE) // 2))
    download = Download(mirror, PATH + HUB)
    assert download.read_up_to(100_000)
    assert mirror.put(PATH + JS, SCRIPT).status == 201
    assert_problem(mirror.get(PATH + HUB), 404, "not-found")
    gate.set()
    assert not download.read_to_end(), "a stranger's bytes were given as the team's"
    mirror.wait_for_idle()
    version, found = artifacts(mirror)
    assert set(found) == {"tfjs"} and version["source"] == "published"
    assert mirror.blobs() == [modules.digest(SCRIPT)]
    assert mirror.put(PATH + HUB, MODULE).status == 201


# ---- what one client sends ---------------------------------------------------------------------------------------------

@pytest.mark.concurrent
@pytest.mark.parametrize("value", ["a\tb", "evil\x7f", "a; b=\"", "caf\xe9", "a b c", "\x0b"])
def test_a_header_that_is_none_spoils_nobodys_fill(upstream, mirror, value):
    gate = threading.Event()
    upstream.serve(PATH, Answer(LARGE, gate=gate, gate_after=len(LARGE) // 2))
    request = f"GET {PATH}{HUB} HTTP/1.1\r\nHost: h\r\nCDN-Loop: {value}\r\nConnection: close\r\n\r\n".encode("latin-1")
    assert b" 400 " in mirror.raw(request).split(b"\r\n")[0]
    assert upstream.requests == [], "it began a fill"
    download = Download(mirror, PATH + HUB)
    assert download.read_up_to(100_000)
    assert b" 400 " in mirror.raw(request).split(b"\r\n")[0], "it joined the fill"
    gate.set()
    assert download.read_to_end()


@pytest.mark.parametrize("value", ["cloudflare; loops=99", "Fastly, Fastly, Fastly", "x" * 900, "a;v=\"1\"",
                                   "larder-zzzzzzzzzzzzzzzz"])
def test_what_a_client_makes_up_does_not_go_upstream(upstream, mirror, value):
    upstream.serve(PATH, MODULE)
    assert mirror.get(PATH + HUB, cdn_loop=value, user_agent="evil", range="bytes=0-", if_range='"x"').status in (200, 206)
    seen = upstream.requests[0]
    assert seen.headers["cdn-loop"].startswith("larder-") and "," not in seen.headers["cdn-loop"]
    assert "evil" not in seen.headers["user-agent"] and "range" not in seen.headers


def larder_id(number):
    return f"larder-{number:016x}"


def ids(first, count):
    return ", ".join(larder_id(number) for number in range(first, first + count))


def test_more_ids_than_can_be_sent_on_are_refused_to_who_sends_them(upstream, mirror):
    """The longest that is taken, with ours behind it, is what the next one takes."""
    upstream.serve(PATH, MODULE)
    assert_problem(mirror.get(PATH + HUB, cdn_loop=ids(1, 41)), 508, "loop-detected")
    assert upstream.requests == []
    assert mirror.get(PATH + HUB, cdn_loop=ids(1, 40)).body == MODULE
    assert len(upstream.requests[0].headers["cdn-loop"]) <= 1024


@pytest.mark.concurrent
@pytest.mark.parametrize("sent, joined", [
    (ids(7, 1), [None]), (ids(1, 40), [None]), (ids(7, 2), [ids(20, 1)]), (ids(1, 40), [ids(k, 1) for k in range(20, 28)]),
    (ids(7, 2), [ids(8, 1), None, ids(7, 1)]), (ids(7, 1), [None] * 8 + [ids(7, 1)]), ("cdn, " + ids(7, 1), [ids(9, 1) + ", cdn"]),
], ids=["one", "many", "another Larder", "many other Larders", "in part the same", "a crowd", "others' names"])
@pytest.mark.parametrize("when", ["refused at once", "refused when all wait"])
def test_ids_that_one_client_sends_refuse_nobody_else(upstream, mirror, sent, joined, when):
    """The upstream stands for a Larder further up, which refuses its own id, and a header that it could not send on."""
    gate = threading.Event()
    held = gate if when == "refused when all wait" else None
    if not held:
        joined = [loop for loop in joined if loop != ids(7, 1)]

    def further_up(seen):
        loop = seen.headers["cdn-loop"]
        looped = larder_id(7) in loop or len(loop) > 1000
        return Answer(b"loop", 508, "text/plain", before=held) if looped else Answer(MODULE, before=gate)

    upstream.serve(PATH, further_up)
    replies = [None] * (1 + len(joined))

    def get(at, loop):
        replies[at] = mirror.get(PATH + HUB, **({"cdn_loop": loop} if loop else {}))

    threads = [threading.Thread(target=get, args=(at, loop)) for at, loop in enumerate([sent, *joined])]
    threads[0].start()
    wait_until(lambda: upstream.requests, lambda: "the request of who sends ids")
    if not held:
        threads[0].join()
    if held:
        threads.append(threading.Thread(target=lambda: replies.append(mirror.head(PATH + HUB, cdn_loop=joined[0] or "cdn"))))
    for thread in threads[1:]:
        thread.start()
    mirror.wait_for("larder_fill_waiters", len(joined) + 2 * (held is not None))
    gate.set()
    for thread in threads:
        thread.join()
    assert replies[0].status == (200 if held else 508)
    for reply in replies[1:]:
        assert reply.status == 200 and reply.body in (MODULE, b""), reply
    # They share what is asked: once in vain, once without what one of them had sent.
    assert upstream.count(PATH) == 2


def test_who_alone_sends_ids_is_told_of_the_loop(upstream, mirror):
    upstream.serve(PATH, Answer(b"loop", 508, "text/plain"))
    assert_problem(mirror.get(PATH + HUB, cdn_loop=ids(7, 3)), 508, "loop-detected")
    assert_problem(mirror.get(PATH + HUB), 508, "loop-detected")
    assert upstream.count(PATH) == 2
    upstream.serve(PATH, MODULE)
    assert mirror.get(PATH + HUB).body == MODULE


# ---- secrets -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("user", ["", "ci:s3cret-1@"])
@pytest.mark.parametrize("folder", ["/-/t/s3cret-2", "/hub/%2D/t/s3cret-2", "/x"])
@pytest.mark.parametrize("query", ["{query}", "{query}&key=s3cret-3"])
def test_no_secret_of_an_upstream_is_shown(upstream, start, user, folder, query):
    template = upstream.url.replace("://", "://" + user) + folder + "/{path}?" + query
    larder = start({"upstream far": {"url": template}})
    for answer in (Answer(b"no", 500, "text/plain"), Answer(b"no", 403, "text/plain"), Answer(b"no module", 200)):
        upstream.serve(f"{folder}{PATH}", answer)
        shown = [larder.get(PATH + HUB), larder.get("/api/v1/explain?url=" + quote(PATH + HUB, safe="")), larder.get(FILLS),
                 larder.get("/api/v1/activity"), larder.get("/-/activity", accept="text/html"), larder.get("/metrics")]
        for reply in shown:
            assert b"s3cret" not in reply.body, reply
    explained = shown[1].json()
    assert explained["upstreams"][0]["url"].startswith(upstream.url), explained
    larder.stop()
    assert "s3cret" not in larder.log()


@pytest.mark.parametrize("url", ["http://h/{nonsense}/-/t/s3cret/{path}", "http://h/{path}{/-/t/s3cret",
                                 "http://ci:s3cret@h/{no-such-word}/{path}"])
def test_a_fault_of_the_configuration_shows_no_secret(tmp_path, url):
    (tmp_path / "larder.ini").write_text(f"[upstream far]\nurl = {url}\n")
    done = subprocess.run([binary(), "serve", "--check", "--config", str(tmp_path / "larder.ini")], capture_output=True, text=True,
                          timeout=DEADLINE_S)
    assert done.returncode != 0 and "{path}, {handle}" in done.stderr + done.stdout
    assert "s3cret" not in done.stderr + done.stdout


# ---- ordering fills in advance -----------------------------------------------------------------------------------------

def post(larder, paths, **headers):
    sent = {"Content-Type": "application/json", **headers}
    return larder.request("POST", FILLS, {name: value for name, value in sent.items() if value}, json.dumps({"paths": paths}).encode())


@pytest.mark.parametrize("media_type", [None, "text/plain", "text/plain;application/json", "application/x-www-form-urlencoded",
                                        "multipart/form-data; boundary=x", "application/jsonp"])
def test_pages_of_other_sites_order_nothing(upstream, mirror, media_type):
    upstream.serve(PATH, MODULE)
    assert_problem(post(mirror, ["acme/shared/1"], **{"Content-Type": media_type}), 415, "unsupported-media")
    preflight = mirror.request("OPTIONS", FILLS, {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST",
                                                  "Access-Control-Request-Headers": "content-type"})
    assert "content-type" not in preflight.headers.get("Access-Control-Allow-Headers", "").lower()
    assert upstream.requests == []
    elsewhere = mirror.request("OPTIONS", PATH, {"Origin": "http://x.example", "Access-Control-Request-Method": "PUT"})
    assert "Content-Type" in elsewhere.header("Access-Control-Allow-Headers")


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_our_own_do(upstream, mirror, media_type):
    upstream.serve(PATH, MODULE)
    assert post(mirror, ["acme/shared/1"], **{"Content-Type": media_type}).status == 202


def test_one_request_names_so_many_paths(mirror):
    assert_problem(post(mirror, [f"google/m{number}/1" for number in range(101)]), 400, "bad-request")
    assert post(mirror, ["acme/here"] * 100).status == 202


@pytest.mark.concurrent
def test_a_budget_a_client(upstream, start):
    larder = start({"mirror": {"max_fills": 64}}, [upstream.url])
    numbers = itertools.count()
    token = {"Authorization": f"Bearer {larder.token('read')}"}
    refused = None
    while refused is None:
        reply = post(larder, [f"google/absent-{next(numbers)}/1" for _ in range(100)])
        told = [reply.json()] if reply.status == 503 else reply.json()["refused"]
        refused = next((entry for entry in told if "at once" in entry["detail"]), None)
    assert refused["code"] == "busy"
    while reply.status == 202:
        reply = post(larder, [f"google/absent-{next(numbers)}/1" for _ in range(100)])
    assert_problem(reply, 503, "busy")
    assert int(reply.header("Retry-After")) >= 1
    # Another client has its own, and so has a token.
    assert post(larder, ["google/other/1"], **token).json()["fills"], "a token's budget is the address's"
    assert larder.get("/google/clients/1" + HUB).status == 404, "who waits for it is not counted"
