# SPDX-License-Identifier: Apache-2.0
"""A catalogue of 100,000 modules: what is asked of it, and how soon a server that has it is there."""
import contextlib
import hashlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import load
from rows import Row
from servers import ROOT, Failed, Larder

MODULES = 100_000
MAKER = Path(__file__).with_name("catalogue.py")

ROWS = [
    Row("json-version", "a version's JSON, 1 client: p99", unit="ms", quick=False),
    Row("json-cpu", "a version's JSON, 64 connections", unit="CPU µs a request", quick=False),
    Row("search", "different searches, 1 client: p99", unit="ms", goal="L", floor=10, quick=False),
    Row("search-facets", "the same with facets, 1 client: p99", unit="ms", quick=False),
    Row("start", "start until it is ready", unit="ms", goal="L", floor=300, quick=False),
    Row("start-search", "start until a first search is answered", unit="ms", quick=False),
]

FILTERS = ["task=text-embedding", "language=de&format=tf-hub", "architecture=mobilenet_v2", "dataset=imagenet", "license=mit&sort=updated",
           "op=Conv2D", "source=mirrored&cached=true", "fine_tunable=true", "sort=downloads", "sort=size", "publisher=google", "limit=200"]


def queries(folder, count):
    """Different ones, of the words of the modules themselves, common and rare: one word, several, a beginning, with filters and
    filters alone."""
    draw = random.Random(1)
    with contextlib.closing(sqlite3.connect(folder / "data" / "larder.db")) as database:
        texts = database.execute("SELECT description FROM versions WHERE id % 97 = 0 AND description <> '' LIMIT 1000").fetchall()
    words = [re.findall(r"\w+", text) for (text,) in texts]
    made = {}
    while len(made) < count:
        some = draw.choice(words)
        said = draw.sample(some, min(len(some), draw.choice((1, 1, 2, 3))))
        if draw.random() < 0.5:
            said[-1] = said[-1][:draw.randint(1, len(said[-1]))]
        filters = draw.choice(FILTERS) if draw.random() < 0.4 else ""
        asked = "&".join(part for part in (f"q={'+'.join(said)}" if draw.random() < 0.9 else "", filters) if part)
        if asked:
            made[f"/api/v1/modules?{asked}"] = True
    return list(made)


def make(modules=MODULES):
    """The data folder, made once for each schema and kept in build-bench."""
    key = hashlib.sha256(MAKER.read_bytes())
    for script in sorted((ROOT / "schema").glob("*.sql")):
        key.update(script.read_bytes())
    folder = ROOT / "build-bench" / f"catalogue-{modules}-{key.hexdigest()[:16]}"
    if not (folder / "made").exists():
        for old in folder.parent.glob(f"catalogue-{modules}-*"):
            shutil.rmtree(old)
        folder.mkdir(exist_ok=True)
        done = subprocess.run([sys.executable, MAKER, folder / "data", "--modules", str(modules), "--larder",
                               ROOT / "build-bench" / "larder"], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"the catalogue could not be made: {done.stderr[-2000:]}")
        (folder / "made").touch()
    return folder

def version_targets(folder):
    with contextlib.closing(sqlite3.connect(folder / "data" / "larder.db")) as database:
        rows = database.execute("SELECT handle, version FROM versions JOIN modules ON modules.id = module_id "
                                "WHERE versions.id % 53 = 0 LIMIT 2000").fetchall()
    return [f"/api/v1/modules/{handle}/{version}" for handle, version in rows]

def start_ms(larder):
    """From the process's beginning until it says that it is ready, and until a first search is answered."""
    began = time.monotonic()
    larder.start()
    if larder.request("/readyz")[0] != 200:
        raise Failed("Larder is not ready, though it listens")
    ready = time.monotonic() - began
    larder.request("/api/v1/modules?q=bert")
    return ready * 1e3, (time.monotonic() - began) * 1e3


def measure_starts(bench, rows, larder):
    for _ in range(bench.rounds):
        for name, took in zip(("start", "start-search"), start_ms(larder)):
            if name in rows:
                rows[name].add(took)
        larder.stop()


def measure(bench, rows):
    if not MAKER.exists():
        print("  (left out: tests/bench/catalogue.py is not here)", file=sys.stderr)
        return
    folder = make()
    larder = bench.own(Larder(folder))
    measure_starts(bench, rows, larder)
    larder.start()
    versions = version_targets(folder)
    searches = queries(folder, 300 * (bench.rounds + 1))
    load.downloads(larder, searches[:300], each=300)
    for turn in range(bench.rounds):
        # Never asked before, so that no answer is a kept one.
        new = searches[300 * (turn + 1):300 * (turn + 2)]
        if "json-version" in rows:
            rows["json-version"].add(load.downloads(larder, versions, each=len(versions)).p99_ms)
        if "json-cpu" in rows:
            rows["json-cpu"].add(load.downloads(larder, versions, seconds=bench.seconds / 2, connections=64).cpu_us)
        if "search" in rows:
            rows["search"].add(load.downloads(larder, new, each=len(new)).p99_ms)
        if "search-facets" in rows:
            rows["search-facets"].add(load.downloads(larder, [f"{target}&facets=true" for target in new], each=len(new)).p99_ms)
