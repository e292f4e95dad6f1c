"""Hygiene of what is rendered must be able to fail."""

import pytest

from greenlane.tree import File, Tree
from hygiene import problems


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("README.md", "# {{ project_title }}\n", "leftover"),
        ("README.md", "{% if x %}\n", "leftover"),
        ("README.md", "a \n", "ends with spaces"),
        ("README.md", "a", "one line break"),
        ("README.md", "a\n\n", "one line break"),
        ("README.md", "a\n\n\nb\n", "blank lines"),
        ("README.md", "a\r\n", "carriage"),
        ("justfile", "a {{ b }} {{{ c\n", "leftover"),
        (".github/workflows/ci.yml", "a: {{ b }}\n", "leftover"),
        ("compose.yaml", "a: b: c\n", "not valid"),
        ("pyproject.toml", "a = \n", "not valid"),
        ("a.json", "{,}\n", "not valid"),
        ("a.jsonl", "{}\n{\n", "not valid"),
        ("app/a.py", "def f(:\n", "not valid"),
    ],
)
def test_a_planted_problem_is_found(path: str, text: str, problem: str) -> None:
    assert any(problem in found for found in problems(Tree({path: File(text.encode())})))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("justfile", "serve *options:\n    uv run app serve {{ options }}\n"),
        (".github/workflows/ci.yml", "a: ${{ github.ref }}\n"),
        ("compose.yaml", "a: ${A:-${B:?not there}}\n"),
        ("app/x/templates/page.html", "<p>{{ title }}</p>\n"),
        ("app/x/__init__.py", ""),
        ("app/a.py", 'A = "{{"\n\n\nB = 1\n'),
        ("logo.png", "\x00"),
    ],
)
def test_what_is_fine_is_left_alone(path: str, text: str) -> None:
    assert problems(Tree({path: File(text.encode())})) == []
