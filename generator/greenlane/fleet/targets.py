"""Which repositories a fleet has: read from a fleet.yml, or found in a folder of clones."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from greenlane.errors import GreenlaneError
from greenlane.manifest import Section, kind_of, read_manifest

BRANCH = "greenlane/update-{version}"
PROTOCOLS = ("https", "ssh", "file")
_SETTINGS = ("base", "branch", "sets")
_URL = re.compile(r"(https|ssh|file)://(?P<user>[^/@]*@)?(?P<host>[^/@]*)/.+")
_SCP = re.compile(r"([A-Za-z0-9._][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]+:(?!:).+")


@dataclass(frozen=True, slots=True)
class Target:
    """One repository. `path` is where it lies, or where the clone of `url` is kept.

    `sets` are `key=value` texts, `branch` may hold `{version}`, `base` is the revision that is
    updated. `listed`: named by a person, so that it must be a project of greenlane.
    """

    name: str
    path: Path
    url: str = ""
    sets: tuple[str, ...] = ()
    branch: str = BRANCH
    base: str = "HEAD"
    listed: bool = True


def read_fleet(file: Path) -> list[Target]:
    """The repositories of a fleet.yml; relative paths in it start at its folder.

    Raises GreenlaneError with file and line for anything that it does not know.
    """
    fleet = read_manifest(file, str(file))
    fleet.only("defaults", "work_folder", "repositories")
    defaults = fleet.section("defaults")
    defaults.only(*_SETTINGS)
    home = file.absolute().parent
    clones = home / fleet.text("work_folder", ".greenlane-fleet")
    targets: list[Target] = []
    for section in fleet.sections("repositories"):
        target = _target(section, defaults, home, clones)
        if any(_is_same(target, other) for other in targets):
            raise section.error(None, f"names {target.url or target.path} a second time.")
        targets.append(target)
    if not targets:
        raise fleet.error(
            "repositories", "names no repository.", "Write a list of `- path: ...` or `- url: ...`."
        )
    return _with_names(targets)


def find_clones(folder: Path) -> list[Target]:
    """The clones directly below `folder`, by name; `folder` itself when it is one."""
    if (folder / ".git").exists():
        return [Target(folder.resolve().name, folder.absolute())]
    found = [
        Target(path.name, path, listed=False)
        for path in sorted(folder.absolute().iterdir())
        if not path.name.startswith(".") and (path / ".git").exists()
    ]
    if not found:
        raise GreenlaneError(
            f"There is no clone in {folder}.",
            "Name a folder whose folders are git repositories, or --file fleet.yml.",
        )
    return found


def _target(section: Section, defaults: Section, home: Path, clones: Path) -> Target:
    section.only("path", "url", *_SETTINGS)
    path, url = section.text("path", ""), section.text("url", "")
    if bool(path) == bool(url):
        raise section.error(None, 'needs either "path" or "url".', "Write `- path: ../my-shop`.")
    if url:
        _check_url(section, url)
        place = clones / f"{_last_part(url)}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
    else:
        place = Path(os.path.normpath(home / Path(path).expanduser()))
    revision = section.text("base", defaults.text("base", "HEAD"))
    if not revision or revision.startswith("-"):
        raise section.error("base", f"{revision!r} is no revision.", "Write `base: origin/main`.")
    return Target(
        name=_last_part(url) if url else place.name,
        path=place,
        url=url,
        sets=tuple(_sets(defaults)) + tuple(_sets(section)),
        branch=section.text("branch", defaults.text("branch", BRANCH)),
        base=revision,
    )


def _sets(section: Section) -> Iterator[str]:
    for key, value in section.section("sets").data.items():
        if isinstance(value, bool):
            yield f"{key}={str(value).lower()}"
        elif isinstance(value, str | int | float):
            yield f"{key}={value}"
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            yield f"{key}={','.join(value)}"
        else:
            raise section.section("sets").error(
                key, f"is {kind_of(value)}, expected an answer.", "Write `name: value`."
            )


def _check_url(section: Section, url: str) -> None:
    """Only what git fetches by a known protocol, and nothing that reads as an option."""
    match = _URL.fullmatch(url)
    plain = url.isprintable() and " " not in url
    if not plain or not (match or ("://" not in url and _SCP.fullmatch(url))):
        raise section.error(
            "url",
            f"{url!r} is no address that is fetched from.",
            f"Write {', '.join(f'{name}://' for name in PROTOCOLS)} or git@host:path.",
        )
    if match and match["host"].startswith("-"):
        raise section.error("url", f"{url!r} has no host.")
    if match and match["user"] and ":" in match["user"]:
        raise section.error(
            "url", "holds a password.", "Leave it out; git's credential helpers keep passwords."
        )


def _last_part(url: str) -> str:
    last = re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-") or "repository"


def _is_same(one: Target, other: Target) -> bool:
    return one.url == other.url if one.url else one.path.resolve() == other.path.resolve()


def _with_names(targets: list[Target]) -> list[Target]:
    """Names must differ: they are those of rows and of files with summaries."""
    seen: set[str] = set()
    named = []
    for target in targets:
        name, number = target.name, 2
        while name in seen:
            name, number = f"{target.name}-{number}", number + 1
        seen.add(name)
        named.append(replace(target, name=name))
    return named
