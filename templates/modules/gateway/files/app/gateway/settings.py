"""Settings of the gateway; variables begin with GATEWAY_."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.problems import ConfigurationError


class GatewaySettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    host: str = "0.0.0.0"  # noqa: S104  it is what people reach
    port: int = Field(default=8080, ge=1, le=65535)
    upstream: str = Field(
        default="app:8000", pattern=r"^[A-Za-z0-9.-]+:\d+$", description="The application"
    )
    trusted_hops: int = Field(
        default=0, ge=0, description="Proxies of yours in front of it, whose X-Forwarded-For counts"
    )
    ca_file: Path = Field(
        default=Path("/etc/ssl/certs/ca-certificates.crt"),
        description="By whom the provider's certificate is signed",
    )

    def require_hops(self, hops: int) -> None:
        """Raise ConfigurationError where the application would not see who asks the gateway."""
        if hops != self.trusted_hops + 1:
            raise ConfigurationError(
                f"TRUSTED_HOPS={hops}: the application would count another address than its "
                f"caller's. Set {self.trusted_hops + 1}, one more than GATEWAY_TRUSTED_HOPS"
            )
