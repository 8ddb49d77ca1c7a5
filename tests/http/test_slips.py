# SPDX-License-Identifier: Apache-2.0
"""What people get wrong when they publish: each refusal says what is wrong, and the way that it names works."""
import random
import re
import string
import subprocess

import pytest
from support import modules
from support.daemon import assert_problem, binary
from support.waiting import DEADLINE_S

MODULE = modules.module(3000)
LITE = modules.tflite_model()


@pytest.fixture(scope="module")
def larder(start_shared):
    return start_shared()


def no_versions(seed=7):
    """Last segments that are none: words, numbers that are written otherwise, and what is made of both."""
    chance = random.Random(seed)
    yield from ("v1", "1.0", "01", "0", "latest", "-1", "1-rc2", "1_0", "0x1", "1e3", "00001")
    for _ in range(12):
        yield "".join(chance.choices(string.ascii_letters, k=3)) + str(chance.randint(0, 99)) + chance.choice("abc_-")
        yield "0" + str(chance.randint(1, 10 ** 6))


@pytest.mark.parametrize("segment", no_versions())
def test_what_is_no_version(larder, segment):
    for path in (f"/acme/a/{segment}", f"/acme/a/b/{segment}?lite-format=tflite"):
        detail = assert_problem(larder.put(path, MODULE), 400, "bad-request")["detail"]
        assert re.search(r"from 1\b.*without leading zeros", detail) and "curl" not in detail, detail
        assert segment == "0" or f'"{segment}"' in detail, detail
    gone = larder.request("DELETE", f"/acme/a/{segment}", {"Authorization": f"Bearer {larder.token('admin')}"})
    detail = assert_problem(gone, 400, "bad-request")["detail"]
    assert segment == "0" or ("Withdraw /" in detail and "Publish" not in detail)
    assert "without leading zeros" in detail, detail
    # As the command has it.
    done = publish(larder, "nothing-is-read", f"{larder.url}/acme/a/{segment}")
    assert done.returncode == 1 and "without leading zeros" in done.stderr, done.stderr


def publish(larder, source, url, *more, token=True, cwd=None):
    arguments = [binary(), "publish", str(source), url, *more]
    return subprocess.run(arguments + (["--token", larder.token()] if token else []), capture_output=True, text=True, timeout=DEADLINE_S,
                          cwd=cwd, env={"PATH": "/usr/bin:/bin"})


def curl(larder, *arguments):
    done = subprocess.run(["curl", "-s", "-w", "\n%{http_code}", "-H", f"Authorization: Bearer {larder.token()}", "--noproxy", "*",
                           *map(str, arguments)], capture_output=True, text=True, timeout=DEADLINE_S)
    text, status = done.stdout.rsplit("\n", 1)
    return int(status), text


@pytest.mark.parametrize("name", ["ok.tgz", "model.tflite", "half-plus-two.tar.gz", "saved_model.pb", "v1.tar.gz", "a.b.c"])
@pytest.mark.parametrize("folder", ["/", "/acme/", "/acme/a/", "/acme/a/b/"])
def test_curl_adds_a_name_where_no_version_is(alone, tmp_path, name, folder):
    (tmp_path / name).write_bytes(MODULE)
    status, text = curl(alone, "-T", tmp_path / name, alone.url + folder)
    assert status == 400 and name in text and "curl -T adds the file's name" in text, text
    assert curl(alone, "-T", tmp_path / name, f"{alone.url}/acme/a/1")[0] == 201


@pytest.mark.parametrize("name, version, query", [("2.tar.gz", 2, ""), ("30.tgz", 30, ""), ("4.tflite", 4, "?lite-format=tflite"), ("5.tflite", 5, "")])
def test_curl_adds_the_name_of_a_version(larder, tmp_path, name, version, query):
    """Behind a module's address this is a version's, and can be nothing else; behind a version's it could be two."""
    content = LITE if name.endswith(".tflite") else MODULE
    (tmp_path / name).write_bytes(content)
    status, text = curl(larder, "-T", tmp_path / name, f"{larder.url}/acme/b/")
    assert status == 201 and f'"version":{version},' in text, text
    assert larder.get(f"/acme/b/{name}").body == content
    assert larder.get(f"/acme/b/{version}" + ("?lite-format=tflite" if content is LITE else "?tf-hub-format=compressed")).body == content
    status, text = curl(larder, "-T", tmp_path / name, f"{larder.url}/acme/b/9/")
    assert status == 400 and "name the version without" in text, text


@pytest.mark.parametrize("query, format", [("", "tflite"), ("?lite-format=tflite", "tflite"), ("?coral-format=tflite", "coral"),
                                           ("?tf-hub-format=compressed", "tflite"), ("?tfjs-format=compressed", "tflite")])
def test_a_bare_file_by_its_suffix(alone, query, format):
    alone.publish("/acme/lite/1.tflite" + query, LITE)
    artifact, = alone.get("/api/v1/modules/acme/lite/1").json()["artifacts"]
    assert artifact["format"] == format
    assert alone.get("/acme/lite/1.tflite" + query).body == LITE
    assert alone.head("/acme/lite/1.tflite" + query).status == 200


@pytest.mark.parametrize("value", ["bytes 0-99/100", "bytes 0-2999/3000", "bytes */100", "x"])
def test_a_part_is_not_taken_for_the_whole(larder, value):
    detail = assert_problem(larder.put("/acme/a/1", MODULE, content_range=value), 400, "bad-request")["detail"]
    assert "Content-Range" in detail and "all of it" in detail
    larder.publish("/acme/a/1", MODULE)
    assert_problem(larder.put("/acme/a/1", b"# Text", content_type="text/markdown", content_range=value), 400, "bad-request")
    assert larder.get("/api/v1/documentation/acme/a/1").status == 404


@pytest.mark.parametrize("content, query", [(modules.module(3000, seed=3), ""), (modules.tfjs_module(), "?tfjs-format=compressed"),
                                            (modules.tflite_model(70_000), "?lite-format=tflite")], ids=["tf-hub", "tfjs", "tflite"])
def test_what_curl_leaves_out(alone, tmp_path, content, query):
    (tmp_path / "file").write_bytes(content)
    url = f"{alone.url}/acme/a/1{query}"
    status, text = curl(alone, "-X", "PUT", "--data", f"@{tmp_path / 'file'}", url)
    assert status == 422 and "--data-binary" in text, text
    assert curl(alone, "-X", "PUT", "--data-binary", f"@{tmp_path / 'file'}", url)[0] == 201
    # Nor does it speak of curl where another sends it.
    broken = alone.put("/acme/a/2" + query, content[:len(content) // 2], content_type="application/gzip")
    assert broken.status == 422 and b"--data-binary" not in broken.body, broken


@pytest.mark.parametrize("name", ["acme/a/1", "acme/a/1/", "acme/a/1//"])
def test_slashes_behind_a_version(larder, tmp_path, name):
    (tmp_path / "x.tgz").write_bytes(MODULE)
    done = publish(larder, "x.tgz", f"{larder.url}/{name}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert larder.get("/acme/a/1.tgz").body == MODULE


@pytest.mark.parametrize("name", ["", "/", "acme", "acme/", "acme/a", "acme/a/"])
def test_urls_without_a_version(larder, tmp_path, name):
    (tmp_path / "x.tgz").write_bytes(MODULE)
    done = publish(larder, "x.tgz", f"{larder.url}/{name}", cwd=tmp_path)
    assert done.returncode == 1 and re.search(r"version|publisher", done.stderr), done.stderr


def test_a_command_without_a_token(larder, tmp_path):
    (tmp_path / "x.tgz").write_bytes(MODULE)
    done = publish(larder, "x.tgz", f"{larder.url}/acme/a/1", token=False, cwd=tmp_path)
    assert done.returncode == 1 and "--token" in done.stderr and "$LARDER_TOKEN" in done.stderr, done.stderr


def unpack(folder, archive):
    folder.mkdir(exist_ok=True)
    subprocess.run(["tar", "-xzf", "-", "-C", folder], input=archive, check=True)
    return folder


@pytest.mark.parametrize("saved_model", ["saved_model.pb", "saved_model.pbtxt"])
def test_a_folder_of_two_models(alone, tmp_path, saved_model):
    folder = unpack(unpack(tmp_path / "both", modules.module(100)), modules.tfjs_module())
    if saved_model != "saved_model.pb":
        (folder / saved_model).write_text((folder / "saved_model.pb").unlink() or "saved_model_schema_version: 1 meta_graphs { meta_info_def { tags: 'serve' } }")
    first = publish(alone, folder, f"{alone.url}/acme/both/1")
    assert "goes as tf-hub" in first.stderr, first.stderr
    chosen = re.search(r"--format (\S+)", first.stderr)[1]
    second = publish(alone, folder, f"{alone.url}/acme/both/1", "--format", chosen)
    assert second.returncode == 0 and "goes as" not in second.stderr, second.stderr
    assert "tfjs" in [artifact["format"] for artifact in alone.get("/api/v1/modules/acme/both/1").json()["artifacts"]]
    packed = subprocess.run([binary(), "pack", folder, "-o", tmp_path / "x.tgz"], capture_output=True, text=True, timeout=DEADLINE_S)
    assert "goes as tf-hub" in packed.stderr


@pytest.mark.parametrize("maker", [modules.module, modules.tfjs_module])
def test_a_folder_of_one_model(larder, tmp_path, maker):
    folder = unpack(tmp_path / "one", maker())
    assert "goes as" not in publish(larder, folder, f"{larder.url}/acme/one/1").stderr


def test_lists_that_find_nothing(alone):
    def found(*arguments):
        return subprocess.run([binary(), "list", "--server", alone.url, *arguments], capture_output=True, text=True, timeout=DEADLINE_S)
    assert "no module yet" in found().stderr
    alone.publish("/acme/a/1", MODULE)
    for query in (["zzz"], ["--license", "mit"], ["a", "--op", "Nothing"]):
        done = found(*query)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "no module matches\n"), done
    assert found().stderr == "" and found("zzz", "--json").stderr == ""
