"""The command line `app`: the core's commands, and those of each feature's `commands.py`.

There, `cli` is the group named after the feature; `COMMANDS` stand at the top, too or instead.
"""

import importlib
import importlib.util
from typing import Any

import click

from app.features import FEATURES, NAME

CORE_COMMANDS = {
    "db": "app.core.commands:db",
    "model": "app.ai.commands:model",
    "openapi": "app.core.commands:openapi",
    "prompts": "app.ai.commands:prompts",
    "serve": "app.core.commands:serve",
    "setup": "app.core.commands:setup",
    "slo": "app.core.commands:slo",
    "upgrade-cooldown": "app.core.commands:upgrade_cooldown",
}


class LazyGroup(click.Group):
    """Imports a command when it is called, so that `app --help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*CORE_COMMANDS}.union(*map(_offered, _modules())))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in CORE_COMMANDS:
            module, _, attribute = CORE_COMMANDS[cmd_name].partition(":")
            return getattr(importlib.import_module(module), attribute)
        # The feature of that name first: the others need not be imported then.
        modules = sorted(_modules(), key=lambda module: module.split(".")[1] != cmd_name)
        offers = (_offered(name).get(cmd_name) for name in modules)
        return next(filter(None, offers), None)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a mistake in a file or a setting becomes a message."""
        from app.core.problems import ConfigurationError

        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise click.ClickException(str(error)) from None
        except ValueError as error:
            if message := _wrong_setting(error):
                raise click.ClickException(message) from None
            raise


def _modules() -> list[str]:
    names = (f"{feature}.commands" for feature in FEATURES)
    return [name for name in names if importlib.util.find_spec(name)]


def _offered(module: str) -> dict[str, click.Command]:
    commands = importlib.import_module(module)
    group = {module.split(".")[1]: commands.cli} if hasattr(commands, "cli") else {}
    return {**group, **getattr(commands, "COMMANDS", {})}


def _wrong_setting(error: ValueError) -> str | None:
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    if isinstance(error, SettingsError):
        return f"{error}; it must be JSON. See .env.example"
    if isinstance(error, ValidationError) and error.title.endswith("Settings"):
        prefix = error.title.removesuffix("Settings").upper()
        lines = [
            f"{_variable(prefix, item['loc'])}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        return "\n".join(lines)
    return None


def _variable(prefix: str, place: tuple[int | str, ...]) -> str:
    if not place:
        return "settings"  # a rule about several of them
    name, *inside = place
    return ".".join([f"{prefix}_{name}".strip("_").upper(), *map(str, inside)])


@click.group(cls=LazyGroup, help=f"Commands of {NAME}.")
def main() -> None:
    pass
