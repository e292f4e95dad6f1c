"""Signed tokens of others, read strictly. Whatever is wrong with one is a TokenRefused."""

import base64
import binascii
import json
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

LENGTH_LIMIT = 8_192
_KID_LIMIT = 256
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_RSA_BITS = 2_048
# What a key without `alg` is for. One key has one algorithm (RFC 8725, 3.1).
_USUAL = {"RSA": "RS256", "P-256": "ES256", "P-384": "ES384", "Ed25519": "EdDSA"}
_ALGORITHMS = frozenset({*_USUAL.values(), "RS384", "RS512", "PS256", "PS384", "PS512", "Ed25519"})
# A key that a token brings along, or says where to fetch, is the attacker's.
_FOREIGN_KEYS = frozenset({"jwk", "jku", "x5u", "x5c"})
# What signed tokens of other kinds are called: an ID token is none of them.
_NOT_ID_TOKENS = frozenset({"at+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt"})


class TokenRefused(Exception):  # noqa: N818  says what happened
    """A token that is not what it should be. The text says why, and never holds the token."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say to be ours."""

    issuer: str
    audience: str
    leeway_s: int


FindKey = Callable[[str], Awaitable[Key]]


def header_of(token: str) -> dict[str, Any]:
    """Return a token's header, read but not yet trusted."""
    header = _header(token)
    if _FOREIGN_KEYS & header.keys():
        raise TokenRefused("it brings its own key")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _KID_LIMIT:
        raise TokenRefused("it does not name its key")
    return header


def proof_header(token: str) -> dict[str, Any]:
    """Return the header of a proof of possession, which does bring its key."""
    header = _header(token)
    if _FOREIGN_KEYS & header.keys() != {"jwk"}:
        raise TokenRefused("a proof brings its key, and no address of one")
    return header


def _header(token: str) -> dict[str, Any]:
    if len(token) > LENGTH_LIMIT:
        raise TokenRefused("it is too long")
    segments = token.split(".", 3)
    if len(segments) != 3 or not all(map(_SEGMENT.fullmatch, segments)):
        raise TokenRefused("it is not a signed token")
    header = _object(_decoded(segments[0]))
    if "crit" in header or "b64" in header:
        raise TokenRefused("it has an extension that is not known here")
    if not isinstance(header.get("alg"), str) or header["alg"] not in _ALGORITHMS:
        raise TokenRefused("its algorithm is not accepted")
    return header


def require_typ(header: Mapping[str, Any], typ: str) -> None:
    """Refuse a token of another kind; without `typ`, an ID token is expected."""
    found = str(header.get("typ", "")).lower().removeprefix("application/")
    if found in _NOT_ID_TOKENS if not typ else found != typ.lower():
        raise TokenRefused("it is a token of another kind")


async def verify(token: str, typ: str, find_key: FindKey, expected: Expected) -> dict[str, Any]:
    """Return the claims of a token that is genuine, of this kind, for us and of this moment.

    Raises TokenRefused.
    """
    header = header_of(token)
    require_typ(header, typ)
    claims = signed_claims(token, header, await find_key(header["kid"]))
    require_claims(claims, expected)
    return claims


def signed_claims(token: str, header: Mapping[str, Any], key: Key) -> dict[str, Any]:
    """Return the claims when `key` signed them by the one algorithm that it is for."""
    algorithm = algorithm_of(key)
    if header["alg"] != algorithm:
        raise TokenRefused("its algorithm is not that of its key")
    try:
        signed = jws.deserialize_compact(token, key, algorithms=[algorithm])
    except (JoseError, ValueError, TypeError) as error:
        raise TokenRefused("its signature is wrong") from error
    return _object(signed.payload)


def algorithm_of(key: Key) -> str:
    """The one algorithm that a key is for: what it says, else what is usual for its kind."""
    named = key.get("alg")
    return str(named) if named else _USUAL.get(str(key.get("crv", key.key_type)), "none")


def is_usable(key: Key) -> bool:
    """Whether tokens may be signed by this key: public, for signatures, not too short."""
    if key.get("use", "sig") != "sig" or algorithm_of(key) not in _ALGORITHMS:
        return False
    if isinstance(key, RSAKey):
        return key.public_key.key_size >= _RSA_BITS
    return isinstance(key, (ECKey, OKPKey))


def require_claims(claims: Mapping[str, Any], expected: Expected) -> None:
    """Refuse claims of another issuer, for others, or of another time."""
    if claims.get("iss") != expected.issuer:
        raise TokenRefused("another issuer made it")
    if expected.audience not in audiences(claims):
        raise TokenRefused("it is for others")
    subject = claims.get("sub")
    if subject is not None and not (isinstance(subject, str) and 0 < len(subject) <= 255):
        raise TokenRefused("its subject is not a name")
    now = time.time()
    if now >= _moment(claims, "exp") + expected.leeway_s:
        raise TokenRefused("it has expired")
    if _moment(claims, "iat") > now + expected.leeway_s:
        raise TokenRefused("it was issued in the future")
    if "nbf" in claims and _moment(claims, "nbf") > now + expected.leeway_s:
        raise TokenRefused("it is not valid yet")


def audiences(claims: Mapping[str, Any]) -> Collection[str]:
    found = claims.get("aud")
    items = [found] if isinstance(found, str) else found
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        return ()
    return items


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e11:
        raise TokenRefused(f"{name} is missing or not a time")
    return value


def _decoded(segment: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except (binascii.Error, ValueError) as error:
        raise TokenRefused("it is not a signed token") from error


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise TokenRefused("it cannot be read") from error
    if not isinstance(value, dict):
        raise TokenRefused("it cannot be read")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a number of JSON")
