"""The small classifier: training, the model file and predictions, on a tiny made-up dataset."""

import csv
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from app.ai.classifier import Classifier, ModelFileError, features, words
from app.ai.training import recipe_hash, train

SUBJECTS = {
    "lost_card": ["I lost my card", "my card is gone", "someone stole the card"],
    "exchange_rate": ["what is the exchange rate", "the rate for £ is wrong", "rate for euros?"],
    "top_up": ["how do I top up", "my top up failed", "can't top-up by phone"],
}
ENDINGS = ["", " today", " please", " and I need help", " again"]
OUT_OF_SCOPE = ["sing a song about oceans", "who painted this", "boil an egg"]


def write_rows(path: Path, rows: list[tuple[str, ...]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return path


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cases = [
        (query + ending, label)
        for label, queries in SUBJECTS.items()
        for query, ending in itertools.product(queries, ENDINGS)
    ]
    folder = tmp_path_factory.mktemp("datasets")
    return write_rows(folder / "train.csv", [("text", "category"), *cases])


@pytest.fixture(scope="module")
def model(dataset: Path) -> Path:
    output = dataset.with_name("model.npz")
    train(dataset, None, output)
    return output


@pytest.fixture(scope="module")
def classifier(model: Path) -> Classifier:
    return Classifier.load(model)


def rewrite(model: Path, output: Path, **changes: object) -> Path:
    """A copy of the model file with other values in its header."""
    with np.load(model, allow_pickle=False) as archive:
        arrays = dict(archive)
    header = json.loads(arrays["header"].tobytes()) | changes
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez_compressed(output, **arrays)
    return output


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I think my card is lost", "lost_card"),
        ("is this exchange rate right?", "exchange_rate"),
        ("TOP UP does not work", "top_up"),
    ],
)
def test_predicts_unseen_wordings(classifier: Classifier, text: str, label: str) -> None:
    assert classifier.predict(text).label == label


def test_escalates_below_the_threshold_only(classifier: Classifier) -> None:
    texts = [*OUT_OF_SCOPE, *itertools.chain.from_iterable(SUBJECTS.values())]
    for prediction in classifier.predict_many(texts):
        assert 0 <= prediction.confidence <= 1
        assert prediction.escalate == (prediction.confidence < classifier.threshold)


def test_escalates_what_belongs_to_no_category(classifier: Classifier) -> None:
    assert all(prediction.escalate for prediction in classifier.predict_many(OUT_OF_SCOPE))


@pytest.mark.parametrize("text", ["", " \n\t", "!…", "漢字 и кириллица", "\ud800", "🙂" * 50])
def test_escalates_a_text_without_known_words(classifier: Classifier, text: str) -> None:
    prediction = classifier.predict(text)

    assert prediction.label in classifier.labels
    assert prediction.escalate


def test_unicode_forms_of_a_word_are_one_feature() -> None:
    assert words("I CAN\u2019T \uff54op up caf\u00e9 £5") == words("i can not top up cafe\u0301 £5")


def test_features_are_distinct() -> None:
    found = features("top up my top up")

    assert len(found) == len(set(found))
    assert {"top", "top up", "my+top", "#top"} <= set(found)


@pytest.mark.parametrize("text", ["x" * 100_000, "lost my card " * 8_000, "\ufdfa" * 50_000])
def test_a_huge_text_costs_little(classifier: Classifier, text: str) -> None:
    started = time.perf_counter()
    classifier.predict(text)
    assert time.perf_counter() - started < 0.5


def test_many_predict_as_one(classifier: Classifier) -> None:
    texts = ["", *OUT_OF_SCOPE, "my card is lost", "the rate, and my top up"]

    assert classifier.predict_many(texts) == [classifier.predict(text) for text in texts]
    assert classifier.predict_many([]) == []


def test_header_tells_where_the_model_comes_from(dataset: Path, classifier: Classifier) -> None:
    assert classifier.header["recipe"] == recipe_hash(dataset)
    assert classifier.header["cases"] == 45
    assert classifier.labels == tuple(sorted(SUBJECTS))


def test_report_counts_escalated_out_of_scope_queries(dataset: Path, tmp_path: Path) -> None:
    strangers = write_rows(tmp_path / "strangers.csv", [("text",), *((t,) for t in OUT_OF_SCOPE)])
    output = tmp_path / "new" / "model.npz"

    report = train(dataset, strangers, output)

    assert report.out_of_scope_escalated == 1.0
    assert (report.cases, report.labels) == (45, 3)
    assert report.size_bytes == output.stat().st_size
    assert [path.name for path in output.parent.iterdir()] == ["model.npz"]


def test_two_trainings_give_the_same_bytes(dataset: Path, model: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.npz"
    code = "import sys; from pathlib import Path; from app.ai.training import train; "
    code += "train(Path(sys.argv[1]), None, Path(sys.argv[2]))"

    subprocess.run(  # noqa: S603 - another process hashes strings differently
        [sys.executable, "-c", code, dataset, again],
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert again.read_bytes() == model.read_bytes()


def test_recipe_hash_follows_the_dataset(dataset: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(dataset.read_bytes() + b"one more,top_up\n")

    assert recipe_hash(other) != recipe_hash(dataset)


def test_trains_two_labels(tmp_path: Path) -> None:
    cases = [(f"{word} {n}", word) for word in ("refund", "transfer") for n in "abcde"]
    dataset = write_rows(tmp_path / "two.csv", [("text", "category"), *cases])
    train(dataset, None, tmp_path / "model.npz")

    predictions = Classifier.load(tmp_path / "model.npz").predict_many(["transfer", "refund"])

    assert [prediction.label for prediction in predictions] == ["transfer", "refund"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("text",), ("hello",)], "lacks the column category"),
        ([("text", "category"), ("hello", "greeting")], "at least two categories"),
        ([("text", "category"), ("hello", "a"), ("bye", "b")], "5 cases in each of: a, b"),
    ],
)
def test_refuses_a_dataset(tmp_path: Path, rows: list[tuple[str, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(write_rows(tmp_path / "bad.csv", rows), None, tmp_path / "model.npz")
    assert not (tmp_path / "model.npz").exists()


def test_load_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot read"):
        Classifier.load(tmp_path / "none.npz")


def test_load_refuses_another_version(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="format version 99"):
        Classifier.load(rewrite(model, tmp_path / "new.npz", format_version=99))


def test_load_refuses_arrays_that_do_not_fit(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="damaged"):
        Classifier.load(rewrite(model, tmp_path / "fewer.npz", labels=["top_up"]))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text,category\n", b"\x93NUMPY\x01\x00"])
def test_load_refuses_another_kind_of_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(content)

    with pytest.raises(ModelFileError, match="damaged"):
        Classifier.load(path)


@pytest.mark.parametrize("position", [0.02, 0.3, 0.6, 0.9])
def test_load_refuses_a_damaged_file(model: Path, tmp_path: Path, position: float) -> None:
    content = bytearray(model.read_bytes())
    start = int(len(content) * position)
    content[start : start + 16] = bytes(255 - byte for byte in content[start : start + 16])
    path = tmp_path / "model.npz"
    path.write_bytes(content)

    with pytest.raises(ModelFileError, match="damaged"):
        Classifier.load(path)


def test_load_refuses_an_unknown_compression(model: Path, tmp_path: Path) -> None:
    content = bytearray(model.read_bytes())
    method = content.index(b"PK\x01\x02") + 10
    content[method : method + 2] = b"\x63\x00"
    path = tmp_path / "model.npz"
    path.write_bytes(content)

    with pytest.raises(ModelFileError, match="damaged"):
        Classifier.load(path)


def test_load_refuses_half_a_file(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(model.read_bytes()[: model.stat().st_size // 2])

    with pytest.raises(ModelFileError, match="damaged"):
        Classifier.load(path)
