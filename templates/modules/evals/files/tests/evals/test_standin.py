"""The stand-in of synthetic recordings: deterministic, fallible, and honest about what it is."""

import json
from collections.abc import AsyncIterator

import pytest

from app.ai.model import Chunk, Message, ModelReply, ModelRequest
from app.ai.recordings import RecordingMiss
from app.core.resilience import Deadline
from app.evals.standin import NearestNeighbours, StandIn
from app.evals.watching import WatchedModel, requests_sent

TEXTS = [
    "my card was stolen yesterday",
    "somebody stole my card",
    "top up by bank transfer",
    "the top up is pending",
]
LABELS = ["stolen", "stolen", "top_up", "top_up"]


@pytest.fixture
def neighbours() -> NearestNeighbours:
    return NearestNeighbours(TEXTS, LABELS)


def classify(text: str) -> ModelRequest:
    return ModelRequest(
        model="stand-in-1",
        messages=(Message("system", "sort"), Message("user", text)),
        max_tokens=60,
        schema={"type": "object"},
        variables={"text": text},
    )


def test_the_label_is_that_of_similar_texts(neighbours: NearestNeighbours) -> None:
    assert neighbours.label("they have stolen my card")[0] == "stolen"
    label, share = neighbours.label("when will the top up arrive")
    assert label == "top_up"
    assert 0.5 < share <= 1


def test_it_votes_by_likeness_and_so_can_be_wrong(neighbours: NearestNeighbours) -> None:
    assert neighbours.label("top up my card, it was not stolen")[0] in LABELS
    assert NearestNeighbours(TEXTS, ["wrong"] * 4).label(TEXTS[0])[0] == "wrong"


def test_a_text_like_none_still_gets_the_same_label_every_time(
    neighbours: NearestNeighbours,
) -> None:
    assert neighbours.label("zzz") == neighbours.label("zzz")
    assert neighbours.label("")[0] in LABELS


async def test_answers_follow_the_schema_and_count_tokens(neighbours: NearestNeighbours) -> None:
    reply = await StandIn(neighbours).complete(classify("stolen card"), Deadline.after(5))
    assert json.loads(reply.text)["label"] == "stolen"
    assert reply.model == "stand-in-1"
    assert reply.tokens_in > 0
    assert reply.tokens_out > 0


async def test_drafts_quote_an_article_and_cite_it(neighbours: NearestNeighbours) -> None:
    variables = {
        "text": "Where is my card? I ordered it two weeks ago.",
        "organisation": "Example Bank",
        "passages": [
            {
                "number": 1,
                "title": "When your card arrives",
                "text": "A card arrives within seven working days. Track it in the app.",
                "score": 12.0,
                "relevance": 1.0,
            }
        ],
    }
    messages = (Message("system", "write"), Message("user", "where"))
    request = ModelRequest("stand-in-1", messages, 300, variables=variables)
    reply = await StandIn(neighbours).complete(request, Deadline.after(5))
    assert "seven working days. Track it in the app. [1]" in reply.text
    assert "language model" not in reply.text
    assert reply.text.endswith("Example Bank")


class _Empty:
    name = "empty"

    async def complete(self, request: ModelRequest, deadline: Deadline) -> ModelReply:
        raise RecordingMiss("no recording of this request")

    async def stream(self, request: ModelRequest, deadline: Deadline) -> AsyncIterator[Chunk]:
        raise RecordingMiss("no recording of this request")
        yield Chunk("")


async def test_misses_are_kept_and_requests_seen() -> None:
    watched = WatchedModel(_Empty())
    with requests_sent() as sent:
        with pytest.raises(RecordingMiss):
            await watched.complete(classify("a"), Deadline.after(5))
        with pytest.raises(RecordingMiss):
            async for _ in watched.stream(classify("b"), Deadline.after(5)):
                pass
    assert len(watched.misses) == 2
    assert [request.variables["text"] for request in sent] == ["a", "b"]
    with pytest.raises(RecordingMiss):
        await watched.complete(classify("c"), Deadline.after(5))
    assert len(sent) == 2
