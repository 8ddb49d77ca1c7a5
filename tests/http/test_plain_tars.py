# SPDX-License-Identifier: Apache-2.0
"""A store that takes the gzip off, and stays with it: the plain tar gets a gzip on its way, the same each time, with a warning."""
import gzip
import io
import tarfile
import threading

import pytest
from support import claims, hub_client, modules, packers
from support.daemon import assert_problem
from support.upstream import Answer, Raw, by_method

PATH = "/google/nnlm/2"
COMPRESSED = PATH + "?tf-hub-format=compressed"
SMALL = gzip.decompress(modules.module(1000))
LARGE = gzip.decompress(modules.module(1 << 20))
FORMS = {**claims.OF_THE_WHOLE, **claims.OF_THE_BODY}


def rules(mirror, path=PATH):
    return [warning["rule"] for warning in mirror.get("/api/v1/modules" + path).json()["artifacts"][0].get("warnings", [])]


def plain(tar, **options):
    return Answer(tar, **{"media_type": "application/x-tar", **options})


@pytest.mark.concurrent
@pytest.mark.parametrize("tar", [SMALL, LARGE, gzip.decompress(modules.tf1_hub_module())], ids=["small", "large", "tf1"])
@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}], ids=["", "labelled"])
def test_plain_tar_is_packed(mirror, upstream, tmp_path, tar, headers):
    upstream.serve(PATH, plain(tar, headers=headers))
    reply = mirror.get(COMPRESSED)
    assert reply.status == 200 and gzip.decompress(reply.body) == tar
    again = mirror.get(COMPRESSED)
    assert again.body == reply.body and again.headers["Content-Type"] == "application/gzip"
    assert "Content-Encoding" not in again.headers and int(again.headers["Content-Length"]) == len(reply.body)
    assert mirror.get(COMPRESSED, Range="bytes=5-1004").body == reply.body[5:1005]
    assert rules(mirror) == ["gzip-missing"]
    assert [seen.headers["accept-encoding"] for seen in upstream.requests] == ["identity", "gzip"]
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        wanted = {info.name.removeprefix("./"): archive.extractfile(info).read() for info in archive if info.isfile()}
    assert packers.files(hub_client.load(mirror.url.rstrip("/") + PATH, tmp_path)) == wanted


@pytest.mark.parametrize("options", [{"chunked": True}, {"rate": 1 << 20}, {"media_type": "text/html"}, {"media_type": "application/gzip"},
                                     {"status": 203}], ids=str)
def test_its_bytes_do_not_depend_on_how_it_came(upstream, start, options):
    upstream.serve(PATH, plain(LARGE))
    first = start(upstreams=[upstream.url], name="first").get(COMPRESSED)
    upstream.serve(PATH, plain(LARGE, **options))
    second = start(upstreams=[upstream.url], name="second").get(COMPRESSED)
    assert first.status == 200 and second.body == first.body


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_tar_that_says_so(mirror, upstream, tmp_path, format):
    root = packers.folder(tmp_path / "module")
    with tarfile.open(tmp_path / "m.tar", "w", format=format) as archive:
        archive.add(root, ".")
    upstream.serve(PATH, plain((tmp_path / "m.tar").read_bytes()))
    assert packers.files(hub_client.load(mirror.url.rstrip("/") + PATH, tmp_path / "cache")) == packers.files(root)


def test_tfjs(mirror, upstream):
    upstream.serve("/google/js/1", plain(gzip.decompress(modules.tfjs_module())))
    assert mirror.get("/google/js/1/model.json?tfjs-format=file").json()["format"] == "graph-model"
    assert rules(mirror, "/google/js/1") == ["gzip-missing"]


def test_gzip_that_can_be_had_is_preferred(mirror, upstream):
    upstream.serve(PATH, lambda seen: Answer(modules.module(1000), headers={"Content-Encoding": "gzip"})
                   if seen.headers["accept-encoding"] == "gzip" else plain(SMALL))
    assert mirror.get(COMPRESSED).body == modules.module(1000)
    assert rules(mirror) == []


STORES = {
    "as it is": lambda seen: Answer(modules.module(1000)),
    "as it is, whatever is accepted": lambda seen: Answer(modules.module(1000), headers={"Content-Encoding": "identity"}),
    "takes the gzip off": lambda seen: Answer(modules.module(1000), headers={"Content-Encoding": "gzip"})
    if seen.headers["accept-encoding"] == "gzip" else Answer(SMALL),
    "labels what it has": lambda seen: Answer(modules.module(1000), headers={"Content-Encoding": "gzip"}),
    "puts a gzip on": lambda seen: Answer(gzip.compress(modules.module(1000)), headers={"Content-Encoding": "gzip"})
    if seen.headers["accept-encoding"] == "gzip" else Answer(modules.module(1000)),
    "codes always": lambda seen: Answer(gzip.compress(modules.module(1000)), headers={"Content-Encoding": "gzip"}),
    "a plain tar": lambda seen: plain(SMALL),
    "a plain tar of GNU": lambda seen: plain(SMALL, media_type="application/x-gtar; charset=binary"),
    "calls it a page": lambda seen: Answer(modules.module(1000), media_type="text/html"),
}


@pytest.mark.parametrize("store", STORES)
def test_head_tells_no_length_that_get_has_not(mirror, upstream, store):
    upstream.serve(PATH, STORES[store])
    head = mirror.head(COMPRESSED)
    reply = mirror.get(COMPRESSED)
    assert head.status == reply.status == 200
    assert head.headers.get("Content-Length") in (None, str(len(reply.body)))
    assert (head.headers.get("Content-Length") is not None) == store.startswith("as it is")
    assert mirror.head(COMPRESSED).header("Content-Length") == str(len(reply.body))


def test_clients_get_it_while_it_comes(mirror, upstream):
    gate = threading.Event()
    upstream.serve(PATH, plain(LARGE, gate=gate, gate_after=500_000))
    with mirror.open(COMPRESSED) as response:
        first = response.read(300_000)
        gate.set()
        assert gzip.decompress(first + response.read()) == LARGE


# ---- what upstream told --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_what_is_told_is_held_against_what_came(start, upstream, form):
    mirror = start({"mirror": {"retries": 0}}, [upstream.url])
    upstream.serve(PATH, plain(SMALL, headers=FORMS[form](SMALL + b"x")))
    problem = assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    assert next(iter(FORMS[form](b""))).lower() in problem["detail"].lower()
    mirror.assert_nothing_kept()
    upstream.serve(PATH, plain(SMALL, headers=FORMS[form](SMALL)))
    assert gzip.decompress(mirror.get(COMPRESSED).body) == SMALL


# ---- what is no module ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tar", [SMALL[:2000], LARGE[:-300_000], gzip.decompress(modules.pack([modules.Member("x", b"x")])), SMALL[:600] + bytes(70000)],
                         ids=["cut", "cut late", "no module", "broken"])
def test_what_is_no_module_is_refused(mirror, upstream, tar):
    upstream.serve(PATH, plain(tar))
    with mirror.open(COMPRESSED) as response:
        try:
            assert response.status == 502 or len(response.read()) < len(tar)
        except OSError:
            pass
    mirror.assert_nothing_kept()


def test_transfer_that_breaks_begins_anew(start, upstream):
    mirror = start({"mirror": {"retries": 2}}, [upstream.url])
    upstream.serve(PATH, plain(SMALL), plain(SMALL, cut_after=1000), plain(SMALL))
    assert gzip.decompress(mirror.get(COMPRESSED).body) == SMALL


@pytest.mark.parametrize("tar, status", [(SMALL, 200), (SMALL[:-512], 502), (SMALL[:2000], 502)], ids=["whole", "without its end", "cut"])
def test_connections_end_proves_nothing(start, upstream, tar, status):
    """SMALL has two blocks of zeros and the filling of a record behind them: what ends before is not whole for certain."""
    end = tar.rstrip(b"\0")
    end += bytes(-len(end) % 512)
    whole = end + bytes(1024) if status == 200 else end if tar is not SMALL[:2000] else tar
    upstream.serve(PATH, Raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + whole))
    mirror = start({"mirror": {"retries": 0}}, [upstream.url])
    assert mirror.get(COMPRESSED).status == status
    if status != 200:
        mirror.assert_nothing_kept()


def test_published_it_is_still_refused(larder):
    assert "gzip-broken" in str(assert_problem(larder.put(PATH, SMALL), 422, "invalid-module")["violations"])


def test_evicted_comes_back_as_it_was(start, upstream):
    upstream.serve(PATH, plain(LARGE))
    upstream.serve("/google/other/1", modules.module(1 << 20, seed=3))
    mirror = start({"storage": {"max_bytes": 2_000_000}}, [upstream.url])
    first = mirror.get(COMPRESSED)
    assert mirror.get("/google/other/1?tf-hub-format=compressed").status == 200
    mirror.wait_for_idle()
    assert mirror.get(COMPRESSED).body == first.body
    assert upstream.count(PATH) == 4


def test_head(mirror, upstream):
    upstream.serve(PATH, by_method(plain(b""), plain(SMALL)))
    assert mirror.head(COMPRESSED).status == 200
