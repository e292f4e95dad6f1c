"""Recordings: made over HTTP, replayed without it, and never answering for something else."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.ai.model import Chunk, Message, ModelReply, ModelRequest
from app.ai.openai_model import OpenAIModel
from app.ai.recordings import (
    PinMismatch,
    Pins,
    RecordingError,
    RecordingMiss,
    RecordingModel,
    ReplayModel,
)
from app.core.egress import Egress
from app.core.resilience import Deadline
from tests.fake_openai import Answer, FakeOpenAI

PINS = Pins("big", "openai-1", "abc")
SYSTEM = "You sort support tickets. " * 20


def request(text: str = "Hello", **changes) -> ModelRequest:
    messages = (Message("system", SYSTEM), Message("user", text))
    return replace(ModelRequest("big", messages, 50), **changes)


def soon() -> Deadline:
    return Deadline.after(5)


@pytest.fixture
async def recorded(endpoint: FakeOpenAI, tmp_path: Path) -> Path:
    """Two repeats of one request, another one, and a stream."""
    live = OpenAIModel("big", endpoint.url, None, "max_tokens", Egress())
    recorder = RecordingModel(live, PINS)
    endpoint.answers = [
        Answer("first"),
        Answer("second"),
        Answer("other"),
        Answer("piece by piece"),
    ]
    await recorder.complete(request(), soon())
    await recorder.complete(request(), soon())
    await recorder.complete(request("Another"), soon())
    _ = [chunk async for chunk in recorder.stream(request("Streamed"), soon())]
    await live.close()
    path = tmp_path / "recordings" / "large.jsonl"
    recorder.save(path)
    return path


async def test_replay_gives_what_was_recorded_repeat_by_repeat(
    recorded: Path, endpoint: FakeOpenAI
) -> None:
    calls = len(endpoint.calls)
    replay = ReplayModel(recorded, PINS)
    assert replay.name == "big"
    assert not replay.synthetic
    assert (await replay.complete(request(), soon())).text == "first"
    assert (await replay.complete(request("Another"), soon())).text == "other"
    second = await replay.complete(request(), soon())
    assert second == ModelReply("second", second.tokens_in, 1, "big-2026", "stop")
    assert len(endpoint.calls) == calls


async def test_a_stream_is_replayed_in_its_chunks(recorded: Path) -> None:
    replay = ReplayModel(recorded, PINS)
    *pieces, last = [chunk async for chunk in replay.stream(request("Streamed"), soon())]
    assert [piece.text for piece in pieces] == ["piece b", "y piece"]
    assert last.reply
    assert last.reply.text == "piece by piece"
    # What was recorded whole can be streamed too.
    chunks = [chunk async for chunk in replay.stream(request("Another"), soon())]
    assert chunks[0] == Chunk("other")


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        (request("Hellu"), "the user message from character 4: recorded 'Hello', now 'Hellu'"),
        (request(max_tokens=51), "max_tokens: recorded 50, now 51"),
        (request(temperature=0.5), "temperature: recorded 0.0, now 0.5"),
        (request(seed=3), "seed: recorded None, now 3"),
        (request(model="bigger"), "model: recorded 'big', now 'bigger'"),
        (request(schema={"type": "object"}), "schema: recorded None"),
        (
            request(messages=(Message("system", SYSTEM + "!"), Message("user", "Hello"))),
            "the system message from character 520",
        ),
    ],
)
async def test_a_miss_names_what_differs(
    recorded: Path, changed: ModelRequest, difference: str
) -> None:
    with pytest.raises(RecordingMiss) as caught:
        await ReplayModel(recorded, PINS).complete(changed, soon())
    assert difference in str(caught.value)


async def test_variables_do_not_decide_an_answer(recorded: Path) -> None:
    changed = request("Another", variables={"text": "Another"})
    assert (await ReplayModel(recorded, PINS).complete(changed, soon())).text == "other"


async def test_once_more_than_recorded_is_a_miss_until_rewound(recorded: Path) -> None:
    replay = ReplayModel(recorded, PINS)
    await replay.complete(request("Another"), soon())
    with pytest.raises(RecordingMiss, match="recorded 1 times and came once more"):
        await replay.complete(request("Another"), soon())
    replay.rewind()
    assert (await replay.complete(request("Another"), soon())).text == "other"


@pytest.mark.parametrize(
    ("pins", "difference"),
    [
        (Pins("other", "openai-1", "abc"), "model: recorded 'big', now 'other'"),
        (Pins("big", "openai-2", "abc"), "adapter: recorded 'openai-1', now 'openai-2'"),
        (Pins("big", "openai-1", "xyz"), "prompts: recorded 'abc', now 'xyz'"),
    ],
)
async def test_a_differing_pin_refuses_the_file(
    recorded: Path, pins: Pins, difference: str
) -> None:
    with pytest.raises(PinMismatch, match=difference):
        ReplayModel(recorded, pins)


async def test_unused_recordings_are_listed(recorded: Path) -> None:
    replay = ReplayModel(recorded, PINS)
    await replay.complete(request(), soon())
    await replay.complete(request("Another"), soon())
    unused = replay.unused()
    assert len(unused) == 2
    assert any("(repeat 1): 'Hello'" in line for line in unused)
    assert any("(repeat 0): 'Streamed'" in line for line in unused)


async def test_the_file_is_the_same_in_whatever_order_calls_came(
    endpoint: FakeOpenAI, tmp_path: Path
) -> None:
    endpoint.usual = Answer(lambda body: body["messages"][1]["content"].upper())
    contents = set()
    for order in (["a", "b", "c"], ["c", "a", "b"]):
        live = OpenAIModel("big", endpoint.url, None, "max_tokens", Egress())
        recorder = RecordingModel(live, PINS, synthetic=True)
        for text in order:
            await recorder.complete(request(text), soon())
        recorder.save(tmp_path / "file.jsonl")
        contents.add((tmp_path / "file.jsonl").read_bytes())
        await live.close()
    assert len(contents) == 1
    content = contents.pop().decode()
    assert content.count(SYSTEM) == 1
    assert json.loads(content.splitlines()[0])["synthetic"] is True


@pytest.mark.parametrize("content", ["", "{}\n", "not json\n", '{"format": 1}\n{"call": "x"}\n'])
def test_a_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "large.jsonl"
    path.write_text(content)
    with pytest.raises(RecordingError, match="record it again"):
        ReplayModel(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot read"):
        ReplayModel(tmp_path / "none.jsonl")
