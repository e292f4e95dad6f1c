"""Settings of the queue, from `JOBS_...` in the environment and `.env`."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Cap = Annotated[int, Field(ge=1, le=1000)]


class JobsSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="JOBS_", env_file=".env", extra="ignore")

    concurrency: dict[str, Cap] = Field(
        default={"inference": 4, "default": 2},
        description="The queues, and how many jobs of each one process works on at a time",
    )
    lease_seconds: float = Field(
        default=10, gt=0, description="A worker silent for so long loses its jobs to another"
    )
    heartbeat_seconds: float = Field(
        default=3, gt=0, description="How often a worker renews its leases"
    )
    backoff_seconds: float = Field(
        default=2, ge=0, description="Pause before the second attempt; doubles with each"
    )
    backoff_limit_seconds: float = Field(default=300, ge=0)
    max_depth: int = Field(default=10_000, ge=1, description="Waiting jobs of a queue, then 503")
    poll_seconds: float = Field(default=0.2, gt=0, description="Look for work this often...")
    poll_limit_seconds: float = Field(default=1, gt=0, description="...and when idle this often")
    stop_seconds: float = Field(
        default=8, ge=0, description="Time to finish on stopping; then jobs go back to the queue"
    )
    keep_done_hours: float = Field(default=24, ge=0)

    @model_validator(mode="after")
    def _a_heartbeat_may_fail_once(self) -> Self:
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError("JOBS_HEARTBEAT_SECONDS must be at most half of JOBS_LEASE_SECONDS")
        return self
