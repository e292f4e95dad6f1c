"""From the answers that a project has to those for a newer kit, or with a change to them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from greenlane.answers import Answers, asked_values, resolve
from greenlane.answers_file import AnswersFile
from greenlane.errors import GreenlaneError, did_you_mean
from greenlane.kit import BUILT_IN, Kit, News, Part
from greenlane.reading import Record

_VERSION_LENGTH = 200  # Python makes no number of more than some thousand digits
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of recorded answers.

    `new` are questions that nobody answered yet, with the default that was taken; `dropped` are
    answers to questions that the source no longer asks.
    """

    new: tuple[tuple[str, object], ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evolved(Carried):
    """The same with the new answers to a kit."""

    answers: Answers


def version_key(version: str) -> tuple[tuple[int, ...], int, tuple[tuple[int, str], ...]]:
    """For comparing versions: 1.4 < 1.10, 2.0-rc.1 < 2.0, 1.0 == 1.0.0."""
    plain = version.partition("+")[0][:_VERSION_LENGTH]
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", plain)
    release = [int(part) for part in match[0].split(".")] if match else [0]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    rest = plain[match.end() :] if match else plain
    parts = [part for part in re.split(r"[.-]|(?<=[a-z])(?=[0-9])", rest) if part]
    suffix = tuple((int(p), "") if _NUMBER.fullmatch(p) else (-1, p) for p in parts)
    return tuple(release), 0 if suffix else 1, suffix


def check_kit(kit: Kit, record: Record) -> None:
    """Raise GreenlaneError unless the project is of this kit, in this version or an older one."""
    if list(record.releases) != list(kit.releases):
        made, this = (" on ".join(releases) for releases in (record.releases, kit.releases))
        raise GreenlaneError(
            f'The project was made from the kit "{made}", this is "{this}".',
            f"Give the kit that it was made from: `--kit`, with the folder of {record.kit}.",
        )
    for name, version in record.releases.items():
        if version_key(version) > version_key(kit.releases[name]):
            raise GreenlaneError(
                f"The project is at {name} {version}, but {kit.releases[name]} is installed.",
                "Upgrade greenlane: `uv tool upgrade greenlane`."
                if name == BUILT_IN
                else f"Bring {name} up to date where you have it.",
            )


def evolve(
    kit: Kit,
    record: Record,
    *,
    sets: Iterable[str] = (),
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
) -> Evolved:
    """The project's answers for `kit`, with the change that is asked for."""
    add, remove, sets = list(add), list(remove), list(sets)
    recorded = record.answers.modules or ()
    for name in add:
        if name in recorded:
            raise GreenlaneError(f"{name} is part of the project already.", "")
    for name in remove:
        if name not in recorded:
            raise GreenlaneError(
                f"{name} is no module of this project.", did_you_mean(name, recorded)
            )
    kept, dropped = _carried(kit, record.answers, remove)
    answers = resolve(
        kit,
        file=kept,
        sets=sets,
        with_parts=add,
        without_parts=[name for name in remove if name in kit.modules],
    )
    given = {*kept.answers, *(item.partition("=")[0].strip() for item in sets)}
    asked = asked_values(kit, answers)
    new = tuple((name, value) for name, value in asked.items() if name not in given)
    return Evolved(new, dropped, answers)


def _carried(
    kit: Kit, old: AnswersFile, remove: Iterable[str]
) -> tuple[AnswersFile, tuple[str, ...]]:
    """The recorded answers in the kit's present terms, and the names of those it has no use for."""
    modules = [name for name in old.modules or () if name in kit.modules or name not in set(remove)]
    for name in modules:
        if name not in kit.modules:
            raise GreenlaneError(
                f'The project has the module "{name}", which {kit.name} {kit.version} has not.',
                f"{did_you_mean(name, kit.modules)} `greenlane remove {name}` takes it out.",
            )
    names = {question.name for question in kit.questions}
    answers = {name: value for name, value in old.answers.items() if name in names}
    used = set(answers)
    for question in kit.questions:
        for former in question.formerly:
            if question.name not in answers and former in old.answers:
                answers[question.name] = old.answers[former]
                used.add(former)
    dropped = tuple(name for name in old.answers if name not in used)
    listed = tuple(name for name in modules if name in kit.modules)
    return replace(old, modules=listed, answers=answers), dropped


def answers_again(kit: Kit, record: Record) -> Answers | None:
    """The recorded answers as they are, when this is the very kit that they were made for."""
    if kit.releases != record.releases:
        return None
    try:
        return resolve(kit, file=record.answers)
    except GreenlaneError:
        return None


def moves_since(kit: Kit, record: Record) -> Iterator[tuple[str, str]]:
    """(source, target) of what the kit moved since the project's version, oldest first."""
    moves = [
        move
        for part in kit.parts.values()
        for move in part.moves
        if _since(move.version, part, record, kit)
    ]
    for move in sorted(moves, key=lambda move: version_key(move.version)):
        yield move.source, move.target


def news_since(kit: Kit, record: Record, answers: Answers) -> list[News]:
    """What the chosen parts have to say about the versions since the project's, oldest first."""
    chosen = kit.chosen(answers.app, answers.modules)
    news = [
        item for part in chosen for item in part.news if _since(item.version, part, record, kit)
    ]
    return sorted(news, key=lambda item: version_key(item.version))


def _since(version: str, part: Part, record: Record, kit: Kit) -> bool:
    origin = kit.origin(part.name)
    before = record.releases[origin.name]
    return version_key(before) < version_key(version) <= version_key(origin.version)
