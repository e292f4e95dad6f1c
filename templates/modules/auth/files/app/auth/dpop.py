"""DPoP (RFC 9449): a token that is bound to a key is worth nothing without it."""

import base64
import hashlib
import time
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from app.auth.login import Auth, use_once
from app.auth.tokens import TokenRefused, is_usable, proof_header, require_typ, signed_claims

_FRESH_S = 60
# What is named to who sends a wrong proof.
ALGORITHMS = "ES256 ES384 EdDSA RS256 PS256"


async def require_proof(
    request: Request, auth: Auth, scheme: str, token: str, claims: Mapping[str, Any]
) -> None:
    """Refuse a bound token without a proof of its key, for this request and of this moment."""
    confirmation = claims.get("cnf")
    bound = confirmation.get("jkt") if isinstance(confirmation, dict) else None
    if bound is None and scheme == "bearer":
        return
    proofs = request.headers.getlist("dpop")
    if bound is None or scheme != "dpop" or len(proofs) != 1:
        raise TokenRefused("a bound token comes with one proof, and a proof with a bound token")
    proven = proof_claims(proofs[0], str(bound))
    url = f"{auth.settings.public_url}{request.url.path}"
    require_request(proven, request.method, url, token)
    async with auth.services.database.session() as session:
        await use_once(session, f"dpop {bound} {proven['jti']}", time.time() + _FRESH_S)


def proof_claims(proof: str, thumbprint: str) -> dict[str, Any]:
    """Return the claims of a proof that the key of this thumbprint signed."""
    header = proof_header(proof)
    require_typ(header, "dpop+jwt")
    key = _public(header["jwk"])
    if key.thumbprint() != thumbprint:
        raise TokenRefused("the proof is by another key")
    return signed_claims(proof, header, key)


def _public(jwk: Any) -> Key:
    if not isinstance(jwk, dict) or jwk.get("kty") == "oct" or "d" in jwk:
        raise TokenRefused("the proof's key is not a public key")
    try:
        key = JWKRegistry.import_key({"use": "sig"} | jwk)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise TokenRefused("the proof's key cannot be read") from error
    if not isinstance(key, (ECKey, OKPKey, RSAKey)) or not is_usable(key):
        raise TokenRefused("the proof's key is too weak")
    return key


def require_request(proven: Mapping[str, Any], method: str, url: str, token: str) -> None:
    """Refuse a proof that was made for another request, another token or another moment."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest())
    if proven.get("htm") != method or str(proven.get("htu")).partition("?")[0] != url:
        raise TokenRefused("the proof is for another request")
    if proven.get("ath") != digest.rstrip(b"=").decode():
        raise TokenRefused("the proof is for another token")
    issued, name = proven.get("iat"), proven.get("jti")
    if not isinstance(issued, (int, float)) or abs(time.time() - issued) > _FRESH_S:
        raise TokenRefused("the proof is of another moment")
    if not isinstance(name, str) or not 0 < len(name) <= 255:
        raise TokenRefused("the proof has no id of its own")
