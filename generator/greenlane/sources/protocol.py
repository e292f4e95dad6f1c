"""What every source does for a project: render it again with other answers, or another version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from greenlane.evolution import Carried
from greenlane.kit import News
from greenlane.reading import Record
from greenlane.tree import File, Link

Files = Mapping[str, File] | Mapping[str, File | Link]


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked for: answers as `key=value` texts, modules to add and to take out."""

    sets: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendering:
    """A project as its source has it now.

    `files` are without the record; `settled` gives them with it, once the files of the last
    rendering are known, whose volatile values stay. `moves` are (source, target), oldest first.
    `notes` are sentences for the person.
    """

    version: str
    label: str
    files: Files
    settled: Callable[[Files], Files]
    moves: tuple[tuple[str, str], ...] = ()
    news: tuple[News, ...] = ()
    evolved: Carried | None = None
    notes: tuple[str, ...] = ()
    volatile: Callable[[Files], tuple[str, ...]] = lambda _: ()


class Source(Protocol):
    """Something that projects are rendered from."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """What an update brings; empty when only rendering tells."""

    def check(self, record: Record) -> None:
        """Raise GreenlaneError unless the project was made from this source."""

    def render(self, record: Record, change: Change) -> Rendering:
        """The project with the change."""

    def again(self, record: Record) -> Files:
        """The recorded version rendered once more; empty when it cannot be."""
