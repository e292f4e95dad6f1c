"""A kit that extends another one: which one, in which versions, and what may be added to it."""

import re
from collections.abc import Mapping
from pathlib import Path

from greenlane.complaints import strictly
from greenlane.errors import GreenlaneError, did_you_mean
from greenlane.kit import BUILT_IN, Kit, built_in_root
from greenlane.manifest import Section
from greenlane.versions import read_versions

_BOUND = re.compile(r"(>=|<=|==|!=|<|>)\s*([0-9][0-9A-Za-z.+-]*)")
_EXAMPLE = "Write `extends: greenlane`, or with a range `extends: greenlane >=0.1,<1`."


def extended_kit(head: Section, root: Path, *, extended: bool) -> Kit | None:
    """The kit that `extends` in kit.yml names; None when it names none.

    `greenlane` is the built-in kit, a relative path another kit's folder. `extended` says that the
    kit in `root` is extended itself, so that it must not go on.
    """
    if "extends" not in head:
        return None
    if extended:
        raise head.error(
            "extends",
            "makes no sense in a kit that another one extends.",
            "Extend the same kit as this one does.",
        )
    name, wanted = _name_and_range(head.text("extends"))
    if not name or not name.isprintable():
        raise head.error("extends", "names no kit.", _EXAMPLE)
    with strictly():  # its mistakes are not those of this kit
        base = _load(head, root, name)
    if not _allows(head, wanted, base.version):
        raise head.error(
            "extends",
            f"wants {base.name} {wanted}, this is {base.name} {base.version}.",
            "Install a greenlane that fits, or try the kit with this one and widen the range.",
        )
    return base


def _name_and_range(text: str) -> tuple[str, str]:
    begin = min((text.find(sign) for sign in "<>=!" if sign in text), default=len(text))
    return text[:begin].strip(), text[begin:].strip()


def _load(head: Section, root: Path, name: str) -> Kit:
    from greenlane.loading import load

    if name == BUILT_IN:
        return load(built_in_root())
    if not name.startswith("."):
        raise head.error("extends", f'names "{name}", which is neither known nor a path.', _EXAMPLE)
    folder = (root / name).resolve()
    if folder == root:
        raise head.error("extends", "names the kit itself.", _EXAMPLE)
    if not (folder / "kit.yml").exists():
        raise head.error("extends", f'names "{name}", where no kit.yml is.', _EXAMPLE)
    return load(folder, extended=True)


def _allows(head: Section, wanted: str, version: str) -> bool:
    """Whether `version` lies in a range such as `>=0.1,<1`."""
    from greenlane.evolution import version_key

    have = version_key(version)
    for bound in filter(None, (part.strip() for part in wanted.split(","))):
        match = _BOUND.fullmatch(bound)
        if match is None:
            raise head.error("extends", f'has "{bound}", which is no bound.', _EXAMPLE)
        limit = version_key(match[2])
        holds = {
            ">=": have >= limit,
            "<=": have <= limit,
            "==": have == limit,
            "!=": have != limit,
            "<": have < limit,
            ">": have > limit,
        }
        if not holds[match[1]]:
            return False
    return True


def merged_versions(root: Path, base: Kit | None) -> Mapping[str, object]:
    """versions.yml of the kit in `root`, added to that of the kit that it extends.

    An entry of that one is replaced only by one under `override`.
    """
    section = read_versions(root)
    if base is None:
        return section.data if section else {}
    if section is None:
        return base.versions
    override = section.section("override")
    _check_overrides(override, base.versions)
    merged = dict(base.versions)
    for key in section:
        if key == "override":
            continue
        merged[key] = _added(section, key, merged)
    for key, value in override.data.items():
        known = merged[key]
        merged[key] = {**known, **value} if isinstance(known, dict) else value
    return merged


def _added(section: Section, key: str, merged: Mapping[str, object]) -> object:
    if key not in merged:
        return section.data[key]
    known = merged[key]
    if not isinstance(known, dict):
        raise _taken(section, key)
    group = section.section(key)
    for name in group:
        if name in known and known[name] != group.data[name]:
            raise _taken(group, name)
    return {**known, **group.data}


def _taken(section: Section, key: str) -> GreenlaneError:
    return section.error(
        key,
        "is pinned by the kit that this one extends.",
        "Leave it out, or say that you mean it: put it under `override:`.",
    )


def _check_overrides(override: Section, known: Mapping[str, object]) -> None:
    for key in override:
        if key not in known:
            raise override.error(
                key, "is not in the kit that this one extends.", did_you_mean(key, known)
            )
        group = known[key]
        if not isinstance(group, dict):
            if not isinstance(override.data[key], str):
                raise override.error(key, "should be a text.", "Put it in quotes.")
            continue
        names = override.section(key)
        for name in names:
            if name not in group:
                raise names.error(
                    name, "is not in the kit that this one extends.", did_you_mean(name, group)
                )
