"""The release tuple: which models, prompts and threshold answer, as the flag `release` says.

`current` is what stands in models.yaml and prompts/: what the evals judge. `keep` copies that to
releases/NAME before it is changed, so that there is something to go back to.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.ai.build import load_release, read_release
from app.ai.gateway import Gateway
from app.ai.prompts import PromptSet
from app.ai.release import Release
from app.core.principal import Principal
from app.core.problems import ConfigurationError
from app.flags.catalogue import ESCALATION, LARGE_MODEL, RELEASE
from app.flags.flags import Flags

FOLDER = Path("releases")
# How long a release that cannot be read is left alone.
_REST_S = 2.0


class ReleaseTuple(BaseModel):
    """A variant of the flag `release`. Paths are relative to the repository."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: Path
    prompts: Path
    threshold: float | None = Field(ge=0, le=1)


def parse(value: Mapping[str, Any]) -> ReleaseTuple:
    """Raises ConfigurationError naming what is wrong."""
    try:
        return ReleaseTuple.model_validate(value)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors(include_url=False, include_input=False)
        )
        raise ConfigurationError(f"a release has models, prompts and threshold; {wrong}") from None


_CURRENT = parse(RELEASE.default)


class Releases:
    """Answers the gateway's question who is answered by which release."""

    def __init__(self, gateway: Gateway, flags: Flags) -> None:
        self._gateway = gateway
        self._flags = flags
        self._loaded: dict[tuple[Path, Path], Release] = {
            (_CURRENT.models, _CURRENT.prompts): gateway.release
        }
        self._resting: dict[tuple[Path, Path], float] = {}

    def choose(self, principal: Principal) -> Release:
        """Never raises: a release that cannot be had is replaced by the current one."""
        release = self._release(principal)
        escalates = self._flags.enabled(ESCALATION, principal)
        remote = self._flags.enabled(LARGE_MODEL, principal)
        if escalates and remote:
            return release
        return replace(release, escalates=escalates, remote=remote)

    def _release(self, principal: Principal) -> Release:
        found = self._flags.resolve(RELEASE, principal)
        try:
            wanted = parse(found.value)
            release = self._load(found.variant, wanted)
        except ConfigurationError as error:
            self._flags.failed(RELEASE.name, "RELEASE_UNUSABLE", str(error))
            return self._gateway.release
        name = found.variant or release.name
        if (release.name, release.threshold) == (name, wanted.threshold):
            return release
        return replace(release, name=name, threshold=wanted.threshold)

    def _load(self, name: str, wanted: ReleaseTuple) -> Release:
        key = (wanted.models, wanted.prompts)
        if key in self._loaded:
            return self._loaded[key]
        if monotonic() < self._resting.get(key, 0.0):
            raise ConfigurationError(f"the release {name} could not be read a moment ago")
        try:
            release = load_release(self._gateway, name, wanted.models, wanted.prompts)
        except ConfigurationError:
            self._resting[key] = monotonic() + _REST_S
            raise
        self._loaded[key] = release
        return release


def require_usable(value: Mapping[str, Any] | None) -> None:
    """Raises ConfigurationError when a release could not answer."""
    wanted = parse(value) if value is not None else _CURRENT
    if (wanted.models, wanted.prompts) == (_CURRENT.models, _CURRENT.prompts):
        return  # read at every start
    _, prompts = read_release(wanted.models, wanted.prompts)
    lock = wanted.prompts.parent / "prompts.lock"
    locked = lock.read_text(encoding="utf-8") if lock.exists() else ""
    if differences := prompts.differences(locked):
        raise ConfigurationError(f"{wanted.prompts} is not what {lock} says: {differences[0]}")


def keep(name: str, prompts_dir: Path, prompts_lock: Path, models_file: Path) -> dict[str, Any]:
    """Copy the current models file and prompts to releases/NAME; return the tuple they make.

    Raises ConfigurationError when the prompts differ from their lock: then they were not judged.
    """
    locked = prompts_lock.read_text(encoding="utf-8") if prompts_lock.exists() else ""
    if differences := PromptSet.load(prompts_dir).differences(locked):
        raise ConfigurationError(
            f"{differences[0]}: keep a release before you change it, as it was judged and served"
        )
    target, unfinished = FOLDER / name, FOLDER / f".{name}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    (unfinished / "prompts").mkdir(parents=True)
    for path in sorted(prompts_dir.glob("*.j2")):
        shutil.copyfile(path, unfinished / "prompts" / path.name)
    shutil.copyfile(models_file, unfinished / "models.yaml")
    if prompts_lock.exists():
        shutil.copyfile(prompts_lock, unfinished / "prompts.lock")
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
    return {
        "models": (target / "models.yaml").as_posix(),
        "prompts": (target / "prompts").as_posix(),
        "threshold": None,
    }
