# SPDX-License-Identifier: Apache-2.0
"""A store of S3 with a script: keeps objects in memory, holds to conditions, and does what it is told to do wrong."""
import contextlib
import email.utils
import hashlib
import http.server
import itertools
import select
import socket
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

HOLD_S, DRIP_S, DELAY_S = 4, 0.2, 0.1
ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>no</Message></Error>'


class Script:
    """What becomes of requests. `on(method, *acts)` queues what is done instead of serving, one act a request; the names of acts:
    drop (read, no answer), slow (503 SlowDown), error (500, nothing done), late-error (done, then 500), lost (done, no answer),
    conflict (409 ConditionalRequestConflict), cut (half of the body), redirect, huge (an endless answer), moved (another object from now),
    endless (ended by closing), gone (404 NoSuchUpload, nothing done), hold (done HOLD_S later, where the client is still there), drip (403, whose body
    takes HOLD_S), silent (nothing, as long as the client waits, HOLD_S at most), delay (done and answered DELAY_S later), late (done once the client has
    given up), twice (done two times, the second is answered). A tuple is answered as it stands: status, body, headers."""

    def __init__(self):
        self.acts, self.seen, self.lock = {}, [], threading.RLock()
        self.planned = None  # at()
        self.afterwards = {}
        self.ignores_conditions = False
        self.etags = "quoted"  # how If-Match is compared: quoted, bare; untold: as quoted, but none is told
        self.skew_s = 0
        # What else it does wrong, by words: "stale" (says no to a stale ETag, and exchanges), "none" (exchanges what is not there), "race" (looks
        # at conditions of objects that end so before any of two has written), "backwards" (lists what is not behind start-after).
        self.lies = set()
        self.barrier = threading.Barrier(2)

    def on(self, method, *acts):
        self.acts.setdefault(method, []).extend(acts)

    def at(self, number, act, words):
        """What becomes of that one (from 1 on) of the requests whose address has one of these words."""
        with self.lock:
            self.planned = [number, act, words]

    def met(self):
        """Whether what was planned has come to pass; it does not any more."""
        with self.lock:
            planned, self.planned = self.planned, None
            return planned is None

    def act_planned(self, path):
        if not self.planned or not any(word in path for word in self.planned[2]):
            return None
        self.planned[0] -= 1
        if self.planned[0] > 0:
            return None
        act, self.planned = self.planned[1], None
        return act

    def after(self, method, count, act):
        """Is called once so many requests of the method were seen from now on, after the last of them was done and before it is answered."""
        self.afterwards[method] = [count, act]

    def note_done(self, method):
        with self.lock:
            waiting = self.afterwards.get(method)
            if waiting:
                waiting[0] -= 1
                if waiting[0] == 0:
                    del self.afterwards[method]
                    waiting[1]()

    def next(self, method, path, headers):
        with self.lock:
            self.seen.append((method, path, dict(headers)))
            queue = self.acts.get(method)
            return queue.pop(0) if queue else self.act_planned(path)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(time.time() + self.server.script.skew_s, usegmt=True)

    def note_done(self):
        if not self.noted:
            self.noted = True
            self.server.script.note_done(self.command)

    def answer(self, status, body=b"", headers=(), declared=None):
        if self.mute:
            return
        self.note_done()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if declared is None else declared))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code):
        self.answer(status, ERROR.format(code).encode(), [("Content-Type", "application/xml")])

    def is_left(self, seconds):
        """Whether the client hangs up within that time."""
        return bool(select.select([self.connection], [], [], seconds)[0])

    def drip(self):
        count = int(HOLD_S / DRIP_S)
        self.answer(403, declared=count)
        for _ in range(count):
            if self.is_left(DRIP_S):
                return self.hang_up()
            self.wfile.write(b"x")

    def hang_up(self):
        self.note_done()
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def serve(self):
        self.noted = self.mute = False
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        act = self.server.script.next(self.command, self.path, self.headers)
        if isinstance(act, tuple):
            return self.answer(*act)
        if act == "drip":
            return self.drip()
        if act == "silent":
            self.is_left(HOLD_S)
            return self.hang_up()
        if act == "gone":
            return self.refuse(404, "NoSuchUpload")
        if act == "drop":
            return self.hang_up()
        if act == "slow":
            return self.refuse(503, "SlowDown")
        if act == "error":
            return self.refuse(500, "InternalError")
        if act == "conflict":
            return self.refuse(409, "ConditionalRequestConflict")
        if act == "denied":
            return self.refuse(403, "AccessDenied")
        if act == "redirect":
            return self.answer(307, headers=[("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")])
        if act == "entities":
            return self.answer(200, b'<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult><Key>&b;</Key></ListBucketResult>')
        if act == "huge":
            return self.answer(200, b"<ListBucketResult>" + b"<Contents><Key>a</Key></Contents>" * (1 << 18))
        key = url.path.split("/", 2)[2] if url.path.count("/") > 1 else ""
        return self.perform(getattr(self, "do_it_" + self.command.lower()), (key, query, body), act)

    def perform(self, do_it, what, act):
        if act == "delay":
            time.sleep(DELAY_S)
        if act in ("late", "twice"):
            if act == "late":
                self.is_left(HOLD_S)
            self.mute = True
            do_it(*what, None)
            self.mute = False
        return self.hang_up() if act == "late" else do_it(*what, act)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = serve

    def holds(self, key):
        script, objects = self.server.script, self.server.objects
        if script.ignores_conditions:
            return True
        if self.headers.get("If-None-Match") == "*" and key in objects:
            return False
        wanted = self.headers.get("If-Match")
        if wanted is None:
            return True
        etag = hashlib.md5(objects.get(key, b"")).hexdigest()
        return key in objects and wanted == (etag if script.etags == "bare" else f'"{etag}"')

    def do_it_put(self, key, query, body, act):
        if hashlib.sha256(body).hexdigest() != self.headers["x-amz-content-sha256"]:
            return self.refuse(400, "XAmzContentSHA256Mismatch")
        if "uploadId" in query:
            self.server.parts.setdefault(query["uploadId"], {})[int(query["partNumber"])] = body
        else:
            script = self.server.script
            if "race" in script.lies and key.endswith("race") and self.holds(key):
                with contextlib.suppress(threading.BrokenBarrierError):
                    script.barrier.wait(HOLD_S)
                self.server.objects[key] = body
                return self.answer(200, headers=self.etag_of(body))
            with script.lock:
                if not self.holds(key) and not ("none" in script.lies and key not in self.server.objects):
                    if "stale" in script.lies and "If-Match" in self.headers:
                        self.server.objects[key] = body
                    return self.refuse(412, "PreconditionFailed")
                self.server.objects[key] = body
                self.server.modified[key] = time.time() + script.skew_s
        if act == "lost":
            return self.hang_up()
        if act == "late-error":
            return self.refuse(500, "InternalError")
        return self.answer(200, headers=self.etag_of(body))

    def etag_of(self, body):
        return [] if self.server.script.etags == "untold" else [("ETag", f'"{hashlib.md5(body).hexdigest()}"')]

    def do_it_post(self, key, query, body, act):
        if "uploads" in query:
            name = f"upload~{next(self.server.counter)}"
            self.server.parts[name] = {}
            return self.answer(200, f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>".encode())
        parts = self.server.parts.get(query["uploadId"])
        if parts is None:
            return self.refuse(404, "NoSuchUpload")
        if act == "error-in-200":
            return self.answer(200, ERROR.format("InternalError").encode())
        if act == "hold" and self.is_left(HOLD_S):
            return self.hang_up()
        del self.server.parts[query["uploadId"]]
        self.server.objects[key] = b"".join(parts[number] for number in sorted(parts))
        self.server.modified[key] = time.time() + self.server.script.skew_s
        if act == "lost":
            return self.hang_up()
        return self.answer(200, b"<CompleteMultipartUploadResult><Key>k</Key></CompleteMultipartUploadResult>")

    def do_it_delete(self, key, query, body, act):
        if "uploadId" in query:
            self.server.parts.pop(query["uploadId"], None)
        else:
            self.server.objects.pop(key, None)
        return self.hang_up() if act == "lost" else self.answer(204)

    def do_it_head(self, key, query, body, act):
        return self.do_it_get(key, query, body, act)

    def do_it_get(self, key, query, body, act):
        if not key:
            return self.list(query)
        if key not in self.server.objects:
            return self.refuse(404, "NoSuchKey")
        body = self.server.objects[key]
        status, headers = 200, [*self.etag_of(body), ("Last-Modified", email.utils.formatdate(self.modified(key), usegmt=True))]
        wanted = self.headers.get("Range")
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            first, last = int(first), min(int(last or len(body)), len(body) - 1)
            headers.append(("Content-Range", f"bytes {first}-{last}/{len(body)}"))
            status, body = 206, body[first:last + 1]
        if act == "endless":
            self.close_connection = True
            self.send_response(status)
            self.end_headers()
            return self.wfile.write(body[:2])
        if act in ("cut", "moved"):
            self.answer(status, body[:len(body) // 2], headers, len(body))
            if act == "moved":
                self.server.objects[key] = bytes(reversed(self.server.objects[key]))
            return self.hang_up()
        return self.answer(status, body, headers)

    def listed_time(self, key):
        return time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime(self.modified(key)))

    def modified(self, key):
        return self.server.modified.get(key, time.time() + self.server.script.skew_s)

    def list(self, query):
        keys = sorted(key for key in self.server.objects if key.startswith(query["prefix"])
                      and ("backwards" in self.server.script.lies or key > query.get("start-after", "")))
        page = keys[:int(query["max-keys"])]
        rows = "".join(f"<Contents><Key>{escape(key)}</Key><LastModified>{self.listed_time(key)}</LastModified><Size>{len(self.server.objects[key])}</Size></Contents>" for key in page)
        more = "true" if len(keys) > len(page) else "false"
        self.answer(200, f'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>{more}</IsTruncated>{rows}</ListBucketResult>'.encode())


class Front:
    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.objects, self.server.parts, self.server.counter = {}, {}, itertools.count(1)
        self.server.modified = {}  # when an object was written last; others are being written just now
        self.server.script = self.script = Script()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    @property
    def objects(self):
        return self.server.objects

    def age(self, key, hours):
        """Has it be so old, by the store's clock."""
        self.server.modified[key] = time.time() + self.script.skew_s - 3600 * hours

    @property
    def unfinished(self):
        return self.server.parts

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
