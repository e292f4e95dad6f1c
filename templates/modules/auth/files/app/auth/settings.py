"""Settings of the login, from `AUTH_...` in the environment and `.env`."""

import secrets
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEVELOPMENT, NONE = "development", "none"


class AuthSettings(BaseSettings):
    """Without any setting, the development issuer in this application signs people in."""

    model_config = SettingsConfigDict(
        env_prefix="AUTH_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    provider: Literal["development", "oidc", "none"] = DEVELOPMENT
    public_url: str = Field(
        default="", pattern=r"^(https?://[^/?#\s]+)?$", description="Where people find this"
    )
    discovery_url: str = Field(
        default="",
        description="The provider's address that ends in .well-known/openid-configuration",
    )
    issuer: str = Field(
        default="",
        description="Where it is not that address without its end: Auth0's has a slash more",
    )
    endpoint_hosts: frozenset[str] = Field(
        default=frozenset(), description="Hosts that the provider uses beside that of its issuer"
    )
    client_id: str = "app"
    client_secret: SecretStr | None = None
    client_key_file: Path | None = Field(
        default=None, description="Private key (PEM): private_key_jwt instead of a secret"
    )
    secret: SecretStr | None = Field(default=None, description="Encrypts what a session keeps")
    scopes: str = "openid profile email offline_access"
    audience: str = Field(default="", description="`aud` of the access tokens for this API")
    access_token_typ: str = "at+jwt"  # noqa: S105  a header's value
    logout_token_typ: str = "logout+jwt"  # noqa: S105
    tenant_claim: str = Field(default="", description="Unset: everybody is of the default tenant")
    tier_claim: str = Field(default="", description="The contract; a tenant's own goes before it")
    roles_claim: str = "roles"
    logout_parameter: str = Field(
        default="post_logout_redirect_uri", description="Cognito calls it logout_uri"
    )
    mfa_acr_values: frozenset[str] = Field(
        default=frozenset(), description="What the provider's `acr` says after a second factor"
    )
    mfa_amr_values: frozenset[str] = frozenset({"mfa", "otp", "hwk", "swk"})
    leeway_s: int = Field(default=30, ge=0, le=120)
    session_idle_s: int = Field(default=3_600, ge=60)
    session_s: int = Field(default=36_000, ge=300)
    keys_cooldown_s: float = Field(default=30, ge=1)
    timeout_s: float = Field(default=5, gt=0, le=30)

    @model_validator(mode="after")
    def _provider_is_complete(self) -> Self:
        if self.provider == "oidc" and not (
            self.discovery_url.endswith("/.well-known/openid-configuration")
            and (self.client_secret or self.client_key_file)
        ):
            raise ValueError(
                "AUTH_PROVIDER=oidc needs AUTH_DISCOVERY_URL (it ends in "
                "/.well-known/openid-configuration), AUTH_CLIENT_ID, and AUTH_CLIENT_SECRET or "
                "AUTH_CLIENT_KEY_FILE"
            )
        return self

    def for_production(self) -> list[str]:
        """What keeps these settings from going live."""
        if self.provider == NONE:
            return []
        wrong = []
        if self.provider == DEVELOPMENT:
            wrong.append(
                "AUTH_PROVIDER=development signs in whoever asks; set oidc, or none where "
                "ACCESS_TOKEN is enough"
            )
        elif not self.discovery_url.startswith("https://"):
            wrong.append("AUTH_DISCOVERY_URL must be an https:// address")
        if not self.public_url.startswith("https://"):
            wrong.append("AUTH_PUBLIC_URL must be the https:// address of the application")
        if len(self.secret.get_secret_value() if self.secret else "") < 32:
            wrong.append("AUTH_SECRET must have 32 characters or more")
        return wrong

    def completed(self, port: int) -> "AuthSettings":
        """These settings, what development may leave out filled in."""
        url = self.public_url or f"http://localhost:{port}"
        fresh = SecretStr(secrets.token_hex(32))
        return self.model_copy(
            update={
                "public_url": url,
                "audience": self.audience or url,
                "secret": self.secret or fresh,
                "client_secret": self.client_secret or (None if self.client_key_file else fresh),
            }
        )
