"""What importing costs: a command that asks for help must not load Jinja."""

import subprocess
import sys

import pytest

HEAVY = ("copier", "cookiecutter", "jinja2", "markupsafe", "questionary", "prompt_toolkit", "yaml")


def _loaded_by(module: str) -> set[str]:
    script = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["answers", "cli", "kit", "loading", "project", "record", "render", "sandbox", "tree"]
)
def test_no_heavy_library_at_import(module: str) -> None:
    if module == "cli":
        pytest.importorskip("greenlane.cli")
    assert _loaded_by(f"greenlane.{module}").isdisjoint(HEAVY)
