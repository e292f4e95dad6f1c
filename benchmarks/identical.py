"""Public templates rendered by greenlane and by their own tool: the same files, byte for byte.

    python benchmarks/identical.py --templates DIR [--only NAME]

DIR holds a clone of each repository, named OWNER__NAME. Both sides run the template's own code, as
those who use it do. Needs the extra `templates`. Exit status 1 when anything differs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Case:
    repository: str
    kind: str
    ref: str = "HEAD"
    answers: dict[str, object] = field(default_factory=dict)
    with_paths: tuple[str, ...] = ()
    """Files that hold where the template was cloned to, which is another place for each tool."""

    @property
    def folder(self) -> str:
        return self.repository.replace("/", "__")


UV = {
    "project_name": "Atlas Kit",
    "project_description": "A small toolkit.",
    "author_fullname": "Ada Example",
    "author_email": "ada@example.com",
    "author_username": "ada",
    "copyright_date": "2026",
}
COOKIE = {
    "license": "BSD",
    "docs": "sphinx",
    "vcs": True,
    "project_name": "atlas-kit",
    "org": "ada",
    "url": "https://github.com/ada/atlas-kit",
    "full_name": "Ada Example",
    "email": "ada@example.com",
}
FASTAPI = {"project_name": "Atlas API", "stack_name": "atlas-api", "secret_key": "not-a-real-key"}
DIAMOND = {
    "package_name": "atlas_kit",
    "description": "A small toolkit.",
    "git_platform": "github.com",
    "author_name": "Ada Example",
    "author_email": "ada@example.com",
    "component_owner": "group:default/ada",
    "docker": True,
    "docs_type": "sphinx",
    "type_checker": "mypy",
    "pypi": True,
}
SUBSTRATE = {
    "project_name": "Atlas Kit",
    "project_description": "A small toolkit.",
    "project_url": "https://github.com/ada/atlas-kit",
    "author_name": "Ada Example",
    "author_email": "ada@example.com",
}
CASES = [
    Case("pawamoy/copier-uv", "copier", "1.12.1", UV),
    Case("pawamoy/copier-uv", "copier", "1.13.0", {**UV, "copyright_license": "MIT"}),
    Case("scientific-python/cookie", "copier", "2026.06.18", {**COOKIE, "backend": "hatch"}),
    Case("scientific-python/cookie", "copier", "2025.05.02", {**COOKIE, "backend": "maturin"}),
    Case("scientific-python/cookie", "cookiecutter", "2026.06.18", COOKIE),
    Case("fastapi/full-stack-fastapi-template", "copier", "0.10.0", FASTAPI),
    Case("audreyfeldroy/cookiecutter-pypackage", "cookiecutter", "v0.5.0"),
    Case("audreyfeldroy/cookiecutter-pypackage", "cookiecutter", "v0.3.0"),
    Case("drivendataorg/cookiecutter-data-science", "cookiecutter", "v1"),
    Case("pytest-dev/cookiecutter-pytest-plugin", "cookiecutter"),
    Case("fpgmaas/cookiecutter-uv", "cookiecutter"),
    Case(
        "cjolowicz/cookiecutter-hypermodern-python",
        "cookiecutter",
        with_paths=(".cookiecutter.json",),
    ),
    Case("audreyfeldroy/cookiecutter-jquery", "cookiecutter"),
    Case("DiamondLightSource/python-copier-template", "copier", answers=DIAMOND),
    Case("lincc-frameworks/python-project-template", "copier"),
    Case("copier-org/autopretty", "copier"),
    Case("superlinear-ai/substrate", "copier", answers=SUBSTRATE),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--templates", type=Path, required=True)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    worst = 0
    for case in CASES:
        if given.only in case.repository:
            worst = max(worst, _compared(case, given.templates.resolve() / case.folder))
    sys.exit(worst)


def _compared(case: Case, template: Path) -> int:
    title = f"{case.repository} {case.ref} ({case.kind})"
    if not template.is_dir():
        print(f"absent     {title}")
        return 0
    with tempfile.TemporaryDirectory(prefix="greenlane-identical-") as name:
        folder = Path(name)
        (folder / "answers.yml").write_text(yaml.safe_dump(case.answers))
        theirs = folder / "theirs"
        theirs.mkdir()
        try:
            _run(_their_command(case, template, folder), folder)
            (made,) = [theirs] if case.kind == "copier" else theirs.iterdir()
            _run(_our_command(case, template, made.name), folder)
        except subprocess.CalledProcessError as error:
            lines = [line for line in error.stderr.splitlines() if line.strip()]
            print(f"FAILED     {title}: {Path(error.cmd[0]).name}: {' '.join(lines[-2:])[:200]}")
            return 1
        expected, found = dict(_files(made)), dict(_files(folder / "ours" / made.name))
    both = (expected.keys() | found) - set(case.with_paths)
    different = sorted(path for path in both if expected.get(path) != found.get(path))
    verdict = f"{len(different)} differ" if different else "identical"
    print(f"{verdict:<10} {title}: {len(expected)} files {' '.join(different[:5])}")
    return int(bool(different))


def _their_command(case: Case, template: Path, folder: Path) -> list[str]:
    answers = str(folder / "answers.yml")
    if case.kind == "copier":
        options = ["--quiet", "--trust", "--defaults", "--vcs-ref", case.ref]
        copier = [str(BIN / "copier"), "copy", *options, "--data-file", answers]
        return [*copier, str(template), str(folder / "theirs")]
    script = (
        "import sys, yaml; from cookiecutter.main import cookiecutter; cookiecutter(sys.argv[1],"
        "checkout=sys.argv[2], no_input=True, default_config=True, output_dir='theirs',"
        "extra_context=yaml.safe_load(open(sys.argv[3])))"
    )
    # Cookiecutter takes a folder as it is, so it gets the address of a repository.
    return [sys.executable, "-c", script, f"git+file://{template}", case.ref, answers]


def _our_command(case: Case, template: Path, name: str) -> list[str]:
    words = [str(BIN / "greenlane"), "new", f"ours/{name}", "--from", str(template), "--trust"]
    return [*words, "--kind", case.kind, "--ref", case.ref, "--answers", "answers.yml", "--yes"]


def _run(command: list[str], folder: Path) -> None:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    # Hooks and tasks that make a repository must not find the one that this is run in.
    env = {
        **os.environ,
        "HOME": str(home),
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "Ada",
        "GIT_CONFIG_KEY_1": "user.email",
        "GIT_CONFIG_VALUE_1": "ada@example.com",
        "GIT_CONFIG_KEY_2": "safe.directory",
        "GIT_CONFIG_VALUE_2": "*",
    }
    subprocess.run(
        command,
        cwd=folder,
        env=env,
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def _files(root: Path) -> Iterator[tuple[str, tuple[str, bytes]]]:
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if inside.parts[0] in {".git", ".greenlane"} or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink():
            yield inside.as_posix(), ("link", os.fsencode(path.readlink()))
        else:
            mode = "x" if path.stat().st_mode & 0o100 else "-"
            yield inside.as_posix(), (mode, path.read_bytes())


if __name__ == "__main__":
    main()
