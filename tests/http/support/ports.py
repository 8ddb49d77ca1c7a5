# SPDX-License-Identifier: Apache-2.0
"""Ports that stay ours, whether anything listens at them or not."""
import socket


class Port:
    """A port of the loopback that the kernel gives to nobody else: neither to who asks for any, nor to a connection that is
    made. Whoever asks for it by its number, with SO_REUSEADDR as servers do, may listen at it; while nobody does, connections
    are refused."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.address = self.socket.getsockname()
        self.number = self.address[1]

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
