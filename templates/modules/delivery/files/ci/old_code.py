"""Whether the code before works on the schema after: `python3 ci/old_code.py --base origin/main`.

Migrations run before a rollout, so the code that serves meets the schema of the next release. Where
one differs from the last release (a tag v*), or else from where the change began, the code of then
runs its own tests of the database on the schema of now. Needs git, uv and the standard library.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path("var/old-code").absolute()
SCHEMA = (":(glob)app/**/migrations/*.py", "app/core/migrate.py")
_HERE = Path(__file__).resolve().parent
# Marks of tests that say nothing of it; `schema` holds those of the tables of their own commit.
_LEFT_OUT = ("browser", "contract", "schema", "slow")
# What names the installed packages of the present code.
_OF_NOW = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")


class OldCodeError(Exception):
    """It could not be tried: what happened, and what to do."""


def before(base: str) -> str | None:
    """The commit of the last release before the change, or else where the change left `base`.

    None when there is no base, as for a new branch.
    """
    if not base.strip("0"):
        return None
    try:
        since = _git("merge-base", base, "HEAD")
    except OldCodeError as error:
        raise OldCodeError(
            f"{error}\n{base} and HEAD must be here with their history: fetch it, or name another "
            "commit, such as --base HEAD~1"
        ) from None
    try:
        return _git(
            "rev-list",
            "--max-count=1",
            _git("describe", "--tags", "--abbrev=0", "--match=v[0-9]*", since),
        )
    except OldCodeError:
        return since


def changed(since: str) -> list[str]:
    """What makes the schema and differs from the commit `since`, new files too."""
    differ = _git("diff", "--name-only", "--no-renames", "-z", since, "--", *SCHEMA)
    new = _git("ls-files", "--others", "--exclude-standard", "-z", "--", *SCHEMA)
    return sorted({*differ.split("\0"), *new.split("\0")} - {""})


def works(since: str) -> bool:
    """Whether the tests of `since` that ask for a database pass on one that is migrated as of now.

    Raises OldCodeError when they could not be run.
    """
    _clear()
    tree = FOLDER / "tree"
    try:
        _git("worktree", "add", "--quiet", "--detach", str(tree), since)
        schema = FOLDER / "schema.db"
        url = f"sqlite+aiosqlite:///{schema}"
        for folder, whose in ((tree, since[:12]), (Path.cwd(), "now")):
            if _uv(folder, "app", "db", "upgrade", DATABASE_URL=url):
                raise OldCodeError(f"`app db upgrade` as of {whose} failed; it says why above")
        return _passed(tree, schema)
    finally:
        _clear()


def _passed(tree: Path, schema: Path) -> bool:
    options = ("-p", "new_schema", "-n", "auto", "-m", f"not ({' or '.join(_LEFT_OUT)})")
    code = _uv(tree, "pytest", *options, PYTHONPATH=str(_HERE), NEW_SCHEMA=str(schema))
    if code not in (0, 1):
        raise OldCodeError(
            f"the tests of {tree} did not run (pytest ended with {code}). Those are meant that use "
            "the fixture `migrated` of tests/conftest.py; ci/new_schema.py finds them by its name"
        )
    return code == 0


def _uv(folder: Path, *command: str, **given: str) -> int:
    environment = {name: value for name, value in os.environ.items() if name not in _OF_NOW}
    return subprocess.run(  # noqa: S603  fixed arguments
        ["uv", "run", "--quiet", *command],  # noqa: S607
        cwd=folder,
        env=environment | given,
        check=False,
    ).returncode


def _clear() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    _git("worktree", "prune")


def _git(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603  fixed arguments, and a base that git checks
        ["git", *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise OldCodeError(done.stderr.strip() or f"git {arguments[0]} failed")
    return done.stdout.strip()


def run(base: str) -> str:
    """What was found, in words. Raises OldCodeError when the code before fails."""
    since = before(base)
    if since is None:
        return "there is no code before this: there is no base"
    if not (paths := changed(since)):
        return f"no migration has changed since {since[:12]}"
    shown = "\n".join(f"  {path}" for path in paths)
    sys.stdout.write(f"the code of {since[:12]} on the schema that these make:\n{shown}\n")
    sys.stdout.flush()
    if not works(since):
        raise OldCodeError(
            f"the code of {since[:12]}, which serves while this is rolled out, fails on the schema "
            "of now; its tests say where. Leave what it uses, add the new beside it, and take the "
            "old away in a later release"
        )
    return "the code before works on it"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="origin/main", help="what the change will be merged into")
    try:
        sys.stdout.write(f"{run(parser.parse_args().base)}\n")
    except OldCodeError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
