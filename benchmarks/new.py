"""`greenlane` beside Copier and beside the bare copy-and-commit: start-up, and making a project.

    python benchmarks/new.py [--rounds 15] [--strict]

Copier gets the very tree that greenlane renders, as a plain template without a variable: the least
it can have to do. With --strict, exit status 1 when a target is missed.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from side_by_side import Contestant, check, race, remover, report

BIN = Path(sys.executable).parent
PRESET = "freelancer"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args()
    rounds = options.rounds
    with tempfile.TemporaryDirectory(prefix="greenlane-bench-") as folder:
        missed = start_up(rounds) + new(Path(folder), rounds)
    print()
    for line in missed:
        print(f"MISSED  {line}")
    if not missed:
        print("every target is met")
    sys.exit(1 if missed and options.strict else 0)


def start_up(rounds: int) -> list[str]:
    ours = Contestant("greenlane --version", [BIN / "greenlane", "--version"])
    copier = Contestant("copier --version", [BIN / "copier", "--version"])
    race([ours, copier], rounds)
    report("Start-up", [ours, copier])
    return check("start-up at most a quarter of Copier's", ours.median <= copier.median / 4)


def new(folder: Path, rounds: int) -> list[str]:
    dest, pristine, template = folder / "made", folder / "pristine", folder / "template"
    make = [BIN / "greenlane", "new", "--preset", PRESET, "--json"]
    subprocess.run([*make, pristine], check=True, capture_output=True)
    shutil.rmtree(pristine / ".git")
    plain_template(pristine, template)

    ours = Contestant("greenlane new", [*make, dest], remover(dest))
    copier = Contestant(
        "copier copy",
        [BIN / "copier", "copy", "--defaults", "--quiet", template, dest],
        remover(dest),
    )
    floor = Contestant(
        "cp -r, git init, add, commit",
        [
            "sh",
            "-ec",
            f"cp -r {pristine} {dest}; cd {dest}; git init -q; git add -A; git commit -qm x",
        ],
        remover(dest),
    )
    race([ours, copier, floor], rounds)
    report(f"New project, preset {PRESET}, {count(pristine)} files", [ours, copier, floor])
    return check(
        "new at least 5 times faster than Copier", ours.median * 5 <= copier.median
    ) + check("new at most 4 times the copy-and-commit floor", ours.median <= floor.median * 4)


def plain_template(tree: Path, template: Path) -> None:
    """Make `tree` a Copier template in git, at a tag, as Copier recommends."""
    shutil.copytree(tree, template / "template")
    (template / "copier.yml").write_text("_subdirectory: template\n_templates_suffix: .never\n")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "template"], ["tag", "1.0.0"]):
        subprocess.run(["git", *command], cwd=template, check=True)


def count(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


if __name__ == "__main__":
    main()
