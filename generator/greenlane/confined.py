"""The child of greenlane.confinement: takes tasks from stdin and answers on stdout.

Everything that a template may need is imported before the limits are set: after that, no file can
be opened.
"""

import json
import resource
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO

from greenlane.confinement import MEMORY_BYTES, OUTPUT_BYTES
from greenlane.errors import GreenlaneError
from greenlane.patterns import matches
from greenlane.sandbox import compile_text, render_text

_IMPORTED_LATE = ("html", "jinja2.debug", "pprint", "textwrap", "unicodedata", "urllib.parse")
_LENGTH = struct.Struct("!Q")


def serve() -> None:
    """Answer one task after the other until stdin ends."""
    _prepare()
    tasks: dict[str, Callable[..., Any]] = {
        "render": _render,
        "compile": lambda shown, source: compile_text(source, shown),
        "match": lambda shown, pattern, text: matches(pattern, text, shown),
    }
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while head := stdin.read(_LENGTH.size):
        name, shown, *arguments = json.loads(stdin.read(_LENGTH.unpack(head)[0]))
        _answer(stdout, shown, partial(tasks[name], shown, *arguments))


def _prepare() -> None:
    """Import what is imported late elsewhere, then give up what templates have no need of."""
    for name in _IMPORTED_LATE:
        __import__(name)
    with suppress(GreenlaneError):
        render_text("{{ 'text' | quoted }}{{ undefined }}", {}, "warm-up")
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))


def _render(shown: str, source: str, context: dict[str, object], seconds: float) -> str:
    text = render_text(source, context, shown, seconds=seconds)
    if len(text.encode(errors="surrogatepass")) > OUTPUT_BYTES:
        raise GreenlaneError(
            f"{shown} comes to more than {OUTPUT_BYTES // 2**20} MB.", "Make the file smaller."
        )
    return text


def _answer(stdout: BinaryIO, shown: str, task: Callable[[], Any]) -> None:
    try:
        reply = {"result": task()}
    except GreenlaneError as error:
        reply = {"error": [error.message, error.hint]}
    except Exception as error:
        reply = {"error": [f"{shown}: {type(error).__name__}: {error}", "Correct it."]}
    encoded = json.dumps(reply).encode()
    stdout.write(_LENGTH.pack(len(encoded)) + encoded)
    stdout.flush()
