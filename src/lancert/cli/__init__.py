"""The ``lancert`` command: one module per part, imported only when its command is chosen.

A command whose part needs the service extra, on a machine that has the box only, says what to install.
"""

import importlib
import sys

from lancert import __version__
from lancert.kit.lean import without

with without("uuid"):
    import click

_COMMANDS = {
    "box": "the IoT system: run it, connect it, look at it",
    "service": "the certificate service with its DNS",
    "admin": "tenants, contracts, subscriptions, databases, boxes",
    "authority": "the embedded authority: create and show it",
    "demo": "everything on this machine, with an example shop",
    "explain": "say what an error code means and what to do",
}
_EXTRA = "service"


class _LazyGroup(click.Group):
    """A group that knows the names of its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        try:
            module = importlib.import_module(f"lancert.cli.{cmd_name}")
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] == "lancert":
                raise
            raise click.ClickException(
                f"“lancert {cmd_name}” needs the service part, which is not installed here "
                f"({error.name} is missing). Install it with: pip install 'lancert[{_EXTRA}]'"
            ) from error
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if args and (args[0].upper().startswith("ERR_IOT")):
                raise click.UsageError(f"To read about a code, type: lancert explain {' '.join(args)}", ctx) from error
            import difflib  # for a mistake only

            near = difflib.get_close_matches(args[0], _COMMANDS, 1) if args else []
            hint = f"Did you mean: lancert {near[0]}?" if near else f"There are: {', '.join(_COMMANDS)}."
            raise click.UsageError(f"{error.message} {hint}", ctx) from error


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="lancert", message="%(prog)s %(version)s")
def group() -> None:
    """Browser-trusted HTTPS certificates for IoT systems on private networks, automatically.

    \b
    Examples:
      lancert demo --check                      try everything on this machine
      lancert box run                           run the agent of this IoT system
      lancert box doctor                        find out why HTTPS does not work
      lancert explain ERR_IOT_HTTPS_CHECK_NO_SERVER
    """


def main() -> None:
    """Run the command line."""
    # Sentences hold typographic signs; a terminal that cannot show them gets a replacement, not a trace.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    group()
