#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the page's files as the C table of server/web/assets.h: embed.py OUTPUT.c FILE…"""
import gzip
import hashlib
import pathlib
import sys

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def array(name, data):
    lines = (data[at:at + 20] for at in range(0, len(data), 20))
    return f"static const unsigned char {name}[] = {{\n" + "".join(
        "\t" + ", ".join(map(str, line)) + ",\n" for line in lines) + "};\n"


def main(output, *inputs):
    files = [(path.name, path.suffix, path.read_bytes()) for path in sorted(map(pathlib.Path, inputs))]
    revision = hashlib.sha256(b"".join(name.encode() + b"\0" + data + b"\0" for name, _, data in files)).hexdigest()[:12]
    arrays, rows = [], []
    for number, (name, suffix, data) in enumerate(files):
        arrays += [array(f"plain_{number}", data), array(f"packed_{number}", gzip.compress(data, mtime=0))]
        digest = hashlib.sha256(data).hexdigest()[:32]
        rows.append(f'\t{{"{name}", "{MEDIA_TYPES[suffix]}", "{digest}", plain_{number}, sizeof plain_{number}, '
                    f"packed_{number}, sizeof packed_{number}}},\n")
    pathlib.Path(output).write_text(
        '/* Made from static/ by static/embed.py. */\n#include "server/web/assets.h"\n\n' + "\n".join(arrays)
        + f'\nconst char assets_revision[] = "{revision}";\n'
        + "const struct asset assets[] = {\n" + "".join(rows) + "};\n"
        + "const size_t asset_count = sizeof assets / sizeof *assets;\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
