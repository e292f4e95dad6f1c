"""The text of Envoy's configuration, for the application's own provider or for reviews."""

from dataclasses import replace

import yaml
from fastapi import FastAPI

from app.auth.keys import FetchFailed
from app.auth.login import Auth
from app.core.problems import ConfigurationError
from app.gateway.envoy import configuration
from app.gateway.routes import routes_of
from app.gateway.rules import Issuer, Row
from app.gateway.settings import GatewaySettings

_HEAD = "# Made by `app gateway` from the routes, access.yaml and limits.yaml. Do not edit it.\n"
# Addresses differ from place to place, and rules do not: this is what reviews compare.
EXAMPLE = Issuer(
    issuer="https://login.example.com",
    audience="https://app.example.com",
    jwks_uri="https://login.example.com/jwks",
    typ="at+jwt",
    leeway_s=30,
    tenant_claim="tenant",
    tier_claim="tier",
)


class _Table(yaml.SafeDumper):
    """Says everything where it belongs, and what is a Row on one line."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_Table.add_representer(
    Row, lambda dumper, row: dumper.represent_mapping("tag:yaml.org,2002:map", row, flow_style=True)
)


def text_of(app: FastAPI, issuer: Issuer, settings: GatewaySettings) -> str:
    """Return the configuration as YAML, the same for the same application.

    Raises ConfigurationError when a route does not say who may.
    """
    made = configuration(routes_of(app), app.state.services.limits.table, issuer, settings)
    return _HEAD + yaml.dump(made, Dumper=_Table, sort_keys=False, width=float("inf"))


def reviewed(app: FastAPI) -> str:
    """Return the configuration that is committed. Raises ConfigurationError."""
    return text_of(app, EXAMPLE, GatewaySettings.model_construct())


async def issuer_of(app: FastAPI) -> Issuer:
    """Return whose tokens the application accepts, its provider asked where its keys are.

    Raises ConfigurationError when there is none, or it does not answer.
    """
    auth: Auth = app.state.auth
    if not auth.providers:
        raise ConfigurationError(
            "AUTH_PROVIDER=none: there are no tokens that a gateway could check. Set oidc, or "
            "development to try it"
        )
    provider, settings = next(iter(auth.providers.values())), auth.settings
    try:
        metadata = await provider.metadata()
    except FetchFailed as error:
        raise ConfigurationError(f"{error}; `app auth doctor` says more") from error
    return replace(
        EXAMPLE,
        issuer=provider.issuer,
        audience=settings.audience,
        jwks_uri=metadata.jwks_uri,
        typ=settings.access_token_typ,
        leeway_s=settings.leeway_s,
        tenant_claim=settings.tenant_claim,
        tier_claim=settings.tier_claim,
    )
