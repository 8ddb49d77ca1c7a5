# SPDX-License-Identifier: Apache-2.0
"""What SQLite does for each statement of the catalog: nothing that serves a request may read all of a table that grows."""
import ast
import re
import shutil
import sqlite3
import subprocess

import pytest
from support.daemon import ROOT, binary

STORE = ROOT / "server/store"
TEXT = r'"(?:[^"\\]|\\.)*"'
VERBS = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ", "REPLACE ")

# These hold one row, or what an operator writes by hand (with a row for each event), or no more than run at once, or 10,000 rows.
SMALL = {"search_state", "space", "totals", "health", "pins", "tokens", "cooldowns", "fills", "wants", "webhooks", "webhook_events"}

# What reads all by its purpose: the index in memory when it is built, the janitor, which looks at no more than 100,000, and
# what operators bring by hand.
WHOLE = {"SELECT id, facet, value FROM facet_values": "facet_values",
         "FROM modules ORDER BY id": "modules",
         "FROM module_facets ORDER BY module_id, value_id": "module_facets",
         "DELETE FROM absences WHERE until_s < ?1": "absences",
         "FROM collections c CROSS JOIN publishers p": "collections",
         "JOIN collections c ON c.publisher_id = p.id WHERE p.name || '/' || c.name > ?1": "collections",
         "AND display_name IS NOT NULL AND display_name <> name": "publishers",
         "DELETE FROM staged_blobs WHERE blob_id IN": "staged_blobs"}


def literals(source):
    """The texts of a C file as the compiler joins them, macros and all."""
    done = subprocess.run(["cc", "-E", "-P", "-std=gnu11", "-I", ROOT, source], capture_output=True, text=True, check=True)
    # Characters are taken out of the way: '"' begins no text.
    for run in re.findall(r"'(?:[^'\\]|\\.)*'|(" + f"{TEXT}(?:\\s*{TEXT})*)", done.stdout):
        yield "".join(ast.literal_eval(piece) for piece in re.findall(TEXT, run))


def statements():
    for source in sorted(STORE.rglob("*.c")):
        for text in literals(source):
            if text.startswith(VERBS):
                yield source.name, text


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
    found = list(statements())
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
