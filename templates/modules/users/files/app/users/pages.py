"""The pages of people and of keys, the choice of a tenant, and the way in by an invitation."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response, Security
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.log import record
from app.auth import sessions
from app.auth.accounts import Membership
from app.auth.cookies import clear_cookie, set_cookie
from app.auth.models import Account, AppSession
from app.auth.pages import AuthDep, Me, session_of
from app.core.access import Access
from app.core.db import ReaderDep, SessionDep, utcnow
from app.core.pages import Pages, same_origin
from app.core.principal import Principal, principal_of
from app.core.problems import AppError
from app.core.wall import everybody
from app.services import Services
from app.users import keys, people
from app.users.directory import tenants_of
from app.users.models import Invitation, Member
from app.users.rules import GOVERNS, is_within
from app.users.settings import UsersSettings

PAGES = Pages(Path(__file__).parent)
LOGIN_LIMIT = {"x-rate-limit": "login"}
INVITATION = "__Host-invitation"
_INVITATION_LASTS_S = 900

router = APIRouter(
    route_class=PAGES.route, include_in_schema=False, default_response_class=HTMLResponse
)
OwnPage = Depends(same_origin)


def services_of(request: Request) -> Services:
    return request.app.state.services


def access_of(request: Request) -> Access:
    return request.app.state.services.access


def settings_of(request: Request) -> UsersSettings:
    return request.app.state.users


ServicesDep = Annotated[Services, Depends(services_of)]
AccessDep = Annotated[Access, Depends(access_of)]
SettingsDep = Annotated[UsersSettings, Depends(settings_of)]
PeopleReader = Annotated[Principal, Security(principal_of, scopes=["people:read"])]
PeopleWriter = Annotated[Principal, Security(principal_of, scopes=["people:write"])]
KeysReader = Annotated[Principal, Security(principal_of, scopes=["keys:read"])]
KeysWriter = Annotated[Principal, Security(principal_of, scopes=["keys:write"])]
Roles = Annotated[list[str], Form(max_length=20)]
PEOPLE, KEYS, TENANTS = "/people", "/keys", "/account/tenants"
# What a page says after a change, which sends the browser back to it.
DONE = {
    "withdraw": "The invitation is taken back: its link leads nowhere.",
    "roles": "The roles are saved.",
    "suspend": "Suspended, and signed out everywhere.",
    "resume": "Let in again, with the roles of before.",
    "remove": "Removed, and signed out everywhere.",
    "revoke": "The key is revoked.",
    "group": "The groups are saved.",
    "program": "Saved.",
}


def done(page: str, change: str) -> RedirectResponse:
    return RedirectResponse(f"{page}?done={change}", 303)


def choices(access: Access, principal: Principal) -> dict[str, Any]:
    """What pages need that give roles: those who give have no more to give than they have."""
    may_give = partial(is_within, access, principal)
    return {
        "roles": {name: role for name, role in access.roles.items() if may_give([name])},
        "may_give": may_give,
        "may_change": GOVERNS in principal.scopes,
        "principal": principal,
    }


@router.get(PEOPLE)
async def people_page(
    session: ReaderDep,
    principal: PeopleReader,
    services: ServicesDep,
    settings: SettingsDep,
    done: str = "",
) -> HTMLResponse:
    """Who may do what here."""
    invitations = await people.invitations(session, principal.tenant)
    things = [f"person:{row.invited_by}" for row in invitations] + [f"tenant:{principal.tenant}"]
    return PAGES.render(
        "people.html",
        members=await people.members(session, principal.tenant),
        invitations=invitations,
        names=await services.names_of(session, things),
        is_open=not (services.settings.is_production or settings.invited_only),
        done=DONE.get(done),
        **choices(services.access, principal),
    )


@router.post("/people/invitations", dependencies=[OwnPage])
async def invite(
    session: SessionDep,
    principal: PeopleWriter,
    access: AccessDep,
    settings: SettingsDep,
    auth: AuthDep,
    label: Annotated[str, Form(min_length=1, max_length=200)],
    roles: Roles = [],  # noqa: B006  read only
) -> HTMLResponse:
    """Make a link, and show it this once."""
    secret = await people.invite(
        session, access, principal, label, roles, settings.invitation_lasts
    )
    return PAGES.render(
        "shown_once.html",
        title=f"The invitation for {label}",
        text="Send this link. Whoever opens it and signs in is a member: it works once, for "
        f"{settings.invitation_hours} hours.",
        what="Link",
        secret=f"{auth.settings.public_url}/join/{secret}",
        back=PEOPLE,
    )


@router.post("/people/invitations/{invitation_id}/withdraw", dependencies=[OwnPage])
async def withdraw(
    invitation_id: str, session: SessionDep, principal: PeopleWriter
) -> RedirectResponse:
    await people.withdraw(session, principal, invitation_id)
    return done(PEOPLE, "withdraw")


@router.post("/people/{account_id}/roles", dependencies=[OwnPage])
async def set_roles(
    account_id: str,
    session: SessionDep,
    principal: PeopleWriter,
    access: AccessDep,
    roles: Roles = [],  # noqa: B006  read only
) -> RedirectResponse:
    await people.set_roles(session, access, principal, account_id, roles)
    return done(PEOPLE, "roles")


@router.post("/people/{account_id}/{change}", dependencies=[OwnPage])
async def change_person(
    account_id: str, change: str, session: SessionDep, principal: PeopleWriter, access: AccessDep
) -> RedirectResponse:
    """Suspend, resume or remove somebody."""
    if change == "remove":
        await people.remove(session, access, principal, account_id)
    elif change in ("suspend", "resume"):
        await people.suspend(session, access, principal, account_id, change == "suspend")
    else:
        raise AppError(404, "No such change", "There are: roles, suspend, resume, remove.")
    return done(PEOPLE, change)


@router.get(KEYS)
async def keys_page(
    session: ReaderDep,
    principal: KeysReader,
    services: ServicesDep,
    settings: SettingsDep,
    done: str = "",
) -> HTMLResponse:
    """The keys of this tenant's programs."""
    found = await keys.keys(session, principal.tenant)
    return PAGES.render(
        "keys.html",
        keys=found,
        names=await services.names_of(session, [f"person:{key.created_by}" for key in found]),
        # No more can be given than one has.
        scopes=[scope for scope in services.access.scopes if scope in principal.scopes],
        overlap_hours=settings.key_overlap_hours,
        now=utcnow(),
        may_change="keys:write" in principal.scopes,
        done=DONE.get(done),
    )


def _new_key(title: str, text: str, secret: str) -> HTMLResponse:
    context = {"title": title, "text": text, "secret": secret, "back": KEYS}
    return PAGES.render("shown_once.html", what="Key", **context)


@router.post(KEYS, dependencies=[OwnPage])
async def create_key(
    session: SessionDep,
    principal: KeysWriter,
    access: AccessDep,
    settings: SettingsDep,
    name: Annotated[str, Form(min_length=1, max_length=100)],
    scopes: Annotated[list[str], Form(max_length=100)] = [],  # noqa: B006  read only
) -> HTMLResponse:
    """Make a key, and show it this once."""
    secret = await keys.create(session, access, principal, name, scopes, settings.key_lasts)
    text = f"Put it where the program keeps its secrets. It works for {settings.key_days} days."
    return _new_key(f"The key of {name}", text, secret)


@router.post("/keys/{key_id}/rotate", dependencies=[OwnPage])
async def rotate_key(
    key_id: str, session: SessionDep, principal: KeysWriter, settings: SettingsDep
) -> HTMLResponse:
    """Make a new key for an old one, and show it this once."""
    secret = await keys.rotate(session, principal, key_id, settings.key_lasts, settings.key_overlap)
    hours = settings.key_overlap_hours
    text = f"Give it to the program. The old key works for {hours} hours more, then no longer."
    return _new_key("The new key", text, secret)


@router.post("/keys/{key_id}/revoke", dependencies=[OwnPage])
async def revoke_key(key_id: str, session: SessionDep, principal: KeysWriter) -> RedirectResponse:
    await keys.revoke(session, principal, key_id)
    return done(KEYS, "revoke")


@router.get("/join/{secret}", openapi_extra=LOGIN_LIMIT)
async def invitation_page(secret: str, session: ReaderDep, services: ServicesDep) -> HTMLResponse:
    """Say what an invitation is to, and ask."""
    row = await _open_invitation(session, secret)
    return PAGES.render(
        "join.html",
        invitation=row,
        secret=secret,
        names=await services.names_of(session, [f"person:{row.invited_by}"]),
        roles=services.access.roles,
    )


@router.post("/join/{secret}", dependencies=[OwnPage], openapi_extra=LOGIN_LIMIT)
async def accept_invitation(secret: str, session: ReaderDep) -> Response:
    """Sign in, and be a member then."""
    await _open_invitation(session, secret)
    response = RedirectResponse("/login", 303)
    set_cookie(response, INVITATION, secret, _INVITATION_LASTS_S)
    return response


async def _open_invitation(session: AsyncSession, secret: str) -> Invitation:
    if (row := await people.open_invitation(session, secret)) is None:
        raise AppError(
            404,
            "This invitation works no more",
            "It was used, taken back, or is too old. Ask who sent it for a new one.",
        )
    return row


async def welcome(session: AsyncSession, account: Account, cookies: Mapping[str, str]) -> None:
    """Use the invitation that this browser has accepted, at the end of a login."""
    if secret := cookies.get(INVITATION):
        await people.join(session, account, secret)


@router.get(TENANTS)
async def tenants_page(
    request: Request, principal: Me, session: ReaderDep, services: ServicesDep
) -> HTMLResponse:
    """Where I may work."""
    account_id = session_of(request).account_id
    async with everybody(session):
        found = await tenants_of(session, account_id)
    names = await services.names_of(session, [f"tenant:{principal.tenant}"])
    return PAGES.render("tenants.html", tenants=found, present=principal.tenant, names=names)


async def _renewed(
    session: AsyncSession, row: AppSession, member: Member
) -> tuple[str, AppSession]:
    """A session like `row`, which ends, for what its person is in another tenant."""
    login = sessions.Login(
        row.acr, row.auth_time, row.provider, row.provider_session, row.tokens, row.fresh_until
    )
    await sessions.end_one(session, row.account_id, row.id)
    return await sessions.begin(
        session,
        member.account,
        Membership(member.tenant_id, frozenset(member.roles), member.tenant.tier),
        login,
        browser=row.browser,
        lasts_s=int((row.expires_at - utcnow()).total_seconds()),
        old_cookie=None,
    )


@router.post("/account/tenants/{tenant_id}", dependencies=[OwnPage])
async def switch(
    tenant_id: str, request: Request, principal: Me, session: SessionDep, auth: AuthDep
) -> Response:
    """Go on in another tenant of mine, in a new session."""
    row = session_of(request)
    async with everybody(session):
        member = await session.get(Member, (tenant_id, row.account_id))
        if member is None or member.suspended_at or member.tenant.suspended_at:
            raise AppError(404, "No such tenant", "You are no member of it.")
        member.chosen_at = utcnow()
        cookie, begun = await _renewed(session, row, member)
        target = f"session:{begun.id}"
        person = Principal(tenant_id, principal.subject)
        await record(session, person, "session.switch", target, before=principal.tenant)
        await session.flush()
    response = RedirectResponse("/", 303)
    set_cookie(response, sessions.COOKIE, cookie, auth.settings.session_s)
    clear_cookie(response, INVITATION)
    return response
