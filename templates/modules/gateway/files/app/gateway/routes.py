"""The routes of the application as a gateway sees them: who may, how often, by which pattern."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from app.core import access
from app.core.principal import principal_of
from app.core.problems import ConfigurationError

# They are gone in production.
_DEVELOPMENT = ("/development-issuer/", "/docs", "/openapi.json")
# Files of the application itself: scripts, styles, icons.
_FILES = "/static/"


@dataclass(frozen=True, slots=True)
class Route:
    """An operation. Without scopes it is open to all; a page sends who opens it to the login."""

    methods: tuple[str, ...]
    path: str
    pattern: str
    scopes: frozenset[str]
    limit: str
    is_page: bool = False

    @property
    def name(self) -> str:
        return f"{self.methods[0]} {self.path}"


def routes_of(app: FastAPI) -> list[Route]:
    """Return the routes in the order in which the application looks through them.

    Raises ConfigurationError for one that neither asks for a scope nor is public: no gateway opens
    it by mistake.
    """
    return list(_routes(app))


def _routes(app: FastAPI) -> Iterator[Route]:
    services = app.state.services
    scopes = dict(access.declared(app.routes, principal_of))
    for route in iter_route_contexts(app.routes):
        path = str(route.path)
        if path.startswith(_DEVELOPMENT):
            continue
        pattern = _as_re2(route.path_regex)
        if isinstance(route.original_route, Mount) and path.startswith(_FILES):
            yield Route(("GET", "HEAD"), f"{path}/*", pattern, frozenset(), "public")
            continue
        for method in sorted(route.methods or ()):
            operation = f"{method} {path}"
            asked = scopes.get(operation, frozenset())
            limit = services.limits.operations.get(operation)
            if limit is None or (not asked and operation not in services.access.public):
                raise ConfigurationError(
                    f"{operation}: a gateway cannot say who may: it needs a scope, or a line under "
                    "`public` in access.yaml"
                )
            kind = getattr(route, "response_class", None)
            is_page = method == "GET" and isinstance(kind, type) and issubclass(kind, HTMLResponse)
            yield Route((method,), path, pattern, asked, limit, is_page)


def _as_re2(compiled: re.Pattern[str]) -> str:
    """The pattern by which the application itself matches, which a gateway matches as a whole."""
    text = compiled.pattern.removeprefix("^").removesuffix("$")
    return re.sub(r"\(\?P<\w+>", "(?:", text).replace(r"\-", "-")
