"""The runner itself: it must fail where GitHub would, or its green says nothing."""

import subprocess
from pathlib import Path

import pytest

from workflow_expressions import UnsupportedExpressionError
from workflow_steps import JobRun, run_workflow

HEAD = """\
name: made
on: push
jobs:
"""
REQUIRED = """\
  required:
    if: ${{ always() }}
    needs: [work]
    runs-on: x
    steps:
      - name: All succeeded
        env:
          RESULTS: ${{ join(needs.*.result, ' ') }}
        run: test "$RESULTS" = success
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit: a file `one`."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "one").write_text("1\n")
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for command in (["init", "--quiet"], ["add", "-A"], ["commit", "--quiet", "-m", "One"]):
        subprocess.run(["git", "-C", str(folder), *identity, *command], check=True)
    return folder


def results(repository: Path, jobs: str) -> dict[str, JobRun]:
    path = repository.parent / "made.yml"
    path.write_text(HEAD + jobs)
    runs = run_workflow(path, repository, repository.parent / "scratch")
    return {run.name: run for run in runs}


def test_steps_see_the_clone_the_matrix_and_their_environment(repository: Path) -> None:
    runs = results(
        repository,
        """\
  work:
    strategy: { matrix: { number: [1, 2] } }
    env: { FROM_JOB: job }
    steps:
      - id: read
        run: echo "number=$(cat one)" >> "$GITHUB_OUTPUT"
      - if: matrix.number == '1' || github.event_name == 'push'
        env: { NUMBER: "${{ steps.read.outputs.number }}", MATRIX: "${{ matrix.number }}" }
        run: |
          test "$NUMBER" = 1
          test "$FROM_JOB" = job
          echo "matrix $MATRIX" >> "$GITHUB_STEP_SUMMARY"
"""
        + REQUIRED,
    )
    assert {name: run.result for name, run in runs.items()} == {
        "work 1": "success",
        "work 2": "success",
        "required": "success",
    }, runs
    assert [runs["work 1"].summary, runs["work 2"].summary] == ["matrix 1\n", "matrix 2\n"]


@pytest.mark.parametrize(
    "steps",
    [
        "      - run: 'false'\n",
        "      - run: |\n          false\n          true\n",
        "      - uses: actions/upload-artifact@x\n"
        "        with: { path: missing, if-no-files-found: error }\n",
    ],
)
def test_a_failing_step_fails_its_job_and_the_required_one(repository: Path, steps: str) -> None:
    after = (
        "      - run: touch later\n      - if: ${{ !cancelled() }}\n        run: test ! -e later\n"
    )
    runs = results(repository, "  work:\n    steps:\n" + steps + after + REQUIRED)
    assert runs["work"].result == "failure"
    assert runs["work"].log[1:] == ["step 1: skipped", "step 2: ok"]
    assert runs["required"].result == "failure"


def test_a_skipped_job_fails_the_required_one(repository: Path) -> None:
    work = "  work:\n    if: github.event_name == 'schedule'\n    steps:\n      - run: 'true'\n"
    runs = results(repository, work + REQUIRED)
    assert (runs["work"].result, runs["required"].result) == ("skipped", "failure")


def test_outputs_artifacts_and_caches_reach_the_next_job(repository: Path) -> None:
    keep = "      - uses: actions/cache@x\n        with: { path: kept, key: k }\n"
    runs = results(
        repository,
        f"""\
  work:
    outputs: {{ lane: "${{{{ steps.a.outputs.lane }}}}" }}
    steps:
{keep}\
      - id: a
        run: |
          test ! -e kept
          echo "lane=slow" >> "$GITHUB_OUTPUT"
          echo 1 > kept
          mkdir out
          echo 2 > out/two
      - uses: actions/upload-artifact@x
        with: {{ name: a, path: "out/two one" }}
  after:
    needs: work
    if: ${{{{ needs.work.outputs.lane == 'slow' && !github.event.nothing.at_all }}}}
    steps:
{keep}\
      - uses: actions/download-artifact@x
        with: {{ name: a }}
      - run: test "$(cat kept out/two)" = "$(printf '1\\n2')"
  other:
    needs: work
    if: ${{{{ needs.work.outputs.lane == 'fast' }}}}
    steps: []
""",
    )
    told = {name: (run.result, run.log) for name, run in runs.items()}
    assert {name: run.result for name, run in runs.items()} == {
        "work": "success",
        "after": "success",
        "other": "skipped",
    }, told


@pytest.mark.parametrize(
    "step",
    [
        "uses: somebody/unknown@v1",
        "run: 'true'\n        working-directory: one",
        "run: echo ${{ secrets.KEY }}",
    ],
)
def test_what_it_does_not_know_is_an_error(repository: Path, step: str) -> None:
    with pytest.raises(UnsupportedExpressionError):
        results(repository, f"  work:\n    steps:\n      - {step}\n")
