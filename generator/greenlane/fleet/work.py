"""What is done to one repository of a fleet, in whatever process. Plain data in, plain data out.

Work trees, indexes and HEAD are only looked at. What an update found is noted in the repository's
own git folder, so a fleet that is started again passes over what is done.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from greenlane import __version__, update
from greenlane.errors import GreenlaneError
from greenlane.fleet.remote import fetch, push
from greenlane.fleet.targets import Target
from greenlane.git import GitError
from greenlane.journal import is_interrupted
from greenlane.kit import Kit
from greenlane.kits import chosen_kit
from greenlane.record import FOLDER
from greenlane.repository import Repository, explained, open_repository
from greenlane.status import status
from greenlane.update import Plan
from greenlane.update_report import outcome_data

UP_TO_DATE, BEHIND, UPDATED = "up to date", "behind", "updated"
CONFLICTS, FAILED, SKIPPED, MIXED = "conflicts", "failed", "skipped", "mixed versions"
TRAILER = "Greenlane-Update"
_NOTE = "greenlane/fleet.json"


@lru_cache(maxsize=2)
def kit_and_digest(root: str) -> tuple[Kit, str]:
    """The kit, and one text that is the same wherever kit and greenlane are."""
    kit = chosen_kit(Path(root) if root else None)
    head = replace(kit, root=Path(), parts={}, extends=None)  # without the paths of this machine
    digest = hashlib.sha256(f"{__version__}\n{head!r}".encode())
    for part in kit.parts.values():
        digest.update(repr(replace(part, files={}, slots={})).encode())
        for path, source in sorted([*part.files.items(), *part.slots.items()]):
            digest.update(f"\0{path}\0{source.template}\0".encode())
            digest.update(source.file.read_bytes())
    return kit, digest.hexdigest()


def task_of(target: Target, kit_root: str, digest: str, **options: bool) -> dict[str, Any]:
    """What a worker is sent."""
    plain = {**asdict(target), "path": str(target.path)}
    return {**plain, "kit": kit_root, "digest": digest, "greenlane": __version__, **options}


def report_status(task: dict[str, Any]) -> dict[str, Any]:
    """Where the repository stands."""
    return _guarded(_status, task)


def report_update(task: dict[str, Any]) -> dict[str, Any]:
    """Update the repository on a branch of its own."""
    return _guarded(_update, task)


def result_of(task: dict[str, Any], state: str, **more: Any) -> dict[str, Any]:
    head = {"name": task["name"], "path": task["path"], "url": task["url"], "state": state}
    return {**head, "branch": "", "conflicts": [], "reason": "", "hint": "", **more}


def failure(task: dict[str, Any], reason: str) -> dict[str, Any]:
    """The result of a task that nobody could bring to its end."""
    return result_of(task, FAILED, reason=reason)


def _guarded(
    work: Callable[[dict[str, Any], Kit], dict[str, Any]], task: dict[str, Any]
) -> dict[str, Any]:
    """Whatever is wrong with one repository is its result, and stops no other."""
    try:
        kit, digest = kit_and_digest(task["kit"])
        if digest != task["digest"]:
            return result_of(task, MIXED, reason=_mixed(task, kit))
        with explained():
            return work(task, kit)
    except GreenlaneError as error:
        return result_of(task, FAILED, reason=error.message, hint=error.hint)
    except Exception as error:
        return result_of(task, FAILED, reason=f"Unexpected {type(error).__name__}: {error}")


def _mixed(task: dict[str, Any], kit: Kit) -> str:
    from platform import node

    return (
        f"A worker on {node()} has greenlane {__version__} with {kit.name} {kit.version}; this is "
        f"greenlane {task['greenlane']}, and its kit is not the same."
    )


def _status(task: dict[str, Any], kit: Kit) -> dict[str, Any]:
    repository = _opened(task)
    if _is_foreign(task, repository):
        return result_of(task, SKIPPED, reason="It is no greenlane project.")
    state = status(repository.folder, kit, at=repository.head)
    return result_of(
        task,
        BEHIND if state.behind else UP_TO_DATE,
        **{"from": state.version, "to": kit.version},
        pending=dict(Counter(state.pending.values())),
        drifted=len(state.drift),
        reason=state.blocked,
    )


def _update(task: dict[str, Any], kit: Kit) -> dict[str, Any]:
    repository = _opened(task)
    if _is_foreign(task, repository):
        return result_of(task, SKIPPED, reason="It is no greenlane project.")
    branch = task["branch"].replace("{version}", kit.version)
    update.check_branch_name(repository, branch)
    note = _Note(repository, task, branch)
    if not task["dry_run"] and (known := note.read()):
        return {**known, **{key: task[key] for key in ("name", "path", "url")}}
    with update.update(repository.folder, kit, sets=task["sets"], at=repository.head) as plan:
        result = _carry_out(plan, task, branch)
    if not task["dry_run"]:
        note.write(result)
    return result


def _carry_out(plan: Plan, task: dict[str, Any], branch: str) -> dict[str, Any]:
    told = _told(plan)
    if not plan.changes_anything:
        return result_of(task, UP_TO_DATE, **told)
    present, checked_out = _branch(plan.repository, branch)
    if present and plan.is_in(present):
        commit = present
        told["conflicts"] = []  # somebody resolved them there
    elif told["conflicts"]:
        return result_of(task, CONFLICTS, **told)
    else:
        _check_replaceable(plan.repository, branch, present, checked_out)
        write = not task["dry_run"]
        commit = plan.commit(branch, _message(plan), replacing=present) if write else ""
    result = result_of(task, UPDATED, **{**told, "branch": branch, "commit": commit})
    if task["push"] and not task["dry_run"]:
        try:
            with explained():
                push(plan.repository, branch, commit, lambda tip: is_ours(plan.repository, tip))
        except GreenlaneError as error:
            return {**result, "state": FAILED, "reason": error.message, "hint": error.hint}
        result["pushed"] = True
    return result


def _told(plan: Plan) -> dict[str, Any]:
    outcomes = plan.merge.outcomes
    return {
        "from": plan.old_version,
        "to": plan.new_version,
        "counts": dict(Counter(outcome.kind for outcome in outcomes)),
        "files": [outcome_data(outcome) for outcome in outcomes if outcome.kind != "kept"],
        "conflicts": [outcome.path for outcome in plan.merge.conflicts],
        "news": [{"version": item.version, "text": item.text} for item in plan.news],
        "new_answers": dict(plan.evolved.new) if plan.evolved else {},
        "refresh": dict(plan.merge.refresh),
    }


def _check_replaceable(repository: Repository, branch: str, present: str, checked_out: str) -> None:
    if present and not is_ours(repository, present):
        raise GreenlaneError(
            f"The branch {branch} exists, and its last commit is somebody's own.",
            "Merge it or delete it, or choose another name with --branch.",
        )
    if present and checked_out:
        raise GreenlaneError(
            f"The branch {branch} is checked out in {checked_out} and must be made anew.",
            "Check out another branch there.",
        )


def _message(plan: Plan) -> str:
    mark = _mark(plan.merge.tree, plan.repository)
    return f"{plan.message} (from {plan.old_version})\n\n{TRAILER}: {mark}\n"


def _mark(tree: str, repository: Repository) -> str:
    """With the tree, so that a commit that somebody amended no longer counts as the fleet's."""
    return f"{tree} {repository.prefix}".strip()


def is_ours(repository: Repository, commit: str) -> bool:
    """Whether the fleet made this commit, so that it may replace it."""
    form = f"--format=%T%n%(trailers:key={TRAILER},valueonly)"
    told = repository.git("log", "-1", form, commit).decode(errors="replace")
    tree, _, mark = told.partition("\n")
    return mark.strip() == _mark(tree, repository)


def _branch(repository: Repository, branch: str) -> tuple[str, str]:
    """The commit that the branch is at, and the work tree that has it checked out."""
    told = repository.git(
        *("for-each-ref", "--format=%(refname)%00%(objectname)%00%(worktreepath)"),
        f"refs/heads/{branch}",
    )
    for line in told.decode(errors="replace").splitlines():
        name, commit, place = line.split("\0")
        if name == f"refs/heads/{branch}":
            return commit, place
    return "", ""


def _opened(task: dict[str, Any]) -> Repository:
    folder = Path(task["path"])
    if task["url"]:
        fetch(task["url"], folder, task["base"])
        return open_repository(folder)
    if not folder.is_dir():
        raise GreenlaneError(f"There is no folder {folder}.", "Clone it there.")
    repository = open_repository(folder, task["base"])
    if repository.prefix and (folder / ".git").exists():
        # git passed it over and found a repository that it lies in.
        raise GreenlaneError(f"git cannot read {folder / '.git'}.", "Clone it again.")
    if is_interrupted(repository):
        # The next step would tidy up the work tree, which is not the fleet's to touch.
        raise GreenlaneError(
            "A change by greenlane is under way here, or was interrupted.",
            "`greenlane status` there puts it in order.",
        )
    return repository


def _is_foreign(task: dict[str, Any], repository: Repository) -> bool:
    inside = f"{FOLDER}/"
    return not task["listed"] and not any(path.startswith(inside) for path in repository.entries)


class _Note:
    """The last result, and all that it depends on. Failures are not noted: they may pass."""

    def __init__(self, repository: Repository, task: dict[str, Any], branch: str) -> None:
        self._repository, self._branch = repository, branch
        self._file = repository.git_dir / _NOTE
        asked = [task[key] for key in ("digest", "sets", "push")]
        self._key = json.dumps([*asked, repository.prefix, repository.head, branch])

    def read(self) -> dict[str, Any] | None:
        try:
            note = json.loads(self._file.read_bytes())
            tip, _ = _branch(self._repository, self._branch)
            return note["result"] if (note["key"], note["tip"]) == (self._key, tip) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, result: dict[str, Any]) -> None:
        if result["state"] == FAILED:
            return
        tip, _ = _branch(self._repository, self._branch)
        new = self._file.with_suffix(".new")
        with suppress(OSError, GitError):
            self._file.parent.mkdir(exist_ok=True)
            new.write_text(json.dumps({"key": self._key, "tip": tip, "result": result}))
            new.replace(self._file)
