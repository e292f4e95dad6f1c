"""Cookiecutter in the child process: its own questions, its own rendering."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import cookiecutter.extensions  # noqa: F401 - loaded before the fence stands
import cookiecutter.prompt as prompt
import cookiecutter.utils as utils
from cookiecutter.environment import ExtensionLoaderMixin
from cookiecutter.generate import apply_overwrites_to_context, generate_context, generate_files
from cookiecutter.hooks import run_pre_prompt_hook
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from greenlane.sources.safer import EXTENSIONS, Safer

_HOOKS = ("pre_prompt", "pre_gen_project", "post_gen_project")


class _Asked(BaseException):
    """A question that Cookiecutter would ask now."""

    def __init__(self, question: dict[str, Any]) -> None:
        super().__init__()
        self.question = question


class _Sandbox(Safer, ExtensionLoaderMixin, SandboxedEnvironment):
    """Cookiecutter's environment, which has no sandbox, in one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(undefined=StrictUndefined, **kwargs)

    def _read_extensions(self, context: dict[str, Any]) -> list[str]:
        return [name for name in super()._read_extensions(context) if name in EXTENSIONS]


class Cookiecutter:
    def __init__(self, trusted: bool) -> None:
        self._trusted = trusted
        self._answers: dict[str, Any] = {}  # given, or found out
        self._asked: dict[str, Any] = {}
        self._interactive = False
        self._outdated: set[str] = set()
        if not trusted:
            vars(utils)["StrictEnvironment"] = _Sandbox
        vars(prompt).update(
            read_user_variable=self._variable,
            read_user_choice=self._choice,
            read_user_yes_no=self._yes_no,
            read_user_dict=self._dict,
        )

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        self._begin(job, interactive=True)
        try:
            self._context(job)
        except _Asked as asked:
            return asked.question
        except Exception as error:
            return {"problem": str(error)}
        return {}

    def render(self, job: dict[str, Any]) -> dict[str, Any]:
        self._begin(job, interactive=False)
        folder, context = self._context(job)
        code = self._code(folder, context)
        Path(job["out"]).mkdir()
        made = generate_files(
            repo_dir=str(folder),
            context=context,
            output_dir=job["out"],
            accept_hooks=self._trusted,
            keep_project_on_failure=True,
        )
        return {
            "made": os.path.relpath(made, job["out"]),
            "answers": self._asked,
            "data": {k: v for k, v in job["given"].items() if k not in self._asked},
            "questions": list(self._asked),
            "secret": [],
            "new": [key for key in self._asked if key not in self._answers],
            "skipped": [] if self._trusted else code,
            "ran": code if self._trusted else [],
            "migrations": 0,
        }

    def _begin(self, job: dict[str, Any], *, interactive: bool) -> None:
        self._answers = {**job["last"], **job["given"]}
        self._asked, self._interactive = {}, interactive
        self._outdated = set(job["last"]) - set(job["given"])

    def _context(self, job: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
        """The folder of the template, perhaps one of several, and all that it renders with."""
        root = Path(job["template"]).resolve()
        folder = _inside(root, root / job["directory"])
        while True:
            if self._trusted:
                folder = Path(run_pre_prompt_hook(folder))
            context = generate_context(str(folder / "cookiecutter.json"))
            values = context["cookiecutter"]
            private = {key: value for key, value in self._answers.items() if key[:1] == "_"}
            apply_overwrites_to_context(values, private)
            if not {"template", "templates"} & values.keys():
                break
            folder = _inside(root, Path(prompt.choose_nested_template(context, str(folder))))
        if self._trusted:
            sys.path.append(str(folder))  # where Cookiecutter looks for extensions, too
        context["_cookiecutter"] = {k: v for k, v in values.items() if k[:1] != "_"}
        if values:
            values.update(prompt.prompt_for_config(context, no_input=False))
        # Hooks may look for files there; without them the same is rendered on every machine.
        values["_template"] = job["source"]
        values["_output_dir"] = job["out"] if self._trusted else "."
        values["_repo_dir"] = str(folder) if self._trusted else job["source"]
        values["_checkout"] = job["ref"] or None
        return folder, context

    def _code(self, folder: Path, context: dict[str, Any]) -> list[str]:
        """What a trusted template would run, in words."""
        hooks = folder / "hooks"
        names = sorted(hook.name for hook in hooks.iterdir()) if hooks.is_dir() else []
        found = [f"hook {name}" for name in names if Path(name).stem in _HOOKS and name[-1] != "~"]
        extensions = context["cookiecutter"].get("_extensions", ())
        return found + [f"Jinja extension {x}" for x in extensions if x not in EXTENSIONS]

    # -- in place of Cookiecutter's own prompts: a given answer, the default, or a question ------

    def _variable(self, name: str, default: Any, prompts: Any = None, prefix: str = "") -> Any:
        def fit(value: Any) -> Any:
            return value if value is None or isinstance(value, bool) else str(value)

        return self._answer(name, default, fit, {"type": "input", "help": _help(prompts, name)})

    def _yes_no(self, name: str, default: Any, prompts: Any = None, prefix: str = "") -> Any:
        def fit(value: Any) -> bool:
            text = str(value).strip().lower()
            if text not in (*prompt.YesNoPrompt.yes_choices, *prompt.YesNoPrompt.no_choices):
                raise ValueError(f"{name}: {value!r} is neither yes nor no")
            return text in prompt.YesNoPrompt.yes_choices

        return self._answer(name, default, fit, {"type": "confirm", "help": _help(prompts, name)})

    def _choice(self, name: str, options: list, prompts: Any = None, prefix: str = "") -> Any:
        def fit(value: Any) -> Any:
            for option in options:
                if value == option or str(value) == str(option):
                    return option
            raise ValueError(f"{name}: {value!r} is none of {', '.join(map(str, options))}")

        if not options:
            raise ValueError(f"{name} has no choices")
        words = (prompts or {}).get(name)
        labels = words if isinstance(words, dict) else {}
        choices = [
            {"label": str(labels.get(option, option)), "value": option, "checked": False}
            for option in options
        ]
        help_ = labels.get("__prompt__", "") if labels else _help(prompts, name)
        question = {"type": "select", "help": help_ or name, "choices": choices}
        return self._answer(name, options[0], fit, question)

    def _dict(self, name: str, default: Any, prompts: Any = None, prefix: str = "") -> Any:
        def fit(value: Any) -> Any:
            given = prompt.process_json(value) if isinstance(value, str) else value
            if not isinstance(given, dict):
                raise ValueError(f"{name}: expected a mapping")
            whole = {name: dict(default)}
            apply_overwrites_to_context(whole, {name: given})
            return whole[name]

        return self._answer(name, default, fit, {"type": "json", "help": _help(prompts, name)})

    def _answer(self, name: str, default: Any, fit: Any, question: dict[str, Any]) -> Any:
        value = default
        if name in self._answers:
            try:
                value = fit(self._answers[name])
            except Exception:
                if name not in self._outdated:
                    raise
        elif self._interactive:
            raise _Asked(
                {"choices": [], "secret": False, **question, "name": name, "default": value}
            )
        self._asked[name] = value
        return value


def _help(prompts: Any, name: str) -> str:
    found = (prompts or {}).get(name)
    return found if isinstance(found, str) and found else name


def _inside(root: Path, folder: Path) -> Path:
    """`folder`, unless it is not in the template's checkout."""
    folder = folder.resolve()
    if not folder.is_relative_to(root):
        raise ValueError(f"{folder} is outside the template")
    return folder
