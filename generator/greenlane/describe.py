"""What a kit offers, as plain data for --json and as text: archetypes, modules, presets."""

from __future__ import annotations

import re
from typing import Any

from greenlane.console import Console
from greenlane.errors import GreenlaneError, did_you_mean
from greenlane.kit import BUILT_IN, Kit, Part, Preset

KINDS = ("apps", "modules", "presets")
_PACKAGE_SETS = ("dependencies", "dev_dependencies", "train_dependencies")
_CLAUSE = re.compile(r"[.;:] ")
_EXPRESSION = re.compile(r"\{\{\s*(\w+).*?\}\}")
_TITLES = {"apps": "Archetypes: what to build", "modules": "Modules", "presets": "Presets"}


def listing(kit: Kit, kinds: tuple[str, ...] = KINDS) -> dict[str, list[dict[str, Any]]]:
    """Name, title and description of everything of the given kinds."""
    found: dict[str, list[dict[str, Any]]] = {}
    if "apps" in kinds:
        found["apps"] = [_short(part) for part in kit.apps.values()]
    if "modules" in kinds:
        found["modules"] = [_short(part) for part in kit.modules.values()]
    if "presets" in kinds:
        found["presets"] = [
            {"name": preset.name, "description": preset.description, "app": preset.app}
            for preset in kit.presets.values()
        ]
    return found


def describe(kit: Kit, name: str) -> dict[str, Any]:
    """Everything about one archetype, module, preset or the base."""
    if name in kit.parts:
        return _part(kit, kit.parts[name])
    if name in kit.presets:
        return _preset(kit, kit.presets[name])
    raise GreenlaneError(
        f'There is no archetype, module or preset called "{name}".',
        did_you_mean(name, [*kit.parts, *kit.presets]) + " `greenlane list` shows them all.",
    )


def show_listing(found: dict[str, list[dict[str, Any]]], kit: Kit, console: Console) -> None:
    for kind, entries in found.items():
        console.heading(_TITLES[kind])
        if kind == "modules":
            _show_modules(entries, kit, console)
            continue
        console.pairs([(entry["name"], _summary(entry)) for entry in entries])
    console.line()
    console.paragraph("`greenlane describe NAME` shows what each adds.")
    if "modules" in found:
        console.paragraph(
            "`greenlane new APP --preset PRESET --with MODULE,...` adds modules to it."
        )


def show_description(data: dict[str, Any], console: Console) -> None:
    console.line(f"{console.style(data['name'], 'bold')} ({data['kind']})")
    if title := data.get("title"):
        console.line(title)
    console.paragraph(data["description"])
    rows = [
        ("kit", data.get("kit") if data.get("kit") != BUILT_IN else ""),
        ("archetype", data.get("app")),
        ("category", data.get("category")),
        ("requires", ", ".join(data.get("requires", []))),
        ("conflicts", ", ".join(data.get("conflicts", []))),
        ("modules", ", ".join(data.get("modules", []))),
        ("checks", ", ".join(data.get("checks", []))),
    ]
    shown = [(name, value) for name, value in rows if value]
    if shown:
        console.line()
        console.pairs(shown, indent=0)
    if data.get("answers"):
        console.heading("Answers")
        console.pairs([(name, str(value)) for name, value in data["answers"].items()])
    if data.get("questions"):
        console.heading("Questions")
        console.pairs([(q["name"], _question_text(q)) for q in data["questions"]])
    if data.get("settings"):
        console.heading("Settings")
        console.pairs([(s["name"], _setting_text(s)) for s in data["settings"]])
    for name, packages in data.get("packages", {}).items():
        console.heading(name.replace("_", " ").capitalize())
        console.pairs(list(packages.items()))
    if data.get("files"):
        console.heading(f"Files ({len(data['files'])})")
        for path in data["files"]:
            console.line(f"  {path}")
    if data.get("notes"):
        console.heading("Notes")
        console.paragraph(data["notes"], indent=2)


# -- data -----------------------------------------------------------------------------------------


def _short(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "title": part.title,
        "description": " ".join(part.description.split()),
        "category": part.category,
        "requires": list(part.requires),
    }


def _part(kit: Kit, part: Part) -> dict[str, Any]:
    return {
        **_short(part),
        "kind": {"app": "archetype"}.get(part.kind, part.kind),
        "kit": kit.origin(part.name).name,
        "category": kit.categories[part.category].title if part.category else "",
        "requires": sorted(kit.with_required([part.name]) - {part.name}),
        "conflicts": list(part.conflicts),
        "questions": [
            {
                "name": question.name,
                "help": question.help,
                "type": question.type,
                "choices": [choice.value for choice in question.choices],
                "default": question.default,
            }
            for question in part.questions
        ],
        "settings": _settings(part),
        "packages": _packages(kit, part),
        "features": list(part.contributes.get("features", ())),
        "checks": list(part.contributes.get("checks", ())),
        "files": list(part.files),
        "notes": part.notes,
    }


def _preset(kit: Kit, preset: Preset) -> dict[str, Any]:
    app = preset.app or next(iter(kit.apps))
    modules = sorted(kit.with_required([app, *preset.modules]) - {app})
    chosen = list(kit.chosen(app, modules))
    return {
        "name": preset.name,
        "kind": "preset",
        "description": " ".join(preset.description.split()),
        "app": app,
        "modules": modules,
        "answers": dict(preset.answers),
        "checks": sorted({c for part in chosen for c in part.contributes.get("checks", ())}),
        "files": sorted(path for part in chosen for path in part.files),
    }


def _packages(kit: Kit, part: Part) -> dict[str, dict[str, str]]:
    versions = kit.versions.get("python")
    known = versions if isinstance(versions, dict) else {}
    return {
        name: {package: str(known.get(package, "")) for package in part.contributes[name]}
        for name in _PACKAGE_SETS
        if part.contributes.get(name)
    }


def _settings(part: Part) -> list[dict[str, str]]:
    """The settings that a part adds to .env.example: name, default, and the comment above it.

    A default that comes from an answer is shown as `<question>`.
    """
    source = part.slots.get("env.example") or part.files.get(".env.example")
    if source is None:
        return []
    settings, comment = [], []
    for line in source.file.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        name, assigned, value = text.removeprefix("#").strip().partition("=")
        # A setting that is commented out is a setting all the same: `# ACCESS_TOKEN=`.
        if assigned and name.isidentifier() and name.isupper():
            default = _EXPRESSION.sub(r"<\1>", value)
            settings.append({"name": name, "default": default, "help": " ".join(comment)})
            comment = []
        elif text.startswith("#"):
            comment.append(text.lstrip("# "))
        else:
            comment = []
    return settings


# -- text -----------------------------------------------------------------------------------------


def _show_modules(entries: list[dict[str, Any]], kit: Kit, console: Console) -> None:
    """Modules by category, in the kit's order, with what the wizard asks about them."""
    for category in kit.categories.values():
        members = [entry for entry in entries if entry["category"] == category.name]
        if members:
            heading = f"{category.title}: {category.ask}" if category.ask else category.title
            console.line("  " + console.style(heading, "dim"))
            console.pairs([(entry["name"], _summary(entry)) for entry in members], indent=4)


def in_short(description: str) -> str:
    """The first clause of a description, for lists: up to a full stop, semicolon or colon."""
    return _CLAUSE.split(" ".join(description.split()), maxsplit=1)[0].rstrip(".")


def _summary(entry: dict[str, Any]) -> str:
    text = in_short(entry["description"])
    requires = entry.get("requires")
    return f"{text} (with {', '.join(requires)})" if requires else text


def _question_text(question: dict[str, Any]) -> str:
    text = question["help"]
    if question["choices"]:
        text += f" [{' | '.join(str(choice) for choice in question['choices'])}]"
    if question["default"] not in (None, ""):
        text += f" Default: {question['default']}"
    return text


def _setting_text(setting: dict[str, str]) -> str:
    default = f"= {setting['default']}" if setting["default"] else ""
    return "  ".join(filter(None, [default, setting["help"]]))
