"""The evaluator of GitHub's expressions that `workflow_steps` uses."""

from pathlib import Path

import pytest

from workflow_expressions import Expressions, UnsupportedExpressionError

CONTEXTS = {
    "github": {"event_name": "push", "ref": "refs/heads/main"},
    "matrix": {"check": "unit"},
    "needs": {"checks": {"result": "success"}, "sbom": {"result": "skipped"}},
}


def expressions(folder: Path, outcome: str = "success") -> Expressions:
    return Expressions(CONTEXTS, folder, outcome)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("github.event_name == 'pull_request'", False),
        ("github.event_name == 'PUSH'", True),
        ("github.event_name != 'push' || matrix.check == 'unit'", True),
        ("!(matrix.check == 'unit') && true", False),
        ("join(needs.*.result, ' ')", "success skipped"),
        ("'it''s'", "it's"),
        ("hashFiles('no.lock') != ''", False),
        ("hashFiles('uv.lock') != ''", True),
        ("null || 'else'", "else"),
    ],
)
def test_values(tmp_path: Path, source: str, value: object) -> None:
    (tmp_path / "uv.lock").write_text("version = 1\n")
    assert expressions(tmp_path).value(source) == value


@pytest.mark.parametrize(
    ("condition", "outcome", "runs"),
    [
        ("github.event_name == 'push'", "success", True),
        ("github.event_name == 'push'", "failure", False),  # success() is implied
        ("${{ always() }}", "failure", True),
        ("${{ !cancelled() }}", "failure", True),
        ("${{ !cancelled() }}", "cancelled", False),
        ("failure()", "success", False),
    ],
)
def test_conditions(tmp_path: Path, condition: str, outcome: str, runs: bool) -> None:
    assert expressions(tmp_path, outcome).condition(condition) is runs


def test_texts_are_filled(tmp_path: Path) -> None:
    filled = expressions(tmp_path).fill("reports-${{ matrix.check }}-${{ hashFiles('x') == '' }}")
    assert filled == "reports-unit-true"


@pytest.mark.parametrize(
    "source",
    [
        "secrets.TOKEN",
        "github.actor",
        "fromJSON('[]')",
        "matrix['check']",
        "github.ref ==",
        "'open",
        "matrix.check matrix.check",
        "join(needs.*.result, ' '",
    ],
)
def test_what_is_not_known_is_an_error(tmp_path: Path, source: str) -> None:
    with pytest.raises(UnsupportedExpressionError):
        expressions(tmp_path).value(source)
