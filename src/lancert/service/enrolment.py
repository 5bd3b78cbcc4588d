"""First contact: a box shows a credential and becomes known, with a label of its own.

The identity signed the request, so nobody can enrol for somebody else. The same identity again is the same box with
the same label; with another credential the box moves to that contract and comes last there. An unknown contract, an
unknown database and two that do not belong together get one answer after the same look-ups (S-39, S-41).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lancert.protocol.credential import NotACredential, parse_contract, parse_database_uuid
from lancert.protocol.messages import Counter, EnrolmentRequest
from lancert.protocol.names import Label, new_label
from lancert.protocol.signatures import Identity
from lancert.service.counter import CounterVerdict, accepted, check_counter
from lancert.service.model import Actor, Box, BoxId, Contract, ContractCode, Database, DatabaseUuid, Event
from lancert.service.store import Connection
from lancert.service.store import boxes as rows
from lancert.service.store.events import record_event
from lancert.service.store.tenants import find_contract, find_database
from lancert.service.store.zone import next_generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """The box is known; ``is_changed`` says that the zone has something new."""

    box: BoxId
    label: Label
    is_changed: bool = False


@dataclass(frozen=True, slots=True)
class NotRecognised:
    """The contract and the database are not known together."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """The counter of the request was used before."""


def enrol(
    connection: Connection, request: EnrolmentRequest, *, identity: Identity, body_hash: str, now: datetime
) -> Enrolled | NotRecognised | Repeated:
    """Make the box known, or recognise it; one unit of work."""
    credential = _recognise(connection, request)
    if credential is None:
        return NotRecognised()
    contract, database = credential
    now_known = {
        "contract": contract.code,
        "database": database.uuid,
        "kind": request.kind.value,
        "name": request.name,
        "version": request.version,
    }
    live = rows.live_box(connection, identity)
    last = accepted(request.counter, body_hash, None if live is None else live.last)
    counter = {**rows.counter_columns(last), "seen_at": now}
    if live is None:
        return _add(connection, {**now_known, **counter}, identity=identity, contract=contract, now=now)
    box = live.box
    changed: dict[str, Any] = {name: value for name, value in now_known.items() if value != getattr(box, name)}
    verdict = check_counter(request.counter, body_hash, live.last)
    if verdict is not CounterVerdict.NEW:
        if verdict is CounterVerdict.FORKED:
            rows.add_conflict_sign(connection, box.number, request.counter)
        return Repeated() if changed or verdict is CounterVerdict.FORKED else Enrolled(box=box.id, label=box.label)
    if changed.keys() & {"contract", "database"}:
        _record(connection, box.id, contract, "box connected to another database", now)
    if "contract" in changed:
        changed["joined"] = next_generation(connection)
    rows.update_box(connection, box.id, {**changed, **counter})
    return Enrolled(box=box.id, label=box.label)


def _recognise(connection: Connection, request: EnrolmentRequest) -> tuple[Contract, Database] | None:
    try:
        code = ContractCode(parse_contract(request.contract).reveal())
        uuid = DatabaseUuid(parse_database_uuid(request.database).reveal())
    except NotACredential:
        code, uuid = ContractCode(""), DatabaseUuid("")
    # Both are looked up whatever the first one gives, so that the time says nothing about either.
    contract, database = find_contract(connection, code), find_database(connection, uuid)
    if contract is None or database is None or contract.tenant != database.tenant:
        return None
    return contract, database


def _add(
    connection: Connection, known: dict[str, Any], *, identity: Identity, contract: Contract, now: datetime
) -> Enrolled | Repeated:
    before = rows.last_withdrawn(connection, identity)
    if before is not None and not _is_newer(known, before):
        return Repeated()
    made = add_live_box(connection, known, identity=identity, now=now)
    _record(connection, made.box, contract, "box enrolled", now)
    return made


def add_live_box(connection: Connection, known: dict[str, Any], *, identity: Identity, now: datetime) -> Enrolled:
    """Give an identity a box with a label of its own; ``known`` holds its names, where it belongs and its counter."""
    label = new_label()
    while rows.label_exists(connection, label):
        label = new_label()
    generation = next_generation(connection)
    box = BoxId(f"box-{secrets.token_hex(8)}")
    rows.insert_box(
        connection,
        {
            **known,
            "id": box,
            "label": label,
            "identity": identity,
            "enrolled_at": now,
            "addresses": [],
            "problems": [],
            "joined": generation,
            "generation": generation,
        },
    )
    return Enrolled(box=box, label=label, is_changed=True)


def _is_newer(known: dict[str, Any], before: Box) -> bool:
    return Counter(boot=known["boot"], count=known["count"]) > before.counter


def _record(connection: Connection, box: BoxId, contract: Contract, action: str, now: datetime) -> None:
    event = Event(at=now, actor=Actor(f"box:{box}"), action=action, subject=f"box {box}", why="")
    record_event(connection, event, tenant=contract.tenant)
