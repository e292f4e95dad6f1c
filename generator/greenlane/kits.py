"""Which kit a command works with: by option, environment, installed packages, or a record.

A package offers a kit by an entry point in the group `greenlane.kits`: the kit's name, and the
package in whose folder its kit.yml lies. No code of the package is run.
"""

import os
import re
import sys
from pathlib import Path

from greenlane.errors import GreenlaneError, did_you_mean
from greenlane.kit import BUILT_IN, Kit, load_kit

VARIABLE = "GREENLANE_KIT"
_GROUP = "greenlane.kits"
_NAME = re.compile(r'^kit: "?([a-z][a-z0-9-]*)"?$', re.MULTILINE)


def chosen_kit(given: Path | None) -> Kit:
    """The kit for something new: `given` (folder or name), else $GREENLANE_KIT, else the installed.

    Raises GreenlaneError when it is not found, or when several are installed and none is named.
    """
    if wanted := given or _from_environment():
        return _load(wanted)
    installed = installed_kits()
    if len(installed) > 1:
        raise GreenlaneError(
            f"Several kits are installed: {', '.join(sorted(installed))}.",
            f"Name one, such as `--kit {min(installed)}`, or `--kit {BUILT_IN}` for the built-in.",
        )
    return load_kit(next(iter(installed.values()), None))


def kit_of_project(folder: Path, given: Path | None) -> Kit:
    """The kit that the project in `folder` was made from, by its name in the project's record."""
    if given:
        return _load(given)
    name = _recorded_name(folder)
    wanted = _from_environment()
    kit = _load(wanted) if wanted else None
    if kit and kit.name == name:
        return kit
    if name == BUILT_IN:
        return load_kit()
    installed = installed_kits()
    if name in installed:
        return load_kit(installed[name])
    raise GreenlaneError(
        f'The project was made from the kit "{name}", which is not installed.',
        f"Give its folder: `--kit FOLDER`, or {VARIABLE}=FOLDER for every command; or install it "
        f"beside greenlane.",
    )


def _recorded_name(folder: Path) -> str:
    """The name in the record. One that cannot be read is for the reader of records to explain."""
    from greenlane.record import PROJECT

    match = _NAME.search(_text(str(folder / PROJECT)))
    return match[1] if match else BUILT_IN


def _from_environment() -> Path | None:
    value = os.environ.get(VARIABLE)
    return Path(value) if value else None


def _load(wanted: Path) -> Kit:
    """By folder; a plain word that is none is the name of an installed kit."""
    if wanted.is_dir() or len(wanted.parts) != 1:
        return load_kit(wanted)
    name = str(wanted)
    if name == BUILT_IN:
        return load_kit()
    installed = installed_kits()
    if name not in installed:
        raise GreenlaneError(
            f'There is no kit "{name}": neither a folder here, nor installed.',
            did_you_mean(name, [*installed, BUILT_IN]),
        )
    return load_kit(installed[name])


def installed_kits() -> dict[str, Path]:
    """Name -> folder of the kits that installed packages offer."""
    if not any(map(_mentions_kits, sys.path)):
        return {}
    from importlib.metadata import entry_points

    return {point.name: _folder(point.name, point.value) for point in entry_points(group=_GROUP)}


def _mentions_kits(folder: str) -> bool:
    """Whether a package there has such an entry point: much faster than importlib.metadata."""
    try:
        with os.scandir(folder or ".") as entries:
            files = [f"{entry.path}/entry_points.txt" for entry in entries if _is_metadata(entry)]
    except OSError:
        return False
    return any(_GROUP in _text(file) for file in files)


def _is_metadata(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith((".dist-info", ".egg-info"))


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _folder(name: str, package: str) -> Path:
    from importlib.util import find_spec

    # Only for a package at the top is no code run to find it.
    spec = find_spec(package) if package.isidentifier() else None
    for folder in (spec.submodule_search_locations if spec else None) or ():
        if (Path(folder) / "kit.yml").is_file():
            return Path(folder)
    raise GreenlaneError(
        f'The installed kit "{name}" is broken: there is no kit.yml in the package {package!r}.',
        "Tell its author, or uninstall it.",
    )
