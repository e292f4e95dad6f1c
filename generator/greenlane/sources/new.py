"""`greenlane new --from`: a project from a template of Copier or Cookiecutter."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from greenlane.answers import pairs
from greenlane.console import Console
from greenlane.disk import check_free
from greenlane.errors import GreenlaneError
from greenlane.project import FIRST_COMMIT, Created, write_repository
from greenlane.report import show_created, show_dry_run, shown_path
from greenlane.sources.address import is_trusted, parse
from greenlane.sources.fetch import Version
from greenlane.sources.renderer import Job, Rendered, Renderer
from greenlane.sources.template import Template, TemplateSource, check_known, notes
from greenlane.tree import Tree

_PLACEHOLDER = "project"


def new(
    console: Console,
    dest: Path | None,
    text: str,
    origin: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    ask: bool,
    dry_run: bool,
    commit: bool,
) -> int:
    """Render the template `text` into `dest`, asking its questions when `ask` is set.

    `origin` are ref, kind, directory and trusted, `options` those that answer questions. Raises
    GreenlaneError, and then nothing was written.
    """
    started = time.monotonic()
    address, ref = parse(text, origin["ref"])
    kind, directory = origin["kind"], origin["directory"]
    template = Template(address, ref, kind, directory)
    version = template.version()
    trusted = origin["trusted"] or is_trusted(address)
    kind = template.kind_of(version, trusted=trusted)
    if kind == "kit":
        raise GreenlaneError(
            f"{address.text} is a kit of greenlane.",
            "Clone it; `--from FOLDER` or `--kit FOLDER` then takes it.",
        )
    answers = given(options)
    if dest is not None:
        check_free(dest.absolute())
    with Renderer(kind, trusted=trusted) as renderer:
        source = TemplateSource(template, kind, renderer)
        job = source.job(version, dest.absolute().name if dest else _PLACEHOLDER, answers)
        if ask:
            from greenlane.sources.asking import ask as ask_all

            job = replace(job, given=ask_all(source, job, console))
        tree, rendered = source.new(job)
        check_known(options["sets"], rendered)
        dest = (dest or Path(_own_name(kind, rendered))).absolute()
        command = _command(dest, template, version, kind, job, rendered)
        told = [*template.notes, *notes(rendered)]
        if dry_run:
            return _dry_run(console, tree, dest, command, told)
        check_free(dest)
        whole = Tree({**rendered.tree, **tree}, lambda _: "")
        message = f"Create the project with {source.name} {version.name}"
        created = write_repository(whole, dest, message, tracked=tree, commit=commit)
        if console.as_json:
            console.document(_data(created, kind, address.text, version, rendered, command, told))
        else:
            show_created(created, console, seconds=time.monotonic() - started)
            _show_rest(console, created, command, told)
    return 0


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The answers of --answers and --set; the file may be the record of another project."""
    for name, shown in (("preset", "--preset"), ("with_parts", "--with")):
        if options.get(name):
            raise GreenlaneError(f"{shown} is for kits, not for templates.", "Leave it out.")
    found: dict[str, Any] = {}
    if options["file"] is not None:
        from greenlane.manifest import read_manifest
        from greenlane.sources.origin import is_foreign, origin_from

        section = read_manifest(options["file"], str(options["file"]))
        if is_foreign(section):
            recorded = origin_from(section)
            found = {**recorded.data, **recorded.answers}
        else:
            found = {key: value for key, value in section.data.items() if key[:1] != "_"}
    return {**found, **pairs(options["sets"])}


def _own_name(kind: str, rendered: Rendered) -> str:
    if kind == "copier":
        raise GreenlaneError("Where to?", "Give the folder: `greenlane new FOLDER --from ...`.")
    return rendered.made


def _command(
    dest: Path, template: Template, version: Version, kind: str, job: Job, rendered: Rendered
) -> str:
    """One shell-quoted line that gives the same again; secrets are left out."""
    exact = version.name if template.is_tag(version.name) else version.commit
    words = ["greenlane", "new", shown_path(dest), "--from", template.address.text]
    words += ["--ref", template.ref or exact] if version.commit else []
    words += ["--kind", kind] if template.notes or template.kind else []
    words += ["--directory", template.directory] if template.directory else []
    words += ["--trust"] if rendered.ran else []
    for name, value in job.given.items():
        if name not in rendered.secret:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            words += ["--set", f"{name}={text}"]
    return shlex.join([*words, "--yes"])


def _dry_run(console: Console, tree: Tree, dest: Path, command: str, told: Iterable[str]) -> int:
    check_free(dest)
    if console.as_json:
        files = [
            {"path": path, "bytes": len(tree[path].content), "mode": f"{tree[path].mode:04o}"}
            for path in tree
        ]
        console.document({"path": str(dest), "command": command, "notes": [*told], "files": files})
        return 0
    show_dry_run(tree, dest, command, console)
    _show_notes(console, told)
    return 0


def _data(
    created: Created,
    kind: str,
    source: str,
    version: Version,
    rendered: Rendered,
    command: str,
    told: Iterable[str],
) -> dict[str, Any]:
    return {
        "path": str(created.path),
        "kind": kind,
        "source": source,
        "version": version.name,
        "commit_of_template": version.commit,
        "answers": dict(rendered.answers),
        "ran": list(rendered.ran),
        "not_run": list(rendered.skipped),
        "command": command,
        "files": created.files,
        "commit": created.commit_id,
        "skipped": list(created.skipped),
        "notes": list(told),
    }


def _show_rest(console: Console, created: Created, command: str, told: Iterable[str]) -> None:
    _show_notes(console, told)
    console.heading("The same again")
    console.command(command)
    console.heading("Next")
    console.command(f"cd {shlex.quote(shown_path(created.path))}")
    if created.commit_id is None and not created.skipped:
        console.command(FIRST_COMMIT)
    console.command("greenlane update --dry-run")


def _show_notes(console: Console, told: Iterable[str]) -> None:
    for note in told:
        console.paragraph(f"{console.symbol('skipped')} {note}", hang=2)
