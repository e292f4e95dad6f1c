"""What personal data looks like, and the sums that tell it from other numbers.

English text, and the formats of Europe and North America. After a change, add lines to
tests/ai/pii_corpus.jsonl: it holds recall and precision to a floor.

Every pattern runs in linear time: repetition is bounded. What is to be hidden is the group `found`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"

# Capitalised words that follow "I am", "Dear" and the like without being anybody's name.
_NO_NAMES = """
a about afraid after all also american an and android angry annoyed any april asian at august
australian bank banking belgian british bulgarian but by canadian card chinese cloudy croatian
currently customer customers czech danish december disappointed dutch english estonian eu european
everyone february finnish french from frustrated german getting glad going good greek grateful
happy having here how hungarian if in indian ios irish italian it january japanese july june just
latvian lithuanian looking lost madam maltese march may mexican morning mr mrs ms my new no
norwegian not november now october ok on only polish portuguese quite really romanian ryanair
saturday scottish september service sir slovak slovenian so sorry spanish still sunday support sure
swedish swiss team the there this to today tomorrow travelling traveling trying turkish uk
ukrainian unable unhappy upset us usa using very waiting welsh what when where which who why with
worried writing you your yours
"""
_NO_NAME_WORDS = frozenset(_NO_NAMES.split())

_ONE_NAME = rf"(?:[A-Z][{APOSTROPHES}])?[A-Z][a-zà-ÿ]{{1,20}}(?:-?[A-Z][a-zà-ÿ]{{1,20}})?"
_PARTICLE = r"(?:(?:van|von|de|der|da|di|bin|al) )?"
_NAME = rf"(?P<found>{_ONE_NAME}(?: {_PARTICLE}(?:[A-Z]\.|{_ONE_NAME})){{0,2}})"
_STREET = (
    "Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Close|Court|Ct|Square|Sq|Terrace|Boulevard|Blvd"
    "|Way|Crescent|Gardens|Grove|Mews|Parade|Row|Hill"
)
_POSTCODE = r"(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]{2} \d{5}(?:-\d{4})?)"
_MONTH = r"[A-Z][a-z]{2,8}"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = (
    rf"(?:\d{{1,2}}[./ -]\d{{1,2}}[./ -]\d{{2,4}}|\d{{4}}-\d\d-\d\d"
    rf"|{_DAY} {_MONTH},? \d{{4}}|{_MONTH} {_DAY},? \d{{4}})"
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """`accept` returns how much of what was found is personal data after all, "" for none of it."""

    kind: str
    regex: re.Pattern[str]
    accept: Callable[[str], str]


def _card(found: str) -> str:
    """Luhn's check."""
    digits = [int(digit) for digit in reversed(re.sub(r"\D", "", found))]
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
    return found if 9 <= len(re.sub(r"\D", "", found)) <= 15 else ""


def _name(found: str) -> str:
    return "" if found.split()[0].strip(".,").lower() in _NO_NAME_WORDS else found


def _any(found: str) -> str:
    return found


def _shape(kind: str, regex: str, accept: Callable[[str], str] = _any, flags: int = 0) -> Pattern:
    """Recognised by itself."""
    return Pattern(kind, re.compile(regex, flags), accept)


def _after(kind: str, words: str, regex: str) -> Pattern:
    """Recognised by the words in front, such as "my PIN is"."""
    joint = r"(?: ?(?:is|was|number|no\.?|num|code|#|:|=|-)){0,3} ?"
    return _shape(kind, rf"\b(?:{words}){joint}(?P<found>{regex})", flags=re.IGNORECASE)


# In this order: what a sum confirms comes first, what rests on the words around it last.
PATTERNS: tuple[Pattern, ...] = (
    _shape(
        "EMAIL",
        r"(?<![\w.+-])(?P<found>[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,4}[A-Za-z]{2,24})(?![\w@])",
    ),
    _shape(
        "IBAN",
        r"(?<![A-Z0-9])(?P<found>[A-Z]{2}\d\d[ -]?(?:[A-Z0-9]{4}[ -]?){2,7}[A-Z0-9]{1,4})"
        r"(?![A-Z0-9])",
        _iban,
        re.IGNORECASE,
    ),
    _shape(
        "CARD",
        r"(?<![\d.,-])(?P<found>\d{13,19}|\d{4}(?P<gap>[ -])\d{4}(?P=gap)\d{4}(?P=gap)\d{1,7}"
        r"|\d{4}[ -]\d{6}[ -]\d{4,5}|\d{4} \d{4} \d{4} \d\d)(?![\d-])",
        _card,
    ),
    _shape("SSN", r"(?<![\d-])(?P<found>\d{3}-\d{2}-\d{4})(?![\d-])"),
    _shape(
        "SSN",
        r"(?<![A-Z0-9])(?P<found>[A-CEGHJ-PR-TW-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D])(?![A-Z0-9])",
    ),
    _after("SORTCODE", r"sort[ -]?code", r"\d\d[ -]?\d\d[ -]?\d\d(?!\d)"),
    _shape("SORTCODE", r"(?<![\d-])(?P<found>\d\d-\d\d-\d\d)(?=[ ,/]{1,3}(?:a/?c )?\d{8}(?!\d))"),
    _after("ACCOUNT", r"account|acct|a/c|acc", r"(?<=[ #:.])\d(?:[ -]?\d){5,11}(?![\d-])"),
    _shape("ACCOUNT", r"(?<=\[SORTCODE_\d\])[ ,/]{1,3}(?P<found>\d{8})(?!\d)"),
    _after(
        "PASSPORT",
        r"passport|driving licen[cs]e|driver'?s licen[cs]e|id card",
        r"(?=[A-Z]{0,9}\d)[A-Z0-9]{6,16}\b",
    ),
    _after(
        "SECRET",
        r"pin|cvv2?|cvc2?|passcode|otp|security code|one[ -]time (?:code|password)",
        r"\d{3,8}(?!\d)",
    ),
    _shape(
        "SECRET",
        r"\bpassword(?: is|:| =) ?(?P<found>(?=\S{0,40}\d)\S{4,40})(?<![.,;!?])",
        flags=re.IGNORECASE,
    ),
    _after(
        "BIRTHDAY",
        r"born(?: on)?|date of birth|birth ?date|d\.?o\.?b\.?|birthday",
        rf"(?<= ){_DATE}",
    ),
    _shape(
        "PHONE", r"(?<![\w.+-])(?P<found>(?:\+|00)[1-9](?:[ .()/-]{0,2}\d){7,14})(?![\d-])", _phone
    ),
    _shape(
        "PHONE",
        r"(?<![\w.,£$€-])(?<!\d )(?P<found>\(?0[1-9]\d{1,3}\)?(?:[ .-]?\d){6,8})"
        r"(?![\d-]|[ .,]\d)",
        _phone,
    ),
    _shape(
        "PHONE",
        r"(?<![\w.,£$€(-])(?P<found>(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4})(?![\d-])",
    ),
    _after(
        "PHONE",
        r"phone|mobile|cell|tel|telephone|whatsapp|(?:call|text|reach) me (?:on|at)",
        r"\d(?:[ .-]?\d){6,14}(?![\d-])",
    ),
    _shape(
        "ADDRESS",
        r"(?<![\w.,£$€])(?P<found>(?:(?:Flat|Apt\.?|Apartment|Unit) \w{1,4},? )?\d{1,5}[A-Za-z]? "
        rf"(?:[A-Z][a-z{APOSTROPHES}]{{1,20}} ){{1,3}}(?:{_STREET})\b\.?"
        rf"(?:,? [A-Z][a-z]{{1,20}}(?: [A-Z][a-z]{{1,20}})?)?(?:,? {_POSTCODE})?)(?![a-z])",
    ),
    _shape("ADDRESS", r"(?<![A-Z0-9])(?P<found>[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2})(?![A-Z0-9])"),
    _after(
        "ADDRESS",
        r"zip|postcode|post code|postal code",
        rf"(?:{_POSTCODE}|\d{{5}}(?:-\d{{4}})?)(?![\w-])",
    ),
    _shape(
        "NAME",
        r"\b(?:[Mm]y (?:full )?name is|[Mm]y name'?s|[Tt]he name is|[Nn]ame:|[Cc]ardholder:?"
        rf"|[Aa]ccount holder:?|[Oo]n behalf of) {_NAME}(?![a-z])",
        _name,
    ),
    _shape(
        "NAME",
        r"\b[Mm]y (?:full )?name is (?P<found>[a-z]{2,20}(?: [a-z]{2,20})?)(?=[.,;!]|$)",
        _name,
        re.MULTILINE,
    ),
    _shape(
        "NAME",
        rf"\bI(?: a|[{APOSTROPHES}])m {_NAME}(?=[.,;:!?\n]|$| (?:and|from|with|here)\b)",
        _name,
        re.MULTILINE,
    ),
    _shape(
        "NAME",
        rf"\b(?:[Tt]his is|[Ii]t's) {_NAME}(?= (?:here|from|speaking|writing|calling)\b)",
        _name,
    ),
    _shape("NAME", rf"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.? {_NAME}(?![a-z])", _name),
    _shape(
        "NAME",
        r"(?:[Rr]egards|[Ss]incerely|[Ff]aithfully|[Tt]hanks|[Tt]hank you|[Cc]heers|Best|Yours"
        rf"|Love),?[ \n]{{1,3}}{_NAME}\.?(?=\s{{0,3}}$)",
        _name,
    ),
    _shape("NAME", rf"\b(?:Dear|Hi|Hello|Hey) {_NAME}(?=[,!.\n]|$)", _name, re.MULTILINE),
)
