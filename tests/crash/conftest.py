# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "http"))

from support.fixtures import *  # noqa: E402,F401,F403 (pytest finds fixtures by name)
