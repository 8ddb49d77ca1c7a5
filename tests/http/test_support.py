# SPDX-License-Identifier: Apache-2.0
"""The tests' own tools, without the daemon: a tool that is wrong makes every test above it worthless."""
import gzip
import http.client
import io
import tarfile
import threading

import pytest
from support import hub_client, modules
from support.client import Download, Http, read_status
from support.upstream import Answer, html, redirect
from support.waiting import wait_until


@pytest.fixture
def site(upstream):
    return Http(("127.0.0.1", upstream.port))


# ---- modules ---------------------------------------------------------------------------------------------------------

def test_varints():
    assert [modules.varint(n) for n in (0, 127, 128, 300)] == [b"\0", b"\x7f", b"\x80\x01", b"\xac\x02"]
    assert modules.varint(-1) == b"\xff" * 9 + b"\x01"


def test_saved_model_is_what_protobuf_reads():
    tensor = modules.Tensor("x:0", "int64", [-1, 3]).encode()
    assert tensor == bytes.fromhex("0a03783a30") + b"\x10\x09" + b"\x1a\x11" + b"\x12\x0b\x08" + b"\xff" * 9 + b"\x01\x12\x02\x08\x03"
    assert modules.Tensor("x:0", "float32", []).encode().endswith(b"\x1a\x00")
    assert modules.Tensor("x:0", "float32", modules.UNSET).encode().endswith(b"\x10\x01")
    assert modules.Tensor("x:0", "float32", None).encode().endswith(b"\x1a\x02\x18\x01")
    model = modules.saved_model()
    assert model.startswith(b"\x08\x01\x12") and b"serving_default" in model


def test_modules_are_the_same_each_time():
    assert modules.module(5000) == modules.module(5000)
    assert modules.module(5000) != modules.module(5000, seed=2)


def test_module_holds_its_members():
    with tarfile.open(fileobj=io.BytesIO(modules.module(5000))) as archive:
        assert archive.getnames() == [".", "./saved_model.pb", "./variables", "./variables/variables.index",
                                      "./variables/variables.data-00000-of-00001"]
        assert archive.extractfile("./saved_model.pb").read() == modules.saved_model()


def test_incompressible_module_has_its_size():
    assert 1 << 20 <= len(modules.module(1 << 20)) <= (1 << 20) + 20000


def test_ill_made_members():
    entries = [modules.Member("l", type=tarfile.SYMTYPE, link="/etc/passwd"), modules.Member("../x", b"1"),
               modules.Member("d", type=tarfile.CHRTYPE)]
    with tarfile.open(fileobj=io.BytesIO(modules.pack(entries))) as archive:
        assert [(member.name, member.type) for member in archive] == [("l", b"2"), ("../x", b"0"), ("d", b"3")]


def test_damage_is_where_it_should_be():
    whole = modules.module()
    with pytest.raises(gzip.BadGzipFile, match="CRC"):
        gzip.decompress(modules.with_bad_crc(whole))
    with pytest.raises(gzip.BadGzipFile, match="length"):
        gzip.decompress(modules.with_bad_length(whole))


def test_tfjs_module_can_lack_a_shard():
    archive = modules.tfjs_module(**{"group1-shard2of3.bin": None})
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert "./group1-shard2of3.bin" not in tar.getnames() and "./model.json" in tar.getnames()


# ---- the upstream ----------------------------------------------------------------------------------------------------

def test_upstream_serves_and_counts(upstream, site):
    upstream.serve("/a", b"hello")
    assert site.get("/a?x=1").body == b"hello"
    assert site.get("/b").status == 404
    assert upstream.count() == 2 and upstream.count("/a") == 1 and upstream.sent_bytes == 5 + len(b"no such thing\n")
    assert upstream.requests[0].query == "x=1" and "host" in upstream.requests[0].headers


def test_upstream_answers_in_turn(upstream, site):
    upstream.serve("/a", Answer(status=500), html(), redirect("/b"), b"at last")
    assert [site.get("/a").status for _ in range(5)] == [500, 200, 302, 200, 200]


@pytest.mark.parametrize("chunked", [False, True])
def test_upstream_waits_at_the_gate(upstream, site, chunked):
    gate = threading.Event()
    upstream.serve("/a", Answer(b"x" * 200000, gate=gate, gate_after=100000, chunked=chunked))
    download = Download(site, "/a")
    assert download.read_up_to(100000) and upstream.sent_bytes == 100000
    gate.set()
    assert download.read_to_end() and download.whole and download.received == 200000


def test_upstream_holds_back_the_whole_answer(upstream, site):
    before = threading.Event()
    upstream.serve("/a", Answer(b"x", before=before))
    threading.Thread(target=lambda: (upstream.wait_for_requests(1), before.set())).start()
    assert site.get("/a").body == b"x"


@pytest.mark.parametrize("cut", ["close", "reset"])
@pytest.mark.parametrize("chunked", [False, True])
def test_upstream_cuts(upstream, site, cut, chunked):
    upstream.serve("/a", Answer(b"x" * 500000, cut_after=300000, cut=cut, chunked=chunked))
    download = Download(site, "/a")
    assert not download.read_to_end() and not download.whole and download.received <= 300000


@pytest.mark.parametrize("declared, whole", [(5, True), (20, False)])
def test_upstream_lies_about_length(upstream, site, declared, whole):
    upstream.serve("/a", Answer(b"0123456789", declared_length=declared))
    download = Download(site, "/a")
    assert download.headers["Content-Length"] == str(declared)
    assert download.read_to_end() == whole and download.received == min(declared, 10)


def test_upstream_ranges(upstream, site):
    upstream.serve("/a", Answer(b"0123456789", etag='"v1"', ranges=True))
    part = site.get("/a", range="bytes=4-", if_range='"v1"')
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, b"456789", "bytes 4-9/10")
    assert site.get("/a", range="bytes=4-", if_range='"v0"').body == b"0123456789"
    upstream.serve("/b", b"0123456789")
    assert site.get("/b", range="bytes=4-").status == 200


def test_upstream_goes_away(upstream, site):
    upstream.serve("/a", Answer(b"x" * 100000, gate=threading.Event(), gate_after=50000))
    download = Download(site, "/a")
    assert download.read_up_to(50000)
    upstream.stop()
    assert not download.read_to_end()
    with pytest.raises(ConnectionRefusedError):
        site.get("/a")


# ---- the clients -----------------------------------------------------------------------------------------------------

def test_chunked_body_cut_before_its_last_chunk_is_an_error(upstream, site):
    upstream.serve("/a", Answer(b"x" * 10, cut_after=10, cut="close", chunked=True))
    with pytest.raises(http.client.IncompleteRead):
        site.get("/a")


def test_raw_requests(upstream, site):
    upstream.serve("/a", b"hello")
    answer = site.raw(b"GET /a HTTP/1.0\r\n\r\n")
    assert read_status(answer) == 200 and answer.endswith(b"\r\n\r\nhello")


def test_hub_client_appends_its_query():
    assert hub_client.request_url("http://h/a/1") == "http://h/a/1?tf-hub-format=compressed"
    assert hub_client.request_url("http://h/a/1?tf-hub-format=compressed").count("tf-hub-format=compressed") == 2


def test_hub_client_resolves(upstream, tmp_path):
    upstream.serve("/a/1", modules.module())
    folder = hub_client.load(f"{upstream.url}/a/1", tmp_path)
    assert (tmp_path / folder / "variables" / "variables.index").read_bytes() == modules.bundle_index(1000)
    assert hub_client.load(f"{upstream.url}/a/1", tmp_path) == folder
    assert upstream.count() == 1 and upstream.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("entries", [
    [modules.Member("variables/variables.index", b"x")],
    [modules.Member("../saved_model.pb", b"x")],
    [modules.Member("..saved_model.pb", b"x")],
    [modules.Member("saved_model.pb", type=tarfile.SYMTYPE, link="x")],
    [modules.Member("a", b"x"), modules.Member("b", type=tarfile.LNKTYPE, link="a")],
], ids=["no folder entry", "traversal", "two dots", "symbolic link", "hard link"])
def test_hub_client_refuses_members(upstream, tmp_path, entries):
    upstream.serve("/a/1", modules.pack(entries))
    with pytest.raises(hub_client.ResolveError):
        hub_client.resolve(f"{upstream.url}/a/1", tmp_path)


def test_hub_client_is_careless(upstream, tmp_path):
    whole = modules.module(100)
    upstream.serve("/a/1", Answer(modules.with_bad_crc(whole)))
    upstream.serve("/b/1", Answer(whole[:-8], declared_length=len(whole)))
    hub_client.load(f"{upstream.url}/a/1", tmp_path)
    hub_client.load(f"{upstream.url}/b/1", tmp_path)
    upstream.serve("/c/1", Answer(whole, chunked=True, cut_after=len(whole) // 2, cut="close"))
    with pytest.raises(hub_client.ResolveError):
        hub_client.load(f"{upstream.url}/c/1", tmp_path)


def test_waiting_says_what_for():
    with pytest.raises(AssertionError, match="the end of days"):
        wait_until(lambda: False, "the end of days", deadline_s=0)
