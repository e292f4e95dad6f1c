"""What `--from` says: a folder or a repository, and whether the person trusts it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from greenlane.errors import GreenlaneError

TRUST = "GREENLANE_TRUST"
_HOSTS = {"gh": "github.com", "gl": "gitlab.com"}
_SHORT = re.compile(r"(gh|gl):/?([A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+)")
_SCP = re.compile(r"(?:[A-Za-z0-9_.-]+@)?([A-Za-z0-9][A-Za-z0-9.-]*):(?!//)([^\s]+)")
_REF = re.compile(r"[A-Za-z0-9_][^\s~^:?*\[\\\x00-\x1f\x7f]*")


@dataclass(frozen=True, slots=True)
class Address:
    """`text` as it is recorded, without credentials; `url` for git, which may need them.

    `folder` is set when it is on this machine.
    """

    text: str
    url: str
    folder: Path | None = None


def parse(text: str, ref: str = "") -> tuple[Address, str]:
    """The address and the ref of a source; the ref may stand behind the source: `gh:a/b@1.2`.

    Raises GreenlaneError for what git must not be given.
    """
    text = text.strip()
    if not text or text.startswith("-") or not text.isprintable():
        raise GreenlaneError(f"{text!r} is no source.", "Give a folder, a URL or gh:owner/name.")
    if not Path(text).expanduser().exists():
        text, ref = _without_ref(text, ref)
    if ref and (not _REF.fullmatch(ref) or ".." in ref or "@{" in ref):
        raise GreenlaneError(f"{ref!r} is no tag, branch or commit.", "Try --ref 1.2.0.")
    return _address(text), ref


def _without_ref(text: str, ref: str) -> tuple[str, str]:
    head, at, tail = text.rpartition("@")
    # user@host:path and https://user@host/path have an @ of their own.
    if not at or ":" in tail or not re.search(r"[/:]", head) or head.endswith("/"):
        return text, ref
    if "://" in head and "/" not in head.split("://", 1)[1]:
        return text, ref
    if ref and ref != tail:
        raise GreenlaneError(f"{text} names {tail}, --ref {ref}.", "Give one of them.")
    return head, tail


def _address(text: str) -> Address:
    if short := _SHORT.fullmatch(text):
        url = f"https://{_HOSTS[short[1]]}/{short[2].removesuffix('.git')}.git"
        return Address(text, url)
    if text.startswith(("gh:", "gl:")):
        raise GreenlaneError(f"{text!r} names no repository.", "Write gh:owner/name.")
    plain = text.removeprefix("git+")
    if "://" in plain:
        return _url(text, plain)
    if "::" in plain:
        raise GreenlaneError(
            f"{text!r} would make git run a program.", "Give a folder, a URL or gh:owner/name."
        )
    folder = Path(os.path.abspath(Path(plain).expanduser()))  # noqa: PTH100 - as it is spelled
    if folder.is_dir():
        return Address(str(folder), str(folder), folder)
    if found := _SCP.fullmatch(plain):
        return Address(f"{found[1]}:{found[2]}" if "@" not in plain else plain, plain)
    raise GreenlaneError(
        f"There is no folder {folder}.", "Give a folder, a URL or gh:owner/name for GitHub."
    )


def _url(text: str, plain: str) -> Address:
    try:
        parts = urlsplit(plain)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise GreenlaneError(f"{text!r} is no URL.", "") from None
    if parts.scheme == "file" and not host:
        folder = Path(unquote(parts.path))
        if not folder.is_dir():
            raise GreenlaneError(f"There is no folder {folder}.", "")
        return _address(str(folder))
    if parts.scheme not in {"https", "ssh"}:
        raise GreenlaneError(
            f"{parts.scheme}:// is not fetched from.", "https, ssh and folders are."
        )
    if not host or host.startswith("-"):
        raise GreenlaneError(f"{text!r} names no host.", "")
    # The account of ssh is part of the address; a password or token never is.
    user = f"{parts.username}@" if parts.scheme == "ssh" and parts.username else ""
    where = f"{user}{host}:{port}" if port else f"{user}{host}"
    return Address(f"{parts.scheme}://{where}{parts.path}", plain)


def is_trusted(address: Address) -> bool:
    """Whether the person's own list names this source.

    The list is one source per line or blank in the variable GREENLANE_TRUST and in `trust` in
    greenlane's configuration folder. A line that ends with `/` stands for all below it.
    """
    place = _place(address)
    return place is not None and any(_covers(line, place) for line in _trusted())


def trust_file() -> Path:
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(config).expanduser() / "greenlane" / "trust"


def _trusted() -> list[str]:
    listed = os.environ.get(TRUST, "").split()
    try:
        lines = trust_file().read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    return listed + [line.strip() for line in lines if line.strip() and line.strip()[0] != "#"]


def _place(address: Address) -> str | None:
    """The one spelling that is compared; None for one that could mean another place."""
    if address.folder is not None:
        return os.path.realpath(address.folder)
    url = address.url
    if "%" in url or "\\" in url or any(part in {".", ".."} for part in url.split("/")):
        return None
    if found := _SCP.fullmatch(url):
        return f"{found[1].lower()}/{found[2].strip('/').removesuffix('.git')}"
    parts = urlsplit(url)
    if "@" in parts.netloc and parts.scheme != "ssh":
        return None
    if parts.query or parts.fragment or "//" in parts.path:
        return None
    port = f":{parts.port}" if parts.port else ""
    return f"{(parts.hostname or '').lower()}{port}{parts.path.rstrip('/').removesuffix('.git')}"


def _covers(line: str, place: str) -> bool:
    below = line.endswith("/")
    try:
        listed = _listed(line.rstrip("/") if below else line)
    except GreenlaneError:
        return False
    if listed is None:
        return False
    return place.startswith(listed + "/") if below else place == listed


def _listed(line: str) -> str | None:
    if re.fullmatch(r"(gh|gl):[A-Za-z0-9_.-]+", line):  # all of an owner
        owner = line[3:]
        return None if owner in {".", ".."} else f"{_HOSTS[line[:2]]}/{owner}"
    if line.startswith(("/", "~")):
        return os.path.realpath(Path(line).expanduser())
    return _place(_address(line))
