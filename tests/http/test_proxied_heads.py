# SPDX-License-Identifier: Apache-2.0
"""Large heads through real reverse proxies: what Larder takes from a client of its own, it takes from a client of theirs, as
deploy/nginx.conf and docs/clients.md set them up."""
import random
import subprocess

import pytest
from support import modules
from support.proxies import KINDS, Proxy

PATH = "/acme/m/1?tf-hub-format=compressed"
# What a proxy adds of its own (X-Forwarded-For and the like, a longer Host) counts in Larder's limit as well.
MAX, ADDED = 32 << 10, 512
SIZES = [1000, 4000, 7900, 8300, 15_000, 17_000, 20_000, 25_000, 30_000, MAX - ADDED]


def cookies(size, count, seed):
    """The value of a Cookie field of this size: so many cookies, as sites of one company add up to."""
    chance = random.Random(seed)
    each = max(size // count, 8)
    text = "; ".join(f"c{number}=" + "".join(chance.choices("abcdefghijkABCDEFGHIJK0123456789+/=%", k=each)) for number in range(count))
    return text[:size]


# Each makes the fields of a head of about this size.
HEADS = {
    "a cookie": lambda size: {"Cookie": cookies(size, 1, size)},
    "many cookies": lambda size: {"Cookie": cookies(size, 60, size)},
    "a token": lambda size: {"Authorization": "Bearer " + cookies(size, 1, size).replace("; ", "")},
    "many fields": lambda size: {f"X-Company-{number:03}": cookies(max(size // 100 - 20, 8), 1, number) for number in range(90)},
}


@pytest.fixture
def behind(start, tmp_path):
    proxies = []

    def make(kind, **options):
        larder = start({})
        larder.publish("/acme/m/1", modules.module())
        proxies.append(Proxy(kind, tmp_path / kind, larder.address, **options))
        return larder, proxies[-1]

    yield make
    for proxy in proxies:
        proxy.stop()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", [*KINDS, "deployed"])
def test_heads_of_any_size_pass(behind, kind, head):
    larder, proxy = behind(kind)
    for size in SIZES:
        headers = HEADS[head](size - 200)
        direct, proxied = (server.request("GET", PATH, headers) for server in (larder, proxy))
        assert direct.status == proxied.status and direct.status in (200, 401), (kind, size, direct, proxied)
        assert direct.status == 401 or direct.body == proxied.body


@pytest.mark.parametrize("kind", [*KINDS, "deployed"])
def test_what_is_too_large_is_refused_by_larder_itself(behind, kind):
    """With its own words, not the proxy's."""
    larder, proxy = behind(kind)
    for size in (MAX + 200, MAX + 2000):
        reply = proxy.request("GET", PATH, {"Cookie": cookies(size, 1, size)})
        assert reply.status == 431 and reply.json()["code"] == "head-too-large", reply


@pytest.mark.parametrize("kind", ["haproxy", "caddy"])
def test_heads_in_http_2(behind, kind):
    larder, proxy = behind(kind, http2=True)
    for size in SIZES:
        done = subprocess.run(["curl", "-sS", "--fail", "--noproxy", "*", "--http2-prior-knowledge", "-H", "Cookie: " + cookies(size - 200, 60, 1),
                               proxy.url + PATH], capture_output=True)
        assert done.returncode == 0 and done.stdout == larder.get(PATH).body, (size, done)


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_without_these_settings_they_refuse(behind, kind):
    """Else the documents would ask for what is of no use."""
    larder, proxy = behind(kind, head=False)
    assert proxy.request("GET", PATH, {"Cookie": cookies(20_000, 1, 1)}).status == 400
