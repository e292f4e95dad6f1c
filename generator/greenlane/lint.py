"""Every rule of a kit, and every place where it is broken.

What the loader refuses, what the rules of greenlane.rules say, and what is wrong with the files
that the kit renders: all of it at once, each with its file, line and way out.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from greenlane.complaints import collecting
from greenlane.errors import GreenlaneError
from greenlane.kit import Kit, Source, load_kit

_PLACE = re.compile(
    r"(?P<file>[^\s:,]+)(?:, line (?P<line>[0-9]+))?(?:: | )(?P<message>.*)", re.DOTALL
)
_RENDERED = re.compile(r"line (?P<line>[0-9]+) (?P<message>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A broken rule: where (line 0: the whole file), what is wrong, and how to mend it."""

    file: str
    line: int
    rule: str
    message: str
    hint: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def lint(root: Path) -> list[Finding]:
    """All findings in the kit in the folder `root`, by file and line; empty when it is sound."""
    from greenlane.rules import EACH, WHOLE, Subject

    kit: Kit | None = None
    with collecting() as errors:
        try:
            kit = load_kit(root)
        except GreenlaneError as error:
            errors.append(error)
    found = {from_error("manifest", error, root) for error in errors}
    if kit is not None:
        subject = Subject(kit)
        # What a part that could not be read uses would seem to be unused.
        for rule, check in {**EACH, **({} if errors else WHOLE)}.items():
            found |= {
                Finding(file, line, rule, message, hint)
                for file, line, message, hint in check(subject)
            }
        uncompiled = set(_uncompiled(kit))
        found |= uncompiled
        if not errors and not uncompiled:
            try:
                found.update(_unclean(kit))
            except GreenlaneError as error:
                # Where something else is wrong, that is the reason.
                found = found or {from_error("render", error, root)}
    return sorted(found)


def from_error(rule: str, error: GreenlaneError, root: Path) -> Finding:
    """An error of the loader or a template, which begins with its place."""
    match = _PLACE.fullmatch(error.message)
    if match is None or not (root / match["file"]).exists():
        return Finding("kit.yml", 0, rule, error.message, error.hint)
    return Finding(match["file"], int(match["line"] or 0), rule, match["message"], error.hint)


def _own_sources(kit: Kit) -> Iterator[Source]:
    for part in kit.own_parts.values():
        yield from part.files.values()
        yield from part.slots.values()


def _uncompiled(kit: Kit) -> Iterator[Finding]:
    from greenlane.confinement import confined

    for source in _own_sources(kit):
        if source.template:
            try:
                confined("compile", source.shown, source.file.read_text(encoding="utf-8"))
            except GreenlaneError as error:
                yield from_error("template", error, kit.root)
            except UnicodeDecodeError:
                yield Finding(source.shown, 0, "template", "is not UTF-8.", "Save it as UTF-8.")


def _unclean(kit: Kit) -> Iterator[Finding]:
    """What is wrong with the files of the repositories that the kit renders."""
    from greenlane.combinations import templates, wanted
    from greenlane.hygiene import problems
    from greenlane.render import render

    seen: set[tuple[str, bytes]] = set()
    for _, answers in wanted(kit, count=0):
        tree = render(kit, answers)
        owners = kit.owners(answers.app, answers.modules)
        new = {path: file for path, file in tree.items() if (path, file.content) not in seen}
        seen |= {(path, file.content) for path, file in new.items()}
        for problem in problems(new, templates(kit, answers)):
            path, _, message = problem.partition(": ")
            yield _rendered(kit.parts[owners[path]].files[path], path, message)


def _rendered(source: Source, path: str, message: str) -> Finding:
    match = _RENDERED.fullmatch(message)
    hint = f"It is rendered to {path}."
    if match is None or source.template:
        return Finding(source.shown, 0, "clean", message, hint)
    return Finding(source.shown, int(match["line"]), "clean", match["message"], hint)
