# SPDX-License-Identifier: Apache-2.0
"""What commands print where people look: tables that fit, no colours, errors that name commands and options."""
import json
import random

import pytest
import yaml
from support import modules
from support.command_line import on_terminal, run
from support.daemon import ROOT
from support.upstream import Answer

NOBODY = "http://127.0.0.1:9"
ASKING = [["list"], ["show", "acme/x/1"], ["signatures", "acme/x/1"], ["diff", "acme/x", "1", "2"], ["withdraw", "acme/x/1", "--yes"],
          ["pull", "acme/x/1", "-o", "-"], ["prefetch", "acme/x/1"], ["wants"], ["explain", "acme/x/1"], ["status"], ["fills"],
          ["fills", "cancel", "1"], ["lock", "acme/x/1"]]


def listed(generator, number):
    letters = "abcdefghijklmnopqrstuvwxyz-_0123456789"
    return [{"handle": "acme/" + "".join(generator.choices(letters, k=generator.randint(1, 90))), "latest_version": generator.randint(1, 10 ** 9),
             "formats": generator.sample(["tf-hub", "tfjs", "tflite", "coral"], 3), "size_bytes": generator.randint(0, 1 << 45),
             "source": "published", "updated_at": "2024-01-01T00:00:00Z",
             "description": "".join(generator.choices("ab \u00e4\u6a21\U0001f600\u0301", k=generator.randint(0, 200)))} for _ in range(number)]


def columns_of(line):
    """What a terminal shows of it: East Asian letters and pictures take two columns, marks none."""
    return sum(2 if letter in "\u6a21\U0001f600" else 0 if letter == "\u0301" else 1 for letter in line)


@pytest.mark.parametrize("columns", [40, 57, 80, 133, 300])
@pytest.mark.parametrize("seed", range(3))
def test_a_table_fits_the_terminal(upstream, columns, seed):
    pages = [listed(random.Random(seed * 10 + page), 5) for page in range(2)]
    upstream.serve("/api/v1/modules", Answer(json.dumps({"modules": pages[0], "next": "/api/v1/more"}).encode(), 200, "application/json"))
    upstream.serve("/api/v1/more", Answer(json.dumps({"modules": pages[1], "next": None}).encode(), 200, "application/json"))
    lines = on_terminal("list", server=upstream.url, columns=columns).splitlines()
    assert len(lines) == 11 and max(map(columns_of, lines)) <= columns, lines
    assert on_terminal("list", server=upstream.url, columns=80, COLUMNS=columns).splitlines() == lines
    whole = run("list", server=upstream.url, more={"COLUMNS": columns}).stdout.splitlines()
    assert [line.split("\t")[0] for line in whole] == [module["handle"] for page in pages for module in page]


def test_there_is_no_colour(larder):
    larder.publish("/acme/x/1", modules.module(3000))
    for arguments in (["list"], ["show", "acme/x"], ["show", "acme/x/1"], ["signatures", "acme/x/1"], ["status"], ["fills"], ["explain", "/acme/x/1"],
                      ["help"], ["help", "list"]):
        for more in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}):
            assert "\x1b" not in on_terminal(*arguments, server=larder.url, **more)


def test_progress_is_drawn_only_where_it_can_be(upstream, mirror):
    upstream.serve("/google/x/1", modules.module(200_000))
    assert "\x1b" not in on_terminal("prefetch", "google/x/1", server=mirror.url, TERM="dumb")


@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_nobody_answers(arguments):
    for server in (NOBODY, "127.0.0.1:9", "http://127.0.0.1:9/"):
        done = run(*arguments, "--server", server, status=1)
        assert done.stdout == "" and done.stderr.startswith("larder: http://127.0.0.1:9: ") and done.stderr.count("\n") == 1, done
        assert "Is it running? Start it with `larder serve`, or name another with --server" in done.stderr


@pytest.mark.parametrize("arguments", [["publish", "x.tar.gz", "acme/x/1"], ["withdraw", "acme/x/1", "--yes"], ["wants", "--clear"], ["fills", "cancel", "1"]],
                         ids=" ".join)
def test_a_token_is_asked_for_by_its_options(larder, tmp_path, arguments):
    (tmp_path / "x.tar.gz").write_bytes(modules.module(3000))
    said = run(*arguments, server=larder.url, status=1, cwd=tmp_path).stderr
    assert "--token" in said and "larder token create" in said and "Authorization" not in said and "Bearer" not in said


@pytest.mark.parametrize("server", ["ftp://x", "http//x", "x y", "@x", "http:/x"])
def test_what_is_no_server(server):
    done = run("list", "--server", server, status=1)
    assert "is no URL of a registry" in done.stderr or "\n" not in done.stderr[:-1], done


def test_list_has_an_option_for_each_filter_of_the_api():
    description = yaml.safe_load((ROOT / "schema/openapi.yaml").read_text())
    names = {parameter["name"] for parameter in description["paths"]["/api/v1/modules"]["get"]["parameters"] if "name" in parameter}
    wanted = {name.replace("_", "-") for name in names if not name.startswith("find_")} - {"q", "facets", "limit", "cursor"}
    told = run("list", "--help").stdout
    assert all(f"--{name}" in told for name in wanted), [name for name in wanted if f"--{name}" not in told]


def test_prefetch_of_no_version_is_of_the_latest(upstream, mirror):
    module = modules.module(20_000)
    for path in ("google/a/1", "google/b/2"):
        upstream.serve(f"/{path}", module)
        assert mirror.get(f"/{path}.tar.gz").status == 200
    mirror.publish("/acme/mine/7?lite-format=tflite", modules.tflite_model())
    done = run("prefetch", "google/a", "https://tfhub.dev/google/b", "acme/mine?lite-format=tflite", "google/c", "google", "--json", server=mirror.url, status=1)
    paths = json.loads(done.stdout)["paths"]
    assert [(path["path"], path.get("asked"), path["state"]) for path in paths[:3]] == [
        ("google/a/1", "google/a", "already-here"), ("google/b/2", "https://tfhub.dev/google/b", "already-here"),
        ("acme/mine/7?lite-format=tflite", "acme/mine?lite-format=tflite", "already-here")]
    assert [(path["path"], path["state"], path["code"]) for path in paths[3:]] == [("google/c", "failed", "not-found"), ("google", "failed", "bad-request")]
