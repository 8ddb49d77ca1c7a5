# SPDX-License-Identifier: Apache-2.0
"""Ranges of what is not here yet: all of it streams at once, a part is given as soon as its bytes may be shown."""
import threading

import pytest
from support import modules
from support.client import Download
from support.upstream import Answer
from support.waiting import wait_until

PATH = "/google/nnlm/2"
COMPRESSED = PATH + "?tf-hub-format=compressed"
MIB = 1 << 20
MODULE = modules.module(4 * MIB)


def held(upstream, at):
    gate = threading.Event()
    upstream.serve(PATH, Answer(MODULE, gate=gate, gate_after=at))
    return gate


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes= 0-", "lines=1-2", "bytes=0-1,5-9", "bytes=5-2"])
def test_a_range_that_asks_for_all_streams_at_once(upstream, mirror, asked):
    gate = held(upstream, 2 * MIB)
    client = Download(mirror, COMPRESSED, {"Range": asked})
    assert client.status == 200 and client.read_up_to(MIB)
    gate.set()
    assert client.read_to_end() and client.digest() == modules.digest(MODULE)


@pytest.mark.parametrize("first, last", [(0, 0), (0, 999), (500, 70000), (MIB, MIB + 4)])
def test_a_part_is_given_as_soon_as_it_is_there(upstream, mirror, first, last):
    gate = held(upstream, 2 * MIB)
    reply = mirror.get(COMPRESSED, range=f"bytes={first}-{last}")
    assert (reply.status, reply.body) == (206, MODULE[first:last + 1])
    assert reply.header("Content-Range") == f"bytes {first}-{last}/*"
    assert reply.header("Cache-Control") == "no-store"
    gate.set()
    mirror.wait_for_idle()
    assert mirror.get(COMPRESSED).body == MODULE


SIZE = len(MODULE)


@pytest.mark.parametrize("asked, first", [
    (f"bytes={MIB}-", MIB), ("bytes=1-", 1), (f"bytes={SIZE - MIB * 3}-{SIZE + 9}", SIZE - MIB * 3), (f"bytes=-{SIZE - 5}", 5),
    (f"bytes=-{SIZE + 9}", 0), (f"bytes=1-{2**63}", 1), (f"bytes=5-{SIZE}", 5)])
def test_a_range_to_the_end_streams_from_its_first_byte_on(upstream, mirror, asked, first):
    gate = held(upstream, 2 * MIB)
    client = Download(mirror, COMPRESSED, {"Range": asked})
    assert client.status == 206 and client.headers["Content-Range"] == f"bytes {first}-{SIZE - 1}/{SIZE}"
    assert client.headers["Cache-Control"] == "no-store" and client.read_up_to(2 * MIB - first - 300_000)
    gate.set()
    assert client.read_to_end() and client.digest() == modules.digest(MODULE[first:])
    mirror.wait_for_idle()
    assert mirror.get(COMPRESSED).body == MODULE and upstream.count(PATH) == 1


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=-1000"])
def test_where_nobody_tells_the_length_a_range_to_the_end_waits(upstream, mirror, asked):
    """There is no Content-Range for it before."""
    upstream.serve(PATH, Answer(MODULE, chunked=True))
    reply = mirror.get(COMPRESSED, range=asked)
    body = MODULE[1000:] if asked.endswith("-") else MODULE[-1000:]
    assert reply.status == 206 and reply.body == body
    assert reply.header("Content-Range") == f"bytes {SIZE - len(body)}-{SIZE - 1}/{SIZE}"


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"])
def test_a_range_behind_the_end_is_refused_in_the_end(upstream, mirror, asked):
    upstream.serve(PATH, MODULE)
    assert mirror.get(COMPRESSED, range=asked).status == 416


@pytest.mark.parametrize("broken", [Answer(modules.with_bad_crc(MODULE)), Answer(MODULE, cut_after=3 * MIB)], ids=["wrong", "cut"])
def test_a_range_to_the_end_of_what_turns_out_wrong_is_cut(upstream, mirror, broken):
    upstream.serve(PATH, broken)
    client = Download(mirror, COMPRESSED, {"Range": "bytes=1000-"})
    assert client.status in (206, 502) and not (client.status == 206 and client.read_to_end())


@pytest.mark.parametrize("name, value", [("If-Range", '"sha256:nothing"'), ("If-Range", "Sat, 29 Oct 1994 19:43:31 GMT"),
                                         ("If-None-Match", '"sha256:nothing"'), ("If-Modified-Since", "Sat, 29 Oct 1994 19:43:31 GMT")])
def test_all_of_it_streams_at_once_whatever_it_depends_on(upstream, mirror, name, value):
    gate = held(upstream, 2 * MIB)
    client = Download(mirror, COMPRESSED, {"Range": "bytes=0-", name: value})
    assert client.status == 200 and client.read_up_to(MIB)
    gate.set()
    assert client.read_to_end() and client.digest() == modules.digest(MODULE)


@pytest.mark.parametrize("asked", [f"bytes={len(MODULE) - 100}-{len(MODULE) - 1}", "bytes=-100", f"bytes={len(MODULE) - 100}-",
                                   f"bytes={len(MODULE) - 100}-99999999999999999999"])
def test_a_part_of_the_tail_waits_for_the_verification(upstream, mirror, asked):
    gate = held(upstream, len(MODULE))
    replies = []
    thread = threading.Thread(target=lambda: replies.append(mirror.get(COMPRESSED, range=asked)))
    thread.start()
    wait_until(lambda: upstream.sent_bytes == len(MODULE), "all to be sent")
    assert not replies
    gate.set()
    thread.join()
    assert (replies[0].status, replies[0].body) == (206, MODULE[-100:])
    assert replies[0].header("Content-Range") == f"bytes {len(MODULE) - 100}-{len(MODULE) - 1}/{len(MODULE)}"


def test_a_part_of_what_turns_out_wrong_is_a_refusal_in_the_tail(upstream, mirror):
    upstream.serve(PATH, Answer(modules.with_bad_crc(MODULE)))
    assert mirror.get(COMPRESSED, range="bytes=-9").status == 502


def test_a_range_with_a_condition_waits(upstream, mirror):
    upstream.serve(PATH, MODULE)
    reply = mirror.get(COMPRESSED, range="bytes=5-9", if_range=f'"sha256:{modules.digest(MODULE)}"')
    assert (reply.status, reply.body) == (206, MODULE[5:10])
