# SPDX-License-Identifier: Apache-2.0
"""What is served and uploaded: models without content, of any size, and archives of weights."""
import array
import hashlib
import io
import random
import struct
import sys
import tarfile
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "http"))
from support.modules import TFLITE_MIN, bundle_index, saved_model, tflite_head  # noqa: E402 (the tests' writers of models)

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
BLOCK = 4 * MIB


def tflite(path, size, seed=1):
    """A bare .tflite of exactly this size, of bytes that no compression makes smaller."""
    block = random.Random(seed).randbytes(min(size, BLOCK))
    with open(path, "wb") as out:
        out.write((tflite_head(size) + block[TFLITE_MIN:])[:size])
        for at in range(len(block), size, len(block)):
            # The blocks differ, so that no two files and no two places are alike.
            out.write((struct.pack("<QQ", seed, at) + block[16:])[:size - at])
    return Path(path)


def weights(count, seed=1):
    """The bytes of floats from a bell curve, as weights are: about half of their bits do not compress."""
    draw = random.Random(seed)
    return array.array("f", (draw.gauss(0, 0.05) for _ in range(count))).tobytes()


def tar_head(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    if name.endswith("/"):
        info.type = tarfile.DIRTYPE
        info.mode = 0o755
    return info.tobuf()


def padded(content):
    return content + bytes(-len(content) % 512)


class GzipWriter:
    """One gzip member whose parts are deflated apart, so that a part can be written many times at the price of once:
    deflate's window is 32 KiB, so its user can tell no difference."""

    def __init__(self, out, level):
        self.out, self.level, self.crc, self.length = out, level, 0, 0
        out.write(b"\x1f\x8b\x08\0\0\0\0\0\0\xff")

    def deflated(self, data):
        deflater = zlib.compressobj(self.level, zlib.DEFLATED, -15)
        return deflater.compress(data) + deflater.flush(zlib.Z_FULL_FLUSH)

    def add(self, data, times=1):
        packed = self.deflated(data)
        for _ in range(times):
            self.out.write(packed)
            self.crc = zlib.crc32(data, self.crc)
            self.length += len(data)

    def close(self):
        self.out.write(b"\x03\0" + struct.pack("<II", self.crc, self.length & 0xFFFFFFFF))


def archive(path, size, seed=1, level=6):
    """A module's tar.gz with this many bytes of weights; level 0 stores them as they are."""
    block = weights(BLOCK // 4, seed)
    graph, index = saved_model(), bundle_index(size // BLOCK * BLOCK)
    with open(path, "wb") as out:
        writer = GzipWriter(out, level)
        writer.add(tar_head("./", 0) + tar_head("./saved_model.pb", len(graph)) + padded(graph)
                   + tar_head("./variables/", 0)
                   + tar_head("./variables/variables.index", len(index)) + padded(index)
                   + tar_head("./variables/variables.data-00000-of-00001", size))
        writer.add(block, size // BLOCK)
        writer.add(bytes(1024))
        writer.close()
    return Path(path)


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(MIB), b""):
            digest.update(block)
    return digest.hexdigest()


def small_archive(seed):
    """A whole tar.gz of a small module."""
    out = io.BytesIO()
    graph = saved_model()
    writer = GzipWriter(out, 1)
    writer.add(tar_head("./", 0) + tar_head("./saved_model.pb", len(graph)) + padded(graph) + tar_head("./seed", 8)
               + padded(struct.pack("<Q", seed)) + bytes(1024))
    writer.close()
    return out.getvalue()
