# SPDX-License-Identifier: Apache-2.0
"""Probes need nothing that a request can hold: they answer while all workers wait."""
import socket
import threading

import pytest
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

PATHS = ["/google/silent-%d/1" % number for number in range(8)]


def occupy(larder, upstream, count):
    """So many HEADs at an upstream that says nothing: (their connections, what lets them go on)."""
    silence = threading.Event()
    for path in PATHS[:count]:
        upstream.serve(path, Answer(b"", 404, before=silence))
    connections = []
    for path in PATHS[:count]:
        connection = socket.create_connection(larder.address, timeout=DEADLINE_S)
        connection.sendall(f"HEAD {path}?tf-hub-format=compressed HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        connections.append(connection)
    wait_until(lambda: len(upstream.requests) >= count, lambda: f"{len(upstream.requests)} of {count} asked upstream")
    return connections, silence


@pytest.mark.concurrent
@pytest.mark.parametrize("workers", [1, 4, 8])
@pytest.mark.parametrize("probe, words", [("/healthz", b"ok\n"), ("/readyz", b'"ready":'), ("/metrics", b"larder_requests_total")])
def test_probes_answer_while_all_workers_wait(start, upstream, workers, probe, words):
    larder = start({"server": {"workers": workers}, "mirror": {"max_fills": 16}}, [upstream.url])
    connections, silence = occupy(larder, upstream, workers)
    for _ in range(3):
        reply = larder.get(probe)
        assert reply.status == 200 and words in reply.body, reply
    assert larder.request("HEAD", probe).status == 200
    silence.set()
    for connection in connections:
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 404 ")
        connection.close()
