# SPDX-License-Identifier: Apache-2.0
"""/api/v1/artifacts: what there is of many versions, which lock and verify ask for at once."""
import json
import random
import subprocess

import pytest
from support import modules
from support.daemon import binary


def ask(larder, versions, **headers):
    return larder.request("POST", "/api/v1/artifacts", {"Content-Type": "application/json"} | headers, json.dumps({"versions": versions}).encode())


def test_tells_what_there_is_in_the_order_of_the_request(larder):
    contents = {f"acme/m{i}/{1 + i % 3}": modules.module(2000 + 100 * i, seed=i) for i in range(7)}
    for path, content in contents.items():
        assert larder.put("/" + path, content).status == 201
    larder.request("DELETE", "/acme/m0/1", {"Authorization": f"Bearer {larder.token('withdraw:*')}"})
    paths = [*contents, "acme/m1/9", "acme/none/1", "acme/m2/3"]
    random.Random(3).shuffle(paths)
    answer = ask(larder, paths)
    assert answer.status == 200 and answer.headers["Cache-Control"] == "no-cache"
    for path, row in zip(paths, answer.json()["versions"], strict=True):
        if path not in contents:
            assert row is None
            continue
        handle, version = path.rsplit("/", 1)
        assert (row["handle"], row["version"], row["state"]) == (handle, int(version), "withdrawn" if path == "acme/m0/1" else "active")
        assert row["artifacts"] == [{"format": "tf-hub", "digest": "sha256:" + modules.digest(contents[path]), "size_bytes": len(contents[path]),
                                     "cached": path != "acme/m0/1", "state": row["state"]}]


def test_many_at_once(larder):
    assert ask(larder, [f"acme/m/{i + 1}" for i in range(500)]).json()["versions"] == [None] * 500
    refused = ask(larder, [f"acme/m/{i + 1}" for i in range(501)])
    assert refused.status == 400 and "more than the 500" in refused.json()["detail"]
    assert ask(larder, []).json() == {"versions": []}


@pytest.mark.parametrize("order", [b"", b"[]", b"{}", b"{\"versions\":{}}", b"{\"versions\":[1]}", b"{\"versions\":[\"a\\u0000b/1\"]}",
                                   b"{\"versions\":[\"acme/m\"]}", b"{\"versions\":[\"../1\"]}", b"{\"versions\":[\"acme/m/0\"]}", b"{\"versions\":[" + b"[" * 5000])
def test_orders_that_are_none(larder, order):
    assert larder.request("POST", "/api/v1/artifacts", {}, order).status == 400


def test_takes_the_right_to_read(start):
    larder = start({"auth": {"read": "token"}})
    assert ask(larder, ["acme/m/1"]).status == 401
    assert ask(larder, ["acme/m/1"], Authorization=f"Bearer {larder.token('read')}").json() == {"versions": [None]}


def test_more_versions_than_one_request_takes(larder, tmp_path):
    content = modules.module(1500, seed=1)
    paths = [f"acme/{'long-' * 40}{i:03}/1" for i in range(300)]
    for path in paths:
        assert larder.put("/" + path, content).status == 201
    environment = ["--server", larder.url]
    by_name, by_pattern = (larder_command(*environment, *what) for what in (paths, ["acme/*"]))
    assert by_name == by_pattern and by_name.count('"digest"') == 300
    (tmp_path / "lock").write_text(by_name)
    assert larder_command("--lock", str(tmp_path / "lock"), *environment, command="verify") == "300 as locked, 0 missing, 0 different\n"


def larder_command(*arguments, command="lock"):
    done = subprocess.run([binary(), command, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
