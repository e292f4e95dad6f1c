"""A kit as a source."""

from dataclasses import dataclass

from greenlane.errors import GreenlaneError
from greenlane.evolution import answers_again, check_kit, evolve, moves_since, news_since
from greenlane.kit import Kit
from greenlane.reading import Record
from greenlane.record import with_record
from greenlane.sources.protocol import Change, Files, Rendering


@dataclass(frozen=True, slots=True)
class KitSource:
    kit: Kit

    @property
    def name(self) -> str:
        return self.kit.name

    @property
    def version(self) -> str:
        return self.kit.edition

    def check(self, record: Record) -> None:
        if record.origin is not None:
            raise GreenlaneError(
                f"The project was made from the template {record.origin.source}, not from a kit.",
                "Go into its folder and run `greenlane update` there.",
            )
        check_kit(self.kit, record)

    def render(self, record: Record, change: Change) -> Rendering:
        from greenlane.render import render

        kit = self.kit
        evolved = evolve(kit, record, sets=change.sets, add=change.add, remove=change.remove)
        tree = render(kit, evolved.answers)
        return Rendering(
            version=kit.edition,
            label=f"{kit.name}-{kit.version}",
            files=tree,
            settled=lambda _: with_record(tree, kit, evolved.answers),
            moves=tuple(moves_since(kit, record)),
            news=tuple(news_since(kit, record, evolved.answers)),
            evolved=evolved,
        )

    def again(self, record: Record) -> Files:
        from greenlane.render import render

        answers = answers_again(self.kit, record)
        return render(self.kit, answers) if answers is not None else {}
