# SPDX-License-Identifier: Apache-2.0
"""What a daemon says before it serves: files that it cannot use, dates that are over, descriptors that nobody opened."""
import contextlib
import os
import shutil
import signal
import subprocess

import pytest
from support.daemon import ROOT, Daemon, binary, ini
from support.waiting import DEADLINE_S, wait_until

MISCONFIGURED = 78
ELLIPTIC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
DATED = """
[ca]
default_ca = here
[here]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def dated_certificate(folder, name, first, last):
    """A certificate for key.pem that is valid between two dates (YYYYMMDDhhmmssZ)."""
    (folder / "ca.cnf").write_text(DATED)
    (folder / "index.txt").write_text("")
    (folder / "serial").write_text("01\n")
    openssl(folder, "req", "-new", "-key", "key.pem", "-out", "dated.csr", "-subj", "/CN=localhost")
    openssl(folder, "ca", "-batch", "-notext", "-selfsign", "-config", "ca.cnf", "-keyfile", "key.pem", "-in", "dated.csr",
            "-startdate", first, "-enddate", last, "-out", name)


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    """Sound and unsound certificates and keys, by the names that the cases use."""
    folder = tmp_path_factory.mktemp("pems")
    for key, certificate in (("key.pem", "cert.pem"), ("other.key", "other.pem")):
        openssl(folder, "req", "-x509", *ELLIPTIC, "-nodes", "-keyout", key, "-out", certificate, "-days", "30",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    openssl(folder, "pkey", "-in", "key.pem", "-aes256", "-passout", "pass:x", "-out", "encrypted.key")
    openssl(folder, "ec", "-in", "key.pem", "-aes128", "-passout", "pass:x", "-out", "encrypted-old.key")
    openssl(folder, "x509", "-in", "cert.pem", "-outform", "der", "-out", "cert.der")
    openssl(folder, "pkey", "-in", "key.pem", "-outform", "der", "-out", "key.der")
    sound = (folder / "cert.pem").read_text()
    (folder / "damaged.pem").write_text(sound[:300] + "????" + sound[304:])
    key = (folder / "key.pem").read_text()
    (folder / "damaged.key").write_text(key[:80] + "????" + key[84:])
    (folder / "empty.pem").write_text("")
    (folder / "both.pem").write_text(sound + key)
    (folder / "chain.pem").write_text(sound + (folder / "other.pem").read_text())
    (folder / "swapped-chain.pem").write_text((folder / "other.pem").read_text() + sound)
    (folder / "damaged-bundle.pem").write_text(sound + (folder / "damaged.pem").read_text())
    dated_certificate(folder, "expired.pem", "20200101000000Z", "20200201000000Z")
    dated_certificate(folder, "future.pem", "20990101000000Z", "20990201000000Z")
    return folder


def check(folder, settings, *arguments, check=True):
    config = folder / "larder.ini"
    config.write_text(ini({"server": {"listen": "127.0.0.1:0"}, "storage": {"data_dir": folder / "data"}, **settings}))
    return subprocess.run([binary(), "serve", *(["--check"] if check else []), "--config", str(config), *arguments],
                          capture_output=True, text=True, timeout=DEADLINE_S)


def secure(pems, certificate, key):
    return {"server": {"listen": "127.0.0.1:0", "tls_certificate": pems / certificate, "tls_key": pems / key}}


@pytest.mark.parametrize("certificate, key", [("cert.pem", "key.pem"), ("chain.pem", "key.pem"), ("both.pem", "both.pem")])
def test_sound_certificates(pems, tmp_path, certificate, key):
    done = check(tmp_path, secure(pems, certificate, key))
    assert done.returncode == 0, done


FAULTS = [
    ("missing.pem", "key.pem", "missing.pem"),
    ("cert.pem", "missing.key", "missing.key"),
    ("cert.pem", "other.key", "is not that of the first certificate"),
    ("swapped-chain.pem", "key.pem", "is not that of the first certificate"),
    ("key.pem", "cert.pem", "swapped"),
    ("cert.pem", "cert.pem", "swapped"),
    ("cert.pem", "encrypted.key", "is encrypted"),
    ("cert.pem", "encrypted-old.key", "is encrypted"),
    ("damaged.pem", "key.pem", "damaged"),
    ("cert.pem", "damaged.key", "damaged"),
    ("empty.pem", "key.pem", "no certificate in PEM form"),
    ("cert.pem", "empty.pem", "no private key in PEM form"),
    ("cert.der", "key.pem", "no certificate in PEM form"),
    ("cert.pem", "key.der", "no private key in PEM form"),
]


@pytest.mark.parametrize("certificate, key, words", FAULTS)
def test_certificates_that_cannot_be_used(pems, tmp_path, certificate, key, words):
    found = check(tmp_path, secure(pems, certificate, key))
    assert found.returncode == 1 and words in found.stderr and "tls_" in found.stderr, found
    assert "pass:x" not in found.stderr and "Enter" not in found.stderr + found.stdout, found
    started = check(tmp_path, secure(pems, certificate, key), check=False)
    assert started.returncode == MISCONFIGURED and words in started.stderr and not started.stdout, started


@pytest.mark.parametrize("certificate, words", [("expired.pem", "expired at 2020-02-01"), ("future.pem", "valid from 2099-01-01")])
def test_certificates_whose_time_is_not_now(pems, tmp_path, start, certificate, words):
    done = check(tmp_path, secure(pems, certificate, "key.pem"))
    assert done.returncode == 1 and words in done.stderr, done
    # The clock may be what is wrong.
    larder = start(secure(pems, certificate, "key.pem"))
    assert words in larder.log() and larder.is_running()


@pytest.mark.parametrize("authorities, words", [
    ("cert.pem", None), ("chain.pem", None), ("missing.pem", "missing.pem"), ("empty.pem", "no certificate"),
    ("key.pem", "private key"), ("damaged.pem", "damaged"), ("damaged-bundle.pem", "damaged"), ("cert.der", "no certificate"),
])
def test_authorities_of_an_upstream(pems, tmp_path, authorities, words):
    settings = {"upstream far": {"url": "https://127.0.0.1:9/{path}", "ca_file": pems / authorities}}
    found = check(tmp_path, settings)
    assert found.returncode == (1 if words else 0), found
    if words:
        assert words in found.stderr and "upstream far.ca_file" in found.stderr, found
        assert check(tmp_path, settings, check=False).returncode == MISCONFIGURED
        assert check(tmp_path, settings, "--offline").returncode == 0, "offline no upstream's file is needed"


def test_all_faults_at_once(pems, tmp_path):
    settings = {**secure(pems, "cert.pem", "other.key"),
                "upstream a": {"url": "https://a.invalid/{path}", "ca_file": pems / "empty.pem"},
                "upstream b": {"url": "https://b.invalid/{path}", "ca_file": pems / "missing.pem"}}
    done = check(tmp_path, settings)
    assert [word in done.stderr for word in ("server.tls", "upstream a.ca_file", "upstream b.ca_file", "3 files")] == [True] * 4


def test_faults_of_the_file_and_of_those_that_it_names_at_once(pems, tmp_path):
    settings = {**secure(pems, "cert.pem", "other.key"), "mirror": {"retries": "many"},
                "upstream a": {"url": "nowhere", "ca_file": pems / "empty.pem"},
                "webhook ci": {"url": "nowhere", "secret_file": tmp_path / "missing"},
                "webhook two": {"url": "http://127.0.0.1/"}, "webhook three": {"url": "http://127.0.0.1/", "secret_file": ""}}
    done = check(tmp_path, settings)
    assert done.returncode == 1, done
    for words in ("retries", "this is no URL that events can be sent to", "[webhook two] has no secret_file", "server.tls_certificate", "upstream a.ca_file",
                  "webhook ci.secret_file", "has 5 faults, and 3 files of the configuration cannot be used"):
        assert words in done.stderr, done.stderr
    # A key without its certificate is told, and not looked at.
    done = check(tmp_path, {"server": {"tls_certificate": pems / "cert.pem"}})
    assert done.returncode == 1 and done.stderr.endswith("has 1 fault\n") and "server.tls" not in done.stderr, done


@pytest.mark.parametrize("text", ["[server]\nlisten = nowhere\n", "[nonsense]\n", "words\n"])
def test_a_faulty_configuration_has_a_status_of_its_own(tmp_path, text):
    config = tmp_path / "larder.ini"
    config.write_text(text)
    done = subprocess.run([binary(), "serve", "--config", str(config)], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == MISCONFIGURED and "larder.ini:" in done.stderr, done


def descriptors(pid):
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
    return found


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)], ids=str)
def test_standard_descriptors_that_nobody_opened(tmp_path, closed):
    """Nothing that is written to a log may end in the data folder."""
    daemon = Daemon(tmp_path / "larder", {"log": {"level": "debug"}})

    def close():
        for fd in closed:
            os.close(fd)

    process = subprocess.Popen([binary(), "serve", "--config", str(daemon.config_path)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=close)
    try:
        bell = daemon.data / "bell"
        wait_until(lambda: bell.exists() or process.poll() is not None, "the daemon to start")
        found = descriptors(process.pid)
        assert all("data" not in found[fd] for fd in (0, 1, 2)), found
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait()
    assert (daemon.data / "lock").read_bytes() == b""
