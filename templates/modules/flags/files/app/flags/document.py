"""flags.json as data: read, checked against the catalogue, altered, summed up. flagd's format."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.core.problems import ConfigurationError
from app.flags.catalogue import FLAGS, Flag

Definition = dict[str, Any]
Document = dict[str, Any]


def read(path: Path) -> Document:
    """Raises ConfigurationError when the file is missing, or not what the catalogue says."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}. FLAGS_FILE names it"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not JSON: {error}") from error
    if mistakes := problems(document):
        raise ConfigurationError(f"{path}: {'; '.join(mistakes)}")
    return document


def text(document: Document) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def problems(document: Any, catalogue: Mapping[str, Flag[Any]] = FLAGS) -> list[str]:
    """One sentence for each thing in which the document and the catalogue do not fit."""
    definitions = document.get("flags") if isinstance(document, dict) else None
    if not isinstance(definitions, dict):
        return ["expected an object with `flags`"]
    found = [f"{name} is not in app/flags/catalogue.py" for name in definitions.keys() - catalogue]
    found += [f"{name} is in the catalogue only" for name in catalogue.keys() - definitions]
    for name in definitions.keys() & catalogue.keys():
        found += (f"{name}: {what}" for what in _wrong(definitions[name], catalogue[name]))
    return sorted(found)


def _wrong(definition: Any, flag: Flag[Any]) -> Iterator[str]:
    if not isinstance(definition, dict) or not isinstance(definition.get("variants"), dict):
        yield "expected an object with `variants`"
        return
    variants = definition["variants"]
    if definition.get("state") not in ("ENABLED", "DISABLED"):
        yield "`state` must be ENABLED or DISABLED"
    if definition.get("defaultVariant") not in variants:
        yield f"`defaultVariant` must be one of {', '.join(variants)}"
    for variant, value in variants.items():
        if type(value) is not type(flag.default):
            yield f"variant {variant} is no {type(flag.default).__name__}"
    yield from (
        f"a rule gives shares to {variant}, which is no variant"
        for variant in shares(definition)
        if variant not in variants
    )


def shares(definition: Definition) -> dict[str, int]:
    """The weights of a percentage rollout by variant; empty when there is none."""
    split = _fractional(definition.get("targeting"))
    weights = split["fractional"] if split else []
    return {item[0]: item[1] if len(item) > 1 else 1 for item in weights if _is_share(item)}


def _is_share(item: Any) -> bool:
    return isinstance(item, list) and bool(item) and isinstance(item[0], str)


def _fractional(rule: Any) -> dict[str, Any] | None:
    """The first percentage split inside a rule."""
    if isinstance(rule, dict) and isinstance(rule.get("fractional"), list):
        return rule
    parts = rule.values() if isinstance(rule, dict) else rule if isinstance(rule, list) else ()
    return next((found for part in parts if (found := _fractional(part))), None)


def pinned(definition: Definition, variant: str) -> Definition:
    """Give everybody this variant, without rules. Raises ConfigurationError when unknown."""
    _known(definition, variant)
    kept = {k: v for k, v in definition.items() if k not in ("targeting", "metadata")}
    return kept | {"state": "ENABLED", "defaultVariant": variant}


def split(definition: Definition, percent: Mapping[str, int], experiment: str | None) -> Definition:
    """Divide people among variants; what is left of 100 gets the default variant.

    Rules around an earlier split, such as a cohort's, stay. `experiment` names what is measured.
    Raises ConfigurationError when a variant is unknown, or the shares cannot be.
    """
    for variant in percent:
        _known(definition, variant)
    default, given = definition["defaultVariant"], sum(percent.values())
    if given > 100 or (given < 100 and default in percent):
        raise ConfigurationError(f"the shares come to {given} %, expected 100")
    weights = {**dict.fromkeys(definition["variants"], 0), **percent}
    weights[default] += 100 - given
    rule = {"fractional": [[variant, weight] for variant, weight in weights.items()]}
    altered = json.loads(json.dumps(definition))
    present = _fractional(altered.get("targeting"))
    if present is None:
        altered["targeting"] = rule
    else:
        present["fractional"] = rule["fractional"]
    metadata = {k: v for k, v in altered.pop("metadata", {}).items() if k != "experiment"}
    if experiment:
        metadata["experiment"] = experiment
    return altered | ({"metadata": metadata} if metadata else {}) | {"state": "ENABLED"}


def summary(definition: Definition) -> str:
    """Who gets what, in a few words."""
    if definition["state"] == "DISABLED":
        return "disabled: the code's default"
    given = {variant: weight for variant, weight in shares(definition).items() if weight}
    total = sum(given.values())
    if not definition.get("targeting"):
        return f"{definition['defaultVariant']} for everybody"
    parts = [f"{variant} {weight * 100 / total:g} %" for variant, weight in given.items()]
    if set(definition["targeting"]) != {"fractional"}:
        parts.append("rules before")
    if experiment := definition.get("metadata", {}).get("experiment"):
        parts.append(f"experiment {experiment}")
    return ", ".join(parts) or "by rules"


def _known(definition: Definition, variant: str) -> None:
    if variant not in definition["variants"]:
        there = ", ".join(definition["variants"])
        raise ConfigurationError(f"no variant {variant!r}; there are: {there}")
