# SPDX-License-Identifier: Apache-2.0
"""Transfers that break: taken up only where upstream proves that it is the same object, and never for ever."""
import hashlib
import sqlite3
import threading

import pytest
from support import modules
from support.client import Download
from support.daemon import assert_problem, under_thread_sanitizer
from support.upstream import Answer, Raw

PATH = "/google/big/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
OLD_DATE = "Mon, 02 Jan 2023 03:04:05 GMT"
MIB = 1 << 20
MODULE = modules.module(4 * MIB)
OTHER = modules.module(4 * MIB, seed=9)
HELD_BACK = 64 << 10


class Ranged:
    """What an upstream does with ranges, request by request: each value of `answers` is called with the first byte that
    is asked for (0: the whole) and the headers, and gives the Answer. The last one stays."""

    def __init__(self, upstream, path, *answers):
        self.answers = list(answers)
        self.upstream = upstream
        self.mutex = threading.Lock()  # guards answers
        self.path = path
        self.take = upstream.take
        upstream.take = self.answer

    def answer(self, seen):
        scripted = self.take(seen)
        if seen.path != self.path:
            return scripted
        first = int(seen.headers.get("range", "bytes=0-")[len("bytes="):-1])
        with self.mutex:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(first, seen.headers)


def whole(body, cut=None, **options):
    """Ignores Range. With cut, breaks off there."""
    return lambda first, headers: Answer(body, cut_after=cut, cut="close", **options)


def part(body, cut=None, etag='"v1"', **changes):
    """Honours Range whatever If-Range says, and breaks off after `cut` bytes. Changes: headers to tell otherwise."""
    def answer(first, headers):
        rest = body[first:]
        told = {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}", **changes} if first else changes
        return Answer(rest, 206 if first else 200, etag=etag, cut_after=cut, cut="close", headers=told)
    return answer


def status(code, **headers):
    return lambda first, seen: Answer(b"", code, "text/plain", {name.replace("_", "-"): text for name, text in headers.items()})


@pytest.fixture
def patient(upstream, start):
    """A mirror that tries again. Not impatient: where upstream shares a busy machine with many clients, a breath of two
    seconds would be one more transfer."""
    return start({"mirror": {"retries": 3}}, [upstream.url])


def assert_ranges(upstream, *expected):
    assert [seen.headers.get("range") for seen in upstream.requests] == list(expected)


# ---- the same object -------------------------------------------------------------------------------------------------

@pytest.mark.long
@pytest.mark.concurrent
def test_every_transfer_is_cut_and_nobody_notices(upstream, patient):
    """The issue's stampede: each client gets all, and upstream sends little more than that."""
    clients = 40 if under_thread_sanitizer() else 200
    module = modules.module((4 if under_thread_sanitizer() else 16) * MIB)
    Ranged(upstream, PATH, part(module, MIB))
    digests = []
    threads = [threading.Thread(target=lambda: digests.append(modules.digest(patient.get(COMPRESSED).body)))
               for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert digests == [modules.digest(module)] * clients
    assert upstream.sent_bytes <= len(module) * 1.1, f"{upstream.sent_bytes} bytes for {len(module)}"
    assert upstream.count() == len(module) // MIB + 1, patient.tail()
    assert {seen.headers.get("if-range") for seen in upstream.requests[1:]} == {'"v1"'}


def test_taken_up_by_date(upstream, patient):
    Ranged(upstream, PATH, part(MODULE, 2 * MIB, etag=None, **{"Last-Modified": OLD_DATE}))
    assert patient.get(COMPRESSED).body == MODULE
    again = upstream.requests[1].headers
    assert (again["range"], again["if-range"]) == (f"bytes={2 * MIB}-", OLD_DATE)


def test_a_stall_is_taken_up_too(upstream, start):
    mirror = start({"mirror": {"retries": 3, "stall_timeout_s": 5}}, [upstream.url])

    def stalls(first, headers):
        return Answer(MODULE, etag='"v1"', gate=threading.Event(), gate_after=2 * MIB)

    Ranged(upstream, PATH, stalls, part(MODULE))
    assert mirror.get(COMPRESSED).body == MODULE
    assert_ranges(upstream, None, f"bytes={2 * MIB}-")


def test_upstream_that_fails_for_a_moment_in_the_middle(upstream, patient):
    Ranged(upstream, PATH, part(MODULE, 2 * MIB), status(503), part(MODULE))
    download = Download(patient, COMPRESSED)
    assert download.read_to_end() and download.digest() == modules.digest(MODULE), download.error
    assert_ranges(upstream, None, f"bytes={2 * MIB}-", f"bytes={2 * MIB}-")


def test_retry_after_is_waited_for_in_the_middle(upstream, patient):
    Ranged(upstream, PATH, part(MODULE, 2 * MIB), status(503, Retry_After="1"), part(MODULE))
    assert patient.get(COMPRESSED).body == MODULE
    assert upstream.count() == 3 and patient.metric("larder_upstream_cooldowns_total") == 1
    assert patient.metric("larder_upstreams_cooling") == 0


# ---- no proof --------------------------------------------------------------------------------------------------------

NO_PROOF = {"nothing": {"etag": None}, "weak ETag": {"etag": 'W/"v1"'},
            "weak ETag and a date": {"etag": 'W/"v1"', "Last-Modified": OLD_DATE},
            "a date in the future": {"etag": None, "Last-Modified": "Fri, 01 Jan 2100 00:00:00 GMT"}}


@pytest.mark.parametrize("proof", NO_PROOF.values(), ids=NO_PROOF.keys())
def test_without_proof_it_starts_anew_where_nobody_has_bytes(upstream, patient, proof):
    # No client sees a byte before more than what is held back is here.
    Ranged(upstream, PATH, part(MODULE, HELD_BACK // 2, **proof), part(MODULE, **proof))
    assert patient.get(COMPRESSED).body == MODULE
    assert_ranges(upstream, None, None)


@pytest.mark.parametrize("proof", NO_PROOF.values(), ids=NO_PROOF.keys())
def test_without_proof_clients_with_bytes_are_reset(upstream, patient, proof):
    gate = threading.Event()

    def gated(first, headers):
        answer = part(MODULE, 2 * MIB, **proof)(first, headers)
        answer.gate, answer.gate_after = gate, 2 * MIB
        return answer

    Ranged(upstream, PATH, gated, part(MODULE, **proof))
    download = Download(patient, COMPRESSED)
    assert download.read_up_to(MIB)
    gate.set()
    assert not download.read_to_end() and not download.whole
    patient.wait_for_idle()
    assert upstream.count() == 1
    patient.assert_nothing_kept()
    assert patient.get(COMPRESSED).body == MODULE


# ---- another object --------------------------------------------------------------------------------------------------

LIES = {"200 with another ETag": whole(OTHER, etag='"v2"'), "200 that ignores Range": whole(OTHER, etag='"v1"'),
        "206 with another ETag": part(OTHER, etag='"v2"'), "206 without an ETag": part(OTHER, etag=None),
        "206 of another total": part(OTHER, **{"Content-Range": f"bytes {2 * MIB}-{len(OTHER) - 1}/{len(OTHER) + 5}"}),
        "206 from elsewhere": part(OTHER, **{"Content-Range": f"bytes 5-{len(OTHER) - 1}/{len(OTHER)}"}),
        "206 without a range": lambda first, headers: Answer(OTHER[first:], 206 if first else 200, etag='"v1"'),
        "416": lambda first, headers: Answer(b"", 416) if first else Answer(OTHER, etag='"v2"')}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_object_changed_before_anybody_has_bytes(upstream, patient, lie):
    Ranged(upstream, PATH, part(MODULE, HELD_BACK // 2), lie, whole(OTHER, etag='"v2"'))
    assert patient.get(COMPRESSED).body == OTHER
    assert_ranges(upstream, None, f"bytes={HELD_BACK // 2}-", None)
    assert patient.blobs() == [modules.digest(OTHER)]


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_object_changed_after_clients_have_bytes(upstream, patient, lie):
    gate = threading.Event()

    def gated(first, headers):
        return Answer(MODULE, etag='"v1"', gate=gate, gate_after=2 * MIB, cut_after=2 * MIB, cut="close")

    Ranged(upstream, PATH, gated, lie, whole(OTHER, etag='"v2"'))
    download = Download(patient, COMPRESSED)
    assert download.read_up_to(MIB)
    gate.set()
    assert not download.read_to_end() and not download.whole
    assert download.received <= 2 * MIB
    patient.wait_for_idle()
    patient.assert_nothing_kept()
    assert patient.get(COMPRESSED).body == OTHER, "the next request gets the new object"


def test_less_than_the_rest_is_not_taken_for_it(upstream, patient):
    """A 206 that is whole by itself but does not reach the object's end."""
    def short(first, headers):
        rest = MODULE[first:first + 1000]
        told = {"Content-Range": f"bytes {first}-{first + 999}/{len(MODULE)}"}
        return Answer(rest, 206, etag='"v1"', headers=told)

    Ranged(upstream, PATH, part(MODULE, HELD_BACK // 2), short, part(MODULE))
    assert patient.get(COMPRESSED).body == MODULE


# ---- an end to patience ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("answer", [whole(MODULE, HELD_BACK // 2, etag='"v1"'), whole(MODULE, HELD_BACK // 2)],
                         ids=["ignores Range", "no validator"])
def test_upstream_that_never_gets_further_is_given_up(upstream, start, answer):
    retries = 1
    mirror = start({"mirror": {"retries": retries}}, [upstream.url])
    Ranged(upstream, PATH, answer)
    assert_problem(mirror.get(COMPRESSED), 502, "upstream-failed")
    most = (retries + 1) * (2 * retries + 2)
    assert retries < upstream.count() <= most
    assert mirror.metric("larder_upstream_retries_total") <= most
    mirror.assert_nothing_kept()


def test_what_is_no_module_is_not_taken_up(upstream, patient):
    """It is whole and could be resumed, and would be found out again and again."""
    Ranged(upstream, PATH, part(modules.with_bad_crc(modules.module(1000))))
    assert_problem(patient.get(COMPRESSED), 502, "upstream-failed")
    assert upstream.count() <= 4
    patient.assert_nothing_kept()


def test_no_progress_in_a_resume_is_given_up(upstream, patient):
    Ranged(upstream, PATH, part(MODULE, 2 * MIB), part(MODULE, 0))
    download = Download(patient, COMPRESSED)
    download.read_to_end()
    assert not download.whole
    assert upstream.count() <= 5
    patient.wait_for_idle()
    patient.assert_nothing_kept()


# ---- across processes ------------------------------------------------------------------------------------------------

LARGE = 32 * MIB


def rows(mirror):
    with sqlite3.connect(f"file:{mirror.data}/larder.db?mode=ro", uri=True) as database:
        return database.execute("SELECT handle, etag, total_bytes, durable_bytes FROM fills").fetchall()


@pytest.fixture(scope="module")
def large():
    return modules.module((8 * MIB) if under_thread_sanitizer() else LARGE)


def hold_in_the_middle(upstream, mirror, module, etag='"v1"'):
    """Half of the module is here, and noted; the download that brought it is given."""
    half = len(module) // 2
    held = Answer(module, etag=etag, ranges=True, gate=threading.Event(), gate_after=half)
    upstream.serve(PATH, held, Answer(module, etag=etag, ranges=True))
    download = Download(mirror, COMPRESSED)
    assert download.read_up_to(half - HELD_BACK), download.error
    mirror.wait_for("larder_fill_bookmarks_total", 1)
    mirror.wait_for("larder_upstream_received_bytes_total", half)
    return download, half


def assert_goes_on(upstream, mirror, module, half):
    assert mirror.get(COMPRESSED).body == module
    first, second = upstream.requests
    assert second.headers["range"] == f"bytes={half}-" and second.headers["if-range"] == '"v1"'
    assert upstream.sent_bytes == len(module), "upstream was asked for more than the rest"
    assert mirror.metric("larder_fills_continued_total") == 1
    mirror.wait_for_idle()
    assert mirror.blobs() == [modules.digest(module)] and rows(mirror) == [] and mirror.drafts() == []


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_fill_goes_on_after_the_process_ended(upstream, mirror, large, end):
    download, half = hold_in_the_middle(upstream, mirror, large)
    getattr(mirror, end)()
    assert not download.read_to_end() and not download.whole
    assert len(mirror.drafts()) == 1 and len(rows(mirror)) == 1
    mirror.start()
    assert len(mirror.drafts()) == 1, "the draft was swept"
    assert_goes_on(upstream, mirror, large, half)


def test_fill_goes_on_after_two_kills(upstream, mirror, large):
    _, half = hold_in_the_middle(upstream, mirror, large)
    mirror.kill()
    mirror.start()
    three_quarters = half + half // 2
    upstream.serve(PATH, Answer(large, etag='"v1"', ranges=True, gate=threading.Event(), gate_after=three_quarters),
                   Answer(large, etag='"v1"', ranges=True))
    download = Download(mirror, COMPRESSED)
    assert download.read_up_to(three_quarters - HELD_BACK), download.error
    mirror.wait_for("larder_fill_bookmarks_total", 1)
    mirror.kill()
    mirror.start()
    assert mirror.get(COMPRESSED).body == large
    assert upstream.sent_bytes <= len(large) + HELD_BACK
    assert [seen.headers.get("range") for seen in upstream.requests][1] == f"bytes={half}-"


def test_object_changed_while_the_process_was_away(upstream, start, large):
    mirror = start({"mirror": {"retries": 3}}, [upstream.url])
    hold_in_the_middle(upstream, mirror, large)
    mirror.kill()
    changed = modules.module(len(large), seed=5)
    upstream.serve(PATH, Answer(changed, etag='"v2"', ranges=True))
    mirror.start()
    assert mirror.get(COMPRESSED).body == changed, "the draft is nobody's bytes before upstream has said so"
    mirror.wait_for_idle()
    assert mirror.blobs() == [modules.digest(changed)] and rows(mirror) == [] and mirror.drafts() == []


def test_draft_is_shown_to_nobody_before_upstream_has_proved_it(upstream, mirror, large):
    _, half = hold_in_the_middle(upstream, mirror, large)
    mirror.kill()
    before = threading.Event()
    upstream.serve(PATH, Answer(large, etag='"v1"', ranges=True, before=before))
    mirror.start()
    got = []
    thread = threading.Thread(target=lambda: got.append(Download(mirror, COMPRESSED)))
    thread.start()
    upstream.wait_for_requests(2)
    mirror.wait_for("larder_fill_waiters", 1)
    assert not got, "a client has the head of an answer that nobody can vouch for"
    before.set()
    thread.join()
    assert got[0].read_to_end() and got[0].digest() == modules.digest(large)
    assert upstream.sent_bytes == len(large)


@pytest.mark.parametrize("trouble", ["silence", "503", "504"])
def test_draft_outlives_an_upstream_that_cannot_be_asked(upstream, mirror, large, trouble):
    _, half = hold_in_the_middle(upstream, mirror, large)
    mirror.kill()
    good = Answer(large, etag='"v1"', ranges=True)
    bad = Raw(b"") if trouble == "silence" else Answer(b"", int(trouble))
    upstream.serve(PATH, bad, bad, good)
    mirror.start()
    for _ in range(2):
        assert mirror.get(COMPRESSED).status == (504 if trouble == "silence" else 502)
        mirror.wait_for_idle()
        assert len(mirror.drafts()) == 1 and len(rows(mirror)) == 1, "what was fetched was thrown away"
    assert mirror.get(COMPRESSED).body == large
    assert upstream.sent_bytes == len(large), "upstream was asked for more than the rest"


def test_draft_goes_where_upstream_has_the_object_no_more(upstream, mirror, large):
    hold_in_the_middle(upstream, mirror, large)
    mirror.kill()
    upstream.serve(PATH, Answer(b"", 404))
    mirror.start()
    assert_problem(mirror.get(COMPRESSED), 404, "not-found")
    mirror.wait_for_idle()
    assert mirror.drafts() == [] and rows(mirror) == []


@pytest.mark.parametrize("second_has_it", [True, False])
def test_draft_goes_for_another_upstreams_bytes_only_if_that_has_some(upstream, make_upstream, start, large, second_has_it):
    second = make_upstream()
    mirror = start(upstreams=[upstream.url, second.url])
    hold_in_the_middle(upstream, mirror, large)
    mirror.kill()
    upstream.serve(PATH, Raw(b""))
    if second_has_it:
        second.serve(PATH, large)
    mirror.start()
    reply = mirror.get(COMPRESSED)
    mirror.wait_for_idle()
    if second_has_it:
        assert reply.body == large and mirror.drafts() == []
    else:
        assert_problem(reply, 504, "upstream-unreachable")
        assert len(mirror.drafts()) == 1 and second.count() == 0 and second.count(method="HEAD") == 1


def test_drafts_that_wait_count_under_the_limit_and_go_first(upstream, start, large):
    small, other = modules.module(len(large) // 4, seed=7), modules.module(len(large) // 2, seed=8)
    mirror = start({"storage": {"max_bytes": len(large) + len(small) // 2}}, [upstream.url])
    hold_in_the_middle(upstream, mirror, large)
    mirror.kill()
    mirror.start()
    for name, content in (("small", small), ("other", other)):
        assert len(mirror.drafts()) == 1
        upstream.serve(f"/google/{name}/1", content)
        assert mirror.get(f"/google/{name}/1.tar.gz").body == content
        mirror.wait_for_idle()
    assert mirror.drafts() == [] and rows(mirror) == [], "more than storage.max_bytes lay there"
    assert len(mirror.blobs()) == 2, "a whole module went before a part of one"
    assert mirror.get(COMPRESSED).body == large


def test_after_a_crash_of_the_machine_only_what_was_durable_counts(upstream, mirror, large):
    _, half = hold_in_the_middle(upstream, mirror, large)
    mirror.kill()
    # Another boot, and the file's last pages were never written.
    with sqlite3.connect(mirror.data / "larder.db") as database:
        database.execute("UPDATE fills SET boot_id = 'another', durable_bytes = ?", (MIB,))
    draft = mirror.data / "drafts" / mirror.drafts()[0]
    with open(draft, "r+b") as file:
        file.seek(MIB)
        file.write(bytes(half - MIB))
    mirror.start()
    assert mirror.get(COMPRESSED).body == large
    assert upstream.requests[1].headers["range"] == f"bytes={MIB}-"


@pytest.mark.parametrize("size,etag", [(MIB // 2, '"v1"'), (4 * MIB, None)], ids=["small", "no validator"])
def test_what_is_soon_fetched_or_has_no_proof_is_not_noted(upstream, mirror, size, etag):
    module = modules.module(size)
    half = size // 2
    upstream.serve(PATH, Answer(module, etag=etag, ranges=True, gate=threading.Event(), gate_after=half), Answer(module))
    assert Download(mirror, COMPRESSED).read_up_to(half - HELD_BACK)
    mirror.kill()
    assert rows(mirror) == []
    mirror.start()
    assert mirror.drafts() == []
    assert mirror.get(COMPRESSED).body == module


def test_old_drafts_are_swept(upstream, mirror, large):
    hold_in_the_middle(upstream, mirror, large)
    mirror.kill()
    with sqlite3.connect(mirror.data / "larder.db") as database:
        database.execute("UPDATE fills SET updated_at = updated_at - 90000")
    mirror.start()
    assert mirror.drafts() == [] and rows(mirror) == []
    assert mirror.get(COMPRESSED).body == large


def test_cancelled_fill_leaves_nothing(upstream, mirror, large):
    download, _ = hold_in_the_middle(upstream, mirror, large)
    fill = mirror.get("/api/v1/fills").json()["fills"][0]
    assert fill["bytes"] > 0
    reply = mirror.request("DELETE", f"/api/v1/fills/{fill['id']}",
                           {"Authorization": f"Bearer {mirror.token('admin')}"})
    assert reply.status in (200, 202, 204), reply
    assert not download.read_to_end()
    mirror.wait_for_idle()
    mirror.assert_nothing_kept()
    assert rows(mirror) == []


def test_draft_that_is_gone_is_no_hindrance(upstream, mirror, large):
    hold_in_the_middle(upstream, mirror, large)
    mirror.kill()
    (mirror.data / "drafts" / mirror.drafts()[0]).unlink()
    mirror.start()
    assert hashlib.sha256(mirror.get(COMPRESSED).body).hexdigest() == modules.digest(large)
