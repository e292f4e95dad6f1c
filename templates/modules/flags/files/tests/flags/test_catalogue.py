"""What flags there are: known, used, owned, and not for ever."""

import ast
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import main
from app.flags import catalogue, document
from app.flags.catalogue import FLAGS, RELEASE, Flag
from tests.flags.conftest import SHIPPED, FlagFile

CODE = [path for path in Path("app").rglob("*.py") if path != Path("app/flags/catalogue.py")]
NAMES = {name: flag for name, flag in vars(catalogue).items() if isinstance(flag, Flag)}


def unused(names: dict[str, Flag], sources: Iterator[str]) -> list[str]:
    """The flags whose constant no source reads."""
    read = Counter(
        node.attr if isinstance(node, ast.Attribute) else node.id
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name | ast.Attribute)
    )
    return sorted(flag.name for constant, flag in names.items() if not read[constant])


def test_file_and_catalogue_name_the_same_flags() -> None:
    assert document.problems(document.read(SHIPPED)) == []
    assert {flag.name for flag in NAMES.values()} == set(FLAGS), "every flag has a constant"


@pytest.mark.parametrize(
    ("flag", "changes", "message"),
    [
        ("escalation", {"defaultVariant": "gone"}, "`defaultVariant` must be one of on, off"),
        ("escalation", {"state": "on"}, "`state` must be"),
        ("escalation", {"variants": {"on": 1, "off": False}}, "variant on is no bool"),
        ("release", {"targeting": {"fractional": [["gone", 5]]}}, "shares to gone"),
    ],
)
def test_a_wrong_file_is_refused(
    flags_file: FlagFile, flag: str, changes: dict, message: str
) -> None:
    flags_file.alter(flag, **changes)
    with pytest.raises(ValueError, match=message):
        document.read(flags_file.path)


def test_an_unknown_flag_is_seen() -> None:
    shipped = document.read(SHIPPED)
    shipped["flags"]["planted"] = shipped["flags"]["escalation"]
    del shipped["flags"]["large-model"]
    assert document.problems(shipped) == [
        "large-model is in the catalogue only",
        "planted is not in app/flags/catalogue.py",
    ]


def test_every_flag_is_read_somewhere() -> None:
    assert unused(NAMES, (path.read_text() for path in CODE)) == []


def test_an_unused_flag_is_seen() -> None:
    planted = {"SHADOW_REPLIES": Flag("shadow-replies", False, "ada", "tries it", None)}
    assert unused(planted, iter(["SHADOW = 1"])) == ["shadow-replies"]
    assert unused(planted, iter(["flags.enabled(SHADOW_REPLIES, principal)"])) == []


def test_flags_are_made_in_the_catalogue_only() -> None:
    makers = [path for path in CODE if "Flag(" in path.read_text()]
    assert makers == []


def test_what_the_evals_judge_is_the_release_that_ships() -> None:
    release = document.read(SHIPPED)["flags"]["release"]
    assert release["variants"]["current"] == RELEASE.default


def test_stale_flags_are_reported_and_fail_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run = CliRunner().invoke
    assert "none past its day" in run(main, ["flags", "stale"]).output
    yesterday = date.today() - timedelta(days=1)
    old = Flag("old", True, "ada", "is everywhere by now", yesterday)
    young = Flag("young", True, "ada", "is new", date.today() + timedelta(days=30))
    monkeypatch.setattr("app.flags.commands.FLAGS", {"old": old, "young": young})
    result = run(main, ["flags", "stale"])
    assert result.exit_code == 0
    assert result.output == f"stale: old since {yesterday}; ask ada\n"
