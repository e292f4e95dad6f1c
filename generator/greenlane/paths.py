"""Which paths a repository may hold: inside it, and the same on Linux, macOS and Windows."""

import unicodedata
from collections.abc import Iterable

_WINDOWS_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{digit}" for port in ("com", "lpt") for digit in "123456789¹²³"]
)
_WINDOWS_FORBIDDEN = frozenset('<>:"|?*')
_SEGMENT_BYTES = 255
_PATH_BYTES = 1000


def path_problem(path: str) -> str:
    """Why `path` (relative, with `/`) must not be written; empty when it may be."""
    if problem := path_danger(path):
        return problem
    for segment in path.split("/"):
        if problem := _segment_problem(segment):
            return problem
    return ""


def path_danger(path: str) -> str:
    """Why `path` is dangerous anywhere: it leaves the folder, or is git's. Empty when it is not.

    For what a template of others writes, which may be impossible on Windows.
    """
    if not path:
        return "is empty"
    if path.startswith("/"):
        return "is absolute"
    if "\\" in path:
        return "holds a backslash"
    if len(path.encode(errors="surrogatepass")) > _PATH_BYTES:
        return f"is longer than {_PATH_BYTES} bytes"
    for segment in path.split("/"):
        if problem := _segment_danger(segment):
            return problem
    return ""


def _segment_danger(segment: str) -> str:
    if segment == "":
        return "has an empty part"
    if segment in {".", "..", "~"}:
        return f'has the part "{segment}"'
    if not segment.isprintable():
        # Control and format characters, lone surrogates: invisible, and ignored by some file
        # systems, so that ".g<zero width>it" would be ".git".
        return "holds a character that cannot be seen, or is not UTF-8"
    if segment.casefold() in {".git", "git~1"}:
        return "is inside .git"
    if segment.casefold().rstrip(". ") in {".git", "git~1"}:
        return "has a part that ends with a dot or a space, which Windows drops"
    if len(segment.encode()) > _SEGMENT_BYTES:
        return f"has a part of more than {_SEGMENT_BYTES} bytes"
    return ""


def _segment_problem(segment: str) -> str:
    if not segment.isascii() and not unicodedata.is_normalized("NFC", segment):
        return "is not in Unicode's composed form (NFC), so macOS would rename it"
    if found := _WINDOWS_FORBIDDEN.intersection(segment):
        return f"holds {' '.join(sorted(found))}, which Windows forbids"
    if "{{" in segment or "{%" in segment:
        return "looks like a template; names of files are not rendered"
    if segment[-1] in ". ":
        return "has a part that ends with a dot or a space, which Windows drops"
    if segment.split(".", 1)[0].rstrip().casefold() in _WINDOWS_DEVICES:
        return f'has the part "{segment}", a device on Windows'
    return ""


def clashes(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of paths that cannot exist together.

    Either equal but for case, which macOS and Windows do not tell apart, or one is a folder in the
    other: `docs` and `docs/index.md`. Equal paths are the caller's to find.
    """
    folded: dict[str, str] = {}
    found = []
    for path in sorted(paths):
        key = path.casefold() if path.isascii() else _fold(path)
        if key in folded and folded[key] != path:
            found.append((folded[key], path))
        folded.setdefault(key, path)
    folders: set[str] = set()
    for key, path in folded.items():
        folder = key
        while (folder := folder.rpartition("/")[0]) and folder not in folders:
            folders.add(folder)
            if folder in folded:
                found.append((folded[folder], path))
    return found


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
