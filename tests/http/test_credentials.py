# SPDX-License-Identifier: Apache-2.0
"""What upstreams are sent so that they answer: each kind, anew from its file, and to nobody else."""
import base64
import json
import ssl
import subprocess

import pytest
from support import modules
from support.daemon import assert_problem, binary
from support.upstream import Answer, Upstream, redirect

PATH = "/google/nnlm/2"
COMPRESSED = PATH + "?tf-hub-format=compressed"
SMALL = modules.module(1000)


def template(upstream):
    return upstream.url + "/{path}?{query}"


# The key, what its file has, and the header that comes of it.
KINDS = {
    "bearer": ("bearer_token_file", "s3cret-t0ken\n", "authorization", "Bearer s3cret-t0ken"),
    "basic": ("basic_file", "ci:s3cret-pa:ss\n", "authorization", "Basic " + base64.b64encode(b"ci:s3cret-pa:ss").decode()),
    "long basic": ("basic_file", "ci:" + "s3cret" * 50, "authorization", "Basic " + base64.b64encode(b"ci:" + b"s3cret" * 50).decode()),
    "header": ("header_file", "# ours\n\nX-Api-Key:  s3cret-k3y \r\nX-Other: s3cret-too\n", "x-api-key", "s3cret-k3y"),
}


@pytest.fixture(params=KINDS)
def kind(request, tmp_path):
    key, text, name, value = KINDS[request.param]
    (tmp_path / "credentials").write_text(text)
    return {"keys": {key: tmp_path / "credentials"}, "name": name, "value": value}


def settings(upstream_url, kind, **more):
    return {"mirror": {"private_upstreams": "on"}, "upstream ours": {"url": upstream_url, **kind["keys"], **more}}


def assert_secret(larder, *answers):
    shown = [larder.log(), larder.get("/metrics").body.decode(), larder.get(f"/api/v1/explain?url={PATH}").body.decode(),
             *(answer.body.decode(errors="replace") for answer in answers)]
    assert not any("s3cret" in text or "Basic " in text for text in shown)


def test_is_sent_and_told_to_nobody(upstream, start, kind):
    upstream.serve(PATH, SMALL)
    larder = start(settings(template(upstream), kind))
    assert larder.get(COMPRESSED).body == SMALL
    assert upstream.requests[-1].headers[kind["name"]] == kind["value"]
    assert_secret(larder)


@pytest.mark.parametrize("away", ["host", "port", "there and back"])
@pytest.mark.parametrize("through", ["nothing", "proxy", "environment"])
def test_follows_no_redirect_to_another_server(upstream, make_upstream, start, kind, away, through, monkeypatch):
    elsewhere = make_upstream()
    # Behind a proxy, names are the proxy's to know; it answers for all of them here.
    home, other = ("http://hub.example", "http://hub.example:81" if away == "port" else "http://blobs.example")
    if through == "nothing":
        home, other = upstream.url, elsewhere.url if away == "port" else elsewhere.url.replace("127.0.0.1", "localhost")
    second = upstream if through != "nothing" else elsewhere
    upstream.serve(PATH, redirect(other + "/blob"))
    if away == "there and back":
        second.serve("/blob", redirect(home + "/end"))
        upstream.serve("/end", SMALL)
    else:
        second.serve("/blob", SMALL)
    if through == "environment":
        monkeypatch.setenv("http_proxy", upstream.url)
        monkeypatch.delenv("no_proxy", raising=False)
    larder = start(settings(home + "/{path}?{query}", kind, **({"proxy": upstream.url} if through == "proxy" else {})))
    assert larder.get(COMPRESSED).body == SMALL
    assert upstream.requests[0].headers[kind["name"]] == kind["value"]
    others = upstream.requests[1:] + elsewhere.requests
    assert len(others) == (2 if away == "there and back" else 1)
    for seen in others:
        assert not any(name in seen.headers for name in ("authorization", "x-api-key", "x-other")), seen
    assert_secret(larder)


@pytest.mark.parametrize("home, other", [("http", "https"), ("https", "http")])
def test_follows_no_redirect_to_another_scheme(start, kind, certificate, home, other):
    """Of the same host and port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    upstream = Upstream(context)
    try:
        upstream.serve(PATH, redirect(f"{other}://127.0.0.1:{upstream.port}/blob"))
        upstream.serve("/blob", SMALL)
        larder = start(settings(f"{home}://127.0.0.1:{upstream.port}/{{path}}?{{query}}", kind, ca_file=certificate / "cert.pem"))
        assert larder.get(COMPRESSED).body == SMALL
        first, second = upstream.requests
        assert first.headers[kind["name"]] == kind["value"]
        assert not any(name in second.headers for name in ("authorization", "x-api-key", "x-other")), second
        assert_secret(larder)
    finally:
        upstream.stop()


def test_follows_a_redirect_at_home(upstream, start, kind):
    upstream.serve(PATH, redirect("/blob"))
    upstream.serve("/blob", SMALL)
    larder = start(settings(template(upstream), kind))
    assert larder.get(COMPRESSED).body == SMALL
    assert [seen.headers.get(kind["name"]) for seen in upstream.requests] == [kind["value"]] * 2


def test_proxy_of_one_upstream(upstream, make_upstream, start, monkeypatch):
    """Its own counts, whatever the environment says; "none" is none."""
    proxy, wrong = make_upstream(), make_upstream()
    monkeypatch.setenv("http_proxy", wrong.url)
    monkeypatch.setenv("no_proxy", "*")
    upstream.serve("/google/direct/1", SMALL)
    proxy.serve(PATH, SMALL)
    larder = start({"upstream far": {"url": "http://hub.example/{path}?{query}", "proxy": proxy.url.replace("//", "//me:s3cret@"), "match": "google/nnlm*"},
                    "upstream near": {"url": template(upstream), "proxy": "none", "match": "google/direct"}})
    assert larder.get(COMPRESSED).body == SMALL
    assert proxy.requests[-1].headers["host"] == "hub.example"
    assert proxy.requests[-1].headers["proxy-authorization"] == "Basic " + base64.b64encode(b"me:s3cret").decode()
    assert larder.get("/google/direct/1?tf-hub-format=compressed").body == SMALL
    assert wrong.count() == 0
    proxy.stop()
    assert_secret(larder, larder.get("/google/nnlm-other/1?tf-hub-format=compressed"))


@pytest.mark.parametrize("address", ["http://{}@proxy.example:312800", "http://{}@proxy.example:3128O", "http://{}@[::1:3128", "http://{}@proxy.example:0",
                                     "http://{}%00@proxy.example:3128"])
def test_proxy_that_libcurl_cannot_read(tmp_path, address):
    (tmp_path / "larder.ini").write_text(f"[upstream ours]\nurl = http://a/{{path}}\nproxy = {address.format('me:s3cret')}\n")
    done = subprocess.run([binary(), "serve", "--check", "--config", tmp_path / "larder.ini"], capture_output=True, text=True)
    assert done.returncode == 1 and "proxy: A proxy is http:// or https://" in done.stderr, done
    assert "s3cret" not in done.stdout + done.stderr


@pytest.mark.parametrize("address", ["http://{}@proxy.example:312800", "{}@proxy.example:3128O", "http://{}@[::1:3128", "weird://{}@proxy.example:1"])
@pytest.mark.parametrize("password", ["me:s3cret", "me:" + "s3cret" * 60], ids=["short", "long"])
def test_proxy_of_the_environment_that_libcurl_cannot_read(start, monkeypatch, address, password):
    """libcurl's own words have all of it."""
    monkeypatch.setenv("http_proxy", address.format(password))
    monkeypatch.delenv("no_proxy", raising=False)
    larder = start({"upstream far": {"url": "http://hub.example/{path}?{query}"}})
    answer = larder.get(COMPRESSED)
    assert answer.status in (502, 504) and b"the proxy's address cannot be used" in answer.body, answer.body
    assert_secret(larder, answer)


@pytest.mark.parametrize("key, text, echo", [
    ("header_file", "X-Auth: user=me, key=\"s3cret  w0rd\", session='s3cret-p1ece'\n", "we got s3cret-p1ece"),
    ("header_file", "X-Auth: s3cret\"w0  abc\n", "we got s3cret\"w0  abc"),
    ("bearer_token_file", "s3cret-p1ece;other-s3cret", "other-s3cret is not known"),
    ("bearer_token_file", "s3cret=\"p1e\" abc", "s3cret=\"p1e\" abc"),
    ("basic_file", "ci:a s3cret-w0rd", "no such password: s3cret-w0rd"),
])
def test_what_upstreams_repeat_is_not_told(upstream, start, tmp_path, key, text, echo):
    (tmp_path / "file").write_text(text)
    upstream.serve(PATH, Answer(json.dumps({"detail": echo}).encode(), 401, "application/problem+json"))
    larder = start({"mirror": {"private_upstreams": "on"}, "upstream ours": {"url": template(upstream), key: tmp_path / "file"}})
    answer = larder.get(COMPRESSED)
    assert "saying" not in assert_problem(answer, 502, "upstream-failed")["detail"]
    assert_secret(larder, answer)


@pytest.mark.parametrize("key, text, why", [
    ("bearer_token_file", "", "its bearer_token_file is empty"),
    ("bearer_token_file", "s3cret\nsecond", "its bearer_token_file has more than one line, or a control character"),
    ("basic_file", "s3cret", "its basic_file, line 1: it has no colon; it reads user:password"),
    ("header_file", "X-A: b\n\ns3cret\n", "its header_file, line 3: it is no header; each line reads Name: value"),
    ("header_file", "X-A: s3cret\nRange: bytes=0-\n", "its header_file, line 2: this header is not yours to set"),
    ("header_file", "X-A:\n", "its header_file, line 1: it has no value"),
    ("header_file", "X-A: s3\x01cret\n", "its header_file, line 1: it has a control character"),
    ("header_file", "Authorization: s3cret\nX-A: b\nauthorization: c\n", "its header_file, line 3: there is an Authorization already"),
    ("header_file", "X-A: s3cret\n" * 18, "its header_file, line 18: there are more than 16 headers"),
    pytest.param("header_file", "X-A: " + "s3cret" * 2000, "its header_file is too large", id="large"),
])
def test_faults_are_named(tmp_path, key, text, why):
    (tmp_path / "file").write_text(text)
    (tmp_path / "larder.ini").write_text(f"[upstream ours]\nurl = http://a/{{path}}\n{key} = {tmp_path}/file\n")
    done = subprocess.run([binary(), "serve", "--check", "--config", tmp_path / "larder.ini"], capture_output=True, text=True)
    assert done.returncode == 1 and f"upstream ours.credentials: {why}" in done.stderr, done
    assert "s3cret" not in done.stdout + done.stderr


def test_file_that_breaks_later_is_told(upstream, start, tmp_path):
    file = tmp_path / "headers"
    file.write_text("X-Api-Key: s3cret\n")
    larder = start({"upstream ours": {"url": template(upstream), "header_file": file}})
    file.write_text("X-Api-Key: s3cret\ns3cret\n")
    answer = larder.get(COMPRESSED)
    assert "its header_file, line 2" in assert_problem(answer, 502, "upstream-failed")["detail"]
    assert upstream.count() == 0
    assert_secret(larder, answer)
    file.write_text("X-Api-Key: rotated\n")
    upstream.serve("/google/m1/1", SMALL)
    assert larder.get("/google/m1/1?tf-hub-format=compressed").body == SMALL
    assert upstream.requests[-1].headers["x-api-key"] == "rotated"
