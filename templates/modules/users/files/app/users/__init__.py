"""Tenants, the people in them and what they may do, and the keys of their programs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.services import Services


def setup(app: "FastAPI", services: "Services") -> None:
    from app.auth.login import Auth
    from app.core.pages import Link
    from app.users import pages, provider_pages
    from app.users.directory import members_by_directory, names_of_tenants
    from app.users.keys import by_key, names_of_keys
    from app.users.models import OUTDATED
    from app.users.recent import Recent
    from app.users.settings import UsersSettings

    settings = UsersSettings()
    auth: Auth = app.state.auth
    # In development the provider's word is enough, so that its people can be tried at once.
    is_closed = services.settings.is_production or settings.invited_only
    otherwise = None if is_closed else auth.members
    auth.members = members_by_directory(settings.groups_claim, otherwise)
    auth.members_of_tokens = members_by_directory(settings.groups_claim, otherwise, Recent())
    auth.welcome = pages.welcome
    app.state.users = settings
    services.authenticators.append(by_key(services))
    services.outdated.extend(OUTDATED)
    services.names.extend([names_of_tenants, names_of_keys])
    # First, since it is more particular than /people/{account_id}/{change}.
    app.include_router(provider_pages.router)
    app.include_router(pages.router)
    services.links.extend(
        [
            Link(pages.PEOPLE, "People", "people:read", 40),
            Link(provider_pages.PAGE, "Groups and programs", "people:read", 41),
            Link(pages.KEYS, "API keys", "keys:read", 50),
            Link(pages.TENANTS, "Tenants", "account:self", 91),
        ]
    )
