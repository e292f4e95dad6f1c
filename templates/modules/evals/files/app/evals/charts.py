"""Plots for the report, as inline SVG without scripts.

Horizontal positions are percentages and vertical ones pixels, so that a plot fills any width while
its type stays readable on a phone. Colours are CSS classes: the page decides, light or dark.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from app.evals.measures import wilson_interval
from app.evals.metrics import CONFIDENCE_EDGES, Bin, Metric, band_of

LEFT, RIGHT = 13.0, 97.0
TOP, BOTTOM = 14.0, 196.0
HEIGHT = 236


def _x(share: float) -> str:
    return f"{LEFT + (RIGHT - LEFT) * share:.2f}%"


def _y(share: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * share, 1)


def _line(x1: str, y1: float, x2: str, y2: float, css: str) -> Markup:
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(x1, y1, x2, y2, css)


def _bar(start: float, end: float, low: float, high: float, css: str) -> Markup:
    """A rectangle between two shares of the width and two shares of the height."""
    return Markup('<rect x="{}" y="{}" width="{:.2f}%" height="{}" class="{}"/>').format(
        _x(start), _y(high), (RIGHT - LEFT) * (end - start), round(_y(low) - _y(high), 1), css
    )


def _text(x: str, y: float, text: str, anchor: str = "middle") -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(x, y, anchor, text)


def _figure(name: str, title: str, parts: Iterable[Markup], height: int = HEIGHT) -> Markup:
    return Markup(
        '<svg class="plot" width="100%" height="{}" role="img" aria-labelledby="{}">'
        '<title id="{}">{}</title>{}</svg>'
    ).format(height, f"plot-{name}", f"plot-{name}", title, Markup("").join(parts))


def _frame(top_label: str, ticks: Sequence[tuple[float, str]], caption: str) -> list[Markup]:
    """Axes: a base line, quarter lines, ticks below and what the horizontal axis shows."""
    parts = [_line(_x(0), _y(s), _x(1), _y(s), "grid") for s in (0.25, 0.5, 0.75, 1.0)]
    parts.append(_line(_x(0), _y(0), _x(1), _y(0), "axis"))
    parts += [_text(_x(share), BOTTOM + 17, text) for share, text in ticks]
    parts.append(_text(_x(0.5), BOTTOM + 35, caption))
    parts += [
        _text(f"{LEFT - 1.5:.2f}%", _y(1) + 4, top_label, "end"),
        _text(f"{LEFT - 1.5:.2f}%", _y(0) + 4, "0", "end"),
    ]
    return parts


def interval_strip(metric: Metric, before: float | None, low: float) -> Markup:
    """One slice: its 95 % interval, its accuracy, and a tick where the baseline was.

    The axis runs from `low` to 1. Hidden from screen readers: the row says it in words.
    """
    if metric.value is None or metric.interval is None:
        return Markup("")

    def at(value: float) -> str:
        return f"{2 + 96 * (value - low) / (1 - low):.2f}%"

    start, end = metric.interval
    parts = [
        _line(at(max(low, start)), 14, at(end), 14, "interval"),
        Markup('<circle cx="{}" cy="14" r="5" class="dot"/>').format(at(metric.value)),
    ]
    if before is not None:
        parts.append(_line(at(max(low, before)), 4, at(max(low, before)), 24, "before"))
    return Markup('<svg width="100%" height="28" aria-hidden="true">{}</svg>').format(
        Markup("").join(parts)
    )


def _stretch(share: float) -> float:
    """Where a confidence or accuracy lies on an axis whose bands are equally wide."""
    band = band_of(share)
    low, high = CONFIDENCE_EDGES[band], CONFIDENCE_EDGES[band + 1]
    return (band + (share - low) / (high - low)) / (len(CONFIDENCE_EDGES) - 1)


def _stretched_frame(top_label: str) -> list[Markup]:
    ticks = [(_stretch(edge), f"{100 * edge:g}") for edge in CONFIDENCE_EDGES]
    return _frame(top_label, ticks, "confidence in % (the scale widens towards 100)")


def reliability_diagram(bins: Sequence[Bin]) -> Markup:
    """Confidence of the small model against how often it was right; the diagonal is honest."""
    parts = _stretched_frame("100 %")
    parts.append(_line(_x(0), _y(0), _x(1), _y(1), "ideal"))
    for item in bins:
        x = _x(_stretch(item.confidence))
        low, high = wilson_interval(item.right, item.cases)
        parts.append(_line(x, _y(_stretch(low)), x, _y(_stretch(high)), "whisker"))
        y = _y(_stretch(item.accuracy))
        parts.append(Markup('<circle cx="{}" cy="{}" r="5" class="dot"/>').format(x, y))
    return _figure("reliability", "Share of right answers by confidence of the small model", parts)


def confidence_histogram(
    right: Sequence[float], wrong: Sequence[float], threshold: float | None
) -> Markup:
    """How sure the small model was; wrong answers stacked below the right ones."""
    bands = len(CONFIDENCE_EDGES) - 1
    good, bad = Counter(map(band_of, right)), Counter(map(band_of, wrong))
    top = max(1, *(good[band] + bad[band] for band in range(bands)))
    parts = _stretched_frame(str(top))
    for band in range(bands):
        start, end = band / bands + 0.006, (band + 1) / bands - 0.006
        g, b = good[band], bad[band]
        if b:
            parts.append(_bar(start, end, 0, b / top, "bad"))
        if g:
            parts.append(_bar(start, end, b / top, (b + g) / top, "now"))
    if threshold is not None:
        at = _stretch(min(threshold, 1.0))
        parts.append(_line(_x(at), TOP - 8, _x(at), BOTTOM, "threshold"))
        # Beside the line, on the side where there is room for it.
        side, shift = ("end", -0.012) if at > 0.5 else ("start", 0.012)
        parts.append(_text(_x(at + shift), TOP - 2, f"asks below {100 * threshold:.1f} %", side))
    return _figure("confidence", "Number of golden cases by confidence of the small model", parts)


def spread(before: Sequence[float], now: Sequence[float], caption: str, bins: int = 14) -> Markup:
    """Distribution of a figure per case: now as filled bars, the baseline as an outline."""
    top_value = _round_up(max([*before, *now], default=0.0) or 1.0)
    old, new = _counts(before, top_value, bins), _counts(now, top_value, bins)
    top = max(1, *old, *new)
    ticks = [(s, f"{s * top_value:g}") for s in (0.0, 0.25, 0.5, 0.75, 1.0)]
    parts = _frame(str(top), ticks, caption)
    for number, (o, n) in enumerate(zip(old, new, strict=True)):
        start, end = number / bins + 0.006, (number + 1) / bins - 0.006
        if n:
            parts.append(_bar(start, end, 0, n / top, "now"))
        if o:
            parts.append(_bar(start, end, 0, o / top, "outline"))
    return _figure("tokens", "Number of cases by tokens spent", parts)


def _round_up(value: float) -> float:
    """The next value whose quarters are pleasant to read: 4, 8, 12, 16, 20, 40 times a power."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.6, 2, 4, 6, 8, 10) if step * power >= value)


def _counts(values: Iterable[float], top: float, bins: int) -> list[int]:
    counts = [0] * bins
    for value in values:
        counts[min(int(value / top * bins), bins - 1)] += 1
    return counts


def pair_of_bars(label: str, before: float | None, now: float, shown: tuple[str, str]) -> Markup:
    """Two bars on one scale: the baseline above, now below. `shown` are the two values as text."""
    top = max(before or 0.0, now) or 1.0
    rows = [("baseline", before, shown[0], "was"), ("now", now, shown[1], "now")]
    parts = []
    for number, (name, value, text, css) in enumerate(rows):
        if value is None:
            continue
        y = 6 + 26 * number
        parts.append(
            Markup('<rect x="22%" y="{}" width="{:.2f}%" height="18" class="{}"/>').format(
                y, max(0.4, 50 * value / top), css
            )
        )
        parts.append(_text("20.5%", y + 13, name, "end"))
        parts.append(_text(f"{23.5 + 50 * value / top:.2f}%", y + 13, text, "start"))
    name = "".join(letter for letter in str(escape(label)).lower() if letter.isalnum())
    return _figure(name, label, parts, height=60)
