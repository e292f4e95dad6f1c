"""`app evals` at the terminal: exit statuses, and what a person is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.evals import commands, session
from app.evals.commands import cli
from tests.evals.made import flip, run, thresholds

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """With thresholds that do not move when those of the repository are tuned."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(commands, "load_thresholds", lambda suite: thresholds(accuracy__floor=0.5))


def judged(folder: Path, new: dict[str, Any], old: dict[str, Any], *options: str) -> Result:
    (folder / "rows.json").write_text(json.dumps(new))
    (folder / "baseline.json").write_text(json.dumps(old))
    files = [str(folder / "rows.json"), str(folder / "baseline.json")]
    return CliRunner().invoke(cli, ["gate", *files, *options])


@pytest.mark.parametrize(
    ("failing", "passing", "lane", "status", "headline"),
    [
        (0, 0, "code", 0, "Pass"),
        (14, 0, "code", 1, "Blocked"),
        (60, 49, "code", 0, "Inconclusive (a warning in the lane of code)"),
        (60, 49, "model", 2, "Inconclusive (blocks here)"),
    ],
)
def test_the_gate_judges_rows_of_any_runner(
    tmp_path: Path, failing: int, passing: int, lane: str, status: int, headline: str
) -> None:
    old = run(cases=330, wrong=50)
    done = judged(tmp_path, flip(old, failing=failing, passing=passing), old, "--lane", lane)
    assert done.exit_code == status, done.output
    assert headline in done.output


def test_invalid_rows_exit_with_3(tmp_path: Path) -> None:
    old = run(wrong=20)
    assert judged(tmp_path, {**old, "provenance": {}}, old).exit_code == 3


def test_a_missing_file_is_told_without_a_traceback(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["gate", "nowhere.json", "nowhere.json"])
    assert done.exit_code == 3
    assert "nowhere.json does not exist" in done.output
    assert isinstance(done.exception, SystemExit)


def test_a_folder_without_a_suite_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["run"])
    assert done.exit_code == 3
    assert "evals/suite.yaml does not exist" in done.output


def test_run_prints_the_figures_and_writes_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run(wrong=20)
    made["provenance"]["recordings"] = {"synthetic": True}
    monkeypatch.setattr(session, "run", lambda suite: made)
    done = CliRunner().invoke(cli, ["run", "--report-dir", str(tmp_path)])
    # The baseline is of other cases, and so this is no comparison.
    assert done.exit_code == 3
    assert "Synthetic recordings" in done.output
    assert "280 of 300" in done.output
    assert (tmp_path / "evals.html").exists()
    assert (tmp_path / "evals.junit.xml").exists()

    again = CliRunner().invoke(
        cli, ["report", "--run", str(tmp_path / "evals.json"), "--report-dir", str(tmp_path)]
    )
    assert again.exit_code == 3
    assert "280 of 300" in again.output


def test_bless_asks_who_and_why() -> None:
    done = CliRunner().invoke(cli, ["bless"])
    assert done.exit_code == 2
    assert "--by" in done.output
