"""The wizard's order, its way back and what it keeps; and its prompts by real key presses."""

import io
import pty
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from greenlane.answers import Answers
from greenlane.console import Console
from greenlane.errors import GreenlaneError
from greenlane.exits import Left
from greenlane.kit import Kit, load_kit
from greenlane.line_prompts import LineAsker
from greenlane.prompts import Back, Option, TerminalAsker
from greenlane.wizard import Wizard, ask
from interface.scripted import Script

OWN = ""  # "choose the parts myself"


@pytest.fixture
def kit(small_kit: Path) -> Kit:
    return load_kit(small_kit)


@pytest.fixture
def console() -> Console:
    return Console(stdout=io.StringIO(), stderr=io.StringIO())


def wizard(kit: Kit, console: Console, script: Script, **options: Any) -> Answers:
    return Wizard(kit, console, asker=script, **options).run()


START, NAME, TITLE = "What should it start with?", "What is the project called?", "What should"


def test_defaults_all_the_way(kit: Kit, console: Console) -> None:
    script = Script(*[Script.ACCEPT] * 20)
    answers = wizard(kit, console, script)
    assert script.asked == [
        START,
        NAME,
        "What should people see as its name?",
        "Under which licence?",
        "Which large model helps?",
        "How are people greeted?",
        "Should reports be loud?",
    ]
    assert answers.modules == ("jobs", "reports")
    assert answers.values["license"] == "Apache-2.0", "the preset's answer is the default"


def test_one_archetype_is_shown_not_asked(kit: Kit) -> None:
    out = io.StringIO()
    wizard(kit, Console(stdout=out), Script(*[Script.ACCEPT] * 20))
    assert "What do you want to build?  Support desk" in out.getvalue()


def test_a_question_made_pointless_is_not_asked(kit: Kit, console: Console) -> None:
    script = Script("minimal", *[Script.ACCEPT] * 3, "openai", *[Script.ACCEPT] * 9)
    answers = wizard(kit, console, script)
    assert "At which address does the large model answer?" in script.asked
    assert "How many US dollars may it cost per day?" in script.asked
    assert answers.values["large_model"] == "openai"

    script = Script("minimal", *[Script.ACCEPT] * 9)
    wizard(kit, console, script)
    assert "At which address does the large model answer?" not in script.asked


def test_answers_are_kept_when_going_back(kit: Kit, console: Console) -> None:
    ok, back = Script.ACCEPT, Script.BACK
    script = Script("minimal", "acme", "Acme Ltd", "MIT", back, back, back, ok, ok, ok, ok, ok)
    answers = wizard(kit, console, script)
    assert script.defaults[NAME] == "acme"
    assert script.defaults["What should people see as its name?"] == "Acme Ltd"
    assert answers.values["project_name"] == "acme"
    assert answers.values["project_title"] == "Acme Ltd"


def test_a_derived_default_follows_a_changed_answer(kit: Kit, console: Console) -> None:
    ok, back = Script.ACCEPT, Script.BACK
    script = Script("minimal", "acme", ok, back, back, "shop", ok, ok, ok, ok)
    answers = wizard(kit, console, script)
    assert answers.values["project_title"] == "Shop"


def test_going_back_to_another_start_changes_the_questions(kit: Kit, console: Console) -> None:
    script = Script("minimal", Script.BACK, OWN, ["webhooks"], *[Script.ACCEPT] * 9)
    answers = wizard(kit, console, script)
    assert "Which parts should it have?" in script.asked
    assert answers.modules == ("audit", "jobs", "webhooks")
    assert script.explained == "adds Audit, needed by Webhooks"


def test_an_answer_to_a_question_no_longer_asked_is_dropped(kit: Kit, console: Console) -> None:
    ok, back = Script.ACCEPT, Script.BACK
    steps = [ok, ok, ok, "openai", "http://there/v1", back, back, "none", ok]
    answers = wizard(kit, console, Script("minimal", *steps))
    assert answers.values["large_model_url"] == "http://localhost:8080/v1"


def test_parts_start_from_the_preset_that_was_looked_at(kit: Kit, console: Console) -> None:
    script = Script("minimal", Script.BACK, OWN, [], *[Script.ACCEPT] * 9)
    wizard(kit, console, script)
    assert script.defaults["Which parts should it have?"] == []
    script = Script("freelancer", Script.BACK, OWN, ["reports"], *[Script.ACCEPT] * 9)
    wizard(kit, console, script)
    assert script.defaults["Which parts should it have?"] == ["reports"]


def test_parts_are_grouped_and_required_ones_locked(kit: Kit, console: Console) -> None:
    script = Script(OWN, [], *[Script.ACCEPT] * 9)
    wizard(kit, console, script)
    options = script.options["Which parts should it have?"]
    assert [(option.value, option.group) for option in options] == [
        ("jobs", "The application"),
        ("webhooks", "The application"),
        ("audit", "Quality gates"),
        ("reports", "Quality gates"),
    ]
    assert [option.value for option in options if option.locked] == ["jobs"]


def test_conflicting_parts_are_refused_at_the_question(kit: Kit, console: Console) -> None:
    script = Script(OWN, ["reports", "webhooks"], *[Script.ACCEPT] * 9)
    with pytest.raises(GreenlaneError):
        wizard(kit, console, script)
    assert script.problems == ["Reports and Webhooks cannot be together: untick one of them."]


def test_a_bad_answer_is_refused_at_the_question(kit: Kit, console: Console) -> None:
    script = Script("minimal", "Acme Ltd", "acme", *[Script.ACCEPT] * 9)
    assert wizard(kit, console, script).values["project_name"] == "acme"
    assert script.problems == [
        '"Acme Ltd" does not fit; expected lower-case letters, digits and dashes.'
    ]


def test_a_name_that_is_taken_here_is_refused(kit: Kit, console: Console, tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme/mine").touch()
    (tmp_path / "empty").mkdir()
    script = Script("minimal", "acme", "empty", *[Script.ACCEPT] * 9)
    answers = wizard(kit, console, script, parent=tmp_path)
    assert answers.values["project_name"] == "empty"
    assert script.problems == ["There is a folder acme here already. Choose another name."]


def test_the_folder_names_the_project(kit: Kit, console: Console, tmp_path: Path) -> None:
    script = Script(*[Script.ACCEPT] * 20)
    answers = ask(kit, console, tmp_path / "acme-desk", asker=script)
    assert answers.values["project_name"] == "acme-desk"


def test_going_back_from_the_summary(
    kit: Kit, console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ok = Script.ACCEPT
    script = Script("minimal", ok, ok, ok, ok, "hello", "back", "good day", "write")
    answers = ask(kit, console, None, asker=script)
    assert script.defaults["How are people greeted?"] == "hello"
    assert answers.values["greeting"] == "good day"
    assert script.answers == []


def test_the_name_must_be_free_where_the_person_stands(
    kit: Kit, console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-app").mkdir()
    (tmp_path / "my-app/mine").touch()
    script = Script("minimal", "my-app", "acme", *[Script.ACCEPT] * 5)
    assert ask(kit, console, None, asker=script).values["project_name"] == "acme"
    assert len(script.problems) == 1


@pytest.mark.parametrize("last", ["leave", Script.LEAVE])
def test_leaving_says_that_nothing_was_written(
    kit: Kit, console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Left, match=r"^Nothing was written\.$"):
        ask(kit, console, None, asker=Script(*[Script.ACCEPT] * 7, last))
    assert list(tmp_path.iterdir()) == []


def test_a_taken_folder_is_found_before_any_question(
    kit: Kit, console: Console, tmp_path: Path
) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(GreenlaneError, match="not empty"):
        ask(kit, console, tmp_path, asker=Script())


# -- real key presses -----------------------------------------------------------------------------

UP, DOWN, LEFT, ESCAPE, ENTER = "\x1b[A", "\x1b[B", "\x1b[D", "\x1b", "\r"


@pytest.fixture
def press() -> Iterator[Callable[[str], TerminalAsker]]:
    """`press(keys)`: an asker at whose terminal the keys have been pressed."""
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):

        def pressed(keys: str) -> TerminalAsker:
            pipe.send_text(keys)
            return TerminalAsker(Console(stdout=io.StringIO()))

        yield pressed


COLOURS = [Option("", "none"), Option(False, "no", "not at all"), Option("red", "Red")]


def select(asker: TerminalAsker, default: Any = "", *, back: bool = True) -> Any:
    return asker.select("Which?", COLOURS, default, note="", back=back)


def pick(asker: TerminalAsker, *chosen: str, problem: str = "") -> list[str]:
    options = [Option("a", "A", group="One", locked="needed"), Option("b", "B", group="One")]
    options += [Option("c", "C", group="Two")]
    return asker.pick(
        "Which?",
        options,
        chosen,
        explain=lambda _: "",
        problem=lambda picked: problem if "c" in picked else "",
        back=True,
    )


def text(asker: TerminalAsker, default: str = "") -> str:
    def check(answer: str) -> str:
        return "too short" if len(answer) < 2 else ""

    return asker.text("What?", default, note="", check=check, back=True)


Press = Callable[[str], TerminalAsker]


def test_arrow_keys_choose(press: Press) -> None:
    assert select(press(ENTER)) == ""
    assert select(press(DOWN + ENTER)) is False
    assert select(press(UP + ENTER)) == "red"
    assert select(press(UP + ENTER), default="red") is False


def test_escape_goes_back(press: Press) -> None:
    for question in (select, pick, text):
        with pytest.raises(Back):
            question(press(ESCAPE))


def test_the_first_question_has_no_way_back(press: Press) -> None:
    assert select(press(ESCAPE + "\x1b" + DOWN + ENTER), back=False) is False


def test_control_c_leaves(press: Press) -> None:
    for question in (select, pick, text):
        with pytest.raises(KeyboardInterrupt):
            question(press("\x03"))


def test_space_ticks_and_locked_parts_cannot_be_reached(press: Press) -> None:
    assert pick(press(ENTER)) == []
    assert pick(press(" " + ENTER)) == ["b"]
    assert pick(press(DOWN + " " + ENTER), "b") == ["b", "c"]
    assert pick(press(DOWN + " " + DOWN + " " + ENTER), "b", "c") == []


def test_enter_waits_until_parts_fit_together(press: Press) -> None:
    assert pick(press(ENTER + DOWN + " " + ENTER), "b", "c", problem="no") == ["b"]


def test_typing_replaces_the_default(press: Press) -> None:
    assert text(press(ENTER), "given") == "given"
    assert text(press("typed" + ENTER), "given") == "typed"
    assert text(press(LEFT + "!" + ENTER), "given") == "give!n"
    assert text(press("\x7f" + "ok" + ENTER), "given") == "ok"


def test_text_is_checked_at_the_prompt(press: Press) -> None:
    assert text(press("x" + ENTER + "yz" + ENTER)) == "xyz"


def test_between_prompts_the_terminal_neither_echoes_nor_translates(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, follower = pty.openpty()
    with open(follower) as stdin, open(leader):  # noqa: PTH123 - descriptors
        monkeypatch.setattr("sys.stdin", stdin)
        before = termios.tcgetattr(stdin)
        with suppress(Back), TerminalAsker(console).session():
            within = termios.tcgetattr(stdin)
            raise Back
        assert before[3] & termios.ECHO
        assert not within[3] & (termios.ECHO | termios.ICANON)
        assert not within[0] & termios.ICRNL, "or Enter would arrive as another key"
        assert within[3] & termios.ISIG, "or Ctrl-C would do nothing"
        assert termios.tcgetattr(stdin) == before


# -- without arrow keys ---------------------------------------------------------------------------


def lines(console: Console, *answers: str) -> LineAsker:
    left = iter(answers)
    return LineAsker(console, lambda _: next(left))


def test_lines_choose_by_number(console: Console) -> None:
    def choose(*answers: str) -> Any:
        return lines(console, *answers).select("Which?", COLOURS, "red", note="", back=True)

    assert choose("") == "red"
    assert choose("9", "x", "2") is False
    with pytest.raises(Back):
        choose("<")


def test_lines_switch_parts_by_number(console: Console) -> None:
    options = [Option("a", "A", group="One", locked="needed"), Option("b", "B", group="One")]

    def choose(*answers: str, problem: str = "") -> list[str]:
        return lines(console, *answers).pick(
            "Which?",
            options,
            ["b"],
            explain=lambda _: "",
            problem=lambda picked: "" if "b" in picked else problem,
            back=True,
        )

    assert choose("") == ["b"]
    assert choose("2", "") == []
    assert choose("2, 7", "2", "") == ["b"]
    assert choose("2", "", "2", "", problem="b is needed") == ["b"]


def test_lines_check_texts(console: Console) -> None:
    asker = lines(console, "x", "yz")
    answer = asker.text(
        "What?", "default", note="", check=lambda t: "short" if len(t) < 2 else "", back=False
    )
    assert answer == "yz"


@pytest.mark.parametrize("key", [KeyboardInterrupt, EOFError])
def test_leaving_between_lines_ends_the_line(key: type[BaseException]) -> None:
    def leave(_: str) -> str:
        raise key

    out = io.StringIO()
    asker = LineAsker(Console(stdout=out), leave)
    with pytest.raises(KeyboardInterrupt):
        asker.text("What?", "", note="", check=lambda _: "", back=False)
    assert out.getvalue() == "\nWhat?\n\n"


def test_lines_say_what_an_option_adds() -> None:
    out = io.StringIO()
    asker = LineAsker(Console(stdout=out), lambda _: "")
    options = [Option("", "None"), Option("a", "A", "is good", adds="adds B, C")]
    assert asker.select("Which?", options, "", note="", back=False) == ""
    assert "   2 A - is good; adds B, C\n" in out.getvalue()
