"""GitHub's expressions, as far as the kit's workflows use them. Anything else is an error."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<operator>\|\||&&|[=!]=|[!(),.*])"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_-]*))"
)
_EMBEDDED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_CONSTANTS = {"true": True, "false": False, "null": None}


class UnsupportedExpressionError(Exception):
    """The expression uses something that this evaluator does not know."""


class Payload(dict[str, Any]):
    """What an event carries, `github.event`. What it lacks is empty, as on GitHub."""

    def __missing__(self, key: str) -> "Payload":
        return Payload()


class Expressions:
    """Evaluates expressions over the contexts of one job: `github`, `matrix`, `needs`, `steps`.

    `workspace` is where `hashFiles` looks; `outcome` is what `success()`, `failure()` and
    `cancelled()` report: "success", "failure" or "cancelled".
    """

    def __init__(self, contexts: Mapping[str, Any], workspace: Path, outcome: str) -> None:
        self._contexts = contexts
        self._workspace = workspace
        self._outcome = outcome
        self._functions: dict[str, Callable[..., Any]] = {
            "always": lambda: True,
            "success": lambda: self._outcome == "success",
            "failure": lambda: self._outcome == "failure",
            "cancelled": lambda: self._outcome == "cancelled",
            "hashFiles": self._hash_files,
            "join": lambda items, separator=",": separator.join(map(text_of, items)),
            "toJSON": lambda value: json.dumps(value, indent=2),
        }

    def value(self, source: str) -> Any:
        """The value of an expression, written without its `${{ }}`."""
        self._tokens = _tokens(source)
        self._source = source
        result = self._either()
        if self._tokens:
            raise UnsupportedExpressionError(f"{source!r}: what is {self._tokens[0][1]!r}?")
        return result

    def fill(self, template: object) -> str:
        """The text with each `${{ }}` replaced by the text of its value."""
        return _EMBEDDED.sub(lambda match: text_of(self.value(match[1])), text_of(template))

    def condition(self, source: object) -> bool:
        """Whether a step or job with this `if:` runs; with no status function it needs success."""
        written = text_of(source).strip()
        whole = _EMBEDDED.fullmatch(written)
        inner = whole[1] if whole else written
        if not re.search(r"\b(always|success|failure|cancelled)\(", inner):
            inner = f"success() && ({inner})"
        return bool(self.value(inner))

    def _either(self) -> Any:
        left = self._both()
        while self._take("||"):
            right = self._both()
            left = left or right
        return left

    def _both(self) -> Any:
        left = self._comparison()
        while self._take("&&"):
            right = self._comparison()
            left = left and right
        return left

    def _comparison(self) -> Any:
        left = self._negation()
        if self._take("=="):
            return _comparable(left) == _comparable(self._negation())
        if self._take("!="):
            return _comparable(left) != _comparable(self._negation())
        return left

    def _negation(self) -> Any:
        if self._take("!"):
            return not self._negation()
        if self._take("("):
            inner = self._either()
            self._need(")")
            return inner
        return self._operand()

    def _operand(self) -> Any:
        if not self._tokens:
            raise UnsupportedExpressionError(f"{self._source!r} ends too early")
        kind, token = self._tokens.pop(0)
        if kind == "text":
            return token[1:-1].replace("''", "'")
        if kind == "number":
            return float(token)
        if kind != "name":
            raise UnsupportedExpressionError(f"{self._source!r}: unexpected {token!r}")
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        return self._call(token) if self._take("(") else self._lookup(token)

    def _call(self, name: str) -> Any:
        if name not in self._functions:
            raise UnsupportedExpressionError(f"{self._source!r}: function {name!r}")
        arguments = []
        while not self._take(")"):
            arguments.append(self._either())
            if not self._take(","):
                self._need(")")
                break
        return self._functions[name](*arguments)

    def _lookup(self, name: str) -> Any:
        if name not in self._contexts:
            raise UnsupportedExpressionError(f"{self._source!r}: context {name!r}")
        value: Any = self._contexts[name]
        spread = False
        while self._take("."):
            if self._take("*"):
                value, spread = self._entries(value), True
                continue
            _, key = self._tokens.pop(0)
            items = [self._entry(item, key) for item in (value if spread else [value])]
            value = items if spread else items[0]
        return value

    def _entries(self, value: Any) -> list[Any]:
        if not isinstance(value, Mapping):
            raise UnsupportedExpressionError(f"{self._source!r}: * of something without entries")
        return list(value.values())

    def _entry(self, value: Any, key: str) -> Any:
        if isinstance(value, Payload):
            return value[key]
        # GitHub gives "" for what is missing; here that is a slip to be told of.
        if not isinstance(value, Mapping) or key not in value:
            raise UnsupportedExpressionError(f"{self._source!r}: there is no {key!r}")
        return value[key]

    def _take(self, operator: str) -> bool:
        if self._tokens and self._tokens[0] == ("operator", operator):
            self._tokens.pop(0)
            return True
        return False

    def _need(self, operator: str) -> None:
        if not self._take(operator):
            raise UnsupportedExpressionError(f"{self._source!r}: {operator!r} is missing")

    def _hash_files(self, *patterns: str) -> str:
        files = sorted({file for pattern in patterns for file in self._workspace.glob(pattern)})
        if not files:
            return ""
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def text_of(value: object) -> str:
    """A value as GitHub writes it into a text."""
    match value:
        case None | Payload():
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _comparable(value: Any) -> Any:
    # Texts compare without regard to case.
    return value.lower() if isinstance(value, str) else value


def _tokens(source: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position, source = 0, source.strip()
    while position < len(source):
        match = _TOKEN.match(source, position)
        if not match:
            raise UnsupportedExpressionError(f"{source!r}: cannot read {source[position:]!r}")
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        position = match.end()
    return tokens
