# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "http"))

from support.fixtures import *  # noqa: E402,F401,F403 (pytest finds fixtures by name)


def pytest_collection_modifyitems(items):
    """The long ones first."""
    items.sort(key=lambda item: not item.get_closest_marker("long"))
