"""Tiny kits, written inside the test that needs them."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no reason to fail.
settings.register_profile("greenlane", deadline=None)
settings.load_profile("greenlane")

# A shell starts what runs in its background with Ctrl-C ignored, and every child inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)

TINY: dict[str, str] = {
    "kit.yml": """\
name: tiny
version: "1.2.0"
description: A kit for tests
categories:
  work: Work
questions: [project_name, database, database_url, loud]
""",
    "versions.yml": """\
python:
  click: ">=8.2"
  redis: ">=6,<7"
""",
    "base/module.yml": """\
title: Base
description: What every repository has
sets:
  dependencies: Packages
  features: Python packages
slots:
  readme.md: A section of the README
questions:
  project_name:
    help: What is it called?
    default: my-app
    pattern: "[a-z][a-z0-9-]{1,48}"
    pattern_help: lower-case letters, digits and dashes
  database:
    help: Which database?
    choices: {SQLite: sqlite, PostgreSQL: postgres}
    default: sqlite
  database_url:
    help: Where is it?
    default: "postgres://localhost/{{ project_name }}"
    when: "{{ database == 'postgres' }}"
contributes:
  dependencies: [click]
""",
    "base/files/README.md.jinja": """\
# {{ project_name }}

{% for name in sets.dependencies %}
- {{ name }}{{ versions.python[name] }}
{% endfor %}

{{ slots["readme.md"] }}
""",
    "base/files/app/main.py": 'print("{{ not a template }}")\n',
    "base/files/tool": "#!/bin/sh\nexit 0\n",
    "base/slots/readme.md": "## Base\n",
    "apps/desk/module.yml": "title: Desk\ndescription: An application\nrequires: [jobs]\n",
    "apps/desk/files/app/desk.py": "DESK = 1\n",
    "apps/shop/module.yml": "title: Shop\ndescription: Another application\n",
    "apps/shop/files/app/shop.py": "SHOP = 1\n",
    "modules/jobs/module.yml": """\
title: Jobs
description: Work in the background
category: work
contributes:
  dependencies: [redis, click]
  features: [app.jobs]
""",
    "modules/jobs/files/app/jobs/__init__.py": "",
    "modules/jobs/slots/readme.md.jinja": "## Jobs of {{ project_name }}\n",
    "modules/mail/module.yml": """\
title: Mail
description: Letters
category: work
requires: [jobs]
questions:
  loud: {type: bool, help: Loud?, default: false}
""",
    "modules/fax/module.yml": """\
title: Fax
description: Letters, on paper
category: work
conflicts: [mail]
""",
    "presets/small.yml": """\
description: The least
app: desk
modules: [mail]
answers:
  database: postgres
  loud: true
""",
}

MakeKit = Callable[..., Path]


@pytest.fixture
def make_kit(tmp_path: Path) -> MakeKit:
    """`make_kit({"modules/x/module.yml": "..."})`: the tiny kit with files changed.

    None as content leaves a file out. Returns the folder of the kit.
    """

    def make(changes: Mapping[str, str | bytes | None] | None = None, name: str = "kit") -> Path:
        root = tmp_path / name
        for path, content in {**TINY, **(changes or {})}.items():
            if content is None:
                continue
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return make


@pytest.fixture(autouse=True)
def _plain_git(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees the git settings of whoever runs it, or of a hook that runs the tests."""
    for key in list(os.environ):
        if key.startswith("GIT_"):
            monkeypatch.delenv(key)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.com\n")


@pytest.fixture
def git() -> Callable[..., str]:
    """`git(folder, "log", ...)`: the output, without the last line end."""

    def run(folder: Path, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
        ).stdout.rstrip("\n")

    return run
