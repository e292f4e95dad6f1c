"""What a user typically does to a project between two updates, and whether it is still there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from greenlane.git import run_git
from greenlane.sources.protocol import Files

_AUTHOR = {"user.name": "A user", "user.email": "user@example.com", "commit.gpgSign": "false"}
_SECTION = "\n## Ours\n\nRun it on Mondays.\n"
# Appended to, or begun with, where the project has them.
_APPENDED = {"README.md": _SECTION, ".gitignore": "/ours/\n"}
_PREPENDED = {".env.example": "# Ours\nOWN_SETTING=1\n"}
_ADDED = {"ours/notes.md": "# Notes\n\nOf our own.\n"}
# Changed by nobody, and needed by nothing: the first that is there.
_SPARE = (".github/pull_request_template.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_RENAMED = ("AGENTS.md", "docs/index.md")


@dataclass(frozen=True, slots=True)
class Edits:
    """Text that must be in a file, and paths that must be gone. `touched` are all of them."""

    texts: Mapping[str, str]
    gone: tuple[str, ...]

    @property
    def touched(self) -> set[str]:
        return {*self.texts, *self.gone}


def edit(project: Path, rendered: Files) -> Edits:
    """Edit, add, delete and rename files of a project that was just created, and commit."""
    texts = dict(_ADDED)
    gone = []
    for path, text in _ADDED.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)
    for path, text in {**_APPENDED, **_PREPENDED}.items():
        if path in rendered:
            before, new = (project / path).read_bytes(), text.encode()
            (project / path).write_bytes(before + new if path in _APPENDED else new + before)
            texts[path] = text
    if spare := next(filter(rendered.__contains__, _SPARE), None):
        (project / spare).unlink()
        gone.append(spare)
    if renamed := next(filter(rendered.__contains__, _RENAMED), None):
        target = f"{Path(renamed).parent}/OURS.md".removeprefix("./")
        (project / renamed).rename(project / target)
        gone.append(renamed)
        texts[target] = ""
    run_git(project, "add", "--all")
    settings = {**_AUTHOR, "core.hooksPath": "/dev/null"}
    run_git(project, "commit", "--quiet", "--message", "Our own", settings=settings)
    return Edits(texts, tuple(gone))


def missing(project: Path, edits: Edits) -> Iterator[str]:
    """What of the edits is lost, in words."""
    for path, text in edits.texts.items():
        file = project / path
        if not file.is_file() or text.strip() not in file.read_text(errors="replace"):
            yield f"the user's edit of {path} is lost"
    for path in edits.gone:
        if (project / path).exists():
            yield f"{path}, which the user took away, is back"
