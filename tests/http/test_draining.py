# SPDX-License-Identifier: Apache-2.0
"""What a daemon that was told to stop tells balancers, and whom it serves meanwhile."""
import signal

import pytest
from support import modules
from support.client import Http
from support.waiting import DEADLINE_S, wait_until

PATH = "/acme/x/1"
MODULE = modules.module(40_000)
LONG = 3600  # seconds: not to be waited for

# Method, target, further fields, body, the status: by the response cache, by handlers and by libmicrohttpd.
ASKED = {
    "alive": ("GET", "/healthz", {}, None, 200),
    "hit": ("GET", PATH + "?tf-hub-format=compressed", {}, None, 200),
    "head": ("HEAD", PATH + "?tf-hub-format=compressed", {}, None, 200),
    "part": ("GET", PATH + "?tf-hub-format=compressed", {"Range": "bytes=5-20"}, None, 206),
    "by a handler": ("GET", PATH + "?tf-hub-format=compressed", {"Authorization": "Bearer x"}, None, 200),
    "list": ("GET", "/api/v1/modules", {}, None, 200),
    "page": ("GET", "/", {"Accept": "text/html"}, None, 200),
    "refused": ("GET", "/acme/../x", {}, None, 400),
    "publish": ("PUT", "/acme/y/%d", {}, MODULE, 201),
}


class Asking:
    """One connection that stays, as a balancer has it."""

    def __init__(self, larder, case, token):
        self.method, self.target, self.fields, self.body, self.status = ASKED[case]
        if self.method == "PUT":
            self.fields = {"Authorization": f"Bearer {token}"}
        self.connection = Http(larder.address).connect()

    def ask(self, number=0):
        """Whether the answer was the connection's last."""
        target = self.target % number if "%" in self.target else self.target
        self.connection.request(self.method, target, self.body, self.fields)
        with self.connection.getresponse() as response:
            body = response.read()
            assert response.status == self.status, (target, body)
            assert self.target.endswith("compressed") is False or body in (b"", MODULE, MODULE[5:21])
            return response.getheader("Connection") == "close"


def readiness(larder):
    return larder.get("/readyz").status


@pytest.mark.concurrent
@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_balancers_are_told_while_all_is_served(start, first):
    larder = start({"server": {"drain_delay_s": LONG, "drain_timeout_s": int(DEADLINE_S)}})
    larder.publish(PATH, MODULE)
    assert all(larder.get(PATH + "?tf-hub-format=compressed").body == MODULE for _ in range(2))
    kept = {case: Asking(larder, case, larder.token()) for case in ASKED if case != "refused"}
    assert [case for number, (case, asking) in enumerate(kept.items(), 1) if asking.ask(number)] == []
    looking = Http(larder.address).connect()
    looking.request("GET", "/readyz")
    assert looking.getresponse().read() and looking.sock

    larder.process.send_signal(first)
    wait_until(lambda: readiness(larder) == 503, larder.tail)
    looking.request("GET", "/readyz")
    with looking.getresponse() as told:
        assert told.status == 503 and b"about to stop" in told.read() and told.getheader("Connection") == "close"
    assert [case for number, (case, asking) in enumerate(kept.items(), 20) if not asking.ask(number)] == []
    assert [case for number, case in enumerate(ASKED, 40) if not Asking(larder, case, larder.token()).ask(number)] == []
    hit = f"GET {PATH}?tf-hub-format=compressed HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    for number in range(1, 6):
        assert larder.raw(number * hit).count(MODULE) == number, "what was sent in one piece is answered before the connection closes"
    larder.process.send_signal(signal.SIGHUP)
    assert readiness(larder) == 503 and larder.is_running()
    larder.stop()


def test_a_running_answer_outlives_the_delay(start):
    """The second signal ends the delay only."""
    larder = start({"server": {"drain_delay_s": LONG, "drain_timeout_s": int(DEADLINE_S)}})
    large = modules.module(20_000_000)
    larder.publish(PATH, large)
    with larder.open(PATH + "?tf-hub-format=compressed") as running:
        begun = running.read(1000)
        larder.process.send_signal(signal.SIGTERM)
        wait_until(lambda: readiness(larder) == 503, larder.tail)
        larder.process.send_signal(signal.SIGINT)

        def is_refused():
            try:
                larder.dial().close()
            except ConnectionRefusedError:
                return True
            except ConnectionError:
                pass  # it was in the queue of the listener that closed
            return False
        wait_until(is_refused, larder.tail)
        assert larder.is_running() and begun + running.read() == large
    assert larder.process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize("fields", ["", "Authorization: Bearer x\r\n"], ids=["hit", "by a handler"])
def test_what_a_client_sends_on_takes_nothing_from_its_answer(start, fields):
    """The server has said that it closes, which the client cannot know before it has sent its next request."""
    larder = start({"server": {"drain_delay_s": LONG, "drain_timeout_s": int(DEADLINE_S)}})
    large = modules.module(20_000_000)
    larder.publish(PATH, large)
    assert larder.get(PATH + "?tf-hub-format=compressed").body == large
    larder.process.send_signal(signal.SIGTERM)
    wait_until(lambda: readiness(larder) == 503, larder.tail)
    with larder.dial() as connection:
        connection.sendall(f"GET {PATH}?tf-hub-format=compressed HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode())
        got = [connection.recv(1000)]
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        while got[-1]:
            got.append(connection.recv(1 << 20))
    assert b"".join(got).endswith(b"\r\n\r\n" + large)
    larder.stop()


def test_the_delay_ends_by_itself(start):
    start({"server": {"drain_delay_s": 1}}).stop()
