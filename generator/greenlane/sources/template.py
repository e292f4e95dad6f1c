"""A template of Copier or Cookiecutter as a source of projects."""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from greenlane.answers import pairs
from greenlane.errors import GreenlaneError, did_you_mean
from greenlane.evolution import Carried
from greenlane.location import FOLDER, PROJECT
from greenlane.paths import path_danger
from greenlane.reading import Record
from greenlane.record import record_files
from greenlane.sources.address import TRUST, Address
from greenlane.sources.fetch import MANIFESTS, Commits, Version, check_links, is_repository
from greenlane.sources.origin import Origin, project_yml
from greenlane.sources.protocol import Change, Files, Rendering
from greenlane.sources.renderer import Job, Rendered, Renderer
from greenlane.tree import Tree
from greenlane.volatile import keep_volatile

UNVERSIONED = "folder"


@dataclass
class Template:
    """Where a template is, and the version of it that is wanted.

    `kind` is copier, cookiecutter, or empty: as the files say. `directory` is its folder in the
    repository. Folders are made inside `workshop`, which the caller removes.
    """

    address: Address
    ref: str = ""
    kind: str = ""
    directory: str = ""
    notes: list[str] = field(default_factory=list, init=False)
    _commits: Commits | None = field(default=None, init=False)
    _written: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.directory and (problem := path_danger(self.directory)):
            raise GreenlaneError(f"The directory {self.directory!r} {problem}.", "")
        folder = self.address.folder
        if folder is None or is_repository(folder):
            self._commits = Commits(self.address)
        elif self.ref:
            raise GreenlaneError(
                f"{folder} is not a git repository, so it has no {self.ref}.", "Leave --ref out."
            )

    def version(self, ref: str = "") -> Version:
        """The wanted version, or the one that `ref` names."""
        if self._commits is None:
            return Version("", UNVERSIONED)
        return self._commits.find(ref or self.ref, {self.kind} - {""})

    def is_branch(self, ref: str) -> bool:
        return bool(ref and self._commits and self._commits.is_branch(ref))

    def is_tag(self, name: str) -> bool:
        return bool(self._commits and self._commits.is_tag(name))

    def write(self, version: Version, workshop: Path) -> Path:
        """The template's files in a new folder."""
        self._written += 1
        folder = workshop / f"template{self._written}" / self.name
        folder.parent.mkdir()
        if self._commits is None:
            assert self.address.folder is not None  # noqa: S101 - there is no other case
            check_links(self.address.folder)
            shutil.copytree(self.address.folder, folder, symlinks=True)
        else:
            self._commits.write(version.commit, folder)
        return folder

    @property
    def name(self) -> str:
        return Origin(self.kind, self.address.text, "", "").name

    def kind_of(self, version: Version, *, trusted: bool = False) -> str:
        """What it is in that version: kit, copier or cookiecutter.

        Of a template that is both, it is Copier's, unless that one needs code of its own.
        """
        if self._commits is not None:
            names = set(self._commits.names(version.commit, self.directory))
        else:
            assert self.address.folder is not None  # noqa: S101 - there is no other case
            names = {path.name for path in (self.address.folder / self.directory).iterdir()}
        found = list(dict.fromkeys(kind for name, kind in MANIFESTS.items() if name in names))
        if self.kind in found:
            return self.kind
        if self.kind or not found:
            wanted = f"no template of {self.kind}" if self.kind else "no template"
            raise GreenlaneError(
                f"{self.address.text} is {wanted} in the version {version.name}: its files are "
                f"{', '.join(sorted(names)[:8])}.",
                "A template has a copier.yml, a cookiecutter.json or a kit.yml at its top.",
            )
        if not trusted and {"copier", "cookiecutter"} <= {*found} and self._extends_jinja(version):
            found.remove("copier")
            found.append("copier")
        if others := [f"--kind {kind}" for kind in found[1:]]:
            self.notes.append(f"Taken as a template of {found[0]}; there is {', '.join(others)}.")
        return found[0]

    def _extends_jinja(self, version: Version) -> bool:
        """Whether Copier's manifest asks for extensions of Jinja, which are code."""
        for name in ("copier.yml", "copier.yaml"):
            if self._commits is not None:
                text = self._commits.read(version.commit, f"{self.directory}/{name}".lstrip("/"))
            else:
                assert self.address.folder is not None  # noqa: S101 - there is no other case
                file = self.address.folder / self.directory / name
                text = file.read_bytes() if file.is_file() else b""
            if re.search(rb"^_jinja_extensions\s*:", text, re.MULTILINE):
                return True
        return False


class TemplateSource:
    """A template with the process that renders it, which the caller ends."""

    def __init__(self, template: Template, kind: str, renderer: Renderer) -> None:
        self.template, self.kind, self.renderer = template, kind, renderer

    @property
    def name(self) -> str:
        return self.template.name

    @property
    def version(self) -> str:
        return ""

    # -- new ---------------------------------------------------------------------------------------

    def job(
        self,
        version: Version,
        folder: str,
        given: Mapping[str, Any],
        last: Mapping[str, Any] | None = None,
    ) -> Job:
        """A rendering of a new project into a folder of that name."""
        template = self.template
        return Job(
            template=template.write(version, self.renderer.folder),
            source=template.address.text,
            folder=folder,
            ref=template.ref,
            commit=version.commit,
            version=version.name,
            directory=template.directory,
            given=given,
            last=last or {},
        )

    def new(self, job: Job) -> tuple[Tree, Rendered]:
        """The files of a new project, with the record."""
        (rendered,) = self.renderer.render(job)
        return _with_record(rendered, rendered.tree, self._origin(job, rendered)), rendered

    # -- existing projects -------------------------------------------------------------------------

    def check(self, record: Record) -> None:
        origin = record.origin
        if origin is None:
            raise GreenlaneError("The project was made from a kit.", "Leave --from out.")
        if (origin.kind, origin.source) != (self.kind, self.template.address.text):
            raise GreenlaneError(
                f"The last commit says that the project is made from {origin.source}, its "
                f"{PROJECT} says {self.template.address.text}.",
                "Commit that, or take it back.",
            )
        if origin.ran and not self.renderer.trusted:
            raise GreenlaneError(
                f"The project was rendered with code of its template: {', '.join(origin.ran)}.",
                f"If you still trust {origin.source}, add --trust, or name it in {TRUST}.",
            )

    def render(self, record: Record, change: Change) -> Rendering:
        origin = self._recorded(record)
        if change.add or change.remove:
            raise GreenlaneError(
                f"{self.name} is a template of {origin.kind}, which has no modules.",
                "`greenlane set NAME=VALUE` changes its answers.",
            )
        given = {**origin.data, **pairs(change.sets)}
        wanted = self.template.version()
        new = replace(
            self._again_job(origin, wanted), ref=self.template.ref, given=given, last=origin.answers
        )
        jobs = [new]
        if origin.commit and self._has(origin):
            before = Version(origin.commit, origin.version)
            jobs.append(self._again_job(origin, before))
        rendered, *again = self.renderer.render(*jobs)
        after = replace(self._origin(new, rendered), folder=origin.folder)
        known = {**origin.answers, **given}
        check_known(change.sets, rendered)
        if pairs(change.sets).keys() & set(rendered.secret):
            again = []  # a new secret is not to be taken for one that the template drew
        evolved = Carried(
            new=tuple((name, rendered.answers[name]) for name in rendered.new if name not in known),
            dropped=tuple(name for name in origin.answers if name not in rendered.answers),
        )

        def kept(base: Files):
            return keep_volatile(base, again[0].tree if again else {}, rendered.tree)

        return Rendering(
            version=wanted.name,
            label=f"{self.name}-{wanted.name}",
            files=rendered.tree,
            settled=lambda base: _with_record(rendered, kept(base).files, after),
            evolved=evolved,
            notes=tuple(notes(rendered)),
            volatile=lambda base: kept(base).paths,
        )

    def again(self, record: Record) -> Files:
        origin = self._recorded(record)
        if not origin.commit:
            return {}
        job = self._again_job(origin, Version(origin.commit, origin.version))
        return self.renderer.render(job)[0].tree

    def _recorded(self, record: Record) -> Origin:
        assert record.origin is not None  # noqa: S101 - `check` was first
        return record.origin

    def _has(self, origin: Origin) -> bool:
        try:
            self.template.version(origin.commit)
        except GreenlaneError:
            return False  # rewritten history: the old version is nowhere any more
        return True

    def _again_job(self, origin: Origin, version: Version) -> Job:
        return replace(
            self.job(version, origin.folder, origin.data),
            ref=origin.ref,
            last=origin.answers,
        )

    def _origin(self, job: Job, rendered: Rendered) -> Origin:
        return Origin(
            kind=self.kind,
            source=job.source,
            version=job.version,
            folder=job.folder,
            ref=job.ref,
            commit=job.commit,
            directory=job.directory,
            ran=rendered.ran,
            answers=rendered.answers,
            data=rendered.data,
        )


def notes(rendered: Rendered) -> Iterator[str]:
    """What a person must know of a rendering."""
    if rendered.skipped:
        yield (
            f"The template's own code was not run: {', '.join(rendered.skipped)}. If you trust the "
            f"template, --trust runs it; {TRUST} or a line in the trust file does so always."
        )
    if rendered.migrations:
        yield f"The template has {rendered.migrations} migrations for Copier; they are not run."
    if rendered.secret:
        yield f"Not recorded, because secret: {', '.join(rendered.secret)}."


def check_known(sets: Iterable[str], rendered: Rendered) -> None:
    """Raise GreenlaneError when one of the `key=value` texts answers no question."""
    for name in pairs(sets):
        if name not in rendered.questions and name[:1] != "_":
            raise GreenlaneError(
                f'No question asks for "{name}".', did_you_mean(name, rendered.questions)
            )


def _with_record(rendered: Rendered, files: Files, origin: Origin) -> Tree:
    """The files that git is not to ignore, and the record of them."""
    if any(path == FOLDER or path.startswith(f"{FOLDER}/") for path in files):
        raise GreenlaneError(
            f"The template writes to {FOLDER}, which is greenlane's.", "Nothing was written."
        )
    ignored = rendered.ignored()
    tracked = {path: file for path, file in files.items() if path not in ignored}
    tree = Tree(tracked, path_danger)
    owners = dict.fromkeys(tree, "template")
    release = {"name": origin.name, "version": origin.version}
    record = record_files(tree, project_yml(origin), release, owners)
    return Tree({**tree, **record}, path_danger)
