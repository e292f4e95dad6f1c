"""Finds personal data in text and swaps it for placeholders such as [EMAIL_1]."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from app.ai.pii_patterns import PATTERNS, Pattern

Vault = Mapping[str, str]
_DIGIT = re.compile(r"\d")
PLACEHOLDER = re.compile(r"\[[A-Z]{2,9}_\d{1,6}\]")


@dataclass(frozen=True, slots=True)
class Masked:
    """`vault` maps each placeholder in `text` to what stood there. Keep it in memory only."""

    text: str
    vault: Vault


def mask(text: str) -> Masked:
    """Replace personal data. Masking twice changes nothing more; unmask() restores the text."""
    masked, vault = mask_all({"": text})
    return Masked(masked[""], vault)


def mask_all(texts: Mapping[str, str]) -> tuple[dict[str, str], Vault]:
    """Mask several texts into one vault, so that the same datum gets the same placeholder."""
    taken = {match[0] for text in texts.values() for match in PLACEHOLDER.finditer(text)}
    names: dict[tuple[str, str], str] = {}
    counts: dict[str, int] = {}

    def name(kind: str, found: str) -> str:
        while (kind, found) not in names:
            counts[kind] = counts.get(kind, 0) + 1
            placeholder = f"[{kind}_{counts[kind]}]"
            # A text may hold brackets that look like ours; those numbers are left to it.
            if placeholder not in taken:
                names[kind, found] = placeholder
        return names[kind, found]

    masked = {key: _mask_one(text, name) for key, text in texts.items()}
    return masked, {placeholder: found for (_, found), placeholder in names.items()}


def unmask(text: str, vault: Vault, kinds: Iterable[str] | None = None) -> str:
    """Put the originals back; with `kinds`, only those and the others keep their placeholder."""
    wanted = None if kinds is None else set(kinds)

    def original(match: re.Match[str]) -> str:
        kind = match[0][1:].partition("_")[0]
        return vault.get(match[0], match[0]) if wanted is None or kind in wanted else match[0]

    return PLACEHOLDER.sub(original, text)


def find(text: str) -> list[tuple[str, str]]:
    """Return (kind, text) of all personal data found."""
    return [(key[1:].partition("_")[0], found) for key, found in mask(text).vault.items()]


def _mask_one(text: str, name: Callable[[str, str], str]) -> str:
    def swap(pattern: Pattern, match: re.Match[str]) -> str:
        found = pattern.accept(match["found"])
        if not found or "[" in found:
            return match[0]
        start = match.start("found") - match.start()
        return match[0][:start] + name(pattern.kind, found) + match[0][start + len(found) :]

    # Again until nothing changes, because what was removed may have stood in the way of a match.
    # Twice is usual; the bound keeps hostile text from making it more than linear.
    patterns = [pattern for pattern in PATTERNS if _may_occur(pattern.kind, text)]
    for _ in range(8):
        before = text
        for pattern in patterns:
            text = pattern.regex.sub(partial(swap, pattern), text)
        if text == before:
            break
    return text


def _may_occur(kind: str, text: str) -> bool:
    """Most texts hold no digit and no @, and need few of the patterns."""
    if kind == "NAME":
        return True
    return "@" in text if kind == "EMAIL" else _DIGIT.search(text) is not None
