"""The list of attacks with what withstands each, and a run without it."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
COPIES = 2
IGNORED = shutil.ignore_patterns(".venv", ".git", "var", "__pycache__", ".*_cache", "datasets")
# They need PostgreSQL, and are taken apart where it is.
ELSEWHERE = ("test_wall.py", "test_postgres.py")

Edit = tuple[str, str, str]


@dataclass(frozen=True)
class Row:
    number: str
    attack: str
    mutants: dict[str, list[Edit]]
    reason: str


@dataclass(frozen=True)
class Line:
    """A line of the table; `wrong` says what is the matter with it."""

    row: str
    attack: str
    defence: str
    noticed: str
    wrong: str


def rows(folder: Path = HERE) -> list[Row]:
    listed = yaml.safe_load((folder / "defences.yaml").read_text(encoding="utf-8"))
    return [
        Row(number, said["attack"], said.get("mutants", {}), said.get("reason", ""))
        for number, said in listed.items()
    ]


def named_after(repository: Path, number: str) -> list[str]:
    """The tests that are named after a row, as pytest names them."""
    named = re.compile(rf"^(?:async )?def (test_(?:row_)?{number}_\w+)", re.MULTILINE)
    return [
        f"{path.relative_to(repository).as_posix()}::{name}"
        for path in sorted(repository.glob("tests/**/test_*.py"))
        if path.name not in ELSEWHERE
        for name in named.findall(path.read_text(encoding="utf-8"))
    ]


def take_out(
    repository: Path, chosen: Iterable[Row], script: Path = HERE / "take_out.py"
) -> list[dict[str, Any]]:
    """Run each mutant in a copy of the repository; return the results in the rows' order."""
    mutants = [
        {"edits": edits, "arguments": named_after(repository, row.number)}
        for row in chosen
        for edits in row.mutants.values()
    ]
    results: list[dict[str, Any]] = [{} for _ in mutants]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(COPIES) as pool:
        parts = [
            pool.submit(
                _in_copy, repository, Path(scratch) / str(part), mutants[part::COPIES], script
            )
            for part in range(COPIES)
        ]
        for part, found in enumerate(parts):
            results[part::COPIES] = found.result()
    return results


def _in_copy(
    repository: Path, scratch: Path, mutants: list[dict[str, Any]], script: Path
) -> list[Any]:
    copy, asked, answer = scratch / "app", scratch / "mutants.json", scratch / "results.json"
    shutil.copytree(repository, copy, ignore=IGNORED)
    asked.write_text(json.dumps(mutants))
    python = repository / ".venv" / "bin" / "python"
    command = [str(python), str(script), str(asked), str(answer)]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(answer.read_text())


def judge(repository: Path, chosen: Iterable[Row], results: list[dict[str, Any]]) -> list[Line]:
    """A line for each mutant, then one for each test of a row that no mutant has made fail."""
    lines, waiting = [], iter(results)
    for row in chosen:
        unmoved = set(named_after(repository, row.number)) if row.mutants else set()
        for name in row.mutants:
            result = next(waiting)
            ended = result.get("tests", {})
            noticed = sorted(test for test, how in ended.items() if how == "noticed")
            others = [f"{t}: {how}" for t, how in ended.items() if ":" in how]
            wrong = result.get("error", "")
            if not noticed and not wrong:
                wrong = "; ".join(["survives", *others])
            unmoved -= set(noticed)
            shown = ", ".join(test.partition("::")[2] for test in noticed)
            lines.append(Line(row.number, row.attack, name, shown, wrong))
        lines += [Line(row.number, row.attack, "", test, "never fails") for test in sorted(unmoved)]
    return lines


def main(repository: Path, numbers: list[str]) -> int:
    chosen = [row for row in rows() if not numbers or row.number in numbers]
    lines = judge(repository, chosen, take_out(repository, chosen))
    for line in lines:
        result = f"WRONG {line.wrong} {line.noticed}" if line.wrong else line.noticed
        sys.stdout.write(f"{line.row} | {line.attack} | {line.defence} | {result}\n")
    for row in chosen:
        if not row.mutants:
            sys.stdout.write(f"{row.number} | {row.attack} | {row.reason or 'WRONG no reason'}\n")
    return int(
        any(line.wrong for line in lines) or any(not r.mutants and not r.reason for r in chosen)
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
