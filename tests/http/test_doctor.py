# SPDX-License-Identifier: Apache-2.0
"""larder doctor: what is wrong with the place that a daemon works in, found beside the daemon and without a change."""
import json
import os
import sqlite3
import ssl
import subprocess

import pytest
from support.command_line import run
from support.daemon import binary
from support.ports import Port
from support.secure import make_certificate
from support.upstream import Answer, Raw
from support.waiting import DEADLINE_S

CHECKS = ["data-folder", "file-system", "free-space", "inodes", "descriptors", "clock", "database", "configured-files", "certificate", "authorities",
          "proxy-environment"]


def modest(folder):
    """However little room the tests have."""
    config = folder / "modest.ini"
    config.write_text("[storage]\nkeep_free_bytes = 0\n")
    return "--config", config


def examine(data, status, *words):
    report = json.loads(run("doctor", "--no-network", "--data", data, "--json", *(words or modest(data.parent)), status=status).stdout)
    assert [row["check"] for row in report["checks"]] == CHECKS
    assert report["state"] == max((row["state"] for row in report["checks"]), key=["ok", "warning", "fault"].index)
    for row in report["checks"]:
        assert row["finding"] and (row["state"] == "ok") == (row["remedy"] is None), row
    return {row["check"]: row for row in report["checks"]}


def new_store(tmp_path):
    """A store that no daemon has."""
    data = tmp_path / "data"
    run("token", "create", "ci", "--scope", "read", "--data", data)
    return data


def test_beside_a_daemon_all_is_well_and_nothing_changes(larder):
    found = examine(larder.data, 0)
    for name in ("data-folder", "clock", "database"):
        assert found[name]["state"] == "ok", found[name]
    assert not list(larder.data.glob("doctor-*")), "the folder of its trials has gone"
    assert larder.get("/readyz").status == 200


def test_where_no_store_is_it_makes_none(tmp_path):
    found = examine(tmp_path / "nowhere", 0)
    assert found["data-folder"]["state"] == found["database"]["state"] == "warning"
    assert not (tmp_path / "nowhere").exists()


def make_newer(path):
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99999")


def orphan_a_row(path):
    """A row that names a module which is not there."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute("CREATE TABLE strays (id INTEGER PRIMARY KEY, module INTEGER REFERENCES modules)")
        database.execute("INSERT INTO strays VALUES (1, 424242)")


def damage(path):
    """All pages behind the schema's become noise."""
    with sqlite3.connect(path) as database:
        page, = database.execute("PRAGMA page_size").fetchone()
        roots = [row[0] for row in database.execute("SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND rootpage > 1")]
    with open(path, "r+b") as file:
        for root in roots:
            file.seek((root - 1) * page)
            file.write(b"\xa5" * page)


@pytest.mark.parametrize("harm, word", [(make_newer, "newer"), (orphan_a_row, "strays"), (damage, "")])
def test_a_database_that_is_not_sound_is_a_fault(tmp_path, harm, word):
    data = new_store(tmp_path)
    harm(data / "larder.db")
    found = examine(data, 1)
    assert found["database"]["state"] == "fault" and word in found["database"]["finding"]
    assert found["data-folder"]["state"] == "ok"


def test_less_room_than_is_to_be_kept_free_is_a_fault(tmp_path):
    data = new_store(tmp_path)
    config = tmp_path / "larder.ini"
    config.write_text("[storage]\nkeep_free_bytes = 1000000T\n[mirror]\noffline = on\n")
    found = examine(data, 1, "--config", config)
    assert found["free-space"]["state"] == "fault" and "keep_free_bytes" in found["free-space"]["finding"]


def test_a_mirror_below_what_is_to_be_kept_free_is_a_warning(tmp_path):
    data = new_store(tmp_path)
    config = tmp_path / "larder.ini"
    config.write_text("[storage]\nkeep_free_bytes = 1000000T\n[upstream far]\nurl = http://127.0.0.1:9/{path}\n")
    assert examine(data, 0, "--config", config)["free-space"]["state"] == "warning"


def test_fewer_open_files_than_connections_are_a_warning(tmp_path):
    data = new_store(tmp_path)
    done = subprocess.run(["bash", "-c", 'ulimit -n 300; exec "$0" "$@"', binary(), "doctor", "--no-network", "--json", "--data", data, *modest(tmp_path)],
                          capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    row = {row["check"]: row for row in json.loads(done.stdout)["checks"]}["descriptors"]
    assert row["state"] == "warning" and "300" in row["finding"]


def test_a_clock_behind_the_database_is_a_warning(tmp_path):
    data = new_store(tmp_path)
    os.utime(data / "larder.db", (1 << 32, 1 << 32))
    assert examine(data, 0)["clock"]["state"] == "warning"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_folder_of_another_user_is_a_fault(tmp_path):
    data = new_store(tmp_path)
    for path in (data, *data.rglob("*")):
        os.chown(path, 54321, 54321)
    found = examine(data, 1)
    assert found["data-folder"]["state"] == "fault" and "54321" in found["data-folder"]["finding"]
    assert found["database"]["state"] == "warning"


def test_for_people_each_check_has_a_line(tmp_path):
    lines = run("doctor", "--no-network", "--data", new_store(tmp_path), *modest(tmp_path)).stdout.splitlines()
    told = [line.split()[1].rstrip(":") for line in lines if not line.startswith(" ")]
    assert told == CHECKS


def test_a_certificate_that_ends_soon_is_a_warning_and_a_key_that_is_anothers_a_fault(tmp_path, certificate):
    data = new_store(tmp_path)
    soon = tmp_path / "soon"
    soon.mkdir()
    make_certificate(soon, days=3)
    config = tmp_path / "larder.ini"
    for pair, status, files, dates in (((certificate, certificate), 0, "ok", "ok"), ((soon, soon), 0, "ok", "warning"),
                                       ((certificate, soon), 1, "fault", "ok")):
        config.write_text("[storage]\nkeep_free_bytes = 0\n[server]\n"
                          f"tls_certificate = {pair[0]}/cert.pem\ntls_key = {pair[1]}/key.pem\n")
        found = examine(data, status, "--config", config)
        assert (found["configured-files"]["state"], found["certificate"]["state"]) == (files, dates), found


def answer_dated(date):
    return Raw(f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


def test_each_upstream_is_asked_and_told_of(tmp_path, make_upstream, certificate):
    """All in one run: whatever one is like, the others' findings are theirs."""
    data = new_store(tmp_path)
    short = tmp_path / "short"
    short.mkdir()
    make_certificate(short, days=3)
    well, busy, old, proxied, asking = (make_upstream() for _ in range(5))
    secure, ending = make_upstream(), make_upstream()
    busy.serve("/", Answer(status=503))
    old.serve("/", answer_dated("Mon, 01 Jan 2001 00:00:00 GMT"))
    asking.serve("/", Answer(status=407))
    for upstream, folder in ((secure, certificate), (ending, short)):
        upstream.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        upstream.context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with Port() as dead:
        sections = {
            "well": (f"http://user:hush@127.0.0.1:{well.port}/hub/{{path}}?key=hush", "proxy = none", "ok", "answers"),
            "busy": (f"{busy.url}/{{path}}", "proxy = none", "warning", "503"),
            "old": (f"{old.url}/{{path}}", "proxy = none", "warning", "ahead of"),
            "dead": (f"http://127.0.0.1:{dead.number}/{{path}}", "proxy = none", "fault", "connect"),
            "proxied": ("http://hub.invalid/{path}", f"proxy = {proxied.url}", "ok", "answers"),
            "asking": ("http://hub.invalid/{path}", f"proxy = {asking.url}", "fault", "407"),
            "deadproxy": ("http://hub.invalid/{path}", f"proxy = http://user:hush@127.0.0.1:{dead.number}", "fault", "connect"),
            "stranger": (f"https://127.0.0.1:{secure.port}/{{path}}", "proxy = none", "fault", "certificate"),
            "secure": (f"https://127.0.0.1:{secure.port}/{{path}}", f"proxy = none\nca_file = {certificate}/cert.pem", "ok", "good until"),
            "ending": (f"https://127.0.0.1:{ending.port}/{{path}}", f"proxy = none\nca_file = {short}/cert.pem", "warning", "ends at"),
            "plain": (f"https://127.0.0.1:{well.port}/{{path}}", "proxy = none", "fault", ""),
        }
        config = tmp_path / "larder.ini"
        config.write_text("[storage]\nkeep_free_bytes = 0\n[mirror]\nprivate_upstreams = on\nconnect_timeout_s = 120\n" + "".join(
            f"[upstream {name}]\nurl = {url}\n{more}\n" for name, (url, more, _, _) in sections.items()))
        done = run("doctor", "--data", data, "--config", config, "--json", status=1)
    rows = json.loads(done.stdout)["checks"][len(CHECKS):]
    assert [row["check"] for row in rows] == [f"upstream {name}" for name in sections]
    for row, (_, _, state, words) in zip(rows, sections.values()):
        assert row["state"] == state and words in row["finding"], row
    assert "hush" not in done.stdout + done.stderr
    assert [(seen.method, seen.path, "authorization" in seen.headers) for seen in well.requests] == [("HEAD", "/", False)]


def test_a_proxy_of_the_environment_that_is_no_address_is_a_fault(tmp_path):
    data = new_store(tmp_path)
    for variable, value, status in (("https_proxy", "http://user:hush@proxy.example:3128", 0), ("all_proxy", "proxy.example:3128", 0),
                                    ("https_proxy", "http://user:hush@proxy.example:port", 1), ("ALL_PROXY", "http://", 1)):
        done = run("doctor", "--no-network", "--data", data, "--json", *modest(tmp_path), status=status, more={variable: value})
        row = {row["check"]: row for row in json.loads(done.stdout)["checks"]}["proxy-environment"]
        assert row["state"] == ("fault" if status else "ok") and variable in row["finding"] and "hush" not in done.stdout


def test_offline_and_on_request_no_upstream_is_asked(tmp_path, upstream):
    data = new_store(tmp_path)
    config = tmp_path / "larder.ini"
    for offline, words in (("on", ()), ("off", ("--no-network",))):
        config.write_text(f"[storage]\nkeep_free_bytes = 0\n[mirror]\noffline = {offline}\nprivate_upstreams = on\n"
                          f"[upstream near]\nurl = {upstream.url}/{{path}}\n")
        done = run("doctor", "--data", data, "--config", config, "--json", *words)
        assert [row["check"] for row in json.loads(done.stdout)["checks"]] == CHECKS
    assert upstream.count() == 0 and not upstream.requests
