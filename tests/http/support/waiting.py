# SPDX-License-Identifier: Apache-2.0
"""Waiting for something to become true, with an end to patience."""
import os
import time

# Generous: it is only ever used up by a test that fails.
DEADLINE_S = float(os.environ.get("LARDER_TEST_DEADLINE_S", "240"))


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """Polls until the condition gives something true, and returns that. what (words, or a function that gives them) is said
    when it never does."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s:.0f} s in vain for {what() if callable(what) else what}")
        time.sleep(0.01)
