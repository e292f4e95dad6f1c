"""Copier imported without what draws its prompts."""

import subprocess
import sys

import pytest

_SCRIPT = """
import sys
from greenlane.sources import lean
{before}
library = lean.import_copier()
assert callable(library.Worker), library
print("prompt_toolkit" in sys.modules)
import questionary
assert questionary.text
"""


@pytest.mark.parametrize(
    ("before", "drawn"),
    [
        ("", "False"),
        ("lean._Nothing = None; lean.Choice = None; del lean._Absent.__getattr__", "True"),
    ],
    ids=["stand-ins", "a Copier that needs the real ones"],
)
def test_copier_is_there_and_the_real_modules_are_for_others(before: str, drawn: str) -> None:
    script = _SCRIPT.format(before=before)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.returncode) == (drawn, 0), done.stderr
