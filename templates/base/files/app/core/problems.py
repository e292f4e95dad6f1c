"""Errors as problem+json (RFC 9457): what happened, and what to do."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

log = structlog.get_logger(__name__)


class ConfigurationError(ValueError):
    """A file of this repository is wrong: which, where, and what is expected. Commands print it."""


class AppError(Exception):
    """A refusal the caller can act on. `extra` are further members of the problem document."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(f"{title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra


def problem(
    status: int,
    title: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> JSONResponse:
    return JSONResponse(
        {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra},
        status_code=status,
        headers=dict(headers or {}),
        media_type="application/problem+json",
    )


def setup(app: FastAPI) -> None:
    from sqlalchemy.exc import IntegrityError  # whoever only raises an AppError needs no database

    app.add_exception_handler(AppError, _on_app_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(IntegrityError, _on_integrity_error)
    app.add_exception_handler(Exception, _on_unexpected_error)


async def _on_app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)  # noqa: S101  the registration guarantees it
    if (refusal := request.scope.get("refusal")) is not None:
        return refusal(request, error)
    return problem(error.status, error.title, error.detail, headers=error.headers, **error.extra)


async def _on_http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    phrase = HTTPStatus(error.status_code).phrase
    return problem(error.status_code, phrase, str(error.detail), headers=error.headers)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    # The offending input is left out: it may hold personal data, and the caller knows it.
    errors = [{"at": list(item["loc"]), "message": item["msg"]} for item in error.errors()]
    detail = "Some fields are missing or wrong."
    return await _on_app_error(request, AppError(422, "Invalid request", detail, errors=errors))


async def _on_integrity_error(request: Request, error: Exception) -> Response:
    # Another one made the same row after we had looked. Any other rule of a table is ours to keep.
    if getattr(getattr(error, "orig", None), "sqlstate", "") != "23505":
        return await _on_unexpected_error(request, error)
    detail = "Somebody did the same at this moment. Look at the result, or try again."
    return await _on_app_error(request, AppError(409, "Done by another request", detail))


async def _on_unexpected_error(_request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected_error", exc_info=error)
    return problem(500, "Internal error", "This was logged under the correlation id you got.")
