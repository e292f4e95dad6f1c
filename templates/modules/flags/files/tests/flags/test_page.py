"""The page /flags: what it shows, and its buttons."""

import re

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.main import create_app
from app.settings import Settings
from tests.flags.conftest import FlagFile

pytestmark = pytest.mark.anyio


@pytest.fixture
def app(flags_file: FlagFile, settings: Settings) -> FastAPI:
    return create_app(settings)


async def test_it_shows_every_flag_and_who_gets_what(client: httpx2.AsyncClient) -> None:
    page = await client.get("/flags")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for text in (
        "escalation",
        "large-model",
        "current 100 %",
        "Previous for everybody",
        "None yet",
    ):
        assert text in page.text
    assert not re.search(
        r"<script|<[^>]+\s(?:style|on[a-z]+)=|(?:src|href)=\"(?:https?:)?//", page.text
    )
    (look,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
    assert (await client.get(look)).headers["content-type"].startswith("text/css")


async def test_a_button_pins_and_is_in_the_audit(
    client: httpx2.AsyncClient, flags_file: FlagFile
) -> None:
    form = {"variant": "previous", "reason": "<b>worse</b>"}
    done = await client.post("/flags/release/pin", data=form)
    assert (done.status_code, done.headers["location"]) == (303, "/flags")
    release = flags_file.read()["flags"]["release"]
    assert (release["defaultVariant"], "targeting" in release) == ("previous", False)
    page = (await client.get("/flags")).text
    assert "previous for everybody" in page
    assert "&lt;b&gt;worse" in page
    assert "api" in page, "who did it"


async def test_another_site_cannot_press_it(
    client: httpx2.AsyncClient, flags_file: FlagFile
) -> None:
    before = flags_file.path.read_bytes()
    done = await client.post(
        "/flags/release/pin",
        data={"variant": "previous"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert done.status_code == 403
    assert flags_file.path.read_bytes() == before


@pytest.mark.parametrize(
    ("path", "variant", "message"),
    [("release", "gone", "no variant"), ("gone", "on", "no flag")],
)
async def test_mistakes_are_a_page(
    client: httpx2.AsyncClient, path: str, variant: str, message: str
) -> None:
    done = await client.post(f"/flags/{path}/pin", data={"variant": variant})
    assert done.status_code == 409
    assert message in done.text


async def test_a_broken_file_is_told(client: httpx2.AsyncClient, flags_file: FlagFile) -> None:
    flags_file.path.write_text("{")
    page = await client.get("/flags")
    assert page.status_code == 503
    assert "is not JSON" in page.text


async def test_it_asks_for_the_access_token(settings: Settings, flags_file: FlagFile) -> None:
    closed = create_app(settings.model_copy(update={"access_token": SecretStr("x" * 32)}))
    transport = httpx2.ASGITransport(app=closed)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        # 303: to where one signs in, when there is such a place.
        assert (await client.get("/flags")).status_code in (303, 401)
        done = await client.post("/flags/release/pin", data={"variant": "previous"})
    assert done.status_code == 401
    assert flags_file.read()["flags"]["release"]["defaultVariant"] == "current"
