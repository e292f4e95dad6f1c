"""Run in a rendered repository, by its Python: the gateway's tests on Envoys that lack a rule each.

The arguments are those of tests/auth/take_out.py. Here the application is served once for all
mutants, and only what makes Envoy's configuration is taken apart.
"""

import importlib
import json
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path.cwd()), str(Path(__file__).parents[1])]

from auth.take_out import OPTIONS, Results, edited, restore  # noqa: E402  it is found beside

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
    """A plugin: each test, on the gateways of the mutants that it is named after."""

    def __init__(self):
        self.names, self.results = {}, {}

    def add(self, made, names):
        self.names[made], self.results[made] = names, {}
        return self.results[made]

    def pytest_generate_tests(self, metafunc):
        name = metafunc.definition.nodeid
        makers = [made for made, names in self.names.items() if name in names]
        metafunc.parametrize(FIXTURE, makers, indirect=True, scope="module")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        self.of = self.results[item.callspec.params[FIXTURE]]
        return (yield from super().pytest_runtest_makereport(item, call))


def main(mutants, results):
    # A file that changes twice in a second would be taken from what was compiled before.
    sys.dont_write_bytecode = True
    planted, found = Planted(), []
    for mutant in json.loads(Path(mutants).read_text()):
        try:
            made = without(mutant["edits"])
            found.append({"tests": planted.add(made, mutant["arguments"])})
        except (ValueError, SyntaxError) as error:
            found.append({"error": str(error)})
    names = sorted({name for names in planted.names.values() for name in names})
    code = pytest.main([*OPTIONS, "-m", "slow", *names], plugins=[planted])
    if code != pytest.ExitCode.TESTS_FAILED:
        found = [{"error": f"pytest ended with {code}"} for _ in found]
    Path(results).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
