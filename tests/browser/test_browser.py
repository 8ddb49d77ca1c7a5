# SPDX-License-Identifier: Apache-2.0
"""The pages in a real Chromium: each test plays a scenario (scenarios/), which looks for what a person would."""
import contextlib
import json
import os
import random
import subprocess
import threading

import pytest
from conftest import CLASSIFIER, EMBEDDING, ROOT, document
from support import modules
from support.daemon import binary
from support.modules import MetaGraph, Signature, Tensor
from support.upstream import Answer
from support.waiting import wait_until

TESTDATA = ROOT.parent / "shared" / "testdata"
COMPARED = ["serving-half_plus_two_tf2_cpu", "tfjsnode-module_with_multiple_signatures"]

SCRIPT = "<script>globalThis.harmed = true</script>"
IMAGE = '"><img src=x onerror="globalThis.harmed = true">'


@pytest.mark.parametrize("scenario", ["search", "filters", "module", "copy", "compare", "collections", "narrow", "forced_colors",
                                      "without_scripts", "keyboard", "finding", "publishers", "feeds"])
def test_scenario(browser, shelf, scenario):
    browser.play(scenario, shelf)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible_in_both_schemes(browser, shelf, scheme):
    browser.play("accessible", shelf, scheme=scheme)


def test_signatures_on_a_phone(browser, larder):
    for version, dtype in ((1, "float32"), (2, "bfloat16")):
        inputs = {f"{part}_of_the_{part}_that_the_encoder_reads": Tensor(f"StatefulPartitionedCall_{part}/a_scope_in_it/Reshape:0", dtype, [-1, 1280, 1280, 3])
                  for part in ("words", "positions")}
        signatures = {"serving_default": Signature(inputs, {"logits": Tensor("logits:0", dtype, None)}),
                      f"only_in_{version}": Signature(inputs, {"y": Tensor("y:0", "string", [])})}
        larder.publish(f"/acme/long/{version}", modules.module(model=modules.saved_model(MetaGraph(signatures))))
    browser.play("phone_signatures", larder)


def publish_many(larder):
    many = {f"method_{i:03}": Signature({"x": Tensor("x:0", "string" if i % 2 else "float32", [-1, 3])}, {"y": Tensor("y:0", "float32", [-1, 10])})
            for i in range(119)}
    many["serving_default"] = Signature({"x": Tensor("x:0", "float32", [-1, 784])}, {"y": Tensor("y:0", "float32", [-1, 10])})
    larder.publish("/acme/many/1", modules.module(model=modules.saved_model(MetaGraph(many))))


def test_many_signatures(browser, larder):
    publish_many(larder)
    browser.play("functions", larder)


MANY = ("de", "en", "fr", "es", "it", "ja", "ko", "pl", "sw", "zh")


def test_values_of_a_filter_are_narrowed(browser, larder):
    for seed, code in enumerate(MANY):
        path = f"acme/words-{code}/1"
        larder.publish("/" + path, modules.module(seed=seed))
        larder.put("/" + path, document("Module", path, f"Words, {code}.", **{**EMBEDDING, "language": code}), content_type="text/markdown")
    browser.play("narrowing", larder)


def test_what_is_downloaded_of_late(browser, shelf):
    for _ in range(3):
        assert shelf.get("/lab/resnet/4?tf-hub-format=compressed").status == 200
    wait_until(lambda: shelf.get("/api/v1/modules/lab/resnet").json()["downloads"] == 3, "three downloads are counted")
    browser.play("popular", shelf, handle="lab/resnet", downloads=3)


def test_eight_results_a_screen(browser, larder, tmp_path):
    for i in range(24):
        path = f"acme/mobilenet-{i}-with-a-name-as-long-as-they-are/{i + 1}"
        file = tmp_path / f"tree/assets/docs/{path.rsplit('/', 1)[0]}/{i + 1}.md"
        file.parent.mkdir(parents=True)
        file.write_bytes(document("Module", path, "A sentence that tells what a picture shows, " * (1 + i % 4),
                                  **{**CLASSIFIER, "network_architecture": "mobilenet-v2", "dataset": "imagenet-ilsvrc-2012-cls"}))
        for more in ("fp16", "int8"):
            lite = file.parent / f"lite/{more}/1.md"
            lite.parent.mkdir(parents=True)
            lite.write_bytes(document("Lite", f"{path.rpartition('/')[0]}/{more}/1", "The same, smaller.", asset_path="legacy", parent_model=path))
    larder.larder("import-docs", str(tmp_path / "tree"))
    larder.publish("/acme/mobilenet-here/1", modules.module())
    larder.put("/acme/mobilenet-here/1", document("Module", "acme/mobilenet-here/1", "What a picture shows.", **CLASSIFIER), content_type="text/markdown")
    browser.play("dense", larder)


def test_an_admin_ends_a_fill(browser, shelf, upstream):
    with shut() as gate:
        for name in ("first", "second"):
            begin_fill(shelf, upstream, f"far/{name}/1", gate)
        browser.play("cancel_fill", shelf, token=shelf.token("admin"))


def test_empty_registry(browser, larder):
    browser.play("empty", larder)


def test_fill_is_watched_live(browser, shelf, upstream):
    with shut() as gate:
        upstream.serve("/far/away/3", Answer(modules.module(4 << 20), gate=gate, gate_after=2 << 20))
        browser.play("live_fill", shelf, {"halfway": gate.set})


def test_fill_is_watched_where_one_waits(browser, shelf, upstream):
    upstream.serve("/far/broken/1", Answer(b"no module"))
    with shut() as gate:
        upstream.serve("/far/away/3", Answer(modules.module(4 << 20), gate=gate, gate_after=2 << 20))
        browser.play("fill_notice", shelf, {"halfway": gate.set})


DEPLOYED = "# {kind} acme/speech{more}/1\nHears words.\n\n<!-- asset-path: legacy -->\n<!-- parent-model: acme/speech/1 -->\n\n## Use\nIt.\n"


def test_formats_of_one_model(browser, larder):
    larder.publish("/acme/speech/1", modules.module(400))
    larder.publish("/acme/alone/1", modules.module(401))
    for kind, path, more, body in (("Lite", "/acme/lite-model/speech/1?lite-format=tflite", "", modules.tflite_model(300)),
                                   ("Lite", "/acme/lite-model/speech/int8/1?lite-format=tflite", "/int8", modules.tflite_model(301)),
                                   ("Tfjs", "/acme/tfjs-model/speech/1?tfjs-format=compressed", "", modules.tfjs_module())):
        larder.publish(path, body)
        reply = larder.put(path.partition("?")[0], DEPLOYED.format(kind=kind, more=more).encode(), content_type="text/markdown")
        assert reply.status in (200, 201), reply
    browser.play("family", larder)


DOCUMENTED = """See https://tfhub.dev/acme/documented/1 or `hub.load("https://tfhub.dev/acme/documented/1")`.

```python
model = hub.KerasLayer("https://tfhub.dev/acme/documented/1")
```

| left | middle | right |
|:-----|:------:|------:|
| a    | b      | c     |

```
{}
```
"""


def test_code_in_documentation(browser, larder):
    larder.publish("/acme/documented/1", modules.module(400))
    larder.put("/acme/documented/1", DOCUMENTED.format("wide " * 400).encode(), content_type="text/markdown")
    browser.play("document_code", larder)


# Right to left, and back; what is nested, endless, wide, or looks like markup of ours.
BURSTING = "\n\n".join([
    "> " * 50 + "deep " + "x" * 200, "\u202eturned \u05d0\u05d1\u05d2 \u0627\u0644\u0639 " + "\u0627" * 300, "#" * 3 + " " + "h" * 300,
    "|" + "c|" * 60 + "\n|" + "-|" * 60 + "\n|" + f"`https://tfhub.dev/a/{'b' * 300}`|" * 60, "```\n" + "endless" * 3000 + "\n```",
    "`" + "https://tfhub.dev/a/b/1,https://tfhub.dev/" + "u" * 2000 + "/1`", "- " * 40 + "x", "a" * 3000, f"[{'l' * 500}](https://example.org/{'p' * 1000})",
    "```html\n</code></pre></div><script>globalThis.harmed = true</script>\n```", "`</code><img src=x onerror='globalThis.harmed = true'>`",
    SCRIPT, IMAGE, '<div id="main" class="code"><pre>x</pre></div>', "[x](javascript:globalThis.harmed=true)"])


def test_pages_that_are_to_burst(browser, larder):
    name = "n" * 220
    larder.publish(f"/acme/{name}/1", modules.module(400))
    larder.publish(f"/acme/{name}/2", modules.module(401))
    larder.put(f"/acme/{name}/2", BURSTING.encode(), content_type="text/markdown")
    for i in range(30):
        path = f"/acme/lite-model/{'-' * i}{'m' * 400}{i}/1"
        larder.publish(path + "?lite-format=tflite", modules.tflite_model(300 + i))
        body = (f"# Lite acme/{'-' * i}{'m' * 400}{i}/1\n{SCRIPT}{'d' * 400}\n\n<!-- asset-path: legacy -->\n<!-- parent-model: acme/{name}/1 -->\n"
                f"\n## Use\n{BURSTING}\n")
        reply = larder.put(path, body.encode(), content_type="text/markdown")
        assert reply.status in (200, 201), reply
    browser.play("hostile_page", larder, paths=[f"/acme/{name}/2", f"/acme/{name}/1", path, "/", "/acme"])


def publish_hostile(larder):
    """A module whose every word is markup, and whose documentation is nested, wide and long beyond reason; and another version."""
    tensor = Tensor(f"{SCRIPT}:0", "float32", [-1])
    model = modules.saved_model(MetaGraph({SCRIPT: Signature({IMAGE: tensor}, {SCRIPT: tensor}, method=IMAGE)},
                                          tags=(IMAGE,), tensorflow_version=SCRIPT, ops=(SCRIPT, IMAGE)))
    entries = modules.members(model=model) + [modules.Member("./assets/"), modules.Member('./assets/<img src=x onerror=alert(1)>')]
    larder.publish("/acme/hostile/1", modules.pack(entries))
    body = document("Module", "acme/hostile/1", f"{SCRIPT}{IMAGE}", asset_path="https://example.org/a.tar.gz", task="text-embedding",
                    format="hub", fine_tunable="true").decode()
    body += f"\n{SCRIPT}\n\n[click](javascript:globalThis.harmed=true) {IMAGE}\n<iframe src='//example.org'></iframe>\n"
    body += f"\n{'> ' * 50}quoted\n\n{'w' * 500}\n\n" + "\n".join(f"{'  ' * depth}- {depth}" for depth in range(30))
    body += f"\n\n|{'a column|' * 30}\n|{'-|' * 30}\n|{'a cell|' * 30}\n\n###### six\n\n## two\n\n```\n{'a line of code ' * 40}\n```\n"
    reply = larder.put("/acme/hostile/1", body.encode(), content_type="text/markdown")
    assert reply.status in (200, 201), reply
    larder.publish("/acme/hostile/2", modules.module())


def test_hostile_module_harms_nobody(browser, larder):
    publish_hostile(larder)
    browser.play("hostile", larder)


def pack_folder(folder, file=None):
    """As hub archives are; one of several TF.js models in a folder as its model.json."""
    entries = [modules.Member("./")]
    for path in sorted(folder.rglob("*")):
        name = "./" + str(path.relative_to(folder))
        if path.is_dir():
            entries.append(modules.Member(name + "/"))
        elif not (file and path.name.startswith("model") and path.suffix == ".json"):
            entries.append(modules.Member(name, path.read_bytes()))
    if file:
        entries.append(modules.Member("./model.json", file.read_bytes()))
    return modules.pack(entries)


@pytest.fixture
def catalogue(start, upstream, tmp_path):
    """All of tfhub.dev's catalogue, listed, and the real models of the test data, published; and an upstream."""
    if not TESTDATA.is_dir():
        pytest.skip("../shared/testdata is not there")
    larder = start(upstreams=[upstream.url])
    larder.larder("import-docs", str(TESTDATA / "tfhub_catalog.tar.gz"))
    models = sorted((TESTDATA / "savedmodel").iterdir())
    places = [(model, f"/real/{model.name.lower()}/1") for model in models]
    places += [(TESTDATA / "savedmodel" / name, f"/real/compared/{version}") for version, name in enumerate(COMPARED, 1)]
    for number, (model, path) in enumerate(places):
        packed = tmp_path / f"{number}.tar.gz"
        subprocess.run([binary(), "pack", str(model), "-o", str(packed)], check=True)
        larder.publish(path, packed.read_bytes())
    for file in sorted((TESTDATA / "tflite").glob("*/*.tflite")):
        larder.publish(f"/real/lite-{file.parent.name.lower()}/1?lite-format=tflite", file.read_bytes())
    for file in sorted((TESTDATA / "tfjs").glob("*/model.json")):
        larder.publish(f"/real/js-{file.parent.name.lower()}/1?tfjs-format=compressed", pack_folder(file.parent, file))
    return larder


def test_whole_catalogue(browser, catalogue):
    browser.play("catalogue", catalogue, modules=catalogue.get("/api/v1/modules?limit=1").json()["total"],
                 published="/real/compared/2")


# ---- every page ------------------------------------------------------------------------------------------------------

SAMPLE = 12
FILLING = "google/yamnet/1"
GALLERY = ["/", "/?q=mobilenet", "/real/compared/1", "/real/lite-support-mobilenet_v1_0.25_224_quant/1", "/real/js-tfjs-layers_model/1",
           "/google/elmo/3", f"/{FILLING}", "/-/compare/real/compared?from=1&to=2", "/google", "/-/activity"]
PAGES = [*GALLERY, "/?q=mobilnet", "/?q=nothing-like-it", "/?format=tflite&task=image-classification", "/-/publishers",
         "/-/collections", "/-/collections/google/movinet", "/-/compare/real/compared", "/-/compare/real/compared?from=2&to=1", "/-/nothing", "/no/such/1"]
# Opened with the tab of their own format, which is not the first.
DEPLOYMENTS = ["/google/lite-model/aiy/vision/classifier/plants_V1/3", "/google/tfjs-model/movenet/singlepose/lightning/4"]


def every_path(larder):
    """The pages of all modules, those that are stored first."""
    paths, query = [], "/api/v1/modules?limit=200&sort=name"
    while query:
        answer = larder.get(query).json()
        paths += [f"/{module['handle']}/{module['latest_version']}" for module in answer["modules"]]
        query = (answer["next"] or "").removeprefix(larder.url)
    return sorted(paths, key=lambda path: not path.startswith("/real/"))


def test_every_page(browser, catalogue, upstream):
    """A sample of the catalogue; with LARDER_EVERY_PAGE=1 all of it, which takes half an hour; with 4 each page at both widths and in
    both schemes."""
    turns = int(os.environ.get("LARDER_EVERY_PAGE", 0))
    publish_hostile(catalogue)
    publish_many(catalogue)
    paths = every_path(catalogue)
    always = ["/acme/hostile/1", "/acme/hostile/2", "/acme/many/1", *DEPLOYMENTS, *reversed(DEPLOYMENTS)]
    collections = ["/-/collections/" + row["handle"] for row in catalogue.get("/api/v1/collections?limit=200").json()["collections"]]
    chosen = random.Random(5)
    some = paths if turns else chosen.sample(paths, SAMPLE) + [path for path in paths if path.startswith("/real/")][::4]
    some += collections if turns else chosen.sample(collections, 2)
    with shut() as gate:
        begin_fill(catalogue, upstream, FILLING, gate)
        browser.play("sweep", catalogue, {"going on": lambda: None}, paths=PAGES + always + [path for path in some if path not in [*always, *PAGES]],
                     turns=max(turns, 1), most=25 << 10, gallery=GALLERY)
        running = catalogue.get("/api/v1/fills").json()["fills"]
        assert [f"{fill['handle']}/{fill['version']}" for fill in running] == [FILLING], "its page was to show a download half done"


@contextlib.contextmanager
def shut():
    """A gate that opens in the end, whatever comes: who waits behind it would hold up the end of the test."""
    gate = threading.Event()
    try:
        yield gate
    finally:
        gate.set()


def begin_fill(larder, upstream, path, gate):
    """One that stands half done until the gate opens."""
    upstream.serve("/" + path, Answer(modules.module(4 << 20), gate=gate, gate_after=2 << 20))
    reply = larder.request("POST", "/api/v1/fills", {"Content-Type": "application/json"}, json.dumps({"paths": [path]}).encode())
    assert reply.status == 202, reply
    wait_until(lambda: [fill for fill in larder.get("/api/v1/fills").json()["fills"]
                        if fill["bytes"] > 0 and fill["total_bytes"] > 0 and path == f"{fill['handle']}/{fill['version']}"], f"{path} has begun")
