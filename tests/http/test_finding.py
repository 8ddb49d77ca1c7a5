# SPDX-License-Identifier: Apache-2.0
"""What people look for comes first; what they mistyped is understood; what has many values can be reached, and taken back."""
import random
import re
from html import unescape
from urllib.parse import quote, urlencode

import pytest
from support import modules
from support.command_line import run
from support.daemon import assert_problem
from test_pages import Page, browse

MEANT = {
    "yamnet": "google/yamnet",
    "bert": "tensorflow/bert_en_uncased_L-12_H-768_A-12",
    "use": "google/universal-sentence-encoder",
    "universal sentence encoder": "google/universal-sentence-encoder",
    "mobilenet v2": "google/imagenet/mobilenet_v2_100_224/(classification|feature_vector)",
    "nnlm en": "google/nnlm-en-dim(50|128)",
    "movenet": "google/movenet/singlepose/lightning",
    "efficientnet b0 lite": "tensorflow/efficientnet/lite0/(classification|feature-vector)",
    "elmo": "google/elmo",
    "resnet 50 feature vector": "(google/imagenet/resnet_v[12]_50|tensorflow/resnet_50)/feature_vector",
    "imagenet classification tflite": "google/.*imagenet/mobilenet_v[23]_.*/classification.*",
    "stylization": "google/magenta/arbitrary-image-stylization-v1-256",
}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory, blank, imported):
    """The whole catalogue of tfhub.dev, listed."""
    import shutil
    from support.fixtures import starting
    folder = tmp_path_factory.mktemp("catalogue")
    shutil.copytree(imported, folder / "larder" / "data")
    with starting(folder, blank) as start_daemon:
        yield start_daemon()


def search(daemon, q, **more):
    reply = daemon.get("/api/v1/modules?" + urlencode({"q": q, **more}))
    assert reply.status == 200, reply
    return reply.json()


def test_what_people_mean_comes_first(catalogue):
    first = {q: search(catalogue, q, limit=1)["modules"][0]["handle"] for q in MEANT}
    missed = {q: handle for q, handle in first.items() if not re.fullmatch(MEANT[q], handle)}
    assert len(missed) <= 2, missed


def test_pages_of_a_search_are_the_whole_of_it(catalogue):
    for q in ("bert", "use", "google/yamnet/1"):
        whole = [module["handle"] for module in search(catalogue, q, limit=200)["modules"]]
        url, found = "/api/v1/modules?" + urlencode({"q": q, "limit": 7}), []
        while url and len(found) < len(whole):
            page = catalogue.get(url).json()
            found += [module["handle"] for module in page["modules"]]
            url = page["next"] and page["next"][len(catalogue.url):]
        assert found[:len(whole)] == whole and len(set(whole)) == len(whole), q


@pytest.mark.parametrize("form", ["{path}", "{path}/", "/{path}", " {path}  ", "https://tfhub.dev/{path}", "http://tfhub.dev/{path}",
                                  "tfhub.dev/{path}", "https://www.tfhub.dev/{path}?tf-hub-format=compressed", "HTTPS://tfhub.dev/{path}#usage",
                                  "hub.tensorflow.google.cn/{path}", "https://storage.googleapis.com/tfhub-modules/{path}.tar.gz",
                                  "{url}/{path}", "{url}/https://tfhub.dev/{path}"])
def test_a_pasted_name_is_found_first(catalogue, form):
    for handle, version in (("google/yamnet", 1), ("google/elmo", 3), ("google/spice", 2)):
        answer = search(catalogue, form.format(path=f"{handle}/{version}", url=catalogue.url))
        assert answer["exact"] == {"handle": handle, "version": version, "known": True, "url": f"{catalogue.url}/{handle}/{version}"}
        assert answer["modules"][0]["handle"] == handle


def test_names_of_what_is_not_known_and_of_other_hosts(catalogue):
    assert search(catalogue, "https://tfhub.dev/nobody/nothing/3")["exact"] == {
        "handle": "nobody/nothing", "version": 3, "known": False, "url": catalogue.url + "/nobody/nothing/3"}
    for q in ("https://example.org/google/yamnet/1", "yamnet", "google/yamnet tflite", "https://tfhub.dev/", "google/../yamnet"):
        assert "exact" not in search(catalogue, q), q
    page = browse(catalogue, "/?q=https://tfhub.dev/nobody/nothing/3")
    assert page.has_text("is not known here") and "/nobody/nothing/3" in page.links
    page = browse(catalogue, "/?q=https://tfhub.dev/google/yamnet/1")
    assert "/google/yamnet/1" in page.links


def mistyped(word, seed):
    """Words that differ by one letter: left out, doubled, exchanged, turned around."""
    chance = random.Random(seed)
    at = chance.randrange(1, len(word) - 1)
    yield word[:at] + word[at + 1:]
    yield word[:at] + word[at] + word[at:]
    yield word[:at] + "q" + word[at + 1:]
    yield word[:at] + word[at + 1] + word[at] + word[at + 2:]


@pytest.mark.parametrize("word", ["mobilenet", "efficientnet", "stylization", "inception", "wikipedia", "segmentation", "movenet"])
def test_typos(catalogue, word):
    for seed in range(3):
        for typo in mistyped(word, seed):
            answer = search(catalogue, typo, limit=1)
            assert typo == word or answer["total"] > 0 or answer["did_you_mean"] == word, typo
    assert "did_you_mean" not in search(catalogue, word, limit=1)


def test_typos_of_the_field(catalogue):
    assert search(catalogue, "mobilnet")["did_you_mean"] == "mobilenet"
    assert search(catalogue, "efficentnet")["did_you_mean"] == "efficientnet"
    assert search(catalogue, "mobilnet V2")["did_you_mean"] == "mobilenet V2"
    for q in ("xq", "zzzzzzzzzz", "q" * 200, "1234567890"):
        assert "did_you_mean" not in search(catalogue, q), q
    done = run("list", "mobilnet", server=catalogue.url)
    assert (done.stdout, done.stderr) == ("", 'no module matches; did you mean "mobilenet"?\n')
    page = browse(catalogue, "/?q=mobilnet")
    assert page.has_text("Did you mean mobilenet?") and "/?q=mobilenet" in page.links


def test_a_publishers_page_tells_what_was_meant_and_keeps_its_own(catalogue):
    page = browse(catalogue, "/google?q=mobilnet")
    assert page.has_text("Did you mean mobilenet?") and "/google?q=mobilenet" in page.links
    assert not browse(catalogue, "/google?q=mobilenet").has_text("Did you mean")
    for path in ("/google", "/google?sort=name", "/google?sort=&q="):
        page = browse(catalogue, path)
        assert {"collections", "documentation", "modules"} <= set(page.ids), path
    following, = [link for link in page.links if "cursor=" in link]
    page = browse(catalogue, following)
    assert "collections" not in page.ids and "/google" in page.links and page.has_text("All of google, from the beginning")


def test_publishers_and_collections_stand_above(catalogue):
    page = browse(catalogue, "/?q=google")
    assert "/google" in page.links and page.has_text("Publishers: google 966")
    page = browse(catalogue, "/?q=bert")
    assert "/-/collections/google/bert" in page.links


def marked(daemon, q):
    body = daemon.get("/?q=" + quote(q), accept="text/html").body.decode()
    Page(daemon.get("/?q=" + quote(q), accept="text/html"))
    return {unescape(text) for text in re.findall(r"<mark>(.*?)</mark>", body)}, body


def test_matches_are_marked(catalogue):
    assert marked(catalogue, "mobileNet v2")[0] >= {"mobilenet", "v2"}
    assert marked(catalogue, "google/yamnet/1")[0] == {"google", "yamnet"}
    assert {text.lower() for text in marked(catalogue, "sentence enc")[0]} == {"sentence", "enc"}


HOSTILE = ["<script>alert(1)</script>", "\"><img src=x>", "<b>", "&lt;i&gt;", "a<mark>b", "x' onload='y"]


def test_marks_are_no_way_for_markup(larder):
    for number, text in enumerate(HOSTILE, 1):
        larder.publish(f"/acme/hostile-{number}/1", modules.module(seed=number))
        larder.publish(f"/acme/hostile-{number}/1", (f"# Module acme/hostile-{number}/1\nSays {text} and more.\n\n"
                       "<!-- task: text-embedding -->\n<!-- fine-tunable: true -->\n").encode(), content_type="text/markdown")
    for text in [*HOSTILE, *(word for text in HOSTILE for word in text.split()), "Says", "a", "&", ";", "lt", "39"]:
        body = marked(larder, text)[1]
        assert not re.search(r"<(script>alert|img src=x|b>|i>)|onload='", body), text
        assert body.count("<mark>") == body.count("</mark>"), text


# ---- facets ----

def every_value(daemon, facet):
    """All values of a facet, counted from the modules themselves."""
    url, values = "/api/v1/modules?limit=200", {}
    while url:
        page = daemon.get(url).json()
        for module in page["modules"]:
            for value in module["tags"].get(facet, []):
                values[value] = values.get(value, 0) + 1
        url = page["next"] and page["next"][len(daemon.url):]
    return values


@pytest.mark.parametrize("facet", ["dataset", "architecture", "language", "task"])
def test_every_value_can_be_reached(catalogue, facet):
    values = every_value(catalogue, facet)
    answer = search(catalogue, "", facets="true", limit=1)
    assert answer["facet_totals"][facet] == len(values)
    assert len(answer["facets"][facet]) == min(len(values), 50)
    for value in values:
        found = search(catalogue, "", facets="true", limit=1, **{"find_" + facet: value.upper()})
        assert found["facets"][facet].get(value) == values[value], value
        assert found["total"] == answer["total"], "a part of a value is no filter"


def test_languages_are_found_by_what_they_are_called(catalogue):
    for name, code in (("german", "de"), ("Japan", "ja"), ("norw", "no"), ("chinese", "zh-cn")):
        assert code in search(catalogue, "", facets="true", limit=1, find_language=name)["facets"]["language"]
    page = browse(catalogue, "/?find_language=german")
    assert page.has_text("de · German")


def test_filters_of_the_page(larder):
    larder.publish("/acme/half-plus-two/1", modules.module())
    size = larder.get("/api/v1/modules").json()["modules"][0]["size_bytes"]
    larder.publish("/acme/other/1?lite-format=tflite", modules.tflite_model(900_000))
    for query, count in ((f"min_size={size + 1}", 1), (f"max_size={size}", 1), ("max_size=1M", 2), ("min_size=1T", 0), ("input_dtype=float32", 1),
                         ("input_dtype=string", 0), ("tensorflow_version=2", None), ("op=Nothing", 0), ("max_size=", 2)):
        total = larder.get("/api/v1/modules?" + query).json()["total"]
        assert count is None or total == count, query
        page = browse(larder, "/?" + query)
        assert page.has_text("No module matches" if total == 0 else f"{total} module"), query
        name, value = query.split("=")
        assert [attributes for tag, attributes in page.tags if attributes.get("name") == name], query
        assert ("/?q=" in page.links) == bool(value), query
    for query in ("max_size=much", "min_size=-1", "max_size=1.5M"):
        assert_problem(larder.get("/api/v1/modules?" + query), 400, "bad-request")


def test_what_is_chosen_can_be_taken_back(catalogue):
    query = "q=bert&language=en&language=de&task=text-embedding&sort=name&utm_source=mail"
    page = browse(catalogue, "/?" + query)
    for name, value in (("language", "en"), ("language", "de"), ("task", "text-embedding")):
        link = "/?" + query.replace(f"&{name}={value}", "").replace("&utm_source=mail", "").replace("&sort=name", "")
        assert any(link == re.sub("&sort=name", "", href) for href in page.links if href), (name, page.links)
    assert "/?q=bert" in page.links


# ---- parameters ----

LISTS = {
    "/api/v1/modules": "license", "/api/v1/publishers": "cursor", "/api/v1/collections": "publisher", "/api/v1/wants": "limit",
    "/api/v1/modules/google/yamnet": "newest", "/api/v1/files/google/yamnet/1": "format", "/api/v1/diff/google/elmo/1/2": "format",
    "/": "license", "/-/search": "tensorflow_version", "/-/collections": "publisher", "/-/versions/google/yamnet": "cursor",
    "/-/compare/google/elmo": "format",
}


@pytest.mark.parametrize("path", LISTS)
def test_parameters_that_are_none(catalogue, path):
    page = not path.startswith("/api/")
    accept = "text/html" if page else "*/*"
    for typo in mistyped(LISTS[path], 1):
        reply = catalogue.get(f"{path}?{typo}=1", accept=accept)
        if typo == LISTS[path]:
            continue
        assert reply.status == 400, (typo, reply)
        said = unescape(reply.body.decode()).replace("\\", "")
        assert f'There is no parameter "{typo}" here: did you mean "{LISTS[path]}"?' in said, said
    assert catalogue.get(f"{path}?wholly_different=1", accept=accept).status == 400
    for decoration in ("utm_source=news", "fbclid=x", "gclid=1"):
        assert (catalogue.get(f"{path}?{decoration}", accept=accept).status == 400) == (not page), decoration


def test_a_name_that_was_nearly_right(catalogue):
    assert "did you mean \"license\"" in assert_problem(catalogue.get("/api/v1/modules?licence=mit"), 400, "bad-request")["detail"]


# ---- publishers ----

def test_publishers(catalogue):
    everyone = catalogue.get("/api/v1/publishers?limit=200").json()
    names = [row["name"] for row in everyone["publishers"]]
    assert names == sorted(names) and everyone["total"] == len(names) > 30
    largest = catalogue.get("/api/v1/publishers?limit=200&sort=modules").json()["publishers"]
    assert [row["modules"] for row in largest] == sorted((row["modules"] for row in largest), reverse=True)
    assert sorted(row["name"] for row in largest) == names
    for row in everyone["publishers"]:
        for q in (row["name"].upper(), row["display_name"]):
            found = catalogue.get("/api/v1/publishers?" + urlencode({"q": q, "limit": 200})).json()["publishers"]
            assert row in found, q
    assert catalogue.get("/api/v1/publishers?q=nobody-at-all").json() == {"publishers": [], "total": 0, "next": None}
    assert_problem(catalogue.get("/api/v1/publishers?sort=size"), 400, "bad-request")
    for order in ("name", "modules"):
        url, found = f"/api/v1/publishers?limit=4&q=e&sort={order}", []
        while url:
            page = catalogue.get(url).json()
            found += [row["name"] for row in page["publishers"]]
            url = page["next"] and page["next"][len(catalogue.url):]
        assert len(found) == len(set(found)) == page["total"] and set(found) <= set(names)
