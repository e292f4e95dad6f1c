"""Copier in the child process: its own questions, its own rendering, on a checkout of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import copier._main as library
from copier._main import Worker
from copier._types import Phase

from greenlane.sources.safer import EXTENSIONS, Safer


class _Asked(BaseException):
    """A question that Copier would ask now; not an Exception, which it would catch."""

    def __init__(self, structure: dict[str, Any]) -> None:
        super().__init__()
        self.structure = structure


class _Sandbox(Safer, library.SandboxedEnvironment):
    pass


class Copier:
    def __init__(self, trusted: bool) -> None:
        self._trusted = trusted
        if not trusted:
            vars(library)["SandboxedEnvironment"] = _Sandbox
        # git is asked about every file of the destination, which is no repository.
        vars(library).update(unsafe_prompt=_ask, is_git_available=lambda: False)

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        worker = self._worker(job, defaults=False)
        try:
            with Phase.use(Phase.PROMPT):
                worker._ask()
        except _Asked as asked:
            return _described(asked.structure, worker)
        except Exception as error:
            return {"problem": str(error)}
        return {}

    def render(self, job: dict[str, Any]) -> dict[str, Any]:
        worker = self._worker(job, defaults=True)
        code, migrations = self._code(worker), worker.template._raw_config.get("_migrations", ())
        worker.run_copy()
        answers = worker.answers
        secret = worker.template.secret_questions
        remembered = worker._answers_to_remember()
        kept = {key: remembered[key] for key in worker.template.questions_data if key in remembered}
        data = {k: v for k, v in job["given"].items() if k not in kept and k not in secret}
        return {
            "answers": kept,
            "data": data,
            "questions": list(worker.template.questions_data),
            "secret": sorted(secret & set(answers.combined)),
            "new": [key for key in kept if key not in job["last"] and key not in job["given"]],
            "ran": code if self._trusted else [],
            "skipped": [] if self._trusted else code,
            "migrations": len(migrations),
        }

    def _worker(self, job: dict[str, Any], *, defaults: bool) -> Worker:
        worker = Worker(
            src_path=job["source"],
            dst_path=Path(job["out"]),
            vcs_ref=job["ref"] or None,
            data=dict(job["given"]),
            settings=_no_settings(),
            defaults=defaults,
            quiet=True,
            unsafe=self._trusted,
            skip_tasks=not self._trusted,
        )
        # What it would find out with git, from a clone of its own.
        template = worker.template
        template.__dict__.update(
            local_abspath=Path(job["template"]).resolve(),
            vcs="git" if job["commit"] else None,
            commit=job["version"] if job["commit"] else None,
            commit_hash=job["commit"] or None,
            git_index_modes={},
        )
        self._only_harmless(worker)
        worker.subproject.__dict__["last_answers"] = dict(job["last"])
        return worker

    def _only_harmless(self, worker: Worker) -> None:
        """Load Jinja's own extensions, and let Copier believe that there are none."""
        if self._trusted:
            return
        kept = worker.template.__dict__
        kept["jinja_extensions"] = tuple(
            name for name in worker.template.jinja_extensions if name in EXTENSIONS
        )
        _ = worker.jinja_env
        kept["jinja_extensions"] = ()

    def _code(self, worker: Worker) -> list[str]:
        """What a trusted template would run, in words."""
        config = worker.template.config_data
        extensions = [x for x in config.get("jinja_extensions", ()) if x not in EXTENSIONS]
        tasks = len(config.get("tasks", ()))
        found = [f"{tasks} task{'s' if tasks > 1 else ''}"] if tasks else []
        return found + [f"Jinja extension {name}" for name in extensions]


def _ask(
    questions: list[dict[str, Any]], answers: dict[str, Any] | None = None, **_: object
) -> dict[str, Any]:
    """In place of questionary, which skips a question whose `when` does not hold."""
    (question,) = questions
    if not question["when"](answers):
        return dict(answers or {})
    raise _Asked(question)


def _no_settings() -> Any:
    """Settings of nobody: the person's own would make two renderings differ."""
    return (getattr(library, "SettingsModel", None) or library.Settings)()


def _described(structure: dict[str, Any], worker: Worker) -> dict[str, Any]:
    name, default = structure["name"], structure.get("default")
    choices = [
        {"label": choice.title, "value": choice.value, "checked": bool(choice.checked)}
        for choice in structure.get("choices", ())
        if not choice.disabled
    ]
    return {
        "name": name,
        "type": structure["type"],
        "help": structure["message"].strip(),
        "default": getattr(default, "value", default),
        "choices": choices,
        "secret": name in worker.template.secret_questions,
        "placeholder": structure.get("placeholder", ""),
    }
