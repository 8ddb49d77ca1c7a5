# SPDX-License-Identifier: Apache-2.0
"""The commands by which people look after a registry: withdraw, document, explain, status, fills."""
import json
import os
import pty
import random
import string
import subprocess
import threading

import pytest
from support import modules
from support.daemon import REPORTS, binary
from support.upstream import Answer
from support.waiting import DEADLINE_S

MODULE = modules.module(3000)
PATH = "acme/half-plus-two/1"


def run(daemon, *arguments, scope=None, status=0, **more):
    unset = ("LARDER_SERVER", "LARDER_TOKEN", "http_proxy", "all_proxy")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment["LARDER_SERVER"] = daemon.url if daemon else "http://127.0.0.1:9"
    if scope:
        environment["LARDER_TOKEN"] = daemon.token(scope)
    more = {"stdin": subprocess.DEVNULL, **more}
    done = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE_S, env=environment, **more)
    assert not REPORTS.search(done.stderr), done.stderr
    assert done.returncode == status, f"{arguments}: status {done.returncode}: {done.stdout}{done.stderr}"
    assert "\x1b" not in done.stdout + done.stderr
    return done


# ---- withdraw -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("spelling", ["{path}", "/{path}", "{url}/{path}", "{url}/{path}/"])
def test_withdraws(larder, spelling):
    larder.publish(f"/{PATH}", MODULE)
    assert run(larder, "withdraw", spelling.format(path=PATH, url=larder.url), scope="withdraw:*").stdout == f"withdrawn: {PATH}\n"
    assert larder.get(f"/{PATH}?tf-hub-format=compressed").status == 410
    assert "withdrawn before" in run(larder, "withdraw", PATH, scope="withdraw:*", status=1).stderr


def test_withdraws_several_and_names_each_that_it_cannot(larder):
    for number in (1, 3):
        larder.publish(f"/acme/m/{number}", MODULE)
    done = run(larder, "withdraw", "acme/m/1", "acme/m/2", "acme/m/3", "acme/n/1", "--json", scope="withdraw:*", status=1)
    assert [version["version"] for version in json.loads(done.stdout)["withdrawn"]] == [1, 3]
    assert sorted(line.split()[4] for line in done.stderr.splitlines()) == ["acme/m/2", "acme/n/1"]


@pytest.mark.parametrize("wrong", ["acme/m", "acme/m/0", "acme", "", "acme/../m/1", "ftp://host/acme/m/1", "http://127.0.0.1:9/acme/m/1",
                                   "acme/m/1?tf-hub-format=compressed"])
def test_a_wrong_name_withdraws_nothing(larder, wrong):
    larder.publish("/acme/m/1", MODULE)
    run(larder, "withdraw", "acme/m/1", wrong, scope="withdraw:*", status=1)
    assert larder.get("/acme/m/1?tf-hub-format=compressed").status == 200


def test_withdraws_only_with_the_right(larder):
    larder.publish(f"/{PATH}", MODULE)
    assert "forbidden" in run(larder, "withdraw", PATH, scope="publish:*", status=1).stderr
    assert "--token" in run(larder, "withdraw", PATH, status=1).stderr
    assert larder.get(f"/{PATH}?tf-hub-format=compressed").status == 200


@pytest.mark.parametrize("answer, status", [("y\n", 410), ("n\n", 200), ("\n", 200)])
def test_asks_on_a_terminal(larder, answer, status):
    larder.publish(f"/{PATH}", MODULE)
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    done = run(larder, "withdraw", PATH, scope="withdraw:*", stdin=theirs, status=0 if status == 410 else 1)
    os.close(ours)
    os.close(theirs)
    assert "[y/N]" in done.stderr and PATH in done.stderr and "cannot be undone" in done.stderr
    assert larder.get(f"/{PATH}?tf-hub-format=compressed").status == status


# ---- document -------------------------------------------------------------------------------------------------------------

def test_documents(larder, tmp_path):
    larder.publish(f"/{PATH}", MODULE)
    page = tmp_path / "README.md"
    for text, words in (("# Free\nwords\n", "documented: "), (f"# Module {PATH}\nHalves.\n\n## Use\nIt.\n", "documented anew: ")):
        page.write_text(text)
        assert run(larder, "document", PATH, page, scope="publish:*").stdout == f"{words}{larder.url}/{PATH}\n"
        assert larder.get(f"/api/v1/documentation/{PATH}", accept="text/markdown").body.decode() == text
    assert json.loads(run(larder, "document", PATH, page, "--json", scope="publish:*").stdout)["description"] == "Halves."


FAULTS = {
    "another version's": (f"# Module {PATH[:-1]}2\nText.\n".encode(), f"is of {PATH[:-1]}2"),
    "another kind's": (b"# Publisher acme\nText.\n", "is of acme"),
    "a tag that is broken": (f"# Module {PATH}\nText.\n\n<!-- task text -->\n".encode(), "line 4"),
    "not UTF-8": (b"# Caf\xe9\n", "UTF-8"),
    "a NUL": (b"# A\0B\n", "UTF-8"),
    "too large": (b"x" * ((1 << 20) + 1), "1024 KiB"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_faulty_documentation_is_named_and_costs_no_publication(start, tmp_path, kind):
    """What is published cannot be taken back: all of it is looked at before anything is sent."""
    larder = start({"mirror": {"offline": "true"}})
    content, words = FAULTS[kind]
    page, module = tmp_path / "README.md", tmp_path / "module.tar.gz"
    page.write_bytes(content)
    module.write_bytes(MODULE)
    done = run(larder, "publish", module, PATH, "--documentation", page, scope="publish:*", status=1)
    assert words in done.stderr and str(page) in done.stderr, done.stderr
    assert larder.blobs() == [] and larder.handles() == []
    larder.publish(f"/{PATH}", MODULE)
    done = run(larder, "document", PATH, page, scope="publish:*", status=1)
    assert words in done.stderr and str(page) in done.stderr, done.stderr
    assert larder.get(f"/api/v1/documentation/{PATH}").status == 404


def test_documents_nothing_that_is_not_there(larder, tmp_path):
    page = tmp_path / "README.md"
    assert str(page) in run(larder, "document", PATH, page, scope="publish:*", status=1).stderr
    page.write_text("# Words\n")
    assert "not-found" in run(larder, "document", PATH, page, scope="publish:*", status=1).stderr


# ---- explain --------------------------------------------------------------------------------------------------------------

def lines(text):
    found = {}
    for line in text.splitlines():
        key, value = line.split(":\t", 1)
        found.setdefault(key, []).append(value)
    return found


def test_explains_what_is_here_and_what_is_not(mirror, upstream):
    mirror.publish(f"/{PATH}", MODULE)
    upstream.serve("/google/m/1", Answer(MODULE))
    here = lines(run(mirror, "explain", f"/{PATH}?tf-hub-format=compressed").stdout)
    assert here["name"] == [f"{PATH} (tf-hub)"] and here["answer"] == ["200, hit"]
    assert modules.digest(MODULE) in here["on record"][0] and "published, active, here" in here["on record"][0]
    far = lines(run(mirror, "explain", "https://tfhub.dev/google/m/1?tf-hub-format=compressed").stdout)
    assert far["answer"] == ["200, miss"] and "on record" not in far and far["upstream"][0].startswith("test0, ")
    mirror.get("/google/gone/1?tf-hub-format=compressed")
    gone = lines(run(mirror, "explain", "google/gone/1?tf-hub-format=compressed").stdout)
    assert gone["answer"][0].startswith("404, not-found: ") and gone["remembered"][0].startswith("no upstream had it lately, until ")
    assert gone["last fill"][0].startswith("google/gone/1 "), gone
    assert upstream.count("/google/m/1") == 0


@pytest.mark.parametrize("seed", range(3))
def test_explains_whatever_it_is_given(larder, seed):
    """A word for each, nothing that steers a terminal, and the same as the API has."""
    chance = random.Random(seed)
    for _ in range(12):
        url = "".join(chance.choices(string.printable + "é\x1b\x9b", k=chance.randint(1, 60))).replace("-", "x", 1)
        done = subprocess.run([binary(), "explain", "--server", larder.url, "--", url], capture_output=True, timeout=DEADLINE_S)
        assert done.returncode in (0, 1) and b"\x1b" not in done.stdout + done.stderr
        assert (done.stdout if done.returncode == 0 else done.stderr).strip(), url
    as_json = json.loads(run(larder, "explain", "--json", f"/{PATH}").stdout)
    assert as_json == larder.get(f"/api/v1/explain?url=/{PATH}").json()


# ---- status and fills -----------------------------------------------------------------------------------------------------

def test_status(mirror, upstream):
    upstream.serve("/google/m/1", Answer(MODULE))
    mirror.get("/google/m/1?tf-hub-format=compressed")
    mirror.get("/google/m/1?tf-hub-format=compressed")
    shown = lines(run(mirror, "status").stdout)
    assert shown["server"] == [mirror.url] and shown["state"][0].startswith("ready, ") and shown["modules"] == ["1, with 1 version"] and "offline" not in shown
    assert shown["requests"] == ["1 hit, 1 miss"] and shown["stored"][0].endswith("in 1 file, for 1 of 1 artifact") and shown["fills"] == ["0 running"]
    report = json.loads(run(mirror, "status", "--json", "--server", f"{mirror.address[0]}:{mirror.address[1]}").stdout)
    assert report["readiness"]["ready"] is True and report["stats"]["versions"] == 1 and report["fills"]["fills"] == []


def test_status_tells_of_a_server_without_a_way_out(start):
    larder = start({"mirror": {"offline": "true"}})
    for number in (1, 2, 2):
        assert larder.get(f"/google/m/{number}?tf-hub-format=compressed").status == 504
    larder.restart()  # what was noted is written by then
    assert "2 artifacts were asked for in vain" in lines(run(larder, "status").stdout)["offline"][0]
    stats = larder.get("/api/v1/stats").json()
    assert (stats["offline"], stats["wants"]) == (True, 2)


def test_status_of_nobody():
    done = run(None, "status", status=1)
    assert done.stdout == "" and "larder serve" in done.stderr and "--server" in done.stderr
    for server in ("ftp://host", "host/path", "ho st", "http:/x", "a@b"):
        assert "no URL of a registry" in run(None, "status", "--server", server, status=1).stderr


def test_lists_and_cancels_fills(mirror, upstream):
    gate = threading.Event()
    upstream.serve("/google/m/1", Answer(MODULE, gate=gate, gate_after=1000))
    assert "no fill is running" in run(mirror, "fills").stderr
    client = threading.Thread(target=lambda: mirror.get("/google/m/1?tf-hub-format=compressed"))
    client.start()
    mirror.wait_for("larder_fills_running", 1)
    row = run(mirror, "fills").stdout.rstrip("\n").split("\t")
    assert row[2:4] == ["google/m/1", "tf-hub"] and row[8] == "test0" and row[7] == "1", row
    assert "forbidden" in run(mirror, "fills", "cancel", row[0], scope="publish:*", status=1).stderr
    assert run(mirror, "fills", "cancel", row[0], scope="admin").stdout == f"cancelled: {row[0]}\n"
    gate.set()
    client.join()
    mirror.wait_for_idle()
    assert "not-found" in run(mirror, "fills", "cancel", row[0], scope="admin", status=1).stderr
    recent = run(mirror, "fills", "--recent").stdout.rstrip("\n").split("\t")
    assert recent[0] == row[0] and recent[9], recent
    assert json.loads(run(mirror, "fills", "--json").stdout)["fills"] == []


HOSTILE = ["\x1b[2J\x1b]0;owned\x07", "\x9b2J", "\x7f\x08\x08", "\r\nlarder: all is well"]


@pytest.mark.parametrize("words", HOSTILE, ids=ascii)
def test_what_a_server_says_steers_no_terminal(upstream, tmp_path, words):
    problem = json.dumps({"type": "x", "title": words, "status": 503, "detail": words, "code": words}).encode()
    (tmp_path / "page.md").write_text("# Words\n")
    upstream.serve("/readyz", Answer(problem, 503, "application/problem+json"))
    upstream.serve("/api/v1/explain", Answer(problem, 404, "application/problem+json"))
    upstream.serve("/api/v1/fills", Answer(json.dumps({"fills": [{"id": 1, "handle": words, "version": words, "state": words, "detail": words}]}).encode(),
                                           media_type="application/json"))
    for arguments in (["status"], ["explain", "a/b/1"], ["fills"], ["withdraw", "a/b/1"], ["document", "a/b/1", str(tmp_path / "page.md")]):
        done = subprocess.run([binary(), *arguments, "--server", upstream.url], capture_output=True, timeout=DEADLINE_S, stdin=subprocess.DEVNULL)
        assert not REPORTS.search(done.stderr.decode()) and done.returncode in (0, 1)
        for said in (done.stdout.decode(), done.stderr.decode()):
            assert all(sign.isprintable() or sign in "\t\n" for sign in said), said
            assert "\nlarder: all is well" not in said


@pytest.mark.parametrize("answer", [b"null", b"[]", b"no JSON", b"", b"3"])
def test_what_is_no_larder_is_not_believed(upstream, tmp_path, answer):
    (tmp_path / "page.md").write_text("# Words\n")
    reply = Answer(answer, media_type="application/json")
    for path in ("/a/b/1", "/readyz", "/api/v1/explain", "/api/v1/fills"):
        upstream.serve(path, reply)
    for arguments in (["status"], ["explain", "a/b/1"], ["fills"], ["withdraw", "a/b/1"], ["document", "a/b/1", str(tmp_path / "page.md")]):
        done = subprocess.run([binary(), *arguments, "--server", upstream.url], capture_output=True, text=True, timeout=DEADLINE_S,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("larder: "), (arguments, done)


# ---- all of them ----------------------------------------------------------------------------------------------------------

MISUSED = [["withdraw"], ["withdraw", "--no"], ["document", "a/b/1"], ["document", "a/b/1", "x", "y"], ["explain"], ["explain", "a", "b"],
           ["status", "a"], ["fills", "x"], ["fills", "cancel"], ["fills", "cancel", "x"], ["fills", "cancel", "1", "2"], ["help", "no-such"]]


@pytest.mark.parametrize("arguments", MISUSED, ids=" ".join)
def test_misused(arguments):
    done = run(None, *arguments, status=2)
    assert done.stdout == "" and done.stderr.startswith("larder: ")


@pytest.mark.parametrize("command", ["withdraw", "document", "explain", "status", "fills"])
def test_help(command):
    assert run(None, "help", command).stdout == run(None, command, "--help").stdout
    assert run(None, command, "--help").stdout.startswith(f"usage: larder {command}")
    assert run(None, "help").stdout == run(None, "--help").stdout
    assert f"\n  {command} " in run(None, "help").stdout and run(None, "version").stdout == run(None, "--version").stdout
