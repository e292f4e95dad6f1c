"""What flags say: to whom, how soon after an edit, and when nothing can be read."""

import json
import os
import time
from typing import Any

import pytest
import structlog

from app.core.metrics import Metrics
from app.core.principal import Principal
from app.flags import document
from app.flags.catalogue import ESCALATION, LARGE_MODEL, RELEASE
from app.flags.flags import Flags
from tests.flags.conftest import ANNA, PEOPLE, FlagFile, Make


def variants(flags: Flags) -> dict[str, str]:
    return {person.subject: flags.resolve(RELEASE, person).variant for person in PEOPLE}


def split(file: FlagFile, **percent: int) -> None:
    definition = file.read()["flags"]["release"]
    file.alter("release", **document.split(definition, percent, None))


def test_everything_is_as_it_was_until_somebody_says_otherwise(flags: Flags) -> None:
    assert flags.enabled(ESCALATION, ANNA)
    assert flags.enabled(LARGE_MODEL, ANNA)
    assert flags.resolve(RELEASE, ANNA).value == RELEASE.default
    assert set(variants(flags).values()) == {"current"}


def test_a_kill_switch(flags: Flags, flags_file: FlagFile) -> None:
    flags_file.alter("large-model", defaultVariant="off")
    assert not flags.enabled(LARGE_MODEL, ANNA)
    assert flags.enabled(ESCALATION, ANNA)


@pytest.mark.parametrize("percent", [5, 20, 50])
def test_5000_people_are_divided_within_a_point_and_a_half(
    flags: Flags, flags_file: FlagFile, percent: int
) -> None:
    split(flags_file, previous=percent)
    found = list(variants(flags).values())
    assert found.count("previous") / 50 == pytest.approx(percent, abs=1.5)


def test_who_has_a_variant_keeps_it_when_more_get_it(flags: Flags, flags_file: FlagFile) -> None:
    split(flags_file, previous=10)
    before = {name for name, variant in variants(flags).items() if variant == "previous"}
    assert before == {name for name, variant in variants(flags).items() if variant == "previous"}
    # Shares are laid out in the order of the variants; the first one's grows at its end.
    split(flags_file, current=50, previous=50)
    after = {name for name, variant in variants(flags).items() if variant == "previous"}
    assert before < after


def test_a_cohort_gets_it_first(flags: Flags, flags_file: FlagFile) -> None:
    split(flags_file, previous=100)
    assert flags.resolve(RELEASE, ANNA).variant == "previous"
    content = flags_file.read()
    content["$evaluators"]["pilot"] = {"in": [{"var": "tenant"}, ["north"]]}
    flags_file.path.write_text(json.dumps(content))
    assert flags.resolve(RELEASE, ANNA).variant == "current"
    assert flags.resolve(RELEASE, Principal("south", "bert")).variant == "previous"
    content["$evaluators"]["pilot"] = {"in": ["staff", {"var": "cohorts"}]}
    flags_file.path.write_text(json.dumps(content))
    assert flags.resolve(RELEASE, ANNA).variant == "previous"
    robin = Principal("north", "robin", frozenset({"staff"}))
    assert flags.resolve(RELEASE, robin).variant == "current"


def test_an_edit_is_seen_within_a_second(make_flags: Make, flags_file: FlagFile) -> None:
    flags = make_flags(look_every_s=0.2)
    assert flags.enabled(ESCALATION, ANNA)
    flags_file.alter("escalation", defaultVariant="off")
    edited = time.monotonic()
    while flags.enabled(ESCALATION, ANNA):
        assert time.monotonic() - edited < 1
        time.sleep(0.01)


def test_an_older_file_put_back_is_seen(flags: Flags, flags_file: FlagFile) -> None:
    before = flags_file.path.stat()
    flags_file.alter("escalation", defaultVariant="off")
    assert not flags.enabled(ESCALATION, ANNA)
    flags_file.alter("escalation", defaultVariant="on")
    os.utime(flags_file.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert flags.enabled(ESCALATION, ANNA)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"flags": []}', '{"flags": {"escalation": {"state": "ENABLED"}}}']
)
def test_a_broken_file_changes_nothing(
    flags: Flags, flags_file: FlagFile, metrics: Metrics, content: str
) -> None:
    flags_file.alter("escalation", defaultVariant="off")
    assert not flags.enabled(ESCALATION, ANNA)
    flags_file.path.write_text(content)
    with structlog.testing.capture_logs() as logs:
        assert [flags.enabled(ESCALATION, ANNA) for _ in range(3)] == [False] * 3
    assert [line["event"] for line in logs] == ["flags_source_unusable"], "said once"
    assert b"flags_source_unusable 1.0" in metrics.render()
    FlagFile(flags_file.path)
    assert flags.enabled(ESCALATION, ANNA)
    assert b"flags_source_unusable 0.0" in metrics.render()


def test_without_a_file_defaults_hold_and_are_counted(
    flags: Flags, flags_file: FlagFile, metrics: Metrics
) -> None:
    flags_file.path.unlink()
    with structlog.testing.capture_logs() as logs:
        assert [flags.enabled(ESCALATION, ANNA) for _ in range(3)] == [True] * 3
    failed = [line for line in logs if line["event"] == "flag_failed"]
    assert [line["flag"] for line in failed] == ["escalation"], "said once"
    count = b'flags_failures_total{flag="escalation",reason="PROVIDER_NOT_READY"} 3.0'
    assert count in metrics.render()
    FlagFile(flags_file.path)
    flags_file.alter("escalation", defaultVariant="off")
    assert not flags.enabled(ESCALATION, ANNA)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"variants": {"on": "yes", "off": "no"}}, "TYPE_MISMATCH"),
        ({"defaultVariant": "gone"}, "GENERAL"),
    ],
)
def test_a_flag_that_makes_no_sense_falls_back(
    flags: Flags, flags_file: FlagFile, metrics: Metrics, changes: dict[str, Any], reason: str
) -> None:
    flags_file.alter("escalation", **changes)
    assert flags.enabled(ESCALATION, ANNA) is True
    assert f'flag="escalation",reason="{reason}"'.encode() in metrics.render()


def test_building_the_application_loads_neither_openfeature_nor_grpc() -> None:
    import subprocess
    import sys

    code = "import sys; from app.main import create_app; create_app(); " + (
        "print([n for n in ('openfeature', 'grpc') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"
