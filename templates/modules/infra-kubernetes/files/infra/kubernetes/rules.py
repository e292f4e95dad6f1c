"""Print ops/prometheus/rules as the Prometheus operator takes them: a PrometheusRule."""

import sys
from pathlib import Path

import yaml

RULES = Path(__file__).parents[2] / "ops/prometheus/rules"


def manifest() -> str:
    """The text of components/monitoring/rules.yaml."""
    files = sorted(RULES.glob("*.yml"))
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "app"},
        "spec": {"groups": groups},
    }
    made = "# Made from ops/prometheus/rules by `just kubernetes-render`: change those, not this.\n"
    return made + yaml.safe_dump(rule, sort_keys=False, width=120)


if __name__ == "__main__":
    sys.stdout.write(manifest())
