#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes Unicode's simple case folding as the C table of server/module/archives/folding.h: fold_table.py OUTPUT.c CaseFolding.txt

Code points that lie at even distances and fold by the same distance are one row."""
import pathlib
import sys


def pairs(text):
    """(code, what it folds to) of each line whose status is C (common) or S (simple)."""
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("#")[0].split(";")]
        if len(fields) > 2 and fields[1] in ("C", "S"):
            yield int(fields[0], 16), int(fields[2], 16)


def ranges(folds):
    """[first, last, step, distance]; step is 1 or 2."""
    rows = []
    for code, folded in sorted(folds):
        row = rows[-1] if rows else None
        step = code - row[1] if row else 0
        if row and row[3] == folded - code and step in (1, 2) and (row[0] == row[1] or row[2] == step):
            row[1], row[2] = code, step
        else:
            rows.append([code, code, 1, folded - code])
    return rows


def main(output, source):
    rows = ranges(pairs(pathlib.Path(source).read_text(encoding="utf-8")))
    pathlib.Path(output).write_text(
        "/* Made from Unicode's CaseFolding.txt by server/module/archives/fold_table.py. */\n"
        '#include "server/module/archives/folding.h"\n\nconst struct fold_range fold_ranges[] = {\n'
        + "".join(f"\t{{{first:#x}, {last:#x}, {step}, {distance}}},\n" for first, last, step, distance in rows)
        + "};\nconst size_t fold_range_count = sizeof fold_ranges / sizeof *fold_ranges;\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
