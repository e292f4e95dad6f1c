"""Reading one part of a kit: its manifest, questions, files and slots."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from greenlane.complaints import complain
from greenlane.errors import GreenlaneError
from greenlane.kit import Choice, Move, News, Part, Question, Source, Value
from greenlane.manifest import Section, kind_of, read_manifest
from greenlane.paths import path_problem
from greenlane.patterns import pattern_problem

MODULE_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SLOT = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_FOLDER_DEPTH = 32
_CHOICES = 200
# What a template finds beside the answers, and what Jinja itself defines.
_RESERVED = frozenset(
    (
        *("app", "kit", "modules", "sets", "slots", "versions", "self", "loop", "range", "dict"),
        *("cycler", "joiner", "namespace", "true", "false", "none", "not"),
    )
)
# A set is read as `sets.name` in templates, which would find a method of dict first.
_DICT_METHODS = frozenset(name for name in dir(dict) if not name.startswith("_"))
# Left behind by Python, editors and checks that ran inside the kit; never part of it.
_LEFTOVERS = frozenset(
    (
        ".DS_Store",
        "__pycache__",
        ".hypothesis",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".venv",
    )
)
_RENDERED = ".jinja"


@dataclass(frozen=True, slots=True)
class ReadPart:
    """A part and, for base, the sets and slots that it declares."""

    part: Part
    sets: dict[str, str]
    slots: dict[str, str]


def read_part(root: Path, folder: str, name: str, kind: str, *, trusted: bool = True) -> ReadPart:
    """Read the part in `root`/`folder`. `trusted`: it is greenlane's own."""
    shown = f"{folder}/module.yml"
    for entry in folder_entries(root / folder, folder):
        if entry.name not in {"module.yml", "files", "slots"}:
            complain(
                GreenlaneError(
                    f"{folder}/{entry.name} is not read: a part holds module.yml, files/ and "
                    "slots/.",
                    "Move it into files/ or remove it.",
                )
            )
    if not (root / folder / "module.yml").exists():
        raise GreenlaneError(
            f"{folder} has no module.yml.", "Add one with a title and a description."
        )
    manifest = read_manifest(root / folder / "module.yml", shown)
    # The base declares the sockets, and knows no other part.
    own = ("sets", "slots") if kind == "base" else ("requires", "conflicts")
    manifest.only(
        *("title", "description", "category", "questions", "contributes", "moves", "notes"),
        "news",
        *own,
    )
    questions = manifest.section("questions")
    contributes = manifest.section("contributes")
    part = Part(
        name=name,
        kind=kind,
        title=manifest.text("title"),
        description=manifest.text("description"),
        category=manifest.text("category", default=""),
        requires=manifest.texts("requires"),
        conflicts=manifest.texts("conflicts"),
        questions=tuple(_question(questions.section(key), key, name, trusted) for key in questions),
        contributes={key: contributes.texts(key) for key in contributes},
        files=_sources(root, f"{folder}/files", _check_file, trusted),
        slots=_sources(root, f"{folder}/slots", _check_slot, trusted),
        notes=manifest.text("notes", default=""),
        moves=tuple(_move(move) for move in manifest.sections("moves")),
        news=tuple(_news(item) for item in manifest.sections("news")),
    )
    return ReadPart(part, _sockets(manifest, "sets", _NAME), _sockets(manifest, "slots", _SLOT))


def folder_entries(path: Path, shown: str) -> list[os.DirEntry[str]]:
    """The entries of a folder of the kit by name, without leftovers; links are refused."""
    try:
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise GreenlaneError(f"{shown or path} cannot be read: {error.strerror}.") from None
    kept = []
    for entry in entries:
        if entry.name in _LEFTOVERS or entry.name.endswith(".pyc"):
            continue
        if entry.is_symlink():
            name = f"{shown}/{entry.name}" if shown else entry.name
            raise GreenlaneError(
                f"{name} is a symbolic link, which could lead anywhere.",
                "Put a copy of what it points to there.",
            )
        kept.append(entry)
    return kept


def _sources(
    root: Path, folder: str, check: Callable[[str, str], None], trusted: bool
) -> dict[str, Source]:
    """Rendered name -> file, sorted by name, of everything in `folder` of the kit."""
    if not (root / folder).exists():
        return {}
    sources: dict[str, Source] = {}
    for name, entry in _walk(root / folder, folder, ""):
        shown = f"{folder}/{name}"
        template = name.endswith(_RENDERED)
        target = name.removesuffix(_RENDERED)
        check(target, shown)
        if target in sources:
            raise GreenlaneError(
                f"{shown} and {sources[target].shown} are both rendered to {target}.",
                "Remove one of them.",
            )
        sources[target] = Source(Path(entry.path), shown, template, trusted)
    return dict(sorted(sources.items()))


def _walk(path: Path, folder: str, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    if prefix.count("/") > _FOLDER_DEPTH:
        raise GreenlaneError(f"{folder}/{prefix} lies too deep.", "Make the folders flatter.")
    for entry in folder_entries(path, f"{folder}/{prefix}".rstrip("/")):
        name = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), folder, f"{name}/")
        elif entry.is_file(follow_symlinks=False):
            yield name, entry
        else:
            raise GreenlaneError(
                f"{folder}/{name} is neither a file nor a folder.", "Remove it from the kit."
            )


def _check_file(target: str, shown: str) -> None:
    if problem := path_problem(target):
        raise GreenlaneError(f"{shown!r}: the path {problem}.", "Rename the file.")
    if target.split("/", 1)[0].casefold() == ".greenlane":
        raise GreenlaneError(
            f"{shown}: .greenlane/ holds greenlane's own record.", "Choose another folder."
        )


def _check_slot(target: str, shown: str) -> None:
    if not _SLOT.fullmatch(target):
        raise GreenlaneError(
            f"{shown!r}: a slot is a file directly in slots/, in lower case.",
            "Rename it to the slot that it is for.",
        )


def _sockets(manifest: Section, key: str, pattern: re.Pattern[str]) -> dict[str, str]:
    section = manifest.section(key)
    for name in section:
        if not pattern.fullmatch(name) or name in _DICT_METHODS:
            raise section.error(
                name, "is not a name for this.", "Use a plain noun, such as `dependencies`."
            )
    return {name: section.text(name) for name in section}


def _move(section: Section) -> Move:
    section.only("version", "from", "to")
    move = Move(section.text("version"), section.text("from"), section.text("to"))
    for key, path in (("from", move.source), ("to", move.target)):
        if problem := path_problem(path):
            raise section.error(key, f"is a path that {problem}.")
    return move


def _news(section: Section) -> News:
    section.only("version", "text", "uses")
    return News(section.text("version"), section.text("text"), section.text("uses", default=""))


def _question(section: Section, name: str, part: str, trusted: bool) -> Question:
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise section.error(
            None,
            "is not a name for a question.",
            f"Use lower-case letters, digits and underscores; not {', '.join(sorted(_RESERVED))}.",
        )
    section.only(
        *("type", "help", "choices", "default", "when", "validator"),
        *("pattern", "pattern_help", "placeholder", "formerly"),
    )
    choices = _choices(section)
    question = Question(
        name=name,
        part=part,
        type=_type(section, choices),
        help=section.text("help"),
        choices=choices,
        default=_scalar(section, "default"),
        when=_when(section),
        validator=section.text("validator", default=""),
        pattern=section.text("pattern", default=""),
        pattern_help=section.text("pattern_help", default=""),
        placeholder=section.text("placeholder", default=""),
        formerly=section.texts("formerly"),
        trusted=trusted,
    )
    _check_question(section, question)
    return question


def _type(section: Section, choices: tuple[Choice, ...]) -> str:
    type_ = section.text("type", default="choice" if choices else "str")
    if type_ not in {"str", "bool", "int", "choice"}:
        raise section.error("type", f'is "{type_}", expected str, bool, int or choice.')
    if type_ == "choice" and not choices:
        raise section.error("type", "is choice, but there are no choices.", "Add `choices:`.")
    if type_ == "bool" and choices:
        raise section.error("choices", "make no sense for true or false.", "Remove them.")
    return "choice" if choices else type_


def _choices(section: Section) -> tuple[Choice, ...]:
    value = section.data.get("choices")
    if value is None:
        return ()
    if isinstance(value, list):
        pairs = [(str(item), item) for item in value]
    elif isinstance(value, dict):
        pairs = list(value.items())
    else:
        raise section.error("choices", f"is {kind_of(value)}, expected a list or a mapping.")
    if not 1 < len(pairs) <= _CHOICES:
        raise section.error("choices", f"has {len(pairs)} items, expected 2 to {_CHOICES}.")
    for label, item in pairs:
        if not isinstance(item, str | int):
            raise section.error("choices", f'has "{label}", {kind_of(item)}; expected a text.')
    if len({str(item) for _, item in pairs}) < len(pairs):
        raise section.error("choices", "has the same value twice.", "Remove one of them.")
    return tuple(Choice(label, item) for label, item in pairs)


def _scalar(section: Section, key: str) -> Value | None:
    value = section.data.get(key)
    if value is not None and not isinstance(value, str | int):
        raise section.error(
            key, f"is {kind_of(value)}, expected a text, a whole number, true or false."
        )
    return value


def _when(section: Section) -> str | bool:
    value = section.data.get("when", True)
    if not isinstance(value, str | bool):
        raise section.error("when", f"is {kind_of(value)}, expected a condition.", WHEN_HINT)
    return value


WHEN_HINT = "Write `when: \"{{ large_model == 'openai' }}\"`."


def _check_question(section: Section, question: Question) -> None:
    if question.when is not True and question.default is None:
        raise section.error(
            None, "has a `when` and no default.", "Add the value it has when it is not asked."
        )
    if question.pattern and question.type != "str":
        raise section.error("pattern", "is for questions of the type str.", "Remove it.")
    if bool(question.pattern) != bool(question.pattern_help):
        raise section.error(
            None, "needs `pattern` and `pattern_help` together.", "Say in words what is accepted."
        )
    if problem := pattern_problem(question.pattern):
        raise section.error("pattern", problem, "Use a `validator` for more than that.")
    if isinstance(question.default, str) and "{" in question.default:
        return
    fits: dict[str, tuple[type, ...]] = {"str": (str,), "bool": (bool,), "int": (int,)}
    if question.type in fits and question.default is not None:
        right = isinstance(question.default, fits[question.type])
        if not right or (question.type == "int" and isinstance(question.default, bool)):
            raise section.error(
                "default", f"is {kind_of(question.default)}, but the type is {question.type}."
            )
    if question.choices and question.default is not None:
        values = [choice.value for choice in question.choices]
        if question.default not in values:
            raise section.error("default", f"is {question.default!r}, which is no choice.")
