"""Settings of the inference server and of those who ask it: `INFERENCE_...`."""

from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.settings import Settings


class InferenceSettings(BaseSettings):
    """What the application needs to ask the server."""

    model_config = SettingsConfigDict(
        env_prefix="INFERENCE_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    url: str | None = Field(
        default=None, pattern="^https?://", description="Where the server answers; else in process"
    )
    key: SecretStr | None = None
    timeout_s: float = Field(
        default=0.5, gt=0, description="Then the application answers by itself"
    )


class ServerSettings(Settings):
    """Those of the core, closed by a key of its own: the server never sees the ACCESS_TOKEN."""

    # Named as the core's in messages: these are the same variables.
    model_config = SettingsConfigDict(title="Settings")

    inference_port: int = Field(default=8100, ge=1, le=65535)
    inference_key: SecretStr | None = Field(default=None, description="Asked of every caller")

    @model_validator(mode="after")
    def _production_is_closed(self) -> Self:
        key = self.inference_key.get_secret_value() if self.inference_key else ""
        if self.is_production and len(key) < 32:
            raise ValueError(
                "ENVIRONMENT=production needs an INFERENCE_KEY of 32 characters or more; "
                "`app setup` writes one into .env"
            )
        return self
