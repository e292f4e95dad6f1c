"""The table decides the same in the application and in the policies."""

from pathlib import Path

import pytest
import yaml

from app.core.problems import ConfigurationError
from app.policy.rego import Policies
from app.policy.residency import Allowed, load
from tests.policy.conftest import FOLDER

EU, US = "https://api.eu.models.example.com/v1", "https://api.us.models.example.com/v1"
URLS = (
    EU,
    US,
    "https://api.far.models.example.com/v1",
    "https://user@localhost:8080/v1",
    "https://API.EU.models.example.com/v1",
    "https://localhost@evil.example/v1",
    "https://api.eu.models.example.com.evil.example/v1",
)
HOSTS = (
    "api.example.com",
    "api.us.models.example.com",
    "one.models.example.com",
    "one.two.models.example.com",
    "database",
    "localhost",
    "127.0.0.1",
    "169.254.169.254",
    "prometheus.monitoring.svc",
    "api.example.com.evil.example",
)


def test_a_tenant_of_the_union_is_kept_from_a_provider_elsewhere(allowed: Allowed) -> None:
    refusal = allowed.residency.refusal
    assert refusal("tulip", "tickets.classify", US) == "us-models is in the region us"
    assert refusal("tulip", "tickets.classify", EU) is None
    assert refusal("anybody", "tickets.classify", US) is None
    assert (
        refusal("anybody", "tickets.draft", US)
        == "tickets.draft may not use the provider us-models"
    )
    assert "nothing is known" in (refusal("anybody", "any", "https://evil.example/v1") or "")


@pytest.mark.parametrize("tenant", ["default", "tulip"])
def test_the_policy_refuses_what_the_application_does(
    policies: Policies, allowed: Allowed, tenant: str
) -> None:
    data = yaml.safe_load((FOLDER / "examples/data.yaml").read_text())
    tenants = data["residency"]["tenants"]
    tenants["default"] = tenants[tenant]
    for url in URLS:
        for use_case in ("tickets.draft", "any"):
            subject = {
                "models": {"large": {"kind": "openai", "url": url}},
                "request_classes": {use_case: {"route": ["large"]}},
            }
            found = policies.findings("models", subject, data, "models.yaml")
            refused = allowed.residency.refusal(tenant, use_case, url)
            assert bool(found) == bool(refused), (url, use_case, refused, found)


def test_the_policy_knows_the_hosts_that_the_application_calls(
    policies: Policies, allowed: Allowed
) -> None:
    data = yaml.safe_load((FOLDER / "examples/data.yaml").read_text())
    subject = {"urls": [{"path": host, "url": f"https://{host}/"} for host in HOSTS]}
    refused = {it.path for it in policies.findings("egress", subject, data, "it")}
    assert refused == {host for host in HOSTS if not allowed.may_call(host)}
    assert refused == {
        "169.254.169.254",
        "api.example.com.evil.example",
        "one.two.models.example.com",
    }


def test_the_repositorys_own_table_can_be_read() -> None:
    assert load(FOLDER / "data.yaml").residency.tenants["default"]


def test_a_table_without_a_default_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(
        "residency: {providers: {}, regions: {eu: [eu]}, tenants: {a: eu}, use_cases: {}}\n"
    )
    with pytest.raises(ConfigurationError, match="tenants has no `default`"):
        load(path)
