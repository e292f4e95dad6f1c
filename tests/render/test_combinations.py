"""Random choices of modules and answers, the same ones on every run: all render clean and alike."""

from pathlib import Path

import pytest

from greenlane.answers import Answers
from greenlane.combinations import combination, everything, templates
from greenlane.hygiene import problems
from greenlane.kit import Kit, load_kit
from greenlane.render import render
from greenlane.tree import Tree
from rendering import tool, write

COMBINATIONS = 72
KIT = load_kit()


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Answers, Tree]]:
    return [
        (answers, render(KIT, answers))
        for answers in (combination(KIT, seed) for seed in range(COMBINATIONS))
    ]


def test_the_draw_reaches_every_module_and_choice(drawn: list[tuple[Answers, Tree]]) -> None:
    modules = {name for answers, _ in drawn for name in answers.modules}
    assert modules == set(KIT.modules)
    for question in KIT.questions:
        if question.choices:
            values = {answers.values.get(question.name) for answers, _ in drawn} - {None}
            assert values == {choice.value for choice in question.choices}, question.name
    assert len({tree.digest() for _, tree in drawn}) == COMBINATIONS


@pytest.fixture(scope="module")
def checked() -> set[tuple[str, bytes]]:
    """Files that were found clean. Most of a tree is the same in every combination."""
    return set()


@pytest.mark.parametrize("seed", range(COMBINATIONS))
def test_a_combination_renders_clean(
    drawn: list[tuple[Answers, Tree]], checked: set[tuple[str, bytes]], seed: int
) -> None:
    answers, tree = drawn[seed]
    new = {path: file for path, file in tree.items() if (path, file.content) not in checked}
    assert problems(new, templates(KIT, answers)) == []
    checked |= {(path, file.content) for path, file in new.items()}


def test_rendered_again_from_a_kit_loaded_again_all_bytes_are_the_same(
    drawn: list[tuple[Answers, Tree]],
) -> None:
    again = load_kit()
    for seed, (answers, tree) in enumerate(drawn):
        other = combination(again, seed)
        assert other == answers
        assert render(again, other).digest() == tree.digest(), seed


def test_all_are_formatted_and_linted(drawn: list[tuple[Answers, Tree]], tmp_path: Path) -> None:
    """Each by its own pyproject.toml, which ruff looks for. A file is not looked at twice."""
    seen: set[tuple[str, bytes]] = set()
    for answers, tree in drawn:
        # Markdown, too: ruff formats the Python in it.
        python = {(path, tree[path].content) for path in tree if path.endswith((".py", ".md"))}
        new = {path: tree[path] for path, _ in python - seen}
        folder = tmp_path / str(answers.values["project_name"])
        # Where there is no package `app`, ruff would take its imports for somebody else's.
        always = {path: tree[path] for path in ("pyproject.toml", "app/__init__.py")}
        write(Tree({**new, **always}), folder)
        seen |= python
    for command in (["format", "--check"], ["check"]):
        done = tool("ruff", *command, "--no-cache", ".", cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-4000:]


def test_ruff_finds_a_planted_mistake(drawn: list[tuple[Answers, Tree]], tmp_path: Path) -> None:
    folder = write(drawn[0][1], tmp_path / "planted")
    (folder / "app/planted.py").write_text("import os\nx = {  'a':1 }\n")
    assert tool("ruff", "format", "--check", "--no-cache", ".", cwd=folder).returncode == 1
    assert tool("ruff", "check", "--no-cache", ".", cwd=folder).returncode == 1


def test_no_folder_is_empty_on_disk(kit: Kit, tmp_path: Path) -> None:
    folder = write(render(kit, everything(kit, sorted(kit.apps)[0])), tmp_path)
    assert [path for path in folder.rglob("*") if path.is_dir() and not any(path.iterdir())] == []
