"""The pages of people and of keys, the choice of a tenant, and the way in by an invitation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

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
from app.users import keys, people
from app.users.directory import tenants_of
from app.users.models import Invitation, Member
from app.users.settings import UsersSettings

PAGES = Pages(Path(__file__).parent)
LOGIN_LIMIT = {"x-rate-limit": "login"}
INVITATION = "__Host-invitation"
_INVITATION_LASTS_S = 900

router = APIRouter(
    route_class=PAGES.route, include_in_schema=False, default_response_class=HTMLResponse
)
OwnPage = Depends(same_origin)


def access_of(request: Request) -> Access:
    return request.app.state.services.access


def settings_of(request: Request) -> UsersSettings:
    return request.app.state.users


AccessDep = Annotated[Access, Depends(access_of)]
SettingsDep = Annotated[UsersSettings, Depends(settings_of)]
PeopleReader = Annotated[Principal, Security(principal_of, scopes=["people:read"])]
PeopleWriter = Annotated[Principal, Security(principal_of, scopes=["people:write"])]
KeysReader = Annotated[Principal, Security(principal_of, scopes=["keys:read"])]
KeysWriter = Annotated[Principal, Security(principal_of, scopes=["keys:write"])]
Roles = Annotated[list[str], Form(max_length=20)]
PEOPLE, KEYS = "/people", "/keys"


async def _people(
    session: AsyncSession, access: Access, principal: Principal, link: str = ""
) -> HTMLResponse:
    return PAGES.render(
        "people.html",
        members=await people.members(session, principal.tenant),
        invitations=await people.invitations(session, principal.tenant),
        roles=access.roles,
        principal=principal,
        link=link,
    )


@router.get(PEOPLE)
async def people_page(
    session: ReaderDep, principal: PeopleReader, access: AccessDep
) -> HTMLResponse:
    """Who may do what here."""
    return await _people(session, access, principal)


@router.post("/people/invitations", dependencies=[OwnPage])
async def invite(
    session: SessionDep,
    principal: PeopleWriter,
    access: AccessDep,
    settings: SettingsDep,
    auth: AuthDep,
    label: Annotated[str, Form(min_length=1, max_length=200)],
    roles: Roles,
) -> HTMLResponse:
    """Make a link, and show it this once."""
    secret = await people.invite(
        session, access, principal, label, roles, settings.invitation_lasts
    )
    return await _people(session, access, principal, f"{auth.settings.public_url}/join/{secret}")


@router.post("/people/invitations/{invitation_id}/withdraw", dependencies=[OwnPage])
async def withdraw(
    invitation_id: str, session: SessionDep, principal: PeopleWriter
) -> RedirectResponse:
    await people.withdraw(session, principal, invitation_id)
    return RedirectResponse(PEOPLE, 303)


@router.post("/people/{account_id}/roles", dependencies=[OwnPage])
async def set_roles(
    account_id: str, session: SessionDep, principal: PeopleWriter, access: AccessDep, roles: Roles
) -> RedirectResponse:
    await people.set_roles(session, access, principal, account_id, roles)
    return RedirectResponse(PEOPLE, 303)


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
    return RedirectResponse(PEOPLE, 303)


async def _keys(
    session: AsyncSession, access: Access, principal: Principal, secret: str = ""
) -> HTMLResponse:
    return PAGES.render(
        "keys.html",
        keys=await keys.keys(session, principal.tenant),
        # No more can be given than one has.
        scopes=[scope for scope in access.scopes if scope in principal.scopes],
        now=utcnow(),
        secret=secret,
    )


@router.get(KEYS)
async def keys_page(session: ReaderDep, principal: KeysReader, access: AccessDep) -> HTMLResponse:
    """The keys of this tenant's programs."""
    return await _keys(session, access, principal)


@router.post(KEYS, dependencies=[OwnPage])
async def create_key(
    session: SessionDep,
    principal: KeysWriter,
    access: AccessDep,
    settings: SettingsDep,
    name: Annotated[str, Form(min_length=1, max_length=100)],
    scopes: Annotated[list[str], Form(max_length=100)],
) -> HTMLResponse:
    """Make a key, and show it this once."""
    secret = await keys.create(session, access, principal, name, scopes, settings.key_lasts)
    return await _keys(session, access, principal, secret)


@router.post("/keys/{key_id}/rotate", dependencies=[OwnPage])
async def rotate_key(
    key_id: str,
    session: SessionDep,
    principal: KeysWriter,
    access: AccessDep,
    settings: SettingsDep,
) -> HTMLResponse:
    """Make a new key for an old one, and show it this once."""
    secret = await keys.rotate(session, principal, key_id, settings.key_lasts, settings.key_overlap)
    return await _keys(session, access, principal, secret)


@router.post("/keys/{key_id}/revoke", dependencies=[OwnPage])
async def revoke_key(key_id: str, session: SessionDep, principal: KeysWriter) -> RedirectResponse:
    await keys.revoke(session, principal, key_id)
    return RedirectResponse(KEYS, 303)


@router.get("/join/{secret}", openapi_extra=LOGIN_LIMIT)
async def invitation_page(secret: str, session: ReaderDep) -> HTMLResponse:
    """Say what an invitation is to, and ask."""
    row = await _open_invitation(session, secret)
    return PAGES.render("join.html", invitation=row, secret=secret)


@router.post("/join/{secret}", dependencies=[OwnPage], openapi_extra=LOGIN_LIMIT)
async def accept_invitation(secret: str, session: ReaderDep) -> Response:
    """Sign in, and be a member then."""
    await _open_invitation(session, secret)
    response = RedirectResponse("/login", 303)
    set_cookie(response, INVITATION, secret, _INVITATION_LASTS_S)
    return response


async def _open_invitation(session: AsyncSession, secret: str) -> Invitation:
    if (row := await people.open_invitation(session, secret)) is None:
        raise AppError(404, "No such invitation", "It was used, taken back, or is too old.")
    return row


async def welcome(session: AsyncSession, account: Account, cookies: Mapping[str, str]) -> None:
    """Use the invitation that this browser has accepted, at the end of a login."""
    if secret := cookies.get(INVITATION):
        await people.join(session, account, secret)


@router.get("/account/tenants")
async def tenants_page(request: Request, principal: Me, session: ReaderDep) -> HTMLResponse:
    """Where I may work."""
    account_id = session_of(request).account_id
    async with everybody(session):
        found = await tenants_of(session, account_id)
    return PAGES.render("tenants.html", tenants=found, present=principal.tenant)


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
