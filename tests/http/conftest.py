# SPDX-License-Identifier: Apache-2.0
from support.fixtures import *  # noqa: F401,F403 (pytest finds fixtures by name)
