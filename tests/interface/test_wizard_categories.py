"""After a preset the wizard asks about the categories for which the kit has a question."""

import io
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from greenlane.answers import Answers, resolve
from greenlane.console import Console
from greenlane.kit import Kit, load_kit
from greenlane.report import command_line
from greenlane.wizard import Wizard
from interface.conftest import Greenlane
from interface.scripted import Script

OK, BACK = Script.ACCEPT, Script.BACK
START, WHERE, CHECKS = "What should it start with?", "Where will it run?", "What checks it?"
CATEGORIES = """\
  places: {title: Places, ask: Where will it run?, none: Nowhere yet}
  checks: {title: Checks, ask: What checks it?, none: Nothing yet}
"""
MODULES = {
    "server": "title: A server\ncategory: places\nrequires: [audit]\nnotes: Plug it in.\n",
    "cloud": "title: Cloud\ncategory: places\nrequires: [audit, jobs]\n",
    # It cannot be with reports, which webhooks cannot.
    "harbour": "title: Harbour\ncategory: places\nrequires: [webhooks]\n",
    "alpha": "title: Alpha\ncategory: checks\n",
    "beta": "title: Beta\ncategory: checks\nconflicts: [cloud]\n",
}
HOSTED = "description: On a server.\napp: desk\nmodules: [alpha, server, reports]\n"


@pytest.fixture
def root(small_kit: Path, tmp_path: Path) -> Path:
    root = tmp_path / "kit"
    shutil.copytree(small_kit, root)
    head = root / "kit.yml"
    head.write_text(head.read_text().replace("questions:\n", f"{CATEGORIES}questions:\n", 1))
    for name, text in MODULES.items():
        (root / "modules" / name).mkdir()
        (root / "modules" / name / "module.yml").write_text(f"description: It is one.\n{text}")
    (root / "presets/hosted.yml").write_text(HOSTED)
    return root


@pytest.fixture
def kit(root: Path) -> Kit:
    return load_kit(root)


def asked(kit: Kit, *answers: Any) -> tuple[Script, Answers, str]:
    """What the person was asked, the answers, and the lines on the screen."""
    script, out = Script(*answers, *[OK] * 20), io.StringIO()
    return script, Wizard(kit, Console(stdout=out), asker=script).run(), out.getvalue()


def test_nothing_is_the_default(kit: Kit) -> None:
    script, answers, lines = asked(kit, "freelancer")
    assert script.asked[:3] == [START, WHERE, CHECKS]
    assert script.defaults[WHERE] == ()
    assert answers.modules == ("jobs", "reports")
    assert f"{WHERE}  Nowhere yet\n" in lines


def test_what_fits_the_preset_is_offered_with_what_it_brings(kit: Kit) -> None:
    script, answers, lines = asked(kit, "freelancer", ("cloud",), ("alpha",))
    assert script.options[WHERE] == [
        (),
        ("cloud",),
        ("server",),
        ("cloud", "server"),
    ]
    assert script.adds[WHERE] == ["", *["adds Audit"] * 3]
    assert answers.modules == ("alpha", "audit", "cloud", "jobs", "reports")
    assert f"{WHERE}  Cloud, adds Audit\n" in lines
    minimal, _, _ = asked(kit, "minimal")
    assert minimal.options[WHERE] == [(), ("cloud",), ("harbour",), ("server",), "several"]


def test_an_earlier_answer_narrows_a_later_one(kit: Kit) -> None:
    script, _, _ = asked(kit, "minimal", ("cloud",))
    assert script.options[CHECKS] == [(), ("alpha",)]
    script, answers, _ = asked(kit, "minimal", ("server",), ("alpha", "beta"))
    assert script.options[CHECKS] == [(), ("alpha",), ("beta",), ("alpha", "beta")]
    assert {"alpha", "beta", "server"} <= {*answers.modules}


def test_two_that_go_together_are_offered_as_both(kit: Kit) -> None:
    _, answers, _ = asked(kit, "freelancer", ("server",), ("alpha", "beta"))
    assert {"alpha", "beta"} <= {*answers.modules}


def test_several_are_ticked_and_there_is_a_way_back(kit: Kit) -> None:
    ticks = ["harbour", "server"]
    script, answers, _ = asked(kit, "minimal", "several", BACK, "several", ticks)
    assert script.asked[1:5] == [WHERE] * 4
    along = "adds Audit, needed by Harbour, A server; adds Webhooks, needed by Harbour"
    assert script.explained == along
    assert {"harbour", "server", "webhooks"} <= {*answers.modules}


def test_a_choice_of_the_preset_is_the_default_and_can_be_taken_out(kit: Kit) -> None:
    script, answers, _ = asked(kit, "hosted")
    assert (script.defaults[WHERE], script.defaults[CHECKS]) == (("server",), ("alpha",))
    assert answers.modules == ("alpha", "audit", "jobs", "reports", "server")
    _, answers, _ = asked(kit, "hosted", (), ())
    assert answers.modules == ("jobs", "reports")


def test_answers_are_kept_when_going_back(kit: Kit) -> None:
    script, answers, _ = asked(kit, "freelancer", ("cloud",), ("alpha",), BACK, BACK)
    assert (script.defaults[WHERE], script.defaults[CHECKS]) == (("cloud",), ("alpha",))
    assert {"alpha", "cloud"} <= {*answers.modules}
    script, answers, _ = asked(kit, "hosted", OK, BACK, BACK, "minimal")
    assert script.defaults[WHERE] == (), "an accepted default follows the preset"


def test_the_list_of_all_parts_has_them_already(kit: Kit) -> None:
    script, answers, _ = asked(kit, "", ["cloud", "alpha"])
    assert WHERE not in script.asked
    assert {"alpha", "cloud"} <= {*answers.modules}


@pytest.mark.parametrize("choices", [[(), ()], [("cloud",), ("alpha",)], [("server",), ("beta",)]])
def test_the_printed_command_gives_the_same(kit: Kit, choices: list[Any]) -> None:
    _, answers, _ = asked(kit, "hosted", *choices, "shop")
    words = shlex.split(command_line(kit, answers, Path("shop")))[3:]
    options: dict[str, list[str]] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        options.setdefault(name, []).append(value)
    again = resolve(
        kit,
        name="shop",
        preset=next(iter(options.get("--preset", [])), None),
        sets=options.get("--set", []),
        with_parts=options.get("--with", []),
        without_parts=options.get("--without", []),
    )
    assert again == answers


def test_a_list_after_a_comma(greenlane: Greenlane, root: Path) -> None:
    data = greenlane.document(
        "new", "one", "--kit", root, "--with", "cloud,alpha", "--with=reports"
    )
    assert data["modules"] == ["alpha", "audit", "cloud", "jobs", "reports"]
    hosted = ["new", "two", "--kit", root, "--preset", "hosted"]
    data = greenlane.document(*hosted, "--without", "alpha, server")
    assert data["modules"] == ["jobs", "reports"]
    message, _ = greenlane.fails("new", "six", "--kit", root, "--with", "cloud,alfa")
    assert message == 'There is no module "alfa".'


def test_the_question_stands_in_the_list(greenlane: Greenlane, root: Path) -> None:
    text = greenlane.ok("list", "modules", "--kit", root)
    assert "  Places: Where will it run?\n    cloud " in text
    assert "--with MODULE,..." in text


def test_what_is_next_is_said_at_the_end(greenlane: Greenlane, root: Path) -> None:
    text = greenlane.ok("new", "one", "--kit", root, "--preset", "hosted")
    assert f"\n{WHERE}\n  A server  Plug it in.\n" in text
    text = greenlane.ok("new", "two", "--kit", root, "--preset", "minimal")
    assert "Nowhere yet. `greenlane add MODULE` there adds one of: cloud, harbour," in text
