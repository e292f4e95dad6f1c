"""Runs every `run:` step of a GitHub workflow with bash, each job in a fresh clone as GitHub does.

Actions are not run. Those in `KNOWN_ACTIONS` only prepare or keep things; any other `uses:` is an
error, so that nothing is passed over in silence.
"""

import itertools
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from greenlane.environment import find_uv, project_environment
from workflow_expressions import Expressions, UnsupportedExpressionError

KNOWN_ACTIONS = ("actions/checkout", "astral-sh/setup-uv", "actions/upload-artifact")
# Read at import: a test with a home of its own would download every package again.
UV_CACHE = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache/uv")
EVENT = {"ref": "refs/heads/main", "event_name": "push", "workflow": "ci", "sha": "0" * 40}
Contexts = Mapping[str, Mapping[str, Any]]


@dataclass
class JobRun:
    """What became of one job: its result, and a line for each step with what it printed."""

    name: str
    result: str
    log: list[str] = field(default_factory=list)
    summary: str = ""


def load(path: Path) -> dict[str, Any]:
    """The workflow in `path`. The key `on` stays a text, though YAML 1.1 takes it for true."""
    data = yaml.safe_load(path.read_text())
    return {("on" if key is True else key): value for key, value in data.items()}


def run_workflow(
    path: Path, repository: Path, scratch: Path, given: Contexts | None = None
) -> list[JobRun]:
    """Run all jobs in the order of their needs; clones of `repository` go to `scratch`.

    `given` are more contexts, such as `vars` and `secrets`; their `env` is seen by every step.
    """
    workflow = load(path)
    results: dict[str, str] = {}
    runs: list[JobRun] = []
    for name in _in_order(workflow["jobs"]):
        job = workflow["jobs"][name]
        needs = {need: {"result": results[need]} for need in _listed(job.get("needs"))}
        outcomes = []
        for number, matrix in enumerate(_combinations(job)):
            folder = scratch / f"{name}-{number}"
            run = _Job(workflow, name, job, matrix, needs, folder, given or {}).run(repository)
            runs.append(run)
            outcomes.append(run.result)
        results[name] = "success" if set(outcomes) == {"success"} else _worst(outcomes)
    return runs


class _Job:
    def __init__(
        self,
        workflow: dict[str, Any],
        name: str,
        job: dict[str, Any],
        matrix: dict[str, Any],
        needs: dict[str, Any],
        folder: Path,
        given: Contexts,
    ) -> None:
        self._workflow, self._job, self._folder = workflow, job, folder
        self._clone = folder / "clone"
        self._contexts: dict[str, Any] = {
            "env": {},
            **given,
            "github": {**EVENT, **given.get("github", {})},
            "matrix": matrix,
            "needs": needs,
            "steps": {},
        }
        self._outcome = "success"
        label = " ".join([name, *map(str, matrix.values())])
        self._run = JobRun(label, "skipped")

    def run(self, repository: Path) -> JobRun:
        needs = self._contexts["needs"].values()
        before = "success" if all(need["result"] == "success" for need in needs) else "failure"
        if not self._expressions(before).condition(self._job.get("if", "success()")):
            return self._run
        self._folder.mkdir(parents=True)
        _git("clone", "--quiet", str(repository), str(self._clone))
        for number, step in enumerate(self._job["steps"]):
            self._step(number, step)
        self._run.result = self._outcome
        return self._run

    def _step(self, number: int, step: dict[str, Any]) -> None:
        expressions = self._expressions(self._outcome)
        title = step.get("name") or step.get("uses") or f"step {number}"
        if not expressions.condition(step.get("if", "success()")):
            self._run.log.append(f"{title}: skipped")
            return
        if "uses" in step:
            failure = self._use(step, expressions)
        else:
            failure = self._execute(number, step, expressions)
        self._run.log.append(f"{title}: {failure or 'ok'}")
        if failure:
            self._outcome = "failure"

    def _use(self, step: dict[str, Any], expressions: Expressions) -> str:
        action = step["uses"].partition("@")[0]
        if action not in KNOWN_ACTIONS:
            raise UnsupportedExpressionError(f"the action {action} is not known here")
        inputs = {key: expressions.fill(value) for key, value in step.get("with", {}).items()}
        if action == "actions/upload-artifact":
            found = (self._clone / inputs["path"]).exists()
            if not found and inputs.get("if-no-files-found") == "error":
                return f"there is no {inputs['path']} to upload"
        return ""

    def _execute(self, number: int, step: dict[str, Any], expressions: Expressions) -> str:
        unknown = step.keys() - {"name", "id", "if", "env", "run"}
        if unknown:
            raise UnsupportedExpressionError(f"a step with {', '.join(sorted(unknown))}")
        summary = self._folder / f"summary-{number}"
        output = self._folder / f"output-{number}"
        summary.touch()
        output.touch()
        layers = (self._workflow.get("env", {}), self._job.get("env", {}), step.get("env", {}))
        given = {key: expressions.fill(value) for layer in layers for key, value in layer.items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-c", expressions.fill(step["run"])],
            cwd=self._clone,
            env={
                **clean_environment(),
                **self._contexts["env"],
                "CI": "true",
                "GITHUB_STEP_SUMMARY": str(summary),
                "GITHUB_OUTPUT": str(output),
                **given,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self._run.summary += summary.read_text()
        if "id" in step:
            pairs = (line.partition("=") for line in output.read_text().splitlines())
            self._contexts["steps"][step["id"]] = {
                "outputs": {key: value for key, _, value in pairs}
            }
        return f"exit {done.returncode}\n{done.stdout}" if done.returncode else ""

    def _expressions(self, outcome: str) -> Expressions:
        return Expressions(self._contexts, self._clone, outcome)


def clean_environment() -> dict[str, str]:
    """This process's environment without what names its own Python, and with a uv.

    The cache of uv is shared, whatever the home.
    """
    env = project_environment(Path(tempfile.gettempdir(), "greenlane-tests"), find_uv())
    kept = {key: value for key, value in env.items() if not key.startswith("PYTEST")}
    return {**kept, "UV_CACHE_DIR": UV_CACHE}


def _combinations(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    strategy = job.get("strategy", {}).get("matrix", {})
    if {"include", "exclude"} & strategy.keys():
        raise UnsupportedExpressionError("a matrix with include or exclude")
    for values in itertools.product(*strategy.values()):
        yield dict(zip(strategy, values, strict=True))


def _in_order(jobs: dict[str, Any]) -> list[str]:
    ordered: list[str] = []
    while len(ordered) < len(jobs):
        ready = [
            name
            for name, job in jobs.items()
            if name not in ordered and set(_listed(job.get("needs"))) <= set(ordered)
        ]
        if not ready:
            raise UnsupportedExpressionError(
                f"needs that no job meets: {jobs.keys() - set(ordered)}"
            )
        ordered += ready
    return ordered


def _listed(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _worst(outcomes: list[str]) -> str:
    return "failure" if "failure" in outcomes else "skipped"


def _git(*arguments: str) -> None:
    subprocess.run(
        ["git", *arguments], check=True, env=clean_environment(), stdin=subprocess.DEVNULL
    )
