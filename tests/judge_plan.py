"""The rules of policies/terraform.rego that a plan breaks: judge_plan.py REPOSITORY PLAN.

Run by an interpreter that has regopy and PyYAML. A few resources at a time: the engine's time grows
with the square of what it is given. Those of one service together, as a bucket is judged beside its
access block.
"""

import json
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import yaml
from regopy import Interpreter

AT_A_TIME = 6

repository, plan = map(Path, sys.argv[1:])
policies = repository / "policies"
data = json.dumps(yaml.safe_load((policies / "data.yaml").read_text()), default=str)


def service(change: dict) -> list[str]:
    return change["type"].split("_")[:2]


def groups(changes: list[dict]) -> Iterator[list[dict]]:
    for _, those in groupby(sorted(changes, key=service), service):
        several = list(those)
        for start in range(0, len(several), AT_A_TIME):
            yield several[start : start + AT_A_TIME]


for group in groups(json.loads(plan.read_text())["resource_changes"]):
    interpreter = Interpreter()
    for name in ("terms", "terraform"):
        interpreter.add_module(name, (policies / f"{name}.rego").read_text())
    interpreter.add_data_json(data)
    judged = [
        {name: it[name] for name in ("address", "type", "mode")}
        | {"change": {"after": it["change"]["after"]}}
        for it in group
    ]
    interpreter.set_input_term(json.dumps({"resource_changes": judged}))
    for finding in interpreter.query("data.policies.terraform.deny").results[0].expressions[0]:
        sys.stdout.write(f"{finding['id']} {finding['path']}\n")
