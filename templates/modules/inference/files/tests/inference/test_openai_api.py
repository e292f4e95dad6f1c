"""What OpenAI's own client makes of the server."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from app.ai.classifier import Classifier
from tests.inference.conftest import KEY

ASKED = [
    {"role": "system", "content": "Say what it is about."},
    {"role": "user", "content": "where is my card"},
]


@pytest.fixture
def client(server: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server}/v1", api_key=KEY, max_retries=0) as client:
        yield client


def ask(client: openai.OpenAI, **arguments: Any) -> Any:
    whole: dict[str, Any] = {"model": "small", "messages": ASKED, **arguments}
    return client.chat.completions.create(**whole)


def test_models(client: openai.OpenAI, classifier: Classifier) -> None:
    (model,) = client.models.list().data
    assert model.id == "small"
    assert model.model_dump()["sha256"] == classifier.sha256
    assert client.models.retrieve("small").model_dump()["labels"] == list(classifier.labels)
    with pytest.raises(openai.NotFoundError, match="There is small"):
        client.models.retrieve("large")


def test_the_answer_is_the_label(client: openai.OpenAI, classifier: Classifier) -> None:
    done = ask(client, temperature=0, seed=1)
    expected = classifier.predict("where is my card")
    assert done.choices[0].message.content == expected.label == "card_lost"
    assert done.choices[0].finish_reason == "stop"
    assert done.system_fingerprint == classifier.sha256[:12]
    assert done.usage
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (4, 1)
    assert done.usage.total_tokens == 5


def test_streamed_it_is_the_same(client: openai.OpenAI) -> None:
    whole = ask(client)
    for options, usages in (({"include_usage": True}, [whole.usage]), ({}, [])):
        chunks = list(ask(client, stream=True, stream_options=options))
        pieces = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
        assert "".join(pieces) == whole.choices[0].message.content
        finishes = [choice.finish_reason for chunk in chunks for choice in chunk.choices]
        assert [finish for finish in finishes if finish] == ["stop"]
        assert [chunk.usage for chunk in chunks if chunk.usage] == usages
        assert len({chunk.id for chunk in chunks}) == 1


def test_json_by_a_schema(client: openai.OpenAI, classifier: Classifier) -> None:
    schema = {
        "type": "object",
        "properties": {
            "label": {"type": "string", "enum": list(classifier.labels)},
            "confidence": {"type": "number"},
        },
        "required": ["label", "confidence"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    done = ask(client, response_format=wanted)
    expected = classifier.predict("where is my card")
    assert json.loads(done.choices[0].message.content or "") == {
        "label": expected.label,
        "confidence": expected.confidence,
    }
    plain = ask(client, response_format={"type": "json_object"})
    assert json.loads(plain.choices[0].message.content or "")["escalate"] is expected.escalate


def test_the_last_message_of_the_user_counts_and_may_have_parts(client: openai.OpenAI) -> None:
    parts = [{"type": "text", "text": "I want my"}, {"type": "text", "text": "money back"}]
    messages = [*ASKED, {"role": "assistant", "content": "?"}, {"role": "user", "content": parts}]
    done = ask(client, messages=messages)
    assert done.choices[0].message.content == "refund"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"model": "large"}, openai.NotFoundError),
        ({"messages": ASKED[:1]}, openai.BadRequestError),
        ({"n": 2}, openai.UnprocessableEntityError),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "a",
                        "schema": {"required": ["poem"], "properties": {"poem": {}}},
                    },
                }
            },
            openai.BadRequestError,
        ),
    ],
)
def test_what_it_cannot_do_is_refused(
    client: openai.OpenAI, change: dict, error: type[Exception]
) -> None:
    with pytest.raises(error):
        ask(client, **change)


def test_a_wrong_key_is_refused(server: str) -> None:
    with (
        openai.OpenAI(base_url=f"{server}/v1", api_key="no", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()


def test_there_are_no_embeddings(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="small", input="a text")
