# SPDX-License-Identifier: Apache-2.0
"""TLS as the tests speak it: over a socket, with either end of the stream in the test's hands. An end that the server has
not told (close_notify) is an error, never an end."""
import io
import socket
import ssl
import subprocess

BLOCK = 1 << 16


def make_certificate(folder, days=30):
    """cert.pem and key.pem for localhost and 127.0.0.1."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    "key.pem", "-out", "cert.pem", "-days", str(days), "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1,DNS:localhost"], cwd=folder, check=True, capture_output=True)
    return folder


def make_context(certificate=None, **settings):
    """A client's; without a certificate it trusts whoever answers."""
    context = ssl.create_default_context(cafile=certificate)
    if not certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for name, value in settings.items():
        setattr(context, name, value)
    return context


class Secure:
    """As a socket, as far as the tests need one."""

    def __init__(self, connection, context, shake=True):
        self.socket = connection
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")
        self.files = 0
        self.closed = False
        if shake:
            self.run(self.tls.do_handshake)

    def flush(self):
        while self.outgoing.pending:
            self.socket.sendall(self.outgoing.read(BLOCK))

    def feed(self):
        """Whatever the socket's recv raises is raised; at its end TLS is told so."""
        block = self.socket.recv(BLOCK)
        if block:
            self.incoming.write(block)
        else:
            self.incoming.write_eof()

    def run(self, act):
        while True:
            try:
                result = act()
            except ssl.SSLWantReadError:
                self.flush()
                self.feed()
                continue
            self.flush()
            return result

    def sendall(self, data):
        view = memoryview(data)
        while view:
            view = view[self.run(lambda piece=view[:BLOCK]: self.tls.write(piece)):]

    def recv(self, size, flags=0):
        try:
            return self.run(lambda: self.tls.read(size))
        except ssl.SSLZeroReturnError:
            return b""

    def shutdown(self, how=socket.SHUT_WR, told=True, sent=True):
        """Ends what this side sends: in TLS (told), on the socket (sent), or both."""
        if told:
            try:
                self.tls.unwrap()
            except ssl.SSLWantReadError:
                pass
            self.flush()
        if sent:
            self.socket.shutdown(how)

    def makefile(self, mode="rb"):
        self.files += 1
        return io.BufferedReader(Reader(self))

    def close(self):
        self.closed = True
        if self.files == 0:
            self.socket.close()

    def __getattr__(self, name):
        return getattr(self.socket, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Reader(io.RawIOBase):
    def __init__(self, secure):
        self.secure = secure

    def readable(self):
        return True

    def readinto(self, view):
        block = self.secure.recv(len(view))
        view[:len(block)] = block
        return len(block)

    def close(self):
        if not self.closed:
            self.secure.files -= 1
            if self.secure.closed:
                self.secure.close()
        super().close()
