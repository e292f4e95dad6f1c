"""`greenlane adopt` in a project of Copier or cruft: what they recorded becomes the baseline."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from greenlane.errors import GreenlaneError
from greenlane.manifest import MANIFEST_BYTES, read_manifest, read_regular_file
from greenlane.repository import Repository
from greenlane.sources.address import is_trusted, parse
from greenlane.sources.new import given
from greenlane.sources.origin import Origin
from greenlane.sources.protocol import Files
from greenlane.sources.renderer import Renderer
from greenlane.sources.template import Template, TemplateSource, notes
from greenlane.update import Plan, adopted

COPIER = (".copier-answers.yml", ".copier-answers.yaml", ".copier/.copier-answers.yml")
CRUFT = ".cruft.json"
RECORDS = (*COPIER, CRUFT)


def origin_for(
    folder: Path, source: str | None, asked: Mapping[str, Any], options: Mapping[str, Any]
) -> Origin:
    """What to adopt as: the record in `folder`, with what was given on the command line."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - its name is as it is spelled
    found = found_in(folder)
    if source is None:
        assert found is not None  # noqa: S101 - the caller has looked
        return found
    address, ref = parse(source, asked["ref"])
    template = Template(address, ref, asked["kind"], asked["directory"])
    trusted = asked["trusted"] or is_trusted(address)
    kind = template.kind_of(template.version(), trusted=trusted)
    answers = {**(found.answers if found else {}), **given(options)}
    return Origin(
        kind, address.text, "", folder.name, ref=ref, directory=template.directory, answers=answers
    )


def found_in(folder: Path) -> Origin | None:
    """What Copier or cruft recorded in `folder`; None when neither did.

    Raises GreenlaneError when their record does not say enough.
    """
    for name in COPIER:
        if (folder / name).is_file():
            return _of_copier(read_manifest(folder / name, name).data, folder, name)
    if (folder / CRUFT).is_file():
        return _of_cruft(read_regular_file(folder / CRUFT, CRUFT, MANIFEST_BYTES), folder)
    return None


@contextmanager
def adopt(folder: Path, origin: Origin, *, ref: str = "", trust: bool = False) -> Iterator[Plan]:
    """Put the project under the template that it was made from, in the version that it has.

    `ref` names another version than the recorded one. Nothing but the record is added.
    """
    address, at = parse(origin.source, ref or origin.commit or origin.ref)
    template = Template(address, at, origin.kind, origin.directory)
    with Renderer(origin.kind, trusted=trust or is_trusted(address)) as renderer:
        source = TemplateSource(template, origin.kind, renderer)
        version = template.version()
        followed = ref or origin.ref
        template.ref = followed if template.is_branch(followed) else ""
        job = source.job(version, origin.folder, {}, last=origin.answers)
        tree, rendered = source.new(job)

        def sides(_: Repository) -> tuple[Files, Files]:
            return rendered.tree, tree

        told = tuple(notes(rendered))
        name = f"{source.name} {version.name}"
        with adopted(folder, name, version.name, sides, told) as plan:
            yield plan


def _of_copier(data: Mapping[str, Any], folder: Path, name: str) -> Origin:
    source, commit = data.get("_src_path"), data.get("_commit")
    if not isinstance(source, str):
        raise GreenlaneError(
            f"{name} does not say which template it is of (_src_path).",
            "Name it: `greenlane adopt --from SOURCE`.",
        )
    answers = {key: value for key, value in data.items() if key[:1] != "_"}
    # `git describe` wrote it: 1.2.0, or 1.2.0-3-gabc1234, which git understands, too.
    ref = str(commit) if commit is not None else ""
    return Origin("copier", _here(source, folder), ref, folder.name, ref=ref, answers=answers)


def _of_cruft(content: bytes, folder: Path) -> Origin:
    try:
        data = json.loads(content)
        source, commit = data["template"], data["commit"]
        context = dict(data["context"]["cookiecutter"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise GreenlaneError(
            f"{CRUFT} does not say template, commit and context.",
            "Name the template: `greenlane adopt --from SOURCE`.",
        ) from None
    return Origin(
        kind="cookiecutter",
        source=_here(str(source), folder),
        version=str(commit),
        folder=folder.name,
        ref=str(data.get("checkout") or ""),
        commit=str(commit),
        directory=str(data.get("directory") or ""),
        answers={key: value for key, value in context.items() if key[:1] != "_"},
    )


def _here(source: str, folder: Path) -> str:
    """A relative folder is meant from the project."""
    beside = folder / source
    return str(beside.resolve()) if source.startswith(".") and beside.is_dir() else source
