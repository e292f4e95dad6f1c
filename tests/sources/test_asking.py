"""A template's own questions, asked as its library defines them."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from io import StringIO
from pathlib import Path
from typing import Any

from greenlane.console import Console
from greenlane.prompts import Back, Check, Option
from greenlane.sources.address import parse
from greenlane.sources.asking import ask
from greenlane.sources.renderer import Renderer
from greenlane.sources.template import Template, TemplateSource
from samples_of_others import COOKIECUTTER, COPIER
from sources_support import Templates

DEFAULT = object()


class Script:
    """Answers in order; notes what was asked, and what was found wrong with a text."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)
        self.asked: list[str] = []
        self.problems: list[str] = []
        self.options: dict[str, list[str]] = {}

    def session(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _next(self, message: str, default: Any) -> Any:
        self.asked.append(message)
        answer = next(self._answers, DEFAULT)
        if answer is Back:
            raise Back
        return default if answer is DEFAULT else answer

    def select(
        self, message: str, options: Sequence[Option], default: Any, *, note: str, back: bool
    ) -> Any:
        self.options[message] = [option.label for option in options]
        answer = self._next(message, default)
        labels = [option.label for option in options]
        return options[labels.index(answer)].value if answer in labels else answer

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
        self.options[message] = [option.label for option in options]
        answer = self._next(message, list(chosen))
        assert problem(answer) == ""
        return answer

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
        while True:
            text = self._next(message, default)
            if not (problem := check(text)):
                return text
            self.problems.append(problem)


def asked(root: Path, script: Script, **given: Any) -> dict[str, Any]:
    template = Template(parse(str(root))[0])
    version = template.version()
    kind = template.kind_of(version)
    with Renderer(kind, trusted=False) as renderer:
        source = TemplateSource(template, kind, renderer)
        job = source.job(version, "app", given)
        return ask(source, job, Console(stdout=StringIO()), script)


def test_copier(templates: Templates) -> None:
    root = templates.make("lib", COPIER, "1")
    script = Script("x", "shop", "Apache 2.0", [0, 2], False, "{cpu: 8}", "hush")
    answers = asked(root, script)
    assert answers == {
        "name": "shop",
        "license": "Apache-2.0",
        "python": ["3.11", "3.13"],
        "docs": False,
        "limits": "{cpu: 8}",
        "token": "hush",
    }
    assert "at least three letters" in script.problems[0]
    assert script.asked[:2] == ["What is it called?"] * 2
    assert not any("package" in message or "theme" in message for message in script.asked)
    assert ["MIT License", "Apache 2.0"] in script.options.values()


def test_going_back_changes_what_is_asked(templates: Templates) -> None:
    root = templates.make("lib", COPIER, "1")
    script = Script("shop", DEFAULT, DEFAULT, False, Back, True, "dark")
    answers = asked(root, script)
    assert (answers["docs"], answers["theme"]) == (True, "dark")


def test_given_answers_are_not_asked(templates: Templates) -> None:
    root = templates.make("lib", COPIER, "1")
    script = Script()
    answers = asked(root, script, name="shop", limits="{cpu: 1}")
    assert "What is it called?" not in script.asked
    assert answers["name"] == "shop"


def test_cookiecutter(templates: Templates) -> None:
    root = templates.make("lib", COOKIECUTTER, "1")
    script = Script("Shop", DEFAULT, "Apache-2.0", False, '{"ada": {"role": "boss"}}')
    answers = asked(root, script)
    assert answers["slug"] == "shop"
    assert (answers["license"], answers["docs"]) == ("Apache-2.0", False)
    assert script.asked == ["What is it called?", "slug", "Which license?", "docs", "people"]
    assert script.options["Which license?"] == ["anyone may use it", "Apache-2.0"]
    bad = Script("Shop", DEFAULT, DEFAULT, DEFAULT, "no json", DEFAULT)
    asked(root, bad)
    assert "JSON" in bad.problems[0]
