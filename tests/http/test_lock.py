# SPDX-License-Identifier: Apache-2.0
"""Lock files: larder lock names what is here to the byte, prefetch --from and verify hold another daemon against it."""
import hashlib
import itertools
import json
import os
import random
import resource
import subprocess

import pytest
from support import modules
from support.daemon import REPORTS, binary
from support.waiting import DEADLINE_S

QUERIES = {"tf-hub": "tf-hub-format=compressed", "tfjs": "tfjs-format=compressed", "tflite": "lite-format=tflite",
           "coral": "coral-format=tflite"}
MAKERS = {"tf-hub": lambda seed: modules.module(2000 + seed, seed=seed), "tfjs": lambda seed: modules.tfjs_module(shard_size=400 + 4 * seed),
          "tflite": lambda seed: modules.tflite_model(500 + 4 * seed), "coral": lambda seed: modules.tflite_model(600 + 4 * seed)}


def run(larder, *arguments, status=0, lines=None, cwd=None):
    unset = ("LARDER_SERVER", "LARDER_TOKEN", "http_proxy", "all_proxy")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, input=lines, timeout=DEADLINE_S, cwd=cwd,
                          env={**kept, "LARDER_SERVER": larder.url if larder else "http://127.0.0.1:9"})
    assert not REPORTS.search(done.stderr), done.stderr
    assert done.returncode == status, f"{arguments}: status {done.returncode}: {done.stdout}{done.stderr}"
    return done


def lock(larder, *arguments, **options):
    return run(larder, "lock", *arguments, **options).stdout


def artifact(path, content, form="tf-hub"):
    handle, _, version = path.rpartition("/")
    return {"handle": handle, "version": int(version), "format": form, "digest": "sha256:" + hashlib.sha256(content).hexdigest(),
            "size_bytes": len(content)}


def written(artifacts):
    """The file as documented."""
    ordered = sorted(artifacts, key=lambda one: (one["handle"], one["version"], one["format"]))
    return "".join(['{"larder_lock": 1, "artifacts": [\n', ",\n".join("  " + json.dumps(one) for one in ordered), "\n" if ordered else "",
                    "]}\n"])


def put(larder, path, form, seed=1):
    """Publishes an artifact; what a lock file has of it."""
    content = MAKERS[form](seed)
    larder.publish(f"/{path}?{QUERIES[form]}", content)
    return artifact(path, content, form)


def serve(upstream, path, form, seed=1):
    content = MAKERS[form](seed)
    upstream.serve(f"/{path}", content)
    return artifact(path, content, form)


# ---- larder lock --------------------------------------------------------------------------------------------------------

def test_names_what_is_here_to_the_byte(larder):
    one, two, other = put(larder, "acme/a/1", "tf-hub"), put(larder, "acme/a/2", "tf-hub", 2), put(larder, "acme/b/10", "tf-hub", 3)
    assert lock(larder, "acme/a/1") == written([one])
    assert lock(larder, "acme/a") == lock(larder, "/acme/a/2") == written([two])
    assert lock(larder, "acme/b", "acme/a/2", "acme/a/1") == written([one, two, other])
    assert json.loads(lock(larder, "acme/a/1")) == {"larder_lock": 1, "artifacts": [one]}


@pytest.mark.parametrize("seed", range(3))
def test_the_same_content_gives_the_same_bytes(start, seed):
    """In whatever order it came, was named, and how often."""
    chance = random.Random(seed)
    paths = [f"{publisher}/{name}/{version}" for publisher in ("acme", "b-2") for name in ("m", "M", "m.x", "m_1") for version in (2, 10)]
    printed = set()
    for number in range(2):
        larder = start(name=f"larder{number}")
        chance.shuffle(paths)
        artifacts = [put(larder, path, "tf-hub", len(path)) for path in paths]
        named = [*paths, *chance.choices(paths, k=3), "acme/*", "*/m*"]
        chance.shuffle(named)
        printed.add(lock(larder, *named))
    assert printed == {written(artifacts)}


@pytest.mark.parametrize("form", QUERIES)
def test_one_format_or_all(larder, form):
    here = [put(larder, "acme/a/1", other, number) for number, other in enumerate(QUERIES)]
    assert lock(larder, "acme/a/1") == lock(larder, "acme/a") == lock(larder, "acme/[a]") == written(here)
    only = written([one for one in here if one["format"] == form])
    for path in ("acme/a/1", "acme/a", "a*/?", "acme/*"):
        assert lock(larder, f"{path}?{QUERIES[form]}") == only
    put(larder, "acme/b/1", next(other for other in QUERIES if other != form))
    refused = run(larder, "lock", f"acme/b/1?{QUERIES[form]}", status=1)
    assert refused.stdout == "" and f"acme/b/1 is not here as {form}" in refused.stderr


@pytest.mark.parametrize("glob, matched", {
    "*": {"acme/a", "acme/ab", "acme/deep/er", "other/a"},
    "acme/*": {"acme/a", "acme/ab", "acme/deep/er"},
    "acme/?": {"acme/a"},
    "*/a": {"acme/a", "other/a"},
    "acme/[a-c]?": {"acme/ab"},
    "[!a]*": {"other/a"},
    "acme/ab*,other/*": {"acme/ab", "other/a"},
}.items())
def test_globs_match_as_in_mirror_allow(larder, glob, matched):
    latest = {}
    for handle in ("acme/a", "acme/ab", "acme/deep/er", "other/a"):
        put(larder, f"{handle}/1", "tf-hub", 1)
        latest[handle] = put(larder, f"{handle}/2", "tf-hub", len(handle))
    assert lock(larder, glob) == written([latest[handle] for handle in matched])


def test_globs_over_many_pages(larder):
    content = MAKERS["tf-hub"](1)
    paths = [f"acme/m{number}/1" for number in range(210)]
    for path in paths:
        larder.publish("/" + path, content)
    assert lock(larder, "acme/*") == written([artifact(path, content) for path in paths])


def test_numbers_in_names(larder):
    here = [put(larder, path, "tf-hub", seed) for seed, path in enumerate(("acme/a/1", "acme/a/1/b/2", "acme/a/1/b/10"), 1)]
    assert lock(larder, "acme/a", "acme/a/1/b/2", "acme/a/1/b") == written(here)
    assert json.loads(lock(larder, "*"))["artifacts"] == [here[0], here[2]]
    assert run(larder, "verify", "--lock", "-", lines=written(here)).stdout == "3 as locked, 0 missing, 0 different\n"


REFUSED = {
    "a version": ("acme/a/7", "acme/a/7 is not known"),
    "a module": ("acme/nothing", "No module acme/nothing is known"),
    "a glob": ("acme/x*", 'No module matches "acme/x*"'),
    "a format": ("acme/a/1?tfjs-format=compressed", "acme/a/1 is not here as tfjs"),
    "a glob's format": ("*?lite-format=tflite", "Of the 2 modules that match"),
    "no format": ("acme/a/1?tf-hub-format=uncompressed", "names no format"),
    "withdrawn": ("acme/gone/1", "is withdrawn"),
    "withdrawn altogether": ("acme/gone", "no version that is active"),
    "dots": ("acme/a/../b", "(bad-request)"),
    "dots to another address": ("../stats", "(bad-request)"),
    "odd bytes": ("acme/a b\x1b[2J", "larder: "),
    "odd bytes in a glob": ("acme/\x1b[2J*", "No module matches"),
    "nothing": ("/", "names no module"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_here_is_an_error(larder, kind):
    put(larder, "acme/a/1", "tf-hub")
    put(larder, "acme/b/1", "tf-hub")
    put(larder, "acme/gone/1", "tf-hub")
    token = larder.token("withdraw:*")
    assert larder.request("DELETE", "/acme/gone/1", {"Authorization": f"Bearer {token}"}).status in (200, 204)
    path, words = REFUSED[kind]
    done = run(larder, "lock", "acme/a/1", path, "acme/missing/3", status=1)
    assert done.stdout == "" and words in done.stderr and "acme/missing/3 is not known" in done.stderr
    assert "\x1b" not in done.stderr and "Nothing is written" in done.stderr.splitlines()[-1]


def test_what_is_only_listed(start, tmp_path):
    """A path of such a version is refused; a glob takes what is here, and says that there is more."""
    docs = tmp_path / "docs" / "assets" / "docs" / "acme"
    (docs / "models" / "listed").mkdir(parents=True)
    (docs / "acme.md").write_text("# Publisher acme\nAcme Ltd\n\n## Who\nWe.\n")
    (docs / "models" / "listed" / "1.md").write_text(
        "# Module acme/listed/1\nListed.\n\n<!-- asset-path: legacy -->\n<!-- task: text-embedding -->\n<!-- language: en -->\n"
        "<!-- fine-tunable: false -->\n<!-- format: hub -->\n\n## Overview\nAll.\n")
    larder = start()
    larder.larder("import-docs", str(tmp_path / "docs"))
    refused = run(larder, "lock", "acme/listed/1", status=1)
    assert refused.stdout == "" and "acme/listed/1 is listed" in refused.stderr
    here = put(larder, "acme/here/1", "tf-hub")
    done = run(larder, "lock", "acme/*")
    assert done.stdout == written([here]) and "1 of the 2 modules" in done.stderr


def test_misuse_and_no_server(larder):
    assert "lock takes paths" in run(larder, "lock", status=2).stderr
    assert "--lock FILE names a lock file" in run(larder, "verify", "--lock", "-", "acme/a/1", status=2).stderr
    done = run(None, "lock", "acme/a/1", "acme/b/1", status=1)
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert "not-there" in run(larder, "verify", "--lock", "not-there", status=1).stderr


# ---- there and back ---------------------------------------------------------------------------------------------------

@pytest.mark.concurrent
def test_round_trip(upstream, start, tmp_path):
    """Locked on one daemon, fetched by another, and verified there."""
    queries = {"google/m/1": "tf-hub", "google/m/2": "tf-hub", "google/js/1": "tfjs", "google/lite/3": "tflite", "google/tpu/1": "coral"}
    artifacts = [serve(upstream, path, form, seed) for seed, (path, form) in enumerate(queries.items(), 1)]
    first, second = start(upstreams=[upstream.url], name="first"), start(upstreams=[upstream.url], name="second")
    run(first, "prefetch", *(f"{path}?{QUERIES[form]}" for path, form in queries.items()))
    text = lock(first, *queries)
    assert text == written(artifacts)
    (tmp_path / "models.lock").write_text(text)
    before = run(second, "verify", "--lock", "models.lock", cwd=tmp_path, status=1)
    assert before.stdout == "0 as locked, 5 missing, 0 different\n" and before.stderr.count("is not known there") == 5
    done = run(second, "prefetch", "--from", "models.lock", cwd=tmp_path)
    assert done.stdout.endswith("5 fetched, 0 already here, 0 failed, 0 not as locked\n")
    assert run(second, "verify", "--lock", "models.lock", cwd=tmp_path).stdout == "5 as locked, 0 missing, 0 different\n"
    assert lock(second, *queries) == text
    again = json.loads(run(second, "prefetch", "--json", "--from", "-", lines="\n \t" + text).stdout)
    assert again["already_here"] == 5 and again["differences"] == []


def damaged(kind, one, chance):
    """The artifact otherwise than it is."""
    if kind == "size":
        return {**one, "size_bytes": one["size_bytes"] + chance.choice((-1, 1, 1 << 40))}
    at = len("sha256:") + chance.randrange(64)
    digit = chance.choice([digit for digit in "0123456789abcdef" if digit != one["digest"][at]])
    changed = {**one, "digest": one["digest"][:at] + digit + one["digest"][at + 1:]}
    return changed if kind == "digest" else damaged("size", changed, chance)


@pytest.mark.parametrize("kind, seed", itertools.product(["digest", "size", "both"], range(3)))
def test_other_bytes_are_named(upstream, mirror, kind, seed):
    chance = random.Random(seed)
    artifacts = [serve(upstream, f"google/m{number}/1", "tf-hub", number + 1) for number in range(4)]
    wrong = chance.sample(range(4), seed + 1)
    text = written([damaged(kind, one, chance) if number in wrong else one for number, one in enumerate(artifacts)])
    done = run(mirror, "prefetch", "--from", "-", lines=text, status=1)
    assert done.stdout.endswith(f"4 fetched, 0 already here, 0 failed, {len(wrong)} not as locked\n")
    verified = run(mirror, "verify", "--lock", "-", "--json", lines=text, status=1)
    for lines in (done.stderr.splitlines(), verified.stderr.splitlines()):
        assert len(lines) == len(wrong)
        for number in wrong:
            [line] = [line for line in lines if line.startswith(f"larder: google/m{number}/1?tf-hub-format=compressed: is different")]
            assert artifacts[number]["digest"] in line and f"{artifacts[number]['size_bytes']} bytes" in line
    report = json.loads(verified.stdout)
    assert (report["same"], report["missing"], report["different"]) == (4 - len(wrong), 0, len(wrong))
    for number, one in enumerate(report["artifacts"]):
        assert one["state"] == ("different" if number in wrong else "same")
        assert one.get("found_digest") == (artifacts[number]["digest"] if number in wrong else None)
    again = json.loads(run(mirror, "prefetch", "--json", "--from", "-", lines=text, status=1).stdout)
    assert [one["path"] for one in again["differences"]] == [f"google/m{number}/1?tf-hub-format=compressed" for number in sorted(wrong)]
    assert [one["state"] for one in again["paths"]] == ["not-as-locked" if number in wrong else "already-here" for number in range(4)]


def test_fetches_only_what_may_be_as_locked(upstream, start):
    """What is known there with other bytes, or withdrawn, is not asked for, though its bytes are not here."""
    larder = start(upstreams=[upstream.url])
    gone = put(larder, "acme/gone/1", "tf-hub")
    evicted = [serve(upstream, f"google/evicted{number}/1", "tf-hub", number + 1) for number in range(3)]
    run(larder, "prefetch", *(f"google/evicted{number}/1" for number in range(3)))
    assert larder.request("DELETE", "/acme/gone/1", {"Authorization": f"Bearer {larder.token('withdraw:*')}"}).status in (200, 204)
    larder.stop()
    larder.configure({"storage": {"max_bytes": "1"}}, [upstream.url])
    larder.larder("gc", "--config", str(larder.config_path))
    larder.configure({}, [upstream.url])
    larder.start()
    asked = upstream.count()
    text = written([damaged("digest", evicted[0], random.Random(1)), evicted[1], damaged("size", evicted[2], random.Random(2)), gone])
    done = run(larder, "prefetch", "--json", "--from", "-", lines=text, status=1)
    states = {one["path"].partition("?")[0]: one["state"] for one in json.loads(done.stdout)["paths"]}
    assert states == {"google/evicted0/1": "not-as-locked", "google/evicted1/1": "kept", "google/evicted2/1": "not-as-locked", "acme/gone/1": "not-as-locked"}
    assert upstream.count() == asked + 1 and len(done.stderr.splitlines()) == 3


def test_what_cannot_be_had_is_named_once(upstream, mirror):
    here = serve(upstream, "google/a/1", "tf-hub")
    text = written([here, artifact("google/missing/1", b"x")])
    done = run(mirror, "prefetch", "--from", "-", "google/other/1", lines=text, status=1)
    assert sorted(line.split(": ")[1] for line in done.stderr.splitlines()) == ["google/missing/1?tf-hub-format=compressed", "google/other/1"]
    assert done.stdout.endswith("1 fetched, 0 already here, 2 failed, 0 not as locked\n")


def test_what_is_missing_is_told_apart(upstream, start):
    """Not known, not as this format, known but evicted, withdrawn."""
    larder = start(upstreams=[upstream.url])
    evicted, gone, kept = serve(upstream, "google/evicted/1", "tf-hub"), put(larder, "acme/gone/1", "tf-hub"), put(larder, "acme/a/1", "tf-hub", 2)
    run(larder, "prefetch", "google/evicted/1")
    assert larder.request("DELETE", "/acme/gone/1", {"Authorization": f"Bearer {larder.token('withdraw:*')}"}).status in (200, 204)
    larder.stop()
    larder.configure({"storage": {"max_bytes": "1"}}, [upstream.url])
    larder.larder("gc", "--config", str(larder.config_path))
    larder.configure({}, [upstream.url])
    larder.start()
    expected = {"google/evicted/1": "not-cached", "acme/gone/1": "withdrawn", "acme/a/1": "same", "acme/never/1": "not-known",
                "acme/a/2": "not-known"}
    wanted = [evicted, gone, kept, artifact("acme/never/1", b"x"), artifact("acme/a/2", b"x"), artifact("acme/a/1", b"x", "tflite")]
    done = run(larder, "verify", "--json", "--lock", "-", lines=written(wanted), status=1)
    report = json.loads(done.stdout)
    states = {one["path"]: one["state"] for one in report["artifacts"]}
    assert states.pop("acme/a/1?lite-format=tflite") == "not-known"
    assert {path.partition("?")[0]: state for path, state in states.items()} == expected
    assert (report["same"], report["missing"], report["different"]) == (1, 5, 0)
    assert len(done.stderr.splitlines()) == 5 and "its bytes are not" in done.stderr and "was withdrawn there" in done.stderr
    # What is recorded can be locked, and comes back to the byte.
    text = lock(larder, "google/evicted")
    assert text == written([evicted])
    assert "1 fetched" in run(larder, "prefetch", "--from", "-", lines=text).stdout
    assert "1 as locked" in run(larder, "verify", "--lock", "-", lines=text).stdout


def test_lists_of_paths_are_no_lock_files(upstream, mirror):
    serve(upstream, "google/a/1", "tf-hub")
    assert run(mirror, "prefetch", "--from", "-", lines="\n  google/a/1\n").stdout.endswith("1 fetched, 0 already here, 0 failed\n")


# ---- hostile files ------------------------------------------------------------------------------------------------------

GOOD = artifact("acme/a/1", b"content")


def with_member(name, value):
    return json.dumps({"larder_lock": 1, "artifacts": [GOOD, {**artifact("acme/b/1", b"x"), name: value}]})


def without(name):
    return json.dumps({"larder_lock": 1, "artifacts": [{key: value for key, value in GOOD.items() if key != name}]})


OF_OTHER_TYPES = (None, True, [], {}, 1.5, -1, 1e300)
WRONG_MEMBERS = {
    "handle": [*OF_OTHER_TYPES, 1, "", "acme", "/acme/a", "acme/a/", "acme//a", "../a/b", "acme/a\0b", "acme/\x1b[2J", "acme/é", "a/" + "b" * 2000],
    "version": [*OF_OTHER_TYPES, 0, "1", -(1 << 63), 1.0],
    "format": [*OF_OTHER_TYPES, 1, "", "TF-HUB", "tf-hub\0", "saved-model", "tfjs "],
    "digest": [*OF_OTHER_TYPES, 1, "", "0" * 64, "sha256:", "sha256:" + "0" * 63, "sha256:" + "0" * 65, "sha256:" + "g" * 64, "md5:" + "0" * 32,
               "sha256:sha256:" + "0" * 64],
    "size_bytes": [*(value for value in OF_OTHER_TYPES), "1", -(1 << 63)],
}
BROKEN = {
    "nothing in it": ("{", "no JSON"),
    "cut off": (written([GOOD])[:-5], "no JSON"),
    "something behind": (written([GOOD]) + "x", "no JSON"),
    "merge marks": (written([GOOD]).replace("\n  {", "\n<<<<<<< HEAD\n  {"), "no JSON: line 2"),
    "not UTF-8": (None, "no JSON"),
    "too great a number": ('{"larder_lock": 99999999999999999999, "artifacts": []}', "no JSON"),
    "a member twice": ('{"larder_lock": 1, "larder_lock": 1, "artifacts": []}', "no JSON"),
    "an artifact's member twice": (written([GOOD]).replace('"version": 1', '"version": 1, "version": 1'), "no JSON"),
    "deep": ('{"larder_lock":' * 100_000, "no JSON"),
    "deep arrays": ('{"artifacts":' + "[" * 200_000, "no JSON"),
    "an object of another kind": ("{}", "no lock file"),
    "the API's JSON": ('{"modules": [], "total": 0}', "no lock file"),
    "a version of text": ('{"larder_lock": "1", "artifacts": []}', "no lock file"),
    "a later version": ('{"larder_lock": 2, "things": []}', "version 2, and this Larder reads version 1"),
    "version 0": ('{"larder_lock": 0, "artifacts": []}', "version 0"),
    "no artifacts": ('{"larder_lock": 1}', "it needs"),
    "artifacts of another type": ('{"larder_lock": 1, "artifacts": {}}', "it needs"),
    "more members": ('{"larder_lock": 1, "artifacts": [], "signature": ""}', "nothing else"),
    "no object in it": ('{"larder_lock": 1, "artifacts": [1]}', "artifact 1: it must be an object"),
    "an artifact twice": (written([GOOD, {**GOOD, "size_bytes": 8}]), "acme/a/1 (tf-hub) is there twice"),
    "more members of an artifact": (with_member("md5", ""), "artifact 2: it has other members"),
    "many artifacts": ('{"larder_lock": 1, "artifacts": [' + "{}," * 700_000 + "{}]}", "more than the 100000 artifacts"),
    "many numbers": ('{"larder_lock": 1, "artifacts": [' + "0," * 8_000_000 + "0]}", "more than the 100000 artifacts"),
    "huge text": ('{"larder_lock": 1, "artifacts": ["' + "x" * (33 << 20) + '"]}', "more than the 32 MiB"),
    "huge nothing": ("{" + " " * (33 << 20) + "}", "more than the 32 MiB"),
}
BROKEN |= {f"{name}: {str(value)[:30]!r}": (with_member(name, value), "artifact 2: " if "\0" not in str(value) else "no JSON") for name, values in WRONG_MEMBERS.items()
           for value in values}
BROKEN |= {f"without {name}": (without(name), f'artifact 1: its "{name}" must be') for name in GOOD}


def run_on_bytes(*arguments, content, server="http://127.0.0.1:9"):
    limit = (lambda: resource.setrlimit(resource.RLIMIT_CPU, (60, 60)))
    done = subprocess.run([binary(), *arguments, "--server", server], capture_output=True, input=content, timeout=DEADLINE_S, preexec_fn=limit)
    stderr = done.stderr.decode()
    assert not REPORTS.search(stderr), stderr
    return done.returncode, done.stdout, stderr


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_lock_file_is_refused(kind):
    """Before anything is asked of a server: there is none."""
    text, words = BROKEN[kind]
    content = b'{"larder_lock": 1, "artifacts": ["\xff\xfe"]}' if text is None else text.encode()
    for command in (("verify", "--lock", "-"), ("prefetch", "--from", "-")):
        status, stdout, stderr = run_on_bytes(*command, content=content)
        assert status == 1 and stdout == b"" and len(stderr.splitlines()) == 1, stderr
        assert stderr.startswith("larder: -: ") and words in stderr and "\x1b" not in stderr and len(stderr) < 600


@pytest.mark.parametrize("seed", range(3))
def test_mangled_files_never_pass_for_others(larder, seed):
    """A file with bytes changed is refused, or says what it says: never more than what it names is asked."""
    chance = random.Random(seed)
    whole = written([put(larder, f"acme/m{number}/1", "tf-hub", number + 1) for number in range(3)]).encode()
    for _ in range(8):
        mangled = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(mangled))
            if chance.random() < 0.5:
                mangled[at] = chance.randrange(256)
            else:
                del mangled[at]
        status, stdout, stderr = run_on_bytes("verify", "--lock", "-", content=bytes(mangled), server=larder.url)
        try:
            said = json.loads(mangled.decode())
        except ValueError:
            said = None
        try:
            same = said is not None and written(said["artifacts"]).lower() == whole.decode().lower() and said["larder_lock"] == 1
        except (KeyError, TypeError):
            same = False
        assert status == (0 if same else 1), (bytes(mangled), stdout, stderr)
        assert same or stderr


def test_reformatted_and_doubled_lines_are_the_same(larder):
    """As editors and merges leave them."""
    here = [put(larder, f"acme/m{number}/1", "tf-hub", number + 1) for number in range(3)]
    for artifacts in (here[::-1], [*here, here[0]], here):
        for indent in (None, 4):
            text = json.dumps({"artifacts": artifacts, "larder_lock": 1}, indent=indent)
            assert run(larder, "verify", "--lock", "-", lines=text).stdout == "3 as locked, 0 missing, 0 different\n"
    assert run(larder, "verify", "--lock", "-", lines=written([])).stdout == "0 as locked, 0 missing, 0 different\n"


def test_as_many_as_there_may_be(tmp_path):
    """A whole lock file is read, and costs what it has."""
    many = [artifact(f"acme/m{number}/1", b"") for number in range(100_000)]
    (tmp_path / "models.lock").write_text(written(many))
    done = run(None, "verify", "--lock", "models.lock", status=1, cwd=tmp_path)
    assert done.stdout == "" and "127.0.0.1:9" in done.stderr
