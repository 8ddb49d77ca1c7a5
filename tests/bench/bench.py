# SPDX-License-Identifier: Apache-2.0
"""Measures the rows that are asked for, prints the table and writes the figures. Started by tests/bench/run."""
import argparse
import contextlib
import fnmatch
import json
import sys
import tempfile
from pathlib import Path

import machine
import rows_bundle
import rows_catalogue
import rows_cold
import rows_growth
import rows_hot
import rows_large
import rows_memory
import rows_proxied
import rows_store
import rows_upload
from rows import DISTURBED, markdown, table
from servers import ROOT, Failed

GROUPS = [rows_hot, rows_large, rows_cold, rows_upload, rows_store, rows_bundle, rows_memory, rows_proxied, rows_catalogue, rows_growth]


class Bench:
    """One run: its folder, its patience, and the servers it has to stop at the end."""

    def __init__(self, folder, quick):
        self.folder = Path(folder)
        self.quick = quick
        self.rounds = 3 if quick else 5
        self.seconds = 1 if quick else 2
        self.servers = []

    def own(self, server):
        self.servers.append(server)
        return server

    def stop_servers(self):
        for server in self.servers:
            server.stop()
        self.servers.clear()

    @staticmethod
    def tell(row):
        if row.measured:
            ratio = f"ratio {row.ratio:.3f}" if row.others else f"{row.judged:.3g} {row.unit}"
            print(f"  {row.name}: {ratio} {row.verdict}", file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", default="*")
    parser.add_argument("--json", default=ROOT / "build-bench" / "bench.json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--million", action="store_true")
    return parser.parse_args()


def wanted_rows(group, arguments):
    patterns = arguments.rows.split(",")
    chosen = arguments.rows != "*"
    return {row.name: row for row in group.ROWS
            if any(fnmatch.fnmatchcase(word, pattern) for pattern in patterns for word in (row.name, row.goal))
            and (chosen or row.quick or not arguments.quick) and (arguments.million or not row.name.endswith("-million"))}


def measure_group(group, rows, quick):
    """True: all bodies were right and all servers did what they must."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build-bench") as folder:
        bench = Bench(folder, quick)
        try:
            machine.await_quiet(0 if quick else 20, DISTURBED / 2)
            foreign = machine.ForeignCpu()
            group.measure(bench, rows)
            for row in rows.values():
                row.foreign_cores = round(sum(foreign.shares()), 3)
                bench.tell(row)
            bench.stop_servers()
            return True
        except Failed as failure:
            print(f"FAILED: {failure}", file=sys.stderr)
            with contextlib.suppress(Failed):
                bench.stop_servers()
            return False


def list_rows():
    for group in GROUPS:
        for row in group.ROWS:
            slow = "" if row.quick else " (not with --quick)"
            print(f"{row.name:20} {row.goal:4} {row.title}, {row.unit}; against {row.other or 'nothing'}{slow}")


def print_table(rows, about):
    print(f"\nLarder beside others, {about['date']}: {about['processor']}, {about['cores']} cores, {about['system']}, "
          f"Linux {about['kernel']}, nginx {about['nginx']}, Varnish {about['varnish']}, "
          f"{about['congestion_control']}; {about['rounds']} rounds each, medians")
    print(f"Others used {about['foreign_cores']:.2f} cores meanwhile, the host took {about['stolen_cores']:.2f}\n")
    print(table(rows))
    if any(row.foreign_cores > DISTURBED for row in rows):
        print(f"\n~ others used more than {DISTURBED} cores while this row's group was measured")
    missed = [row.name for row in rows if row.verdict == "missed"]
    held = sum(row.verdict in ("holds", "stretch") for row in rows if row.measured)
    print(f"\n{held} goals hold, {len(missed)} missed{': ' + ', '.join(missed) if missed else ''}")


def main():
    arguments = parse_arguments()
    if arguments.list:
        list_rows()
        return 0
    machine.pin_load()
    foreign = machine.ForeignCpu()
    done = True
    measured = []
    for group in GROUPS:
        rows = wanted_rows(group, arguments)
        if rows:
            print(group.__doc__.split(",")[0].split(":")[0].rstrip("."), file=sys.stderr)
            done = measure_group(group, rows, arguments.quick) and done
            measured += [row for row in rows.values() if row.measured]
    if not measured:
        print("No row was measured.", file=sys.stderr)
        return 1
    used, stolen = foreign.shares()
    about = machine.describe() | {"quick": arguments.quick, "rounds": 3 if arguments.quick else 5,
                                  "foreign_cores": round(used, 3), "stolen_cores": round(stolen, 3)}
    print_table(measured, about)
    if arguments.markdown:
        arguments.markdown.write_text(markdown(measured))
    arguments.json.write_text(json.dumps(about | {"rows": [row.as_json() for row in measured]}, indent=1) + "\n")
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
