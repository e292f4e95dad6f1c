"""What the application knows of logins: providers, and who is behind a session or a token."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.log import record
from app.auth import flow, sessions
from app.auth.accounts import (
    Members,
    NoMember,
    Welcome,
    account_of,
    acr_of,
    auth_time_of,
    known_account,
    scopes_granted,
)
from app.auth.keys import FetchFailed, KeyUnknown
from app.auth.models import Account, AppSession, Flow, UsedToken
from app.auth.provider import Provider, TokenDenied, Tokens
from app.auth.sealing import Sealed, fingerprint
from app.auth.sessions import Login
from app.auth.settings import AuthSettings
from app.auth.tokens import Expected, TokenRefused, verify
from app.core.db import utcnow
from app.core.principal import Principal
from app.core.problems import AppError
from app.services import Services

log = structlog.get_logger("app.auth")

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_TOKEN_S = 120
_IDS_LIMIT = 10_000
_REFRESH_MIN_S, _REFRESH_MAX_S = 60, 900


@dataclass
class Auth:
    """The login of this application. A feature may replace `members`, which says who is what, and
    set `welcome`, and `members_of_tokens` where each request with a token should cost less.
    """

    services: Services
    settings: AuthSettings
    providers: dict[str, Provider]
    members: Members
    welcome: Welcome | None = None
    members_of_tokens: Members | None = None

    def __post_init__(self) -> None:
        secret = self.settings.secret
        self._ids: dict[tuple[str, str], str] = {}
        self.sealed = Sealed(secret.get_secret_value() if secret else "")

    def provider(self, name: str) -> Provider:
        if name not in self.providers:
            raise AppError(404, "No such provider", "Sign in from the page /login.")
        return self.providers[name]

    async def finish(
        self, provider: Provider, answer: Mapping[str, str], cookies: Mapping[str, str], agent: str
    ) -> tuple[str, str]:
        """Finish a login: return the new session's cookie, and where the person wanted to go.

        Raises AppError when the answer of the provider is not what was asked for.
        """
        try:
            begun, tokens, claims = await flow.finish(
                self.services.database, provider, cookies.get(flow.BROWSER_COOKIE), answer
            )
        except (TokenDenied, TokenRefused) as error:
            log.warning("login_refused", provider=provider.name, reason=str(error))
            raise flow.refused("The provider's answer cannot be trusted.") from error
        login = self._login(provider, tokens, claims)
        self._require_asked(begun, login)
        async with self.services.database.session() as session:
            account = await account_of(session, claims)
            if self.welcome is not None:
                await self.welcome(session, account, cookies)
            membership = await self.members(session, account, claims)
            if membership is None:
                raise NoMember
            cookie, row = await sessions.begin(
                session,
                account,
                membership,
                login,
                browser=agent,
                lasts_s=self.settings.session_s,
                old_cookie=cookies.get(sessions.COOKIE),
            )
            await record(
                session, self._person(row), "session.begin", f"session:{row.id}", after=login.acr
            )
        return cookie, begun.target

    def _login(self, provider: Provider, tokens: Tokens, claims: Mapping[str, Any]) -> Login:
        sid = claims.get("sid")
        return Login(
            acr=acr_of(claims, self.services.settings, self.settings),
            auth_time=auth_time_of(claims, self.settings.leeway_s),
            provider=provider.name,
            provider_session=sid if isinstance(sid, str) else None,
            tokens=self._seal(tokens),
            fresh_until=_fresh_until(tokens),
        )

    def _require_asked(self, begun: Flow, login: Login) -> None:
        """Refuse a login that is weaker or older than what was asked of the provider."""
        age = utcnow() - login.auth_time
        too_old = begun.max_age is not None and age > timedelta(
            seconds=begun.max_age + self.settings.leeway_s
        )
        if too_old or (begun.acr and login.acr != begun.acr):
            raise flow.refused("A second factor was asked for, and not given.")

    def _seal(self, tokens: Tokens) -> str:
        return self.sealed.seal({"refresh": tokens.refresh_token, "id": tokens.id_token})

    def id_token_of(self, row: AppSession) -> str | None:
        return self.sealed.open(row.tokens).get("id")

    def _person(self, row: AppSession) -> Principal:
        return Principal(
            tenant=row.tenant_id,
            subject=row.account_id,
            roles=frozenset(row.roles),
            scopes=self.services.access.scopes_of(row.roles),
            acr=row.acr,
            auth_time=row.auth_time,
            tier=row.tier,
        )

    async def by_session(self, cookie: str) -> tuple[Principal, AppSession] | None:
        """Return who is behind a session's cookie, asking the provider again now and then."""
        database = self.services.database
        async with database.reader() as session:
            row = await sessions.find(session, cookie, self.settings.session_idle_s)
        if row is None:
            return None
        if sessions.is_to_be_renewed(row):
            async with database.session() as session:
                is_ours = await sessions.claim_refresh(session, row)
            if is_ours and not await self._refreshed(row):
                async with database.session() as session:
                    await sessions.end_by_cookie(session, cookie)
                    await record(
                        session,
                        self._person(row),
                        "session.end",
                        f"session:{row.id}",
                        reason="the provider renewed it no more",
                    )
                return None
        elif sessions.is_to_be_noted(row):
            async with database.session() as session:
                await sessions.note(session, row)
        return self._person(row), row

    async def _refreshed(self, row: AppSession) -> bool:
        """Whether the provider still stands by a session. Its tokens are renewed then."""
        provider, kept = self.providers.get(row.provider), self.sealed.open(row.tokens)
        if provider is None or not kept.get("refresh"):
            return False
        try:
            tokens = await provider.refresh(kept["refresh"])
            # Kept before anything else can fail: the old refresh token is good no more.
            if not await self._keep(row, tokens, kept):
                return False
            return not tokens.id_token or await self._is_same(provider, tokens, row)
        except (FetchFailed, KeyUnknown) as error:
            # Their outage is not ours, nor is a key so new that it may not be fetched yet: the
            # session lives on, until it is idle or old.
            log.warning("session_not_renewed_yet", session=row.id, reason=str(error))
            return True
        except (TokenDenied, TokenRefused) as error:
            log.warning("session_not_renewed", session=row.id, reason=str(error))
            return False

    async def _keep(self, row: AppSession, tokens: Tokens, kept: Mapping[str, Any]) -> bool:
        """Keep renewed tokens with their session, unless that has ended meanwhile."""
        renewed = {
            "refresh": tokens.refresh_token or kept["refresh"],
            "id": tokens.id_token or kept.get("id"),
        }
        async with self.services.database.session() as session:
            found = await session.get(AppSession, row.hash)
            if found is None:
                return False
            found.tokens = self.sealed.seal(renewed)
            found.fresh_until = _fresh_until(tokens)
            found.refreshing_until = None
            found.seen_at = utcnow()
        return True

    async def _is_same(self, provider: Provider, tokens: Tokens, row: AppSession) -> bool:
        """Whether a renewed ID token tells of the same person, who still is what they were."""
        claims = await provider.identity(tokens, None)
        async with self.services.database.reader() as session:
            membership = await self.members(session, row.account, claims)
        return (
            (claims["iss"], claims["sub"]) == (row.account.issuer, row.account.subject)
            and membership is not None
            and (membership.tenant, sorted(membership.roles)) == (row.tenant_id, row.roles)
        )

    async def by_token(self, token: str) -> tuple[Principal, dict[str, Any]]:
        """Return who is behind an access token (RFC 9068). Raises TokenRefused."""
        provider = next(iter(self.providers.values()))
        expected = Expected(provider.issuer, self.settings.audience, self.settings.leeway_s)
        claims = await verify(token, self.settings.access_token_typ, provider.keys.find, expected)
        subject, services = claims.get("sub"), self.services
        if not isinstance(subject, str) or not subject:
            raise TokenRefused("it does not say whose it is")
        is_a_program = is_program(claims)
        async with services.database.reader() as session:
            account = None
            if not is_a_program:
                account = await self._account(session, claims["iss"], subject)
            members = self.members_of_tokens or self.members
            membership = await members(session, account, claims)
        if membership is None:
            raise TokenRefused("whose it is has no role here")
        scopes = scopes_granted(claims, services.access)
        if membership.roles or not is_a_program:
            # What was granted to a token is never more than what its owner may do.
            scopes &= services.access.scopes_of(membership.roles)
        name = account.id if account else subject
        principal = Principal(
            membership.tenant, name, membership.roles, scopes, tier=membership.tier
        )
        if is_a_program:
            return principal, claims
        return replace(
            principal,
            acr=acr_of(claims, services.settings, self.settings),
            auth_time=auth_time_of(claims, self.settings.leeway_s),
        ), claims

    async def _account(self, session: AsyncSession, issuer: str, subject: str) -> Account:
        """Return the owner of a token, asking the database once: nobody's id ever changes."""
        if (issuer, subject) not in self._ids:
            known = await known_account(session, issuer, subject)
            if known is None:
                # Never signed in by a browser, and somebody all the same. No account has that id.
                return Account(id=f"sub:{subject}", issuer=issuer, subject=subject)
            if len(self._ids) >= _IDS_LIMIT:
                self._ids.clear()
            self._ids[issuer, subject] = known.id
        return Account(id=self._ids[issuer, subject], issuer=issuer, subject=subject)

    async def end_by_logout_token(self, provider: Provider, token: str) -> None:
        """End what a logout token names (OpenID back-channel logout). Raises TokenRefused."""
        expected = Expected(provider.issuer, self.settings.client_id, self.settings.leeway_s)
        claims = await verify(token, self.settings.logout_token_typ, provider.keys.find, expected)
        require_logout(claims)
        sid, subject = claims.get("sid"), claims.get("sub")
        async with self.services.database.session() as session:
            await use_once(session, f"logout {provider.name} {claims['jti']}", claims["exp"])
            await sessions.end_at_provider(session, provider.name, provider.issuer, sid, subject)


def _fresh_until(tokens: Tokens) -> datetime | None:
    """When the provider is to be asked again; never, when it gave nothing to ask with."""
    if tokens.refresh_token is None:
        return None
    seconds = min(max(tokens.expires_s, _REFRESH_MIN_S), _REFRESH_MAX_S)
    return utcnow() + timedelta(seconds=seconds)


def is_program(claims: Mapping[str, Any]) -> bool:
    """Whether a client asked for itself (client credentials): it is its own subject then."""
    return claims.get("sub") in (claims.get("client_id"), claims.get("azp"))


def require_logout(claims: Mapping[str, Any]) -> None:
    """Refuse claims that are not those of a logout token of this moment."""
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise TokenRefused("it tells of no logout")
    if "nonce" in claims:
        raise TokenRefused("it is an ID token")
    if claims["exp"] - claims["iat"] > _LOGOUT_TOKEN_S:
        raise TokenRefused("it is good for too long")
    names = [claims.get("jti"), claims.get("sid", claims.get("sub"))]
    if not all(isinstance(name, str) and 0 < len(name) <= 255 for name in names):
        raise TokenRefused("it does not say which session, or has no id of its own")


async def use_once(session: AsyncSession, name: str, until: float) -> None:
    """Note that a token was used. Raises TokenRefused when it was before."""
    key = fingerprint(name)
    if await session.get(UsedToken, key) is not None:
        raise TokenRefused("it was used before")
    # Kept a little longer than the token is accepted, clocks being what they are.
    session.add(UsedToken(hash=key, expires_at=datetime.fromtimestamp(until + 300, UTC)))
    try:
        await session.flush()
    except IntegrityError as error:
        # Another process was faster, by less than a transaction.
        raise TokenRefused("it was used before") from error
