"""The gate blocks: the repository is damaged, in a copy, in every way it is there to notice.

Needs the trained model. `uv run pytest -m slow tests/triage/test_gate_blocks.py`
"""

import csv
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COPIED = ("app", "prompts", "knowledge", "datasets", "evals", "var/small.npz")
FILES = ("access.yaml", "limits.yaml", "models.yaml", "models.lock", "prompts.lock", "slo.yaml")
RECORDINGS = "evals/recordings/large.jsonl"
CLASSIFY = "prompts/triage.classify.j2"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the repository, as far as the evals look at it."""
    if not (ROOT / "var/small.npz").exists():
        pytest.skip("the small model is not trained: uv run app model train")
    for name in (*COPIED, *FILES):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, target)
    return tmp_path


def app(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = "from app.cli import main; main()"
    command = [sys.executable, "-B", "-c", program, *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603


def evals(root: Path, *options: str) -> tuple[int, set[str], str]:
    """Run the evals. Returns the exit status, the rules that blocked, and what was printed."""
    done = app(root, "evals", "run", *options)
    report = json.loads((root / "var/reports/evals.json").read_text())
    rules = {f["rule"] for f in report["findings"] if f["level"] == "block"}
    return done.returncode, rules, done.stdout + done.stderr


def must(root: Path, *arguments: str) -> None:
    done = app(root, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def edit(path: Path, change: Callable[[str], str]) -> None:
    before = path.read_text(encoding="utf-8")
    after = change(before)
    assert after != before
    path.write_text(after, encoding="utf-8")


def edit_replies(root: Path, change: Callable[[dict[str, Any], str], None]) -> None:
    """Change recorded replies in place; `change` gets the reply and the end of its request."""
    path = root / RECORDINGS
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    before = json.dumps(lines)
    for line in lines:
        if "reply" in line:
            change(line["reply"], str(line["last"][-1]))
    assert json.dumps(lines) != before
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_undamaged_it_passes_and_says_what_is_synthetic(copy: Path) -> None:
    status, rules, printed = evals(copy, "--lane", "model")
    assert (status, rules) == (0, set()), printed
    assert "Synthetic recordings" in printed


def test_two_replays_give_the_same_rows(copy: Path) -> None:
    def rows() -> list[dict[str, Any]]:
        evals(copy)
        found = json.loads((copy / "var/reports/evals.json").read_text())["rows"]
        return [{k: v for k, v in row.items() if k != "latency_ms"} for row in found]

    assert rows() == rows()


def test_recording_the_stand_in_twice_gives_the_same_bytes(copy: Path) -> None:
    shipped = (copy / RECORDINGS).read_bytes()
    must(copy, "evals", "record", "--synthetic")
    assert (copy / RECORDINGS).read_bytes() == shipped


# The prompt


def test_a_prompt_edited_without_its_lock_is_invalid(copy: Path) -> None:
    edit(copy / CLASSIFY, lambda text: text.replace("You sort", "Please sort"))
    status, _, printed = evals(copy)
    assert status == 3
    assert "app prompts lock" in printed


def test_a_locked_prompt_with_old_recordings_is_invalid(copy: Path) -> None:
    edit(copy / CLASSIFY, lambda text: text.replace("You sort", "Please sort"))
    must(copy, "prompts", "lock")
    status, _, printed = evals(copy)
    assert status == 3
    assert "just record" in printed


def test_a_prompt_bloated_by_a_third_blocks(copy: Path) -> None:
    wordy = "Think about it as carefully as you can before you choose, and then once more. " * 10
    edit(copy / CLASSIFY, lambda text: text.replace("You sort", wordy + "You sort"))
    must(copy, "prompts", "lock")
    must(copy, "evals", "record", "--synthetic")
    status, rules, printed = evals(copy)
    assert status == 1
    assert {"tokens", "cost"} <= rules, printed


# The data


def test_an_edited_golden_case_is_invalid_until_locked_and_then_needs_a_new_baseline(
    copy: Path,
) -> None:
    edit(copy / "evals/golden.jsonl", lambda text: text.replace("card", "bank card", 1))
    status, _, printed = evals(copy)
    assert status == 3
    assert "app evals lock" in printed
    must(copy, "evals", "lock")
    must(copy, "evals", "record", "--synthetic")
    status, _, printed = evals(copy)
    assert status == 3
    assert "app evals bless" in printed
    must(copy, "evals", "bless", "--by", "Ada", "--note", "a clearer case")
    assert evals(copy)[0] == 0


# The model


def test_a_model_that_learned_from_wrong_labels_blocks(copy: Path) -> None:
    path = copy / "datasets/banking77_train.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rng = random.Random(15)
    chosen = rng.sample(range(len(rows)), k=len(rows) * 15 // 100)
    labels = [rows[number]["category"] for number in chosen]
    rng.shuffle(labels)
    for number, label in zip(chosen, labels, strict=True):
        rows[number]["category"] = label
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "category"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    assert evals(copy)[0] == 3  # the data is not what the lock pins
    must(copy, "model", "train")
    must(copy, "evals", "lock")
    status, rules, printed = evals(copy, "--lane", "model")
    assert status == 1, printed
    assert "accuracy: small model" in rules


def test_a_model_that_is_not_trained_is_invalid_and_says_so(copy: Path) -> None:
    (copy / "var/small.npz").unlink()
    status, _, printed = evals(copy)
    assert status == 3
    assert "app model train" in printed


# Cost


def test_a_higher_price_blocks(copy: Path) -> None:
    edit(copy / "models.yaml", lambda text: re.sub(r"input: [\d.]+", "input: 0.70", text))
    status, rules, printed = evals(copy)
    assert (status, rules) == (1, {"cost"}), printed


# Safety


def test_a_jailbreak_that_works_blocks(copy: Path) -> None:
    def obey(reply: dict[str, Any], asked: str) -> None:
        if "PWNED" in asked and not reply["text"].startswith("{"):
            reply["text"] = "PWNED [1]"

    edit_replies(copy, obey)
    status, rules, printed = evals(copy)
    assert (status, rules) == (1, {"must pass: jailbreak"}), printed
    assert "jailbreak-001" in printed


def test_numbers_out_of_nowhere_block(copy: Path) -> None:
    def invent(reply: dict[str, Any], asked: str) -> None:
        reply["text"] = reply["text"].replace("Kind regards", "It takes 987 days. [1]\nRegards")

    edit_replies(copy, invent)
    status, rules, printed = evals(copy)
    assert (status, rules) == (1, {"floor: drafts.grounded"}), printed


def test_answers_that_break_the_schema_block(copy: Path) -> None:
    def prattle(reply: dict[str, Any], asked: str) -> None:
        if reply["text"].startswith("{"):
            reply["text"] = f"Here you are: {reply['text']}"

    edit_replies(copy, prattle)
    status, rules, printed = evals(copy)
    assert status == 1
    assert {"floor: schema_valid", "ceiling: needs_person"} <= rules, printed


# The code


def test_code_that_no_longer_masks_personal_data_blocks(copy: Path) -> None:
    edit(
        copy / "app/ai/preparation.py",
        lambda text: text.replace("masked, vault = _mask(", "_, vault = _mask("),
    )
    edit(
        copy / "app/ai/preparation.py",
        lambda text: text.replace(
            "    findings = tuple(\n", "    masked = dict(variables)\n    findings = tuple(\n", 1
        ),
    )
    must(copy, "evals", "record", "--synthetic")
    status, rules, printed = evals(copy)
    assert status == 1, printed
    assert "must pass: personal_data" in rules


def test_code_that_crashes_is_invalid_not_a_pass(copy: Path) -> None:
    edit(
        copy / "app/ai/retrieval.py",
        lambda text: text.replace("        words = terms(text)", "        words = terms(None)", 1),
    )
    status, _, printed = evals(copy)
    assert status == 3
    assert "ended in an error" in printed


def test_a_changed_scorer_cannot_be_compared(copy: Path) -> None:
    edit(
        copy / "app/triage/evaluation.py",
        lambda text: text.replace("correct=result.label == expected", "correct=True or expected"),
    )
    status, _, printed = evals(copy)
    assert status == 3
    assert "scorer is another" in printed
