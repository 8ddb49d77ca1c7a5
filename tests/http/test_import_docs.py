# SPDX-License-Identifier: Apache-2.0
"""import-docs: a documentation tree becomes publishers, collections and listed modules."""
import json
import os
import re
import tarfile
from collections import Counter

import pytest
from support import modules
from support.daemon import assert_problem
from support.fixtures import CATALOGUE
from support.waiting import DEADLINE_S

PARTS = {"Lite": "lite-model/", "Tfjs": "tfjs-model/", "Coral": "coral-model/"}

MODULE = """# Module {path}
{description}

<!-- asset-path: legacy -->
<!-- task: text-embedding -->
<!-- task: text-classification -->
<!-- language: en -->
<!-- fine-tunable: false -->
<!-- format: hub -->

## Overview
All about {path}.
"""
DEPLOYMENT = "# {kind} {path}\nDeployed.\n\n<!-- asset-path: legacy -->\n<!-- parent-model: {parent} -->\n\n## Use\n"


def write(tree, files):
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)


@pytest.fixture
def tree(tmp_path):
    tree = tmp_path / "tree"
    write(tree, {
        "README.md": "# Our models\n", "LICENSE": "text", "tags/task.yaml": "values:\n",
        "assets/docs/acme/acme.md": "# Publisher acme\nAcme Ltd\n\n[![Icon URL]](https://acme.test/i.png)\n\n## Who\nWe.\n",
        "assets/docs/acme/models/x/1.md": MODULE.format(path="acme/x/1", description="Embeds words."),
        "assets/docs/acme/models/x/2.md": MODULE.format(path="acme/&zwnj;x/2", description="Embeds more words."),
        "assets/docs/acme/models/x/2/default/lite/1.md": DEPLOYMENT.format(kind="Lite", path="acme/x/2/default/1", parent="acme/x/2"),
        "assets/docs/acme/models/x/2/int8/tfjs/1.md": DEPLOYMENT.format(kind="Tfjs", path="acme/x/2/int8/1", parent="acme/x/2"),
        "assets/docs/acme/collections/c/1.md": "# Collection acme/c/1\nAll of ours.\n\n<!-- task: text-embedding -->\n\n## Modules\n"
                                               "[x](https://tfhub.dev/acme/x/2) [y](https://tfhub.dev/acme/y)\n",
    })
    return tree


def run(larder, tree, *options, check=True):
    return larder.larder("import-docs", str(tree), *options, check=check, timeout=6 * DEADLINE_S)


def report(larder, tree, *options, check=True):
    return json.loads(run(larder, tree, "--json", *options, check=check).stdout)


def outcomes(report_):
    return [report_[key] for key in ("new", "changed", "unchanged", "left")]


def test_tree(larder, tree):
    assert outcomes(report(larder, tree)) == [6, 0, 0, 0]
    listing = larder.get("/api/v1/modules").json()["modules"]
    assert [(module["handle"], module["versions"], module["formats"], module["source"], module["cached"]) for module in listing] == [
        ("acme/lite-model/x/2/default", [1], ["tflite"], "listed", False),
        ("acme/tfjs-model/x/2/int8", [1], ["tfjs"], "listed", False),
        ("acme/x", [1, 2], ["tf-hub", "tflite"], "listed", False)]
    module = listing[-1]
    assert module["description"] == "Embeds more words." and module["tags"]["task"] == ["text-classification", "text-embedding"]
    assert listing[0]["tags"]["parent_model"] == ["acme/x/2"]
    assert larder.get("/api/v1/modules?language=en&fine_tunable=false&q=about").json()["total"] == 1
    assert b"<h2>Overview</h2>" in larder.get("/api/v1/documentation/acme/x/2").body
    assert larder.get("/api/v1/publishers").json()["publishers"] == [{"name": "acme", "display_name": "Acme Ltd", "modules": 3}]


def test_twice_is_once(larder, tree):
    assert run(larder, tree).stdout.splitlines()[0] == "6 documents: 4 versions of modules, 1 collections, 1 publishers"
    before = larder.get("/api/v1/modules").body
    assert "nothing changed" in run(larder, tree).stdout
    assert outcomes(report(larder, tree)) == [0, 0, 6, 0]
    assert larder.get("/api/v1/modules").body == before


def test_dry_run(larder, tree):
    assert outcomes(report(larder, tree, "--dry-run")) == [6, 0, 0, 0]
    assert larder.handles() == []


def test_what_changed(larder, tree):
    run(larder, tree)
    write(tree, {"assets/docs/acme/models/x/2.md": MODULE.format(path="acme/x/2", description="Now otherwise."),
                 "assets/docs/acme/acme.md": "# Publisher acme\nAcme Inc\n",
                 "assets/docs/acme/models/x/3.md": MODULE.format(path="acme/x/3", description="New.")})
    assert outcomes(report(larder, tree)) == [1, 2, 4, 0]
    assert larder.get("/api/v1/modules/acme/x/2").json()["description"] == "Now otherwise."
    assert larder.get("/api/v1/modules/acme/x").json()["latest_version"] == 3
    assert larder.get("/api/v1/publishers").json()["publishers"][0]["display_name"] == "Acme Inc"


def test_what_a_publisher_wrote_stays(larder, tree):
    for version in (1, 2):
        larder.publish(f"/acme/x/{version}", modules.module(100, seed=version))
    larder.publish("/acme/x/1", b"# Ours\n", content_type="text/markdown")
    assert outcomes(report(larder, tree)) == [4, 1, 0, 1]
    assert larder.get("/api/v1/documentation/acme/x/1", accept="text/markdown").body == b"# Ours\n"
    # Published without a word: what the tree says is better than nothing.
    version = larder.get("/api/v1/modules/acme/x/2").json()
    assert version["source"] == "published" and version["description"] == "Embeds more words."


def test_withdrawn_stays_withdrawn(larder, tree):
    larder.publish("/acme/x/1", modules.module(100))
    larder.request("DELETE", "/acme/x/1", {"Authorization": "Bearer " + larder.token("admin")})
    assert outcomes(report(larder, tree)) == [5, 0, 0, 1]
    assert_problem(larder.get("/acme/x/1?tf-hub-format=compressed"), 410, "gone")


def test_fetched_at_first_use(mirror, upstream, tree):
    content = modules.module(100, seed=4)
    upstream.serve("/acme/x/2", content)
    run(mirror, tree)
    assert mirror.get("/acme/x/2?tf-hub-format=compressed").body == content
    version = mirror.get("/api/v1/modules/acme/x/2").json()
    assert version["source"] == "mirrored" and version["description"] == "Embeds more words."
    assert version["tags"]["language"] == ["en"] and version["artifacts"][0]["cached"] is True
    assert b"All about" in mirror.get("/api/v1/documentation/acme/x/2").body
    assert [module["handle"] for module in mirror.get("/api/v1/modules?source=mirrored&task=text-embedding").json()["modules"]] == ["acme/x"]
    assert outcomes(report(mirror, tree)) == [0, 0, 6, 0]


def test_faults(larder, tree):
    docs = "assets/docs/acme/models"
    write(tree, {f"{docs}/a/1.md": "# Module acme/a/1\nA.\n\n<!-- colour: red -->\n", f"{docs}/b/1.md": "# Module acme/b/1\nB.\n",
                 f"{docs}/c/1.md": "Just text\n", f"{docs}/d/1.md": "x" * (1 << 20) + "x", f"{docs}/e/1.md": "# Module ../e/1\nE.\n"})
    (tree / docs / "f.md").write_bytes(b"# Module acme/f/1\nF\xff.\n")
    (tree / docs / "g.md").symlink_to("/etc/passwd")
    os.mkfifo(tree / docs / "h.md")
    (tree / docs / "loop").symlink_to(tree)
    done = run(larder, tree, "--json", check=False)
    found = {fault["path"].removeprefix(docs + "/"): (fault["line"], fault["detail"]) for fault in json.loads(done.stdout)["faults"]}
    assert done.returncode == 1
    assert sorted(found) == ["a/1.md", "b/1.md", "c/1.md", "d/1.md", "e/1.md", "f.md", "g.md", "h.md"]
    assert found["a/1.md"][0] == 4 and "colour" in found["a/1.md"][1]
    assert "asset-path" in found["b/1.md"][1] and "1 MiB" in found["d/1.md"][1] and "UTF-8" in found["f.md"][1]
    assert len(larder.handles()) == 3, "the others are taken"
    again = run(larder, tree, check=False)
    assert re.search(r"^assets/docs/acme/models/a/1\.md:4: .*colour", again.stderr, re.M), again.stderr


def archive(path, entries):
    path.write_bytes(modules.pack(entries))
    return path


def test_archive(larder, tmp_path, tree):
    with tarfile.open(tmp_path / "tree.tar.gz", "w:gz") as packed:
        packed.add(tree, arcname=".")
    assert outcomes(report(larder, tmp_path / "tree.tar.gz")) == [6, 0, 0, 0]


@pytest.mark.parametrize("name", ["../../etc/x.md", "/etc/x.md", "a/../x.md", "x\n\x1b[31m.md"])
def test_archive_with_names_of_its_own(larder, tmp_path, name):
    text = MODULE.format(path="acme/x/1", description="D.").encode()
    packed = archive(tmp_path / "t.tar.gz", [modules.Member(name, text), modules.Member("bad" + name, b"# Module acme/y/1\n")])
    done = run(larder, packed, check=False)
    assert "\x1b" not in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    assert larder.handles() == ["acme/x"]


def test_archive_with_links(larder, tmp_path):
    packed = archive(tmp_path / "t.tar.gz", [modules.Member("a.md", type=tarfile.SYMTYPE, link="/etc/passwd"),
                                             modules.Member("b.md", type=tarfile.LNKTYPE, link="a.md"), modules.Member("c.md", type=tarfile.FIFOTYPE)])
    assert len(report(larder, packed, check=False)["faults"]) == 3


@pytest.mark.parametrize("damage", [modules.with_bad_crc, lambda packed: packed[:-200], lambda packed: b"x" + packed, lambda packed: b""])
def test_broken_archive(larder, tmp_path, damage):
    packed = tmp_path / "t.tar.gz"
    packed.write_bytes(damage(modules.pack([modules.Member(f"{i}.md", b"text") for i in range(50)])))
    done = run(larder, packed, check=False)
    assert done.returncode == 1 and done.stderr.startswith("larder: ")
    assert larder.handles() == []


def test_misuse(larder, tmp_path):
    assert run(larder, tmp_path / "nowhere", check=False).returncode == 1
    assert larder.larder("import-docs", check=False).returncode == 2
    assert larder.larder("import-docs", "a", "b", check=False).returncode == 2


# ---- the catalogue of tfhub.dev ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def headings():
    """(kind, path) of each document, read from the archive itself."""
    if not CATALOGUE.exists():
        pytest.skip(f"{CATALOGUE} is not there")
    with tarfile.open(CATALOGUE) as packed:
        lines = [packed.extractfile(member).readline().decode().replace("&zwnj;", "").split()
                 for member in packed if member.isfile() and member.name.startswith("assets/docs/") and member.name.endswith(".md")]
    return [(line[1], line[2]) for line in lines]


def test_whole_catalogue(larder, headings):
    kinds = Counter(kind for kind, _ in headings)
    assert sum(kinds.values()) == 2819
    imported = report(larder, CATALOGUE)
    assert outcomes(imported) == [2819, 0, 0, 0] and imported["faults"] == []
    assert imported["kinds"] == dict(kinds)
    versions = {path.split("/")[0] + "/" + PARTS.get(kind, "") + path.split("/", 1)[1]
                for kind, path in headings if kind not in ("Publisher", "Collection")}
    stats = larder.get("/api/v1/stats").json()
    assert stats["versions"] == len(versions) and stats["modules"] == len({path.rsplit("/", 1)[0] for path in versions})
    facets = larder.get("/api/v1/modules?facets=true&limit=1").json()["facets"]
    assert facets["source"] == {"listed": stats["modules"]} and sum(facets["publisher"].values()) == stats["modules"]
    assert outcomes(report(larder, CATALOGUE)) == [0, 0, 2819, 0]


def test_catalogue_answers_what_people_ask(start_with_catalogue):
    larder = start_with_catalogue()
    first = lambda query: larder.get("/api/v1/modules?" + query).json()["modules"][0]["handle"]  # noqa: E731
    assert first("q=nnlm-en-dim50") == "google/nnlm-en-dim50"
    assert first("q=universal+sentence+enc") == "google/universal-sentence-encoder"
    assert first("q=movenet+light&format=tfjs").startswith("google/tfjs-model/movenet/")
    assert larder.get("/api/v1/modules?task=text-embedding&language=de").json()["total"] > 0
    everything = larder.get("/api/v1/modules?q=image&facets=true&limit=200").json()
    assert everything["total"] > 500 and everything["next"]


def test_catalogue_came_at_one_time(start_with_catalogue):
    """However long it took: what is not here yet, and nobody has asked for, is listed by name then."""
    larder = start_with_catalogue()
    latest = larder.get("/api/v1/modules?sort=updated&limit=200").json()["modules"]
    assert len({module["updated_at"] for module in latest}) == 1
    handles = [module["handle"] for module in larder.get("/api/v1/modules?sort=downloads&limit=200").json()["modules"]]
    assert handles == sorted(handles)
