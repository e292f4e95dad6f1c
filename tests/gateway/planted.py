"""Run in a rendered repository, by its Python: the gateway's tests on Envoys that lack a rule each.

The arguments are those of tests/auth/take_out.py. Here the application is served once for all, and
only what makes Envoy's configuration is taken apart.
"""

import importlib
import json
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path.cwd()), str(Path(__file__).parents[1] / "auth")]

from take_out import OPTIONS, Results, edited, restore

FIXTURE, PACKAGE = "configured", "app.gateway"


def without(edits):
    """What makes the configuration, after these edits. Raises ValueError, or what they broke."""
    before, whole = edited(edits), forgotten()
    try:
        return importlib.import_module(f"{PACKAGE}.document").text_of
    finally:
        restore(before)
        forgotten()
        sys.modules.update(whole)


def forgotten():
    names = [name for name in sys.modules if name.startswith(PACKAGE)]
    return {name: sys.modules.pop(name) for name in names}


class Planted(Results):
    """A plugin: each test on the gateways of the mutants that are its business."""

    def __init__(self, mutants, makers):
        self.mutants, self.makers = mutants, makers
        self.results = [Results() for _ in mutants]

    def pytest_generate_tests(self, metafunc):
        if FIXTURE in metafunc.fixturenames:
            metafunc.parametrize(FIXTURE, self.makers, scope="module")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if self.is_business(item)]

    def is_business(self, item):
        number = item.callspec.indices.get(FIXTURE) if hasattr(item, "callspec") else None
        name = item.nodeid.partition("[")[0]
        return number is not None and name in self.mutants[number]["arguments"]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        self.of = self.results[item.callspec.indices[FIXTURE]].of
        return (yield from super().pytest_runtest_makereport(item, call))


def main(mutants, results):
    # A file that changes twice in a second would be taken from what was compiled before.
    sys.dont_write_bytecode = True
    mutants = json.loads(Path(mutants).read_text())
    found, makers, sound = [{} for _ in mutants], [], []
    for number, mutant in enumerate(mutants):
        try:
            makers.append(without(mutant["edits"]))
            sound.append(number)
        except (ValueError, SyntaxError) as error:
            found[number] = {"error": str(error)}
    planted = Planted([mutants[number] for number in sound], makers)
    files = sorted({test.partition("::")[0] for it in mutants for test in it["arguments"]})
    code = pytest.main([*OPTIONS, "-m", "slow", *files], plugins=[planted])
    for number, result in zip(sound, planted.results, strict=True):
        found[number] = {"tests": result.of}
        if code not in (0, 1):
            found[number] = {"error": f"pytest ended with {code}"}
    Path(results).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
