"""Who is asking. One access token guards the application until it has a login."""

import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.core.problems import AppError
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: `tenant` owns what is read and written, `subject` is who is named for it."""

    tenant: str
    subject: str
    roles: frozenset[str] = frozenset()


def authenticate(settings: Settings, authorization: str | None) -> Principal:
    """Return the caller, or raise 401.

    The token comes as `Bearer TOKEN` (API) or as the password of HTTP Basic (a browser's own
    prompt; the user name is then the person's name). Without a token set, everyone may enter:
    settings refuse that in production.
    """
    if settings.access_token is None:
        return Principal(settings.default_tenant, "local")
    subject, secret = _credentials(authorization or "")
    if not secrets.compare_digest(
        secret.encode(), settings.access_token.get_secret_value().encode()
    ):
        raise AppError(
            401,
            "Not signed in",
            "Send the ACCESS_TOKEN as a bearer token, or as the password when the browser asks.",
            headers={"WWW-Authenticate": 'Basic realm="app", charset="UTF-8"'},
        )
    return Principal(settings.default_tenant, subject)


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


async def _principal(request: Request) -> Principal:
    settings = request.app.state.services.settings
    return authenticate(settings, request.headers.get("authorization"))


PrincipalDep = Annotated[Principal, Depends(_principal)]
