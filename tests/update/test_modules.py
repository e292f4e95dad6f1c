"""Changing what a project consists of: add, remove, set, and the questions of newer kits."""

import pytest

from greenlane import update as recipes
from greenlane.errors import GreenlaneError
from owner import KIT, Project, kinds

MAIL = {
    "README.md": "updated",
    "app/mail/send.py": "added",
    "app/mail/smtp.py": "added",
    "pyproject.toml": "updated",
}


def test_add_brings_the_modules_files_and_its_contributions(created: Project) -> None:
    with recipes.add(created.path, created.kit(), ["mail"]) as plan:
        assert created.apply(plan) == MAIL
    assert "aiosmtplib" in created.read("pyproject.toml")
    assert "- mail" in created.read(".greenlane/project.yml")


def test_add_beside_the_owners_edits(created: Project) -> None:
    created.edit("pyproject.toml", '    "structlog', '    "mine>=1",\n    "structlog')
    created.edit("README.md", "# my-app\n", "# My app\n")
    created.commit()
    with recipes.add(created.path, created.kit(), ["mail"]) as plan:
        assert created.apply(plan) == {**MAIL, "README.md": "merged", "pyproject.toml": "merged"}
    assert '"mine>=1"' in created.read("pyproject.toml")
    assert created.read("README.md").startswith("# My app\n")


def test_remove_takes_it_all_out_again(created: Project) -> None:
    pristine = {path: created.read(path) for path in ("README.md", "pyproject.toml")}
    kit = created.kit()
    for change in (recipes.add, recipes.remove, recipes.add, recipes.remove):
        with change(created.path, kit, ["mail"]) as plan:
            created.apply(plan)
        created.commit()
    assert not created.exists("app/mail")
    assert {path: created.read(path) for path in pristine} == pristine


def test_a_module_added_again_comes_fresh_and_not_as_declined(created: Project) -> None:
    kit = created.kit()
    for change in (recipes.add, recipes.remove):
        with change(created.path, kit, ["mail"]) as plan:
            created.apply(plan)
        created.commit()
    with recipes.add(created.path, kit, ["mail"]) as plan:
        assert created.apply(plan) == MAIL


def test_remove_keeps_what_the_owner_edited_or_added_in_the_module(project: Project) -> None:
    project.create(modules=("mail",))
    project.edit("app/mail/send.py", "mail 3\n", "mine\n")
    project.write("app/mail/own.py", "OWN = 1\n")
    project.commit()
    with recipes.remove(project.path, project.kit(), ["mail"]) as plan:
        outcomes = project.apply(plan)
    assert outcomes["app/mail/send.py"] == "conflict"
    assert outcomes["app/mail/smtp.py"] == "removed"
    assert "mine\n" in project.read("app/mail/send.py")
    assert project.read("app/mail/own.py") == "OWN = 1\n"


def test_set_changes_an_answer_everywhere(created: Project) -> None:
    with recipes.set_answers(created.path, created.kit(), ["region=eu"]) as plan:
        assert created.apply(plan) == {"README.md": "updated"}
    assert "In eu." in created.read("README.md")
    assert "region: eu" in created.read(".greenlane/project.yml")


def test_an_answer_edited_by_hand_in_the_record_is_used(created: Project) -> None:
    created.edit(".greenlane/project.yml", "region: us", "region: asia")
    created.commit()
    assert created.update(created.kit()) == {"README.md": "updated"}
    assert "In asia." in created.read("README.md")


def questions(extra: str, order: str) -> dict[str, str | bytes | None]:
    return {
        "kit.yml": KIT["kit.yml"].replace("project_name, region", order),
        "base/module.yml": KIT["base/module.yml"].replace(
            "  region: {help: Where?, default: us}\n", extra
        ),
    }


def test_a_new_question_gets_its_default_and_is_named(created: Project) -> None:
    extra = "  region: {help: Where?, default: us}\n  colour: {help: Which?, default: blue}\n"
    kit = created.kit("1.1.0", questions(extra, "project_name, region, colour"))
    with recipes.update(created.path, kit) as plan:
        assert plan.evolved is not None
        assert plan.evolved.new == (("colour", "blue"),)
        created.apply(plan)
    assert "colour: blue" in created.read(".greenlane/project.yml")


def test_a_new_question_without_a_default_asks_for_an_answer(created: Project) -> None:
    extra = "  region: {help: Where?, default: us}\n  colour: {help: Which colour?}\n"
    kit = created.kit("1.1.0", questions(extra, "project_name, region, colour"))
    with pytest.raises(GreenlaneError, match="colour needs an answer") as caught:
        created.update(kit)
    assert "--set colour=" in caught.value.hint
    created.update(kit, sets=["colour=red"])
    assert "colour: red" in created.read(".greenlane/project.yml")


def test_a_renamed_question_inherits_its_answer(created: Project) -> None:
    with recipes.set_answers(created.path, created.kit(), ["region=eu"]) as plan:
        created.apply(plan)
    created.commit()
    extra = "  continent: {help: Where?, default: us, formerly: [region]}\n"
    readme = KIT["base/files/README.md.jinja"].replace("region", "continent")
    kit = created.kit(
        "1.1.0",
        {
            **questions(extra, "project_name, continent"),
            "base/files/README.md.jinja": readme,
        },
    )
    with recipes.update(created.path, kit) as plan:
        assert plan.evolved is not None
        assert plan.evolved.new == ()
        assert plan.evolved.dropped == ()
        assert created.apply(plan) == {}
    assert "continent: eu" in created.read(".greenlane/project.yml")
    assert "In eu." in created.read("README.md")


def test_an_answer_that_no_question_asks_for_any_more_is_dropped_and_named(
    created: Project,
) -> None:
    readme = KIT["base/files/README.md.jinja"].replace("{{ region }}", "us")
    kit = created.kit(
        "1.1.0", {**questions("", "project_name"), "base/files/README.md.jinja": readme}
    )
    with recipes.update(created.path, kit) as plan:
        assert plan.evolved is not None
        assert plan.evolved.dropped == ("region",)
        created.apply(plan)
    assert "region" not in created.read(".greenlane/project.yml")


def test_an_unknown_module_is_an_error_that_offers_a_known_one(created: Project) -> None:
    with (
        pytest.raises(GreenlaneError, match='no module "mial"') as caught,
        recipes.add(created.path, created.kit(), ["mial"]),
    ):
        pass
    assert "mail" in caught.value.hint


def test_adding_what_is_there_and_removing_what_is_not_are_errors(project: Project) -> None:
    project.create(modules=("mail",))
    with (
        pytest.raises(GreenlaneError, match="already"),
        recipes.add(project.path, project.kit(), ["mail"]),
    ):
        pass
    with (
        pytest.raises(GreenlaneError, match="no module of this project"),
        recipes.remove(project.path, project.kit(), ["jobs"]),
    ):
        pass


def test_a_module_that_left_the_kit_stops_the_update_and_can_be_removed(project: Project) -> None:
    project.create(modules=("mail",))
    kit = project.kit("2.0.0", {path: None for path in KIT if path.startswith("modules/mail/")})
    with (
        pytest.raises(GreenlaneError, match='"mail", which tiny 2.0.0 has not') as caught,
        recipes.update(project.path, kit),
    ):
        pass
    assert "greenlane remove mail" in caught.value.hint
    with recipes.remove(project.path, kit, ["mail"]) as plan:
        assert project.apply(plan)["app/mail/send.py"] == "removed"


def test_news_is_filtered_to_what_the_repository_uses(created: Project) -> None:
    created.write("app/own.py", "import os\nos.environ['REDIS_URL']\n")
    created.commit()
    news = """\
news:
  - {version: "0.9.0", text: Too old}
  - {version: "1.1.0", text: REDIS_URL is now CACHE_URL, uses: REDIS_URL}
  - {version: "1.1.0", text: Nobody uses this, uses: KAFKA_URL}
  - {version: "1.1.0", text: About all of it, uses: REDIS}
  - {version: "1.0.5", text: Everybody should know}
  - {version: "1.2.0", text: Not yet}
"""
    kit = created.kit("1.1.0", {"base/module.yml": KIT["base/module.yml"] + news})
    with recipes.update(created.path, kit) as plan:
        assert [item.text for item in plan.news] == [
            "Everybody should know",
            "REDIS_URL is now CACHE_URL",
            "About all of it",
        ]


def test_a_preview_writes_nothing_and_shows_the_final_difference(created: Project) -> None:
    created.edit("app/main.py", "line 10\n", "mine\n")
    created.commit()
    before = created.state()
    objects = created.git("count-objects", "--verbose")
    kit = created.kit("1.1.0", {"base/files/app/main.py": "new\n", "base/files/NEW": "n\n"})
    with recipes.update(created.path, kit) as plan:
        plan.check()
        assert kinds(plan) == {"NEW": "added", "app/main.py": "conflict"}
        assert "+++ b/NEW\n" in plan.patch()
        assert "+<<<<<<< your-project\n" in plan.patch()
        assert ".greenlane" not in plan.patch()
    assert created.state() == before
    assert created.git("count-objects", "--verbose") == objects
    assert not (created.path / ".git/greenlane").exists()


def test_an_update_on_a_branch_of_its_own(created: Project) -> None:
    head = created.git("rev-parse", "HEAD")
    with recipes.update(created.path, created.kit("1.1.0", {"base/files/NEW": "n\n"})) as plan:
        plan.apply(branch="kit-1.1.0")
    assert created.git("branch", "--show-current") == "kit-1.1.0"
    assert created.git("rev-parse", "main") == head
    created.commit("Update")
    assert created.git("rev-parse", "kit-1.1.0") != head


@pytest.mark.parametrize("name", ["main", "a b", "-x", "x..y"])
def test_a_branch_that_exists_or_cannot_be_is_refused(created: Project, name: str) -> None:
    before = created.state()
    with (
        recipes.update(created.path, created.kit("1.1.0", {"base/files/NEW": "n\n"})) as plan,
        pytest.raises(GreenlaneError, match="branch"),
    ):
        plan.apply(branch=name)
    assert created.state() == before


def test_adopt_adds_what_is_missing_and_leaves_what_is_there(project: Project) -> None:
    from greenlane.answers import resolve

    project.path.mkdir()
    project.git("init", "--quiet", "--initial-branch=main")
    mine = {"README.md": "# Mine\n", "app/main.py": "print()\n", "own.txt": "own\n"}
    for path, content in mine.items():
        project.write(path, content)
    project.commit()
    kit = project.kit()
    with recipes.adopt(project.path, kit, resolve(kit)) as plan:
        outcomes = project.apply(plan)
    assert outcomes["README.md"] == outcomes["app/main.py"] == "kept"
    assert outcomes["tool"] == "added"
    assert {path: project.read(path) for path in mine} == mine
    project.commit()
    newer = project.kit("1.1.0", {"base/files/tool": "#!/bin/sh\necho two\n"})
    assert project.update(newer) == {
        "README.md": "kept",
        "app/main.py": "kept",
        "tool": "updated",
    }


def test_adopt_refuses_a_project_of_its_own(created: Project) -> None:
    from greenlane.answers import resolve

    kit = created.kit()
    with (
        pytest.raises(GreenlaneError, match="already"),
        recipes.adopt(created.path, kit, resolve(kit)),
    ):
        pass
