"""Each attack of the list fails, and is seen to succeed when its defence is taken out, row by row.

As a table, for a repository that is there and installed: python tests/auth/defences.py FOLDER
"""

from pathlib import Path

import pytest

import made
from auth.defences import Row, judge, named_after, rows, take_out

MODULES = ("auth", "users")
FILES = made.KIT.root / "modules" / "auth" / "files"


def test_every_row_has_a_mutant_or_a_reason() -> None:
    assert [row.number for row in rows() if bool(row.mutants) == bool(row.reason)] == []


def test_every_attack_of_the_repository_is_a_row() -> None:
    listed = {name for row in rows() for name in named_after(FILES, row.number)}
    text = "".join(path.read_text() for path in FILES.glob("tests/auth/test_*.py"))
    assert text.count("def test_row_") == len(listed)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("defences") / "app"
    made.new("minimal", folder, *MODULES)
    made.run(folder, "uv", "lock", "--quiet")
    made.run(folder, "uv", "sync", "--quiet")
    return folder


@pytest.mark.slow
def test_without_its_defence_each_attack_is_noticed(repository: Path) -> None:
    wrong = [line for line in judge(repository, rows(), take_out(repository, rows())) if line.wrong]
    assert wrong == []


@pytest.mark.slow
def test_a_defence_that_nobody_tests_is_found(repository: Path) -> None:
    """A mutant that changes nothing survives; one that breaks the file is no proof either."""
    known = next(row for row in rows() if row.number == "15")
    file, old, _ = known.mutants["any"][0]
    bad = Row("15", "none", {"same": [(file, old, f"{old}  # the same")]}, "")
    broken = Row("15", "none", {"broken": [(file, old, "if (:")]}, "")
    moved = Row("15", "none", {"moved": [(file, "no such text", "")]}, "")
    found = judge(repository, (some := [bad, broken, moved]), take_out(repository, some))
    assert ["survives" in found[0].wrong, "pytest ended" in found[2].wrong] == [True, True]
    assert "and not once" in found[4].wrong
    assert [line.wrong for line in found[1::2]] == ["never fails"] * 3
