"""An OpenID provider: what it says of itself, its keys, and its token endpoint."""

import asyncio
import hashlib
import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2
import structlog
from joserfc import jwt
from joserfc.jwk import JWKRegistry

from app.auth.keys import FetchFailed, KeyCache
from app.auth.metadata import WELL_KNOWN, Metadata, read, refusals
from app.auth.settings import AuthSettings
from app.auth.tokens import Expected, TokenRefused, algorithm_of, audiences, verify
from app.core.egress import Egress, HostRefused

log = structlog.get_logger("app.auth")

_SIZE_LIMIT = 256_000
_METADATA_S = 3_600.0


class TokenDenied(Exception):  # noqa: N818  says what happened
    """The provider took the request and said no: the grant is used, revoked or expired."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint gave; `expires_s` is for how long the access token is good."""

    access_token: str
    id_token: str | None
    refresh_token: str | None
    expires_s: int


class Provider:
    """One provider and our registration there. It has a redirect URI of its own."""

    def __init__(
        self,
        name: str,
        settings: AuthSettings,
        discovery_url: str,
        egress: Egress,
        transport: httpx2.AsyncBaseTransport | None = None,
        issuer: str = "",
    ) -> None:
        self.name = name
        self.settings = settings
        self.issuer = issuer or discovery_url.removesuffix(WELL_KNOWN)
        self.redirect_uri = f"{settings.public_url}/auth/callback/{name}"
        self.keys = KeyCache(self.fetch_keys, settings.keys_cooldown_s)
        self._discovery_url = discovery_url
        self._egress = egress
        self._transport = transport
        self._metadata: tuple[float, Metadata] | None = None
        self._discovering = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """Return what the provider says of itself. Raises FetchFailed, also when it is not it."""
        async with self._discovering:
            known = self._metadata
            if known and time.monotonic() - known[0] < _METADATA_S:
                return known[1]
            try:
                found = self._checked(await self.document())
            except FetchFailed as error:
                log.error("provider_metadata_refused", provider=self.name, reason=str(error))
                if known is None:
                    raise
                # What was known serves on; asked again in a minute.
                self._metadata = (time.monotonic() - _METADATA_S + 60, known[1])
                return known[1]
            self._metadata = (time.monotonic(), found)
            return found

    def _checked(self, document: Mapping[str, Any]) -> Metadata:
        if wrong := list(refusals(document, self.issuer, self.settings.endpoint_hosts)):
            raise FetchFailed("; ".join(wrong))
        return read(document)

    async def document(self) -> Mapping[str, Any]:
        """Return what stands at the discovery address, unchecked. Raises FetchFailed."""
        return await self._fetch("GET", self._discovery_url)

    async def fetch_keys(self) -> Mapping[str, Any]:
        """Return what stands at `jwks_uri`, unchecked. Raises FetchFailed."""
        return await self._fetch("GET", (await self.metadata()).jwks_uri)

    async def authorization_url(
        self, *, state: str, nonce: str, verifier: str, acr: str | None, max_age: int | None
    ) -> str:
        """Where a browser goes to sign in; always with PKCE by S256."""
        parameters = {
            "client_id": self.settings.client_id,
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": self.settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        if acr:
            parameters["acr_values"] = " ".join(sorted(self.settings.mfa_acr_values)) or acr
        if max_age is not None:
            parameters["max_age"] = str(max_age)
        endpoint = (await self.metadata()).authorization_endpoint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"

    async def exchange(self, code: str, verifier: str) -> Tokens:
        """Trade a code for tokens. Raises TokenDenied, FetchFailed."""
        return await self._token(
            grant_type="authorization_code",
            code=code,
            redirect_uri=self.redirect_uri,
            code_verifier=verifier,
        )

    async def refresh(self, refresh_token: str) -> Tokens:
        """Trade a refresh token for new tokens. Raises TokenDenied, FetchFailed."""
        return await self._token(grant_type="refresh_token", refresh_token=refresh_token)

    async def _token(self, **form: str) -> Tokens:
        url = (await self.metadata()).token_endpoint
        found = await self._fetch("POST", url, data={**form, **self._client()})
        access, expires = found.get("access_token"), found.get("expires_in", 300)
        if not isinstance(access, str) or str(found.get("token_type")).lower() != "bearer":
            raise FetchFailed("the token endpoint answered without a bearer token")
        return Tokens(
            access,
            _text(found, "id_token"),
            _text(found, "refresh_token"),
            expires if isinstance(expires, int) else 300,
        )

    def _client(self) -> dict[str, str]:
        """How the application proves to the provider that it is itself."""
        settings = self.settings
        if settings.client_key_file is None:
            secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
            return {"client_id": settings.client_id, "client_secret": secret}
        return {
            "client_id": settings.client_id,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self.client_assertion(settings.client_key_file.read_bytes()),
        }

    def client_assertion(self, pem: bytes) -> str:
        key = JWKRegistry.import_key(pem, "EC" if b"EC PRIVATE" in pem else "RSA")
        now = int(time.time())
        claims = {
            "iss": self.settings.client_id,
            "sub": self.settings.client_id,
            # One audience, and it is the issuer: an assertion for a list opens other doors, too.
            "aud": self.issuer,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + 60,
        }
        header = {"alg": algorithm_of(key), "kid": key.thumbprint()}
        return jwt.encode(header, claims, key, algorithms=[header["alg"]])

    async def identity(self, tokens: Tokens, nonce: str | None) -> dict[str, Any]:
        """Return the claims of a fresh ID token and of userinfo. Raises TokenRefused, FetchFailed.

        `nonce` is None after a refresh, where there is none.
        """
        claims = await self.id_claims(tokens.id_token or "", nonce)
        url = (await self.metadata()).userinfo_endpoint
        if url is None:
            return claims
        headers = {"Authorization": f"Bearer {tokens.access_token}"}
        told = await self._fetch("GET", url, headers=headers)
        if told.get("sub") != claims["sub"]:
            raise TokenRefused("userinfo tells of somebody else")
        return {**told, **claims}

    async def id_claims(self, id_token: str, nonce: str | None) -> dict[str, Any]:
        expected = Expected(self.issuer, self.settings.client_id, self.settings.leeway_s)
        claims = await verify(id_token, "", self.keys.find, expected)
        if not claims.get("sub"):
            raise TokenRefused("it names nobody")
        authorized = claims.get("azp")
        if authorized != self.settings.client_id and (
            authorized is not None or len(audiences(claims)) > 1
        ):
            raise TokenRefused("it was made for another client")
        if nonce is not None and claims.get("nonce") != nonce:
            raise TokenRefused("it does not belong to this login")
        return claims

    async def _fetch(self, method: str, url: str, **options: Any) -> Mapping[str, Any]:
        """Return a JSON object: no redirects, not more than some bytes, not longer than a while."""
        try:
            async with (
                asyncio.timeout(self.settings.timeout_s),
                self._egress.client(transport=self._transport, follow_redirects=False) as client,
                client.stream(method, url, **options) as response,
            ):
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _SIZE_LIMIT:
                        raise FetchFailed("the provider's answer is too large")
        except HostRefused as error:
            raise FetchFailed(str(error)) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise FetchFailed(f"the provider cannot be reached: {type(error).__name__}") from error
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise FetchFailed(f"the provider answered {response.status_code}, and no JSON object")
        if response.status_code in (400, 401) and method == "POST":
            raise TokenDenied(str(document.get("error", "denied"))[:64])
        if response.status_code != 200:
            raise FetchFailed(f"the provider answered {response.status_code}")
        return document


def challenge(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _text(found: Mapping[str, Any], name: str) -> str | None:
    value = found.get(name)
    return value if isinstance(value, str) else None
