"""Where a project is, and where it keeps its record. Imported before anything that takes time."""

import os
from pathlib import Path

from greenlane.errors import GreenlaneError

FOLDER = ".greenlane"
PROJECT = f"{FOLDER}/project.yml"


def find_project(start: Path) -> Path:
    """The folder of the project that `start` lies in."""
    start = Path(os.path.abspath(start))  # noqa: PTH100 - the user's own spelling, links and all
    for folder in (start, *start.parents):
        if (folder / PROJECT).is_file():
            return folder
    raise GreenlaneError(
        f"{start} is not in a greenlane project: there is no {PROJECT} here or above.",
        "Go to the project's folder. `greenlane adopt` puts an existing repository under a kit.",
    )
