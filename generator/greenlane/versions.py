"""versions.yml: every version that the kit pins, in one place."""

from pathlib import Path

from greenlane.manifest import Section, kind_of, read_manifest


def read_versions(root: Path) -> Section | None:
    """The content of versions.yml, whose leaves are all texts; None when there is none.

    A version that YAML reads as a number (1.10 would become 1.1) is refused.
    """
    path = root / "versions.yml"
    if not path.exists():
        return None
    section = read_manifest(path, "versions.yml")
    _check(section, section.data)
    return section


def _check(section: Section, data: dict[str, object]) -> None:
    for key, value in data.items():
        if isinstance(value, dict):
            inner = section.section(key)
            _check(inner, inner.data)
        elif not isinstance(value, str):
            raise section.error(
                key, f"is {kind_of(value)}, expected a text.", f'Put it in quotes: `{key}: "..."`.'
            )
