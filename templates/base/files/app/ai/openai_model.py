"""Any OpenAI-compatible endpoint as a Model. Retries and fallbacks are the gateway's business."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from app.ai.budget import estimate_tokens
from app.ai.model import Chunk, ModelError, ModelReply, ModelRequest
from app.core.egress import Egress, HostRefused
from app.core.resilience import Deadline, DeadlineExceeded

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# Part of the pins of recordings: raise it when requests or the reading of answers change.
ADAPTER_VERSION = "openai-1"
_RETRYABLE = {408, 409, 425, 429, 500, 502, 503, 504, 529}

TokenLimit = Literal["max_tokens", "max_completion_tokens"]


class OpenAIModel:
    """`name` is the model as the endpoint calls it, `base_url` ends with /v1 as a rule."""

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: str | None,
        token_limit: TokenLimit,
        egress: Egress,
    ) -> None:
        self.name = name
        self._base_url = base_url
        self._api_key = api_key
        self._token_limit = token_limit
        self._egress = egress

    @cached_property
    def _client(self) -> "AsyncOpenAI":
        # Imported at the first call: it takes most of a second, and many installations never call.
        from openai import AsyncOpenAI, DefaultAsyncHttpx2Client

        return AsyncOpenAI(
            # Own servers often ask for no key; the SDK insists on one.
            api_key=self._api_key or "none",
            base_url=self._base_url,
            max_retries=0,
            http_client=DefaultAsyncHttpx2Client(event_hooks={"request": [self._egress.check]}),
        )

    async def complete(self, request: ModelRequest, deadline: Deadline) -> ModelReply:
        async with _errors_mapped(deadline):
            answer = await self._client.chat.completions.create(
                **self._arguments(request, deadline), stream=False
            )
        if not getattr(answer, "choices", None):
            raise ModelError("the answer has no choices")
        choice = answer.choices[0]
        if getattr(choice.message, "refusal", None):
            raise ModelError("the model refused")
        text = choice.message.content or ""
        return _reply(request, text, answer.model, choice.finish_reason, answer.usage)

    async def stream(self, request: ModelRequest, deadline: Deadline) -> AsyncIterator[Chunk]:
        text, model, finish, usage = "", "", None, None
        async with _errors_mapped(deadline):
            stream = await self._client.chat.completions.create(
                **self._arguments(request, deadline),
                stream=True,
                stream_options={"include_usage": True},
            )
        events = aiter(stream)
        try:
            while True:
                # The deadline is armed around each read only: a timeout may not span a yield.
                async with _errors_mapped(deadline):
                    event = await anext(events, None)
                if event is None:
                    break
                model, usage = event.model or model, event.usage or usage
                for choice in event.choices or ():
                    finish = choice.finish_reason or finish
                    if piece := choice.delta.content:
                        text += piece
                        yield Chunk(piece)
        finally:
            await stream.close()
        if finish is None:
            raise ModelError("the stream broke off", retryable=True)
        yield Chunk("", _reply(request, text, model, finish, usage))

    async def close(self) -> None:
        if "_client" in self.__dict__:
            await self._client.close()

    def _arguments(self, request: ModelRequest, deadline: Deadline) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": request.model,
            "messages": [
                {"role": message.role, "content": message.content} for message in request.messages
            ],
            self._token_limit: request.max_tokens,
            "timeout": deadline.remaining(),
        }
        # Some models refuse these even at their defaults, so what is None is not sent.
        if request.temperature is not None:
            arguments["temperature"] = request.temperature
        if request.seed is not None:
            arguments["seed"] = request.seed
        if request.schema is not None:
            arguments["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": request.schema, "strict": True},
            }
        return arguments


def _reply(
    request: ModelRequest, text: str, model: str, finish: str | None, usage: Any
) -> ModelReply:
    if finish == "content_filter":
        raise ModelError("the provider's content filter stopped the answer")
    if finish == "length":
        raise ModelError(f"the answer was cut off at {request.max_tokens} tokens")
    # Some servers send no usage with streams; an estimate is better than free.
    tokens_in = usage.prompt_tokens if usage else estimate_tokens(*request.messages)
    tokens_out = usage.completion_tokens if usage else estimate_tokens(text)
    return ModelReply(text, tokens_in, tokens_out, model or request.model, finish or "stop")


@asynccontextmanager
async def _errors_mapped(deadline: Deadline) -> AsyncIterator[None]:
    """Turn whatever the SDK raises into ModelError, and enforce the deadline as a whole.

    The SDK's own timeout counts from byte to byte, so a slow drip would outlive it.
    """
    from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAIError

    try:
        async with asyncio.timeout(deadline.remaining()):
            yield
    except DeadlineExceeded:
        raise
    except HostRefused as error:
        raise ModelError(str(error)) from error
    except (TimeoutError, APITimeoutError) as error:
        raise DeadlineExceeded("the model did not answer in time") from error
    except APIStatusError as error:
        raise ModelError(
            f"the endpoint answered {error.status_code}", retryable=error.status_code in _RETRYABLE
        ) from error
    except APIConnectionError as error:
        raise ModelError("the connection failed or broke off", retryable=True) from error
    except OpenAIError as error:
        raise ModelError(f"the endpoint failed: {type(error).__name__}", retryable=True) from error
    except ValueError as error:  # not JSON, or not what the SDK expects
        raise ModelError("the endpoint's answer could not be read") from error
