"""Boxes as operators see them: add, show, list, change, suspend, resume, withdraw.

Most boxes come by themselves, with a credential. One that is added beforehand, by its public identity, has its label
before it is ever switched on; it still needs the credential to be enrolled.

A withdrawn box gives its seat back, its label is NXDOMAIN from the next zone generation on, and to the API it does
not exist. An IoT system that still holds a credential can enrol again and gets another label: to keep one
out, suspend it.
"""

from collections.abc import Sequence
from dataclasses import replace

from lancert.protocol.messages import Kind
from lancert.protocol.signatures import Identity, is_identity
from lancert.service.counter import NEVER, LastAccepted
from lancert.service.directory.errors import AlreadyThere, NotUsable, Unknown
from lancert.service.directory.record import By, check_name, record
from lancert.service.directory.tenants import show_contract, show_database, show_tenant
from lancert.service.enrolment import add_live_box
from lancert.service.model import Box, BoxId, Contract, ContractCode, DatabaseUuid, TenantId
from lancert.service.store import Connection
from lancert.service.store import boxes as rows
from lancert.service.store.zone import next_generation


def add_box(
    connection: Connection,
    identity: Identity,
    contract: ContractCode,
    database: DatabaseUuid,
    by: By,
    *,
    name: str,
    kind: Kind = Kind.BOX,
) -> Box:
    """Make a box known by its public identity before its first contact. Raises AlreadyThere, NotUsable, Unknown."""
    if not is_identity(identity):
        raise NotUsable("An identity has 43 characters; on the IoT system “lancert box identity” prints it.")
    check_name(name, "name of an IoT system")
    belongs = _credential(connection, contract, database)
    if rows.live_box(connection, identity) is not None:
        raise AlreadyThere("There is an IoT system with this identity already.")
    known = {"contract": belongs.code, "database": database, "kind": kind.value, "name": name, "version": ""}
    before = rows.last_withdrawn(connection, identity)
    first = {**rows.counter_columns(LastAccepted(NEVER if before is None else before.counter, "")), "seen_at": None}
    made = add_live_box(connection, {**known, **first}, identity=identity, now=by.at)
    box = show_box(connection, made.box)
    _record(connection, by, "box added", box)
    return box


def change_box(
    connection: Connection, box: BoxId, by: By, *, name: str | None = None, database: DatabaseUuid | None = None
) -> Box:
    """Change what a box is called, or which database of its tenant it is for. Raises Unknown, NotUsable."""
    found = _live(connection, box)
    if name is not None:
        check_name(name, "name of an IoT system")
    if database is not None:
        _credential(connection, found.contract, database)
    changed = replace(
        found,
        name=found.name if name is None else name,
        database=found.database if database is None else database,
    )
    rows.update_box(connection, found.id, {"name": changed.name, "database": changed.database})
    if changed.name != found.name:
        _record(connection, by, f"box renamed to {changed.name}", changed)
    if changed.database != found.database:
        _record(connection, by, f"box moved to database {changed.database}", changed)
    return changed


def show_box(connection: Connection, box: BoxId) -> Box:
    """Give a box by its id or its label, withdrawn or not. Raises Unknown."""
    found = rows.find_box(connection, box)
    if found is None:
        raise Unknown(f"There is no box {box}.")
    return found


def list_boxes(
    connection: Connection,
    *,
    tenant: TenantId | None = None,
    contract: ContractCode | None = None,
    withdrawn: bool = False,
) -> Sequence[Box]:
    """Give boxes in order of enrolment: of a tenant, of a contract or all. Raises Unknown."""
    if tenant is not None:
        show_tenant(connection, tenant)
    if contract is not None:
        show_contract(connection, contract)
    return rows.list_boxes(connection, tenant=tenant, contract=contract, withdrawn=withdrawn)


def suspend_box(connection: Connection, box: BoxId, by: By) -> Box:
    """Refuse this box certificates until it is resumed; it takes no seat meanwhile. Raises Unknown, NotUsable."""
    found = _live(connection, box)
    if found.is_suspended:
        return found
    rows.update_box(connection, found.id, {"suspended_at": by.at})
    _record(connection, by, "box suspended", found)
    return replace(found, suspended_at=by.at)


def resume_box(connection: Connection, box: BoxId, by: By) -> Box:
    """Lift the suspension of a box, and what was seen of a conflict of identities. Raises Unknown, NotUsable."""
    found = _live(connection, box)
    if not found.is_suspended and not found.conflict_signs:
        return found
    rows.update_box(connection, found.id, {"suspended_at": None, "conflict_signs": 0})
    _record(connection, by, "box resumed", found)
    return replace(found, suspended_at=None, conflict_signs=0)


def withdraw_box(connection: Connection, box: BoxId, by: By) -> Box:
    """Take a box out: no seat, no certificate, no name. Raises Unknown, NotUsable."""
    found = _live(connection, box)
    rows.update_box(connection, found.id, {"withdrawn_at": by.at, "generation": next_generation(connection)})
    _record(connection, by, "box removed", found)
    return replace(found, withdrawn_at=by.at)


def _credential(connection: Connection, contract: ContractCode, database: DatabaseUuid) -> Contract:
    """Give the contract when the database is of the same tenant. Raises Unknown, NotUsable."""
    belongs = show_contract(connection, contract)
    if show_database(connection, database).tenant != belongs.tenant:
        raise NotUsable(f"The database {database} is not one of the tenant {belongs.tenant}.")
    return belongs


def _live(connection: Connection, box: BoxId) -> Box:
    found = show_box(connection, box)
    if found.withdrawn_at is not None:
        raise NotUsable(f"The box {found.id} was removed already; when it enrols again it is a new one.")
    return found


def _record(connection: Connection, by: By, action: str, box: Box) -> None:
    record(connection, by, action, f"box {box.id}", show_contract(connection, box.contract).tenant)
