"""What an attacker makes: tokens of every kind, and providers that lie."""

import base64
import json
import time
from typing import Any

import httpx2
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import JWKRegistry, Key, RSAKey
from sqlalchemy import select

from app.auth.issuer import grants
from app.auth.login import Auth
from app.auth.models import IssuerKey
from app.auth.provider import Provider
from app.auth.settings import AuthSettings
from app.core.egress import Egress
from tests.auth.conftest import ISSUER, SITE

MFA = "urn:app:mfa"
LYING = RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"})
STRANGER = RSAKey.generate_key(2048, {"kid": "stranger", "alg": "RS256", "use": "sig"})


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def segment(value: Any) -> str:
    return b64(json.dumps(value).encode())


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good access token of an operator; None leaves one out."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": SITE,
        "sub": "olu",
        "client_id": "app",
        "iat": now,
        "exp": now + 300,
        "jti": "one",
        "roles": ["operator"],
        "scope": "metrics:read audit:read",
        "acr": MFA,
        "auth_time": now,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(key: Key, said: dict[str, Any] | None = None, /, **header: Any) -> str:
    """A token that `key` has signed; a header that is None is left out."""
    whole = {"alg": "RS256", "kid": key.kid, "typ": "at+jwt"} | header
    whole = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(
        whole,
        claims() if said is None else said,
        key,
        algorithms=[whole["alg"]],
        default_type=None,
    )


def signed_text(key: Key, header: str, said: str) -> str:
    """A token of exactly these texts, rightly signed: as an issuer that is careless may make it."""
    start = f"{b64(header.encode())}.{b64(said.encode())}"
    private: Any = key.private_key
    return f"{start}.{b64(private.sign(start.encode(), PKCS1v15(), SHA256()))}"


def raw(header: dict[str, Any] | str, said: Any = None, signature: str = "AA") -> str:
    """A token put together by hand."""
    first = header if isinstance(header, str) else segment(header)
    return f"{first}.{segment(claims() if said is None else said)}.{signature}"


async def issuer_key(auth: Auth) -> Key:
    """The very key with which the issuer signs."""
    async with auth.services.database.session() as session:
        await grants.signing_key(session)
        row = (
            await session.scalars(select(IssuerKey).order_by(IssuerKey.created_at.desc()))
        ).first()
    assert row is not None
    return JWKRegistry.import_key(row.jwk)


class Lying:
    """A provider whose every answer a test decides, and which counts how often it is asked."""

    issuer = "https://idp.example"

    def __init__(self, **settings: Any) -> None:
        self.key: Key = LYING
        self.asked: list[str] = []
        self.metadata: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        }
        self.keys: Any = None
        self.answers: dict[str, Any] = {}
        self.forms: list[str] = []
        known = AuthSettings(
            _env_file=None,
            public_url=SITE,
            client_id="app",
            client_secret="c" * 32,
            **settings,
        )
        url = f"{self.issuer}/.well-known/openid-configuration"
        transport = httpx2.MockTransport(self._answer)
        self.provider = Provider("lying", known.completed(8000), url, Egress(), transport)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.asked.append(path)
        self.forms.append(request.content.decode())
        answer = self.answers.get(path)
        if callable(answer):
            answer = answer()
        if isinstance(answer, httpx2.Response):
            return answer
        if path.startswith("/.well-known/"):
            answer = self.metadata
        elif path == "/jwks":
            answer = self.keys or {"keys": [self.public]}
        return httpx2.Response(200, json=answer)

    @property
    def public(self) -> dict[str, Any]:
        return dict(self.key.as_dict(private=False))

    def id_token(self, *, header: dict[str, Any] | None = None, **changes: Any) -> str:
        now = int(time.time())
        said = {
            "iss": self.issuer,
            "aud": "app",
            "sub": "mallory",
            "iat": now,
            "exp": now + 300,
            "nonce": "n",
            "auth_time": now,
            "roles": ["viewer"],
        } | changes
        said = {name: value for name, value in said.items() if value is not None}
        return signed(self.key, said, typ="JWT", alg=self.key.get("alg"), **(header or {}))
