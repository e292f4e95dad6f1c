"""The edit distance counts words."""

import random

import pytest

from app.triage.edits import edit_distance


@pytest.mark.parametrize(
    ("draft", "final", "distance", "share"),
    [
        ("", "", 0, 0.0),
        ("one two", "one two", 0, 0.0),
        ("one  two\n", "one two", 0, 0.0),
        ("one two three four", "one 2 three four", 1, 0.25),
        ("one two three", "one three", 1, 1 / 3),
        ("one", "zero one two", 2, 2 / 3),
        ("a b c", "x y z", 3, 1.0),
        ("", "all new", 2, 1.0),
    ],
)
def test_distance_and_share(draft: str, final: str, distance: int, share: float) -> None:
    assert edit_distance(draft, final) == (distance, pytest.approx(share))


def test_cutting_equal_ends_does_not_change_the_distance() -> None:
    def plain(left: list[str], right: list[str]) -> int:
        if not left or not right:
            return len(left) + len(right)
        return min(
            plain(left[1:], right) + 1,
            plain(left, right[1:]) + 1,
            plain(left[1:], right[1:]) + (left[0] != right[0]),
        )

    rng = random.Random(7)
    for _ in range(200):
        left, right = (list(rng.choices(("a", "b", "c"), k=rng.randrange(6))) for _ in range(2))
        assert edit_distance(" ".join(left), " ".join(right))[0] == plain(left, right)


def test_a_very_long_text_takes_no_time() -> None:
    distance, share = edit_distance("word " * 100_000, "other " * 100_000)
    assert (distance, share) == (600, 1.0)
