# SPDX-License-Identifier: Apache-2.0
"""Leases: against a real Ceph through two gateways, and against a store that fails as it is told to. Each holder is a process."""
import concurrent.futures
import json
import os
import select
import signal
import subprocess
import time

import pytest

from conftest import VAULT_TOOL
from ceph import DEADLINE_S
from support.waiting import wait_until

NAME = "acme/half-plus-two/1"
TTL_S = 5


class Holder:
    """A process that asks for a lease until it has it."""

    def __init__(self, store, node):
        self.process = subprocess.Popen([VAULT_TOOL, str(store.config), "hold", NAME, "tf-hub", node, *(["bare"] if store.is_ceph else [])], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)

    def line(self):
        assert select.select([self.process.stdout], [], [], DEADLINE_S)[0], "it says nothing"
        return self.process.stdout.readline().strip()

    def say(self, word):
        self.process.stdin.write(word + "\n")

    def end(self, word=None):
        if word:
            self.say(word)
        self.process.stdin.close()
        assert self.process.wait(DEADLINE_S) == 0

    def is_silent(self):
        return not select.select([self.process.stdout], [], [], 0)[0]


@pytest.fixture
def hold():
    holders = []

    def start(store, node):
        store.write(lease_ttl_s=TTL_S, poll_interval_s=1)
        holders.append(Holder(store, node))
        return holders[-1]

    yield start
    for holder in holders:
        if holder.process.poll() is None:
            holder.process.kill()
        holder.process.wait()
        holder.process.stdout.close()


def lease(front):
    return next((json.loads(body) for key, body in front.objects.items() if "/leases/" in key), None)


# ---- Ceph ----


def test_one_of_two_has_it_until_it_ends(gateways, hold):
    first = hold(gateways[0], "http://one")
    assert first.line() == "new"
    second = hold(gateways[1], "http://two")
    assert second.line() == "theirs http://one"
    first.end("done")
    assert second.line() == "taken http://one"


def test_one_of_many_has_it(gateways, hold):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda n: hold(gateways[n % 2], f"http://{n}").line(), range(8)))
    assert told.count("new") == 1, told
    assert [word for word in told if word != "new"] == [f"theirs http://{told.index('new')}"] * 7


def test_what_came_to_nothing_leaves_nothing(gateways, hold):
    first = hold(gateways[0], "http://one")
    assert first.line() == "new"
    second = hold(gateways[1], "http://two")
    assert second.line() == "theirs http://one"
    first.end("nothing")
    assert second.line() == "new"
    second.end("nothing")
    assert gateways[0].run("list", "leases/", 1000).splitlines()[:-1] == []


def test_who_renews_keeps_it_and_who_is_frozen_loses_it(gateways, hold):
    first = hold(gateways[0], "http://one")
    assert first.line() == "new"
    second = hold(gateways[1], "http://two")
    assert second.line() == "theirs http://one"
    began = time.monotonic()
    while time.monotonic() < began + 1.5 * TTL_S:
        assert not select.select([second.process.stdout], [], [], 0.1)[0]
    os.kill(first.process.pid, signal.SIGSTOP)
    assert second.line() == "taken http://one"
    os.kill(first.process.pid, signal.SIGCONT)
    first.say("lost")
    assert first.line() == "lost"
    # What it says from now on changes nothing.
    first.end("failed")
    third = hold(gateways[0], "http://three")
    assert third.line() == "theirs http://two"
    second.end("done")
    assert third.line() == "taken http://two"


def test_who_was_killed_is_replaced(gateways, hold):
    first = hold(gateways[0], "http://one")
    assert first.line() == "new"
    second = hold(gateways[1], "http://two")
    assert second.line() == "theirs http://one"
    first.process.kill()
    assert second.line() == "taken http://one"


# ---- what fails ----


@pytest.mark.parametrize("act", ["lost", "late-error", "drop", "error", "slow", "conflict"])
def test_a_lost_answer_to_a_create_is_resolved(front, scripted, hold, act):
    front.script.on("PUT", act)
    holder = hold(scripted, "http://one")
    assert holder.line() == "new"
    holder.end("done")
    assert lease(front)["state"] == "done" and lease(front)["node"] == "http://one"


@pytest.mark.parametrize("act", ["lost", "late-error", "drop", "error", "slow", "conflict"])
def test_a_lost_answer_to_a_takeover_is_resolved(front, scripted, hold, act):
    first = hold(scripted, "http://one")
    assert first.line() == "new"
    first.end("failed")
    front.script.on("PUT", act)
    second = hold(scripted, "http://two")
    assert second.line().startswith("taken")
    second.end("done")
    assert lease(front)["state"] == "done" and lease(front)["node"] == "http://two"


@pytest.mark.parametrize("act", ["lost", "late-error", "drop", "error", "slow", "conflict"])
def test_a_lost_answer_to_a_renewal_is_resolved(front, scripted, hold, act):
    holder = hold(scripted, "http://one")
    assert holder.line() == "new"
    front.script.on("PUT", act)
    holder.say("report")
    wait_until(lambda: lease(front)["total_bytes"] == 10, "it is told how much there is")
    holder.end("done")
    assert (lease(front)["state"], lease(front)["bytes"], lease(front)["upstream"]) == ("done", 5, "hub")


@pytest.mark.parametrize("act", ["lost", "late-error", "drop", "error", "slow"])
def test_a_removal_that_fails_is_tried_again(front, scripted, hold, act):
    holder = hold(scripted, "http://one")
    assert holder.line() == "new"
    front.script.on("DELETE", act)
    holder.end("nothing")
    assert lease(front) is None


def test_another_ones_lease_is_not_removed(front, scripted, hold):
    """Who was frozen finds out before he removes anything."""
    holder = hold(scripted, "http://one")
    assert holder.line() == "new"
    os.kill(holder.process.pid, signal.SIGSTOP)
    other = hold(scripted, "http://two")
    assert other.line() == "theirs http://one"
    assert other.line() == "taken http://one"
    holder.say("nothing")
    os.kill(holder.process.pid, signal.SIGCONT)
    holder.end()
    assert lease(front)["node"] == "http://two" and not [seen for seen in front.script.seen if seen[0] == "DELETE"]


def test_each_text_is_another(front, scripted, hold):
    """So that each ETag is, which is how others see that it is alive."""
    holder = hold(scripted, "http://one")
    assert holder.line() == "new"
    seen = {json.dumps(lease(front))}
    for count in range(2, 4):
        wait_until(lambda: json.dumps(lease(front)) not in seen, "another text")
        seen.add(json.dumps(lease(front)))
    assert len(seen) == 3


def test_a_create_that_another_won(front, scripted, hold):
    first = hold(scripted, "http://one")
    assert first.line() == "new"
    key, body = next(iter(front.objects.items()))
    first.process.kill()
    del front.objects[key]
    front.script.on("PUT", "drop")
    front.script.after("PUT", 1, lambda: front.objects.update({key: body}))
    assert hold(scripted, "http://two").line() == "theirs http://one"


def test_a_lease_that_is_gone_is_lost(front, scripted, hold):
    holder = hold(scripted, "http://one")
    assert holder.line() == "new"
    front.objects.clear()
    holder.say("lost")
    holder.say("report")
    assert holder.line() == "lost"
    holder.end("done")
    assert not front.objects


@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 10000, b"no", b'{"larder_lease":2}', b"x" * (32 << 10)],
                         ids=["empty", "other", "deep", "text", "later", "large"])
def test_a_lease_that_is_none(front, scripted, hold, body):
    """It is nobody's to take, and what is to be done is done without."""
    holder = hold(scripted, "http://one")
    assert holder.line() == "new"
    holder.end("done")
    front.objects[next(iter(front.objects))] = body
    assert hold(scripted, "http://two").line().startswith("store-unavailable")


@pytest.mark.parametrize("act", ["slow", "error", "drop", "denied"])
def test_a_store_that_does_not_answer(front, scripted, hold, act):
    front.script.on("PUT", *[act] * 40)
    front.script.on("GET", *[act] * 40)
    assert hold(scripted, "http://one").line().startswith("store-unavailable")
