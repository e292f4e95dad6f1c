"""Everything greenlane prints: styles, wrapped text, tables, progress, JSON documents and errors.

With ``--json`` one document goes to stdout and all text for people to stderr, so a caller can
read the one while a person watches the other.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
import time
import unicodedata
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import TextWrapper
from typing import Any, TextIO

_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "cyan": 36}
_SYMBOLS = {
    "ok": ("✓", "ok"),
    "failed": ("✗", "x"),
    "skipped": ("!", "!"),
    "dot": ("·", "-"),
    "arrow": ("→", "->"),
    "bar": ("─", "-"),
    "ellipsis": ("…", "..."),
}
_SPINNER = ("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\")
_SPINNER_SECONDS = 0.1
_MAX_WIDTH = 100
_SGR = re.compile(r"\x1b\[[0-9;]*m")


def cell_width(text: str) -> int:
    """Columns that `text` takes on a terminal: wide characters count two, styles nothing."""
    width = 0
    for character in _SGR.sub("", text):
        if unicodedata.combining(character):
            continue
        width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return width


def seconds(value: float) -> str:
    """A duration for people: `0.4 s`, `12.3 s`, `2 min 05 s`."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"


def _wants_colour(stream: TextIO) -> bool:
    # https://no-color.org and https://force-color.org: both count when set and not empty.
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR")
    if forced:
        return forced != "0"
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _can_encode(stream: TextIO) -> bool:
    try:
        "✓⠋─…".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return os.environ.get("TERM") != "dumb"


@dataclass
class Line:
    """The end of a progress line: a step sets `outcome` and may add a note."""

    outcome: str = "ok"
    note: str = ""


class Console:
    """Text for people on one stream; the one JSON document on stdout."""

    def __init__(
        self, *, as_json: bool = False, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self.as_json = as_json
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._text = self._stderr if as_json else self._stdout
        self._colour = _wants_colour(self._text)
        self.unicode = _can_encode(self._text)
        self.animated = self._text.isatty() and os.environ.get("TERM") != "dumb"

    # -- what this terminal can do ----------------------------------------------------------------

    @property
    def width(self) -> int:
        """Columns to fill: the terminal's, at most 100; 80 where there is no terminal."""
        columns = shutil.get_terminal_size((80, 24)).columns
        return max(20, min(columns, _MAX_WIDTH))

    @property
    def height(self) -> int:
        """Lines that stay on the screen; without a terminal all do."""
        return shutil.get_terminal_size().lines if self.animated else sys.maxsize

    def symbol(self, name: str) -> str:
        return _SYMBOLS[name][0 if self.unicode else 1]

    def style(self, text: str, *names: str) -> str:
        if not self._colour or not names or not text:
            return text
        codes = ";".join(str(_CODES[name]) for name in names)
        return f"\x1b[{codes}m{text}\x1b[0m"

    # -- lines ------------------------------------------------------------------------------------

    def line(self, text: str = "") -> None:
        """One line as it is: never wrapped, so that it can be copied."""
        self._write(text + "\n")

    def paragraph(self, text: str, *, indent: int = 0, hang: int | None = None) -> None:
        """Text wrapped at the width of the terminal. `hang`: indent of the second line on."""
        first, rest = " " * indent, " " * (indent if hang is None else hang)
        wrapper = TextWrapper(
            self.width,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for row in wrapper.wrap(text) or [""]:
            self.line(row)

    def heading(self, text: str) -> None:
        self.line()
        self.line(self.style(text, "bold"))

    def command(self, text: str) -> None:
        """A command to copy: alone on its line, not wrapped, whatever the width."""
        self.line("  " + self.style(text, "cyan"))

    def cut(self, text: str, width: int) -> str:
        """`text` in at most `width` columns, on one line."""
        text = " ".join(text.split())
        if cell_width(text) <= width:
            return text
        mark = self.symbol("ellipsis")
        while text and cell_width(text + mark) > width:
            text = text[:-1]
        return text.rstrip() + mark

    def pairs(self, rows: Sequence[tuple[str, str]], *, indent: int = 2) -> None:
        """Names and texts in two columns; one under the other where the terminal is narrow."""
        if not rows:
            return
        longest = max(cell_width(name) for name, _ in rows)
        column = indent + longest + 2
        stacked = self.width - column < 24
        for name, text in rows:
            if stacked:
                self.paragraph(f"{name}: {text}", indent=indent, hang=indent + 2)
                continue
            padded = " " * indent + self.style(name, "bold")
            wrapped = TextWrapper(self.width - column, break_on_hyphens=False).wrap(text) or [""]
            gap = " " * (longest - cell_width(name) + 2)
            self.line((padded + gap + wrapped[0]).rstrip())
            for row in wrapped[1:]:
                self.line(" " * column + row)

    def table(self, rows: Sequence[tuple[str, ...]], *, indent: int = 2, right: int = -1) -> None:
        """Short cells in aligned columns; column number `right` is aligned to the right."""
        if not rows:
            return
        widths = [max(cell_width(row[n]) for row in rows) for n in range(len(rows[0]))]
        for row in rows:
            cells = []
            for n, cell in enumerate(row):
                gap = " " * (widths[n] - cell_width(cell))
                cells.append(gap + cell if n == right else cell + gap)
            self.line((" " * indent + "  ".join(cells)).rstrip())

    def erase_line(self) -> None:
        """Takes back the last printed line. Only meaningful when `animated`."""
        self._write("\x1b[1A\r\x1b[2K")

    # -- progress ---------------------------------------------------------------------------------

    @contextmanager
    def step(self, title: str) -> Generator[Line]:
        """One step with its elapsed time: a spinner at a terminal, plain lines otherwise.

        The block says how it ended through the yielded `Line`; an exception leaves a line too.
        """
        line, started, done = Line(), time.monotonic(), threading.Event()
        spinner = None
        if self.animated:
            spinner = threading.Thread(target=self._spin, args=(title, started, done), daemon=True)
            spinner.start()
        else:
            self.line(f"{title} {self.symbol('ellipsis')}")
        try:
            yield line
        except BaseException:
            line.outcome = "failed"
            raise
        finally:
            done.set()
            if spinner:
                spinner.join()
                self._write("\r\x1b[2K")
            self._finish(title, line, time.monotonic() - started)

    def _finish(self, title: str, line: Line, elapsed: float) -> None:
        colour = {"ok": "green", "failed": "red", "skipped": "yellow"}[line.outcome]
        mark = self.style(self.symbol(line.outcome), colour)
        note = f"  {line.note}" if line.note else ""
        self.line(f"{mark} {title}  {self.style(seconds(elapsed), 'dim')}{note}")

    def _spin(self, title: str, started: float, done: threading.Event) -> None:
        frames = _SPINNER[0 if self.unicode else 1]
        turn = 0
        while not done.wait(_SPINNER_SECONDS):
            elapsed = seconds(time.monotonic() - started)
            # One line only: a wrapped line could not be taken back.
            shown = self.cut(title, self.width - len(elapsed) - 6)
            frame = self.style(frames[turn % len(frames)], "cyan")
            self._write(f"\r\x1b[2K{frame} {shown}  {self.style(elapsed, 'dim')}")
            turn += 1

    def live(self, text: str = "") -> None:
        """Replace the line that is being shown, at a terminal; an empty text takes it back."""
        if self.animated:
            self._write("\r\x1b[2K" + self.cut(text, self.width - 1))

    # -- results ----------------------------------------------------------------------------------

    def document(self, data: Any) -> None:
        """The one JSON document of a command, on stdout."""
        self._stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        self._stdout.flush()

    def error(self, message: str, hint: str = "") -> None:
        """An error on stderr in two lines; as the JSON document with ``--json``."""
        if self.as_json:
            self.document({"error": {"message": message, "hint": hint}})
            return
        # stdout first, or the error may overtake what was printed before it.
        self._stdout.flush()
        red = _wants_colour(self._stderr)
        for name, text, code in (("error", message, 31), ("hint", hint, 36)):
            if text:
                label = f"\x1b[1;{code}m{name}:\x1b[0m" if red else f"{name}:"
                self._stderr.write(f"{label} {text}\n")
        self._stderr.flush()

    def _write(self, text: str) -> None:
        encoding = self._text.encoding or "ascii"
        try:
            self._text.write(text)
        except UnicodeEncodeError:
            self._text.write(text.encode(encoding, "replace").decode(encoding))
        self._text.flush()
