"""What greenlane writes is what the libraries' own commands write."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from samples_of_others import COOKIECUTTER, COPIER
from sources_support import Person, Templates, files_of


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"name": "other-lib", "license": "Apache-2.0", "python": ["3.11"], "docs": False},
        {"name": "abc", "limits": {"cpu": 8, "memory": 0.5}, "token": "hidden", "theme": "dark"},
    ],
)
def test_copier(templates: Templates, person: Person, answers: dict[str, Any]) -> None:
    root = templates.make("lib", COPIER, "1.0.0")
    (person.folder / "a.yml").write_text(yaml.safe_dump(answers))
    person.ok("new", "ours/made", "--from", root, "--answers", "a.yml", "--yes")
    run("copier", "copy", "-q", "--defaults", "--data-file", "a.yml", root, "theirs/made",
        inside=person.folder)  # fmt: skip
    ours = files_of(person.folder / "ours/made", ".greenlane")
    assert ours == files_of(person.folder / "theirs/made")
    assert ours["run.sh"][0] == "x"
    assert ours["latest"] == ("link", b"docs/index.md")


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"name": "Other Lib", "license": "Apache-2.0", "docs": False},
        {"slug": "own", "docs": "no", "people": {"ada": {"role": "boss"}, "bob": {}}},
    ],
)
def test_cookiecutter(templates: Templates, person: Person, answers: dict[str, Any]) -> None:
    root = templates.make("lib", COOKIECUTTER, "1.0.0")
    (person.folder / "a.yml").write_text(yaml.safe_dump(answers))
    person.ok("new", "ours/made", "--from", root, "--answers", "a.yml", "--yes")
    # Not by the command line, which knows texts only.
    script = (
        "import sys, yaml; from cookiecutter.main import cookiecutter;"
        "cookiecutter(sys.argv[1], no_input=True, output_dir='theirs',"
        "extra_context=yaml.safe_load(open('a.yml')))"
    )
    subprocess.run([sys.executable, "-c", script, root], cwd=person.folder, check=True)
    (theirs,) = (person.folder / "theirs").iterdir()
    assert files_of(person.folder / "ours/made", ".greenlane") == files_of(theirs)


def run(name: str, *arguments: object, inside: Path) -> None:
    command = [Path(sys.executable).with_name(name), *map(str, arguments)]
    subprocess.run(command, cwd=inside, check=True, capture_output=True)
