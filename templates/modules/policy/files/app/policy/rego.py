"""Rego, evaluated in this process: what a policy refuses, and whether its own cases hold."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from app.core import yaml
from app.core.problems import ConfigurationError

# What the policies share is no policy itself.
_SHARED = "terms"


class PolicyError(ConfigurationError):
    """A policy, or what it is judged by, is wrong. Says which, and what is expected."""


@dataclass(frozen=True, order=True)
class Finding:
    """What a policy refuses: the rule, the file, the place in it, and what to do about it."""

    rule: str
    file: str
    path: str
    message: str


class Policies:
    """The policies of a folder: NAME.rego, NAME_test.rego and examples/NAME/{good,bad}.yaml."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names = sorted(
            path.stem
            for path in folder.glob("*.rego")
            if path.stem != _SHARED and not path.stem.endswith("_test")
        )

    def findings(
        self, name: str, subject: object, data: Mapping[str, Any], file: str
    ) -> list[Finding]:
        """Return what the policy refuses in `subject`, which was read from `file`.

        Raises PolicyError when the policy cannot be evaluated.
        """
        denied = self._evaluate(name, f"data.policies.{name}.deny", subject, data)
        return sorted(Finding(it["id"], file, it["path"], it["msg"]) for it in denied)

    def check(self, name: str) -> list[str]:
        """Return what is wrong with the policy: cases that fail, rules that nothing breaks."""
        data = read_yaml(self.folder / "examples" / "data.yaml")
        test = f"{name}_test"
        cases = self._evaluate(test, f"data.policies.{test}.cases", {}, data)
        good, bad = (self._example(name, kind, data) for kind in ("good", "bad"))
        wrong = [f"{it.file} is refused: {it.message}" for it in good]
        broken = {it.rule for it in bad}
        for case, told in cases.items():
            found = {it.rule for it in self.findings(name, told["input"], data, case)}
            broken |= found
            if found != set(told["rules"]):
                wrong.append(
                    f"{test}.rego, {case}: expected {told['rules']}, found {sorted(found)}"
                )
        return wrong + self._unbroken(name, broken)

    def _example(self, name: str, kind: str, data: Mapping[str, Any]) -> list[Finding]:
        path = self.folder / "examples" / name / f"{kind}.yaml"
        return self.findings(name, read_yaml(path), data, str(path))

    def _unbroken(self, name: str, broken: set[str]) -> list[str]:
        rules = Counter(re.findall(rf'finding\("({name}\.[a-z-]+)"', self._source(f"{name}.rego")))
        twice = [
            f"{name}.rego: several rules are called {rule}; give each its own name"
            for rule, count in rules.items()
            if count > 1
        ]
        unbroken = [
            f"{name}.rego: nothing breaks {rule}; add to examples/{name}/bad.yaml what does"
            for rule in sorted(rules.keys() - broken)
        ]
        return twice + unbroken

    def _evaluate(self, name: str, query: str, subject: object, data: Mapping[str, Any]) -> Any:
        try:
            from regopy import Interpreter, LogLevel, RegoError
        except ModuleNotFoundError:
            raise PolicyError("regopy is not installed; it comes with `uv sync`") from None

        interpreter = Interpreter()
        interpreter.log_level = LogLevel.NONE
        try:
            for module in (_SHARED, name):
                interpreter.add_module(module, self._source(f"{module}.rego"))
            interpreter.add_data_json(json.dumps(data))
            interpreter.set_input_term(json.dumps(subject, default=str))
            output = interpreter.query(query)
        except (RegoError, ValueError) as error:
            raise PolicyError(f"{self.folder / name}.rego: {_in_short(error)}") from error
        if not output.ok() or not output.results[0].expressions:
            raise PolicyError(f"{self.folder / name}.rego says nothing for {query}")
        return output.results[0].expressions[0]

    def _source(self, file: str) -> str:
        if file not in self._sources:
            raise PolicyError(f"{self.folder / file} is missing; every policy has one")
        return self._sources[file]

    @cached_property
    def _sources(self) -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in self.folder.glob("*.rego")}


def _in_short(error: Exception) -> str:
    """What the engine says, without its syntax tree."""
    said = re.findall(r"\(errormsg \d+:([^)]*)\)", str(error))
    return "; ".join(dict.fromkeys(said)) or str(error)


def read_yaml(path: Path) -> Any:
    """Read one document of YAML or JSON. Raises PolicyError."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise PolicyError(f"{path} is no valid YAML: {error}") from error
