"""Asking a template's own questions, as its library puts them, with a way back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from greenlane.console import Console
from greenlane.errors import GreenlaneError
from greenlane.exits import Left
from greenlane.prompts import Asker, Back, Option, asker_for
from greenlane.sources.renderer import Job
from greenlane.sources.template import TemplateSource


def ask(
    source: TemplateSource, job: Job, console: Console, asker: Asker | None = None
) -> dict[str, Any]:
    """The answers, given ones included. Raises Left when the person leaves."""
    try:
        return _Interview(source, job, console, asker or asker_for(console)).answers()
    except KeyboardInterrupt:
        raise Left("Nothing was written.") from None


class _Interview:
    def __init__(self, source: TemplateSource, job: Job, console: Console, asker: Asker) -> None:
        self._source, self._job, self._console, self._asker = source, job, console, asker
        self._given = dict(job.given)
        self._asked: list[str] = []

    def answers(self) -> dict[str, Any]:
        with self._asker.session():
            while question := self._next(self._given):
                try:
                    name = question["name"]
                    self._given[name] = self._answer(question, back=bool(self._asked))
                    self._asked.append(name)
                    self._echo(question, self._given[name])
                except Back:
                    self._given.pop(self._asked.pop())
                    if self._console.animated:
                        self._console.erase_line()
        return self._given

    def _next(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._source.renderer.ask(replace(self._job, given=given))

    def _answer(self, question: dict[str, Any], *, back: bool) -> Any:
        kind, choices = question["type"], question["choices"]
        message, note = _words(question)
        if kind == "confirm":
            options = [Option(True, "Yes"), Option(False, "No")]
            default = bool(question["default"])
            return self._asker.select(message, options, default, note=note, back=back)
        options = [Option(n, _clean(str(c["label"]))) for n, c in enumerate(choices)]
        if kind == "checkbox":
            ticked = [n for n, choice in enumerate(choices) if choice["checked"]]
            picked = self._asker.pick(
                message,
                options,
                ticked,
                explain=lambda _: note,
                problem=lambda n: self._problem(question, [choices[i]["value"] for i in n]),
                back=back,
            )
            return [choices[n]["value"] for n in picked]
        if choices:
            values = [choice["value"] for choice in choices]
            first = values.index(question["default"]) if question["default"] in values else 0
            picked = self._asker.select(message, options, first, note=note, back=back)
            return values[picked]
        return self._text(question, message, note, back=back)

    def _text(self, question: dict[str, Any], message: str, note: str, *, back: bool) -> Any:
        default = question["default"]
        shown = default if isinstance(default, str) else "" if default is None else _json(default)
        if "\n" in shown:  # one line is asked for: an empty one keeps those of the default
            note, shown = f"{note} (enter keeps {len(shown.splitlines())} lines)".strip(), ""

        def problem(text: str) -> str:
            return self._problem(question, text or default)

        text = self._asker.text(
            *(message, shown),
            **{"note": note, "check": problem, "back": back, "secret": question["secret"]},
        )
        return text or ("" if default is None else default)

    def _problem(self, question: dict[str, Any], value: Any) -> str:
        """What the library finds wrong with an answer."""
        try:
            self._next({**self._given, question["name"]: "" if value is None else value})
        except GreenlaneError as error:
            return error.message
        return ""

    def _echo(self, question: dict[str, Any], value: Any) -> None:
        console = self._console
        mark = console.style(console.symbol("ok"), "green")
        shown = "***" if question["secret"] else value if isinstance(value, str) else _json(value)
        label = console.cut(_words(question)[0], console.width // 2)
        room = console.width - 6 - len(label)
        console.line(
            f"{mark} {console.style(label, 'dim')}  {console.cut(shown or '(nothing)', room)}"
        )


def _words(question: dict[str, Any]) -> tuple[str, str]:
    """The question on one line, and what else there is to say."""
    first, _, rest = str(question["help"]).partition("\n")
    hint = str(question.get("placeholder") or "")
    return _clean(first) or question["name"], " ".join(
        part for part in (_clean(rest), f"({_clean(hint)})" if hint else "") if part
    )


def _clean(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
