"""Opening the template of an existing project, with its library loading meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from greenlane.sources.address import is_trusted, parse
from greenlane.sources.origin import Origin
from greenlane.sources.renderer import Renderer

if TYPE_CHECKING:
    from greenlane.sources.template import TemplateSource


@contextmanager
def opened(origin: Origin, *, ref: str = "", trust: bool = False) -> Iterator[TemplateSource]:
    """The source of an existing project, at `ref` or else at what the project follows."""
    parse(origin.source, origin.ref)  # whoever wrote the record may have meant harm
    address, ref = parse(origin.source, ref)
    with Renderer(origin.kind, trusted=trust or is_trusted(address)) as renderer:
        from greenlane.sources.template import Template, TemplateSource

        template = Template(address, ref, origin.kind, origin.directory)
        if not ref and template.is_branch(origin.ref):
            template.ref = origin.ref
        yield TemplateSource(template, origin.kind, renderer)
