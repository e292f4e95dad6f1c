"""The texts of a new module and of a new kit. `@NAME@` and the like are replaced in them."""

FEATURE = {
    "module.yml": """\
title: @TITLE@
description: Greets at /@NAME@; say here in a sentence what it adds.
category: @CATEGORY@

contributes:
  features: [app.@PACKAGE@]
""",
    "files/app/@PACKAGE@/__init__.py": '''\
"""@TITLE@: greets at GET /@NAME@."""

from fastapi import FastAPI
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.services import Services


class ModuleSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=".env",
        env_prefix="@SETTING@_",
        extra="ignore",
    )

    greeting: str = "Hello"


def setup(app: FastAPI, services: Services) -> None:
    settings = ModuleSettings()

    # Not a part of the API's contract: no program of a customer reads it.
    @app.get("/@NAME@", include_in_schema=False)
    async def greet() -> dict[str, str]:
        return {"greeting": settings.greeting}
''',
    "files/tests/@PACKAGE@/__init__.py": '"""Tests of app.@PACKAGE@."""\n',
    "files/tests/@PACKAGE@/test_@PACKAGE@.py": '''\
"""It greets, in the words of its setting."""

import httpx2
import pytest
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings

pytestmark = pytest.mark.anyio


async def greeting(app: FastAPI) -> str:
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        return (await client.get("/@NAME@")).json()["greeting"]


async def test_it_greets(app: FastAPI) -> None:
    assert await greeting(app) == "Hello"


async def test_in_other_words(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("@SETTING@_GREETING", "Good morning")
    assert await greeting(create_app(settings)) == "Good morning"
''',
    "slots/public.yaml": "  GET /@NAME@: It greets everybody alike.\n",
    "slots/readme.md": """\
## @TITLE@

`/@NAME@` greets with the words of `@SETTING@_GREETING`.
""",
    "slots/env.example": """\
# What /@NAME@ says
@SETTING@_GREETING=Hello
""",
}
"""A module for a base that loads features, with a test that the rendered repository runs."""

DOCUMENT = {
    "module.yml": """\
title: @TITLE@
description: Adds docs/@NAME@.md; say here in a sentence what it adds.
category: @CATEGORY@
""",
    "files/docs/@NAME@.md": "# @TITLE@\n",
    "slots/readme.md": "## @TITLE@\n\nSee [docs/@NAME@.md](docs/@NAME@.md).\n",
}
"""A module for any other base."""

KIT = {
    "kit.yml": """\
name: @NAME@
version: "0.1.0"
description: What @TITLE@ adds to the kit of @BASE@.
extends: @EXTENDS@
""",
    "presets/@NAME@.yml": """\
description: The application with everything of @TITLE@
app: @APP@
modules: [@MODULE@]
""",
    "README.md": """\
# @NAME@

Modules and presets that extend the kit of [greenlane](https://pypi.org/project/greenlane/).

```console
$ greenlane list --kit .
$ greenlane new my-app --kit . --preset @NAME@
```

`GREENLANE_KIT` names this folder once for all commands. Installed beside greenlane, the kit needs
no option:

```console
$ uv tool install greenlane --with @NAME@
```

## Work on it

```console
$ greenlane kit new-module another
$ greenlane kit lint
$ greenlane kit test
```

A release is a version in `kit.yml` and a tag with a `v` before it. `greenlane kit test` updates
projects of the last releases to what is here, with the edits of a user in them.
""",
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "@NAME@"
description = "What @TITLE@ adds to the kit of greenlane"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["greenlane"]
dynamic = ["version"]

# Found by greenlane when it is installed beside it.
[project.entry-points."greenlane.kits"]
@NAME@ = "@PACKAGE@"

[tool.hatch.version]
path = "kit.yml"
pattern = 'version: "(?P<version>[^"]+)"'

[tool.hatch.build.targets.wheel]
only-include = ["kit.yml", "versions.yml", "apps", "modules", "presets"]
sources = { "" = "@PACKAGE@" }
""",
    ".gitignore": "/.venv/\n/dist/\n__pycache__/\n",
}
"""The repository of a kit that extends another one; a module and the pipeline come to it."""
