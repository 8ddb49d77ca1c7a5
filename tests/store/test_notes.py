# SPDX-License-Identifier: Apache-2.0
"""What nodes agree on beside modules: documentation, tokens, pins and what is held back, made on one, are so on all."""
import concurrent.futures
import json
import shutil
import sqlite3
import subprocess

import pytest

from conftest import DEADLINE_S, Store, binary
from support.command_line import run
from support.daemon import assert_problem
from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.modules import digest, module
from support.waiting import wait_until
from test_nodes import PATH, QUERY, assert_has, bucket, fetch, node  # noqa: F401
from test_safety import approver, held_back, module_with
from test_tidings import STORE, withdraw

FIRST, SECOND = "# First\n\nAll of it.\n", "# Second\n\nMore.\n"


@pytest.fixture
def trio(node):  # noqa: F811
    return [node(name, number % 2, store=STORE) for number, name in enumerate("abc")]


def document(daemon, text, path=PATH):
    return daemon.request("PUT", path, {"Authorization": f"Bearer {daemon.token()}", "Content-Type": "text/markdown"}, text.encode())


def documented(daemon, path=PATH):
    reply = daemon.get(f"/api/v1/documentation{path}", Accept="text/markdown")
    return reply.body.decode() if reply.status == 200 else None


def wait_for_document(daemon, text, path=PATH):
    wait_until(lambda: documented(daemon, path) == text, "the documentation is there")


def make(daemon, name, *scopes, check=True):
    return daemon.larder("token", "create", name, *(word for scope in scopes for word in ("--scope", scope)), *daemon.place(), check=check)


def put_as(daemon, token, path, body):
    return daemon.put(path, body, token).status


def wipe(daemon):
    daemon.stop()
    shutil.rmtree(daemon.data)
    daemon.data.mkdir(mode=0o750)


# ---- documentation ----


def test_documentation_is_on_all(trio):
    a, b, c = trio
    a.publish(PATH, module())
    assert document(a, FIRST).status == 201
    for daemon in (b, c):
        wait_for_document(daemon, FIRST)
    assert document(b, SECOND).status == 200
    for daemon in (a, c):
        wait_for_document(daemon, SECOND)
    assert "Second" in c.get(PATH, Accept="text/html").body.decode()


def test_what_is_not_listed_here_is_documented_all_the_same(node):  # noqa: F811
    """Of a version that another has published, and this one has not heard of."""
    a = node("a")
    b = node("b", 1, store={"poll_interval_s": 60, "lease_ttl_s": 120})
    wait_until(lambda: "what all nodes have was listed" in b.log(), "all was listed")
    a.publish(PATH, module())
    assert document(b, FIRST).status == 201
    assert documented(b) == FIRST
    wait_for_document(a, FIRST)
    for path, status in (("/acme/nobody/1", 404), (PATH, 410)):
        if status == 410:
            withdraw(a)
        assert document(b if status == 404 else a, SECOND, path).status == status


def test_the_last_writer_counts_and_none_is_lost_half(trio):
    """Many at once, on all nodes: in the end all have the same, which is one of them."""
    trio[0].publish(PATH, module())
    for daemon in trio[1:]:
        wait_until(lambda: daemon.get("/api/v1/modules" + PATH).status == 200, "it is listed")
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        told = list(pool.map(lambda number: document(trio[number % 3], f"# {number}\n").status, range(6)))
    assert set(told) <= {200, 201}, told
    wait_until(lambda: len({documented(daemon) for daemon in trio}) == 1, "all have the same")
    assert documented(trio[0]) in {f"# {number}\n" for number in range(6)}


# ---- tokens ----


def test_a_token_counts_on_all_and_is_revoked_on_all(trio):
    a, b, c = trio
    token = make(a, "release", "publish:acme/*").stdout.strip()
    assert put_as(a, token, "/acme/on-a/1", module(seed=1)) == 201
    for number, daemon in enumerate((b, c)):
        wait_until(lambda: put_as(daemon, token, f"/acme/on-{number}/1", module(seed=number)) == 201, "it is known")
    assert "valid token named release" in make(b, "release", "admin", check=False).stderr
    c.larder("token", "revoke", "release", *c.place())
    for number, daemon in enumerate(trio):
        wait_until(lambda: put_as(daemon, token, f"/acme/late-{number}/1", module()) == 401, "it is revoked")
    # The name is free, and the one before stays what it is: unless so many were tried from here that none is looked at.
    other = make(b, "release", "publish:acme/*").stdout.strip()
    wait_until(lambda: put_as(a, other, "/acme/new/1", module(seed=7)) == 201, "the new one is known")
    assert put_as(a, token, "/acme/new/1", module(seed=7)) in (401, 429)
    assert token not in json.dumps([daemon.log() for daemon in trio])


def test_two_tokens_of_one_name_at_the_same_instant(trio):
    for turn in range(5):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            told = list(pool.map(lambda daemon: make(daemon, f"race-{turn}", "read", check=False).returncode, trio[:2]))
        assert sorted(told) == [0, 1], (turn, told)


def test_a_revocation_whose_command_died_is_not_lost(trio, objects):  # noqa: F811
    """The bucket has it, and nothing else was done: no catalog, also that of the node itself, knew of it."""
    a, b, _ = trio
    token = make(a, "release", "publish:acme/*").stdout.strip()
    wait_until(lambda: put_as(b, token, "/acme/model/1", module()) in (200, 201), "it is known")
    copy = Store(a.folder / "copy", objects.endpoint, prefix=objects.keys["prefix"])
    other = a.folder / "other"
    subprocess.run([binary(), "token", "revoke", "release", "--config", str(copy.config), "--data", str(other)], capture_output=True, text=True, timeout=DEADLINE_S)
    # A folder that has never been a node's: made by its first command.
    subprocess.run([binary(), "token", "create", "else", "--scope", "read", "--config", str(copy.config), "--data", str(other)], check=True, capture_output=True,
                   timeout=DEADLINE_S)
    subprocess.run([binary(), "token", "revoke", "release", "--config", str(copy.config), "--data", str(other)], check=True, capture_output=True, timeout=DEADLINE_S)
    shutil.rmtree(other)
    for daemon in (a, b):
        wait_until(lambda: put_as(daemon, token, "/acme/late/1", module()) == 401, "it is revoked")


def names(listed):
    return {(token["name"], token["revoked_at"]) for token in json.loads(listed)["tokens"]}


def test_nothing_is_half_done_while_the_store_is_away(node, front):  # noqa: F811
    a = node("a", endpoint=front.url, store={**STORE, "timeout_s": 2, "connect_timeout_s": 2})
    a.publish(PATH, module())
    assert document(a, FIRST).status == 201
    make(a, "release", "publish:acme/*")
    headers = {"Authorization": f"Bearer {a.token('admin')}", "Content-Type": "application/json"}
    before = dict(front.objects)
    serve = front.script.next
    front.script.next = lambda method, path, headers: "slow"
    listed = a.larder("token", "list", "--json").stdout
    for words in (("token", "create", "more", "--scope", "read"), ("pin", "acme/*")):
        done = a.larder(*words, *a.place(), check=False)
        assert done.returncode == 1 and "store check" in done.stderr, done
    assert_problem(document(a, SECOND), 503, "store-unavailable")
    order = json.dumps({"decision": "reject", "reason": "x"}).encode()
    assert_problem(a.request("POST", f"/api/v1/decisions{PATH}", headers, order), 503, "store-unavailable")
    assert names(a.larder("token", "list", "--json").stdout) == names(listed) and not json.loads(a.larder("pin", "--list", "--json").stdout)["total"]
    front.script.next = serve
    assert documented(a) == FIRST and fetch(a).status == 200
    assert {key for key in front.objects if "/feed/" not in key and "/probe/" not in key} == {key for key in before if "/feed/" not in key and "/probe/" not in key}
    wait_until(lambda: document(a, SECOND).status == 200, "the store is back")


def test_a_token_is_revoked_here_while_the_store_is_away(node, front):  # noqa: F811
    """And on the others once it answers."""
    a, b = (node(name, endpoint=front.url, store={**STORE, "timeout_s": 2, "connect_timeout_s": 2}) for name in "ab")
    token = make(a, "release", "publish:acme/*").stdout.strip()
    a.publish(PATH, module())
    wait_until(lambda: put_as(b, token, PATH, module()) == 200, "the other knows it")
    serve = front.script.next
    front.script.next = lambda method, path, headers: "slow"
    done = a.larder("token", "revoke", "release", *a.place(), check=False)
    assert done.returncode == 1 and "store check" in done.stderr and "token release is revoked here, and the other nodes are not told" in done.stderr, done
    assert put_as(a, token, PATH, module()) == 401
    front.script.next = serve
    again = a.larder("token", "revoke", "release", *a.place())
    assert "token release is revoked\n" in again.stderr and again.returncode == 0, again
    wait_until(lambda: put_as(b, token, PATH, module()) == 401, "the other knows that too")
    a.restart()
    assert put_as(a, token, PATH, module()) == 401


def test_a_nodes_folder_is_not_changed_alone(node):  # noqa: F811
    a = node("a")
    for words in (("token", "create", "x", "--scope", "read"), ("token", "revoke", "ci-publish"), ("pin", "acme/*"), ("unpin", "acme/*")):
        done = a.larder(*words, check=False)
        assert done.returncode == 1 and "--config" in done.stderr, done


# ---- pins ----


def pins(daemon):
    return {pin["path"] for pin in json.loads(daemon.larder("pin", "--list", "--json").stdout)["pins"]}


def test_pins_are_on_all(trio):
    a, b, c = trio
    a.larder("pin", "hub/*", "acme/model/1", *a.place())
    wait_until(lambda: pins(b) == pins(c) == {"hub/*", "acme/model/1"}, "they are pinned")
    assert "pinned before" in b.larder("pin", "hub/*", *b.place()).stderr
    b.larder("unpin", "hub/*", *b.place())
    wait_until(lambda: pins(a) == pins(c) == {"acme/model/1"}, "it is not any more")
    assert "no pin" in c.larder("unpin", "hub/*", *c.place(), check=False).stderr
    b.larder("pin", "hub/*", *b.place())
    wait_until(lambda: pins(a) == {"hub/*", "acme/model/1"}, "it is again")


# ---- what is held back ----


@pytest.fixture
def strict(node):  # noqa: F811
    """One whose policy holds back what has findings, and two without a policy."""
    return [node("a", 0, store=STORE, safety={"published": "quarantine"}), node("b", 1, store=STORE), node("c", 0, store=STORE)]


def decide(daemon, decision, token, path=PATH):
    return run(decision, path[1:], "--reason", f"{decision} by Ann", server=daemon.url, token=token)


def test_what_one_holds_back_is_held_back_on_all(strict):
    a, b, c = strict
    body = module_with("WriteFile")
    assert a.publish(PATH, body).json()["state"] == "quarantined"
    for daemon in strict:
        held_back(fetch(daemon), "op-file-write")
    wait_until(lambda: b.get("/api/v1/modules" + PATH).json().get("state") == "quarantined", "it is listed so")
    # Approved where it was not judged, and then rejected on the third.
    token = make(b, "approver", "approve:acme/*").stdout.strip()
    assert decide(b, "approve", token).stdout == f"{PATH[1:]}: active\n"
    for daemon in strict:
        wait_until(lambda: fetch(daemon).status == 200, "it is given out")
        assert_has(daemon, body)
    wait_until(lambda: decide(c, "reject", token).returncode == 0, "the token is known")
    for daemon in strict:
        wait_until(lambda: fetch(daemon).status == 451, "it is rejected")
        held_back(fetch(daemon), "reject by Ann")
    a.restart()
    held_back(fetch(a), "reject by Ann")


def test_what_was_approved_elsewhere_is_not_held_back_anew(strict, node):  # noqa: F811
    a, b, _ = strict
    body = module_with("WriteFile")
    a.publish(PATH, body)
    token = make(a, "approver", "approve:acme/*").stdout.strip()
    decide(a, "approve", token)
    late = node("late", 1, store={"poll_interval_s": 60, "lease_ttl_s": 120}, safety={"published": "quarantine"})
    assert_has(late, body)
    assert late.put(PATH, body).status == 200
    assert_has(late, body)


def age(daemon):
    """As an older version of the rules has left it, which found nothing."""
    with sqlite3.connect(daemon.data / "larder.db") as database:
        database.execute("DELETE FROM safety_findings")
        database.execute("UPDATE inspections SET safety_version = 0")


def rescan(daemon):
    config = daemon.folder / "strict.ini"
    config.write_text(daemon.config_path.read_text() + "\n[safety]\npublished = quarantine\n", encoding="utf-8")
    return daemon.larder("rescan", "--config", str(config)).stdout.splitlines()[0].split("\t")[:2]


def test_what_newer_rules_hold_back_on_one_is_held_back_on_all(trio):
    a, b, c = trio
    body = module_with("WriteFile")
    a.publish(PATH, body)
    for daemon in trio:
        assert_has(daemon, body)
        age(daemon)
    assert "all nodes are to know" in a.larder("rescan", check=False).stderr
    assert rescan(a) == ["held", f"{PATH[1:]} (tf-hub)"]
    held_back(fetch(a), "op-file-write")
    for daemon in (b, c):
        wait_until(lambda: fetch(daemon).status == 451, "it is held back")
    token = make(a, "approver", "approve:acme/*").stdout.strip()
    decide(a, "approve", token)
    for daemon in trio:
        wait_until(lambda: fetch(daemon).status == 200, "it is given out")
    # Known to be approved on the one, and taken from the bucket by the other that has not heard of it.
    with sqlite3.connect(c.data / "larder.db") as database:
        database.execute("DELETE FROM holds")
        database.execute("DELETE FROM notes WHERE topic = 'holds'")
    for daemon in (b, c):
        assert rescan(daemon) == ["judged", f"{PATH[1:]} (tf-hub)"]
        assert_has(daemon, body)


# ---- an empty disk, and folders ----


def fill(a):
    a.publish(PATH, module_with("WriteFile"))
    a.publish("/acme/plain/1", module())
    assert document(a, FIRST, "/acme/plain/1").status == 201
    a.larder("pin", "hub/*", *a.place())
    token = make(a, "release", "publish:acme/*", "approve:acme/*").stdout.strip()
    gone = make(a, "gone", "publish:acme/*").stdout.strip()
    a.larder("token", "revoke", "gone", *a.place())
    return token, gone


def assert_all_is_there(daemon, token, gone):
    wait_until(lambda: put_as(daemon, token, "/acme/plain/1", module()) == 200, "the token is known")
    assert put_as(daemon, gone, "/acme/plain/1", module()) == 401
    wait_for_document(daemon, FIRST, "/acme/plain/1")
    wait_until(lambda: pins(daemon) == {"hub/*"}, "the pin is there")
    held_back(fetch(daemon), "op-file-write")
    wait_until(lambda: daemon.get("/api/v1/modules" + PATH).json().get("state") == "quarantined", "it is listed so")


def test_an_empty_disk_has_them_after_its_listing(strict, objects):  # noqa: F811
    a, b, _ = strict
    token, gone = fill(a)
    # No hint is left of anything.
    for hint in bucket(objects, "feed/"):
        assert objects.ask("delete", hint)[0] == "done"
    wipe(b)
    b.start()
    assert_all_is_there(b, token, gone)


def test_out_into_a_folder_and_into_another_bucket(strict, objects, start, tmp_path, node):  # noqa: F811
    token, gone = fill(strict[0])
    for daemon in strict:
        daemon.stop()
    out = start({}, (), "out")
    out.stop()
    done = subprocess.run([binary(), "store", "export", "--config", str(objects.config), "--data", str(out.data)], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0 and "acme/plain/1 (documentation)" in done.stdout and "release (token)" in done.stdout, done
    out.start()
    assert_all_is_there(out, token, gone)
    out.stop()
    back = Store(tmp_path / "back", objects.endpoint, prefix=objects.keys["prefix"] + "-back", timeout_s=60)
    sent = subprocess.run([binary(), "store", "import", "--config", str(back.config), "--data", str(out.data)], capture_output=True, text=True, timeout=DEADLINE_S)
    assert sent.returncode == 0 and "release (token)" in sent.stdout, sent
    again = subprocess.run([binary(), "store", "import", "--config", str(back.config), "--data", str(out.data), "--json"], capture_output=True, text=True, timeout=DEADLINE_S)
    assert {item["result"] for item in json.loads(again.stdout)["items"]} == {"there"}, again
    fresh = node("fresh", 0, store={**STORE, "prefix": back.keys["prefix"]})
    assert_all_is_there(fresh, token, gone)


def test_what_is_no_note_is_passed_over(trio, objects):  # noqa: F811
    """And holds up nothing behind it."""
    a, b, _ = trio
    b.stop()  # else it may have read the first token before
    a.publish(PATH, module())
    make(a, "first", "read")
    for key in bucket(objects, "tokens/"):
        assert objects.ask("put", key, "{}")[0] == "done"
    for key in ("tokens/none", "pins/0", "docs/x/1", "holds/none/1"):
        assert objects.ask("put", key, "x")[0] == "done"
    b.start()
    document(a, FIRST)
    token = make(a, "second", "publish:acme/*").stdout.strip()
    wait_for_document(b, FIRST)
    wait_until(lambda: put_as(b, token, PATH, module()) == 200, "it is known")
    with sqlite3.connect(f"file:{b.data}/larder.db?mode=ro", uri=True) as database:
        assert database.execute("SELECT count(*) FROM notes").fetchone()[0] == 2


# ---- what is held back, and whose it is not ----


@pytest.fixture
def pair(node, front):  # noqa: F811
    """One whose policy holds back what has findings, and one without a policy, over a store with a script."""
    return node("a", endpoint=front.url, store=STORE, safety={"published": "quarantine"}), node("b", endpoint=front.url, store=STORE)


def below(front, under):
    return [key for key in front.objects if f"/{under}/" in key and "/feed/" not in key]


def refuse_keys(front, *words):
    """Whatever is written below one of these is refused until that is called."""
    serve = front.script.next

    def refuse(method, path, headers):
        act = serve(method, path, headers)
        return "slow" if method == "PUT" and "/feed/" not in path and any(f"/{word}/" in path for word in words) else act

    front.script.next = refuse

    def end():
        front.script.next = serve

    return end


def test_it_is_held_back_before_there_is_anything_to_have(pair, front):
    """Before it has a name, by the order in which the store was told."""
    a, b = pair
    front.script.seen.clear()
    assert a.publish(PATH, module_with("WriteFile")).json()["state"] == "quarantined"
    keys = [path for method, path, _ in front.script.seen if method == "PUT" and "/feed/" not in path]
    order = [next(word for word in ("holds", "blobs", "ids", "probe") if f"/{word}/" in path) for path in keys]
    assert [word for word in order if word != "probe"] == ["holds", "blobs", "ids"]
    held_back(fetch(b), "op-file-write")


def test_what_cannot_be_held_back_is_not_published(pair, front):
    a, b = pair
    end = refuse_keys(front, "holds")
    assert_problem(a.put(PATH, module_with("WriteFile")), 503, "store-unavailable")
    assert not below(front, "ids") and not below(front, "blobs") and not below(front, "holds")
    assert_problem(fetch(b), 504, "upstream-unreachable")
    end()
    wait_until(lambda: a.put(PATH, module_with("WriteFile")).status == 201, "the store is back")
    held_back(fetch(b), "op-file-write")


def test_a_publish_that_is_refused_holds_back_nothing(pair, front):
    """Other bytes for a version that is there, and any for one that was withdrawn."""
    a, b = pair
    body = module()
    b.publish(PATH, body)
    b.publish("/acme/gone/1", body)
    withdraw(b, "/acme/gone/1")
    assert_problem(a.put(PATH, module_with("WriteFile")), 409, "conflict")
    assert_problem(a.put("/acme/gone/1", module_with("WriteFile")), 410, "gone")
    assert not below(front, "holds")
    for daemon in pair:
        assert_has(daemon, body)


def test_what_was_held_back_and_never_published_holds_back_no_other(pair, front):
    """Its name is free, and its hold is of its own bytes."""
    a, b = pair
    end = refuse_keys(front, "ids")
    assert_problem(a.put(PATH, module_with("WriteFile")), 503, "store-unavailable")
    end()
    assert len(below(front, "holds")) == 1 and not below(front, "ids")
    body = module()
    wait_until(lambda: b.put(PATH, body).status == 201, "the store is back")
    for daemon in (*pair, pair[0].restart() or pair[0]):
        assert_has(daemon, body)
        assert daemon.get("/api/v1/modules" + PATH).json()["state"] == "active"


def test_two_that_are_held_back_at_once_free_neither(pair, front):
    """Whichever gets the name."""
    a, b = pair
    end = refuse_keys(front, "ids")
    for seed in (1, 2):
        wait_until(lambda: a.put(PATH, module_with("WriteFile", seed=seed)).json()["code"] == "store-unavailable" and below(front, "holds"), "it is refused")
    end()
    assert "sha256" not in front.objects[below(front, "holds")[0]].decode()
    wait_until(lambda: a.put(PATH, module_with("WriteFile", seed=1)).status == 201, "the store is back")
    for daemon in pair:
        held_back(fetch(daemon), "op-file-write")


def test_what_is_published_again_elsewhere_is_held_back_there_at_once(node, front):  # noqa: F811
    """Also by one whose policy lets it pass, and who has not been told yet."""
    a = node("a", endpoint=front.url, store=STORE, safety={"published": "quarantine"})
    b = node("b", endpoint=front.url, store={"poll_interval_s": 600})
    wait_until(lambda: "what all nodes have was listed" in b.log(), "all was listed")
    body = module_with("WriteFile")
    assert a.publish(PATH, body).json()["state"] == "quarantined"
    reply = b.put(PATH, body)
    assert reply.status == 200 and reply.json()["state"] == "quarantined", reply
    held_back(fetch(b), "op-file-write")
