"""Fetching from addresses of strangers, and pushing branches; no hook and no prompt on the way."""

import os
from collections.abc import Callable
from pathlib import Path

from greenlane.errors import GreenlaneError
from greenlane.fleet.targets import PROTOCOLS
from greenlane.git import run_git
from greenlane.repository import SETTINGS, Repository

_BASE = "refs/greenlane/base"


def fetch(url: str, folder: Path, revision: str) -> None:
    """Make `folder` a repository without files whose HEAD is the `revision` of `url`, now."""
    allowed = {"GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS)}
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        run_git(folder, "init", "--quiet", "--template=", settings=SETTINGS)
    run_git(folder, "config", "remote.origin.url", url, settings=SETTINGS)
    run_git(
        folder,
        *("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--force"),
        *("--no-write-fetch-head", "--", "origin", f"{revision}:{_BASE}"),
        settings=SETTINGS,
        env={**allowed, **_no_questions(folder)},
    )
    run_git(folder, "update-ref", "--no-deref", "HEAD", f"{_BASE}^{{commit}}", settings=SETTINGS)


def push(repository: Repository, branch: str, commit: str, is_ours: Callable[[str], bool]) -> None:
    """Push `commit` as `branch` to origin. Only a branch that the fleet made is replaced there.

    Raises GreenlaneError, also when the base has commits that origin has not: those are not
    the fleet's to publish.
    """
    env = _no_questions(repository.work_tree)
    reference = f"refs/heads/{branch}"
    told = repository.git("ls-remote", "--heads", "origin", env=env).decode(errors="replace")
    heads = {name: found for found, name in (line.split("\t") for line in told.splitlines())}
    there = heads.get(reference, "")
    if there == commit:
        return
    _check_published(repository, list(heads.values()))
    if there:
        repository.git(
            *("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"),
            *("origin", reference),
            env=env,
        )
        grown = repository.git("rev-list", "--max-count=1", there, f"^{commit}", "--")
        if grown and not is_ours(there):
            raise GreenlaneError(
                f"origin has a branch {branch} whose last commit is somebody's own.",
                "Merge it or delete it there, or choose another name with --branch.",
            )
    told = repository.git(
        *("push", "--porcelain", "--no-recurse-submodules"),
        *(f"--force-with-lease={reference}:{there}", "origin", f"{commit}:{reference}"),
        env=env,
        accepted=(0, 1),
    ).decode(errors="replace")
    for line in told.splitlines():
        if line.startswith("!"):
            said = line.rpartition("\t")[2]
            raise GreenlaneError(f"origin refused the branch {branch}: {said}.", "")


def _check_published(repository: Repository, heads: list[str]) -> None:
    lines = "".join(f"{line}\n" for line in (repository.head, *(f"^{head}" for head in heads)))
    told = repository.git(
        "rev-list", "--count", "--ignore-missing", "--stdin", stdin=lines.encode()
    )
    if number := int(told):
        raise GreenlaneError(
            f"{number} commits below the update are not in origin; pushing would publish them.",
            "Push them first, or let the update start elsewhere: `base: origin/main`.",
        )


def _no_questions(folder: Path) -> dict[str, str]:
    """ssh must not wait for an answer, unless the person said how ssh is run."""
    own = run_git(folder, "config", "--get", "core.sshCommand", accepted=(0, 1))
    if own or "GIT_SSH_COMMAND" in os.environ or "GIT_SSH" in os.environ:
        return {}
    return {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}
