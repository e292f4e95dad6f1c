"""Runs every `run:` step of a GitHub workflow with bash, each job in a fresh clone as GitHub does.

Actions are not run. Those that keep files for other jobs and runs are imitated, and those in
`PREPARING` have nothing to do here. Any other `uses:` is an error, so that nothing is passed over.
"""

import hashlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from greenlane.environment import find_uv, project_environment
from workflow_expressions import Expressions, Payload, UnsupportedExpressionError

# The clone is made, uv is here, a stand-in for cosign too; an attestation is GitHub's own matter.
PREPARING = (
    "actions/attest-build-provenance",
    "actions/checkout",
    "astral-sh/setup-uv",
    "sigstore/cosign-installer",
)
# Read at import: a test with a home of its own would download every package again.
UV_CACHE = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache/uv")
EVENT = {
    "actor": "ada",
    "event": Payload(),
    "event_name": "push",
    "ref": "refs/heads/main",
    "ref_name": "main",
    "repository": "Acme/my-app",
    "server_url": "https://github.com",
    "sha": "0" * 40,
    "token": "token",
    "workflow": "ci",
    "workflow_ref": "Acme/my-app/.github/workflows/ci.yml@refs/heads/main",
}
Contexts = Mapping[str, Mapping[str, Any]]


@dataclass
class JobRun:
    """What became of one job: its result, and a line for each step with what it printed."""

    name: str
    result: str
    log: list[str] = field(default_factory=list)
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)


def load(path: Path) -> dict[str, Any]:
    """The workflow in `path`. The key `on` stays a text, though YAML 1.1 takes it for true."""
    data = yaml.safe_load(path.read_text())
    return {("on" if key is True else key): value for key, value in data.items()}


def run_workflow(
    path: Path,
    repository: Path,
    scratch: Path,
    given: Contexts | None = None,
    assumed: Collection[str] = (),
) -> list[JobRun]:
    """Run all jobs in the order of their needs; clones of `repository` go to `scratch`.

    `given` are more contexts, such as `vars` and `secrets`; their `env` is seen by every step. Jobs
    in `assumed` are not run and count as succeeded.
    """
    workflow = load(path)
    results: dict[str, str] = {}
    outputs: dict[str, dict[str, str]] = {}
    runs: list[JobRun] = []
    for name in _in_order(workflow["jobs"]):
        job = workflow["jobs"][name]
        if name in assumed:
            results[name], outputs[name] = "success", {}
            continue
        needs = {
            need: {"result": results[need], "outputs": outputs[need]}
            for need in _listed(job.get("needs"))
        }
        outcomes = []
        for number, matrix in enumerate(_combinations(job)):
            folder = scratch / f"{name}-{number}"
            run = _Job(workflow, name, job, matrix, needs, folder, given or {}).run(repository)
            runs.append(run)
            outputs[name] = run.outputs
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
        self._artifacts, self._caches = folder.parent / "artifacts", folder.parent / "caches"
        self._to_cache: dict[Path, Path] = {}
        self._contexts: dict[str, Any] = {
            "env": {},
            **given,
            "github": {**EVENT, **given.get("github", {})},
            "matrix": matrix,
            "needs": needs,
            "runner": {"os": "Linux", "arch": "X64"},
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
        expressions = self._expressions(self._outcome)
        outputs = self._job.get("outputs", {})
        self._run.outputs = {key: expressions.fill(value) for key, value in outputs.items()}
        if self._outcome == "success":
            for path, kept in self._to_cache.items():
                _copy(path, kept)
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
        inputs = {key: expressions.fill(value) for key, value in step.get("with", {}).items()}
        match action:
            case "actions/upload-artifact":
                return self._upload(inputs)
            case "actions/download-artifact":
                kept = self._artifacts / inputs["name"]
                if not kept.exists():
                    return f"there is no artifact {inputs['name']}"
                _copy(kept, self._clone)
            case "actions/cache":
                kept = self._caches / hashlib.sha256(inputs["key"].encode()).hexdigest()
                path = self._clone / inputs["path"]
                if kept.exists():
                    _copy(kept, path)
                else:
                    self._to_cache[path] = kept
            case _ if action not in PREPARING:
                raise UnsupportedExpressionError(f"the action {action} is not known here")
        return ""

    def _upload(self, inputs: dict[str, str]) -> str:
        paths = inputs["path"].split()
        for path in paths:
            found = self._clone / path
            if found.exists():
                # One path is the artifact's root; several keep their places.
                target = self._artifacts / inputs["name"]
                _copy(found, target / path if len(paths) > 1 or found.is_file() else target)
            elif inputs.get("if-no-files-found") == "error":
                return f"there is no {path} to upload"
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


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.exists():
        shutil.copy(source, target)


def _git(*arguments: str) -> None:
    subprocess.run(
        ["git", *arguments], check=True, env=clean_environment(), stdin=subprocess.DEVNULL
    )
