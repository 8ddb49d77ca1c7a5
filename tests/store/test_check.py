# SPDX-License-Identifier: Apache-2.0
"""`larder store check` and the start of `larder serve`: a bucket is proved before it is trusted."""
import subprocess

import pytest

from conftest import Store, binary


def test_a_ceph_is_sound(gateways):
    sound, steps = gateways[0].report()
    assert sound and {step["result"] for step in steps.values()} == {"ok"}, steps
    assert "without quotes" in steps["exchange"]["detail"]
    assert gateways[0].run("list", "probe/", 10).strip() == "done"  # nothing is left behind


@pytest.mark.parametrize("etags", ["quoted", "bare"])
def test_either_spelling_of_etags(front, scripted, etags):
    front.script.etags = etags
    sound, steps = scripted.report()
    assert sound and ("with quotes" if etags == "quoted" else "without quotes") in steps["exchange"]["detail"], steps
    assert not front.objects and not front.unfinished


def test_a_store_that_ignores_conditions_is_refused(front, scripted):
    front.script.ignores_conditions = True
    sound, steps = scripted.report()
    assert not sound and steps["create once"]["result"] == "failure" and "If-None-Match" in steps["create once"]["detail"]
    assert steps["create once"]["remedy"]


def test_s3rver_is_refused(liar, tmp_path):
    store = Store(tmp_path, liar)
    store.credentials.write_text("[default]\naws_access_key_id = S3RVER\naws_secret_access_key = S3RVER\n")
    sound, steps = store.report()
    assert not sound and steps["create once"]["result"] == "failure", steps


@pytest.mark.parametrize("skew_s, result", [(30, "ok"), (200, "warning"), (-1000, "failure")])
def test_clocks(front, scripted, skew_s, result):
    front.script.skew_s = skew_s
    sound, steps = scripted.report()
    assert steps["clock"]["result"] == result and sound == (result != "failure"), steps


def test_what_is_wrong_comes_with_a_remedy(gateways, tmp_path):
    store = gateways[0]
    for keys, words in (({"bucket": "none"}, "bucket"), ({"endpoint": "http://127.0.0.1:9"}, "endpoint")):
        store.write(**keys)
        sound, steps = store.report()
        assert not sound and steps["reach"]["result"] == "failure" and words in steps["reach"]["remedy"], steps
        assert {step["result"] for name, step in steps.items() if name != "reach"} == {"skipped"}
    store.write()
    store.credentials.write_text("[default]\n")
    done = store.check()
    assert done.returncode == 1 and "aws_access_key_id" in done.stderr


def test_lines_for_programs(scripted):
    done = scripted.check()
    assert done.returncode == 0 and done.stderr == "", done
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert all(len(line) == 4 and line[1] == "ok" for line in lines) and lines[0][0] == "reach", lines


def serve(store):
    return subprocess.run([binary(), "serve", "--config", str(store.config), "--data", str(store.folder / "data"), "--listen", "127.0.0.1:0"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)


def test_serve_refuses_what_cannot_be_trusted(front, scripted):
    front.script.ignores_conditions = True
    done = serve(scripted)
    assert done.returncode == 1 and "If-None-Match" in done.stderr and "store check" in done.stderr, done
    scripted.write(endpoint="http://127.0.0.1:9")
    done = serve(scripted)
    assert done.returncode == 1 and "store check" in done.stderr, done
