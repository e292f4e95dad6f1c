"""Run in a rendered repository: what this engine finds in every example and case, as JSON."""

import json
import sys
from pathlib import Path

from app.policy.rego import Policies, read_yaml

FOLDER = Path("policies")
DATA = read_yaml(FOLDER / "examples/data.yaml")


def found(policies: Policies, name: str, subject: object) -> list[str]:
    return sorted(it.message for it in policies.findings(name, subject, DATA, ""))


policies = Policies(FOLDER)
result = {
    f"{name}-{kind}": found(policies, name, read_yaml(FOLDER / f"examples/{name}/{kind}.yaml"))
    for name in policies.names
    for kind in ("good", "bad")
}
json.dump(result, sys.stdout)
