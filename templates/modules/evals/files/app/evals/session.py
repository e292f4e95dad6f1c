"""One run from beginning to end: check the locks, replay the cases, and say what was measured."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from app.ai.classifier import Classifier
from app.ai.openai_model import ADAPTER_VERSION
from app.ai.recordings import ReplayModel
from app.evals import locks, provenance, replay
from app.evals.rows import Row, row_to
from app.evals.runner import run_cases
from app.evals.suite import Suite, SuiteError
from app.services import Services

Problem = list[str]


def run(suite: Suite) -> dict[str, Any]:
    """Replay the suite. What makes it impossible is in `provenance.problems`; then it has no rows.

    Raises SuiteError only when not even the provenance can be told.
    """
    services = replay.quiet_services()
    known, problems = describe(suite, services)
    document: dict[str, Any] = {"name": suite.name, "provenance": known, "rows": []}
    if not problems:
        rows, problems, details = asyncio.run(_replay(suite, services))
        document |= details
        document["rows"] = [row_to(row) for row in rows]
    known["problems"] = problems
    return document


def describe(suite: Suite, services: Services) -> tuple[dict[str, Any], list[Problem]]:
    """The provenance of the repository as it stands, and what forbids a run."""
    problems: list[Problem] = []
    datasets = _attempt(lambda: locks.datasets_now(suite), problems)
    if datasets:
        path = suite.path(suite.datasets_lock)
        problems += [[text, locks.RELOCK] for text in locks.differences(path, datasets)]
    unlocked = _unlocked_prompts(suite, services)
    problems += unlocked
    classifier = _attempt(lambda: replay.load_classifier(services.settings.model_path), problems)
    # Recordings of other prompts are no news when the prompts themselves are in doubt.
    told: list[Problem] = []
    recordings = _attempt(lambda: replay.open_recordings(suite, services), told)
    problems += [] if unlocked else told
    if classifier:
        problems += _unlocked_models(suite, classifier)
    commit, dirty = provenance.git_state(suite.root, suite.baseline)
    known = {
        "model": _model_hash(classifier, recordings),
        "prompts": services.gateway.prompts.sha256,
        "dataset": locks.dataset_hash(datasets, suite) if datasets else None,
        "scorer": provenance.scorer_hash(suite),
        "adapter": ADAPTER_VERSION,
        "recordings": _header(recordings),
        "thresholds": locks.sha256_of(suite.path(suite.thresholds)),
        "articles": services.gateway.knowledge.sha256,
        "small_model_file": classifier.sha256 if classifier else None,
        "commit": commit,
        "dirty": dirty,
        "machine": provenance.machine_fingerprint(),
    }
    return known, problems


async def _replay(
    suite: Suite, services: Services
) -> tuple[list[Row], list[Problem], Mapping[str, Any]]:
    recordings = replay.open_recordings(suite, services)
    replaying, watched = replay.replaying(services, recordings)
    # One by one: a replay computes and never waits, and a time shared with others is not a time.
    async with replaying.gateway.running():
        rows = await run_cases(suite.cases(), suite.function(), replaying, concurrency=1)
    problems = []
    if watched.misses:
        text = f"{len(watched.misses)} requests have no recording; the first: {watched.misses[0]}"
        problems.append([text, replay.RECORD_AGAIN])
    details = {
        "small_threshold": replaying.gateway.classifier.threshold,
        "unused_recordings": recordings.unused(),
    }
    return rows, problems, details


def _attempt(make: Any, problems: list[Problem]) -> Any:
    try:
        return make()
    except SuiteError as error:
        problems.append([str(error), error.todo])
        return None


def _unlocked_prompts(suite: Suite, services: Services) -> list[Problem]:
    path = suite.path(suite.prompts_lock)
    locked = path.read_text(encoding="utf-8") if path.exists() else ""
    return [
        [text, "undo the change, or `app prompts lock` and then `just record`"]
        for text in services.gateway.prompts.differences(locked)
    ]


def _unlocked_models(suite: Suite, classifier: Classifier) -> list[Problem]:
    now = locks.models_now(suite, str(classifier.header["recipe"]))
    found = locks.differences(suite.path(suite.models_lock), now)
    # The recipe in the model file is the one it was trained by: an old file is no decision.
    stale = "train it: `app model train`; or "
    return [[text, (stale if "recipe" in text else "") + locks.RELOCK] for text in found]


def _model_hash(classifier: Classifier | None, recordings: ReplayModel | None) -> str | None:
    """Recipe of the small model and id of the large one: what answers, whatever the processor."""
    if classifier is None or recordings is None:
        return None
    parts = {"small": classifier.header["recipe"], "large": recordings.pins.model}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _header(recordings: ReplayModel | None) -> dict[str, Any] | None:
    if recordings is None:
        return None
    return {
        "synthetic": recordings.synthetic,
        "model": recordings.pins.model,
        "sha256": locks.sha256_of(recordings.path),
    }


def services() -> Services:
    return replay.quiet_services()


def trained_recipe() -> str:
    """The recipe of the trained small model. Raises SuiteError when there is none."""
    path = replay.quiet_services().settings.model_path
    return str(replay.load_classifier(path).header["recipe"])


def record(suite: Suite, *, synthetic: bool) -> str:
    """Record every case and keep the file if it replays. Returns a sentence on what it took.

    Raises SuiteError, and keeps the old recordings, when a case failed.
    """
    base = replay.quiet_services()
    for text, todo in _unlocked_prompts(suite, base):
        raise SuiteError(text, todo)
    recording, recorder = replay.recording(suite, base, synthetic=synthetic)
    rows = asyncio.run(_record(suite, recording))
    if failed := [row for row in rows if row.error or row.schema_valid is False]:
        told = failed[0].error or "the large model gave no valid answer"
        raise SuiteError(
            f"{len(failed)} of {len(rows)} cases could not be recorded; {failed[0].id}: {told}",
            "nothing was written: see that the endpoint answers, then record again",
        )
    recorder.save(suite.path(suite.recordings))
    tokens, cost = sum(row.tokens for row in rows), sum(row.cost_usd for row in rows)
    by = "a stand-in" if synthetic else recorder.name
    return f"{suite.recordings}: {len(rows)} cases answered by {by}, {tokens} tokens, ${cost:.2f}"


async def _record(suite: Suite, recording: Services) -> list[Row]:
    async with recording.gateway.running():
        return await run_cases(suite.cases(), suite.function(), recording, suite.concurrency)
