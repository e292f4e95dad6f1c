"""The application with one more route, which asks a model: started by test_serving.py."""

import os

from fastapi import FastAPI

from app.core.principal import PrincipalDep
from app.main import create_app
from tests.conftest import tester


def create() -> FastAPI:
    app = create_app()
    app.state.services.authenticators.insert(0, tester)

    @app.get("/ask")
    async def ask(principal: PrincipalDep) -> dict[str, str | int]:
        """Who answered, with which prompt, in which process."""
        variables = {"text": "Where is my card?", "organisation": "Example Bank", "intent": ""}
        answer = await app.state.services.gateway.complete("draft", variables, principal=principal)
        return {"model": answer.model, "prompt": answer.prompt_hash, "process": os.getpid()}

    return app
