"""The layout of a recording on disk: nothing of a request is lost, and little is written twice."""

import json
from pathlib import Path

import pytest

from app.ai import recording_file
from app.ai.model import Message, ModelReply, ModelRequest
from app.ai.recording_file import Call, DamagedFile

HEADER = {"model": "m1", "adapter": "a1", "prompts": "p1", "synthetic": False}
ARTICLE = "A card arrives within seven working days. " * 5
SCHEMA = {"type": "object", "properties": {"label": {"enum": [f"label {n}" for n in range(80)]}}}


def asked(number: int, *, article: str = ARTICLE) -> ModelRequest:
    text = f"[1] When it arrives\n{article}\n\n<ticket>\nquestion {number}\n</ticket>"
    return ModelRequest(
        model="m1",
        messages=(Message("system", "Answer. " * 30), Message("user", text)),
        max_tokens=60,
        temperature=0.2,
        seed=7,
        schema=SCHEMA,
        variables={"text": f"question {number}", "passages": [{"text": article}]},
    )


def recorded(requests: list[ModelRequest]) -> dict[recording_file.Slot, Call]:
    reply = ModelReply("fine", 100, 5, "m1")
    return {(request.key, 0): Call(request, reply, None) for request in requests}


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    calls = recorded([asked(1), asked(2, article="short")])
    key = asked(1).key
    calls[key, 1] = Call(asked(1), ModelReply("cut", 9, 9, "m1-0924", "length"), ["c", "ut"])
    recording_file.write(tmp_path / "r.jsonl", HEADER, calls)
    header, read = recording_file.read(tmp_path / "r.jsonl")
    assert header.items() >= HEADER.items()
    assert set(read) == set(calls)
    for slot, call in read.items():
        assert call.request.canonical() == calls[slot].request.canonical()
        assert (call.reply, call.chunks) == (calls[slot].reply, calls[slot].chunks)


def test_what_calls_share_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recording_file.write(path, HEADER, recorded([asked(n) for n in range(200)]))
    content = path.read_text()
    assert content.count(ARTICLE) == 1
    assert content.count("label 79") == 1
    assert len(content) < 200 * 300


def test_the_order_of_calls_does_not_show(tmp_path: Path) -> None:
    calls = recorded([asked(n) for n in range(5)])
    recording_file.write(tmp_path / "a", HEADER, calls)
    recording_file.write(tmp_path / "b", HEADER, dict(reversed(calls.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_edited_request_is_another_request(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recording_file.write(path, HEADER, recorded([asked(1)]))
    path.write_text(path.read_text().replace("question 1", "question 9"))
    _, read = recording_file.read(path)
    assert set(read) == {(asked(9).key, 0)}


@pytest.mark.parametrize("damage", ["text", "shape", "half", "header", "empty"])
def test_a_damaged_file_is_told(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "r.jsonl"
    recording_file.write(path, HEADER, recorded([asked(1)]))
    lines = path.read_text().splitlines(keepends=True)
    if damage in ("text", "shape"):
        lines = [line for line in lines if damage not in json.loads(line)]
    elif damage == "half":
        lines[-1] = lines[-1][:40]
    else:
        lines = ["{}\n"] if damage == "header" else []
    path.write_text("".join(lines))
    with pytest.raises(DamagedFile):
        recording_file.read(path)
