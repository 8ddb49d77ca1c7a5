# SPDX-License-Identifier: Apache-2.0
"""The bundle that tests of imports carry: one version of each kind."""
from . import modules
from .bundle_writer import Bundle

X = modules.module(40_000, seed=1)
Y = modules.module(60_000, seed=2)
Z = modules.module(20_000, seed=3)
DOC = "# Module acme/x/1\nEmbeds words.\n\n<!-- task: text-embedding -->\n\n## Overview\nAll of it.\n"
PUBLISHER = "# Publisher acme\nAcme Ltd\n\n## Who\nWe.\n"


def sample():
    bundle = Bundle()
    bundle.add("acme/x/1", {"tf-hub": X}, markdown=DOC)
    bundle.add("google/y/2", {"tf-hub": Y}, source="mirrored")
    bundle.add("acme/old/1", state="withdrawn")
    return bundle.page("publisher", "acme", PUBLISHER)
