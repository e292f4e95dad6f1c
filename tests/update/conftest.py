"""A project in every test."""

from pathlib import Path

import pytest

from owner import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that is not created yet: `project.create()`."""
    return Project(tmp_path)


@pytest.fixture
def created(project: Project) -> Project:
    project.create()
    return project
