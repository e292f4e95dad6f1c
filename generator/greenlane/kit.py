"""A kit: parts, their questions and files, and the presets that choose among them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from greenlane.errors import GreenlaneError

BUILT_IN = "greenlane"
"""The name of the kit that greenlane carries."""

Value = str | int | bool
"""An answer. Plain data only: nothing else reaches a template."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One possible answer, and the words in which it is offered."""

    label: str
    value: Value


@dataclass(frozen=True, slots=True)
class Question:
    """A question of a part.

    `type` is str, bool, int or choice. `default`, `when` and `validator` may be Jinja templates
    over the answers to earlier questions. `pattern` is a regular expression that the whole answer
    must match; `pattern_help` says it in words. `formerly` are names that the question had in
    earlier versions of the kit, whose answers it inherits. Templates and patterns that are not
    `trusted` are evaluated in a process with limits.
    """

    name: str
    part: str
    type: str
    help: str
    choices: tuple[Choice, ...] = ()
    default: Value | None = None
    when: str | bool = True
    validator: str = ""
    pattern: str = ""
    pattern_help: str = ""
    placeholder: str = ""
    formerly: tuple[str, ...] = ()
    trusted: bool = True


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the kit: where it is, how errors name it, and whether it is rendered.

    One that is not `trusted` is rendered in a process with limits.
    """

    file: Path
    shown: str
    template: bool
    trusted: bool = True


@dataclass(frozen=True, slots=True)
class Move:
    """A file that the kit moved in `version`; updates move it in a project, too."""

    version: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class News:
    """What a person must know when updating to `version`; only if the repository holds `uses`."""

    version: str
    text: str
    uses: str = ""


@dataclass(frozen=True, slots=True)
class Category:
    """A heading over modules. With `ask`, people who start from a preset are asked which of them
    to add; `none` is what choosing none of them means, in words."""

    name: str
    title: str
    ask: str = ""
    none: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """The base, an application archetype or a module. `kind` is base, app or module."""

    name: str
    kind: str
    title: str
    description: str
    category: str
    requires: tuple[str, ...]
    conflicts: tuple[str, ...]
    questions: tuple[Question, ...]
    contributes: Mapping[str, tuple[str, ...]]
    files: Mapping[str, Source]
    slots: Mapping[str, Source]
    notes: str
    moves: tuple[Move, ...]
    news: tuple[News, ...] = ()


@dataclass(frozen=True, slots=True)
class Preset:
    """An answers file with a name."""

    name: str
    description: str
    app: str | None
    modules: tuple[str, ...]
    answers: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Kit:
    """Everything that can be rendered. Built by `load_kit`, which has checked it.

    A kit that `extends` another one holds all of that one, too.
    """

    name: str
    version: str
    description: str
    root: Path
    categories: Mapping[str, Category]
    questions: tuple[Question, ...]
    parts: Mapping[str, Part]
    presets: Mapping[str, Preset]
    versions: Mapping[str, object]
    sets: Mapping[str, str]
    slots: Mapping[str, str]
    extends: "Kit | None" = None

    @property
    def releases(self) -> dict[str, str]:
        """Name -> version of this kit and of the one that it extends."""
        extended = {self.extends.name: self.extends.version} if self.extends else {}
        return {self.name: self.version, **extended}

    @property
    def edition(self) -> str:
        """The version for people; with that of the kit that it extends."""
        return edition_of(self.releases)

    def origin(self, part: str) -> "Kit":
        """The kit that a part comes from: this one, or the one that it extends."""
        return self.extends if self.extends and part in self.extends.parts else self

    @property
    def own_parts(self) -> dict[str, Part]:
        """The parts of this kit without those of the one that it extends."""
        return {name: part for name, part in self.parts.items() if self.origin(name) is self}

    @property
    def own_presets(self) -> dict[str, Preset]:
        """The same of its presets."""
        theirs = self.extends.presets if self.extends else {}
        return {name: preset for name, preset in self.presets.items() if name not in theirs}

    @property
    def base(self) -> Part:
        return self.parts["base"]

    @property
    def apps(self) -> dict[str, Part]:
        """The archetypes, of which a repository has exactly one."""
        return {name: part for name, part in self.parts.items() if part.kind == "app"}

    @property
    def modules(self) -> dict[str, Part]:
        return {name: part for name, part in self.parts.items() if part.kind == "module"}

    def chosen(self, app: str, modules: Iterable[str]) -> Iterator[Part]:
        """The parts of a repository in the order of rendering: base, app, modules by name."""
        yield self.base
        yield self.parts[app]
        for name in sorted(modules):
            yield self.parts[name]

    def with_required(self, names: Iterable[str]) -> frozenset[str]:
        """The given parts and all that they require, directly or not."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(self.parts[name].requires)
        return frozenset(found)

    def members(self, category: str) -> list[str]:
        """The names of its modules."""
        return [part.name for part in self.modules.values() if part.category == category]

    def conflict(self, names: Iterable[str]) -> tuple[str, str] | None:
        """The first two parts that cannot be together, of the given ones and their required."""
        together = self.with_required(names)
        for name in sorted(together):
            for other in self.parts[name].conflicts:
                if other in together:
                    return name, other
        return None

    def owners(self, app: str, modules: Iterable[str]) -> dict[str, str]:
        """Path -> name of the part that it comes from."""
        return {path: part.name for part in self.chosen(app, modules) for path in part.files}


def edition_of(releases: Mapping[str, str]) -> str:
    """`1.4.0`, or `1.4.0 on greenlane 0.1.0`, of a kit and of the one that it extends."""
    (_, version), *extended = releases.items()
    return " on ".join([version, *(f"{name} {number}" for name, number in extended)])


def load_kit(root: Path | None = None) -> Kit:
    """Read and check the kit in `root`; without one, the kit that greenlane carries.

    Files of parts are listed and checked, but read only when they are rendered.
    Raises GreenlaneError naming file, line and key of the first mistake.
    """
    from greenlane.loading import load

    return load(root if root is not None else built_in_root())


def built_in_root() -> Path:
    """The folder of the kit in the wheel, or in the clone for an editable installation."""
    package = Path(__file__).resolve().parent
    for root in (package / "_kit", package.parents[1] / "templates"):
        if (root / "kit.yml").is_file():
            return root
    raise GreenlaneError(
        "This installation of greenlane has no kit.",
        "Install it again: `uv tool install greenlane`.",
    )
