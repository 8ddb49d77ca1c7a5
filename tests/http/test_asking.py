# SPDX-License-Identifier: Apache-2.0
"""How upstreams are asked, and what their answers are taken for: bytes before labels, what is asked once, HEAD."""
import gzip
import threading
import zlib

import pytest
from support import modules
from support.client import Download
from support.daemon import assert_problem
from support.upstream import Answer, bucket_403, by_method, html, redirect
from support.waiting import wait_until

PATH = "/google/nnlm/2"
COMPRESSED = PATH + "?tf-hub-format=compressed"
LITE = PATH + "?lite-format=tflite"
MIB = 1 << 20
SMALL = modules.module(1000)
MODULE = modules.module(4 * MIB)
TFLITE = modules.tflite_model()
TFJS = modules.tfjs_module()
NO_MODULES = {"text": b"not here\n" * 50, "zip": b"PK\x03\x04" + bytes(500), "wrong CRC": modules.with_bad_crc(SMALL),
              "cut": SMALL[:-9], "no model": modules.pack([modules.Member("./"), modules.Member("./readme", b"none")]),
              "large": modules.with_bad_crc(MODULE)}


@pytest.fixture
def eager(upstream, start):
    """A mirror that tries again often."""
    return start({"mirror": {"retries": 5, "private_upstreams": "on"}}, [upstream.url])


@pytest.fixture
def again(upstream, start):
    """A mirror that tries again once, for what fails each time."""
    return start({"mirror": {"retries": 1}}, [upstream.url])


# ---- bytes, then labels ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("media_type", ["text/html", "text/html; charset=utf-8", "application/xhtml+xml", "text/plain",
                                        "application/json", "application/x-tar", "image/png", ""])
@pytest.mark.parametrize("body, url", [(SMALL, COMPRESSED), (TFJS, PATH + "?tfjs-format=compressed"), (TFLITE, LITE)],
                         ids=["tf-hub", "tfjs", "tflite"])
def test_a_wrong_label_does_not_matter(upstream, eager, media_type, body, url):
    upstream.serve(PATH, Answer(body, media_type=media_type))
    assert eager.get(url).body == body


def test_a_label_and_bytes_that_trickle(upstream, eager):
    """The first bytes come one by one, and nothing is decided before there are enough."""
    gates = [threading.Event() for _ in range(4)]
    for number, gate in enumerate(gates):
        upstream.serve(f"/google/m{number}/1", Answer(SMALL, media_type="text/html", gate=gate, gate_after=number + 1))
    replies = []
    threads = [threading.Thread(target=lambda url=f"/google/m{number}/1.tar.gz": replies.append(eager.get(url)))
               for number in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: upstream.sent_bytes == 1 + 2 + 3 + 4, "the first bytes to be sent")
    for gate in gates:
        gate.set()
    for thread in threads:
        thread.join()
    assert [reply.body for reply in replies] == 4 * [SMALL]


@pytest.mark.parametrize("page", [html(), html(203), Answer(b"", media_type="text/html"),
                                  Answer(gzip.compress(b"<html>" * 99), media_type="text/html", headers={"Content-Encoding": "gzip"}),
                                  Answer(b"x", media_type="text/html"), Answer(b"<p>" * 99999, media_type="text/html", chunked=True)],
                         ids=["page", "203", "empty", "coded", "one byte", "large"])
def test_a_page_is_absence(upstream, eager, page):
    upstream.serve(PATH, page)
    assert_problem(eager.get(COMPRESSED), 404, "not-found")
    assert_problem(eager.get(COMPRESSED), 404, "not-found")
    assert upstream.count() == 1
    eager.assert_nothing_kept()


@pytest.mark.parametrize("status", [200, 201, 202, 203, 207, 208, 226, 250, 299])
def test_other_kinds_of_success(upstream, eager, status):
    upstream.serve(PATH, Answer(SMALL, status))
    assert eager.get(COMPRESSED).body == SMALL


@pytest.mark.parametrize("status", [204, 205])
def test_success_without_a_body_is_a_failure(upstream, eager, status):
    upstream.serve(PATH, Answer(b"", status))
    assert_problem(eager.get(COMPRESSED), 502, "upstream-failed")
    upstream.serve(PATH, SMALL)
    assert eager.get(COMPRESSED).body == SMALL, "it was remembered"


@pytest.mark.parametrize("status", [200, 207, 299])
def test_any_success_is_judged_by_its_bytes(upstream, eager, status):
    upstream.serve(PATH, Answer(b"<?xml version='1.0'?><multistatus/>" * 9, status, "application/xml"))
    assert_problem(eager.get(COMPRESSED), 502, "upstream-failed")
    eager.assert_nothing_kept()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_part_that_is_the_whole(upstream, eager, chunked):
    upstream.serve(PATH, Answer(MODULE, 206, headers={"Content-Range": f"bytes 0-{len(MODULE) - 1}/{len(MODULE)}"}, chunked=chunked))
    assert eager.get(COMPRESSED).body == MODULE


@pytest.mark.parametrize("told", [f"bytes 0-{len(SMALL) - 1}/{len(SMALL) + 1}", f"bytes 1-{len(SMALL)}/{len(SMALL) + 1}",
                                  f"bytes 0-{len(SMALL) - 1}/*", "bytes */9", "nonsense"])
def test_a_part_that_is_not(upstream, again, told):
    upstream.serve(PATH, Answer(SMALL, 206, headers={"Content-Range": told}))
    assert "a part" in assert_problem(again.get(COMPRESSED), 502, "upstream-failed")["detail"]


# ---- codings ---------------------------------------------------------------------------------------------------------

def store_that_decodes(body, coding="gzip"):
    """Keeps the object coded, as GCS does with Content-Encoding: gzip, and takes that off for whoever does not ask for it."""
    def answer(seen):
        if "gzip" in seen.headers.get("accept-encoding", ""):
            return Answer(body, media_type="application/x-tar", headers={"Content-Encoding": coding})
        return Answer(gzip.decompress(body), media_type="application/x-tar", chunked=True)
    return answer


@pytest.mark.parametrize("body, url", [(SMALL, COMPRESSED), (MODULE, COMPRESSED), (TFJS, PATH + "?tfjs-format=compressed")],
                         ids=["small", "large", "tfjs"])
def test_stored_bytes_come_as_stored(upstream, eager, body, url):
    upstream.serve(PATH, store_that_decodes(body))
    assert eager.get(url).body == body


def proxy_that_codes(body, level=6):
    def answer(seen):
        return Answer(gzip.compress(body, level), headers={"Content-Encoding": "gzip", "ETag": 'W/"v1"'}, chunked=True)
    return answer


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("body, url", [(SMALL, COMPRESSED), (MODULE, COMPRESSED), (TFJS, PATH + "?tfjs-format=compressed"),
                                       (TFLITE, LITE)], ids=["small", "large", "tfjs", "tflite"])
def test_a_coding_is_taken_off_once(upstream, eager, body, url, level):
    upstream.serve(PATH, proxy_that_codes(body, level))
    assert eager.get(url).body == body
    assert eager.get(url).body == body
    assert upstream.count() == 1


@pytest.mark.parametrize("label", ["gzip", "x-gzip", "GZIP", "aws-chunked", "identity", "br", "gzip, aws-chunked"])
def test_the_modules_own_gzip_stays_whatever_the_label(upstream, eager, label):
    upstream.serve(PATH, Answer(SMALL, headers={"Content-Encoding": label}))
    assert eager.get(COMPRESSED).body == SMALL


@pytest.mark.parametrize("body, label", [(zlib.compress(SMALL), "deflate"), (b"\x1b\x10\x00" + bytes(99), "br"),
                                         (b"\x28\xb5\x2f\xfd" + bytes(99), "zstd"),
                                         (gzip.compress(gzip.compress(SMALL)), "gzip, gzip"),
                                         (gzip.compress(b"no module" * 99), "gzip")],
                         ids=["deflate", "br", "zstd", "gzip-twice", "no-module"])
def test_a_coding_that_is_not_taken_off_is_named(upstream, eager, body, label):
    upstream.serve(PATH, Answer(body, headers={"Content-Encoding": label}))
    assert f"Content-Encoding: {label}" in assert_problem(eager.get(COMPRESSED), 502, "upstream-failed")["detail"]
    eager.assert_nothing_kept()


@pytest.mark.parametrize("broken", [gzip.compress(SMALL)[:-9], modules.with_bad_crc(gzip.compress(SMALL)),
                                    gzip.compress(SMALL) + b"garbage", gzip.compress(SMALL) + gzip.compress(b"")],
                         ids=["cut off", "CRC", "garbage behind", "a second member"])
def test_a_broken_coding_is_told(upstream, again, broken):
    upstream.serve(PATH, Answer(broken, headers={"Content-Encoding": "gzip"}))
    assert "Content-Encoding: gzip" in assert_problem(again.get(COMPRESSED), 502, "upstream-failed")["detail"]
    again.assert_nothing_kept()


def test_a_coding_that_swells_ends(upstream, start):
    mirror = start({"mirror": {"retries": 0}}, [upstream.url])
    bomb = bytes([20, 0, 0, 0]) + b"TFL3" + bytes(200 * MIB)
    upstream.serve(PATH, Answer(gzip.compress(bomb, 1), headers={"Content-Encoding": "gzip"}))
    client = Download(mirror, LITE)
    client.read_to_end()
    assert not (client.whole and client.status == 200)
    mirror.wait_for_idle()
    mirror.assert_nothing_kept()


def test_a_coded_body_that_breaks_off_begins_anew(upstream, eager):
    coded = gzip.compress(SMALL * 1, 0)
    upstream.serve(PATH, Answer(coded, etag='"v1"', headers={"Content-Encoding": "gzip"}, cut_after=len(coded) // 2, cut="close"),
                   Answer(coded, etag='"v1"', headers={"Content-Encoding": "gzip"}))
    assert eager.get(COMPRESSED).body == SMALL
    assert all("range" not in seen.headers for seen in upstream.requests)


# ---- definite answers ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("status", [400, 401, 402, 403, 451])
def test_no_is_asked_for_once_and_remembered_with_its_reason(upstream, eager, status):
    upstream.serve(PATH, Answer(b'{"detail":"by order"}', status, "application/problem+json"))
    replies = [eager.get(COMPRESSED) for _ in range(3)]
    for reply in replies:
        detail = assert_problem(reply, 502, "upstream-failed")["detail"]
        assert str(status) in detail and "by order" in detail and "test0" in detail
    assert upstream.count() == 1
    assert all(int(reply.header("Retry-After")) > 0 for reply in replies[1:])
    eager.restart()
    assert_problem(eager.get(COMPRESSED), 502, "upstream-failed")
    assert upstream.count() == 1


@pytest.mark.parametrize("kind", NO_MODULES)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_what_is_no_module_is_fetched_once(upstream, eager, kind, chunked):
    upstream.serve(PATH, Answer(NO_MODULES[kind], chunked=chunked))
    first = Download(eager, COMPRESSED)
    first.read_to_end()
    assert not (first.whole and first.status == 200)
    for _ in range(2):
        assert "no module" in assert_problem(eager.get(COMPRESSED), 502, "upstream-failed")["detail"]
    assert upstream.count() == 1
    eager.assert_nothing_kept()


def test_a_refusal_is_forgotten_in_time(upstream, start):
    mirror = start({"mirror": {"negative_ttl_s": 1}}, [upstream.url])
    upstream.serve(PATH, Answer(b"", 401))
    assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    upstream.serve(PATH, SMALL)
    wait_until(lambda: mirror.get(COMPRESSED).status == 200, "the module once negative_ttl_s is over")


def test_a_refusal_is_not_remembered_without_a_ttl(upstream, start):
    mirror = start({"mirror": {"negative_ttl_s": 0}}, [upstream.url])
    upstream.serve(PATH, Answer(b"", 401), SMALL)
    assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    assert mirror.get(COMPRESSED).body == SMALL


def test_publishing_ends_a_refusal(upstream, eager):
    upstream.serve(PATH, Answer(b"", 401))
    assert eager.get(COMPRESSED).status == 502
    eager.publish(PATH, SMALL)
    assert eager.get(COMPRESSED).body == SMALL


@pytest.mark.parametrize("other", [500, 429, 503])
def test_a_refusal_beside_a_failure_is_not_remembered(upstream, make_upstream, start, other):
    second = make_upstream()
    mirror = start({"mirror": {"retries": 2}}, [upstream.url, second.url])
    upstream.serve(PATH, Answer(b"", 401))
    second.serve(PATH, Answer(b"", other), Answer(b"", other), Answer(b"", other), SMALL)
    mirror.get(COMPRESSED)
    assert upstream.count() == 1, "one that said no was asked again for the same request"


# ---- a bucket's 403 --------------------------------------------------------------------------------------------------

def test_a_buckets_403_is_absence(upstream, eager):
    upstream.serve(PATH, bucket_403())
    for _ in range(2):
        detail = assert_problem(eager.get(COMPRESSED), 404, "not-found")["detail"]
        assert "403" in detail and "test0" in detail
    assert upstream.count() == 1


@pytest.mark.parametrize("first", [bucket_403(), Answer(b"", 403)], ids=["bucket", "other"])
@pytest.mark.parametrize("order", [1, -1], ids=["403 first", "404 first"])
def test_a_403_and_a_404_are_absence(upstream, make_upstream, start, first, order):
    second = make_upstream()
    mirror = start(upstreams=[upstream.url, second.url][::order])
    upstream.serve(PATH, first)
    for _ in range(2):
        assert "403" in assert_problem(mirror.get(COMPRESSED), 404, "not-found")["detail"]
    assert (upstream.count(), second.count()) == (1, 1)


@pytest.mark.parametrize("other", [401, 500])
def test_a_buckets_403_beside_a_failure_is_a_failure(upstream, make_upstream, start, other):
    second = make_upstream()
    mirror = start(upstreams=[upstream.url, second.url])
    upstream.serve(PATH, bucket_403())
    second.serve(PATH, Answer(b"", other))
    assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")


def test_another_upstream_that_has_it_is_asked(upstream, make_upstream, start):
    second = make_upstream()
    mirror = start(upstreams=[upstream.url, second.url])
    upstream.serve(PATH, bucket_403())
    second.serve(PATH, SMALL)
    assert mirror.get(COMPRESSED).body == SMALL


# ---- HEAD ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_answer_to_head_is_no_illness(upstream, eager, status):
    for number in range(6):
        upstream.serve(f"/google/m{number}/1", by_method(Answer(b"", status, headers={"Retry-After": "600"}), Answer(SMALL)))
        assert eager.head(f"/google/m{number}/1.tar.gz").status == 502
    assert eager.metric("larder_upstream_cooldowns_total") == 0
    assert eager.get("/google/m0/1.tar.gz").body == SMALL


@pytest.mark.parametrize("answer", [Answer(b"", 404), Answer(b"", 410)], ids=["404", "410"])
def test_an_answer_to_head_is_not_remembered_as_absence(upstream, eager, answer):
    upstream.serve(PATH, by_method(answer, Answer(SMALL)))
    assert eager.head(COMPRESSED).status == 404
    assert eager.get(COMPRESSED).body == SMALL


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_where_head_is_refused_get_is_asked_and_hung_up(upstream, eager, status):
    gate = threading.Event()
    upstream.serve(PATH, by_method(Answer(b"", status), Answer(MODULE, gate=gate)))
    reply = eager.head(COMPRESSED)
    assert (reply.status, reply.header("Content-Length")) == (200, str(len(MODULE)))
    gate.set()
    assert (upstream.count(method="HEAD"), upstream.count()) == (1, 1)
    assert upstream.sent_bytes < len(MODULE), "the whole was fetched"
    eager.assert_nothing_kept()


def test_where_head_is_refused_and_get_says_absent(upstream, eager):
    upstream.serve(PATH, by_method(Answer(b"", 405), Answer(b"", 404)))
    assert eager.head(COMPRESSED).status == 404


@pytest.mark.parametrize("get, status", [(Answer(SMALL, media_type="text/html"), 200), (html(), 404)], ids=["module", "page"])
def test_a_page_by_its_label_is_looked_at(upstream, eager, get, status):
    upstream.serve(PATH, get)
    assert eager.head(COMPRESSED).status == status


def test_head_of_a_bucket_that_lacks_it(upstream, eager):
    upstream.serve(PATH, bucket_403())
    assert eager.head(COMPRESSED).status == 404


def test_a_redirect_signed_for_get(upstream, eager):
    upstream.serve(PATH, redirect("/signed"))
    upstream.serve("/signed", by_method(Answer(b"", 403, "application/xml"), Answer(SMALL)))
    reply = eager.head(COMPRESSED)
    assert (reply.status, reply.header("Content-Length")) == (200, str(len(SMALL)))
