"""No personal data in a log line, wherever it comes from."""

import json
from collections.abc import Iterator

import pytest
import structlog

from app.core import telemetry
from app.settings import Settings


@pytest.fixture
def settings() -> Iterator[Settings]:
    yield Settings(_env_file=None, log_format="json", log_level="INFO")
    structlog.reset_defaults()


def test_texts_and_tracebacks_are_masked(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.configure(settings)
    log = structlog.get_logger("test")
    try:
        raise ValueError("no account for ada@example.com")
    except ValueError:
        log.exception("failed for 4111 1111 1111 1111", who="+44 7700 900123", count=3)
    line = capsys.readouterr().out
    for datum in ("ada@example.com", "4111", "7700"):
        assert datum not in line
    event = json.loads(line)
    assert event["event"] == "failed for [CARD_1]"
    assert event["count"] == 3


def test_ids_stay_whole(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure(settings)
    digits = "4111111111111111" * 2
    structlog.get_logger("test").info("done", correlation_id=digits, prompt_hash=digits)
    event = json.loads(capsys.readouterr().out)
    assert (event["correlation_id"], event["prompt_hash"]) == (digits, digits)
