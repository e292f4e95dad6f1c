"""Settings of triage, from `TRIAGE_...` in the environment and `.env`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class TriageSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TRIAGE_", env_file=".env", extra="ignore")

    organisation: str = Field(default="Example Bank", min_length=1, max_length=100)
    training_path: Path = Field(
        default=Path("datasets/banking77_train.csv"), description="Where `app seed` takes its texts"
    )
    draft_write_interval_s: float = Field(
        default=0.25, ge=0, description="Time between two writes of a draft that is being written"
    )
    feed_poll_s: float = Field(
        default=0.3, gt=0, description="How often open pages are told what changed"
    )
    keep_text_days: float = Field(
        default=90,
        ge=1,
        description="How long after its end a ticket is kept as it came; masked after that",
    )
    page_size: int = Field(default=40, ge=1, le=100)
