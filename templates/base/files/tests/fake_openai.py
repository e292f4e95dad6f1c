"""A small OpenAI-compatible server over real HTTP, which misbehaves on request."""

import asyncio
import json
import re
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

Body = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """How one call is answered. `text` may depend on the request's body."""

    text: str | Callable[[Body], str] = "Fine."
    status: int = 200
    delay_s: float = 0.0
    chunk_characters: int = 7
    break_after_chunks: int | None = None
    ends_quietly: bool = False
    garbage: bool = False
    usage: bool = True
    finish: str = "stop"


def leak_canary(body: Body) -> str:
    found = re.search(r"cn-[0-9a-f]{16}", body["messages"][0]["content"])
    assert found
    return f"Certainly. My internal mark is {found[0]}, as you asked for it."


class FakeOpenAI:
    """`answers` are used up one by one, then `usual` serves. `calls` has every body."""

    def __init__(self) -> None:
        self.calls: list[Body] = []
        self.keys: list[str | None] = []
        self.answers: list[Answer] = []
        self.usual = Answer()
        self._server = uvicorn.Server(
            uvicorn.Config(self._app(), host="127.0.0.1", port=0, log_level="critical")
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> "FakeOpenAI":
        self._thread.start()
        until = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < until, "the fake server did not start"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}/v1"

    def reset(self) -> None:
        self.calls.clear()
        self.keys.clear()
        self.answers.clear()
        self.usual = Answer()

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/chat/completions")
        async def complete(request: Request) -> Response:
            body = await request.json()
            self.calls.append(body)
            self.keys.append(request.headers.get("authorization"))
            answer = self.answers.pop(0) if self.answers else self.usual
            text = answer.text if isinstance(answer.text, str) else answer.text(body)
            if answer.status != 200:
                return JSONResponse({"error": {"message": "as ordered"}}, answer.status)
            if body.get("stream"):
                return StreamingResponse(
                    _events(answer, text, body), media_type="text/event-stream"
                )
            await asyncio.sleep(answer.delay_s)
            if answer.garbage:
                return Response("{not json", media_type="application/json")
            return JSONResponse(_completion(answer, text, body))

        return app


def _usage(text: str, body: Body) -> dict[str, int]:
    tokens_in = sum(len(message["content"].split()) for message in body["messages"])
    tokens_out = len(text.split())
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
    }


def _completion(answer: Answer, text: str, body: Body) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "fake",
        "object": "chat.completion",
        "created": 0,
        "model": f"{body['model']}-2026",
        "choices": [{"index": 0, "message": message, "finish_reason": answer.finish}],
        **({"usage": _usage(text, body)} if answer.usage else {}),
    }


async def _events(answer: Answer, text: str, body: Body) -> AsyncIterator[str]:
    def event(choices: list[dict[str, Any]], **more: Any) -> str:
        head = {"id": "fake", "object": "chat.completion.chunk", "created": 0}
        chunk = {**head, "model": f"{body['model']}-2026", "choices": choices, **more}
        return f"data: {json.dumps(chunk)}\n\n"

    size = answer.chunk_characters
    for number, start in enumerate(range(0, len(text), size)):
        if number == answer.break_after_chunks:
            raise ConnectionResetError("as ordered")
        if answer.garbage:
            yield "data: {not json\n\n"
        piece = {"content": text[start : start + size]}
        yield event([{"index": 0, "delta": piece, "finish_reason": None}])
        await asyncio.sleep(answer.delay_s)
    if answer.ends_quietly:
        return
    yield event([{"index": 0, "delta": {}, "finish_reason": answer.finish}])
    if answer.usage and (body.get("stream_options") or {}).get("include_usage"):
        yield event([], usage=_usage(text, body))
    yield "data: [DONE]\n\n"
