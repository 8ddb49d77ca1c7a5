# SPDX-License-Identifier: Apache-2.0
"""A node over a bucket: hits, a fill and a publish, beside a node on a folder and tools that move the same bytes. Over a Ceph of one node, in memory;
left out where its packages are not installed (tests/run store brings them)."""
import sys
import time

import bodies
import load
import machine
from bodies import KIB, MIB
from rows import Row
from rows_upload import BOTH, put, renew
from servers import ROOT, Failed, Larder

sys.path.insert(0, str(ROOT / "tests" / "store"))
from ceph import KEY, SECRET, Ceph, is_here  # noqa: E402 (a Ceph of one node)

TARGET = "/bench/hot/1?lite-format=tflite"
# Objects that were written over go at once, else they would stay in memory for hours.
COLLECTED = "rgw gc obj min wait = 1\nrgw gc processor period = 1\n"

ROWS = [
    Row("store-hit-1k", "1 KiB, 64 connections, a node over S3", "Larder on a folder", "us per request"),
    Row("store-hit-1m", "1 MiB, 64 connections, a node over S3", "Larder on a folder", "us per request"),
    Row("store-fill", "256 MiB from the bucket to a client of a node that has it not (quick: 64), verified, durable", "curl --aws-sigv4 of the same object", "s"),
    Row("store-publish", "PUT of 256 MiB to a node over S3 (quick: 64), verified, durable here and there", "rclone copyto of the same bytes", "s"),
]


class Place:
    """Two nodes over a bucket, one on a folder, and the tools' own credentials."""

    def __init__(self, bench, ceph):
        self.folder, self.ceph = bench.folder, ceph
        self.secret = self.folder / "curl.config"
        self.secret.write_text(f'user = "{KEY}:{SECRET}"\n')
        self.curl("-X", "PUT", f"{ceph.urls[0]}/models")
        (self.folder / "credentials").write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
        (self.folder / "rclone.conf").write_text(f"[bucket]\ntype = s3\nprovider = Ceph\nendpoint = {ceph.urls[0]}\naccess_key_id = {KEY}\nsecret_access_key = {SECRET}\n")
        store = {"store": {"kind": "s3", "endpoint": ceph.urls[0], "bucket": "models", "credentials_file": self.folder / "credentials"}}
        self.nodes = [bench.own(Larder(self.folder / name, store, cores=BOTH, threads=1)) for name in "ab"]
        self.alone = bench.own(Larder(self.folder / "alone", cores=BOTH, threads=1))
        self.tokens = [larder.token() for larder in (*self.nodes, self.alone)]
        for larder in (*self.nodes, self.alone):
            larder.start()

    def curl(self, *words):
        load.run(machine.pin(["curl", "-sf", "-K", self.secret, "--aws-sigv4", "aws:amz:us-east-1:s3", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
                              *words], BOTH))


def timed(act):
    began = time.monotonic()
    act()
    return time.monotonic() - began


def in_turn(rounds, row, ours, theirs):
    """One after the other, in an order that changes."""
    for turn in range(rounds):
        first = theirs(turn) if turn % 2 else None
        here = ours(turn)
        row.add(here, first or theirs(turn))


def measure_hits(bench, place, rows):
    for name, size in (("store-hit-1k", KIB), ("store-hit-1m", MIB)):
        if name not in rows:
            continue
        path = TARGET.replace("hot", name)
        file = bodies.tflite(bench.folder / name, size)
        place.nodes[0].publish(path, file, place.tokens[0])
        place.alone.publish(path, file, place.tokens[2])
        node, alone = place.nodes[0], place.alone
        for larder in (node, alone):
            load.check(larder, path, bodies.sha256(file))
        ask = load.wrk if size == KIB else lambda server, target, seconds: load.downloads(server, target, seconds=seconds, connections=64)
        in_turn(bench.rounds, rows[name], lambda _, path=path, ask=ask: ask(node, path, bench.seconds).cpu_us,
                lambda _, path=path, ask=ask: ask(alone, path, bench.seconds).cpu_us)


def measure_bytes(bench, place, rows):
    """Each round has bytes of its own: published on one node, filled on the other."""
    file = bodies.archive(bench.folder / "module.tar.gz", (64 if bench.quick else 256) * MIB)
    token = place.tokens[0]

    def publish(turn):
        renew(file, 2 * turn + 1)
        status, seconds = put(place.nodes[0].port, f"/bench/store-{turn}/1", file, token)
        if status != 201:
            raise Failed(f"a node over S3 answered a PUT with {status}")
        return seconds

    def copy(turn):
        renew(file, 2 * turn + 2)
        # A bundle of authorities from the environment keeps rclone from beginning at all.
        return timed(lambda: load.run(machine.pin(["env", "-u", "AWS_CA_BUNDLE", "rclone", "--config", bench.folder / "rclone.conf", "copyto", file,
                                                   f"bucket:models/rclone/{turn}"], BOTH)))

    def fill(turn):
        renew(file, 2 * turn + 1)
        digest = bodies.sha256(file)
        return timed(lambda: load.check(place.nodes[1], f"/bench/store-{turn}/1?tf-hub-format=compressed", digest))

    def get(turn):
        digest = bodies.sha256(file)
        return timed(lambda: place.curl("-o", bench.folder / "fetched", f"{place.ceph.urls[0]}/models/blobs/sha256/{digest[:2]}/{digest}"))

    for turn in range(1 if bench.quick else bench.rounds):
        publish_s = publish(turn)
        if "store-publish" in rows:
            rows["store-publish"].add(publish_s, copy(turn))
        if "store-fill" in rows:
            rows["store-fill"].add(fill(turn), get(turn))


def measure(bench, rows):
    if not is_here():
        print("  skipped: no ceph-mon, ceph-osd and radosgw here", file=sys.stderr)
        return
    (bench.folder / "ceph").mkdir()
    ceph = Ceph(bench.folder / "ceph", gateways=1, more=COLLECTED)
    try:
        place = Place(bench, ceph)
        measure_hits(bench, place, rows)
        if {"store-fill", "store-publish"} & set(rows):
            measure_bytes(bench, place, rows)
        bench.stop_servers()
    finally:
        ceph.stop()
