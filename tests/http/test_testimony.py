# SPDX-License-Identifier: Apache-2.0
"""What upstream says of its bytes is held against them: what does not hold is 502, nothing is kept, and it is asked again."""
import gzip

import pytest
from support import claims, modules
from support.client import Download
from support.daemon import assert_problem
from support.upstream import Answer, redirect

PATH = "/google/nnlm/2"
QUERY = "?tf-hub-format=compressed"
COMPRESSED = PATH + QUERY
SMALL = modules.module(1000)
OTHER = modules.module(1000, seed=9)
MODULE = modules.module(1 << 20)
FORMS = {**claims.OF_THE_WHOLE, **claims.OF_THE_BODY}


@pytest.fixture
def mirror(upstream, start):
    """One that tries again once."""
    return start({"mirror": {"retries": 1, "private_upstreams": "on"}}, [upstream.url])


def assert_refused(mirror, header):
    problem = assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    assert header.lower() in problem["detail"].lower(), problem
    mirror.assert_nothing_kept()


def header_of(form, data=b""):
    return next(iter(form(data)))


@pytest.mark.parametrize("form", FORMS)
def test_bytes_that_are_as_told_are_kept(shared, place, form):
    shared.upstream.serve(place, Answer(SMALL, headers=FORMS[form](SMALL)))
    assert shared.get(place + QUERY).body == SMALL
    assert shared.get(place + QUERY).body == SMALL
    assert shared.upstream.count(place) == 1


@pytest.mark.parametrize("form", [form for form in FORMS if "length" not in form])
def test_bytes_that_are_not_as_told_are_refused_and_asked_for_again(upstream, mirror, form):
    upstream.serve(PATH, Answer(SMALL, headers=FORMS[form](OTHER)))
    assert_refused(mirror, header_of(FORMS[form]))
    asked = upstream.count()
    upstream.serve(PATH, Answer(SMALL, headers=FORMS[form](SMALL)))
    assert mirror.get(COMPRESSED).body == SMALL, "what did not hold was remembered"
    assert (asked, upstream.count()) == (2, 3)


def test_a_length_that_does_not_hold(upstream, mirror):
    upstream.serve(PATH, Answer(SMALL, headers={"x-goog-stored-content-length": str(len(SMALL) + 1)}))
    assert_refused(mirror, "x-goog-stored-content-length")


@pytest.mark.parametrize("kind", claims.NO_CLAIMS)
def test_what_is_malformed_unknown_or_of_something_else_is_no_claim(shared, place, kind):
    shared.upstream.serve(place, Answer(SMALL, headers=claims.NO_CLAIMS[kind]))
    assert shared.get(place + QUERY).body == SMALL


@pytest.mark.parametrize("form", ["Repr-Digest", "x-goog-hash crc32c", "Artifactory sha1", "ETag of a Larder"])
def test_large_wrong_bytes_never_complete(upstream, mirror, form):
    upstream.serve(PATH, Answer(MODULE, headers=FORMS[form](OTHER)))
    download = Download(mirror, COMPRESSED)
    download.read_to_end()
    assert not (download.whole and download.status == 200)
    mirror.assert_nothing_kept()


def test_another_upstream_is_asked_for_bytes_that_hold(upstream, make_upstream, start):
    second = make_upstream()
    mirror = start(upstreams=[upstream.url, second.url])
    upstream.serve(PATH, Answer(SMALL, headers=FORMS["Repr-Digest"](OTHER)))
    second.serve(PATH, Answer(SMALL, headers=FORMS["Repr-Digest"](SMALL)))
    assert mirror.get(COMPRESSED).body == SMALL


# ---- redirects -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("form", claims.AT_THE_REDIRECT)
@pytest.mark.parametrize("true", [True, False], ids=["true", "false"])
def test_a_hub_tells_at_the_redirect(upstream, mirror, form, true):
    headers = claims.AT_THE_REDIRECT[form](SMALL if true else SMALL + b"x")
    answer = redirect("/blob")
    answer.headers.update(headers)
    upstream.serve(PATH, answer)
    upstream.serve("/blob", SMALL)
    if true:
        assert mirror.get(COMPRESSED).body == SMALL
    else:
        assert_refused(mirror, next(iter(headers)))


@pytest.mark.parametrize("form", [*claims.OF_THE_BODY, "Digest SHA-256", "Repr-Digest", "ETag of a Larder"])
@pytest.mark.parametrize("body", [b"", b"moved\n"], ids=["empty", "text"])
def test_what_a_redirect_says_of_itself_is_not_the_modules(upstream, mirror, form, body):
    answer = Answer(body, 302, "text/plain", {"Location": "/blob", **FORMS[form](body)})
    upstream.serve(PATH, answer)
    upstream.serve("/blob", SMALL)
    assert mirror.get(COMPRESSED).body == SMALL


# ---- taken up --------------------------------------------------------------------------------------------------------

def in_two_parts(first_headers, rest_headers, module=MODULE):
    """Breaks off in the middle; the rest comes as a part, with headers of its own."""
    def answer(seen):
        begin = int(seen.headers.get("range", "bytes=0-")[len("bytes="):-1])
        if begin == 0:
            return Answer(module, etag='"v1"', ranges=True, cut_after=len(module) // 2, cut="close", headers=first_headers)
        return Answer(module[begin:], 206, etag='"v1"', headers={
            "Content-Range": f"bytes {begin}-{len(module) - 1}/{len(module)}", **rest_headers(module[begin:])})
    return answer


@pytest.mark.parametrize("form", ["Repr-Digest", "x-goog-hash crc32c", "x-amz crc32", "Content-Digest"])
@pytest.mark.parametrize("true", [True, False], ids=["true", "false"])
def test_claims_count_when_the_transfer_was_taken_up(upstream, mirror, form, true):
    upstream.serve(PATH, in_two_parts(FORMS[form](MODULE if true else OTHER), lambda rest: {}))
    download = Download(mirror, COMPRESSED)
    download.read_to_end()
    assert (download.whole and download.status == 200) == true
    if not true:
        mirror.assert_nothing_kept()


@pytest.mark.parametrize("form", claims.OF_THE_BODY)
def test_a_parts_own_claims_are_of_the_part(upstream, mirror, form):
    upstream.serve(PATH, in_two_parts({}, claims.OF_THE_BODY[form]))
    assert mirror.get(COMPRESSED).body == MODULE
    assert upstream.count() == 2


@pytest.mark.parametrize("form", ["Repr-Digest", "Artifactory sha256"])
def test_a_part_may_tell_of_the_whole(upstream, mirror, form):
    upstream.serve(PATH, in_two_parts({}, lambda rest: FORMS[form](OTHER)))
    download = Download(mirror, COMPRESSED)
    download.read_to_end()
    assert not (download.whole and download.status == 200)


# ---- in a coding -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("form", ["Repr-Digest", "Artifactory sha256", "x-goog-hash, both"])
@pytest.mark.parametrize("of", ["coded", "inside", "neither"])
def test_claims_of_a_coded_body_are_of_what_came_or_of_what_is_inside(upstream, mirror, form, of):
    coded = gzip.compress(SMALL, mtime=0)
    said = {"coded": coded, "inside": SMALL, "neither": OTHER}[of]
    upstream.serve(PATH, Answer(coded, headers={"Content-Encoding": "gzip", **FORMS[form](said)}))
    if of == "neither":
        assert_refused(mirror, header_of(FORMS[form]))
    else:
        assert mirror.get(COMPRESSED).body == SMALL
