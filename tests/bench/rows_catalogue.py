# SPDX-License-Identifier: Apache-2.0
"""A catalogue of 100,000 modules: what is asked of it, and how soon a server that has it is there."""
import contextlib
import hashlib
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
    Row("search", "search by words, tags and prefixes, 1 client: p99", unit="ms", goal="§5", floor=10, quick=False),
    Row("search-facets", "the same with facets, 1 client: p99", unit="ms", quick=False),
    Row("start", "start until it listens", unit="ms", goal="§5", floor=300, quick=False),
]

# Common words, rare ones, several, beginnings of words, and filters.
QUERIES = ["q=bert", "q=image+classification", "q=text+embedding+english", "q=mobilenet_v2", "q=m", "q=em", "q=the+model",
           "q=google", "q=wikipedia", "q=fine+tuning+encoder", "q=kaggle", "q=yamnet+audio", "q=resnet+imagen", "task=text-embedding",
           "task=image-classification&architecture=mobilenet_v2", "language=de&format=tf-hub", "q=bert&language=en", "publisher=google",
           "license=mit&sort=updated", "sort=downloads", "sort=name", "sort=size", "dataset=imagenet&q=vit", "op=Conv2D",
           "source=mirrored&cached=true", "fine_tunable=true&q=encoder"]

def make(bench):
    """The data folder, made once for each schema and kept in build-bench."""
    key = hashlib.sha256(MAKER.read_bytes())
    for script in sorted((ROOT / "schema").glob("*.sql")):
        key.update(script.read_bytes())
    folder = ROOT / "build-bench" / f"catalogue-{key.hexdigest()[:16]}"
    if not (folder / "made").exists():
        folder.mkdir(exist_ok=True)
        done = subprocess.run([sys.executable, MAKER, folder / "data", "--modules", str(MODULES), "--larder",
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
    """From the process's beginning to its saying that it listens; one that is warm, as after an update."""
    began = time.monotonic()
    larder.start()
    return (time.monotonic() - began) * 1e3

def p99(larder, targets, each):
    """Each target some times; the first pass warms SQLite's cache as it is after a while."""
    load.downloads(larder, targets, each=len(targets))
    return load.downloads(larder, targets, each=each * len(targets)).p99_ms

def measure(bench, rows):
    if not MAKER.exists():
        print("  (left out: tests/bench/catalogue.py is not here)", file=sys.stderr)
        return
    folder = make(bench)
    larder = bench.own(Larder(folder))
    for _ in range(bench.rounds):
        took = start_ms(larder)
        if "start" in rows:
            rows["start"].add(took)
        larder.stop()
    larder.start()
    versions = version_targets(folder)
    searches = {"search": [f"/api/v1/modules?{query}" for query in QUERIES]}
    searches["search-facets"] = [f"{target}&facets=true" for target in searches["search"]]
    for _ in range(bench.rounds):
        if "json-version" in rows:
            rows["json-version"].add(p99(larder, versions, 1))
        if "json-cpu" in rows:
            rows["json-cpu"].add(load.downloads(larder, versions, seconds=bench.seconds / 2, connections=64).cpu_us)
        for name, targets in searches.items():
            if name in rows:
                rows[name].add(p99(larder, targets, 10))
