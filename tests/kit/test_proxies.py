"""Every place says how many proxies stand in front, or all who ask share one address there."""

import re

from greenlane.kit import Kit, Part


def settings(part: Part) -> str:
    """The files of a module that are no documentation and no tests."""
    files = (it.file for path, it in part.files.items() if not path.startswith(("docs", "tests")))
    return "\n".join(file.read_text(errors="replace") for file in files)


def test_each_place_says_how_many(kit: Kit) -> None:
    places = [name for name in kit.modules if name.startswith("infra-")]
    assert places
    hops = {
        name: re.findall(r"TRUSTED_HOPS\W+(?:value: )?\"?(\d+)", settings(kit.modules[name]))
        for name in (*places, "one-click")
    }
    assert hops == {name: ["1"] for name in places} | {"one-click": ["1", "2", "3"]}


def test_the_server_does_not_take_what_a_caller_says(kit: Kit) -> None:
    """With `*`, Uvicorn takes the leftmost address of X-Forwarded-For, which callers choose."""
    assert [name for name in kit.parts if "FORWARDED_ALLOW_IPS" in settings(kit.parts[name])] == []
