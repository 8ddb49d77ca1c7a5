# SPDX-License-Identifier: Apache-2.0
"""Manual pages: made of the tables that the help is made of, valid troff, and where man finds them once they are installed."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.command_line import environment, run
from support.daemon import ROOT, binary

PAGES = subprocess.run([binary(), "manual", "--list"], capture_output=True, text=True, check=True).stdout.split()
COMMANDS = re.findall(r"^  (\S+) ", subprocess.run([binary(), "help"], capture_output=True, text=True, check=True).stdout, re.M)
REQUESTS = {"TH", "SH", "SS", "TP", "PP", "br", "BR", "nh", "ad"}


def rendered(page):
    """As a terminal would have it, and whatever troff has to complain of."""
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    done = subprocess.run(["groff", "-ww", "-man", "-Tascii", "-P-cbou", "-rLL=200n"], input=run("manual", page).stdout, text=True,
                          capture_output=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


def test_there_is_a_page_of_everything():
    assert PAGES == ["larder.1", *(f"larder-{command}.1" for command in COMMANDS), "larder.ini.5"]
    assert all(run("manual", command).stdout == run("manual", f"larder-{command}.1").stdout == run("manual", f"larder-{command}").stdout
               for command in COMMANDS[:3])
    assert run("manual").stdout == run("manual", "larder.1").stdout
    assert 'did you mean "publish"' in run("manual", "pubish", status=2).stderr


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_troff(page):
    lines = run("manual", page).stdout.splitlines()
    assert lines[0].startswith('.TH "')
    for number, line in enumerate(lines, 1):
        if line.startswith("."):
            assert line[1:].split(" ")[0] in REQUESTS, (number, line)
        assert not line.startswith("'") and line == line.rstrip(" ") and line, (number, line)
        assert line.isascii() and line.isprintable(), (number, line)
        text = re.sub(r"\\(-|e|&| |\(aq|\(ga|\(ha|\(ti|\(dq|f[BIR]|\[u[0-9A-F]{4,5}\])", "", line)
        assert "\\" not in text, (number, line)
        assert line.count("\\fB") + line.count("\\fI") == line.count("\\fR"), (number, line)
        assert line.startswith(".") or not re.search("[-'`^~\"]", text), (number, line)
    heads = [line[4:] for line in lines if line.startswith(".SH ")]
    assert heads[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"] and heads[-1] == "SEE ALSO", heads
    assert "EXIT STATUS" in heads or page.endswith(".5"), heads


@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_tells_all_that_the_help_tells(command):
    text = rendered(command)
    told = run(command, "--help").stdout
    words = re.sub(r"\s+", " ", text)
    for option in re.findall(r"^  ((?:-., )?--[a-z-]+\S*)", told, re.M):
        assert option in words, option
    for status in ("0 It is done", "1 It failed", "2 It was called wrongly"):
        assert status in words, words
    paragraph = re.sub(r"\s+", " ", told.split("\n\n")[1])
    assert paragraph.strip() in words.replace(" .PP ", " "), paragraph


def test_the_configuration_has_all_of_its_keys():
    text = rendered("larder.ini")
    section = None
    for line in (ROOT / "config.example.ini").read_text().splitlines():
        if found := re.match(r"#?(\[[a-z]+)", line):
            section = found[1]
            assert f"   {section}" in text, section
        elif found := re.match(r"#(\w+ = ?.*)", line):
            if section != "[upstream" or "storage.googleapis.com" not in line:
                assert re.sub(r"\s+", " ", found[1]).strip() in re.sub(r"\s+", " ", text), found[1]


def test_the_first_page_lists_the_commands():
    text = re.sub(r"\s+", " ", rendered("larder.1"))
    told = run("help").stdout
    for command in COMMANDS:
        summary = re.search(rf"^  {command} +(.*(?:\n {{15}}.*)*)", told, re.M)[1]
        assert f"{command} {' '.join(summary.split())}" in text, command
    assert all(name in text for name in ("LARDER_SERVER", "LARDER_TOKEN", "COLUMNS", "TMPDIR"))


def test_man_reads_them():
    if not shutil.which("man"):
        pytest.skip("man is not installed")
    for page in ("larder.1", "larder-export.1", "larder.ini.5"):
        done = subprocess.run(["man", "--warnings", "-l", "-"], input=run("manual", page).stdout, text=True, capture_output=True,
                              env={**environment(), "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "PAGER": "cat", "MANPAGER": "cat"})
        assert done.returncode == 0 and done.stderr == "" and "EXIT STATUS" in done.stdout or page.endswith(".5"), done


def test_they_are_installed(tmp_path):
    build = Path(binary()).resolve().parent
    if not (build / "meson-info").is_dir() or not shutil.which("meson"):
        pytest.skip("the binary does not stand in a folder of meson's")
    done = subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    there = {path.name: path for path in tmp_path.rglob("*") if path.is_file()}
    assert set(PAGES) | {"larder", "_larder", "larder.fish"} == set(there), sorted(there)
    for page in PAGES:
        assert there[page].parent.name == f"man{page[-1]}" and there[page].read_text() == run("manual", page).stdout
        assert os.stat(there[page]).st_mode & 0o777 == 0o644
    assert there["_larder"].parent.name == "site-functions" and there["larder.fish"].parent.name == "vendor_completions.d"
    assert any(path.parent.name == "completions" for path in tmp_path.rglob("larder")), "bash finds it by the command's name"


def test_the_script_puts_them_where_it_is_told_to(tmp_path):
    """Where the options of meson name folders that are not below the prefix."""
    done = subprocess.run([ROOT / "deploy/install-pages", binary(), "/opt/man", "share"], capture_output=True, text=True,
                          env={**environment(), "DESTDIR": str(tmp_path), "MESON_INSTALL_DESTDIR_PREFIX": f"{tmp_path}/usr"})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "opt/man/man1/larder.1").is_file() and (tmp_path / "usr/share/zsh/site-functions/_larder").is_file()
