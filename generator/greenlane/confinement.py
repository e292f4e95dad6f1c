"""Templates and patterns of kits that are not greenlane's own: evaluated in a process with limits.

The sandbox of Jinja bounds neither memory nor time, and has had ways out. So strangers' templates
are handed to a child that has no environment, may open no file and start no process, and is
stopped when it needs too much memory or time. One child serves all calls of a process.
"""

import atexit
import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from greenlane.errors import GreenlaneError

MEMORY_BYTES = 512 * 1024 * 1024
OUTPUT_BYTES = 32 * 1024 * 1024
_SECONDS = 15.0  # the child stops by itself after ten; this is for one that cannot any more
_START = "import sys; sys.path[:] = sys.argv[1:]; from greenlane.confined import serve; serve()"
_LENGTH = struct.Struct("!Q")
_lock = threading.Lock()
_child: "_Child | None" = None


def confined(task: str, shown: str, *arguments: object) -> str | bool:
    """The result of a task of greenlane.confined: `render`, `compile` or `match`.

    Errors name the template as `shown`. Raises GreenlaneError for what the task raises, and when
    it is stopped by a limit.
    """
    global _child
    request = json.dumps([task, shown, *arguments]).encode()
    with _lock:
        if _child is None:
            _child = _Child()
        try:
            reply = _child.ask(request)
        except BaseException as error:
            # Also on Ctrl-C: the reply that is still to come would be taken for the next one.
            _child.stop()
            _child = None
            if isinstance(error, OSError | EOFError | ValueError):
                raise _stopped(shown, error) from None
            raise
    if "error" in reply:
        raise GreenlaneError(*reply["error"])
    return reply["result"]


def _forget() -> None:
    """After a fork: the child belongs to the parent, and another thread may have held the lock."""
    global _child, _lock
    _child, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)


def _stopped(shown: str, error: Exception) -> GreenlaneError:
    reason = f"took more than {_SECONDS:g} s" if isinstance(error, TimeoutError) else "broke down"
    return GreenlaneError(
        f"{shown} {reason} and was stopped.",
        f"A template has ten seconds, {MEMORY_BYTES // 2**20} MB of memory, and writes at most "
        f"{OUTPUT_BYTES // 2**20} MB.",
    )


class _Child:
    """The process, and the pipes to it. `owner` is the process that started it, not a fork."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        paths = [os.path.abspath(path) for path in sys.path]  # noqa: PTH100 - "" is the cwd
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", "-c", _START, *paths],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            start_new_session=True,  # Ctrl-C at the terminal is for greenlane
        )
        atexit.register(self.stop)

    def ask(self, request: bytes) -> Mapping[str, Any]:
        assert self._process.stdin is not None  # noqa: S101 - a pipe, see above
        self._process.stdin.write(_LENGTH.pack(len(request)) + request)
        self._process.stdin.flush()
        deadline = time.monotonic() + _SECONDS
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, deadline))
        # As JSON a character takes six bytes at most.
        if length > 6 * OUTPUT_BYTES + 1024:
            raise EOFError
        reply = json.loads(self._read(length, deadline))
        if not isinstance(reply, dict) or not reply.keys() & {"result", "error"}:
            raise EOFError
        return reply

    def _read(self, length: int, deadline: float) -> bytes:
        assert self._process.stdout is not None  # noqa: S101
        pipe = self._process.stdout.fileno()
        arrival = select.poll()  # unlike select(), at home with any number of open files
        arrival.register(pipe, select.POLLIN)
        parts = []
        while length:
            if not arrival.poll(max(deadline - time.monotonic(), 0) * 1000):
                raise TimeoutError
            part = os.read(pipe, min(length, 2**20))
            if not part:
                raise EOFError
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def stop(self) -> None:
        atexit.unregister(self.stop)
        if self.owner != os.getpid():
            return
        self._process.kill()
        with suppress(OSError):  # what was not sent yet is lost with the process
            self._process.communicate()
