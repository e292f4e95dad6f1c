"""Settings of webhooks, from `WEBHOOK_...` in the environment and `.env`."""

import base64
import binascii
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_FEWEST_BYTES = 24  # as Standard Webhooks asks


class WebhookSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="WEBHOOK_", env_file=".env", extra="ignore")

    secret: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Shared with senders; several, separated by commas, while one replaces another",
    )
    keep_days: float = Field(
        default=30, ge=1, description="How long a repeated delivery is recognised as one"
    )
    quarantine_limit: int = Field(
        default=1000, ge=1, description="Malformed events kept per tenant; the oldest go first"
    )

    @field_validator("secret", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in secrets:
            text = secret.get_secret_value().removeprefix("whsec_")
            try:
                key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
            except binascii.Error:
                key = b""
            if len(key) < _FEWEST_BYTES:
                raise ValueError(
                    f"each secret is {_FEWEST_BYTES} random bytes or more, in base64; "
                    "`app webhooks secret` prints one"
                )
        return secrets
