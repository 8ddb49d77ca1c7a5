# SPDX-License-Identifier: Apache-2.0
"""schema/openapi.yaml is what tools for OpenAPI take. What it says is held by tests/http/test_openapi.py."""
import json
import subprocess

import pytest
from conftest import HERE, ROOT

TEXT = (ROOT / "schema/openapi.yaml").read_text(encoding="utf-8")


def judge(path):
    done = subprocess.run(["node", "openapi.mjs", path], cwd=HERE, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_description_is_valid():
    verdict = judge(ROOT / "schema/openapi.yaml")
    assert verdict["valid"] and verdict["version"] == "3.1", verdict


@pytest.mark.parametrize("right, wrong", [
    ("in: query", "in: body"), ("responses:", "response:"), ("operationId: getStats", "operationId: [getStats]")])
def test_what_is_wrong_is_told(tmp_path, right, wrong):
    assert right in TEXT
    (tmp_path / "openapi.yaml").write_text(TEXT.replace(right, wrong, 1))
    assert not judge(tmp_path / "openapi.yaml")["valid"]
