"""The application's services as the evals use them: its large models replayed, or recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from app.ai.classifier import Classifier, ModelFileError
from app.ai.openai_model import ADAPTER_VERSION, OpenAIModel
from app.ai.prompts import PromptError, PromptSet
from app.ai.recordings import Pins, RecordingError, RecordingModel, ReplayModel
from app.ai.router import ModelsFileError, OpenAISpec
from app.ai.settings import api_key
from app.core import telemetry
from app.evals import standin
from app.evals.suite import Suite, SuiteError, read_records
from app.evals.watching import WatchedModel
from app.services import Services, build_services
from app.settings import Settings

RECORD_AGAIN = "record anew, and review the diff: `just record`"


def quiet_services() -> Services:
    """Services that log errors only. Raises SuiteError when a file of the application is wrong."""
    settings = Settings(log_level="ERROR")
    telemetry.configure(settings)
    try:
        return build_services(settings)
    except (ModelsFileError, PromptError) as error:
        raise SuiteError(str(error)) from error


def load_classifier(path: Path) -> Classifier:
    """The small model. Raises SuiteError when it is not trained."""
    try:
        return Classifier.load(path)
    except ModelFileError as error:
        raise SuiteError(str(error), "train it: `app model train`") from error


def large_model(services: Services) -> tuple[str, OpenAISpec]:
    """Name and settings of the one model that is recorded. Raises SuiteError without one."""
    specs = services.gateway.config.models
    found = [(name, spec) for name, spec in specs.items() if isinstance(spec, OpenAISpec)]
    if len(found) != 1:
        raise SuiteError(
            f"models.yaml has {len(found)} models of kind openai, the evals record one"
        )
    return found[0]


def pins(prompts: PromptSet, model: str) -> Pins:
    return Pins(model=model, adapter=ADAPTER_VERSION, prompts=prompts.sha256)


def open_recordings(suite: Suite, services: Services) -> ReplayModel:
    """The recordings. Raises SuiteError when they do not fit what the repository is now."""
    path = suite.path(suite.recordings)
    _, spec = large_model(services)
    try:
        model = standin.NAME if is_synthetic(path) else spec.name
        return ReplayModel(path, pins(services.gateway.prompts, model))
    except RecordingError as error:
        raise SuiteError(str(error), RECORD_AGAIN) from error


def is_synthetic(path: Path) -> bool:
    """Whether a stand-in answered; False for a file that cannot be read."""
    try:
        with path.open(encoding="utf-8") as file:
            return bool(json.loads(file.readline()).get("synthetic"))
    except (OSError, ValueError, AttributeError):
        return False


def replaying(services: Services, recordings: ReplayModel) -> tuple[Services, WatchedModel]:
    """Services whose large model is the recordings."""
    watched = WatchedModel(recordings)
    name, _ = large_model(services)
    return replace(
        services, gateway=services.gateway.with_models(small=None, **{name: watched})
    ), watched


def recording(
    suite: Suite, services: Services, *, synthetic: bool
) -> tuple[Services, RecordingModel]:
    """Services whose large model is asked about every case, and kept.

    Which cases the small model passes on differs a little between processors; a recording that
    held those of one machine only would miss some on another.
    """
    name, spec = large_model(services)
    if synthetic:
        live, model = _stand_in(suite), standin.NAME
    elif spec.configured:
        live = OpenAIModel(spec.name, spec.url, api_key(name), spec.token_limit, services.egress)
        model = spec.name
    else:
        raise SuiteError(
            f"models.yaml names no url and name for {name}, so there is no model to record",
            "fill them in and put its key into .env, or use --synthetic",
        )
    unsure = replace(load_classifier(services.settings.model_path), threshold=2.0)
    recorder = RecordingModel(live, pins(services.gateway.prompts, model), synthetic=synthetic)
    gateway = services.gateway.with_models(small=unsure, **{name: recorder})
    return replace(services, gateway=gateway), recorder


def _stand_in(suite: Suite) -> standin.StandIn:
    records = read_records(suite.path(suite.training_data))
    try:
        texts, labels = zip(*((r["text"], r["category"]) for r in records), strict=True)
    except (KeyError, ValueError) as error:
        raise SuiteError(f"{suite.training_data} needs the columns text and category") from error
    return standin.StandIn(standin.NearestNeighbours(texts, labels))
