"""The rules of policies/terraform.rego that a plan breaks: judge_plan.py REPOSITORY PLAN.

Run by an interpreter that has regopy and PyYAML.
"""

import json
import sys
from pathlib import Path

import yaml
from regopy import Interpreter

repository, plan = map(Path, sys.argv[1:])
policies = repository / "policies"
interpreter = Interpreter()
for name in ("terms", "terraform"):
    interpreter.add_module(name, (policies / f"{name}.rego").read_text())
interpreter.add_data_json(
    json.dumps(yaml.safe_load((policies / "data.yaml").read_text()), default=str)
)
interpreter.set_input_term(plan.read_text())
for finding in interpreter.query("data.policies.terraform.deny").results[0].expressions[0]:
    sys.stdout.write(f"{finding['id']} {finding['path']}\n")
