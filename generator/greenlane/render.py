"""Rendering: a kit and answers in, a Tree out. Pure: no clock, network, randomness or machine."""

import time
from collections.abc import Mapping, Sequence

from greenlane.answers import Answers
from greenlane.errors import GreenlaneError
from greenlane.kit import Kit, Part, Source
from greenlane.manifest import read_regular_file
from greenlane.sandbox import plain, render_text
from greenlane.tree import EXECUTABLE, REGULAR, File, Tree

_FILE_BYTES = 32 * 1024 * 1024
_TREE_BYTES = 512 * 1024 * 1024
_SECONDS = 60


def render(kit: Kit, answers: Answers) -> Tree:
    """The pristine repository for these answers, the same bytes on every machine."""
    parts = list(kit.chosen(answers.app, answers.modules))
    context = _context(kit, answers, parts)
    context["slots"] = _slots(kit, parts, context)
    files: dict[str, File] = {}
    size, started = 0, time.monotonic()
    for part in parts:
        # A template sees the name and version of the kit that it comes from.
        context["kit"] = _kit(kit.origin(part.name))
        for path, source in part.files.items():
            content = _content(source)
            if source.template:
                content = _rendered(content, context, source).encode()
            files[path] = File(content, EXECUTABLE if content.startswith(b"#!") else REGULAR)
            size += len(content)
            if size > _TREE_BYTES or time.monotonic() - started > _SECONDS:
                raise GreenlaneError(
                    f"The kit {kit.name} renders more than {_TREE_BYTES // 2**20} MB, or for more "
                    f"than {_SECONDS} s; it was stopped at {source.shown}.",
                    "Leave out what is not needed in a new repository.",
                )
    return Tree(files)


def _context(kit: Kit, answers: Answers, parts: Sequence[Part]) -> dict[str, object]:
    return plain(
        {
            **answers.values,
            "app": answers.app,
            "modules": sorted(answers.modules),
            "sets": _sets(kit, parts),
            "versions": kit.versions,
            "kit": _kit(kit),
        }
    )


def _kit(kit: Kit) -> dict[str, object]:
    return {"name": kit.name, "version": kit.version}


def _sets(kit: Kit, parts: Sequence[Part]) -> dict[str, list[str]]:
    """Each set's items from all parts, sorted and without duplicates."""
    return {
        name: sorted({item for part in parts for item in part.contributes.get(name, ())})
        for name in kit.sets
    }


def _slots(kit: Kit, parts: Sequence[Part], context: Mapping[str, object]) -> dict[str, str]:
    """Each slot's fragments in the order of parts, joined by a blank line."""
    filled: dict[str, str] = {}
    for slot in kit.slots:
        fragments = []
        for part in parts:
            if source := part.slots.get(slot):
                content = _content(source)
                text = (
                    _rendered(content, context, source)
                    if source.template
                    else _decoded(content, source)
                )
                if text.strip():
                    fragments.append(text.strip("\n"))
        filled[slot] = "\n\n".join(fragments)
    return filled


def _rendered(content: bytes, context: Mapping[str, object], source: Source) -> str:
    return render_text(_decoded(content, source), context, source.shown, trusted=source.trusted)


def _content(source: Source) -> bytes:
    return read_regular_file(source.file, source.shown, _FILE_BYTES)


def _decoded(content: bytes, source: Source) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise GreenlaneError(
            f"{source.shown} is not UTF-8 (byte {error.start}).", "Save it as UTF-8."
        ) from None
