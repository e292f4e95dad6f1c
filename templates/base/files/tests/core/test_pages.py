"""What every page has: the bar, moments, and the way back from a refusal."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request

from app.core.pages import Link, came_from, links, moment
from app.core.principal import Principal

pytestmark = pytest.mark.anyio

LINKS = [
    Link("/two", "Two", "tickets:read", 2),
    Link("/one", "One", "tickets:read", 1),
    Link("/one/more", "More", "tickets:read", 3),
    Link("/hidden", "Hidden", "metrics:read", 4),
]


def request(method: str = "POST", headers: Mapping[str, str] | None = None) -> Request:
    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "method": method, "headers": raw})


@pytest.mark.parametrize(
    ("method", "referer", "page"),
    [
        ("POST", "http://test/people?done=roles", "/people"),
        ("POST", "http://test//evil.example", "/"),
        ("POST", "", "/"),
        ("GET", "http://test/people", "/"),
    ],
)
async def test_the_page_whose_form_was_sent(method: str, referer: str, page: str) -> None:
    assert came_from(request(method, {"referer": referer})) == page


async def test_a_moment_is_read_by_people_and_programs() -> None:
    at = datetime(2026, 11, 21, 9, 5, 7, tzinfo=UTC)
    assert moment(at) == '<time datetime="2026-11-21T09:05:07+00:00">21 Nov 2026, 09:05 UTC</time>'
    assert ">21 Nov 2026, 09:05:07 UTC<" in moment(at, seconds=True)


@pytest.mark.parametrize(
    ("path", "current", "beneath"),
    [
        ("/one", ["page", ""], {"One": "page", "More": ""}),
        ("/one/more", ["true", ""], {"One": "", "More": "page"}),
        ("/two/7", ["", "true"], {"Two": ""}),
        ("/hidden", ["", ""], {}),
    ],
)
async def test_links_are_those_that_one_may_open(
    app: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    current: list[str],
    beneath: dict[str, str],
) -> None:
    principal = Principal("default", "vic", scopes=frozenset({"tickets:read"}))
    scope: dict[str, Any] = {
        "type": "http",
        "path": path,
        "headers": [(b"host", b"test")],
        "app": app,
        "state": {"principal": principal},
    }
    app.state.services.links[:] = LINKS
    asked = type("Asked", (), {"get": lambda _self: Request(scope)})()
    monkeypatch.setattr("app.core.pages._asked", asked)
    bar, under = links()
    assert [(link.title, mark) for link, mark in bar] == list(
        zip(["One", "Two"], current, strict=True)
    )
    assert {link.title: mark for link, mark in under} == beneath


async def test_a_program_is_told_in_json_what_is_wrong_with_its_request(
    app: FastAPI, client: httpx2.AsyncClient
) -> None:
    @app.get("/planted", include_in_schema=False)
    async def planted(number: int) -> int:
        return number

    answer = await client.get("/planted?number=x")
    assert (answer.status_code, answer.json()["title"]) == (422, "Invalid request")
    assert answer.json()["errors"][0]["at"] == ["query", "number"]
