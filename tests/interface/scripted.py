"""A person at the wizard who answers from a list."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from greenlane.prompts import Back, Option


class Script:
    """An asker that answers from a list: ACCEPT takes the default, BACK goes back."""

    ACCEPT, BACK, LEAVE = object(), object(), object()

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.defaults: dict[str, Any] = {}
        self.options: dict[str, list[Any]] = {}
        self.adds: dict[str, list[str]] = {}
        self.problems: list[str] = []

    def session(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _next(self, message: str, default: Any, back: bool) -> Any:
        self.asked.append(message)
        self.defaults[message] = default
        answer = self.answers.pop(0)
        if answer is self.BACK:
            assert back, f"no way back from: {message}"
            raise Back
        if answer is self.LEAVE:
            raise KeyboardInterrupt
        return default if answer is self.ACCEPT else answer

    def select(
        self, message: str, options: Sequence[Option], default: Any, *, note: str, back: bool
    ) -> Any:
        self.options[message] = [option.value for option in options]
        self.adds[message] = [option.adds for option in options]
        answer = self._next(message, default, back)
        assert answer in self.options[message]
        return answer

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
        self.options[message] = list(options)
        answer = self._next(message, list(chosen), back)
        self.problems.append(problem(answer))
        self.explained = explain(answer)
        return answer

    def text(
        self,
        message: str,
        default: str,
        *,
        note: str,
        check: Callable[[str], str],
        back: bool,
        secret: bool = False,
    ) -> str:
        answer = self._next(message, default, back)
        while problem := check(answer):
            self.problems.append(problem)
            answer = self._next(message, default, back)
        return answer
