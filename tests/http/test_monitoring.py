# SPDX-License-Identifier: Apache-2.0
"""What Prometheus is told."""
import pytest
from support import modules

MODULE = modules.module(300)
COMPRESSED = "?tf-hub-format=compressed"


@pytest.fixture(scope="module")
def told(shared):
    """The metrics of a daemon that has fetched a module, given it twice more, and taken another one."""
    larder = shared
    larder.upstream.serve("/google/told/1", MODULE)
    for _ in range(3):
        assert larder.get("/google/told/1" + COMPRESSED).body == MODULE
        larder.wait_for_idle()
    larder.publish("/acme/told/1", MODULE)
    return larder.metrics()


@pytest.mark.parametrize("family, least", [
    ('larder_first_byte_seconds{result="miss"}', 1), ('larder_first_byte_seconds{result="hit"}', 2), ('larder_first_byte_seconds{result="collapsed"}', 0),
    ("larder_upstream_seconds", 1), ("larder_fsync_seconds", 2), ("larder_commit_seconds", 2),
    ('larder_queue_wait_seconds{queue="workers"}', 1), ('larder_queue_wait_seconds{queue="fills"}', 1),
])
def test_how_long_things_took(told, family, least):
    name, _, labels = family.rstrip("}").partition("{")
    braces = f"{{{labels}}}" if labels else ""
    count, total = told[f"{name}_count{braces}"], told[f"{name}_sum{braces}"]
    assert count >= least and total >= 0
    start = f"{name}_bucket{{{labels}{',' if labels else ''}le="
    buckets = [(float(key[len(start):].strip('"}')), value) for key, value in told.items() if key.startswith(start)]
    assert buckets[-1] == (float("inf"), count) and buckets == sorted(buckets), buckets
    assert [value for _, value in buckets] == sorted(value for _, value in buckets), "cumulative"
