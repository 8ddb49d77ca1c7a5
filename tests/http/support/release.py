# SPDX-License-Identifier: Apache-2.0
"""What a registry lists and gives out, to be held against what a later release makes of the same data folder
(tests/upgrades/make keeps both)."""
import hashlib

from . import modules
from .client import Http
from .upstream import Upstream

TREE = {
    "README.md": "# Our models\n",
    "assets/docs/acme/acme.md": "# Publisher acme\nAcme Ltd\n\n[![Icon URL]](https://acme.test/i.png)\n\n## Who\nWe.\n",
    "assets/docs/acme/models/listed/1.md": "# Module acme/listed/1\nEmbeds words.\n\n<!-- asset-path: legacy -->\n"
        "<!-- task: text-embedding -->\n<!-- language: en -->\n<!-- fine-tunable: false -->\n<!-- format: hub -->\n\n## Overview\nAll of it.\n",
    "assets/docs/acme/collections/c/1.md": "# Collection acme/c/1\nAll of ours.\n\n<!-- task: text-embedding -->\n\n## Modules\n"
        "[listed](https://tfhub.dev/acme/listed)\n",
}
DOCUMENT = b"# Module acme/whole/2\nAdds two.\n\n<!-- task: image-classification -->\n<!-- license: apache-2.0 -->\n\n## Use\nAs it is.\n"
PICKLE = b"cos\nsystem\n(S'true'\ntR."
LISTS = ("/api/v1/modules?limit=200&sort=name&facets=true", "/api/v1/modules?q=words&sort=name", "/api/v1/modules?task=text-embedding&sort=name",
         "/api/v1/modules?source=mirrored&sort=name", "/api/v1/publishers", "/api/v1/wants")
HOST = "larder.test"


def publish_all(daemon):
    daemon.publish("/acme/whole/1?tf-hub-format=compressed", modules.module(2000))
    daemon.publish("/acme/whole/2?tf-hub-format=compressed", modules.module(2500, seed=2))
    daemon.publish("/acme/whole/2?tfjs-format=compressed", modules.tfjs_module())
    daemon.publish("/acme/whole/2", DOCUMENT, content_type="text/markdown")
    daemon.publish("/acme/whole/2/lite/1?lite-format=tflite", modules.tflite_model())
    daemon.publish("/acme/old/1?tf-hub-format=compressed", modules.tf1_hub_module())
    daemon.publish("/acme/gone/1?tf-hub-format=compressed", modules.module(900, seed=3))


def fill(daemon, schema):
    """Brings a daemon to all that a catalog can have at this number of the schema."""
    upstream = Upstream()
    try:
        daemon.configure({"safety": {"published": "quarantine"}} if schema >= 28 else {}, [upstream.url])
        for path, text in TREE.items():
            (daemon.folder / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
            (daemon.folder / "tree" / path).write_text(text)
        daemon.token()
        daemon.token("withdraw:*")
        daemon.larder("import-docs", str(daemon.folder / "tree"))
        upstream.serve("/google/mirrored/1", modules.module(1500, seed=4))
        daemon.start()
        publish_all(daemon)
        if schema >= 28:
            daemon.put("/acme/held/1?archive-format=compressed", modules.pack([modules.Member("./"), modules.Member("./model.pkl", PICKLE)]))
        assert daemon.get("/google/mirrored/1?tf-hub-format=compressed").status == 200
        assert daemon.get("/google/absent/1?tf-hub-format=compressed").status == 404
        daemon.wait_for_idle()
        gone = daemon.request("DELETE", "/acme/gone/1", {"Authorization": f"Bearer {daemon.token('withdraw:*')}"})
        assert gone.status in (200, 204), gone
        daemon.larder("pin", "google/mirrored/1")
        daemon.stop()
        daemon.configure({"mirror": {"offline": "on"}})
        daemon.start()
        assert daemon.get("/google/wanted/1?tf-hub-format=compressed").status == 504
        daemon.stop()
    finally:
        upstream.stop()


def lasting(said):
    """JSON without what the day changes."""
    if isinstance(said, list):
        return [lasting(item) for item in said]
    return {key: lasting(value) for key, value in said.items() if key != "daily_downloads"} if isinstance(said, dict) else said


def ask(daemon, path):
    """[status, what came]: JSON as it is, the code of a refusal, whose words may change, and of anything else the digest."""
    reply = daemon.request("GET", path, {"Host": HOST, "Accept": "text/markdown, application/json;q=0.9, */*;q=0.8"})
    if reply.status >= 400:
        return [reply.status, reply.json()["code"]]
    if "json" in reply.headers.get("Content-Type", ""):
        return [reply.status, lasting(reply.json())]
    return [reply.status, hashlib.sha256(reply.body).hexdigest()]


def all_of(daemon):
    """{path: [status, what came]} of all lists and modules, and of the bytes of each artifact."""
    said = {path: ask(daemon, path) for path in LISTS}
    for module in said[LISTS[0]][1]["modules"]:
        paths = ["/api/v1/modules/" + module["handle"]]
        for version in module["versions"]:
            place = f"{module['handle']}/{version['version'] if isinstance(version, dict) else version}"
            paths += [f"/api/v1/{what}/{place}" for what in ("modules", "signatures", "files", "documentation")]
        said.update((path, ask(daemon, path)) for path in paths)
    artifacts = [artifact for path, (_, body) in said.items() if isinstance(body, dict) for artifact in body.get("artifacts", [])]
    for path in sorted({artifact["url"].partition(HOST)[2] for artifact in artifacts}) + ["/acme/gone/1", "/acme/held/1"]:
        said[path] = ask(daemon, path)
    return said


def missing(kept, now, place=""):
    """What of `kept` is not so in `now`: fields may have been added, none may be gone or other."""
    if isinstance(kept, dict) and isinstance(now, dict):
        return [fault for key, value in kept.items()
                for fault in ([f"{place}.{key} is gone"] if key not in now else missing(value, now[key], f"{place}.{key}"))]
    if isinstance(kept, list) and isinstance(now, list) and len(kept) == len(now):
        return [fault for i, pair in enumerate(zip(kept, now)) for fault in missing(*pair, f"{place}[{i}]")]
    return [] if kept == now else [f"{place} was {kept!r} and is {now!r}"]
