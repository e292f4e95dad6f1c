"""What a provider says of itself, and whether it can be believed and used."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

WELL_KNOWN = "/.well-known/openid-configuration"
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OPTIONAL = ("userinfo_endpoint", "end_session_endpoint")


@dataclass(frozen=True, slots=True)
class Metadata:
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    says_iss: bool


def refusals(
    document: Mapping[str, Any], issuer: str, endpoint_hosts: Collection[str]
) -> Iterator[str]:
    """Yield why nobody can sign in by a provider that says this of itself, and what to do."""
    if document.get("issuer") != issuer:
        yield (
            f"the metadata names another issuer, {str(document.get('issuer'))[:200]!r}, than "
            f"{issuer!r}: correct AUTH_DISCOVERY_URL, or set AUTH_ISSUER if that is the provider's"
        )
    named = (*_ENDPOINTS, *(name for name in _OPTIONAL if document.get(name)))
    for name in named:
        if trouble := _trouble(document.get(name), issuer, endpoint_hosts):
            yield f"{name} {trouble}"
    methods = document.get("code_challenge_methods_supported", ["S256"])
    if not isinstance(methods, list) or "S256" not in methods:
        yield "the provider does not take PKCE by S256: switch it on there, or choose another one"


def _trouble(url: Any, issuer: str, endpoint_hosts: Collection[str]) -> str | None:
    if not isinstance(url, str) or not url:
        return "is missing: this is no OpenID provider, or its address is another"
    try:
        parts, own = urlsplit(url), urlsplit(issuer)
    except ValueError:
        return "is no address: correct the provider's own address"
    if parts.username or parts.scheme not in ("https", own.scheme):
        return "is not an https:// address: correct the provider's own address"
    if parts.netloc == own.netloc or parts.netloc in endpoint_hosts:
        return None
    return f"is on {parts.netloc}: add that to AUTH_ENDPOINT_HOSTS if it is the provider's"


def read(document: Mapping[str, Any]) -> Metadata:
    """Return what a document without refusals says."""
    return Metadata(
        issuer=document["issuer"],
        authorization_endpoint=document["authorization_endpoint"],
        token_endpoint=document["token_endpoint"],
        jwks_uri=document["jwks_uri"],
        userinfo_endpoint=document.get("userinfo_endpoint") or None,
        end_session_endpoint=document.get("end_session_endpoint") or None,
        says_iss=document.get("authorization_response_iss_parameter_supported") is True,
    )
