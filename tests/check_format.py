#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the C files are laid out as .clang-format says. Versions of clang-format differ in what they do: only that of Debian 12
is asked, and where there is another the answer is to skip (exit status 77). Exits 1 with one line a fault."""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
VERSION = 14
SKIPPED = 77


def program():
    """The clang-format of that version; None where there is none."""
    for name in (f"clang-format-{VERSION}", "clang-format"):
        if path := shutil.which(name):
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
            if re.search(rf"version {VERSION}\.", said):
                return path
    return None


def main():
    path = program()
    if not path:
        print(f"there is no clang-format {VERSION} here")
        return SKIPPED
    sources = sorted(file for top in ("common", "server", "tests") for file in (ROOT / top).rglob("*.[ch]"))
    done = subprocess.run([path, "--dry-run", "--Werror", *map(str, sources)], capture_output=True, text=True, check=False)
    faults = [line.replace(f"{ROOT}/", "") for line in done.stderr.splitlines() if "error:" in line]
    if done.returncode == 0:
        print("the files are laid out")
        return 0
    print("\n".join(faults) or done.stderr)
    print(f"{len(faults)} places: run {pathlib.Path(path).name} -i on these files")
    return 1


if __name__ == "__main__":
    sys.exit(main())
