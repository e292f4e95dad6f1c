"""What owners and kits do to the same files, one by one."""

import os
import stat

import pytest

from greenlane import update as recipes
from greenlane.errors import GreenlaneError
from greenlane.record import blob_id
from owner import KIT, NUMBERED, Project

MAIN = "base/files/app/main.py"
OLD = "base/files/app/old.py"


def changed(line: int, text: str) -> str:
    return NUMBERED.replace(f"line {line}\n", f"{text}\n")


def test_an_edit_in_the_middle_of_a_generated_file_survives(created: Project) -> None:
    created.edit("app/main.py", "line 10\n", "mine\n")
    created.commit()
    assert created.update(created.kit("1.1.0", {MAIN: changed(2, "theirs")})) == {
        "app/main.py": "merged"
    }
    assert created.read("app/main.py") == changed(2, "theirs").replace("line 10\n", "mine\n")


def test_an_untouched_file_gets_the_kits_bytes_and_the_record_goes_along(created: Project) -> None:
    assert created.update(created.kit("1.1.0", {MAIN: "new\n"})) == {"app/main.py": "updated"}
    assert created.read("app/main.py") == "new\n"
    assert 'version: "1.1.0"' in created.read(".greenlane/project.yml")
    assert created.git("status", "--porcelain").splitlines() == [
        "M  .greenlane/baseline.tar",
        "M  .greenlane/lock.json",
        "M  .greenlane/project.yml",
        "M  app/main.py",
    ]


def test_a_second_update_to_the_same_version_changes_nothing(created: Project) -> None:
    kit = created.kit("1.1.0", {MAIN: "new\n"})
    created.update(kit)
    created.commit()
    before = created.state()
    with recipes.update(created.path, kit) as plan:
        assert not plan.changes_anything
        plan.apply()
    assert created.state() == before


def test_text_appended_to_the_readme_survives_a_change_at_its_top(created: Project) -> None:
    created.write("README.md", created.read("README.md") + "\n## Ours\n\nRun it on Mondays.\n")
    created.commit()
    newer = KIT["base/files/README.md.jinja"].replace("\n\nIn", "\n\nWelcome.\n\nIn")
    assert created.update(created.kit("1.1.0", {"base/files/README.md.jinja": newer})) == {
        "README.md": "merged"
    }
    assert created.read("README.md").endswith("## Ours\n\nRun it on Mondays.\n")
    assert "Welcome." in created.read("README.md")


def test_a_dependency_added_next_to_generated_ones_is_merged_by_name(created: Project) -> None:
    created.edit("pyproject.toml", '    "structlog', '    "mine>=1",  # for us\n    "structlog')
    created.commit()
    newer = KIT["base/files/pyproject.toml.jinja"].replace(
        '    "structlog>=25"', '    "fastapi>=1",\n    "structlog>=26"'
    )
    assert created.update(created.kit("1.1.0", {"base/files/pyproject.toml.jinja": newer})) == {
        "pyproject.toml": "merged"
    }
    assert created.read("pyproject.toml") == (
        '[project]\nname = "my-app"\ndependencies = [\n    "click>=8.2",\n    "fastapi>=1",\n'
        '    "mine>=1",  # for us\n    "structlog>=26",\n]\n'
    )


def test_one_dependency_pinned_differently_by_both_is_a_conflict(created: Project) -> None:
    created.edit("pyproject.toml", "structlog>=25", "structlog>=25.4")
    created.commit()
    newer = KIT["base/files/pyproject.toml.jinja"].replace("structlog>=25", "structlog>=26")
    kit = created.kit("1.1.0", {"base/files/pyproject.toml.jinja": newer})
    assert created.update(kit) == {"pyproject.toml": "conflict"}
    assert "structlog>=25.4" in created.read("pyproject.toml")
    assert "structlog>=26" in created.read("pyproject.toml")


@pytest.mark.parametrize(
    ("path", "mine", "theirs", "result"),
    [
        (
            ".gitignore",
            "*.pyc\n/var/\n/mine/\n",
            "*.pyc\n/var/\n/kit/\n",
            "*.pyc\n/var/\n/kit/\n/mine/\n",
        ),
        (
            ".env.example",
            "HOST=localhost\nPORT=8000\n# ours\nKEY=\n",
            "HOST=localhost\nPORT=9000\nLOG=info\n",
            "HOST=localhost\nPORT=9000\nLOG=info\n# ours\nKEY=\n",
        ),
    ],
)
def test_additions_to_a_list_at_the_same_place_are_both_kept(
    created: Project, path: str, mine: str, theirs: str, result: str
) -> None:
    created.write(path, mine)
    created.commit()
    source = f"base/files/{path}" + (".jinja" if path == ".gitignore" else "")
    assert created.update(created.kit("1.1.0", {source: theirs})) == {path: "merged"}
    assert created.read(path) == result


def test_a_file_deleted_by_the_owner_stays_deleted_and_is_listed(created: Project) -> None:
    created.git("rm", "--quiet", "app/main.py")
    created.commit()
    kit = created.kit("1.1.0", {MAIN: "new\n"})
    assert created.update(kit) == {"app/main.py": "declined"}
    assert not created.exists("app/main.py")
    assert created.unmerged() == {}
    created.commit()
    newest = created.kit("1.2.0", {MAIN: "newer\n"})
    assert created.update(newest) == {"app/main.py": "declined"}


def test_restore_brings_back_what_was_declined(created: Project) -> None:
    created.git("rm", "--quiet", "app/main.py", "tool")
    created.commit()
    kit = created.kit("1.1.0", {MAIN: "new\n"})
    created.update(kit)
    created.commit()
    with recipes.restore(created.path, kit, ["app/main.py"]) as plan:
        assert created.apply(plan)["app/main.py"] == "added"
    assert created.read("app/main.py") == "new\n"
    assert not created.exists("tool")
    assert created.git("status", "--porcelain") == "A  app/main.py"


def test_a_renamed_file_gets_the_kits_change_under_its_new_name(created: Project) -> None:
    created.git("mv", "app/main.py", "app/start.py")
    created.edit("app/start.py", "line 10\n", "mine\n")
    created.commit()
    assert created.update(created.kit("1.1.0", {MAIN: changed(2, "theirs")})) == {
        "app/start.py": "merged"
    }
    assert created.read("app/start.py") == changed(2, "theirs").replace("line 10\n", "mine\n")
    assert not created.exists("app/main.py")


def test_the_owners_mode_survives_the_kits_change_of_content(created: Project) -> None:
    (created.path / "app/main.py").chmod(0o755)
    created.commit()
    assert created.update(created.kit("1.1.0", {MAIN: "new\n"})) == {"app/main.py": "merged"}
    assert created.read("app/main.py") == "new\n"
    assert os.access(created.path / "app/main.py", os.X_OK)


def test_the_kits_mode_arrives_with_the_owners_content(created: Project) -> None:
    created.edit("app/main.py", "line 20\n", "mine\n")
    created.commit()
    script = "#!/usr/bin/env python\n" + NUMBERED
    assert created.update(created.kit("1.1.0", {MAIN: script})) == {"app/main.py": "merged"}
    assert created.read("app/main.py") == script.replace("line 20\n", "mine\n")
    assert os.access(created.path / "app/main.py", os.X_OK)


def test_a_binary_that_only_the_owner_replaced_is_kept(project: Project) -> None:
    logo = "base/files/logo.png"
    project.create(project.kit(changes={logo: b"\x89PNG\0old"}))
    project.write("logo.png", b"\x89PNG\0mine")
    project.commit()
    newer = project.kit("1.1.0", {logo: b"\x89PNG\0old", MAIN: "new\n"})
    assert project.update(newer)["logo.png"] == "kept"
    assert (project.path / "logo.png").read_bytes() == b"\x89PNG\0mine"


def test_a_binary_changed_on_both_sides_is_a_conflict_and_ours_stays(project: Project) -> None:
    logo = "base/files/logo.png"
    project.create(project.kit(changes={logo: b"\x89PNG\0old"}))
    project.write("logo.png", b"\x89PNG\0mine")
    project.commit()
    kit = project.kit("1.1.0", {logo: b"\x89PNG\0theirs"})
    assert project.update(kit) == {"logo.png": "conflict"}
    assert (project.path / "logo.png").read_bytes() == b"\x89PNG\0mine"
    assert project.unmerged() == {"logo.png": {"1", "2", "3"}}
    blob = project.git("rev-parse", ":3:logo.png")
    assert blob == blob_id(b"\x89PNG\0theirs")


def test_files_beside_generated_ones_are_left_alone(created: Project) -> None:
    created.write("app/own.py", "OWN = 1\n")
    created.commit()
    created.write("app/untracked.py", "LATER = 1\n")
    assert created.update(created.kit("1.1.0", {MAIN: "new\n"})) == {"app/main.py": "updated"}
    assert created.read("app/own.py") == "OWN = 1\n"
    assert created.read("app/untracked.py") == "LATER = 1\n"


def test_a_file_that_the_kit_renamed_takes_the_owners_edit_along(created: Project) -> None:
    created.edit("app/old.py", "old 10\n", "mine\n")
    created.commit()
    kit = created.kit("1.1.0", {OLD: None, "base/files/app/fresh.py": KIT[OLD]})
    assert created.update(kit) == {"app/fresh.py": "moved"}
    assert created.read("app/fresh.py") == KIT[OLD].replace("old 10\n", "mine\n")
    assert not created.exists("app/old.py")


def test_a_declared_move_is_followed_where_git_would_see_none(created: Project) -> None:
    created.edit("app/old.py", "old 10\n", "mine\n")
    created.commit()
    rewritten = "".join(f"other {n}\n" if n < 18 else f"old {n}\n" for n in range(1, 21))
    moves = "moves: [{version: '1.1.0', from: app/old.py, to: lib/fresh.py}]\n"
    kit = created.kit(
        "1.1.0",
        {
            OLD: None,
            "base/files/lib/fresh.py": rewritten,
            "base/module.yml": KIT["base/module.yml"] + moves,
        },
    )
    assert created.update(kit) == {"lib/fresh.py": "conflict"}
    assert "mine\n" in created.read("lib/fresh.py")
    assert not created.exists("app/old.py")


def test_a_declared_move_of_a_folder_takes_every_file(project: Project) -> None:
    project.create(modules=("mail",))
    project.edit("app/mail/send.py", "mail 3\n", "mine\n")
    project.commit()
    changes = {
        "modules/mail/files/app/mail/send.py": None,
        "modules/mail/files/app/mail/smtp.py": None,
        "modules/mail/files/app/post/send.py": KIT["modules/mail/files/app/mail/send.py"],
        "modules/mail/files/app/post/smtp.py": "SMTP = 2\n",
        "modules/mail/module.yml": KIT["modules/mail/module.yml"]
        + "moves: [{version: '1.1.0', from: app/mail, to: app/post}]\n",
    }
    assert project.update(project.kit("1.1.0", changes)) == {
        "app/post/send.py": "moved",
        "app/post/smtp.py": "moved",
    }
    assert "mine\n" in project.read("app/post/send.py")
    assert project.read("app/post/smtp.py") == "SMTP = 2\n"
    assert not project.exists("app/mail")


def test_a_declared_move_onto_a_file_of_the_owner_is_a_conflict(created: Project) -> None:
    created.write("app/fresh.py", "something else\n")
    created.commit()
    moves = "moves: [{version: '1.1.0', from: app/old.py, to: app/fresh.py}]\n"
    kit = created.kit(
        "1.1.0",
        {
            OLD: None,
            "base/files/app/fresh.py": KIT[OLD],
            "base/module.yml": KIT["base/module.yml"] + moves,
        },
    )
    assert created.update(kit)["app/fresh.py"] == "conflict"
    assert "something else\n" in created.read("app/fresh.py")
    assert "old 7\n" in created.read("app/fresh.py")


def test_a_file_that_the_kit_dropped_goes_when_it_was_not_edited(created: Project) -> None:
    assert created.update(created.kit("1.1.0", {OLD: None})) == {"app/old.py": "removed"}
    assert not created.exists("app/old.py")


def test_a_file_that_the_kit_dropped_and_the_owner_edited_stays_as_a_conflict(
    created: Project,
) -> None:
    created.edit("app/old.py", "old 10\n", "mine\n")
    created.commit()
    assert created.update(created.kit("1.1.0", {OLD: None})) == {"app/old.py": "conflict"}
    assert "mine\n" in created.read("app/old.py")
    assert created.unmerged() == {"app/old.py": {"1", "2"}}


def test_a_file_that_the_kit_split_keeps_the_owners_edit_in_one_half(created: Project) -> None:
    created.edit("app/old.py", "old 3\n", "mine\n")
    created.commit()
    lines = KIT[OLD].splitlines(keepends=True)
    kit = created.kit(
        "1.1.0",
        {
            OLD: None,
            "base/files/app/first.py": "".join(lines[:14]),
            "base/files/app/rest.py": "".join(lines[14:]),
        },
    )
    outcomes = created.update(kit)
    assert outcomes["app/first.py"] == "moved"
    assert "mine\n" in created.read("app/first.py")
    assert created.read("app/rest.py") == "".join(lines[14:])


def test_the_same_file_added_by_both_is_taken_as_agreement(created: Project) -> None:
    created.write("app/extra.py", "EXTRA = 1\n")
    created.commit()
    kit = created.kit("1.1.0", {"base/files/app/extra.py": "EXTRA = 1\n"})
    assert created.update(kit) == {"app/extra.py": "kept"}
    assert created.unmerged() == {}


def test_a_different_file_added_by_both_is_a_conflict_with_both_texts(created: Project) -> None:
    created.write("app/extra.py", "EXTRA = 'mine'\n")
    created.commit()
    kit = created.kit("1.1.0", {"base/files/app/extra.py": "EXTRA = 'theirs'\n"})
    assert created.update(kit) == {"app/extra.py": "conflict"}
    text = created.read("app/extra.py")
    assert "'mine'" in text
    assert "'theirs'" in text
    assert created.unmerged() == {"app/extra.py": {"2", "3"}}


def test_the_same_line_changed_by_both_is_a_conflict_that_names_the_sides(
    created: Project,
) -> None:
    created.edit("app/main.py", "line 10\n", "mine\n")
    created.commit()
    kit = created.kit("1.1.0", {MAIN: changed(10, "theirs")})
    assert created.update(kit) == {"app/main.py": "conflict"}
    text = created.read("app/main.py")
    assert "<<<<<<< your-project\nmine\n|||||||" in text
    assert "line 10\n=======\ntheirs\n>>>>>>> tiny-1.1.0\n" in text
    with pytest.raises(Exception, match="commit"):
        created.git("commit", "--message", "too early")


def test_crlf_in_the_repository_stays_and_merges(created: Project) -> None:
    crlf = created.read("app/main.py").replace("\n", "\r\n").replace("line 10\r", "mine\r")
    created.write("app/main.py", crlf)
    created.commit()
    kit = created.kit("1.1.0", {MAIN: changed(2, "theirs")})
    assert created.update(kit) == {"app/main.py": "merged"}
    expected = changed(2, "theirs").replace("line 10\n", "mine\n").replace("\n", "\r\n")
    assert created.read("app/main.py") == expected


def test_crlf_in_the_work_tree_only_stays_and_merges(created: Project) -> None:
    created.git("config", "core.autocrlf", "true")
    created.git("rm", "--cached", "-r", "--quiet", ".")
    created.git("reset", "--hard", "--quiet")
    assert "\r\n" in created.read("app/main.py")
    created.edit("app/main.py", "line 10\r\n", "mine\r\n")
    created.commit()
    kit = created.kit("1.1.0", {MAIN: changed(2, "theirs"), "base/files/app/more.py": "MORE\n"})
    assert created.update(kit) == {"app/main.py": "merged", "app/more.py": "added"}
    expected = changed(2, "theirs").replace("line 10\n", "mine\n").replace("\n", "\r\n")
    assert created.read("app/main.py") == expected
    assert created.read("app/more.py") == "MORE\r\n"
    assert created.git("diff") == ""


def test_a_read_only_file_is_updated(created: Project) -> None:
    (created.path / "app/main.py").chmod(stat.S_IRUSR)
    assert created.update(created.kit("1.1.0", {MAIN: "new\n"})) == {"app/main.py": "updated"}
    assert created.read("app/main.py") == "new\n"


def test_a_lock_file_is_never_merged_and_its_refresh_is_named(project: Project) -> None:
    project.create(project.kit(changes={"base/files/uv.lock": "kit one\n"}))
    project.write("uv.lock", "kit one\nmine\n")
    project.commit()
    with recipes.update(
        project.path, project.kit("1.1.0", {"base/files/uv.lock": "kit two\n"})
    ) as plan:
        assert project.apply(plan)["uv.lock"] == "kept"
        assert plan.merge.refresh == {"uv.lock": "uv lock"}
    assert project.read("uv.lock") == "kit one\nmine\n"


def test_a_symbolic_link_of_the_owner_survives(created: Project) -> None:
    (created.path / "latest").symlink_to("app/main.py")
    created.commit()
    created.update(created.kit("1.1.0", {MAIN: "new\n"}))
    assert (created.path / "latest").readlink().as_posix() == "app/main.py"


def test_a_generated_file_replaced_by_a_link_is_never_overwritten(created: Project) -> None:
    (created.path / "app/main.py").unlink()
    (created.path / "app/main.py").symlink_to("old.py")
    created.commit()
    outcomes = created.update(created.kit("1.1.0", {MAIN: "new\n"}))
    assert "conflict" in outcomes.values()
    assert created.git("ls-files", "--stage", "app").count("120000") >= 1


def test_names_with_spaces_quotes_and_umlauts_are_handled(project: Project) -> None:
    name = "base/files/docs/a 'naïve' name.md"
    project.create(project.kit(changes={name: NUMBERED}))
    project.edit("docs/a 'naïve' name.md", "line 10\n", "mine\n")
    project.write('own "quoted" \\ file', "x\n")
    project.commit()
    outcomes = project.update(project.kit("1.1.0", {name: changed(2, "theirs")}))
    assert outcomes == {"docs/a 'naïve' name.md": "merged"}


def test_a_folder_where_the_kit_wants_a_file_is_a_conflict(created: Project) -> None:
    created.write("docs/own.md", "mine\n")
    created.commit()
    outcomes = created.update(created.kit("1.1.0", {"base/files/docs": "a file\n"}))
    assert "conflict" in outcomes.values()
    assert created.read("docs/own.md") == "mine\n"


def test_untracked_files_in_the_way_are_refused_before_anything_is_written(
    created: Project,
) -> None:
    created.write("app/extra.py", "not committed\n")
    before = created.state()
    kit = created.kit("1.1.0", {"base/files/app/extra.py": "theirs\n"})
    with (
        recipes.update(created.path, kit) as plan,
        pytest.raises(GreenlaneError, match=r"not tracked by git: app/extra\.py"),
    ):
        plan.apply()
    assert created.state() == before


def test_an_ignored_file_in_the_way_is_refused_as_well(created: Project) -> None:
    created.write("var/secret", "mine\n")
    assert created.git("status", "--porcelain") == ""
    kit = created.kit("1.1.0", {"base/files/var/secret": "theirs\n"})
    with (
        recipes.update(created.path, kit) as plan,
        pytest.raises(GreenlaneError, match="not tracked by git: var/secret"),
    ):
        plan.apply()
    assert created.read("var/secret") == "mine\n"


@pytest.mark.parametrize("staged", [True, False])
def test_uncommitted_changes_in_the_way_are_refused(created: Project, staged: bool) -> None:
    created.edit("app/main.py", "line 10\n", "mine\n")
    if staged:
        created.git("add", "--all")
    before = created.state()
    kit = created.kit("1.1.0", {MAIN: "new\n"})
    with (
        recipes.update(created.path, kit) as plan,
        pytest.raises(GreenlaneError, match=r"changed and not committed: app/main\.py"),
    ):
        plan.apply()
    assert created.state() == before


def test_uncommitted_changes_elsewhere_are_carried_along(created: Project) -> None:
    created.edit("app/old.py", "old 10\n", "unstaged\n")
    created.edit("README.md", "## End", "## The end")
    created.git("add", "README.md")
    created.update(created.kit("1.1.0", {MAIN: "new\n"}))
    assert "unstaged\n" in created.read("app/old.py")
    assert "M  README.md" in created.git("status", "--porcelain")
    assert " M app/old.py" in created.git("status", "--porcelain")


def test_a_new_file_where_both_moved_the_old_one_away_is_not_dropped(created: Project) -> None:
    """As git 2.39's own merge does, without a word."""
    created.git("mv", "app/old.py", "app/fresh.py")
    created.write("app/old.py", "something new\n")
    created.commit()
    kit = created.kit("1.1.0", {OLD: None, "base/files/app/fresh.py": KIT[OLD]})
    assert created.update(kit)["app/old.py"] == "conflict"
    assert created.read("app/old.py") == "something new\n"
    assert created.read("app/fresh.py") == KIT[OLD]


def test_a_file_of_the_owner_stays_where_the_kit_renames_the_folder(project: Project) -> None:
    project.create(modules=("mail",))
    project.write("app/mail/own.py", "OWN = 1\n")
    project.commit()
    folder = "modules/mail/files/app/mail/"
    moved = {path: None for path in KIT if path.startswith(folder)}
    moved |= {path.replace("/mail/send", "/post/send"): KIT[path] for path in [f"{folder}send.py"]}
    moved |= {path.replace("/mail/smtp", "/post/smtp"): KIT[path] for path in [f"{folder}smtp.py"]}
    project.update(project.kit("1.1.0", moved))
    assert project.exists("app/post/send.py")
    assert project.read("app/mail/own.py") == "OWN = 1\n"
    assert not project.exists("app/post/own.py")
