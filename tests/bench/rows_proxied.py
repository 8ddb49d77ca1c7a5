# SPDX-License-Identifier: Apache-2.0
"""Behind nginx as deploy/nginx.conf has it: what the proxy's own settings are worth."""
import contextlib
import hashlib
import http.client
import re
import ssl
import subprocess
import time

import bodies
import load
from bodies import KIB, MIB
from rows import Row
from servers import DEADLINE_S, ROOT, Failed, Larder, Nginx, free_port

TARGET = "/bench/proxied/1?lite-format=tflite"
SIZE = 64 * MIB

ROWS = [
    Row("proxied-tls", "64 MiB over HTTPS behind deploy/nginx.conf: nginx's CPU", "the same with nginx's own 4 KiB buffers",
        "CPU s per GB"),
    Row("proxied-tls-rate", "the same: rate", "the same with nginx's own 4 KiB buffers", "GB/s", less=False, quick=False),
    Row("proxied-hot-1k", "1 KiB behind deploy/nginx.conf, each tenth request JSON: CPU behind the proxy",
        "nginx proxy_cache in Larder's place", "us per request"),
    Row("proxied-hot-1m", "1 MiB, the same", "nginx proxy_cache in Larder's place", "us per request"),
]

HOT = {"proxied-hot-1k": KIB, "proxied-hot-1m": MIB}
API = "/api/v1/modules/bench/proxied-hot"


def certificate(folder):
    """A certificate and its key, signed by itself."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    folder / "key.pem", "-out", folder / "cert.pem", "-days", "30", "-subj", "/CN=127.0.0.1"],
                   check=True, capture_output=True)


def site(server, port, folder, changes=()):
    """The file that deploy/ gives, but for names, ports, certificates and logs; changes are (pattern, text)."""
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    for pattern, replacement in [
            (r"listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"), (r"127\.0\.0\.1:8080", f"127.0.0.1:{server.port}"),
            (r"/etc/ssl/models\S+?;", f"{folder}/cert.pem;"), (r"/etc/ssl/private/models\S+?;", f"{folder}/key.pem;"),
            (r"access_log .*;", "access_log off;"), (r"error_log .*;", f"error_log {folder}/error.log crit;"), *changes]:
        text, count = re.subn(pattern, replacement, text)
        if not count:
            raise Failed(f"deploy/nginx.conf has no {pattern} any more")
    return text


def download(server, digest):
    """One whole download over TLS, its bytes checked; (CPU s, seconds)."""
    context = ssl._create_unverified_context()
    before, began = server.cpu(), time.monotonic()
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=DEADLINE_S, context=context)
    with contextlib.closing(connection):
        connection.request("GET", TARGET)
        answer = connection.getresponse()
        hash_ = hashlib.sha256()
        for block in iter(lambda: answer.read(1 << 18), b""):
            hash_.update(block)
    if answer.status != 200 or hash_.hexdigest() != digest:
        raise Failed(f"{server.name} gave a wrong body: status {answer.status}")
    return server.cpu() - before, time.monotonic() - began


def start(bench, folder, server, name, changes=()):
    place = folder / name.split()[0]
    place.mkdir()
    port = free_port()
    proxy = bench.own(Nginx(place, name, [], http=site(server, port, folder, changes)))
    proxy.port = port
    return proxy.start()


def measure(bench, rows):
    folder = bench.folder / "proxied"
    folder.mkdir()
    certificate(folder)
    larder = Larder(folder / "larder")
    token = larder.token()
    bench.own(larder.start())
    if any(name.startswith("proxied-tls") for name in rows):
        measure_tls(bench, rows, folder, larder, token)
    if any(name in rows for name in HOT):
        measure_hot(bench, rows, folder, larder, token)


def measure_tls(bench, rows, folder, larder, token):
    file = bodies.tflite(folder / "body", SIZE)
    digest = bodies.sha256(file)
    larder.publish(TARGET, file, token)
    sides = [start(bench, folder, larder, "ours"), start(bench, folder, larder, "plain", [(r"proxy_buffer\w+ .*;", "")])]
    for turn in range(bench.rounds):
        results = {server: download(server, digest) for server in (sides if turn % 2 == 0 else sides[::-1])}
        for name, figure in (("proxied-tls", lambda cpu_s, _: cpu_s / (SIZE / 1e9)),
                             ("proxied-tls-rate", lambda _, seconds: SIZE / 1e9 / seconds)):
            if name in rows:
                rows[name].add(*(figure(*results[server]) for server in sides))


# ---- what stands behind the proxy, and what that costs ----

def measure_hot(bench, rows, folder, larder, token):
    """Connections that a proxy keeps carry requests of all kinds. Its own cost is the same on both sides, and not counted."""
    targets = {name: f"/bench/proxied-hot/{number}?lite-format=tflite" for number, name in enumerate(HOT, 1)}
    files = {name: bodies.tflite(folder / name, HOT[name]) for name in HOT}
    for name, file in files.items():
        larder.publish(targets[name], file, token)
    cache = bench.own(Nginx(folder / "cache", "nginx proxy_cache", [
        f"location / {{ proxy_pass http://127.0.0.1:{larder.port}; proxy_cache hub; proxy_cache_valid 200 1h; "
        "proxy_ignore_headers Cache-Control Expires; }"],
        http=f"proxy_cache_path {folder}/cached keys_zone=hub:10m inactive=1h; proxy_http_version 1.1;")).start()
    unsealed = [(r" ssl;", ";")]
    sides = [(larder, start(bench, folder, larder, "before-larder", unsealed)),
             (cache, start(bench, folder, cache, "before-cache", unsealed))]
    for name in (name for name in HOT if name in rows):
        for _, proxy in sides:
            load.check(proxy, targets[name], bodies.sha256(files[name]))
        script = load.take_turns(folder / f"{name}.lua", [targets[name]] * 9 + [API])
        for turn in range(bench.rounds):
            spent = {server: load.wrk(server, API, bench.seconds, port=proxy.port, script=script)
                     for server, proxy in (sides if turn % 2 == 0 else sides[::-1])}
            rows[name].add(*(spent[server].cpu_us for server, _ in sides))
