# SPDX-License-Identifier: Apache-2.0
"""What the page cache holds of a store."""
import os
import time

import pytest


def chill(larder):
    """Takes all blobs out of memory, as time does; skips where the file system will not."""
    for blob in (larder.data / "blobs").rglob("*"):
        if blob.is_file():
            chill_file(blob)


def chill_file(path):
    """Pages that are on their way to a client stay until it has them: so it takes patience."""
    for _ in range(200):
        if is_cold(path):
            return
        time.sleep(0.01)
    pytest.skip("this file system keeps everything in memory")


def is_cold(path):
    with open(path, "rb") as file:
        os.fsync(file)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            os.preadv(file.fileno(), [bytearray(1)], path.stat().st_size // 2, os.RWF_NOWAIT)
        except BlockingIOError:
            return True
        except OSError as error:
            pytest.skip(f"this file system does not tell what is in memory: {error}")
    return False
