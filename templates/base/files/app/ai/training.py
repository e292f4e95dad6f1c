"""Trains the small text classifier; needs the dependency group `train`.

The recipe: binary TF-IDF over `classifier.features`, one linear support vector machine a label
(squared hinge), a temperature and a threshold fitted on out-of-fold scores, weights in eight bits.
"""

import csv
import hashlib
import json
import platform
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import diags
from scipy.special import log_softmax
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from app.ai.classifier import FORMAT_VERSION, Classifier, features

# A scipy.sparse matrix in rows; its stubs know no precise type for indexing it.
Sparse = Any


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every choice that shapes the weights; part of the recipe hash."""

    min_cases: int = 3  # a feature in fewer cases is treated as unseen
    penalty: float = 2.0  # C of the support vector machine
    folds: int = 5
    class_weight: str = "balanced"  # rare categories count as much as common ones
    # Share of queries above the threshold. The models of the folds know a fifth less and are less
    # sure: the finished model keeps about three points more, 0.71.
    kept: float = 0.68
    seed: int = 0


RECIPE = Recipe()


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a training gave: shares are 0 to 1, those of known queries measured out of fold."""

    cases: int
    labels: int
    seconds: float
    size_bytes: int
    accuracy: float
    calibration_error: float  # expected calibration error over 15 bins
    temperature: float
    threshold: float
    kept: float
    precision: float  # accuracy of the queries kept
    out_of_scope_escalated: float | None  # queries never trained on; None without such a dataset
    recipe: str


@dataclass(frozen=True, slots=True)
class _Linear:
    weights: NDArray[np.float64]  # (F, L)
    bias: NDArray[np.float64]  # (L,)

    def scores(self, matrix: Sparse) -> NDArray[np.float64]:
        return matrix @ self.weights + self.bias


@dataclass(frozen=True, slots=True)
class _Calibration:
    temperature: float
    threshold: float
    accuracy: float
    calibration_error: float
    kept: float
    precision: float


def train(dataset: Path, out_of_scope: Path | None, output: Path) -> TrainingReport:
    """Train on a CSV file of `text,category` and write the model file.

    `out_of_scope` is a CSV file of `text`, queries of no category at all: nothing is fitted on
    them, the report tells which share of them the finished model escalates.
    Raises ValueError when a column is missing or a category has too few cases for the folds.
    """
    started = time.perf_counter()
    texts, categories = _read_cases(dataset)
    labels, targets = np.unique(categories, return_inverse=True)
    presence, names = _presence(texts)

    calibration = _calibrate(_out_of_fold_scores(presence, targets), targets)
    idf, unseen_idf, kept_features = _idf(presence)
    model = _fit(_weigh(presence, idf)[:, kept_features], targets)

    recipe = recipe_hash(dataset)
    header: dict[str, object] = {
        "format_version": FORMAT_VERSION,
        "labels": labels.tolist(),
        "recipe": recipe,
        "hyperparameters": asdict(RECIPE),
        "dataset_sha256": hashlib.sha256(dataset.read_bytes()).hexdigest(),
        "cases": len(texts),
        "unseen_idf": unseen_idf,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
    } | asdict(calibration)
    _write(output, header, names[kept_features], idf[kept_features], model)

    return TrainingReport(
        cases=len(texts),
        labels=len(labels),
        size_bytes=output.stat().st_size,
        out_of_scope_escalated=_escalated(output, out_of_scope) if out_of_scope else None,
        recipe=recipe,
        seconds=time.perf_counter() - started,
        **asdict(calibration),
    )


def recipe_hash(dataset: Path) -> str:
    """The hash of what a training depends on: dataset, hyperparameters, format version.

    Weights differ between processors in their last digits; a repository pins this instead.
    """
    choices = json.dumps({"format_version": FORMAT_VERSION, **asdict(RECIPE)}, sort_keys=True)
    return hashlib.sha256(choices.encode() + b"\0" + dataset.read_bytes()).hexdigest()


def _read_columns(path: Path, *columns: str) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if missing := set(columns) - set(reader.fieldnames or ()):
            raise ValueError(f"{path} lacks the column {', '.join(sorted(missing))}")
        return [tuple(row[column] or "" for column in columns) for row in reader]


def _read_cases(path: Path) -> tuple[list[str], list[str]]:
    rows = _read_columns(path, "text", "category")
    counts = Counter(category for _, category in rows)
    if len(counts) < 2:
        raise ValueError(f"{path} needs at least two categories")
    rare = sorted(category for category, count in counts.items() if count < RECIPE.folds)
    if rare:
        raise ValueError(f"{path} needs {RECIPE.folds} cases in each of: {', '.join(rare)}")
    return [text for text, _ in rows], [category for _, category in rows]


def _presence(texts: list[str]) -> tuple[Sparse, NDArray[Any]]:
    """Which case has which feature: a matrix of zeros and ones (cases, features), and the names."""
    vectorizer = CountVectorizer(analyzer=features, dtype=np.float64)
    return vectorizer.fit_transform(texts), vectorizer.get_feature_names_out()


def _idf(presence: Sparse) -> tuple[NDArray[np.float64], float, NDArray[np.bool_]]:
    """The weight of each feature, that of an unseen one, and which features are frequent enough."""
    cases = presence.shape[0]
    frequency = np.bincount(presence.indices, minlength=presence.shape[1])
    frequent = frequency >= RECIPE.min_cases
    frequency = np.where(frequent, frequency, 1)
    idf = np.log((1 + cases) / (1 + frequency)) + 1
    return idf, float(np.log((1 + cases) / 2) + 1), frequent


def _weigh(presence: Sparse, idf: NDArray[np.float64]) -> Sparse:
    """TF-IDF rows of length one, rare and unseen features included in the length."""
    weighted = presence @ diags(idf)
    length = np.sqrt(presence @ idf**2)
    return (diags(1 / np.maximum(length, 1e-12)) @ weighted).tocsr()


def _fit(matrix: Sparse, targets: NDArray[np.intp]) -> _Linear:
    machine = LinearSVC(
        C=RECIPE.penalty, class_weight=RECIPE.class_weight, dual=True, random_state=RECIPE.seed
    )
    machine.fit(matrix, targets)
    weights, bias = machine.coef_, machine.intercept_
    if len(bias) == 1:  # two labels share one machine
        weights, bias = np.vstack([-weights, weights]), np.concatenate([-bias, bias])
    return _Linear(weights.T, bias)


def _out_of_fold_scores(presence: Sparse, targets: NDArray[np.intp]) -> NDArray[np.float64]:
    """Scores (cases, labels) of each case by a model that has not seen it."""
    scores = np.empty((len(targets), targets.max() + 1))
    folds = StratifiedKFold(RECIPE.folds, shuffle=True, random_state=RECIPE.seed)
    for known, unknown in folds.split(presence, targets):
        idf, _, frequent = _idf(presence[known])
        matrix = _weigh(presence, idf)[:, frequent]
        scores[unknown] = _fit(matrix[known], targets[known]).scores(matrix[unknown])
    return scores


def _calibrate(scores: NDArray[np.float64], targets: NDArray[np.intp]) -> _Calibration:
    """The temperature of least log loss, and the threshold that keeps the share of the recipe."""
    cases = np.arange(len(targets))

    def log_loss(log_temperature: float) -> float:
        return -log_softmax(scores / np.exp(log_temperature), axis=1)[cases, targets].mean()

    fitted = minimize_scalar(log_loss, bounds=(-5, 3), method="bounded")
    temperature = float(np.exp(fitted.x))
    confidence = np.exp(log_softmax(scores / temperature, axis=1).max(axis=1))
    right = scores.argmax(axis=1) == targets
    threshold = float(np.quantile(confidence, 1 - RECIPE.kept))
    kept = confidence >= threshold
    return _Calibration(
        temperature=temperature,
        threshold=threshold,
        accuracy=float(right.mean()),
        calibration_error=_calibration_error(confidence, right),
        kept=float(kept.mean()),
        precision=float(right[kept].mean()),
    )


def _calibration_error(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 15
) -> float:
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(bin_of, weights=confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(right))


def _write(
    output: Path,
    header: dict[str, object],
    names: NDArray[Any],
    idf: NDArray[np.float64],
    model: _Linear,
) -> None:
    """Write the model file in one step; a reader sees the old one or the new one."""
    scale = np.maximum(np.abs(model.weights).max(axis=1), 1e-12) / 127
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(output.name + ".part")
    with unfinished.open("wb") as file:
        np.savez_compressed(
            file,
            header=np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8),
            vocabulary=np.frombuffer("\n".join(names).encode(), np.uint8),
            idf=idf.astype(np.float32),
            scale=scale.astype(np.float32),
            weights=np.rint(model.weights / scale[:, None]).astype(np.int8),
            bias=model.bias.astype(np.float32),
        )
    unfinished.replace(output)


def _escalated(model: Path, out_of_scope: Path) -> float:
    classifier = Classifier.load(model)
    rows = _read_columns(out_of_scope, "text")
    return float(np.mean([classifier.predict(text).escalate for (text,) in rows]))
