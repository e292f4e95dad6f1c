"""The answers from which a repository is rendered, and where they come from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from greenlane.answers_file import AnswersFile, read_answers_file
from greenlane.errors import GreenlaneError, did_you_mean
from greenlane.kit import Kit, Preset, Question, Value
from greenlane.questions import applicable, check, default_of, is_asked

__all__ = [
    "Answers",
    "applicable",
    "check",
    "default_of",
    "equivalent_command",
    "is_asked",
    "pairs",
    "resolve",
    "to_yaml",
]

RECORD = ".greenlane/project.yml"


@dataclass(frozen=True, slots=True)
class Answers:
    """One archetype, the modules by name (required ones included), and every value.

    `values` holds each question of the chosen parts, in their order; one that was not asked has
    its default.
    """

    app: str
    modules: tuple[str, ...]
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class _Given:
    """An answer that somebody gave, and where: `--set`, a file, a preset."""

    value: object
    origin: str
    droppable: bool


def resolve(
    kit: Kit,
    *,
    name: str | None = None,
    preset: str | None = None,
    file: Path | AnswersFile | None = None,
    sets: Iterable[str] = (),
    with_parts: Iterable[str] = (),
    without_parts: Iterable[str] = (),
) -> Answers:
    """Answers without asking: defaults < preset < answers file < --set < name.

    `sets` are `key=value` texts; `app` and `modules` (comma-separated) are keys, too. `with_parts`
    and `without_parts` change the modules, to which required ones are added. A preset's answer to a
    question that is not asked here is dropped; so is a file's, if options changed what is asked.
    Any other such answer is an error, unless it is the default anyway. `file` may be one that was
    read already, from the record of a project: then what it answers in vain is dropped, too.
    """
    chosen_preset = _preset(kit, preset) if preset is not None else None
    recorded = isinstance(file, AnswersFile)
    answers_file = _read(file)
    if answers_file.kit not in {None, kit.name}:
        raise GreenlaneError(
            f'{file} holds answers for the kit "{answers_file.kit}", this one is "{kit.name}".',
            "Choose the kit that they were made for.",
        )
    options = pairs(sets)
    with_parts, without_parts = list(with_parts), list(without_parts)
    app = _app(kit, options, answers_file, chosen_preset)
    modules = _modules(kit, app, options, answers_file, chosen_preset, with_parts, without_parts)

    given: dict[str, _Given] = {}
    if chosen_preset:
        for key, value in chosen_preset.answers.items():
            given[key] = _Given(value, f"the preset {chosen_preset.name}", True)
    origin = RECORD if recorded else str(file)
    changed = bool(recorded or options or with_parts or without_parts)
    for key, value in answers_file.answers.items():
        given[key] = _Given(value, origin, changed)
    for key, value in options.items():
        if key not in {"app", "modules"}:
            given[key] = _Given(value, f"--set {key}", False)
    if name is not None and any(question.name == "project_name" for question in kit.questions):
        given["project_name"] = _Given(name, "the name", False)
    return Answers(app, modules, MappingProxyType(_values(kit, app, modules, given)))


def _read(file: Path | AnswersFile | None) -> AnswersFile:
    if isinstance(file, AnswersFile):
        return file
    return read_answers_file(file) if file is not None else AnswersFile()


def _preset(kit: Kit, name: str) -> Preset:
    if name not in kit.presets:
        raise GreenlaneError(f'There is no preset "{name}".', did_you_mean(name, kit.presets))
    return kit.presets[name]


def pairs(sets: Iterable[str]) -> dict[str, str]:
    """`key=value` texts as a mapping."""
    found = {}
    for item in sets:
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise GreenlaneError(
                f'--set "{item}" is not of the form key=value.', "Write --set license=MIT."
            )
        found[key.strip()] = value
    return found


def _app(kit: Kit, options: Mapping[str, str], file: AnswersFile, preset: Preset | None) -> str:
    app = options.get("app") or file.app or (preset.app if preset else None)
    if app is None:
        if len(kit.apps) > 1:
            raise GreenlaneError(
                f"Which application? The kit has {', '.join(kit.apps)}.",
                f"Choose one with --set app={next(iter(kit.apps))} or with a preset.",
            )
        return next(iter(kit.apps))
    if app not in kit.apps:
        raise GreenlaneError(f'There is no application "{app}".', did_you_mean(app, kit.apps))
    return app


def _modules(
    kit: Kit,
    app: str,
    options: Mapping[str, str],
    file: AnswersFile,
    preset: Preset | None,
    with_parts: Iterable[str],
    without_parts: Iterable[str],
) -> tuple[str, ...]:
    if "modules" in options:
        listed = [name.strip() for name in options["modules"].split(",") if name.strip()]
    elif file.modules is not None:
        listed = list(file.modules)
    else:
        listed = list(preset.modules) if preset else []
    wanted, unwanted = set(with_parts), set(without_parts)
    for name in sorted({*listed, *wanted, *unwanted}):
        if name not in kit.modules:
            raise _no_module(kit, name)
    if both := sorted(wanted & unwanted):
        raise GreenlaneError(f"{both[0]} is both asked for and left out.", "Decide for one.")
    explicit = (set(listed) | wanted) - unwanted
    modules = kit.with_required({app, *explicit}) - {app}
    for name in sorted(modules & unwanted):
        needs = next(p for p in sorted({app, *modules}) if name in kit.parts[p].requires)
        raise GreenlaneError(
            f"{name} cannot be left out: {needs} requires it.",
            f"Leave out {needs}, too, or keep {name}." if needs != app else f"Keep {name}.",
        )
    _check_conflicts(kit, app, modules)
    return tuple(sorted(modules))


def _no_module(kit: Kit, name: str) -> GreenlaneError:
    if name in kit.apps:
        return GreenlaneError(
            f"{name} is an application, not a module.", f"Choose it with --set app={name}."
        )
    return GreenlaneError(f'There is no module "{name}".', did_you_mean(name, kit.modules))


def _check_conflicts(kit: Kit, app: str, modules: Iterable[str]) -> None:
    if conflict := kit.conflict([app, *modules]):
        name, other = conflict
        raise GreenlaneError(
            f"{name} and {other} cannot be together: {kit.parts[name].title} conflicts "
            f"with {kit.parts[other].title}.",
            f"Choose one of them, for instance --without {other}.",
        )


def _values(
    kit: Kit, app: str, modules: tuple[str, ...], given: Mapping[str, _Given]
) -> dict[str, Value]:
    questions = applicable(kit, app, modules)
    _check_known(kit, questions, given)
    values: dict[str, Value] = {}
    for question in questions:
        answer = given.get(question.name)
        default = default_of(question, values)
        if not is_asked(question, values):
            if answer is not None and not answer.droppable:
                _check_pointless(question, answer, default)
            if default is not None:  # the loader requires one where there is a `when`
                values[question.name] = default
        elif answer is not None:
            values[question.name] = check(question, answer.value, values)
        elif default is not None:
            values[question.name] = check(question, default, values)
        else:
            raise GreenlaneError(
                f"{question.name} needs an answer: {question.help}",
                f"Give it with --set {question.name}=... or in an answers file.",
            )
    return values


def _check_known(kit: Kit, questions: Sequence[Question], given: Mapping[str, _Given]) -> None:
    here = {question.name for question in questions}
    parts = {question.name: question.part for question in kit.questions}
    for key, answer in given.items():
        if key in here:
            continue
        if key not in parts:
            raise GreenlaneError(
                f'{answer.origin} answers "{key}", which no question asks.',
                did_you_mean(key, here),
            )
        if not answer.droppable:
            raise GreenlaneError(
                f'{answer.origin} answers "{key}", which only {parts[key]} asks; it is not chosen.',
                f"Add --with {parts[key]}, or leave {key} out."
                if parts[key] in kit.modules
                else f"Leave {key} out.",
            )


def _check_pointless(question: Question, answer: _Given, default: Value | None) -> None:
    """An answer nobody asked for does no harm if it is the default; otherwise it would be lost."""
    try:
        same = check(question, answer.value, {}) == default
    except GreenlaneError:
        same = False
    if not same:
        raise GreenlaneError(
            f'{answer.origin} answers "{question.name}", which is not asked here: '
            f"only when {condition_in_words(question)}.",
            f"Leave {question.name} out, or change the earlier answer.",
        )


def condition_in_words(question: Question) -> str:
    """The `when` of a question without its braces: `large_model == 'openai'`."""
    text = str(question.when).strip()
    if text.startswith("{{") and text.endswith("}}") and text.count("{{") == 1:
        return text[2:-2].strip()
    return text


def to_yaml(kit: Kit, answers: Answers, description: str = "") -> str:
    """An answers file, as `--answers` and presets read it: what was asked, in order."""
    from greenlane.answers_file import write_answers

    return write_answers(
        answers.app, answers.modules, asked_values(kit, answers), description=description
    )


def asked_values(kit: Kit, answers: Answers) -> dict[str, Value]:
    """The values of the questions that these answers leave a point, in order."""
    return {
        question.name: answers.values[question.name]
        for question in applicable(kit, answers.app, answers.modules)
        if is_asked(question, answers.values)
    }


def equivalent_command(kit: Kit, answers: Answers, dest: str | Path) -> list[str]:
    """The shortest `greenlane new DEST ...` that gives the same repository, as its arguments.

    The last part of `dest` is the project's name unless `--set project_name=` says otherwise.
    """
    starts: list[Preset | None] = [None, *kit.presets.values()]
    candidates = [_options_from(kit, answers, Path(dest).name, start) for start in starts]
    shortest = min(candidates, key=lambda options: (len(options), sum(map(len, options))))
    return ["greenlane", "new", str(dest), *shortest]


def _options_from(kit: Kit, answers: Answers, name: str, preset: Preset | None) -> list[str]:
    options = ["--preset", preset.name] if preset else []
    app = (preset.app if preset else None) or (next(iter(kit.apps)) if len(kit.apps) == 1 else None)
    if app != answers.app:
        options += ["--set", f"app={answers.app}"]
    listed = set(preset.modules) if preset else set()
    kept = {module for module in listed if module in answers.modules}
    for module in sorted(listed - kept):
        options += ["--without", module]
    missing = set(answers.modules) - kit.with_required({answers.app, *kept})
    for module in sorted(missing):
        if not any(module in kit.with_required([other]) for other in missing - {module}):
            options += ["--with", module]
    presets = preset.answers if preset else {}
    values: dict[str, Value] = {}
    for question in applicable(kit, answers.app, answers.modules):
        value = answers.values[question.name]
        if is_asked(question, values) and not _is_given(question, value, values, name, presets):
            written = str(value).lower() if isinstance(value, bool) else str(value)
            options += ["--set", f"{question.name}={written}"]
        values[question.name] = value
    return options


def _is_given(
    question: Question,
    value: Value,
    values: Mapping[str, Value],
    name: str,
    preset: Mapping[str, Value],
) -> bool:
    """Whether the question has this value without a `--set` for it."""
    if question.name == "project_name":
        return value == name
    if question.name in preset:
        return check(question, preset[question.name], values) == value
    return default_of(question, values) == value
