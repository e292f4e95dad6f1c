"""Run in a rendered repository, by its Python: takes defences out of it, one after another.

The arguments are a file of mutants (JSON) and one for the results. For each mutant the texts are
replaced in their files, the tests are run, and the texts are put back. The results are a list of
{"error": what is wrong with the mutant} or {"tests": {test: how it ended}, "left": output}.
"""

import compileall
import contextlib
import importlib
import io
import json
import os
import sys
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest

# An assertion that did not hold, an error that did not come, a refusal where there must be none.
NOTICED = ("AssertionError", "Failed", "TokenRefused", "TokenDenied", "FetchFailed", "KeyUnknown")
# The plugins of pytest are loaded once, too, and then cannot be rewritten.
OPTIONS = (
    *("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


class Results:
    """A plugin: how each test function ended. The worst of its parameters counts."""

    def __init__(self):
        self.of = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        name = item.nodeid.partition("[")[0]
        if call.excinfo is None or report.skipped:
            self.of.setdefault(name, "skipped" if report.skipped else "passed")
            return report
        kind = call.excinfo.typename
        how = "noticed" if kind in NOTICED and report.when == "call" else f"{report.when}: {kind}"
        if self.of.get(name) != "noticed":
            self.of[name] = how
        return report


def load_once():
    """Load what the repository uses, and forget what is its own: that is read anew each time."""
    for name in ("app.main", "app.core.migrate", "hypothesis", "anyio.pytest_plugin", "sqlite3"):
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("app", "tests")]:
        del sys.modules[name]


def edited(edits):
    """Replace the texts; return the files as they were. Raises ValueError."""
    before = {}
    for file, old, new in edits:
        path = Path(file)
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            restore(before)
            raise ValueError(f"{file}: found {text.count(old)} times, and not once: {old}")
        before.setdefault(path, text)
        path.write_text(text.replace(old, new), encoding="utf-8")
    return before


def restore(before):
    for path, text in before.items():
        path.write_text(text, encoding="utf-8")


def run(arguments, answer):
    """Run pytest in a process of its own that has already loaded the packages."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return json.loads(answer.read_text()) if answer.exists() else {"error": "pytest ended"}
    output, results = io.StringIO(), Results()
    try:
        with contextlib.redirect_stdout(output):
            code = pytest.main(
                [*OPTIONS, *arguments],
                plugins=[results],
            )
        found = {"tests": results.of, "output": output.getvalue()[-1500:]}
        if code not in (0, 1):
            found = {"error": f"pytest ended with {code}: {output.getvalue()[-1500:]}"}
    except BaseException as error:  # the parent's stack ends here, whatever comes
        found = {"error": f"pytest ended with {error!r}"}
    answer.write_text(json.dumps(found))
    os._exit(0)


def main(mutants, results):
    # Known by its content: a file that changes twice in a second is not what was compiled.
    compileall.compile_dir("app", quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(Path.cwd()))
    load_once()
    answer, found = Path(results).with_suffix(".one"), []
    for mutant in json.loads(Path(mutants).read_text()):
        answer.unlink(missing_ok=True)
        try:
            before = edited(mutant["edits"])
        except ValueError as error:
            found.append({"error": str(error)})
            continue
        found.append(run(mutant["arguments"], answer))
        restore(before)
    Path(results).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
