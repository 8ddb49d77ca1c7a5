#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes NNN_*.sql files as the C table catalog_migrations: embed.py OUTPUT.c 001_*.sql 002_*.sql …"""
import pathlib
import sys


def literal(line):
    return '\t\t"' + line.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") + '\\n"'


def main(output, *inputs):
    rows = []
    for number, path in enumerate(sorted(map(pathlib.Path, inputs), key=lambda path: path.name), 1):
        if not path.name.startswith(f"{number:03}_"):
            sys.exit(f"{path}: migrations are numbered without a gap; {number:03}_*.sql was expected here")
        lines = "\n".join(map(literal, path.read_text(encoding="utf-8").splitlines()))
        rows.append(f'\t{{"{path.stem}",\n{lines}}},\n')
    pathlib.Path(output).write_text(
        '/* Made from schema/ by schema/embed.py. */\n#include "server/store/catalog/catalog_rows.h"\n\n'
        "const struct migration catalog_migrations[] = {\n" + "".join(rows) + "};\n"
        "const size_t catalog_migration_count = sizeof catalog_migrations / sizeof *catalog_migrations;\n",
        encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
