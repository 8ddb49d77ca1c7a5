# SPDX-License-Identifier: Apache-2.0
"""pack, publish, list, show, signatures and diff: the registry from the command line."""
import hashlib
import io
import json
import os
import pty
import re
import subprocess
import tarfile

import pytest
from support import modules
from support.daemon import REPORTS, binary
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

MODULE = modules.module(5000)
HANDLE = "acme/half-plus-two"
PATH = f"{HANDLE}/1"


def unpack(archive, folder):
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder)
    return folder


@pytest.fixture
def folder(tmp_path):
    """A module's folder."""
    return unpack(MODULE, tmp_path / "module")


@pytest.fixture
def run(tmp_path):
    """Runs a command: run(*arguments, status=0, server=None, token=None)."""
    def run_command(*arguments, status=0, server=None, token=None):
        done = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE_S,
                              cwd=tmp_path, env=environment(server, token))
        assert not REPORTS.search(done.stderr), done.stderr
        assert done.returncode == status, f"{arguments}: status {done.returncode}: {done.stdout}{done.stderr}"
        return done
    return run_command


def environment(server=None, token=None):
    unset = ("LARDER_SERVER", "LARDER_TOKEN", "http_proxy", "all_proxy")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    given = {"LARDER_SERVER": server, "LARDER_TOKEN": token}
    return {**kept, **{name: value for name, value in given.items() if value is not None}}


def run_on_terminal(*arguments, server):
    """What the command prints where standard output is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([binary(), *arguments], stdout=theirs, stderr=theirs, env=environment(server))
    os.close(theirs)
    printed = b""
    while True:
        try:
            block = os.read(ours, 1 << 16)
        except OSError:  # how Linux tells that nobody has the other end any more
            break
        if not block:
            break
        printed += block
    os.close(ours)
    assert process.wait(DEADLINE_S) == 0, printed
    return printed


def rows(text):
    return [line.split("\t") for line in text.splitlines()]


# ---- pack ---------------------------------------------------------------------------------------------------------------

def test_packs_canonically(run, folder, tmp_path):
    run("pack", folder, "-o", "one.tar.gz")
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
    run("pack", f"{folder}/", "-o", "two.tar.gz")
    packed = (tmp_path / "one.tar.gz").read_bytes()
    assert packed == (tmp_path / "two.tar.gz").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        infos = tar.getmembers()
    assert [info.name for info in infos] == [".", "./variables", "./saved_model.pb",
                                             "./variables/variables.data-00000-of-00001", "./variables/variables.index"]
    assert {(info.uid, info.gid, info.uname, info.gname, info.mtime) for info in infos} == {(0, 0, "", "", 0)}
    assert {info.mode for info in infos} == {0o755, 0o644}


def test_pack_says_what_is_wrong_and_leaves_nothing(run, folder, tmp_path):
    before = sorted(os.listdir(tmp_path))
    (tmp_path / "module.tar.gz").write_bytes(b"the one before")
    done = run("pack", tmp_path, "-o", "../module.tar.gz", status=1)
    assert "wrapper-folder" in done.stderr
    (folder / "link").symlink_to("saved_model.pb")
    done = run("pack", folder, "-o", "module.tar.gz", status=1)
    assert "link is a symbolic link" in done.stderr
    assert (tmp_path / "module.tar.gz").read_bytes() == b"the one before"
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "module.tar.gz"])
    assert not (tmp_path.parent / "module.tar.gz").exists()


def test_pack_does_not_pack_its_output(run, folder):
    done = run("pack", folder, "-o", folder / "module.tar.gz", status=1)
    assert "write it elsewhere" in done.stderr and not (folder / "module.tar.gz").exists()


def link_each_file(folder, store):
    """As in Hugging Face's cache: snapshots/… leads to blobs/…"""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        blob = store / hashlib.sha256(path.read_bytes()).hexdigest()
        path.rename(blob)
        path.symlink_to(os.path.relpath(blob, path.parent))


def link_what_is_in_it(folder, store):
    """As DVC does for a folder that is in its cache."""
    for path in list(folder.iterdir()):
        path.rename(store / path.name)
        path.symlink_to(store / path.name)


def link_the_folder_and_what_is_in_it(folder, store):
    """As bazel-bin leads to a sandbox, which leads to files."""
    link_each_file(folder, store)
    folder.rename(store / "bin")
    for path in [path for path in (store / "bin").rglob("*") if path.is_symlink()]:
        target = store / os.path.basename(os.readlink(path))
        path.unlink()
        path.symlink_to(target)
    folder.symlink_to(store / "bin")


@pytest.mark.parametrize("link", [link_each_file, link_what_is_in_it, link_the_folder_and_what_is_in_it])
def test_follows_links_where_it_is_told_to(run, folder, larder, tmp_path, link):
    run("pack", folder, "-o", "plain.tar.gz")
    (tmp_path / "store").mkdir()
    link(folder, tmp_path / "store")
    done = run("pack", folder, "-o", "linked.tar.gz", status=1)
    assert "is a symbolic link" in done.stderr and "--dereference" in done.stderr
    done = run("pack", "--dereference", folder, "-o", "linked.tar.gz")
    assert "out of" in done.stderr and str(tmp_path / "store") in done.stderr
    assert (tmp_path / "linked.tar.gz").read_bytes() == (tmp_path / "plain.tar.gz").read_bytes()
    run("publish", folder, PATH, status=1, server=larder.url, token=larder.token())
    run("publish", folder, PATH, "--dereference", server=larder.url, token=larder.token())
    assert larder.get(f"/{PATH}.tar.gz").body == (tmp_path / "plain.tar.gz").read_bytes()


@pytest.mark.parametrize("target, words", [("/nonexistent/file", "not there"), (".", "leads back to"), ("variables", "leads back to")])
def test_links_that_lead_nowhere(run, folder, target, words):
    (folder / "variables" / "link").symlink_to(target if target != "variables" else "../variables")
    assert words in run("pack", "--dereference", folder, "-o", "module.tar.gz", status=1).stderr


@pytest.mark.parametrize("arguments", [[], ["module"], ["a", "b", "-o", "c"], ["module", "-o", "c", "--format", "tflite"]])
def test_pack_misused(run, arguments):
    assert "larder pack --help" in run("pack", *arguments, status=2).stderr


# ---- publish ------------------------------------------------------------------------------------------------------------

def test_publishes_a_folder(run, folder, larder):
    done = run("publish", folder, f"{larder.url}/{PATH}", token=larder.token())
    told, _, artifact, _, *tensors = rows(done.stdout)
    assert told == [f"published: {larder.url}/{PATH}"]
    assert (artifact[0], artifact[4]) == ("tf-hub", "sha256:" + larder.blobs()[0])
    assert tensors == [["serve", "serving_default", "input", "x", "float32", "[-1,1]"],
                       ["serve", "serving_default", "output", "y", "float32", "[-1,1]"]]
    assert tarfile.open(fileobj=io.BytesIO(larder.get(f"/{PATH}?tf-hub-format=compressed").body)).getnames()


def test_publishes_the_same_folder_twice(run, folder, larder):
    for told in ("published", "already there"):
        done = run("publish", folder, PATH, "--server", larder.url, "--token", larder.token())
        assert done.stdout.startswith(f"{told}: {larder.url}/{PATH}\n")
    assert len(larder.blobs()) == 1


@pytest.mark.parametrize("body, name, format", [
    (MODULE, "module.tar.gz", "tf-hub"),
    (modules.tfjs_module(), "module.tar.gz", "tfjs"),
    (modules.tflite_model(), "model.tflite", "tflite"),
])
def test_publishes_files(run, larder, tmp_path, body, name, format):
    (tmp_path / name).write_bytes(body)
    (tmp_path / "token").write_text(larder.token() + "\n")
    done = run("publish", name, f"{larder.url}/{PATH}", "--json", "--token-file", "token")
    artifact, = json.loads(done.stdout)["artifacts"]
    assert (artifact["format"], artifact["digest"]) == (format, "sha256:" + modules.digest(body))


def test_publishes_documentation(run, folder, larder, tmp_path):
    (tmp_path / "README.md").write_text("# Half plus two\n")
    run("publish", folder, f"{larder.url}/{PATH}", "--documentation", "README.md", token=larder.token())
    assert "Half plus two" in larder.get(f"/api/v1/documentation/{PATH}", accept="text/markdown").body.decode()


def test_documentation_that_is_not_there_costs_no_upload(run, folder, larder):
    run("publish", folder, f"{larder.url}/{PATH}", "--documentation", "README.md", status=1, token=larder.token())
    larder.assert_nothing_kept()


def test_says_every_violation(run, larder, tmp_path):
    wrapped = [*modules.members(), modules.Member("./../up"), modules.Member("./link", type=tarfile.SYMTYPE, link="x")]
    (tmp_path / "bad.tar.gz").write_bytes(modules.pack(wrapped))
    done = run("publish", "bad.tar.gz", f"{larder.url}/{PATH}", status=1, token=larder.token())
    assert "no tf-hub module that can be published" in done.stderr and "name-traversal" in done.stderr and "member-type" in done.stderr
    assert done.stdout == ""
    larder.assert_nothing_kept()


def test_says_who_is_refused(run, folder, larder):
    url = f"{larder.url}/{PATH}"
    assert "(unauthorized)" in run("publish", folder, url, status=1).stderr
    assert "(forbidden)" in run("publish", folder, url, status=1, token=larder.token("publish:other/*")).stderr
    larder.assert_nothing_kept()


def test_says_that_a_version_is_taken(run, folder, larder):
    larder.publish(f"/{PATH}", modules.module(5000, seed=2))
    assert "(conflict)" in run("publish", folder, f"{larder.url}/{PATH}", status=1, token=larder.token()).stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://127.0.0.1:9/acme/x", "ftp://127.0.0.1/acme/x/1", "/1"])
def test_refuses_what_is_no_version(run, folder, url):
    assert run("publish", folder, url, status=1).stderr.startswith("larder: ")


def test_query_is_told_from_a_version(run, folder, larder):
    """Hub URLs have one, so people paste it."""
    done = run("publish", folder, f"{larder.url}/{PATH}?tfjs-format=compressed", status=1, token=larder.token())
    assert "--format" in done.stderr


# ---- list, show, signatures ---------------------------------------------------------------------------------------------

def test_lists_and_searches(run, larder):
    larder.publish(f"/{PATH}", MODULE)
    larder.publish("/other/thing/3?tfjs-format=compressed", modules.tfjs_module())
    assert [row[:3] for row in rows(run("list", server=larder.url).stdout)] == [
        [HANDLE, "1", "tf-hub"], ["other/thing", "3", "tfjs"]]
    for arguments in (["thing"], ["--publisher", "other"], ["--format", "tfjs"]):
        assert [row[0] for row in rows(run("list", *arguments, server=larder.url).stdout)] == ["other/thing"]
    assert json.loads(run("list", "--json", "--server", larder.url).stdout)["total"] == 2


DOCUMENT = b"""# Module acme/half-plus-two/1
Adds two.

<!-- task: text-embedding -->
<!-- dataset: mnist -->
<!-- language: en -->
<!-- network-architecture: other -->
<!-- license: mit -->
<!-- fine-tunable: true -->
"""


@pytest.mark.parametrize("option, value, other", [
    ("--publisher", "acme", "other"), ("--format", "tf-hub", "tfjs"), ("--source", "published", "listed"), ("--task", "text-embedding", "none"),
    ("--dataset", "mnist", "none"), ("--language", "en", "de"), ("--architecture", "other", "bert"), ("--license", "mit", "none"),
    ("--fine-tunable", "true", "false"), ("--cached", "true", "false"), ("--op", "Mul", "Conv2D"), ("--input-dtype", "float32", "string"),
    ("--output-dtype", "float32", "int64"), ("--min-size", "1K", "1M"), ("--max-size", "1M", "1K"), ("--tag", "serve", "train"), ("--tensorflow-version", "2.14", "2.1"),
])
def test_filters(run, larder, option, value, other):
    larder.publish(f"/{PATH}", MODULE)
    larder.publish(f"/{PATH}", DOCUMENT, content_type="text/markdown")
    for arguments, handles in ([f"{option}={value}"], [HANDLE]), ([f"{option}={other}"], []), (["half", f"{option}={value}"], [HANDLE]):
        assert [row[0] for row in rows(run("list", *arguments, server=larder.url).stdout)] == handles, arguments


def test_filters_add_up(run, larder):
    larder.publish(f"/{PATH}", MODULE)
    larder.publish("/other/thing/3?tfjs-format=compressed", modules.tfjs_module())
    for arguments, handles in (["--format=tfjs", "--format", "tf-hub"], [HANDLE, "other/thing"]), (["--format=tfjs", "--op=Mul"], []), (
            ["--cached", "thing"], ["other/thing"]), (["--sort=size"], ["other/thing", HANDLE]):
        assert sorted(row[0] for row in rows(run("list", *arguments, server=larder.url).stdout)) == sorted(handles), arguments
    assert "(bad-request)" in run("list", "--sort=colour", status=1, server=larder.url).stderr
    run("list", "--colour=red", status=2, server=larder.url)


def test_shows_modules_and_versions(run, larder):
    larder.publish(f"/{PATH}", MODULE)
    assert ["handle:", HANDLE] in rows(run("show", HANDLE, server=larder.url).stdout)
    shown = rows(run("show", "/" + PATH, server=larder.url).stdout)
    assert ["state:", "active"] in shown
    assert any(row[0] == "tf-hub" and row[4:] == ["sha256:" + modules.digest(MODULE), "published", "ci-publish", "yes"] for row in shown)
    assert json.loads(run("show", PATH, "--json", server=larder.url).stdout)["handle"] == HANDLE
    assert "(not-found)" in run("show", "acme/none", status=1, server=larder.url).stderr


def test_lists_signatures_of_the_latest_version(run, larder):
    larder.publish(f"/{PATH}", MODULE)
    for path in (PATH, HANDLE):
        assert rows(run("signatures", path, server=larder.url).stdout) == [
            ["serve", "serving_default", "input", "x", "float32", "[-1,1]"],
            ["serve", "serving_default", "output", "y", "float32", "[-1,1]"]]


def answer_json(value, status=200):
    return Answer(json.dumps(value).encode(), status, "application/json")


def test_follows_pages_on_the_same_server_only(run, upstream):
    """The next page's host is the server's word; the token goes to ours all the same."""
    first = {"modules": [{"handle": "a/x"}], "next": "http://elsewhere.invalid/api/v1/more?cursor=1"}
    upstream.serve("/api/v1/modules", answer_json(first))
    upstream.serve("/api/v1/more", answer_json({"modules": [{"handle": "b/y"}], "next": None}))
    done = run("list", server=upstream.url, token="secret")
    assert [row[0] for row in rows(done.stdout)] == ["a/x", "b/y"]


@pytest.mark.parametrize("before", ["@", ":80@", "."])
def test_a_page_cannot_lead_the_token_to_another_server(run, upstream, make_upstream, before):
    other = make_upstream()
    upstream.serve("/api/v1/modules", answer_json({"modules": [], "next": f"{before}127.0.0.1:{other.port}/api/v1/more"}))
    run("list", status=1, server=upstream.url, token="secret")
    assert other.count() == 0 and upstream.count() == 2


def test_a_server_cannot_steer_the_terminal(run, upstream):
    evil = "\x1b]0;owned\x07\x9b31mred\r\n\t"
    upstream.serve("/api/v1/modules", answer_json({"modules": [{"handle": evil, "description": evil}], "next": None}))
    upstream.serve("/api/v1/modules/a/x", answer_json({"detail": evil, "code": evil}, 404))
    printed = run_on_terminal("list", server=upstream.url)
    printed += run_on_terminal("list", "--json", server=upstream.url)
    assert b"owned" in printed
    assert not any(byte in printed for byte in (b"\x1b", b"\x07", b"\xc2\x9b")), printed
    refused = run("show", "a/x", status=1, server=upstream.url).stderr
    assert "owned" in refused and not set("\x1b\x07\x9b\r\t") & set(refused)


def test_aligns_on_a_terminal(upstream):
    upstream.serve("/api/v1/modules", answer_json({"modules": [{"handle": "a/long-name", "latest_version": 7}], "next": None}))
    heading, line = run_on_terminal("list", server=upstream.url).decode().splitlines()
    assert heading.startswith("MODULE") and heading.index("LATEST") == line.index("7")


@pytest.mark.parametrize("answer", [Answer(b"<html>", 200, "text/html"), Answer(b"", 200), answer_json([1]),
                                    answer_json({"x": 1}, 302), Answer(b"{", 500, "application/problem+json")])
def test_recognises_what_is_no_larder(run, upstream, answer):
    upstream.serve("/api/v1/modules", answer)
    assert run("list", status=1, server=upstream.url).stderr.count("\n") == 1


# ---- diff -----------------------------------------------------------------------------------------------------------------

def publish_two(daemon):
    x, y = modules.Tensor("x:0", "float32", [-1, 1]), modules.Tensor("y:0", "float32", None)
    graphs = [modules.MetaGraph({"serving_default": modules.Signature({"x": x}, {"y": y}), "old": modules.Signature({"x": x}, {})}, ops=("Const", "Mul")),
              modules.MetaGraph({"serving_default": modules.Signature({"x": modules.Tensor("x:0", "int32", [-1, 1])}, {"y": y})}, ops=("Const", "Add"))]
    for version, graph in enumerate(graphs, 1):
        daemon.publish(f"/{HANDLE}/{version}", modules.module(5000, model=modules.saved_model(graph)))


def test_compares(run, larder):
    publish_two(larder)
    lines = rows(run("diff", HANDLE, 1, 2, server=larder.url).stdout)
    assert lines[0] == ["version", "1", "2"] and ["TensorFlow", "2.14.0", "2.14.0"] in lines and ["breaking", "", "yes"] in lines
    assert ["serve", "serving_default", "input", "x", "changed", "float32", "[-1,1]", "int32", "[-1,1]", "breaking"] in lines
    assert ["serve", "old", "", "", "removed", "", "", "", "", "breaking"] in lines
    assert lines[lines.index(["Add", "0", "1"]) + 1] == ["Mul", "1", "0"]
    assert [line for line in lines if line[0] == "saved_model.pb"][0][1] == "changed"
    back = rows(run("diff", HANDLE, 2, 1, server=larder.url).stdout)
    assert ["serve", "old", "", "", "added", "", "", "", "", ""] in back


def test_compares_for_programs(run, larder):
    publish_two(larder)
    # The digests of files come later than the files.
    wait_until(lambda: "to_sha256" in larder.get(f"/api/v1/diff/{HANDLE}/1/2").json()["files"][0], "the files' digests are known")
    assert json.loads(run("diff", HANDLE, 1, 2, "--json", server=larder.url).stdout) == larder.get(f"/api/v1/diff/{HANDLE}/1/2").json()
    run("diff", "--check", HANDLE, 1, 2, status=1, server=larder.url)
    same = rows(run("diff", "--check", HANDLE, 1, 1, "--format=tf-hub", server=larder.url).stdout)
    assert [line[0] for line in same] == ["version", "size", "unpacked", "TensorFlow", "breaking"] and same[-1] == ["breaking", "", "no"]


def test_compares_on_a_terminal(larder):
    publish_two(larder)
    lines = run_on_terminal("diff", HANDLE, "1", "2", server=larder.url).decode().splitlines()
    assert lines[0].split() == ["FROM", "TO"] and "KiB" in lines[2]
    assert sum(not line for line in lines) == 3, lines


@pytest.mark.parametrize("arguments, status", [
    ([], 2), ([HANDLE], 2), ([HANDLE, 1], 2), ([HANDLE, 1, 2, 3], 2), ([HANDLE, 1, 2, "--colour"], 2),
    ([HANDLE, 1, 3], 1), ([HANDLE, 1, "x"], 1), ([HANDLE, "", 1], 1), ([HANDLE, "../1", 1], 1), (["acme", 1, 2], 1),
    ([HANDLE, 1, 2, "--format", "tfjs"], 1), ([HANDLE, 1, 2, "--format", "&?"], 1), (["acme/../x", 1, 2], 1), ([f"{HANDLE}/1", 1, 2], 1),
])
def test_diff_says_what_cannot_be(run, larder, arguments, status):
    publish_two(larder)
    done = run("diff", *arguments, status=status, server=larder.url)
    assert done.stderr.startswith("larder: ") and done.stdout == ""


def test_a_server_cannot_steer_the_terminal_by_what_differs(upstream):
    evil = "\x1b]0;owned\x07\x9b31mred\r\n\t"
    tensor = {"name": evil, "change": evil, "from": {"dtype": evil, "shape": [evil]}, "to": None}
    function = {"name": evil, "meta_graph": [evil], "change": "changed", "inputs": [tensor], "outputs": evil}
    upstream.serve("/api/v1/diff/a/x/1/2", answer_json({
        "from": evil, "size_bytes": evil, "tensorflow_version": {"from": evil}, "signatures": [function, evil, {**function, "change": evil}],
        "callables": evil, "ops": [{"op": evil}], "files": [{"path": evil, "change": evil}, 1]}))
    printed = run_on_terminal("diff", "a/x", "1", "2", server=upstream.url)
    assert b"owned" in printed
    assert not any(byte in printed for byte in (b"\x1b", b"\x07", b"\xc2\x9b")), printed


# ---- tokens ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("place, arguments", [("larder-data", []), ("elsewhere", ["--data", "elsewhere"]), ("a/b", ["--data", "a/b"])])
def test_a_token_tells_of_which_data_folder_it_is(run, tmp_path, place, arguments):
    first = run("token", "create", "ci", "--scope", "publish:acme/*", "--data", place)
    later = [run("token", *action, *arguments) for action in (["create", "cj", "--scope", "read"], ["list"], ["revoke", "ci"])]
    assert all(f"data folder {tmp_path / place}" in done.stderr for done in [first, *later])
    assert "which is new" in first.stderr and not any("which is new" in done.stderr for done in later)
    assert (tmp_path / place / "larder.db").is_file()


@pytest.mark.parametrize("scope", ["publish:acme", "withdraw:acme", "publish:Acme/*", "publish:acme/"])
def test_a_scope_that_no_module_can_match(run, scope):
    done = run("token", "create", "ci", "--scope", scope, "--data", "larder-data", status=2)
    assert scope in done.stderr and "publish:acme/*" in done.stderr and done.stdout == ""


def test_a_token_of_a_name_that_is_taken(run):
    run("token", "create", "ci", "--scope", "read", "--data", "larder-data")
    advice = run("token", "create", "ci", "--scope", "read", status=1).stderr
    command = re.search(r"\((larder [^)]+)\)", advice)[1]
    run(*command.split()[1:])
    assert run("token", "create", "ci", "--scope", "read").stdout.startswith("lrd_")


@pytest.mark.parametrize("form", ["{path}", "/{path}", "{url}/{path}", "https://tfhub.dev/{path}", "http://hub.tensorflow.google.cn/{path}", "HTTPS://TFHub.dev/{path}"])
def test_a_module_may_be_named_by_its_url(run, larder, form):
    """Whatever command it is for."""
    publish_two(larder)
    module, version = (form.format(path=path, url=larder.url) for path in (HANDLE, HANDLE + "/1"))
    for arguments in (("show", module), ("show", version), ("show", version + "?tf-hub-format=compressed"), ("signatures", version), ("signatures", module),
                      ("diff", module, 1, 2), ("lock", version), ("lock", module), ("lock", version + "?tf-hub-format=compressed"), ("pull", version, "--force"),
                      ("prefetch", version)):
        run(*arguments, server=larder.url)


@pytest.mark.parametrize("command", ["show", "signatures", "diff", "lock", "pull", "prefetch"])
def test_a_url_on_another_server_is_told_of(run, larder, command):
    """Which is asked is for whoever runs it to say, with the token that goes there."""
    publish_two(larder)
    arguments = (command, f"{larder.url}/{HANDLE}" + ("" if command == "diff" else "/1"), *((1, 2) if command == "diff" else ()))
    said = run(*arguments, status=1).stderr
    assert f"on another server than http://127.0.0.1:8080, which would be asked: add --server {larder.url}" in said, said
    run(*arguments, "--server", larder.url)
    if command not in ("pull", "prefetch"):
        assert "add --server http://other.test" in run(command, "http://other.test/" + HANDLE, *arguments[2:], status=1, server=larder.url).stderr


def test_no_row_is_empty_where_formats_have_no_tensorflow(run, larder):
    for version, size in ((1, 400), (2, 800)):
        larder.publish(f"/acme/js/{version}?tfjs-format=compressed", modules.tfjs_module(2, size))
    assert "TensorFlow" not in run("diff", "acme/js", 1, 2, server=larder.url).stdout


@pytest.mark.parametrize("arguments, code, told", [
    (("show", HANDLE + "/9"), "not-found", f"`larder show {HANDLE}` lists the versions that are"),
    (("signatures", HANDLE + "/9"), "not-found", f"`larder show {HANDLE}` lists the versions that are"),
    (("diff", HANDLE, 1, 9), "not-found", f"`larder show {HANDLE}` lists the versions that are"),
    (("show", "acme/absent"), "not-found", "`larder list absent` finds similar names"),
    (("lock", "acme/absent/3"), "not-found", "`larder list absent` finds similar names"),
    (("signatures", "acme/js/1"), "not-found", "`larder show acme/js/1` tells which formats it has"),
])
def test_what_is_not_known_is_told_with_a_command_that_helps(run, larder, arguments, code, told):
    """The API tells an address that does the same."""
    publish_two(larder)
    larder.publish("/acme/js/1?tfjs-format=compressed", modules.tfjs_module(1, 400))
    said = run(*arguments, status=1, server=larder.url).stderr
    assert told in said and f"({code})" in said and "/api/" not in said, said
    run(*told.split("`")[1].split()[1:], server=larder.url)


@pytest.mark.parametrize("path", ["modules/acme/absent", "modules/acme/absent/1", f"modules/{HANDLE}/9", "publishers/nobody", "collections/acme/none", f"diff/{HANDLE}/1/9",
                                  "signatures/acme/js/1", "modules/" + "long-" * 40 + "publisher/" + "n" * 200, "modules/" + "p" * 80 + "/" + "n" * 200 + "/1"])
def test_the_api_tells_an_address_that_helps(larder, path):
    publish_two(larder)
    larder.publish("/acme/js/1?tfjs-format=compressed", modules.tfjs_module(1, 400))
    detail = larder.get("/api/v1/" + path).json()["detail"]
    address = re.search(r" (/api/v1/\S+) ", detail)[1]
    assert larder.get(address).status == 200, detail


@pytest.mark.parametrize("slip, meant", [("lst", "list"), ("shw", "show"), ("pul", "pull"), ("difff", "diff"), ("llist", "list"), ("signatrues", "signatures")])
def test_slips_of_commands(run, slip, meant):
    assert f'there is no command "{slip}"; did you mean "{meant}"?' in run(slip, status=2).stderr


@pytest.mark.parametrize("word", ["x", "gcx", "abc", "zzzzzz"])
def test_what_is_near_no_command(run, word):
    assert "did you mean" not in run(word, status=2).stderr


@pytest.mark.parametrize("arguments, option", [(("list", "--data", "x"), "data"), (("list", "--data=x"), "data"), (("show", "--config", "x", "a/b"), "config"),
                                               (("pack", "--server", "x", "y"), "server")])
def test_an_option_of_other_commands_is_no_beginning_of_another(run, arguments, option):
    said = run(*arguments, status=2).stderr
    assert f"takes no --{option}" in said, said


def test_documentation_that_is_published_is_told_the_command(run, tmp_path):
    (tmp_path / "README.md").write_text("# Module acme/m/1\nSays.\n\n<!-- task: t -->\n")
    assert '"larder document PATH FILE" sends documentation' in run("publish", "README.md", "http://127.0.0.1:9/acme/m/1", status=1).stderr
