#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the house to its floors: every #include of ours points down this list (or stays on its floor), and down the list of rooms
where a floor has one; no rooms include each other in a circle; no stem stands twice; each foreign library is included in its one
room only; functions and files are short; no refusal is written twice; each destroy has its AUTO_ beside it, and each AUTO_ local its first value; what comments name is there; every source file names
its licence. Exits 1 with one line a fault."""
import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# From the roof to the ground. Files of one row may include each other.
FLOORS = [
    ["server/main.c"],
    ["server/command/"],
    ["server/app.", "server/gatekeeper.", "server/routes."],
    ["server/hub/", "server/api/", "server/web/", "server/kagglehub/"],
    ["server/registry/"],
    ["server/vault/"],
    ["server/config"],
    ["server/attest/"],
    ["server/bundle/"],
    ["server/store/"],
    ["server/upstream/"],
    ["server/module/"],
    ["server/http/"],
    ["server/metrics.", "server/ranks."],
    ["common/"],
]
# Within a floor, from its roof to its ground; a file stands in the row that has the longest beginning of its path.
INSIDE = [
    ["server/store/catalog/", "server/store/unpacked/"],
    ["server/store/search/"],
    ["server/store/"],
    ["server/upstream/s3/"],
    ["server/upstream/"],
    ["server/module/documents/"],
    ["server/module/examination."],
    ["server/module/formats/"],
    ["server/module/savedmodel/"],
    ["server/module/safety/"],
    ["server/module/archives/"],
    ["server/module/", "server/module/safety/safety_"],
    ["server/http/front."],
    ["server/http/mhd/", "server/http/tls/"],
    ["server/http/fast/"],
    ["server/http/exchange/"],
    ["server/http/", "server/http/mhd/status_phrase."],
]
# Of their bodies, braces included.
FUNCTION_LINES_MAX, FUNCTION_LINES_MEDIAN_MAX = 50, 12
# Of a .c file.
FILE_LINES_MAX = 600
# Of a refusal that may stand twice.
SENTENCE_MAX = 30
# http knows none of the services, and they know nothing of http.
STRANGERS = [("server/registry/", "server/http/"), ("server/store/", "server/http/"), ("server/upstream/", "server/http/"),
             ("server/module/", "server/http/"), ("server/bundle/", "server/http/"), ("server/vault/", "server/http/"), ("server/attest/", "server/http/"), ("server/attest/", "server/upstream/"), ("server/bundle/", "server/upstream/"), ("server/store/", "server/upstream/"), ("common/", "server/")]
ONE_ROOM = {
    "microhttpd.h": ["server/http/mhd/daemon.", "server/http/mhd/request_head.c", "server/http/mhd/responses.c", "server/http/mhd/mhd_suspension.c", "server/http/mhd/guest.c", "server/http/mhd/status_phrase.c"],
    "sqlite3.h": ["server/store/connection.", "server/store/statements.c", "server/store/db.c", "server/store/db_copy.c"],
    "curl/curl.h": ["server/upstream/client.c", "server/upstream/transfer.", "server/upstream/poster.c", "server/upstream/proxy_address.c", "server/upstream/curl_terms.",  "server/upstream/s3/s3_exchange.c", "server/command/"],
    "expat.h": ["server/upstream/s3/s3_xml.c"],
    "openssl/ssl.h": ["server/http/tls/"],
    "zlib.h": ["server/module/", "server/http/gzip.c"],
    "archive.h": ["server/bundle/", "server/registry/zip_pieces.c", "server/command/folder_writer.c"],
    "archive_entry.h": ["server/bundle/", "server/registry/zip_pieces.c", "server/command/folder_writer.c"],
    "ini.h": ["server/config.c"],
    "cmark-gfm.h": ["server/module/documents/document.c", "server/web/"],
    "yajl/yajl_parse.h": ["server/module/formats/manifest.c", "server/module/formats/safetensors.c"],
}


# What comments may name although it is not ours: of the system, of TensorFlow, of files.
NAMED_ELSEWHERE = {"sched_setattr", "dim50_2", "broadcast_in_dim", "dynamic_slice", "float32_ref", "dtype_77", "table_format"}
HEADERS_ELSEWHERE = {"sysexits.h"}


def floor_of(path):
    for number, rooms in enumerate(FLOORS):
        if any(path.startswith(room) for room in rooms):
            return number
    return None


def place_inside(path):
    """The row of INSIDE, or None: its floor is not ordered."""
    rows = [(len(room), number) for number, rooms in enumerate(INSIDE) for room in rooms if path.startswith(room)]
    return max(rows)[1] if rows else None


def sources():
    return sorted([*ROOT.glob("common/**/*.[ch]"), *ROOT.glob("server/**/*.[ch]")])


def arrows():
    """{room: rooms that it includes}, by path without suffix: a header and its source are one."""
    found = {}
    for source in sources():
        room = source.relative_to(ROOT).with_suffix("").as_posix()
        included = {name.rsplit(".", 1)[0] for name in re.findall(r'^#include "([^"]+)"', source.read_text(encoding="utf-8"), re.M)}
        found.setdefault(room, set()).update(included - {room})
    return {room: {name for name in included if name in found} for room, included in found.items()}


def circles():
    """Rooms that are left when all that include none of the others are taken away, and then all that none of them includes."""
    left = arrows()
    while free := [room for room, included in left.items() if not included & left.keys()]:
        for room in free:
            del left[room]
    while left and (free := left.keys() - set().union(*left.values())):
        for room in free:
            del left[room]
    if left:
        yield "these rooms include each other in a circle: " + ", ".join(sorted(left))


def stems():
    places = {}
    for source in sources():
        places.setdefault(source.stem, set()).add(source.parent.relative_to(ROOT).as_posix())
    yield from (f"the stem {stem} stands in {' and '.join(sorted(folders))}" for stem, folders in places.items() if len(folders) > 1)


def functions():
    """(lines, place) of each function's body."""
    for source in sources():
        before, start = "", None
        for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
            if line == "{" and before.endswith(")"):
                start = number
            elif line == "}" and start:
                yield number - start + 1, f"{source.relative_to(ROOT).as_posix()}:{start}"
                start = None
            before = line


def long_functions():
    lines = list(functions())
    yield from (f"{place}: a function of {count} lines" for count, place in lines if count > FUNCTION_LINES_MAX)
    if (median := statistics.median(count for count, place in lines)) > FUNCTION_LINES_MEDIAN_MAX:
        yield f"half of the functions have more than {median} lines"


def long_files():
    for source in sources():
        path, lines = source.relative_to(ROOT).as_posix(), source.read_text(encoding="utf-8").count("\n")
        if source.suffix == ".c" and lines > FILE_LINES_MAX:
            yield f"{path}: {lines} lines; split it at its natural seam"


def signs():
    """What comments call by a name such as spool_create or spool.h is in the code somewhere."""
    comment = re.compile(r"/\*.*?\*/", re.S)
    texts = {source: source.read_text(encoding="utf-8") for source in sources()}
    named = " ".join([*(comment.sub(" ", text) for text in texts.values()), *(source.stem for source in texts),
                      *(file.read_text(encoding="utf-8") for file in ROOT.glob("schema/*.sql"))])
    known = set(re.findall(r"[A-Za-z_]\w+", named)) | NAMED_ELSEWHERE
    paths = {"/" + source.relative_to(ROOT).as_posix() for source in texts}
    for source, text in texts.items():
        for found in comment.finditer(text):
            place = f"{source.relative_to(ROOT).as_posix()}:{text[:found.start()].count(chr(10)) + 1}"
            words = set(re.findall(r"\b[a-z]\w*_\w+\b", found[0])) - known
            headers = set(re.findall(r"(?<![\w/<])[\w/]+\.h\b", found[0])) - HEADERS_ELSEWHERE
            yield from (f"{place}: a comment names {word}, which is nowhere" for word in sorted(words))
            yield from (f"{place}: a comment names {header}, which is nowhere" for header in sorted(headers)
                        if not any(path.endswith("/" + header) for path in paths))
            yield from (f"{place}: a comment names {document}, which is nowhere" for document in sorted(documents(found[0], known)))


def documents(comment, known):
    """What a comment names of documents that are not in this repository: by their file, or as (NAME: a section)."""
    files = re.findall(r"(?<![\w/.:])[\w/.-]+\.(?:md|yaml|html)\b", re.sub(r"https?://\S+", "", comment))
    return {name for name in files if not (ROOT / name).exists()} | (set(re.findall(r"\(([A-Z][A-Z_]{3,}):", comment)) - known)


def cleaners():
    """Beside each destroy or close of what a create or open gives away stands what AUTO_ needs."""
    for source in sources():
        text = source.read_text(encoding="utf-8")
        for function, struct in re.findall(r"^void (\w+_(?:destroy|close))\(struct ([a-z]\w+) \*\w+\);", text, re.M) if source.suffix == ".h" else ():
            made = re.search(rf"struct {struct} \*\*|struct {struct} \*\w+_(?:create|open)\(", text)
            if made and not re.search(rf"AUTO_CLEANER\(\w+, struct {struct} \*, {function}\)", text):
                yield f"{source.relative_to(ROOT).as_posix()}: {function}() has no AUTO_CLEANER beside it"


def declarators(text):
    """What stands between the commas of a declaration, but for those within brackets."""
    depth, start = 0, 0
    for at, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]


def locals_without_value(text):
    """(line, declarator) of locals that are cleaned whatever happened to them, and begin as what lay on the stack."""
    for found in re.finditer(r"^[ \t]+(?:(?:AUTO_[A-Z_]+|AUTO\(\w+\))\s+|json_auto_t\b)([^;]*);", text, re.M):
        yield from ((text.count("\n", 0, found.start()) + 1, " ".join(declarator.split()))
                    for declarator in declarators(found[1]) if "=" not in declarator)


def first_values():
    for source in [*sources(), *sorted(ROOT.glob("tests/**/*.[ch]"))]:
        yield from (f"{source.relative_to(ROOT).as_posix()}:{line}: {declarator} is cleaned at every return: give it a first value"
                    for line, declarator in locals_without_value(source.read_text(encoding="utf-8")))


def sentences():
    """What something is refused with stands in one place: a sentence that stands twice is changed once."""
    places = {}
    for source in sources():
        text = re.sub(r"/\*.*?\*/", lambda comment: re.sub(r"[^\n]", "", comment[0]), source.read_text(encoding="utf-8"), flags=re.S)
        for call in re.finditer(r"\berr_(?:set|errno)\([^;]*;", text):
            for words in re.finditer(r'"(?:[^"\\\n]|\\.)*"(?:\s*(?:PRI\w+\s*)?"(?:[^"\\\n]|\\.)*")*', call[0]):
                sentence = re.sub(r'"\s*"', "", words[0])[1:-1]
                line = text.count("\n", 0, call.start() + words.start()) + 1
                places.setdefault(sentence, []).append(f"{source.relative_to(ROOT).as_posix()}:{line}")
    yield from (f"{' and '.join(found)} refuse with the same words: {sentence}" for sentence, found in places.items()
                if len(found) > 1 and len(sentence) > SENTENCE_MAX)


def faults():
    yield from circles()
    yield from cleaners()
    yield from first_values()
    yield from signs()
    yield from stems()
    yield from long_files()
    yield from long_functions()
    yield from sentences()
    for source in sources():
        path = source.relative_to(ROOT).as_posix()
        text = source.read_text(encoding="utf-8")
        if "SPDX-License-Identifier: Apache-2.0" not in text[:200]:
            yield f"{path}: names no licence (SPDX-License-Identifier: Apache-2.0)"
        if floor_of(path) is None:
            yield f"{path}: stands on no floor; add it to tests/check_floors.py"
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if found := re.match(r'#include "([^"]+)"', line):
                yield from wrong_arrow(path, number, found.group(1))
            elif (found := re.match(r"#include <([^>]+)>", line)) and found.group(1) in ONE_ROOM:
                if not any(path.startswith(room) for room in ONE_ROOM[found.group(1)]):
                    yield f"{path}:{number}: <{found.group(1)}> belongs to {' '.join(ONE_ROOM[found.group(1)])}"


def wrong_arrow(path, number, included):
    if not (ROOT / included).exists():
        # Made by the build (embedded files): named by their folder all the same.
        if floor_of(included) is None:
            yield f"{path}:{number}: {included} is not written from the root"
            return
    if floor_of(included) is None:
        yield f"{path}:{number}: {included} stands on no floor"
    elif floor_of(included) < floor_of(path):
        yield f"{path}:{number}: {included} lies above"
    elif floor_of(included) == floor_of(path) and (place_inside(included) or 0) < (place_inside(path) or 0):
        yield f"{path}:{number}: {included} lies above, within its floor"
    elif any(path.startswith(a) and included.startswith(b) for a, b in STRANGERS):
        yield f"{path}:{number}: {path.rsplit('/', 1)[0]} may not know {included.rsplit('/', 1)[0]}"


if __name__ == "__main__":
    found = list(faults())
    print("\n".join(found) or "the floors hold")
    sys.exit(1 if found else 0)
