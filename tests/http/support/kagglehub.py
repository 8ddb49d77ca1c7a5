# SPDX-License-Identifier: Apache-2.0
"""kagglehub as the real ones speak it: 0.3, which calls by paths, and 1.0 (any from 0.4 on), which calls by the names of methods.
What they send, and what they look at in the answers, was recorded from them."""
import base64
import concurrent.futures
import gzip
import hashlib
import http.client
import io
import json
import tarfile
import urllib.parse
import zipfile
from dataclasses import dataclass

from .waiting import DEADLINE_S

PAGE_SIZE = 25  # files; of more the archive is loaded
FILES_AT_ONCE = 8
UPLOAD_FILES_MAX = 50  # of more one archive.zip is made
REDIRECTS_MAX = 30
OLD_TIMEOUT_S = 15  # between bytes

WORDS = {"tensorflow1": "TENSOR_FLOW_1", "tensorflow2": "TENSOR_FLOW_2", "tflite": "TF_LITE", "tfjs": "TF_JS", "coral": "CORAL",
         "pytorch": "PY_TORCH", "jax": "JAX", "keras": "KERAS", "onnx": "ONNX", "transformers": "TRANSFORMERS", "gguf": "GGUF",
         "other": "OTHER"}


class KaggleError(Exception):
    """What the client raises: with the words that its user sees."""


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    url: str
    raw: http.client.HTTPResponse
    connection: http.client.HTTPConnection

    def read(self):
        with self.connection_closed():
            return self.raw.read()

    def connection_closed(self):
        return _Closing(self.connection)

    def json(self):
        content = self.read()
        return json.loads(gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content)


class _Closing:
    def __init__(self, connection):
        self.connection = connection

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


class Requests:
    """The part of python-requests that they use: redirects, and proxies for http. Each request has its own connection."""

    def __init__(self, proxy=None, timeout_s=DEADLINE_S):
        self.proxy = proxy  # the address of an http_proxy
        self.timeout_s = timeout_s
        self.sent = []  # (method, URL, headers)

    def once(self, method, url, headers, body):
        parts = urllib.parse.urlsplit(url)
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        address = self.proxy or (parts.hostname, parts.port or 80)
        connection = http.client.HTTPConnection(*address, timeout=self.timeout_s)
        fields = {"Accept-Encoding": "gzip, deflate", "Accept": "*/*", "Connection": "keep-alive", **headers}
        self.sent.append((method, url, fields))
        connection.putrequest(method, f"http://{parts.netloc}{target}" if self.proxy else target, skip_host=True,
                              skip_accept_encoding=True)
        connection.putheader("Host", parts.netloc)
        if body is not None or method in ("POST", "PUT"):
            fields.setdefault("Content-Length", str(len(body or b"")))
        for name, value in fields.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        raw = connection.getresponse()
        return Answer(raw.status, raw.headers, url, raw, connection)

    def send(self, method, url, headers, body=None):
        """Follows redirects; the token goes along on the same host, and what was posted is asked for by GET."""
        for _ in range(REDIRECTS_MAX + 1):
            answer = self.once(method, url, headers, body)
            if answer.status not in (301, 302, 303, 307, 308) or "Location" not in answer.headers:
                return answer
            answer.read()
            there = urllib.parse.urljoin(url, answer.headers["Location"])
            headers = dict(headers)
            if urllib.parse.urlsplit(there).netloc != urllib.parse.urlsplit(url).netloc:
                headers.pop("Authorization", None)
            if method == "POST":
                method, body = "GET", None
                headers.pop("Content-Type", None)
                headers.pop("Content-Length", None)
            url = there
        raise KaggleError(f"Exceeded {REDIRECTS_MAX} redirects.")


def md5_told(answer):
    """Of x-goog-hash; None where it is not told."""
    for item in answer.headers.get("x-goog-hash", "").split(","):
        kind, _, value = item.strip().partition("=")
        if kind == "md5":
            return base64.b64decode(value)
    return None


class Kagglehub:
    """What both have in common. base: the URL that calls go to; proxy: an http_proxy's address."""

    agent = ""
    timeout_s = DEADLINE_S

    def __init__(self, base, token=None, proxy=None):
        self.base = base
        self.token = token
        self.requests = Requests(proxy, self.timeout_s)
        self.cut_after = None  # so many bytes of a file, then the connection breaks, and the file is gone on with
        self.forgets_token = False  # where an answer leads elsewhere

    def headers(self):
        raise NotImplementedError

    def load(self, send):
        """A file's bytes, resumed where the connection breaks, and held against the md5 that is told."""
        answer = send()
        told = md5_told(answer)
        assert "Content-Encoding" not in answer.headers
        if self.cut_after is not None and answer.headers.get("Accept-Ranges") == "bytes" and "Content-Length" in answer.headers:
            content = answer.raw.read(self.cut_after)
            answer.connection.close()
            again = self.resume_headers(len(content))
            content += self.requests.send("GET", answer.url, again).read()  # whatever the status
        else:
            content = answer.read()
        if told is not None and hashlib.md5(content).digest() != told:
            raise KaggleError("Data corruption: the hash is another one")
        return content, answer

    def model_download(self, handle, path=None):
        """{path: bytes}; handle is "owner/model/framework/variation[/version]"."""
        owner, model, framework, variation, *rest = handle.split("/")
        name = (owner, model, framework, variation)
        version = int(rest[0]) if rest else self.latest(name)
        if path:
            return {path: self.file(name, version, path)}
        listed = self.files(name, version)
        paths = [entry["name"] for entry in listed["files"]]
        if listed.get("nextPageToken"):
            return self.unpack(self.archive(name, version))
        with concurrent.futures.ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            return dict(zip(paths, pool.map(lambda one: self.file(name, version, one), paths)))

    @staticmethod
    def unpack(content):
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            return {entry.name.removeprefix("./"): archive.extractfile(entry).read() for entry in archive if entry.isfile()}

    # ---- uploads ----

    def put_blob(self, url, content):
        """The bytes of a file, without a token; gone on with where the server says that it has a part of them."""
        first, length = 0, len(content)
        for _ in range(5):
            headers = {"User-Agent": "python-requests/2.28.1", "Content-Type": "application/octet-stream"}
            if length:
                headers["Content-Range"] = f"bytes {first}-{length - 1}/{length}"
            sent = content[first:]
            try:
                if self.cut_after is not None and length - first > self.cut_after:
                    self.cut_blob(url, headers, sent)
                answer = self.requests.send("PUT", url, headers, sent)
            except ConnectionError:
                answer = self.ask_blob(url, length)
            answer.read()
            if answer.status in (200, 201):
                return
            assert answer.status == 308, answer.status
            answer = self.ask_blob(url, length)
            answer.read()
            if answer.status in (200, 201):
                return
            assert answer.status == 308, answer.status
            first = int(answer.headers["Range"].removeprefix("bytes=0-")) + 1 if "Range" in answer.headers else 0
        raise KaggleError("Upload failed")

    def cut_blob(self, url, headers, sent):
        """Sends a part of what it says it sends, and is gone."""
        cut, self.cut_after = self.cut_after, None
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(*(self.requests.proxy or (parts.hostname, parts.port or 80)), timeout=DEADLINE_S)
        connection.putrequest("PUT", url if self.requests.proxy else parts.path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": parts.netloc, **headers, "Content-Length": str(len(sent))}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(sent[:cut])
        connection.close()
        raise ConnectionError("cut")

    def ask_blob(self, url, length):
        headers = {"User-Agent": "python-requests/2.28.1", "Content-Length": "0", "Content-Range": f"bytes */{length}"}
        return self.requests.send("PUT", url, headers, b"")

    def upload_blob(self, name, content):
        begun = self.start_blob({"name": name, "contentLength": len(content), "lastModifiedEpochSeconds": 1700000000})
        self.put_blob(begun["createUrl"], content)
        return {"token": begun["token"]}

    def tree(self, files):
        """{"files", "directories"} of {path: bytes}, each file uploaded."""
        if len(files) > UPLOAD_FILES_MAX:
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                for path, content in files.items():
                    archive.writestr(path, content)
            return {"files": [self.upload_blob("archive.zip", packed.getvalue())], "directories": []}
        return self.folder("", files)

    def folder(self, name, files):
        here = {path: content for path, content in files.items() if "/" not in path}
        below = {}
        for path, content in files.items():
            if "/" in path:
                first, rest = path.split("/", 1)
                below.setdefault(first, {})[rest] = content
        told = {"files": [self.upload_blob(path, content) for path, content in here.items()],
                "directories": [self.folder(first, content) for first, content in below.items()]}
        return {"name": name, **told} if name else told

    def model_upload(self, handle, files, license_name=None, notes=""):
        owner, model, framework, variation = handle.split("/")
        if not self.has_model(owner, model):
            self.create_model({"ownerSlug": owner, "slug": model, "title": model, "isPrivate": True})
        tree = self.tree(files)
        body = {"instanceSlug": variation, "framework": self.framework(framework), **tree, "sigstore": False}
        if license_name:
            body["licenseName"] = license_name
        answer = self.create_instance(owner, model, body)
        if answer.get("errorCode") == 409:
            answer = self.create_version((owner, model, framework, variation), {"versionNotes": notes, **tree, "sigstore": False})
        if answer.get("error"):
            raise KaggleError(answer["error"])
        return answer


class Old(Kagglehub):
    """0.3: KAGGLE_API_ENDPOINT is the base, KAGGLE_KEY the token."""

    agent = "kagglehub/0.3.13"
    timeout_s = max(OLD_TIMEOUT_S, DEADLINE_S)

    def headers(self):
        headers = {"User-Agent": self.agent}
        if self.token:
            headers["Authorization"] = "Basic " + base64.b64encode(f"someone:{self.token}".encode()).decode()
        return headers

    def resume_headers(self, have):
        return {**({} if self.forgets_token else self.headers()), "Range": f"bytes={have}-"}

    def url(self, path):
        return urllib.parse.urljoin(self.base, "/api/v1/") + path

    def raise_for(self, answer):
        """requests' words, with the message that JSON has."""
        if answer.status >= 400:
            try:
                message = answer.json()["message"]
            except (ValueError, KeyError):
                message = ""
            raise KaggleError(f"{answer.status} Client Error. {message}")
        return answer

    def get(self, path):
        return self.raise_for(self.requests.send("GET", self.url(path), self.headers()))

    def post(self, path, body):
        answer = self.requests.send("POST", self.url(path), {**self.headers(), "Content-Type": "application/json"},
                                    json.dumps(body).encode())
        if answer.status >= 400:
            answer.read()
            raise KaggleError(f"{answer.status} Client Error")
        return answer.json()

    def latest(self, name):
        return self.get("models/%s/%s/%s/%s/get" % name).json()["versionNumber"]

    def files(self, name, version):
        return self.get("models/%s/%s/%s/%s" % name + f"/{version}/files?page_size={PAGE_SIZE}").json()

    def file(self, name, version, path):
        quoted = urllib.parse.quote(path)
        return self.load(lambda: self.get("models/%s/%s/%s/%s" % name + f"/{version}/download/{quoted}"))[0]

    def archive(self, name, version):
        return self.load(lambda: self.get("models/%s/%s/%s/%s" % name + f"/{version}/download"))[0]

    @staticmethod
    def framework(word):
        return word

    def has_model(self, owner, model):
        try:
            self.get(f"/models/{owner}/{model}/get").read()
        except KaggleError as error:
            if not str(error).startswith(("404", "403")):
                raise
            return False
        return True

    def create_model(self, body):
        return self.post_whole("/models/create/new", body)

    def start_blob(self, body):
        return self.post_whole("/blobs/upload", {"type": "model", **body})

    def post_whole(self, path, body):
        answer = self.post(path, body)
        if answer.get("error"):
            raise KaggleError(answer["error"])
        return answer

    def create_instance(self, owner, model, body):
        return self.post(f"/models/{owner}/{model}/create/instance", body)

    def create_version(self, name, body):
        return self.post("/models/%s/%s/%s/%s/create/version" % name, body)


class New(Kagglehub):
    """From 0.4 on: the base has the service's names behind it, KAGGLE_API_TOKEN is the token. With KAGGLE_API_ENVIRONMENT=LOCALHOST
    the base is http://localhost/api/v1, and http_proxy says where that is."""

    agent = "kagglehub/1.0.0"

    def __init__(self, base, token=None, proxy=None, key=None):
        super().__init__(base, token, proxy)
        self.key = key  # KAGGLE_KEY, where there is no KAGGLE_API_TOKEN

    def headers(self):
        headers = {"User-Agent": self.agent, "Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        elif self.key:
            headers["Authorization"] = "Basic " + base64.b64encode(f"someone:{self.key}".encode()).decode()
        return headers

    def resume_headers(self, have):
        return {"User-Agent": "python-requests/2.28.1", "Range": f"bytes={have}-"}

    def call(self, service, method, body):
        answer = self.requests.send("POST", f"{self.base}/{service}/{method}", self.headers(), json.dumps(body).encode())
        # A model's file is looked at as well, where it says that it is JSON.
        if "application/json" in answer.headers.get("Content-Type", ""):
            value = answer.json()
            if isinstance(value, dict) and int(value.get("code") or 0) >= 400:
                raise KaggleError(f"{value['code']}: {value.get('message')}")
            answer.value = value
        elif answer.status >= 400:
            answer.read()
            raise KaggleError(f"{answer.status} Error")
        return answer

    def models(self, method, name, **more):
        owner, model, framework, variation = name
        return self.call("models.ModelApiService", method, {"ownerSlug": owner, "modelSlug": model, "framework": self.framework(framework),
                                                            "instanceSlug": variation, **more})

    def latest(self, name):
        return self.models("GetModelInstance", name).value["versionNumber"]

    def files(self, name, version):
        return self.models("ListModelInstanceVersionFiles", name, versionNumber=version, pageSize=PAGE_SIZE).value

    def load(self, send):
        content, answer = super().load(send)
        assert answer.url.rsplit("/", 1)[1].split("?")[0][-4:] != ".zip"
        return content, answer

    def file(self, name, version, path):
        return self.load(lambda: self.models("DownloadModelInstanceVersion", name, versionNumber=version, path=path))[0]

    def archive(self, name, version):
        return self.load(lambda: self.models("DownloadModelInstanceVersion", name, versionNumber=version))[0]

    @staticmethod
    def framework(word):
        return "MODEL_FRAMEWORK_" + WORDS[word.lower().replace("_", "")]

    def has_model(self, owner, model):
        try:
            self.call("models.ModelApiService", "GetModel", {"ownerSlug": owner, "modelSlug": model})
        except KaggleError as error:
            if not str(error).startswith(("404", "403")):
                raise
            return False
        return True

    def create_model(self, body):
        return self.call("models.ModelApiService", "CreateModel", body).value

    def start_blob(self, body):
        return self.call("blobs.BlobApiService", "StartBlobUpload", {"type": "MODEL", **body}).value

    @staticmethod
    def without_empty(body):
        """Unset fields are left out, and so are empty lists."""
        if isinstance(body, dict):
            return {key: New.without_empty(value) for key, value in body.items() if value not in ([], "", None)}
        return [New.without_empty(one) for one in body] if isinstance(body, list) else body

    def create_instance(self, owner, model, body):
        return self.call("models.ModelApiService", "CreateModelInstance",
                         {"ownerSlug": owner, "modelSlug": model, "body": self.without_empty(body)}).value

    def create_version(self, name, body):
        return self.models("CreateModelInstanceVersion", name, body=self.without_empty(body)).value


def from_environment(variables):
    """The client that these make of an import of kagglehub: {name: value}."""
    if "KAGGLE_API_ENDPOINT" in variables:
        return Old(variables["KAGGLE_API_ENDPOINT"], variables.get("KAGGLE_KEY"))
    assert variables["KAGGLE_API_ENVIRONMENT"] == "LOCALHOST", variables
    proxy = urllib.parse.urlsplit(variables["http_proxy"])
    return New("http://localhost/api/v1", variables.get("KAGGLE_API_TOKEN"), proxy=(proxy.hostname, proxy.port),
               key=variables.get("KAGGLE_KEY"))
