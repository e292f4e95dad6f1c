"""Browsers by names that people know."""

import pytest

from app.auth.browsers import name_of

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (f"{CHROME} Safari/537.36", "Chrome on Linux"),
        (
            f"{CHROME} Safari/537.36 Edg/142.0".replace("X11; Linux", "Windows NT"),
            "Edge on Windows",
        ),
        ("Mozilla/5.0 (iPhone; like Mac OS X) Version/19.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Android 16; Mobile) Gecko/145.0 Firefox/145.0", "Firefox on Android"),
        ("curl/8.1", "curl/8.1"),
        ("", "An unknown browser"),
    ],
)
def test_the_name(said: str, name: str) -> None:
    assert name_of(said) == name
