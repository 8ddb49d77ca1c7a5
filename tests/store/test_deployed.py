# SPDX-License-Identifier: Apache-2.0
"""deploy/nodes as it stands there, but for names, addresses, certificates and the store: three nodes behind nginx over one bucket."""
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import DEADLINE_S, binary
from support.attesting import envelope, make_key, statement
from support.client import Http
from support.daemon import assert_problem
from support.fixtures import blank, make_upstream, start, upstream  # noqa: F401
from support.kagglehub import New
from support.modules import digest, module
from support.ports import Port
from support.proxies import NGINX
from support.waiting import wait_until
from test_nodes import assert_has, fetch, node  # noqa: F401

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "nodes"
CHANGED = [(r"listen 443 ssl;", "listen 127.0.0.1:{port};"), (r"\tssl_certificate\S* .*;\n", ""), (r"access_log .*;", "access_log off;"),
           (r"\terror_log .*;\n", ""), *[(rf"node{number}\.example\.org:8080", f"{{nodes[{number - 1}]}}") for number in (1, 2, 3)]]


def settings():
    """{section: {key: value}} of the configuration."""
    found, section = {}, None
    for line in (FOLDER / "larder.ini").read_text().splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith(";"):
            key, value = line.split(" = ", 1)
            section[key] = value
    return found


class Nginx(Http):
    def __init__(self, folder, nodes):
        self.port = Port()
        super().__init__(self.port.address)
        self.url = "http://%s:%d" % self.address
        site = (FOLDER / "nginx.conf").read_text()
        for pattern, text in CHANGED:
            site, count = re.subn(pattern, text.format(port=self.address[1], nodes=["%s:%d" % node.address for node in nodes]), site)
            assert count, f"deploy/nodes/nginx.conf has no {pattern} any more"
        folder.mkdir()
        config = folder / "nginx.conf"
        config.write_text(NGINX.replace("{site}", "SITE").format(folder=folder, log_to="access_log off;", log="").replace("SITE", site))
        self.log = open(folder / "log", "wb")
        tried = subprocess.run(["nginx", "-t", "-c", config, "-e", "stderr"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE_S)
        assert tried.returncode == 0, tried.stdout
        self.process = subprocess.Popen(["nginx", "-c", config, "-e", "stderr"], stdout=self.log, stderr=self.log)
        wait_until(self.is_there, "nginx listens")

    def is_there(self):
        try:
            self.dial().close()
            return True
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE_S)
        self.log.close()
        self.port.close()


@pytest.fixture
def deployed(node, upstream, tmp_path):  # noqa: F811
    """The nodes with the settings that are told there, but for where they are, and nginx before them."""
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    told = settings()
    store = {"poll_interval_s": 1, "lease_ttl_s": 5, "cache_bytes": told["store"]["cache_bytes"]}
    mirror = {key: value for key, value in told["mirror"].items()}
    nodes = [node(name, number % 2, [upstream.url], store=store, mirror=mirror) for number, name in enumerate("abc")]
    nginx = Nginx(tmp_path / "nginx", nodes)
    yield nginx, nodes
    nginx.stop()


def test_the_configuration_is_one(tmp_path):
    """But for the credentials, which are nobody's."""
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = A\naws_secret_access_key = B\n")
    (tmp_path / "larder.ini").write_text((FOLDER / "larder.ini").read_text().replace("/etc/larder/bucket.credentials", str(tmp_path / "credentials")))
    done = subprocess.run([binary(), "serve", "--check", "--config", tmp_path / "larder.ini"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stdout
    assert settings()["store"]["kind"] == "s3"


def test_one_name_for_three_nodes(deployed, upstream):  # noqa: F811
    nginx, nodes = deployed
    body, path = module(size=300_000), "/google/model/1"
    upstream.serve(path, body)
    for _ in range(6):
        assert_has(nginx, body, path)
    assert upstream.count(path) == 1
    assert sum(daemon.metric("larder_requests_total") > 1 for daemon in nodes) >= 2, "it was one node all the time"
    token = nodes[0].token("publish:*")
    headers = {"Authorization": f"Bearer {token}"}
    wait_until(lambda: all(daemon.request("PUT", "/acme/x/1", headers, b"no").status != 401 for daemon in nodes), "all know the token")
    assert nginx.request("PUT", "/acme/half/1", headers, module()).status == 201
    for _ in range(6):
        assert_has(nginx, module(), "/acme/half/1")
        assert nginx.request("PUT", "/acme/half/1", headers, module()).status == 200
        assert_problem(nginx.request("PUT", "/acme/half/1", headers, module(seed=2)), 409, "conflict")


def test_a_node_that_is_gone_is_passed_over(deployed):
    nginx, nodes = deployed
    body = module()
    nodes[0].publish("/acme/half/1", body)
    for _ in range(6):
        assert_has(nginx, body, "/acme/half/1")
    nodes[1].kill()
    for _ in range(12):
        reply = fetch(nginx, "/acme/half/1")
        assert reply.status == 200 and digest(reply.body) == digest(body)
    nodes[1].start()


def test_what_takes_several_requests_stays_with_a_node(deployed):
    """kagglehub sends its files one by one, before it says of which version they are."""
    nginx, nodes = deployed
    token = nodes[0].token("publish:*")
    wait_until(lambda: all(daemon.request("PUT", "/acme/x/1", {"Authorization": f"Bearer {token}"}, b"no").status != 401 for daemon in nodes), "all know the token")
    client = New("http://localhost/api/v1", token, proxy=nginx.address)
    for number in range(3):
        client.model_upload("acme/half/keras/one", {"model.weights.h5": b"HDF", "config.json": b"{}", f"file-{number}": b"x"})
    for daemon in nodes:
        wait_until(lambda daemon=daemon: daemon.get("/api/v1/modules/acme/half/keras/one/3").status == 200, "all three are there")


def test_what_must_be_signed(node, tmp_path):  # noqa: F811
    """The attestation comes first, and only the node that got it knows it."""
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    key = make_key(tmp_path / "ci.key")
    publish = {"require_signature": "acme/*", "trusted_keys": f"ci {key}.pub"}
    nodes = [node(name, number % 2, publish=publish, store={"poll_interval_s": 1}) for number, name in enumerate("abc")]
    headers = {"Authorization": f"Bearer {nodes[0].token('publish:*')}"}
    wait_until(lambda: all(daemon.request("PUT", "/else/x/1", headers, b"no").status != 401 for daemon in nodes), "all know the token")
    nginx = Nginx(tmp_path / "nginx", nodes)

    def attest(server, path, body):
        sent = json.dumps(envelope(key, statement(path, body))).encode()
        return server.request("PUT", f"/api/v1/attestations{path}", {**headers, "Content-Type": "application/json"}, sent)

    try:
        for number in range(1, 7):
            path, body = f"/acme/signed/{number}", module(seed=number)
            assert attest(nginx, path, body).status == 201
            reply = nginx.request("PUT", path, headers, body)
            assert reply.status == 201, reply
    finally:
        nginx.stop()
    assert attest(nodes[0], "/acme/other/1", module()).status == 201
    detail = assert_problem(nodes[1].request("PUT", "/acme/other/1", headers, module()), 403, "signature-required")["detail"]
    assert "both must go to the same node" in detail
