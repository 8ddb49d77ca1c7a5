# SPDX-License-Identifier: Apache-2.0
"""A webhook's receiver on a real socket. It holds every message against its signature, and answers as a test wants."""
import base64
import hashlib
import hmac
import json
import socket
import socketserver
import struct
import threading
import time
from dataclasses import dataclass

from .waiting import wait_until

SECRET = "whsec_" + base64.b64encode(b"a key of thirty-two bytes, truly").decode()


def key_of(secret):
    return base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()


@dataclass
class Message:
    path: str
    headers: dict  # names in small letters
    body: bytes

    @property
    def event(self):
        return json.loads(self.body)

    @property
    def id(self):
        return self.headers["webhook-id"]

    def is_signed_by(self, secret):
        text = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        code = "v1," + base64.b64encode(hmac.digest(key_of(secret), text, hashlib.sha256)).decode()
        return code in self.headers["webhook-signature"].split()


def status(number, *fields):
    """An answer of this status."""
    head = "".join(f"{field}\r\n" for field in fields)
    return f"HTTP/1.1 {number} Said\r\n{head}Content-Length: 0\r\n\r\n".encode()


OK = status(204)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Receiver:
    """answers: bytes, or functions of the connection, which are used up one by one; then OK. All messages are in `messages`,
    also those that were answered by a failure; `taken` are those that were not."""

    def __init__(self, answers=(), port=0, context=None, secret=SECRET):
        self.messages, self.taken, self.faults = [], [], []
        self.answers, self.secret, self.context = list(answers), secret, context
        self.released = threading.Event()  # what silent ones wait for
        receiver = self

        class Handler(socketserver.StreamRequestHandler):
            def setup(self):
                if receiver.context:
                    self.request = receiver.context.wrap_socket(self.request, server_side=True)
                super().setup()

            def handle(self):
                try:
                    while receiver.serve(self.rfile, self.request):
                        pass
                except OSError:
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads, request_queue_size = True, True, 64

            def handle_error(self, request, client_address):
                pass  # a client that does not trust the certificate

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def read(self, stream):
        line = stream.readline().decode()
        if not line:
            return None
        headers = {}
        while (field := stream.readline().decode().strip()):
            name, _, value = field.partition(":")
            headers[name.lower()] = value.strip()
        return Message(line.split()[1], headers, stream.read(int(headers["content-length"])))

    def serve(self, stream, connection):
        message = self.read(stream)
        if message is None:
            return False
        if not message.is_signed_by(self.secret):
            self.faults.append(f"not signed: {message}")
        if abs(time.time() - int(message.headers["webhook-timestamp"])) > 300:
            self.faults.append(f"of another time: {message}")
        self.messages.append(message)
        answer = self.answers.pop(0) if self.answers else OK
        if callable(answer):
            return answer(self, connection)
        connection.sendall(answer)
        if answer.startswith(b"HTTP/1.1 2"):
            self.taken.append(message)
        return True

    # ---- what it was told ------------------------------------------------------------------------------------------------

    def wait_for(self, count, what="messages"):
        wait_until(lambda: len(self.taken) >= count, lambda: f"{count} {what}; there are {self.events()}")
        return self.taken

    def events(self):
        return [(message.event["type"], f"{message.event['data']['handle']}/{message.event['data']['version']}") for message in self.taken]

    def stop(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        assert not self.faults, self.faults


# ---- answers that are none -------------------------------------------------------------------------------------------------

def silent(receiver, connection):
    receiver.released.wait()
    return False


def resets(receiver, connection):
    reset(connection)
    return False


def closes(receiver, connection):
    return False


def until_close(receiver, connection):
    """An answer whose end is that of the connection."""
    receiver.taken.append(receiver.messages[-1])
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nthank you")
    return False


def endless_head(receiver, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not receiver.released.is_set():
        connection.sendall(b"X-More: " + b"x" * 4000 + b"\r\n")
    return False


def endless_body(receiver, connection):
    """Whose status is there."""
    receiver.taken.append(receiver.messages[-1])
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
    while not receiver.released.is_set():
        connection.sendall(b"x" * 65536)
    return False


def endless_interim(receiver, connection):
    while not receiver.released.is_set():
        connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)
    return False
