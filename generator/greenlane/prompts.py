"""Asking one question with arrow keys; line_prompts.py does the same where there are none.

An asker raises `Back` when the person wants the previous question, `KeyboardInterrupt` when
they leave.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from greenlane.console import Console, cell_width

# Long enough for an arrow key to arrive in pieces over a slow line, short enough that Escape feels
# immediate.
_ESCAPE_SECONDS = 0.05


class Back(Exception):  # noqa: N818 - a wish, not an error
    """The person asked for the previous question."""


@dataclass(frozen=True)
class Option:
    """One choice. `hint` says what it means, `adds` what comes with it; `group` is its heading;
    `locked` why it is a given."""

    value: Any
    label: str
    hint: str = ""
    group: str = ""
    locked: str = ""
    adds: str = ""


Check = Callable[[str], str]
"""Returns what is wrong with a text, "" when nothing is."""


class Asker(Protocol):
    def session(self) -> AbstractContextManager[None]:
        """To be entered around all the questions."""

    def select(
        self, message: str, options: Sequence[Option], default: Any, *, note: str, back: bool
    ) -> Any:
        """The value of the one option that was chosen."""

    def pick(
        self,
        message: str,
        options: Sequence[Option],
        chosen: Iterable[Any],
        *,
        explain: Callable[[list[Any]], str],
        problem: Callable[[list[Any]], str],
        back: bool,
    ) -> list[Any]:
        """The values of the options that were ticked. `explain` says what they bring along."""

    def text(
        self,
        message: str,
        default: str,
        *,
        note: str,
        check: Check,
        back: bool,
        secret: bool = False,
    ) -> str:
        """A line of text that `check` finds nothing wrong with; a `secret` one is not shown."""


def asker_for(console: Console) -> Asker:
    """Arrow keys when the terminal can move its cursor and show the marks, else plain lines."""
    if console.animated and console.unicode:
        return TerminalAsker(console)
    from greenlane.line_prompts import LineAsker

    return LineAsker(console)


class TerminalAsker:
    """Questions by questionary, with a footer of our own: meaning, problem, keys."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def session(self) -> AbstractContextManager[None]:
        return _keys_as_typed()

    def select(
        self, message: str, options: Sequence[Option], default: Any, *, note: str, back: bool
    ) -> Any:
        import questionary

        inline, widest = self._fits(options, 5), _widest(options)
        choices = [
            questionary.Choice(self._title(option, widest * inline), _Boxed(option.value))
            for option in options
        ]
        position = next((n for n, o in enumerate(options) if o.value == default), 0)
        question = questionary.select(
            message, choices, default=choices[position], instruction=" ", **self._look()
        )
        control = _choices_of(question)

        def meaning() -> str:
            option = options[control.pointed_at]
            text = "  ".join(filter(None, ["" if inline else option.hint, note]))
            return "\n".join(filter(None, [text, option.adds]))

        return self._run(question, meaning, lambda: "", "↑↓ move · enter choose", back).value

    def pick(
        self,
        message: str,
        options: Sequence[Option],
        chosen: Iterable[Any],
        *,
        explain: Callable[[list[Any]], str],
        problem: Callable[[list[Any]], str],
        back: bool,
    ) -> list[Any]:
        import questionary

        ticked, rows, by_row, group = set(chosen), [], {}, ""
        inline, widest = self._fits(options, 6), _widest(options)
        for option in options:
            if option.group != group:
                group = option.group
                rows.append(questionary.Separator(f"{group}"))
            by_row[len(rows)] = option
            rows.append(
                questionary.Choice(
                    self._title(option, widest * inline),
                    option.value,
                    checked=option.value in ticked and not option.locked,
                    disabled=option.locked or None,
                )
            )
        question = questionary.checkbox(
            message, rows, instruction=" ", validate=lambda _: True, **self._look()
        )
        control = _choices_of(question)

        def selected() -> list[Any]:
            return [choice.value for choice in control.get_selected_values()]

        def meaning() -> str:
            hint = "" if inline else by_row[control.pointed_at].hint
            return "\n".join(filter(None, [hint, explain(selected())]))

        def wrong() -> str:
            return problem(selected())

        keys = "↑↓ move · space tick · enter go on"
        # Enter must not leave while two ticked parts exclude each other.
        return self._run(question, meaning, wrong, keys, back, blocked=wrong)

    def text(
        self,
        message: str,
        default: str,
        *,
        note: str,
        check: Check,
        back: bool,
        secret: bool = False,
    ) -> str:
        import questionary
        from prompt_toolkit.selection import SelectionState, SelectionType

        prompt = questionary.password if secret else questionary.text
        question = prompt(message, default, **self._look())
        buffer = question.application.layout.current_buffer
        if default and buffer is not None:
            # Everything is selected, as in a browser's form: typing replaces the default, an arrow
            # key edits it.
            buffer.cursor_position = len(default)
            buffer.selection_state = SelectionState(0, SelectionType.CHARACTERS)
            buffer.selection_state.enter_shift_mode()
        problem = ""

        def wrong() -> str:
            return problem

        def blocked() -> str:
            nonlocal problem
            problem = check(buffer.text.strip()) if buffer is not None else ""
            return problem

        def changed(_: object) -> None:
            nonlocal problem
            problem = ""

        if buffer is not None:
            buffer.on_text_changed += changed
        keys = "enter accept · type to replace · ← edit" if default else "enter accept"
        answer = self._run(question, lambda: note, wrong, keys, back, blocked=blocked)
        return str(answer).strip()

    # -- pieces -----------------------------------------------------------------------------------

    def _fits(self, options: Sequence[Option], margin: int) -> bool:
        hints = max(cell_width(option.hint) for option in options)
        return _widest(options) + 2 + hints + margin <= self._console.width

    def _title(self, option: Option, column: int) -> list[tuple[str, str]]:
        """The label; with a `column`, its hint beside it there."""
        title = [("class:text", option.label)]
        if column and option.hint and not option.locked:
            gap = " " * (column - cell_width(option.label) + 2)
            title.append(("class:hint", gap + option.hint))
        return title

    def _look(self) -> dict[str, Any]:
        import questionary

        return {
            "qmark": "?",
            "style": questionary.Style(
                [
                    ("qmark", "fg:ansicyan bold"),
                    ("answer", "noinherit"),
                    ("pointer", "fg:ansicyan bold"),
                    ("highlighted", "noinherit"),
                    ("selected", "fg:ansigreen"),
                    ("separator", "bold"),
                    ("disabled", "fg:ansibrightblack"),
                    ("hint", "fg:ansibrightblack"),
                    ("problem", "fg:ansired"),
                    ("keys", "fg:ansibrightblack"),
                ]
            ),
        }

    def _run(
        self,
        question: Any,
        meaning: Callable[[], str],
        problem: Callable[[], str],
        keys: str,
        back: bool,
        *,
        blocked: Callable[[], str] | None = None,
    ) -> Any:
        from prompt_toolkit.filters import Condition
        from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings

        app = question.application
        bindings = KeyBindings()
        if back:
            keys += " · esc back"

            @bindings.add("escape", eager=True)
            def _(event: Any) -> None:
                event.app.exit(result=_BACK)

        if blocked is not None:

            @bindings.add("enter", eager=True, filter=Condition(lambda: bool(blocked())))
            def _(event: Any) -> None:
                event.app.invalidate()  # the footer now says what is wrong

        app.key_bindings = merge_key_bindings([app.key_bindings, bindings])
        app.layout = _with_footer(app.layout, meaning, problem, keys + " · ctrl-c leave")
        app.ttimeoutlen = _ESCAPE_SECONDS
        # The wizard prints each answer on one line of its own, which it can take back.
        app.erase_when_done = True
        try:
            answer = app.run()
        except EOFError:
            raise KeyboardInterrupt from None
        if answer is _BACK:
            raise Back
        return answer


@contextmanager
def _keys_as_typed() -> Generator[None]:
    """Between two prompts, too, keys are neither shown nor translated.

    prompt_toolkit takes the terminal for each prompt and gives it back. What a quick person types
    in between would be echoed into the answers, and Enter would arrive as another key.
    """
    import termios

    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    now = list(before)
    now[0] &= ~termios.ICRNL
    now[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(sys.stdin, termios.TCSANOW, now)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)


_BACK = object()


@dataclass(frozen=True)
class _Boxed:
    """Keeps questionary from taking None, "" or False as "no value given"."""

    value: Any


def _widest(options: Sequence[Option]) -> int:
    return max(cell_width(option.label) for option in options)


def _choices_of(question: Any) -> Any:
    from questionary.prompts.common import InquirerControl

    controls = question.application.layout.find_all_controls()
    return next(control for control in controls if isinstance(control, InquirerControl))


def _with_footer(
    layout: Any, meaning: Callable[[], str], problem: Callable[[], str], keys: str
) -> Any:
    from textwrap import fill

    from prompt_toolkit.application import get_app
    from prompt_toolkit.filters import to_filter
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, VerticalAlign, Window

    def footer() -> StyleAndTextTuples:
        width = get_app().output.get_size().columns - 1
        rows = [("class:hint", text) for text in meaning().splitlines()]
        rows += [("class:problem", problem()), ("class:keys", keys)]
        return [
            (style, fill(text, width, initial_indent="  ", subsequent_indent="  ") + "\n")
            for style, text in rows
            if text
        ]

    for window in layout.find_all_windows():
        window.dont_extend_height = to_filter(True)
    foot = Window(FormattedTextControl(footer), wrap_lines=True, dont_extend_height=True)
    return Layout(
        HSplit([layout.container, foot], align=VerticalAlign.TOP),
        focused_element=layout.current_window,
    )
