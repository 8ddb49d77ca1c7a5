# SPDX-License-Identifier: Apache-2.0
from support.fixtures import *  # noqa: F401,F403 (pytest finds fixtures by name)


def pytest_collection_modifyitems(items):
    """The long ones first."""
    items.sort(key=lambda item: not item.get_closest_marker("long"))
