"""The kit of this repository; its rules are skipped as long as there is none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from greenlane.kit import Kit, Part, load_kit

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def kit() -> Kit:
    if not (ROOT / "templates/kit.yml").exists():
        pytest.skip("there is no kit yet")
    return load_kit(ROOT / "templates")


@pytest.fixture(scope="session")
def texts(kit: Kit) -> dict[str, str]:
    """The text of every template and slot of the kit, by its path in the kit."""

    def sources(part: Part) -> Iterator[tuple[str, str]]:
        for path, source in (*part.files.items(), *part.slots.items()):
            if source.template or path in part.slots:
                yield source.shown, source.file.read_text()

    return dict(item for part in kit.parts.values() for item in sources(part))
