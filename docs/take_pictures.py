"""Takes the pictures of README.md: the wizard in a terminal, the pages of a served repository.

    make test                                       # once: installs what this needs but the browser
    .venv/bin/uv pip install playwright             # drives Debian's Chromium
    .venv/bin/python docs/take_pictures.py APP_URL REPORT_HTML

APP_URL is where a rendered repository with a login is served for development (`uv run just serve`),
as http://localhost:PORT; REPORT_HTML its var/reports/evals.html. For the picture of people, invite
some before, and join as them. The pictures land in docs/pictures/.
"""

import contextlib
import html
import re
import sys
import tempfile
import time
from pathlib import Path

import pexpect
import pyte
from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parent / "pictures"
GREENLANE = Path(sys.executable).parent / "greenlane"
COLUMNS, ROWS = 96, 34
BROWSER = {
    "executable_path": "/usr/bin/chromium",
    "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
}
COLOURS = {"default": "#d8dee9", "cyan": "#88c0d0", "green": "#a3be8c", "brown": "#ebcb8b"} | {
    "red": "#bf616a",
    "blue": "#81a1c1",
    "magenta": "#b48ead",
    "brightblack": "#7b8494",
}


class Terminal:
    """A terminal of fixed size in which a person answers the wizard."""

    def __init__(self, folder: str) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._child = pexpect.spawn(
            str(GREENLANE), ["new"], cwd=folder, dimensions=(ROWS, COLUMNS), timeout=10
        )
        # The prompts ask the terminal where the cursor is.
        self._screen.write_process_input = lambda data: self._child.send(data)

    def wait_for(self, text: str) -> None:
        for _ in range(200):
            if self.shows(text):
                return
        sys.exit(f"{text!r} never came:\n" + "\n".join(self._screen.display))

    def shows(self, text: str) -> bool:
        time.sleep(0.1)
        self._read()
        return text in "\n".join(self._screen.display)

    def type(self, keys: str) -> None:
        self._child.send(keys)

    def as_html(self) -> str:
        lines = []
        for row in range(ROWS):
            cells = [self._screen.buffer[row][column] for column in range(COLUMNS)]
            lines.append("".join(_cell(cell) for cell in cells).rstrip())
        while lines and not html.unescape(lines[-1]).strip():
            lines.pop()
        return (
            "<body style='margin:0;background:#2e3440'>"
            "<pre id=screen style='margin:0;display:inline-block;"
            "padding:18px 22px;font:15px/1.35 DejaVu Sans Mono,monospace;color:#d8dee9'>"
            + "\n".join(lines)
            + "</pre>"
        )

    def settle(self) -> None:
        """Wait until nothing has been written for half a second: one Enter answers one question."""
        quiet_since = time.monotonic()
        while time.monotonic() < quiet_since + 0.5:
            if self._read():
                quiet_since = time.monotonic()

    def _read(self) -> bool:
        with contextlib.suppress(pexpect.TIMEOUT):
            self._stream.feed(self._child.read_nonblocking(65536, timeout=0.05))
            return True
        return False


def _cell(cell: pyte.screens.Char) -> str:
    text = html.escape(cell.data)
    colour = cell.fg if cell.fg in COLOURS or len(cell.fg) != 6 else f"#{cell.fg}"
    style = f"color:{COLOURS.get(colour, colour)}" if cell.fg != "default" else ""
    if cell.bold:
        style += ";font-weight:bold"
    return f"<span style='{style}'>{text}</span>" if style else text


def wizard(page: Page) -> None:
    with tempfile.TemporaryDirectory() as folder:
        terminal = Terminal(folder)
        terminal.wait_for("What should it start with?")
        shoot_terminal(page, terminal, "wizard-start")
        # Enter takes what is offered, question by question, up to the summary.
        while not terminal.shows("All right?"):
            terminal.type("\r")
            terminal.settle()
        shoot_terminal(page, terminal, "wizard-summary")


def shoot_terminal(page: Page, terminal: Terminal, name: str) -> None:
    page.set_content(terminal.as_html())
    page.locator("#screen").screenshot(path=PICTURES / f"{name}.png")


def pages(page: Page, address: str) -> None:
    page.goto(f"{address}/inbox")
    page.wait_for_load_state("load")
    page.screenshot(path=PICTURES / "inbox.png")
    page.locator("main a[href*='/inbox/']").first.click()
    page.wait_for_load_state("load")
    page.screenshot(path=PICTURES / "ticket.png")


def people(page: Page, address: str) -> None:
    """As the administrator of the development login, whose digits stand beside their field."""
    page.goto(f"{address}/people")
    card = page.get_by_role("region", name="Ada Admin")
    field = card.get_by_label("Second factor")
    field.fill(re.search(r"now (\d{6})", card.inner_text())[1])
    card.get_by_role("button").click()
    page.wait_for_url("**/people")
    page.screenshot(path=PICTURES / "people.png")
    page.goto(f"{address}/audit?check=true")
    page.screenshot(path=PICTURES / "audit.png")


def report(page: Page, path: Path) -> None:
    page.set_viewport_size({"width": 1180, "height": 1900})
    page.goto(path.resolve().as_uri())
    page.screenshot(path=PICTURES / "report.png")


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**BROWSER)
        page = browser.new_page(viewport={"width": 1180, "height": 760}, device_scale_factor=1)
        wizard(page)
        people(page, sys.argv[1])
        pages(page, sys.argv[1])
        report(page, Path(sys.argv[2]))
        browser.close()


if __name__ == "__main__":
    main()
