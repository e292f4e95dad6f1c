"""Settings of the core, from the environment and `.env`. A feature has settings of its own."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.tenants import TENANT_NAME


class Settings(BaseSettings):
    """Every backend is a URL; the defaults need nothing that runs elsewhere."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    environment: Literal["development", "production", "test"] = "development"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    database_url: str = "sqlite+aiosqlite:///var/app.db"
    access_token: SecretStr | None = Field(
        default=None,
        description="Asked of every caller: bearer token of the API, password of the pages",
    )
    default_tenant: str = Field(default="default", pattern=TENANT_NAME)
    mfa_acr: str = Field(
        default="urn:app:mfa", description="The `acr` of who has given a second factor"
    )
    body_limit_bytes: int = Field(default=1_000_000, ge=1_000)
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    in_process_workers: bool = Field(
        default=True,
        description="Work off the queues in the web process; off when `app worker` runs",
    )
    model_path: Path = Path("var/small.npz")
    models_file: Path = Path("models.yaml")
    slo_file: Path = Path("slo.yaml")
    limits_file: Path = Path("limits.yaml")
    rate_limits_url: str = Field(
        default="mem://", pattern="^(mem|rediss?)://", description="mem:// or redis://host:6379/0"
    )
    access_file: Path = Path("access.yaml")
    trusted_hops: int = Field(
        default=0, ge=0, description="Proxies of yours in front, which add to X-Forwarded-For"
    )

    @field_validator("database_url")
    @classmethod
    def _as_the_driver_says_it(cls, url: str) -> str:
        """Hosts give postgres://...?sslmode=..., which asyncpg calls otherwise."""
        if not url.startswith(("postgres://", "postgresql://")):
            return url
        return "postgresql+asyncpg://" + url.partition("://")[2].replace("sslmode=", "ssl=")

    @property
    def is_production(self) -> bool:
        return self.environment == "production"
