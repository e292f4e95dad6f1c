"""Importing Copier without what draws its prompts: a quarter of its time, and never used here."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_COPIER = "copier._main"
_DRAWING = (
    *("questionary", "questionary.prompts", "questionary.prompts.common"),
    *("prompt_toolkit", "prompt_toolkit.lexers", "pygments", "pygments.lexers"),
    "pygments.lexers.data",
)


class Choice:
    """What Copier reads of a choice of questionary."""

    def __init__(self, title: str, value: Any = None, disabled: str = "", **_: object) -> None:
        self.title, self.disabled, self.checked = title, disabled, False
        self.value = title if value is None else value


class _Nothing:
    def __init__(self, *_: object, **__: object) -> None: ...


class _Absent(ModuleType):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []  # a package, with modules in it

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Choice if name == "Choice" else _Nothing


def import_copier() -> ModuleType:
    """Copier's main module; with everything, where it needs more than stand-ins."""
    standing = {name: _Absent(name) for name in _DRAWING if name not in sys.modules}
    sys.modules.update(standing)
    try:
        return import_module(_COPIER)
    except Exception:
        for name in [name for name in sys.modules if name.partition(".")[0] == "copier"]:
            del sys.modules[name]
    finally:
        for name in standing:  # the template's own code may want the real ones
            sys.modules.pop(name, None)
    return import_module(_COPIER)
