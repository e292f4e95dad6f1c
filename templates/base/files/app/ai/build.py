"""Puts the gateway together from models.yaml and the settings."""

from collections.abc import Callable
from pathlib import Path

from app.ai.budget import DailyBudget
from app.ai.cache import ResponseCache
from app.ai.classifier import Classifier
from app.ai.gateway import Gateway
from app.ai.local_writer import LocalWriter
from app.ai.meter import Meter
from app.ai.model import Model
from app.ai.openai_model import OpenAIModel
from app.ai.prompts import PromptError, PromptSet
from app.ai.release import Release
from app.ai.retrieval import KnowledgeBase
from app.ai.router import ExtractiveSpec, ModelsFile, ModelsFileError, OpenAISpec, load
from app.ai.settings import AiSettings, api_key
from app.core.db import Database
from app.core.egress import Egress
from app.core.metrics import Metrics


def build_gateway(
    models_file: Path,
    model_path: Path,
    database: Database,
    metrics: Metrics,
    settings: AiSettings | None = None,
    budget: Callable[..., DailyBudget] = DailyBudget,
) -> Gateway:
    """Read models.yaml, prompts and articles. Opens no connection and loads no model.

    Raises ModelsFileError, PromptError or KnowledgeError, each saying what to mend.
    """
    settings, egress = settings or AiSettings(), Egress()
    config, prompts = read_release(models_file, settings.prompts_dir)
    return Gateway(
        config,
        models=_models(config, egress),
        classifier=lambda: Classifier.load(model_path),
        prompts=prompts,
        knowledge=KnowledgeBase(settings.knowledge_dir),
        cache=ResponseCache(settings.response_cache_url),
        budget=budget(
            database, tokens=config.daily_budget.tokens, cost_usd=config.daily_budget.cost_usd
        ),
        meter=Meter(metrics),
        egress=egress,
    )


def load_release(gateway: Gateway, name: str, models_file: Path, prompts_dir: Path) -> Release:
    """Read other models and prompts, for `gateway.choose`. Raises as build_gateway() does."""
    config, prompts = read_release(models_file, prompts_dir)
    return gateway.released(name, config, prompts, _models(config, gateway.egress))


def read_release(models_file: Path, prompts_dir: Path) -> tuple[ModelsFile, PromptSet]:
    """Read models and prompts that fit each other. Raises as build_gateway() does."""
    config, prompts = load(models_file), PromptSet.load(prompts_dir)
    for name, spec in config.request_classes.items():
        try:
            _ = prompts[spec.prompt] if spec.prompt else None
        except PromptError as error:
            raise ModelsFileError(f"request class {name}: {error}") from error
    return config, prompts


def _models(config: ModelsFile, egress: Egress) -> dict[str, Model]:
    models: dict[str, Model] = {}
    for name, spec in config.models.items():
        if isinstance(spec, OpenAISpec) and spec.configured:
            models[name] = OpenAIModel(spec.name, spec.url, api_key(name), spec.token_limit, egress)
        elif isinstance(spec, ExtractiveSpec):
            models[name] = LocalWriter()
    return models
