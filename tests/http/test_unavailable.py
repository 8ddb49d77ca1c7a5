# SPDX-License-Identifier: Apache-2.0
"""What is not here and cannot be fetched either: pages, JSON and commands say so as a download does, and none sends people to
`larder prefetch` for it."""
import subprocess

import pytest
from support import modules
from support.daemon import binary
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until
from test_pages import browse

PATH = "/google/x/1"
FORMATS = {"tf-hub": ("?tf-hub-format=compressed", lambda seed: modules.module(seed=seed)),
           "tfjs": ("?tfjs-format=compressed", lambda seed: modules.tfjs_module(shard_size=400 + 4 * seed)),
           "tflite": ("?lite-format=tflite", lambda seed: modules.tflite_model(500 + 4 * seed))}

# What upstream answers at the second time, and the settings then.
KINDS = {"other bytes": (lambda make: Answer(make(2)), {}, "quarantined"),
         "absent": (lambda make: Answer(b"none", 404, "text/plain"), {}, "not-found"),
         "no module": (lambda make: Answer(b"words, " * 200), {}, "upstream-failed"),
         "offline": (lambda make: Answer(make(1)), {"mirror": {"offline": "true"}}, "offline"),
         "denied": (lambda make: Answer(make(1)), {"mirror": {"deny": "google/*"}}, "blocked-by-policy")}


def run(larder, *arguments):
    return subprocess.run([binary(), *arguments, "--server", larder.url], capture_output=True, text=True, timeout=DEADLINE_S)


def lose_blobs(mirror):
    mirror.wait_for_idle()
    for path in (mirror.data / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", FORMATS)
def test_what_was_evicted_and_cannot_be_fetched(upstream, start, format, kind):
    query, make = FORMATS[format]
    answer, settings, code = KINDS[kind]
    mirror = start({}, [upstream.url])
    upstream.serve(PATH, Answer(make(1)))
    assert mirror.get(PATH + query).status == 200
    lose_blobs(mirror)
    assert "cannot be had" not in run(mirror, "show", PATH).stderr
    upstream.serve(PATH, answer(make))
    mirror.stop()
    mirror.configure(settings, [upstream.url])
    mirror.start()
    first = mirror.get(PATH + query).json()
    refused = mirror.get(PATH + query).json()
    assert first["code"] == refused["code"] == code

    artifact, = mirror.get("/api/v1/modules" + PATH).json()["artifacts"]
    assert artifact["cached"] is False and artifact["unavailable"] == {"code": code, "detail": refused["detail"]}
    page = browse(mirror, PATH)
    assert page.has_text(refused["detail"]) and not page.has_text("larder prefetch") and not page.has_text("at next use")
    assert page.has_text("held back") == (code == "quarantined")
    shown = run(mirror, "show", PATH)
    assert refused["detail"] in shown.stderr and f"\t{code}\n" in shown.stdout, (shown.stdout, shown.stderr)


def test_bytes_that_are_held_back_tell_the_ways_out(upstream, mirror):
    upstream.serve(PATH, Answer(modules.module(seed=1)), Answer(modules.module(seed=2)))
    assert mirror.get(PATH + ".tar.gz").status == 200
    lose_blobs(mirror)
    for _ in range(2):
        detail = mirror.get(PATH + ".tar.gz").json()["detail"]
        assert "PUT those recorded here" in detail and "as another version" in detail, detail
    # One of them, tried.
    mirror.publish(PATH, modules.module(seed=1))
    assert mirror.get(PATH + ".tar.gz").status == 200
    page = browse(mirror, PATH)
    assert page.has_text("stored here") and not page.has_text("eld back")


@pytest.mark.parametrize("format", FORMATS)
def test_what_was_evicted_and_can_be_fetched(upstream, mirror, format):
    query, make = FORMATS[format]
    upstream.serve(PATH, Answer(make(1)))
    mirror.get(PATH + query)
    lose_blobs(mirror)
    # Whoever asks first finds that it is gone.
    upstream.serve(PATH, Answer(b"", 500))
    assert mirror.get(PATH + query).status == 502
    wait_until(lambda: not mirror.get("/api/v1/fills").json()["fills"], "the end of the fill that failed")
    upstream.serve(PATH, Answer(make(1)))
    assert "unavailable" not in mirror.get("/api/v1/modules" + PATH).json()["artifacts"][0]
    page = browse(mirror, PATH)
    assert page.has_text(f"larder prefetch --server {mirror.url} 'google/x/1{query}'") and page.has_text("at next use")
    assert run(mirror, "prefetch", f"google/x/1{query}").returncode == 0
    assert mirror.get("/api/v1/modules" + PATH).json()["artifacts"][0]["cached"] is True


@pytest.mark.parametrize("path", ["/google/x/1", "/google/a/b/2", "/other/x/10"])
def test_what_is_not_known_and_was_asked_for(upstream, start, path):
    mirror = start({"mirror": {"deny": "other/*"}}, [upstream.url])
    assert browse(mirror, path, 404).has_text("larder prefetch") == (not path.startswith("/other"))
    refused = mirror.get(path + ".tar.gz").json()
    assert refused["code"] in ("not-found", "blocked-by-policy")
    page = browse(mirror, path, 404)
    detail = mirror.get(path + ".tar.gz").json()["detail"]
    assert page.has_text(detail) and not page.has_text("larder prefetch") and not page.has_text("may have it.")
