"""Help articles, searchable: `knowledge/*.md` in an SQLite FTS5 index in memory.

Building it takes some milliseconds for a hundred articles, so there is no file to go stale.
"""

import hashlib
import math
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.core import yaml
from app.core.problems import ConfigurationError

# Weights of title, intents and text in BM25: an article's title says best what it is about.
_WEIGHTS = "4.0, 3.0, 1.0"
# An article written for the intent that the ticket was given beats one that shares more words.
_INTENT_BONUS = 10.0
_MAX_TERMS = 64
_STOP = """
a about after again am an and any are as at be because been but by can could did do does for
from get go got had has have hello help hi how i if in into is it its just know let like may me
my need no not now of on or our out please so some than thank thanks that the their them then
there they this to up us want was we were what when where which while who why will with would
you your
"""
_STOP_WORDS = frozenset(_STOP.split())


class KnowledgeError(ConfigurationError):
    """An article is wrong. Names the file and what is expected."""


@dataclass(frozen=True, slots=True)
class Article:
    id: str
    title: str
    intents: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """An article that matches.

    `score` ranks: BM25 with weights, plus the bonus; it depends on how many articles there are.
    `relevance` judges, from 0 to 1: the share of the question's words that the article has, rare
    words counting more; 1 for an article on the very intent.
    """

    article_id: str
    title: str
    text: str
    score: float
    relevance: float


class KnowledgeBase:
    """The articles of a folder. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sha256 = ""
        self.articles: dict[str, Article] = {}
        self._lock = threading.Lock()
        self._index: sqlite3.Connection | None = None
        self._words: dict[str, frozenset[str]] = {}
        self._frequency: Counter[str] = Counter()
        self.refresh()

    def refresh(self) -> bool:
        """Read the folder again; rebuild only when its content changed, and say whether it did.

        An absent folder is an empty knowledge base. Raises KnowledgeError.
        """
        files = [(path, path.read_bytes()) for path in sorted(self.folder.glob("*.md"))]
        digest = hashlib.sha256()
        for path, content in files:
            digest.update(f"{path.name}\0{len(content)}\0".encode() + content)
        if digest.hexdigest() == self.sha256:
            return False
        articles: dict[str, Article] = {}
        for path, content in files:
            article = _parse(path, content)
            if article.id in articles:
                raise KnowledgeError(f"{path}: another article has the id {article.id!r} already")
            articles[article.id] = article
        index = _build(articles.values())
        words = {key: _words(article) for key, article in articles.items()}
        with self._lock:
            self.articles, self._index, self.sha256 = articles, index, digest.hexdigest()
            self._words = words
            self._frequency = Counter(word for found in words.values() for word in found)
        return True

    def search(self, text: str, k: int = 3, intent: str | None = None) -> list[Passage]:
        """Return the `k` best articles for free text, best first; none when no word of it occurs.

        Any text is safe: its words are quoted, so nothing of it is query syntax. Articles for
        `intent` come first, and are found even without a common word.
        """
        words = terms(text)[:_MAX_TERMS]
        scores: dict[str, float] = {}
        if words:
            query = " OR ".join(f'"{word}"' for word in words)
            with self._lock:
                assert self._index is not None  # noqa: S101  refresh() made it
                rows = self._index.execute(
                    f"select id, -bm25(articles, 0.0, {_WEIGHTS}) from articles "  # noqa: S608
                    "where articles match ? order by 2 desc limit ?",
                    (query, k + 20),
                ).fetchall()
            scores.update(rows)
        if intent:
            for article in self.articles.values():
                if intent in article.intents:
                    scores[article.id] = scores.get(article.id, 0.0) + _INTENT_BONUS
        best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:k]
        wanted = {stem(word) for word in words}
        return [
            Passage(
                article.id,
                article.title,
                article.text,
                score,
                1.0 if intent in article.intents else self._relevance(wanted, article),
            )
            for key, score in best
            if (article := self.articles[key])
        ]

    def _relevance(self, wanted: set[str], article: Article) -> float:
        common = wanted & self._words[article.id]
        share = sum(map(self._rarity, common)) / sum(map(self._rarity, wanted))
        # One common word of several may be chance.
        return share / 2 if len(common) == 1 < len(wanted) else share

    def _rarity(self, word: str) -> float:
        return math.log(1 + len(self._words) / (self._frequency[word] or 0.5))


def terms(text: str) -> list[str]:
    """The distinct words of a text that say something, lower case, in order."""
    words = re.findall(r"[^\W_]+", text.lower())
    return list(dict.fromkeys(word for word in words if word not in _STOP_WORDS))


def stem(word: str) -> str:
    """Enough of a stem to match "charged" with "charge" and "cards" with "card"."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _words(article: Article) -> frozenset[str]:
    intents = " ".join(article.intents).replace("_", " ")
    return frozenset(map(stem, terms(f"{article.title} {intents} {article.text}")))


def _build(articles: Iterable[Article]) -> sqlite3.Connection:
    index = sqlite3.connect(":memory:", check_same_thread=False)
    index.execute(
        "create virtual table articles using fts5"
        "(id unindexed, title, intents, text, tokenize='porter unicode61')"
    )
    index.executemany(
        "insert into articles values (?, ?, ?, ?)",
        [
            (article.id, article.title, " ".join(article.intents).replace("_", " "), article.text)
            for article in articles
        ],
    )
    return index


def _parse(path: Path, content: bytes) -> Article:
    try:
        parts = content.decode().split("---\n", 2)
        head = yaml.safe_load(parts[1])
        intents = tuple(map(str, head.get("intents") or ()))
        return Article(str(head["id"]), str(head["title"]), intents, parts[2].strip())
    except (UnicodeDecodeError, yaml.YAMLError, IndexError, KeyError, AttributeError) as error:
        raise KnowledgeError(
            f"{path}: expected a head between two `---` lines with id, title and intents, "
            "then the text"
        ) from error
