"""make start, make test and make help, as a new user meets them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from interface.conftest import REAL_CACHE, REPOSITORY


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MAKE") and name not in {"MFLAGS", "PYTHON", "VIRTUAL_ENV"}
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={**environment, "UV_CACHE_DIR": REAL_CACHE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path, small_kit: Path) -> Path:
    """greenlane without a virtual environment, its kit replaced by the small one."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, folder)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "generator", folder / "generator", ignore=ignore)
    shutil.copytree(small_kit, folder / "templates", ignore=ignore)
    return folder


def test_make_alone_is_help(clone: Path) -> None:
    done = make(clone)
    assert done.returncode == 0
    assert "make start" in done.stdout
    assert not (clone / ".venv").exists()


def test_an_old_python_is_refused(clone: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n')
    old.chmod(0o755)
    done = make(clone, "start", f"PYTHON={old}")
    assert done.returncode == 2
    assert "needs Python 3.11 or newer" in done.stderr
    assert "is Python 3.9.2" in done.stderr
    assert not (clone / ".venv").exists()


def test_a_missing_python_is_named(clone: Path) -> None:
    done = make(clone, "test", "PYTHON=no-such-python")
    assert done.returncode == 2
    assert "no-such-python was not found" in done.stderr
    assert "make test PYTHON=" in done.stderr


@pytest.mark.slow
def test_start_from_a_fresh_clone(clone: Path) -> None:
    done = make(clone, "start", "SERVE=0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert (clone.parent / "my-app/.git").is_dir()
    assert "✓ unit" in done.stdout or "ok unit" in done.stdout

    again = make(clone, "start", "SERVE=0", "DEST=../else where/shop")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Installing" not in again.stdout, "nothing changed"
    assert (clone.parent / "else where/shop/uv.lock").exists()

    taken = make(clone, "start", "SERVE=0", "NAME=my-app")
    assert taken.returncode == 2
    assert "not empty" in taken.stderr

    stamp = (clone / ".venv/installed").stat().st_mtime
    os.utime(clone / "pyproject.toml", (stamp + 5, stamp + 5))
    assert "Installing" in make(clone, "--dry-run", "start").stdout
