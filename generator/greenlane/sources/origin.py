"""What a project remembers of the template that it was made from, in .greenlane/project.yml."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from greenlane.errors import GreenlaneError
from greenlane.location import PROJECT
from greenlane.manifest import Section, read_manifest
from greenlane.quoting import quoted

KINDS = ("copier", "cookiecutter")
_TEXTS = ("source", "ref", "commit", "version", "folder", "directory")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Origin:
    """A template and the answers to it.

    `source` is a URL or an absolute folder, without credentials. `ref` is what was asked for, empty
    for the default; `commit` what it was, empty for a folder without git; `version` names that.
    `folder` is the name of the folder that was rendered into, `directory` the template's own in its
    repository. `ran` is the code of the template that was run. `answers` are to questions that were
    asked, `data` was given all the same; secrets are in neither.
    """

    kind: str
    source: str
    version: str
    folder: str
    ref: str = ""
    commit: str = ""
    directory: str = ""
    ran: tuple[str, ...] = ()
    answers: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of the source."""
        last = re.split(r"[/:]", self.source.rstrip("/"))[-1].removesuffix(".git")
        return last or "template"


def is_foreign(section: Section) -> bool:
    """Whether this project.yml is of a template rather than of a kit."""
    return section.data.get("kind") in KINDS


def origin_of(folder: Path) -> Origin | None:
    """The template of the project in `folder`, as its files say; None when it is of a kit."""
    path = folder / PROJECT
    try:
        if b"\nkind:" not in b"\n" + path.read_bytes():
            return None  # the usual case, and YAML takes its time
    except OSError:
        return None
    section = read_manifest(path, PROJECT)
    return origin_from(section) if is_foreign(section) else None


def origin_from(section: Section) -> Origin:
    """Read it; raises GreenlaneError when it makes no sense."""
    section.only("kind", *_TEXTS, "ran", "answers", "data")
    texts = {key: section.text(key, "") for key in _TEXTS}
    for key in ("source", "version", "folder"):
        if not texts[key]:
            raise section.error(key, "is missing.", "Take the file from an earlier commit.")
    if texts["commit"] and not _COMMIT.fullmatch(texts["commit"]):
        raise section.error("commit", "is not the id of a commit.")
    if "/" in texts["folder"] or texts["folder"] in {".", ".."}:
        raise section.error("folder", "is not the name of a folder.")
    return Origin(
        kind=section.text("kind"),
        ran=section.texts("ran"),
        answers=section.section("answers").data,
        data=section.section("data").data,
        **texts,
    )


def project_yml(origin: Origin) -> bytes:
    """The text of .greenlane/project.yml. Values are JSON, which is YAML, too."""
    lines = [
        "# The template and the answers that this repository was made from; updates go by them.",
        f"kind: {origin.kind}",
    ]
    values = {key: getattr(origin, key) for key in _TEXTS}
    lines += [f"{key}: {quoted(value)}" for key, value in values.items() if value]
    if origin.ran:
        lines.append(f"ran: {_json(list(origin.ran))}")
    for title in ("answers", "data"):
        answers = getattr(origin, title)
        if answers:
            lines.append(f"{title}:")
            lines += [f"  {quoted(key)}: {_json(value)}" for key, value in answers.items()]
    return ("\n".join(lines) + "\n").encode()


def _json(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    try:
        return quoted_json(value)
    except (TypeError, ValueError):
        raise GreenlaneError(
            f"The answer {value!r} cannot be recorded.", "Answer with texts, numbers and lists."
        ) from None


def quoted_json(value: object) -> str:
    """JSON on one line, with every text safe in YAML."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(quoted_json(item) for item in value) + "]"
    if isinstance(value, Mapping):
        pairs = (f"{quoted(str(key))}: {quoted_json(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    return json.dumps(value, allow_nan=False)
