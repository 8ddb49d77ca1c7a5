#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the house to its floors: every #include of ours points down this list (or stays in its room), each foreign library
is included in its one room only, and every source file names its licence. Exits 1 with one line a fault."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# From the roof to the ground. Files of one row may include each other.
FLOORS = [
    ["server/main.c"],
    ["server/command/"],
    ["server/app.", "server/routes."],
    ["server/hub/", "server/api/", "server/web/"],
    ["server/registry/"],
    ["server/config"],
    ["server/store/"],
    ["server/upstream/"],
    ["server/module/"],
    ["server/http/"],
    ["server/metrics.", "server/ranks."],
    ["common/"],
]
# http knows none of the services, and they know nothing of http.
STRANGERS = [("server/registry/", "server/http/"), ("server/store/", "server/http/"), ("server/upstream/", "server/http/"),
             ("server/module/", "server/http/"), ("server/store/", "server/upstream/"), ("common/", "server/")]
ONE_ROOM = {
    "microhttpd.h": ["server/http/mhd/daemon.", "server/http/mhd/request_head.c", "server/http/mhd/responses.c", "server/http/mhd/mhd_suspension.c", "server/http/mhd/guest.c"],
    "sqlite3.h": ["server/store/db.h", "server/store/db.c"],
    "curl/curl.h": ["server/upstream/client.c", "server/upstream/transfer.", "server/command/"],
    "openssl/ssl.h": ["server/http/tls/"],
    "zlib.h": ["server/module/"],
    "ini.h": ["server/config.c"],
    "cmark-gfm.h": ["server/module/documents/document.c", "server/web/"],
    "yajl/yajl_parse.h": ["server/module/formats/manifest.c"],
}


def floor_of(path):
    for number, rooms in enumerate(FLOORS):
        if any(path.startswith(room) for room in rooms):
            return number
    return None


def faults():
    for source in sorted([*ROOT.glob("common/**/*.[ch]"), *ROOT.glob("server/**/*.[ch]")]):
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
    elif any(path.startswith(a) and included.startswith(b) for a, b in STRANGERS):
        yield f"{path}:{number}: {path.rsplit('/', 1)[0]} may not know {included.rsplit('/', 1)[0]}"


if __name__ == "__main__":
    found = list(faults())
    print("\n".join(found) or "the floors hold")
    sys.exit(1 if found else 0)
