"""The pages of the login: in, out, who am I, and my sessions."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Depends, Form, Query, Request, Response, Security
from fastapi.responses import HTMLResponse, RedirectResponse

from app.audit.log import record
from app.auth import flow, sessions
from app.auth.accounts import NoMember
from app.auth.browsers import name_of
from app.auth.cookies import clear_cookie, cookies_of, set_cookie
from app.auth.flow import BROWSER_COOKIE, local_target
from app.auth.keys import FetchFailed
from app.auth.login import Auth, log
from app.auth.models import AppSession
from app.auth.sealing import draw
from app.auth.tokens import LENGTH_LIMIT, TokenRefused
from app.core.db import ReaderDep, SessionDep
from app.core.pages import Pages, came_from, same_origin
from app.core.principal import Principal, PrincipalDep, principal_of
from app.core.problems import AppError, problem

PAGES = Pages(
    Path(__file__).parent, lambda environment: environment.filters.update(browser=name_of)
)
LOGIN_LIMIT = {"x-rate-limit": "login"}
router = APIRouter(
    route_class=PAGES.route,
    include_in_schema=False,
    default_response_class=HTMLResponse,
)
programs = APIRouter(include_in_schema=False)


def auth_of(request: Request) -> Auth:
    return request.app.state.auth


AuthDep = Annotated[Auth, Depends(auth_of)]
Me = Annotated[Principal, Security(principal_of, scopes=["account:self"])]


def sign_in_instead(request: Request, error: AppError) -> Response | None:
    """Answer who is not signed in, or not well enough, with the way to do so."""
    if isinstance(error, NoMember):
        return PAGES.render("no_access.html", status=error.status, error=error)
    if error.status != 401:
        return None
    is_step_up = "acr_values" in error.extra
    # A form is not sent again by itself: its page is, and the person decides anew.
    target = _address(request) if request.method == "GET" else came_from(request)
    asked = {"next": local_target(target), **({"step_up": "1"} if is_step_up else {})}
    if error.extra.get("max_age") is not None:
        asked["max_age"] = str(error.extra["max_age"])
    address = f"/login?{urlencode(asked)}"
    if request.method == "GET":
        return RedirectResponse(address, 303)
    response = PAGES.render("again.html", status=401, error=error, address=address)
    response.headers.update(error.headers)
    return response


def _address(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


@router.get("/login", openapi_extra=LOGIN_LIMIT)
async def login(
    request: Request,
    auth: AuthDep,
    target: Annotated[str, Query(alias="next")] = "/",
    provider: str = "",
    step_up: bool = False,
    max_age: Annotated[int | None, Query(ge=0, le=86_400)] = None,
) -> Response:
    """Send the browser to the provider; ask which one, where there are several."""
    own = auth.settings.public_url
    if request.url.netloc != urlsplit(own).netloc:
        # The provider sends back to one address, and the browser's cookies belong to that.
        return RedirectResponse(f"{own}/login?{request.url.query}", 303)
    if not provider and len(auth.providers) > 1:
        return PAGES.render("login.html", providers=auth.providers, target=local_target(target))
    chosen = auth.provider(provider or next(iter(auth.providers)))
    browser = cookies_of(request).get(BROWSER_COOKIE) or draw()
    acr = auth.services.settings.mfa_acr if step_up else None
    try:
        url = await flow.begin(
            auth.services.database, chosen, browser, target, acr=acr, max_age=max_age
        )
    except FetchFailed as error:
        raise unreachable(error) from error
    response = RedirectResponse(url, 303)
    set_cookie(response, BROWSER_COOKIE, browser, flow.LASTS_S)
    return response


@router.get("/auth/callback/{name}", openapi_extra=LOGIN_LIMIT)
async def callback(name: str, request: Request, auth: AuthDep) -> Response:
    """Take the provider's answer, and begin a session."""
    provider = auth.provider(name)
    agent = request.headers.get("user-agent", "")
    try:
        answer = flow.said_once(request.query_params)
        cookie, target = await auth.finish(provider, answer, cookies_of(request), agent)
    except FetchFailed as error:
        raise unreachable(error) from error
    response = RedirectResponse(target, 303)
    set_cookie(response, sessions.COOKIE, cookie, auth.settings.session_s)
    clear_cookie(response, BROWSER_COOKIE)
    return response


@router.post("/logout", dependencies=[Depends(same_origin)])
async def logout(
    request: Request, principal: PrincipalDep, session: SessionDep, auth: AuthDep
) -> Response:
    """End this session here, then the one at the provider."""
    row = session_of(request)
    await sessions.end_one(session, row.account_id, row.id)
    await record(session, principal, "session.end", f"session:{row.id}", reason="signed out")
    address = await leaving_address(auth, row)
    request.state.principal = None
    response = PAGES.render("leaving.html", address=address)
    clear_cookie(response, sessions.COOKIE)
    return response


async def leaving_address(auth: Auth, row: AppSession) -> str:
    """Where the provider's own session ends; here, when it has no such place."""
    goodbye = f"{auth.settings.public_url}/signed-out"
    provider = auth.providers.get(row.provider)
    try:
        end = (await provider.metadata()).end_session_endpoint if provider else None
    except FetchFailed:
        end = None
    if end is None:
        return goodbye
    asked = {"client_id": auth.settings.client_id, auth.settings.logout_parameter: goodbye}
    if id_token := auth.id_token_of(row):
        asked["id_token_hint"] = id_token
    return f"{end}{'&' if '?' in end else '?'}{urlencode(asked)}"


@router.get("/signed-out")
async def signed_out() -> HTMLResponse:
    return PAGES.render("signed_out.html")


@router.get("/account")
async def account(request: Request, principal: Me, session: ReaderDep) -> HTMLResponse:
    """Who I am here, and where I am signed in."""
    row = session_of(request)
    place = f"tenant:{principal.tenant}"
    names = await request.app.state.services.names_of(session, [place])
    return PAGES.render(
        "account.html",
        principal=principal,
        tenant=names.get(place, principal.tenant),
        account=row.account,
        sessions=await sessions.of_account(session, row.account_id),
        present=row.id,
    )


@router.post("/account/sessions/{session_id}/end", dependencies=[Depends(same_origin)])
async def end_session(
    session_id: str, request: Request, principal: Me, session: SessionDep
) -> Response:
    """End one of my sessions."""
    if not await sessions.end_one(session, session_of(request).account_id, session_id):
        raise AppError(404, "No such session", "It has ended already.")
    await record(session, principal, "session.end", f"session:{session_id}", reason="by its owner")
    return RedirectResponse("/account", 303)


@programs.post("/auth/backchannel-logout/{name}", openapi_extra=LOGIN_LIMIT)
async def backchannel_logout(
    name: str, auth: AuthDep, logout_token: Annotated[str, Form(max_length=LENGTH_LIMIT)]
) -> Response:
    """The provider says that a session has ended there."""
    try:
        await auth.end_by_logout_token(auth.provider(name), logout_token)
    except TokenRefused as refusal:
        log.warning("logout_token_refused", reason=str(refusal))
        return problem(400, "Not a logout token", "It was refused.", error="invalid_request")
    return Response()


def session_of(request: Request) -> AppSession:
    """The session of who came by a browser. Raises 400 for others, who have none."""
    row: AppSession | None = getattr(request.state, "session", None)
    if row is None:
        raise AppError(400, "No session", "This page is for who has signed in by a browser.")
    return row


def unreachable(error: FetchFailed) -> AppError:
    log.error("provider_unreachable", reason=str(error))
    return AppError(503, "Nobody can sign in now", "The provider does not answer. Try again soon.")
