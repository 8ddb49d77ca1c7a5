# SPDX-License-Identifier: Apache-2.0
"""What must not grow with the catalogue: the same questions at 100,000 modules and, with --million, at ten times as many."""
import contextlib
import random
import shutil
import sqlite3
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import bodies
import rows_catalogue
import servers
from catalogue import NIGHTLY
from rows import Row
from servers import Failed, Larder

SIZES = {"": 100_000, "-million": 1_000_000}
WHAT = [
    ("changed", "512 changed modules: the search that follows them", "ms", None),
    ("changed-beside", "another client's search meanwhile", "ms", None),
    ("rebuilt", "a third of all modules changed: the search that follows them", "ms", None),
    ("rebuilt-beside", "another client's search meanwhile", "ms", None),
    ("activity", "/api/v1/activity", "ms", 5),
    ("stats", "/api/v1/stats", "ms", 5),
    ("versions", "the JSON of a module with 10,000 versions", "ms", None),
    ("versions-bytes", "the same, its size", "KiB", 100),
    ("versions-page", "its page", "ms", None),
    ("list-first", "larder list, until the first line", "s", None),
    ("list-all", "larder list, until the last line", "s", None),
    ("evict", "a fill that evicts a third of all modules", "s", None),
    ("evict-readyz", "/readyz meanwhile, the worst", "ms", None),
    ("evict-put", "a PUT meanwhile, the worst", "ms", None),
]
ROWS = [Row(f"growth-{name}{suffix}", f"{modules:,} modules: {title}", unit=unit, goal="L" if floor else "", floor=floor, quick=False)
        for suffix, modules in SIZES.items() for name, title, unit, floor in WHAT]


def took_ms(larder, target, **more):
    began = time.monotonic()
    status, _, body = larder.request(target, **more)
    if status not in (200, 201):
        raise Failed(f"{target} was answered {status}: {body[:300]}")
    return (time.monotonic() - began) * 1e3, body


class Beside(threading.Thread):
    """Asks again and again while something else goes on, and keeps the worst time."""

    def __init__(self, ask):
        super().__init__()
        self.ask, self.worst, self.ended, self.fault = ask, 0.0, threading.Event(), None

    def run(self):
        try:
            while not self.ended.is_set():
                self.worst = max(self.worst, self.ask())
        except Exception as fault:  # told by whoever waits for this thread
            self.fault = fault

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()
        if self.fault:
            raise Failed(f"beside: {self.fault}")


def change(larder, statement):
    with contextlib.closing(sqlite3.connect(larder.data / "larder.db", timeout=60, isolation_level=None)) as database:
        database.execute(statement)


def search_behind(larder, statement):
    """Two clients ask at once: whichever comes first follows the changes, and the other need not wait for that."""
    change(larder, statement)
    with Beside(lambda: took_ms(larder, "/api/v1/modules?sort=name&limit=1")[0]) as beside:
        took, _ = took_ms(larder, "/api/v1/modules?sort=downloads&limit=1")
    return max(took, beside.worst), min(took, beside.worst)


def changes(larder, modules, rounds):
    draw = random.Random(3)
    took_ms(larder, "/api/v1/modules?limit=1")
    for _ in range(rounds):
        ids = ",".join(str(draw.randrange(1, modules)) for _ in range(512))
        took, beside = search_behind(larder, f"UPDATE modules SET downloads = downloads + 1 WHERE id IN ({ids})")
        yield {"changed": took, "changed-beside": beside}
    took, beside = search_behind(larder, "UPDATE modules SET downloads = downloads + 1 WHERE id % 3 = 0")
    yield {"rebuilt": took, "rebuilt-beside": beside}


def answers(larder, rounds):
    for name, target in (("activity", "/api/v1/activity"), ("stats", "/api/v1/stats"), ("versions", f"/api/v1/modules/{NIGHTLY}")):
        for _ in range(rounds):
            took, body = took_ms(larder, target)
            yield {name: took} | ({"versions-bytes": len(body) / 1024} if name == "versions" else {})
    for _ in range(rounds):
        yield {"versions-page": took_ms(larder, f"/{NIGHTLY}", headers={"Accept": "text/html"})[0]}


def listing(larder):
    began = time.monotonic()
    with subprocess.Popen([servers.LARDER, "list", "--server", f"http://127.0.0.1:{larder.port}"], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        first = time.monotonic() - began
        lines = sum(1 for _ in process.stdout)
    if process.returncode != 0 or lines == 0:
        raise Failed(f"larder list ended with status {process.returncode} after {lines} lines")
    yield {"list-first": first, "list-all": time.monotonic() - began}


class OneModule(BaseHTTPRequestHandler):
    """An upstream that has the same small module by every name."""

    def do_GET(self):
        body = bodies.small_archive(2)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def upstream():
    server = ThreadingHTTPServer(("127.0.0.1", 0), OneModule)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{{path}}?{{query}}"
    finally:
        server.shutdown()
        server.server_close()


def evicting(folder):
    """The limit is far below what is there, and the first claim meets it."""
    with upstream() as url, contextlib.ExitStack() as ending:
        larder = Larder(folder, {"storage": {"max_bytes": 1 << 30}}, url).start()
        ending.callback(larder.stop)
        token, count = larder.token(), iter(range(1, 1 << 30))
        body = bodies.small_archive(1)

        def put():
            return took_ms(larder, f"/acme/beside/{next(count)}", method="PUT", headers={"Authorization": f"Bearer {token}"}, body=body)[0]

        with Beside(lambda: took_ms(larder, "/readyz")[0]) as ready, Beside(put) as putting:
            took, _ = took_ms(larder, "/acme/evicting/1?tf-hub-format=compressed")
        if larder.metric("larder_evictions_total") < 1000:
            raise Failed("nothing was evicted")
    yield {"evict": took / 1e3, "evict-readyz": ready.worst, "evict-put": putting.worst}


def measure_size(bench, modules, folder):
    """All figures of one size, on a copy of the catalogue."""
    larder = Larder(folder).start()
    try:
        yield from answers(larder, bench.rounds)
        yield from listing(larder)
        yield from changes(larder, modules, bench.rounds)
    finally:
        larder.stop()
    yield from evicting(folder)


def measure(bench, rows):
    for suffix, modules in SIZES.items():
        if not any(f"growth-{name}{suffix}" in rows for name, *_ in WHAT):
            continue
        folder = bench.folder / f"growth{suffix}"
        shutil.copytree(rows_catalogue.make(modules) / "data", folder / "data")
        for figures in measure_size(bench, modules, folder):
            for name, figure in figures.items():
                if (row := rows.get(f"growth-{name}{suffix}")):
                    row.add(figure)
