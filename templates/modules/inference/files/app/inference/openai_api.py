"""OpenAI's API over the small model: the last message of the user is classified.

The answer is the label; as JSON, where a `response_format` asks for that. What a classifier has
no meaning for (temperature, seed, limits of tokens) is accepted and makes no difference.
"""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from jsonschema import Draft202012Validator, SchemaError
from pydantic import BaseModel, Field

from app.ai.classifier import Classifier, Prediction, words
from app.core.problems import AppError
from app.features import NAME
from app.inference.schemas import Text
from app.inference.served import ModelDep, Served

MODEL = "small"
router = APIRouter(prefix="/v1")


class TextPart(BaseModel):
    type: Literal["text"]
    text: Text


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart]

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content)


class JsonSchema(BaseModel):
    json_schema: dict[str, Any] = Field(default={}, alias="schema")


class ResponseFormat(BaseModel):
    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: JsonSchema = JsonSchema()


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    model: str
    messages: list[ChatMessage] = Field(min_length=1, max_length=100)
    stream: bool = False
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat = ResponseFormat()
    n: Literal[1] = 1


@router.get("/models")
async def models(model: ModelDep) -> dict[str, Any]:
    return {"object": "list", "data": [_described(model)]}


@router.get("/models/{name}")
async def one_model(name: str, model: ModelDep) -> dict[str, Any]:
    _require(name)
    return _described(model)


@router.post("/chat/completions", response_model=None)
async def complete(
    body: ChatRequest, model: ModelDep, request: Request
) -> dict[str, Any] | StreamingResponse:
    _require(body.model)
    text = next((item.text for item in reversed(body.messages) if item.role == "user"), None)
    if text is None:
        raise _refused(400, "Nothing to classify", "Send a message of the user.")
    served: Served = request.app.state.served
    content = _content(served.predict(model, text), body.response_format)
    head = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "created": int(time.time()),
        "model": MODEL,
        "system_fingerprint": model.sha256[:12],
    }
    # In words, as the model reads them: it knows no other tokens.
    tokens = {"prompt_tokens": len(words(text)), "completion_tokens": len(words(content))}
    usage = {**tokens, "total_tokens": sum(tokens.values())}
    if body.stream:
        counted = usage if body.stream_options and body.stream_options.include_usage else None
        return StreamingResponse(_events(head, content, counted), media_type="text/event-stream")
    message = {"role": "assistant", "content": content, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": usage}


def _events(
    head: Mapping[str, Any], content: str, usage: Mapping[str, int] | None
) -> Iterator[str]:
    deltas = [({"role": "assistant", "content": ""}, None), ({"content": content}, None)]
    for delta, finish in [*deltas, ({}, "stop")]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        yield _event({**head, "object": "chat.completion.chunk", "choices": [choice]})
    if usage:
        yield _event({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _event(data: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


def _content(prediction: Prediction, wanted: ResponseFormat) -> str:
    answer = asdict(prediction)
    if wanted.type == "text":
        return prediction.label
    schema = wanted.json_schema.json_schema
    properties = schema.get("properties", answer)
    answer = {name: value for name, value in answer.items() if name in properties}
    try:
        fits = Draft202012Validator(schema).is_valid(answer)
    except SchemaError as error:
        raise _refused(400, "Not a schema", error.message) from None
    if not fits:
        raise _refused(
            400,
            "This model cannot answer so",
            f"It answers by label, confidence and escalate, here: {json.dumps(answer)}.",
        )
    return json.dumps(answer)


def _described(model: Classifier) -> dict[str, Any]:
    return {
        "id": MODEL,
        "object": "model",
        "created": 0,
        "owned_by": NAME,
        "sha256": model.sha256,
        "labels": list(model.labels),
        "threshold": model.threshold,
    }


def _require(name: str) -> None:
    if name != MODEL:
        raise _refused(404, "No such model", f"There is {MODEL}, not {name!r}.")


def _refused(status: int, title: str, detail: str) -> AppError:
    """A problem as everywhere, with what OpenAI's clients look for beside it."""
    error = {"message": f"{title}: {detail}", "type": "invalid_request_error", "code": None}
    return AppError(status, title, detail, error=error)
