"""`app model`: train the small model and use it. `app prompts`: lock them, and see what changed."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click

from app.ai.classifier import Classifier, ModelFileError
from app.ai.prompts import PromptError, PromptSet
from app.ai.settings import AiSettings
from app.settings import Settings

DATASETS = Path("datasets")
_existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def model() -> None:
    """Train the small model, look at it, use it."""


@model.command("train")
@click.option("--dataset", type=_existing, help="CSV of text,category; else datasets/*_train.csv.")
@click.option(
    "--out-of-scope",
    type=_existing,
    help="CSV of text, queries of no category; else datasets/*_out_of_scope.csv.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Else the setting MODEL_PATH.")
def model_train(dataset: Path | None, out_of_scope: Path | None, output: Path | None) -> None:
    """Train the small model on the repository's own dataset."""
    # Training needs packages that serving does without.
    try:
        from app.ai.training import train
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"training needs {error.name}. Install it: uv sync --group train"
        ) from None
    dataset = dataset or _only("*_train.csv", "--dataset")
    if dataset is None:
        raise click.ClickException(f"no {DATASETS}/*_train.csv to train on; name one by --dataset")
    out_of_scope = out_of_scope or _only("*_out_of_scope.csv", "--out-of-scope")
    output = output or Settings().model_path
    try:
        report = train(dataset, out_of_scope, output)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(
        f"trained on {report.cases} cases of {report.labels} labels in {report.seconds:.1f} s: "
        f"{output}, {report.size_bytes / 1e6:.1f} MB"
    )
    click.echo(
        f"on cases held out: {report.accuracy:.1%} right; it keeps {report.kept:.0%}, "
        f"of which {report.precision:.1%} are right, and passes on the rest"
    )
    if report.out_of_scope_escalated is not None:
        click.echo(
            f"of queries about something else it passes on {report.out_of_scope_escalated:.1%}"
        )


@model.command("info")
@click.option("--model", "path", type=click.Path(path_type=Path), help="Else MODEL_PATH.")
def model_info(path: Path | None) -> None:
    """Show what the model file says of itself, as JSON."""
    classifier = _load(path)
    about = {"sha256": classifier.sha256, **classifier.header}
    about["labels"] = len(classifier.labels)
    click.echo(json.dumps(about, indent=2, sort_keys=True))


@model.command("predict")
@click.option(
    "--input",
    "source",
    type=click.File(encoding="utf-8"),
    required=True,
    help="JSON lines; - reads stdin.",
)
@click.option(
    "--output",
    "target",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    required=True,
    help="JSON lines, in the same order; - writes stdout.",
)
@click.option("--model", "path", type=click.Path(path_type=Path), help="Else MODEL_PATH.")
def model_predict(source: TextIO, target: Path, path: Path | None) -> None:
    """Classify each line's `text`: label, confidence, and whether to ask something wiser."""
    classifier = _load(path)
    if str(target) == "-":
        count = _predict(classifier, source, sys.stdout)
    else:
        unfinished = target.with_name(target.name + ".part")
        try:
            with unfinished.open("w", encoding="utf-8") as file:
                count = _predict(classifier, source, file)
            unfinished.replace(target)
        except OSError as error:
            raise click.ClickException(f"cannot write {target}: {error.strerror}") from None
        finally:
            unfinished.unlink(missing_ok=True)
    click.echo(f"classified {count} texts", err=True)


def _predict(classifier: Classifier, source: TextIO, target: TextIO) -> int:
    count = 0
    for count, text in enumerate(_texts(source), 1):  # noqa: B007  the count outlives the loop
        prediction = classifier.predict(text)
        line = {
            "label": prediction.label,
            "confidence": round(prediction.confidence, 6),
            "escalate": prediction.escalate,
        }
        target.write(json.dumps(line) + "\n")
    return count


@click.group()
def prompts() -> None:
    """Keep prompts.lock: no prompt changes unnoticed."""


@prompts.command("lock")
def prompts_lock() -> None:
    """Accept the prompts as they are."""
    settings = AiSettings()
    loaded = _load_prompts(settings)
    settings.prompts_lock.write_text(loaded.lock(), encoding="utf-8")
    click.echo(f"locked {len(loaded)} prompts in {settings.prompts_lock}")


@prompts.command("check")
def prompts_check() -> None:
    """Fail when a prompt is wrong, or differs from prompts.lock."""
    settings = AiSettings()
    loaded = _load_prompts(settings)
    path = settings.prompts_lock
    locked = path.read_text(encoding="utf-8") if path.exists() else ""
    differences = loaded.differences(locked)
    for line in differences:
        click.echo(line)
    if differences:
        raise click.ClickException(
            "the prompts changed. If that is meant: app prompts lock, and run the evals"
        )
    click.echo(f"{len(loaded)} prompts as locked")


def _load(path: Path | None) -> Classifier:
    try:
        return Classifier.load(path or Settings().model_path)
    except ModelFileError as error:
        raise click.ClickException(f"{error}. Train it: app model train") from None


def _load_prompts(settings: AiSettings) -> PromptSet:
    try:
        return PromptSet.load(settings.prompts_dir)
    except PromptError as error:
        raise click.ClickException(str(error)) from None


def _only(pattern: str, option: str) -> Path | None:
    found = sorted(DATASETS.glob(pattern))
    if len(found) > 1:
        names = ", ".join(map(str, found))
        raise click.ClickException(f"several datasets fit: {names}; name one by {option}")
    return found[0] if found else None


def _texts(lines: TextIO) -> Iterator[str]:
    """Read line by line. The first bad line ends it; an output file is then left as it was."""
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            yield _text(line, number)
    except UnicodeDecodeError as error:
        raise click.ClickException(
            f"the input is no UTF-8 text after line {number}: {error.reason}"
        ) from None


def _text(line: str, number: int) -> str:
    try:
        content = json.loads(line)
    except ValueError as error:
        found = f"it is not JSON ({error})"
    else:
        if isinstance(content, dict) and isinstance(content.get("text"), str):
            return content["text"]
        found = "it is another thing"
    raise click.ClickException(
        f'line {number} of the input: expected an object with a string, {{"text": "..."}}; {found}'
    )
