"""Where the gateway finds its files, its cache, and the keys of models."""

import os
from pathlib import Path

from dotenv import dotenv_values
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class AiSettings(BaseSettings):
    """Variables begin with AI_, such as AI_RESPONSE_CACHE_URL."""

    model_config = SettingsConfigDict(env_prefix="AI_", env_file=".env", extra="ignore")

    prompts_dir: Path = Path("prompts")
    prompts_lock: Path = Path("prompts.lock")
    knowledge_dir: Path = Path("knowledge")
    response_cache_url: str = Field(
        default="mem://", pattern="^(mem|rediss?)://", description="mem:// or redis://host:6379/0"
    )


def api_key(model: str) -> str | None:
    """Return the key of a model in models.yaml: that of `large` is LARGE_MODEL_API_KEY."""
    name = f"{model.upper()}_MODEL_API_KEY"
    return os.environ.get(name) or dotenv_values(".env").get(name) or None
