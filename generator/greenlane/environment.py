"""The machine around a project: uv, the environment of its commands, a free folder and port."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from greenlane.errors import GreenlaneError

LOGS = Path("var/greenlane")
"""In a project: the output of failed steps, and a link to the uv that greenlane brought."""

# Set by greenlane's own environment, make or a git hook, they would send the project's uv, just
# and git to the wrong place.
_LEAKING = (
    "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "PYTHONHOME", "PYTHONPATH", "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES",
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX",
)  # fmt: skip


def find_uv() -> str | None:
    """The uv to use: the one on PATH, else the one installed beside greenlane, else None."""
    on_path = shutil.which("uv")
    if on_path:
        return on_path
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        return None


def project_environment(
    project: Path, uv: str | None, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment for a project's own commands: nothing of greenlane's leaks into it.

    `uv` is on its PATH even when greenlane brought it, because recipes call it by name.
    """
    source = os.environ if environ is None else environ
    env = {name: value for name, value in source.items() if name not in _LEAKING}
    own_scripts = str(Path(sys.prefix, "bin")) if sys.prefix != sys.base_prefix else None
    path = [folder for folder in env.get("PATH", os.defpath).split(os.pathsep) if folder]
    path = [folder for folder in path if folder != own_scripts]
    if uv and not shutil.which("uv", path=os.pathsep.join(path)):
        path.insert(0, str(_folder_with_uv(project, uv)))
    env["PATH"] = os.pathsep.join(path)
    # The Python that runs greenlane is recent enough for the project: no download is needed.
    env.setdefault("UV_PYTHON", getattr(sys, "_base_executable", sys.executable))
    return env


def _folder_with_uv(project: Path, uv: str) -> Path:
    # A folder with uv alone: beside greenlane's uv lies greenlane's Python.
    folder = project / LOGS / "bin"
    link = folder / "uv"
    if not link.is_symlink() or link.readlink() != Path(uv):
        folder.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(uv)
    return folder


def free_folder(parent: Path, name: str = "my-app") -> Path:
    """The first of `name`, `name-2`, `name-3`, ... in `parent` that does not exist."""
    folder, number = parent / name, 1
    while folder.exists() or folder.is_symlink():
        number += 1
        folder = parent / f"{name}-{number}"
    return folder


def free_port(wanted: int | None, *, default: int = 8000, tries: int = 50) -> int:
    """`wanted`, which must be free, or else the first free port from `default` on."""
    candidates = [wanted] if wanted else range(default, default + tries)
    for port in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    if wanted:
        raise GreenlaneError(
            f"Port {wanted} of this machine is in use.", "Choose another one with --port."
        )
    raise GreenlaneError(
        f"No port from {default} to {default + tries - 1} is free.", "Choose one with --port."
    )


def path_instruction(project: Path) -> str | None:
    """The command that puts uv on a person's PATH, when only greenlane has one."""
    if shutil.which("uv") and shutil.which("uv", path=project_environment(project, None)["PATH"]):
        return None
    uv = find_uv()
    return f'export PATH={shlex.quote(str(_folder_with_uv(project, uv)))}:"$PATH"' if uv else None
