"""Nobody reaches a model but through the gateway."""

import ast
from pathlib import Path

import pytest

OUTSIDE = sorted(path for path in Path("app").rglob("*.py") if Path("app/ai") not in path.parents)


def violations(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] in {"openai", "anthropic", "litellm"}:
                found.append(f"imports {parts[0]}")
            if parts[:2] == ["app", "ai"] and parts[2:3] and parts[2] in {"openai_model", "calls"}:
                found.append(f"imports {name}")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if node.func.attr in {"complete", "stream"} and "gateway" not in owner.lower():
                found.append(f"calls {owner}.{node.func.attr}()")
    return found


@pytest.mark.parametrize("path", OUTSIDE, ids=str)
def test_only_the_gateway_talks_to_models(path: Path) -> None:
    assert violations(path.read_text(encoding="utf-8")) == []


def test_the_check_sees_what_it_is_for() -> None:
    assert violations("import openai") == ["imports openai"]
    assert violations("from openai import AsyncOpenAI") == ["imports openai"]
    assert violations("from app.ai.openai_model import OpenAIModel")
    assert violations("async def f(m):\n    await m.complete(1)") == ["calls m.complete()"]
    assert violations("async def f(s):\n    await s.gateway.complete(1)") == []
