"""Getting a template: its commits from a folder or a URL, and the files of one of them.

git takes only https, ssh and files, asks nothing, fetches no submodules, and runs no hook and no
filter: files are written by a repository of our own, which sees the template's objects only.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from greenlane.errors import GreenlaneError
from greenlane.git import GitError, run_git
from greenlane.sources.address import Address

MANIFESTS = {"kit.yml": "kit", "copier.yml": "copier", "copier.yaml": "copier",
             "cookiecutter.json": "cookiecutter"}  # fmt: skip
_PROTOCOLS = {
    "protocol.allow": "never",
    **{f"protocol.{name}.allow": "always" for name in ("https", "ssh", "file")},
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
_ISOLATED = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_LFS_SKIP_SMUDGE": "1",
}
_REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+HEAD:refs/greenlane/head")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_RELEASE = re.compile(
    r"v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(?:post|rev|r)[-_.]?(\d*)|-(\d+))?(?:\+[a-z0-9.]+)?",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Version:
    """One commit of a template; `name` is how git describes it: `1.2.0`, `1.2.0-3-gabc1234`."""

    commit: str
    name: str


class Commits:
    """The commits of a template: of a repository on this machine, or fetched from its URL."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._fetched = False
        if address.folder is not None:
            self._git_dir, self._head = address.folder, "HEAD"
        else:
            self._git_dir, self._head = _cache(address), "refs/greenlane/head"
        self._objects = self._locate()

    def _locate(self) -> Path:
        told = self._git("rev-parse", "--path-format=absolute", "--git-path", "objects")
        return Path(os.fsdecode(told).strip())

    def find(self, ref: str, kinds: set[str]) -> Version:
        """The commit that `ref` names. Without one: the newest release of a Copier template or a
        kit, as Copier does; the default branch of a Cookiecutter template, as it does.

        `kinds` narrows what the template is taken for; empty: what its files say.
        """
        if not _COMMIT.fullmatch(ref) or self._resolved(ref) is None:
            self._fetch()
        if not ref:
            return self._version(self._default(kinds))
        for candidate in (ref, f"refs/remotes/origin/{ref}"):
            if commit := self._resolved(candidate):
                return self._version(commit)
        raise GreenlaneError(
            f"{self._address.text} has no tag, branch or commit {ref}.",
            "`git ls-remote` lists what it has.",
        )

    def is_branch(self, ref: str) -> bool:
        return self._resolved(f"refs/heads/{ref}") is not None

    def is_tag(self, name: str) -> bool:
        return self._resolved(f"refs/tags/{name}") is not None

    def write(self, commit: str, folder: Path) -> None:
        """Write the files of `commit` into the new folder `folder`.

        A symbolic link that leads out of it is refused.
        """
        folder.mkdir()
        try:
            beside(folder, "read-tree", "--reset", "-u", commit, objects=self._objects)
        except GitError as error:
            raise GreenlaneError(f"git cannot write the template: {error}.", "") from None
        check_links(folder)

    def names(self, commit: str, directory: str = "") -> list[str]:
        """The names of the files in the template's own folder."""
        tree = f"{commit}:{directory}".removesuffix("/") if directory else commit
        told = self._git("ls-tree", "--name-only", "-z", tree)
        return os.fsdecode(told).split("\0")

    def read(self, commit: str, path: str) -> bytes:
        """The content of a file; nothing when there is none."""
        return self._git("cat-file", "blob", f"{commit}:{path}", accepted=(0, 128))

    def _default(self, kinds: set[str]) -> str:
        head = self._resolved(self._head)
        if head is None:
            raise GreenlaneError(f"{self._address.text} has no commit.", "Commit something there.")
        names = self.names(head)
        if not {"copier", "kit"} & (kinds or {MANIFESTS[x] for x in names if x in MANIFESTS}):
            return head
        tags = os.fsdecode(self._git("for-each-ref", "--format=%(refname:strip=2)", "refs/tags"))
        releases = [(key, tag) for tag in tags.split() if (key := release_key(tag))]
        tag = max(releases, default=None)
        return (self._resolved(f"refs/tags/{tag[1]}") if tag else None) or head

    def _version(self, commit: str) -> Version:
        told = self._git("describe", "--tags", "--always", commit)
        return Version(commit, os.fsdecode(told).strip())

    def _resolved(self, ref: str) -> str | None:
        told = self._git(
            *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"),
            accepted=(0, 1, 128),
        )
        found = os.fsdecode(told).strip().removeprefix("--end-of-options\n")
        return found if _COMMIT.fullmatch(found) else None

    def _fetch(self) -> None:
        if self._address.folder is not None or self._fetched:
            return
        self._fetched = True
        with _locked(self._git_dir):
            self._git(
                *("fetch", "--quiet", "--prune", "--force", "--no-recurse-submodules"),
                *("--no-write-fetch-head", "--end-of-options", self._address.url, *_REFS),
            )

    def _git(self, *arguments: str, accepted: tuple[int, ...] = (0,)) -> bytes:
        # With the person's own configuration: it knows how to log in and what to trust. Commands
        # that are run here execute nothing that the template's repository says.
        ssh = os.environ.get("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
        env = {"GIT_SSH_COMMAND": ssh, "GIT_LFS_SKIP_SMUDGE": "1"}
        try:
            return run_git(
                self._git_dir, *arguments, settings=_PROTOCOLS, env=env, accepted=accepted
            )
        except GitError as error:
            text = str(error).replace(self._address.url, self._address.text)
            raise GreenlaneError(
                f"git cannot read {self._address.text}: {text}.",
                "Is the address right, and may you read it?",
            ) from None


def beside(
    folder: Path,
    *arguments: str,
    stdin: bytes = b"",
    objects: Path | None = None,
    accepted: Sequence[int] = (0,),
) -> bytes:
    """Run git on `folder` as its work tree, with a repository of our own beside it.

    It sees `objects`. No configuration reaches it, the template's least of all.
    """
    shadow = folder.with_name(f"{folder.name}.git")
    for name in ("objects/info", "refs"):
        (shadow / name).mkdir(parents=True, exist_ok=True)
    (shadow / "HEAD").write_text("ref: refs/heads/none\n")
    sha256 = "\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = sha256\n"
    (shadow / "config").write_text("[core]\n" + (sha256 if len(arguments[-1]) == 64 else ""))
    if objects is not None:
        (shadow / "objects/info/alternates").write_bytes(os.fsencode(objects) + b"\n")
    return run_git(
        *(folder, f"--git-dir={shadow}", f"--work-tree={folder}", *arguments),
        **{"stdin": stdin, "settings": _PROTOCOLS, "env": _ISOLATED, "accepted": accepted},
    )


def release_key(tag: str) -> tuple[int, list[int], int] | None:
    """For comparing tags as PEP 440 does; None for a tag that is no release."""
    found = _RELEASE.fullmatch(tag)
    if not found:
        return None
    release = [int(part) for part in found[2].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    post = found[3] if found[3] is not None else found[4]
    return int(found[1] or 0), release, -1 if post is None else int(post or 0)


def is_repository(folder: Path) -> bool:
    """Whether `folder` is the top of a repository with a commit."""
    if not (folder / ".git").exists() and not (folder / "objects").is_dir():
        return False
    try:
        told = run_git(folder, "rev-parse", "--show-cdup", "--verify", "--quiet", "HEAD")
    except GitError as error:
        if "dubious ownership" in str(error) or "safe.directory" in str(error):
            raise GreenlaneError(
                f"{folder} belongs to somebody else, so git does not work there.",
                f"If you trust it: `git config --global --add safe.directory {folder}`.",
            ) from None
        return False
    return b"../" not in told


def check_links(folder: Path) -> None:
    """Raise GreenlaneError when a symbolic link below `folder` leads out of it."""
    root = os.path.realpath(folder)
    for parent, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink():
                target = os.path.realpath(path)
                if target != root and not target.startswith(root + os.sep):
                    raise GreenlaneError(
                        f"{os.path.relpath(path, root)} is a symbolic link that leads out of the "
                        "template.",
                        "Nothing was written. Tell the template's author.",
                    )


def _cache(address: Address) -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    name = hashlib.sha256(address.text.encode()).hexdigest()[:32]
    folder = base / "greenlane" / "templates" / f"{name}.git"
    if not (folder / "HEAD").is_file():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            run_git(folder, "init", "--quiet", "--bare", "--template=", ".", settings=_PROTOCOLS)
        except (OSError, GitError) as error:
            raise GreenlaneError(f"{folder} cannot be made: {error}.", "") from None
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
