"""Drafts without a language model: quotes the sentences of help articles that fit best, and cites.

Grounded by construction: between greeting and closing stand sentences of the given passages, word
for word. Hands over to a person when no article fits.
"""

import math
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace

from app.ai.model import Chunk, ModelError, ModelReply, ModelRequest
from app.ai.pii import PLACEHOLDER
from app.ai.retrieval import stem, terms
from app.core.resilience import Deadline

# What people who read a draft are told; never a part of the draft, which is for the customer.
SAYS_OF_ITSELF = "Drafted without a language model, from your help articles"
HANDOVER = (
    "I could not find a help article that answers this, so a colleague will read your message and "
    "reply."
)
_SENTENCES = 3
# Seven of eight questions about something else stay below; three of four about an article do not.
_FLOOR = 0.25
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'“])")
_LIST_ITEM = re.compile(r"^(?:[-*]|\d{1,2}[.)])\s+")


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    passage: int  # counted from 1, as it is cited
    position: int
    score: float


class LocalWriter:
    """Answers from the request's variables: `text`, `passages` (number, title, text, relevance),
    `organisation`. The compiled messages are not read."""

    name = "local-writer-1"

    async def complete(self, request: ModelRequest, deadline: Deadline) -> ModelReply:
        deadline.remaining()
        text, found = draft(request.variables)
        # No tokens: nothing was read or written by a language model.
        return ModelReply(text, 0, 0, self.name, "stop" if found else "handover")

    async def stream(self, request: ModelRequest, deadline: Deadline) -> AsyncIterator[Chunk]:
        reply = await self.complete(request, deadline)
        for piece in re.findall(r"\S+\s*|\s+", reply.text):
            yield Chunk(piece)
        yield Chunk("", reply)


def draft(variables: Mapping[str, object]) -> tuple[str, bool]:
    """Return the draft, and whether an article was quoted in it."""
    text = variables.get("text")
    passages = variables.get("passages")
    if not isinstance(text, str) or not isinstance(passages, Sequence):
        raise ModelError("the local writer needs the variables `text` and `passages`")
    fitting = [passage for passage in passages if passage["relevance"] >= _FLOOR]
    chosen = _choose(text, fitting)
    name = re.search(r"\[NAME_\d{1,6}\]", text)
    greeting = f"Hello {name[0]}," if name else "Hello,"
    organisation = variables.get("organisation")
    closing = f"Kind regards,\n{organisation}" if organisation else "Kind regards"
    if not chosen:
        return f"{greeting}\n\nthank you for your message. {HANDOVER}\n\n{closing}", False
    return (
        f"{greeting}\n\nthank you for your message. This is what our help pages say:\n\n"
        f"{_quote(chosen)}\n\nIf this does not answer your question, just reply and a colleague "
        f"will look into it.\n\n{closing}"
    ), True


def _quote(chosen: Sequence[_Sentence]) -> str:
    """Sentences that follow each other in an article stay one paragraph; the citation ends it."""
    paragraphs: list[list[_Sentence]] = []
    for sentence in chosen:
        if paragraphs and _follows(paragraphs[-1][-1], sentence):
            paragraphs[-1].append(sentence)
        else:
            paragraphs.append([sentence])
    return "\n\n".join(
        f"{' '.join(sentence.text for sentence in paragraph)} [{paragraph[0].passage}]"
        for paragraph in paragraphs
    )


def _choose(text: str, passages: Sequence[Mapping]) -> list[_Sentence]:
    """The best few sentences, in reading order. The best article's first sentence is always one."""
    if not passages:
        return []
    split = {passage["number"]: sentences(passage["text"]) for passage in passages}
    rarity = _rarity([sentence for found in split.values() for sentence in found])
    wanted = {stem(term) for term in terms(PLACEHOLDER.sub(" ", text))}
    best = max(passage["relevance"] for passage in passages)
    scored = []
    for passage in passages:
        about = {stem(term) for term in terms(passage["title"])}
        for position, sentence in enumerate(split[passage["number"]]):
            words = {stem(term) for term in terms(sentence)}
            common = sum(rarity.get(word, 0.0) for word in (wanted | about) & words)
            # Long sentences share words by chance, early ones say what the article is about.
            value = common / math.sqrt(4 + len(words)) * (1.3 if position == 0 else 1.0)
            score = value * (passage["relevance"] / best) ** 2
            scored.append(_Sentence(sentence, passage["number"], position, score))
    if not scored:
        return []
    lead = next(s for s in scored if s.passage == passages[0]["number"])
    top = max(s.score for s in scored)
    others = [
        replace(s, score=s.score + 0.4 * top) if _follows(lead, s) else s
        for s in scored
        if s != lead
    ]
    others.sort(key=lambda s: (-s.score, s.passage, s.position))
    fitting = [s for s in others[: _SENTENCES - 1] if s.score >= 0.4 * top]
    return sorted([lead, *fitting], key=lambda s: (s.passage, s.position))


def _follows(sentence: _Sentence, other: _Sentence) -> bool:
    """The sentence after the first often says what to do about it."""
    return (sentence.passage, sentence.position + 1) == (other.passage, other.position)


def sentences(text: str) -> list[str]:
    """Split an article into sentences; an item of a list is one, headings are none."""
    found = []
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d{1,2}[.)])\s)", text):
        block = " ".join(block.split())
        if block and not block.startswith("#"):
            found += _SENTENCE_END.split(_LIST_ITEM.sub("", block))
    return [sentence for sentence in found if len(sentence) > 1]


def _rarity(all_sentences: Sequence[str]) -> dict[str, float]:
    counts: dict[str, int] = {}
    for sentence in all_sentences:
        for word in {stem(term) for term in terms(sentence)}:
            counts[word] = counts.get(word, 0) + 1
    return {word: math.log(1 + len(all_sentences) / count) for word, count in counts.items()}
