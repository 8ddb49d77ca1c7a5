# SPDX-License-Identifier: Apache-2.0
"""What the page cache holds of a store."""
import os

import pytest


def chill(larder):
    """Takes all blobs out of memory, as time does; skips where the file system will not."""
    for blob in (larder.data / "blobs").rglob("*"):
        if blob.is_file():
            chill_file(blob)


def chill_file(path):
    with open(path, "rb") as file:
        os.fsync(file)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            os.preadv(file.fileno(), [bytearray(1)], path.stat().st_size // 2, os.RWF_NOWAIT)
        except BlockingIOError:
            return
        except OSError as error:
            pytest.skip(f"this file system does not tell what is in memory: {error}")
    pytest.skip("this file system keeps everything in memory")
