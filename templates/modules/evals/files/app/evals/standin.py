"""Stands in for a large model when synthetic recordings are made; says so in its name.

It classifies by the nearest neighbours in the training data and drafts with the local writer. It
never sees the expected answer of a case, so that what ships is not a model that is always right.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.ai.budget import estimate_tokens
from app.ai.local_writer import draft
from app.ai.model import Chunk, ModelReply, ModelRequest
from app.core.resilience import Deadline

NAME = "stand-in-1"
_SIZES = (3, 4)
_NEIGHBOURS = 15
_WORD = re.compile(r"\w+")


class NearestNeighbours:
    """Texts with known labels; a new text gets the label of those most like it.

    Likeness is the cosine between sets of words and character n-grams, unweighted. Grams are
    counted by checksum, not by Python's hash, which differs from run to run.
    """

    def __init__(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        self._labels = list(labels)
        postings: dict[int, list[int]] = defaultdict(list)
        sizes = np.empty(len(texts), dtype=np.float64)
        for number, text in enumerate(texts):
            grams = _grams(text)
            sizes[number] = max(1, len(grams))
            for gram in grams:
                postings[gram].append(number)
        self._sizes = np.sqrt(sizes)
        self._postings = {gram: np.array(rows) for gram, rows in postings.items()}

    def label(self, text: str) -> tuple[str, float]:
        """The label that the neighbours vote for, by likeness, and its share of the votes."""
        likeness = self._likeness(text)
        # A stable order, so that equal likeness gives the same answer everywhere.
        nearest = np.argsort(-likeness, kind="stable")[:_NEIGHBOURS]
        votes: dict[str, float] = defaultdict(float)
        for row in nearest:
            votes[self._labels[row]] += float(likeness[row]) ** 3
        best = max(sorted(votes), key=lambda name: votes[name])
        return best, votes[best] / (sum(votes.values()) or 1.0)

    def _likeness(self, text: str) -> NDArray[np.float64]:
        grams = _grams(text)
        rows = [self._postings[gram] for gram in sorted(grams) if gram in self._postings]
        if not rows:
            return np.zeros(len(self._sizes))
        common = np.bincount(np.concatenate(rows), minlength=len(self._sizes))
        # Rounded, or the last digit of a division could decide which neighbour is nearer.
        return np.round(common / (self._sizes * np.sqrt(len(grams))), 9)


def _grams(text: str) -> set[int]:
    words = _WORD.findall(text.lower())
    joined = f" {' '.join(words)} "
    grams = {f"w {word}" for word in words} | {f"p {a} {b}" for a, b in pairwise(words)}
    for size in _SIZES:
        grams |= {joined[start : start + size] for start in range(len(joined) - size + 1)}
    return {zlib.crc32(gram.encode()) for gram in grams}


class StandIn:
    """A `Model` that answers by neighbours and by quoting; tokens are estimated."""

    name = NAME

    def __init__(self, neighbours: NearestNeighbours) -> None:
        self._neighbours = neighbours

    async def complete(self, request: ModelRequest, deadline: Deadline) -> ModelReply:
        return self._answer(request, deadline)

    async def stream(self, request: ModelRequest, deadline: Deadline) -> AsyncIterator[Chunk]:
        reply = self._answer(request, deadline)
        yield Chunk(reply.text)
        yield Chunk("", reply)

    def _answer(self, request: ModelRequest, deadline: Deadline) -> ModelReply:
        deadline.remaining()
        text = self._label(request) if request.schema else draft(request.variables)[0]
        return ModelReply(
            text, estimate_tokens(*request.messages), estimate_tokens(text), self.name
        )

    def _label(self, request: ModelRequest) -> str:
        label, share = self._neighbours.label(str(request.variables["text"]))
        return json.dumps({"label": label, "confidence": round(share, 2)})
