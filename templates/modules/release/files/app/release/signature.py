"""Who vouches for release.json: an Ed25519 key of your own, or Sigstore by cosign."""

import base64
import binascii
import subprocess
from pathlib import Path
from shutil import which

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.core.problems import ConfigurationError


def sign(content: bytes, key: bytes) -> str:
    """The signature, in base64. `key` is a private key in PEM. Raises ConfigurationError."""
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"the signing key cannot be read: {error}") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigurationError("the signing key is not an Ed25519 key")
    return base64.b64encode(private.sign(content)).decode() + "\n"


def verify(content: bytes, signature: str, key: bytes) -> None:
    """Raises ConfigurationError unless the owner of `key` (public, PEM) signed these very bytes."""
    try:
        public = serialization.load_pem_public_key(key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"the public key cannot be read: {error}") from None
    if not isinstance(public, Ed25519PublicKey):
        raise ConfigurationError("the public key is not an Ed25519 key")
    try:
        public.verify(base64.b64decode(signature.strip(), validate=True), content)
    except (InvalidSignature, binascii.Error):
        raise ConfigurationError("the signature does not fit: file, signature or key differ") from (
            None
        )


def verify_by_cosign(file: Path, bundle: Path, identity: str, issuer: str) -> None:
    """Raises ConfigurationError unless cosign accepts the bundle for that identity."""
    program = which("cosign")
    if program is None:
        raise ConfigurationError("cosign is not installed: docs.sigstore.dev/cosign")
    command = [
        program,
        "verify-blob",
        f"--bundle={bundle}",
        f"--certificate-identity={identity}",
        f"--certificate-oidc-issuer={issuer}",
        str(file),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ConfigurationError(f"cosign refuses {file}: {done.stderr.strip()}")
