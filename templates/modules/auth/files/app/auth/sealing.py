"""Secrets of our own making: drawn at random, kept as a hash, or encrypted when needed again."""

import hashlib
import json
import secrets
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey


def draw() -> str:
    """A secret of 256 bits."""
    return secrets.token_urlsafe(32)


def fingerprint(secret: str) -> str:
    """What is kept of a drawn secret: it has too much entropy to be found by guessing."""
    # Half characters too: what is compared here may be what somebody has made up.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


class Sealed:
    """Encrypts what is kept in the database with a key that is not there."""

    def __init__(self, secret: str) -> None:
        digest = hashlib.sha256(b"session tokens" + secret.encode()).digest()
        self._key = OctKey.import_key(digest)

    def seal(self, value: dict[str, Any]) -> str:
        header = {"alg": "dir", "enc": "A256GCM"}
        return jwe.encrypt_compact(header, json.dumps(value), self._key)

    def open(self, sealed: str) -> dict[str, Any]:
        """Return what was sealed; nothing when the secret has changed since."""
        try:
            found = jwe.decrypt_compact(sealed, self._key, algorithms=["dir", "A256GCM"])
        except (JoseError, ValueError):
            return {}
        return json.loads(found.plaintext or b"{}")
