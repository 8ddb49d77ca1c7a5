# SPDX-License-Identifier: Apache-2.0
"""Completions, by the shells themselves."""
import os
import pty
import re
import select
import shutil
import subprocess

import pytest
from support.command_line import environment, run
from support.daemon import binary
from support.waiting import DEADLINE_S

COMMANDS = re.findall(r"^  (\S+) ", subprocess.run([binary(), "help"], capture_output=True, text=True, check=True).stdout, re.M)
SHELLS = ["bash", "zsh", "fish"]


def options(command):
    return set(re.findall(r"^  (?:-., )?(--[a-z-]+)", run(command, "--help").stdout, re.M))


@pytest.fixture
def place(tmp_path):
    """A folder with something to complete."""
    (tmp_path / "model.tflite").touch()
    (tmp_path / "models").mkdir()
    (tmp_path / "read me.md").touch()
    return tmp_path


def need(shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")


def shell(name, script, place, *arguments):
    need(name)
    place.joinpath("script").write_text(run("completion", name).stdout)
    done = subprocess.run([name, *arguments, "-c", script], cwd=place, capture_output=True, text=True,
                          env={**environment(), "PATH": f"{os.path.dirname(os.path.abspath(binary()))}:{os.environ['PATH']}", "HOME": str(place)})
    assert done.returncode == 0 and done.stderr == "", done
    place.joinpath("script").unlink()
    return done.stdout


BASH = """source ./script
COMP_WORDS=({words}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_larder larder "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
((${{#COMPREPLY[@]}})) && printf '%s\\n' "${{COMPREPLY[@]}}" || :"""


def bash(place, line):
    """What bash would offer behind this line, whose words it has divided at blanks and equals signs."""
    words = [word for word in re.split(r" |(=)", line) if word is not None]
    words = [word for i, word in enumerate(words) if word or i == len(words) - 1]
    return shell("bash", BASH.format(words=" ".join(f"'{word}'" for word in words)), place).splitlines()


def fish(place, line):
    return [offer.split("\t")[0] for offer in shell("fish", f"source ./script; complete -C '{line}'", place, "--no-config").splitlines()]


# Keys that come before it has ended would end it.
ZSH = ["complete-and-tell () { zle complete-word; print; print FINI''SHED }; zle -N complete-and-tell",
       "PS1=; unset zle_bracketed_paste; bindkey '^I' complete-and-tell", "autoload -Uz compinit; compinit -u -D; source ./script",
       # What is offered, before zsh has laid it out.
       'compadd () { local -a offers; builtin compadd -O offers "$@"; (( $#offers )) && print -rl -- "OFFER "$^offers; builtin compadd "$@" }',
       "print REA''DY"]


def await_text(ours, text):
    seen = b""
    while text not in seen:
        assert select.select([ours], [], [], DEADLINE_S)[0], seen
        seen += os.read(ours, 1 << 16)
    return seen.decode()


def zsh(place, line):
    """What zsh offers behind this line, typed on a terminal."""
    need("zsh")
    place.joinpath("script").write_text(run("completion", "zsh").stdout)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(["zsh", "-f", "-i"], cwd=place, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                               env={**environment(), "TERM": "dumb", "HOME": str(place)})
    os.close(theirs)
    try:
        os.write(ours, "".join(f"{line}\n" for line in ZSH).encode())
        await_text(ours, b"READY\r\n")
        os.write(ours, f"{line}\t".encode())
        return re.findall(r"OFFER ([^\r\n]+)", await_text(ours, b"FINISHED\r\n"))
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        place.joinpath("script").unlink()


def test_usage(place):
    for name in SHELLS:
        assert run("completion", name).stdout.startswith("#")
    assert "bash, zsh or fish" in run("completion", status=2).stderr and run("completion", "tcsh", status=2).stdout == ""


@pytest.mark.parametrize("name", SHELLS)
def test_syntax(name, tmp_path):
    need(name)
    (tmp_path / "script").write_text(run("completion", name).stdout)
    done = subprocess.run([name, "-n", tmp_path / "script"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr


def test_bash_knows_whom_to_ask(place):
    assert shell("bash", "source ./script; complete -p larder", place) == "complete -F _larder larder\n"


@pytest.mark.parametrize("complete", [bash, zsh, fish])
def test_commands_and_their_options(place, complete):
    assert set(COMMANDS) <= set(complete(place, "larder "))
    assert [offer for offer in complete(place, "larder pub") if not offer.startswith("-")] == ["publish"]
    for command in COMMANDS if complete is bash else ["publish", "export", "completion"]:
        offered = {offer for offer in complete(place, f"larder {command} --")}
        assert offered == options(command) | {"--help"}, command


CASES = [
    ("larder publish --format ", {"tf-hub", "tfjs", "tflite", "coral", "archive"}),
    ("larder publish --format t", {"tf-hub", "tfjs", "tflite"}),
    ("larder list --sort ", {"relevance", "name", "downloads", "trending", "updated", "size"}),
    ("larder token ", {"create", "list", "revoke"}),
    ("larder token re", {"revoke"}),
    ("larder token list --", {"--json", "--config", "--data", "--help"}),
    ("larder fills cancel --", {"--json", "--server", "--token", "--token-file", "--help"}),
    ("larder completion ", set(SHELLS)),
    ("larder help pre", {"prefetch"}),
    ("larder publish mod", {"model.tflite", "models"}),
    ("larder publish --documentation rea", {"read me.md"}),
    ("larder list --server mod", set()),
    ("larder show mod", set()),
]


@pytest.mark.parametrize("line, offers", CASES)
@pytest.mark.parametrize("complete", [bash, zsh, fish])
def test_words(place, complete, line, offers):
    found = {offer.rstrip("/").replace("\\ ", " ") for offer in complete(place, line)}
    assert found == offers, line


@pytest.mark.parametrize("line, offers", [
    ("larder publish --format=t", {"tf-hub", "tfjs", "tflite"}), ("larder publish --format=", {"tf-hub", "tfjs", "tflite", "coral", "archive"}),
    ("larder list --cached=", {"true", "false"}), ("larder list --cached ", set()), ("larder publish --documentation=rea", {"read me.md"}),
    ("larder serve --data mod", {"models"}), ("larder serve --config mod", {"model.tflite", "models"}),
    ("larder pack models -o ", {"model.tflite", "models", "read me.md", "script"}), ("larder nonsense ", set())])
def test_words_in_bash(place, line, offers):
    assert set(bash(place, line)) == offers
