"""The table of intents, the articles, the cases and the training data are in step."""

import csv
import json
from pathlib import Path

import pytest

from app.ai.retrieval import KnowledgeBase
from app.triage import intents
from app.triage.intents import Intent, IntentTable
from app.triage.priority import PRIORITIES, priority_of, rank_of

GOLDEN = Path("evals/golden.jsonl")
TRAINING = Path("datasets/banking77_train.csv")
KNOWLEDGE = Path("knowledge")


def test_every_intent_has_an_article_and_every_article_an_intent() -> None:
    articles = KnowledgeBase(KNOWLEDGE).articles.values()
    assert intents.mistakes(intents.table(), articles) == []


def test_an_intent_without_an_article_is_named() -> None:
    articles = KnowledgeBase(KNOWLEDGE).articles.values()
    table = IntentTable({}, {}, {"new": Intent("new", "cards", "cards", "low")})
    assert "new: no help article is for it" in intents.mistakes(table, articles)
    assert "pin: the intent change_pin is not in the table" in intents.mistakes(table, articles)


def test_the_table_has_the_labels_of_the_training_data() -> None:
    with TRAINING.open(newline="", encoding="utf-8") as file:
        labels = {row["category"] for row in csv.DictReader(file)}
    assert labels == intents.table().intents.keys()


def test_golden_cases_expect_what_the_table_says() -> None:
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        expected = case["expected"]
        entry = intents.table()[expected["intent"]]
        assert expected == {
            "intent": entry.name,
            "family": entry.family,
            "team": entry.team,
            "priority": priority_of(entry.priority, case["text"]),
        }, case["id"]


@pytest.mark.parametrize("wrong", ["family: cars", "team: nobody", "priority: soon"])
def test_a_wrong_entry_is_named(wrong: str, tmp_path: Path) -> None:
    key, _, value = wrong.partition(": ")
    lines = [
        f"  change_pin: {{family: cards, team: cards, priority: low, {key}: {value}}}"
        if line.startswith("  change_pin:")
        else line
        for line in intents.TABLE.read_text().splitlines()
    ]
    path = tmp_path / "intents.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=f"change_pin has the unknown {key} '{value}'"):
        intents.load(path)


@pytest.mark.parametrize(
    ("base", "text", "expected"),
    [
        ("low", "How does it work?", "low"),
        ("low", "Please answer ASAP", "normal"),
        ("high", "I need it immediately", "urgent"),
        ("urgent", "urgent!", "urgent"),
        ("low", "I was robbed", "urgent"),
        ("normal", "my money was stolen", "urgent"),
        # Parts of other words are no signal.
        ("low", "the scampi was fine, the insurgent left", "low"),
    ],
)
def test_words_raise_a_priority_and_never_lower_it(base, text: str, expected: str) -> None:
    assert priority_of(base, text) == expected


def test_the_most_pressing_comes_first() -> None:
    assert sorted(PRIORITIES, key=rank_of) == ["urgent", "high", "normal", "low"]
