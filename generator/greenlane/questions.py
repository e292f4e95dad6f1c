"""One question: is it asked, what is its default, is this an answer to it."""

import re
from collections.abc import Iterable, Mapping

from greenlane.errors import GreenlaneError
from greenlane.kit import Kit, Question, Value
from greenlane.manifest import kind_of
from greenlane.patterns import matches

_LENGTH = 500
# Line ends, controls, and characters that make a text look other than it is (overrides of the
# writing direction). Half of a surrogate pair cannot be written as UTF-8.
_UNWELCOME = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_YES = frozenset(("true", "yes", "on", "y", "1"))
_NO = frozenset(("false", "no", "off", "n", "0"))
_INT = re.compile(r"[-+]?[0-9]{1,15}")


def applicable(kit: Kit, app: str, modules: Iterable[str]) -> tuple[Question, ...]:
    """The questions of the chosen parts, in the order in which they are asked."""
    chosen = {part.name for part in kit.chosen(app, modules)}
    return tuple(question for question in kit.questions if question.part in chosen)


def is_asked(question: Question, values: Mapping[str, Value]) -> bool:
    """Whether the answers so far leave the question a point."""
    if isinstance(question.when, bool):
        return question.when
    from greenlane.sandbox import evaluate, plain

    return evaluate(
        question.when, plain(values), _shown(question, "when"), trusted=question.trusted
    )


def default_of(question: Question, values: Mapping[str, Value]) -> Value | None:
    """The default, given the answers so far; None when the question has none."""
    default = question.default
    if not isinstance(default, str) or "{" not in default:
        return default
    from greenlane.sandbox import plain, render_text

    shown = _shown(question, "default")
    text = render_text(default, plain(values), shown, trusted=question.trusted)
    try:
        return _parsed(question, text)
    except GreenlaneError as error:
        raise GreenlaneError(f"{shown} gave an unfit value. {error.message}", error.hint) from None


def check(question: Question, value: object, values: Mapping[str, Value]) -> Value:
    """The answer `value`, a text as typed or a value of the right type, as the question's type.

    `values` are the answers to earlier questions. Raises GreenlaneError with the reason.
    """
    answer = _parsed(question, value)
    if question.pattern and not _matches(question, str(answer)):
        raise _unfit(question, value, f"expected {question.pattern_help}.")
    if question.validator:
        from greenlane.sandbox import plain, render_text

        context = plain({**values, question.name: answer})
        shown = _shown(question, "validator")
        problem = render_text(question.validator, context, shown, trusted=question.trusted)
        if problem := problem.strip():
            raise _unfit(question, value, problem)
    return answer


def _matches(question: Question, answer: str) -> bool:
    shown = _shown(question, "pattern")
    if question.trusted:
        return matches(question.pattern, answer, shown)
    from greenlane.confinement import confined

    return bool(confined("match", shown, question.pattern, answer))


def _shown(question: Question, key: str) -> str:
    return f"{question.part}, {key} of {question.name}"


def _parsed(question: Question, value: object) -> Value:
    if question.choices:
        return _choice(question, value)
    match question.type:
        case "bool":
            return _bool(question, value)
        case "int":
            return _int(question, value)
        case _:
            return _text(question, value)


def _choice(question: Question, value: object) -> Value:
    for choice in question.choices:
        if type(choice.value) is type(value) and choice.value == value:
            return choice.value
    written = str(value).lower() if isinstance(value, bool) else str(value)
    for choice in question.choices:
        known = str(choice.value)
        if written == (known.lower() if isinstance(choice.value, bool) else known):
            return choice.value
    values = ", ".join(str(choice.value) for choice in question.choices)
    raise _unfit(question, value, f"expected one of: {values}.")


def _bool(question: Question, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _YES | _NO:
        return value.strip().lower() in _YES
    raise _unfit(question, value, "expected true or false.")


def _int(question: Question, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and _INT.fullmatch(str(value)):
        return value
    if isinstance(value, str) and _INT.fullmatch(value.strip()):
        return int(value)
    raise _unfit(question, value, "expected a whole number of at most 15 digits.")


def _text(question: Question, value: object) -> str:
    if not isinstance(value, str):
        raise _unfit(question, value, f"expected a text, found {kind_of(value)}; put it in quotes.")
    if len(value) > _LENGTH:
        raise _unfit(
            question, f"{value[:40]}...", f"it has {len(value)} characters, at most {_LENGTH} fit."
        )
    if found := _UNWELCOME.search(value):
        code = f"U+{ord(found[0]):04X}"
        raise _unfit(question, value, f"it holds a line end or a control character ({code}).")
    return value


def _unfit(question: Question, value: object, reason: str) -> GreenlaneError:
    written = f'"{value}"' if isinstance(value, str) and value.isprintable() else ascii(value)
    return GreenlaneError(
        f"{question.name}: {written if value != '' else 'an empty answer'} does not fit; {reason}",
        f"{question.help} Give it with --set {question.name}=... or in the answers file.",
    )
