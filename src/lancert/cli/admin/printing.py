"""How things of the directory look on a terminal and in JSON."""

import dataclasses
import json
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from lancert.cli.admin.options import Chosen
from lancert.kit.clock import to_text

_UNSEEN = ("identity", "counter", "number")


def document(thing: Any) -> Any:
    """Give a fact of the directory as JSON knows it; what is of use to programs of ours alone is left out."""
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        names = [field.name for field in dataclasses.fields(thing) if field.name not in _UNSEEN]
        return {name: document(getattr(thing, name)) for name in names}
    if isinstance(thing, datetime):
        return to_text(thing)
    if isinstance(thing, list | tuple):
        return [document(item) for item in thing]
    if thing is None or isinstance(thing, bool | int):
        return thing
    return str(thing)


def print_json(thing: Any) -> None:
    """Print a document, for programs and for people who pipe it to one."""
    click.echo(json.dumps(thing, indent=2, ensure_ascii=False))


def print_list(chosen: Chosen, things: Sequence[Any], table: Sequence[Sequence[str]], empty: Sequence[str]) -> None:
    """Print many: a table under its headings, or what to do when there are none."""
    if chosen.as_json:
        print_json([document(thing) for thing in things])
    elif things:
        print_table(table)
    else:
        click.echo("\n".join(empty))


def print_one(chosen: Chosen, thing: Any, facts: Sequence[tuple[str, str]]) -> None:
    """Print one: its facts, one a line."""
    if chosen.as_json:
        print_json(document(thing))
    else:
        print_facts(facts)


def print_change(chosen: Chosen, thing: Any, did: str, *then: str) -> None:
    """Print what was done and what comes next."""
    if chosen.as_json:
        print_json(document(thing))
    else:
        click.echo("\n".join((did, *then)))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in aligned columns, the first row being the headings."""
    widths = [max(_width(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    width = max(_width(name) for name, _ in facts) + 2
    for name, value in facts:
        click.echo(f"{name + ' ' * (width - _width(name))}{value}".rstrip())


def moment(when: datetime | None) -> str:
    """Write a moment for people."""
    return "-" if when is None else f"{when:%Y-%m-%d %H:%M} UTC"


def _width(text: str) -> int:
    # A terminal gives wide signs two columns and combining ones none.
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )
