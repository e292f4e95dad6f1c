"""The eval files of this repository fit each other; `just evals` then says what they measure."""

from pathlib import Path

import pytest
import yaml

from app.ai.prompts import PromptSet
from app.ai.training import recipe_hash
from app.evals import locks
from app.evals.baseline import read_baseline
from app.evals.gate import judge
from app.evals.metrics import by_suite, summarise
from app.evals.rows import GRADED, OUT_OF_SCOPE, read_document, rows_from
from app.evals.suite import Suite, load_suite, load_thresholds

pytestmark = pytest.mark.contract
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(ROOT)


def test_every_data_file_is_what_the_lock_pins(suite: Suite) -> None:
    lock = suite.path(suite.datasets_lock)
    assert locks.differences(lock, locks.datasets_now(suite)) == []


def test_every_prompt_is_what_the_lock_pins(suite: Suite) -> None:
    locked = suite.path(suite.prompts_lock).read_text(encoding="utf-8")
    assert PromptSet.load(ROOT / "prompts").differences(locked) == []


def test_every_model_in_use_is_in_the_lock(suite: Suite) -> None:
    models = yaml.safe_load(suite.path(suite.models).read_text(encoding="utf-8"))["models"]
    locked = read_document(suite.path(suite.models_lock))
    assert set(locked) == set(models)
    recipe = recipe_hash(suite.path(suite.training_data))
    for name, model in models.items():
        assert locked[name].get("name") == model.get("name")
        if model["kind"] == "classifier":
            assert locked[name]["recipe"] == recipe


def test_thresholds_and_suites_name_the_same_things(suite: Suite) -> None:
    thresholds = load_thresholds(suite)
    assert set(thresholds.must_pass) == set(suite.suites) - {GRADED, OUT_OF_SCOPE}
    assert {*thresholds.floors, *thresholds.ceilings} <= set(summarise([]))


def test_there_are_enough_cases_to_compare(suite: Suite) -> None:
    thresholds = load_thresholds(suite)
    golden = [case for case in suite.cases() if case.suite == GRADED]
    assert len(golden) >= thresholds.cases.at_least


def test_the_baseline_holds_these_cases_and_nothing_that_must_not_be(suite: Suite) -> None:
    baseline = read_baseline(suite.path(suite.baseline))
    assert baseline is not None
    rows = rows_from(baseline, "the baseline")
    assert {row.id for row in rows} == {case.id for case in suite.cases()}
    assert baseline["provenance"]["dataset"] == locks.dataset_hash(locks.datasets_now(suite), suite)
    thresholds = load_thresholds(suite)
    shares = by_suite(rows)
    assert all(shares[name].value == 1.0 for name in thresholds.must_pass)
    # A baseline keeps few columns; judged alone, what it does keep is in order.
    wrong = judge(baseline, baseline, thresholds)
    assert {f.rule for f in wrong.findings if f.level == "block"} == set()
