"""The audit: every change of people, roles, keys, flags, prompts and models, once.

    from app.audit.log import record

    await record(session, principal, "flag.change", "flag:release", before=..., after=...)

It commits with the change, or neither does.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.services import Services


def setup(app: "FastAPI", services: "Services") -> None:
    from app.audit.pages import router
    from app.core.pages import Link

    app.include_router(router)
    services.links.append(Link("/audit", "Audit", "audit:read", 60))
