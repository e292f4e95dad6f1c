"""The wizard's questions about parts: any of them in one list, or those of one category."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from greenlane.combinations import compatible
from greenlane.describe import in_short
from greenlane.kit import Category, Kit, Part
from greenlane.prompts import Asker, Back, Option

_SEVERAL = "several"  # the other values are tuples of names


def ask_any(
    kit: Kit, app: str, asker: Asker, message: str, ticked: Sequence[str], *, back: bool
) -> list[str]:
    """The modules that the person ticked in a list of all; what they require is not among them."""
    order = list(kit.categories)
    given = kit.with_required([app])
    comes = f"comes with {kit.apps[app].title}"
    members = sorted(kit.modules.values(), key=lambda part: (order.index(part.category), part.name))
    options = [
        Option(
            part.name,
            part.title,
            in_short(part.description),
            kit.categories[part.category].title,
            comes if part.name in given else "",
        )
        for part in members
    ]
    return _pick(kit, [app], asker, message, options, ticked, back=back)


@dataclass(frozen=True)
class CategoryQuestion:
    """Which modules of a category go with `beside`, the application and modules chosen before.

    `wanted` are those that somebody chose, a preset or the person.
    """

    kit: Kit
    category: Category
    beside: tuple[str, ...]
    wanted: tuple[str, ...]

    @property
    def offered(self) -> list[str]:
        """The modules that can be added; not those that `beside` requires."""
        given = self.kit.with_required(self.beside)
        return [
            name
            for name in self.kit.members(self.category.name)
            if name not in given and not self.kit.conflict([*self.beside, name])
        ]

    @property
    def chosen(self) -> list[str]:
        """Those of `wanted` that can be added together."""
        app, *modules = self.beside
        offered = self.offered
        names = [*modules, *(name for name in self.wanted if name in offered)]
        return compatible(self.kit, app, names)[len(modules) :]

    def ask(self, asker: Asker, *, back: bool) -> list[str]:
        """The modules that the person chose: none, one, or several."""
        options = [Option((), self.category.none), *map(self._option, self.offered)]
        options += self._together()
        chosen = self.chosen
        known = tuple(chosen) in [option.value for option in options]
        default = tuple(chosen) if known else _SEVERAL
        while True:
            choice = asker.select(self.category.ask, options, default, note="", back=back)
            if choice != _SEVERAL:
                return list(choice)
            default = choice
            try:
                return self._ask_several(asker, chosen)
            except Back:
                continue

    def told(self, picked: Sequence[str]) -> str:
        """What was chosen, in words."""
        titles = _titles(self.kit, picked)
        return ", ".join(filter(None, [titles, self._adds(picked)])) or self.category.none

    def _option(self, name: str) -> Option:
        part = self.kit.parts[name]
        return Option((name,), part.title, in_short(part.description), adds=self._adds([name]))

    def _together(self) -> list[Option]:
        offered = self.offered
        if len(offered) > 2:
            return [Option(_SEVERAL, "Several of these", "tick them in a list")]
        if len(offered) == 2 and not self.kit.conflict([*self.beside, *offered]):
            return [Option(tuple(offered), "Both", adds=self._adds(offered))]
        return []

    def _ask_several(self, asker: Asker, ticked: Sequence[str]) -> list[str]:
        parts = [self.kit.parts[name] for name in self.offered]
        options = [Option(part.name, part.title, in_short(part.description)) for part in parts]
        return _pick(self.kit, self.beside, asker, self.category.ask, options, ticked, back=True)

    def _adds(self, picked: Sequence[str]) -> str:
        added = _added(self.kit, self.beside, picked)
        return f"adds {_titles(self.kit, added)}" if added else ""


def _pick(
    kit: Kit,
    beside: Sequence[str],
    asker: Asker,
    message: str,
    options: Sequence[Option],
    ticked: Sequence[str],
    *,
    back: bool,
) -> list[str]:
    return asker.pick(
        message,
        options,
        ticked,
        explain=lambda picked: _brought_along(kit, beside, picked),
        problem=lambda picked: _conflict(kit, beside, picked),
        back=back,
    )


def _added(kit: Kit, beside: Sequence[str], picked: Sequence[str]) -> list[str]:
    """What comes along with `picked`, and is not in `beside` anyway."""
    together = kit.with_required([*beside, *picked])
    return sorted(together - kit.with_required(beside) - set(picked))


def _brought_along(kit: Kit, beside: Sequence[str], picked: Sequence[str]) -> str:
    added: dict[str, list[str]] = {}
    for name in _added(kit, beside, picked):
        needing = [other for other in picked if name in kit.with_required([other])]
        added.setdefault(_titles(kit, needing), []).append(name)
    return "; ".join(
        f"adds {_titles(kit, names)}, needed by {needing}" for needing, names in added.items()
    )


def _conflict(kit: Kit, beside: Sequence[str], picked: Sequence[str]) -> str:
    conflict = kit.conflict([*beside, *picked])
    if not conflict:
        return ""
    one, other = (kit.parts[name].title for name in conflict)
    return f"{one} and {other} cannot be together: untick one of them."


def _titles(kit: Kit, names: Iterable[str]) -> str:
    parts: list[Part] = [kit.parts[name] for name in names]
    return ", ".join(part.title for part in parts)
