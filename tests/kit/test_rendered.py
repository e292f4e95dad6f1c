"""Every file of every rendered repository: presets, single modules, everything together."""

import json
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from greenlane.answers import Answers, resolve
from greenlane.combinations import templates, wanted
from greenlane.errors import GreenlaneError
from greenlane.hygiene import problems
from greenlane.kit import Kit
from greenlane.questions import applicable, check
from greenlane.record import BASELINE, with_record
from greenlane.render import render
from greenlane.tree import Tree

HOSTILE = [
    "a\"; rm -rf / # 'x' `id` $(id) ${HOME} ${{ secrets.X }} \\",
    "{{ 7 * 7 }} {% raw %} {# x #}",
    "a: b # c, [d] {e} & *f !g %h @i |",
    '"""',
    "'''",
    "</title><script>alert(1)</script>",
    "-- ; drop table",
    "%s %(x)s {0}",
    "Zoë 日本 😀",
]


def selections(kit: Kit) -> Iterator[tuple[str, Answers]]:
    return wanted(kit, count=0)


def test_every_file_is_clean(kit: Kit) -> None:
    found = {
        problem: f"{problem} ({name})"
        for name, answers in selections(kit)
        for problem in problems(render(kit, answers), templates(kit, answers))
    }
    assert not found, "\n".join(sorted(found.values()))


def test_rendered_twice_the_bytes_are_the_same(kit: Kit) -> None:
    for name, answers in selections(kit):
        first = with_record(render(kit, answers), kit, answers)
        assert first.digest() == with_record(render(kit, answers), kit, answers).digest(), name


def test_nothing_is_rendered_for_a_part_that_is_not_chosen(kit: Kit) -> None:
    for name, answers in selections(kit):
        owners = kit.owners(answers.app, answers.modules)
        assert set(render(kit, answers)) == set(owners), name


def _hostile(kit: Kit, answers: Answers, value: str) -> tuple[Answers, set[str]]:
    """The answers with `value` wherever it is accepted, and the questions that took it."""
    taken: dict[str, object] = {}
    for question in applicable(kit, answers.app, answers.modules):
        if question.type == "str" and question.name != "project_name":
            try:
                taken[question.name] = check(question, value, answers.values)
            except GreenlaneError:
                continue
    values = {**answers.values, **taken}
    return Answers(answers.app, answers.modules, values), set(taken)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_answer_stays_a_text(kit: Kit, value: str) -> None:
    for name, answers in selections(kit):
        if not name.endswith("with everything"):
            continue
        attacked, taken = _hostile(kit, answers, value)
        tree = render(kit, attacked)
        # The braces are the answer's own, in prose; whatever is read by a machine still parses.
        broken = [problem for problem in problems(tree) if "cannot be read" in problem]
        assert broken == []
        assert set(tree) == set(render(kit, answers))
        for question in taken & {"description"}:
            read = tomllib.loads(tree["pyproject.toml"].content.decode())
            assert read["project"][question] == value
        _same_shape(render(kit, answers), tree)


def _same_shape(plain: Tree, attacked: Tree) -> None:
    """Structured files have the same keys, so no answer became structure."""
    readers: dict[str, Callable[[str], object]] = {
        ".toml": tomllib.loads,
        ".json": json.loads,
        ".yml": yaml.safe_load,
        ".yaml": yaml.safe_load,
    }
    for path in plain:
        for suffix, read in readers.items():
            if path.endswith(suffix) and plain[path] != attacked[path]:
                shapes = [_shape(read(tree[path].content.decode())) for tree in (plain, attacked)]
                assert shapes[0] == shapes[1], path


def _shape(value: object) -> object:
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shape(item) for item in value]
    return type(value).__name__


def test_the_record_is_marked_for_git(kit: Kit, tmp_path: Path) -> None:
    answers = resolve(kit, sets=[f"app={next(iter(kit.apps))}"])
    tree = with_record(render(kit, answers), kit, answers)
    tree.write_new(tmp_path / "new")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path / "new", check=True)
    done = subprocess.run(
        ["git", "check-attr", "diff", "linguist-generated", "--", BASELINE],
        cwd=tmp_path / "new",
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        f"{BASELINE}: diff: unset",
        f"{BASELINE}: linguist-generated: {'true' if 'true' in done.stdout else 'set'}",
    ]


def test_no_rendered_file_is_ignored_by_the_repository_itself(kit: Kit, tmp_path: Path) -> None:
    answers = dict(selections(kit))[f"{next(iter(kit.apps))} with everything"]
    render(kit, answers).write_new(tmp_path / "new")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path / "new", check=True)
    done = subprocess.run(
        ["git", "ls-files", "--others", "--ignored", "--exclude-standard"],
        cwd=tmp_path / "new",
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == ""
