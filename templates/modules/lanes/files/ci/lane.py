"""Says which lane a change takes, and why: `python3 ci/lane.py --base origin/main`.

Needs git and Python's standard library only, so that a pipeline asks before it installs anything.
The table is ci/lanes.toml.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TABLE = Path("ci/lanes.toml")
_SHOWN = 20


class LaneError(Exception):
    """The lane cannot be told: what is wrong, and what to do."""


@dataclass(frozen=True)
class Lane:
    """`evals` is the lane that `app evals run` judges by, or none."""

    name: str
    what: str
    evals: str
    patterns: tuple[str, ...]

    def match(self, path: str) -> str | None:
        """The first pattern that `path` fits."""
        return next((p for p in self.patterns if _regex(p).fullmatch(path)), None)


@dataclass(frozen=True)
class Decision:
    """The lane of a change, and a line for each of its paths."""

    lane: Lane
    reasons: tuple[str, ...]


def parse(text: str) -> list[Lane]:
    """The lanes, fastest first. Raises LaneError when the table is not one."""
    try:
        table = tomllib.loads(text)
        lanes = [
            Lane(name, row["what"], row["evals"], tuple(row["paths"]))
            for name, row in table.items()
        ]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise LaneError(
            f"{TABLE} cannot be read: {error}. Each lane has what, evals and paths"
        ) from None
    if not lanes:
        raise LaneError(f"{TABLE} names no lane")
    return lanes


def decide(lanes: list[Lane], paths: Iterable[str]) -> Decision:
    """The slowest lane of all paths; without a path the slowest there is."""
    rank, reasons = -1, []
    for path in sorted(paths):
        place, reason = _lane_of(lanes, path)
        rank = max(rank, place)
        reasons.append((place, f"{lanes[place].name:<6} {path}  ({reason})"))
    if not reasons:
        return Decision(lanes[-1], ("no change was found, so nothing is left out",))
    reasons.sort(key=lambda item: -item[0])
    return Decision(lanes[rank], tuple(line for _, line in reasons))


def _lane_of(lanes: list[Lane], path: str) -> tuple[int, str]:
    for place in range(len(lanes) - 1, -1, -1):
        if pattern := lanes[place].match(path):
            return place, pattern
    return len(lanes) - 1, f"no lane of {TABLE} has it"


def _regex(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", pattern)
    wild = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(wild.get(part) or re.escape(part) for part in parts), re.DOTALL)


def merge_base(base: str) -> str | None:
    """Where the change left `base`; None when there is no base, as for a new branch.

    Raises LaneError when there is one and the history does not reach it.
    """
    if not base.strip("0"):
        return None
    try:
        return _git("merge-base", base, "HEAD").strip()
    except LaneError as error:
        raise LaneError(
            f"{error}\n{base} and HEAD must be here with their history: fetch it, or check out "
            "with fetch-depth 0 (GitHub) or GIT_DEPTH 0 (GitLab)"
        ) from None


def changed(since: str) -> list[str]:
    """Paths that differ from the commit `since`, both names of what moved, new files too."""
    differ = _git("diff", "--name-only", "--no-renames", "-z", since, "--")
    new = _git("ls-files", "--others", "--exclude-standard", "-z")
    return sorted({*differ.split("\0"), *new.split("\0")} - {""})


def table_at(since: str) -> str:
    """The table as it was before the change; the present one where there was none."""
    try:
        return _git("show", f"{since}:{TABLE}")
    except LaneError:
        return TABLE.read_text(encoding="utf-8")


def _git(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603  fixed arguments, and a base that git checks
        ["git", *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LaneError(done.stderr.strip() or f"git {arguments[0]} failed")
    return done.stdout


def run(base: str) -> Decision:
    """The lane of what differs between `base` and the work tree."""
    since = merge_base(base)
    if since is None:
        lanes = parse(TABLE.read_text(encoding="utf-8"))
        return Decision(lanes[-1], ("there is no base to compare with, so nothing is left out",))
    return decide(parse(table_at(since)), changed(since))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="origin/main", help="what the change will be merged into")
    parser.add_argument("--output", type=Path, help="append lane=... and evals=... to this file")
    options = parser.parse_args()
    try:
        decision = run(options.base)
    except (LaneError, OSError) as error:
        sys.exit(f"error: {error}")
    lane = decision.lane
    lines = [f"{lane.name} lane, {lane.what}", *(f"  {line}" for line in decision.reasons[:_SHOWN])]
    if (more := len(decision.reasons) - _SHOWN) > 0:
        lines.append(f"  and {more} more")
    sys.stdout.write("\n".join(lines) + "\n")
    if options.output:
        with options.output.open("a", encoding="utf-8") as file:
            file.write(f"lane={lane.name}\nevals={lane.evals}\n")


if __name__ == "__main__":
    main()
