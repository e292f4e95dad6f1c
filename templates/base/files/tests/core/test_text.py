"""What others wrote neither steers a terminal nor looks like a line of ours."""

import re
from collections.abc import Iterator

import pytest
import structlog

from app.core import options, telemetry
from app.core.text import printable
from app.settings import Settings

# Clears the screen, begins a line, turns the direction, ends a text in C, and steers once more.
EVIL = "ada\x1b[2J\r\nroot  admin\u202etxt\0\x9b"


def test_66_what_cannot_be_seen_is_escaped() -> None:
    assert printable(EVIL) == r"ada\x1b[2J\r\nroot  admin\u202etxt\x00\x9b"
    assert printable("half \ud800") == r"half \ud800"
    assert printable("a\n\tb", keep="\n") == "a\n\\tb"
    for harmless in ("", "Zoë O'Neil", "山田\u3000太郎", "👩\u200d💻", "a\u00a0b", r"C:\x1b"):
        assert printable(harmless) == harmless


def test_66_a_command_says_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    options.say(EVIL)
    assert capsys.readouterr().out == f"{printable(EVIL)}\n"


@pytest.fixture(params=["console", "json"])
def settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    yield Settings(_env_file=None, log_format=request.param, log_level="INFO")
    structlog.reset_defaults()


def test_66_a_log_keeps_its_lines(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure(settings)
    log = structlog.get_logger("test")
    log.info("seen", who=EVIL, tenant=EVIL)
    assert _without_our_colours(capsys).count("\n") == 1
    try:
        raise ValueError(EVIL)
    except ValueError:
        log.exception("failed")
    written = _without_our_colours(capsys)
    assert "Traceback" in written
    assert printable(written, keep="\n") == written


def _without_our_colours(capsys: pytest.CaptureFixture[str]) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
