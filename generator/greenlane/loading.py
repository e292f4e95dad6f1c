"""Loading a kit from a folder."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from greenlane.complaints import complain, separately
from greenlane.errors import GreenlaneError, did_you_mean
from greenlane.extending import extended_kit, merged_versions
from greenlane.kit import Category, Kit, Part, Preset, Question, Value, built_in_root
from greenlane.manifest import Section, read_manifest
from greenlane.parts import MODULE_NAME, folder_entries, read_part
from greenlane.relations import check_files, check_names, check_requirements, manifest_of

_QUESTIONS = 200
_PARTS = 200
_FOLDERS = ("base", "apps", "modules", "presets")


def load(root: Path, *, extended: bool = False) -> Kit:
    """Read and check the kit in the folder `root`. `extended`: on behalf of one that extends it.

    Raises the first mistake; those that leave something to go on with can be collected, see
    greenlane.complaints.
    """
    root = root.resolve()
    if not (root / "kit.yml").exists():
        raise GreenlaneError(
            f"{root} is not a kit: it has no kit.yml.", "Give the folder that holds kit.yml."
        )
    _check_root(root)
    head = read_manifest(root / "kit.yml", "kit.yml")
    head.only("name", "version", "description", "extends", "categories", "questions")
    name = _identifier(head, "name", MODULE_NAME, "lower-case letters, digits and dashes")
    version = _identifier(head, "version", _VERSION, 'a version such as "1.4.0", in quotes')
    description = head.text("description")
    base = extended_kit(head, root, extended=extended)
    if base and base.name == name:
        raise head.error("name", f'is "{name}", as that of the kit that it extends.', "Rename it.")
    categories = _categories(head, base)
    read = _read_parts(root, base)
    check_names(read.parts, categories, read.sets, read.slots, read.unread)
    check_files(read.parts)
    check_requirements(read.parts)
    return Kit(
        name=name,
        version=version,
        description=description,
        root=root,
        categories=categories,
        questions=_in_order(head, read.parts, base, read.unread),
        parts=read.parts,
        presets=_read_presets(root, read.parts, base, read.unread),
        versions=merged_versions(root, base),
        sets=read.sets,
        slots=read.slots,
        extends=base,
    )


_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*[0-9A-Za-z.+-]*")


def _identifier(section: Section, key: str, pattern: re.Pattern[str], expected: str) -> str:
    value = section.text(key)
    if not pattern.fullmatch(value):
        raise section.error(key, f"is {value!r}, expected {expected}.")
    return value


def _check_root(root: Path) -> None:
    """Refuse folders that would silently not be read, such as `module/`; others are free."""
    for entry in folder_entries(root, ""):
        if entry.is_dir(follow_symlinks=False) and entry.name not in _FOLDERS:
            meant = did_you_mean(entry.name, _FOLDERS)
            if meant.startswith("Did you mean") or any(Path(entry.path).glob("*/module.yml")):
                complain(GreenlaneError(f"{entry.name}/ is not a folder of a kit.", meant))


def _categories(head: Section, base: Kit | None) -> dict[str, Category]:
    titles = head.section("categories")
    known = dict(base.categories) if base else {}
    for key in titles:
        if key in known:
            complain(
                titles.error(
                    key,
                    f"is a category of {base.name if base else ''} already.",
                    "Leave it out: parts may use it as it is.",
                )
            )
    return {**known, **{key: _category(titles, key) for key in titles}}


def _category(categories: Section, name: str) -> Category:
    """`name: Title`, or a mapping of title, ask and none."""
    if not isinstance(categories.data[name], dict):
        return Category(name, categories.text(name))
    section = categories.section(name)
    section.only("title", "ask", "none")
    asked = "ask" in section or "none" in section
    ask, none = (section.text("ask"), section.text("none")) if asked else ("", "")
    return Category(name, section.text("title"), ask, none)


@dataclass
class _Parts:
    """The parts of a kit, and what its base declares; `unread` are those with a mistake."""

    parts: dict[str, Part] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    slots: Mapping[str, str] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)


def _read_parts(root: Path, base: Kit | None) -> _Parts:
    trusted = root == built_in_root()
    if base is None:
        first = read_part(root, "base", "base", "base", trusted=trusted)
        read = _Parts({"base": first.part}, first.sets, first.slots)
    else:
        read = _Parts(dict(base.parts), base.sets, base.slots)
        if (root / "base").exists():
            complain(
                GreenlaneError(
                    f"base/: a kit that extends {base.name} has the base of that one.",
                    "Make a module of it.",
                )
            )
    for kind, folder, name in _part_folders(root):
        if name in read.parts:
            complain(_named_twice(folder, name, base))
            continue
        read.unread.add(name)
        with separately():
            read.parts[name] = read_part(root, folder, name, kind, trusted=trusted).part
            read.unread.discard(name)
    if not any(part.kind == "app" for part in read.parts.values()) and not read.unread:
        complain(GreenlaneError("The kit has no archetype.", "Add apps/<name>/module.yml."))
    if len(read.parts) > _PARTS:
        raise GreenlaneError(f"The kit has {len(read.parts)} parts; at most {_PARTS} are read.")
    return read


def _named_twice(folder: str, name: str, base: Kit | None) -> GreenlaneError:
    if base and name in base.parts:
        return GreenlaneError(
            f'{folder}: {base.name} has a part called "{name}", which cannot be replaced.',
            f"Rename the folder. What should differ from {name} becomes a module beside it.",
        )
    return GreenlaneError(f'{folder}: another part is called "{name}".', "Rename one of the two.")


def _part_folders(root: Path) -> Iterator[tuple[str, str, str]]:
    """Kind, folder and name of each archetype and module."""
    for kind, folder in (("app", "apps"), ("module", "modules")):
        if not (root / folder).exists():
            continue
        for entry in folder_entries(root / folder, folder):
            if not entry.is_dir(follow_symlinks=False):
                continue
            if MODULE_NAME.fullmatch(entry.name):
                yield kind, f"{folder}/{entry.name}", entry.name
                continue
            complain(
                GreenlaneError(
                    f"{folder}/{entry.name}: a part's name has lower-case letters, digits and "
                    "dashes.",
                    "Rename the folder.",
                )
            )


def _in_order(
    head: Section, parts: dict[str, Part], base: Kit | None, unread: Collection[str]
) -> tuple[Question, ...]:
    """All questions, in the order of kit.yml, which lists each once; those of `base` come first."""
    before = {question.name: question for question in base.questions} if base else {}
    declared = dict(before)
    for part in parts.values():
        if base and part.name in base.parts:
            continue
        for question in part.questions:
            if other := declared.get(question.name):
                complain(
                    GreenlaneError(
                        f'{manifest_of(part)}: the question "{question.name}" is declared by '
                        f"{other.part} already.",
                        "Declare it once, in a part that both require, or rename one.",
                    )
                )
            declared[question.name] = question
    order = head.texts("questions")
    if len(order) > _QUESTIONS:
        raise head.error("questions", f"lists {len(order)}; at most {_QUESTIONS} are asked.")
    for name in order:
        if name in before:
            complain(
                head.error(
                    "questions",
                    f'lists "{name}", which the extended kit asks already.',
                    "Leave it out: its questions come first.",
                )
            )
        elif name not in declared and not unread:
            complain(
                head.error(
                    "questions",
                    f'lists "{name}", which no part declares.',
                    did_you_mean(name, declared),
                )
            )
    for question in declared.values():
        if question.name not in order and question.name not in before:
            complain(
                GreenlaneError(
                    f'kit.yml: "questions" does not list "{question.name}" of {question.part}.',
                    "Add it at the place where it should be asked.",
                )
            )
    names = dict.fromkeys((*before, *order, *declared))
    return tuple(declared[name] for name in names if name in declared)


def _read_presets(
    root: Path, parts: dict[str, Part], base: Kit | None, unread: Collection[str]
) -> dict[str, Preset]:
    presets = dict(base.presets) if base else {}
    if not (root / "presets").exists():
        return presets
    for entry in folder_entries(root / "presets", "presets"):
        shown = f"presets/{entry.name}"
        name, dot, suffix = entry.name.rpartition(".")
        with separately():
            if suffix != "yml" or not dot or not MODULE_NAME.fullmatch(name):
                raise GreenlaneError(
                    f"{shown}: a preset is called <name>.yml, in lower-case letters, digits, "
                    "dashes.",
                    "Rename it.",
                )
            if base and name in base.presets:
                raise GreenlaneError(
                    f'{shown}: {base.name} has a preset called "{name}", which cannot be replaced.',
                    "Rename the file.",
                )
            section = read_manifest(Path(entry.path), shown)
            presets[name] = _preset(name, section, parts, unread)
    return presets


def _preset(name: str, section: Section, parts: dict[str, Part], unread: Collection[str]) -> Preset:
    section.only("description", "app", "modules", "answers")
    app = section.text("app") if "app" in section else None
    apps = [part.name for part in parts.values() if part.kind == "app"]
    _known(section, "app", [app] if app else [], [*apps, *unread])
    modules = section.texts("modules")
    known = [part.name for part in parts.values() if part.kind == "module"]
    _known(section, "modules", modules, [*known, *unread])
    answers = section.section("answers")
    if not unread:
        questions = [question.name for part in parts.values() for question in part.questions]
        _known(answers, None, list(answers), questions)
    return Preset(name, section.text("description"), app, modules, plain_answers(answers))


def _known(section: Section, key: str | None, names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            raise section.error(
                key or name, f'names "{name}", which does not exist.', did_you_mean(name, known)
            )


def plain_answers(section: Section) -> dict[str, Value]:
    """The values of an answers file: text, number or true/false."""
    answers: dict[str, Value] = {}
    for key, value in section.data.items():
        if not isinstance(value, str | int):
            raise section.error(
                key,
                "has no single value." if value is not None else "has no value.",
                "Write a text (in quotes), a whole number, true or false; or leave the line out.",
            )
        answers[key] = value
    return answers
