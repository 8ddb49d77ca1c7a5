# SPDX-License-Identifier: Apache-2.0
"""What the page cache holds of a store."""
import ctypes
import mmap
import os
import time

import pytest

PAGE = mmap.PAGESIZE
# What was sent out of a mapping stays mapped, and so in memory: tests that ask for a byte to have it opened ask for the first.
MAPPED = 256 << 10


def chill(larder, part=None):
    """Takes all blobs out of memory, as time does; skips where the file system will not. Without a part (first and last
    byte) the first 256 KiB are left to themselves, unless that is all."""
    for blob in (larder.data / "blobs").rglob("*"):
        if blob.is_file():
            chill_file(blob, part)


def chill_file(path, part=None):
    """Pages that are on their way to a client stay until it has them: so it takes patience."""
    size = path.stat().st_size
    first, last = part or (MAPPED if size > 4 * MAPPED else 0, size - 1)
    for _ in range(300):
        drop(path)
        if not resident(path, first, last):
            return
        time.sleep(0.01)
    pytest.skip(f"the kernel keeps {len(resident(path, first, last))} pages of {path.name} in memory")


def drop(path):
    with open(path, "rb") as file:
        os.fsync(file)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def resident(path, first, last):
    """The pages from that byte to that which are in memory. Looking at them brings none there."""
    size = path.stat().st_size
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) as view:
        flags = (ctypes.c_ubyte * ((size + PAGE - 1) // PAGE))()
        start = ctypes.c_char.from_buffer(view)
        failed = libc.mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(size), flags)
        del start
    if failed:
        pytest.skip(f"the kernel does not tell what is in memory: {os.strerror(ctypes.get_errno())}")
    return [page for page in range(first // PAGE, last // PAGE + 1) if flags[page] & 1]
