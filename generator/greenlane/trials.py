"""Trying a kit: everything wanted is rendered, projects of earlier releases are updated to it.

Works in throw-away folders; the kit and its repository are only read.
"""

import io
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from greenlane.answers import Answers, resolve
from greenlane.combinations import templates, wanted
from greenlane.errors import GreenlaneError
from greenlane.evolution import Evolved
from greenlane.git import GitError, run_git
from greenlane.hygiene import problems
from greenlane.kit import Kit, load_kit
from greenlane.record import with_record
from greenlane.render import render
from greenlane.sources.protocol import Files

if TYPE_CHECKING:
    from greenlane.console import Console


@dataclass(frozen=True, slots=True)
class Trial:
    """What was tried and how it ended: ok, failed or skipped; `notes` say why."""

    kind: str
    name: str
    outcome: str
    seconds: float
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 3)}


def try_renderings(kit: Kit, count: int, *, every: bool = False) -> Iterator[Trial]:
    """Each rendered twice, the second time by a kit that is loaded again: clean, and the same."""
    again = load_kit(kit.root)
    clean: set[tuple[str, bytes]] = set()
    for name, answers in wanted(kit, count, every=every):
        started = time.monotonic()
        try:
            notes = _rendered_twice(kit, again, answers, clean)
        except GreenlaneError as error:
            notes = [str(error)]
        yield _trial("render", name, started, notes)


def _rendered_twice(
    kit: Kit, again: Kit, answers: Answers, clean: set[tuple[str, bytes]]
) -> list[str]:
    tree = render(kit, answers)
    digests = {
        with_record(rendered, one, answers).digest()
        for one, rendered in ((kit, tree), (again, render(again, answers)))
    }
    # Most of a tree is the same in every combination.
    new = {path: file for path, file in tree.items() if (path, file.content) not in clean}
    notes = problems(new, templates(kit, answers))
    if not notes:
        clean |= {(path, file.content) for path, file in new.items()}
    return [*notes, *(["It is not rendered to the same bytes twice."] if len(digests) > 1 else [])]


def releases(root: Path, count: int) -> list[str]:
    """The latest tags `v*` of the kit's repository, the latest first; none where it has none."""
    words = ("tag", "--list", "v*", "--sort=-v:refname", "--merged", "HEAD")
    try:
        return run_git(root, *words).decode(errors="replace").split()[:count]
    except GitError:
        return []


def folder_in_repository(root: Path) -> str:
    """The kit's folder in its git repository; `.` where it is the root, or in none."""
    try:
        return run_git(root, "rev-parse", "--show-prefix").decode().strip().rstrip("/") or "."
    except GitError:
        return "."


def try_updates(kit: Kit, releases: Sequence[str]) -> Iterator[Trial]:
    """A project of each preset, made by the kit as it was then, edited, and updated to the kit."""
    for release in releases:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="greenlane-") as folder:
            try:
                earlier = kit_at(kit.root, release, Path(folder) / "kit")
            except GreenlaneError as error:
                yield Trial("update", release, "skipped", _since(started), (str(error),))
                continue
            presets = [name for name in earlier.own_presets if name in kit.presets]
            if not presets:
                note = "It has no preset that the kit still has."
                yield Trial("update", release, "skipped", _since(started), (note,))
            for preset in presets:
                started = time.monotonic()
                project = Path(folder) / f"project-{preset}"
                notes, failed = _updated(earlier, kit, preset, project)
                outcome = "failed" if failed else "ok"
                name = f"{release}, preset {preset}"
                yield Trial("update", name, outcome, _since(started), tuple(notes))


def kit_at(root: Path, release: str, folder: Path) -> Kit:
    """The kit in `root` as it was at a commit, written to `folder`."""
    import tarfile

    try:
        if release.startswith("-"):
            raise GitError("a commit does not begin with a dash")
        archive = run_git(root, "archive", "--format=tar", release)
    except GitError as error:
        raise GreenlaneError(
            f"There is no kit at {release}: {error}.", "Name a tag or commit that has it."
        ) from None
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
    except tarfile.TarError as error:
        raise GreenlaneError(f"The kit at {release} cannot be unpacked: {error}.", "") from None
    return load_kit(folder)


def _updated(earlier: Kit, kit: Kit, preset: str, project: Path) -> tuple[list[str], bool]:
    """Notes, and whether something went wrong. A conflict where both sides edited is a note."""
    from greenlane.edits import edit, missing
    from greenlane.project import create
    from greenlane.update import update

    try:
        answers = resolve(earlier, preset=preset, name="my-app")
        create(earlier, answers, project)
        edits = edit(project, render(earlier, answers))
        with update(project, kit) as plan:
            plan.apply()
            conflicts = sorted({stage.path for stage in plan.merge.stages})
            pristine = (
                render(kit, plan.evolved.answers) if isinstance(plan.evolved, Evolved) else {}
            )
        lost = list(missing(project, edits))
        differing = list(_differing(project, pristine, {*edits.touched, *conflicts}))
    except GreenlaneError as error:
        return [str(error)], True
    notes = [f"conflict in {path}" for path in conflicts]
    return [*notes, *lost, *differing], bool(lost or differing)


def _differing(project: Path, pristine: Files, touched: set[str]) -> Iterator[str]:
    """Files that nobody edited, and that are not as the kit renders them."""
    for path, file in pristine.items():
        on_disk = project / path
        if path not in touched and not (on_disk.is_file() and on_disk.read_bytes() == file.content):
            yield f"{path} is not as the kit renders it"


def try_checks(kit: Kit, console: "Console") -> Iterator[Trial]:
    """Each preset installed and set up, and its own gates run."""
    from greenlane.project import create
    from greenlane.setup import set_up_project

    for preset in kit.own_presets:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="greenlane-") as folder:
            project = Path(folder) / "my-app"
            create(kit, resolve(kit, preset=preset, name="my-app"), project)
            report = set_up_project(project, console)
        failed = [result for result in (*report.steps, *report.gates) if result.outcome == "failed"]
        skipped = [item.reason for item in report.instructions] if not report.green else []
        notes = [f"{item.name}: {item.reason} {' '.join(item.tail[-3:])}" for item in failed]
        outcome = "failed" if failed else "ok" if report.green else "skipped"
        yield Trial("checks", f"preset {preset}", outcome, _since(started), tuple(notes or skipped))


def _trial(kind: str, name: str, started: float, notes: Sequence[str]) -> Trial:
    return Trial(kind, name, "failed" if notes else "ok", _since(started), tuple(notes))


def _since(started: float) -> float:
    return time.monotonic() - started
