"""What the code of a template may touch in the child process: its own folder, and nothing else.

An audit hook, which Python code cannot take away again, refuses every file outside the given
folders, other processes and the network. It backs up the sandbox of Jinja, for the next way out
of that one; it is not what keeps malicious machine code in.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_MOVES = {"os.rename": (0, 1), "os.link": (0, 1), "shutil.move": (0, 1)}
_CHANGES = frozenset(
    """
    os.mkdir os.rmdir os.remove os.truncate os.chmod os.chown os.chflags os.lchmod os.setxattr
    os.removexattr os.utime shutil.rmtree tempfile.mkstemp tempfile.mkdtemp
    """.split()  # noqa: SIM905
)
_LISTS = frozenset(["os.listdir", "os.scandir", "os.walk", "glob.glob", "os.listxattr"])
_NEVER = (
    "subprocess.Popen os.system os.exec os.fork os.forkpty os.posix_spawn os.spawn os.startfile "
    "os.kill os.killpg pty.spawn ctypes. socket. winreg. urllib. ftplib. http. smtplib. signal."
)
_READABLE = ("/dev/null", "/dev/urandom", "/usr/share/zoneinfo", "/etc/localtime")

_open = False
_writable: tuple[str, ...] = ()


def only(*folders: str) -> None:
    """From now on nothing but these folders can be written."""
    global _writable
    _writable = tuple(os.path.realpath(folder) for folder in folders)


@contextmanager
def opened() -> Iterator[None]:
    """For greenlane's own work in the child."""
    global _open
    _open = True
    try:
        yield
    finally:
        _open = False


def put_up(folder: str, *, trusted: bool) -> None:
    """From now on only `folder` can be written, and only it and Python itself be read.

    Trusted code may read everything and start processes, which are free of the fence.
    """
    only(folder)
    python = (sys.prefix, sys.base_prefix, sys.exec_prefix, *filter(None, sys.path), *_READABLE)
    readable = tuple(os.path.realpath(path) for path in (folder, *python))
    never = tuple(_NEVER.split())

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if _open:
            return
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, str | bytes | os.PathLike):
                return
            if isinstance(flags, int) and flags & _WRITES:
                _check(path, _writable, "write")
            elif not trusted:
                _check(path, readable, "read")
        elif event in _CHANGES:
            _check_at(arguments, _writable)
        elif event == "os.symlink":
            _check(arguments[1], _writable, "write", follow=False)
        elif event in _MOVES:
            for position in _MOVES[event]:
                _check(arguments[position], _writable, "write", follow=False)
        elif event in _LISTS and not trusted:
            _check(arguments[0], readable, "list")
        elif not trusted and event.startswith(never):
            raise PermissionError(f"a template may not use {event}")

    sys.addaudithook(hook)


def _check_at(arguments: tuple[object, ...], roots: tuple[str, ...]) -> None:
    path, folder = arguments[0], arguments[-1]
    if isinstance(folder, int) and folder >= 0 and isinstance(path, str) and path[:1] != "/":
        path = Path(f"/proc/self/fd/{folder}").readlink() / path
    _check(path, roots, "write", follow=False)


def _check(path: object, roots: tuple[str, ...], verb: str, *, follow: bool = True) -> None:
    if not isinstance(path, str | bytes | os.PathLike):
        return
    name = os.fsdecode(path)
    if name == "/dev/null":
        return
    folder, base = os.path.split(os.path.abspath(name))  # noqa: PTH100 - links are looked at next
    real = os.path.realpath(name) if follow else f"{os.path.realpath(folder)}/{base}"
    if not any(real == root or real.startswith(root + "/") for root in roots):
        raise PermissionError(f"a template may not {verb} {name}")
