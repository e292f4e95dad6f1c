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
SCHEMA = (":(glob)app/**/migrations/*.py", "app/core/migrate.py", "app/core/wall.py")
_HERE = Path(__file__).resolve().parent


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


def tested(since: str) -> bool:
    """Run the tests of `since` that ask for a database, on one that is migrated as of now."""
    _clear()
    tree, schema = FOLDER / "tree", FOLDER / "schema.db"
    FOLDER.mkdir(parents=True)
    try:
        _git("worktree", "add", "--quiet", "--detach", str(tree), since)
        environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
        url = f"sqlite+aiosqlite:///{schema}"
        made = subprocess.run(
            ["uv", "run", "--quiet", "app", "db", "upgrade"],  # noqa: S607
            env=environment | {"DATABASE_URL": url},
            check=False,
        )
        if made.returncode:
            raise OldCodeError("`app db upgrade` of the present code failed; it says why above")
        options = [
            "-p",
            "new_schema",
            "-n",
            "auto",
            "-m",
            "not contract and not slow and not browser",
        ]
        found = subprocess.run(  # noqa: S603  fixed arguments
            ["uv", "run", "--quiet", "pytest", *options],  # noqa: S607
            cwd=tree,
            env=environment | {"PYTHONPATH": str(_HERE), "NEW_SCHEMA": str(schema)},
            check=False,
        )
        return found.returncode == 0
    finally:
        _clear()


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
    if not tested(since):
        raise OldCodeError(
            f"the code of {since[:12]}, which serves while this is rolled out, fails on its schema. "
            "Add beside what it uses, and take that away in a later release"
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
