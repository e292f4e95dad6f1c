"""policies/data.yaml as the application reads it: who sees whose data, which hosts are called."""

from fnmatch import fnmatchcase
from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.core import yaml
from app.core.problems import ConfigurationError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Provider(_Part):
    hosts: tuple[str, ...]
    region: str
    retention_days: int = Field(ge=0)


class UseCase(_Part):
    retention_days: int = Field(ge=0)
    providers: frozenset[str] | None = None


class Residency(_Part):
    """Who may see what. `default` stands for the tenants and use cases that are not named."""

    providers: dict[str, Provider]
    regions: dict[str, frozenset[str]]
    tenants: dict[str, str]
    use_cases: dict[str, UseCase]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for name, table in (("tenants", self.tenants), ("use_cases", self.use_cases)):
            if "default" not in table:
                raise ValueError(f"{name} has no `default`")
        if unknown := set(self.tenants.values()) - self.regions.keys():
            raise ValueError(f"tenants name rules that regions lacks: {', '.join(sorted(unknown))}")
        return self

    def refusal(self, tenant: str, use_case: str, url: str) -> str | None:
        """Return why the model at `url` may not see the data of `tenant`, None when it may."""
        host = urlsplit(url).hostname or ""
        provider = next((it for it in self.providers.items() if _any(it[1].hosts, host)), None)
        if provider is None:
            return f"nothing is known of the provider at {host}"
        name, terms = provider
        rule = self.use_cases.get(use_case, self.use_cases["default"])
        if rule.providers is not None and name not in rule.providers:
            return f"{use_case} may not use the provider {name}"
        if terms.retention_days > rule.retention_days:
            return f"{name} keeps what it is sent for {terms.retention_days} days"
        if terms.region not in self.regions[self.tenants.get(tenant, self.tenants["default"])]:
            return f"{name} is in the region {terms.region}"
        return None


class Egress(_Part):
    hosts: tuple[str, ...] = ()


class Allowed(BaseModel):
    """What the application reads of policies/data.yaml; the rest is for the policies alone."""

    model_config = ConfigDict(frozen=True)

    residency: Residency
    egress: Egress = Egress()

    def may_call(self, host: str) -> bool:
        """Whether `host` is listed, of a provider, this machine, or a service without a domain."""
        if "." not in host and ":" not in host:
            return True
        hosts = (
            *self.egress.hosts,
            *(h for p in self.residency.providers.values() for h in p.hosts),
        )
        return (
            _any(hosts, host) or _is_loopback(host) or host.endswith((".svc", ".svc.cluster.local"))
        )


def load(path: Path) -> Allowed:
    """Raises ConfigurationError, which says what is wrong where."""
    try:
        return Allowed.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigurationError(f"{path} is wrong. {error}") from error


def _any(patterns: tuple[str, ...], host: str) -> bool:
    return any(_matches(pattern, host) for pattern in patterns)


def _matches(pattern: str, host: str) -> bool:
    """As Rego's glob with `.` between the parts: a star stands for one part at most."""
    wanted, parts = pattern.split("."), host.lower().split(".")
    return len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
