"""What may not leave: leaked prompts, personal data, requests for secrets, invented links.

Signs of an attack in the input are only noted. The defence is that untrusted text stays inside its
delimiters, that models have no powers, and that every answer passes check_output.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from app.ai import pii

# What a reader may see in an answer. All else keeps its placeholder: nobody needs a card number
# repeated by e-mail.
SPOKEN = frozenset({"NAME"})
# Kinds that are surely personal data in an answer. Names and addresses are not among them: an
# article may well say "Mr" or name a street.
_ECHOED = frozenset(
    {"EMAIL", "PHONE", "IBAN", "CARD", "ACCOUNT", "SORTCODE", "SSN", "PASSPORT", "SECRET"}
)
# Characters of the literal system prompt, letters and digits only, that count as a leak.
_LEAK_LENGTH = 32
# Characters that a stream keeps back: longer than a canary, an IBAN or a leak with spaces between.
HELD_BACK = 96
# Checked and shown at most this many characters at a time: a check costs a third of a millisecond.
_STEP = 48

_JAILBREAK = re.compile(
    r"(?:ignore|disregard|forget) (?:all |any |the |your |my |that |of |every){0,4}"
    r"(?:previous|prior|above|earlier|system|instructions|rules|policy|help articles"
    r"|you (?:are|were))"
    r"|\b(?:your|these|hidden|initial|original|system|developer|new|following) "
    r"(?:prompt|instructions?|rules?|guidelines|configuration|setup|message array)\b"
    r"|\b(?:the|your|raw|this) (?:\w{1,12} )?(?:prompt|messages array|context window)\b|\bcanary\b"
    r"|\byou are (?:now|no longer|speaking with)\b|\bpretend(?:ing)? (?:to be|you are)\b|role ?play"
    r"|\bDAN\b|do anything now|jailbreak|\bas an? (?:ai|assistant) without\b"
    r"|\b(?:debug|developer|admin|god) (?:mode|override)\b"
    r"|without (?:any )?(?:restrictions|filters|rules)"
    r"|\b(?:say|write|print|spell|repeat|reply|answer|confirm|begin|start|end|finish|continue)"
    r"(?: [\w,]{1,15}){0,5}:? ?['\"](?-i:[A-Z])"
    r"|\b(?:print|spell|write|say|confirm with) (?:\w{1,12} ){0,4}"
    r"(?-i:[A-Z0-9]{2,20}-[A-Z0-9-]{2,20})\b"
    r"|</?(?:system|instructions?|ticket|assistant)>|\[/?INST\]|<\|\w{1,12}\|>",
    re.IGNORECASE,
)
_ASKS_FOR_SECRET = re.compile(
    r"\b(?:send|tell|give|share|provide|e-?mail|text|reply with|confirm|enter)\b"
    r"[^.?!\n]{0,40}\b(?:your|the) (?:full |current |complete |card |online |banking ){0,3}"
    r"(?:pin|cvv|cvc|password|passcode|card number|security code|one[ -]time (?:code|password))\b"
    r"[^.?!\n]{0,30}\b(?:to us|to me|by reply|by e-?mail|in your (?:reply|answer)|here|below)\b",
    re.IGNORECASE,
)
_UNSAFE = re.compile(
    r"\bhow to (?:make|build) (?:a )?(?:bomb|explosive|weapon)s?\b"
    r"|\b(?:kill|hurt|harm) yourself\b"
    r"|\bas an? (?:evil|unrestricted|uncensored) (?:ai|assistant)\b",
    re.IGNORECASE,
)
_LINK = re.compile(r"(?:https?://|www\.)[^\s<>()\[\]\"']{3,200}", re.IGNORECASE)
_NEITHER = re.compile(r"[\W_]+")
_CITATION = re.compile(r"\[(\d{1,3})\]")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something noticed. `blocks`: the answer must not be shown. Never holds the text itself."""

    kind: str
    detail: str
    blocks: bool


@dataclass(frozen=True, slots=True)
class OutputRules:
    """What an answer is checked against. `sources` may be quoted: they are ours."""

    canary: str
    confidential: tuple[str, ...] = ()
    vault: pii.Vault | None = None
    sources: tuple[str, ...] = ()
    citations: int | None = None  # how many passages there are to cite; None: not checked


def check_input(text: str) -> list[Finding]:
    """Return signs that the text wants to take over the model. They never block."""
    match = _JAILBREAK.search(text)
    return (
        [Finding("jailbreak", "the text tries to give instructions", blocks=False)] if match else []
    )


def check_output(text: str, rules: OutputRules) -> list[Finding]:
    """Return what is wrong with an answer; empty when it may be shown."""
    return list(_findings(text, rules))


def blocked(findings: Iterable[Finding]) -> bool:
    return any(finding.blocks for finding in findings)


class OutputFilter:
    """Lets a streamed answer through piece by piece, a stretch behind, so that nothing forbidden
    is shown before it is recognised, wherever the model cuts its chunks.
    """

    def __init__(self, rules: OutputRules) -> None:
        self._rules = rules
        self._text = ""
        self._shown = 0

    @property
    def started(self) -> bool:
        return self._shown > 0

    def feed(self, chunk: str) -> tuple[str, list[Finding]]:
        """Return what may be shown now, and the findings. Blocking ones: show nothing further."""
        self._text += chunk
        if len(self._text) - HELD_BACK - self._shown < _STEP:
            return "", []
        # Whole words, so that the cut does not turn a long number into a short one.
        start = self._text.rfind(" ", 0, max(0, self._shown - HELD_BACK)) + 1
        findings = check_output(self._text[start:], self._rules)
        if blocked(findings):
            return "", findings
        return self._show(len(self._text) - HELD_BACK), []

    def finish(self) -> tuple[str, list[Finding]]:
        """Return the rest, after a check of the whole answer."""
        findings = check_output(self._text, self._rules)
        return ("" if blocked(findings) else self._show(len(self._text))), findings

    def _show(self, end: int) -> str:
        for match in pii.PLACEHOLDER.finditer(self._text, max(0, self._shown)):
            if match.start() < end < match.end():
                end = match.start()
        if end <= self._shown:
            return ""
        piece = self._text[self._shown : end]
        self._shown = end
        return piece


def _findings(text: str, rules: OutputRules) -> Iterator[Finding]:
    compact = _compact(text)
    if rules.canary and _compact(rules.canary) in compact:
        yield Finding("prompt_leak", "the canary of the system prompt", blocks=True)
    elif _repeats(compact, rules.confidential):
        yield Finding("prompt_leak", "a passage of the system prompt", blocks=True)
    yield from _personal_data(text, rules)
    if _ASKS_FOR_SECRET.search(text):
        yield Finding("asks_for_secret", "asks the reader to send a secret", blocks=True)
    if _UNSAFE.search(text):
        yield Finding("unsafe", "unsafe content", blocks=True)
    # A link at the very end may still be growing; finish() sees it whole.
    for match in _LINK.finditer(text):
        link = match[0].rstrip(".,;:!?")
        if not any(link in source for source in rules.sources):
            yield Finding("invented_link", "a link that no source has", blocks=True)
            break
    if rules.citations is not None:
        numbers = {int(match[1]) for match in _CITATION.finditer(text)}
        if any(not 1 <= number <= rules.citations for number in numbers):
            yield Finding("invented_citation", "cites a passage that was not given", blocks=True)


def _personal_data(text: str, rules: OutputRules) -> Iterator[Finding]:
    known = {
        _compact(found)
        for placeholder, found in (rules.vault or {}).items()
        if placeholder[1:].partition("_")[0] in _ECHOED
    }
    compact = _compact(text)
    repeated = [found for found in known if len(found) >= 4 and found in compact]
    if repeated:
        quotable = _compact(" ".join(rules.sources))
        if any(found not in quotable for found in repeated):
            yield Finding("personal_data", "repeats the customer's personal data", blocks=True)
            return
    for kind, found in pii.find(text):
        if kind in _ECHOED and not any(found in source for source in rules.sources):
            yield Finding("personal_data", f"contains personal data ({kind})", blocks=True)
            return


def _compact(text: str) -> str:
    """Letters and digits only: spaces, dashes or line breaks in between hide nothing."""
    return _NEITHER.sub("", text.lower())


def _repeats(compact: str, confidential: tuple[str, ...]) -> bool:
    windows = _windows(confidential)
    return bool(windows) and any(
        compact[start : start + _LEAK_LENGTH] in windows
        for start in range(len(compact) - _LEAK_LENGTH + 1)
    )


@lru_cache(maxsize=64)
def _windows(confidential: tuple[str, ...]) -> frozenset[str]:
    return frozenset(
        passage[start : start + _LEAK_LENGTH]
        for passage in map(_compact, confidential)
        for start in range(len(passage) - _LEAK_LENGTH + 1)
    )
