"""The rules of a kit that the loader does not enforce.

Each takes a Subject and yields file, line (0: the whole file), what is wrong and how to mend it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from greenlane.answers import resolve
from greenlane.errors import GreenlaneError
from greenlane.kit import Kit, Part, Source
from greenlane.manifest import Section, read_manifest, read_regular_file
from greenlane.relations import manifest_of
from greenlane.versions import read_versions

Broken = Iterator[tuple[str, int, str, str]]

_LINES = 400
_LINE_LENGTH = 2000
_FILE_BYTES = 32 * 1024 * 1024
_DEPENDENCIES = re.compile(r"(.*_)?dependencies")
_USES = re.compile(r"\s*(- )?uses:")
_OTHER_PART = re.compile(r"\{[{%][^}]*(\bin modules\b|\bapp ==)")
_SECRET_NAME = re.compile(r"(?i)(^|_)(password|passwd|secret|token|api_?key|private_?key)($|_)")
_SECRET = re.compile(
    r"\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bglpat-[\w-]{20}|\bxox[abprs]-[\w-]{10,}"
    r"|\bsk-[A-Za-z0-9]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_SETTING = re.compile(r"(?:# )?([A-Z][A-Z0-9_]*)=(.*)")
# `just setup` replaces it by a random value.
_PLACEHOLDERS = re.compile(r"|generate|<.*>|\{\{.*\}\}")
# Kept byte for byte as published.
_FOREIGN = re.compile(r"(^|/)(vendor|vendored)/|\.min\.(js|css)$")


@dataclass
class Subject:
    """A kit, and the texts of its files by their path in it."""

    kit: Kit

    @cached_property
    def templates(self) -> dict[str, str]:
        """Every own template and slot."""
        return {
            source.shown: text
            for part, path, source, text in self.files
            if source.template or part.slots.get(path) is source
        }

    @cached_property
    def files(self) -> list[tuple[Part, str, Source, str]]:
        """Part, rendered path (or slot), source and text of every own file that is text."""
        return list(self._read())

    def _read(self) -> Iterator[tuple[Part, str, Source, str]]:
        for part in self.kit.own_parts.values():
            for path, source in (*part.files.items(), *part.slots.items()):
                content = read_regular_file(source.file, source.shown, _FILE_BYTES)
                if b"\0" in content or _FOREIGN.search(path):
                    continue
                yield part, path, source, content.decode(errors="replace")

    def manifest(self, part: Part) -> Section:
        folder = self.kit.root / manifest_of(part)
        return read_manifest(folder, manifest_of(part))

    @cached_property
    def versions(self) -> Section:
        """The kit's own versions.yml."""
        return read_versions(self.kit.root) or Section("versions.yml", {}, {})

    def questions(self) -> Iterator[tuple[Part, str, Section]]:
        for part in self.kit.own_parts.values():
            section = self.manifest(part).section("questions")
            for name in section:
                yield part, name, section.section(name)


def unused_versions(subject: Subject) -> Broken:
    """Every version is used."""
    everything = "\n".join(subject.templates.values())
    used = {item for part in subject.kit.own_parts.values() for item in _requirements(part)}
    used |= set(re.findall(r'versions\.python\["([^"]+)"\]', everything))
    for group in subject.versions:
        if group == "override":
            continue
        value = subject.versions.data[group]
        for name in value if isinstance(value, dict) else [group]:
            section = subject.versions.section(group) if name != group else subject.versions
            word = rf"(?<![\w-]){re.escape(name)}(?![\w-])"
            known = name in used if group == "python" else re.search(word, everything)
            if not known:
                message = f"{name} is pinned, but nothing uses it."
                yield "versions.yml", section.line_of(name), message, "Remove it."


def missing_versions(subject: Subject) -> Broken:
    """Every requirement has a version."""
    python = subject.kit.versions.get("python", {})
    known = python if isinstance(python, dict) else {}
    for part in subject.kit.own_parts.values():
        contributes = subject.manifest(part).section("contributes")
        for name, items in part.contributes.items():
            for item in items if _DEPENDENCIES.fullmatch(name) else ():
                if item not in known:
                    message = f"{item} is required, but has no version."
                    hint = f'Add it to versions.yml, under `python`: `{item}: ">=..."`.'
                    yield manifest_of(part), contributes.line_of(name), message, hint


def _requirements(part: Part) -> Iterator[str]:
    for name, items in part.contributes.items():
        if _DEPENDENCIES.fullmatch(name):
            yield from items


def actions_by_commit(subject: Subject) -> Broken:
    """Actions are pinned by commit, with their tag beside it."""
    hint = "Write `owner/name: { tag: v1.2.3, commit: <40 hexadecimal digits> }`."
    actions = subject.versions.section("actions")
    for name, pin in actions.data.items():
        right = (
            re.fullmatch(r"[\w.-]+/[\w.-]+(/[\w./-]+)?", name)
            and isinstance(pin, dict)
            and set(pin) == {"tag", "commit"}
            and re.fullmatch(r"[0-9a-f]{40}", str(pin["commit"]))
        )
        if not right:
            message = f"{name} is not pinned by a commit with its tag."
            yield "versions.yml", actions.line_of(name), message, hint


def actions_through_versions(subject: Subject) -> Broken:
    """Workflows name actions through versions.yml."""
    for _, path, source, text in subject.files:
        if path.startswith(".github/") and path.endswith((".yml", ".yaml")):
            for number, line in enumerate(text.splitlines(), 1):
                local = "uses: ./" in line
                if _USES.match(line) and not local and not (source.template and "{{" in line):
                    message = "An action is named with its version in the workflow."
                    hint = "Pin it in versions.yml, and write `{{ versions.actions[...] }}` here."
                    yield source.shown, number, message, hint


def unread_sockets(subject: Subject) -> Broken:
    """Every set and slot that the base declares is read by one of its templates."""
    if subject.kit.extends:
        return
    everything = "\n".join(subject.templates.values())
    manifest = subject.manifest(subject.kit.base)
    for kind, names in (("sets", subject.kit.sets), ("slots", subject.kit.slots)):
        for name in names:
            word = re.escape(name)
            if not re.search(rf'\b{kind}(\["{word}"\]|\.{word}\b)', everything):
                message = f"{name} is declared under `{kind}`, but no template reads it."
                hint = f'Write `{{{{ {kind}["{name}"] }}}}` where it belongs, or remove it.'
                yield manifest.shown, manifest.section(kind).line_of(name), message, hint


def pointless_questions(subject: Subject) -> Broken:
    """Every question changes something: a template, or another question."""
    for part, name, section in subject.questions():
        others = [
            str(text)
            for other in subject.kit.questions
            if other.name != name
            for text in (other.when, other.default, other.validator)
        ]
        word = re.compile(rf"\b{name}\b")
        if not any(map(word.search, (*subject.templates.values(), *others))):
            message = f"{name} is asked, but changes nothing."
            yield manifest_of(part), section.line_of(), message, "Use the answer, or do not ask."


def questions_in_plain_words(subject: Subject) -> Broken:
    """A question is a sentence with a default that suits most."""
    for part, name, section in subject.questions():
        text = section.text("help", default="")
        if not text.endswith("?") and not text[:1].isupper():
            message = f"The help of {name} is no sentence."
            yield manifest_of(part), section.line_of("help"), message, "Ask it in plain words."
        if section.data.get("default") is None:
            message = f"{name} has no default, so nothing can be made without asking."
            yield manifest_of(part), section.line_of(), message, "Add one that suits most."


def secrets(subject: Subject) -> Broken:
    """No secret in a default: answers and settings are committed."""
    for part, name, section in subject.questions():
        default = str(section.data.get("default") or "")
        if _SECRET_NAME.search(name) or _SECRET.search(default):
            message = f"{name} asks for a secret, or has one as its default; answers are committed."
            hint = "Add a setting to .env.example with the value `generate`, or with none."
            yield manifest_of(part), section.line_of(), message, hint
    for _, path, source, text in subject.files:
        for number, line in enumerate(text.splitlines(), 1):
            if path.rpartition("/")[2] in {"env.example", ".env.example"}:
                setting = _SETTING.fullmatch(line.strip())
                looks_so = setting and _SECRET_NAME.search(setting[1])
                if setting and looks_so and not _PLACEHOLDERS.fullmatch(setting[2]):
                    message = f"{setting[1]} has a secret as its default."
                    yield source.shown, number, message, "Write `generate`, or leave it empty."
            if _SECRET.search(line):
                yield source.shown, number, "This looks like a real secret.", "Take it out."


def names_no_other_part(subject: Subject) -> Broken:
    """A part does not ask which others are chosen: what both need goes through a set or slot."""
    for _, _, source, text in subject.files:
        for number, line in enumerate(text.splitlines(), 1) if source.template else ():
            if _OTHER_PART.search(line[:_LINE_LENGTH]):
                message = "The template asks which parts are chosen."
                hint = "Let those parts contribute to a set or slot of the base."
                yield source.shown, number, message, hint


def python_is_plain(subject: Subject) -> Broken:
    """Python is no template, except a list of the base that a set fills."""
    for part, path, source, text in subject.files:
        if path.endswith(".py") and source.template:
            if part.kind == "base" and "sets." in text:
                continue
            message = "Python in a kit is plain Python: checked, typed and read as it is."
            yield source.shown, 0, message, "Read a setting instead, or leave out whole files."


def git_files_are_templates(subject: Subject) -> Broken:
    """`.gitignore` and `.gitattributes` would act on the kit's own repository."""
    for _, path, source, _ in subject.files:
        name = path.rpartition("/")[2]
        if name in {".gitignore", ".gitattributes"} and not source.template:
            message = f"{name} acts on the kit's own repository."
            yield source.shown, 0, message, f"Rename it to {name}.jinja."


def short_files(subject: Subject) -> Broken:
    """Code is in files that can be read."""
    for _, path, source, text in subject.files:
        if path.endswith((".py", ".js", ".ts", ".css", ".html", ".sh")):
            lines = text.count("\n")
            if lines > _LINES:
                message = f"has {lines} lines, more than {_LINES}."
                yield source.shown, _LINES + 1, message, "Divide it by what it does."


def words(subject: Subject) -> Broken:
    """Everything that people choose among says what it is."""
    kit = subject.kit
    if not kit.description:
        yield "kit.yml", 0, "The description is empty.", "Say in a sentence what it is for."
    for part in kit.own_parts.values():
        manifest = subject.manifest(part)
        for key in ("title", "description"):
            if not manifest.text(key, default=""):
                message = f"The {key} is empty."
                yield manifest.shown, manifest.line_of(key), message, "Say what the part adds."
    for preset in kit.own_presets.values():
        if not preset.description:
            shown = f"presets/{preset.name}.yml"
            yield shown, 0, "The description is empty.", "Say whom the preset is for."


def presets_mean_what_they_say(subject: Subject) -> Broken:
    """A preset can be resolved, and answers only what is asked."""
    for preset in subject.kit.own_presets.values():
        shown = f"presets/{preset.name}.yml"
        try:
            answers = resolve(subject.kit, preset=preset.name)
        except GreenlaneError as error:
            yield shown, 0, error.message, error.hint
            continue
        for name, value in preset.answers.items():
            if answers.values.get(name) != value:
                section = read_manifest(subject.kit.root / shown, shown).section("answers")
                message = f"{name} is answered, but not asked with these parts."
                yield shown, section.line_of(name), message, "Leave it out."


def files_are_in_git(subject: Subject) -> Broken:
    """A file that git ignores would be rendered here and be missing from every clone."""
    from greenlane.git import GitError, run_git

    root = subject.kit.root
    try:
        words = ("ls-files", "--cached", "--others", "--exclude-standard", "-z")
        # A monitor that the repository names would be a program of its author.
        listed = run_git(root, *words, settings={"core.fsmonitor": "false"})
    except GitError:
        return
    known = set(listed.decode(errors="surrogateescape").split("\0"))
    if known == {""}:
        return
    for part in subject.kit.own_parts.values():
        for source in (*part.files.values(), *part.slots.values()):
            if source.shown not in known:
                message = "git ignores this file, so it is missing from every clone."
                yield source.shown, 0, message, "Rename it, or change .gitignore."


Rules = Mapping[str, Callable[[Subject], Broken]]

EACH: Rules = {
    "actions-by-commit": actions_by_commit,
    "actions-through-versions": actions_through_versions,
    "questions-in-plain-words": questions_in_plain_words,
    "no-secrets": secrets,
    "no-other-part": names_no_other_part,
    "plain-python": python_is_plain,
    "git-files-are-templates": git_files_are_templates,
    "short-files": short_files,
    "words": words,
    "in-git": files_are_in_git,
}
"""Rules that look at one file."""

WHOLE: Rules = {
    "versions-used": unused_versions,
    "versions-there": missing_versions,
    "sockets-read": unread_sockets,
    "questions-matter": pointless_questions,
    "presets": presets_mean_what_they_say,
}
"""Rules that need everything to be read."""
