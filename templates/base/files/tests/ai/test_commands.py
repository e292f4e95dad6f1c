"""The commands around the small model and the prompts."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.ai.commands import model, prompts
from app.ai.prompts import PromptSet
from app.cli import main
from tests.ai.conftest import HERE


def run(command, *arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(command, arguments, input=stdin)


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset of two labels, and the model trained on it by the command."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "datasets").mkdir()
    rows = [
        f"{verb} my {noun} {number},{label}"
        for number in range(8)
        for verb in ("where is", "when comes")
        for noun, label in (("card", "card_arrival"), ("refund", "refund_status"))
    ]
    (folder / "datasets" / "some_train.csv").write_text("\n".join(["text,category", *rows]))
    (folder / "datasets" / "some_out_of_scope.csv").write_text("text\nwho won the match\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = run(model, "train", "--output", "small.npz")
    assert result.exit_code == 0, result.output
    assert "trained on 32 cases of 2 labels" in result.output
    assert "about something else it passes on" in result.output
    return folder


@pytest.fixture
def trained(small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, to work in."""
    folder = tmp_path / "work"
    shutil.copytree(small_model, folder)
    monkeypatch.chdir(folder)
    return folder


def test_predictions_come_in_the_order_of_the_input(trained: Path) -> None:
    texts = ["where is my refund", "my card?", "REFUND", "zzz"] * 50
    (trained / "in.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    result = run(
        model, "predict", "--model", "small.npz", "--input", "in.jsonl", "--output", "out.jsonl"
    )
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (trained / "out.jsonl").read_text().splitlines()]
    assert len(lines) == 200
    assert [line["label"] for line in lines[:3]] == [
        "refund_status",
        "card_arrival",
        "refund_status",
    ]
    for line in lines:
        assert set(line) == {"label", "confidence", "escalate"}
        assert 0 <= line["confidence"] <= 1
        assert isinstance(line["escalate"], bool)
    assert lines[3]["escalate"]


def test_predictions_stream_from_stdin_to_stdout(trained: Path) -> None:
    result = run(
        model, "predict", "--model", "small.npz", "--input", "-", "--output", "-",
        stdin='{"text": "my card"}\n',
    )  # fmt: skip
    assert json.loads(result.stdout)["label"] == "card_arrival"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 of the input: expected an object with a string"),
        ("", "line 2 of the input"),
        ('{"txt": "a"}', "line 2 of the input"),
        ('{"text": 5}', "line 2 of the input"),
        ('["a"]', "line 2 of the input"),
    ],
)
def test_a_bad_line_is_named_and_an_old_output_survives(
    trained: Path, line: str, message: str
) -> None:
    (trained / "in.jsonl").write_text(f'{{"text": "a"}}\n{line}\n{{"text": "b"}}\n')
    (trained / "out.jsonl").write_text("old")
    result = run(
        model, "predict", "--model", "small.npz", "--input", "in.jsonl", "--output", "out.jsonl"
    )
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output
    assert (trained / "out.jsonl").read_text() == "old"
    assert not (trained / "out.jsonl.part").exists()


def test_the_model_file_tells_what_it_is(trained: Path) -> None:
    about = json.loads(run(model, "info", "--model", "small.npz").output)
    assert (about["labels"], about["cases"]) == (2, 32)


def test_what_is_missing_is_said(trained: Path) -> None:
    result = run(model, "info", "--model", "none.npz")
    assert result.exit_code == 1
    assert "Train it: app model train" in result.output
    (trained / "datasets" / "more_train.csv").write_text("text,category\n")
    assert "name one by --dataset" in run(model, "train").output
    for path in (trained / "datasets").iterdir():
        path.unlink()
    assert "no datasets/*_train.csv" in run(model, "train").output


def test_prompts_are_checked_against_their_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(HERE / "prompts", tmp_path / "prompts")
    result = run(prompts, "check")
    assert result.exit_code == 1
    assert "prompts/draft.j2 is not in prompts.lock" in result.output
    assert run(prompts, "lock").exit_code == 0
    assert run(prompts, "check").output == "2 prompts as locked\n"
    path = tmp_path / "prompts" / "draft.j2"
    path.write_text(path.read_text().replace("You write", "You always write"))
    result = run(prompts, "check")
    assert result.exit_code == 1
    assert "prompts/draft.j2 was changed after it was locked" in result.output
    path.write_text("broken")
    assert "expected a head" in run(prompts, "check").output


def test_a_mistake_in_a_file_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models.yaml").write_text("models: {small: {kind: magic}}")
    result = run(main, "serve", "--port", "0")
    assert result.exit_code == 1
    assert result.output.startswith("Error: models.yaml is wrong. models.small")
    assert isinstance(result.exception, SystemExit)


def test_this_repository_s_prompts_are_locked() -> None:
    if Path("prompts").is_dir():
        locked = Path("prompts.lock").read_text(encoding="utf-8")
        assert PromptSet.load(Path("prompts")).differences(locked) == []
