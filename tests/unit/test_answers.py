"""From presets, files and options to answers, and back to one command."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import MakeKit
from greenlane.answers import (
    Answers,
    applicable,
    check,
    default_of,
    equivalent_command,
    is_asked,
    resolve,
    to_yaml,
)
from greenlane.errors import GreenlaneError
from greenlane.kit import Kit, load_kit


@pytest.fixture
def kit(make_kit: MakeKit) -> Kit:
    return load_kit(make_kit())


def test_defaults(kit: Kit) -> None:
    answers = resolve(kit, sets=["app=shop"])
    assert answers.app == "shop"
    assert answers.modules == ()
    # A question that is not asked has its default, for templates that mention it.
    assert answers.values == {
        "project_name": "my-app",
        "database": "sqlite",
        "database_url": "postgres://localhost/my-app",
    }


def test_requirements_are_added(kit: Kit) -> None:
    assert resolve(kit, sets=["app=desk"]).modules == ("jobs",)
    assert resolve(kit, sets=["app=shop"], with_parts=["mail"]).modules == ("jobs", "mail")


def test_precedence(kit: Kit, tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text("answers: {database: postgres, database_url: from-file, project_name: filed}\n")
    both = resolve(kit, preset="small", file=file)
    assert both.app == "desk"
    assert both.values["loud"] is True
    assert both.values["database_url"] == "from-file"
    assert both.values["project_name"] == "filed"
    answers = resolve(
        kit, preset="small", file=file, name="named", sets=["project_name=set", "loud=off"]
    )
    assert answers.values["project_name"] == "named"
    assert answers.values["loud"] is False
    # The last of two wins, as with most commands.
    twice = resolve(kit, preset="small", sets=["loud=yes", "loud=no"])
    assert twice.values["loud"] is False


def test_modules_of_a_file_replace_those_of_the_preset(kit: Kit, tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text("app: shop\nmodules: [fax]\n")
    assert resolve(kit, preset="small", file=file).modules == ("fax",)
    assert resolve(kit, preset="small", sets=["app=shop", "modules= jobs ,fax"]).modules == (
        *("fax", "jobs"),
    )
    assert resolve(kit, preset="small", sets=["modules="]).modules == ("jobs",)


def test_a_preset_may_answer_what_is_not_asked_in_the_end(kit: Kit) -> None:
    answers = resolve(kit, preset="small", without_parts=["mail"])
    assert "loud" not in answers.values
    assert resolve(kit, preset="small", sets=["database=sqlite"]).values["database"] == "sqlite"


def test_a_file_may_too_when_options_changed_what_is_asked(kit: Kit, tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text("app: shop\nmodules: [mail]\nanswers: {loud: true}\n")
    assert "loud" not in resolve(kit, file=file, without_parts=["mail"]).values


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"preset": "smal"}, 'no preset "smal"', 'Did you mean "small"?'),
        ({}, "Which application? The kit has desk, shop.", "--set app=desk"),
        ({"sets": ["app=dask"]}, 'no application "dask"', 'Did you mean "desk"?'),
        ({"with_parts": ["job"]}, 'no module "job"', 'Did you mean "jobs"?'),
        ({"without_parts": ["xyz"]}, 'no module "xyz"', "Known: fax, jobs, mail."),
        ({"with_parts": ["shop"]}, "shop is an application, not a module", "--set app=shop"),
        ({"with_parts": ["fax", "mail"]}, "fax and mail cannot be together", "--without mail"),
        (
            {"sets": ["app=desk"], "without_parts": ["jobs"]},
            "jobs cannot be left out: desk requires it",
            "Keep jobs.",
        ),
        (
            {"with_parts": ["mail"], "without_parts": ["jobs"]},
            "jobs cannot be left out: mail requires it",
            "Leave out mail, too",
        ),
        ({"with_parts": ["fax"], "without_parts": ["fax"]}, "both asked for and left out", "one"),
        ({"sets": ["database"]}, '--set "database" is not of the form key=value', "--set"),
        ({"sets": ["=x"]}, "is not of the form key=value", "--set"),
        ({"sets": ["databse=x"]}, 'answers "databse", which no question', '"database"?'),
        ({"sets": ["database=oracle"]}, '"oracle" does not fit; expected one of: sqlite', "--set"),
        ({"sets": ["loud=true"]}, 'answers "loud", which only mail asks', "Add --with mail"),
        (
            {"sets": ["database_url=x"]},
            "answers \"database_url\", which is not asked here: only when database == 'postgres'",
            "change the earlier answer",
        ),
        ({"with_parts": ["mail"], "sets": ["loud=maybe"]}, "expected true or false", "Loud?"),
        ({"name": "My App"}, '"My App" does not fit; expected lower-case letters', "What is it"),
        ({"name": "a"}, '"a" does not fit; expected lower-case letters', "What is it"),
        ({"name": "../x"}, '"../x" does not fit; expected lower-case letters', "What is it"),
    ],
)
def test_refusals_say_what_to_do(
    kit: Kit, options: dict[str, object], message: str, hint: str
) -> None:
    if options and "preset" not in options and "sets" not in options:
        options = {"sets": ["app=shop"], **options}
    elif options.get("sets") and not str(options["sets"]).startswith("['app"):
        options = {**options, "sets": ["app=shop", *options["sets"]]}  # type: ignore[misc]
    with pytest.raises(GreenlaneError) as caught:
        resolve(kit, **options)  # type: ignore[arg-type]
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("app: 1\n", 'line 1: "app" is a number'),
        ("ap: x\n", '"ap" is not a key known here'),
        ("answers: {databse: sqlite}\n", 'a.yml answers "databse", which no question asks'),
        ("answers: {database: [sqlite]}\n", "has no single value"),
        ("answers: {database: 1.5}\n", "has no single value"),
        ("answers: {loud: true}\n", 'a.yml answers "loud", which only mail asks'),
        ("answers: {database_url: x}\n", 'answers "database_url", which is not asked here'),
        ("answers: {project_name: 12}\n", "expected a text, found a number; put it in quotes"),
        ("kit: other\n", 'holds answers for the kit "other", this one is "tiny"'),
        ("answers: {}\nanswers: {}\n", 'the key "answers" twice'),
    ],
)
def test_mistakes_in_an_answers_file(kit: Kit, tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "a.yml"
    file.write_text(text if text.startswith(("app", "ap:")) else f"app: shop\n{text}")
    with pytest.raises(GreenlaneError) as caught:
        resolve(kit, file=file)
    assert message in caught.value.message


def test_an_answer_nobody_asked_for_may_be_the_default(kit: Kit) -> None:
    answers = resolve(kit, sets=["app=shop", "database_url=postgres://localhost/my-app"])
    assert answers == resolve(kit, sets=["app=shop"])


def test_a_question_without_default_needs_an_answer(make_kit: MakeKit) -> None:
    manifest = "title: T\ndescription: D\ncategory: work\nquestions:\n  loud: {help: How loud?}\n"
    kit = load_kit(make_kit({"modules/mail/module.yml": manifest, "presets/small.yml": None}))
    with pytest.raises(GreenlaneError) as caught:
        resolve(kit, sets=["app=shop"], with_parts=["mail"])
    assert caught.value.message == "loud needs an answer: How loud?"
    assert "--set loud=" in caught.value.hint
    given_ = resolve(kit, sets=["app=shop", "loud="], with_parts=["mail"])
    assert given_.values["loud"] == ""


def _question(make_kit: MakeKit, text: str) -> Kit:
    manifest = f"title: T\ndescription: D\ncategory: work\nquestions:\n  loud: {text}\n"
    return load_kit(make_kit({"modules/mail/module.yml": manifest, "presets/small.yml": None}))


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("{type: bool, help: h}", "Yes", True),
        ("{type: bool, help: h}", "0", False),
        ("{type: int, help: h}", " 12", 12),
        ("{type: int, help: h}", -3, -3),
        ("{help: h, choices: [1, 2]}", "2", 2),
        ("{help: h, choices: {a: true, b: false}}", "false", False),
        ("{help: h, choices: [yes, no]}", "no", "no"),
        ("{help: h}", "", ""),
        (
            "{help: h}",
            ' "quoted" \' ${{ x }} {% y %} # : 👩‍💻',
            ' "quoted" \' ${{ x }} {% y %} # : 👩‍💻',
        ),
        ("{type: str, help: h}", "12", "12"),
    ],
)
def test_values_of_each_type(make_kit: MakeKit, text: str, value: object, expected: object) -> None:
    question = _question(make_kit, text).parts["mail"].questions[0]
    found = check(question, value, {})
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        ("{type: bool, help: h}", 1, "expected true or false"),
        ("{type: bool, help: h}", "", "expected true or false"),
        ("{type: int, help: h}", True, "expected a whole number"),
        ("{type: int, help: h}", "1.5", "expected a whole number"),
        ("{type: int, help: h}", "1_000", "expected a whole number"),
        ("{type: int, help: h}", "٣", "expected a whole number"),
        ("{type: int, help: h}", 10**15, "expected a whole number of at most 15 digits"),
        ("{help: h, choices: [a, b]}", "c", "expected one of: a, b"),
        ("{help: h, choices: [1, 2]}", True, "expected one of: 1, 2"),
        ("{help: h}", None, "found empty"),
        ("{help: h}", 1, "found a number"),
        ("{help: h}", "a\nb", "a line end or a control character (U+000A)"),
        ("{help: h}", "a\rb", "U+000D"),
        ("{help: h}", "a\0b", "U+0000"),
        ("{help: h}", "a\x1b[2Jb", "U+001B"),
        ("{help: h}", "a\x85b", "U+0085"),
        ("{help: h}", "a\u2028b", "U+2028"),
        ("{help: h}", "a\u202eb", "U+202E"),
        ("{help: h}", "a\ud800b", "U+D800"),
        ("{help: h}", "a\uffffb", "U+FFFF"),
        ("{help: h}", "x" * 501, "it has 501 characters, at most 500 fit"),
        ('{help: h, pattern: "[a-z]+", pattern_help: small letters}', "a\n", "U+000A"),
        (
            '{help: h, pattern: "[a-z]+", pattern_help: small letters}',
            "aB",
            "expected small letters",
        ),
        ("{help: h, validator: \"{% if loud != 'x' %}Say x.{% endif %}\"}", "y", "fit; Say x."),
    ],
)
def test_unfit_values(make_kit: MakeKit, text: str, value: object, message: str) -> None:
    question = _question(make_kit, text).parts["mail"].questions[0]
    with pytest.raises(GreenlaneError) as caught:
        check(question, value, {})
    assert message in caught.value.message
    assert caught.value.message.startswith("loud: ")
    # Nothing that could act on a terminal is echoed.
    assert all(ord(character) >= 32 for character in caught.value.message)


def test_a_pattern_that_takes_forever_is_stopped(make_kit: MakeKit) -> None:
    kit = _question(make_kit, '{help: h, pattern: "(a+)+b", pattern_help: x}')
    with pytest.raises(GreenlaneError, match="mail, pattern of loud took more than 2 s"):
        check(kit.parts["mail"].questions[0], "a" * 60, {})


def test_a_default_is_checked_too(make_kit: MakeKit) -> None:
    for default, message in [
        ("'{{ project_name }}!'", "expected small letters"),
        ("'{{ nope }}'", "mail, default of loud, line 1: 'nope' is undefined"),
        ("'{{ project_name'", "mail, default of loud, line 1: unexpected end"),
    ]:
        text = f'{{help: h, default: {default}, pattern: "[a-z-]+", pattern_help: small letters}}'
        kit = _question(make_kit, text)
        with pytest.raises(GreenlaneError) as caught:
            resolve(kit, sets=["app=shop"], with_parts=["mail"])
        assert message in caught.value.message


def test_conditions(make_kit: MakeKit) -> None:
    kit = _question(make_kit, "{help: h, default: x, when: \"{{ database == 'postgres' }}\"}")
    question = kit.parts["mail"].questions[0]
    assert is_asked(question, {"database": "postgres"})
    assert not is_asked(question, {"database": "sqlite"})
    with pytest.raises(GreenlaneError, match="mail, when of loud, line 1: 'database' is undefined"):
        is_asked(question, {})
    odd = _question(make_kit, "{help: h, default: x, when: '{{ database }}'}").parts["mail"]
    with pytest.raises(GreenlaneError, match="gave 'sqlite', expected true or false"):
        is_asked(odd.questions[0], {"database": "sqlite"})
    never = _question(make_kit, "{help: h, default: x, when: false}").parts["mail"].questions[0]
    assert not is_asked(never, {})


def test_default_follows_earlier_answers(kit: Kit) -> None:
    url = kit.questions[2]
    assert default_of(url, {"project_name": "acme"}) == "postgres://localhost/acme"


def test_applicable_in_order(kit: Kit) -> None:
    names = [question.name for question in applicable(kit, "shop", ["mail", "jobs"])]
    assert names == ["project_name", "database", "database_url", "loud"]
    assert [q.name for q in applicable(kit, "shop", [])] == names[:3]


def test_answers_cannot_be_changed(kit: Kit) -> None:
    answers = resolve(kit, sets=["app=shop"])
    with pytest.raises(TypeError):
        answers.values["database"] = "x"  # type: ignore[index]
    with pytest.raises(AttributeError):
        answers.app = "desk"  # type: ignore[misc]


def test_equivalent_command_is_short(kit: Kit) -> None:
    def command(**options: object) -> list[str]:
        answers = resolve(kit, name="acme", **options)  # type: ignore[arg-type]
        return equivalent_command(kit, answers, "acme")[2:]

    assert command(preset="small") == ["acme", "--preset", "small"]
    assert command(preset="small", sets=["loud=no"]) == [
        *("acme", "--preset", "small", "--set", "loud=false"),
    ]
    assert command(sets=["app=desk"]) == ["acme", "--set", "app=desk"]
    assert command(sets=["app=shop"], with_parts=["mail"]) == [
        *("acme", "--set", "app=shop", "--with", "mail"),
    ]
    answers = resolve(kit, preset="small")
    assert equivalent_command(kit, answers, "deep/acme")[2:] == [
        *("deep/acme", "--preset", "small", "--set", "project_name=my-app"),
    ]


def _from_command(kit: Kit, command: list[str]) -> Answers:
    assert command[:2] == ["greenlane", "new"]
    dest, options = command[2], command[3:]
    pairs = list(zip(options[::2], options[1::2], strict=True))
    sets = [value for option, value in pairs if option == "--set"]
    named = any(item.startswith("project_name=") for item in sets)
    return resolve(
        kit,
        name=None if named else Path(dest).name,
        preset=next((value for option, value in pairs if option == "--preset"), None),
        sets=sets,
        with_parts=[value for option, value in pairs if option == "--with"],
        without_parts=[value for option, value in pairs if option == "--without"],
    )


def test_every_choice_round_trips(make_kit: MakeKit, tmp_path: Path) -> None:
    kit = load_kit(make_kit())

    @given(
        app=st.sampled_from(["desk", "shop"]),
        module=st.sampled_from([[], ["mail"], ["jobs"], ["fax"]]),
        preset=st.sampled_from([None, "small"]),
        name=st.from_regex(r"[a-z][a-z0-9-]{1,48}", fullmatch=True),
        url=st.text(max_size=40),
        loud=st.booleans(),
    )
    def holds(
        app: str, module: list[str], preset: str | None, name: str, url: str, loud: bool
    ) -> None:
        sets = [f"app={app}", f"modules={','.join(module)}", f"project_name={name}"]
        sets += ["database=postgres", f"database_url={url}"]
        if module == ["mail"]:
            sets.append(f"loud={loud}")
        try:
            answers = resolve(kit, preset=preset, sets=sets)
        except GreenlaneError as error:
            assert "control character" in error.message
            return
        assert answers.values["database_url"] == url
        assert _from_command(kit, equivalent_command(kit, answers, "some/where")) == answers
        assert _from_command(kit, equivalent_command(kit, answers, f"in/{name}")) == answers
        file = tmp_path / "answers.yml"
        file.write_text(to_yaml(kit, answers, description="A test: yes"), encoding="utf-8")
        assert resolve(kit, file=file) == answers

    holds()
