"""What is let through, by whom, why and until when: policies/exceptions.yaml."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.policy.rego import Finding, PolicyError, read_yaml


class Exemption(BaseModel):
    """One finding, or those that the patterns `file` and `path` match, until the day `until`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str
    file: str = "*"
    path: str = "*"
    owner: str = Field(min_length=1)
    reason: str = Field(min_length=10)
    until: date

    def covers(self, finding: Finding) -> bool:
        return (
            finding.rule == self.rule
            and fnmatchcase(finding.file, self.file)
            and fnmatchcase(finding.path, self.path)
        )


def load(path: Path) -> list[Exemption]:
    """Raises PolicyError, which says what is missing where."""
    try:
        return TypeAdapter(list[Exemption]).validate_python(read_yaml(path) or [])
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, it['loc']))}: {it['msg']}" for it in error.errors()]
        raise PolicyError(f"{path} is wrong. {'; '.join(lines)}") from error


def apply(
    findings: Iterable[Finding], exemptions: list[Exemption], judged: set[str], file: str
) -> list[Finding]:
    """Return the findings that stand: those not covered, and the entries of the list that are out
    of date or that cover nothing of the policies `judged`.
    """
    today = datetime.now(UTC).date()
    valid = [it for it in exemptions if it.until >= today]
    stands, used = [], set()
    for finding in findings:
        covering = [it for it in valid if it.covers(finding)]
        used.update(covering)
        if not covering:
            stands.append(finding)
    for it in exemptions:
        if it.until < today:
            stands.append(
                Finding(
                    "exception.expired",
                    file,
                    it.rule,
                    f"the exception of {it.owner} ended on {it.until}. "
                    "Mend what it let through, or decide anew",
                )
            )
        elif it not in used and it.rule.partition(".")[0] in judged:
            stands.append(
                Finding(
                    "exception.unused",
                    file,
                    it.rule,
                    f"the exception of {it.owner} lets nothing through any more. Remove it",
                )
            )
    return stands
