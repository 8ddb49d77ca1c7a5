#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes NNN_*.sql files as the C table catalog_migrations: embed.py OUTPUT.c 001_*.sql 002_*.sql …
The last one has with it what all of them make of an empty database, which is what a new one is given: a fifth of the work."""
import pathlib
import sqlite3
import sys


def literal(line):
    return '\t\t"' + line.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") + '\\n"'


def literals(text):
    return "\n".join(map(literal, text.splitlines()))


def rows_of(database, table):
    for row in database.execute(f'SELECT * FROM "{table}"').fetchall():
        values = database.execute(f"SELECT {', '.join(['quote(?)'] * len(row))}", row).fetchone()
        yield f'INSERT INTO "{table}" VALUES ({", ".join(values)});'


def whole(scripts):
    """Tables with the rows that they begin with, before triggers see these, and then all else in its order."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    for script in scripts:
        database.executescript(script)
    made = database.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
                            " ORDER BY rowid").fetchall()
    # A virtual table makes its own.
    virtual = [name for _, name, sql in made if sql.startswith("CREATE VIRTUAL TABLE")]
    made = [row for row in made if not row[1].startswith(tuple(f"{name}_" for name in virtual))]
    tables = [(name, sql) for kind, name, sql in made if kind == "table"]
    lines = [f"{sql};" for _, sql in tables]
    for name, _ in tables:
        lines += [] if name in virtual else rows_of(database, name)
    return "\n".join(lines + [f"{sql};" for kind, _, sql in made if kind != "table"])


def main(output, *inputs):
    rows, scripts = [], []
    for number, path in enumerate(sorted(map(pathlib.Path, inputs), key=lambda path: path.name), 1):
        if not path.name.startswith(f"{number:03}_"):
            sys.exit(f"{path}: migrations are numbered without a gap; {number:03}_*.sql was expected here")
        scripts.append(path.read_text(encoding="utf-8"))
        last = f",\n{literals(whole(scripts))}" if number == len(inputs) else ""
        rows.append(f'\t{{"{path.stem}",\n{literals(scripts[-1])}{last}}},\n')
    pathlib.Path(output).write_text(
        '/* Made from schema/ by schema/embed.py. */\n#include "server/store/catalog/catalog_rows.h"\n\n'
        "const struct migration catalog_migrations[] = {\n" + "".join(rows) + "};\n"
        "const size_t catalog_migration_count = sizeof catalog_migrations / sizeof *catalog_migrations;\n",
        encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
