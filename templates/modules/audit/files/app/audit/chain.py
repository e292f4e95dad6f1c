"""The chain of hashes: what makes an altered audit visible."""

import hashlib
import json
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from app.audit.models import AuditEntry

FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place in the chain. One kept elsewhere shows that nothing up to it was rewritten."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> "Anchor":
        """Raises ValueError for what is not SEQ:HASH."""
        seq, _, digest = text.partition(":")
        if not seq.isdecimal() or len(digest) != len(FIRST):
            raise ValueError(
                f"{text!r} is no anchor; expected SEQ:HASH, as `app audit verify` prints"
            )
        return cls(int(seq), digest)


def content(entry: AuditEntry) -> dict[str, Any]:
    """An entry as JSON, hashes included: what is exported, and what the hash is made of."""
    return {
        "seq": entry.seq,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "tenant": entry.tenant_id,
        "actor": entry.actor,
        "action": entry.action,
        "target": entry.target,
        "before": entry.before,
        "after": entry.after,
        "reason": entry.reason,
        "correlation_id": entry.correlation_id,
        "previous": entry.previous,
        "hash": entry.hash,
    }


def digest(entry: Mapping[str, Any]) -> str:
    """The hash that belongs to an entry's content."""
    covered = {name: value for name, value in entry.items() if name != "hash"}
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


async def faults(
    entries: AsyncIterable[Mapping[str, Any]], start: Anchor, end: Anchor, known: Anchor | None
) -> list[str]:
    """What is wrong with the entries after `start`, in their order, that should lead to `end`.

    `known` is an anchor that was kept elsewhere. At the first fault the rest is not read: after
    it, nothing can be said.
    """
    last = start
    for_known = known is None or known == start
    async for entry in entries:
        seq = entry["seq"]
        if seq != last.seq + 1:
            return [f"{_missing(last.seq + 1, seq - 1)} gone"]
        if entry["previous"] != last.hash:
            return [f"entry {seq} does not follow entry {last.seq}: one of them was replaced"]
        if digest(entry) != entry["hash"]:
            return [f"entry {seq} was altered"]
        last = Anchor(seq, entry["hash"])
        if known and seq == known.seq:
            if last != known:
                return [f"entry {seq} is not the one of the anchor: the chain was rewritten"]
            for_known = True
    if last.seq < end.seq:
        return [f"{_missing(last.seq + 1, end.seq)} gone from the end"]
    if last != end:
        return [f"the chain ends with {last}, but its head says {end}"]
    return [] if for_known else [f"the anchor {known} is not in the chain: it was cut off"]


def _missing(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"
