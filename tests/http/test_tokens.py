# SPDX-License-Identifier: Apache-2.0
"""Tokens: when each was used last, what becomes of those that are none, of those that are revoked, and of a browser that signs in."""
import base64
import contextlib
import hashlib
import hmac
import json
import re
import socket
import sqlite3
import subprocess
import threading
import urllib.parse

import pytest
from support import modules
from support.daemon import assert_problem, binary
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

PATH = "/acme/m/1"
ARTIFACT = PATH + "?tf-hub-format=compressed"
MODULE = modules.module(100_000)
CLOSED = {"auth": {"read": "token"}}
PAGE = "text/html,application/xhtml+xml"
WRONG = "lrd_" + "0" * 64


@pytest.fixture
def closed(start):
    """Reading takes a token, and there is something to read."""
    site = start(CLOSED)
    site.publish(PATH, MODULE)
    return site


def bearer(token):
    return {"Authorization": "Bearer " + token}


def listed(site):
    return {row["name"]: row for row in json.loads(site.larder("token", "list", "--json").stdout)["tokens"]}


def create(site, name, *more):
    return site.larder("token", "create", name, "--scope", "read", *more).stdout.strip()


def sign_in(site, token, next_="/", **headers):
    body = urllib.parse.urlencode({"token": token, "next": next_}).encode()
    return site.request("POST", "/-/sign-in", {"Content-Type": "application/x-www-form-urlencoded", "Accept": PAGE, **headers}, body)


def cookie_of(reply):
    return reply.header("Set-Cookie").split(";")[0]


# ---- last use -------------------------------------------------------------------------------------------------------------


def test_last_use_and_from_where(start):
    site = start({"auth": {"read": "token"}, "server": {"trusted_proxies": "127.0.0.1"}})
    token = create(site, "reader")
    assert listed(site)["reader"]["last_used_at"] is None and listed(site)["reader"]["last_used_from"] is None
    assert site.get("/api/v1/stats", **bearer(token), **{"X-Forwarded-For": "192.0.2.7, 198.51.100.9"}).status == 200
    wait_until(lambda: listed(site)["reader"]["last_used_from"] == "198.51.100.9", "the use is written down")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", listed(site)["reader"]["last_used_at"])
    # Once a minute at most, and what is left at the end.
    assert site.get("/api/v1/stats", **bearer(token), **{"X-Forwarded-For": "203.0.113.3"}).status == 200
    site.stop()
    assert listed(site)["reader"]["last_used_from"] == "203.0.113.3"
    table = site.larder("token", "list").stdout
    assert "203.0.113.3" in table and "\tvalid\tnever\t\n" in table, table
    assert token not in table
    site.start()


def test_a_use_that_cannot_be_written_down_is_written_later(closed):
    token = create(closed, "reader")
    with contextlib.closing(sqlite3.connect(closed.data / "larder.db", timeout=DEADLINE_S)) as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON token_uses BEGIN SELECT raise(ABORT, 'full'); END")
        database.commit()
        assert closed.get("/api/v1/stats", **bearer(token)).status == 200
        wait_until(lambda: "uses of tokens are written down later" in closed.log(), "it cannot be written")
        assert listed(closed)["reader"]["last_used_at"] is None
        database.execute("DROP TRIGGER full")
        database.commit()
    wait_until(lambda: listed(closed)["reader"]["last_used_from"] == "127.0.0.1", "the use is written down")


# ---- those that are none ----------------------------------------------------------------------------------------------------


def test_failed_attempts_are_slowed_down(start):
    """Per address, of IPv6 per network. It is no matter to anybody's valid token, wherever it came from before."""
    site = start({"auth": {"read": "token"}, "server": {"trusted_proxies": "127.0.0.1"}})

    def ask(token, address):
        return site.get("/api/v1/stats", **bearer(token), **{"X-Forwarded-For": address})

    token, ended = create(site, "reader"), create(site, "ended")
    others = [create(site, f"other{i}") for i in range(6)]
    site.larder("token", "revoke", "ended")
    for address, neighbour in (("192.0.2.1", "192.0.2.2"), ("2001:db8:1:2::1", "2001:db8:1:3::1")):
        assert ask(token, address).status == 200
        for _ in range(200):
            reply = ask(WRONG, address)
            if reply.status != 401:
                break
        assert_problem(reply, 429, "too-many-attempts")
        assert int(reply.header("Retry-After")) > 0 and WRONG not in str(reply.body)
        assert ask(ended, address).status == 429
        assert [ask(one, address).status for one in [token, *others]] == [200] * 7
        assert ask(WRONG, neighbour).status == 401
    assert ask(WRONG, "2001:db8:1:2:ffff::9").status == 429
    assert WRONG not in site.log() and token not in site.log()


def test_one_stale_token_keeps_nobody_out(closed):
    """Behind a proxy that names nobody all have one address."""
    stale, reader, writer = create(closed, "stale"), closed.token("read"), closed.token("publish:*")
    closed.larder("token", "revoke", "stale")
    wait_until(lambda: closed.get("/api/v1/stats", **bearer(stale)).status == 429, "it is slowed down")
    assert closed.get("/api/v1/stats", **bearer(reader)).status == 200
    assert sign_in(closed, reader).status == 303
    assert closed.request("PUT", "/acme/m/2", bearer(writer), modules.module(300)).status == 201
    late = create(closed, "late")
    wait_until(lambda: closed.get("/api/v1/stats", **bearer(late)).status == 200, "a new one is known")


def test_what_anybody_may_read_does_not_count(larder):
    """A stale token in some tool's settings is no attempt."""
    larder.publish(PATH, MODULE)
    for _ in range(100):
        assert larder.get("/api/v1/stats", **bearer(WRONG)).status == 200
    assert larder.put("/acme/m/2", modules.module(300)).status == 201


def test_missing_tokens_do_not_count(closed):
    for _ in range(100):
        assert closed.get("/api/v1/stats").status == 401
    assert closed.get("/api/v1/stats", **bearer(closed.token("read"))).status == 200


# ---- revoked ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["header", "path", "basic"])
def test_revocation_counts_at_once(closed, way):
    """Also where the answer was given before, and for a download that goes on."""
    token = create(closed, "reader")
    asked = {"header": (ARTIFACT, bearer(token)), "path": (f"/-/t/{token}{ARTIFACT}", {}),
             "basic": (ARTIFACT, {"Authorization": "Basic " + base64.b64encode(f"x:{token}".encode()).decode()})}[way]
    for _ in range(3):
        reply = closed.get(asked[0], **asked[1])
        assert reply.status == 200 and reply.body == MODULE
    part = {"Range": "bytes=1000-", "If-Range": reply.header("ETag")}
    assert closed.get(asked[0], **asked[1], **part).status == 206
    closed.larder("token", "revoke", "reader")
    for headers in ({}, part, {"If-None-Match": reply.header("ETag")}):
        refused = closed.get(asked[0], **asked[1], **headers)
        assert refused.status == 401 and token not in str(refused.body) + str(refused.headers), refused
    assert token not in closed.log()


def test_a_download_that_runs_ends_with_its_connection_only(closed):
    """What was begun is sent to its end: it is the next request that is refused."""
    token = create(closed, "reader")
    reply = closed.get(ARTIFACT, **bearer(token))
    closed.larder("token", "revoke", "reader")
    assert reply.body == MODULE
    assert closed.head(ARTIFACT, **bearer(token)).status == 401


def test_an_address_that_was_given_to_a_token_ends_with_it(closed):
    """kagglehub is led to one that carries its own right, since it sends no token there."""
    closed.publish("/acme/m/tensorFlow2/base/1", MODULE)
    token = create(closed, "ci_reader.a")
    reply = closed.get("/api/v1/models/acme/m/tensorFlow2/base/1/download", **bearer(token))
    way = urllib.parse.urlsplit(reply.header("Location"))
    way = way.path + ("?" + way.query if way.query else "")
    assert reply.status in (302, 303, 307) and "/-/t/cap_" in way, reply
    assert closed.get(way).body == MODULE and closed.get(way, Range="bytes=5-9").body == MODULE[5:10]
    assert closed.get(way.replace("ci_reader.a", "ci-read")).status == 401
    closed.larder("token", "revoke", "ci_reader.a")
    assert closed.get(way, Range="bytes=5-9").status == 401
    assert way not in closed.log()


# ---- Basic ------------------------------------------------------------------------------------------------------------------


def test_basic_where_clients_can_do_nothing_else(closed, tmp_path):
    token = closed.token("publish:*")
    basic = {"Authorization": "Basic " + base64.b64encode(f"ci:{token}".encode()).decode()}
    assert closed.get(ARTIFACT, **basic).status == 200
    assert closed.request("PUT", "/acme/m/2", basic, modules.module(300)).status == 201
    # A form can be posted by any site, and browsers add what they were told once.
    assert closed.request("POST", "/acme/m/3", {**basic, "Content-Type": "multipart/form-data; boundary=b"}, b"--b--").status == 401
    challenges = closed.get(ARTIFACT).headers.get_all("WWW-Authenticate")
    assert challenges == ['Bearer realm="larder"', 'Basic realm="larder"']
    for browser in ({"Accept": PAGE}, {"Sec-Fetch-Mode": "cors"}):
        assert closed.get(ARTIFACT, **browser).headers.get_all("WWW-Authenticate") == ['Bearer realm="larder"']
    fetched = subprocess.run(["wget", "-q", "-O", str(tmp_path / "m"), "--user=ci", f"--password={token}", "--no-proxy",
                              closed.url.rstrip("/") + ARTIFACT], timeout=DEADLINE_S)
    assert fetched.returncode == 0 and (tmp_path / "m").read_bytes() == MODULE


# ---- a browser ----------------------------------------------------------------------------------------------------------------


def test_a_browser_signs_in_reads_and_signs_out(closed):
    token = closed.token("read")
    page = closed.get(PATH + "?a=1", Accept=PAGE)
    assert page.status == 401 and b'action="/-/sign-in"' in page.body and b'type="password"' in page.body, page
    assert re.search(rb'name="next" value="/acme/m/1\?a=1"', page.body)
    reply = sign_in(closed, token, PATH)
    assert (reply.status, reply.header("Location")) == (303, PATH)
    attributes = {word.strip() for word in reply.header("Set-Cookie").split(";")[1:]}
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= attributes and "Secure" not in attributes
    cookie = cookie_of(reply)
    assert token not in cookie
    page = closed.get(PATH, Accept=PAGE, Cookie="a=b; " + cookie)
    assert page.status == 200 and b"Sign out" in page.body and b"Signed in as ci-read" in page.body
    text = page.body.decode()
    assert token not in text and cookie.split("=")[1] not in text and "/-/t/lrd_" not in text
    assert "$LARDER_TOKEN" in text
    # What our page asks for, and what its links lead to.
    assert closed.get("/api/v1/stats", Cookie=cookie, **{"Sec-Fetch-Site": "same-origin"}).status == 200
    download = closed.get(ARTIFACT, Accept=PAGE, Cookie=cookie)
    assert download.status == 200 and "public" not in download.header("Cache-Control")
    reply = closed.request("POST", "/-/sign-out", {"Accept": PAGE, "Cookie": cookie}, b"")
    assert reply.status == 303 and "Max-Age=0" in reply.header("Set-Cookie")
    assert token not in closed.log() and cookie.split("=")[1] not in closed.log()


def test_no_cache_that_others_use_keeps_what_a_session_reads(closed):
    """Pages tell who reads."""
    cookie = cookie_of(sign_in(closed, closed.token("read")))
    for path in ("/", PATH, ARTIFACT, "/-/activity", "/no/where/1", "/api/v1/stats"):
        reply = closed.get(path, Accept=PAGE, Cookie=cookie, **{"Sec-Fetch-Site": "same-origin"})
        control = reply.header("Cache-Control")
        assert control == "no-store" or control.startswith("private"), (path, control)
        assert "Cookie" in reply.header("Vary"), (path, reply.headers)


def test_scripts_of_a_page_over_plain_http(closed):
    """Browsers send them no Sec-Fetch there. Nothing makes a browser ask its user for a password."""
    cookie = cookie_of(sign_in(closed, closed.token("read")))
    with socket.create_connection(closed.address, DEADLINE_S) as client:
        client.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nCookie: {cookie}\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    script = {"Accept": "*/*", "X-Larder-Page": "1"}
    assert closed.get("/api/v1/fills", Cookie=cookie, **script).status == 200
    for sent in (script, {"Accept": "text/event-stream"}, {"Accept": "*/*", "Cookie": "a=b"}, {"Accept": "image/*", "Accept-Language": "en"}):
        reply = closed.get("/api/v1/fills", **sent)
        assert reply.status == 401 and reply.headers.get_all("WWW-Authenticate") == ['Bearer realm="larder"'], reply


def test_a_cookie_is_good_for_reading_pages_only(closed):
    cookie = cookie_of(sign_in(closed, closed.token("admin")))
    sent = {"Cookie": cookie, "Accept": PAGE, "Sec-Fetch-Site": "same-origin"}
    assert closed.request("PUT", "/acme/m/2", sent, modules.module(300)).status == 401
    assert closed.request("DELETE", PATH, sent).status == 401
    assert closed.request("POST", "/acme/m/2", {**sent, "Content-Type": "multipart/form-data; boundary=b"}, b"--b--").status == 401
    assert closed.request("POST", "/api/v1/fills", {**sent, "Content-Type": "application/json"}, b'{"paths":["a/b/1"]}').status == 401
    assert closed.request("POST", "/-/fills/1", sent, b"").status == 401
    assert closed.request("POST", "/api/v1/decisions/acme/m/1", {**sent, "Content-Type": "application/json"}, b"{}").status == 401
    assert closed.get("/api/v1/imports", **sent).status == 401, "that takes an admin, and no page shows it"
    assert closed.get("/api/v1/stats", Cookie=cookie).status == 401, "a program has a token"
    assert closed.get(PATH, Cookie=cookie, Accept=PAGE, **{"Sec-Fetch-Site": "cross-site"}).status == 401


def test_a_session_ends_with_its_token(closed):
    token = create(closed, "reader")
    cookie = cookie_of(sign_in(closed, token))
    assert closed.get(PATH, Accept=PAGE, Cookie=cookie).status == 200
    closed.larder("token", "revoke", "reader")
    assert closed.get(PATH, Accept=PAGE, Cookie=cookie).status == 401
    create(closed, "reader")
    assert closed.get(PATH, Accept=PAGE, Cookie=cookie).status == 401


def test_what_is_kept_of_a_token_makes_no_session(closed):
    """The catalog, and so each backup, has the hash of a token's secret."""
    token = create(closed, "reader")
    name, value = cookie_of(sign_in(closed, token)).split("=")
    until = value.split(".")[1]
    kept = hashlib.sha256(token.encode()).digest()
    for words in (f"larder-session\nreader\n{until}", f"larder-session\n{kept.hex()}\nreader\n{until}"):
        code = hmac.new(kept, words.encode(), "sha256").hexdigest()
        assert closed.get(PATH, Accept=PAGE, Cookie=f"{name}=reader.{until}.{code}").status == 401
    assert closed.get(PATH, Accept=PAGE, Cookie=f"{name}={value}").status == 200
    closed.restart()
    assert closed.get(PATH, Accept=PAGE, Cookie=f"{name}={value}").status == 401, "its key was in memory alone"


@pytest.mark.parametrize("forge", [lambda value: value[:-1] + ("0" if value[-1] != "0" else "1"), lambda value: "ci-admin" + value[len("ci-read"):],
                                   lambda value: re.sub(r"\.(\d+)\.", lambda found: ".%d." % (int(found[1]) + 1), value), lambda value: "", lambda value: "..",
                                   lambda value: "." * 5000, lambda value: value.rsplit(".", 1)[0]], ids=range(7))
def test_forged_cookies(closed, forge):
    name, value = cookie_of(sign_in(closed, closed.token("read"))).split("=")
    assert closed.get(PATH, Accept=PAGE, Cookie=f"{name}={value}").status == 200
    assert closed.get(PATH, Accept=PAGE, Cookie=f"{name}={forge(value)}").status == 401


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.example"},
                                     {"Origin": "null"}], ids=str)
def test_no_other_site_signs_anybody_in_or_out(closed, headers):
    reply = sign_in(closed, closed.token("read"), **headers)
    assert reply.status == 403 and "Set-Cookie" not in reply.headers
    reply = closed.request("POST", "/-/sign-out", {"Accept": PAGE, **headers}, b"")
    assert reply.status == 403 and "Set-Cookie" not in reply.headers
    own = {"Origin": closed.url.rstrip("/")}
    assert sign_in(closed, closed.token("read"), **own).status == 303


@pytest.mark.parametrize("next_", ["//evil.example/", "/\\evil.example", "https://evil.example/", "", "x", "/a\r\nSet-Cookie: a=b", "/\t/evil.example"])
def test_it_leads_to_no_other_site(closed, next_):
    reply = sign_in(closed, closed.token("read"), next_)
    assert (reply.status, reply.header("Location")) == (303, "/")
    page = closed.get("/-/sign-in?next=" + urllib.parse.quote(next_), Accept=PAGE)
    assert page.status == 200 and b"evil" not in page.body


@pytest.mark.parametrize("next_,way", [(PATH, PATH), ("/-/sign-in", "/"), ("/-/sign-out", "/"), ("//evil.example/", "/")])
def test_a_wrong_token_keeps_the_way(closed, next_, way):
    """Who gives the right one then gets where he wanted to go."""
    refused = sign_in(closed, WRONG, next_)
    assert refused.status == 401
    told = re.search(rb'name="next" value="([^"]*)"', refused.body)[1].decode()
    assert told == way
    reply = sign_in(closed, closed.token("read"), told)
    assert (reply.status, reply.header("Location")) == (303, way)


def test_wrong_tokens_are_told_and_slowed_down(closed):
    for _ in range(200):
        reply = sign_in(closed, WRONG)
        assert "Set-Cookie" not in reply.headers and WRONG.encode() not in reply.body
        if reply.status != 401:
            break
    assert reply.status == 429 and int(reply.header("Retry-After")) > 0
    assert WRONG not in closed.log()


def test_no_page_can_be_framed(closed):
    cookie = cookie_of(sign_in(closed, closed.token("read")))
    for path, headers in ((PATH, {"Cookie": cookie}), ("/", {"Cookie": cookie}), ("/-/sign-in", {}), (PATH, {})):
        reply = closed.get(path, Accept=PAGE, **headers)
        policy = reply.header("Content-Security-Policy")
        assert "frame-ancestors 'none'" in policy and "form-action 'self'" in policy, reply
        assert reply.header("X-Frame-Options") == "DENY"


def test_nobody_signs_in_where_anyone_reads(larder):
    assert larder.get("/-/sign-in", Accept=PAGE).status == 404
    assert sign_in(larder, larder.token("read")).status == 404
    assert b"sign-in" not in larder.get("/no/where/1", Accept=PAGE).body


def test_secure_with_tls(start_secure):
    site = start_secure(CLOSED)
    reply = sign_in(site, site.token("read"))
    assert reply.status == 303 and reply.header("Set-Cookie").endswith("; Secure")


# ---- nothing secret -------------------------------------------------------------------------------------------------------------


def test_a_token_on_the_command_line_is_not_in_the_list_of_processes(closed, make_upstream):
    """While a command waits for its server."""
    upstream = make_upstream()
    token = closed.token("read")
    held = threading.Event()
    upstream.serve("/api/v1/stats", Answer(b"{}", before=held))
    upstream.serve("/readyz", Answer(b"{}", before=held))
    process = subprocess.Popen([binary(), "status", "--server", upstream.url, "--token", token], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: upstream.requests, "it asks")
        with open(f"/proc/{process.pid}/cmdline", "rb") as words:
            shown = words.read()
        assert b"--token" in shown and token.encode() not in shown, shown
        assert upstream.requests[0].headers["authorization"] == "Bearer " + token
    finally:
        held.set()
        process.wait(DEADLINE_S)


def test_examples_on_pages_end_their_tokens_and_keep_them_off_command_lines(larder):
    page = larder.get("/", Accept=PAGE).body.decode()
    made = re.search(r"export LARDER_TOKEN=[^<]*", page)[0]
    assert "--expires 90d" in made and "--token" not in page


def test_nothing_tells_a_token(closed):
    token = closed.token("read")
    seen = []
    for path in (f"/-/t/{token}/acme/m?tf-hub-format=compressed", f"/-/t/{token}/no/where", f"/-/t/{token}x/acme/m/1", f"/acme/m/1?token={token}",
                 f"/-/t/{token}/api/v1/explain?url=/-/t/{token}/acme/m/1"):
        reply = closed.get(path)
        seen.append(str(reply.headers) + reply.body.decode(errors="replace"))
    assert not [text for text in seen if token in text]
    assert token not in closed.log() and token not in closed.get("/metrics").body.decode()
