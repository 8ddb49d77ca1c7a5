# SPDX-License-Identifier: Apache-2.0
"""larder pull: one module from a daemon, whole and proven, whatever the network, the server and the disk do."""
import base64
import contextlib
import fcntl
import hashlib
import io
import os
import pty
import random
import resource
import shutil
import signal
import subprocess
import tarfile
import threading

import pytest
from support import modules
from support.daemon import REPORTS, binary
from support.upstream import Answer, redirect
from support.waiting import DEADLINE_S, wait_until

MODULE = modules.module(200_000)
HANDLE = "acme/half-plus-two"
PATH = f"{HANDLE}/1"
NAME = "half-plus-two_1.tar.gz"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def environment(server, token=None):
    kept = {name: value for name, value in os.environ.items() if name not in ("LARDER_TOKEN", "http_proxy", "all_proxy")}
    return {**kept, "LARDER_SERVER": server, **({"LARDER_TOKEN": token} if token else {})}


@pytest.fixture
def pull(folder):
    """pull(server, *arguments, status=0): runs the command in `folder`."""
    def run(server, *arguments, status=0, text=True, token=None, **more):
        done = subprocess.run([binary(), "pull", *map(str, arguments)], capture_output=True, timeout=DEADLINE_S, cwd=folder,
                              env=environment(server, token), **more)
        assert not REPORTS.search(done.stderr.decode(errors="replace")), done.stderr
        assert done.returncode == status, f"{arguments}: status {done.returncode}: {done.stderr}"
        assert status == 0 or done.stderr.startswith(b"larder: "), done.stderr
        if text:
            done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        return done
    return run


def listing(folder):
    return sorted(os.listdir(folder))


def etag(body):
    return f'"sha256:{modules.digest(body)}"'


def repr_digest(body):
    return {"Repr-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"}


def whole(body, **more):
    return Answer(body, etag=etag(body), ranges=True, **more)


# ---- what people do -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", [PATH, "/" + PATH, HANDLE, f"{PATH}?tf-hub-format=compressed", "https://tfhub.dev/" + PATH])
def test_gets_a_version_or_the_latest(pull, larder, folder, path):
    larder.publish(f"/{PATH}", MODULE)
    done = pull(larder.url, path)
    assert (folder / NAME).read_bytes() == MODULE and listing(folder) == [NAME]
    assert done.stdout.startswith(NAME) and modules.digest(MODULE) in done.stdout and done.stderr == ""


@pytest.mark.parametrize("query, body, name", [
    ("lite-format=tflite", modules.tflite_model(), "half-plus-two_1.tflite"),
    ("coral-format=tflite", modules.tflite_model(700), "half-plus-two_1.tflite"),
    ("tfjs-format=compressed", modules.tfjs_module(), NAME),
])
def test_gets_each_format(pull, larder, folder, query, body, name):
    larder.publish(f"/{PATH}?{query}", body)
    for path in (f"{PATH}?{query}", f"{larder.url}/{HANDLE}?{query}"):
        pull(larder.url, path, "--force")
        assert (folder / name).read_bytes() == body
    assert "lite-format=tflite" in pull(larder.url, PATH, status=1).stderr
    assert listing(folder) == [name]


@pytest.mark.parametrize("output, there", [("x.bin", "x.bin"), ("sub/", f"sub/{NAME}"), ("sub", f"sub/{NAME}"), ("new/deep/", f"new/deep/{NAME}"),
                                           (".", NAME), ("sub/x", "sub/x")])
def test_writes_where_it_is_told_to(pull, larder, folder, output, there):
    (folder / "sub").mkdir()
    larder.publish(f"/{PATH}", MODULE)
    pull(larder.url, PATH, "-o", output)
    assert (folder / there).read_bytes() == MODULE
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [os.path.basename(there)]


def test_takes_a_token_where_reading_needs_one(pull, start, folder):
    daemon = start({"auth": {"read": "token"}})
    daemon.publish(f"/{PATH}", MODULE)
    assert "--token" in pull(daemon.url, PATH, status=1).stderr
    assert listing(folder) == []
    pull(daemon.url, PATH, token=daemon.token())
    assert listing(folder) == [NAME]


def test_writes_to_standard_output(pull, larder, folder):
    larder.publish(f"/{PATH}", MODULE)
    done = pull(larder.url, PATH, "-o", "-", text=False)
    assert done.stdout == MODULE and modules.digest(MODULE).encode() in done.stderr and listing(folder) == []


@contextlib.contextmanager
def half_fetched(mirror, upstream):
    """The daemon is in the midst of a fill, which goes on once the pull has joined it."""
    gate = threading.Event()
    upstream.serve(f"/{PATH}", Answer(MODULE, gate=gate, gate_after=100_000))

    def release():
        mirror.wait_for("larder_fills_running", 1)
        upstream.wait_for_requests(1)
        gate.set()

    thread = threading.Thread(target=release)
    thread.start()
    yield
    thread.join()


def test_gets_what_the_daemon_has_yet_to_fetch(pull, mirror, upstream, folder):
    """While it is being fetched there is no digest to go by: it comes afterwards."""
    with half_fetched(mirror, upstream):
        pull(mirror.url, PATH)
    assert (folder / NAME).read_bytes() == MODULE and listing(folder) == [NAME]


def test_gets_large_files_in_little_memory(pull, larder, folder, big_module):
    larder.publish(f"/{PATH}", big_module)
    pull(larder.url, PATH)
    assert (folder / NAME).read_bytes() == big_module
    pull(larder.url, PATH, "--unpack", "module")
    assert_equals_tarfile(big_module, folder / "module")


def test_shows_a_bar_on_a_terminal(upstream, folder):
    body = modules.payload(3 << 20)
    upstream.serve(f"/{PATH}", whole(body, rate=4 << 20))
    ours, theirs = pty.openpty()
    process = subprocess.Popen([binary(), "pull", PATH], stdout=theirs, stderr=theirs, cwd=folder, env=environment(upstream.url))
    os.close(theirs)
    printed = b""
    while True:
        try:
            printed += os.read(ours, 1 << 16)
        except OSError:  # how Linux tells that nobody has the other end any more
            break
    os.close(ours)
    assert process.wait(DEADLINE_S) == 0 and b"pulling [" in printed and NAME.encode() in printed, printed


@pytest.mark.parametrize("arguments", [[], ["a/b/1", "c/d/1"], ["a/b/1", "--colour"], ["a/b/1", "-o", "x", "--unpack", "y"], ["a/b/1", "-o", ""]])
def test_misused(pull, arguments):
    pull("http://127.0.0.1:9", *arguments, status=2)


# ---- what is there already ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [[], ["-o", NAME], ["-o", "./"], ["--force"]])
def test_what_is_here_is_not_fetched(pull, upstream, folder, arguments):
    body = modules.payload(20 << 20)
    upstream.serve(f"/{PATH}", whole(body))
    (folder / NAME).write_bytes(body)
    before = (folder / NAME).stat()
    assert "already here" in pull(upstream.url, PATH, *arguments).stdout
    after = (folder / NAME).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert upstream.sent_bytes < len(body) and listing(folder) == [NAME]


@pytest.mark.parametrize("there", [b"", b"mine", MODULE[:-1], MODULE + b"\0"], ids=["empty", "other", "shorter", "longer"])
def test_another_file_stays_unless_forced(pull, larder, folder, there):
    larder.publish(f"/{PATH}", MODULE)
    (folder / NAME).write_bytes(there)
    assert "--force" in pull(larder.url, PATH, status=1).stderr
    assert (folder / NAME).read_bytes() == there and listing(folder) == [NAME]
    pull(larder.url, PATH, "--force")
    assert (folder / NAME).read_bytes() == MODULE and listing(folder) == [NAME]


def test_another_file_stays_where_the_digest_comes_last(pull, mirror, upstream, folder):
    (folder / NAME).write_bytes(b"mine")
    with half_fetched(mirror, upstream):
        pull(mirror.url, PATH, status=1)
    assert (folder / NAME).read_bytes() == b"mine" and listing(folder) == [NAME]


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_stays(pull, larder, folder, make):
    larder.publish(f"/{PATH}", MODULE)
    make(folder / NAME)
    pull(larder.url, PATH, "--force", status=1)
    assert listing(folder) == [NAME] and not (folder / NAME).is_file()


def test_one_pull_at_a_time(pull, larder, folder):
    larder.publish(f"/{PATH}", MODULE)
    with open(folder / f"{NAME}.part", "wb") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        assert "another pull" in pull(larder.url, PATH, status=1).stderr
        assert "another pull" in pull(larder.url, PATH, "-o", NAME, status=1).stderr
    pull(larder.url, PATH)
    assert (folder / NAME).read_bytes() == MODULE and listing(folder) == [NAME]


def test_a_link_in_the_place_of_the_part_is_not_followed(pull, larder, folder, tmp_path):
    larder.publish(f"/{PATH}", MODULE)
    (tmp_path / "victim").write_bytes(b"mine")
    (folder / f"{NAME}.part").symlink_to(tmp_path / "victim")
    pull(larder.url, PATH, status=1)
    assert (tmp_path / "victim").read_bytes() == b"mine" and NAME not in listing(folder)


# ---- transfers that break off ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("cut", ["reset", "close"])
@pytest.mark.parametrize("seed", range(4))
def test_goes_on_where_it_broke_off(pull, upstream, folder, cut, seed):
    chance = random.Random(seed)
    body = modules.payload(500_000, seed + 10)
    cuts = sorted(chance.sample(range(1, len(body)), 3))
    upstream.serve(f"/{PATH}", *(whole(body, cut_after=at, cut=cut) for at in cuts), whole(body))
    pull(upstream.url, PATH)
    assert (folder / NAME).read_bytes() == body and listing(folder) == [NAME]
    asked = [seen.headers.get("range") for seen in upstream.requests]
    assert asked[0] is None and len(asked) == 4
    for at, seen in zip(cuts, upstream.requests[1:]):
        if "range" not in seen.headers:
            continue  # a reset can overtake all bytes before it
        first = int(seen.headers["range"].removeprefix("bytes=").removesuffix("-"))
        assert 0 < first <= at and (cut == "reset" or first == at)
        assert seen.headers["if-range"] == etag(body)


def test_to_standard_output_too(pull, upstream):
    body = modules.payload(500_000)
    upstream.serve(f"/{PATH}", *(whole(body, cut_after=at, cut="close") for at in (1000, 300_000)), whole(body))
    assert pull(upstream.url, PATH, "-o", "-", text=False).stdout == body
    assert upstream.requests[2].headers["range"] == "bytes=300000-"


def interrupted(pull, upstream, body, at, *arguments):
    """What a pull leaves whose server broke off for good."""
    upstream.serve(f"/{PATH}", whole(body, cut_after=at, cut="close"), Answer(b"", 500))
    said = pull(upstream.url, PATH, *arguments, status=1).stderr
    assert ".part" in said, said
    upstream.requests.clear()


@pytest.mark.parametrize("arguments, name", [([], NAME), (["-o", "x"], "x"), (["-o", "./"], NAME)])
@pytest.mark.parametrize("at", [1, 65_536, 199_999])
def test_the_next_pull_goes_on(pull, upstream, folder, arguments, name, at):
    body = modules.payload(200_000)
    interrupted(pull, upstream, body, at, *arguments)
    assert listing(folder) == [f"{name}.part", f"{name}.part.tag"] and (folder / f"{name}.part").stat().st_size == at
    upstream.serve(f"/{PATH}", whole(body))
    pull(upstream.url, PATH, *arguments)
    assert (folder / name).read_bytes() == body and listing(folder) == [name]
    assert (upstream.requests[-1].headers["range"], upstream.requests[-1].headers["if-range"]) == (f"bytes={at}-", etag(body))


def test_goes_on_with_a_real_daemon(pull, upstream, larder, folder):
    larder.publish(f"/{PATH}", MODULE)
    interrupted(pull, upstream, MODULE, 70_000)
    pull(larder.url, PATH)
    assert (folder / NAME).read_bytes() == MODULE and listing(folder) == [NAME]
    interrupted(pull, upstream, MODULE, 70_000, "-o", "x")
    (folder / "x.part").write_bytes(MODULE)  # whole, but not renamed any more: 416
    pull(larder.url, PATH, "-o", "x")
    assert (folder / "x").read_bytes() == MODULE and listing(folder) == [NAME, "x"]


@pytest.mark.parametrize("arguments", [[], ["-o", NAME]])
def test_what_changed_in_between_begins_anew(pull, upstream, folder, arguments):
    interrupted(pull, upstream, modules.payload(200_000, 1), 100_000, *arguments)
    body = modules.payload(150_000, 2)
    upstream.serve(f"/{PATH}", whole(body))
    pull(upstream.url, PATH, *arguments)
    assert (folder / NAME).read_bytes() == body and listing(folder) == [NAME]


def test_what_changes_within_a_pull_begins_anew_but_not_on_standard_output(pull, upstream, folder):
    first, second = modules.payload(200_000, 1), modules.payload(150_000, 2)
    for arguments, status in ([], 0), (["-o", "-"], 1):
        upstream.serve(f"/{PATH}", whole(first, cut_after=100_000, cut="close"), whole(second))
        pull(upstream.url, PATH, *arguments, status=status, text=False)
    assert (folder / NAME).read_bytes() == second


@pytest.mark.parametrize("spoil", [lambda part: part.write_bytes(b"x" * 1000), lambda part: part.write_bytes(b"x" * 300_000),
                                   lambda part: (part.parent / (part.name + ".tag")).write_text("nonsense"),
                                   lambda part: (part.parent / (part.name + ".tag")).unlink()])
def test_a_part_that_was_spoilt_does_no_harm(pull, larder, upstream, folder, spoil):
    larder.publish(f"/{PATH}", MODULE)
    interrupted(pull, upstream, MODULE, 100_000)
    spoil(folder / f"{NAME}.part")
    done = subprocess.run([binary(), "pull", PATH], capture_output=True, cwd=folder, env=environment(larder.url), timeout=DEADLINE_S)
    if done.returncode:  # told by its digest
        assert done.returncode == 1 and b"is removed" in done.stderr and listing(folder) == []
        pull(larder.url, PATH)
    assert (folder / NAME).read_bytes() == MODULE and listing(folder) == [NAME]


def test_a_wrong_part_is_refused_once(pull, upstream, folder):
    """A server, or a cache before it, that does not keep to If-Range."""
    body = modules.payload(200_000)
    interrupted(pull, upstream, body, 100_000, "-o", "x")
    other = modules.payload(200_000, 3)
    for spoilt in (Answer(body[5:], 206, etag=etag(body), headers={"Content-Range": "bytes 5-199999/200000"}),
                   Answer(other[100_000:], 206, etag=etag(other), headers={"Content-Range": "bytes 100000-199999/200000"})):
        upstream.serve(f"/{PATH}", spoilt)
        pull(upstream.url, PATH, "-o", "x", status=1)
        assert listing(folder) == []
        interrupted(pull, upstream, body, 100_000, "-o", "x")
    upstream.serve(f"/{PATH}", whole(body))
    pull(upstream.url, PATH, "-o", "x")
    assert (folder / "x").read_bytes() == body


def test_gives_up_in_the_end(pull, upstream, folder):
    body = modules.payload(200_000)
    upstream.serve(f"/{PATH}", whole(body, cut_after=0, cut="close"))
    pull(upstream.url, PATH, status=1)
    assert 1 < upstream.count() < 10 and listing(folder) == []


# ---- servers that lie -----------------------------------------------------------------------------------------------------

LIES = {
    "etag": lambda body: Answer(body, etag=etag(b"other")),
    "repr-digest": lambda body: Answer(body, headers=repr_digest(b"other")),
    "both": lambda body: Answer(body, etag=etag(b"other"), headers=repr_digest(b"other")),
    "they differ": lambda body: Answer(body, etag=etag(body), headers=repr_digest(b"other")),
    "chunked": lambda body: Answer(body, etag=etag(b"other"), chunked=True),
    "none": lambda body: Answer(body),
    "weak": lambda body: Answer(body, etag="W/" + etag(body)),
    "another kind": lambda body: Answer(body, etag='"33a64df5"'),
    "nothing": lambda body: Answer(b"", etag=etag(body)),
}


@pytest.mark.parametrize("arguments", [[], ["-o", "x"], ["--unpack", "x"], ["-o", "-"]])
@pytest.mark.parametrize("lie", LIES)
def test_refuses_what_cannot_be_proven(pull, upstream, folder, lie, arguments):
    upstream.serve(f"/{PATH}", LIES[lie](MODULE))
    pull(upstream.url, PATH, *arguments, status=1, text=False)
    assert listing(folder) == []


@pytest.mark.parametrize("answer", [Answer(MODULE, headers=repr_digest(MODULE)), Answer(MODULE, etag=etag(MODULE), chunked=True),
                                    Answer(MODULE, etag='"x"', headers=repr_digest(MODULE)), Answer(b"", etag=etag(b""))])
def test_one_proof_will_do(pull, upstream, folder, answer):
    upstream.serve(f"/{PATH}", answer)
    pull(upstream.url, PATH)
    assert (folder / NAME).read_bytes() == answer.body


@pytest.mark.parametrize("name, kept", [
    ("../evil", NAME), ("/etc/evil", NAME), (".bashrc", NAME), ("-rf", NAME), ("a\x1b[2Jb", NAME), ("a\\b", NAME), ("..", NAME), ("", NAME),
    ("x" * 300, NAME), ("y" * 700, NAME), ("a b", NAME), ("good_1.bin", "good_1.bin"), ("x/", NAME),
])
def test_names_of_the_server_are_not_trusted(pull, upstream, folder, tmp_path, name, kept):
    upstream.serve(f"/{PATH}", whole(MODULE, headers={"Content-Disposition": f'attachment; filename="{name}"'}))
    before = listing(tmp_path)
    pull(upstream.url, PATH)
    assert listing(folder) == [kept] and listing(tmp_path) == before


def test_a_name_that_nobody_can_give(pull, upstream, folder):
    upstream.serve("/acme/.hidden/1", whole(MODULE, headers={"Content-Disposition": 'attachment; filename=".hidden_1.tar.gz"'}))
    assert "-o FILE" in pull(upstream.url, "acme/.hidden/1", status=1).stderr
    assert listing(folder) == []
    pull(upstream.url, "acme/.hidden/1", "-o", "x")
    assert listing(folder) == ["x"]


@pytest.mark.parametrize("location", ["{other}/", "/", "", "//{other}/../", "@{other}/", ":80@{other}/", "?x=", ".{other}/"])
def test_is_led_about_on_the_same_server_only(pull, upstream, make_upstream, folder, location):
    other = make_upstream()
    place = location.format(other=other.url if location.startswith("{") else f"127.0.0.1:{other.port}")
    upstream.serve(f"/{HANDLE}", redirect(f"{place}{PATH}?tf-hub-format=compressed"))
    upstream.serve(f"/{PATH}", whole(MODULE))
    status = int(location not in ("{other}/", "/", ""))
    pull(upstream.url, HANDLE, token="secret", status=status)
    assert other.count() == 0 and upstream.count() == 2 and listing(folder) == ([] if status else [NAME])


def test_is_not_led_in_circles(pull, upstream, folder):
    upstream.serve(f"/{PATH}", redirect(f"/{PATH}?tf-hub-format=compressed"))
    pull(upstream.url, PATH, status=1)
    assert upstream.count() < 10 and listing(folder) == []


@pytest.mark.parametrize("path", ["", "/", "acme/../x/1", "acme/%2e%2e/1", "acme", "a" * 2000, "acme/x/1?nonsense", "acme/x/1?tf-hub-format=a b&\r\n"])
def test_says_what_is_no_module(pull, larder, folder, path):
    pull(larder.url, path, status=1)
    assert listing(folder) == []


# ---- what cannot be had, or kept ------------------------------------------------------------------------------------------

def test_says_what_cannot_be_had(pull, start, larder, upstream, folder):
    mirror = start(upstreams=[upstream.url], name="mirror")
    assert "(not-found)" in pull(mirror.url, PATH, status=1).stderr
    assert "(upstream-unreachable)" in pull(larder.url, "acme/none/1", status=1).stderr
    larder.publish(f"/{PATH}", MODULE)
    larder.request("DELETE", f"/{PATH}", {"Authorization": f"Bearer {larder.token('admin')}"})
    assert "(gone)" in pull(larder.url, PATH, status=1).stderr
    closed = start({"mirror": {"offline": "on"}}, name="closed")
    assert "(offline)" in pull(closed.url, PATH, status=1).stderr
    assert "127.0.0.1:9" in pull("http://127.0.0.1:9", PATH, status=1).stderr
    assert listing(folder) == []


def test_a_server_that_goes_away(pull, upstream, folder):
    body = modules.payload(200_000)

    def leave():
        wait_until(lambda: upstream.sent_bytes >= 100_000, "the first half to be sent")
        upstream.stop()

    upstream.serve(f"/{PATH}", whole(body, gate=threading.Event(), gate_after=100_000))
    leaving = threading.Thread(target=leave)
    leaving.start()
    assert ".part" in pull(upstream.url, PATH, status=1).stderr
    leaving.join()
    assert listing(folder) == [f"{NAME}.part", f"{NAME}.part.tag"]


@pytest.mark.parametrize("arguments", [["-o", "missing/x"], ["-o", "/proc/x"], ["-o", "file/x"], ["-o", "file/"], ["--unpack", "missing/x"]])
def test_says_where_it_cannot_write(pull, larder, folder, arguments):
    (folder / "file").write_bytes(b"")
    larder.publish(f"/{PATH}", MODULE)
    pull(larder.url, PATH, *arguments, status=1)
    assert listing(folder) == ["file"]


def test_a_disk_that_is_full(pull, larder, folder):
    """As far as a process can tell: no file of it may grow beyond a size."""
    larder.publish(f"/{PATH}", MODULE)
    def confine():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    limit = {"preexec_fn": confine, "restore_signals": False}
    for arguments, left in ([], NAME), (["--unpack", "x"], "x"):
        assert ".part" in pull(larder.url, PATH, *arguments, status=1, **limit).stderr
        assert listing(folder) == [f"{left}.part", f"{left}.part.tag"]
        pull(larder.url, PATH, *arguments)
        assert listing(folder) == [left]
        (folder / left).rename(folder.parent / left)
    assert "standard output" in pull(larder.url, PATH, "-o", "-", status=1, preexec_fn=lambda: os.dup2(os.open("/dev/full", os.O_WRONLY), 1)).stderr


# ---- unpacking ------------------------------------------------------------------------------------------------------------

def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def assert_equals_tarfile(body, unpacked):
    theirs = unpacked.parent.parent / "theirs"
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        tar.extractall(theirs)
    assert tree(unpacked) == tree(theirs)
    shutil.rmtree(theirs)


def nested(depth):
    folders = ["/".join(["d"] * level) + "/" for level in range(1, depth + 1)]
    return modules.pack([*modules.members(), *map(modules.Member, folders), modules.Member("d/" * depth + "f", b"deep")])


@pytest.mark.parametrize("make, query", [
    (lambda: MODULE, ""), (modules.tf1_hub_module, ""), (modules.tfjs_module, "?tfjs-format=compressed"), (lambda: nested(60), ""),
    (lambda: modules.pack(modules.members(prefix="./")), ""),
])
@pytest.mark.parametrize("name", ["module", "module//"])
def test_unpacks_as_tarfile_does(pull, larder, folder, make, query, name):
    body = make()
    larder.publish(f"/{PATH}{query}", body)
    pull(larder.url, PATH + query, "--unpack", name)
    assert_equals_tarfile(body, folder / "module")
    assert listing(folder) == ["module"]
    mask = os.umask(0)
    os.umask(mask)
    assert (folder / "module").stat().st_mode & 0o777 == 0o777 & ~mask


def packed_sparsely(folder):
    """By GNU tar, in its three formats one after the other: holes before, between and behind."""
    (folder / "holes").mkdir()
    for at, size in enumerate((1 << 20, (1 << 20) + 1, 70_000)):
        with open(folder / f"holes/{at}", "wb") as out:
            out.truncate(size)
            out.seek(at * 4096 + 40_000)
            out.write(b"data")
    for options in ("--format=gnu",), ("--format=posix", "--sparse-version=0.1"), ("--format=posix", "--sparse-version=1.0"):
        yield subprocess.run(["tar", "-czS", *options, "-C", folder, "holes"], check=True, capture_output=True).stdout


def test_unpacks_holes(pull, upstream, folder, tmp_path):
    for number, body in enumerate(packed_sparsely(tmp_path)):
        upstream.serve(f"/{HANDLE}/{number}", whole(body))
        pull(upstream.url, f"{HANDLE}/{number}", "--unpack", "module")
        assert tree(folder / "module/holes") == tree(tmp_path / "holes")
        shutil.rmtree(folder / "module")


ODD = {
    "twice": [modules.Member("a", b"first"), modules.Member("./a", b"second"), modules.Member("a", b"")],
    "folders twice": [modules.Member("a/"), modules.Member("./a/"), modules.Member("a/b", b"x"), modules.Member("a/")],
    "no folders": [modules.Member("a/b/c", b"x"), modules.Member("a/b/d", b"y")],
    "apart and composed": [modules.Member("e\u0301", b"apart"), modules.Member("\u00e9", b"composed"), modules.Member("\u6f22/\u5b57", b"x")],
    "dots": [modules.Member("..a", b"x"), modules.Member("a..", b"y"), modules.Member("././b/./c", b"z"), modules.Member("b//d", b"")],
    "long": [modules.Member("/".join(["n" * 200] * depth), b"x") for depth in (1, 2)][1:] + [modules.Member("m" * 255, b"")],
    "modes": [modules.Member("a", b"x"), modules.Member("empty", b"")],
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_unpacks_odd_names_as_they_are(pull, upstream, folder, monkeypatch, kind, locale):
    monkeypatch.setenv("LC_ALL", locale)
    body = modules.pack([*modules.members(), *ODD[kind]])
    upstream.serve(f"/{PATH}", whole(body))
    pull(upstream.url, PATH, "--unpack", "module")
    assert_equals_tarfile(body, folder / "module")


@pytest.mark.parametrize("make", [os.mkdir, lambda path: open(path, "w").close(), lambda path: os.symlink("nowhere", path)])
def test_unpacks_into_a_new_folder_only(pull, upstream, folder, make):
    upstream.serve(f"/{PATH}", whole(MODULE))
    make(folder / "module")
    pull(upstream.url, PATH, "--unpack", "module", status=1)
    assert listing(folder) == ["module"] and upstream.count() == 0


def test_does_not_unpack_what_is_no_archive(pull, larder, folder):
    larder.publish(f"/{PATH}?lite-format=tflite", modules.tflite_model())
    assert "--unpack" in pull(larder.url, f"{PATH}?lite-format=tflite", "--unpack", "x", status=1).stderr
    assert listing(folder) == []


EVIL = {
    "up": [modules.Member("../evil", b"x")],
    "up later": [modules.Member("a/"), modules.Member("a/../../evil", b"x")],
    "absolute": [modules.Member("/evil", b"x")],
    "link": [modules.Member("link", type=tarfile.SYMTYPE, link="..")],
    "through a link": [modules.Member("link", type=tarfile.SYMTYPE, link=".."), modules.Member("link/evil", b"x")],
    "hard link": [modules.Member("evil", type=tarfile.LNKTYPE, link="../victim")],
    "device": [modules.Member("null", type=tarfile.CHRTYPE)],
    "pipe": [modules.Member("pipe", type=tarfile.FIFOTYPE)],
    "a file as a folder": [modules.Member("a", b"x"), modules.Member("a/b", b"y")],
    "a folder in the place of a file": [modules.Member("a", b"x"), modules.Member("a/")],
    "up behind a dot": [modules.Member("./../evil", b"x")],
    "a folder up": [modules.Member("../evil/")],
    "absolute folder": [modules.Member("//evil/")],
    "a folder as a file": [modules.Member("a/"), modules.Member("a/b", b"y"), modules.Member("a", b"x")],
}


@pytest.mark.parametrize("kind", EVIL)
def test_nothing_leaves_the_folder(pull, upstream, folder, tmp_path, kind):
    """A server that is not ours, or was taken over: its digests are right."""
    body = modules.pack([*modules.members(), *EVIL[kind]])
    (tmp_path / "victim").write_bytes(b"mine")
    upstream.serve(f"/{PATH}", whole(body))
    pull(upstream.url, PATH, "--unpack", "module", status=1)
    assert "module" not in listing(folder) and not any("part-" in name for name in listing(folder))
    assert listing(tmp_path) == ["here", "victim"] and (tmp_path / "victim").read_bytes() == b"mine"


@pytest.mark.parametrize("spoil", [modules.with_bad_crc, modules.with_bad_length, lambda body: body[:-20], lambda body: body[:100], lambda body: b"no gzip"])
def test_broken_archives_leave_nothing(pull, upstream, folder, spoil):
    upstream.serve(f"/{PATH}", whole(spoil(MODULE)))
    pull(upstream.url, PATH, "--unpack", "module", status=1)
    assert listing(folder) == []
