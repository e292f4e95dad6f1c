"""Recorded answers of a model: a file of JSON lines that evals and tests replay without a network.

The file's header has the pins (recording_file.py tells how it is laid out). A call is found by the
hash of the whole request and by how often that request came before, never by less. Whatever does
not fit raises, and says what differs.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, fields
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from app.ai import recording_file
from app.ai.model import Chunk, Model, ModelReply, ModelRequest
from app.ai.recording_file import Call, Slot
from app.core.resilience import Deadline


class RecordingError(Exception):
    """A recording cannot answer. Never retried and never replaced by another model."""


class RecordingMiss(RecordingError):  # noqa: N818  says what it is
    """Nothing was recorded for this request."""


class PinMismatch(RecordingError):  # noqa: N818
    """The recording was made with another model, adapter or set of prompts."""


@dataclass(frozen=True, slots=True)
class Pins:
    """What a recording is valid for: the model's id, ADAPTER_VERSION, and PromptSet.sha256."""

    model: str
    adapter: str
    prompts: str


class RecordingModel:
    """Passes every call on to a live model and keeps what came back. save() writes the file."""

    def __init__(self, live: Model, pins: Pins, *, synthetic: bool = False) -> None:
        """`synthetic`: the answers come from a stand-in; reports must say so."""
        self.name = live.name
        self._live = live
        self._header = {"synthetic": synthetic, **asdict(pins)}
        self._calls: dict[Slot, Call] = {}
        self._asked: Counter[str] = Counter()

    async def complete(self, request: ModelRequest, deadline: Deadline) -> ModelReply:
        slot = _slot(self._asked, request)
        reply = await self._live.complete(request, deadline)
        self._calls[slot] = Call(request, reply, None)
        return reply

    async def stream(self, request: ModelRequest, deadline: Deadline) -> AsyncIterator[Chunk]:
        slot = _slot(self._asked, request)
        chunks: list[str] = []
        async for chunk in self._live.stream(request, deadline):
            if chunk.text:
                chunks.append(chunk.text)
            if chunk.reply:
                self._calls[slot] = Call(request, chunk.reply, chunks)
            yield chunk

    def save(self, path: Path) -> None:
        """Write the file in one step. The same calls give the same bytes, in any order."""
        recording_file.write(path, self._header, self._calls)


class ReplayModel:
    """Answers from a file; `name` is the recorded model's, so that requests come out the same."""

    def __init__(self, path: Path, expected: Pins | None = None) -> None:
        """Raises PinMismatch when the file was made for something else than `expected`."""
        self.path = path
        self._asked: Counter[str] = Counter()
        self._calls: dict[Slot, Call] = {}
        header = self._read()
        self.pins = Pins(**{field.name: header[field.name] for field in fields(Pins)})
        self.synthetic = bool(header["synthetic"])
        self.name = self.pins.model
        if expected is not None:
            self._check(expected)

    async def complete(self, request: ModelRequest, deadline: Deadline) -> ModelReply:
        deadline.remaining()
        return self._take(request).reply

    async def stream(self, request: ModelRequest, deadline: Deadline) -> AsyncIterator[Chunk]:
        deadline.remaining()
        call = self._take(request)
        for piece in call.chunks if call.chunks is not None else [call.reply.text]:
            yield Chunk(piece)
        yield Chunk("", call.reply)

    def rewind(self) -> None:
        """Begin again: the next request is once more the first of its kind."""
        self._asked.clear()

    def unused(self) -> list[str]:
        """Name the recorded calls that nobody asked for since the start."""
        return [
            f"{key[:12]} (repeat {repeat}): {call.request.messages[-1].content[:80]!r}"
            for (key, repeat), call in sorted(self._calls.items())
            if self._asked[key] <= repeat
        ]

    def _read(self) -> dict[str, Any]:
        try:
            header, self._calls = recording_file.read(self.path)
        except OSError as error:
            raise RecordingError(f"cannot read the recording {self.path}: {error}") from error
        except recording_file.DamagedFile as error:
            raise RecordingError(f"{self.path}: {error}; record it again") from error
        return header

    def _check(self, expected: Pins) -> None:
        differing = [
            f"{field.name}: recorded {getattr(self.pins, field.name)!r}, "
            f"now {getattr(expected, field.name)!r}"
            for field in fields(Pins)
            if getattr(self.pins, field.name) != getattr(expected, field.name)
        ]
        if differing:
            raise PinMismatch(f"{self.path} does not fit; record it again. {'; '.join(differing)}")

    def _take(self, request: ModelRequest) -> Call:
        key, repeat = _slot(self._asked, request)
        if call := self._calls.get((key, repeat)):
            return call
        raise RecordingMiss(f"{self.path}: {self._explain(request, key, repeat)}")

    def _explain(self, request: ModelRequest, key: str, repeat: int) -> str:
        if (key, 0) in self._calls:
            return f"the request was recorded {repeat} times and came once more"
        wanted = request.canonical()
        if not self._calls:
            return "it holds no calls"
        nearest = max(
            (call.request.canonical() for call in self._calls.values()),
            key=lambda recorded: _likeness(recorded, wanted),
        )
        differing = [name for name in wanted if nearest.get(name) != wanted[name]]
        details = [
            _first_difference(nearest["messages"], wanted["messages"])
            if name == "messages"
            else f"{name}: recorded {nearest.get(name)!r}, now {wanted[name]!r}"
            for name in differing
        ]
        return f"no recording of this request. The nearest differs in {'; '.join(details)}"


def _slot(asked: Counter[str], request: ModelRequest) -> tuple[str, int]:
    key = request.key
    asked[key] += 1
    return key, asked[key] - 1


def _likeness(recorded: dict[str, Any], wanted: dict[str, Any]) -> tuple[float, int]:
    # Only the last message is compared letter by letter: the others are long and mostly the same.
    last = SequenceMatcher(None, recorded["messages"][-1][1][:400], wanted["messages"][-1][1][:400])
    return last.quick_ratio(), sum(recorded.get(name) == wanted[name] for name in wanted)


def _first_difference(recorded: list[list[str]], wanted: list[list[str]]) -> str:
    if len(recorded) != len(wanted):
        return f"the number of messages: recorded {len(recorded)}, now {len(wanted)}"
    for (role, old), (_, new) in zip(recorded, wanted, strict=True):
        if old != new:
            at = next(
                (i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
                min(len(old), len(new)),
            )
            start = max(0, at - 20)
            return (
                f"the {role} message from character {at}: "
                f"recorded {old[start : at + 40]!r}, now {new[start : at + 40]!r}"
            )
    return "the roles of the messages"
