"""access.yaml: which role may do what. The one place that tests, policies and the gateway read."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Self

from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from starlette.routing import BaseRoute, Mount

from app.core import yaml
from app.core.problems import ConfigurationError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]*$")]
ScopeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]*:[a-z][a-z-]*$")]
Operation = Annotated[str, StringConstraints(pattern=r"^[A-Z]+ /\S*$")]


class Role(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    does: str
    mfa: bool = Field(default=False, description="Nothing is open without a second factor")


class Scope(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: frozenset[str] = Field(min_length=1)
    step_up_s: int | None = Field(
        default=None, gt=0, description="High risk: how old a second factor may be, in seconds"
    )


class Access(BaseModel):
    """The whole of access.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: dict[Name, Role]
    scopes: dict[ScopeName, Scope]
    public: dict[Operation, str] = Field(
        description="METHOD /path -> why nobody need say who it is"
    )

    @model_validator(mode="after")
    def _roles_are_known(self) -> Self:
        for name, scope in self.scopes.items():
            if unknown := scope.roles - self.roles.keys():
                raise ValueError(f"scope {name}: no such role: {', '.join(sorted(unknown))}")
        return self

    def scopes_of(self, roles: Iterable[str]) -> frozenset[str]:
        """What these roles together may do."""
        held = frozenset(roles)
        return frozenset(name for name, scope in self.scopes.items() if scope.roles & held)

    def asks_second_factor(self, roles: Iterable[str]) -> bool:
        return any(role in self.roles and self.roles[role].mfa for role in roles)

    def step_up_s(self, scopes: Iterable[str]) -> int | None:
        """How old a second factor may be where all of `scopes` are asked; None: none is asked."""
        ages = [age for name in scopes if (age := self.scopes[name].step_up_s) is not None]
        return min(ages, default=None)


def load(path: Path) -> Access:
    """Read access.yaml. Raises ConfigurationError, which names what is wrong."""
    try:
        return Access.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigurationError(f"{path}: {error}") from error


def declared(routes: Iterable[BaseRoute], guard: Any) -> Iterator[tuple[str, frozenset[str]]]:
    """Each operation, as `METHOD /path`, and the scopes that it asks of `guard`; mounts too."""
    for route in iter_route_contexts(list(routes)):
        if isinstance(route.original_route, Mount):
            yield route.path or "/", frozenset()
            continue
        dependant = getattr(route, "dependant", None)
        scopes = frozenset(_scopes(dependant, guard)) if dependant else frozenset()
        for method in (route.methods or set()) - {"HEAD"}:
            yield f"{method} {route.path}", scopes


def _scopes(dependant: Dependant, guard: Any) -> Iterator[str]:
    if dependant.call is guard:
        yield from (*(dependant.parent_oauth_scopes or ()), *(dependant.own_oauth_scopes or ()))
    for inner in dependant.dependencies:
        yield from _scopes(inner, guard)
