# SPDX-License-Identifier: Apache-2.0
"""What holds for the options of all commands, since they are made of tables."""

import re
import subprocess

import pytest
from support.daemon import binary
from support.waiting import DEADLINE_S

COMMANDS = re.findall(r"^  (\S+) ", subprocess.run([binary(), "help"], capture_output=True, text=True, check=True).stdout, re.M)
OWN = [command for command in COMMANDS if command not in ("help", "version")]


def larder(*arguments):
    return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=DEADLINE_S)


def options(text):
    """Names of options, and whether each takes a value."""
    return re.findall(r"^  (?:-., )?--([a-z-]+)(\[=| (?=\S)|)", text, re.M)


@pytest.mark.parametrize("command", OWN)
def test_help(command):
    done = larder(command, "--help")
    assert done.returncode == 0 and done.stderr == "" and done.stdout == larder("help", command).stdout
    assert done.stdout.startswith(f"usage: larder {command}")
    assert all(len(line) <= 80 and line == line.rstrip() for line in done.stdout.splitlines())
    usage, text = done.stdout.split("\n\n", 1)
    assert options(text) or command == "completion"
    for name, _ in options(text):
        letter = re.search(rf"^  (-.), --{name}\b", text, re.M)
        assert f"--{name}" in usage or (letter and re.search(rf"(^|[ \[]){letter[1]}\b", usage, re.M)), name


@pytest.mark.parametrize("command", OWN)
def test_misspelt(command):
    """The last letter twice: nothing begins like that, and one option is nearest (of words of three letters none is near)."""
    names = [name for name, _ in options(larder(command, "--help").stdout)]
    for name in [name for name in names if len(name) >= 3][:3]:
        done = larder(command, f"--{name}{name[-1]}")
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr == f'larder: unknown option --{name}{name[-1]} (did you mean --{name}?); see "larder {command} --help"\n'


@pytest.mark.parametrize("command", OWN)
def test_values(command):
    for name, value in options(larder(command, "--help").stdout)[:4]:
        if value == "[=":
            continue
        done = larder(command, f"--{name}" if value else f"--{name}=x")
        assert done.returncode == 2 and done.stderr.startswith(f"larder: --{name} takes {'a' if value else 'no'} value")


@pytest.mark.parametrize("form, option", [("token list", "--scope=read"), ("token list", "--expires=3d"), ("token revoke x", "--json"), ("fills cancel 1", "--recent")])
def test_other_forms(form, option):
    done = larder(*form.split(), option)
    words = " ".join(form.split()[:2])
    assert done.returncode == 2 and done.stderr.startswith(f"larder: {words} takes no {option.split('=')[0]};")
