"""Recorded metrics, good and bad, through the command."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import main
from app.delivery.observation import Observation
from tests.delivery.seen import minute, rollout, write

MINUTES = range(1, 80)
GOOD = [minute(number) for number in MINUTES]


@pytest.fixture(autouse=True)
def objectives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "slo.yaml"
    path.write_text(
        "{availability: 0.99, requests_per_second: 1, answer_cost_usd: 1, answer_tokens_out: 1, "
        "flows: [{name: draft, p95_ms: 2000, error_rate: 0.01}]}"
    )
    monkeypatch.setenv("SLO_FILE", str(path))


def simulated(tmp_path: Path, looks: list[Observation]) -> tuple[int, list[tuple[str, str]]]:
    path = write(tmp_path / "metrics.jsonl", looks)
    call = ["rollout", "simulate", "--kind", "model", "--metrics", str(path), "--json"]
    result = CliRunner().invoke(main, call)
    moments = json.loads(result.output)
    return result.exit_code, [(item["stage"], item["decision"]["action"]) for item in moments]


def test_good_metrics_go_up_step_by_step_to_everybody(tmp_path: Path) -> None:
    code, steps = simulated(tmp_path, GOOD)
    taken = [step for step in steps if step[1] in ("promote", "finish")]
    stages = [str(stage) for stage in rollout().stages("model")]
    assert taken == [*((stage, "promote") for stage in stages[:-2]), (stages[-2], "finish")]
    assert code == 0


def test_bad_metrics_end_at_the_step_where_they_turn_bad(tmp_path: Path) -> None:
    looks = [*GOOD[:33], *(minute(number, errors=8) for number in range(34, 60))]
    code, steps = simulated(tmp_path, looks)
    assert steps[-1] == ("10 %", "roll_back")
    assert code == 1


def test_slower_metrics_wait_until_they_are_better(tmp_path: Path) -> None:
    slow = [minute(number, seconds=0.6) for number in range(1, 40)]
    _, steps = simulated(tmp_path, slow)
    assert steps[-1] == ("5 %", "pause")
    better = [minute(number, requests=4000) for number in range(40, 90)]
    _, steps = simulated(tmp_path, [*slow, *better])
    assert ("5 %", "pause") in steps
    assert steps[-1][1] != "pause" or steps[-1][0] != "5 %"


def test_metrics_that_stop_hold_it(tmp_path: Path) -> None:
    code, steps = simulated(tmp_path, GOOD[:20])
    assert steps[-1] == ("5 %", "pause")
    assert code == 0


def test_a_table_for_people(tmp_path: Path) -> None:
    path = write(tmp_path / "metrics.jsonl", [*GOOD[:3], minute(4, errors=20)])
    call = ["rollout", "simulate", "--kind", "model", "--metrics", str(path)]
    result = CliRunner().invoke(main, call)
    last = result.output.splitlines()[-1].split(maxsplit=5)
    assert last == ["4:00", "5", "%", "roll", "back", last[-1]]
    assert "break error_rate" in last[-1]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{}", r":2: at: Field required"),
        ('{"at": 60}', r":2: at: it must be later"),
        ('{"at": 70, "flows": [{"flow": "draft"}]}', r":2: flows\.0\.release"),
    ],
)
def test_a_mistake_in_the_recording_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path / "metrics.jsonl", GOOD[:1])
    path.write_text(path.read_text() + line + "\n")
    result = CliRunner().invoke(main, ["rollout", "simulate", "--metrics", str(path)])
    assert result.exit_code == 1
    assert said.replace("\\", "") in result.output
