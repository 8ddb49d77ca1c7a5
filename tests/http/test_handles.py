# SPDX-License-Identifier: Apache-2.0
"""Names with numbers inside: what is known decides how a path is read, in every form and everywhere alike."""
import html
import io
import re
import subprocess
import tarfile
import threading
import zlib
from collections import Counter
from urllib.parse import quote

import pytest
from support import modules
from support.client import Kept
from support.daemon import ROOT, assert_problem, binary
from support.waiting import DEADLINE_S

TESTDATA = ROOT.parent / "shared/testdata"
PARTS = {"Lite": "lite-model/", "Tfjs": "tfjs-model/", "Coral": "coral-model/"}
QUERIES = {"Lite": "lite-format=tflite", "Tfjs": "tfjs-format=compressed", "Coral": "coral-format=tflite"}
FORMATS = {"Lite": "tflite", "Tfjs": "tfjs", "Coral": "coral"}
BUCKETS = {"Lite": ("tfhub-lite-models", ".tflite"), "Tfjs": ("tfhub-tfjs-modules", ".tar.gz")}
QUERY = "?tf-hub-format=compressed"
MODULE = """# Module {path}
A model that is called {path}.

<!-- asset-path: legacy -->
<!-- task: text-embedding -->
<!-- fine-tunable: false -->
<!-- format: hub -->

## Overview
See [it](https://tfhub.dev/{path}) and [the module](https://tfhub.dev/{handle}).
"""
PUBLISHER = "# Publisher {name}\n{name} Ltd\n\n[![Icon URL]](https://{name}.test/i.png)\n\n## Who\nWe.\n"
DEPLOYMENT = "# {kind} {path}\nDeployed.\n\n<!-- asset-path: legacy -->\n<!-- parent-model: {parent} -->\n\n## Use\n"


class Row:
    """One document of a catalogue: what it is, and the handle and version of its address."""

    def __init__(self, kind, path):
        path = path.replace("&zwnj;", "")
        self.kind = kind
        self.handle, self.version = path.rsplit("/", 1)
        publisher, name = self.handle.split("/", 1)
        self.handle = f"{publisher}/{PARTS.get(kind, '')}{name}"
        self.path = f"{self.handle}/{self.version}"
        self.format = FORMATS.get(kind, "tf-hub")
        self.query = QUERIES.get(kind, "tf-hub-format=compressed")

    def addresses(self):
        """All that stands for its artifact."""
        yield f"/{self.path}?{self.query}"
        yield f"/https://tfhub.dev/{self.path}?{self.query}"
        bucket, suffix = BUCKETS.get(self.kind, ("tfhub-modules", ".tar.gz"))
        if self.kind != "Coral":
            yield f"/{bucket}/{self.path}{suffix}"
            yield f"/https://storage.googleapis.com/{bucket}/{self.path}{suffix}"
            yield f"http://storage.googleapis.com/{bucket}/{self.path}{suffix}"
        yield self.rarer()

    def rarer(self):
        """One of the other forms, each of them every few rows."""
        forms = [f"/https:/tfhub.dev/{self.path}?{self.query}", f"https://tfhub.dev/{self.path}?{self.query}",
                 f"http://tfhub.dev/{self.path}/?{self.query}", f"/{self.path}/?{self.query}"]
        if self.format == "tf-hub":
            forms += [f"/{self.path}.tar.gz", f"/{self.path}.tgz", f"/https://tfhub.dev/{self.path}.tar.gz"]
        if self.format == "tflite":
            forms += [f"/{self.path}.tflite", f"/https://tfhub.dev/{self.path}.tflite"]
        return forms[zlib.crc32(self.path.encode()) % len(forms)]


def at_once(larder, work, items, threads=4):
    """Calls work(client, item) for all items; the first failure of each thread counts."""
    faults = []

    def run(mine):
        client = Kept(larder.address)
        try:
            for item in mine:
                work(client, item)
        except AssertionError as fault:
            faults.append(fault)
        finally:
            client.connection.close()

    running = [threading.Thread(target=run, args=(items[i::threads],)) for i in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if faults:
        raise faults[0]


def check_version(larder, row):
    for address in row.addresses():
        told = larder.get("/api/v1/explain?url=" + quote(address, safe="")).json()
        name = told["name"]
        assert name == {"handle": row.handle, "version": int(row.version), "format": row.format}, f"{address}: {told}"
    described = larder.get(f"/api/v1/modules/{row.path}").json()
    assert (described["handle"], described["version"]) == (row.handle, int(row.version))
    if zlib.crc32(row.path.encode()) % 8 == 0:
        assert larder.get(f"/{row.path}").json() == described, f"/{row.path} is not its JSON"
        check_page(larder, row.handle, f"/{row.version}")


def check_handle(larder, latest, handle):
    version, query = latest[handle]
    described = larder.get(f"/{handle}")
    assert described.status == 200 and described.json()["handle"] == handle, f"/{handle}: {described}"
    described = larder.get(f"/api/v1/modules/{handle}").json()
    assert (described["handle"], described["latest_version"]) == (handle, version)
    for prefix in ("", "/https://tfhub.dev"):
        reply = larder.get(f"{prefix}/{handle}?{query}")
        assert reply.status == 302, f"/{handle}?{query}: {reply}"
        assert (reply.header("Location"), reply.header("Cache-Control")) == (f"/{handle}/{version}?{query}", "no-cache")


def check_page(larder, handle, version=""):
    page = larder.get(f"/{handle}{version}", accept="text/html")
    assert page.status == 200 and page.header("Content-Type").startswith("text/html"), f"/{handle}: {page}"
    name = handle.split("/", 1)[1]
    assert f"<h1>{name} <span".encode() in page.body, f"/{handle} is not the page of {name}"


def latest_of(rows):
    latest = {}
    for row in rows:
        number, _ = latest.get(row.handle, (0, None))
        if int(row.version) > number:
            latest[row.handle] = (int(row.version), row.query)
    return latest


def links_of(page):
    return [html.unescape(link) for link in re.findall(r'<h3><a href="([^"]+)"', page.body.decode())]


def check_results(larder, query):
    """Every module that a search finds is one click away. Gives how many there are."""
    at, seen = f"/?q={query}", 0
    while at:
        page = larder.get(at, accept="text/html")
        for link in links_of(page):
            reply = larder.get(link, accept="text/html")
            assert reply.status == 200 and reply.header("Content-Type").startswith("text/html"), f"{at} → {link}: {reply}"
            seen += 1
        more = re.search(r'rel="next" href="([^"]+)"', page.body.decode())
        at = html.unescape(more[1]) if more else None
    return seen


# ---- generated ---------------------------------------------------------------------------------------------------------

GENERATED = [("Module", "acme/m/1"), ("Module", "acme/m/2"), ("Module", "acme/m/2/default/1"), ("Module", "acme/m/2/default/3"),
             ("Module", "acme/posenet/float/050/1"), ("Module", "acme/posenet/float/100/2"), ("Module", "acme/posenet/quantized/2/075/1"),
             ("Module", "acme/7/8"), ("Module", "acme/deep/1/er/2/x/3/4"), ("Tfjs", "acme/m/2/default/1"), ("Tfjs", "acme/m/2/quantized/2/1"),
             ("Lite", "acme/m/2/metadata/2/1"), ("Lite", "acme/m/2/int8/1"), ("Coral", "acme/m/2/edge/1/1")]


@pytest.fixture
def tree(tmp_path):
    docs = tmp_path / "tree/assets/docs"
    (docs / "acme").mkdir(parents=True)
    (docs / "acme/acme.md").write_text(PUBLISHER.format(name="acme"))
    for kind, path in GENERATED:
        page = docs / (path + ".md") if kind == "Module" else docs / path.rsplit("/", 1)[0] / kind.lower() / (path.rsplit("/", 1)[1] + ".md")
        page.parent.mkdir(parents=True, exist_ok=True)
        text = MODULE if kind == "Module" else DEPLOYMENT
        page.write_text(text.format(kind=kind, path=path, handle=path.rsplit("/", 1)[0], parent="acme/m/2"))
    return tmp_path / "tree"


@pytest.fixture
def listed(mirror, tree):
    mirror.larder("import-docs", str(tree))
    return mirror


def test_each_form_of_generated_names(listed):
    rows = [Row(*item) for item in GENERATED]
    latest = latest_of(rows)
    assert sorted(listed.handles()) == sorted(latest)
    for row in rows:
        check_version(listed, row)
    for handle in latest:
        check_handle(listed, latest, handle)
        check_page(listed, handle)
    shown = listed.get("/api/v1/modules?q=acme&fold=true&limit=200").json()["modules"]
    deployments = {deployment["handle"] for row in shown for deployment in row["deployments"]}
    assert {row["handle"] for row in shown} | deployments == set(latest)
    assert check_results(listed, "acme") == len(shown)


def test_each_artifact_is_asked_for_by_its_own_name(listed, upstream):
    rows = [Row(*item) for item in GENERATED]
    for row in rows:
        for address in row.addresses():
            if address.startswith("/"):
                listed.get(address)
    # Where an archive of TF.js is absent, its files are asked for.
    asked = {(seen.path.removesuffix("/model.json"), seen.query.replace("=file", "=compressed")) for seen in upstream.requests}
    assert asked == {(f"/{row.path}", row.query) for row in rows}


@pytest.mark.parametrize("path", ["acme/m/2/default", "acme/posenet/float/050", "acme/posenet/float/100", "acme/deep/1/er/2/x/3"])
def test_digits_belong_to_a_known_name_everywhere(listed, path):
    assert listed.get(f"/api/v1/explain?url=/{path}").json()["wanted"] == "description"
    fills = listed.request("POST", "/api/v1/fills", {"Content-Type": "application/json"}, b'{"paths": ["%s"]}' % path.encode()).json()
    assert "names none" in fills["refused"][0]["detail"] and not fills["fills"]
    shown = subprocess.run([binary(), "show", path, "--server", listed.url], capture_output=True, text=True, timeout=DEADLINE_S)
    assert shown.returncode == 0 and path in shown.stdout, shown


@pytest.mark.parametrize("what", ["signatures", "files", "documentation"])
def test_parts_of_versions_of_such_names(larder, what):
    for path in ("acme/m/2/default/1", "acme/float/050/1", "acme/float/100/2"):
        larder.publish("/" + path, modules.module(100))
        assert larder.put("/" + path, b"# Words\n", content_type="text/markdown").status == 201
        assert larder.get(f"/api/v1/{what}/{path}").status == 200


def test_two_versions_of_such_a_name_are_compared(larder):
    for version in (1, 2):
        larder.publish(f"/acme/m/2/default/{version}", modules.module(100, seed=version))
    assert larder.get("/api/v1/diff/acme/m/2/default/1/2").json()["handle"] == "acme/m/2/default"
    assert larder.get("/-/compare/acme/m/2/default?from=1&to=2", accept="text/html").status == 200


def test_a_version_that_is_known_goes_before_a_name(larder):
    """Nothing that is published later changes what an address answers."""
    bytes_ = {path: modules.module(100, seed=seed) for seed, path in enumerate(["acme/m/1", "acme/m/1/5", "acme/m/1/5/2"])}
    for path, module in bytes_.items():
        larder.publish("/" + path, module)
    for path, module in bytes_.items():
        for _ in range(3):
            assert larder.get(f"/{path}{QUERY}").body == module
        name = path.rsplit("/", 1)
        assert larder.get("/" + path, accept="text/html").body.count(f"<h1>{name[0][5:]} <span".encode()) == 1
        assert larder.get(f"/api/v1/modules/{path}").json()["version"] == int(name[1])


def test_withdrawn_versions_are_still_known(larder):
    larder.publish("/acme/m/1", modules.module(100, seed=1))
    larder.publish("/acme/m/1/5", modules.module(100, seed=2))
    assert larder.request("DELETE", "/acme/m/1", {"Authorization": "Bearer " + larder.token("withdraw:*")}).status == 200
    assert_problem(larder.get("/acme/m/1" + QUERY), 410, "gone")


# ---- files of TF.js models -----------------------------------------------------------------------------------------------

def with_files(files):
    with tarfile.open(fileobj=io.BytesIO(modules.tfjs_module())) as tar:
        plain = [(member.name, tar.extractfile(member).read()) for member in tar if member.isfile()]
    return modules.pack([modules.Member("./")] + [modules.Member(name, data) for name, data in plain]
                        + [modules.Member("./" + name, data) if data else modules.Member("./" + name) for name, data in files.items()])


def test_numbers_in_the_names_of_files(larder):
    archive = with_files({"2/": None, "2/words.json": b'{"a": 1}', "3/": None, "3/4/": None, "3/4/more.bin": b"abcd"})
    larder.publish("/acme/m/1?tfjs-format=compressed", archive)
    for query in ("", "?tfjs-format=file"):
        assert larder.get("/acme/m/1/2/words.json" + query).body == b'{"a": 1}'
        assert larder.get("/acme/m/1/3/4/more.bin" + query).body == b"abcd"
    # Named by the longest known name: the file of another module, as soon as there is one.
    other = modules.tfjs_module(**{"words.json": b'{"b": 2}'})
    larder.publish("/acme/m/1/2?tfjs-format=compressed", other)
    assert larder.get("/acme/m/1/2/words.json?tfjs-format=file").body == b'{"b": 2}'
    assert larder.get("/acme/m/1/3/4/more.bin?tfjs-format=file").body == b"abcd"


@pytest.mark.parametrize("path", ["acme/tfjs-model/m/1", "acme/tfjs-model/m/1/default/1", "acme/tfjs-model/float/050/2"])
def test_files_at_the_old_addresses(larder, path):
    larder.publish(f"/{path}?tfjs-format=compressed", modules.tfjs_module())
    for address in (f"/tfhub-tfjs-modules/{path}", f"/https://storage.googleapis.com/tfhub-tfjs-modules/{path}"):
        assert larder.get(address + "/vocab.json").body == b'["a","b"]'
        assert larder.get(address + "/model.json?tfjs-format=file").json()["format"] == "graph-model"
        assert larder.get(address + ".tar.gz").body == modules.tfjs_module()


def test_unknown_names_are_read_by_the_grammar(mirror, upstream):
    assert mirror.get("/acme/m/1/default/1/model.json?tfjs-format=file").status == 404
    assert {(seen.path, seen.query) for seen in upstream.requests} == {("/acme/m/1/default/1", "tfjs-format=compressed"),
                                                                       ("/acme/m/1/default/1/model.json", "tfjs-format=file")}
    assert mirror.get("/acme/m/2/default" + QUERY).status == 404
    assert ("/acme/m/2/default", "tf-hub-format=compressed") in {(seen.path, seen.query) for seen in upstream.requests}
    assert_problem(mirror.get("/acme/m/0" + QUERY), 400, "bad-request")
    assert_problem(mirror.get("/acme/m/1/model.json" + QUERY), 400, "bad-request")


# ---- the buckets ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("address", [
    "/https://storage.googleapis.com/other-bucket/acme/m/1.tar.gz", "/https://storage.googleapis.com/tfhub-modules2/acme/m/1.tar.gz",
    "/https:/storage.googleapis.com/acme/m/1", "http://storage.googleapis.com/other/acme/m/1.tar.gz",
    "/https://storage.googleapis.com/tfhub-modules/../other/acme/m/1.tar.gz", "/https://evil.test/tfhub-modules/acme/m/1.tar.gz",
])
def test_other_buckets_are_not_stood_for(larder, address):
    larder.publish("/acme/m/1", modules.module(100))
    assert_problem(larder.get(address), 400, "bad-request")


@pytest.mark.parametrize("prefix", ["", "/https://storage.googleapis.com", "/https:/storage.googleapis.com",
                                    "http://storage.googleapis.com", "/http://storage.googleapis.com"])
def test_old_addresses_bring_the_bytes(larder, prefix):
    archive, lite = modules.module(100), modules.tflite_model()
    larder.publish("/acme/m/1", archive)
    larder.publish("/acme/lite-model/m/1/default/2?lite-format=tflite", lite)
    assert larder.get(prefix + "/tfhub-modules/acme/m/1.tar.gz").body == archive
    assert larder.get(prefix + "/tfhub-modules/acme/m/1.tar.gz?tf-hub-format=compressed").body == archive
    assert larder.get(prefix + "/tfhub-lite-models/acme/lite-model/m/1/default/2.tflite").body == lite
    assert larder.get(prefix + "/tfhub-lite-models/acme/lite-model/m/1/default/2.tflite?lite-format=tflite").body == lite
    assert larder.head(prefix + "/tfhub-lite-models/acme/lite-model/m/1/default/2.tflite").header("Content-Length") == str(len(lite))


def test_buckets_follow_the_configuration(start):
    larder = start({"hub": {"hosts": "tfhub.dev storage.googleapis.com/tfhub-lite-models"}})
    lite = modules.tflite_model()
    larder.publish("/acme/lite-model/m/1?lite-format=tflite", lite)
    assert larder.get("/https://storage.googleapis.com/tfhub-lite-models/acme/lite-model/m/1.tflite").body == lite
    assert_problem(larder.get("/https://storage.googleapis.com/tfhub-modules/acme/m/1.tar.gz"), 400, "bad-request")


# ---- the whole catalogue ------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def catalogue():
    handles = TESTDATA / "tfhub_handles.tsv"
    if not handles.exists():
        pytest.skip(f"{handles} is not there")
    rows = [line.split("\t") for line in handles.read_text().splitlines() if line and not line.startswith("#")]
    return [Row(row[0], row[1]) for row in rows if row[0] not in ("Publisher", "Collection")]


@pytest.mark.long
def test_each_form_of_every_known_name(start_with_catalogue, catalogue, upstream):
    mirror = start_with_catalogue(upstreams=[upstream.url])
    latest = latest_of(catalogue)
    at_once(mirror, check_version, catalogue)
    assert not upstream.requests
    at_once(mirror, lambda client, handle: check_handle(client, latest, handle), sorted(latest))
    # Each was asked about once, although it was asked for twice: by HEAD, and since that is answered with 404, by GET.
    asked = Counter((seen.method, seen.path) for seen in upstream.requests)
    assert set(asked) == {(method, "/" + handle) for handle in latest for method in ("HEAD", "GET")} and set(asked.values()) == {1}
    numbered = [handle for handle in sorted(latest) if any(part.isdigit() for part in handle.split("/")[1:])]
    assert len(numbered) > 400
    at_once(mirror, check_page, numbered)
    assert check_results(mirror, "default") >= 36
