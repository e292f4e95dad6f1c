"""The pipeline of a kit's repository: its rules, and its trial, on every change."""

from greenlane import __version__
from greenlane.errors import GreenlaneError
from greenlane.kit import Kit, load_kit

_GITHUB = """\
# Written by `greenlane kit test --ci github`.
name: kit

on:
  pull_request:
  push:
    branches: [main]

permissions: {}

jobs:
  kit:
    name: kit
    runs-on: @RUNNER@
    timeout-minutes: 60
    permissions:
      contents: read # to check out
    steps:
      - uses: @CHECKOUT@
        with:
          fetch-depth: 0 # the tags of earlier releases, from which projects are updated
          persist-credentials: false
      - uses: @SETUP_UV@
        with:
          version: "@UV@"
      - name: Every rule
        run: uvx greenlane@@VERSION@ kit lint @FOLDER@
      - name: What it renders, updates from earlier releases, the rendered repositories' own checks
        run: uvx greenlane@@VERSION@ kit test @FOLDER@ --checks
"""
_GITLAB = """\
# Written by `greenlane kit test --ci gitlab`.
kit:
  image: @IMAGE@
  timeout: 60 minutes
  variables:
    GIT_DEPTH: "0" # the tags of earlier releases, from which projects are updated
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  script:
    - pip install uv==@UV@
    - uvx greenlane@@VERSION@ kit lint @FOLDER@
    - uvx greenlane@@VERSION@ kit test @FOLDER@ --checks
"""


def pipeline(kit: Kit, service: str, folder: str) -> tuple[str, str]:
    """Path and text of the pipeline for the kit in `folder` of its repository.

    What it uses is pinned as in versions.yml of the kit, or else of greenlane's own.
    """
    path, text = {
        "github": (".github/workflows/kit.yml", _GITHUB),
        "gitlab": (".gitlab-ci.yml", _GITLAB),
    }[service]
    words = {
        "VERSION": __version__,
        "RUNNER": _pinned(kit, "images", "github-runner"),
        "IMAGE": _pinned(kit, "images", "devcontainer"),
        "CHECKOUT": _action(kit, "actions/checkout"),
        "SETUP_UV": _action(kit, "astral-sh/setup-uv"),
        "UV": _pinned(kit, "tools", "uv"),
        "FOLDER": folder,
    }
    for key, value in words.items():
        text = text.replace(f"@{key}@", value)
    return path, text


def _action(kit: Kit, name: str) -> str:
    pin = _entry(kit, "actions", name)
    if not isinstance(pin, dict):
        raise _missing(kit, "actions", name)
    return f"{name}@{pin['commit']} # {pin['tag']}"


def _pinned(kit: Kit, group: str, name: str) -> str:
    entry = _entry(kit, group, name)
    if not isinstance(entry, str):
        raise _missing(kit, group, name)
    return entry


def _entry(kit: Kit, group: str, name: str) -> object:
    for versions in (kit.versions, load_kit().versions):
        entries = versions.get(group)
        if isinstance(entries, dict) and name in entries:
            return entries[name]
    return None


def _missing(kit: Kit, group: str, name: str) -> GreenlaneError:
    return GreenlaneError(
        f"{kit.name} pins no {name}, which the pipeline needs.",
        f"Add it to versions.yml, under `{group}`.",
    )
