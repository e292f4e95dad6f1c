"""Settings of policies; variables begin with POLICY_."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class PolicySettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="POLICY_", env_file=".env", extra="ignore")

    # Of this repository, wherever a command was called.
    data_file: Path = Path(__file__).resolve().parents[2] / "policies" / "data.yaml"
