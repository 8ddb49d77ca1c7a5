# SPDX-License-Identifier: Apache-2.0
"""Whose a handle is: what an upstream has too is not published here unless the site says so, what is the site's own is fetched from
nowhere, and a name that people take for another gets a warning."""
import socket
import subprocess
import threading
import time

import pytest
from support import modules
from support.daemon import assert_problem, binary
from support.kagglehub import KaggleError, New
from support.ports import Port
from support.upstream import Answer, html, redirect
from support.waiting import DEADLINE_S, wait_until

QUERY = "?tf-hub-format=compressed"
MODULE = modules.module(2000)
RULES = {"publish": {"shadow": ""}}


@pytest.fixture
def strict(start, upstream):
    """As people have it: upstreams are asked."""
    return start(RULES, [upstream.url])


def command(site, *arguments):
    return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=DEADLINE_S, cwd=site.folder)


def rules(reply):
    return [warning["rule"] for warning in reply.json().get("warnings", [])]


def assert_shadows(reply):
    problem = assert_problem(reply, 403, "blocked-by-policy")
    assert "publish.shadow" in reply.json()["detail"], problem


# ---- shadow ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path,answer", [
    ("/google/m", redirect("/google/m/9" + QUERY)), ("/google/m/3", Answer(MODULE)), ("/google/m/1", Answer(MODULE)),
], ids=["its latest", "the version", "the first version"])
def test_what_an_upstream_has_is_refused(start, upstream, path, answer):
    # One that has no address for a handle alone is asked for versions.
    url = upstream.url + ("/{path}?{query}" if path == "/google/m" else "/{handle}/{version}?{query}")
    site = start(RULES, [url])
    upstream.serve(path, answer)
    for _ in range(2):
        assert_shadows(site.put("/google/m/3", MODULE))
    assert upstream.count() == 0 and site.blobs() == [] and not site.drafts()
    assert site.put("/acme/m/3", MODULE).status == 201


def test_any_format_of_it_counts(strict, upstream):
    upstream.serve("/google/m", lambda seen: redirect("/google/m/2?" + seen.query) if "tfjs" in seen.query else Answer(b"", 404))
    assert_shadows(strict.put("/google/m/1", MODULE))


def test_it_is_learnt_before_the_body(strict, upstream):
    """Also by whoever sends its head alone and waits."""
    upstream.serve("/google/m", redirect("/google/m/9" + QUERY))
    head = (f"PUT /google/m/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {strict.token()}\r\nContent-Length: 100000000\r\n"
            "Expect: 100-continue\r\n\r\n")
    with socket.create_connection(strict.address, 60) as client:
        client.sendall(head.encode())
        assert client.recv(100).startswith(b"HTTP/1.1 403 ")


def test_what_comes_from_upstream_meanwhile_counts(strict, upstream):
    """While a body is on its way."""
    head = (f"PUT /acme/late/2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {strict.token()}\r\nContent-Length: {len(MODULE)}\r\n"
            "Expect: 100-continue\r\nConnection: close\r\n\r\n")
    with socket.create_connection(strict.address, DEADLINE_S) as client:
        client.sendall(head.encode())
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        upstream.serve("/acme/late/1", Answer(MODULE))
        assert strict.get("/acme/late/1" + QUERY).status == 200
        client.sendall(MODULE)
        reply = client.makefile("rb").read()
    assert reply.startswith(b"HTTP/1.1 403 ") and b"publish.shadow" in reply, reply
    assert strict.get("/acme/late/2" + QUERY).status == 404


def test_answers_are_remembered(strict, upstream):
    assert strict.put("/acme/m/1", b"no module").status == 422
    asked = len(upstream.requests)
    assert asked > 0
    assert strict.put("/acme/m/1", MODULE).status == 201
    assert strict.put("/acme/m/2", modules.module(300)).status == 201
    assert len(upstream.requests) == asked


def test_what_the_catalog_knows_is_enough(strict, upstream):
    """What was mirrored, and what is listed."""
    upstream.serve("/google/m/1", Answer(MODULE))
    assert strict.get("/google/m/1" + QUERY).status == 200
    upstream.serve("/google/m/1", Answer(b"", 404))
    asked = len(upstream.requests)
    assert_shadows(strict.put("/google/m/2", MODULE))
    assert_shadows(strict.put("/google/m/1", MODULE))
    assert len(upstream.requests) == asked


def test_what_is_listed_is_refused_offline(start, tmp_path):
    folder = tmp_path / "docs/assets/docs/google/models"
    folder.mkdir(parents=True)
    (folder / "1.md").write_text("# Module google/models/1\nA model.\n\n<!-- asset-path: legacy -->\n<!-- task: text-embedding -->\n<!-- language: en -->\n<!-- fine-tunable: false -->\n<!-- format: hub -->\n\n## Overview\n")
    site = start({**RULES, "mirror": {"offline": "on"}}, ["http://127.0.0.1:9"])
    site.larder("import-docs", str(tmp_path / "docs"))
    assert_shadows(site.put("/google/models/2", MODULE))
    reply = site.put("/acme/models/2", MODULE)
    assert reply.status == 201 and rules(reply) == []


def test_shadow_names_what_may_be_published(start, upstream):
    site = start({"publish": {"shadow": "google/m google/forks/*"}}, [upstream.url])
    for name in ("google/m", "google/forks/x", "google/other"):
        upstream.serve("/" + name, redirect(f"/{name}/9{QUERY}"))
    assert site.put("/google/m/1", MODULE).status == 201
    assert site.put("/google/forks/x/1", MODULE).status == 201
    assert upstream.requests == []
    assert_shadows(site.put("/google/other/1", MODULE))


def test_a_handle_that_is_published_here_takes_versions(strict, upstream):
    assert strict.put("/acme/m/1", MODULE).status == 201
    upstream.serve("/acme/m", redirect("/acme/m/9" + QUERY))
    strict.restart()
    asked = len(upstream.requests)
    assert strict.put("/acme/m/2", modules.module(300)).status == 201
    assert strict.put("/acme/m/1", MODULE).status == 200
    assert len(upstream.requests) == asked


def test_a_form_and_the_command(strict, upstream, tmp_path):
    upstream.serve("/google/m", redirect("/google/m/9" + QUERY))
    body = (b'--b\r\nContent-Disposition: form-data; name="model.json"; filename="model.json"\r\nContent-Type: application/json\r\n\r\n'
            b"{}\r\n--b--\r\n")
    headers = {"Authorization": "Bearer " + strict.token(), "Content-Type": "multipart/form-data; boundary=b"}
    assert_shadows(strict.request("POST", "/google/m/1", headers, body))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(modules.saved_model())
    token = tmp_path / "token"
    token.write_text(strict.token() + "\n")
    done = publish(strict, folder, "google/m/1", token)
    assert done.returncode == 1 and "publish.shadow" in done.stderr, done
    assert strict.put("/acme/half-plus-two/1", MODULE).status == 201
    done = publish(strict, folder, "acme/half_plus_two/1", token)
    assert done.returncode == 0 and "warning: confusable-name: " in done.stderr and "acme/half-plus-two" in done.stderr, done
    assert strict.log().count("confusable-name") == 1


def publish(site, folder, path, token):
    return command(site, "publish", str(folder), site.url.rstrip("/") + "/" + path, "--token-file", str(token))


def test_kagglehub(strict, upstream):
    upstream.serve("/google/m/tensorFlow2/base", redirect("/google/m/tensorFlow2/base/9" + QUERY))
    client = New("http://localhost/api/v1", strict.token(), proxy=strict.address)
    with pytest.raises(KaggleError, match="publish.shadow"):
        client.model_upload("google/m/tensorFlow2/base", {"saved_model.pb": modules.saved_model()})
    client.model_upload("acme/m/tensorFlow2/base", {"saved_model.pb": modules.saved_model()})
    assert strict.blobs() != []


# ---- where nobody can be asked ----------------------------------------------------------------------------------------------


def test_an_upstream_that_is_out_of_reach(start, upstream):
    """Taken with a warning, but for the modules of publishers that upstreams are known to have."""
    site = start(RULES, [upstream.url])
    upstream.serve("/google/m/1", Answer(MODULE))
    assert site.get("/google/m/1" + QUERY).status == 200
    upstream.stop()
    reply = site.put("/acme/m/1", MODULE)
    assert reply.status == 201 and rules(reply) == ["upstream-not-asked"], reply
    assert "upstream-not-asked" in site.log()
    reply = site.put("/google/other/1", MODULE)
    assert_problem(reply, 504, "upstream-unreachable")
    assert int(reply.header("Retry-After")) > 0


@pytest.mark.parametrize("answer", [Answer(b"", 500), html(503), None], ids=["500", "503", "gone"])
def test_refused_where_the_site_wants_it_so(start, upstream, answer):
    site = start({"publish": {"shadow": "", "unasked": "refuse", "namespaces": "acme/*"}}, [upstream.url])
    if answer:
        upstream.serve("/other/m", answer)
        upstream.serve("/other/m/1", answer)
    else:
        upstream.stop()
    reply = site.put("/other/m/1", MODULE)
    assert reply.status in (502, 504) and "publish.unasked" in reply.json()["detail"], reply
    assert site.put("/acme/m/1", MODULE).status == 201


def test_a_question_has_an_end(strict, upstream):
    """However slow each answer is, and however much there is to ask."""
    def slowly(_):
        time.sleep(1.5)
        return Answer(b"", 404)

    for path in ("/slow/m", "/slow/m/7", "/slow/m/1"):
        upstream.serve(path, slowly)
    reply = strict.put("/slow/m/7", MODULE)
    assert reply.status == 201 and rules(reply) == ["upstream-not-asked"], reply
    assert len(upstream.requests) < 8, upstream.requests


def test_a_slow_one_keeps_no_other_from_being_asked(start, upstream, make_upstream):
    slow, held = make_upstream(), threading.Event()
    slow.serve("/google/m", Answer(b"", 404, before=held))
    upstream.serve("/google/m", redirect("/google/m/9" + QUERY))
    try:
        assert_shadows(start(RULES, [slow.url, upstream.url]).put("/google/m/1", MODULE))
    finally:
        held.set()


def test_few_questions_are_asked(strict, upstream):
    """Of each format its latest and the version; by GET only as long as nobody knows what HEAD is worth."""
    assert strict.put("/acme/m/7", MODULE).status == 201
    seen = [(one.method, one.path, one.query) for one in upstream.requests]
    assert len(seen) == len(set(seen)) and len(seen) <= 11, seen
    assert not [one for one in seen if one[1] == "/acme/m/1"]


@pytest.mark.parametrize("rules_", [RULES, {"publish": {"shadow": "", "unasked": "refuse"}}], ids=["warn", "refuse"])
def test_two_that_ask_each_other(start, rules_):
    """Who had to ask the one that asks has none of its own."""
    with Port() as port:
        one = start(rules_, ["http://%s:%d" % port.address])
        other = start({**rules_, "server": {"listen": "%s:%d" % port.address}}, [one.url], "other")
        for version in range(2):
            assert one.put(f"/acme/x{version}/1", MODULE).status == 201
            assert other.get(f"/acme/x{version}/1" + QUERY).status == 200
            reply = other.put(f"/acme/y{version}/1", MODULE)
            assert reply.status == 201 and rules(reply) == [], reply
            assert_shadows(other.put(f"/acme/x{version}/2", MODULE))


def test_one_that_has_it_counts_beside_one_that_is_out_of_reach(start, upstream):
    with Port() as port:
        site = start(RULES, ["http://%s:%d" % port.address, upstream.url])
        upstream.serve("/google/m", redirect("/google/m/9" + QUERY))
        assert_shadows(site.put("/google/m/1", MODULE))


def test_nobody_waits_for_somebody_elses_question(strict, upstream):
    held = threading.Event()
    upstream.serve("/slow/m", Answer(b"", 404, before=held))
    upstream.serve("/slow/m/1", Answer(b"", 404))
    replies = []
    thread = threading.Thread(target=lambda: replies.append(strict.put("/slow/m/1", MODULE)))
    thread.start()
    wait_until(lambda: any(seen.path == "/slow/m" for seen in upstream.requests), "asked")
    assert strict.put("/acme/m/1", MODULE).status == 201
    held.set()
    thread.join()
    assert replies[0].status == 201


def test_a_client_that_goes_away_meanwhile(strict, upstream):
    held = threading.Event()
    upstream.serve("/slow/m", Answer(b"", 404, before=held))
    head = f"PUT /slow/m/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {strict.token()}\r\nContent-Length: 5\r\n\r\n"
    with socket.create_connection(strict.address, 60) as client:
        client.sendall(head.encode())
        wait_until(lambda: any(seen.path == "/slow/m" for seen in upstream.requests), "asked")
    held.set()
    strict.wait_for_idle()
    assert strict.put("/acme/m/1", MODULE).status == 201


# ---- namespaces -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def owned(start, upstream):
    for path in ("/acme/m/1", "/acme/m/2", "/google/m/1"):
        upstream.serve(path, Answer(MODULE))
    upstream.serve("/acme/m", redirect("/acme/m/2" + QUERY))
    return start({"publish": {"shadow": "", "namespaces": "acme/*"}}, [upstream.url])


def test_no_upstream_is_asked_for_what_is_ours(owned, upstream):
    for reply in (owned.get("/acme/m/1" + QUERY), owned.get("/acme/m" + QUERY), owned.get("/acme/m/1.tar.gz"),
                  owned.get("/acme/m/1/model.json?tfjs-format=file", Accept="*/*")):
        assert reply.status == 404, reply
    reply = owned.get("/acme/m/1" + QUERY)
    assert_problem(reply, 404, "not-found")
    assert "publish.namespaces" in reply.json()["detail"]
    assert owned.head("/acme/m/1" + QUERY).status == 404
    reply = owned.request("POST", "/api/v1/fills", {"Content-Type": "application/json"}, b'{"paths":["acme/m/1"]}')
    assert "publish.namespaces" in reply.body.decode(), reply
    client = New("http://localhost/api/v1", owned.token(), proxy=owned.address)
    with pytest.raises(KaggleError):
        client.model_download("acme/m/tensorFlow2/base/1")
    assert owned.put("/acme/m/1", MODULE).status == 201
    assert owned.get("/acme/m/1" + QUERY).status == 200
    # The next version is an upstream's, and so none.
    assert owned.get("/acme/m/2" + QUERY).status == 404
    assert owned.get("/acme/m" + QUERY).header("Location") == "/acme/m/1" + QUERY
    assert upstream.requests == []
    assert owned.get("/google/m/1" + QUERY).status == 200


def test_what_was_mirrored_before_is_not_given_out(start, upstream):
    upstream.serve("/acme/m/1", Answer(MODULE))
    site = start(RULES, [upstream.url])
    assert site.get("/acme/m/1" + QUERY).status == 200
    site.stop()
    site.configure({"publish": {"shadow": "", "namespaces": "acme/*"}}, [upstream.url])
    site.start()
    assert_problem(site.get("/acme/m/1" + QUERY), 404, "not-found")
    assert_problem(site.get("/acme/m" + QUERY), 404, "not-found")
    assert site.put("/acme/m/2", modules.module(400)).status == 201
    assert site.get("/acme/m" + QUERY).header("Location") == "/acme/m/2" + QUERY


def test_explained(owned, upstream):
    def explain(path, site=owned):
        return site.get("/api/v1/explain?url=" + path.replace("?", "%3F")).json()

    told = explain("/acme/m/1" + QUERY)
    assert told["policy"] == {"allowed": False, "rule": "publish.namespaces"}
    assert told["publication"] == {"allowed": True, "rule": "publish.namespaces", "detail": None}
    assert told["answer"]["status"] == 404 and not any(row["may_have"] for row in told["upstreams"])
    assert explain("/google/n/1" + QUERY)["publication"]["allowed"] is None
    assert owned.get("/google/m/1" + QUERY).status == 200
    told = explain("/google/m/1" + QUERY)["publication"]
    assert told["allowed"] is False and "publish.shadow" in told["detail"]
    shown = command(owned, "explain", "/google/m/1" + QUERY, "--server", owned.url).stdout
    assert "publishing" in shown and "refused: " in shown, shown
    assert "publish.namespaces" in command(owned, "explain", "/acme/m/9" + QUERY, "--server", owned.url).stdout


def test_the_check_of_the_configuration_tells(owned):
    done = command(owned, "serve", "--check", "--config", str(owned.config_path))
    assert done.returncode == 0 and "no upstream is asked for acme/* (publish.namespaces)" in done.stderr, done
    owned.configure({"publish": {"namespaces": "acme", "shadow": "Acme/x"}})
    done = command(owned, "serve", "--check", "--config", str(owned.config_path))
    assert done.returncode == 1 and done.stderr.count("no handle can match") == 2, done


# ---- names that people take for one another ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def known(start_shared):
    site = start_shared(RULES, ["http://127.0.0.1:9"], "known")
    site.publish("/acme/learner/1", MODULE)
    site.publish("/northwind/l2-cnn_v1/1", MODULE)
    return site


@pytest.mark.parametrize("handle,like", [
    ("acme/Learner", "acme/learner"), ("acme/1earner", "acme/learner"), ("acme/Iearner", "acme/learner"),
    ("acme/leamer", "acme/learner"), ("acme/learne", "acme/learner"), ("acme/learnerr", "acme/learner"),
    ("acme/laerner", "acme/learner"), ("acme/learned", "acme/learner"), ("acme/lear-ner", "acme/learner"),
    ("northwind/l2.cnn-v1", "northwind/l2-cnn_v1"), ("northvvind/l2-cnn_v1", "northwind/l2-cnn_v1"),
    ("n0rthwind/other", "northwind"), ("nortwind/another", "northwind"),
    ("acme/learner-2", None), ("northwind/l2-cnn_v2", None), ("northwind/l3-cnn_v1", None), ("northwind/l2-dnn_v1", None),
    ("acne/x", "acme"), ("tom/x", None), ("ton/x", None), ("acme/learner/deep", None),
])
def test_confusable_names(known, handle, like):
    reply = known.publish(f"/{handle}/1", MODULE)
    paths = [warning["path"] for warning in reply.json().get("warnings", []) if warning["rule"] == "confusable-name"]
    # The names of the other cases look so as well, and three are told.
    assert like in paths or len(paths) == 3 if like else not paths, reply
    # Of what is known nobody is warned again.
    assert "confusable-name" not in rules(known.publish(f"/{handle}/2", MODULE))
    assert "warnings" not in known.get(f"/api/v1/modules/{handle}/1").json()
