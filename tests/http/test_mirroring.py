# SPDX-License-Identifier: Apache-2.0
"""What is not here is fetched from upstream once, and what upstream says is told as it was meant."""
import hashlib

import pytest
from support import modules
from support.daemon import assert_problem
from support.upstream import Answer, html, redirect
from support.waiting import wait_until

PATH = "/google/nnlm/2"
COMPRESSED = PATH + "?tf-hub-format=compressed"
MODULE = modules.module(300_000)
SMALL = modules.module(1000)


def test_miss_then_hit(upstream, mirror):
    upstream.serve(PATH, MODULE)
    miss, hit = mirror.get(COMPRESSED), mirror.get(COMPRESSED)
    assert (miss.status, hit.status) == (200, 200)
    assert miss.body == MODULE and hit.body == MODULE
    assert miss.header("Cache-Status").replace(" ", "") == "larder;fwd=miss;stored"
    assert hit.header("Cache-Status").replace(" ", "") == "larder;hit"
    assert hit.header("Content-Length") == str(len(MODULE))
    assert hit.header("ETag") == f'"sha256:{hashlib.sha256(MODULE).hexdigest()}"'
    assert upstream.count() == 1
    assert mirror.metric('larder_fills_total{event="kept"}') == 1


def test_request_upstream_is_what_the_template_says(upstream, mirror):
    upstream.serve(PATH, SMALL)
    mirror.get(PATH + ".tar.gz")
    seen = upstream.requests[0]
    assert (seen.path, seen.query) == (PATH, "tf-hub-format=compressed")
    assert "larder" in seen.headers["user-agent"].lower()
    assert seen.headers.get("accept-encoding", "identity") == "identity"


def test_miss_has_the_headers_of_an_artifact(upstream, mirror):
    upstream.serve(PATH, MODULE)
    reply = mirror.get(COMPRESSED)
    assert reply.header("Content-Type") == "application/gzip"
    assert reply.header("Access-Control-Allow-Origin") == "*"
    assert "Content-Encoding" not in reply.headers


def test_chunked_upstream(upstream, mirror):
    upstream.serve(PATH, Answer(MODULE, chunked=True))
    assert mirror.get(COMPRESSED).body == MODULE
    assert mirror.get(COMPRESSED).header("Content-Length") == str(len(MODULE))


def test_module_smaller_than_what_is_held_back(upstream, mirror):
    upstream.serve(PATH, SMALL)
    assert mirror.get(COMPRESSED).body == SMALL


def test_every_form_is_one_artifact(upstream, mirror):
    upstream.serve(PATH, SMALL)
    for url in (COMPRESSED, PATH + ".tar.gz", "/tfhub-modules" + PATH + ".tar.gz", "/https://tfhub.dev" + COMPRESSED):
        assert mirror.get(url).body == SMALL, url
    assert upstream.count() == 1


def test_served_with_upstream_gone_and_after_a_restart(upstream, mirror):
    upstream.serve(PATH, MODULE)
    assert mirror.get(COMPRESSED).body == MODULE
    upstream.stop()
    assert mirror.get(COMPRESSED).body == MODULE
    mirror.restart()
    reply = mirror.get(COMPRESSED)
    assert reply.body == MODULE and reply.header("Cache-Status").replace(" ", "") == "larder;hit"


def test_catalog_lists_what_was_mirrored(upstream, mirror):
    upstream.serve(PATH, MODULE)
    mirror.get(COMPRESSED)
    version = mirror.get("/api/v1/modules" + PATH).json()
    assert version["source"] == "mirrored" and version["upstream"] == "test0" and version["state"] == "active"
    assert version["artifacts"][0]["digest"] == "sha256:" + hashlib.sha256(MODULE).hexdigest()
    assert version["artifacts"][0]["cached"] is True
    assert version["saved_model"]["meta_graphs"][0]["signatures"][0]["name"] == "serving_default"


def test_tfjs_tflite_and_coral_are_mirrored(upstream, mirror):
    archive, model = modules.tfjs_module(), modules.tflite_model()
    upstream.serve("/google/tfjs/1", archive)
    upstream.serve("/google/lite/1", Answer(model, media_type="application/octet-stream"))
    upstream.serve("/google/coral/1", Answer(model, media_type="application/octet-stream"))
    assert mirror.get("/google/tfjs/1?tfjs-format=compressed").body == archive
    assert mirror.get("/google/lite/1?lite-format=tflite").body == model
    assert mirror.get("/google/coral/1?coral-format=tflite").body == model
    assert {seen.query for seen in upstream.requests} == {"tfjs-format=compressed", "lite-format=tflite",
                                                          "coral-format=tflite"}


# ---- redirects -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(upstream, start, status):
    mirror = start({"mirror": {"private_upstreams": "on"}}, [upstream.url])
    upstream.serve(PATH, redirect("/hop", status))
    upstream.serve("/hop", redirect(upstream.url + "/signed?X-Goog-Signature=secret", status))
    upstream.serve("/signed", MODULE)
    assert mirror.get(COMPRESSED).body == MODULE
    assert mirror.get(COMPRESSED).body == MODULE
    assert upstream.count() == 3, "the store must be keyed by the name, not by the final URL"
    assert "X-Goog-Signature" not in mirror.log(), "a signed URL is in the log"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0"])
def test_redirect_to_a_private_address_is_refused(upstream, make_upstream, start, host):
    inner = make_upstream()
    inner.serve("/secret", SMALL)
    mirror = start(upstreams=[upstream.url])
    upstream.serve(PATH, redirect(f"http://{host}:{inner.port}/secret"))
    problem = assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    assert "private_upstreams = on in [mirror]" in problem["detail"], problem
    assert inner.count() == 0, "the private address was asked all the same"


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:1/x"])
def test_redirects_to_other_schemes_are_refused(upstream, start, location):
    mirror = start({"mirror": {"private_upstreams": "on"}}, [upstream.url])
    upstream.serve(PATH, redirect(location))
    assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")


def test_endless_redirects_are_refused(upstream, start):
    mirror = start({"mirror": {"private_upstreams": "on"}}, [upstream.url])
    upstream.serve(PATH, redirect(PATH))
    assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    assert upstream.count() == 11


@pytest.mark.parametrize("hops", [10, 11])
def test_ten_redirects_are_followed_and_no_more(upstream, start, hops):
    mirror = start({"mirror": {"private_upstreams": "on"}}, [upstream.url])
    upstream.serve(PATH, redirect("/hop1"))
    for hop in range(1, hops):
        upstream.serve(f"/hop{hop}", redirect(f"/hop{hop + 1}"))
    upstream.serve(f"/hop{hops}", SMALL)
    reply = mirror.get(COMPRESSED)
    if hops <= 10:
        assert reply.body == SMALL
    else:
        assert "redirects" in assert_problem(reply, 502, "upstream-failed")["detail"]


def test_redirect_to_a_page_is_absent(upstream, start):
    mirror = start({"mirror": {"private_upstreams": "on"}}, [upstream.url])
    upstream.serve(PATH, redirect("/models?tfhub-redirect=true"))
    upstream.serve("/models", html())
    assert_problem(mirror.get(COMPRESSED), 404, "not-found")


# ---- absent ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("answer", [Answer(b"", 404), Answer(b"", 410), html()], ids=["404", "410", "HTML"])
def test_absent_is_told_and_remembered(upstream, mirror, answer):
    upstream.serve(PATH, answer)
    assert_problem(mirror.get(COMPRESSED), 404, "not-found")
    assert_problem(mirror.get(COMPRESSED), 404, "not-found")
    assert upstream.count() == 1, "an absent answer was not remembered"
    assert mirror.metric('larder_fills_total{event="absent"}') == 1
    mirror.assert_nothing_kept()


def test_absent_is_remembered_across_a_restart(upstream, mirror):
    assert mirror.get(COMPRESSED).status == 404
    mirror.restart()
    assert mirror.get(COMPRESSED).status == 404
    assert upstream.count() == 1


def test_absent_is_forgotten_in_time(upstream, start):
    mirror = start({"mirror": {"negative_ttl_s": 1}}, [upstream.url])
    assert mirror.get(COMPRESSED).status == 404
    upstream.serve(PATH, SMALL)
    wait_until(lambda: mirror.get(COMPRESSED).status == 200, "the module to be found once negative_ttl_s is over")
    assert upstream.count() == 2


def test_absent_is_not_remembered_without_a_ttl(upstream, start):
    mirror = start({"mirror": {"negative_ttl_s": 0}}, [upstream.url])
    assert mirror.get(COMPRESSED).status == 404
    upstream.serve(PATH, SMALL)
    assert mirror.get(COMPRESSED).body == SMALL


def test_publishing_ends_absence(upstream, mirror):
    assert mirror.get(COMPRESSED).status == 404
    mirror.publish(PATH, SMALL)
    assert mirror.get(COMPRESSED).body == SMALL


# ---- several upstreams -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("first", [Answer(b"", 404), html(), Answer(b"", 500), Answer(b"", 403)],
                         ids=["404", "HTML", "500", "403"])
def test_second_upstream_is_asked(upstream, make_upstream, start, first):
    second = make_upstream()
    mirror = start(upstreams=[upstream.url, second.url + "/bucket/{path}.tar.gz"])
    upstream.serve(PATH, first)
    second.serve(f"/bucket{PATH}.tar.gz", MODULE)
    assert mirror.get(COMPRESSED).body == MODULE
    assert (upstream.count(), second.count()) == (1, 1)
    assert mirror.get("/api/v1/modules" + PATH).json()["upstream"] == "test1"


def test_second_upstream_is_asked_where_the_first_is_unreachable(upstream, make_upstream, start):
    second = make_upstream()
    mirror = start(upstreams=[upstream.url, second.url])
    second.serve(PATH, MODULE)
    upstream.stop()
    assert mirror.get(COMPRESSED).body == MODULE


def test_first_upstream_is_enough(upstream, make_upstream, start):
    second = make_upstream()
    mirror = start(upstreams=[upstream.url, second.url])
    upstream.serve(PATH, MODULE)
    assert mirror.get(COMPRESSED).body == MODULE
    assert second.count() == 0


def test_absent_only_where_all_said_so(upstream, make_upstream, start):
    second = make_upstream()
    mirror = start(upstreams=[upstream.url, second.url])
    second.stop()
    assert_problem(mirror.get(COMPRESSED), 504, "upstream-unreachable")
    assert_problem(mirror.get(COMPRESSED), 504, "upstream-unreachable")
    assert upstream.count() == 2, "one that was unreachable may have had it: nothing to remember"


def test_upstream_that_does_not_match_is_not_asked(upstream, make_upstream, start):
    second = make_upstream()
    mirror = start({"upstream ours": {"url": upstream.url + "/{path}?{query}", "match": "acme/*"},
                    "upstream all": {"url": second.url + "/{path}?{query}"}})
    second.serve(PATH, SMALL)
    assert mirror.get(COMPRESSED).body == SMALL
    assert upstream.count() == 0


# ---- failures --------------------------------------------------------------------------------------------------------

def test_unreachable_is_never_told_as_absent(upstream, mirror):
    upstream.stop()
    problem = assert_problem(mirror.get(COMPRESSED), 504, "upstream-unreachable")
    assert "127.0.0.1" in problem["detail"] or "test0" in problem["detail"], problem
    assert mirror.metric('larder_fills_total{event="failed"}') == 1


def test_unreachable_is_not_remembered(make_upstream, start):
    gone = make_upstream()
    mirror = start(upstreams=[gone.url])
    gone.stop()
    assert mirror.get(COMPRESSED).status == 504
    back = make_upstream()
    back.serve(PATH, SMALL)
    mirror.configure(upstreams=[back.url])
    mirror.restart()
    assert mirror.get(COMPRESSED).body == SMALL


@pytest.mark.parametrize("status", [405, 429, 500, 502, 503])
def test_errors_of_upstream_are_no_absence(upstream, mirror, status):
    upstream.serve(PATH, Answer(b"no", status, "text/plain"), SMALL)
    problem = assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    assert str(status) in problem["detail"], problem
    assert mirror.get(COMPRESSED).body == SMALL, "an error of upstream was remembered"


def test_retry_after_of_upstream_is_passed_on(upstream, mirror):
    upstream.serve(PATH, Answer(b"", 503, headers={"Retry-After": "17"}))
    reply = mirror.get(COMPRESSED)
    assert_problem(reply, 502, "upstream-failed")
    assert int(reply.header("Retry-After")) >= 1


@pytest.mark.parametrize("body", [
    b"", b"this is no archive", b"PK\x03\x04 a zip", modules.compress(b"no tar"), modules.module(1000)[:-9],
    modules.with_bad_crc(modules.module(1000)), modules.with_bad_length(modules.module(1000)),
    modules.module(1000) + b"garbage", modules.pack([modules.Member("./"), modules.Member("./readme", b"no model")]),
    modules.module(1000, model=b"\xff\xff\xff\xff"),
], ids=["empty", "text", "zip", "no tar", "cut", "CRC", "length", "garbage behind", "no model", "no protobuf"])
def test_wrong_bytes_are_not_served(upstream, mirror, body):
    upstream.serve(PATH, Answer(body))
    assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    mirror.assert_nothing_kept()


@pytest.mark.parametrize("empty", [Answer(b""), Answer(b"", chunked=True)], ids=["length 0", "chunked"])
def test_empty_answers_are_tried_again_and_told(upstream, make_upstream, start, empty):
    second = make_upstream()
    mirror = start({"mirror": {"retries": 2}}, upstreams=[upstream.url, second.url])
    upstream.serve(PATH, empty)
    assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    second.serve("/google/other/1", MODULE)
    upstream.serve("/google/other/1", empty)
    assert mirror.get("/google/other/1?tf-hub-format=compressed").body == MODULE
    assert mirror.get("/healthz").status == 200


def test_dangerous_archives_are_not_served(upstream, mirror):
    upstream.serve(PATH, modules.pack(modules.members() + [modules.Member("../../etc/cron.d/x", b"boom")]))
    assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    mirror.assert_nothing_kept()


def test_archives_that_hamper_some_clients_carry_warnings(upstream, mirror):
    entries = [member for member in modules.members() if not member.name.endswith("/")]
    upstream.serve(PATH, modules.pack(entries))
    assert mirror.get(COMPRESSED).status == 200
    version = mirror.get("/api/v1/modules" + PATH).json()
    warnings = version["artifacts"][0].get("warnings", version.get("warnings"))
    assert warnings and all(warning["rule"] and warning["message"] for warning in warnings), version


def test_other_bytes_than_published_never_replace_them(upstream, mirror):
    mirror.publish(PATH, SMALL)
    upstream.serve(PATH, MODULE)
    assert mirror.get(COMPRESSED).body == SMALL
    assert upstream.count() == 0


# ---- policy ----------------------------------------------------------------------------------------------------------

def test_offline(upstream, start):
    mirror = start({"mirror": {"offline": "on"}}, [upstream.url])
    upstream.serve(PATH, SMALL)
    assert_problem(mirror.get(COMPRESSED), 504, "offline")
    assert upstream.count() == 0
    mirror.publish("/acme/x/1", SMALL)
    assert mirror.get("/acme/x/1.tar.gz").body == SMALL


def test_deny_and_allow(upstream, start):
    mirror = start({"mirror": {"allow": "google/*", "deny": "google/secret*"}}, [upstream.url])
    for path in (PATH, "/google/secret-x/1", "/other/x/1"):
        upstream.serve(path, SMALL)
    assert mirror.get(COMPRESSED).status == 200
    assert_problem(mirror.get("/google/secret-x/1.tar.gz"), 403, "blocked-by-policy")
    assert_problem(mirror.get("/other/x/1.tar.gz"), 403, "blocked-by-policy")
    assert upstream.count() == 1


# ---- HEAD, loops, chains ---------------------------------------------------------------------------------------------

def test_head_of_a_miss_fetches_nothing(upstream, mirror):
    upstream.serve(PATH, MODULE)
    reply = mirror.head(COMPRESSED)
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers.get("Content-Length", str(len(MODULE))) == str(len(MODULE))
    assert upstream.count(method="HEAD") == 1 and upstream.count(method="GET") == 0
    assert mirror.head("/google/nothing/1.tar.gz").status == 404


def test_larder_behind_larder(upstream, start):
    origin = start(name="origin")
    origin.publish(PATH, MODULE)
    mirror = start(upstreams=[origin.url], name="mirror")
    assert mirror.get(COMPRESSED).body == MODULE
    origin.stop()
    reply = mirror.get(COMPRESSED)
    assert reply.body == MODULE and reply.header("Cache-Status").replace(" ", "") == "larder;hit"


def test_loops_are_cut(start, make_upstream):
    # Two daemons that name each other: the ports must be known beforehand, so the second is told by a relay.
    relay = make_upstream()
    mirror = start({"mirror": {"private_upstreams": "on"}}, [relay.url])
    relay.serve(PATH, SMALL)
    assert mirror.get(COMPRESSED).status == 200
    loop = relay.requests[0].headers.get("cdn-loop")
    assert loop, "no CDN-Loop was sent upstream"
    reply = mirror.get("/google/other/1.tar.gz", cdn_loop=loop)
    assert reply.status in (502, 508), f"a request that came from here was sent on: {reply}"
    assert relay.count("/google/other/1") == 0
