"""Looks at a provider as the login would, and says what is wrong with it and what to do."""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2

from app.auth.keys import FetchFailed, usable
from app.auth.metadata import WELL_KNOWN, refusals
from app.auth.provider import Provider
from app.auth.settings import AuthSettings
from app.core.egress import Egress

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass
class Report:
    """With errors nobody can sign in; with warnings something is missing."""

    discovery_url: str
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    register: dict[str, str] = field(default_factory=dict)
    hosts: list[str] = field(default_factory=list)


class _Noting(Egress):
    """Lets the person at the keyboard call any host, and keeps the answers' headers."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[httpx2.Response] = []

    def client(self, **options: Any) -> httpx2.AsyncClient:
        client = super().client(**options)
        client.event_hooks = {**client.event_hooks, "response": [self._note]}
        return client

    async def _note(self, answer: httpx2.Response) -> None:
        self.answers.append(answer)


async def examine(
    url: str,
    settings: AuthSettings,
    mfa_acr: str,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> Report:
    """Examine the provider at a discovery address; that of an issuer will do."""
    url = url if url.endswith(WELL_KNOWN) else url.rstrip("/") + WELL_KNOWN
    issuer = settings.issuer if url == settings.discovery_url else ""
    noting = _Noting()
    provider = Provider("oidc", settings, url, noting, transport, issuer)
    report = Report(url, register=_register(settings, provider))
    report.errors.extend(_about_address(url))
    try:
        document = await provider.document()
        report.errors.extend(refusals(document, provider.issuer, settings.endpoint_hosts))
        report.errors.extend(_about_client(document, settings))
        report.warnings.extend(_about_document(document, settings))
        report.warnings.extend(_about_acr(document, settings.mfa_acr_values or {mfa_acr}))
        report.hosts = _hosts(url, document)
        if not report.errors and not dict(usable(await provider.fetch_keys())):
            report.errors.append(
                "jwks_uri has no key that can be used here: let the provider sign by RS256, "
                "PS256, ES256 or EdDSA, RSA keys with 2048 bits or more, each with a kid"
            )
    except FetchFailed as error:
        report.errors.append(
            f"{error}: open the address in a browser; it must answer JSON, without a redirect"
        )
    report.errors.extend(_about_clock(noting.answers, settings.leeway_s))
    return report


def _register(settings: AuthSettings, provider: Provider) -> dict[str, str]:
    return {
        "redirect URI": provider.redirect_uri,
        "after the logout": f"{settings.public_url}/signed-out",
        "back-channel logout": f"{settings.public_url}/auth/backchannel-logout/{provider.name}",
    }


def _about_address(url: str) -> Iterator[str]:
    if not url.startswith("https://") and _host(url) not in _LOOPBACK:
        yield "the address is not https://: whoever is on the way can sign in as anybody"


def _about_client(document: Mapping[str, Any], settings: AuthSettings) -> Iterator[str]:
    ours = "private_key_jwt" if settings.client_key_file else "client_secret_post"
    methods = _names(document, "token_endpoint_auth_methods_supported", [ours])
    if ours not in methods:
        yield (
            f"the token endpoint does not take {ours}, only {_listed(methods)}: switch it on "
            "there, or prove who you are otherwise, by AUTH_CLIENT_SECRET or AUTH_CLIENT_KEY_FILE"
        )
    if "code" not in _names(document, "response_types_supported", ["code"]):
        yield "the authorization code flow (response type code) is off: switch it on there"


def _about_document(document: Mapping[str, Any], settings: AuthSettings) -> Iterator[str]:
    if not document.get("end_session_endpoint"):
        yield "no end_session_endpoint: who signs out here stays signed in at the provider"
    wanted = settings.scopes.split()
    offered = _names(document, "scopes_supported", wanted)
    if unknown := [scope for scope in wanted if scope not in offered]:
        yield f"it does not list the scopes {_listed(unknown)}: if it refuses them, set AUTH_SCOPES"
    grants = _names(document, "grant_types_supported", ["refresh_token"])
    if "refresh_token" not in grants or "offline_access" not in set(wanted) & set(offered):
        yield (
            "no refresh tokens by the scope offline_access: a session is not renewed, and who "
            f"loses their access there keeps it here for up to {settings.session_s} s "
            "(AUTH_SESSION_S)"
        )
    claims = [claim for claim in (settings.roles_claim, settings.tenant_claim) if claim]
    listed = _names(document, "claims_supported", claims)
    if missing := [claim for claim in claims if claim not in listed]:
        yield (
            f"it does not list the claims {_listed(missing)}: map them there, or set "
            "AUTH_ROLES_CLAIM and AUTH_TENANT_CLAIM"
        )


def _about_acr(document: Mapping[str, Any], wanted: Collection[str]) -> Iterator[str]:
    offered = _names(document, "acr_values_supported", [])
    if not set(wanted) & set(offered):
        yield (
            f"acr_values_supported is {_listed(offered) or 'missing'} and has no "
            f"{_listed(wanted)}: set AUTH_MFA_ACR_VALUES to what it says after a second factor. "
            "Until then only the claim amr can say so, and high risk is refused"
        )


def _about_clock(answers: list[httpx2.Response], leeway_s: int) -> Iterator[str]:
    for answer in answers[:1]:
        try:
            told = parsedate_to_datetime(answer.headers["date"]).timestamp()
            behind = told + int(answer.headers.get("age", 0)) - time.time()
        except (KeyError, ValueError):
            return
        if abs(behind) > leeway_s:
            yield (
                f"the clock here is {abs(behind):.0f} s {'behind' if behind > 0 else 'ahead of'} "
                "the provider's: tokens will be refused. Set it by NTP"
            )


def _hosts(url: str, document: Mapping[str, Any]) -> list[str]:
    named = (document.get(name) for name in ("token_endpoint", "jwks_uri", "userinfo_endpoint"))
    hosts = (_host(str(address)) for address in (url, *named) if address)
    return sorted({host for host in hosts if host})


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _names(document: Mapping[str, Any], name: str, otherwise: list[str]) -> list[str]:
    """The names that a list of the document has; what is no list has none."""
    given = document.get(name, otherwise)
    return [item for item in given if isinstance(item, str)] if isinstance(given, list) else []


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(map(str, names)))
