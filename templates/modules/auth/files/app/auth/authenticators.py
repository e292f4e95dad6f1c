"""How a request says who sends it: a session's cookie, or an access token."""

from collections.abc import Mapping

import structlog
from fastapi import Request

from app.auth.cookies import cookies_of
from app.auth.dpop import ALGORITHMS, require_proof
from app.auth.login import Auth
from app.auth.sessions import COOKIE
from app.auth.tokens import TokenRefused
from app.core.pages import same_origin
from app.core.principal import Authenticator, Principal, not_signed_in
from app.core.problems import AppError

log = structlog.get_logger("app.auth")

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def by_cookie(auth: Auth) -> Authenticator:
    async def authenticate(request: Request) -> Principal | None:
        cookie = cookies_of(request).get(COOKIE)
        if not cookie or "authorization" in request.headers:
            return None
        if request.method not in _SAFE:
            require_own_page(request)
        found = await auth.by_session(cookie)
        if found is None:
            return None
        principal, request.state.session = found
        return principal

    return authenticate


def require_own_page(request: Request) -> None:
    """Refuse a change that comes with a cookie and not from a page of this application.

    A browser sends the cookie whoever made the request; it also says who that was. What says
    nothing is no browser of today, and has no need of cookies.
    """
    headers: Mapping[str, str] = request.headers
    if headers.get("sec-fetch-site") is None and headers.get("origin") is None:
        raise AppError(403, "Sent from another site", "Open the page here and decide again.")
    same_origin(request)


def by_bearer(auth: Auth) -> Authenticator:
    async def authenticate(request: Request) -> Principal | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        # Three parts are a JWT's; other tokens are for others to recognise.
        if scheme.lower() not in ("bearer", "dpop") or token.count(".") < 2:
            return None
        try:
            principal, claims = await auth.by_token(token.strip())
            await require_proof(request, auth, scheme.lower(), token.strip(), claims)
        except TokenRefused as refusal:
            log.warning("token_refused", reason=str(refusal))
            challenge = 'Bearer error="invalid_token"'
            if scheme.lower() == "dpop":
                challenge = f'DPoP error="invalid_token", algs="{ALGORITHMS}"'
            raise not_signed_in("The access token is not valid.", challenge=challenge) from None
        return principal

    return authenticate
