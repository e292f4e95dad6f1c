"""What a release is made of: `app release build`, and a process that serves nothing else."""

from fastapi import FastAPI

from app.core import release
from app.services import Services


def setup(app: FastAPI, services: Services) -> None:
    # Imported here: only a release has something to compare, and a work tree is none.
    if (document := release.current()) is None:
        return
    from app.release.document import differences

    found = differences(document, services.settings.model_path)

    async def as_released() -> str | None:
        return found[0] if found else None

    services.probes["release"] = as_released
