# SPDX-License-Identifier: Apache-2.0
"""Real reverse proxies in front of a server, each on a free port with a configuration of its own."""
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from .client import Http
from .ports import Port
from .waiting import wait_until

# A proxy never sees a request's end by a time-out of its own in these tests.
HAPROXY = """
global
    maxconn 256
    {head}
    {log_to}
defaults
    mode http
    timeout connect 10s
    timeout client 300s
    timeout server 300s
frontend door
    bind 127.0.0.1:{port}{proto}
{log}
    default_backend house
backend house
    {option}
    server larder {target}
"""

CADDY = """
{{
    admin off
    auto_https off
{log}
    servers {{
        protocols h1 h2c
    }}
}}
http://127.0.0.1:{port} {{
    {log_to}
    reverse_proxy {target} {{
        flush_interval -1
    }}
}}
"""

NGINX = """
daemon off;
error_log stderr error;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    {log_to}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""

NGINX_SITE = """
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        {head}
        merge_slashes off;
        location / {{
            proxy_pass http://{target};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_read_timeout 1h;
            {option}
        }}
    }}
"""

# What lets a head of 32 KiB through, as docs/clients.md has it.
HEADS = {"nginx": "large_client_header_buffers 4 40k;", "haproxy": "tune.bufsize 49152\n    tune.http.maxhdr 1024", "caddy": ""}

KINDS = {
    "nginx": (NGINX, lambda config: ["nginx", "-c", config, "-e", "stderr"]),
    "haproxy": (HAPROXY, lambda config: ["haproxy", "-db", "-f", config]),
    "caddy": (CADDY, lambda config: ["caddy", "run", "--adapter", "caddyfile", "--config", config]),
}

# What each adds to say that there is a proxy, where it does not by itself.
MARKS = {"nginx": "proxy_set_header X-Forwarded-For $remote_addr;", "haproxy": "option forwardfor", "caddy": ""}


# How each writes a log to what it was started with.
LOGS = {"nginx": "access_log off;", "haproxy": "log stdout format raw local0", "caddy": "log"}


def documented(kind):
    """The lines that docs/operations.md has for this one's log."""
    text = (Path(__file__).resolve().parents[3] / "docs" / "operations.md").read_text()
    found = re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL)
    return found[1] if found else ""


def deployed(port, target, log):
    """The site of deploy/nginx.conf, but for names, ports and certificates; log: of what its log is to be."""
    text = (Path(__file__).resolve().parents[3] / "deploy" / "nginx.conf").read_text()
    for pattern, replacement in [(r"listen 443 ssl;", f"listen 127.0.0.1:{port};"), (r"127\.0\.0\.1:8080", target),
                                 (r"\tssl_certificate\S* .*;\n", ""), (r"access_log \S+", f"access_log {log}" if log else "access_log off; #"), (r"error_log \S+ crit;", f"error_log {log.with_name('error.log')} crit;" if log else "")]:
        text, count = re.subn(pattern, replacement, text)
        assert count, f"deploy/nginx.conf has no {pattern} any more"
    return text


class Proxy(Http):
    """One that passes all on to this address; marks: it says so in a header. http2: cleartext HTTP/2 on its own side. head: it
    takes heads as large as Larder does. logs: as the documents have it. The kind "deployed" is nginx as deploy/ has it."""

    def __init__(self, kind, folder, target, marks=True, http2=False, head=True, logs=False):
        name, kind = kind, "nginx" if kind == "deployed" else kind
        template, command = KINDS[kind]
        if not shutil.which(kind):
            pytest.skip(f"{kind} is not installed")
        self.port = Port()
        super().__init__(self.port.address)
        self.url = "http://%s:%d" % self.address
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / f"{kind}.conf"
        values = {"port": self.address[1], "target": "%s:%d" % target, "folder": folder, "option": MARKS[kind] if marks else "",
                  "proto": " proto h2" if http2 else "", "head": HEADS[kind] if head else "",
                  "log_to": LOGS[kind] if logs or kind == "nginx" else "", "log": documented(kind) if logs else ""}
        if logs and kind == "haproxy":
            values["log"] += "    log global\n"
        site = deployed(self.address[1], values["target"], folder / "access.log" if logs else None) if name == "deployed" else NGINX_SITE.format(**values)
        config.write_text(template.format(**values, site=site))
        self.log = open(folder / f"{kind}.log", "wb")
        self.process = subprocess.Popen(command(str(config)), stdout=self.log, stderr=self.log, cwd=folder,
                                        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder),
                                             "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)})
        wait_until(self.answers, lambda: f"{kind} to listen; it ended with {self.process.poll()}")

    def answers(self):
        assert self.process.poll() is None, open(self.log.name, errors="replace").read()
        with socket.socket() as attempt:
            return attempt.connect_ex(self.address) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()
