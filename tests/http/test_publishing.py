# SPDX-License-Identifier: Apache-2.0
"""PUT takes a module once and for all, or refuses it with the reason; DELETE withdraws it for ever."""
import base64
import hashlib
import shutil
import socket
import subprocess
import threading

import pytest
from support import claims, modules
from support.client import read_status
from support.daemon import assert_problem
from support.waiting import DEADLINE_S, wait_until

PATH = "/acme/half-plus-two/1"
COMPRESSED = PATH + "?tf-hub-format=compressed"
MODULE = modules.module(200_000)
OTHER = modules.module(200_000, seed=2)


def sha256(data):
    return hashlib.sha256(data).digest()


def digest_header(data):
    return f"sha-256=:{base64.b64encode(sha256(data)).decode()}:"


def pieces(data, size=7001):
    return (data[i:i + size] for i in range(0, len(data), size))


def test_created(larder):
    reply = larder.put(PATH, MODULE)
    assert reply.status == 201, reply
    assert reply.header("Location").endswith(PATH)
    version = reply.json()
    assert (version["handle"], version["version"], version["source"]) == ("acme/half-plus-two", 1, "published")
    assert version["published_by"].startswith("ci") and version["state"] == "active"
    artifact, = version["artifacts"]
    assert artifact["format"] == "tf-hub" and artifact["size_bytes"] == len(MODULE)
    assert artifact["digest"] == "sha256:" + hashlib.sha256(MODULE).hexdigest()
    assert larder.blobs() == [hashlib.sha256(MODULE).hexdigest()] and not larder.drafts()
    assert larder.get(COMPRESSED).body == MODULE
    assert larder.metric("larder_published_total") == 1


def test_created_with_the_query(larder):
    assert larder.put(COMPRESSED, MODULE).status == 201
    assert larder.get(COMPRESSED).body == MODULE


def test_the_same_bytes_again(larder):
    larder.publish(PATH, MODULE)
    reply = larder.put(PATH, MODULE)
    assert reply.status == 200 and reply.json()["version"] == 1, reply


def test_other_bytes_are_a_conflict(larder):
    larder.publish(PATH, MODULE)
    assert_problem(larder.put(PATH, OTHER), 409, "conflict")
    assert larder.get(COMPRESSED).body == MODULE
    larder.wait_for_no_drafts()
    assert larder.blobs() == [hashlib.sha256(MODULE).hexdigest()]


def test_chunked(larder):
    reply = larder.put(PATH, pieces(MODULE))
    assert reply.status == 201, reply
    assert larder.get(COMPRESSED).body == MODULE


def test_one_blob_for_equal_bytes(larder):
    larder.publish("/acme/a/1", MODULE)
    larder.publish("/acme/b/1", MODULE)
    assert len(larder.blobs()) == 1
    larder.request("DELETE", "/acme/a/1", {"Authorization": f"Bearer {larder.token('withdraw:*')}"})
    assert larder.get("/acme/b/1.tar.gz").body == MODULE


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not there")
@pytest.mark.parametrize("chunked", [False, True])
def test_curl(larder, tmp_path, chunked):
    file = tmp_path / "m.tar.gz"
    file.write_bytes(modules.module(2 << 20))
    extra = ["-H", "Transfer-Encoding: chunked"] if chunked else []
    done = subprocess.run(["curl", "-sS", "--fail-with-body", "--noproxy", "*", "-w", "%{http_code}", "-o", "/dev/null",
                           "-H", f"Authorization: Bearer {larder.token()}", *extra,
                           "-T", str(file), larder.url.rstrip("/") + PATH], capture_output=True, text=True, timeout=DEADLINE_S)
    assert (done.returncode, done.stdout) == (0, "201"), done
    assert larder.get(COMPRESSED).body == file.read_bytes()


# ---- who may ---------------------------------------------------------------------------------------------------------

def test_tokens(larder):
    assert_problem(larder.put(PATH, MODULE, token=""), 401, "unauthorized")
    reply = larder.put(PATH, MODULE, token="no-such-token")
    assert_problem(reply, 401, "unauthorized")
    assert "bearer" in reply.header("WWW-Authenticate").lower()
    assert_problem(larder.put(PATH, MODULE, token=larder.token("publish:other/*")), 403, "forbidden")
    assert_problem(larder.put(PATH, MODULE, token=larder.token("read")), 403, "forbidden")
    larder.assert_nothing_kept()
    assert larder.put(PATH, MODULE, token=larder.token("publish:acme/*")).status == 201


def test_revoked_and_expired_tokens(larder):
    token = larder.larder("token", "create", "gone", "--scope", "publish:*").stdout.strip()
    assert larder.put("/acme/a/1", MODULE, token=token).status == 201
    larder.larder("token", "revoke", "gone")
    # Another process revoked it: the daemon notices within a second.
    wait_until(lambda: larder.put("/acme/a/1", MODULE, token=token).status == 401, "the revocation to count")
    assert_problem(larder.put("/acme/b/1", MODULE, token=token), 401, "unauthorized")
    assert larder.larder("token", "revoke", "gone", check=False).returncode == 1
    assert "gone" in larder.larder("token", "list").stdout


def test_token_is_kept_hashed(larder):
    token = larder.token()
    larder.publish(PATH, MODULE)
    larder.stop()
    kept = b"".join(path.read_bytes() for path in larder.data.rglob("*") if path.is_file())
    assert token.encode() not in kept and token not in larder.log()
    larder.start()


def test_forbidden_even_where_it_is_there(larder):
    larder.publish(PATH, MODULE)
    assert_problem(larder.put(PATH, OTHER, token=""), 401, "unauthorized")
    assert_problem(larder.request("DELETE", PATH), 401, "unauthorized")
    assert_problem(larder.request("DELETE", PATH, {"Authorization": f"Bearer {larder.token()}"}), 403, "forbidden")


# ---- digests ---------------------------------------------------------------------------------------------------------

# What only servers say, in whose mouths it is of something else.
NOT_OF_UPLOADS = {"ETag of a Larder", "ETag of Nexus", "x-goog length", "Docker"}
DIGESTS = {name: make for name, make in {**claims.OF_THE_WHOLE, **claims.OF_THE_BODY}.items() if name not in NOT_OF_UPLOADS}
SMALL, OTHER_SMALL = modules.module(2000), modules.module(2000, seed=2)


@pytest.mark.parametrize("content, other", [(MODULE, OTHER), (SMALL, OTHER_SMALL)], ids=["large", "small"])
@pytest.mark.parametrize("claim", DIGESTS)
def test_digests_are_checked(larder, claim, content, other):
    assert_problem(larder.put(PATH, content, **DIGESTS[claim](other)), 400, "digest-mismatch")
    larder.assert_nothing_kept()
    assert larder.put(PATH, content, **DIGESTS[claim](content)).status == 201
    assert larder.put(PATH, content, **DIGESTS[claim](content)).status == 200


@pytest.mark.parametrize("first, second", [("Digest SHA-256", "Content-MD5"), ("Repr-Digest", "Digest MD5"), ("x-amz sha1", "Azure")])
def test_every_one_of_several_digests_is_checked(larder, first, second):
    for one, two in ((first, second), (second, first)):
        assert_problem(larder.put(PATH, MODULE, **DIGESTS[one](MODULE), **DIGESTS[two](OTHER)), 400, "digest-mismatch")
    mixed = {name: f"{DIGESTS['Digest MD5'](MODULE)[name]},{value}" for name, value in DIGESTS["Digest SHA-256"](OTHER).items()}
    assert_problem(larder.put(PATH, MODULE, **mixed), 400, "digest-mismatch")
    larder.assert_nothing_kept()
    assert larder.put(PATH, MODULE, **DIGESTS[first](MODULE), **DIGESTS[second](MODULE)).status == 201


def test_digests_of_other_kinds_are_ignored(larder):
    other = f"sha3-384=:{base64.b64encode(bytes(48)).decode()}:"
    assert larder.put(PATH, MODULE, content_digest=f"{other}, {digest_header(MODULE)}", digest="UNIXsum=1").status == 201


@pytest.mark.parametrize("value", ["sha-256=:short:", "sha-256=:" + "A" * 200 + ":", "sha-256", "md5=:" + "A" * 2000 + ":"])
@pytest.mark.parametrize("header", ["content_digest", "repr_digest", "digest"])
def test_malformed_digests(larder, header, value):
    problem = assert_problem(larder.put(PATH, MODULE, **{header: value}), 400, "bad-request")
    assert header.replace("_", "-").title() in problem["detail"] and "leave it out" in problem["detail"]


@pytest.mark.parametrize("header", ["Content-MD5", "X-Checksum-Sha1", "x-amz-checksum-crc32", "x-ms-blob-content-md5",
                                    "x-amz-checksum-crc64nvme", "x-ms-content-crc64", "x-oss-hash-crc64ecma", "X-Bz-Content-Sha1"])
def test_malformed_sums(larder, header):
    for value in ("abc", "?", "A" * 2000):
        assert header in assert_problem(larder.put(PATH, MODULE, **{header: value}), 400, "bad-request")["detail"]


# ---- refused early ---------------------------------------------------------------------------------------------------

def expect_100(larder, path, headers, body=b""):
    """Sends a PUT's head with Expect: 100-continue; gives the status that comes before any byte of the body, and for 100 the
    final status too."""
    lines = [f"PUT {path} HTTP/1.1", "Host: h", "Expect: 100-continue", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(larder.address, timeout=DEADLINE_S) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = connection.recv(1 << 16)
        first = read_status(answer)
        if first != 100:
            return first, None
        connection.sendall(body)
        answer = answer.split(b"\r\n\r\n", 1)[1]
        while b"\r\n\r\n" not in answer:
            block = connection.recv(1 << 16)
            assert block, "no final answer"
            answer += block
        return first, read_status(answer)


def test_expect_100_continue(start):
    larder = start({"publish": {"max_upload_bytes": "1M"}})
    right = {"Authorization": f"Bearer {larder.token()}", "Content-Length": str(len(MODULE))}
    assert expect_100(larder, PATH, right, MODULE) == (100, 201)
    assert expect_100(larder, "/acme/x/1", {"Content-Length": "100"}) == (401, None)
    other = larder.token("publish:other/*")
    assert expect_100(larder, "/acme/x/1", {**right, "Authorization": f"Bearer {other}"}) == (403, None)
    assert expect_100(larder, "/acme/x/1", {**right, "Content-Length": str(2 << 20)}) == (413, None)
    for absurd in (2**63, 2**64 - 2, 2**64 - 1):
        assert expect_100(larder, "/acme/x/1", {**right, "Content-Length": str(absurd)}) == (413, None)
    assert expect_100(larder, PATH, {**right, "Repr-Digest": digest_header(OTHER)}) == (409, None)


def test_too_large(start):
    larder = start({"publish": {"max_upload_bytes": "100K"}})
    assert_problem(larder.put(PATH, MODULE), 413, "too-large")
    answer = larder.raw(f"PUT {PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {larder.token()}\r\n"
                        f"Transfer-Encoding: chunked\r\n\r\n".encode()
                        + b"".join(b"1000\r\n" + MODULE[at:at + 4096] + b"\r\n" for at in range(0, len(MODULE) - 4096, 4096))
                        + b"0\r\n\r\n", to_end=False)
    assert read_status(answer) == 413
    larder.assert_nothing_kept()


@pytest.mark.parametrize("media_type", ["image/png", "text/html", "application/json", "multipart/mixed; boundary=x"])
def test_unsupported_media(larder, media_type):
    assert_problem(larder.put(PATH, MODULE, content_type=media_type), 415, "unsupported-media")


@pytest.mark.parametrize("media_type", ["application/gzip", "application/x-gzip", "application/x-tar",
                                        "application/octet-stream", "application/x-tgz"])
def test_supported_media(larder, media_type):
    assert larder.put(PATH, MODULE, content_type=media_type).status == 201


@pytest.mark.parametrize("path", ["/acme/half-plus-two", "/acme", "/acme/half-plus-two/0", "/ACME/x/1", "/"])
def test_names_that_cannot_be_published(larder, path):
    reply = larder.put(path, MODULE)
    assert reply.status in (400, 405) and reply.json()["code"] in ("bad-request", "method-not-allowed"), reply


def test_uncompressed_cannot_be_published(larder):
    assert_problem(larder.put(PATH + "?tf-hub-format=uncompressed", MODULE), 400, "bad-request")


def test_empty_body(larder):
    reply = larder.put(PATH, b"")
    assert reply.status in (400, 422), reply
    larder.assert_nothing_kept()


# ---- broken off ------------------------------------------------------------------------------------------------------

def begin_put(larder, body, declared=None):
    connection = socket.create_connection(larder.address, timeout=DEADLINE_S)
    connection.sendall(f"PUT {PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {larder.token()}\r\n"
                       f"Content-Length: {declared or len(body)}\r\n\r\n".encode() + body)
    return connection


def test_client_goes_away(larder):
    connection = begin_put(larder, MODULE[:100_000], declared=len(MODULE))
    larder.wait_for("larder_uploads_running", 1)
    connection.close()
    larder.wait_for("larder_uploads_aborted_total", 1)
    larder.assert_nothing_kept()
    assert larder.put(PATH, OTHER).status == 201


@pytest.mark.concurrent
def test_many_at_once_under_one_name(larder):
    token, replies = larder.token(), []
    contents = [modules.module(100_000, seed=seed) for seed in range(8)]
    threads = [threading.Thread(target=lambda body=body: replies.append((body, larder.put(PATH, body, token=token))))
               for body in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [body for body, reply in replies if reply.status == 201]
    assert len(taken) == 1, [str(reply) for _, reply in replies]
    assert all(reply.status in (201, 409) for _, reply in replies), [str(reply) for _, reply in replies]
    assert larder.get(COMPRESSED).body == taken[0]
    larder.wait_for_no_drafts()
    assert larder.blobs() == [modules.digest(taken[0])]


@pytest.mark.concurrent
def test_many_at_once_under_many_names(larder):
    token, statuses = larder.token(), {}

    def publish(i):
        statuses[i] = larder.put(f"/acme/m{i}/1", modules.module(50_000, seed=i), token=token).status

    threads = [threading.Thread(target=publish, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses.values()) == {201} and len(statuses) == 16, statuses
    assert len(larder.handles()) == 16 and len(larder.blobs()) == 16


# ---- withdrawing -----------------------------------------------------------------------------------------------------

def withdraw(larder, path):
    return larder.request("DELETE", path, {"Authorization": f"Bearer {larder.token('withdraw:*')}"})


def test_withdrawn_for_ever(larder):
    larder.publish(PATH, MODULE)
    assert withdraw(larder, PATH).status in (200, 204)
    assert_problem(larder.get(COMPRESSED), 410, "gone")
    assert_problem(larder.put(PATH, MODULE), 410, "gone")
    assert_problem(larder.put(PATH, OTHER), 410, "gone")
    assert_problem(withdraw(larder, PATH), 410, "gone")
    assert larder.blobs() == []
    larder.restart()
    assert_problem(larder.get(COMPRESSED), 410, "gone")
    assert larder.get("/api/v1/modules" + PATH).json()["state"] == "withdrawn"


def test_withdrawn_version_is_not_the_latest(larder):
    larder.publish(PATH, MODULE)
    larder.publish("/acme/half-plus-two/2", OTHER)
    withdraw(larder, "/acme/half-plus-two/2")
    assert larder.get("/acme/half-plus-two?tf-hub-format=compressed").header("Location").partition("?")[0].endswith(PATH)


def test_withdrawing_what_is_not_there(larder):
    assert_problem(withdraw(larder, PATH), 404, "not-found")


# ---- documentation ---------------------------------------------------------------------------------------------------

def test_documentation(larder):
    larder.publish(PATH, MODULE)
    text = "# Module acme/half-plus-two/1\nHalves, then adds two.\n"
    assert larder.put(PATH, text.encode(), content_type="text/markdown").status == 201
    assert larder.get("/api/v1/documentation" + PATH, accept="text/markdown").body.decode() == text
    assert larder.put(PATH, b"# New\nwords\n", content_type="text/markdown; charset=utf-8").status == 200
    assert larder.get("/api/v1/documentation" + PATH, accept="text/markdown").body == b"# New\nwords\n"
    assert larder.get(COMPRESSED).body == MODULE


def test_documentation_of_another_version(larder):
    larder.publish(PATH, MODULE)
    for head in ("# Module acme/half-plus-two/2", "# Module acme/other/1", "# Collection acme/half-plus-two/1"):
        assert_problem(larder.put(PATH, (head + "\nText.\n").encode(), content_type="text/markdown"), 400, "bad-request")


def test_documentation_that_breaks_its_format(larder):
    larder.publish(PATH, MODULE)
    text = b"# Module acme/half-plus-two/1\nHalves.\n\n<!-- colour: red -->\n"
    problem = assert_problem(larder.put(PATH, text, content_type="text/markdown"), 400, "bad-request")
    assert "line 4" in problem["detail"] and "colour" in problem["detail"]
    assert_problem(larder.get("/api/v1/documentation" + PATH), 404, "not-found")


def test_documentation_shows_its_body(larder):
    larder.publish(PATH, MODULE)
    larder.publish(PATH, b"# Module acme/half-plus-two/1\nHalves.\n\n<!-- task: t -->\n\n## Use\nIt.\n", content_type="text/markdown")
    assert larder.get("/api/v1/documentation" + PATH).body == b"<h2>Use</h2>\n<p>It.</p>\n"
    assert larder.get("/api/v1/modules" + PATH).json()["description"] == "Halves."


def test_documentation_needs_a_token(larder):
    larder.publish(PATH, MODULE)
    assert_problem(larder.put(PATH, b"# X", token="", content_type="text/markdown"), 401, "unauthorized")


def test_documentation_of_what_is_not_there(larder):
    assert_problem(larder.put(PATH, b"# X", content_type="text/markdown"), 404, "not-found")
