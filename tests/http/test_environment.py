# SPDX-License-Identifier: Apache-2.0
"""Keys of the configuration as variables, as containers have them; and `larder health`, which looks whether the daemon can serve."""
import os
import subprocess

from support import modules
from support.daemon import binary
from support.waiting import DEADLINE_S


def larder(*words, **variables):
    return subprocess.run([binary(), *map(str, words)], capture_output=True, text=True, timeout=DEADLINE_S, env={**os.environ, **variables})


def check(*words, **variables):
    return larder("serve", "--check", *words, **variables)


def test_a_variable_wins_over_the_file_and_an_option_over_both(tmp_path):
    config = tmp_path / "larder.ini"
    config.write_text("[server]\nworkers = 3\nlisten = 127.0.0.1:1\n\n[storage]\nmax_bytes = 1G\n")
    done = check("--config", config, "--listen", "127.0.0.1:9", LARDER_SERVER_WORKERS="5", LARDER_SERVER_LISTEN="127.0.0.1:2",
                 LARDER_UPSTREAM_TFHUB_URL="https://tfhub.example/{path}?{query}")
    assert done.returncode == 0, done
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    assert told["server.workers"] == "LARDER_SERVER_WORKERS" and told["server.listen"] == "the command line"
    assert told["storage.max_bytes"] == f"{config}:6" and told["upstream tfhub.url"] == "LARDER_UPSTREAM_TFHUB_URL"


def test_what_is_wrong_names_its_variable():
    done = check(LARDER_SERVER_WORKERS="many", LARDER_STORAGE_MAXBYTES="1G")
    assert done.returncode == 1 and "LARDER_SERVER_WORKERS: " in done.stderr
    assert "LARDER_STORAGE_MAXBYTES: no key of the configuration is called so; did you mean LARDER_STORAGE_MAX_BYTES?" in done.stderr


def test_a_daemon_takes_them(start, monkeypatch):
    monkeypatch.setenv("LARDER_PUBLISH_MAX_UPLOAD_BYTES", "4K")
    daemon = start()
    assert daemon.put("/acme/large/1", modules.module(100_000)).status == 413
    assert daemon.put("/acme/small/1", modules.module(10)).status == 201


def test_health_tells_whether_it_can_serve(start, start_secure):
    plain, own = start(), start_secure(name="tls")
    for daemon in (plain, own):
        # Where it listens is known once it does: the file has port 0.
        address = daemon.url.split("//")[1]
        done = larder("health", "--config", daemon.config_path, LARDER_SERVER_LISTEN=address.replace("127.0.0.1", "0.0.0.0"))
        assert (done.returncode, done.stdout) == (0, f"{daemon.url.replace('localhost', '127.0.0.1')} is ready\n"), done
    plain.stop()
    done = larder("health", plain.url)
    assert done.returncode == 1 and "connect" in done.stderr
    # Port 0 leads nowhere.
    done = larder("health", LARDER_SERVER_LISTEN="127.0.0.1:0")
    assert done.returncode == 1 and "larder health http://127.0.0.1:8080" in done.stderr
