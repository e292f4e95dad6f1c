"""Support tickets: from arrival to an answer that a person sends."""

from fastapi import FastAPI

from app.services import Services


def setup(app: FastAPI, services: Services) -> None:
    pass
