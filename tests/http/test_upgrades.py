# SPDX-License-Identifier: Apache-2.0
"""Data folders of earlier releases (tests/upgrades): whatever opens them lists and gives out the same, and has the tables that it would
have made itself."""
import json
import re
import sqlite3
import tarfile

import pytest
from support import modules, release
from support.daemon import ROOT

KEPT = sorted((ROOT / "tests/upgrades").glob("*.tar.xz"))


def tables(folder):
    """{name: its definition}, without what only looks different."""
    with sqlite3.connect(folder / "larder.db") as database:
        return {name: re.sub(r"\s+", " ", text or "") for name, text in database.execute("SELECT name, sql FROM sqlite_master")}


def test_there_are_some():
    assert KEPT and all(path.with_name(path.name[:3] + ".json").exists() for path in KEPT)


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.name[:3])
def test_a_data_folder_of_an_earlier_release_is_taken_over(start, tmp_path, blank, kept):
    folder = tmp_path / "larder"
    folder.mkdir()
    with tarfile.open(kept) as archive:
        archive.extractall(folder / "data")
    expected = json.loads(kept.with_name(kept.name[:3] + ".json").read_text())
    larder = start({"mirror": {"offline": "on"}})
    larder.tokens = {"publish:*": expected["token"]}
    now = release.all_of(larder)
    assert release.missing(expected["said"], now) == []
    assert larder.put("/acme/whole/1?tf-hub-format=compressed", modules.module(2000)).status == 200, "what it has, with its token"
    assert larder.put("/acme/gone/1?tf-hub-format=compressed", modules.module(2000)).status in (409, 410), "a number is used once"
    assert larder.put("/acme/whole/3?tf-hub-format=compressed", modules.module(2000)).status == 201
    larder.stop()
    assert tables(larder.data) == tables(blank / "data")
