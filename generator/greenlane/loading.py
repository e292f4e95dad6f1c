"""Loading a kit from a folder, and what must hold between its parts."""

import re
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

from greenlane.errors import GreenlaneError, did_you_mean
from greenlane.kit import Kit, Part, Preset, Question, Value
from greenlane.manifest import Section, read_manifest
from greenlane.parts import MODULE_NAME, folder_entries, read_part
from greenlane.paths import clashes
from greenlane.versions import read_versions

_QUESTIONS = 200
_PARTS = 200
_FILES = 20_000
_FOLDERS = ("base", "apps", "modules", "presets")


def load(root: Path) -> Kit:
    """Read and check the kit in the folder `root`."""
    root = root.resolve()
    if not (root / "kit.yml").exists():
        raise GreenlaneError(
            f"{root} is not a kit: it has no kit.yml.", "Give the folder that holds kit.yml."
        )
    _check_root(root)
    head = read_manifest(root / "kit.yml", "kit.yml")
    head.only("name", "version", "description", "categories", "questions")
    name = _identifier(head, "name", MODULE_NAME, "lower-case letters, digits and dashes")
    version = _identifier(head, "version", _VERSION, 'a version such as "1.4.0", in quotes')
    description = head.text("description")
    titles = head.section("categories")
    categories = {key: titles.text(key) for key in titles}
    sets, slots, parts = _read_parts(root)
    _check_parts(parts, categories, sets, slots)
    _check_files(parts)
    _check_relations(parts)
    return Kit(
        name=name,
        version=version,
        description=description,
        root=root,
        categories=categories,
        questions=_in_order(head, parts),
        parts=parts,
        presets=_read_presets(root, parts),
        versions=read_versions(root),
        sets=sets,
        slots=slots,
    )


_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*[0-9A-Za-z.+-]*")


def _identifier(section: Section, key: str, pattern: re.Pattern[str], expected: str) -> str:
    value = section.text(key)
    if not pattern.fullmatch(value):
        raise section.error(key, f"is {value!r}, expected {expected}.")
    return value


def _check_root(root: Path) -> None:
    """Refuse folders that would silently not be read, such as `module/`."""
    for entry in folder_entries(root, ""):
        if entry.is_dir(follow_symlinks=False) and entry.name not in _FOLDERS:
            if entry.name.startswith("."):
                continue
            raise GreenlaneError(
                f"{entry.name}/ is not a folder of a kit.", did_you_mean(entry.name, _FOLDERS)
            )


def _read_parts(root: Path) -> tuple[dict[str, str], dict[str, str], dict[str, Part]]:
    base = read_part(root, "base", "base", "base")
    parts = {"base": base.part}
    for kind, folder in (("app", "apps"), ("module", "modules")):
        for name in _part_names(root, folder):
            if name in parts:
                raise GreenlaneError(
                    f'{folder}/{name}: another part is called "{name}".', "Rename one of the two."
                )
            parts[name] = read_part(root, f"{folder}/{name}", name, kind).part
    if not any(part.kind == "app" for part in parts.values()):
        raise GreenlaneError("The kit has no archetype.", "Add apps/<name>/module.yml.")
    if len(parts) > _PARTS:
        raise GreenlaneError(f"The kit has {len(parts)} parts; at most {_PARTS} are read.")
    return base.sets, base.slots, parts


def _part_names(root: Path, folder: str) -> list[str]:
    if not (root / folder).exists():
        return []
    names = []
    for entry in folder_entries(root / folder, folder):
        if not entry.is_dir(follow_symlinks=False):
            continue
        if not MODULE_NAME.fullmatch(entry.name):
            raise GreenlaneError(
                f"{folder}/{entry.name}: a part's name has lower-case letters, digits and dashes.",
                "Rename the folder.",
            )
        names.append(entry.name)
    return names


def _check_parts(
    parts: dict[str, Part], categories: dict[str, str], sets: dict[str, str], slots: dict[str, str]
) -> None:
    """Every name that a part mentions must exist."""
    modules = [part.name for part in parts.values() if part.kind == "module"]
    for part in parts.values():
        where = _manifest_of(part)
        if part.category not in categories and (part.category or part.kind == "module"):
            raise GreenlaneError(
                f'{where}: "category" is "{part.category}", which kit.yml does not list.',
                did_you_mean(part.category, categories),
            )
        for key, names in (("requires", part.requires), ("conflicts", part.conflicts)):
            for name in names:
                if name not in modules:
                    raise GreenlaneError(
                        f'{where}: "{key}" names "{name}", which is no module.',
                        did_you_mean(name, modules),
                    )
        for name in part.contributes:
            if name not in sets:
                raise GreenlaneError(
                    f'{where}: "contributes" names the set "{name}", which base does not declare.',
                    did_you_mean(name, sets),
                )
        for slot, source in part.slots.items():
            if slot not in slots:
                raise GreenlaneError(
                    f'{source.shown}: base does not declare the slot "{slot}".',
                    did_you_mean(slot, slots),
                )


def _check_files(parts: dict[str, Part]) -> None:
    """Two parts that own one path are an error, except two archetypes: only one is chosen."""
    if sum(len(part.files) for part in parts.values()) > _FILES:
        raise GreenlaneError(
            f"The kit has more than {_FILES:,} files.", "Leave out generated ones."
        )
    always = [part for part in parts.values() if part.kind != "app"]
    owner: dict[str, str] = {}
    for part in always:
        _claim(part, owner)
    for app in parts.values():
        if app.kind == "app":
            with_app = dict(owner)
            _claim(app, with_app)
            for one, other in clashes(with_app):
                raise GreenlaneError(
                    f"{_source(parts, with_app, one)} and {_source(parts, with_app, other)} cannot "
                    "exist together: equal but for case, or one is a folder in the other.",
                    "Rename one of them.",
                )


def _claim(part: Part, owner: dict[str, str]) -> None:
    for path, source in part.files.items():
        if path in owner:
            raise GreenlaneError(
                f"{source.shown}: the path {path} is owned by {owner[path]} already.",
                "Give the part a file of its own, or contribute to a set or slot.",
            )
        owner[path] = part.name


def _source(parts: dict[str, Part], owner: dict[str, str], path: str) -> str:
    return parts[owner[path]].files[path].shown


def _check_relations(parts: dict[str, Part]) -> None:
    """No cycle of requirements, and no part that could never be chosen."""
    required: dict[str, frozenset[str]] = {}

    def visit(name: str, trail: tuple[str, ...]) -> frozenset[str]:
        if name in trail:
            cycle = " -> ".join((*trail[trail.index(name) :], name))
            raise GreenlaneError(
                f"{_manifest_of(parts[name])}: parts require each other: {cycle}.",
                "Move what both need into a third part.",
            )
        if name not in required:
            needs = [visit(other, (*trail, name)) for other in parts[name].requires]
            required[name] = frozenset({name}).union(*needs)
        return required[name]

    for part in parts.values():
        together = visit(part.name, ())
        for one, other in combinations(sorted(together), 2):
            if other in parts[one].conflicts or one in parts[other].conflicts:
                raise GreenlaneError(
                    f"{_manifest_of(part)}: {part.name} can never be chosen: it needs {one} and "
                    f"{other}, which conflict.",
                    "Remove the requirement or the conflict.",
                )


def _in_order(head: Section, parts: dict[str, Part]) -> tuple[Question, ...]:
    """All questions, in the order of kit.yml, which lists each once."""
    declared: dict[str, Question] = {}
    for part in parts.values():
        for question in part.questions:
            if other := declared.get(question.name):
                raise GreenlaneError(
                    f'{_manifest_of(part)}: the question "{question.name}" is declared by '
                    f"{other.part} already.",
                    "Declare it once, in a part that both require, or rename one.",
                )
            declared[question.name] = question
    order = head.texts("questions")
    if len(order) > _QUESTIONS:
        raise head.error("questions", f"lists {len(order)}; at most {_QUESTIONS} are asked.")
    for name in order:
        if name not in declared:
            raise head.error(
                "questions",
                f'lists "{name}", which no part declares.',
                did_you_mean(name, declared),
            )
    for question in declared.values():
        if question.name not in order:
            raise GreenlaneError(
                f'kit.yml: "questions" does not list "{question.name}" of {question.part}.',
                "Add it at the place where it should be asked.",
            )
    return tuple(declared[name] for name in order)


def _read_presets(root: Path, parts: dict[str, Part]) -> dict[str, Preset]:
    if not (root / "presets").exists():
        return {}
    presets = {}
    for entry in folder_entries(root / "presets", "presets"):
        shown = f"presets/{entry.name}"
        name, dot, suffix = entry.name.rpartition(".")
        if suffix != "yml" or not dot or not MODULE_NAME.fullmatch(name):
            raise GreenlaneError(
                f"{shown}: a preset is called <name>.yml, in lower-case letters, digits, dashes.",
                "Rename it.",
            )
        presets[name] = _preset(name, read_manifest(Path(entry.path), shown), parts)
    return presets


def _preset(name: str, section: Section, parts: dict[str, Part]) -> Preset:
    section.only("description", "app", "modules", "answers")
    app = section.text("app") if "app" in section else None
    _known(
        section, "app", [app] if app else [], (p.name for p in parts.values() if p.kind == "app")
    )
    modules = section.texts("modules")
    _known(section, "modules", modules, (p.name for p in parts.values() if p.kind == "module"))
    answers = section.section("answers")
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


def _manifest_of(part: Part) -> str:
    folder = {"base": "base", "app": f"apps/{part.name}", "module": f"modules/{part.name}"}
    return f"{folder[part.kind]}/module.yml"
