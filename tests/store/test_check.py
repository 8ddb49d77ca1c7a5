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


@pytest.mark.parametrize("lie, step", [("stale", "exchange once"), ("none", "exchange none"), ("race", "race"), ("backwards", "list")])
def test_lies(front, scripted, lie, step):
    front.script.lies.add(lie)
    sound, steps = scripted.report()
    assert not sound and steps[step]["result"] == "failure" and steps[step]["remedy"], steps
    # Whoever says no to what he does does so in the steps that follow, too.
    more = {"stale": {"exchange none", "race", "ranges"}}.get(lie, set()) | {step}
    assert {name for name, result in steps.items() if result["result"] != "ok"} == more, steps
    assert not front.objects


def test_a_store_that_tells_no_etags_is_refused(front, scripted):
    front.script.etags = "untold"
    sound, steps = scripted.report()
    assert not sound and steps["create"]["result"] == "failure" and "ETag" in steps["create"]["detail"], steps


@pytest.mark.parametrize("act", ["lost", "late-error"])
@pytest.mark.parametrize("number", range(5))
def test_nothing_is_left_where_an_answer_was_lost(front, scripted, act, number):
    front.script.on("PUT", *[None] * number, act)
    scripted.report()
    assert front.script.acts["PUT"] == [] and not front.objects


def test_a_clock_that_is_refused(front, scripted):
    front.script.on("GET", (403, b"<Error><Code>RequestTimeTooSkewed</Code></Error>"))
    sound, steps = scripted.report()
    assert not sound and "NTP" in steps["reach"]["remedy"], steps


def test_all_rights_are_named(front, scripted):
    front.script.on("PUT", "denied")
    sound, steps = scripted.report()
    assert not sound and "s3:AbortMultipartUpload" in steps["create"]["remedy"], steps


def serve(store):
    return subprocess.run([binary(), "serve", "--config", str(store.config), "--data", str(store.folder / "data"), "--listen", "127.0.0.1:0"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)


def test_serve_refuses_what_cannot_be_trusted(front, scripted):
    """78, which the unit does not start again, where that would be in vain."""
    for lie, words in (("stale", "stale"), ("none", "not there"), ("race", "same instant")):
        front.script.lies = {lie}
        done = serve(scripted)
        assert done.returncode == 78 and words in done.stderr and "store check" in done.stderr, done
    front.script.lies = set()
    front.script.ignores_conditions = True
    done = serve(scripted)
    assert done.returncode == 78 and "If-None-Match" in done.stderr, done
    assert not front.objects


@pytest.mark.parametrize("method, act", [("GET", "slow"), ("GET", "drop"), ("PUT", "slow"), ("PUT", "error"), ("GET", (403, b"<Error><Code>RequestTimeTooSkewed</Code></Error>"))])
def test_serve_may_be_started_again_where_the_store_was_away(front, scripted, method, act):
    front.script.on(method, *[act] * 4)
    done = serve(scripted)
    assert done.returncode == 1 and "store check" in done.stderr, done


def test_serve_without_a_store_and_with_a_wrong_one(front, scripted):
    front.script.on("GET", "denied")
    assert serve(scripted).returncode == 78
    scripted.write(endpoint="http://127.0.0.1:9")
    assert serve(scripted).returncode == 1
