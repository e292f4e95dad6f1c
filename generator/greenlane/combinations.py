"""Which repositories of a kit are worth rendering when the kit is checked."""

import random
from collections.abc import Iterator, Sequence
from itertools import combinations

from greenlane.answers import Answers, resolve
from greenlane.errors import GreenlaneError
from greenlane.kit import Kit, Question, Value
from greenlane.questions import applicable, check, is_asked

_MOST = 4096
# Awkward on purpose: each must come out quoted rightly in TOML, YAML, JSON, Markdown and Python.
_TEXTS = (
    "Plain words",
    'Ada "the Countess" Lovelace',
    "O'Brien & Söhne: #1",
    "back\\slash 50% ✓",
    "50% ✓ {braces} <b>",
    "@acme/ml-team",
)


def wanted(kit: Kit, count: int, *, every: bool = False) -> Iterator[tuple[str, Answers]]:
    """Names and answers: presets, each archetype, each module alone, everything, `count` drawn.

    Of a kit that extends another one, only what its own parts are in. `every` adds each
    combination of modules that go together.
    """
    own_apps = [app for app in kit.apps if app in kit.own_parts]
    own_modules = [module for module in kit.modules if module in kit.own_parts]
    for preset in kit.own_presets:
        yield f"preset {preset}", resolve(kit, preset=preset)
    for app in kit.apps:
        if app in own_apps or not kit.extends:
            yield app, selection(kit, app, ())
        for module in kit.modules if app in own_apps else own_modules:
            if compatible(kit, app, [module]):
                yield f"{app} with {module}", selection(kit, app, [module])
        yield f"{app} with everything", everything(kit, app)
        if every:
            yield from _all_together(kit, app)
    for seed in range(count):
        yield f"drawn with seed {seed}", combination(kit, seed)


def _all_together(kit: Kit, app: str) -> Iterator[tuple[str, Answers]]:
    modules = sorted(kit.modules)
    if 2 ** len(modules) > _MOST:
        raise GreenlaneError(
            f"{len(modules)} modules have more than {_MOST:,} combinations.",
            "Leave out --all, and draw more with --random.",
        )
    for size in range(2, len(modules) + 1):
        for names in combinations(modules, size):
            if compatible(kit, app, names) == list(names):
                yield f"{app} with {', '.join(names)}", selection(kit, app, names)


def selection(kit: Kit, app: str, modules: Sequence[str], *sets: str) -> Answers:
    """Answers with these modules, and the defaults."""
    return resolve(kit, name="my-app", sets=[f"app={app}", f"modules={','.join(modules)}", *sets])


def everything(kit: Kit, app: str, *sets: str) -> Answers:
    """Answers with all modules that go with `app`."""
    return selection(kit, app, compatible(kit, app, sorted(kit.modules)), *sets)


def compatible(kit: Kit, app: str, names: Sequence[str]) -> list[str]:
    """Those of the modules that go together, in the order given: a conflict drops the later one."""
    chosen: list[str] = []
    for name in names:
        if not kit.conflict([app, *chosen, name]):
            chosen.append(name)
    return chosen


def templates(kit: Kit, answers: Answers) -> set[str]:
    """The paths that come from a template, in which nothing of it may be left."""
    parts = kit.chosen(answers.app, answers.modules)
    return {path for part in parts for path, source in part.files.items() if source.template}


def combination(kit: Kit, seed: int) -> Answers:
    """Modules and answers drawn by `seed`: any that may be chosen can come."""
    draw = random.Random(seed)  # noqa: S311 - the same on every run, on purpose
    app = draw.choice(sorted(kit.apps))
    modules = compatible(kit, app, [name for name in sorted(kit.modules) if draw.random() < 0.5])
    values: dict[str, Value] = {"app": app, "modules": ",".join(modules)}
    chosen = sorted(kit.with_required([app, *modules]) - {app})
    for question in applicable(kit, app, chosen):
        known = {**values, "project_name": "my-app"}
        if question.name != "project_name" and is_asked(question, known):
            value = _answer(question, draw, known)
            if value is not None:
                values[question.name] = value
    return resolve(
        kit, name=f"app-{seed}", sets=[f"{key}={value}" for key, value in values.items()]
    )


def _answer(question: Question, draw: random.Random, known: dict[str, Value]) -> Value | None:
    """An answer that fits; None for the default."""
    if question.choices:
        return draw.choice(question.choices).value
    if question.type == "bool":
        return draw.choice(["true", "false"])
    offered: list[Value] = [draw.randint(1, 50)] if question.type == "int" else list(_TEXTS)
    fitting = [value for value in offered if _fits(question, value, known)]
    return draw.choice(fitting) if fitting else None


def _fits(question: Question, value: Value, known: dict[str, Value]) -> bool:
    try:
        check(question, value, known)
    except GreenlaneError:
        return False
    return True
