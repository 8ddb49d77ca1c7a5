#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a text file as a C string: embed_text.py OUTPUT.c INPUT NAME HEADER, with HEADER declaring `extern const char NAME[]`."""
import pathlib
import sys


def main(output, path, name, header):
    data = pathlib.Path(path).read_bytes() + b"\0"
    # Characters and not one literal: compilers need not take strings of more than 4095 characters.
    rows = [", ".join(f"'\\x{byte:02x}'" for byte in data[i:i + 12]) for i in range(0, len(data), 12)]
    pathlib.Path(output).write_text(
        f'/* Made from {pathlib.Path(path).name} by schema/embed_text.py. */\n#include "{header}"\n\n'
        f"const char {name}[] = {{\n\t" + ",\n\t".join(rows) + "};\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
