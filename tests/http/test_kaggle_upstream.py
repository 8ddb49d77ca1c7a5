# SPDX-License-Identifier: Apache-2.0
"""Kaggle as an upstream: what maps to what, addresses that expire, refusals, and what is told of them."""
import gzip
import base64
import io
import json
import subprocess
import tarfile
import zipfile

import pytest
from support import modules
from support.daemon import assert_problem, binary
from support.kaggle import Kaggle, Version, problem, told
from support.upstream import Answer, html

HANDLE = "google/nnlm/tensorFlow2/en-dim50"
HUB, ARCHIVE = "?tf-hub-format=compressed", "?archive-format=compressed"
MODULE = modules.module(300_000)
KEY = "s3cret-k3y"


@pytest.fixture
def kaggle():
    kaggle = Kaggle()
    yield kaggle
    kaggle.stop()


@pytest.fixture
def mirror(kaggle, start, tmp_path):
    (tmp_path / "kaggle.json").write_text(json.dumps({"username": "me", "key": KEY}))

    def start_mirror(**settings):
        return start({"mirror": {"private_upstreams": "on", **settings},
                      "upstream kaggle": {"kind": "kaggle", "url": kaggle.url, "credentials_file": tmp_path / "kaggle.json"}})
    return start_mirror


def assert_nothing_secret(larder, path=f"/{HANDLE}/1"):
    shown = [larder.log(), larder.get("/metrics").body.decode(), larder.get(f"/api/v1/explain?url={path}").body.decode()]
    for text in shown:
        assert "s1gned" not in text and KEY not in text and "X-Goog-Signature" not in text
    for file in larder.data.rglob("*"):
        assert not file.is_file() or b"s1gned" not in file.read_bytes(), file


BODIES = {
    "tf1": modules.tf1_hub_module(),
    "tf2": MODULE,
    "tfjs": modules.tfjs_module(),
    "files": modules.pack([modules.Member("./"), modules.Member("./config.json", b"{}")]),
}


@pytest.mark.parametrize("framework, suffix, body", [
    ("tensorFlow1", HUB, "tf1"),
    ("tensorFlow2", HUB, "tf2"),
    ("tensorflow2", HUB, "tf2"),
    ("tensor_flow_2", HUB, "tf2"),
    ("tensorFlow2", ARCHIVE, "tf2"),
    ("tfJs", "?tfjs-format=compressed", "tfjs"),
    ("keras", ARCHIVE, "files"),
    ("gemmaCpp", ARCHIVE, "files"),
])
def test_what_maps_to_what(kaggle, mirror, framework, suffix, body):
    body = BODIES[body]
    spelled = {"tensorflow2": "tensorFlow2", "tensor_flow_2": "tensorFlow2"}.get(framework, framework)
    kaggle.publish(f"google/nnlm/{spelled}/en-dim50", 1, Version(body))
    larder = mirror()
    reply = larder.get(f"/google/nnlm/{framework}/en-dim50/1{suffix}")
    assert reply.status == 200 and reply.body == body
    assert kaggle.api.requests[0].headers["authorization"] == "Basic " + base64.b64encode(f"me:{KEY}".encode()).decode()
    assert "authorization" not in kaggle.bucket.requests[0].headers
    asked = kaggle.api.count()
    assert larder.get(f"/google/nnlm/{framework}/en-dim50/1{suffix}").body == body and kaggle.api.count() == asked
    assert larder.handles() == [f"google/nnlm/{spelled}/en-dim50"]
    assert_nothing_secret(larder)


WORDY = "google/nnlm/frameworks/tensorFlow2/variations/en-dim50"


@pytest.mark.parametrize("path", [f"{host}/models/{page}" for host in ("", "/https://www.kaggle.com", "/https://kaggle.com")
                                  for page in (HANDLE + "/1", WORDY + "/versions/1")])
def test_page_form(kaggle, mirror, path):
    kaggle.publish(HANDLE, 1, Version(MODULE))
    larder = mirror()
    for query in (HUB, "?tfhub-redirect=true&" + HUB[1:]):
        assert larder.get(path + query).body == MODULE
    assert larder.get(path + "/saved_model.pb?tf-hub-format=file").status == 200


@pytest.mark.parametrize("path", ["models/acme/frameworks/1", "models/acme/x/frameworks/pets/variations/y", "models/acme/x/frameworks"])
def test_a_handle_of_ones_own_that_looks_like_a_page(larder, path):
    larder.publish(f"/{path}/1", MODULE)
    assert larder.get(f"/{path}/1{HUB}").body == MODULE and larder.handles() == [path]


@pytest.mark.parametrize("page", [HANDLE, WORDY])
@pytest.mark.parametrize("prefix", ["/models/", "/https://www.kaggle.com/models/", "/https://kaggle.com/models/"])
def test_page_form_without_a_version(kaggle, mirror, prefix, page):
    kaggle.publish(HANDLE, 3, Version(MODULE))
    larder = mirror()
    reply = larder.get(prefix + page + HUB)
    assert reply.status == 302 and reply.header("Location").endswith(f"/{HANDLE}/3{HUB}"), reply
    assert larder.get(reply.header("Location").removeprefix(larder.url)).body == MODULE


@pytest.mark.parametrize("framework, query", [("tfLite", "?lite-format=tflite"), ("coral", "?coral-format=tflite")])
def test_single_file_of_a_tflite_archive(kaggle, mirror, framework, query):
    model = modules.tflite_model()
    handle = f"google/movenet/{framework}/thunder"
    kaggle.publish(handle, 2, Version(modules.pack([modules.Member("./"), modules.Member("./3.tflite", model)]), {"3.tflite": model}))
    larder = mirror()
    assert larder.get(f"/{handle}/2{query}").body == model
    assert [seen.path.rsplit("/2/", 1)[1] for seen in kaggle.api.requests] == ["files", "download/3.tflite"]


@pytest.mark.parametrize("files", [["a.tflite", "b.tflite"], ["readme.md"], ["a.tflite"] + [f"{number}.txt" for number in range(25)]])
def test_no_single_tflite_file(kaggle, mirror, files):
    kaggle.publish("google/movenet/tfLite/all", 1, Version(b"", {name: b"x" for name in files}))
    assert_problem(mirror().get("/google/movenet/tfLite/all/1?lite-format=tflite"), 404, "not-found")
    assert kaggle.bucket.count() == 0


def test_other_names_are_not_asked_for(kaggle, mirror):
    larder = mirror()
    for path in ("google/nnlm-en-dim50/2", "google/nnlm/tensorFlow2/1", "google/nnlm/pets/en/1", "a/google/nnlm/tensorFlow2/en/1"):
        assert_problem(larder.get(f"/{path}{HUB}"), 404, "not-found")
    assert_problem(larder.get("/google/x/pyTorch/y/1" + HUB), 404, "not-found")
    assert kaggle.api.count() == 0


def test_latest_version(kaggle, mirror):
    kaggle.publish(HANDLE, 3, Version(MODULE))
    larder = mirror()
    reply = larder.get(f"/{HANDLE}{HUB}")
    assert reply.status == 302 and reply.header("Location").endswith(f"/{HANDLE}/3{HUB}")
    assert larder.get(f"/{HANDLE}{HUB}").status == 302
    assert [seen.path.rsplit("/", 1)[1] for seen in kaggle.api.requests] == ["get"]


NOT_THE_API = {
    "deep": b"[" * 5000,
    "many": b"[" + b"1," * 5000 + b"1]",
    "without": b"{}",
    "not json": b"<x/>",
    "cut": Answer(b'{"files": [], "versionNumber": 3}', 200, "application/json", cut_after=10),
    "half": b'{"files": [], "versionNumber": 3',
    "page": html(),
}


@pytest.mark.parametrize("answer", [*NOT_THE_API.values(), b'{"versionNumber": "x"}', b'{"versionNumber": 3}' + b" " * (1 << 20)],
                         ids=[*NOT_THE_API, "no number", "long"])
def test_latest_version_that_is_not_told(kaggle, mirror, answer):
    """A failure, and of this moment: asked again."""
    kaggle.publish(HANDLE, 3, Version(MODULE))
    answers = kaggle.api.scripts[f"/api/v1/models/{HANDLE}/get"]
    kaggle.api.serve(f"/api/v1/models/{HANDLE}/get", answer)
    larder = mirror()
    assert_problem(larder.get(f"/{HANDLE}{HUB}"), 502, "upstream-failed")
    kaggle.api.serve(f"/api/v1/models/{HANDLE}/get", *answers)
    assert larder.get(f"/{HANDLE}{HUB}").status == 302


LITE, LITE_QUERY = "google/movenet/tfLite/thunder", "?lite-format=tflite"


@pytest.fixture
def lite(kaggle):
    """Its one file, and the path of its list."""
    model = modules.tflite_model()
    kaggle.publish(LITE, 2, Version(b"", {"3.tflite": model}))
    return model, f"/api/v1/models/{LITE}/2/files"


@pytest.mark.parametrize("answer", NOT_THE_API.values(), ids=NOT_THE_API)
def test_list_that_is_none(kaggle, mirror, lite, answer):
    model, path = lite
    kaggle.api.serve(path, answer, *kaggle.api.scripts[path])
    larder = mirror(retries=0)
    assert_problem(larder.get(f"/{LITE}/2{LITE_QUERY}"), 502, "upstream-failed")
    assert larder.get(f"/{LITE}/2{LITE_QUERY}").body == model


def test_page_in_place_of_an_archive(kaggle, mirror):
    kaggle.publish(HANDLE, 1, Version(MODULE))
    path = f"/api/v1/models/{HANDLE}/1/download"
    kaggle.api.serve(path, html(), *kaggle.api.scripts[path])
    larder = mirror()
    assert "web page" in assert_problem(larder.get(f"/{HANDLE}/1{HUB}"), 502, "upstream-failed")["detail"]
    assert larder.get(f"/{HANDLE}/1{HUB}").body == MODULE


@pytest.mark.parametrize("overview", ["[" * 200, 'a \\"[{,' * 12_500, "\\" * 9 + "[" * 200, "[x](y), {z}\n" * 60_000],
                         ids=["brackets", "quotes", "backslashes", "long"])
def test_descriptions_are_no_structure(kaggle, mirror, lite, overview):
    """They are Markdown, of any length that a page has."""
    kaggle.api.serve(f"/api/v1/models/{LITE}/get", told({"overview": overview, "usage": overview[:100_000], "versionNumber": 2}))
    model, path = lite
    kaggle.api.serve(path, told({"note": overview, "files": [{"name": "3.tflite"}], "nextPageToken": ""}))
    larder = mirror()
    assert larder.get(f"/{LITE}{LITE_QUERY}").header("Location").endswith(f"/{LITE}/2{LITE_QUERY}")
    assert larder.get(f"/{LITE}/2{LITE_QUERY}").body == model


def test_list_that_is_too_long_leaves_it_to_the_next(kaggle, start, upstream, lite):
    model, path = lite
    kaggle.api.serve(path, b" " * ((1 << 20) + 1))
    upstream.serve(f"/{LITE}/2", Answer(model, media_type="application/octet-stream"))
    larder = start({"mirror": {"private_upstreams": "on"}, "upstream kaggle": {"kind": "kaggle", "url": kaggle.url},
                    "upstream other": {"url": upstream.url + "/{path}?{query}"}})
    assert larder.get(f"/{LITE}/2{LITE_QUERY}").body == model
    assert kaggle.api.count(path) == 1


@pytest.mark.parametrize("refusal", [problem(401, "x"), problem(403, "x"), problem(404, "x"), told({"files": []})],
                         ids=["401", "403", "404", "not listed"])
def test_list_that_is_refused_in_the_middle(kaggle, mirror, refusal):
    """As the file's own address would be: asked again."""
    model = modules.tflite_model() + bytes(300_000)
    kaggle.publish(LITE, 2, Version(b"", {"3.tflite": model}, cut_after=100_000))
    path = f"/api/v1/models/{LITE}/2/files"
    listing, = kaggle.api.scripts[path]
    kaggle.api.serve(path, listing, refusal, listing)
    assert mirror(retries=3).get(f"/{LITE}/2{LITE_QUERY}").body == model
    assert kaggle.api.count(path) == 3 and "range" in kaggle.bucket.requests[-1].headers


@pytest.mark.parametrize("file, asked", [("model..v2.tflite", True), ("a/..b/c.tflite", True), ("../x.tflite", False), ("a/../x.tflite", False),
                                         ("./x.tflite", False), ("a//x.tflite", False), ("/x.tflite", False)])
def test_names_of_listed_files(kaggle, mirror, file, asked):
    model = modules.tflite_model()
    kaggle.publish(LITE, 2, Version(b"", {file: model}))
    reply = mirror().get(f"/{LITE}/2{LITE_QUERY}")
    assert reply.status == (200 if asked else 404) and kaggle.bucket.count() == (1 if asked else 0), reply.body


@pytest.mark.parametrize("refusal", [400, 403])
def test_address_that_expires_in_the_middle(kaggle, mirror, refusal):
    kaggle.refusal = refusal
    kaggle.publish(HANDLE, 1, Version(MODULE, cut_after=100_000))
    larder = mirror(retries=3)
    assert larder.get(f"/{HANDLE}/1{HUB}").body == MODULE
    first, second = kaggle.bucket.requests
    assert kaggle.signed == 2 and first.query != second.query, "asked anew"
    assert second.headers["range"].startswith("bytes=") and second.headers["if-range"] == '"v1"'
    assert "authorization" not in second.headers
    assert_nothing_secret(larder)


@pytest.mark.parametrize("status, remembered", [(400, False), (401, False), (403, False), (402, True), (451, True)])
def test_which_refusals_say_that_an_address_expired(kaggle, mirror, status, remembered):
    kaggle.refusal = status
    kaggle.publish(HANDLE, 1, Version(MODULE))
    kaggle.expired.update(("s1gned0001", "s1gned0002"))
    larder = mirror()
    for _ in range(2):
        assert_problem(larder.get(f"/{HANDLE}/1{HUB}"), 502, "upstream-failed")
    assert kaggle.signed == (1 if remembered else 2)


@pytest.mark.parametrize("status", [400, 403, 451, 500])
def test_what_a_signed_address_says_is_not_told(kaggle, mirror, status):
    """It may repeat the signature."""
    kaggle.publish(HANDLE, 1, Version(MODULE))
    kaggle.bucket.serve(f"/{HANDLE}/1.tar.gz", lambda seen: Answer(
        json.dumps({"detail": f"GET {seen.path}?{seen.query}"}).encode(), status, "application/problem+json"))
    larder = mirror()
    detail = assert_problem(larder.get(f"/{HANDLE}/1{HUB}"), 502, "upstream-failed")["detail"]
    assert "s1gned" not in detail and "saying" not in detail
    assert kaggle.bucket.count() == 1
    assert_nothing_secret(larder)


@pytest.mark.parametrize("refusal", [400, 403])
def test_address_that_is_not_good(kaggle, mirror, refusal):
    """Not remembered: the next address may be."""
    kaggle.refusal = refusal
    kaggle.publish(HANDLE, 1, Version(MODULE))
    kaggle.expired.add("s1gned0001")
    larder = mirror()
    reply = larder.get(f"/{HANDLE}/1{HUB}")
    assert_problem(reply, 502, "upstream-failed")
    assert b"s1gned" not in reply.body and b"terms" not in reply.body
    assert larder.get(f"/{HANDLE}/1{HUB}").body == MODULE


def test_consent_is_asked_for(kaggle, mirror):
    kaggle.publish(HANDLE, 1, Version(MODULE, gated=True))
    larder = mirror()
    detail = assert_problem(larder.get(f"/{HANDLE}/1{HUB}"), 502, "upstream-failed")["detail"]
    assert "agreed to its terms" in detail and f"https://www.kaggle.com/models/{HANDLE}" in detail
    assert_nothing_secret(larder)


def test_wrong_credentials(kaggle, mirror):
    kaggle.api.serve(f"/api/v1/models/{HANDLE}/1/download", problem(401, "Unauthenticated"))
    assert "credentials_file" in assert_problem(mirror().get(f"/{HANDLE}/1{HUB}"), 502, "upstream-failed")["detail"]


def test_too_many_requests(kaggle, mirror):
    kaggle.api.serve(f"/api/v1/models/{HANDLE}/1/download", problem(429, "Too many requests", **{"Retry-After": "77"}))
    larder = mirror()
    for _ in range(2):
        reply = larder.get(f"/{HANDLE}/1{HUB}")
        assert reply.status in (502, 504) and 0 < int(reply.header("Retry-After")) <= 77
    assert kaggle.api.count() == 1, "it was left alone"


def test_absent(kaggle, mirror):
    kaggle.api.serve(f"/api/v1/models/{HANDLE}/9/download", problem(404, "Not found"))
    assert_problem(mirror().get(f"/{HANDLE}/9{HUB}"), 404, "not-found")


def test_md5_that_does_not_fit(kaggle, mirror):
    kaggle.publish(HANDLE, 1, Version(MODULE, hash=base64.b64encode(b"0123456789abcdef").decode()))
    larder = mirror()
    with pytest.raises(Exception):
        reply = larder.get(f"/{HANDLE}/1{HUB}")
        assert reply.status == 200, reply
    larder.wait_for_idle()
    assert larder.get(f"/api/v1/explain?url=/{HANDLE}/1{HUB}").json()["artifact"] is None
    assert "x-goog-hash" in larder.log()


def test_zip_is_refused(kaggle, mirror):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("saved_model.pb", b"x")
    kaggle.publish(HANDLE, 1, Version(memory.getvalue()))
    larder = mirror()
    reply = larder.get(f"/{HANDLE}/1{ARCHIVE}")
    assert reply.status == 502 and b"gzip" in reply.body, reply.body


def test_more_than_25_files(kaggle, mirror):
    names = [modules.Member("./")] + [modules.Member(f"./{number}.bin", b"x") for number in range(40)]
    body = modules.pack(names)
    kaggle.publish("google/x/keras/y", 1, Version(body, {f"{number}.bin": b"x" for number in range(40)}))
    assert mirror().get("/google/x/keras/y/1" + ARCHIVE).body == body


def test_archive_without_folder_entries(kaggle, mirror):
    """Kept, with a warning, as from any other upstream."""
    body = modules.pack([modules.Member("./a/x.bin", b"1"), modules.Member("./config.json", b"{}")])
    kaggle.publish("google/x/keras/y", 1, Version(body))
    larder = mirror()
    assert larder.get("/google/x/keras/y/1" + ARCHIVE).body == body
    assert larder.get("/api/v1/modules/google/x/keras/y/1").json()["artifacts"][0]["warnings"]


def test_token_in_place_of_an_account(kaggle, start, tmp_path):
    (tmp_path / "token").write_text("KGAT_s3cret\n")
    kaggle.publish(HANDLE, 1, Version(MODULE))
    larder = start({"mirror": {"private_upstreams": "on"},
                    "upstream kaggle": {"kind": "kaggle", "url": kaggle.url, "credentials_file": tmp_path / "token"}})
    assert larder.get(f"/{HANDLE}/1{HUB}").body == MODULE
    assert kaggle.api.requests[0].headers["authorization"] == "Bearer KGAT_s3cret"
    assert "s3cret" not in larder.log()


@pytest.mark.parametrize("lines, why", [
    ("kind = kaggle", None),
    ("kind = kaggle\nurl = http://a/api/{path}", "an API's"),
    ("kind = hub", "[upstream kaggle] has no url"),
    ("kind = hub\nurl = http://a/api", "names {path}"),
    ("kind = keggle", "kind takes one of hub, kaggle"),
    ("kind = kaggle\ncredentials_file = {folder}/broken", "its credentials_file is not as kaggle.json is"),
    ("kind = kaggle\ncredentials_file = {folder}/none", "its credentials_file cannot be read"),
    ("kind = kaggle\ncredentials_file = {folder}/good\nbasic_file = {folder}/good", "one of bearer_token_file, basic_file and credentials_file"),
])
def test_configuration(tmp_path, lines, why):
    (tmp_path / "broken").write_text('{"username": "me", "kee": "s3cret"}')
    (tmp_path / "good").write_text('{"username": "me", "key": "s3cret"}')
    (tmp_path / "larder.ini").write_text("[upstream kaggle]\n" + lines.replace("{folder}", str(tmp_path)) + "\n")
    done = subprocess.run([binary(), "serve", "--check", "--config", tmp_path / "larder.ini"], capture_output=True, text=True)
    assert done.returncode == (1 if why else 0), done
    assert why is None or why.replace("an API's", "its API's") in done.stderr, done.stderr
    assert "s3cret" not in done.stdout + done.stderr


MAP = f"""# old	new
google/nnlm-en-dim50/2\t{HANDLE}/1
google/same	google/same/tensorFlow2/default
""".replace("same	", "same\t")


@pytest.fixture
def mapped(kaggle, start, tmp_path):
    (tmp_path / "map").write_text(MAP)
    kaggle.publish(HANDLE, 1, Version(MODULE))
    kaggle.publish("google/same/tensorFlow2/default", 4, Version(MODULE))
    return start({"mirror": {"private_upstreams": "on"}, "hub": {"kaggle_map": tmp_path / "map"},
                  "upstream kaggle": {"kind": "kaggle", "url": kaggle.url}})


@pytest.mark.parametrize("old, place", [("google/nnlm-en-dim50/2", HANDLE + "/1"), ("google/same/4", "google/same/tensorFlow2/default/4")])
def test_old_names(kaggle, mapped, old, place):
    upstream, = mapped.get(f"/api/v1/explain?url=/{old}{HUB}").json()["upstreams"]
    assert upstream["may_have"] and upstream["url"] == f"{kaggle.url}/models/{place}/download"
    assert mapped.get(f"/{old}{HUB}").body == MODULE


def test_latest_version_of_an_old_name(mapped):
    assert mapped.get(f"/google/same{HUB}").header("Location").endswith(f"/google/same/4{HUB}")


@pytest.mark.parametrize("key, pattern, passes", [
    ("deny", "google/nnlm/*", False), ("deny", "google/nnlm/TENSORFLOW2/*", False), ("deny", "google/nnlm-*", False), ("deny", "google/other/*", True),
    ("allow", "google/nnlm-*", False), ("allow", "google/nnlm-*, google/nnlm/*", True),
    ("match", "google/nnlm-*", False), ("match", "google/nnlm/tensorflow_2/*", True)])
@pytest.mark.parametrize("imported", [False, True], ids=["own", "imported"])
def test_rules_hold_for_the_place_of_an_old_name(kaggle, start, tmp_path, tree, key, pattern, passes, imported):
    """Not for the name alone that it is asked for by."""
    (tmp_path / "map").write_text("" if imported else MAP)
    kaggle.publish(HANDLE, 1, Version(MODULE))
    larder = start({"mirror": {"private_upstreams": "on", **({} if key == "match" else {key: pattern})}, "hub": {"kaggle_map": tmp_path / "map"},
                    "upstream kaggle": {"kind": "kaggle", "url": kaggle.url, **({"match": pattern} if key == "match" else {})}})
    if imported:
        import_docs(larder, tree)
    reply = larder.get(f"/google/nnlm-en-dim50/2{HUB}")
    if passes:
        assert reply.status == 200 and reply.body == MODULE
    elif key == "match":
        assert_problem(reply, 404, "not-found")
    else:
        detail = assert_problem(reply, 403, "blocked-by-policy")["detail"]
        assert f"mirror.{key}" in detail and (pattern == "google/nnlm-*" and key == "deny" or HANDLE in detail), detail
    assert bool(kaggle.api.count()) == passes


@pytest.mark.parametrize("old", ["google/nnlm-en-dim50/1", "google/nnlm-en-dim50", "google/sam/4"])
def test_old_names_that_nobody_mapped(kaggle, mapped, old):
    assert_problem(mapped.get(f"/{old}{HUB}"), 404, "not-found")
    assert kaggle.api.count() == 0


@pytest.fixture
def tree(tmp_path):
    """A tree of documentation with a table; write(text) writes the table."""
    tree = tmp_path / "tree"
    (tree / "assets/docs/google").mkdir(parents=True)
    (tree / "assets/docs/google/google.md").write_text("# Publisher google\nGoogle\n\n[![Icon URL]](https://google.test/i.png)\n\n## Who\nWe.\n")
    (tree / "assets/kaggle_map.tsv").write_text(MAP)
    return tree


def import_docs(larder, tree, *options, status=0):
    done = larder.larder("import-docs", str(tree), "--json", *options, check=False)
    assert done.returncode == status, done
    return json.loads(done.stdout)


def place_of(larder, path):
    """The address at Kaggle, or None: it is in no table."""
    upstream, = larder.get(f"/api/v1/explain?url=/{path}{HUB}").json()["upstreams"]
    return upstream["may_have"] and upstream["url"]


def counts(report):
    return [report["places"][key] for key in ("new", "changed", "unchanged", "gone")]


def test_old_names_of_a_documentation_tree(kaggle, mirror, tree):
    """They count at once, also of what was asked for before and not found, and after the next start."""
    kaggle.publish(HANDLE, 1, Version(MODULE))
    kaggle.publish("google/same/tensorFlow2/default", 4, Version(MODULE))
    larder = mirror()
    for path in ("google/nnlm-en-dim50/2", "google/same/4", "google/same"):
        assert_problem(larder.get(f"/{path}{HUB}"), 404, "not-found")
    assert counts(import_docs(larder, tree, "--dry-run")) == [2, 0, 0, 0]
    assert_problem(larder.get(f"/google/same/4{HUB}"), 404, "not-found")
    report = import_docs(larder, tree)
    assert counts(report) == [2, 0, 0, 0] and report["documents"] == 1 and not report["faults"]
    for path in ("google/nnlm-en-dim50/2", "google/same/4"):
        assert larder.get(f"/{path}{HUB}").body == MODULE
    assert "2 old names with their places at Kaggle: 0 new, 0 changed, 2 unchanged" in larder.larder("import-docs", str(tree)).stdout
    larder.restart()
    upstream, = larder.get(f"/api/v1/explain?url=/google/same/7{HUB}").json()["upstreams"]
    assert upstream["url"] == f"{kaggle.url}/models/google/same/tensorFlow2/default/7/download"


def test_a_place_that_changed(kaggle, mirror, tree):
    larder = mirror()
    import_docs(larder, tree)
    (tree / "assets/kaggle_map.tsv").write_text("google/same\tgoogle/other/tensorFlow2/default\n")
    assert counts(import_docs(larder, tree)) == [0, 1, 0, 1]
    assert place_of(larder, "google/same/7") == f"{kaggle.url}/models/google/other/tensorFlow2/default/7/download"
    assert not place_of(larder, "google/nnlm-en-dim50/2")


def test_places_are_taken_back(kaggle, mirror, tree):
    """By a table without them, at once; a tree that has no table says nothing of them."""
    larder = mirror()
    table = tree / "assets/kaggle_map.tsv"
    table.write_text(MAP + "".join(f"g/n{i}\tg/n{i}/tensorFlow2/y\n" for i in range(450)))
    assert counts(import_docs(larder, tree)) == [452, 0, 0, 0]
    table.unlink()
    assert counts(import_docs(larder, tree)) == [0, 0, 0, 0]
    table.write_text("# nothing of it holds\n")
    assert counts(import_docs(larder, tree, "--dry-run")) == [0, 0, 0, 452]
    assert place_of(larder, "g/n7/1") and place_of(larder, "google/same/7")
    assert "0 old names with their places at Kaggle: 0 new, 0 changed, 0 unchanged, 452 taken back" in larder.larder("import-docs", str(tree)).stdout
    assert not place_of(larder, "g/n7/1") and not place_of(larder, "google/same/7")
    larder.restart()
    assert not place_of(larder, "google/same/7") and counts(import_docs(larder, tree)) == [0, 0, 0, 0]


def test_tables_of_one_tree_count_together(kaggle, mirror, tree):
    larder = mirror()
    (tree / "kaggle_map.tsv").write_text("google/more\tgoogle/more/tensorFlow2/x\n")
    assert counts(import_docs(larder, tree)) == [3, 0, 0, 0]
    (tree / "kaggle_map.tsv").write_text("google/same\tgoogle/more/tensorFlow2/x\n")
    report = import_docs(larder, tree, status=1)
    assert [fault["detail"] for fault in report["faults"]] == ["of all such tables together: google/same is in it twice"]
    assert counts(report) == [0, 0, 0, 0] and place_of(larder, "google/more/1")


def test_a_file_of_ones_own_comes_first(kaggle, mapped, tree):
    (tree / "assets/kaggle_map.tsv").write_text("google/same\tgoogle/other/tensorFlow2/x\ngoogle/same/4\tgoogle/other/tensorFlow2/x\n"
                                                "google/more\tgoogle/more/tensorFlow2/x\n")
    assert counts(import_docs(mapped, tree)) == [3, 0, 0, 0]
    for path, place in (("google/same/4", "google/same/tensorFlow2/default/4"), ("google/more/1", "google/more/tensorFlow2/x/1")):
        upstream, = mapped.get(f"/api/v1/explain?url=/{path}{HUB}").json()["upstreams"]
        assert upstream["url"] == f"{kaggle.url}/models/{place}/download"


@pytest.mark.parametrize("text, why", [(b"google/x google/x/tfLite/y\n", "line 1: there is no tab"), (b"\xff\n", "is not UTF-8 text"),
                                       (b"google/x\tgoogle/x/tfLite/y\n" * 2, "google/x is in it twice"), (b" " * (4 << 20) + b"\n", "4 MiB")],
                         ids=["no tab", "no text", "twice", "long"])
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "tar"])
def test_a_table_with_faults_is_left_out(kaggle, mirror, tree, text, why, packed):
    """Documents are taken, and of the old names all stays as it was."""
    larder = mirror()
    before = tree / "assets/kaggle_map.tsv"
    import_docs(larder, tree)
    before.write_text("google/same\tgoogle/other/tensorFlow2/default\n")
    (tree / "assets/docs/google/google.md").write_text("# Publisher google\nOther\n\n[![Icon URL]](https://google.test/i.png)\n\n## Who\nWe.\n")
    (tree / "kaggle_map.tsv").write_bytes(text)
    source = tree
    if packed:
        source = tree.with_suffix(".tar.gz")
        with tarfile.open(source, "w:gz") as tar:
            tar.add(tree, ".")
    report = import_docs(larder, source, status=1)
    fault, = report["faults"]
    assert fault["path"].endswith("kaggle_map.tsv") and why in fault["detail"]
    assert counts(report) == [0, 0, 0, 0] and report["changed"] == 1
    for path, place in (("google/same/4", "google/same/tensorFlow2/default/4"), ("google/nnlm-en-dim50/2", HANDLE + "/1")):
        assert place_of(larder, path) == f"{kaggle.url}/models/{place}/download"


@pytest.mark.long
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_table_with_too_many_names_leaves_nothing_behind(mirror, tree, running):
    """And what was imported before does not count: it goes with the next tree."""
    larder = mirror()
    for number in range(5):
        (tree / f"assets/{number}").mkdir()
        (tree / f"assets/{number}/kaggle_map.tsv").write_text(
            "".join(f"g/{number}n{i}\tg/{number}n{i}/tfLite/y\n" for i in range(24000)))
    if not running:
        larder.stop()
    report = import_docs(larder, tree, status=1)
    fault, = report["faults"]
    assert fault["path"].endswith("kaggle_map.tsv") and "24000 names" in fault["detail"] and "100000" in fault["detail"], fault
    assert counts(report) == [0, 0, 0, 0] and report["documents"] == 1
    if running:
        assert not place_of(larder, "google/same/7")
    (tree / "assets/4/kaggle_map.tsv").write_text("g/more\tg/more/tfLite/y\n")
    assert counts(import_docs(larder, tree)) == [96003, 0, 0, 0]
    (tree / "assets/0/kaggle_map.tsv").write_text("".join(f"g/other{i}\tg/other{i}/tfLite/y\n" for i in range(24000)))
    assert counts(import_docs(larder, tree)) == [24000, 0, 72003, 24000]


def test_a_tree_that_breaks_off_takes_no_place_back(kaggle, mirror, tree):
    larder = mirror()
    import_docs(larder, tree)
    (tree / "assets/kaggle_map.tsv").write_text("".join(f"g/n{i}\tg/n{i}/tensorFlow2/y\n" for i in range(250)))
    source = tree.with_suffix(".tar.gz")
    with tarfile.open(source, "w:gz") as tar:
        tar.add(tree / "assets/kaggle_map.tsv", "assets/kaggle_map.tsv")
    table = gzip.decompress(source.read_bytes()).rstrip(b"\0")
    source.write_bytes(gzip.compress(table + bytes(-len(table) % 512) + b"x" * 1024))
    done = larder.larder("import-docs", str(source), "--json", check=False)
    assert done.returncode == 1 and "larder: " in done.stderr, done
    assert counts(json.loads(done.stdout)) == [0, 0, 0, 0]
    assert place_of(larder, "google/same/7") and not place_of(larder, "g/n0/1")


@pytest.mark.parametrize("text, why", [
    ("google/x/1 google/x/tfLite/y", "line 1: there is no tab"),
    ("# a\n\ngoogle/x/1\tgoogle/x/y/z", "line 3: the place is not <owner>/<model>/<framework>/<variation>"),
    ("google/x\tgoogle/x/tfLite/y/1", "line 1: the place has a version"),
    ("google/x/1/z\tgoogle/x/tfLite/y/1", "line 1: behind the version"),
    ("google/x/1\tgoogle/x/tfLite/y/1\n" * 2, "google/x is in it twice"),
    ("google/x/1\tgoogle/x/tfLite/y/1\n\0", "there is a NUL"),
])
def test_faults_of_the_map(tmp_path, text, why):
    (tmp_path / "map").write_text(text)
    (tmp_path / "larder.ini").write_text(f"[hub]\nkaggle_map = {tmp_path}/map\n")
    done = subprocess.run([binary(), "serve", "--check", "--config", tmp_path / "larder.ini"], capture_output=True, text=True)
    assert done.returncode == 1 and f"hub.kaggle_map: {why}" in done.stderr, done
