"""Prompts as files: `prompts/NAME.j2`, compiled on the server only.

A file has a YAML head between two `---` lines, then the blocks `system` and `user`:

    name, version   the file's stem, and a number that a reader can quote
    variables       name -> JSON Schema, with two more keys: `default`, and `untrusted: true` for
                    what a customer wrote; such a variable may stand in the user block only
    output          JSON Schema of the answer; without it, the answer is text

The system block holds `{{ canary }}`, a mark that no answer may repeat. `prompts.lock` has the
SHA-256 of each file: an edit is a decision, made with `app prompts lock`.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment
from jsonschema import Draft202012Validator, SchemaError

from app.ai.model import Message
from app.core import yaml
from app.core.problems import ConfigurationError

BLOCKS = ("system", "user")
LOCK_NOTE = "# SHA-256 of each prompt. After a change that is meant: app prompts lock\n"
_KEYS = {"name", "version", "variables", "output"}


class PromptError(ConfigurationError):
    """A prompt file is wrong, or was given the wrong variables. Says which and what is expected."""


@dataclass(frozen=True)
class Prompt:
    """One prompt. `confidential` are the literal passages of its system block."""

    name: str
    version: int
    sha256: str
    variables: Mapping[str, Mapping[str, Any]]
    output: Mapping[str, Any] | None
    confidential: tuple[str, ...]
    template: Template

    @property
    def canary(self) -> str:
        # Derived, not random: recordings and caches need the same prompt to stay the same. It marks
        # a leak; it protects nothing by being unknown.
        return "cn-" + hashlib.sha256(f"canary {self.sha256}".encode()).hexdigest()[:16]

    @property
    def untrusted(self) -> frozenset[str]:
        return frozenset(name for name, spec in self.variables.items() if spec.get("untrusted"))

    @cached_property
    def _validator(self) -> Draft202012Validator:
        return Draft202012Validator(
            {
                "type": "object",
                "properties": dict(self.variables),
                "required": [n for n, spec in self.variables.items() if "default" not in spec],
                "additionalProperties": False,
            }
        )

    def compile(self, variables: Mapping[str, object]) -> tuple[Message, ...]:
        """Render the blocks. Raises PromptError for a missing, unknown or wrong variable."""
        for error in self._validator.iter_errors(dict(variables)):
            at = ".".join(map(str, error.absolute_path)) or "variables"
            raise PromptError(f"prompt {self.name}: {at}: {error.message}")
        values = {n: spec["default"] for n, spec in self.variables.items() if "default" in spec}
        values |= variables
        for name in self.untrusted:
            values[name] = _defuse(values[name])
        context = self.template.new_context({**values, "canary": self.canary})
        return tuple(
            Message(block, "".join(self.template.blocks[block](context)).strip())
            for block in BLOCKS
        )


class PromptSet(Mapping[str, Prompt]):
    """All prompts of a folder."""

    def __init__(self, prompts: Mapping[str, Prompt]) -> None:
        self._prompts = dict(prompts)

    @classmethod
    def load(cls, folder: Path) -> "PromptSet":
        """Read `*.j2`. No folder is an empty set. Raises PromptError naming file and fault."""
        return cls({path.stem: _read(path) for path in sorted(folder.glob("*.j2"))})

    def __getitem__(self, name: str) -> Prompt:
        if name not in self._prompts:
            there = ", ".join(self._prompts) or "none"
            raise PromptError(f"no prompt named {name!r}; there are: {there}")
        return self._prompts[name]

    def __iter__(self):
        return iter(self._prompts)

    def __len__(self) -> int:
        return len(self._prompts)

    @property
    def sha256(self) -> str:
        """One hash for the whole set."""
        return hashlib.sha256(self.lock().encode()).hexdigest()

    def lock(self) -> str:
        """Return the content of prompts.lock; `sha256sum --check` understands it."""
        lines = (f"{prompt.sha256}  prompts/{name}.j2\n" for name, prompt in self.items())
        return LOCK_NOTE + "".join(lines)

    def differences(self, locked: str) -> list[str]:
        """Compare with the content of prompts.lock; one line for each prompt that differs."""
        known = {}
        for line in locked.splitlines():
            if line and not line.startswith("#"):
                digest, _, path = line.partition("  ")
                known[Path(path).stem] = digest
        found = []
        for name in sorted({*known, *self._prompts}):
            if name not in known:
                found.append(f"prompts/{name}.j2 is not in prompts.lock")
            elif name not in self._prompts:
                found.append(f"prompts/{name}.j2 is in prompts.lock but gone")
            elif known[name] != self[name].sha256:
                found.append(f"prompts/{name}.j2 was changed after it was locked")
        return found


def _defuse(value: object) -> object:
    """Break what looks like a tag, so that text cannot close the delimiters around it."""
    if isinstance(value, str):
        return re.sub(r"<(?=[/!A-Za-z])", "< ", value)
    if isinstance(value, list | tuple):
        return [_defuse(item) for item in value]
    return value


def _read(path: Path) -> Prompt:
    content = path.read_bytes()
    try:
        head, template_source = _split(content.decode())
        environment = SandboxedEnvironment(
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
        )
        tree = environment.parse(template_source)
        variables = head.get("variables") or {}
        used = _check_blocks(environment, tree, variables)
        if unused := sorted(set(variables) - used):
            raise PromptError(f"declared but never used: {', '.join(unused)}")
        if head["name"] != path.stem:
            raise PromptError(f"its name is {head['name']!r}, expected {path.stem!r} as the file's")
        for name, schema in [*variables.items(), ("output", head.get("output") or {})]:
            try:
                Draft202012Validator.check_schema(schema)
            except SchemaError as error:
                raise PromptError(f"{name} is no valid JSON Schema: {error.message}") from None
        return Prompt(
            name=path.stem,
            version=int(head["version"]),
            sha256=hashlib.sha256(content).hexdigest(),
            variables=variables,
            output=head.get("output"),
            confidential=_literals(tree, "system"),
            template=environment.from_string(template_source),
        )
    except (PromptError, TemplateError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PromptError(f"{path}: {error}") from error


def _split(text: str) -> tuple[dict[str, Any], str]:
    parts = text.split("---\n", 2)
    head = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0] else None
    if not isinstance(head, dict) or not {"name", "version"} <= set(head) or set(head) - _KEYS:
        raise PromptError(
            "expected a head between two `---` lines with name, version, and optionally variables, "
            "output"
        )
    return head, parts[2]


def _check_blocks(
    environment: SandboxedEnvironment, tree: nodes.Template, variables: Mapping[str, Any]
) -> set[str]:
    """Return the variables that the blocks use; each must be one that may stand there."""
    blocks = {block.name: block for block in tree.find_all(nodes.Block)}
    if set(blocks) != set(BLOCKS):
        raise PromptError(f"expected the blocks {' and '.join(BLOCKS)}, found {sorted(blocks)}")
    used: dict[str, set[str]] = {}
    for name, block in blocks.items():
        body = nodes.Template(block.body, lineno=1)
        body.set_environment(environment)
        used[name] = meta.find_undeclared_variables(body)
        if unknown := sorted(used[name] - set(variables) - {"canary"}):
            raise PromptError(f"block {name} uses undeclared variables: {', '.join(unknown)}")
    if "canary" not in used["system"] or "canary" in used["user"]:
        raise PromptError("{{ canary }} belongs into the system block, and nowhere else")
    untrusted = {name for name, spec in variables.items() if spec.get("untrusted")}
    if misplaced := sorted(untrusted & used["system"]):
        raise PromptError(
            f"untrusted variables in the system block: {', '.join(misplaced)}; what a customer "
            "wrote belongs into the user block"
        )
    return used["system"] | used["user"]


def _literals(tree: nodes.Template, block_name: str) -> tuple[str, ...]:
    return tuple(
        data.data
        for block in tree.find_all(nodes.Block)
        if block.name == block_name
        for data in block.find_all(nodes.TemplateData)
    )
