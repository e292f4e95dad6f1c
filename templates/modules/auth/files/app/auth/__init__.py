"""People sign in by OpenID Connect, programs by access tokens; sessions are in the database."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.services import Services


def setup(app: "FastAPI", services: "Services") -> None:
    # Imported here: a command that only migrates should not load what serves.
    import httpx2

    from app.auth import pages, resource
    from app.auth.accounts import members_by_claims, names_of_people
    from app.auth.authenticators import by_bearer, by_cookie
    from app.auth.issuer import routes as issuer
    from app.auth.login import Auth
    from app.auth.models import OUTDATED
    from app.auth.provider import Provider
    from app.auth.settings import DEVELOPMENT, NONE, AuthSettings
    from app.core.egress import Egress
    from app.core.pages import Link
    from app.core.problems import ConfigurationError

    settings = AuthSettings()
    if services.settings.is_production and (wrong := settings.for_production()):
        raise ConfigurationError("ENVIRONMENT=production: " + "; ".join(wrong))
    settings = settings.completed(services.settings.port)
    members = members_by_claims(services.settings, settings)
    auth = Auth(services, settings, {}, members)
    app.state.auth = auth
    services.names.append(names_of_people)
    services.outdated.extend(OUTDATED)
    if settings.provider == NONE:
        return  # ACCESS_TOKEN is the door, as it is without this feature
    if settings.provider == DEVELOPMENT:
        url = f"{issuer.issuer_of(auth)}/.well-known/openid-configuration"
        # Asked inside this process, wherever it listens: nothing leaves it.
        transport = httpx2.ASGITransport(app=app)
        auth.providers[DEVELOPMENT] = Provider(DEVELOPMENT, settings, url, Egress(), transport)
        app.include_router(issuer.router)
        app.include_router(issuer.pages)
    else:
        auth.providers["oidc"] = Provider(
            "oidc", settings, settings.discovery_url, services.egress, issuer=settings.issuer
        )
    services.authenticators.extend([by_cookie(auth), by_bearer(auth)])
    services.page_answers.append(pages.sign_in_instead)
    app.include_router(pages.router)
    app.include_router(pages.programs)
    app.include_router(resource.router)
    app.add_middleware(resource.ChallengeMiddleware, url=settings.public_url)
    services.links.append(Link("/account", "Account", "account:self", 90))
