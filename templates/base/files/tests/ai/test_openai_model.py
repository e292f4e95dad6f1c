"""The adapter over HTTP: what is sent, what is read, and every way it can fail."""

import time
from collections.abc import AsyncIterator

import pytest

from app.ai.model import Chunk, Message, ModelError, ModelReply, ModelRequest
from app.ai.openai_model import OpenAIModel
from app.core.egress import Egress
from app.core.resilience import Deadline, DeadlineExceeded
from tests.fake_openai import Answer, FakeOpenAI

REQUEST = ModelRequest(
    "big", (Message("system", "Be brief."), Message("user", "Hello there")), 50, seed=7
)


@pytest.fixture
async def model(endpoint: FakeOpenAI) -> AsyncIterator[OpenAIModel]:
    model = OpenAIModel("big", endpoint.url, "secret-key", "max_completion_tokens", Egress())
    yield model
    await model.close()


async def collect(chunks: AsyncIterator[Chunk]) -> list[Chunk]:
    return [chunk async for chunk in chunks]


async def test_a_call_sends_the_request_and_reads_the_usage(
    model: OpenAIModel, endpoint: FakeOpenAI
) -> None:
    reply = await model.complete(REQUEST, Deadline.after(5))
    assert reply == ModelReply("Fine.", 4, 1, "big-2026", "stop")
    assert endpoint.keys == ["Bearer secret-key"]
    assert endpoint.calls == [
        {
            "model": "big",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hello there"},
            ],
            "max_completion_tokens": 50,
            "temperature": 0.0,
            "seed": 7,
            "stream": False,
        }
    ]


async def test_what_is_none_is_not_sent_and_a_schema_is(
    model: OpenAIModel, endpoint: FakeOpenAI
) -> None:
    schema = {"type": "object"}
    request = ModelRequest("big", REQUEST.messages, 50, temperature=None, schema=schema)
    await model.complete(request, Deadline.after(5))
    assert not {"temperature", "seed"} & set(endpoint.calls[0])
    assert endpoint.calls[0]["response_format"]["json_schema"]["schema"] == schema


async def test_a_stream_comes_in_pieces_and_ends_with_the_usage(
    model: OpenAIModel, endpoint: FakeOpenAI
) -> None:
    endpoint.usual = Answer("one two three four", chunk_characters=5)
    *pieces, last = await collect(model.stream(REQUEST, Deadline.after(5)))
    assert [piece.text for piece in pieces] == ["one t", "wo th", "ree f", "our"]
    assert last.reply == ModelReply("one two three four", 4, 4, "big-2026", "stop")


async def test_usage_is_estimated_where_a_server_sends_none(
    model: OpenAIModel, endpoint: FakeOpenAI
) -> None:
    endpoint.usual = Answer("x" * 40, usage=False)
    chunks = await collect(model.stream(REQUEST, Deadline.after(5)))
    assert chunks[-1].reply
    assert (chunks[-1].reply.tokens_in, chunks[-1].reply.tokens_out) == (14, 10)
    assert await model.complete(REQUEST, Deadline.after(5)) == chunks[-1].reply


@pytest.mark.parametrize(
    ("answer", "retryable", "message"),
    [
        (Answer(status=500), True, "answered 500"),
        (Answer(status=429), True, "answered 429"),
        (Answer(status=401), False, "answered 401"),
        (Answer(status=400), False, "answered 400"),
        (Answer(garbage=True), False, "could not be read"),
        (Answer(finish="length"), False, "cut off at 50 tokens"),
        (Answer(finish="content_filter"), False, "content filter"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
async def test_failures_say_whether_to_try_again(
    model: OpenAIModel,
    endpoint: FakeOpenAI,
    answer: Answer,
    retryable: bool,
    message: str,
    streaming: bool,
) -> None:
    endpoint.usual = answer
    with pytest.raises(ModelError, match=message) as caught:
        if streaming:
            await collect(model.stream(REQUEST, Deadline.after(5)))
        else:
            await model.complete(REQUEST, Deadline.after(5))
    assert caught.value.retryable is retryable
    assert len(endpoint.calls) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer("a long answer that never ends", break_after_chunks=2),
        Answer("a long answer that just stops", ends_quietly=True),
    ],
)
async def test_a_stream_that_breaks_off_is_no_answer(
    model: OpenAIModel, endpoint: FakeOpenAI, answer: Answer
) -> None:
    endpoint.usual = answer
    with pytest.raises(ModelError) as caught:
        await collect(model.stream(REQUEST, Deadline.after(5)))
    assert caught.value.retryable


async def test_nobody_there_is_retryable() -> None:
    model = OpenAIModel("big", "http://127.0.0.1:9/v1", None, "max_tokens", Egress())
    with pytest.raises(ModelError) as caught:
        await model.complete(REQUEST, Deadline.after(5))
    assert caught.value.retryable
    await model.close()


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_deadline_holds_also_against_a_slow_drip(
    model: OpenAIModel, endpoint: FakeOpenAI, streaming: bool
) -> None:
    # Each chunk comes well before any timeout between bytes would fire.
    endpoint.usual = Answer("x" * 700, delay_s=0.05 if streaming else 5)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        if streaming:
            await collect(model.stream(REQUEST, Deadline.after(0.4)))
        else:
            await model.complete(REQUEST, Deadline.after(0.4))
    assert time.monotonic() - began < 2
