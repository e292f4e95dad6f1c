"""Work on a repository by a worker that is killed over it, for the tests of fleets."""

import os
import signal
from pathlib import Path
from typing import Any

from greenlane.fleet.work import report_update


def killed(task: dict[str, Any]) -> dict[str, Any]:
    """As `report_update`, but the worker dies while there is a file `PATH.kills` with a number.

    The number goes down by one each time. The first half of the work is done before.
    """
    kills = Path(task["path"] + ".kills")
    if kills.exists() and (left := int(kills.read_text())):
        kills.write_text(str(left - 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return report_update(task)


def killed_afterwards(task: dict[str, Any]) -> dict[str, Any]:
    """The same, when all is done and only the answer is missing."""
    result = report_update(task)
    return {**result, **killed(task)}


def raising(task: dict[str, Any]) -> dict[str, Any]:
    raise ValueError(task["name"])
