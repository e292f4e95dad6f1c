"""The wizard: asks what the kit asks, one question at a time, with a way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from greenlane.answers import Answers, applicable, default_of, is_asked, resolve
from greenlane.console import Console
from greenlane.describe import in_short
from greenlane.disk import check_free
from greenlane.exits import Left
from greenlane.kit import Kit, Preset, Question, Value
from greenlane.prompts import Asker, Back, Option, asker_for
from greenlane.record import with_record
from greenlane.render import render
from greenlane.report import show_plan
from greenlane.wizard_parts import CategoryQuestion, ask_any
from greenlane.wizard_questions import ask_question, problem_of, words

FIRST_PRESET = "freelancer"
_OWN_CHOICE = ""  # in place of a preset's name
_NAME = "project_name"
# A slash: never the name of a question.
_APP, _START, _PARTS, _CATEGORY = "/app", "/start", "/parts", "/category/"


@dataclass
class State:
    """Everything said so far. Kept when going back, so that nothing is typed twice.

    `modules` were ticked in the list of all parts, `picked` in the categories that are asked about
    after a preset, where they differ from the preset's.
    """

    app: str
    preset: str
    modules: list[str] = field(default_factory=list)
    picked: dict[str, list[str]] = field(default_factory=dict)
    given: dict[str, Value] = field(default_factory=dict)


class Wizard:
    """Asks until there is a complete set of answers; `again` continues at the last question."""

    def __init__(
        self,
        kit: Kit,
        console: Console,
        *,
        name: str = "",
        parent: Path | None = None,
        asker: Asker | None = None,
    ) -> None:
        """`name`: offered as the project's name. `parent`: where a folder of that name will be
        made, so the name must be free there; None when the folder was given."""
        self._kit = kit
        self._console = console
        self._asker = asker or asker_for(console)
        self._parent = parent
        app = next(iter(kit.apps))
        names = [preset.name for preset in self._presets(app)]
        first = FIRST_PRESET if FIRST_PRESET in names else next(iter(names), _OWN_CHOICE)
        self._state = State(app, first, given={_NAME: name} if name else {})
        self._done: list[str] = []
        self._erasable = 0

    def run(self) -> Answers:
        """The answers, asked from the start. KeyboardInterrupt when the person leaves."""
        if len(self._kit.apps) == 1:
            part = self._kit.apps[self._state.app]
            self._answered("What do you want to build?", part.title)
            self._erasable = 0
        return self._ask_rest()

    def again(self) -> Answers:
        """The answers, asked again from the last question on."""
        self._erasable = 0
        if self._done:
            self._done.pop()
        return self._ask_rest()

    def _ask_rest(self) -> Answers:
        while (step := self._next()) is not None:
            try:
                label, answer = self._ask(step, back=bool(self._done))
            except Back:
                self._done.pop()
                if self._erasable and self._console.animated:
                    self._console.erase_line()
                    self._erasable -= 1
                continue
            self._done.append(step)
            self._answered(label, answer)
        return self._answers()

    def _next(self) -> str | None:
        return next((step for step in self._plan() if step not in self._done), None)

    def _plan(self) -> Iterator[str]:
        """The steps that make sense after what was answered so far."""
        if len(self._kit.apps) > 1:
            yield _APP
        if self._presets(self._state.app):
            yield _START
        if self._state.preset == _OWN_CHOICE:
            yield _PARTS
        for asked in self._categories():
            yield _CATEGORY + asked.category.name
        for question, values in self._walk():
            if is_asked(question, values):
                yield question.name

    def _answered(self, label: str, answer: str) -> None:
        console = self._console
        mark = console.style(console.symbol("ok"), "green")
        # One line, whatever the width, so that going back can take it away again.
        room = console.width - 6
        shown = console.cut(answer or "(nothing)", max(room // 2, room - len(label)))
        label = console.cut(label, max(8, room - len(shown)))
        console.line(f"{mark} {console.style(label, 'dim')}  {shown}")
        self._erasable += 1

    # -- the single steps: each returns the words of its line -------------------------------------

    def _ask(self, step: str, *, back: bool) -> tuple[str, str]:
        if step == _APP:
            return self._ask_app(back=back)
        if step == _START:
            return self._ask_start(back=back)
        if step == _PARTS:
            return self._ask_parts(back=back)
        if step.startswith(_CATEGORY):
            name = step.removeprefix(_CATEGORY)
            asked = next(asked for asked in self._categories() if asked.category.name == name)
            return self._ask_category(asked, back=back)
        question, values = next((q, values) for q, values in self._walk() if q.name == step)
        return self._ask_question(question, values, back=back)

    def _ask_app(self, *, back: bool) -> tuple[str, str]:
        message = "What do you want to build?"
        options = [
            Option(p.name, p.title, in_short(p.description)) for p in self._kit.apps.values()
        ]
        app = self._asker.select(message, options, self._state.app, note="", back=back)
        if app != self._state.app:
            presets = [preset.name for preset in self._presets(app)]
            if self._state.preset not in presets:
                self._state.preset = next(iter(presets), _OWN_CHOICE)
            self._state.modules = []
        self._state.app = app
        return message, self._kit.apps[app].title

    def _ask_start(self, *, back: bool) -> tuple[str, str]:
        message = "What should it start with?"
        presets = self._presets(self._state.app)
        options = [Option(p.name, p.name, in_short(p.description)) for p in presets]
        options.append(Option(_OWN_CHOICE, "choose the parts myself", "tick them in a list"))
        before = self._state.preset
        choice = self._asker.select(message, options, before, note="", back=back)
        if choice == _OWN_CHOICE and before != _OWN_CHOICE and not self._state.modules:
            self._state.modules = list(self._kit.presets[before].modules)
        self._state.preset = choice
        return message, choice or "my own choice of parts"

    def _ask_parts(self, *, back: bool) -> tuple[str, str]:
        message = "Which parts should it have?"
        state = self._state
        state.modules = ask_any(
            self._kit, state.app, self._asker, message, state.modules, back=back
        )
        titles = [self._kit.parts[name].title for name in self._chosen_modules()]
        return message, ", ".join(titles)

    def _ask_category(self, question: CategoryQuestion, *, back: bool) -> tuple[str, str]:
        name = question.category.name
        picked = question.ask(self._asker, back=back)
        if picked == self._of_preset(name):
            self._state.picked.pop(name, None)
        else:
            self._state.picked[name] = picked
        return question.category.ask, question.told(picked)

    def _ask_question(
        self, question: Question, values: Mapping[str, Value], *, back: bool
    ) -> tuple[str, str]:
        default = self._default(question, values)
        answer, shown = ask_question(
            self._asker,
            question,
            values,
            self._state.given.get(question.name, default),
            problem=lambda text: self._problem(question, text, values),
            back=back,
        )
        # An accepted default is not kept: it may derive from an answer that is changed later.
        if answer == default:
            self._state.given.pop(question.name, None)
        else:
            self._state.given[question.name] = answer
        return words(question)[0], shown

    def _problem(self, question: Question, text: str, values: Mapping[str, Value]) -> str:
        problem = problem_of(question, text, values)
        if not problem and question.name == _NAME and self._parent is not None:
            folder = self._parent / text
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                return f"There is a folder {text} here already. Choose another name."
        return problem

    # -- what follows from the state --------------------------------------------------------------

    def _presets(self, app: str) -> list[Preset]:
        return [p for p in self._kit.presets.values() if p.app in (None, app)]

    def _preset(self) -> Preset | None:
        return self._kit.presets.get(self._state.preset)

    def _of_preset(self, category: str) -> list[str]:
        """The modules of a category that the preset lists."""
        preset = self._preset()
        members = self._kit.members(category)
        return [name for name in preset.modules if name in members] if preset else []

    def _categories(self) -> Iterator[CategoryQuestion]:
        """The categories to ask about, each with what was chosen before it."""
        preset = self._preset()
        if preset is None:
            return
        asked = [category for category in self._kit.categories.values() if category.ask]
        placed = {name for category in asked for name in self._kit.members(category.name)}
        beside = [self._state.app, *(name for name in preset.modules if name not in placed)]
        for category in asked:
            wanted = self._state.picked.get(category.name, self._of_preset(category.name))
            question = CategoryQuestion(self._kit, category, tuple(beside), tuple(wanted))
            if question.offered:
                yield question
            beside += question.chosen

    def _explicit_modules(self) -> list[str]:
        preset = self._preset()
        if preset is None:
            return self._state.modules
        asked = list(self._categories())
        placed = {name for one in asked for name in one.offered}
        chosen = [name for one in asked for name in one.chosen]
        return [*(name for name in preset.modules if name not in placed), *chosen]

    def _chosen_modules(self) -> list[str]:
        app = self._state.app
        return sorted(self._kit.with_required([app, *self._explicit_modules()]) - {app})

    def _questions(self) -> list[Question]:
        return list(applicable(self._kit, self._state.app, self._chosen_modules()))

    def _default(self, question: Question, values: Mapping[str, Value]) -> Value | None:
        preset = self._preset()
        if preset and question.name in preset.answers:
            return preset.answers[question.name]
        return default_of(question, values)

    def _walk(self) -> Iterator[tuple[Question, dict[str, Value]]]:
        """Each question with the values of those before it, as far as these are known."""
        values: dict[str, Value] = {}
        for question in self._questions():
            yield question, dict(values)
            value = self._default(question, values)
            if question.name in self._state.given and is_asked(question, values):
                value = self._state.given[question.name]
            if value is None:
                return
            values[question.name] = value

    def _answers(self) -> Answers:
        given = {name: self._state.given[name] for name in self._done if name in self._state.given}
        sets = [f"{name}={_text(value)}" for name, value in given.items()]
        preset = self._preset()
        return resolve(
            self._kit,
            preset=preset.name if preset else None,
            sets=[f"app={self._state.app}", f"modules={','.join(self._explicit_modules())}", *sets],
        )


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def ask(
    kit: Kit,
    console: Console,
    dest: Path | None,
    *,
    action: str = "Write it",
    doing: str = "",
    asker: Asker | None = None,
) -> Answers:
    """Asks, shows the summary, and returns what the person confirmed.

    `action` is the word for going on, `doing` says what that does. Raises Left when they leave,
    and GreenlaneError when `dest` is taken.
    """
    asker = asker or asker_for(console)
    if dest is not None:
        check_free(dest.absolute())  # before ten questions rather than after
    parent = Path.cwd() if dest is None else None
    name = dest.absolute().name if dest is not None else ""
    wizard = Wizard(kit, console, name=name, parent=parent, asker=asker)
    try:
        with asker.session():
            answers = wizard.run()
            while True:
                tree = with_record(render(kit, answers), kit, answers)
                folder = (dest or Path(str(answers.values[_NAME]))).absolute()
                show_plan(kit, answers, tree, folder, doing, console)
                if _confirmed(asker, action):
                    return answers
                answers = wizard.again()
    except KeyboardInterrupt:
        raise Left("Nothing was written.") from None


def _confirmed(asker: Asker, action: str) -> bool:
    """True to go on, False to change something; KeyboardInterrupt to leave."""
    options = [
        Option("write", action),
        Option("back", "Go back", "change an answer"),
        Option("leave", "Cancel", "write nothing"),
    ]
    try:
        choice = asker.select("All right?", options, "write", note="", back=True)
    except Back:
        return False
    if choice == "leave":
        raise KeyboardInterrupt
    return choice == "write"
