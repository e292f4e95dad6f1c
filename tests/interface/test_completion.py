"""Completion: what Tab offers, and real shells that ask for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from interface.conftest import Greenlane

Complete = Callable[..., dict[str, str]]


@pytest.fixture
def offered(greenlane: Greenlane) -> Complete:
    """`offered("new", "--pre")`: what zsh would show, with its descriptions."""

    def ask(*words: str) -> dict[str, str]:
        greenlane.env.update(
            _GREENLANE_COMPLETE="zsh_complete",
            COMP_WORDS=" ".join(["greenlane", *words]),
            COMP_CWORD=str(len(words)),
        )
        lines = greenlane.ok().splitlines()
        return dict(zip(lines[1::3], lines[2::3], strict=True))

    return ask


def test_commands_and_options(offered: Complete) -> None:
    assert {"new", "start", "list", "describe", "completion"} <= set(offered(""))
    assert set(offered("new", "--pre")) == {"--preset"}
    assert set(offered("list", "m")) == {"modules"}


def test_presets_parts_and_answers(offered: Complete, small_kit: Path) -> None:
    new = ["new", "--kit", str(small_kit)]
    assert offered(*new, "--preset", "") == {
        "freelancer": "Everything one person needs.",
        "minimal": "The least that works.",
    }
    assert set(offered(*new, "--with", "")) == {"audit", "jobs", "reports", "webhooks"}
    assert set(offered(*new, "--with", "jobs", "--with", "")) == {"audit", "reports", "webhooks"}
    assert set(offered(*new, "--with", "jobs,re")) == {"jobs,reports"}
    assert set(offered(*new, "--with", "jobs,a", "--with", "")) == {"audit", "reports", "webhooks"}
    assert {"license=", "project_name=", "app="} <= set(offered(*new, "--set", ""))
    assert set(offered(*new, "--set", "license=")) == {
        "license=MIT",
        "license=Apache-2.0",
        "license=proprietary",
    }
    assert set(offered(*new, "--set", "loud=t")) == {"loud=true"}
    assert set(offered(*new, "--set", "app=")) == {"app=desk"}
    assert offered(*new, "--set", "project_name=") == {}
    names = offered("describe", "--kit", str(small_kit), "")
    assert {"base", "desk", "webhooks", "minimal"} <= set(names)


def test_a_broken_kit_offers_nothing_and_says_nothing(offered: Complete, tmp_path: Path) -> None:
    assert offered("new", "--kit", str(tmp_path), "--preset", "") == {}


@pytest.fixture
def on_path(tmp_path: Path) -> str:
    """A PATH with a command `greenlane`."""
    command = tmp_path / "bin/greenlane"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m greenlane "$@"\n')
    command.chmod(0o755)
    return f"{command.parent}:{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("greenlane desc", "greenlane describe"),
        ("greenlane new --kit {kit} --preset fr", "--preset freelancer"),
        ("greenlane new --kit {kit} --set lic", "--set license="),
        ("greenlane new --kit {kit} --set license=pro", "--set license=proprietary"),
        ("greenlane new --kit {kit} --with we", "--with webhooks"),
    ],
)
def test_bash_completes(
    greenlane: Greenlane, small_kit: Path, on_path: str, typed: str, completed: str
) -> None:
    script = greenlane.folder / "completion.bash"
    script.write_text(greenlane.ok("completion", "bash"))
    shell = pexpect.spawn(
        "/bin/bash",
        ["--norc", "--noprofile", "-i"],
        env={**greenlane.environment, "PATH": on_path, "PS1": "$ ", "TERM": "dumb"},
        cwd=str(greenlane.folder),
        encoding="utf-8",
        dimensions=(24, 300),
        timeout=15,
    )
    try:
        shell.sendline(f"bind 'set enable-bracketed-paste off'; source {script}; echo rea''dy")
        shell.expect("ready")
        shell.send(typed.format(kit=small_kit) + "\t")
        shell.expect_exact(completed)
    finally:
        shell.close(force=True)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_accept_their_script(greenlane: Greenlane, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    script = greenlane.ok("completion", shell)
    subprocess.run([program, "-n"], input=script, text=True, check=True)
