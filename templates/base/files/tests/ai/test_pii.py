"""Personal data: floors on a corpus, and what must hold for any text."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from app.ai import pii

CORPUS = [
    json.loads(line)
    for line in (Path(__file__).parent / "pii_corpus.jsonl").read_text("utf-8").splitlines()
]
# Text made of parts that patterns look for, so that they meet in every order.
PARTS = st.sampled_from(
    [
        *"aZ09 .,-/+@[]()'\n",
        "my name is John",
        "a@example.com",
        "4111 1111 1111 1111",
        "GB82 WEST 1234 5698 7654 32",
        "+44 20 7946 0958",
        "sort code 20-00-00",
        "account 12345678",
        "[EMAIL_1]",
        "[CARD_2]",
        "pin is 4821",
        "12 High Street",
        "Regards,\nJane",
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PARTS, max_size=30).map("".join))


def test_the_corpus_is_large_enough_on_both_sides() -> None:
    positive = sum(bool(case["personal"]) for case in CORPUS)
    assert positive >= 80
    assert len(CORPUS) - positive >= 80


def test_recall_and_precision_stay_over_their_floors() -> None:
    found_rightly = found = expected = 0
    for case in CORPUS:
        got = pii.find(case["text"])
        wanted = [tuple(item) for item in case["personal"]]
        found += len(got)
        expected += len(wanted)
        found_rightly += sum(item in wanted for item in got)
    assert found_rightly / expected >= 0.97
    assert found_rightly / found >= 0.97


def test_nothing_of_what_was_found_is_left() -> None:
    for case in CORPUS:
        masked = pii.mask(case["text"]).text
        for _, datum in pii.find(case["text"]):
            assert datum not in masked


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_masking_can_be_undone_and_repeated(text: str) -> None:
    masked = pii.mask(text)
    assert pii.unmask(masked.text, masked.vault) == text
    assert pii.mask(masked.text).text == masked.text
    assert len(set(masked.vault.values())) <= len(masked.vault)


@settings(max_examples=10, deadline=None)
@given(PARTS, PARTS)
def test_long_repetitive_text_is_no_trap(one: str, other: str) -> None:
    text = (one + other) * (20_000 // len(one + other))
    masked = pii.mask(text)
    assert pii.unmask(masked.text, masked.vault) == text


def test_the_same_datum_keeps_its_placeholder_across_texts() -> None:
    masked, vault = pii.mask_all(
        {"a": "I am at a@example.com", "b": "or b@example.com, a@example.com"}
    )
    assert masked == {"a": "I am at [EMAIL_1]", "b": "or [EMAIL_2], [EMAIL_1]"}
    assert vault == {"[EMAIL_1]": "a@example.com", "[EMAIL_2]": "b@example.com"}


def test_a_forged_placeholder_is_not_taken_for_ours() -> None:
    masked = pii.mask("[EMAIL_1] is not a@example.com")
    assert masked.text == "[EMAIL_1] is not [EMAIL_2]"


def test_only_the_wanted_kinds_are_put_back() -> None:
    masked = pii.mask("My name is Ada King, a@example.com")
    assert pii.unmask(masked.text, masked.vault, {"NAME"}) == "My name is Ada King, [EMAIL_1]"
