# SPDX-License-Identifier: Apache-2.0
"""HTTP as the tests speak it: answers that were read whole, answers that are read bit by bit, and bare bytes."""
import hashlib
import http.client
import json
import socket
from dataclasses import dataclass

from . import contract
from .secure import Secure
from .waiting import DEADLINE_S


@dataclass
class Reply:
    """An answer that was read to its end."""
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    version: int = 11

    def json(self):
        media_type = self.headers.get("Content-Type", "")
        assert "json" in media_type, f"not JSON but {media_type}: {self}"
        return json.loads(self.body)

    def header(self, name):
        value = self.headers.get(name)
        assert value is not None, f"the answer ({self.status}) has no {name}; it has {dict(self.headers)}"
        return value

    def __str__(self):
        return f"{self.status} {self.body[:400]!r}"


class Http:
    """Requests to one address, each on a connection of its own. Paths go out as they are."""

    def __init__(self, address, source=None, context=None):
        self.address = address
        self.witness = None  # is told of each answer that was read whole: witness(method, path, what was sent, reply)
        self.source = source  # another address of this machine to come from: another client
        self.context = context  # of TLS; None: plain HTTP

    def dial(self, data=b"", receive_bytes=None):
        """A socket, or what is like one over TLS, on which this has been sent."""
        connection = socket.socket()
        connection.settimeout(DEADLINE_S)
        if receive_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        if self.source:
            connection.bind((self.source, 0))
        connection.connect(self.address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context:
            connection = Secure(connection, self.context)
        connection.sendall(data)
        return connection

    def connect(self):
        connection = http.client.HTTPConnection(*self.address, timeout=DEADLINE_S, source_address=self.source and (self.source, 0))
        if self.context:
            connection.sock = self.dial()
        return connection

    def open(self, path, method="GET", headers=None, body=None):
        """Sends a request and gives the answer as soon as its head is there; close it."""
        connection = self.connect()
        headers = {"Host": "%s:%d" % self.address, **(headers or {})}
        chunked = body is not None and not isinstance(body, (bytes, str)) and "Content-Length" not in headers
        if chunked:
            headers["Transfer-Encoding"] = "chunked"
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        if isinstance(body, (bytes, str)):
            headers.setdefault("Content-Length", str(len(body)))
        for name, value in headers.items():
            connection.putheader(name, value)
        try:
            connection.endheaders(body, encode_chunked=chunked)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the body was out: the answer is there all the same
        return connection.getresponse()

    def request(self, method, path, headers=None, body=None):
        with self.open(path, method, headers, body) as response:
            reply = Reply(response.status, response.headers, response.read(), response.version)
        contract.hold(method, path, reply)
        if self.witness:
            self.witness(method, path, body, reply)
        return reply

    def get(self, path, **headers):
        return self.request("GET", path, spelled(headers))

    def head(self, path, **headers):
        return self.request("HEAD", path, spelled(headers))

    def raw(self, data, to_end=True):
        """Sends bytes on a new connection and gives all that comes back until it is closed."""
        with self.dial(data) as connection:
            received = bytearray()
            while to_end or not received:
                try:
                    block = connection.recv(1 << 16)
                except ConnectionResetError:
                    break
                if not block:
                    break
                received += block
        return bytes(received)


class Kept(Http):
    """Requests one after the other on a connection that stays, for who asks thousands of them."""

    def __init__(self, address):
        super().__init__(address)
        self.connection = super().connect()

    def connect(self):
        return self.connection


def spelled(headers):
    """Header names from argument names: if_none_match is If-None-Match."""
    return {name.replace("_", "-").title(): value for name, value in headers.items()}


def read_status(raw):
    """The status in a raw answer."""
    assert raw.startswith(b"HTTP/1."), f"not an HTTP answer: {raw[:100]!r}"
    return int(raw.split(b" ", 2)[1])


class Download:
    """A GET that is read bit by bit. Whether it ended as it should is told apart from what came."""

    def __init__(self, http_, path, headers=None):
        self.response = http_.open(path, headers=headers)
        self.status = self.response.status
        self.headers = self.response.headers
        self.received = 0
        self.hash = hashlib.sha256()
        self.block = bytearray(256 << 10)
        self.whole = False
        self.error = None

    def read_up_to(self, length):
        """Reads until this many bytes are here, the end has come, or the connection was cut; false for the last."""
        try:
            while self.received < length and not self.whole:
                view = memoryview(self.block)[:min(len(self.block), length - self.received)]
                got = self.response.readinto(view)
                self.hash.update(view[:got])
                self.received += got
                # For a body of known length http.client takes a cut for an end.
                if got == 0:
                    if self.response.length:
                        raise http.client.IncompleteRead(b"", self.response.length)
                    self.whole = True
        except (OSError, http.client.HTTPException) as error:
            self.error = error
            return False
        return True

    def read_to_end(self):
        return self.read_up_to(1 << 62)

    def close(self):
        self.response.close()

    def digest(self):
        return self.hash.hexdigest()
