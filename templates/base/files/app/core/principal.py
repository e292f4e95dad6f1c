"""Who is asking, and whether they may. A route names its scope; access.yaml says who has it.

from app.core.principal import Principal, principal_of

Reader = Annotated[Principal, Security(principal_of, scopes=["tickets:read"])]
"""

import base64
import binascii
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from app.core.access import Access
from app.core.db import utcnow
from app.core.problems import AppError, ConfigurationError
from app.core.wall import current_tenant
from app.settings import Settings

_TOKEN_LENGTH = 32
DEFAULT_TIER = "standard"
_Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(scheme_name="bearer", auto_error=False)),
]


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: `tenant` owns what is read and written, `subject` is who is named for it.

    `scopes` are what it may do. `acr` and `auth_time` say how and when a person proved who they
    are; a program has neither. `tier` is the contract that sets its limits.
    """

    tenant: str
    subject: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    acr: str | None = None
    auth_time: datetime | None = None
    tier: str = DEFAULT_TIER


Authenticator = Callable[[Request], Awaitable[Principal | None]]
"""Looks for one kind of credentials. None: the request has none of that kind. Raises 401 for
those that are wrong. It must not open a transaction while the request holds one."""


async def caller_of(request: Request) -> Principal:
    """Return who is asking, whatever they may. Raises 401. Asked again, it remembers."""
    known: Principal | None = getattr(request.state, "principal", None)
    if known is None:
        known = request.state.principal = await _authenticate(request)
        structlog.contextvars.bind_contextvars(tenant=known.tenant)
        current_tenant.set(known.tenant)
    return known


async def principal_of(request: Request, asked: SecurityScopes, _token: _Bearer) -> Principal:
    """Return who is asking, who has every scope that the route asks for.

    Raises 401 for who is unknown or must prove again who they are, 403 for who may not.
    """
    principal = await caller_of(request)
    services = request.app.state.services
    if not principal.scopes.issuperset(asked.scopes):
        raise AppError(
            403,
            "Not allowed",
            f"This needs {asked.scope_str}. Ask who manages roles here.",
            headers={
                "WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{asked.scope_str}"'
            },
        )
    # Where nothing but the access token guards the door, there is no second factor to ask for.
    if services.authenticators:
        access: Access = services.access
        age_s = access.step_up_s(asked.scopes)
        if age_s is not None or access.asks_second_factor(principal.roles):
            require_second_factor(principal, services.settings.mfa_acr, age_s)
    return principal


def require_second_factor(principal: Principal, acr: str, age_s: int | None) -> None:
    """Raise 401 (RFC 9470) unless a second factor was given, `age_s` seconds ago at most."""
    if principal.acr == acr and (age_s is None or _age_s(principal) <= age_s):
        return
    challenge = f'Bearer error="insufficient_user_authentication", acr_values="{acr}"'
    if age_s is not None:
        challenge += f", max_age={age_s}"
    raise AppError(
        401,
        "Prove again who you are",
        "This needs a second factor, given a short time ago.",
        headers={"WWW-Authenticate": challenge},
        acr_values=acr,
        max_age=age_s,
    )


def _age_s(principal: Principal) -> float:
    if principal.auth_time is None:
        return float("inf")
    return (utcnow() - principal.auth_time).total_seconds()


async def _authenticate(request: Request) -> Principal:
    services = request.app.state.services
    if len(request.headers.getlist("authorization")) > 1:
        # What stands before this application may have looked at the other one.
        raise AppError(
            400,
            "Two callers",
            "Send one Authorization header.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_request"'},
        )
    for authenticator in services.authenticators:
        if (principal := await authenticator(request)) is not None:
            return principal
    return by_access_token(
        services.settings,
        services.access,
        request.headers.get("authorization"),
        # Whoever offers a login answers those who have none yet.
        is_only_guard=not services.page_answers,
    )


def by_access_token(
    settings: Settings, access: Access, authorization: str | None, *, is_only_guard: bool = True
) -> Principal:
    """Return the caller with every scope, or raise 401.

    The token comes as `Bearer TOKEN` (API) or as the password of HTTP Basic (a browser's own
    prompt; the user name is then the person's name). Where it is the only guard and not set,
    everyone may enter: production refuses that.
    """
    every = frozenset(access.scopes)
    is_wrong = (authorization or "").lower().startswith("bearer ")
    challenge = 'Bearer error="invalid_token"' if is_wrong else "Bearer"
    if settings.access_token is None:
        if is_only_guard and not settings.is_production:
            return Principal(settings.default_tenant, "local", scopes=every)
        raise not_signed_in("Sign in, or send a bearer token that is valid.", challenge)
    subject, secret = _credentials(authorization or "")
    if not secrets.compare_digest(
        secret.encode(), settings.access_token.get_secret_value().encode()
    ):
        if is_only_guard:
            raise not_signed_in(
                "Send the ACCESS_TOKEN as a bearer token, or as the password when the browser "
                "asks.",
                challenge='Basic realm="app", charset="UTF-8"',
            )
        raise not_signed_in("Sign in, or send a bearer token that is valid.", challenge)
    return Principal(settings.default_tenant, subject, scopes=every)


def not_signed_in(detail: str, challenge: str = "Bearer") -> AppError:
    """The refusal of who is unknown."""
    return AppError(401, "Not signed in", detail, headers={"WWW-Authenticate": challenge})


def require_guard(settings: Settings, authenticators: Sequence[Authenticator]) -> None:
    """Raise ConfigurationError when production would stand open."""
    token = settings.access_token.get_secret_value() if settings.access_token else ""
    if not settings.is_production or len(token) >= _TOKEN_LENGTH:
        return
    if token or not authenticators:
        raise ConfigurationError(
            f"ENVIRONMENT=production needs an ACCESS_TOKEN of {_TOKEN_LENGTH} characters or more; "
            "`app setup` writes one into .env"
        )


def _credentials(authorization: str) -> tuple[str, str]:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return "api", value.strip()
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user or "person", password
    return "", ""


PrincipalDep = Annotated[Principal, Depends(caller_of)]
