"""Envoy asks the provider for its keys, and nobody who only stands where the provider should be."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from app.core.db import utcnow
from tests.auth.forge import LYING
from tests.gateway.conftest import LOOPBACK, Configured, Served, before, gateway, serving

pytestmark = pytest.mark.slow
NAME = "login.example.com"


def certificate(folder: Path, name: str) -> Path:
    """Write a certificate for this name, signed by itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), utcnow()
    common = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signed = (
        x509.CertificateBuilder(common, common, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    path = folder / f"{len(list(folder.iterdir()))}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(signed.public_bytes(Encoding.PEM) + private)
    return path


async def keys(scope: Any, _receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        body = json.dumps({"keys": [LYING.as_dict(private=False)]}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize(
    ("name", "is_trusted", "counted"),
    [
        (NAME, True, "http.gateway.jwt_authn.jwks_fetch_success"),
        ("other.example.com", True, "cluster.issuer.ssl.fail_verify_san"),
        (NAME, False, "cluster.issuer.ssl.fail_verify_error"),
    ],
)
def test_provider_proves_that_it_is(
    served: Served,
    configured: Configured,
    tmp_path: Path,
    name: str,
    counted: str,
    *,
    is_trusted: bool,
) -> None:
    shown = certificate(tmp_path, name)
    trusted = shown if is_trusted else certificate(tmp_path, name)
    with serving(keys, shown) as port:
        issuer = replace(served.issuer, jwks_uri=f"https://{NAME}:{port}/jwks")
        text = configured(served.app, issuer, before(served.recording, ca_file=trusted))
        text = text.replace(f"{{address: {NAME},", f"{{address: {LOOPBACK},")
        with gateway(tmp_path, text, "success|failed") as made:
            assert made.statistics()[counted] >= 1
