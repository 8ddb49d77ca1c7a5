# SPDX-License-Identifier: Apache-2.0
"""The real daemon, started on a free port with a data folder and a configuration of its own."""
import os
import re
import select
import signal
import subprocess
from pathlib import Path

from .client import Http
from .ports import Port
from .secure import make_context
from .waiting import DEADLINE_S, wait_until

ROOT = Path(__file__).resolve().parents[3]
REPORTS = re.compile(r"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:|^SUMMARY: \w+Sanitizer", re.M)

# What tests want otherwise than people: no second tries, no long end, no question to an upstream before a
# publication, and time-outs only where they ask for them: our upstreams share a busy machine with everything else.
SETTINGS = {
    "server": {"drain_timeout_s": 2, "idle_timeout_s": 600, "head_timeout_s": 600, "upload_bytes_per_s": 0},
    "mirror": {"retries": 0, "connect_timeout_s": 600, "stall_timeout_s": 600, "queue_timeout_s": 600, "negative_ttl_s": 600},
    "publish": {"shadow": "*"},
    "log": {"level": "debug"},
}


def binary():
    return os.environ.get("LARDER_BINARY", str(ROOT / "build-asan" / "larder"))


def under_thread_sanitizer():
    return "tsan" in binary()


def ini(settings):
    """The text of a configuration: {section: {key: value}}."""
    lines = []
    for section, keys in settings.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {value}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


class Daemon(Http):
    """Settings are as in ini(), over SETTINGS; upstreams are base URLs, asked in this order, none by default. Its port stays its
    own, from one start to the next and in between."""

    launcher = ()  # what starts it, before its own command

    def __init__(self, folder, settings=None, upstreams=()):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.log_path = self.folder / "log"
        self.config_path = self.folder / "larder.ini"
        self.process = None
        self.tokens = {}
        self.port = Port()
        self.configure(settings, upstreams)
        super().__init__(None)

    def configure(self, settings=None, upstreams=()):
        """Writes the configuration; it counts from the next start."""
        merged = {section: dict(keys) for section, keys in SETTINGS.items()}
        for section, keys in (settings or {}).items():
            merged.setdefault(section, {}).update(keys)
        merged["server"].setdefault("listen", "%s:%d" % self.port.address)
        merged.setdefault("storage", {})["data_dir"] = self.data
        for number, url in enumerate(upstreams):
            template = url if "{" in url else url + "/{path}?{query}"
            merged[f"upstream test{number}"] = {"url": template}
        if not upstreams and not any(section.startswith("upstream ") for section in merged):
            # Else the defaults would count, which are out in the world. Nothing listens on the discard port.
            merged["upstream nobody"] = {"url": "http://127.0.0.1:9/{path}?{query}"}
        self.config_path.write_text(ini(merged))

    def start(self, *arguments):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.launcher, binary(), "serve", "--config", str(self.config_path), *arguments],
                                            stdout=subprocess.PIPE, stderr=log, cwd=self.folder, text=True)
        self.url = self.read_url()
        host, port = re.fullmatch(r"https?://([^/]+):(\d+)/?", self.url).groups()
        self.address = (host, int(port))
        self.context = make_context() if self.url.startswith("https:") else None
        return self

    def read_url(self):
        ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE_S)
        line = self.process.stdout.readline() if ready else ""
        found = re.match(r"listening on (https?://\S+)", line)
        if not found:
            self.process.kill()
            status = self.process.wait()
            raise AssertionError(f"the daemon did not start (status {status}); stdout: {line!r}; log:\n{self.log()}")
        return found[1]

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def stop(self):
        """Ends it as an operator would; it must have nothing to complain about."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = "none within the deadline"
        process.stdout.close()
        self.check_log()
        assert status == 0, f"the daemon ended with status {status} on SIGTERM; its log:\n{self.tail()}"

    def kill(self):
        """Ends it as a power failure would, as far as processes are concerned."""
        process, self.process = self.process, None
        process.kill()
        process.wait()
        process.stdout.close()
        self.check_log()

    def restart(self):
        self.stop()
        return self.start()

    def check_log(self):
        found = REPORTS.search(self.log())
        assert not found, f"the daemon's log holds a sanitizer's report:\n{self.log()[max(0, found.start() - 200):][:8000]}"

    def tail(self):
        return self.log()[-4000:]

    # ---- the command line -------------------------------------------------------------------------------------------

    def larder(self, *arguments, check=True, timeout=DEADLINE_S):
        """Runs a command of the same binary on the same data folder."""
        done = subprocess.run([binary(), *arguments, "--data", str(self.data)], capture_output=True, text=True,
                              timeout=timeout, cwd=self.folder)
        assert not REPORTS.search(done.stderr), done.stderr
        assert not check or done.returncode == 0, f"larder {' '.join(arguments)}: status {done.returncode}: {done.stderr}"
        return done

    def place(self):
        """What commands need that are to count on all nodes of a bucket."""
        return ("--config", str(self.config_path)) if "kind = s3" in self.config_path.read_text() else ()

    def token(self, scope="publish:*"):
        """A token of this scope, made at the first call."""
        if scope not in self.tokens:
            name = re.sub(r"[^a-z0-9]+", "-", scope).strip("-") or "ci"
            self.tokens[scope] = self.larder("token", "create", f"ci-{name}", "--scope", scope, *self.place()).stdout.strip()
        return self.tokens[scope]

    # ---- publishing ---------------------------------------------------------------------------------------------------

    def put(self, path, body, token=None, **headers):
        """PUTs bytes (or an iterable, in chunked coding), as ci unless another token ("" for none) is given."""
        token = self.token() if token is None else token
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        sent.update({name.replace("_", "-").title(): value for name, value in headers.items()})
        return self.request("PUT", path, sent, body)

    def publish(self, path, body, **headers):
        """As put, for bytes that must be taken."""
        reply = self.put(path, body, **headers)
        assert reply.status in (200, 201), f"PUT {path} was not taken: {reply}"
        return reply

    # ---- what it counts -------------------------------------------------------------------------------------------------

    def metrics(self):
        """{"family{labels}": number}"""
        reply = self.get("/metrics")
        assert reply.status == 200, f"/metrics: {reply}"
        pairs = (line.rsplit(" ", 1) for line in reply.body.decode().splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def metric(self, name):
        metrics = self.metrics()
        assert name in metrics, f"no metric {name}; there are {sorted(metrics)}"
        return metrics[name]

    def wait_for(self, name, condition, what=None):
        """Waits until a metric meets a condition: a function, or a number that it must have reached."""
        assert callable(condition) or condition > 0, "every metric has reached 0"
        meets = condition if callable(condition) else lambda value: value >= condition
        wait_until(lambda: meets(self.metric(name)),
                   lambda: f"{what or condition}: {name} is {self.metric(name):g}; log:\n{self.tail()}")

    def wait_for_at_most(self, name, most, what):
        """Waits until a metric has come down to this number."""
        self.wait_for(name, lambda value: value <= most, what)

    def wait_for_idle(self):
        """Waits until no fill and no upload is running."""
        self.wait_for("larder_fills_running", lambda value: value == 0, "no fill running")
        self.wait_for("larder_uploads_running", lambda value: value == 0, "no upload running")

    # ---- what it keeps ----------------------------------------------------------------------------------------------------

    def blobs(self):
        """The digests of the files in the store."""
        return sorted(path.name for path in (self.data / "blobs").rglob("*") if path.is_file())

    def drafts(self):
        return sorted(path.name for path in (self.data / "drafts").rglob("*") if path.is_file())

    def wait_for_no_drafts(self):
        wait_until(lambda: not self.drafts(), lambda: f"no drafts left; there are {self.drafts()}")

    def handles(self):
        """All that the catalog lists."""
        return [module["handle"] for module in self.get("/api/v1/modules?limit=200").json()["modules"]]

    def assert_nothing_kept(self):
        """Once all that ran is over, of which clients are told first."""
        self.wait_for_idle()
        self.wait_for_no_drafts()
        assert self.blobs() == [], f"blobs were kept: {self.blobs()}"
        assert self.handles() == [], f"the catalog lists {self.handles()}"


def assert_problem(reply, status, code):
    """The refusal is as INTERFACE.md says: problem+json with this status and code."""
    assert reply.status == status, f"expected {status} {code}, got {reply}"
    media_type = reply.headers.get("Content-Type", "")
    assert media_type.startswith("application/problem+json"), f"a refusal as {media_type}: {reply}"
    problem = reply.json()
    assert problem["code"] == code, f"expected {code}, got {problem}"
    assert problem["type"] == f"urn:larder:{code}" and problem["status"] == status, problem
    assert problem["title"] and isinstance(problem["detail"], str), problem
    assert reply.headers.get("Access-Control-Allow-Origin") == "*", f"no CORS on a refusal: {dict(reply.headers)}"
    return problem
