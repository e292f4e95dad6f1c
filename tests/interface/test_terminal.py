"""greenlane at a pseudo terminal: what stands on the screen while a person uses it."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

from interface.conftest import FakeUv, Greenlane

UP, DOWN, ESCAPE, ENTER = "\x1b[A", "\x1b[B", "\x1b", "\r"


class Terminal:
    """A program at a terminal of the given size, and its screen."""

    def __init__(self, greenlane: Greenlane, *arguments: object, columns: int, rows: int) -> None:
        environment = {
            # The screen here answers no question about where its cursor is.
            "PROMPT_TOOLKIT_NO_CPR": "1",
            **greenlane.environment,
        }
        self.screen = pyte.HistoryScreen(columns, rows, history=500)
        self._stream = pyte.Stream(self.screen)
        self.bytes = ""
        self.program = pexpect.spawn(
            sys.executable,
            ["-m", "greenlane", *map(str, arguments)],
            cwd=str(greenlane.folder),
            env=environment,
            dimensions=(rows, columns),
            encoding="utf-8",
            timeout=15,
        )
        self.program.delaybeforesend = None

    def press(self, *keys: str) -> None:
        for key in keys:
            self.program.send(key)
            if key == ESCAPE:
                time.sleep(0.15)  # or the next key would make it Alt

    def see(self, text: str) -> None:
        """Waits until `text` is on the screen, and what is painted with it too."""
        end = time.monotonic() + 15
        while text not in self.text():
            assert time.monotonic() < end, f"not on the screen: {text}\n{self.text()}"
            self._read(0.1)
        painted = -1
        while painted != len(self.bytes):
            painted = len(self.bytes)
            self._read(0.1)

    def end(self) -> int:
        """The exit status, once the program has ended."""
        while self._read(10):
            pass
        self.program.close()
        return self.program.exitstatus or 0

    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self.screen.display).rstrip()

    def rows(self) -> list[str]:
        return self.text().splitlines()

    def _read(self, timeout: float) -> bool:
        try:
            text = self.program.read_nonblocking(65536, timeout)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.bytes += text
        self._stream.feed(text)
        return True


Open = Callable[..., Terminal]


@pytest.fixture
def terminal(greenlane: Greenlane) -> Iterator[Open]:
    opened: list[Terminal] = []

    def open_(*arguments: object, columns: int = 80, rows: int = 50) -> Terminal:
        opened.append(Terminal(greenlane, *arguments, columns=columns, rows=rows))
        return opened[-1]

    yield open_
    for one in opened:
        one.program.close(force=True)


def test_a_repository_by_arrow_keys_with_a_change_of_mind(
    terminal: Open, greenlane: Greenlane, small_kit: Path
) -> None:
    screen = terminal("new", "--kit", small_kit)
    screen.see("What should it start with?")
    assert screen.rows()[0] == "✓ What do you want to build?  Support desk"
    screen.press(DOWN, DOWN, ENTER)  # choose the parts myself
    screen.see("Which parts should it have?")
    screen.see("esc back")
    screen.press(" ")  # Webhooks
    screen.see("adds Audit, needed by Webhooks")
    screen.press(DOWN, DOWN, " ", ENTER)  # Reports, which do not fit
    screen.see("cannot be together")
    screen.press(" ", ENTER)
    screen.see("What is the project called?")
    screen.press("Acme", ENTER)
    screen.see("does not fit; expected lower-case")
    screen.press(*"\b\b\b\b", "acme", ENTER)
    screen.see("What should people see as its name? Acme")

    screen.press(ESCAPE)
    screen.see("? What is the project called? acme")
    assert "What should people see" not in screen.text(), "the question went away"
    screen.press("shop", ENTER, ENTER)
    screen.see("Under which licence?")
    assert screen.rows()[1:5] == [
        "✓ What should it start with?  my own choice of parts",
        "✓ Which parts should it have?  Audit, Jobs, Webhooks",
        "✓ What is the project called?  shop",
        "✓ What should people see as its name?  Shop",
    ]
    screen.press(DOWN, ENTER)
    screen.see("Which large model helps?")
    screen.press(ENTER)
    screen.see("How are people greeted?")
    screen.press(ENTER)
    screen.see("Who signs the events?")
    screen.press("Bob", ENTER)
    screen.see("All right?")
    assert "Apache-2.0" in screen.text().partition("Summary")[2]
    assert "makes a git repository with a first commit." in " ".join(screen.text().split())
    assert not (greenlane.folder / "shop").exists()

    screen.press(ESCAPE)
    screen.see("? Who signs the events? Bob")
    screen.press("Eve", ENTER)
    screen.see("? All right?")
    screen.press(ENTER)
    assert screen.end() == 0
    record = (greenlane.folder / "shop/.greenlane/project.yml").read_text()
    assert "license: Apache-2.0" in record
    assert "signer: Eve" in record
    line = next(row for row in screen.rows() if row.startswith("  greenlane new shop"))
    assert "--with webhooks" in line


@pytest.mark.parametrize(("rows", "is_whole"), [(40, True), (16, False)])
def test_the_summary_stays_on_the_screen(
    terminal: Open, small_kit: Path, rows: int, is_whole: bool
) -> None:
    screen = terminal("new", "shop", "--kit", small_kit, rows=rows)
    screen.see("start with?")
    screen.press(DOWN, *[ENTER] * 6)
    screen.see("Cancel")
    summary = screen.text().partition("Summary\n")[2]
    assert "  folder" in summary
    assert ("project_title" in summary, "  files" in summary) == (is_whole, not is_whole)


def test_keys_typed_ahead_neither_show_nor_get_lost(terminal: Open, small_kit: Path) -> None:
    screen = terminal("new", "shop", "--kit", small_kit)
    screen.see("start with?")
    # All at once, in pieces that arrive before, within and after each prompt.
    for key in [DOWN, *[ENTER] * 3, DOWN, *[ENTER] * 2, *"hello", ENTER]:
        screen.press(key)
        time.sleep(0.01)
    screen.see("All right?")
    rows = screen.rows()
    assert rows[:7] == [
        "✓ What do you want to build?  Support desk",
        "✓ What should it start with?  minimal",
        "✓ What is the project called?  shop",
        "✓ What should people see as its name?  Shop",
        "✓ Under which licence?  Apache 2.0",
        "✓ Which large model helps?  None for now",
        "✓ How are people greeted?  hello",
    ]
    screen.press("\x03")
    assert screen.end() == 130


@pytest.mark.parametrize("columns", [40, 30])
def test_a_narrow_terminal_stays_readable(terminal: Open, small_kit: Path, columns: int) -> None:
    screen = terminal("new", "shop", "--kit", small_kit, columns=columns)
    screen.see("start with?")
    screen.press(DOWN, DOWN, ENTER)
    screen.see("parts should it")
    screen.press(DOWN, DOWN)
    # The hint of the part under the pointer, in whole words.
    screen.see("Pages with figures")
    assert "every" in screen.text().split()
    assert "summary" in screen.text().split()
    assert "back" in screen.text().split()
    screen.press(ESCAPE, UP, ENTER)
    screen.see("called?")
    screen.press(*[ENTER] * 5)
    screen.see("All right?")
    screen.press(ESCAPE)
    screen.see("How are people greeted?")
    assert all(len(row) <= columns for row in screen.rows())


def test_going_back_takes_one_line_away_even_when_it_is_long(
    terminal: Open, small_kit: Path
) -> None:
    screen = terminal("new", "shop", "--kit", small_kit, "--dry-run", columns=40)
    screen.see("start with?")
    screen.press(DOWN, ENTER)
    screen.see("called?")
    before = screen.rows()[:2]
    screen.press(ENTER)
    screen.see("its name?")
    screen.press("A very long name " * 4, ENTER)
    screen.see("licence?")
    screen.press(ESCAPE)
    screen.see("A very long")
    screen.press(ESCAPE)
    screen.see("called? shop")
    assert screen.rows()[:2] == before
    assert "very long" not in screen.text()


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_leaving_writes_nothing(
    terminal: Open, greenlane: Greenlane, small_kit: Path, key: str
) -> None:
    screen = terminal("new", "shop", "--kit", small_kit)
    screen.see("start with?")
    screen.press(DOWN, ENTER)
    screen.see("called?")
    screen.press("\x15" if key == "\x04" else "", "\x7f", key)
    assert screen.end() == 130
    assert screen.rows()[-1] == "Nothing was written."
    assert list(greenlane.folder.iterdir()) == []


def test_options_that_answer_start_no_wizard(terminal: Open, small_kit: Path) -> None:
    for options in (["--yes"], ["--preset", "minimal"], ["--set", "license=MIT"], ["--json"]):
        screen = terminal("new", f"shop{options[0]}", "--kit", small_kit, *options, "--set",
                          "project_name=shop")  # fmt: skip
        assert screen.end() == 0
        assert "?" not in screen.text()


def test_a_dumb_terminal_is_asked_line_by_line(
    terminal: Open, greenlane: Greenlane, small_kit: Path
) -> None:
    greenlane.env["TERM"] = "dumb"
    screen = terminal("new", "--kit", small_kit)
    screen.see("Number [1]")
    screen.press("3\r")
    screen.see("Numbers to switch")
    screen.press("2, 4\r")
    screen.see("adds Audit")
    screen.press("\r")
    screen.see("[my-app] (< to go back)")
    screen.press("<\r")
    screen.see("Numbers to switch")
    screen.press("2\r", "\r")
    screen.press("acme\r", *"\r\r\r\r")
    screen.see("All right?")
    screen.press("1\r")
    assert screen.end() == 0
    assert "\x1b" not in screen.bytes
    assert (greenlane.folder / "acme/app").is_dir()


def test_progress_at_a_terminal_is_one_line_a_step(
    terminal: Open, greenlane: Greenlane, uv: FakeUv, small_kit: Path
) -> None:
    script = Path(greenlane.env["PATH"].split(":")[0], "uv")
    script.write_text(script.read_text().replace("lock) ", "lock) sleep 0.5; "))
    screen = terminal("start", "shop", "--kit", small_kit, "--no-serve")
    screen.see("⠙ Lock the dependencies  0.")
    assert screen.end() == 0
    lock = [row for row in screen.rows() if "Lock the dependencies" in row]
    assert len(lock) == 1
    assert lock[0].startswith("✓ Lock the dependencies  0.")
    assert "\x1b[32m" in screen.bytes


def test_no_color_at_a_terminal(terminal: Open, greenlane: Greenlane, small_kit: Path) -> None:
    greenlane.env["NO_COLOR"] = "1"
    screen = terminal("list", "--kit", small_kit)
    assert screen.end() == 0
    assert "\x1b" not in screen.bytes
