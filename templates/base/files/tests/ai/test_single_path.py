"""Nobody reaches a model but through the gateway."""

import ast
from pathlib import Path

import pytest

OUTSIDE = sorted(path for path in Path("app").rglob("*.py") if Path("app/ai") not in path.parents)
SDKS = {"openai", "anthropic", "litellm", "mistralai", "cohere"}


class Violations(ast.NodeVisitor):
    """Imports of SDKs, and calls of a Model: `complete` or `stream` of a request and a deadline.

    A class that is a Model itself, to watch or record another, may pass such a call on.
    """

    def __init__(self) -> None:
        self.found: list[str] = []
        self._inside: list[str] = []

    def visit_Import(self, node: ast.Import) -> None:
        self._imported([alias.name for alias in node.names])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._imported([f"{node.module}.{alias.name}" for alias in node.names])

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._inside.append(node.name)
        self.generic_visit(node)
        self._inside.pop()

    def visit_Call(self, node: ast.Call) -> None:
        if (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in {"complete", "stream"}
            and node.func.attr not in self._inside
            and len(node.args) + len(node.keywords) == 2
            and not any(keyword.arg == "principal" for keyword in node.keywords)
        ):
            self.found.append(f"calls {ast.unparse(node.func)}()")
        self.generic_visit(node)

    def _imported(self, names: list[str]) -> None:
        for name in names:
            if name.partition(".")[0] in SDKS or name.startswith("app.ai.calls"):
                self.found.append(f"imports {name}")


def violations(source: str) -> list[str]:
    visitor = Violations()
    visitor.visit(ast.parse(source))
    return visitor.found


@pytest.mark.parametrize("path", OUTSIDE, ids=str)
def test_only_the_gateway_talks_to_models(path: Path) -> None:
    assert violations(path.read_text(encoding="utf-8")) == []


def test_the_check_sees_what_it_is_for() -> None:
    assert violations("import openai") == ["imports openai"]
    assert violations("from openai import AsyncOpenAI") == ["imports openai.AsyncOpenAI"]
    assert violations("from app.ai.calls import Caller") == ["imports app.ai.calls.Caller"]
    call = "await model.{}(request, deadline)"
    for name in ("complete", "stream"):
        one = call.format(name)
        assert violations(f"async def answer(model):\n    {one}") == [f"calls model.{name}()"]
        assert violations(f"async def {name}(self, request, deadline):\n    {one}") == []
    assert violations("async def f(s):\n    await s.gateway.complete('a', {}, principal=p)") == []
