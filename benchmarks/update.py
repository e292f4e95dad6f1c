"""`greenlane update` beside `copier update`, on the same two trees and with the same user's edits.

    python benchmarks/update.py [--rounds 9] [--projects 200] [--kit FOLDER]

Copier gets what greenlane renders, as a plain template without a variable at two tags: the least it
can have to do. Then many projects are updated in one process, and its memory is watched. Exit
status 1 when a target is missed.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import Contestant, check, race, report

from greenlane.kit import built_in_root

BIN = Path(sys.executable).parent
PRESET = "freelancer"
OWN = "\n## Ours\n\nRun it on Mondays.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--projects", type=int, default=200)
    parser.add_argument("--kit", type=Path, help="default: the built-in kit")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="greenlane-bench-") as name:
        folder = Path(name)
        kits = two_kits(folder, arguments.kit or built_in_root())
        missed = side_by_side(folder, kits, arguments.rounds)
        missed += in_a_loop(folder, kits[1], arguments.projects)
    print()
    for line in missed:
        print(f"MISSED  {line}")
    sys.exit(1 if missed else print("every target is met"))


def two_kits(folder: Path, kit: Path) -> tuple[Path, Path]:
    """The kit, and a later version with every fifth file changed and some added and removed."""
    old, new = folder / "kit-old", folder / "kit-new"
    shutil.copytree(kit, old)
    shutil.copytree(old, new)
    head = new / "kit.yml"
    lines = head.read_text().splitlines()
    head.write_text(
        "\n".join('version: "99.0.0"' if x.startswith("version:") else x for x in lines)
    )
    python = sorted(new.glob("*/files/app/**/*.py")) + sorted(new.glob("*/*/files/app/**/*.py"))
    for file in python[::5]:
        file.write_text(file.read_text() + "\n# changed by the kit\n")
    for number in range(5):
        (new / f"base/files/docs-{number}.md").write_text(f"# Page {number}\n")
    return old, new


def side_by_side(folder: Path, kits: tuple[Path, Path], rounds: int) -> list[str]:
    ours, theirs = folder / "ours", folder / "theirs"
    trees = [folder / f"tree-{kit.name}" for kit in kits]
    for kit, tree in zip(kits, trees, strict=True):
        subprocess.run(new_command(kit, tree), check=True, capture_output=True)
        shutil.rmtree(tree / ".git")
    subprocess.run(new_command(kits[0], ours), check=True, capture_output=True)
    template = folder / "template"
    two_tags(trees, template)
    subprocess.run(
        [BIN / "copier", "copy", "--defaults", "--quiet", "--vcs-ref=1.0.0", template, theirs],
        check=True,
        capture_output=True,
    )
    git(theirs, "init", "-q")
    for project in (ours, theirs):
        edit(project)
    contestants = [
        Contestant(
            "greenlane update",
            [BIN / "greenlane", "update", "--json", "--kit", kits[1]],
            lambda: start_again(ours),
            cwd=ours,
        ),
        Contestant(
            "copier update",
            [BIN / "copier", "update", "--defaults", "--quiet", "--vcs-ref=2.0.0"],
            lambda: start_again(theirs),
            cwd=theirs,
        ),
    ]
    race(contestants, rounds)
    files = sum(path.is_file() for path in trees[0].rglob("*"))
    report(f"Update of a project, preset {PRESET}, {files} files", contestants)
    same = same_result(ours, theirs)
    return check("update at least 10 times faster than Copier", times_faster(contestants) >= 10) + (
        check("both arrive at the same files", same)
    )


def new_command(kit: Path, dest: Path) -> list[str | Path]:
    name = "--set=project_name=bench"
    return [BIN / "greenlane", "new", dest, "--preset", PRESET, "--kit", kit, name, "--json"]


def two_tags(trees: list[Path], template: Path) -> None:
    """A Copier template in git whose tags 1.0.0 and 2.0.0 are the two trees, record left out."""
    template.mkdir()
    git(template, "init", "-q")
    head = (
        "_subdirectory: template\n_templates_suffix: .never\n_answers_file: .copier-answers.yml\n"
    )
    (template / "copier.yml").write_text(head)
    for tag, tree in zip(("1.0.0", "2.0.0"), trees, strict=True):
        shutil.rmtree(template / "template", ignore_errors=True)
        ignore = shutil.ignore_patterns(".greenlane")
        shutil.copytree(tree, template / "template", ignore=ignore)
        # Copier renders this one file, which holds the version for its next update.
        answers = template / "template/.copier-answers.yml.never"
        answers.write_text("{{ _copier_answers|to_nice_yaml }}")
        git(template, "add", "-A", "-f")
        git(template, "commit", "-qm", tag)
        git(template, "tag", tag)


def edit(project: Path) -> None:
    """What a user does: a section in the README, a line in a module, a file of their own."""
    readme = project / "README.md"
    readme.write_text(readme.read_text() + OWN)
    main_file = project / "app/main.py"
    main_file.write_text("# ours\n" + main_file.read_text())
    (project / "app/own.py").write_text("OWN = 1\n")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "Work")


def start_again(project: Path) -> None:
    git(project, "reset", "-q", "--hard")
    git(project, "clean", "-fdq")
    shutil.rmtree(project / ".git/greenlane", ignore_errors=True)


def same_result(ours: Path, theirs: Path) -> bool:
    def files(project: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(project)): path.read_bytes()
            for path in project.rglob("*")
            if path.is_file()
            and path.relative_to(project).parts[0] not in {".git", ".greenlane"}
            and path.name != ".copier-answers.yml"
        }

    mine, others = files(ours), files(theirs)
    for path in sorted(mine.keys() | others.keys()):
        if mine.get(path) != others.get(path):
            print(f"  differs: {path}")
    return mine == others


def times_faster(contestants: list[Contestant]) -> float:
    return contestants[1].median / contestants[0].median


def in_a_loop(folder: Path, kit_root: Path, projects: int) -> list[str]:
    """Update copies of one project one after the other in this process."""
    from greenlane.kit import load_kit
    from greenlane.update import update

    print(f"\n{projects} projects in one process")
    git(folder / "ours", "reset", "-q", "--hard")
    kit = load_kit(kit_root)
    seconds, memory = [], []
    for number in range(projects):
        project = folder / "one"
        shutil.copytree(folder / "ours", project, symlinks=True)
        started = time.perf_counter()
        with update(project, kit) as plan:
            plan.apply()
        seconds.append(time.perf_counter() - started)
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        shutil.rmtree(project)
        if number + 1 in {1, 10, projects // 2, projects}:
            print(f"  {number + 1:4}  {seconds[-1] * 1000:7.1f} ms   peak {memory[-1]:6.1f} MiB")
    average = sum(seconds) / len(seconds)
    print(f"  {average * 1000:.1f} ms per project on average")
    early = memory[min(9, projects - 1)]
    return check("memory stays flat: at most 5 MiB more after the tenth", memory[-1] - early <= 5)


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Bench", "-c", "user.email=bench@example.com"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


if __name__ == "__main__":
    main()
