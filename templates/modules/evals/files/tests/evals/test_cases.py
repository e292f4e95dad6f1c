"""Suite, locks and runner, on a small repository made for the test."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.evals import locks
from app.evals.runner import run_cases
from app.evals.suite import Case, Outcome, Suite, SuiteError, load_suite, load_thresholds
from tests.evals.made import NUMBERS

SUITE = {
    "name": "small",
    "run_case": "tests.evals.test_cases:never",
    "concurrency": 2,
    "drafts": 2,
    "suites": {
        "golden": "evals/golden.jsonl",
        "out_of_scope": "evals/other.csv",
        "jailbreak": "evals/jailbreak.jsonl",
    },
    "recordings": "evals/recordings/large.jsonl",
    "training_data": "evals/train.csv",
    "licences": {
        "evals/golden.jsonl": "CC0",
        "evals/other.csv": "CC0",
        "evals/jailbreak.jsonl": "CC0",
        "evals/train.csv": "CC0",
    },
}


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    folder = tmp_path / "evals"
    folder.mkdir()
    golden = [{"id": f"g{n}", "text": f"question {n}"} for n in range(6)]
    (folder / "golden.jsonl").write_text("".join(json.dumps(case) + "\n" for case in golden))
    (folder / "other.csv").write_text('text\n"what, is glue"\nwhere am I\n')
    (folder / "jailbreak.jsonl").write_text('{"id": "j1", "text": "obey me"}\n')
    (folder / "train.csv").write_text("text,category\na,b\n")
    return written(tmp_path, SUITE)


def written(root: Path, content: dict[str, Any]) -> Suite:
    (root / "evals" / "suite.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return load_suite(root)


def test_cases_come_from_jsonl_and_csv_and_drafts_are_spread(suite: Suite) -> None:
    cases = suite.cases()
    assert [case.id for case in cases][-3:] == ["out-of-scope-0001", "out-of-scope-0002", "j1"]
    assert cases[6].text == "what, is glue"
    assert [case.id for case in cases if case.draft] == ["g0", "g3", "j1"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"drafts": "many"}, "drafts: expected int"),
        ({"suites": {}}, "one called golden"),
        ({"colour": "red"}, "exactly the entries"),
        ({"suites": {"golden": "evals/gone.jsonl"}}, "does not exist"),
    ],
)
def test_a_wrong_suite_is_told(suite: Suite, change: dict[str, Any], said: str) -> None:
    with pytest.raises(SuiteError, match=said):
        written(suite.root, {**SUITE, **change}).cases()


def test_a_malformed_case_is_named(suite: Suite) -> None:
    path = suite.root / "evals/jailbreak.jsonl"
    path.write_text('{"id": "j1", "text": "obey me"}\n{"id": \n')
    with pytest.raises(SuiteError, match="line 2 is not JSON"):
        suite.cases()
    path.write_text('{"id": "j1", "text": " "}\n')
    with pytest.raises(SuiteError, match="record 1 has no text"):
        suite.cases()
    path.write_text('{"id": "g1", "text": "again"}\n')
    with pytest.raises(SuiteError, match="two cases are called g1"):
        suite.cases()


def test_run_case_must_be_there(suite: Suite) -> None:
    assert suite.function() is never
    for name in ("tests.evals.nowhere:run", "tests.evals.test_cases:nothing"):
        with pytest.raises(SuiteError, match="names run_case"):
            written(suite.root, {**SUITE, "run_case": name}).function()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spend": {}}, "spend: may_rise is missing"),
        ({"spend": {"may_rise": 0.1, "may_fall": 0.1}}, "unknown entry may_fall"),
        ({"spend": {"may_rise": "10 %"}}, "may_rise: expected a number"),
        ({"spend": {"may_rise": -0.1}}, "may_rise: expected a number of zero or more"),
        ({"spend": None}, "spend: expected names with numbers"),
        ({"speed": {}}, "unknown entry speed"),
    ],
)
def test_thresholds_are_read_strictly(suite: Suite, change: dict[str, Any], said: str) -> None:
    path = suite.root / "evals/thresholds.yaml"
    path.write_text(yaml.safe_dump(NUMBERS))
    assert load_thresholds(suite).spend.may_rise == 0.1
    path.write_text(yaml.safe_dump({**NUMBERS, **change}))
    with pytest.raises(SuiteError, match=said):
        load_thresholds(suite)


def test_a_lock_notices_every_edit_and_accepts_it_when_asked(suite: Suite) -> None:
    lock = suite.path(suite.datasets_lock)
    assert "does not exist" in locks.differences(lock, locks.datasets_now(suite))[0]
    assert locks.write_lock(lock, locks.datasets_now(suite))
    assert locks.differences(lock, locks.datasets_now(suite)) == []
    assert not locks.write_lock(lock, locks.datasets_now(suite))

    before = locks.dataset_hash(locks.datasets_now(suite), suite)
    with (suite.root / "evals/golden.jsonl").open("a") as file:
        file.write('{"id": "g6", "text": "one more"}\n')
    now = locks.datasets_now(suite)
    (told,) = locks.differences(lock, now)
    assert told == "evals/golden.jsonl is not what datasets.lock pins (sha256, cases differ)"
    assert locks.dataset_hash(now, suite) != before


def test_training_data_is_locked_but_is_not_what_is_asked(suite: Suite) -> None:
    before = locks.dataset_hash(locks.datasets_now(suite), suite)
    (suite.root / "evals/train.csv").write_text("text,category\na,c\n")
    assert locks.dataset_hash(locks.datasets_now(suite), suite) == before


def test_data_without_a_licence_is_refused(suite: Suite) -> None:
    licences = {**SUITE["licences"], "evals/golden.jsonl": ""}
    with pytest.raises(SuiteError, match=r"no licence for evals/golden\.jsonl"):
        locks.datasets_now(written(suite.root, {**SUITE, "licences": licences}))


async def never(case: Case, services: Any) -> Outcome:
    raise AssertionError("not to be called")


async def test_an_exception_is_the_failure_of_its_case_only(suite: Suite) -> None:
    async def run_case(case: Case, services: Any) -> Outcome:
        if case.id == "g2":
            raise ValueError("x" * 5000)
        return Outcome(correct=True, tokens=3)

    rows = await run_cases(suite.cases(), run_case, None, concurrency=3)
    assert [row.id for row in rows] == [case.id for case in suite.cases()]
    assert [row.id for row in rows if not row.passed] == ["g2"]
    failed = next(row for row in rows if row.id == "g2")
    assert failed.error is not None
    assert failed.error.startswith("ValueError: xxx")
    assert len(failed.error) <= 600
    assert all(row.latency_ms is not None for row in rows if row.passed)


async def test_no_more_than_concurrency_run_at_a_time(suite: Suite) -> None:
    running, most = 0, 0

    async def run_case(case: Case, services: Any) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return Outcome(correct=True)

    await run_cases(suite.cases(), run_case, None, concurrency=2)
    assert most == 2
