# SPDX-License-Identifier: Apache-2.0
"""Modules packed by the programs that people pack with. Each row of PACKERS makes a tar.gz of a folder; which are at hand,
available() tells."""
import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from . import modules

SPARSE_BYTES = 300_000
# 7-Zip is called so by p7zip and by Debian 13's package, or otherwise.
SEVEN_ZIP = "7z" if shutil.which("7z") else "7zz"


def folder(root):
    """A module as a checkout has it: subfolders, a long name, a file with holes, one that is no ASCII."""
    root = Path(root)
    (root / "variables").mkdir(parents=True)
    (root / "assets" / ("long" * 20)).mkdir(parents=True)
    (root / "saved_model.pb").write_bytes(modules.saved_model())
    (root / "variables" / "variables.index").write_bytes(modules.bundle_index(5000))
    (root / "variables" / "variables.data-00000-of-00001").write_bytes(modules.payload(5000))
    (root / "assets" / ("long" * 20) / ("name" * 20)).write_bytes(b"far")
    (root / "assets" / "wörter.txt").write_bytes(b"hello\n")
    with open(root / "assets" / "holes", "wb") as out:
        out.seek(100_000)
        out.write(b"middle")
        out.truncate(SPARSE_BYTES)
    return root


def files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in Path(root).rglob("*") if path.is_file()}


def shell(command):
    """A command in the folder's place; {out} is the archive."""
    def pack(root, out):
        subprocess.run(command.format(out=out, root=root), shell=True, check=True, cwd=root, executable="/bin/bash",
                       env=dict(os.environ, LC_ALL="C.UTF-8"), stdout=subprocess.DEVNULL)
    pack.program = command.split()[0]
    return pack


def by_tarfile(format, **options):
    def pack(root, out):
        with tarfile.open(out, "w:gz", format=format, **options) as archive:
            archive.add(root, ".")
    pack.program = "python3"
    return pack


def by_tarfile_stream(root, out):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w|gz") as archive:
        archive.add(root, ".")
    Path(out).write_bytes(raw.getvalue())


by_tarfile_stream.program = "python3"

# What a packer's way of writing brings along; no row: nothing.
SPARSE = {"sparse-member"}
PACKERS = {
    "tar": (shell("tar -czf {out} ."), set()),
    "tar --format=gnu": (shell("tar --format=gnu -czf {out} ."), set()),
    "tar --format=oldgnu": (shell("tar --format=oldgnu -czf {out} ."), set()),
    "tar --format=pax": (shell("tar --format=pax -czf {out} ."), set()),
    "tar --format=ustar": (shell("tar --format=ustar -czf {out} ."), set()),
    "tar -h --hard-dereference": (shell("tar -h --hard-dereference -C {root} -czf {out} ."), set()),
    "tar -b 200": (shell("tar -b 200 -czf {out} ."), set()),
    "tar of arguments": (shell("tar -czf {out} assets saved_model.pb variables"), set()),
    "tar of a repeated folder": (shell("tar --no-recursion -czf {out} . ./assets ./assets $(find . -mindepth 1)"), None),
    "tar with a root called /": (shell("tar --transform='flags=r;s,^\\.$,/,' -P -czf {out} ."), set()),
    "tar -S, GNU": (shell("tar --format=gnu -S -czf {out} ."), SPARSE),
    "tar -S, pax 0.0": (shell("tar --format=pax --sparse-version=0.0 -S -czf {out} ."), SPARSE),
    "tar -S, pax 0.1": (shell("tar --format=pax --sparse-version=0.1 -S -czf {out} ."), SPARSE),
    "tar -S, pax 1.0": (shell("tar --format=pax --sparse-version=1.0 -S -czf {out} ."), SPARSE),
    "bsdtar": (shell("bsdtar --no-read-sparse -czf {out} ."), set()),
    "bsdtar to a pipe": (shell("bsdtar --no-read-sparse -czf - . | cat > {out}"), set()),
    "bsdtar, sparse": (shell("bsdtar --format=pax --read-sparse -czf {out} ."), SPARSE),
    "bsdtar, ustar": (shell("bsdtar --no-read-sparse --format=ustar -czf {out} ."), set()),
    "bsdtar, gnutar": (shell("bsdtar --no-read-sparse --format=gnutar -czf - . | cat > {out}"), set()),
    "7z": (shell(f"{SEVEN_ZIP} a -ttar -so -an . | gzip -n > {{out}}"), set()),
    "7z, gzip by 7z": (shell(f"{SEVEN_ZIP} a -ttar -so -an . | {SEVEN_ZIP} a -tgzip -si{{out}}.tar -so -an > {{out}}"), set()),
    "tarfile, GNU": (by_tarfile(tarfile.GNU_FORMAT), set()),
    "tarfile, pax": (by_tarfile(tarfile.PAX_FORMAT), set()),
    "tarfile, pax with a comment": (by_tarfile(tarfile.PAX_FORMAT, pax_headers={"comment": "by hand"}), set()),
    "tarfile, stream": (by_tarfile_stream, set()),
}


def available(name):
    return shutil.which(PACKERS[name][0].program) is not None
