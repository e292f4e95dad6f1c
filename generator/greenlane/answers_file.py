"""The answers file: `--answers`, presets, and the project.yml that each repository carries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from greenlane.kit import Value
from greenlane.loading import plain_answers
from greenlane.manifest import Section, read_manifest
from greenlane.quoting import yaml_scalar


@dataclass(frozen=True, slots=True)
class AnswersFile:
    """What a file says; None where it says nothing.

    `kit` and its `version` stand in the record of a project; so does `extends`, name and version
    of the kit that this one extends.
    """

    kit: str | None = None
    version: str | None = None
    extends: str | None = None
    app: str | None = None
    modules: tuple[str, ...] | None = None
    answers: Mapping[str, Value] = field(default_factory=dict)


def read_answers_file(path: Path) -> AnswersFile:
    """Read an answers file; whether the answers fit is for `resolve` to say."""
    return answers_from(read_manifest(path, str(path)))


def answers_from(section: Section) -> AnswersFile:
    """The same from a manifest that is read already."""
    section.only("description", "kit", "version", "extends", "app", "modules", "answers")
    return AnswersFile(
        kit=section.text("kit") if "kit" in section else None,
        version=section.text("version") if "version" in section else None,
        extends=section.text("extends") if "extends" in section else None,
        app=section.text("app") if "app" in section else None,
        modules=section.texts("modules") if "modules" in section else None,
        answers=plain_answers(section.section("answers")),
    )


def write_answers(
    app: str,
    modules: Iterable[str],
    values: Mapping[str, Value],
    *,
    description: str = "",
    head: Mapping[str, str] | None = None,
) -> str:
    """The text of an answers file. `head` are lines before it: the kit and its version.

    Written by hand rather than by a YAML library: the same answers must give the same bytes with
    any version of it, because this text is part of every repository's baseline.
    """
    before = {"description": description} if description else {}
    lines = [f"{key}: {yaml_scalar(value)}" for key, value in {**before, **(head or {})}.items()]
    lines.append(f"app: {yaml_scalar(app)}")
    names = [f"  - {yaml_scalar(name)}" for name in modules]
    lines += ["modules:", *names] if names else ["modules: []"]
    answers = [f"  {key}: {yaml_scalar(value)}" for key, value in values.items()]
    lines += ["answers:", *answers] if answers else ["answers: {}"]
    return "\n".join(lines) + "\n"
