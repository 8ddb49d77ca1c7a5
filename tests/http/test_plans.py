# SPDX-License-Identifier: Apache-2.0
"""What SQLite does for each statement of the catalog: nothing that serves a request may read all of a table that grows."""
import ast
import functools
import re
import shutil
import sqlite3
import subprocess

import pytest
from support.daemon import ROOT, binary

STORE = ROOT / "server/store"
TEXT = r'"(?:[^"\\]|\\.)*"'
VERBS = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ", "REPLACE ")

# These hold one row, or what an operator writes by hand (with a row for each event; places at Kaggle are 100,000 at most), or no more than run at once, or 10,000 rows.
SMALL = {"kaggle_places", "undigested_before", "search_state", "space", "totals", "safety_totals", "safety_counting", "health", "pins", "tokens", "cooldowns", "fills", "wants", "webhooks", "webhook_events", "sqlite_master", "sqlite_schema"}

# What reads all by its purpose: the index in memory when it is built, the janitor, which looks at no more than 100,000, and
# what operators bring by hand.
WHOLE = {"SELECT id, facet, value FROM facet_values": "facet_values",
         "FROM modules ORDER BY id": "modules",
         "FROM module_facets ORDER BY module_id, value_id": "module_facets",
         "DELETE FROM absences WHERE until_s < ?1": "absences",
         "SELECT count(*), coalesce(sum(size_bytes), 0) FROM blobs WHERE cached = 1": "blobs",  # once in a pass that reads all of them
         "UPDATE blobs SET cached = 0 WHERE cached = 1": "blobs",  # of a copy of the database, in a backup
         "UPDATE modules SET latest_cached = 0 WHERE latest_cached = 1": "modules",
         "UPDATE blobs SET published = ": "blobs",  # once, when a node begins or ends to share a bucket
         "SELECT EXISTS (SELECT 1 FROM artifacts)": "artifacts",  # its first row; and where there is none,
         "EXISTS (SELECT 1 FROM versions WHERE state = 'withdrawn')": "versions",  # once, when a node begins to share a bucket
         "FROM collections c CROSS JOIN publishers p": "collections",
         "AND display_name IS NOT NULL AND display_name <> name": "publishers"}


def literals(source):
    """The texts of a C file as the compiler joins them, macros and all."""
    done = subprocess.run(["cc", "-E", "-P", "-std=gnu11", "-I", ROOT, source], capture_output=True, text=True, check=True)
    # Characters are taken out of the way: '"' begins no text.
    for run in re.findall(r"'(?:[^'\\]|\\.)*'|(" + f"{TEXT}(?:\\s*{TEXT})*)", done.stdout):
        yield "".join(ast.literal_eval(piece) for piece in re.findall(TEXT, run))


@functools.cache
def statements():
    return [(source.name, text) for source in sorted(STORE.rglob("*.c")) for text in literals(source) if text.startswith(VERBS)]


def of_triggers(database):
    """What triggers run, with the rows that they are about as parameters."""
    for name, text in database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"):
        body = re.search(r"\bBEGIN\b(.*)\bEND\b", re.sub(r"--.*", "", text), re.S).group(1)
        for statement in body.split(";"):
            statement = re.sub(r"\b(?:new|old)\.\w+", "?", statement).strip()
            if statement.startswith(VERBS) and "raise(" not in statement:
                yield name, statement


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """An empty one: the planner has no more to go by in one that is full, since nothing is ever analysed."""
    folder = tmp_path_factory.mktemp("plans")
    subprocess.run([binary(), "pin", "acme/x", "--data", folder], check=True, capture_output=True)
    with sqlite3.connect(folder / "larder.db") as opened:
        yield opened


def scans(database, statement):
    """The plan, and of its steps those that read something from end to end: subqueries and views are what other steps made, and
    full-text tables say what they are searched by."""
    numbers = [int(number) for number in re.findall(r"\?(\d+)", statement)]
    values = [None] * (max(numbers) if numbers else statement.count("?"))
    plan = [row[3] for row in database.execute("EXPLAIN QUERY PLAN " + statement, values)]
    views = {name for name, in database.execute("SELECT name FROM sqlite_master WHERE type = 'view'")}
    for step in plan:
        found = re.match(r"SCAN (?!CONSTANT ROW|\(subquery)(\w+)\b(?! VIRTUAL TABLE INDEX \d+:\S)", step)
        if found and table_of(statement, found[1]) not in views:
            yield table_of(statement, found[1]), plan


def table_of(statement, alias):
    """What an alias stands for; one that is not in the statement is a view's own."""
    found = re.search(rf"(?:\bFROM|\bJOIN|,)\s+(\w+)\s+{alias}\b", statement)
    return found[1] if found else alias


def allowed(statement, table):
    return table in SMALL or any(words in statement and table == whole for words, whole in WHOLE.items())


@pytest.mark.skipif(not shutil.which("cc"), reason="no compiler")
def test_no_statement_reads_all_of_a_table_that_grows(database):
    found = statements()
    assert len(found) > 100, "the statements were not found"
    faults = [f"{place}: {statement}\n    {plan}" for place, statement in [*found, *of_triggers(database)]
              for table, plan in scans(database, statement) if not allowed(statement, table)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("statement, table", [
    ("SELECT count(*) FROM versions WHERE state = 'active'", "versions"),
    ("SELECT 1 FROM blobs b JOIN artifacts a ON a.blob_id = b.id WHERE a.created_at > ?1", "artifacts"),
    ("SELECT value FROM current_facets WHERE facet = ?1", "m"),
    ("SELECT rowid FROM module_texts", "module_texts"),
    ("DELETE FROM audit WHERE at < ?1", "audit"),
])
def test_what_reads_all_is_seen(database, statement, table):
    assert table in {seen for seen, _ in scans(database, statement)}


# ---- what they cost ----

MANY = 100_000
# Of what an export and an import read in passing: what a page of it takes, however much there is before and behind.
COSTS = {
    "a module with many versions": ("d.version_id = v.id), 0)) FROM modules m JOIN versions v ON v.module_id = m.id WHERE m.handle = ?1", ("many/x", MANY - 50, 200)),
    "many modules": ("WHERE m.handle > ?1 ORDER BY m.handle", ("few/m050000", 200)),
    "from the start": ("WHERE m.handle > ?1 ORDER BY m.handle", ("", 200)),
    "a publisher with many collections": ("WHERE p.name = ?1 AND c.name > ?2", ("many", "c%06d" % (MANY - 50))),
    "many publishers with collections": ("WHERE p.name || '/' > ?1", ("p050000/",)),
    "what is staged for another": ("DELETE FROM staged_blobs WHERE bundle = ?1", (b"\1" * 32,)),
    "what is renewed": ("UPDATE staged_blobs SET at = ?2", (b"\1" * 32, 9, 5)),
    "what is old": ("SELECT b.id, b.digest, s.bundle FROM staged_blobs", (5, 64)),
    "what a client wants too much": ("DELETE FROM wants WHERE (handle, version, format) IN (SELECT handle, version, format FROM wants WHERE asker", ("a7", 900)),
}


def fill(opened):
    """Rows of no meaning, which no trigger is asked about."""
    for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        opened.execute(f"DROP TRIGGER {name}")
    opened.execute("PRAGMA foreign_keys = OFF")
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) "
    for text in (
            "INSERT INTO publishers (id, name, markdown) SELECT i, printf('p%06d', i), 'x' FROM n",
            "INSERT INTO publishers (id, name) VALUES (1000000, 'many'), (1000001, 'few')",
            "INSERT INTO collections (publisher_id, name, version, description, markdown, updated_at) SELECT 1000000, printf('c%06d', i), 1, 'x', 'x', 1 FROM n",
            "INSERT INTO collections (publisher_id, name, version, description, markdown, updated_at) SELECT i, 'c', 1, 'x', 'x', 1 FROM n",
            "INSERT INTO modules (id, publisher_id, handle) SELECT i, 1000001, printf('few/m%06d', i) FROM n",
            "INSERT INTO modules (id, publisher_id, handle) VALUES (1000000, 1000000, 'many/x')",
            "INSERT INTO versions (module_id, version, source, state, created_at, updated_at) SELECT i, 1, 'listed', 'active', 1, 1 FROM n",
            "INSERT INTO versions (module_id, version, source, state, created_at, updated_at) SELECT 1000000, i, 'listed', 'active', 1, 1 FROM n",
            "INSERT INTO blobs (id, digest, size_bytes, unpacked_bytes, file_count, cached, added_at, used_at)"
            " SELECT i, randomblob(32), 1, 1, 1, 1, 1, i FROM n UNION ALL SELECT 1000000 + i, randomblob(32), 1, 1, 1, 1, 1, 1000000 + i FROM n",
            "INSERT INTO staged_blobs SELECT i, zeroblob(32), 7 FROM n",
            "INSERT INTO wants SELECT printf('w/%d', i), 1, 'tf-hub', printf('a%d', i / 1000), i % 97, i FROM n"):
        opened.execute(("" if "VALUES" in text else numbers) + text)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    folder = tmp_path_factory.mktemp("costs")
    subprocess.run([binary(), "pin", "acme/x", "--data", folder], check=True, capture_output=True)
    opened = sqlite3.connect(folder / "larder.db", isolation_level=None)
    opened.execute("BEGIN")
    fill(opened)
    yield opened
    opened.close()


@pytest.mark.skipif(not shutil.which("cc"), reason="no compiler")
@pytest.mark.parametrize("case", COSTS)
def test_what_an_export_reads_in_passing_costs_no_more_where_there_is_much(full, case):
    words, values = COSTS[case]
    [statement] = {text for _, text in statements() if words in text}
    steps = 0

    def count():
        nonlocal steps
        steps += 1

    full.execute("SAVEPOINT before")
    full.set_progress_handler(count, 100)
    full.execute(statement, values).fetchall()
    full.set_progress_handler(None, 0)
    full.execute("ROLLBACK TO before")
    assert steps < 600, f"{100 * steps} steps of SQLite's machine: {statement}"


# ---- new releases ----

MIGRATIONS = sorted((ROOT / "schema").glob("0*.sql"))
# What earlier ones cost is past.
SINCE = 25


def of_rows(opened, count):
    for table in ("publishers (id, name)", "modules (id, publisher_id, handle)", "blobs (id, digest, size_bytes, unpacked_bytes, file_count, cached, added_at, used_at)",
                  "inspections (id, blob_id, format)", "members (inspection_id, position, path, is_folder, size_bytes)",
                  "findings (inspection_id, position, severity, rule, path, message)"):
        values = {"publishers": "i, printf('p%d', i)", "modules": "i, i, printf('p%d/x', i)", "blobs": "i, randomblob(32), 1, 1, 1, 1, 1, i",
                  "inspections": "i, i, 'archive'", "members": "i % 10 + 1, i, 'x', 0, 1", "findings": "i % 10 + 1, i, 'warning', 'x', '', 'x'"}[table.split()[0]]
        opened.execute(f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) INSERT INTO {table} SELECT {values} FROM n")


@pytest.mark.parametrize("migration", MIGRATIONS[SINCE - 1:], ids=lambda path: path.stem)
def test_a_start_after_an_update_takes_no_longer_where_there_is_much(migration):
    steps = {}
    for count in (10, 50_000):
        with sqlite3.connect(":memory:", isolation_level=None) as opened:
            for earlier in MIGRATIONS[:MIGRATIONS.index(migration)]:
                opened.executescript(earlier.read_text())
            for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                opened.execute(f"DROP TRIGGER {name}")
            of_rows(opened, count)
            seen = []
            opened.set_progress_handler(lambda: seen.append(1), 100)
            opened.executescript(migration.read_text())
            steps[count] = len(seen)
    assert steps[50_000] <= steps[10] + 10, f"hundreds of steps of SQLite's machine, by rows: {steps}"


def test_files_are_looked_for_without_sorting(database):
    statement, = {text for _, text in statements() if "LIMIT 4096" in text}
    plan = [row[3] for row in database.execute("EXPLAIN QUERY PLAN " + statement, ("x", 1, "x"))]
    assert plan and not any("B-TREE" in step for step in plan), plan
