"""The page of the login's provider: which of its groups and programs are what here."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from app.auth.login import Auth
from app.auth.pages import AuthDep
from app.core.db import ReaderDep, SessionDep
from app.core.problems import AppError
from app.users import directory
from app.users.pages import (
    DONE,
    PAGES,
    AccessDep,
    OwnPage,
    PeopleReader,
    PeopleWriter,
    Roles,
    SettingsDep,
    choices,
    done,
)
from app.users.rules import known_roles

PAGE = "/people/provider"
router = APIRouter(
    route_class=PAGES.route, include_in_schema=False, default_response_class=HTMLResponse
)
Name = Annotated[str, Form(min_length=1, max_length=255)]


def issuers(auth: Auth) -> list[str]:
    return [provider.issuer for provider in auth.providers.values()]


@router.get(PAGE)
async def provider_page(
    session: ReaderDep,
    principal: PeopleReader,
    access: AccessDep,
    settings: SettingsDep,
    auth: AuthDep,
    done: str = "",
) -> HTMLResponse:
    """Roles of groups and of programs."""
    return PAGES.render(
        "provider.html",
        mappings=await directory.mappings(session, principal.tenant),
        programs=await directory.programs(session, principal.tenant),
        issuers=issuers(auth),
        groups_claim=settings.groups_claim,
        done=DONE.get(done),
        **choices(access, principal),
    )


@router.post(f"{PAGE}/groups", dependencies=[OwnPage])
async def change_group(
    session: SessionDep,
    principal: PeopleWriter,
    access: AccessDep,
    auth: AuthDep,
    issuer: Name,
    group: Name,
    role: Name,
    change: Annotated[Literal["add", "remove"], Form()],
) -> RedirectResponse:
    """Give a group a role, or take it away."""
    if change == "remove":
        await directory.unmap_group(session, access, principal, issuer, group, role)
    else:
        _require_known(auth, issuer)
        await directory.map_group(session, access, principal, issuer, group, role)
    return done(PAGE, "group")


@router.post(f"{PAGE}/programs", dependencies=[OwnPage])
async def change_program(
    session: SessionDep,
    principal: PeopleWriter,
    access: AccessDep,
    auth: AuthDep,
    issuer: Name,
    client_id: Name,
    change: Annotated[Literal["set", "remove"], Form()],
    roles: Roles = [],  # noqa: B006  read only
) -> RedirectResponse:
    """Say what a program is here, or that it is nothing any more."""
    if change == "set":
        _require_known(auth, issuer)
        known_roles(access, roles)
    wanted = roles if change == "set" else []
    await directory.set_client(session, access, principal, issuer, client_id, wanted)
    return done(PAGE, "program")


def _require_known(auth: Auth, issuer: str) -> None:
    """Refuse a provider that nobody signs in at: a slip of the pen would give roles to nobody."""
    if issuer not in issuers(auth):
        raise AppError(422, "No such provider", f"There is: {', '.join(issuers(auth)) or 'none'}.")
