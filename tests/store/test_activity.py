# SPDX-License-Identifier: Apache-2.0
"""What a node tells of what it shares: its requests to the store, leases, and the nodes that it follows; and to nobody what leads there."""
import re

from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.modules import digest, module
from support.waiting import wait_until
from test_following import PATH, begin, gated, pool, trio  # noqa: F401
from test_nodes import assert_has, behind_relay, fetch, node  # noqa: F401


def store_of(daemon):
    return daemon.get("/api/v1/activity").json()["store"]


def requests_of(store):
    return {row["kind"]: row["requests"] for row in store["requests"]}


def test_a_node_alone_shares_nothing(start):  # noqa: F811
    larder = start()
    assert store_of(larder) is None
    assert b"Shared with other nodes" not in larder.get("/-/activity").body


def test_requests_are_told_by_kind(node):
    a, b = node("a", store={"poll_interval_s": 60, "lease_ttl_s": 120}), node("b", 1, store={"poll_interval_s": 60, "lease_ttl_s": 120})
    before = requests_of(store_of(a))
    a.publish("/acme/one/1", module())
    store = store_of(a)
    after = requests_of(store)
    # The bytes, the identity and the hint are written, each once.
    assert after["put"] - before["put"] == 3 and after["head"] > before["head"] and after["get"] > before["get"] and after["list"] > before["list"]
    assert store["reads"] and store["writes"] and store["leases"]["held"] == 0 and store["peers"] == []
    assert_has(b, module(), "/acme/one/1")
    # A request more may be on its way; what is counted is timed.
    metrics = a.metrics()
    name = "larder_store_request_milliseconds"
    bounds = ["5", "20", "100", "500", "2000", "10000", "+Inf"]
    counts = [metrics[f'{name}_bucket{{le="{bound}"}}'] for bound in bounds]
    assert counts == sorted(counts) and counts[-1] == metrics[name + "_count"] > 0
    assert metrics[name + "_sum"] == sum(metrics[f'larder_store_waited_milliseconds_total{{kind="{kind}"}}'] for kind in after)
    assert [row["within_ms"] for row in store["latency"]] == [5, 20, 100, 500, 2000, 10000, None]
    assert "# TYPE larder_store_request_milliseconds histogram" in a.get("/metrics").body.decode()


def test_failures_and_what_can_be_done_are_told(behind_relay):
    relay, a = behind_relay
    a.publish("/acme/one/1", module())
    failures = store_of(a)["failures"]
    relay.close()
    wait_until(lambda: fetch(a, "/acme/two/1").status == 503, "it is noticed")
    wait_until(lambda: store_of(a)["failures"] > failures and not store_of(a)["reads"], "it is told")
    page = a.get("/-/activity").body.decode()
    assert '<span id="store-reads">no</span>' in page


def test_who_follows_whom(trio, pool, gated):  # noqa: F811
    """While it goes on, and afterwards."""
    clients = begin(trio, pool)
    holder, *others = (store_of(daemon) for daemon in trio)
    assert holder["leases"]["held"] == 1 and holder["leases"]["following"] == 0
    assert [store["leases"]["following"] for store in others] == [1, 1]
    gated.gate.set()
    assert {client.result() for client in clients} == {digest(gated.body)}
    for daemon in trio[1:]:
        daemon.wait_for("larder_leases_following", lambda count: count == 0)
        peer, = store_of(daemon)["peers"]
        assert peer["node"] == trio[0].url.rstrip("/") and peer["followed"] >= 1
        assert peer["received_bytes"] == len(gated.body) == daemon.metric("larder_peer_received_bytes_total")
    assert store_of(trio[0])["peers"] == []


def test_a_holder_that_ends_is_told_as_a_failure(trio, pool, gated, upstream):  # noqa: F811
    clients = begin(trio, pool)
    trio[0].kill()
    upstream.wait_for_requests(2, PATH)
    gated.gate.set()
    assert [client.result() for client in clients[1:]] == [digest(gated.body)] * 2
    told = [peer for daemon in trio[1:] for peer in store_of(daemon)["peers"] if peer["node"] == trio[0].url.rstrip("/")]
    assert len(told) == 2 and all(peer["last_error"].startswith("upstream-") and peer["last_error_at"] for peer in told)
    trio[0].start()


def test_no_right_to_follow_is_told(trio, pool, gated):  # noqa: F811
    """The address of a lease carries one: neither JSON nor pages nor metrics have it."""
    begin(trio, pool)
    gated.gate.set()
    for daemon in trio:
        daemon.wait_for_idle()
        for path in ("/api/v1/activity", "/-/activity", "/metrics"):
            assert not re.search(rb"cap_|/-/t/", daemon.get(path).body)
    assert trio[0].url.rstrip("/").encode() in trio[1].get("/-/activity").body
