"""Beginning a module, and beginning a kit: files that pass every rule as they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from greenlane.errors import GreenlaneError, did_you_mean
from greenlane.kit import BUILT_IN, Kit, load_kit
from greenlane.parts import MODULE_NAME
from greenlane.tree import File, Tree

_FIRST_MODULE = "greeting"
_NAME_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Begun:
    """What was written: a folder, and the paths in it. `skipped` is left to the author."""

    folder: Path
    files: tuple[str, ...]
    skipped: tuple[str, ...] = ()


def new_module(root: Path, name: str, category: str = "") -> Begun:
    """Write a module with a test and a slot into the kit in `root`."""
    kit = load_kit(root)
    _check_name(name, "a module")
    if name in kit.parts:
        raise GreenlaneError(f"The kit has a part called {name} already.", "Choose another name.")
    categories = [*kit.categories]
    if category and category not in categories:
        raise GreenlaneError(
            f"There is no category {category}.", did_you_mean(category, categories)
        )
    tree = _module(kit, name, category or next(iter(categories), ""))
    folder = kit.root / "modules" / name
    folder.parent.mkdir(exist_ok=True)
    tree.write_new(folder)
    return Begun(folder, tuple(tree))


def _module(kit: Kit, name: str, category: str) -> Tree:
    from greenlane.scaffolds import DOCUMENT, FEATURE

    # The feature is written for a base like greenlane's own.
    loads_features = "features" in kit.sets and "app/services.py" in kit.base.files
    texts = FEATURE if loads_features else DOCUMENT
    kept = {
        path: text
        for path, text in texts.items()
        if not path.startswith("slots/") or path.removeprefix("slots/") in kit.slots
    }
    return _filled(kept, name, CATEGORY=category)


def new_kit(folder: Path, extends: str) -> Begun:
    """Write the repository of a new kit that extends another one, with its first commit."""
    from greenlane.pipelines import pipeline
    from greenlane.project import write_repository
    from greenlane.scaffolds import KIT

    folder = folder.absolute()
    name = folder.name
    _check_name(name, "a kit")
    base = _base(folder, extends)
    if name in {base.name, *base.presets}:
        raise GreenlaneError(f"{base.name} uses the name {name}.", "Choose another one.")
    app = next(iter(base.apps))
    about = {"APP": app, "BASE": base.name, "EXTENDS": _range(extends, base)}
    kit = _filled(KIT, name, MODULE=_FIRST_MODULE, **about)
    module = _module(base, _FIRST_MODULE, next(iter(base.categories), ""))
    pipeline_path, text = pipeline(base, "github", ".")
    files = {
        **kit,
        **{f"modules/{_FIRST_MODULE}/{path}": file for path, file in module.items()},
        pipeline_path: File(text.encode()),
    }
    tree = Tree(files)
    created = write_repository(tree, folder, f"Begin the kit {name}")
    return Begun(folder, tuple(tree), tuple(created.skipped))


def _base(folder: Path, extends: str) -> Kit:
    if extends == BUILT_IN:
        return load_kit()
    if not extends.startswith("."):
        raise GreenlaneError(
            f'"{extends}" is neither {BUILT_IN} nor a relative path.',
            f"Give --extends {BUILT_IN}, or the path from the new kit to another one's folder.",
        )
    return load_kit(folder / extends)


def _range(extends: str, base: Kit) -> str:
    """From the version that the author has now to the next major one."""
    first, *rest = base.version.split(".")
    return f'"{extends} >={".".join([first, *rest[:1]])},<{int(first) + 1}"'


def _check_name(name: str, what: str) -> None:
    if not MODULE_NAME.fullmatch(name) or len(name) > _NAME_LENGTH:
        raise GreenlaneError(
            f"{name!r} is no name for {what}: lower-case letters, digits and dashes, at most "
            f"{_NAME_LENGTH}.",
            "Such as acme-kit.",
        )


def _filled(texts: Mapping[str, str], name: str, **more: str) -> Tree:
    words = {
        "NAME": name,
        "PACKAGE": name.replace("-", "_"),
        "SETTING": name.replace("-", "_").upper(),
        "TITLE": name.replace("-", " ").capitalize(),
        **more,
    }

    def fill(text: str) -> str:
        for key, value in words.items():
            text = text.replace(f"@{key}@", value)
        return text

    return Tree({fill(path): File(fill(text).encode()) for path, text in texts.items()})
