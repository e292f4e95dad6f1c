"""The gateway in front of this application: Envoy, configured by the routes that are here.

`app gateway show` makes its configuration. While the application serves, nothing of this is used:
it believes no header of a gateway, and checks whatever one has checked.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.services import Services


def setup(_app: "FastAPI", _services: "Services") -> None:
    """Nothing to add: the gateway is a program of its own."""
