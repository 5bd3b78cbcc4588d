"""Boxes as operators see them: show, list, suspend, resume, withdraw.

A withdrawn box gives its seat back, its label is NXDOMAIN from the next zone generation on, and to the API it does
not exist. An IoT system that still holds a credential can enrol again and gets another label: to keep one
out, suspend it.
"""

from collections.abc import Sequence
from dataclasses import replace

from lancert.service.directory.errors import NotUsable, Unknown
from lancert.service.directory.record import By, record
from lancert.service.directory.tenants import show_contract, show_tenant
from lancert.service.model import Box, BoxId, ContractCode, TenantId
from lancert.service.store import Connection
from lancert.service.store import boxes as rows
from lancert.service.store.zone import next_generation


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


def _live(connection: Connection, box: BoxId) -> Box:
    found = show_box(connection, box)
    if found.withdrawn_at is not None:
        raise NotUsable(f"The box {found.id} was removed already; when it enrols again it is a new one.")
    return found


def _record(connection: Connection, by: By, action: str, box: Box) -> None:
    record(connection, by, action, f"box {box.id}", show_contract(connection, box.contract).tenant)
