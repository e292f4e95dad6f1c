"""Finds personal data in text and swaps it for placeholders such as [EMAIL_1].

Every pattern runs in linear time: repetition is bounded, and no two repetitions in a row can match
the same characters. Recall and precision are held to a floor by tests/ai/pii_corpus.jsonl. English
text and the formats of Europe and North America; add a pattern and corpus lines for others.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

Vault = Mapping[str, str]
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
    def swap(kind: str, accept: Callable[[str], str], match: re.Match[str]) -> str:
        found = accept(match["found"])
        if not found or "[" in found:
            return match[0]
        start = match.start("found") - match.start()
        return match[0][:start] + name(kind, found) + match[0][start + len(found) :]

    # Again until nothing changes, because what was removed may have stood in the way of a match.
    # Twice is usual; the bound keeps hostile text from making it more than linear.
    for _ in range(8):
        before = text
        for kind, pattern, accept in _PATTERNS:
            text = pattern.sub(lambda match, k=kind, a=accept: swap(k, a, match), text)
        if text == before:
            break
    return text


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _card(found: str) -> str:
    """Luhn's check."""
    digits = [int(digit) for digit in reversed(_digits(found))]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[1::2]]
    return found if len(set(digits)) > 1 and (sum(digits[::2]) + sum(doubled)) % 10 == 0 else ""


def _iban(found: str) -> str:
    """The check of ISO 13616: the rearranged number leaves 1 when divided by 97.

    The pattern may have taken the next words along; they are dropped until the check holds.
    """
    while found:
        compact = re.sub(r"[ -]", "", found).upper()
        rearranged = compact[4:] + compact[:4]
        if 15 <= len(compact) <= 34 and int("".join(str(int(c, 36)) for c in rearranged)) % 97 == 1:
            return found
        found = found[: max(found.rfind(" "), found.rfind("-"), 0)]
    return ""


def _phone(found: str) -> str:
    return found if 9 <= len(_digits(found)) <= 15 else ""


def _name(found: str) -> str:
    return "" if found.split()[0].strip(".,").lower() in _NO_NAMES else found


def _any(found: str) -> str:
    return found


# Capitalised words that follow "I am", "Dear" and the like without being anybody's name.
_NO_NAMES = frozenset(
    """a about afraid after all also american an and android angry annoyed any april asian at august
    australian bank banking belgian british bulgarian but by canadian card chinese cloudy croatian
    currently customer customers czech danish december disappointed dutch english estonian eu european
    everyone february finnish french from frustrated german getting glad going good greek grateful happy
    having here how hungarian if in indian ios irish italian it january japanese july june just latvian
    lithuanian looking lost madam maltese march may mexican morning mr mrs ms my new no norwegian not
    november now october ok on only polish portuguese quite really romanian ryanair saturday scottish
    september service sir slovak slovenian so sorry spanish still sunday support sure swedish swiss
    support team the there this to today tomorrow travelling traveling trying turkish uk ukrainian
    unable unhappy upset us usa using very waiting welsh what when where which who why with worried
    writing you your yours""".split()
)
_NAME = r"(?:[A-Z]['’])?[A-Z][a-zà-ÿ]{1,20}(?:-?[A-Z][a-zà-ÿ]{1,20})?"
_NAMES = rf"{_NAME}(?:[ ](?:(?:van|von|de|der|da|di|bin|al)[ ])?(?:[A-Z]\.|{_NAME})){{0,2}}"
_STREET = (
    "Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Close|Court|Ct|Square|Sq|Terrace|Boulevard|Blvd"
    "|Way|Crescent|Gardens|Grove|Mews|Parade|Row|Hill"
)
_POSTCODE = r"(?:[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2}|[A-Z]{2}[ ]\d{5}(?:-\d{4})?)"
_DATE = r"(?:\d{1,2}[./ -]\d{1,2}[./ -]\d{2,4}|\d{4}-\d\d-\d\d|\d{1,2}(?:st|nd|rd|th)?[ ][A-Z][a-z]{2,8},?[ ]\d{4}|[A-Z][a-z]{2,8}[ ]\d{1,2}(?:st|nd|rd|th)?,?[ ]\d{4})"
_IS = r"(?:[ ]?(?:is|was|number|no\.?|num|code|#|:|=|-)){0,3}[ ]?"

# In this order: what is checked by a sum first, what rests on the words around it last.
_PATTERNS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = tuple(
    (kind, re.compile(pattern, flags), valid)
    for kind, pattern, flags, valid in (
        (
            "EMAIL",
            r"(?<![\w.+-])(?P<found>[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,4}[A-Za-z]{2,24})(?![\w@])",
            0,
            _any,
        ),
        (
            "IBAN",
            r"(?<![A-Z0-9])(?P<found>[A-Z]{2}\d\d[ -]?(?:[A-Z0-9]{4}[ -]?){2,7}[A-Z0-9]{1,4})(?![A-Z0-9])",
            re.IGNORECASE,
            _iban,
        ),
        (
            "CARD",
            r"(?<![\d.,-])(?P<found>\d{13,19}|\d{4}(?P<gap>[ -])\d{4}(?P=gap)\d{4}(?P=gap)\d{1,7}"
            r"|\d{4}[ -]\d{6}[ -]\d{4,5}|\d{4} \d{4} \d{4} \d\d)(?![\d-])",
            0,
            _card,
        ),
        ("SSN", r"(?<![\d-])(?P<found>\d{3}-\d{2}-\d{4})(?![\d-])", 0, _any),
        (
            "SSN",
            r"(?<![A-Z0-9])(?P<found>[A-CEGHJ-PR-TW-Z]{2}[ ]?\d\d[ ]?\d\d[ ]?\d\d[ ]?[A-D])(?![A-Z0-9])",
            0,
            _any,
        ),
        (
            "SORTCODE",
            rf"\bsort[ -]?code{_IS}(?P<found>\d\d[ -]?\d\d[ -]?\d\d)(?!\d)",
            re.IGNORECASE,
            _any,
        ),
        (
            "SORTCODE",
            r"(?<![\d-])(?P<found>\d\d-\d\d-\d\d)(?=[ ,/]{1,3}(?:a/?c[ ])?\d{8}(?!\d))",
            re.IGNORECASE,
            _any,
        ),
        (
            "ACCOUNT",
            rf"\b(?:account|acct|a/c|acc)\b{_IS}(?P<found>\d(?:[ -]?\d){{5,11}})(?![\d-])",
            re.IGNORECASE,
            _any,
        ),
        ("ACCOUNT", r"(?<=\[SORTCODE_\d\])[ ,/]{1,3}(?P<found>\d{8})(?!\d)", 0, _any),
        (
            "PASSPORT",
            rf"\b(?:passport|driving licen[cs]e|driver'?s licen[cs]e|id card){_IS}(?P<found>(?=[A-Z]{{0,9}}\d)[A-Z0-9]{{6,16}})\b",
            re.IGNORECASE,
            _any,
        ),
        (
            "SECRET",
            rf"\b(?:pin|cvv2?|cvc2?|passcode|otp|security code|one[ -]time (?:code|password)){_IS}(?P<found>\d{{3,8}})(?!\d)",
            re.IGNORECASE,
            _any,
        ),
        (
            "SECRET",
            r"\bpassword(?:[ ]is|:|[ ]=)[ ]?(?P<found>(?=\S{0,40}\d)\S{4,40})(?<![.,;!?])",
            re.IGNORECASE,
            _any,
        ),
        (
            "BIRTHDAY",
            rf"\b(?:born(?: on)?|date of birth|birth ?date|d\.?o\.?b\.?|birthday)(?:[ ](?:is|was))?:?[ ]?(?:the )?(?P<found>{_DATE})",
            re.IGNORECASE,
            _any,
        ),
        (
            "PHONE",
            r"(?<![\w.+-])(?P<found>(?:\+|00)[1-9](?:[ .()/-]{0,2}\d){7,14})(?![\d-])",
            0,
            _phone,
        ),
        (
            "PHONE",
            r"(?<![\w.,£$€-])(?<!\d )(?P<found>\(?0[1-9]\d{1,3}\)?(?:[ .-]?\d){6,8})(?![\d-]|[ .,]\d)",
            0,
            _phone,
        ),
        (
            "PHONE",
            r"(?<![\w.,£$€(-])(?P<found>(?:1[ .-])?(?:\(\d{3}\)[ ]?|\d{3}[ .-])\d{3}[ .-]\d{4})(?![\d-])",
            0,
            _any,
        ),
        (
            "PHONE",
            rf"\b(?:phone|mobile|cell|tel|telephone|whatsapp|call me (?:on|at)|text me (?:on|at)|reach me (?:on|at)){_IS}(?P<found>\d(?:[ .-]?\d){{6,14}})(?![\d-])",
            re.IGNORECASE,
            _any,
        ),
        (
            "ADDRESS",
            rf"(?<![\w.,£$€])(?P<found>(?:(?:Flat|Apt\.?|Apartment|Unit) \w{{1,4}},? )?\d{{1,5}}[A-Za-z]? (?:[A-Z][a-z'’]{{1,20}} ){{1,3}}(?:{_STREET})\b\.?(?:,? [A-Z][a-z]{{1,20}}(?: [A-Z][a-z]{{1,20}})?)?(?:,? {_POSTCODE})?)(?![a-z])",
            0,
            _any,
        ),
        (
            "ADDRESS",
            r"(?<![A-Z0-9])(?P<found>[A-Z]{1,2}\d[A-Z\d]?[ ]\d[A-Z]{2})(?![A-Z0-9])",
            0,
            _any,
        ),
        (
            "ADDRESS",
            rf"\b(?:zip|postcode|post code|postal code|zip code){_IS}(?P<found>{_POSTCODE}|\d{{5}}(?:-\d{{4}})?)(?![\w-])",
            re.IGNORECASE,
            _any,
        ),
        (
            "NAME",
            rf"\b(?:[Mm]y (?:full )?name is|[Mm]y name'?s|[Tt]he name is|[Nn]ame:|[Cc]ardholder:?|[Aa]ccount holder:?|[Oo]n behalf of) (?P<found>{_NAMES})(?![a-z])",
            0,
            _name,
        ),
        (
            "NAME",
            r"\b[Mm]y (?:full )?name is (?P<found>[a-z]{2,20}(?: [a-z]{2,20})?)(?=[.,;!]|$)",
            re.MULTILINE,
            _name,
        ),
        (
            "NAME",
            rf"\b(?:I am|I'm|I’m) (?P<found>{_NAMES})(?=[.,;:!?\n]|$| (?:and|from|with|here)\b)",
            re.MULTILINE,
            _name,
        ),
        (
            "NAME",
            rf"\b(?:[Tt]his is|[Ii]t's) (?P<found>{_NAMES})(?= (?:here|from|speaking|writing|calling)\b)",
            0,
            _name,
        ),
        ("NAME", rf"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.? (?P<found>{_NAMES})(?![a-z])", 0, _name),
        (
            "NAME",
            rf"(?:[Rr]egards|[Ss]incerely|[Ff]aithfully|[Tt]hanks|[Tt]hank you|[Cc]heers|Best|Yours|Love),?[ \n]{{1,3}}(?P<found>{_NAMES})\.?(?=\s{{0,3}}$)",
            0,
            _name,
        ),
        ("NAME", rf"\b(?:Dear|Hi|Hello|Hey) (?P<found>{_NAMES})(?=[,!.\n]|$)", re.MULTILINE, _name),
    )
)
