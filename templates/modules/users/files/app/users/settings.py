"""Settings of people and keys, from `USERS_...` in the environment and `.env`."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class UsersSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="USERS_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    invited_only: bool = Field(
        default=False, description="In development, too: the provider's word lets nobody in"
    )
    groups_claim: str = Field(default="groups", description="Where the provider lists groups")
    invitation_hours: int = Field(default=72, ge=1, le=720)
    key_days: int = Field(default=90, ge=1, le=365)
    key_overlap_hours: int = Field(default=24, ge=0, le=168)

    @property
    def invitation_lasts(self) -> timedelta:
        return timedelta(hours=self.invitation_hours)

    @property
    def key_lasts(self) -> timedelta:
        return timedelta(days=self.key_days)

    @property
    def key_overlap(self) -> timedelta:
        return timedelta(hours=self.key_overlap_hours)
