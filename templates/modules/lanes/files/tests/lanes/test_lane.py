"""Each change takes the lane that the table says, and an unknown path the slow one."""

import subprocess
import sys
from pathlib import Path

import pytest

from ci import lane
from tests.repository import commit, environment, git

ROOT = Path(__file__).parents[2]
LANES = lane.parse((ROOT / lane.TABLE).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("expected", "paths"),
    [
        ("fast", ["README.md"]),
        ("fast", ["docs/how/to.md", "flags.json"]),
        ("code", ["app/main.py", "README.md"]),
        ("code", ["tests/prompts/test_x.py", "uv.lock"]),
        ("slow", ["prompts/triage.draft.j2"]),
        ("slow", ["README.md", "app/ai/gateway.py"]),
        ("slow", ["app/triage/evaluation.py"]),
        ("slow", ["evals/README.md"]),
        ("slow", ["evals/thresholds.yaml"]),
        ("slow", ["datasets/new.csv"]),
        ("slow", ["ci/lanes.toml"]),
        ("slow", [".github/workflows/ci.yml"]),
        ("slow", [".gitlab-ci.yml"]),
        ("slow", ["unheard-of"]),
        ("slow", ["prompts/a\nb.j2"]),
        ("slow", []),
    ],
)
def test_the_slowest_path_decides(expected: str, paths: list[str]) -> None:
    assert lane.decide(LANES, paths).lane.name == expected


def test_lanes_stand_from_fast_to_slow_and_name_a_lane_of_the_evals() -> None:
    assert [(one.name, one.evals) for one in LANES] == [
        ("fast", "none"),
        ("code", "code"),
        ("slow", "model"),
    ]


def test_a_star_stops_at_a_slash() -> None:
    (only,) = lane.parse('[only]\nwhat=""\nevals=""\npaths=["*.md", "a/*/c", "b/**"]')
    matched = ["x.md", "a/b/c", "b/c/d"]
    assert [path for path in [*matched, "a/x.md", "a/b/b/c", "b", "xmd"] if only.match(path)] == (
        matched
    )


@pytest.mark.parametrize("text", ["", "[fast]", "fast = 1", "[fast", "[fast]\npaths = 1"])
def test_a_broken_table_is_told(text: str) -> None:
    with pytest.raises(lane.LaneError, match=r"ci/lanes\.toml"):
        lane.parse(text)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the table, a prompt and a README, and a branch `work`."""
    for name, text in {
        "ci/lanes.toml": (ROOT / lane.TABLE).read_text(encoding="utf-8"),
        "prompts/a.j2": "Sort this.\n",
        "README.md": "# Read\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path)
    git(tmp_path, "switch", "--quiet", "--create", "work")
    return tmp_path


def test_only_what_the_branch_changed_counts(repository: Path) -> None:
    git(repository, "switch", "--quiet", "main")
    (repository / "prompts/a.j2").write_text("Sort that.\n")
    commit(repository)
    git(repository, "switch", "--quiet", "work")
    (repository / "README.md").write_text("# Read this\n")
    commit(repository)
    done = _lane(repository, "--base", "main", "--output", "out")
    assert done.stdout.startswith("fast lane")
    assert (repository / "out").read_text() == "lane=fast\nevals=none\n"


@pytest.mark.parametrize("move", ["delete", "rename", "leave uncommitted"])
def test_no_change_of_a_prompt_is_overlooked(repository: Path, move: str) -> None:
    prompt = repository / "prompts/a.j2"
    if move == "delete":
        prompt.unlink()
    elif move == "rename":
        prompt.rename(repository / "notes.md")
    else:
        (repository / "prompts/new.j2").write_text("New.\n")
    if move != "leave uncommitted":
        commit(repository)
    assert _lane(repository, "--base", "main").stdout.startswith("slow lane")


def test_a_change_cannot_choose_its_own_lane(repository: Path) -> None:
    table = repository / "ci/lanes.toml"
    table.write_text('[fast]\nwhat=""\nevals="none"\npaths=["**"]\n')
    commit(repository)
    assert _lane(repository, "--base", "main").stdout.startswith("slow lane")


@pytest.mark.parametrize("base", ["", "0" * 40, "main"])
def test_without_a_base_or_a_change_nothing_is_left_out(repository: Path, base: str) -> None:
    assert _lane(repository, "--base", base).stdout.startswith("slow lane")


def test_a_base_that_is_not_here_is_an_error(repository: Path) -> None:
    done = _lane(repository, "--base", "origin/main")
    assert done.returncode == 1
    assert "fetch-depth 0" in done.stderr
    assert "Traceback" not in done.stderr


def _lane(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "ci/lane.py"
    return subprocess.run(  # noqa: S603  this interpreter and a script of this repository
        [sys.executable, str(script), *options],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
