# SPDX-License-Identifier: Apache-2.0
"""Webhooks: what is told, how it is signed, what a receiver may answer, and that nobody waits for one."""
import contextlib
import json
import re
import sqlite3
import ssl
import subprocess
import sys
import threading
import time

import pytest
from support import modules, receiver as receivers
from support.daemon import ROOT, assert_problem, binary
from support.ports import Port
from support.receiver import SECRET, Receiver, status
from support.upstream import Answer
from support.waiting import DEADLINE_S, wait_until

MODULE = modules.module(3000)
COMPRESSED = "?tf-hub-format=compressed"
NOBODY = "http://127.0.0.1:9/hook"  # nothing listens on the discard port


@pytest.fixture
def receive():
    """Makes receivers that go away with the test, which fails where one was told something that was not signed."""
    made = []

    def make(*answers, **options):
        made.append(Receiver(answers, **options))
        return made[-1]

    yield make
    for receiver in made:
        receiver.stop()


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "ci.secret"
    path.write_text(SECRET + "\n")
    return path


@pytest.fixture
def hook(start, secret_file):
    """Starts a daemon with these webhooks: hook({"ci": receiver, …}, keys of all, …)."""
    def start_daemon(hooks, upstreams=(), settings=None, **keys):
        merged = dict(settings or {})
        for name, url in hooks.items():
            merged[f"webhook {name}"] = {"url": getattr(url, "url", url), "secret_file": secret_file, **keys}
        return start(merged, upstreams)

    return start_daemon


def states(larder):
    reply = larder.get("/api/v1/webhooks")
    assert reply.status == 200, reply
    return {webhook["name"]: webhook for webhook in reply.json()["webhooks"]}


def wait_for_state(larder, name, condition, what):
    """The state that meets it."""
    def look():
        state = states(larder)[name]
        return condition(state) and state

    return wait_until(look, lambda: f"{what}: {states(larder)}; log:\n{larder.tail()}")


def withdraw(larder, path):
    return larder.request("DELETE", path, {"Authorization": f"Bearer {larder.token('withdraw:*')}"})


# ---- what is told ------------------------------------------------------------------------------------------------------------

@pytest.mark.concurrent
def test_each_event(hook, receive, upstream):
    ci = receive()
    mirror = hook({"ci": ci}, [upstream.url], {"server": {"public_url": "https://models.example.org"}})
    mirror.publish("/acme/half/1", MODULE)
    upstream.serve("/google/x/1", MODULE)
    ci.wait_for(1)
    assert mirror.get("/google/x/1" + COMPRESSED).status == 200
    mirror.wait_for_idle()
    upstream.serve("/google/broken/1", b"no module")
    assert mirror.get("/google/broken/1" + COMPRESSED).status == 502
    assert withdraw(mirror, "/acme/half/1").status in (200, 204)
    ci.wait_for(4)
    told = {message.event["type"]: message for message in ci.taken}
    digest = "sha256:" + modules.digest(MODULE).removeprefix("sha256:")
    common = {"handle": "acme/half", "version": 1, "url": "https://models.example.org/acme/half/1"}
    assert told["published"].event["data"] == {**common, "format": "tf-hub", "digest": digest, "size_bytes": len(MODULE),
                                               "published_by": "ci-publish"}
    assert told["withdrawn"].event["data"] == {**common, "withdrawn_by": "ci-withdraw"}
    assert told["mirrored"].event["data"]["upstream"] == "test0" and told["mirrored"].event["data"]["digest"] == digest
    failed = told["fill_failed"].event["data"]
    assert failed["code"] == "upstream-failed" and "no module" in failed["detail"] and failed["handle"] == "google/broken", failed
    assert len({message.id for message in ci.taken}) == 4
    message = ci.taken[0]
    assert message.path == "/hook" and message.headers["content-type"] == "application/json"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", message.event["timestamp"]) and message.id.startswith("msg_")


def test_a_quarantine(hook, receive, upstream):
    ci = receive()
    mirror = hook({"ci": ci}, [upstream.url])
    upstream.serve("/google/x/1", MODULE)
    assert mirror.get("/google/x/1" + COMPRESSED).status == 200
    mirror.wait_for_idle()
    blob, = (mirror.data / "blobs").rglob(mirror.blobs()[0])
    blob.unlink()  # as if it had been evicted
    upstream.serve("/google/x/1", modules.module(3000, seed=2))
    assert mirror.get("/google/x/1" + COMPRESSED).status == 451
    told, = (message.event for message in ci.wait_for(2) if message.event["type"] == "quarantined")
    assert told["data"]["format"] == "tf-hub" and told["data"]["upstream"] == "test0", told
    assert told["data"]["detail"].startswith("recorded sha256:"), told


def test_what_is_absent_or_cancelled_is_no_failure(hook, receive, upstream):
    ci = receive()
    mirror = hook({"ci": ci}, [upstream.url])
    gate = threading.Event()
    upstream.serve("/google/slow/1", Answer(MODULE, before=gate))
    assert mirror.get("/google/nothing/1" + COMPRESSED).status == 404
    [fill] = mirror.request("POST", "/api/v1/fills", {"Content-Type": "application/json"},
                            json.dumps({"paths": ["google/slow/1"]}).encode()).json()["fills"]
    cancelled = mirror.request("DELETE", f"/api/v1/fills/{fill['id']}", {"Authorization": f"Bearer {mirror.token('admin')}"})
    assert cancelled.status in (200, 202, 204), cancelled
    gate.set()
    mirror.wait_for_idle()
    mirror.publish("/acme/x/1", MODULE)
    assert ci.wait_for(1)[0].event["type"] == "published"


def test_only_what_is_wanted(hook, receive):
    ci = receive()
    larder = hook({"ci": ci}, events="withdrawn,  quarantined")
    larder.publish("/acme/x/1", MODULE)
    withdraw(larder, "/acme/x/1")
    ci.wait_for(1)
    assert ci.events() == [("withdrawn", "acme/x/1")]
    assert states(larder)["ci"]["events"] == ["withdrawn", "quarantined"]


def test_what_another_process_brings(hook, start, receive, tmp_path):
    """A bundle that is imported beside the daemon: told by whoever is there to tell."""
    origin = start(name="origin")
    for number in (1, 2):
        origin.publish(f"/acme/x/{number}", modules.module(1000, seed=number))
    origin.larder("export", "-o", str(tmp_path / "first.tar"), "acme/*")
    ci = receive()
    larder = hook({"ci": ci})
    larder.stop()
    larder.larder("import", str(tmp_path / "first.tar"))
    larder.start()
    ci.wait_for(2)
    assert sorted(ci.events()) == [("published", "acme/x/1"), ("published", "acme/x/2")]
    assert all(message.event["data"]["bundle"] for message in ci.taken)


def test_offline(hook, receive):
    ci = receive()
    larder = hook({"ci": ci}, settings={"mirror": {"offline": "on"}})
    larder.publish("/acme/x/1", MODULE)
    ci.wait_for(1)


# ---- how it is signed --------------------------------------------------------------------------------------------------------

def test_secrets_are_changed_without_a_gap(hook, receive, secret_file):
    """Read anew for each message; with two there are two signatures."""
    ci = receive()
    larder = hook({"ci": ci})
    larder.publish("/acme/x/1", MODULE)
    ci.wait_for(1)
    secret_file.write_text(f"a secret in plain letters\n{SECRET}\n")
    larder.publish("/acme/x/2", MODULE)
    second = ci.wait_for(2)[1]
    assert len(second.headers["webhook-signature"].split()) == 2 and second.is_signed_by("a secret in plain letters")
    ci.secret = "a secret in plain letters"
    secret_file.write_text(ci.secret)
    larder.publish("/acme/x/3", MODULE)
    ci.wait_for(3)
    secret_file.unlink()
    larder.publish("/acme/x/4", MODULE)
    wait_for_state(larder, "ci", lambda state: state["state"] == "failing", "a failure")
    error = states(larder)["ci"]["last_error"]
    assert "secret_file cannot be used" in error and str(secret_file) not in error, error
    secret_file.write_text(ci.secret)
    ci.wait_for(4)


def test_tls(hook, receive, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trusted = receive(context=context)
    larder = hook({"trusted": trusted}, ca_file=certificate / "cert.pem")
    larder.publish("/acme/x/1", MODULE)
    trusted.wait_for(1)
    larder.stop()
    text = larder.config_path.read_text()
    larder.config_path.write_text(re.sub(r"ca_file = .*\n", "", text))
    larder.start()
    larder.publish("/acme/x/2", MODULE)
    wait_for_state(larder, "trusted", lambda state: state["state"] == "failing", "no trust")
    assert len(trusted.messages) == 1 and "certificate" in states(larder)["trusted"]["last_error"]


# ---- what receivers answer -----------------------------------------------------------------------------------------------------

FAILURES = {
    "server's error": (status(500), "it answered 500"),
    "refusal": (status(400), "it answered 400"),
    "redirect": (status(302, "Location: http://127.0.0.1:9/"), "a redirect, which is not followed"),
    "not modified": (status(304), "it answered 304"),
    "busy": (status(503, "Retry-After: 1"), "it answered 503"),
    "reset": (receivers.resets, None),
    "no answer": (receivers.closes, None),
    "no HTTP": (lambda receiver, connection: connection.sendall(b"SSH-2.0-OpenSSH\r\n"), None),
    "a head that never ends": (receivers.endless_head, "the head of its answer is too large"),
    "interim answers without end": (receivers.endless_interim, "too large"),
    "a status of no kind": (status(999), "it answered 999"),
    "another protocol": (lambda receiver, connection: connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"), None),
    "a body without an answer": (lambda receiver, connection: connection.sendall(b"HTTP/1.1 -1 \r\n\r\n"), None),
    "a login": (status(401, 'WWW-Authenticate: Digest realm="x", nonce="y"'), "it answered 401"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_what_failed_comes_again(hook, receive, kind):
    """The same message, to the letter; meanwhile another receiver has it."""
    answer, why = FAILURES[kind]
    ci, other = receive(answer), receive()
    larder = hook({"ci": ci, "other": other})
    larder.publish("/acme/x/1", MODULE)
    other.wait_for(1)
    error = wait_for_state(larder, "ci", lambda state: state["failed_attempts"] > 0, "a failure")["last_error"]
    assert (why or "") in error and "No error" not in error, error
    ci.wait_for(1)
    first, again = ci.messages
    assert first.id == again.id and first.body == again.body
    wait_for_state(larder, "ci", lambda state: state["delivered"] == 1 and state["pending"] == 0, "the end")
    assert larder.metric('larder_webhook_attempts_total{result="failed"}') == 1


@pytest.mark.parametrize("answer", [receivers.endless_body, status(200), status(201), status(299),
                                    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", receivers.until_close],
                         ids=["a body without end", "200", "201", "299", "a body", "HTTP/1.0"])
def test_what_was_taken_comes_once(hook, receive, answer):
    ci = receive(answer)
    larder = hook({"ci": ci})
    for number in (1, 2):
        larder.publish(f"/acme/x/{number}", MODULE)
    wait_for_state(larder, "ci", lambda state: state["delivered"] == 2, "both")
    assert [message.event["data"]["version"] for message in ci.messages] == [1, 2]


@pytest.mark.concurrent
def test_nobody_waits_for_who_is_silent(hook, receive):
    """Neither those who publish, nor another receiver, nor the end of the daemon."""
    silent, other = receive(*[receivers.silent] * 50), receive()
    larder = hook({"silent": silent, "other": other})
    for number in range(1, 21):
        larder.publish(f"/acme/x/{number}", MODULE)
    other.wait_for(20)
    wait_until(lambda: silent.messages, "the first attempt")
    assert [version for _, version in other.events()] == [f"acme/x/{number}" for number in range(1, 21)], "in their order"
    assert states(larder)["silent"]["pending"] == 20
    larder.stop()


def test_gone(hook, receive):
    ci = receive(status(410))
    larder = hook({"ci": ci})
    larder.publish("/acme/x/1", MODULE)
    wait_for_state(larder, "ci", lambda state: state["state"] == "gone", "gone")
    larder.publish("/acme/x/2", MODULE)
    state = states(larder)["ci"]
    assert state["pending"] == 0 and state["given_up"] == 1 and state["last_status"] == 410, state
    larder.restart()
    larder.publish("/acme/x/3", MODULE)
    ci.wait_for(1)
    assert ci.events() == [("published", "acme/x/3")] and len(ci.messages) == 2


# ---- restarts ------------------------------------------------------------------------------------------------------------------

@pytest.fixture
def port():
    """One that nothing listens at yet."""
    with Port() as reserved:
        yield reserved.number


def test_what_waits_survives(hook, receive):
    ci = receive(*[receivers.closes] * 1000)
    larder = hook({"ci": ci})
    for number in (1, 2, 3):
        larder.publish(f"/acme/x/{number}", MODULE)
    wait_for_state(larder, "ci", lambda state: state["failed_attempts"] > 0, "a failure")
    larder.restart()
    assert states(larder)["ci"]["pending"] == 3
    ci.answers.clear()
    ci.wait_for(3)
    assert sorted(ci.events()) == [("published", f"acme/x/{number}") for number in (1, 2, 3)]


@pytest.mark.long
def test_killed_while_publishing(hook, receive):
    """Whatever was answered 201 is told at least once, however often the daemon dies."""
    ci = receive()
    larder = hook({"ci": ci})
    published = set()
    for round_ in range(4):
        for number in range(1, 6):
            path = f"acme/x{round_}/{number}"
            larder.publish("/" + path, MODULE)
            published.add(("published", path))
        larder.kill()
        larder.start()
    wait_until(lambda: set(ci.events()) >= published, lambda: f"all of them; lacking {published - set(ci.events())}")
    ids = {}
    for message in ci.taken:
        ids.setdefault(message.id, set()).add(message.body)
    assert len(ids) == len(published) and all(len(bodies) == 1 for bodies in ids.values()), "each has one id, and one text"


def test_who_is_not_configured_any_more(hook):
    larder = hook({"ci": NOBODY})
    larder.publish("/acme/x/1", MODULE)
    larder.stop()
    text = larder.config_path.read_text()
    larder.config_path.write_text(re.sub(r"\[webhook ci\]\n(\w.*\n)*", "", text))
    larder.start()
    assert larder.get("/api/v1/webhooks").json() == {"webhooks": [], "total": 0, "next": None}
    assert b"Webhooks" not in larder.get("/-/activity", Accept="text/html").body
    with contextlib.closing(sqlite3.connect(larder.data / "larder.db")) as database:
        assert [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("webhooks", "webhook_events", "webhook_queue")] == [0, 0, 0]


# ---- strangers -------------------------------------------------------------------------------------------------------------------

def test_a_flood_of_failures(hook, receive, upstream):
    """Twenty a minute are told, the rest counted; what was published comes all the same."""
    ci, began = receive(), time.monotonic()
    mirror = hook({"ci": ci}, [upstream.url])
    for number in range(60):
        upstream.serve(f"/google/x{number}/1", b"no module")
        mirror.get(f"/google/x{number}/1" + COMPRESSED)
    mirror.publish("/acme/x/1", MODULE)
    failed = int(mirror.metric('larder_fills_total{event="failed"}'))
    wait_until(lambda: ("published", "acme/x/1") in ci.events(), "what was published")
    untold = int(mirror.metric("larder_webhook_untold_total"))
    ci.wait_for(failed - untold + 1)
    told = [kind for kind, _ in ci.events()].count("fill_failed")
    windows = 1 + int((time.monotonic() - began) / 60)
    assert told == failed - untold and told <= 20 * windows, (told, failed, untold)


def test_no_secret_is_shown(hook, receive, upstream, secret_file):
    ci = receive(*[status(500)] * 1)
    url = f"http://user:pass-hush@127.0.0.1:{ci.port}/hook/path-hush?key=query-hush"
    larder = hook({"ci": url}, [upstream.url])
    larder.publish("/acme/x/1", MODULE)
    ci.wait_for(1)
    assert ci.messages[0].path == "/hook/path-hush?key=query-hush" and ci.messages[0].headers["authorization"].startswith("Basic ")
    page = larder.get("/-/activity", Accept="text/html").body.decode()
    state = states(larder)["ci"]
    assert state["url"] == f"http://127.0.0.1:{ci.port}/…" and state["url"] in page, state
    shown = [json.dumps(state), page, larder.log(), larder.get("/metrics").body.decode()]
    for text in shown:
        assert "hush" not in text and SECRET not in text and "thirty-two" not in text, text


@pytest.mark.parametrize("address", ["http://{}@proxy.example:312800", "weird://{}@proxy.example:1"])
def test_no_proxy_is_shown(hook, monkeypatch, address):
    """libcurl's own words have all of its address."""
    monkeypatch.setenv("http_proxy", address.format("me:hush"))
    monkeypatch.delenv("no_proxy", raising=False)
    larder = hook({"ci": NOBODY})
    larder.publish("/acme/x/1", MODULE)
    wait_until(lambda: "the proxy's address cannot be used" in larder.log() + json.dumps(states(larder)), larder.tail)
    assert "hush" not in larder.log() + json.dumps(states(larder))


def test_the_page(hook, receive):
    ci = receive()
    larder = hook({"ci": ci, "down": NOBODY})
    larder.publish("/acme/x/1", MODULE)
    ci.wait_for(1)
    wait_for_state(larder, "down", lambda state: state["failed_attempts"] > 0, "a failure")
    wait_for_state(larder, "ci", lambda state: state["delivered"] == 1, "delivered")
    page = larder.get("/-/activity", Accept="text/html").body.decode()
    section = page[page.index('id="webhooks"'):]
    assert "failing" in section and "active" in section and "127.0.0.1:9" in section, section[:2000]


def test_pages_of_the_list(hook, receive):
    ci = receive()
    larder = hook({f"ci{number}": ci for number in range(5)})
    names, target = [], "/api/v1/webhooks?limit=2"
    while target:
        page = larder.get(target).json()
        names += [webhook["name"] for webhook in page["webhooks"]]
        assert page["total"] == 5
        target = page["next"] and re.sub(r"^https?://[^/]+", "", page["next"])
    assert names == [f"ci{number}" for number in range(5)]
    assert_problem(larder.get("/api/v1/webhooks?cursor=nonsense"), 400, "bad-request")
    assert_problem(larder.get("/api/v1/webhooks?licence=x"), 400, "bad-request")


# ---- the configuration -------------------------------------------------------------------------------------------------------------

FAULTS = {
    "no url": ("secret_file = {secret}", "[webhook ci] has no url"),
    "no secret": ("url = http://a/", "[webhook ci] has no secret_file"),
    "no such secret": ("url = http://a/\nsecret_file = {secret}.not", "webhook ci.secret_file: open {secret}.not: No such file"),
    "a secret too short": ("url = http://a/\nsecret_file = {short}", "has 5 bytes; it takes 16 to 256"),
    "no URL": ("url = ci.example.org\nsecret_file = {secret}", "this is no URL that events can be sent to"),
    "another scheme": ("url = ftp://a/\nsecret_file = {secret}", "this is no URL that events can be sent to"),
    "no host": ("url = http://\nsecret_file = {secret}", "this is no URL that events can be sent to"),
    "a slip": ("url = http://a/\nsecret_file = {secret}\nevents = publishd", '"publishd" is no event: did you mean published?'),
    "nothing like one": ("url = http://a/\nsecret_file = {secret}\nevents = published, deleted-everything",
                         '"deleted-everything" is no event; there are published, mirrored'),
    "no events": ("url = http://a/\nsecret_file = {secret}\nevents =", "events cannot be empty"),
    "no authorities": ("url = https://a/\nsecret_file = {secret}\nca_file = {secret}", "webhook ci.ca_file: "),
    "another key": ("url = http://a/\nsecret_file = {secret}\nmatch = x", 'there is no key "match" in [webhook]'),
    "twice": ("url = http://a/\nsecret_file = {secret}\n[webhook ci]\nurl = http://a/\nsecret_file = {secret}",
              'there is more than one webhook named "ci"'),
}


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("command", [["serve", "--check"], ["serve"]], ids=["check", "start"])
def test_faults_of_the_configuration(case, command, tmp_path, secret_file):
    short = tmp_path / "short"
    short.write_text("hush\n\n".replace("hush", "hush!"))
    keys, words = FAULTS[case]
    place = {"secret": secret_file, "short": short}
    config = tmp_path / "larder.ini"
    config.write_text(f"[storage]\ndata_dir = {tmp_path}/data\n[webhook ci]\n" + keys.format(**place) + "\n")
    done = subprocess.run([binary(), *command, "--config", str(config)], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode in (1, 78) and words.format(**place) in done.stderr, done
    assert "hush" not in done.stderr and SECRET not in done.stderr


# ---- the document ------------------------------------------------------------------------------------------------------------------

def test_the_receiver_of_the_document(hook, secret_file, tmp_path, port):
    """As it stands: told of a module, and deaf to who cannot sign."""
    code, = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/webhooks.md").read_text(encoding="utf-8"), re.M | re.S)
    with open(tmp_path / "told", "w") as told:
        process = subprocess.Popen([sys.executable, "-c", code, str(secret_file), str(port)], stdout=told, stderr=subprocess.DEVNULL)
    try:
        larder = hook({"ci": f"http://127.0.0.1:{port}/"})
        larder.publish("/acme/half-plus-two/1", MODULE)
        wait_for_state(larder, "ci", lambda state: state["delivered"] == 1, "delivered")
        line, = (tmp_path / "told").read_text().splitlines()
        assert json.loads(line)["data"]["handle"] == "acme/half-plus-two"
        secret_file.write_text("whsec_" + "A" * 43 + "=\n")
        larder.publish("/acme/half-plus-two/2", MODULE)
        wait_for_state(larder, "ci", lambda state: state["last_status"] == 401, "refused")
        assert len((tmp_path / "told").read_text().splitlines()) == 1
    finally:
        process.kill()
        process.wait()
