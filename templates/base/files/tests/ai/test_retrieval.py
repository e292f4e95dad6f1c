"""The knowledge base, and the writer that quotes it."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ai.local_writer import HANDOVER, LocalWriter, draft, sentences
from app.ai.model import Message, ModelRequest
from app.ai.preparation import without_placeholders
from app.ai.retrieval import KnowledgeBase, KnowledgeError
from app.core.resilience import Deadline

HERE = Path(__file__).parent
KNOWLEDGE = KnowledgeBase(HERE / "knowledge")


def variables(text: str, intent: str | None = None) -> dict[str, object]:
    found = KNOWLEDGE.search(without_placeholders(text), 3, intent)
    passages = [
        {
            "number": number,
            "title": passage.title,
            "text": passage.text,
            "relevance": passage.relevance,
        }
        for number, passage in enumerate(found, 1)
    ]
    return {"text": text, "passages": passages, "organisation": "Example Bank"}


def test_the_article_on_the_matter_comes_first() -> None:
    assert KNOWLEDGE.search("somebody stole my card")[0].article_id == "lost-card"
    assert KNOWLEDGE.search("when do I get my refunds?")[0].article_id == "refund"
    scores = [found.score for found in KNOWLEDGE.search("card refund rate")]
    assert scores == sorted(scores, reverse=True)
    assert len(KNOWLEDGE.search("card refund rate working days", k=2)) == 2


def test_an_intent_finds_its_article_without_a_common_word() -> None:
    assert KNOWLEDGE.search("hmm, ...") == []
    assert [found.article_id for found in KNOWLEDGE.search("hmm", intent="refund")] == ["refund"]


@settings(deadline=None)
@given(st.text(max_size=80))
def test_no_text_is_query_syntax(text: str) -> None:
    KNOWLEDGE.search(text)
    for query in (f'"{text}" OR *', f"title: {text} NEAR(", f"{text}*) AND NOT (", "'; drop table"):
        KNOWLEDGE.search(query)


def test_a_folder_is_read_again_only_when_it_changed(knowledge: KnowledgeBase) -> None:
    before = knowledge.sha256
    assert not knowledge.refresh()
    path = knowledge.folder / "refund.md"
    path.write_text(path.read_text().replace("seven", "nine"))
    assert knowledge.refresh()
    assert knowledge.sha256 != before
    assert "nine" in knowledge.search("refund")[0].text


def test_a_wrong_article_is_named(knowledge: KnowledgeBase) -> None:
    (knowledge.folder / "bad.md").write_text("no head")
    with pytest.raises(KnowledgeError, match=r"bad\.md: expected a head"):
        knowledge.refresh()
    (knowledge.folder / "bad.md").write_text("---\nid: refund\ntitle: T\n---\nText.")
    with pytest.raises(KnowledgeError, match="another article has the id"):
        knowledge.refresh()


def test_a_draft_quotes_and_cites() -> None:
    text, found = draft(variables("[NAME_1] here, I lost my card. What now?"))
    assert found
    assert text.startswith("Hello [NAME_1],")
    assert "Freeze the card in the app at once: open Cards, choose it and tap Freeze." in text
    assert "[1]" in text
    assert text.endswith("Kind regards,\nExample Bank")


def test_every_quoted_sentence_stands_in_the_article_it_cites() -> None:
    every = {
        article.title: " ".join(article.text.split()) for article in KNOWLEDGE.articles.values()
    }
    words = sorted({word for text in every.values() for word in text.split()})
    chance = random.Random(7)
    quoted = 0
    for _ in range(60):
        question = " ".join(chance.sample(words, 6))
        given_variables = variables(question)
        text, found = draft(given_variables)
        if not found:
            continue
        body = text.split("help pages say:\n\n")[1].split("\n\nIf this does not")[0]
        for paragraph in body.split("\n\n"):
            quote, _, number = paragraph.rpartition(" [")
            passage = given_variables["passages"][int(number.rstrip("]")) - 1]  # type: ignore
            for sentence in sentences(quote):
                assert sentence in every[passage["title"]]
                quoted += 1
    assert quoted > 60


def test_nothing_relevant_means_a_person() -> None:
    # One word in common is chance, a placeholder is no word.
    by_chance = "Which day is the village festival held?"
    assert KNOWLEDGE.search(by_chance)
    for question in (by_chance, "What is the capital of France?", "[CARD_1]", "?!"):
        text, found = draft(variables(question))
        assert not found
        assert HANDOVER in text
        assert "[1]" not in text


async def test_as_a_model_it_streams_what_it_completes() -> None:
    writer = LocalWriter()
    messages = (Message("system", ""), Message("user", ""))
    request = ModelRequest(writer.name, messages, 100, variables=variables("lost card"))
    reply = await writer.complete(request, Deadline.after(1))
    chunks = [chunk async for chunk in writer.stream(request, Deadline.after(1))]
    assert "".join(chunk.text for chunk in chunks) == reply.text
    assert chunks[-1].reply == reply
    assert (reply.tokens_in, reply.tokens_out, reply.finish) == (0, 0, "stop")
    nothing = ModelRequest(writer.name, messages, 100, variables=variables("?"))
    assert (await writer.complete(nothing, Deadline.after(1))).finish == "handover"
