"""The command line `app`: the core's commands, and each feature's `commands.cli`."""

import importlib
import importlib.util

import click

from app.features import FEATURES, NAME

CORE_COMMANDS = {
    "db": "app.core.commands:db",
    "openapi": "app.core.commands:openapi",
    "serve": "app.core.commands:serve",
    "setup": "app.core.commands:setup",
    "slo": "app.core.commands:slo",
    "upgrade-cooldown": "app.core.commands:upgrade_cooldown",
}


class LazyGroup(click.Group):
    """Imports a command when it is called, so that `app --help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        features = [name.rpartition(".")[2] for name in FEATURES if _has_commands(name)]
        return sorted([*CORE_COMMANDS, *features])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in CORE_COMMANDS:
            module, _, attribute = CORE_COMMANDS[cmd_name].partition(":")
            return getattr(importlib.import_module(module), attribute)
        name = f"app.{cmd_name}"
        if name in FEATURES and _has_commands(name):
            return importlib.import_module(f"{name}.commands").cli
        return None


def _has_commands(feature: str) -> bool:
    return importlib.util.find_spec(f"{feature}.commands") is not None


@click.group(cls=LazyGroup, help=f"Commands of {NAME}.")
def main() -> None:
    pass
