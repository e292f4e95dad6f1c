"""Settings of traces, from `OTEL_...`: OpenTelemetry's own names where it has one."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.features import NAME


class OtelSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="OTEL_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    exporter_otlp_endpoint: str | None = Field(
        default=None, pattern="^https?://", description="Such as http://collector:4318"
    )
    service_name: str = NAME
    traces_share: float = Field(
        default=1.0, ge=0, le=1, description="Of the requests whose caller has not decided"
    )
