# SPDX-License-Identifier: Apache-2.0
"""Code that calls hub.load() works with Larder: whatever it is given, it gets a whole module or an error."""
import threading
from pathlib import Path

import pytest
from support import hub_client, modules
from support.upstream import Answer

PATH = "/google/nnlm/2"


def test_published_module(larder, tmp_path):
    larder.publish(PATH, modules.module(100_000))
    folder = Path(hub_client.load(larder.url.rstrip("/") + PATH, tmp_path / "cache"))
    assert (folder / "saved_model.pb").read_bytes() == modules.saved_model()
    assert (folder / "variables" / "variables.data-00000-of-00001").read_bytes() == modules.payload(100_000)


def test_handles_as_people_write_them(larder, tmp_path):
    larder.publish(PATH, modules.module(100))
    base = larder.url.rstrip("/")
    for handle in (PATH, PATH + "?tf-hub-format=compressed", PATH + ".tar.gz", "/https://tfhub.dev" + PATH,
                   PATH + "?tfhub-redirect=true", PATH[:-2], "/tfhub-modules" + PATH + ".tar.gz"):
        hub_client.load(base + handle, tmp_path)


@pytest.mark.parametrize("chunked", [False, True])
def test_mirrored_module(upstream, mirror, tmp_path, chunked):
    upstream.serve(PATH, Answer(modules.module(500_000), chunked=chunked))
    cold = hub_client.load(mirror.url.rstrip("/") + PATH, tmp_path / "cold")
    warm = hub_client.load(mirror.url.rstrip("/") + PATH, tmp_path / "warm")
    for folder in (cold, warm):
        data = Path(folder, "variables", "variables.data-00000-of-00001").read_bytes()
        assert data == modules.payload(500_000)
    assert upstream.count() == 1


@pytest.mark.concurrent
def test_many_clients_at_once(upstream, mirror, tmp_path):
    upstream.serve(PATH, modules.module(500_000))
    folders = {}

    def load(i):
        folders[i] = hub_client.load(mirror.url.rstrip("/") + PATH, tmp_path / str(i))

    threads = [threading.Thread(target=load, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 16 and upstream.count() == 1


@pytest.mark.parametrize("answer", [
    Answer(modules.with_bad_crc(modules.module(500_000))),
    Answer(modules.module(500_000)[:-8]),
    Answer(modules.module(500_000)[:300_000]),
    Answer(modules.module(500_000) + b"garbage"),
    Answer(modules.module(500_000), cut_after=300_000),
    Answer(modules.module(500_000), cut_after=499_000, cut="close", declared_length=900_000),
], ids=["CRC", "no trailer", "cut", "garbage", "reset", "closed early"])
def test_careless_client_is_kept_from_what_is_broken(upstream, mirror, tmp_path, answer):
    """The client itself would take most of these: see test_support."""
    upstream.serve(PATH, answer, Answer(b"", 503))
    with pytest.raises(hub_client.ResolveError):
        hub_client.load(mirror.url.rstrip("/") + PATH, tmp_path)


def test_absent_module_is_an_error(upstream, mirror, tmp_path):
    with pytest.raises(hub_client.ResolveError, match="404"):
        hub_client.load(mirror.url.rstrip("/") + PATH, tmp_path)
