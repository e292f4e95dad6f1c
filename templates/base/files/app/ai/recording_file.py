"""How a recording lies on disk: JSON lines, with what many calls share written once.

After the header come `text` lines (a long text, such as a help article), `shape` lines (all of a
request but its last message) and one line a call: its shape, its last message as a list of texts
and references, and the reply without what is usual. A call's key is not stored: it is computed from
the request, so that the two cannot disagree.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.ai.model import Message, ModelReply, ModelRequest

FORMAT = 1
# A shorter text costs about as much as a reference to it.
_SHARED_FROM = 80
_ID_LENGTH = 12
_USUAL = {"finish": "stop"}

Slot = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Call:
    """One answered request. `chunks`: the pieces it was streamed in, None when it came whole."""

    request: ModelRequest
    reply: ModelReply
    chunks: list[str] | None


class DamagedFile(ValueError):  # noqa: N818  says what it is
    """The file is not a whole recording of this format."""


def write(path: Path, header: Mapping[str, Any], calls: Mapping[Slot, Call]) -> None:
    """Write the file in one step. The same calls give the same bytes, in whatever order."""
    texts: dict[str, str] = {}
    shapes: dict[str, Any] = {}
    lines = [
        _call_line(call, repeat, header["model"], texts, shapes)
        for (_, repeat), call in sorted(calls.items(), key=lambda item: item[0])
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("w", encoding="utf-8") as file:
        for line in (
            {"format": FORMAT, **header},
            *({"text": name, "is": texts[name]} for name in sorted(texts)),
            *({"shape": name, "is": shapes[name]} for name in sorted(shapes)),
            *lines,
        ):
            file.write(_json(line) + "\n")
    unfinished.replace(path)


def read(path: Path) -> tuple[dict[str, Any], dict[Slot, Call]]:
    """Return header and calls. Raises OSError, or DamagedFile."""
    shared: dict[str, Any] = {}
    calls: dict[Slot, Call] = {}
    try:
        with path.open(encoding="utf-8") as file:
            header = json.loads(next(file, "null"))
            if not header or header.get("format") != FORMAT:
                raise DamagedFile(f"it is no recording of format {FORMAT}")
            for text in file:
                line = json.loads(text)
                if "is" in line:
                    shared[line.get("text") or line["shape"]] = line["is"]
                else:
                    call = _call(line, shared, header["model"])
                    calls[call.request.key, line.get("repeat", 0)] = call
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DamagedFile(f"it is damaged ({error!r})") from error
    return header, calls


def _call_line(
    call: Call, repeat: int, model: str, texts: dict[str, str], shapes: dict[str, Any]
) -> dict[str, Any]:
    request = call.request.canonical()
    *first, (role, last) = request.pop("messages")
    shape = {**request, "role": role, "messages": first}
    name = _name(_json(shape))
    shapes[name] = shape
    usual = {**_USUAL, "model": model}
    reply = {key: value for key, value in asdict(call.reply).items() if usual.get(key) != value}
    line: dict[str, Any] = {
        "of": name,
        "last": list(_parts(last, call.request.variables, texts)),
        "reply": reply,
    }
    if call.chunks is not None:
        line["chunks"] = call.chunks
    if repeat:
        line["repeat"] = repeat
    return line


def _call(line: Mapping[str, Any], shared: Mapping[str, Any], model: str) -> Call:
    shape: dict[str, Any] = dict(shared[line["of"]])
    last = "".join(part if isinstance(part, str) else shared[part["ref"]] for part in line["last"])
    messages: list[Any] = [*shape.pop("messages"), [shape.pop("role"), last]]
    request = ModelRequest(messages=tuple(Message(*message) for message in messages), **shape)
    reply: dict[str, Any] = {**_USUAL, "model": model, **line["reply"]}
    return Call(request, ModelReply(**reply), line.get("chunks"))


def _parts(
    content: str, variables: Mapping[str, object], texts: dict[str, str]
) -> Iterator[str | dict[str, str]]:
    """Cut the message where a long text was put into the prompt; that is what other calls share."""
    long = sorted({text for text in _strings(variables) if text in content}, key=len, reverse=True)
    if not long:
        yield content
        return
    for part in re.split(f"({'|'.join(map(re.escape, long))})", content):
        if part in long:
            texts[_name(part)] = part
            yield {"ref": _name(part)}
        elif part:
            yield part


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) >= _SHARED_FROM:
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _strings(item)


def _name(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:_ID_LENGTH]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
