"""The committed rules of the gateway are those of the routes; without the file there is nothing
to be out of date: what serves makes its own.
"""

import pytest

from app.gateway.commands import REVIEWED
from app.gateway.document import reviewed
from app.main import create_app
from app.settings import Settings

pytestmark = pytest.mark.contract


def test_the_rules_that_reviews_saw_are_those_of_the_routes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not REVIEWED.exists():
        pytest.skip(f"{REVIEWED} is not committed: app gateway write")
    monkeypatch.setenv("AUTH_PROVIDER", "development")
    made = reviewed(create_app(Settings(_env_file=None, environment="test")))
    assert REVIEWED.read_text(encoding="utf-8") == made, "app gateway write, and commit it"
