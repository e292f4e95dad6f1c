#!/usr/bin/env python3
"""Show pull requests on this server for a while, beside what serves and apart from it.

    preview.py up NUMBER [IMAGE]  show an image: by its digest, or `docker save | gzip` on stdin
    preview.py down NUMBER        end it; its database and its secrets go with it
    preview.py sweep              end those whose time is over
    preview.py list               what is shown, and until when
    preview.py token NUMBER       what it asks of its visitors
    preview.py gate               the first four, as SSH_ORIGINAL_COMMAND says: a pipeline's key

A pull request brings an image and nothing else. Compose files, settings and limits are those of
the release that was shipped last; secrets are made anew; the data is what `app seed` invents.
Nothing here opens the `.env` or the database of what serves.
"""

import argparse
import gzip
import json
import os
import re
import shutil
import signal
import sys
import tarfile
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from deploy import start
from server import CLOSED, PLACES, Failure, Live, Server, replace

# How long one waits for another one, which builds nothing here but seeds a database.
PATIENCE_S = 900
IMAGE_MB = 2000
_LIST_BYTES = 1_000_000
_CALLED, _HUB = "io.containerd.image.name", "docker.io/library/"
_UNREADABLE = (
    OSError, EOFError, zlib.error, tarfile.TarError,
    ValueError, KeyError, TypeError, AttributeError, RecursionError,
)  # fmt: skip
_FILES = (".env.example", "release.yaml", "slo.yaml", "standing.yaml")
_RELEASE = "preview"
_SLOT = Live(_RELEASE, "blue")


@dataclass(frozen=True)
class Preview:
    """A pull request in one of the PLACES that Caddy knows."""

    number: int
    place: int
    host: str
    expires: str

    def is_over(self) -> bool:
        return datetime.fromisoformat(self.expires) <= datetime.now(UTC)


def up(server: Server, number: int, image: str | None, archive: BinaryIO) -> None:
    """Show `image`, or the one in `archive`, as preview `number`, from nothing.

    Raises Failure, with nothing of it left, when there is no place or it does not get ready.
    """
    sweep(server)
    down(server, number)
    preview = _placed(server, number)
    try:
        stack = _stack(server, preview, image or _name(server, number))
        stack.secrets()
        if image is None:
            _load(server, number, archive)
        stack.standing("up", "--detach", "--wait", "database", "cache")
        stack.slot(_SLOT, "run", "--rm", "--no-deps", "migrate")
        stack.slot(_SLOT, "run", "--rm", "--no-deps", "migrate", "app", "seed")
        start(stack, _SLOT)
    except BaseException:
        down(server, number)
        raise
    replace(_route(server, preview.place), preview.host)
    server.say("preview", f"{number} at https://{preview.host} until {preview.expires}")


def down(server: Server, number: int) -> None:
    """End preview `number`; what an earlier attempt has left, too. A Failure leaves it to the next
    sweep."""
    folder = _folder(server) / str(number)
    if not folder.exists():
        return
    with suppress(OSError, ValueError, TypeError):
        preview = _read(folder)
        if _is_routed(server, preview):
            replace(_route(server, preview.place), CLOSED)
    if (folder / ".env").is_file():  # otherwise nothing was started
        stack = server.inner(folder, _RELEASE)
        stack.slot(_SLOT, "down", "--volumes")
        stack.standing("down", "--volumes")
        with suppress(Failure):  # gone already
            server.run("docker", "image", "rm", stack.image(_RELEASE))
    shutil.rmtree(folder)
    server.say("preview", f"{number} ended")


def sweep(server: Server) -> None:
    """End those whose time is over, and those that were left half made. Raises the last Failure
    when it has tried all."""
    failure = None
    for folder in _folders(server):
        try:
            preview = _read(folder)
            stays = not preview.is_over() and _is_routed(server, preview)
        except (OSError, ValueError, TypeError):
            stays = False
        if not stays:
            try:
                down(server, int(folder.name))
            except Failure as one:
                failure = one
    if failure:
        raise failure


def previews(server: Server) -> list[Preview]:
    """Those that are shown."""
    found = [_read(folder) for folder in _folders(server)]
    return [preview for preview in found if _is_routed(server, preview)]


def _placed(server: Server, number: int) -> Preview:
    """Take a place, from which on `sweep` knows of it."""
    shown = previews(server)
    places = PLACES[: int(server.settings["PREVIEWS_AT_ONCE"])]
    free = [place for place in places if place not in {preview.place for preview in shown}]
    if not free:
        lines = "\n".join(f"  {preview.number} until {preview.expires}" for preview in shown)
        raise Failure(f"no more than {len(places)} at once. End one of them, or wait:\n{lines}")
    hours = float(server.settings["PREVIEW_HOURS"])
    expires = (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")
    name = server.settings["PREVIEWS"].rpartition("//")[2].partition(":")[0]
    preview = Preview(number, free[0], name.replace("*", f"pr-{number}", 1), expires)
    replace(_folder(server) / str(number) / "preview.json", json.dumps(asdict(preview)))
    return preview


def _stack(server: Server, preview: Preview, image: str) -> Server:
    """A server of its own inside this one: the same files, other names, ports and limits."""
    root = _folder(server) / str(preview.number)
    release = root / "releases" / _RELEASE
    release.mkdir(parents=True)
    for name in _FILES:
        shutil.copy(server.folder / name, release)
    memory, cpus = server.settings["PREVIEW_MEMORY"], server.settings["PREVIEW_CPUS"]
    other = {
        "NAME": f"{server.name}-pr-{preview.number}",
        "PORT_BLUE": f"{server.settings['PREVIEW_PORTS']}{preview.place}",
        "MEMORY": memory,
        "STANDING_MEMORY": memory,
        "CPUS": cpus,
        "STANDING_CPUS": cpus,
        # Where memory gets short, the kernel ends a preview before anything that serves.
        "OOM_SCORE": "900",
        "REACHES_OUT": "false",
    }
    lines = "".join(f"{key}={value}\n" for key, value in other.items())
    (release / "server.env").write_text((server.folder / "server.env").read_text() + lines)
    (release / "image").write_text(f"{image}\n")
    return server.inner(root, _RELEASE)


def _name(server: Server, number: int) -> str:
    return f"{server.name}-preview:{number}"


def _load(server: Server, number: int, archive: BinaryIO) -> None:
    """Load the image that came, unless it would take the name of another one."""
    name = _name(server, number)
    path = _folder(server) / str(number) / "image.tar"
    try:
        with gzip.open(archive) as stream, path.open("wb") as file:
            left = IMAGE_MB * 1_000_000
            while piece := stream.read(1_000_000):
                left -= len(piece)
                if left < 0:
                    raise Failure(f"the image has more than {IMAGE_MB} MB")
                file.write(piece)
        if (names := _names(path)) != {name}:
            raise Failure(f"the image is called {' '.join(sorted(names))}, not {name} alone")
        server.run("docker", "load", "--input", str(path))
    except _UNREADABLE as error:
        raise Failure(f"this is no `docker save {name} | gzip`: {error}") from None
    finally:
        path.unlink(missing_ok=True)


def _names(archive: Path) -> set[str]:
    """All that `docker load` might call the images of an archive, by each of its lists."""
    found: set[str] = set()
    with tarfile.open(archive) as tar:
        for member in tar:
            place = os.path.normpath(member.name)
            if place not in ("manifest.json", "index.json"):
                continue
            file = tar.extractfile(member) if member.isreg() else None
            if file is None or member.size > _LIST_BYTES:
                raise ValueError(f"{member.name} is no list of images")
            listed = json.loads(file.read())
            if place == "manifest.json":
                found |= {name for image in listed for name in image["RepoTags"]}
                continue
            notes = [image.get("annotations", {}) for image in listed["manifests"]]
            found |= {note[_CALLED].removeprefix(_HUB) for note in notes if _CALLED in note}
    return found


def _folder(server: Server) -> Path:
    return server.root / "previews"


def _folders(server: Server) -> list[Path]:
    return sorted(_folder(server).glob("[0-9]*"), key=lambda path: int(path.name))


def _read(folder: Path) -> Preview:
    return Preview(**json.loads((folder / "preview.json").read_text()))


def _route(server: Server, place: int) -> Path:
    return server.root / f"caddy/route/preview-{place}"


def _is_routed(server: Server, preview: Preview) -> bool:
    path = _route(server, preview.place)
    return path.exists() and path.read_text() == preview.host


def _number(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,6}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a pull request")
    return int(text)


def _image(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9./:_-]*@sha256:[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no image by its digest, NAME@sha256:...")
    return text


def _arguments(asked: list[str], *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    added: dict[str, Any] = {
        name: commands.add_parser(name) for name in ("up", "down", "sweep", "list", *more)
    }
    for name in added.keys() & {"up", "down", "token"}:
        added[name].add_argument("number", type=_number)
    added["up"].add_argument("image", type=_image, nargs="?")
    return parser.parse_args(asked)


def _run(server: Server, given: argparse.Namespace) -> None:
    if given.command == "list":
        for preview in previews(server):
            line = f"{preview.number} https://{preview.host} until {preview.expires}\n"
            sys.stdout.write(line)
        return
    with server.alone("previews.lock", PATIENCE_S):
        if given.command == "up":
            up(server, given.number, given.image, sys.stdin.buffer)
        elif given.command == "down":
            down(server, given.number)
        else:
            sweep(server)


def main() -> None:
    given = _arguments(sys.argv[1:], "token", "gate")
    if given.command == "gate":
        given = _arguments(os.environ.get("SSH_ORIGINAL_COMMAND", "").split())
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit("error: told to end"))
    here = Path(__file__).resolve().parent
    try:
        server = Server(here.parents[1], here.name)
        if given.command == "token":
            stack = Server(_folder(server) / str(given.number), _RELEASE)
            sys.stdout.write(f"{stack.token()}\n")
        else:
            _run(server, given)
    except Failure as failure:
        sys.exit(f"error: {failure}")


if __name__ == "__main__":
    main()
