"""Templates of Copier and Cookiecutter, rendered by those libraries, merged by greenlane's engine.

    python benchmarks/foreign.py bench --runner run_update_cases.py --templates DIR
    python benchmarks/foreign.py create --kind copier --template DIR --ref 1.0 --answers FILE DEST
    python benchmarks/foreign.py update --ref 2.0        (in the project)

`bench` hands `create` and `update` to a runner of update cases; DIR holds the checkouts of the
templates. Needs the extra `templates`. Hooks and tasks of the templates are run.
"""

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import yaml

from greenlane.console import Console
from greenlane.merge import merge
from greenlane.record import BASELINE, FOLDER, baseline
from greenlane.repository import Objects, open_repository
from greenlane.scratch import Scratch
from greenlane.sides import Link
from greenlane.tree import EXECUTABLE, REGULAR, File, Tree
from greenlane.update import Plan
from greenlane.update_report import show_plan
from greenlane.volatile import keep_volatile

SOURCE = f"{FOLDER}/source.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    bench = commands.add_parser("bench")
    bench.add_argument("--runner", type=Path, required=True)
    bench.add_argument("--templates", type=Path, required=True)
    bench.add_argument("more", nargs="*", help="for the runner, after --")
    create = commands.add_parser("create")
    create.add_argument("--kind", choices=["copier", "cookiecutter"], required=True)
    create.add_argument("--template", required=True)
    create.add_argument("--ref", required=True)
    create.add_argument("--answers", type=Path, required=True)
    create.add_argument("dest", type=Path)
    update = commands.add_parser("update")
    update.add_argument("--ref", required=True)
    given = parser.parse_args()
    if given.command == "bench":
        sys.exit(run_bench(given.runner, given.templates, given.more))
    if given.command == "create":
        answers = yaml.safe_load(given.answers.read_text())
        source = {
            "kind": given.kind,
            "template": given.template,
            "ref": given.ref,
            "answers": answers,
        }
        files = render(source)
        write({**files, **record(source, files)}, given.dest)
    else:
        sys.exit(run_update(Path.cwd(), given.ref))


def run_bench(runner: Path, templates: Path, more: list[str]) -> int:
    me = f"{sys.executable} {Path(__file__).resolve()}"
    tool = {
        "kinds": ["copier", "cookiecutter"],
        "create": f"{me} create --kind {{kind}} --template {{template}} --ref {{ref}}"
        " --answers {answers_yaml} {dest}",
        "update": f"{me} update --ref {{new}}",
        "bookkeeping": [f"{FOLDER}/*"],
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump({"greenlane": tool}, file)
        file.flush()
        command = [sys.executable, runner, "--tool", "greenlane", "--tools", file.name]
        return subprocess.run([*command, "--templates", templates, *more], check=False).returncode


def run_update(project: Path, ref: str) -> int:
    repository = open_repository(project)
    with Objects(repository.work_tree) as objects:
        source = json.loads(objects.read(repository.entries[SOURCE].id) or b"")
        base = unpacked(objects.read(repository.entries[BASELINE].id) or b"")
        links = source.pop("links")
        base |= {path: Link(target.encode()) for path, target in links.items()}
        new = {**source, "ref": ref}
        # The old version once more, beside the new one, tells what is drawn anew each time.
        with ProcessPoolExecutor(2) as pool:
            again, theirs = pool.map(render, [source, new])
        kept = keep_volatile(base, again, theirs)
        wanted = {**kept.files, **record(new, kept.files)}
        with Scratch(repository) as scratch:
            merged = merge(repository, scratch, objects, base, wanted, label=f"template-{ref}")
            plan = Plan(
                *("update", f"Update to {ref}", repository, merged, source["ref"], ref),
                _scratch=scratch,
            )
            plan.apply()
            show_plan(plan, Console(), applied=True)
            return int(bool(merged.conflicts))


def render(source: Mapping) -> dict[str, File | Link]:
    """The files that the template's own library renders."""
    with tempfile.TemporaryDirectory(prefix="greenlane-bench-") as name:
        folder = Path(name)
        if source["kind"] == "copier":
            import copier

            copier.run_copy(
                source["template"],
                folder / "made",
                data=source["answers"],
                vcs_ref=source["ref"],
                defaults=True,
                quiet=True,
                unsafe=True,
            )
            return collected(folder / "made")
        from cookiecutter.main import cookiecutter

        template = folder / "template"
        for command in (
            ["clone", "-q", "--shared", "--no-checkout", source["template"], str(template)],
            ["-C", str(template), "checkout", "-q", source["ref"]],
        ):
            subprocess.run(["git", *command], check=True)
        (folder / "made").mkdir()
        made = cookiecutter(
            str(template),
            no_input=True,
            extra_context=source["answers"],
            output_dir=str(folder / "made"),
            accept_hooks=True,
        )
        return collected(Path(made))


def collected(folder: Path) -> dict[str, File | Link]:
    files: dict[str, File | Link] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if ".git" in inside.parts:
            continue
        if path.is_symlink():
            files[inside.as_posix()] = Link(str(path.readlink()).encode())
            continue
        if path.is_dir():
            continue
        mode = EXECUTABLE if path.stat().st_mode & 0o100 else REGULAR
        files[inside.as_posix()] = File(path.read_bytes(), mode)
    return files


def record(source: Mapping, files: Mapping[str, File | Link]) -> dict[str, File | Link]:
    links = {path: file.content.decode() for path, file in files.items() if isinstance(file, Link)}
    data = {**source, "links": links}
    text = json.dumps(data, indent=2, default=str) + "\n"
    tree = Tree({path: file for path, file in files.items() if isinstance(file, File)})
    return {SOURCE: File(text.encode()), BASELINE: File(baseline(tree))}


def unpacked(archive: bytes) -> dict[str, File | Link]:
    files: dict[str, File | Link] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for entry in tar:
            if (content := tar.extractfile(entry)) is not None:
                files[entry.name] = File(content.read(), entry.mode)
    return files


def write(files: Mapping[str, File | Link], dest: Path) -> None:
    for path, file in files.items():
        target = dest / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file, Link):
            target.symlink_to(file.content.decode())
        else:
            target.write_bytes(file.content)
            target.chmod(file.mode)


if __name__ == "__main__":
    main()
