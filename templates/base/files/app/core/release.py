"""What this process was built from: `release.json`, written by `app release build`."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from app.core.problems import ConfigurationError

FILE = Path("release.json")


@cache
def current() -> dict[str, Any] | None:
    """The release that runs here; None in a work tree, where nothing was released.

    Read once: a process stays what it was started as. Raises ConfigurationError when the file is
    there and cannot be read.
    """
    if not FILE.exists():
        return None
    try:
        found = json.loads(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{FILE} cannot be read: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        raise ConfigurationError(f'{FILE} has no "id"; make it anew: app release build')
    return found


def current_id() -> str | None:
    """The release's name in logs and traces."""
    found = current()
    return found["id"] if found else None
