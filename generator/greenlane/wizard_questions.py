"""One question of the kit at the wizard's prompt."""

from __future__ import annotations

from collections.abc import Mapping

from greenlane.errors import GreenlaneError
from greenlane.kit import Question, Value
from greenlane.prompts import Asker, Check, Option
from greenlane.questions import check


def words(question: Question) -> tuple[str, str]:
    """What is asked, and what is noted below it."""
    message, _, rest = question.help.partition("? ")
    message = f"{message}?" if rest else message
    example = question.placeholder and f"({question.placeholder})"
    return message, " ".join(filter(None, [rest, example]))


def ask_question(
    asker: Asker,
    question: Question,
    values: Mapping[str, Value],
    present: Value | None,
    *,
    problem: Check,
    back: bool,
) -> tuple[Value, str]:
    """The answer, and how it is shown. `present` is offered; `problem` says what is wrong."""
    message, note = words(question)
    if question.type == "bool" or question.choices:
        options = _options(question)
        answer = asker.select(message, options, present, note=note, back=back)
        return answer, next(option.label for option in options if option.value == answer)
    offered = "" if present is None else str(present)
    text = asker.text(message, offered, note=note, check=problem, back=back)
    return check(question, text, values), text


def problem_of(question: Question, text: str, values: Mapping[str, Value]) -> str:
    """Why `text` is no answer; "" when it is one."""
    try:
        check(question, text, values)
    except GreenlaneError as error:
        return error.message.removeprefix(f"{question.name}: ")
    return ""


def _options(question: Question) -> list[Option]:
    if question.type == "bool":
        return [Option(True, "Yes"), Option(False, "No")]
    # A choice's label may explain itself after a dash: "MIT - anyone may use it".
    labels = [(choice.value, choice.label.partition(" - ")) for choice in question.choices]
    return [Option(value, title, hint) for value, (title, _, hint) in labels]
