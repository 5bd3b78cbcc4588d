"""What all commands of ``lancert admin`` share: the folder, JSON or not, the database, and how failures are said."""

import contextlib
import difflib
import functools
import getpass
import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from lancert.cli.admin.nearest import Named, nearest
from lancert.kit.clock import SystemClock
from lancert.kit.settings import default_folder
from lancert.service.directory.errors import AlreadyThere, NotUsable, Unknown
from lancert.service.directory.record import By
from lancert.service.model import Actor
from lancert.service.store import Connection
from lancert.service.store.engine import DatabaseLost, StoreUnavailable, had_database, open_engine, reading, writing


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was said for any command: where the service is, how to answer, why something is changed."""

    folder: Path
    is_default: bool
    as_json: bool
    why: str

    @property
    def by(self) -> By:
        """Give who changes something, now."""
        return By(actor=Actor(f"cli:{_account()}"), at=SystemClock().now(), why=self.why)

    def next(self, *arguments: str) -> str:
        """Write the command that comes next; capitals in it are for the operator to fill in."""
        folder = () if self.is_default else ("--folder", str(self.folder))
        return shlex.join(("lancert", "admin", *folder, *arguments))


class Suggesting(click.Group):
    """A group that answers an unknown command with the nearest known one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was meant."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            known = self.list_commands(ctx)
            near = difflib.get_close_matches(args[0], known, 1)
            hint = f"Did you mean {ctx.command_path} {near[0]}?" if near else f"Known are: {', '.join(known)}."
            ctx.fail(f"There is no command “{args[0]}” here. {hint}")
        return super().resolve_command(ctx, args)


def admin_command(group: click.Group, name: str, *, changes: bool = False) -> Callable[[Callable[..., None]], Any]:
    """Make a command of a function that takes ``chosen`` first; every command knows ``--folder`` and ``--json``."""

    def decorate(function: Callable[..., None]) -> Any:
        @functools.wraps(function)
        def run(folder: Path | None, as_json: bool, why: str = "", **given: Any) -> None:
            of_group = click.get_current_context().find_object(dict) or {}
            named = folder or of_group.get("folder")
            chosen = Chosen(
                folder=named or default_folder("service"),
                is_default=named is None,
                as_json=as_json or of_group.get("as_json", False),
                why=why,
            )
            function(chosen, **given)

        made = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(run)
        folder_type = click.Path(path_type=Path, file_okay=False)
        made = click.option("--folder", type=folder_type, help="The folder of the service.")(made)
        if changes:
            made = click.option("--why", default="", help="The reason, for the record of events.")(made)
        return group.command(name)(made)

    return decorate


@contextlib.contextmanager
def looking(chosen: Chosen, **named: str | None) -> Iterator[Connection]:
    """Hold a state of the directory; ``named`` are the ids of the command line, by what they name."""
    with _database(chosen, named, reading) as connection:
        yield connection


@contextlib.contextmanager
def changing(chosen: Chosen, **named: str | None) -> Iterator[Connection]:
    """Hold a change of the directory, made as a whole or not at all."""
    with _database(chosen, named, writing) as connection:
        yield connection


@contextlib.contextmanager
def _database(
    chosen: Chosen, named: Named, hold: Callable[[Any], contextlib.AbstractContextManager[Connection]]
) -> Iterator[Connection]:
    if not had_database(chosen.folder):
        raise click.ClickException(
            f"There is no certificate service in the folder {chosen.folder}. "
            "Start one with “lancert service run”, or name its --folder."
        )
    try:
        with contextlib.closing(_Engine(chosen.folder)) as opened, hold(opened.engine) as connection:
            try:
                yield connection
            except Unknown as error:
                raise click.UsageError(f"{error} {nearest(connection, named, chosen.next)}") from error
    except NotUsable as error:
        raise click.UsageError(str(error)) from error
    except AlreadyThere as error:
        raise click.ClickException(str(error)) from error
    except DatabaseLost as error:
        raise click.ClickException(f"{error}") from error
    except StoreUnavailable as error:
        raise click.ClickException(f"The database of the service cannot be used now: {error}.") from error
    except OSError as error:
        raise click.ClickException(f"The folder {chosen.folder} cannot be used: {error.strerror or error}.") from error


class _Engine:
    def __init__(self, folder: Path) -> None:
        self.engine = open_engine(folder)

    def close(self) -> None:
        self.engine.dispose()


def _account() -> str:
    # The environment may say anything; the account the process runs under does not.
    if os.name == "posix":
        import pwd  # exists on POSIX alone

        with contextlib.suppress(KeyError):
            return pwd.getpwuid(os.getuid()).pw_name
        return str(os.getuid())
    return getpass.getuser()
