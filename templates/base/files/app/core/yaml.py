"""YAML as plain data, by libyaml where it is there: ten times faster than the parser in Python."""

from collections.abc import Iterator
from typing import Any

import yaml
from yaml import YAMLError

__all__ = ["YAMLError", "safe_load", "safe_load_all"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def safe_load(text: str) -> Any:
    """Read one document: text, numbers, lists and mappings, never an object.

    Raises YAMLError, which says where.
    """
    return yaml.load(text, Loader=_LOADER)  # noqa: S506  both loaders are the safe ones


def safe_load_all(text: str) -> Iterator[Any]:
    """Read each document of a text that has several. Raises as safe_load() does, on the way."""
    return yaml.load_all(text, Loader=_LOADER)
