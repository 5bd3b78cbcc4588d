"""What an operator may have meant by an id nobody knows."""

import difflib
from collections.abc import Callable, Mapping

from lancert.service.directory.boxes import list_boxes
from lancert.service.directory.subscriptions import list_subscriptions
from lancert.service.directory.tenants import list_contracts, list_databases, list_tenants
from lancert.service.store import Connection

Named = Mapping[str, str | None]

_FEW = 8
_ADD = {
    "tenant": ("tenant", "add", "NAME"),
    "contract": ("contract", "add", "CODE", "--tenant", "TENANT"),
    "subscription": ("subscription", "add", "--contract", "CODE"),
    "database": ("database", "add", "UUID", "--tenant", "TENANT", "--name", "NAME"),
}


def nearest(connection: Connection, named: Named, command: Callable[..., str]) -> str:
    """Give a sentence about the first of the named ids that does not exist; ``command`` writes a command line."""
    for kind, text in named.items():
        if text is None:
            continue
        known = _known(connection, kind)
        if text in known.values():
            continue
        if not known:
            return f"There is none yet{_how_to_begin(kind, command)}"
        spelled = {spelling.casefold(): spelling for spelling in known}
        near = difflib.get_close_matches(text.casefold(), spelled, 3, 0.5)
        meant = list(dict.fromkeys(known[spelled[spelling]] for spelling in near))
        if meant:
            return f"Did you mean {' or '.join(meant)}?"
        ids = list(dict.fromkeys(known.values()))
        if len(ids) <= _FEW:
            return f"Known are: {', '.join(ids)}."
        return f"All of them: {command(kind, 'list')}"
    return ""


def _how_to_begin(kind: str, command: Callable[..., str]) -> str:
    if kind in _ADD:
        return f"; add one with: {command(*_ADD[kind])}"
    return ": an IoT system appears here when it is connected to this service."


def _known(connection: Connection, kind: str) -> Mapping[str, str]:
    """Give every spelling people use for things of a kind, with the id that was meant."""
    match kind:
        case "tenant":
            tenants = list_tenants(connection)
            return {tenant.name: tenant.id for tenant in tenants} | {tenant.id: tenant.id for tenant in tenants}
        case "contract":
            return {contract.code: contract.code for contract in list_contracts(connection)}
        case "subscription":
            return {one.id: one.id for one in list_subscriptions(connection)}
        case "database":
            databases = list_databases(connection)
            return {one.name: one.uuid for one in databases} | {one.uuid: one.uuid for one in databases}
        case "box":
            boxes = list_boxes(connection, withdrawn=True)
            return {
                **{box.name: box.label for box in boxes},
                **{box.id: box.id for box in boxes},
                **{box.label: box.label for box in boxes},
            }
        case _:
            raise ValueError(f"nothing is called {kind}")
