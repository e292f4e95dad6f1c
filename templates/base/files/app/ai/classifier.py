"""The small text classifier, at run time: a linear model over n-grams that needs numpy only.

`training.py` makes the model file; both share `features`, so there is no skew between them.
"""

import hashlib
import io
import json
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

# Raise it with any change to `features`, the weighting or the layout: files of another version are
# refused, and the recipe hash changes with it.
FORMAT_VERSION = 1

# A cap keeps the cost of one request bounded; customers' queries are ten times shorter.
MAX_CHARACTERS = 2_000

_TOKEN = re.compile(r"\w+|[£€$?]")
_CONTRACTIONS = (
    ("\u2019", "'"),  # the typographic apostrophe
    ("can't", "can not"),
    ("won't", "will not"),
    ("n't", " not"),
    ("'m", " am"),
    ("'re", " are"),
    ("'ve", " have"),
    ("'ll", " will"),
    ("'d", " would"),
    ("'s", " is"),
)
# What numpy, zipfile and json raise on a file that is cut short, altered or something else.
_DAMAGE = (
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    OSError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)

_GRAM_SIZES = range(2, 6)
_PAIR_DISTANCE = 6


class ModelFileError(RuntimeError):
    """The model file is missing, damaged or of another format version."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The likeliest label, its calibrated probability (0 to 1), and whether that is too low."""

    label: str
    confidence: float
    escalate: bool


def words(text: str) -> list[str]:
    """The lower-case words and currency signs of a text, contractions written out."""
    text = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).lower()[:MAX_CHARACTERS]
    for short, long in _CONTRACTIONS:
        text = text.replace(short, long)
    return _TOKEN.findall(text)


def features(text: str) -> list[str]:
    """The distinct features of a text, in order of appearance.

    Words, neighbouring words ("top up"), pairs of nearby words in either order ("card+lost") and
    the n-grams of each word ("#los", which survive typing errors).
    """
    tokens = words(text)
    found = dict.fromkeys(tokens)
    for position, token in enumerate(tokens):
        following = tokens[position + 1 : position + 1 + _PAIR_DISTANCE]
        if following:
            found[f"{token} {following[0]}"] = None
        for other in following:
            found[f"{token}+{other}" if token < other else f"{other}+{token}"] = None
    for token in dict.fromkeys(tokens):
        padded = f" {token} "
        for size in _GRAM_SIZES:
            for start in range(len(padded) - size + 1):
                found["#" + padded[start : start + size]] = None
    return list(found)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Classifier:
    """A trained model of F features and L labels; safe to share between threads."""

    labels: tuple[str, ...]
    threshold: float
    header: Mapping[str, object]
    sha256: str
    _index: dict[str, int]  # feature -> row
    _idf: NDArray[np.float32]  # (F,)
    _unseen_idf: float
    _scale: NDArray[np.float32]  # (F,), what one step of a weight is worth
    _weights: NDArray[np.int8]  # (F, L)
    _bias: NDArray[np.float32]  # (L,)
    _temperature: float

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a model file.

        Raises ModelFileError when it is missing, damaged or of another format version.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelFileError(f"cannot read the model file {path}: {error.strerror}") from error
        try:
            return cls._parse(path, content)
        except _DAMAGE as error:
            raise ModelFileError(f"{path} is damaged or no model file: train it again") from error

    @classmethod
    def _parse(cls, path: Path, content: bytes) -> Self:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes())
            if header["format_version"] != FORMAT_VERSION:
                raise ModelFileError(
                    f"{path} has format version {header['format_version']}, this code reads "
                    f"{FORMAT_VERSION}: train it again"
                )
            names = archive["vocabulary"].tobytes().decode().split("\n")
            idf, scale = archive["idf"], archive["scale"]
            weights, bias = archive["weights"], archive["bias"]
            if not (
                idf.shape == scale.shape == (len(names),)
                and bias.shape == (len(header["labels"]),)
                and weights.shape == idf.shape + bias.shape
            ):
                raise ValueError("the arrays do not fit each other")
            return cls(
                labels=tuple(header["labels"]),
                threshold=header["threshold"],
                header=header,
                sha256=hashlib.sha256(content).hexdigest(),
                _index={name: row for row, name in enumerate(names)},
                _idf=idf,
                _unseen_idf=header["unseen_idf"],
                _scale=scale,
                _weights=weights,
                _bias=bias,
                _temperature=header["temperature"],
            )

    def predict(self, text: str) -> Prediction:
        """Classify one text. A text without any known feature gets confidence 0 and escalates."""
        found = features(text)
        rows = [row for feature in found if (row := self._index.get(feature)) is not None]
        if not rows:
            return Prediction(self.labels[int(self._bias.argmax())], 0.0, escalate=True)
        idf = self._idf[rows]
        # Unseen features count in the length, so a query about something else scores low all over.
        length = np.sqrt(idf @ idf + (len(found) - len(rows)) * self._unseen_idf**2)
        scores = (idf * self._scale[rows] / length) @ self._weights[rows].astype(np.float32)
        scores = (scores + self._bias) / self._temperature
        best = int(scores.argmax())
        confidence = float(1 / np.exp(scores - scores[best]).sum())
        return Prediction(self.labels[best], confidence, escalate=confidence < self.threshold)

    def predict_many(self, texts: Sequence[str]) -> list[Prediction]:
        """Classify texts, each exactly as `predict` would."""
        return [self.predict(text) for text in texts]
