# SPDX-License-Identifier: Apache-2.0
"""larder publish: everything is checked before a byte is sent, a dry run changes nothing, and what came of it is told."""
import json

import pytest
from support import flatmodel, modules
from support.command_line import run
from support.upstream import Answer
from support.waiting import wait_until

MODULE = modules.module(5000)
OTHER = modules.module(5000, seed=2)
PATH = "acme/half-plus-two/1"
HEAD = "# Module acme/half-plus-two/1\nAdds two.\n\n"
BROKEN = {"another name": "# Module acme/other/1\nAdds two.\n", "an unknown tag": HEAD + "<!-- colour: red -->\n", "no UTF-8": b"\xff\xfe",
          "too large": "x" * (1 << 20) + "x"}


@pytest.fixture(scope="module")
def shared(start_shared):
    return start_shared()


@pytest.fixture
def file(tmp_path):
    (tmp_path / "module.tar.gz").write_bytes(MODULE)
    return tmp_path / "module.tar.gz"


def publish(daemon, file, path, *arguments, scope="publish:*", **more):
    return run("publish", file, path, *arguments, server=daemon.url, token=daemon.token(scope) if scope else None, cwd=file.parent, **more)


# ---- before a byte is sent ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("fault", BROKEN)
def test_documentation_that_is_refused_costs_no_version(larder, file, fault):
    text = BROKEN[fault]
    (file.parent / "README.md").write_bytes(text if isinstance(text, bytes) else text.encode())
    for arguments in ([], ["--dry-run"]):
        done = publish(larder, file, PATH, "--documentation", "README.md", *arguments, status=1)
        assert done.stderr.startswith("larder: README.md: ") and done.stdout == ""
    larder.assert_nothing_kept()


@pytest.mark.parametrize("body, words", [(modules.with_bad_crc(MODULE), "gzip"), (MODULE[:-9], "gzip"), (b"no module", "gzip"),
                                         (modules.pack([modules.Member("./"), modules.Member("./readme", b"none")]), "saved_model")])
def test_a_module_that_is_refused_is_not_sent(upstream, file, body, words):
    """Nobody is even asked: it is no registry's place to tell."""
    file.write_bytes(body)
    done = run("publish", file, PATH, status=1, server=upstream.url)
    assert words in done.stderr and done.stdout == "" and upstream.count() == 0


@pytest.mark.parametrize("length", [9, 100, 499])
def test_a_model_that_is_cut_is_not_sent(larder, tmp_path, length):
    file = tmp_path / "cut.tflite"
    file.write_bytes(modules.tflite_model(500)[:length])
    for arguments in ([], ["--dry-run"]):
        done = publish(larder, file, PATH, *arguments, status=1)
        assert "cut.tflite" in done.stderr and done.stdout == ""
    larder.assert_nothing_kept()


@pytest.mark.parametrize("host", ["registry.example.org", "my.team/group", "[2001:db8::1]:8080", "registry:8080", "127.example.org", "127.0.0.1.example.org:80",
                                  "localhost.example.org", "[::1.example.org]", "128.0.0.1:8080"])
def test_no_token_goes_where_nobody_named_a_server(larder, file, host):
    url = f"{host}/acme/x/1"
    for command in (["publish", file, url], ["document", url, file], ["withdraw", "--yes", url]):
        done = run(*command, server=larder.url, token=larder.token("admin"), cwd=file.parent, status=1)
        assert "begin it with https:// or http://" in done.stderr


def test_what_is_told_of_it_is_what_it_is_then(shared, file):
    (file.parent / "README.md").write_text("# Module acme/told/1\nAdds two.\n\n<!-- task: text-embedding -->\n")
    version = json.loads(publish(shared, file, "acme/told/1", "--documentation", "README.md", "--json").stdout)
    assert version["created"] is True and version["description"] == "Adds two." and version["tags"]["task"] == ["text-embedding"]
    again = json.loads(publish(shared, file, "acme/told/1", "--json").stdout)
    assert again["created"] is False and again["artifacts"] == version["artifacts"]


# ---- a dry run ------------------------------------------------------------------------------------------------------------

def test_a_dry_run_sends_nothing(larder, file):
    url = f"{larder.url}/{PATH}"
    done = publish(larder, file, PATH, "--dry-run")
    assert done.stdout.splitlines() == [f"would be published: {url}", f"tf-hub, 5.5 KiB, sha256:{modules.digest(MODULE)}; nothing was sent"]
    report = json.loads(publish(larder, file, PATH, "--dry-run", "--json").stdout)
    assert report == {"dry_run": True, "created": True, "url": url, "format": "tf-hub", "digest": f"sha256:{modules.digest(MODULE)}",
                      "size_bytes": len(MODULE)}
    larder.wait_for_idle()
    larder.assert_nothing_kept()
    publish(larder, file, PATH)
    assert publish(larder, file, PATH, "--dry-run").stdout.startswith(f"already there: {url}\n")
    assert len(larder.blobs()) == 1


def test_a_dry_run_is_refused_as_the_real_one_would_be(start, file):
    larder = start({"publish": {"max_upload_bytes": "4K"}})
    assert "(too-large)" in publish(larder, file, PATH, "--dry-run", status=1).stderr
    larder = start(name="other")
    assert "(unauthorized)" in publish(larder, file, PATH, "--dry-run", scope=None, status=1).stderr
    assert "(forbidden)" in publish(larder, file, PATH, "--dry-run", scope="publish:other/*", status=1).stderr
    larder.publish(f"/{PATH}", OTHER)
    assert "(conflict)" in publish(larder, file, PATH, "--dry-run", status=1).stderr
    assert "Is it running?" in run("publish", file, "http://127.0.0.1:9/acme/x/1", "--dry-run", status=1).stderr
    larder.wait_for_idle()
    assert larder.blobs() == [modules.digest(OTHER)] and not larder.drafts()


@pytest.mark.parametrize("answer", [Answer(b"", 500), Answer(b"<html>", 404, "text/html"), Answer(b"{}", 204)])
def test_a_dry_run_against_what_is_no_larder(upstream, file, answer):
    upstream.serve(f"/{PATH}", answer)
    done = run("publish", file, f"{upstream.url}/{PATH}", "--dry-run", status=None)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1, done


# ---- names ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("spelling", ["{url}/{path}", "{address}/{path}", "{address}/{path}/"])
def test_a_server_by_its_address(shared, file, spelling):
    path = f"acme/spelt-{len(spelling)}/1"
    where = spelling.format(url=shared.url, address=shared.url.removeprefix("http://"), path=path)
    done = run("publish", file, where, token=shared.token("publish:*"))
    assert done.stdout.startswith(f"published: {shared.url}/{path}\n")
    assert run("list", "spelt", "--server", shared.url.removeprefix("http://")).stdout.count("acme/spelt") >= 1


# ---- what is listed -------------------------------------------------------------------------------------------------------

def test_lists_what_every_format_takes_and_gives(larder, file):
    (file.parent / "model.tflite").write_bytes(flatmodel.model([flatmodel.subgraph([flatmodel.tensor("x"), flatmodel.tensor("y", "int8", [3])], [0], [1], "main")]))
    done = run("publish", file.parent / "model.tflite", PATH, server=larder.url, token=larder.token())
    signatures = run("signatures", PATH, "--format", "tflite", server=larder.url).stdout.splitlines()
    assert signatures and all(line in done.stdout.splitlines() for line in signatures)
    publish(larder, file, PATH)
    shown = run("show", PATH, server=larder.url).stdout
    assert "signatures of:\ttf-hub\n" in shown and "signatures of:\ttflite\n" in shown
    assert all(line in shown.splitlines() for line in signatures)
    assert run("signatures", PATH, server=larder.url).stdout == run("signatures", PATH, "--format=tf-hub", server=larder.url).stdout
    assert "(not-found)" in run("signatures", PATH, "--format=coral", server=larder.url, status=1).stderr


def test_uploads_that_are_only_asked_about_leave_their_turn(start, file):
    """A dry run takes no place that an upload would need."""
    larder = start({"publish": {"max_uploads": 1}})
    for _ in range(3):
        publish(larder, file, PATH, "--dry-run")
    publish(larder, file, PATH)
    wait_until(lambda: larder.metric("larder_uploads_running") == 0, "no upload running")
