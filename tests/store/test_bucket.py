# SPDX-License-Identifier: Apache-2.0
"""The client of a bucket: against a real Ceph, and against a store that fails as it is told to."""
import concurrent.futures
import hashlib
import random

import pytest

from ceph import KEY, SECRET
from support.waiting import wait_until


def written(folder, size):
    path = folder / f"file-{size}"
    data = random.Random(size).randbytes(size)
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


# ---- Ceph ----


def test_objects_come_back(gateways, tmp_path):
    one, other = gateways
    for size in (1, 4096, (1 << 20) + 1):
        path, digest = written(tmp_path, size)
        assert one.ask("file", f"blobs/{digest}", path) == ("done", digest)
        assert other.ask("head", f"blobs/{digest}") == ("done", str(size))
        assert other.ask("get", f"blobs/{digest}", 0, -1) == ("done", digest)
        first, length = size // 3, size - size // 3
        assert one.ask("get", f"blobs/{digest}", first, -1) == ("done", hashlib.sha256(path.read_bytes()[first:]).hexdigest())
        assert one.ask("get", f"blobs/{digest}", first, length) == ("done", hashlib.sha256(path.read_bytes()[first:]).hexdigest())
        assert one.ask("delete", f"blobs/{digest}")[0] == "done"
        assert other.ask("head", f"blobs/{digest}")[0] == "absent"
        assert one.ask("delete", f"blobs/{digest}")[0] == "done"


def test_parts_make_a_whole(gateways, tmp_path):
    for size in ((5 << 20) + 1, 10 << 20):
        path, digest = written(tmp_path, size)
        assert gateways[0].ask("file", "large", path, "parts")[0] == "done"
        assert gateways[1].ask("get", "large", 0, -1) == ("done", digest)


def agree(gateways, key):
    """What is there, once both gateways say the same."""
    def look():
        told = {store.ask("read", key) for store in gateways}
        return told.pop() if len(told) == 1 else None

    return wait_until(look, f"the gateways agree on {key}")


def one_of_many(gateways, key, condition, count, **more):
    """So many at once through two gateways: at most one is told that it wrote, and what is there is one's. Where that one had no honest
    answer (Ceph may say 500 in a race over two gateways), it was told so."""
    for store in gateways:
        store.write(timeout_s=60, connect_timeout_s=60)  # a machine that is busy is no fault
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        told = list(pool.map(lambda number: gateways[number % 2].ask("put", key, f"body-{number}-{key}-{condition}", condition, **more)[0],
                             range(count)))
    outcome, body = agree(gateways, key)
    winner = int(body.split("-")[1])
    assert outcome == "done" and told.count("done") <= 1 and set(told) <= {"done", "clash", "ambiguous", "busy"}, told
    assert told[winner] == ("done" if "done" in told else "ambiguous") and body.endswith(f"-{key}-{condition}"), (told, body)


def test_one_of_many_creates(gateways):
    for turn in range(4):
        one_of_many(gateways, f"ids/{turn}", "-", 16)


def test_one_of_many_exchanges(gateways):
    gateways[0].ask("put", "lease", "begin", "-")
    for _turn in range(3):
        outcome, etag = gateways[0].ask("etag", "lease")
        one_of_many(gateways, "lease", etag, 8, environment={"BARE_ETAGS": "1"})


def test_lists_go_on_page_by_page(gateways):
    names = sorted(f"ids/{number:02x}/{number}/tf-hub" for number in range(23))
    for name in names + ["idz/other"]:
        gateways[0].ask("put", name, "x")
    for limit in (1, 5, 23, 1000):
        *lines, end = gateways[1].run("list", "ids/", limit).splitlines()
        assert lines == [f"{name} 1" for name in names] and end.strip() == "done"
    assert gateways[0].run("list", "nothing/", 10).strip() == "done"


def test_no_right_no_bucket(gateways):
    store = gateways[0]
    store.credentials.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = wrong{SECRET[5:]}\n")
    assert store.ask("head", "a")[0] == "refused"
    store.credentials.write_text(f"[other]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    assert store.ask("put", "a", "b")[0] == "refused"
    assert store.ask("put", "a", "b", environment={"AWS_PROFILE": "other"})[0] == "done"
    store.bucket = "none"
    store.write()
    store.credentials.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    assert store.ask("put", "a", "b")[0] == "absent"


def test_credentials_of_the_environment(gateways):
    store = gateways[0]
    store.write(credentials_file=None)
    assert store.ask("put", "a", "b", environment={"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET})[0] == "done"
    outcome, why = store.ask("put", "a", "b", environment={"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": ""})
    assert outcome == "refused" and "AWS_SECRET_ACCESS_KEY" in why


# ---- what fails ----


@pytest.mark.parametrize("address", ["http://{}@proxy.example:312800", "{}@proxy.example:3128O", "weird://{}@proxy.example:1"])
def test_a_proxy_that_libcurl_cannot_read_is_not_told(scripted, address):
    """libcurl's own words have all of its address."""
    outcome, why = scripted.ask("read", "a", environment={"http_proxy": address.format("me:hush"), "no_proxy": ""})
    assert outcome == "unreachable" and "the proxy's address cannot be used" in why and "hush" not in why


@pytest.mark.parametrize("act", ["drop", "slow", "error", "conflict"])
@pytest.mark.parametrize("word", ["put", "read", "head", "delete", "list"])
def test_what_is_safe_is_asked_again(front, scripted, act, word):
    scripted.ask("put", "ids/a", "body")
    method = {"put": "PUT", "read": "GET", "head": "HEAD", "delete": "DELETE", "list": "GET"}[word]
    front.script.on(method, act, act)
    words = {"put": ("ids/a", "body"), "list": ("ids/", 10)}.get(word, ("ids/a",))
    assert scripted.run(word, *words).splitlines()[-1].startswith("done")
    assert front.script.acts[method] == []


@pytest.mark.parametrize("act, outcome", [("drop", "unreachable"), ("slow", "busy"), ("error", "busy"), ("conflict", "busy"), ("denied", "refused"), ("redirect", "refused")])
def test_what_goes_on_failing_is_told(front, scripted, act, outcome):
    front.script.on("GET", *[act] * 12)
    assert scripted.ask("read", "ids/a")[0] == outcome
    assert not any(path.startswith("/elsewhere") for _, path, _ in front.script.seen)


def test_a_silent_store_is_not_waited_for_again_and_again(front, scripted):
    scripted.write(timeout_s=1)
    front.script.on("GET", *["silent"] * 4)
    assert scripted.ask("read", "ids/a")[0] == "unreachable"
    assert len(front.script.seen) < 4


@pytest.mark.parametrize("act, outcome", [("drop", "ambiguous"), ("lost", "ambiguous"), ("error", "ambiguous"), ("late-error", "ambiguous"), ("slow", "done"), ("conflict", "done")])
def test_a_lost_answer_to_a_condition_is_ambiguous(front, scripted, act, outcome):
    front.script.on("PUT", act)
    assert scripted.ask("put", "ids/a", "body", "-")[0] == outcome
    assert len([1 for method, *_ in front.script.seen if method == "PUT"]) == (2 if outcome == "done" else 1)
    there = act in ("lost", "late-error", "slow", "conflict")
    assert scripted.ask("read", "ids/a") == ("done", "body") if there else scripted.ask("read", "ids/a")[0] == "absent"


def test_a_cut_transfer_goes_on_where_it_broke(front, scripted, tmp_path):
    path, digest = written(tmp_path, 300_000)
    scripted.ask("file", "blob", path)
    front.script.on("GET", "cut", "cut", "cut")
    assert scripted.ask("get", "blob", 0, -1) == ("done", digest)
    ranges = [headers.get("Range") for method, _, headers in front.script.seen if method == "GET"]
    assert ranges[0] is None and len(ranges) == 4 and len(set(ranges)) == 4
    front.script.on("GET", "cut")
    assert scripted.ask("get", "blob", 1000, 50_000) == ("done", hashlib.sha256(path.read_bytes()[1000:51_000]).hexdigest())


def test_no_two_objects_are_mixed(front, scripted, tmp_path):
    path, _ = written(tmp_path, 300_000)
    scripted.ask("file", "blob", path)
    front.script.on("GET", "moved")
    assert scripted.ask("get", "blob", 0, -1)[0] == "unreachable"


@pytest.mark.parametrize("etag", ["", '""', '"', "*", '"a b"', 'a b', '"a', 'W/"a"', '"a\x7f"', '"a"b"', '"a,b"'])
@pytest.mark.parametrize("bare", [{}, {"BARE_ETAGS": "1"}], ids=["quoted", "bare"])
def test_a_condition_that_says_nothing_is_not_sent(front, scripted, etag, bare):
    """A request whose condition is lost would be one without."""
    scripted.ask("put", "lease", "first")
    outcome, why = scripted.ask("put", "lease", "second", etag, environment=bare)
    assert outcome == "refused" and "ETag" in why
    assert len(front.script.seen) == 1 and scripted.ask("read", "lease") == ("done", "first")


@pytest.mark.parametrize("key", ["a" * 896, "a//b", "/a", "a/", "", "A", "a?b", "a/../b", "a/.", "\u00e4"])
def test_keys_are_plain(front, scripted, key):
    for words in (("put", key, "b"), ("read", key), ("head", key), ("delete", key)):
        outcome, why = scripted.ask(*words)
        assert outcome == "refused" and "key" in why
    assert front.script.seen == []
    assert scripted.ask("put", "a" * 895, "b")[0] == "done"


@pytest.mark.parametrize("act", ["drop", "slow", "error"])
def test_parts_are_sent_again(front, scripted, tmp_path, act):
    path, digest = written(tmp_path, (5 << 20) + 7)
    front.script.on("PUT", act, None, act)
    front.script.on("POST", act)
    assert scripted.ask("file", "large", path, "parts")[0] == "done"
    assert scripted.ask("get", "large", 0, -1) == ("done", digest)
    assert not front.unfinished


def test_parts_that_fail_are_taken_back(front, scripted, tmp_path):
    path, _ = written(tmp_path, (5 << 20) + 7)
    front.script.on("PUT", None, "denied")
    assert scripted.ask("file", "large", path, "parts")[0] == "refused"
    assert not front.unfinished and scripted.ask("head", "large")[0] == "absent"


def test_a_file_that_is_not_what_it_is_called_is_put_together_nowhere(front, scripted, tmp_path):
    """Its parts have each their digest."""
    path, _ = written(tmp_path, (5 << 20) + 7)
    outcome, told = scripted.ask("file", "large", path, "parts", "0" * 64)
    assert outcome == "refused" and "should have" in told
    assert not front.unfinished and scripted.ask("head", "large")[0] == "absent"


def taken_back(front):
    return [path for method, path, _ in front.script.seen if method == "DELETE" and "uploadId" in path]


@pytest.mark.parametrize("act", ["lost", "error-in-200", "error", "drop", (503, b"no"), "conflict"])
@pytest.mark.parametrize("times", [1, 2])
def test_the_end_of_parts_is_asked_for_again(front, scripted, tmp_path, act, times):
    path, digest = written(tmp_path, (5 << 20) + 7)
    front.script.on("POST", None, *[act] * times)
    assert scripted.ask("file", "large", path, "parts")[0] == "done"
    assert scripted.ask("get", "large", 0, -1) == ("done", digest)
    assert not front.unfinished and not taken_back(front)


@pytest.mark.parametrize("act, outcome", [("error-in-200", "ambiguous"), ("error", "ambiguous"), ("drop", "ambiguous"), ("slow", "busy"), ("conflict", "busy")])
def test_what_may_still_be_put_together_is_not_taken_back(front, scripted, tmp_path, act, outcome):
    path, _ = written(tmp_path, (5 << 20) + 7)
    front.script.on("POST", None, *[act] * 40)
    assert scripted.ask("file", "large", path, "parts")[0] == outcome
    assert front.unfinished and not taken_back(front)


def test_parts_that_are_refused_at_their_end_are_taken_back(front, scripted, tmp_path):
    path, _ = written(tmp_path, (5 << 20) + 7)
    front.script.on("POST", None, "denied")
    assert scripted.ask("file", "large", path, "parts")[0] == "refused"
    assert not front.unfinished and taken_back(front)


def test_the_end_of_parts_may_take_long(front, scripted, tmp_path):
    path, digest = written(tmp_path, (5 << 20) + 7)
    scripted.write(connect_timeout_s=1, timeout_s=1)
    front.script.on("POST", None, "hold")
    assert scripted.ask("file", "large", path, "parts")[0] == "done"
    assert len([1 for method, *_ in front.script.seen if method == "POST"]) == 2
    assert scripted.ask("get", "large", 0, -1) == ("done", digest)


@pytest.mark.parametrize("method, acts, outcome", [("PUT", ["gone"], "absent"), ("POST", [None, "gone"], "ambiguous"), ("POST", [None, "error", "gone"], "ambiguous")])
def test_another_object_of_that_length_is_not_what_was_sent(front, scripted, tmp_path, method, acts, outcome):
    path, _ = written(tmp_path, (5 << 20) + 7)
    other = bytes((5 << 20) + 7)
    front.objects["a/test/large"] = other
    front.script.on(method, *acts)
    assert scripted.ask("file", "large", path, "parts")[0] == outcome
    assert front.objects["a/test/large"] == other


@pytest.mark.parametrize("act", ["entities", "huge"])
def test_strange_lists_are_refused(front, scripted, act):
    front.script.on("GET", *[act] * 4)
    assert scripted.run("list", "ids/", 10).splitlines()[-1].split()[0] in ("refused", "unreachable")


def page(*keys, more="<IsTruncated>false</IsTruncated>", root="ListBucketResult"):
    rows = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
    return 200, f"<{root}>{more}{rows}</{root}>".encode()


ON = "<IsTruncated>true</IsTruncated>"
STRANGE_PAGES = {
    "another prefix": page("b/test/ids/a"), "no prefix": page("ids/a"), "beside the prefix": page("a/testids/a"), "another folder": page("a/test/idz/a"),
    "above": page("a/test/ids"), "descending": page("a/test/ids/b", "a/test/ids/a"), "twice": page("a/test/ids/a", "a/test/ids/a"),
    "too many": page(*(f"a/test/ids/{number}" for number in range(6))), "on without a key": page(more=ON), "no word of more": page("a/test/ids/a", more=""),
    "another word of more": page("a/test/ids/a", more="<IsTruncated>maybe</IsTruncated>"), "another root": page("a/test/ids/a", root="Error"),
    "within another root": (200, b"<a>" + page("a/test/ids/a")[1] + b"</a>"), "no answer": (200, b""), "a page": (200, b"<html></html>"),
    "no key": (200, b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Size>1</Size></Contents></ListBucketResult>"),
    "no size": (200, b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a/test/ids/a</Key></Contents></ListBucketResult>"),
    "a part": (206, page("a/test/ids/a")[1]), "long": page("a/test/ids/" + "a" * 900),
}


@pytest.mark.parametrize("name", STRANGE_PAGES)
def test_lists_are_what_was_asked_for(front, scripted, name):
    front.script.on("GET", *[STRANGE_PAGES[name]] * 4)
    assert scripted.run("list", "ids/", 5).splitlines()[-1].split()[0] in ("refused", "unreachable")


def test_sizes_may_come_first(front, scripted):
    front.script.on("GET", (200, b"<ListBucketResult><IsTruncated>false</IsTruncated>"
                            b"<Contents><Size>7</Size><Key>a/test/ids/a</Key></Contents><Contents><Size>8</Size><Key>a/test/ids/b</Key></Contents></ListBucketResult>"))
    assert scripted.run("list", "ids/", 5).splitlines() == ["ids/a 7", "ids/b 8", "done "]


@pytest.mark.parametrize("keys", [["a/test/ids/a"], ["a/test/ids/0"], ["a/test/ids/A", "a/test/ids/b"]])
def test_no_page_goes_back(front, scripted, keys):
    front.script.on("GET", page("a/test/ids/a", more=ON), page(*keys, more=ON))
    assert scripted.run("list", "ids/", 5).splitlines()[-1].startswith("refused")


# ---- objects that are not as they were asked for ----


def whole(body, status=200, **fields):
    return status, body, [("ETag", '"e"'), *((name.replace("_", "-"), value) for name, value in fields.items())]


@pytest.mark.parametrize("act", [
    whole(b"bc", 206, Content_Range="bytes 1-2/6"), whole(b"abcd", 206, Content_Range="bytes 1-4/6"), whole(b"bcd", 206, Content_Range="bytes 0-2/6"),
    whole(b"bc", 206, Content_Range="bytes 1-3/6"), whole(b"bcde", 206, Content_Range="bytes 1-3/6"), whole(b"bcd", 206, Content_Range="bytes 1-3/3"),
    whole(b"bcd", 206, Content_Range="bytes 1-3/*"), whole(b"bcd", 206, Content_Range="bytes 1-3x/6"), whole(b"bcd", 206), whole(b"bcd"), whole(b""),
    whole(b"", 204), whole(b"", 206, Content_Range="bytes 1-3/6"), whole(b"", 206), whole(b"bcd", 203),
])
def test_ranges_are_those_that_were_asked_for(front, scripted, act):
    front.script.on("GET", *[act] * 4)
    assert scripted.ask("get", "blob", 1, 3)[0] == "unreachable"


@pytest.mark.parametrize("word, more", [("get", (0, -1)), ("read", ())])
@pytest.mark.parametrize("act", [whole(b"abc", 206, Content_Range="bytes 0-2/6"), whole(b"abcdef", 206, Content_Range="bytes 0-5/6"), whole(b"abc", 206), whole(b"", 204),
                                 whole(b"abc", 203)])
def test_a_whole_is_not_a_part(front, scripted, act, word, more):
    front.script.on("GET", *[act] * 4)
    assert scripted.ask(word, "blob", *more)[0] == "unreachable"


def test_what_is_larger_than_it_may_be_is_asked_for_once(front, scripted):
    """The store is well, and the same comes again."""
    front.objects["a/test/blob"] = bytes((1 << 20) + 1)
    assert scripted.ask("read", "blob")[0] == "oversized"
    assert len(front.script.seen) == 1


@pytest.mark.parametrize("word, more", [("get", (0, -1)), ("read", ())])
def test_an_end_without_a_length_is_no_end(front, scripted, word, more):
    front.objects["a/test/blob"] = b"abc"
    front.script.on("GET", *["endless"] * 4)
    assert scripted.ask(word, "blob", *more)[0] == "unreachable"


def test_the_end_of_an_object_is_a_range_too(front, scripted):
    front.objects["a/test/blob"] = b"abcdef"
    for first, length, part in ((4, 10, b"ef"), (4, -1, b"ef"), (5, 1, b"f"), (0, 100, b"abcdef")):
        assert scripted.ask("get", "blob", first, length) == ("done", hashlib.sha256(part).hexdigest())


def test_what_cannot_be_told_apart_is_not_gone_on_with(front, scripted, tmp_path):
    path, _ = written(tmp_path, 300_000)
    scripted.ask("file", "blob", path)
    front.script.etags = "untold"
    front.script.on("GET", "cut")
    assert scripted.ask("get", "blob", 0, -1)[0] == "unreachable"


@pytest.mark.parametrize("words", [("get", "blob", 0, -1), ("read", "blob")])
def test_a_refusal_must_come_to_its_end(front, scripted, words):
    front.objects["a/test/blob"] = b"abc"
    scripted.write(connect_timeout_s=1, timeout_s=1)
    front.script.on("GET", "drip")
    assert scripted.ask(*words)[0] == "done"


# ---- what outcomes mean ----


@pytest.mark.parametrize("act, outcome", [((503, b""), "ambiguous"), ((429, b""), "ambiguous"), ((503, b"<html></html>"), "ambiguous"), ((408, b""), "ambiguous"),
                                          ((409, b""), "ambiguous"), ((504, b""), "ambiguous"), ((400, b""), "refused"),
                                          ((408, b"<Error><Code>RequestTimeout</Code></Error>"), "done"), ((400, b"<Error><Code>RequestTimeout</Code></Error>"), "done"),
                                          ((503, b"<Error><Code>SlowDown</Code></Error>"), "done"), ((429, b"<Error><Code>TooManyRequests</Code></Error>"), "done")])
def test_who_says_no_to_a_condition(front, scripted, act, outcome):
    """Something before the store may say so when the store has done it."""
    front.script.on("PUT", act)
    assert scripted.ask("put", "ids/a", "body", "-")[0] == outcome


@pytest.mark.parametrize("act", [(503, b""), (429, b""), (408, b""), (400, b"<Error><Code>RequestTimeout</Code></Error>")])
def test_who_says_not_now(front, scripted, act):
    front.script.on("PUT", act, act)
    assert scripted.ask("put", "ids/a", "body")[0] == "done"


def spoil(path, how):
    path.unlink()
    if how == "large":
        path.write_text("#" * (300 << 10))
    elif how == "folder":
        path.mkdir()
    elif how == "empty":
        path.write_text("")


@pytest.mark.parametrize("how", ["missing", "large", "folder", "empty"])
def test_credentials_that_cannot_be_read_are_refused(front, scripted, how):
    spoil(scripted.credentials, how)
    outcome, why = scripted.ask("put", "a", "b", "-")
    assert outcome == "refused" and str(scripted.credentials) in why and front.script.seen == []
    sound, steps = scripted.report()
    assert not sound and "credentials_file" in steps["reach"]["remedy"], steps


def test_all_that_is_signed(front, scripted):
    """A digest always, a session's token where there is one, nothing that some libcurl signs and does not send."""
    scripted.credentials.write_text(f"# of a session\n[default]\naws_access_key_id={KEY}\n aws_secret_access_key = {SECRET}\naws_session_token = {'t' * 3000}\n")
    for words in (("put", "a", "b", "-"), ("read", "a"), ("head", "a"), ("list", "a", 5), ("delete", "a")):
        scripted.run(*words)
    assert len(front.script.seen) == 5
    for _, path, headers in front.script.seen:
        signature = headers["Authorization"]
        headers = {name.lower(): value for name, value in headers.items()}
        assert headers["x-amz-content-sha256"] and headers["x-amz-security-token"] == "t" * 3000, headers
        signed = signature.split("SignedHeaders=")[1].split(",")[0].split(";")
        assert {"host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"} <= set(signed)
        assert all(headers.get(name) for name in signed), (signed, headers)
        assert path.startswith("/models/a/test/") or path.startswith("/models/?list-type=2&max-keys=5&prefix=a%2Ftest%2Fa")
