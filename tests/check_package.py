#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian package: it can be built, lintian has nothing to say of it, and what is promised of it is in it."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACES = ["/usr/bin/larder", "/etc/larder.ini", "/lib/systemd/system/larder.service", "/usr/lib/sysusers.d/larder.conf", "/usr/share/man/man1/larder.1.gz",
          "/usr/share/bash-completion/completions/larder", "/usr/share/zsh/vendor-completions/_larder", "/usr/share/fish/vendor_completions.d/larder.fish"]


def output(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout if done.returncode == 0 else sys.exit(done.stdout)


def faults(package):
    told = [line for line in output("lintian", "--allow-root", "--fail-on", "none", package).splitlines() if re.match(r"[EWI]: ", line)]
    there = {re.sub(r"^\.", "", line.split()[5]) for line in output("dpkg-deb", "--contents", package).splitlines()}
    conffiles = output("dpkg-deb", "--info", package, "conffiles").split()
    return told + [f"{place} is missing" for place in PLACES if place not in there] + ([] if conffiles == ["/etc/larder.ini"] else [f"conffiles: {conffiles}"])


def main():
    with tempfile.TemporaryDirectory() as folder:
        output(str(ROOT / "deploy" / "build-deb"), folder)
        package, = Path(folder).glob("*.deb")
        found = faults(str(package))
    print("\n".join(found) or "the package holds")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
