"""Settings of flags, from `FLAGS_...` in the environment and `.env`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class FlagsSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="FLAGS_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    file: Path = Field(default=Path("flags.json"), description="Flags in flagd's format")
    url: str | None = Field(
        default=None,
        pattern=r"^grpcs?://[^/:]+:\d+$",
        description="Where flagd offers its rules, such as grpc://flagd:8015",
    )
    look_every_s: float = Field(
        default=0.2, ge=0, le=1, description="How old may be what is known of the file"
    )
