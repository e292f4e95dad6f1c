"""Tenants, the people in them and what they may do, and the keys of their programs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.services import Services


def setup(app: "FastAPI", services: "Services") -> None:
    from app.auth.login import Auth
    from app.users import pages
    from app.users.directory import members_by_directory
    from app.users.keys import by_key
    from app.users.settings import UsersSettings

    settings = UsersSettings()
    auth: Auth = app.state.auth
    # In development the provider's word is enough, so that its people can be tried at once.
    otherwise = None if services.settings.is_production else auth.members
    auth.members = members_by_directory(settings.groups_claim, otherwise)
    auth.welcome = pages.welcome
    app.state.users = settings
    services.authenticators.append(by_key(services))
    app.include_router(pages.router)
