"""The authorization code flow: out to the provider, and back with a code."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from sqlalchemy import delete
from starlette.datastructures import QueryParams

from app.auth.models import Flow
from app.auth.provider import Provider, Tokens
from app.auth.sealing import draw, fingerprint
from app.core.db import Database, utcnow
from app.core.problems import AppError

# Binds a flow to the browser that began it; lives as long as one.
BROWSER_COOKIE = "__Host-login"
LASTS_S = 600


def local_target(target: str) -> str:
    """Return `target` when it is a path of this site, else the start page."""
    seen = unquote(unquote(target))
    printable = all(" " < letter < "\x7f" for letter in target) and seen.isprintable()
    is_path = target.startswith("/") and not seen.startswith("//") and "\\" not in seen
    return target if is_path and printable and len(target) <= 500 else "/"


async def begin(
    database: Database,
    provider: Provider,
    browser: str,
    target: str,
    *,
    acr: str | None = None,
    max_age: int | None = None,
) -> str:
    """Note a flow of this browser and return the address at the provider."""
    state, nonce, verifier = draw(), draw(), secrets.token_urlsafe(48)
    url = await provider.authorization_url(
        state=state, nonce=nonce, verifier=verifier, acr=acr, max_age=max_age
    )
    now = utcnow()
    async with database.session() as session:
        session.add(
            Flow(
                state_hash=fingerprint(state),
                browser_hash=fingerprint(browser),
                provider=provider.name,
                nonce=nonce,
                verifier=verifier,
                target=local_target(target),
                acr=acr,
                max_age=max_age,
                expires_at=now + timedelta(seconds=LASTS_S),
            )
        )
    return url


async def finish(
    database: Database, provider: Provider, browser: str | None, answer: Mapping[str, str]
) -> tuple[Flow, Tokens, dict[str, Any]]:
    """Return the flow, the tokens and who signed in.

    Raises AppError before anything is sent to the provider, where the answer is not for a flow of
    this browser with this provider; TokenDenied, TokenRefused or FetchFailed after.
    """
    flow = await _taken(database, answer.get("state", ""))
    require_own(flow, provider, browser)
    metadata = await provider.metadata()
    require_issuer(answer.get("iss"), metadata.issuer, is_promised=metadata.says_iss)
    if "error" in answer or not answer.get("code"):
        raise refused(f"The provider says: {answer.get('error', 'no code')[:60]}.")
    tokens = await provider.exchange(answer["code"], flow.verifier)
    return flow, tokens, await provider.identity(tokens, flow.nonce)


def said_once(answer: QueryParams) -> dict[str, str]:
    """Return what an answer says. Refuses one that says something twice (RFC 6749, 3.1)."""
    if len(answer) != len(answer.multi_items()):
        raise refused("The answer says something twice.")
    return dict(answer)


async def _taken(database: Database, state: str) -> Flow:
    # Whatever comes of it: an answer counts once, also when two come at the same moment.
    async with database.session() as session:
        flow = await session.scalar(
            delete(Flow).where(Flow.state_hash == fingerprint(state)).returning(Flow)
        )
    if flow is None or flow.expires_at <= utcnow():
        raise refused("This login was not begun here, is too old, or was finished already.")
    return flow


def require_own(flow: Flow, provider: Provider, browser: str | None) -> None:
    """Refuse an answer that belongs to another provider's flow, or to another browser's."""
    if flow.provider != provider.name:
        raise refused("This answer comes from another provider than was asked.")
    if not browser or not secrets.compare_digest(flow.browser_hash, fingerprint(browser)):
        raise refused("This login was begun in another browser.")


def require_issuer(given: str | None, issuer: str, *, is_promised: bool) -> None:
    """Refuse an answer of another issuer, or one that should say and does not (RFC 9207)."""
    if given is None and not is_promised:
        return
    if given != issuer:
        raise refused("This answer does not come from the provider that was asked.")


def refused(detail: str) -> AppError:
    return AppError(400, "Not signed in", f"{detail} Begin again.")
