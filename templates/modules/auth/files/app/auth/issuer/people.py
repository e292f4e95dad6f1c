"""The people of the development issuer, and their second factor (TOTP, RFC 6238)."""

import base64
import hashlib
import hmac
import secrets
import struct
import time
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from app.core import yaml

_STEP_S = 30


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    email: str
    roles: list[str]
    groups: list[str] = []
    tenant: str = ""
    totp: str | None = None


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    people: dict[str, Person]


@cache
def people() -> dict[str, Person]:
    text = Path(__file__).with_name("people.yaml").read_text(encoding="utf-8")
    return _Document.model_validate(yaml.safe_load(text)).people


def totp(secret: str, moment: float | None = None) -> str:
    """The six digits of a moment."""
    step = int((time.time() if moment is None else moment) // _STEP_S)
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1)
    start = digest[-1] & 0x0F
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def is_right(person: Person, code: str) -> bool:
    """Whether the digits are those of now, or of the step before."""
    if person.totp is None:
        return False
    now = time.time()
    valid = [totp(person.totp, moment) for moment in (now, now - _STEP_S)]
    return any(secrets.compare_digest(code.encode(), each.encode()) for each in valid)
