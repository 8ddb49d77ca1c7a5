#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the documents to the repository: links and headings that they lead to, files and tests that they name, the order of
floors, the tables of errors, threads, locks and bounds, README's length. Exits 1 with one line a fault. What README's commands do is tests/http/test_documents.py's."""
import re
import sys
from urllib.parse import unquote

if __name__ == "__main__":
    sys.dont_write_bytecode = True  # beside the sources
from check_floors import FLOORS, ROOT  # noqa: E402

README_LINES_MAX = 150
OURS = ("common/", "server/", "tests/", "docs/", "deploy/", "schema/", "static/", "examples/")
# A room is named without its suffix.
SUFFIXES = ("", ".h", ".c", ".py", ".mjs", ".sh")
FENCED = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)


def documents():
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])


def prose(path):
    """The text of a document without its fenced blocks, whose lines stay."""
    return FENCED.sub(lambda block: "\n" * block.group().count("\n"), path.read_text(encoding="utf-8"))


def slug(heading):
    """The anchor of a heading, as GitHub makes it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path):
    """GitHub numbers headings that repeat."""
    seen = {}
    for heading in re.findall(r"^#{1,6} (.+)$", prose(path), re.M):
        name = slug(heading)
        yield name if name not in seen else f"{name}-{seen[name]}"
        seen[name] = seen.get(name, 0) + 1


def wrong_link(path, target):
    """Why a link leads nowhere, or None."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    name, _, anchor = unquote(target).partition("#")
    there = (path.parent / name).resolve() if name else path
    if not there.is_relative_to(ROOT) or not there.exists():
        return f"{target} is not there"
    if anchor and there.suffix == ".md" and anchor not in set(anchors(there)):
        return f"{name or path.name} has no heading for #{anchor}"
    return None


def links(line):
    # Not in a span of code.
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "``", line))


def exists(name):
    return any((ROOT / (name.rstrip("/") + suffix)).exists() for suffix in SUFFIXES)


def has_test(file, name):
    path = ROOT / file
    opening = rf"^def {name}\(" if path.suffix == ".py" else rf"\b{name}\("
    return path.exists() and re.search(opening, path.read_text(encoding="utf-8"), re.M) is not None


def named_faults(line):
    """Files and tests that stand in spans of code: `tests/a.py::test_b`, `::test_c` (of the same file), `tests/a.c: test_d`."""
    file = None
    for span in re.findall(r"`([^`]+)`", line):
        if found := re.fullmatch(r"([\w./-]*)(?:::|: )(\w+)", span):
            file = found[1] or file
            if file and file.startswith("tests/") and not has_test(file, found[2]):
                yield f"{file} has no {found[2]}"
        elif span.startswith(OURS) and re.fullmatch(r"[\w./-]+", span) and "NNN" not in span and not exists(span):
            yield f"{span} is not there"


def floor_name(room):
    return room.removeprefix("server/").rstrip("/.").removesuffix(".c")


def floors_line():
    return " → ".join(", ".join(floor_name(room) for room in floor) for floor in FLOORS)


def errors():
    """{code: status} as common/err.c and server/http/problem.c have them."""
    names = dict(re.findall(r'\[(ERR_\w+)\] = "([a-z-]+)"', (ROOT / "common/err.c").read_text(encoding="utf-8")))
    statuses = dict(re.findall(r"\[(ERR_\w+)\] = \{(\d+),", (ROOT / "server/http/problem.c").read_text(encoding="utf-8")))
    return {name: statuses[code] for code, name in names.items() if code != "ERR_NONE"}


def sources():
    return {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("server/**/*.c"))}


def first_cells(heading):
    """The first column of the table under a heading of docs/architecture.md."""
    section = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line.split("|")[1] for line in section.splitlines() if line.startswith("|")][2:]


def thread_names():
    """Of all threads that the server starts."""
    started = re.compile(r'(?:struct thread_plan plan = \{\s*\.name =|workers_create\(|start_workers\(front,|\.thread_name =)\s*"([^"]+)"')
    return {name for text in sources().values() for name in started.findall(text)}


def once_in_a_row(names):
    return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]


def lock_rooms():
    """The rooms of all locks, in the order of server/ranks.h."""
    ranks = re.findall(r"^\t(RANK_\w+),", (ROOT / "server/ranks.h").read_text(encoding="utf-8"), re.M)
    rooms = {rank: str(path.with_suffix("")) for path, text in sources().items() for rank in re.findall(r'", (RANK_\w+)', text)}
    return once_in_a_row([rooms.get(rank, rank) for rank in ranks])


def thread_and_lock_faults():
    cells = first_cells("Threads")
    yield from (f"no row for the thread {name}" for name in sorted(thread_names()) if not any(name in cell for cell in cells))
    told = once_in_a_row([room for cell in first_cells("Locks") for room in re.findall(r"`([^`]+)`", cell)])
    wanted = lock_rooms()
    if told != wanted:
        at = next((at for at, room in enumerate(wanted) if told[at:at + 1] != [room]), len(wanted))
        yield f"number {at + 1} of the locks is {told[at] if at < len(told) else 'missing'}, not as in server/ranks.h"


# Bounds that a refusal can be about: the row of docs/limits.md that tells them, by what stands in it, and in which order.
BOUNDS = [
    ("a request's target", [("server/http/request.h", "REQUEST_TARGET_MAX"), ("server/module/name.h", "NAME_PATH_MAX")]),
    ("a name in a form", [("server/hub/multipart.h", "MULTIPART_NAME_MAX"), ("server/hub/multipart.c", "HEAD_MAX")]),
    ("a member's name", [("server/module/archives/membername.h", "MEMBERNAME_MAX"),
                         ("server/module/archives/membername.h", "MEMBERNAME_SEGMENT_MAX")]),
    ("as it is written in an archive", [("server/module/archives/archive_fault.h", "ARCHIVE_NAME_MAX")]),
    ("extended headers", [("server/module/archives/extension.c", "EXTENSIONS_MAX"), ("server/module/archives/extension.c", "EXTENSION_MAX")]),
    ("a sparse file's map", [("server/module/archives/sparse.h", "SPARSE_PIECES_MAX")]),
    ("folders that have no entry", [("server/module/examination.c", "IMPLIED_FOLDERS_MAX"), ("server/module/examination.c", "ALIKE_MAX")]),
    ("tables of a `.tflite`", [("server/module/formats/flatbuffer.c", "TABLES_MAX")]),
    ("shards of a checkpoint", [("server/module/savedmodel/variables.c", "SHARDS_MAX"),
                                ("server/module/savedmodel/variables.h", "VARIABLES_INDEX_BYTES_MAX")]),
    ("| model.json |", [("server/module/formats/manifest.h", "MANIFEST_JSON_BYTES_MAX"), ("server/module/formats/manifest.h", "MANIFEST_DEPTH_MAX"),
                        ("server/module/formats/manifest.h", "MANIFEST_TEXT_BYTES_MAX")]),
    ("| Markdown ·", [("server/module/documents/hubdoc.h", "HUBDOC_BYTES_MAX"), ("server/module/documents/hubdoc.h", "HUBDOC_TAGS_MAX"),
                      ("server/module/documents/hubdoc.h", "HUBDOC_VALUE_MAX")]),
    ("dimensions of a shape", [("server/module/savedmodel/fields.h", "SHAPE_DIMENSIONS_MAX")]),
    ("bytes of saved_model.pbtxt", [("server/module/savedmodel/model_facts.h", "SAVED_MODEL_TEXT_BYTES_MAX")]),
]


def bound(file, name):
    """A constant's value, as documents may write it."""
    found = re.search(rf"\b{name} = ([0-9][0-9 <*]*)", (ROOT / file).read_text(encoding="utf-8"))
    value = eval(found[1]) if found else None  # digits, shifts and products only
    sizes = [f"{value >> shift} {unit}" for shift, unit in ((10, "KiB"), (20, "MiB")) if value and value % (1 << shift) == 0]
    return [f"{value:,}", *sizes] if found else []


def bound_faults():
    lines = (ROOT / "docs/limits.md").read_text(encoding="utf-8").splitlines()
    for told, constants in BOUNDS:
        row = next((line for line in lines if line.startswith("|") and told in line), None)
        for file, name in constants:
            number = "|".join(bound(file, name)) or "never"
            found = re.search(rf"(?<![\d,])(?:{number})(?![\d,]\d)(.*)", row or "")
            row = found and found[1]  # in this order
            if not found:
                yield f"the row about {told} does not tell {name} of {file}"
                break


def faults():
    for path in documents():
        for number, line in enumerate(prose(path).splitlines(), 1):
            where = f"{path.relative_to(ROOT)}:{number}"
            yield from (f"{where}: {fault}" for target in links(line) if (fault := wrong_link(path, target)))
            yield from (f"{where}: {fault}" for fault in named_faults(line))
    told = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    yield from (f"docs/api.md: has no row for the error {name}, {status}" for name, status in errors().items()
                if f"\n| `{name}` | {status} | " not in told)
    lines = len((ROOT / "README.md").read_text(encoding="utf-8").splitlines())
    if lines > README_LINES_MAX:
        yield f"README.md: has {lines} lines, more than {README_LINES_MAX}; what is long goes to docs/"
    if f"\n    {floors_line()}\n" not in (ROOT / "docs/architecture.md").read_text(encoding="utf-8"):
        yield f"docs/architecture.md: the floors are not those of tests/check_floors.py: {floors_line()}"
    yield from (f"docs/architecture.md: {fault}" for fault in thread_and_lock_faults())
    yield from (f"docs/limits.md: {fault}" for fault in bound_faults())


if __name__ == "__main__":
    found = list(faults())
    print("\n".join(found) or "the documents hold")
    sys.exit(1 if found else 0)
