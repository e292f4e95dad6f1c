"""What seeded customers write: real queries, now and then with a greeting, a name, a number.

Some ask two things at once, and some are too vague to tell: those a person has to look at. Names
and numbers are from ranges reserved for examples, so that masking has work to do and nobody is
meant.
"""

import csv
import random
from collections.abc import Sequence
from pathlib import Path

_GREETINGS = ("Hi,", "Hello,", "Good morning,", "Hey there,", "Dear team,", "Hi team,")
_FIRST = ("Ada", "Ben", "Chloe", "Dev", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jonas", "Kofi")
_LAST = ("Example", "Sample", "Muster", "Tester", "Beispiel", "Specimen", "Placeholder")
_EXTRAS = (
    "My card number is 4111 1111 1111 1111.",
    "The IBAN is DE89 3704 0044 0532 0130 00.",
    "You can reach me on +44 7700 900{number:03d}.",
    "Please write to {first_lower}.{last_lower}@example.com.",
    "I have been a customer for {years} years.",
    "It happened twice this week.",
    "I already tried to restart the app.",
    "I am travelling at the moment.",
    "Please get back to me as soon as possible.",
)


_VAGUE = (
    "It still does not work. What now?",
    "I wrote to you last week and nobody answered.",
    "Can somebody please call me?",
    "There is a problem with my account.",
    "Is this normal? I have never seen that before.",
)


class Voice:
    """Makes messages from the training queries in `path`, a CSV with `text` and `category`.

    The whole file is held, whatever number of messages is made. Raises ValueError naming the file
    when it has no queries.
    """

    def __init__(self, path: Path) -> None:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            self._queries = [(" ".join(row["text"].split()), row["category"]) for row in rows]
        if not self._queries:
            raise ValueError(f"{path} has no queries to make tickets of")

    def message(self, rng: random.Random) -> tuple[str, str]:
        """Return (text, intent). Intents come as often as in the training data."""
        query, intent = rng.choice(self._queries)
        kind = rng.random()
        if kind < 0.12:
            query += " And another thing: " + rng.choice(self._queries)[0]
        elif kind < 0.17:
            query = rng.choice(_VAGUE)
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        parts = [query]
        if rng.random() < 0.30:
            parts.insert(0, rng.choice(_GREETINGS))
        if rng.random() < 0.25:
            parts.append(_extra(rng, _EXTRAS, first, last))
        text = " ".join(parts)
        if rng.random() < 0.20:
            text += f"\n\nKind regards,\n{first} {last}"
        return text, intent


def _extra(rng: random.Random, extras: Sequence[str], first: str, last: str) -> str:
    return rng.choice(extras).format(
        number=rng.randrange(1_000),
        years=rng.randrange(2, 15),
        first_lower=first.lower(),
        last_lower=last.lower(),
    )
