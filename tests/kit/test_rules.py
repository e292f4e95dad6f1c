"""Rules for the kit that the loader does not enforce."""

import re
import subprocess
from pathlib import Path

import pytest

from greenlane.answers import resolve
from greenlane.kit import Kit

ROOT = Path(__file__).parents[2]
DEPENDENCIES = re.compile(r"(.*_)?dependencies")


def test_every_requirement_has_a_version_and_every_version_a_use(
    kit: Kit, texts: dict[str, str]
) -> None:
    named = set(re.findall(r'versions\.python\["([^"]+)"\]', "\n".join(texts.values())))
    used = named | {
        item
        for part in kit.parts.values()
        for name, items in part.contributes.items()
        if DEPENDENCIES.fullmatch(name)
        for item in items
    }
    python = kit.versions.get("python", {})
    assert isinstance(python, dict)
    assert sorted(used - set(python)) == [], "contributed, but not in versions.yml"
    assert sorted(set(python) - used) == [], "in versions.yml, but no part uses it"


def test_every_other_version_is_used_in_a_template(kit: Kit, texts: dict[str, str]) -> None:
    everything = "\n".join(texts.values())
    for group, entries in kit.versions.items():
        if group == "python":
            continue
        for name in entries if isinstance(entries, dict) else [group]:
            assert name in everything, f"versions.yml: {group}.{name} is used nowhere"


def test_actions_are_pinned_by_commit(kit: Kit) -> None:
    actions = kit.versions.get("actions", {})
    assert isinstance(actions, dict)
    for name, pin in actions.items():
        assert re.fullmatch(r"[\w.-]+/[\w.-]+(/[\w./-]+)?", name), name
        assert isinstance(pin, dict), name
        assert set(pin) == {"tag", "commit"}, name
        assert re.fullmatch(r"[0-9a-f]{40}", pin["commit"]), name


def test_workflows_name_actions_through_versions_yml(texts: dict[str, str], kit: Kit) -> None:
    for part in kit.parts.values():
        for path, source in part.files.items():
            if path.startswith(".github/") and path.endswith((".yml", ".yaml")):
                for line in source.file.read_text().splitlines():
                    if re.match(r"\s*(- )?uses:", line) and "uses: ./" not in line:
                        assert source.template, source.shown
                        assert "versions.actions" in line or "{{" in line, f"{source.shown}: {line}"


def test_every_socket_is_read_by_a_template(kit: Kit, texts: dict[str, str]) -> None:
    everything = "\n".join(texts.values())
    for name in kit.sets:
        assert re.search(rf"\bsets\.{name}\b", everything), f"the set {name} is read nowhere"
    for name in kit.slots:
        patterns = (rf'slots\["{re.escape(name)}"\]', rf"slots\.{re.escape(name)}\b")
        assert re.search("|".join(patterns), everything), f"the slot {name} is read nowhere"


def test_every_question_matters(kit: Kit, texts: dict[str, str]) -> None:
    for question in kit.questions:
        others = [
            str(text)
            for other in kit.questions
            if other != question
            for text in (other.when, other.default)
        ]
        word = re.compile(rf"\b{question.name}\b")
        assert any(map(word.search, (*texts.values(), *others))), f"{question.name} changes nothing"


def test_questions_are_in_plain_words(kit: Kit) -> None:
    for question in kit.questions:
        assert question.help.endswith("?") or question.help[0].isupper(), question.name
        assert question.default is not None, f"{question.name} has no sensible default"


def test_the_base_names_no_other_part(kit: Kit, texts: dict[str, str]) -> None:
    # A part's name in the base is a condition on it, or a list that must be edited with it.
    for shown, text in texts.items():
        if shown.startswith("base/"):
            assert not re.search(r"\{[{%][^}]*\bin modules\b", text), shown
            assert not re.search(r"\{[{%][^}]*\bapp ==", text), shown


def test_python_is_plain_python(kit: Kit) -> None:
    templates = [
        source.shown
        for part in kit.parts.values()
        for path, source in part.files.items()
        if path.endswith(".py") and source.template
    ]
    assert templates in ([], ["base/files/app/features.py.jinja"])


def test_files_that_act_on_git_are_templates(kit: Kit) -> None:
    # In the kit, `.gitignore` would act on this repository.
    for part in kit.parts.values():
        for path, source in part.files.items():
            if path.rpartition("/")[2] in {".gitignore", ".gitattributes"}:
                assert source.template, source.shown


def test_every_file_is_in_git(kit: Kit) -> None:
    # An ignored file would be rendered here and be missing from every clone.
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "templates"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not done.stdout:
        pytest.skip("not a clone")
    known = set(done.stdout.splitlines())
    for part in kit.parts.values():
        for source in (*part.files.values(), *part.slots.values()):
            assert f"templates/{source.shown}" in known, f"{source.shown} is ignored by git"


def test_every_preset_says_what_it_means(kit: Kit) -> None:
    for preset in kit.presets.values():
        answers = resolve(kit, preset=preset.name)
        assert set(preset.modules) <= set(answers.modules)
        extra = set(preset.answers) - set(answers.values)
        assert extra == set(), f"{preset.name} answers what is not asked"
        assert {key: answers.values[key] for key in preset.answers} == dict(preset.answers)
        assert preset.description, preset.name
