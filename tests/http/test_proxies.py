# SPDX-License-Identifier: Apache-2.0
"""Behind real reverse proxies: what a client takes for a whole module is one, whatever the proxy makes of a cut."""
import hashlib
import subprocess

import pytest
from support import modules
from support.client import Download
from support.proxies import KINDS, Proxy
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

PATH = "/google/big/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
MODULE = modules.module(1 << 20)
WAYS_TO_END = ["reset", "close", "wrong"]


def broken_answer(way):
    """The module as an upstream spoils it when half of it is with the clients already."""
    if way == "wrong":
        return Answer(modules.with_bad_crc(MODULE), rate=8 << 20)
    return Answer(MODULE, cut_after=len(MODULE) // 2, cut=way, rate=8 << 20)


@pytest.fixture
def behind(start, upstream, tmp_path):
    """behind(kind, mirror, server, …): a Larder that mirrors from upstream, and a proxy before it."""
    proxies = []

    def make(kind, mirror=None, server=None, **options):
        larder = start({"mirror": mirror or {}, "server": server or {}}, [upstream.url])
        proxies.append(Proxy(kind, tmp_path / kind, larder.address, **options))
        return larder, proxies[-1]

    yield make
    for proxy in proxies:
        proxy.stop()


def curl(url, *options):
    """(exit status, body) of curl, which tells an orderly end from a cut."""
    done = subprocess.run(["curl", "-sS", "--fail", "--noproxy", "*", "-m", str(int(DEADLINE_S)), *options, url],
                          capture_output=True)
    return done.returncode, done.stdout


@pytest.mark.parametrize("way", WAYS_TO_END)
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_fill_never_looks_whole(behind, upstream, kind, way):
    larder, proxy = behind(kind)
    upstream.serve(PATH, broken_answer(way), Answer(b"", 503))
    status, body = curl(proxy.url + COMPRESSED)
    assert status != 0, f"{len(body)} bytes of {len(MODULE)} look whole"
    larder.wait_for_idle()
    larder.assert_nothing_kept()


@pytest.mark.parametrize("way", WAYS_TO_END)
@pytest.mark.parametrize("kind", ["haproxy", "caddy"])
def test_nor_for_http_2(behind, upstream, kind, way):
    larder, proxy = behind(kind, http2=True)
    upstream.serve(PATH, broken_answer(way), Answer(b"", 503))
    status, body = curl(proxy.url + COMPRESSED, "--http2-prior-knowledge")
    assert status != 0, f"{len(body)} bytes of {len(MODULE)} look whole"


@pytest.mark.parametrize("kind", KINDS)
def test_who_waits_gets_a_length(behind, upstream, kind):
    larder, proxy = behind(kind)
    upstream.serve(PATH, MODULE)
    reply = proxy.get(COMPRESSED)
    assert reply.status == 200 and reply.body == MODULE
    assert reply.header("Content-Length") == str(len(MODULE))
    assert "fwd=miss" in reply.header("Cache-Status")


@pytest.mark.parametrize("kind, mirror, server, marks", [
    ("nginx", {"hold_until_verified": "never"}, {}, True),
    ("nginx", {}, {}, False),
    ("haproxy", {"hold_until_verified": "never"}, {}, True),
], ids=["never", "unmarked", "haproxy-never"])
def test_who_does_not_wait_is_streamed_to(behind, upstream, kind, mirror, server, marks):
    larder, proxy = behind(kind, mirror, server, marks=marks)
    upstream.serve(PATH, MODULE)
    download = Download(proxy, COMPRESSED)
    assert download.headers.get("Transfer-Encoding") == "chunked", dict(download.headers)
    assert download.read_to_end() and download.digest() == hashlib.sha256(MODULE).hexdigest()


@pytest.mark.parametrize("header", ["Via: 1.1 squid", "Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.1", "via:"])
def test_told_by_a_header(start, upstream, header):
    larder = start({}, [upstream.url])
    upstream.serve(PATH, MODULE)
    name, value = header.split(":", 1)
    reply = larder.request("GET", COMPRESSED, {name: value.strip()})
    assert reply.body == MODULE and reply.headers.get("Content-Length") == str(len(MODULE)), dict(reply.headers)


@pytest.mark.parametrize("settings, waits", [
    ({"server": {"trusted_proxies": "10.0.0.0/8, 127.0.0.0/30"}}, True),
    ({"server": {"trusted_proxies": "127.0.0.1"}}, True),
    ({"server": {"trusted_proxies": "10.0.0.0/8 ::1 127.0.0.2"}}, False),
    ({"mirror": {"hold_until_verified": "always"}}, True),
    ({"server": {"trusted_proxies": "127.0.0.1"}, "mirror": {"hold_until_verified": "never"}}, False),
    ({}, False),
])
def test_told_by_the_configuration(start, upstream, settings, waits):
    larder = start(settings, [upstream.url])
    upstream.serve(PATH, MODULE)
    reply = larder.get(COMPRESSED)
    assert reply.body == MODULE and ("Content-Length" in reply.headers) == waits, dict(reply.headers)


@pytest.mark.parametrize("kind", ["deployed", "haproxy", "caddy"])
def test_no_token_in_their_logs(behind, kind, tmp_path):
    """As the documents have each of them write its log: requests that are answered, and ones that fail."""
    larder, proxy = behind(kind, logs=True)
    token = larder.token("read")
    paths = [f"/-/t/{token}/api/v1/stats?seen=one", f"/-/t/{token}/nothing/2", f"/-/t/{token}"]
    for path in paths:
        proxy.get(path)
    proxy.get("/seen/three")
    larder.stop()
    assert proxy.get(paths[0].replace("one", "four")).status >= 500
    logs = lambda: "".join(file.read_text(errors="replace") for file in (tmp_path / kind).glob("*.log"))  # noqa: E731
    wait_until(lambda: all(words in logs() for words in ("/api/v1/stats?seen=one", "/seen/three", "seen=four")), lambda: f"all to be logged: {logs()}")
    assert token not in logs() and logs().count("/-/t/***/") >= 3, logs()
