"""Reading a project's record: what it was made from, and what was rendered then."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from greenlane.answers_file import AnswersFile, answers_from
from greenlane.errors import GreenlaneError
from greenlane.manifest import MANIFEST_BYTES, Section, parse_manifest
from greenlane.paths import path_danger, path_problem
from greenlane.record import FOLDER, LOCK, LOCK_FORMAT, PROJECT
from greenlane.sources.origin import Origin, is_foreign, origin_from

_BLOB = re.compile(r"[0-9a-f]{40}")
_MODES = frozenset(["100644", "100755"])
_LINK = "120000"
_MARKERS = ("<<<<<<< ", ">>>>>>> ")


@dataclass(frozen=True, slots=True)
class Locked:
    """A pristine file as the lock has it: mode of git, SHA-1 blob id, owning part."""

    mode: str
    blob: str
    part: str


@dataclass(frozen=True, slots=True)
class Record:
    """Kit, version and answers of a project, and the lock of what they rendered to.

    `releases` are the names and versions of the kit and of the one that it extends. `origin` is
    what a template of Copier or Cookiecutter was rendered from; None for a kit.
    """

    kit: str
    version: str
    releases: Mapping[str, str]
    answers: AnswersFile
    files: Mapping[str, Locked]
    origin: Origin | None = None


def read_record(read: Callable[[str], bytes | None]) -> Record:
    """The record of a project; `read` gives the content of a path, None where there is none.

    Raises GreenlaneError, with the way out, when it is missing, edited into nonsense, or written by
    a newer greenlane.
    """
    section = _project(read(PROJECT))
    if is_foreign(section):
        origin = origin_from(section)
        release = {"name": origin.name, "version": origin.version}
        files = _lock(read(LOCK), release, foreign=True)
        releases = {origin.name: origin.version}
        return Record(origin.name, origin.version, releases, AnswersFile(), files, origin)
    answers = _answers(section)
    extends = {"extends": answers.extends} if answers.extends else {}
    kit, version = answers.kit or "", answers.version or ""
    files = _lock(read(LOCK), {"name": kit, "version": version, **extends})
    return Record(kit, version, _releases(answers), answers, files)


def _releases(answers: AnswersFile) -> dict[str, str]:
    releases = {answers.kit or "": answers.version or ""}
    if answers.extends:
        name, _, version = answers.extends.partition(" ")
        releases[name] = version
    return releases


def _project(content: bytes | None) -> Section:
    if content is None:
        raise GreenlaneError(
            f"This is no greenlane project: it has no {PROJECT} in its last commit.",
            "`greenlane adopt` puts an existing repository under a kit; `greenlane new` makes one.",
        )
    text = _text(content, PROJECT)
    if len(content) > MANIFEST_BYTES:
        raise _damaged(PROJECT, f"it has {len(content):,} bytes")
    return parse_manifest(text, PROJECT)


def _answers(section: Section) -> AnswersFile:
    answers = answers_from(section)
    for key, value in (("kit", answers.kit), ("version", answers.version), ("app", answers.app)):
        if not value:
            raise _damaged(PROJECT, f'it does not say "{key}"')
    return answers


def _lock(
    content: bytes | None, release: Mapping[str, str], *, foreign: bool = False
) -> dict[str, Locked]:
    if content is None:
        raise _damaged(LOCK, "it is missing")
    try:
        data = json.loads(_text(content, LOCK))
    except (ValueError, RecursionError) as error:
        raise _damaged(LOCK, f"it is not JSON ({error})") from None
    if not isinstance(data, dict) or not isinstance(data.get("format"), int):
        raise _damaged(LOCK, "it is not a lock of greenlane")
    if data["format"] > LOCK_FORMAT:
        raise GreenlaneError(
            f"{LOCK} has the format {data['format']}, this greenlane knows {LOCK_FORMAT}: it was "
            "written by a newer one.",
            "Upgrade: `uv tool upgrade greenlane`.",
        )
    kit = data.get("kit")
    if kit != release:
        raise _damaged(LOCK, f"it is of the kit {kit!r}, but {PROJECT} says otherwise")
    files = _mapping(data.get("files"), "files")
    return {path: _locked(path, entry, foreign=foreign) for path, entry in files.items()}


def _locked(path: str, entry: object, *, foreign: bool) -> Locked:
    if problem := path_danger(path) if foreign else path_problem(path):
        raise _damaged(LOCK, f"the path {path!r} {problem}")
    fields = _mapping(entry, path)
    mode, blob, part = (str(fields.get(key)) for key in ("mode", "blob", "part"))
    if (mode in _MODES or (foreign and mode == _LINK)) and _BLOB.fullmatch(blob):
        return Locked(mode, blob, part)
    raise _damaged(LOCK, f"the entry of {path} makes no sense")


def _mapping(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _damaged(LOCK, f'"{name}" is no mapping')
    return value


def _text(content: bytes, path: str) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise _damaged(path, "it is not UTF-8") from None
    if any(line.startswith(_MARKERS) for line in text.splitlines()):
        raise GreenlaneError(
            f"{path} holds conflict markers, from two updates that were merged.",
            f"Take one side for the whole folder, `git checkout --theirs -- {FOLDER}` or `--ours`, "
            "commit it, then run the update again.",
        )
    return text


def _damaged(path: str, problem: str) -> GreenlaneError:
    return GreenlaneError(
        f"{path} is damaged: {problem}.",
        f"Take it from an earlier commit: `git log -- {path}`, "
        f"`git checkout COMMIT -- {FOLDER}`, and commit that.",
    )
