"""The sandbox of Jinja with two doors less. Runs in the child process."""

from pathlib import PurePath
from types import ModuleType
from typing import Any

from jinja2.sandbox import SandboxedEnvironment


class Safer:
    """For an environment of Jinja: no modules, which a path object leads to from Python 3.13 on."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(value, ModuleType) or (isinstance(obj, PurePath) and attr == "parser"):
            return False
        return SandboxedEnvironment.is_safe_attribute(self, obj, attr, value)  # type: ignore[arg-type]


# Parts of Jinja itself, or of a package that does nothing but tell the time.
EXTENSIONS = frozenset(
    ["jinja2.ext.do", "jinja2.ext.loopcontrols", "jinja2.ext.i18n", "jinja2_time.TimeExtension"]
)
