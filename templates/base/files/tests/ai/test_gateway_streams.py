"""Streams through the gateway: what may be shown, when, and what is counted."""

import time

import pytest

from app.core.metrics import Metrics
from app.core.problems import AppError
from tests.ai.conftest import ANNA, LOST, Make, read
from tests.fake_openai import Answer, FakeOpenAI, leak_canary


async def test_a_stream_comes_in_pieces_with_the_name_in_place(
    make_gateway: Make, endpoint: FakeOpenAI
) -> None:
    text = "Hello [NAME_1], " + "freeze the card in the app at once [1]. " * 8
    endpoint.usual = Answer(text, chunk_characters=3)
    pieces, done = await read(make_gateway().stream("draft", LOST, principal=ANNA))
    assert len(pieces) > 3
    assert "".join(pieces) == done.text == text.replace("[NAME_1]", "Ada King")
    assert done.tokens_out == len(text.split())


async def test_a_stream_that_turns_bad_is_stopped_before_the_bad_part(
    make_gateway: Make, endpoint: FakeOpenAI
) -> None:
    fine = "Freeze the card in the app at once. " * 10
    gateway = make_gateway()
    for bad in (
        Answer(lambda body: fine + leak_canary(body), chunk_characters=2),
        Answer(fine, break_after_chunks=30),
    ):
        endpoint.usual = bad
        pieces: list[object] = []
        with pytest.raises(AppError, match="broke off") as caught:
            async for piece in gateway.stream("draft", LOST, principal=ANNA):
                pieces.append(piece)
        assert caught.value.status == 502
        assert "cn-" not in "".join(map(str, pieces))


async def test_a_blocked_stream_is_not_read_to_its_end(
    make_gateway: Make, endpoint: FakeOpenAI
) -> None:
    endpoint.usual = Answer(
        lambda body: leak_canary(body) + " and more" * 100, chunk_characters=5, delay_s=0.05
    )
    began = time.monotonic()
    _, done = await read(make_gateway().stream("draft", LOST, principal=ANNA))
    assert done.route == "local"
    assert time.monotonic() - began < 5  # the whole of it takes nine seconds


async def test_a_reader_who_leaves_is_counted_and_settled(
    make_gateway: Make, endpoint: FakeOpenAI, metrics: Metrics
) -> None:
    endpoint.usual = Answer("Freeze the card in the app at once. " * 20)
    stream = make_gateway().stream("draft", LOST, principal=ANNA)
    assert await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert 'outcome="left"' in metrics.render().decode()


async def test_a_prompt_with_a_schema_is_not_streamed(make_gateway: Make) -> None:
    variables = {"text": "x", "labels": ["a", "b"]}
    with pytest.raises(ValueError, match="use complete"):
        await anext(make_gateway().stream("sort", variables, principal=ANNA))
