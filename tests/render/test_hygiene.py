"""The hygiene that every rendered tree is held to must be able to fail."""

import pytest

from greenlane.hygiene import problems
from greenlane.tree import File, Tree


def found(path: str, text: str) -> list[str]:
    return problems(Tree({path: File(text.encode())}), templates={path})


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("compose.yaml", "a: {{ project_title }}\n", "leftover"),
        ("pyproject.toml", "# {% if x %}\n", "leftover"),
        (".github/workflows/ci.yml", "a: 1 # {{ b }}\n", "leftover"),
        ("README.md", "<generator object f at 0x7f9473c99fd0>\n", "holds an address"),
        ("README.md", "a \n", "ends with a space"),
        ("README.md", "a", "does not end with a line end"),
        ("README.md", "a\n\n", "ends with an empty line"),
        ("README.md", "a\r\n", "CR"),
        ("compose.yaml", "a: b: c\n", "cannot be read"),
        ("app/a.py", "if True:\n\tprint()\n", "indented by a tab"),
        ("app/a.py", f"x = {'(' * 5000}{')' * 5000}\n", "cannot be read"),
        ("pyproject.toml", "a = \n", "cannot be read"),
        ("a.json", "{,}\n", "cannot be read"),
        ("a.jsonl", "{}\n{\n", "cannot be read"),
        ("app/a.py", "def f(:\n", "cannot be read"),
    ],
)
def test_a_planted_problem_is_found(path: str, text: str, problem: str) -> None:
    assert any(problem in line for line in found(path, text))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("justfile", "serve *options:\n    uv run app serve {{ options }}\n"),
        (".github/workflows/ci.yml", "a: ${{ github.ref }}\n"),
        ("compose.yaml", "a: ${A:-${B:?not there}}\n"),
        ("app/x/__init__.py", ""),
    ],
)
def test_what_is_fine_is_left_alone(path: str, text: str) -> None:
    assert found(path, text) == []
