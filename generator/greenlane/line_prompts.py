"""Asking one question with numbers and lines, where a terminal cannot move its cursor."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from greenlane.console import Console
from greenlane.prompts import Back, Check, Option


class LineAsker:
    """Questions as numbered lists and plain lines: for TERM=dumb and ASCII terminals."""

    def __init__(self, console: Console, read: Callable[[str], str] | None = None) -> None:
        self._console = console
        self._read = read or input

    def session(self) -> AbstractContextManager[None]:
        return nullcontext()

    def select(
        self, message: str, options: Sequence[Option], default: Any, *, note: str, back: bool
    ) -> Any:
        self._ask(message, note)
        self._list(options, set())
        position = next((n for n, o in enumerate(options, 1) if o.value == default), 1)
        while True:
            answer = self._line(f"Number [{position}]", back) or str(position)
            if answer.isdecimal() and 1 <= int(answer) <= len(options):
                return options[int(answer) - 1].value
            self._console.line(f"  Please give a number from 1 to {len(options)}.")

    def pick(
        self,
        message: str,
        options: Sequence[Option],
        chosen: Iterable[Any],
        *,
        explain: Callable[[list[Any]], str],
        problem: Callable[[list[Any]], str],
        back: bool,
    ) -> list[Any]:
        ticked = set(chosen)
        self._ask(message, "")
        while True:
            self._list(options, ticked)
            picked = [o.value for o in options if o.value in ticked and not o.locked]
            for text in (explain(picked), problem(picked)):
                if text:
                    self._console.paragraph(text, indent=2)
            answer = self._line("Numbers to switch, or enter to go on", back)
            if not answer:
                if not problem(picked):
                    return picked
                continue
            for word in re.split(r"[\s,]+", answer):
                if word.isdecimal() and 1 <= int(word) <= len(options):
                    ticked ^= {options[int(word) - 1].value}
                else:
                    self._console.line(f"  There is no number {word}.")

    def text(
        self,
        message: str,
        default: str,
        *,
        note: str,
        check: Check,
        back: bool,
        secret: bool = False,
    ) -> str:
        self._ask(message, note)
        shown = "*" * len(default) if secret else default
        while True:
            answer = self._line(f"[{shown}]" if shown else "", back, secret=secret) or default
            problem = check(answer)
            if not problem:
                return answer
            self._console.paragraph(problem, indent=2)

    def _ask(self, message: str, note: str) -> None:
        self._console.line()
        self._console.paragraph(message)
        if note:
            self._console.paragraph(note, indent=2)

    def _list(self, options: Sequence[Option], ticked: set[Any]) -> None:
        group = ""
        for number, option in enumerate(options, 1):
            if option.group != group:
                group = option.group
                self._console.line(f"  {group}")
            mark = "[x] " if option.value in ticked or option.locked else "[ ] "
            mark = mark if ticked or option.group else ""
            text = " - ".join(filter(None, [option.label, option.hint, option.locked]))
            text = "; ".join(filter(None, [text, option.adds]))
            self._console.paragraph(f"{number:>3} {mark}{text}", indent=1, hang=6)

    def _line(self, ask: str, back: bool, *, secret: bool = False) -> str:
        from getpass import getpass

        hint = " (< to go back)" if back else ""
        read = getpass if secret and self._read is input else self._read
        try:
            answer = read(f"{ask}{hint}: ".lstrip()).strip()
        except (EOFError, KeyboardInterrupt):
            self._console.line()  # what is said next is not part of the answer
            raise KeyboardInterrupt from None
        if back and answer == "<":
            raise Back
        return answer
