"""Settings of rollouts, from `ROLLOUT_...` in the environment and `.env`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RolloutSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="ROLLOUT_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    file: Path = Field(default=Path("rollout.yaml"), description="How a change reaches people")
