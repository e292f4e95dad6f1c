"""Signatures of Standard Webhooks, over the raw body, compared in constant time."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

ID_LIMIT = 256
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class SignatureRefused(Exception):  # noqa: N818  says what happened
    """The request does not come from a holder of the secret, or not of this moment."""


class Signatures:
    """Signs and verifies with any of `secrets`, so that one can replace another without a gap."""

    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        self._keys = [Webhook(secret.get_secret_value()) for secret in secrets]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def verify(self, headers: Mapping[str, str], body: bytes) -> str:
        """Return the webhook's id. Raises SignatureRefused, also when it is 5 minutes off."""
        given = {name: headers.get(name, "") for name in HEADERS}
        if len(given["webhook-id"]) > ID_LIMIT:
            raise SignatureRefused(f"webhook-id is longer than {ID_LIMIT} characters")
        reason = "no secret"
        for key in self._keys:
            try:
                key.verify(body, given, json_parse=False)
            except WebhookVerificationError as error:
                reason = str(error)
            except ValueError:
                # The library lets these through: a signature that is no base64, a body no UTF-8.
                reason = "the signature or the body cannot be read"
            else:
                return given["webhook-id"]
        raise SignatureRefused(reason)

    def sign(self, webhook_id: str, body: bytes, at: datetime) -> dict[str, str]:
        """Return the headers that prove `body` to a receiver; `at` is an aware UTC time."""
        signatures = [key.sign(webhook_id, at, body.decode()) for key in self._keys]
        values = (webhook_id, str(int(at.timestamp())), " ".join(signatures))
        return dict(zip(HEADERS, values, strict=True))
