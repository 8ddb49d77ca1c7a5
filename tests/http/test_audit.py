# SPDX-License-Identifier: Apache-2.0
"""The audit log: a row for whatever changes what clients get, and a chain in which a row that is changed or removed shows."""
import contextlib
import hashlib
import json
import re
import signal
import sqlite3
import subprocess
import sys

import pytest
from support import modules
from support.attesting import envelope, make_key, statement
from support.client import Http
from support.daemon import ROOT, assert_problem, binary
from support.waiting import DEADLINE_S, wait_until

MODULE = modules.module(2000)
SHA256 = "sha256:" + modules.digest(MODULE)
HASHED = ["at", "who", "from", "action", "subject", "detail", "before", "after"]


def admin(larder):
    return {"Authorization": f"Bearer {larder.token('admin')}"}


def rows(larder, query="order=oldest&limit=200"):
    reply = larder.get(f"/api/v1/audit?{query}", **admin(larder))
    assert reply.status == 200, reply
    return reply.json()["rows"]


def told(larder, action, subject):
    """Those rows, without what differs from run to run."""
    return [{key: row[key] for key in ("who", "from", "detail", "before", "after")} for row in rows(larder)
            if (row["action"], row["subject"]) == (action, subject)]


def recompute(chained):
    """As docs/trust.md tells an auditor to: the hash of the last row."""
    previous = ""
    for row in chained:
        texts = [previous, str(row["id"])] + [row[key] or "" for key in HASHED]
        line = "".join(f"{len(text.encode())}:{text}," for text in texts)
        assert row["hash"] == "sha256:" + hashlib.sha256(line.encode()).hexdigest(), row
        previous = row["hash"]
    return previous


def larder_audit(larder, *arguments, folder=False, status=0):
    where = ["--data", str(larder.data)] if folder else ["--server", larder.url, "--token", larder.token("admin")]
    done = subprocess.run([binary(), "audit", *arguments, *where], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == status, done
    return done


@contextlib.contextmanager
def database(larder):
    with contextlib.closing(sqlite3.connect(larder.data / "larder.db", timeout=DEADLINE_S)) as opened, opened:
        yield opened


def test_what_clients_change(larder):
    approver = larder.larder("token", "create", "ann", "--scope", "approve:acme/*").stdout.strip()
    other = Http(larder.address, source="127.0.0.3")
    other_put = other.request("PUT", "/acme/x/1", {"Authorization": f"Bearer {larder.token()}"}, MODULE)
    assert other_put.status == 201, other_put
    assert larder.put("/acme/x/1", b"# x\n", content_type="text/markdown").status == 201
    assert larder.put("/acme/x/1", b"# y\n", content_type="text/markdown").status == 200
    for decision in ("reject", "approve"):
        reply = larder.request("POST", "/api/v1/decisions/acme/x/1", {"Authorization": f"Bearer {approver}"},
                               json.dumps({"decision": decision, "reason": "so \u001b[31m\n\"it\""}).encode())
        assert reply.status == 200, reply
    assert larder.request("DELETE", "/acme/x/1", {"Authorization": f"Bearer {larder.token('withdraw:*')}"}).status == 200
    digest = f"tf-hub {SHA256}"
    x, y = ("sha256:" + hashlib.sha256(text).hexdigest() for text in (b"# x\n", b"# y\n"))
    here = "127.0.0.1"
    reason = "so \u001b[31m\n\"it\""
    assert told(larder, "publish", "acme/x/1") == [
        {"who": "ci-publish", "from": "127.0.0.3", "detail": f"tf-hub: {SHA256}", "before": None, "after": digest}]
    assert told(larder, "document", "acme/x/1") == [
        {"who": "ci-publish", "from": here, "detail": None, "before": None, "after": x},
        {"who": "ci-publish", "from": here, "detail": None, "before": x, "after": y}]
    assert told(larder, "reject", "acme/x/1") == [{"who": "ann", "from": here, "detail": reason, "before": digest, "after": None}]
    assert told(larder, "approve", "acme/x/1") == [{"who": "ann", "from": here, "detail": reason, "before": None, "after": digest}]
    assert told(larder, "withdraw", "acme/x/1") == [
        {"who": "ci-withdraw", "from": here, "detail": None, "before": digest, "after": None}]
    chained = rows(larder)
    assert recompute(chained) == larder.get("/api/v1/audit/head", **admin(larder)).json()["hash"]
    assert approver not in json.dumps(chained) and larder.token() not in json.dumps(chained)
    table = larder_audit(larder, "acme/x/1").stdout
    assert "\x1b" not in table and len(table.splitlines()) == 6, table


def test_what_does_not_change_anything_is_no_row(larder):
    larder.publish("/acme/x/1", MODULE)
    before = rows(larder)
    larder.publish("/acme/x/1", MODULE)
    assert larder.put("/acme/x/1", modules.module(10)).status == 409
    assert larder.put("/acme/y/1", b"no module").status == 422
    assert larder.request("DELETE", "/acme/x/7", {"Authorization": f"Bearer {larder.token('withdraw:*')}"}).status == 404
    assert larder.get("/acme/x/1.tar.gz").body == MODULE
    larder.restart()
    assert rows(larder) == before


def test_what_commands_change(larder, tmp_path):
    page = tmp_path / "docs" / "assets" / "docs" / "acme" / "models" / "z" / "1.md"
    page.parent.mkdir(parents=True)
    page.write_text("# Module acme/z/1\nSays little.\n\n<!-- asset-path: legacy -->\n<!-- task: image-classification -->\n<!-- fine-tunable: true -->\n<!-- format: saved_model_2 -->\n\n## Overview\n")
    larder.larder("token", "create", "bob", "--scope", "read")
    larder.larder("token", "revoke", "bob")
    larder.larder("pin", "acme/*", "acme/*")
    larder.larder("unpin", "acme/*")
    larder.larder("import-docs", str(tmp_path / "docs"))
    larder.larder("gc")
    here = f"command line, uid {tmp_path.stat().st_uid}"
    nothing = {"who": None, "from": here, "before": None, "after": None}
    assert told(larder, "token-create", "bob") == [nothing | {"detail": "read"}]
    assert told(larder, "token-revoke", "bob") == [nothing | {"detail": None}]
    assert told(larder, "pin", "acme/*") == told(larder, "unpin", "acme/*") == [nothing | {"detail": None}]
    assert told(larder, "import-docs", str(tmp_path / "docs")) == [nothing | {"detail": "1 documents and places that are new or changed"}]
    assert not [row for row in rows(larder) if row["action"] == "gc"], "nothing went"
    recompute(rows(larder))


def test_gc_is_one_row(upstream, mirror):
    for i in range(5):
        upstream.serve(f"/google/m{i}/1", modules.module(3000, seed=i))
        assert mirror.get(f"/google/m{i}/1.tar.gz").status == 200
    before = rows(mirror)
    mirror.wait_for_idle()
    mirror.stop()
    mirror.configure({"storage": {"max_bytes": 1}}, [upstream.url])
    done = subprocess.run([binary(), "gc", "--config", mirror.config_path], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done
    mirror.start()
    after = [row for row in rows(mirror)[len(before):] if row["action"] == "gc"]
    assert len(after) == 1 and re.fullmatch(r"5 mirrored blobs, \d+ bytes", after[0]["detail"]), after
    assert not [row for row in rows(mirror) if row["action"] == "evict"]


def test_an_upstream_that_changed_its_bytes(upstream, mirror):
    upstream.serve("/google/x/1", MODULE)
    assert mirror.get("/google/x/1.tar.gz").status == 200
    assert [row["action"] for row in rows(mirror) if row["subject"] == "google/x/1"] == [], "a fill writes no row"
    with database(mirror) as opened:
        opened.execute("UPDATE blobs SET cached = 0")
    mirror.restart()
    upstream.serve("/google/x/1", modules.module(2000, seed=9))
    assert mirror.get("/google/x/1.tar.gz").status == 451
    changed = f"tf-hub sha256:{modules.digest(modules.module(2000, seed=9))}"
    row, = told(mirror, "quarantine", "google/x/1")
    assert (row["who"], row["from"], row["before"], row["after"]) == ("test0", None, f"tf-hub {SHA256}", changed)


def test_an_address_behind_a_trusted_proxy(start):
    larder = start({"server": {"trusted_proxies": "127.0.0.0/8"}})
    assert larder.put("/acme/x/1", MODULE, x_forwarded_for="10.9.8.7, 192.0.2.7").status == 201
    assert larder.put("/acme/x/1", b"# x\n", content_type="text/markdown", x_forwarded_for="2001:db8::7").status == 201
    assert told(larder, "publish", "acme/x/1")[0]["from"] == "192.0.2.7"
    assert told(larder, "document", "acme/x/1")[0]["from"] == "2001:db8::7"
    assert larder.put("/api/v1/attestations/acme/x/1", json.dumps(envelope(make_key(larder.folder / "key"), statement("/acme/x/1", MODULE))).encode(), content_type="application/json", x_forwarded_for="192.0.2.9").status == 201
    assert [(row["who"], row["from"]) for row in told(larder, "attest", "acme/x/1")] == [("ci-publish", "192.0.2.9")]
    alone = start(name="alone")
    assert alone.put("/acme/x/1", MODULE, x_forwarded_for="192.0.2.7").status == 201
    assert told(alone, "publish", "acme/x/1")[0]["from"] == "127.0.0.1"


def test_a_configuration_that_is_read_again(larder):
    def configured():
        return [(row["detail"], row["before"], row["after"]) for row in rows(larder) if row["action"] == "configure"]

    def digest():
        return "sha256:" + hashlib.sha256(larder.config_path.read_bytes()).hexdigest()

    first = digest()
    assert configured() == [(f"started with: {larder.config_path}", None, first)]
    larder.configure({"mirror": {"offline": "true"}})
    larder.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(configured()) == 2, "the row of the reload")
    assert configured()[1] == (f"read again: {larder.config_path}", first, digest())
    larder.process.send_signal(signal.SIGHUP)
    wait_until(lambda: larder.log().count("reloaded") == 2, "the second reload")
    larder.config_path.write_text("[nonsense]\n")
    larder.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "is not reloaded" in larder.log(), "the refusal")
    assert len(configured()) == 2, "what has not changed, and what does not count, is no row"
    larder.configure({"mirror": {"offline": "true"}})
    second = digest()
    for _ in range(2):
        larder.restart()
        assert configured()[2:] == [(f"started with: {larder.config_path}", second, second)], "what a reload had left as it was counts now"


def test_another_key_in_the_file_of_a_trusted_one(larder):
    """The configuration names it, and stays to the byte as it was."""
    def configured():
        return [row["after"] for row in rows(larder) if row["action"] == "configure"]

    key = make_key(larder.folder / "ci.key")
    larder.configure({"publish": {"trusted_keys": f"ci {key}.pub"}})
    larder.restart()
    first = configured()[-1]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}, keys sha256:[0-9a-f]{64}", first), first
    larder.process.send_signal(signal.SIGHUP)
    wait_until(lambda: larder.log().count("reloaded") == 1, "the first reload")
    assert configured()[-1] == first
    count = len(configured())
    make_key(key)
    larder.process.send_signal(signal.SIGHUP)
    wait_until(lambda: larder.log().count("reloaded") == 2, "the second reload")
    assert len(configured()) == count + 1 and configured()[-1][:72] == first[:72] and configured()[-1] != first


def test_only_an_admin_reads_it(larder):
    for path in ("/api/v1/audit", "/api/v1/audit/head"):
        assert_problem(larder.get(path), 401, "unauthorized")
        assert_problem(larder.get(path, Authorization=f"Bearer {larder.token()}"), 403, "forbidden")
        assert larder.get(path, **admin(larder)).header("Cache-Control") == "no-cache"


def test_pages(larder):
    for i in range(7):
        larder.larder("pin", f"acme/m{i}")
    everything = rows(larder)
    total = len(everything)
    for order, expected in (("oldest", everything), ("newest", everything[::-1])):
        seen, next_page = [], f"/api/v1/audit?limit=3&order={order}"
        while next_page:
            page = larder.get(next_page, **admin(larder)).json()
            assert page["total"] == total
            seen += page["rows"]
            next_page = page["next"] and page["next"].replace(larder.url, "")
        assert seen == expected
    assert [row["subject"] for row in rows(larder, "subject=acme/m3")] == ["acme/m3"]
    assert rows(larder, "since=2999-01-01T00:00:00Z") == []
    for query in ("since=yesterday", "order=up", "limit=0", "cursor=x", "nonsense=1", "cursor=YWJj"):
        assert_problem(larder.get(f"/api/v1/audit?{query}", **admin(larder)), 400, "bad-request")


@pytest.mark.parametrize("folder", [True, False], ids=["folder", "registry"])
def test_the_command(larder, folder):
    larder.publish("/acme/x/1", MODULE)
    larder.larder("pin", "acme/y")
    everything = rows(larder)
    lines = larder_audit(larder, "--json", folder=folder).stdout.splitlines()
    assert [json.loads(line) for line in lines] == everything
    recompute(json.loads(line) for line in lines)
    last = [json.loads(line) for line in larder_audit(larder, "--json", "--last", "2", folder=folder).stdout.splitlines()]
    assert last == everything[-2:]
    assert [line.split("\t")[4:6] for line in larder_audit(larder, "acme/x", folder=folder).stdout.splitlines()] == [["publish", "acme/x/1"]]
    assert larder_audit(larder, "--since", "2999-01-01T00:00:00Z", folder=folder).stdout == ""
    assert len(larder_audit(larder, "--since", "1d", folder=folder).stdout.splitlines()) == len(everything)
    head = larder.get("/api/v1/audit/head", **admin(larder)).json()["hash"]
    assert head in larder_audit(larder, "--verify", folder=folder).stdout
    verdict = json.loads(larder_audit(larder, "--verify", "--json", "--head", head, folder=folder).stdout)
    assert (verdict["sound"], verdict["last_hash"], verdict["rows"], verdict["fault"]) == (True, head, len(everything), None)
    larder.larder("unpin", "acme/y")
    larder_audit(larder, "--verify", "--head", head.removeprefix("sha256:"), folder=folder)
    done = larder_audit(larder, "--verify", "--head", "0" * 64, folder=folder, status=1)
    assert "no row has the hash sha256:000000000000" in done.stderr
    with database(larder) as opened:
        opened.execute("UPDATE audit SET who = 'eve' WHERE action = 'publish'")
    number = next(row["id"] for row in everything if row["action"] == "publish")
    assert f"row {number} is not what was written" in larder_audit(larder, "--verify", folder=folder, status=1).stderr
    assert json.loads(larder_audit(larder, "--verify", "--json", folder=folder, status=1).stdout)["sound"] is False


def test_a_bundle_brings_the_head(larder, start, tmp_path):
    larder.publish("/acme/x/1", MODULE)
    larder.larder("export", "-o", str(tmp_path / "b"), "--name", "spring")
    head = larder.get("/api/v1/audit/head", **admin(larder)).json()["hash"]
    other = start(name="other")
    other.larder("import", str(tmp_path / "b"))
    row, = told(other, "import-bundle", "spring")
    assert row["detail"] == f"not verified, audit head there {head}" and row["after"].startswith("contents sha256:"), row
    larder.larder("pin", "acme/x")
    larder_audit(larder, "--verify", "--head", head)
    recompute(rows(other))


SCRIPT = re.search(r"^```python\n(.*?)^```$", (ROOT / "docs/trust.md").read_text(encoding="utf-8"), re.M | re.S)[1]


def test_the_script_that_is_written_down(larder):
    """An auditor's own, of docs/trust.md."""
    def recomputed(lines):
        return subprocess.run([sys.executable, "-c", SCRIPT], input=lines, capture_output=True, text=True, timeout=DEADLINE_S)

    larder.publish("/acme/x/1", MODULE)
    for i in range(3):
        larder.larder("pin", f"acme/m{i}")
    lines = larder_audit(larder, "--json").stdout
    assert recomputed(lines).stdout.strip() == larder.get("/api/v1/audit/head", **admin(larder)).json()["hash"]
    assert "does not fit" in recomputed("".join(lines.splitlines(keepends=True)[:-2] + lines.splitlines(keepends=True)[-1:])).stderr
    assert "does not fit" in recomputed(lines.replace("acme/m1", "acme/m7")).stderr


def test_misuse_of_the_command(larder):
    for arguments in (["a", "b"], ["--since", "x"], ["--last", "0"], ["--head", "x", "--verify"], ["--head", "0" * 64],
                      ["--verify", "acme/x"], ["--verify", "--last", "3"]):
        larder_audit(larder, *arguments, status=2)


def test_the_head_is_in_the_log(larder):
    wait_until(lambda: "head of the audit log" in larder.log(), "the head")
    line = next(line for line in larder.log().splitlines() if "head of the audit log" in line)
    assert any(row["hash"].removeprefix("sha256:") in line for row in rows(larder)), line


def test_rows_of_an_earlier_larder(larder):
    larder.stop()
    with database(larder) as opened:
        opened.execute("DELETE FROM audit")
        opened.execute("DELETE FROM audit_head")
        opened.execute("INSERT INTO audit (at, who, action, subject, detail) VALUES (1, 'ci', 'publish', 'acme/old/1', 'x')")
    larder.start()
    larder.larder("pin", "acme/x")
    everything = rows(larder)
    assert [row["hash"] is None for row in everything] == [True] + [False] * (len(everything) - 1)
    assert (everything[1]["action"], "rows up to 1 are of an earlier Larder" in everything[1]["detail"]) == ("begin", True)
    recompute(everything[1:])
    assert "1 rows before are of an earlier Larder" in larder_audit(larder, "--verify").stdout
