"""What must hold between the parts of a kit: names exist, paths have one owner, no cycles."""

from collections.abc import Collection, Mapping
from itertools import combinations

from greenlane.complaints import complain, separately
from greenlane.errors import GreenlaneError, did_you_mean
from greenlane.kit import Part
from greenlane.paths import clashes

_FILES = 20_000


def check_names(
    parts: Mapping[str, Part],
    categories: Collection[str],
    sets: Collection[str],
    slots: Collection[str],
    unread: Collection[str] = (),
) -> None:
    """Every name that a part mentions must exist. `unread` are parts that could not be read."""
    modules = [part.name for part in parts.values() if part.kind == "module"]
    for part in parts.values():
        where = manifest_of(part)
        if part.category not in categories and (part.category or part.kind == "module"):
            complain(
                GreenlaneError(
                    f'{where}: "category" is "{part.category}", which kit.yml does not list.',
                    did_you_mean(part.category, categories),
                )
            )
        for key, names in (("requires", part.requires), ("conflicts", part.conflicts)):
            for name in names:
                if name not in modules and name not in unread:
                    complain(
                        GreenlaneError(
                            f'{where}: "{key}" names "{name}", which is no module.',
                            did_you_mean(name, modules),
                        )
                    )
        for name in part.contributes:
            if name not in sets:
                complain(
                    GreenlaneError(
                        f'{where}: "contributes" names the set "{name}", which base does not '
                        "declare.",
                        did_you_mean(name, sets),
                    )
                )
        for slot, source in part.slots.items():
            if slot not in slots:
                complain(
                    GreenlaneError(
                        f'{source.shown}: base does not declare the slot "{slot}".',
                        did_you_mean(slot, slots),
                    )
                )


def check_files(parts: Mapping[str, Part]) -> None:
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
                complain(
                    GreenlaneError(
                        f"{_source(parts, with_app, one)} and {_source(parts, with_app, other)} "
                        "cannot exist together: equal but for case, or one is a folder in the "
                        "other.",
                        "Rename one of them.",
                    )
                )


def _claim(part: Part, owner: dict[str, str]) -> None:
    for path, source in part.files.items():
        if path in owner:
            complain(
                GreenlaneError(
                    f"{source.shown}: the path {path} is owned by {owner[path]} already.",
                    "Give the part a file of its own, or contribute to a set or slot.",
                )
            )
        owner.setdefault(path, part.name)


def _source(parts: Mapping[str, Part], owner: dict[str, str], path: str) -> str:
    return parts[owner[path]].files[path].shown


def check_requirements(parts: Mapping[str, Part]) -> None:
    """No cycle of requirements, and no part that could never be chosen."""
    required: dict[str, frozenset[str]] = {}

    def visit(name: str, trail: tuple[str, ...]) -> frozenset[str]:
        if name in trail:
            cycle = " -> ".join((*trail[trail.index(name) :], name))
            raise GreenlaneError(
                f"{manifest_of(parts[name])}: parts require each other: {cycle}.",
                "Move what both need into a third part.",
            )
        if name not in required:
            known = [other for other in parts[name].requires if other in parts]
            needs = [visit(other, (*trail, name)) for other in known]
            required[name] = frozenset({name}).union(*needs)
        return required[name]

    for part in parts.values():
        with separately():
            together = visit(part.name, ())
            for one, other in combinations(sorted(together), 2):
                if other in parts[one].conflicts or one in parts[other].conflicts:
                    raise GreenlaneError(
                        f"{manifest_of(part)}: {part.name} can never be chosen: it needs {one} "
                        f"and {other}, which conflict.",
                        "Remove the requirement or the conflict.",
                    )


def manifest_of(part: Part) -> str:
    """The part's manifest, as errors name it."""
    folder = {"base": "base", "app": f"apps/{part.name}", "module": f"modules/{part.name}"}
    return f"{folder[part.kind]}/module.yml"
