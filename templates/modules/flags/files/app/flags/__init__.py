"""Feature flags: who gets what, decided while the application runs.

    from app.flags.catalogue import LARGE_MODEL
    from app.flags.flags import FlagsDep

    if flags.enabled(LARGE_MODEL, principal): ...

Flags are declared in catalogue.py, and set in flags.json or by flagd.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.services import Services


def setup(app: "FastAPI", services: "Services") -> None:
    # Imported here: a command that switches something off should not load what serves.
    from app.core.pages import Link
    from app.flags.exposures import Exposures
    from app.flags.flags import Flags
    from app.flags.pages import router
    from app.flags.releases import Releases
    from app.flags.settings import FlagsSettings

    exposures = Exposures(services.database)
    flags = Flags(FlagsSettings(), services.metrics, exposures.note)
    app.state.flags = flags
    services.gateway.choose = Releases(services.gateway, flags).choose
    app.include_router(router)
    services.links.append(Link("/flags", "Flags", "flags:read", 30))
    services.lifespans.extend([exposures.running, flags.running])
