"""Where flags come from: flags.json, or flagd, which sends its rules and every change of them.

Both are evaluated in this process by flagd's own core. The file is looked at here and not by
flagd's provider: that one loads grpc, takes no file whose time went back (as when an old one is
restored), and prints a traceback at every look at a broken one.
"""

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError, ProviderNotReadyError
from openfeature.provider import AbstractProvider, Metadata

from app.flags.settings import FlagsSettings

Context = EvaluationContext | None
# Said when the file cannot be used, and None when it can again.
OnTrouble = Callable[[str | None], None]


class FileProvider(AbstractProvider):
    """Flags of a file in flagd's format, which is looked at when a flag is asked for.

    A file that cannot be used changes nothing: the flags stay as they were.
    """

    def __init__(self, path: Path, every_s: float, on_trouble: OnTrouble) -> None:
        super().__init__()
        self._path = path
        self._every_s = every_s
        self._on_trouble = on_trouble
        self._core: FlagdCore | None = None
        self._seen: tuple[int, ...] | None = None
        self._looked = float("-inf")

    def get_metadata(self) -> Metadata:
        return Metadata(name="flagd file")

    def resolve_boolean_details(
        self, flag_key: str, default_value: Any, evaluation_context: Context = None
    ) -> Any:
        return self._now().resolve_boolean_value(flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: Any, evaluation_context: Context = None
    ) -> Any:
        return self._now().resolve_string_value(flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: Any, evaluation_context: Context = None
    ) -> Any:
        return self._now().resolve_integer_value(flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: Any, evaluation_context: Context = None
    ) -> Any:
        return self._now().resolve_float_value(flag_key, default_value, evaluation_context)

    def resolve_object_details(
        self, flag_key: str, default_value: Any, evaluation_context: Context = None
    ) -> Any:
        return self._now().resolve_object_value(flag_key, default_value, evaluation_context)

    def _now(self) -> FlagdCore:
        if monotonic() - self._looked >= self._every_s:
            self._look()
            self._looked = monotonic()
        if self._core is None:
            raise ProviderNotReadyError(f"{self._path} could not be read yet")
        return self._core

    def _look(self) -> None:
        # A few microseconds, and a few kilobytes after a change: no task for another thread.
        try:
            found = self._path.stat()
            # Any difference counts: a file put back is older than the one it replaces.
            seen = (found.st_mtime_ns, found.st_size, found.st_ino)
            if seen == self._seen:
                return
            self._seen = seen
            core = FlagdCore()
            core.set_flags(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, AttributeError, OpenFeatureError) as error:
            if isinstance(error, OSError):
                self._seen = None
            self._on_trouble(f"{self._path}: {type(error).__name__}: {error}")
        else:
            self._core = core
            self._on_trouble(None)


def provider(settings: FlagsSettings, on_trouble: OnTrouble) -> AbstractProvider:
    """Return the provider that the settings ask for. Opens nothing yet."""
    if settings.url is None:
        return FileProvider(settings.file, settings.look_every_s, on_trouble)
    # Imported only here: it loads grpc, 25 MB.
    from openfeature.contrib.provider.flagd import FlagdProvider
    from openfeature.contrib.provider.flagd.config import ResolverType

    address = urlsplit(settings.url)
    # Not its remote mode: that asks over the network for each flag, and the event loop waits.
    return FlagdProvider(
        host=address.hostname,
        port=address.port,
        tls=address.scheme == "grpcs",
        resolver_type=ResolverType.IN_PROCESS,
        deadline_ms=2_000,
        retry_backoff_max_ms=1_000,
        retry_grace_period=1,
    )
