"""The table of intents: what a ticket is about decides who answers it and how soon."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.ai.retrieval import Article
from app.core import yaml
from app.triage.priority import PRIORITIES, Priority

TABLE = Path(__file__).parent / "intents.yaml"


@dataclass(frozen=True, slots=True)
class Intent:
    """`family`, `team` and `priority` are names from the table."""

    name: str
    family: str
    team: str
    priority: Priority

    @property
    def title(self) -> str:
        """The name in words: "Card arrival"."""
        return self.name.strip("?").replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class IntentTable:
    """`teams` and `families` map a name to its title."""

    teams: Mapping[str, str]
    families: Mapping[str, str]
    intents: Mapping[str, Intent]

    def __getitem__(self, name: str) -> Intent:
        """Raises KeyError for an intent that the table does not have."""
        return self.intents[name]


def load(path: Path) -> IntentTable:
    """Read the table; raises ValueError naming the intent whose entry is wrong."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    teams, families = data["teams"], data["families"]
    intents = {name: Intent(name, **entry) for name, entry in data["intents"].items()}
    for intent in intents.values():
        for value, known, kind in (
            (intent.family, families, "family"),
            (intent.team, teams, "team"),
            (intent.priority, PRIORITIES, "priority"),
        ):
            if value not in known:
                raise ValueError(f"{path.name}: {intent.name} has the unknown {kind} {value!r}")
    return IntentTable(teams, families, intents)


def mistakes(table: IntentTable, articles: Iterable[Article]) -> list[str]:
    """Return a line for each intent without an article, and each that only articles know."""
    covered = {intent: article.id for article in articles for intent in article.intents}
    return [
        f"{name}: no help article is for it" for name in table.intents.keys() - covered.keys()
    ] + [
        f"{covered[name]}: the intent {name} is not in the table"
        for name in covered.keys() - table.intents.keys()
    ]


@cache
def table() -> IntentTable:
    """The application's table, read once."""
    return load(TABLE)
