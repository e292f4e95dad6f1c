"""The development issuer's endpoints. What it refuses here, a real provider refuses, too."""

import base64
import binascii
import secrets
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.accounts import PASSWORD_ACR
from app.auth.cookies import clear_cookie, cookies_of, set_cookie
from app.auth.issuer import grants
from app.auth.issuer.grants import ACCESS_S, Denied
from app.auth.issuer.people import Person, is_right, people, totp
from app.auth.login import LOGOUT_EVENT, Auth
from app.auth.models import IssuerGrant, IssuerSession
from app.auth.pages import LOGIN_LIMIT, AuthDep
from app.auth.settings import DEVELOPMENT
from app.auth.tokens import Expected, TokenRefused, verify
from app.core.db import utcnow
from app.core.pages import Pages, same_origin
from app.core.problems import AppError

PREFIX = "/development-issuer"
COOKIE = "__Host-issuer"
PAGES = Pages(Path(__file__).parent)

router = APIRouter(prefix=PREFIX, include_in_schema=False)
pages = APIRouter(
    prefix=PREFIX,
    route_class=PAGES.route,
    include_in_schema=False,
    default_response_class=HTMLResponse,
)


def issuer_of(auth: Auth) -> str:
    return f"{auth.settings.public_url}{PREFIX}"


@router.get("/.well-known/openid-configuration")
async def metadata(auth: AuthDep) -> dict[str, Any]:
    issuer = issuer_of(auth)
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "end_session_endpoint": f"{issuer}/logout",
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "id_token_signing_alg_values_supported": [grants.ALGORITHM],
        "subject_types_supported": ["public"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "acr_values_supported": [PASSWORD_ACR, auth.services.settings.mfa_acr],
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }


@router.get("/jwks")
async def jwks(auth: AuthDep) -> dict[str, Any]:
    async with auth.services.database.session() as session:
        await grants.signing_key(session)
        return {"keys": await grants.public_keys(session)}


@pages.get("/authorize", openapi_extra=LOGIN_LIMIT)
async def authorize(request: Request, auth: AuthDep) -> Response:
    """Send back with a code who is signed in well enough; let the others choose who they are."""
    asked = dict(request.query_params)
    require_client(auth, asked)
    if error := mistake(asked):
        return back(auth, asked, error=error)
    async with auth.services.database.session() as session:
        who = await grants.signed_in(session, cookies_of(request).get(COOKIE))
        if who is not None and is_enough(who, asked, auth.services.settings.mfa_acr):
            return back(auth, asked, code=await grants.grant_code(session, who, asked))
    return choose(auth, asked)


def require_client(auth: Auth, asked: dict[str, str]) -> None:
    """Refuse to send anybody to an address that is not registered, letter by letter."""
    registered = auth.providers[DEVELOPMENT].redirect_uri
    if (asked.get("client_id"), asked.get("redirect_uri")) != (
        auth.settings.client_id,
        registered,
    ):
        raise AppError(400, "Unknown client", f"Its address must be {registered}, exactly.")


def mistake(asked: dict[str, str]) -> str | None:
    """What OAuth calls the mistake of a request; only codes with PKCE by S256 are given."""
    if asked.get("response_type") != "code":
        return "unsupported_response_type"
    if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
        return "invalid_request"
    if "openid" not in asked.get("scope", "").split():
        return "invalid_scope"
    return None


def is_enough(who: IssuerSession, asked: dict[str, str], mfa_acr: str) -> bool:
    """Whether a session satisfies what was asked: prompt, age, and second factor."""
    if asked.get("prompt") == "login":
        return False
    age, most = (utcnow() - who.auth_time).total_seconds(), asked.get("max_age", "")
    if most.isdigit() and age > int(most):
        return False
    return who.acr == mfa_acr or not asks_second_factor(asked, mfa_acr)


def asks_second_factor(asked: dict[str, str], mfa_acr: str) -> bool:
    return mfa_acr in asked.get("acr_values", "").split()


def back(auth: Auth, asked: dict[str, str], **answer: str) -> Response:
    """Send the browser back to the application, saying who sends it (RFC 9207)."""
    parameters = {**answer, "state": asked.get("state", ""), "iss": issuer_of(auth)}
    return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(parameters)}", 303)


def choose(auth: Auth, asked: dict[str, str], *, wrong: str = "") -> HTMLResponse:
    return PAGES.render(
        "choose.html",
        status=401 if wrong else 200,
        people={
            name: (person, totp(person.totp) if person.totp else "")
            for name, person in people().items()
        },
        asked=urlencode(asked),
        needs_code=asks_second_factor(asked, auth.services.settings.mfa_acr),
        wrong=wrong,
    )


@pages.post("/login", openapi_extra=LOGIN_LIMIT, dependencies=[Depends(same_origin)])
async def log_in(
    request: Request,
    auth: AuthDep,
    asked: Annotated[str, Form(max_length=4_000)],
    person: Annotated[str, Form(max_length=64)],
    code: Annotated[str, Form(max_length=6)] = "",
) -> Response:
    """Sign in as one of the people; with the six digits, by a second factor."""
    request_ = dict(parse_qsl(asked))
    require_client(auth, request_)
    if error := mistake(request_):
        return back(auth, request_, error=error)
    known = people().get(person)
    if known is None or (code and not is_right(known, code)):
        return choose(auth, request_, wrong="That code is not right. It changes every 30 seconds.")
    if not code and asks_second_factor(request_, auth.services.settings.mfa_acr):
        return choose(auth, request_, wrong="The six digits are asked for here.")
    acr = auth.services.settings.mfa_acr if code else PASSWORD_ACR
    async with auth.services.database.session() as session:
        cookie, who = await grants.sign_in(session, person, acr, cookies_of(request).get(COOKIE))
        response = back(auth, request_, code=await grants.grant_code(session, who, request_))
    set_cookie(response, COOKIE, cookie, int(grants.FAMILY.total_seconds()))
    return response


@router.post("/token", openapi_extra=LOGIN_LIMIT)
async def token(request: Request, auth: AuthDep) -> Response:
    form = {name: str(value) for name, value in (await request.form()).items()}
    if not is_client(auth, request, form):
        return JSONResponse({"error": "invalid_client"}, 401)
    async with auth.services.database.session() as session:
        try:
            answer = await granted(session, auth, form)
        except Denied as denied:
            # What the refusal revoked is committed with it.
            return JSONResponse({"error": str(denied)}, 400)
    return JSONResponse(answer)


def is_client(auth: Auth, request: Request, form: dict[str, str]) -> bool:
    """Whether the caller knows the client's secret, in the form or by HTTP Basic."""
    name, given = form.get("client_id", ""), form.get("client_secret", "")
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, given = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
    secret = auth.settings.client_secret
    return (
        secret is not None
        and name == auth.settings.client_id
        and secrets.compare_digest(given.encode(), secret.get_secret_value().encode())
    )


async def granted(session: AsyncSession, auth: Auth, form: dict[str, str]) -> dict[str, Any]:
    match form.get("grant_type"):
        case "client_credentials":
            scope = form.get("scope", "")
            claims = {"sub": auth.settings.client_id, "scope": scope}
            return {**await access(session, auth, claims), "scope": scope}
        case "authorization_code":
            grant = await grants.redeem_code(
                session,
                form.get("code", ""),
                form.get("code_verifier", ""),
                form.get("redirect_uri", ""),
            )
        case "refresh_token":
            grant = await grants.redeem_refresh(session, form.get("refresh_token", ""))
        case _:
            raise Denied("unsupported_grant_type")
    person = people()[grant.person]
    about = claims_of(auth, grant, person)
    names = person.roles
    scope = " ".join(sorted(auth.services.access.scopes_of(names)))
    nonce = {"nonce": grant.nonce} if form["grant_type"] == "authorization_code" else {}
    id_claims = {**about, **nonce, "aud": auth.settings.client_id}
    return {
        **await access(session, auth, {**about, "scope": scope}),
        "id_token": await grants.sign(session, id_claims, typ="JWT", lasts_s=ACCESS_S),
        "refresh_token": grants.next_refresh(grant),
    }


async def access(session: AsyncSession, auth: Auth, claims: dict[str, Any]) -> dict[str, Any]:
    """The part of an answer that holds an access token (RFC 9068)."""
    said = {
        **claims,
        "iss": issuer_of(auth),
        "aud": auth.settings.audience,
        "client_id": auth.settings.client_id,
    }
    made = await grants.sign(session, said, typ="at+jwt", lasts_s=ACCESS_S)
    return {"access_token": made, "token_type": "Bearer", "expires_in": ACCESS_S}


def claims_of(auth: Auth, grant: IssuerGrant, person: Person) -> dict[str, Any]:
    settings = auth.settings
    tenant = person.tenant or auth.services.settings.default_tenant
    return {
        "iss": issuer_of(auth),
        "sub": grant.person,
        "sid": grant.session_id,
        "acr": grant.acr,
        "auth_time": int(grant.auth_time.timestamp()),
        "groups": person.groups,
        settings.roles_claim: person.roles,
        **({settings.tenant_claim: tenant} if settings.tenant_claim else {}),
    }


@router.get("/userinfo")
async def userinfo(request: Request, auth: AuthDep) -> Response:
    value = request.headers.get("authorization", "").partition(" ")[2]
    expected = Expected(issuer_of(auth), auth.settings.audience, auth.settings.leeway_s)
    try:
        claims = await verify(value, "at+jwt", auth.providers[DEVELOPMENT].keys.find, expected)
        name = claims["sub"]
        person = people()[name]
    except (TokenRefused, KeyError):
        return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
    return JSONResponse({"sub": name, "name": person.name, "email": person.email})


@pages.get("/logout")
async def leave(request: Request, auth: AuthDep) -> Response:
    """End the session that `id_token_hint` names; ask, when it names none."""
    asked = request.query_params
    provider = auth.providers[DEVELOPMENT]
    try:
        claims = await provider.id_claims(asked.get("id_token_hint", ""), None)
    except TokenRefused:
        return PAGES.render("leave.html")
    await left(auth, str(claims.get("sid")))
    goodbye = f"{auth.settings.public_url}/signed-out"
    return goodbye_to(goodbye if asked.get("post_logout_redirect_uri") == goodbye else None)


@pages.post("/logout", dependencies=[Depends(same_origin)])
async def leave_after_asking(request: Request, auth: AuthDep) -> Response:
    async with auth.services.database.reader() as session:
        who = await grants.signed_in(session, cookies_of(request).get(COOKIE))
    if who is not None:
        await left(auth, who.id)
    return goodbye_to(None)


def goodbye_to(address: str | None) -> Response:
    response: Response = RedirectResponse(address, 303) if address else PAGES.render("left.html")
    clear_cookie(response, COOKIE)
    return response


async def left(auth: Auth, session_id: str) -> None:
    """End a session here, and tell the application (back-channel logout)."""
    async with auth.services.database.session() as session:
        person = await grants.sign_out(session, session_id)
        claims = {
            "iss": issuer_of(auth),
            "aud": auth.settings.client_id,
            "sid": session_id,
            "events": {LOGOUT_EVENT: {}},
        }
        notice = await grants.sign(session, claims, typ="logout+jwt", lasts_s=120)
    if person is not None:
        await auth.end_by_logout_token(auth.providers[DEVELOPMENT], notice)
