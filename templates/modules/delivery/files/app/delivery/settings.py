"""Settings of rollouts, from `ROLLOUT_...` in the environment and `.env`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RolloutSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="ROLLOUT_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    file: Path = Field(default=Path("rollout.yaml"), description="How a change reaches people")
    region: str | None = Field(
        default=None, description="Which of its regions this is; otherwise the first"
    )
    prometheus: str | None = Field(
        default=None, description="Its address, such as http://prometheus:9090; then it is asked"
    )
    metrics: list[str] = Field(
        default=["http://127.0.0.1:8000/metrics"],
        description="Without Prometheus: the metrics of every process, workers too, as JSON",
    )
    look_every_s: float = Field(default=1, gt=0, le=30)
    shadow: str | None = Field(
        default=None, description="A release of flags.json that answers copies, for nobody"
    )
