# SPDX-License-Identifier: Apache-2.0
"""Unmodified kagglehub, of both generations: what it loads. Its uploads are in test_kagglehub_uploads.py."""
import html
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import threading
import urllib.parse

import pytest
from support import modules
from support.daemon import ROOT
from support.kagglehub import KaggleError, New, Old
from support.upstream import Answer

READ_BY_TOKEN = {"auth": {"read": "token"}}
MODEL = {"saved_model.pb": modules.saved_model(), "assets/words.txt": b"one\n", "config.json": b'{"code": 500, "message": "no error"}'}


def packed(files):
    """A module's tar.gz."""
    folders = sorted({path.rsplit("/", 1)[0] for path in files if "/" in path})
    return modules.pack([modules.Member("./")] + [modules.Member(f"./{folder}/") for folder in folders]
                        + [modules.Member(f"./{path}", content) for path, content in files.items()])


def files_of(archive):
    """{path: bytes} of a tar.gz."""
    return New.unpack(archive)


def old(daemon, token=None):
    return Old("http://%s:%d/" % daemon.address, token)


def new(daemon, token=None, **more):
    """KAGGLE_API_ENVIRONMENT=LOCALHOST http_proxy=http://larder"""
    return New("http://localhost/api/v1", token, proxy=daemon.address, **more)


def production(daemon, token=None, **more):
    """As it calls api.kaggle.com, whose name leads here."""
    return New("http://%s:%d/v1" % daemon.address, token, **more)


CLIENTS = [old, new, production]


@pytest.fixture(params=CLIENTS, ids=["old", "new", "production"])
def connect(request):
    return request.param


@pytest.mark.parametrize("path", ["/acme/half/tfJs/js/2", "/acme/half/TFJS/js/2", "/acme/half/tf_js/js/2"])
def test_loads_what_is_published_whichever_the_case(larder, connect, path):
    module = modules.tfjs_module()
    larder.publish(f"{path}?tfjs-format=compressed", module)
    client = connect(larder)
    for handle in ("acme/half/tfJs/js/2", "acme/half/TFjs/js", "acme/half/tfjs/js"):
        assert client.model_download(handle) == files_of(module)
    assert client.model_download("acme/half/tfJs/js/2", "model.json") == {"model.json": files_of(module)["model.json"]}


@pytest.mark.parametrize("settings", [{}, READ_BY_TOKEN], ids=["open", "token"])
def test_loads_files_and_goes_on_with_them(start, connect, settings):
    """With a file that looks like an error, were it told to be JSON."""
    larder = start(settings)
    larder.publish("/acme/m/tensorFlow2/v/1", packed(MODEL))
    client = connect(larder, larder.token("read"))
    assert client.model_download("acme/m/tensorFlow2/v/1") == MODEL
    client.cut_after = 2
    assert client.model_download("acme/m/tensorFlow2/v") == MODEL
    assert client.model_download("acme/m/TENSORFLOW2/v/1", "assets/words.txt") == {"assets/words.txt": b"one\n"}
    for name in ("none.txt", "assets/none.txt"):
        with pytest.raises(KaggleError, match="404"):
            client.model_download("acme/m/tensorFlow2/v/1", name)


def test_leads_with_a_right_of_its_own_where_reading_takes_a_token(start):
    larder = start(READ_BY_TOKEN)
    larder.publish("/acme/m/tensorFlow2/v/1", packed(MODEL))
    bearer = {"Authorization": f"Bearer {larder.token('read')}"}
    answer = larder.request("GET", "/api/v1/models/acme/m/tensorFlow2/v/1/download/config.json", bearer)
    way = answer.header("Location")
    assert answer.status == 302 and way.startswith("/-/t/cap_")
    file = larder.get(way)
    assert file.status == 200 and file.body == MODEL["config.json"] and file.header("Content-Type") == "application/octet-stream"
    assert larder.get(way, range="bytes=2-5").body == MODEL["config.json"][2:6]
    # It is for this file, and for reading it.
    assert larder.get(way.replace("config.json", "saved_model.pb")).status == 401
    assert larder.get(way.replace("/config.json", "")).status == 401
    assert larder.get(way.replace("cap_", "cap_9")).status == 401
    assert larder.request("DELETE", urllib.parse.urlsplit(way).path.replace("/config.json", "")).status == 401
    right = way.split("/")[3]
    shown = [line for line in larder.log().splitlines() if right in line]
    assert not shown, shown
    assert r"/-/t/\u2026/acme/m" in larder.log()
    for path in ("/api/v1/models/acme/m/tensorFlow2/v/get", "/api/v1/models/acme/m/tensorFlow2/v/1/files"):
        refused = larder.get(path)
        assert refused.status == 401 and refused.json()["code"] == 401 and refused.json()["message"]


def test_many_files_come_as_one_archive(larder, connect):
    files = {"saved_model.pb": modules.saved_model(), **{f"assets/{number}.txt": b"%d" % number for number in range(30)}}
    larder.publish("/acme/many/tensorFlow2/v/1", packed(files))
    assert connect(larder).model_download("acme/many/tensorFlow2/v/1") == files


def test_loads_any_archive_and_bare_files(larder, connect):
    files = {"model.safetensors": b"\x02" + 7 * b"\0" + b"{}", "1/2/tokens.txt": b"deep"}
    larder.publish("/acme/llm/pyTorch/v/3?archive-format=compressed", packed_deep(files))
    larder.publish("/acme/lite/tfLite/v/1?lite-format=tflite", modules.tflite_model())
    assert connect(larder).model_download("acme/llm/pytorch/v") == files
    assert connect(larder).model_download("acme/lite/tflite/v") == {"model.tflite": modules.tflite_model()}


MANY = {f"{number}.bin": b"%d" % number for number in range(30)}
# Path, content, and whether all of it is one archive or one file.
LOADED = {"tensorFlow2": ("?tf-hub-format=compressed", packed(MODEL)), "tfJs": ("?tfjs-format=compressed", modules.tfjs_module()),
          "pyTorch": ("?archive-format=compressed", packed({"a.bin": b"a", "b/c.bin": b"c"})), "other": ("?archive-format=compressed", packed(MANY)),
          "tfLite": ("?lite-format=tflite", modules.tflite_model())}


@pytest.mark.parametrize("framework", LOADED)
@pytest.mark.parametrize("one", [False, True], ids=["all", "one file"])
def test_what_is_loaded_counts(larder, connect, framework, one):
    """All of it as one download, a file as a use: what is used least is evicted first."""
    query, body = LOADED[framework]
    for variation in ("v", "w"):
        larder.publish(f"/acme/m/{framework}/{variation}/1{query}", body)
    larder.stop()
    with sqlite3.connect(larder.data / "larder.db") as db:
        db.execute("UPDATE artifacts SET last_used_at = 7")
    db.close()
    larder.start()
    client = connect(larder)
    if one and framework != "tfLite":
        client.model_download(f"acme/m/{framework}/v/1", sorted(files_of(body))[-1])
    else:
        client.model_download(f"acme/m/{framework}/v/1")
    larder.stop()
    with sqlite3.connect(larder.data / "larder.db") as db:
        (used, downloads), other = db.execute("SELECT a.last_used_at, a.downloads FROM artifacts a JOIN versions v ON v.id = a.version_id"
                                              " JOIN modules m ON m.id = v.module_id ORDER BY m.handle").fetchall()
    db.close()
    assert used > 7 and other == (7, 0)
    assert downloads == (0 if one and framework != "tfLite" else 1)


def packed_deep(files):
    return modules.pack([modules.Member("./"), modules.Member("./1/"), modules.Member("./1/2/")]
                        + [modules.Member(f"./{path}", content) for path, content in files.items()])


# ---- mirrored ---------------------------------------------------------------------------------------------------------------

def test_fetches_what_is_not_here(start, upstream, connect):
    module = packed(MODEL)
    upstream.serve("/acme/far/tensorFlow2/v/2", Answer(module))
    upstream.serve("/acme/far/tensorFlow2/v", Answer(status=302, headers={"Location": "/acme/far/tensorFlow2/v/2?tf-hub-format=compressed"}))
    mirror = start(upstreams=[upstream.url])
    assert connect(mirror).model_download("acme/far/tensorflow2/v") == MODEL
    mirror.stop()
    mirror.configure({"mirror": {"offline": "on"}}, [upstream.url])
    mirror.start()
    assert connect(mirror).model_download("acme/far/tensorFlow2/v") == MODEL
    assert connect(mirror).model_download("acme/far/tensorFlow2/v/2", "config.json") == {"config.json": MODEL["config.json"]}
    with pytest.raises(KaggleError, match="offline"):
        connect(mirror).model_download("acme/near/tensorFlow2/v/1")


@pytest.mark.parametrize("call", ["download", "files"])
def test_a_head_fetches_nothing(start, upstream, call):
    upstream.serve("/acme/far/tensorFlow2/v/2", Answer(packed(MODEL)))
    mirror = start(upstreams=[upstream.url])
    path = f"/api/v1/models/acme/far/tensorFlow2/v/2/{call}"
    assert mirror.request("HEAD", path).status == 404
    assert mirror.metric('larder_fills_total{event="started"}') == 0 and not upstream.requests
    assert old(mirror).model_download("acme/far/tensorFlow2/v/2") == MODEL
    head, got = mirror.request("HEAD", path), mirror.get(path)
    assert head.status == got.status and head.headers.get("Location") == got.headers.get("Location")


def test_sends_round_whoever_would_not_wait(start, upstream):
    gate = threading.Event()
    upstream.serve("/acme/slow/tensorFlow2/v/1", Answer(packed(MODEL), before=gate))
    mirror = start(upstreams=[upstream.url])
    files = mirror.get("/api/v1/models/acme/slow/tensorFlow2/v/1/files?page_size=25")
    assert files.status == 302 and files.header("Location") == "/api/v1/models/acme/slow/tensorFlow2/v/1/files?rounds=1"
    gate.set()
    assert old(mirror).model_download("acme/slow/tensorFlow2/v/1") == MODEL


# ---- what is wrong ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("handle", ["acme/none/tensorFlow2/v/1", "acme/none/tensorFlow2/v", "Acme/none/tfJs/v/1"])
def test_tells_what_is_not_there(mirror, connect, handle):
    with pytest.raises(KaggleError, match="400" if handle[0] == "A" else "404.*no upstream here has kind = kaggle"):
        connect(mirror).model_download(handle)


@pytest.mark.parametrize("path", ["/etc", "a/../w.bin", "..", ".", "a//b", "a/", "x" * 12_000, "\u00e9" * 6000, "\n" * 9000, "x" * 490,
                                  "x\0y", 5, [], None], ids=lambda path: repr(path)[:12])
def test_paths_that_no_file_can_have(larder, path):
    larder.publish("/acme/m/tensorFlow2/v/1", packed(MODEL))
    answer = ask_for(larder, path)
    if not isinstance(path, str):
        assert answer.status == 302, "there is none"
        return
    assert answer.status == 400 and answer.json()["code"] == 400 and answer.json()["message"]
    if path != "a/":
        assert larder.get(f"/api/v1/models/acme/m/tensorFlow2/v/1/download/{urllib.parse.quote(path[:1000])}").status == 400


def ask_for(larder, path):
    body = {"ownerSlug": "acme", "modelSlug": "m", "framework": "MODEL_FRAMEWORK_TENSOR_FLOW_2", "instanceSlug": "v", "versionNumber": 1, "path": path}
    return larder.request("POST", "/v1/models.ModelApiService/DownloadModelInstanceVersion", {}, json.dumps(body).encode())


@pytest.mark.parametrize("path", ["", "x" * 489, "\u00e9" * 244, "%/?#" * 122 + "#"], ids=lambda path: repr(path)[:12])
def test_paths_that_a_file_may_have(larder, path):
    """However long their addresses are; an empty one is none."""
    larder.publish("/acme/m/tensorFlow2/v/1", packed(MODEL))
    answer = ask_for(larder, path)
    assert answer.status == 302
    assert larder.get(answer.header("Location")).status == (404 if path else 200)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"ownerSlug": 5}', b'{"ownerSlug": "a/b", "modelSlug": "c"}', b"x" * 70000])
def test_refuses_calls_that_are_none(larder, body):
    for method in ("GetModelInstance", "ListModelInstanceVersionFiles", "DownloadModelInstanceVersion", "GetModel"):
        answer = larder.request("POST", f"/v1/models.ModelApiService/{method}", {"Content-Type": "application/json"}, body)
        assert 400 <= answer.status < 500 and answer.json()["code"] == answer.status and answer.json()["message"]


def test_no_page_of_another_site_may_call(larder):
    answer = larder.request("POST", "/v1/models.ModelApiService/GetModel", {"Origin": "http://evil.example"}, b"{}")
    assert answer.status == 403


def test_stands_for_localhost_for_its_calls_only(larder):
    def ask(target):
        return larder.raw(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())

    for target in ("http://localhost:7777/api/v1/models/acme/m/get", "http://LOCALHOST/acme/m/1/x.txt?archive-format=file"):
        assert b"400" not in ask(target).split(b"\r\n")[0]
    for target in ("http://localhost/", "http://localhost/acme", "http://localhost.evil.example/api/v1/stats", "http://other/api/v1/stats"):
        assert b"400" in ask(target).split(b"\r\n")[0]


# ---- as the documents have it -----------------------------------------------------------------------------------------------------

# What "import kagglehub" gives, by the scripted clients.
STAND_IN = """
import os, pathlib, tempfile
from support.kagglehub import from_environment


def model_upload(handle, local_model_dir):
    root = pathlib.Path(local_model_dir)
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    from_environment(os.environ).model_upload(handle, files)


def model_download(handle, path=None):
    folder = pathlib.Path(tempfile.mkdtemp())
    for name, content in from_environment(os.environ).model_download(handle, path).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    print(folder)
    return str(folder)
"""


@pytest.fixture
def run_as_user(tmp_path):
    """Runs lines of a shell in a folder where kagglehub is installed; what it downloaded, as {path: bytes}."""
    def run(script, **variables):
        (tmp_path / "kagglehub.py").write_text(STAND_IN)
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
                              env={**environment, "PYTHONPATH": f"{tmp_path}:{ROOT / 'tests/http'}", "TMPDIR": str(tmp_path), **variables})
        assert done.returncode == 0, done.stderr
        folder = pathlib.Path(done.stdout.strip())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return run


def written(larder, kind):
    """The blocks of this kind of docs/clients.md, "kagglehub"."""
    text = (ROOT / "docs/clients.md").read_text(encoding="utf-8").split("\n## kagglehub\n")[1].split("\n## ")[0]
    return [block.replace("127.0.0.1:8080", "%s:%d" % larder.address) for block in re.findall(rf"```{kind}\n(.*?)```", text, re.S)]


@pytest.mark.parametrize("number", [0, 1])
def test_the_documents_do_as_they_are_written(larder, run_as_user, tmp_path, number):
    """Line by line, in a checkout."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    python, = written(larder, "python")
    loaded = run_as_user(f"{written(larder, 'bash')[number]}\npython3 - <<'END'\n{python}\nEND\n", TOKEN=larder.token())
    assert loaded == {"saved_model.pb": (ROOT / "examples/half-plus-two/saved_model.pb").read_bytes()}
    assert re.search(r'"acme/half-plus-two/[^"]+"', python)


@pytest.mark.parametrize("generation", ["new", "old"])
def test_the_code_on_a_page_does_as_it_is_written(larder, run_as_user, generation):
    larder.publish("/acme/written/tensorFlow2/v/1", packed(MODEL))
    page = larder.get("/acme/written/tensorFlow2/v/1", accept="text/html").body.decode()
    blocks = [html.unescape(re.sub(r"<[^>]*>", "", block)) for block in re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.S)]
    code, = [block for block in blocks if "kagglehub.model_download" in block]
    if generation == "old":
        lines = [line for line in code.splitlines() if not line.startswith("os.environ[")]
        code = "\n".join(line.removeprefix("# up to 0.3: ") for line in lines)
    assert run_as_user(f"python3 - <<'END'\n{code}\nEND\n") == MODEL
