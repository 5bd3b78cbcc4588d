"""Boxes, as rows: who they are, the last counter accepted, what they reported.

Withdrawn boxes stay as history and are found by their id only; an identity belongs to one live box at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, or_, select

from lancert.protocol.messages import CheckVerdict, Counter, Kind, ReportedCheck, ReportedDiagnosis
from lancert.protocol.names import Label
from lancert.protocol.signatures import Identity
from lancert.service.counter import LastAccepted
from lancert.service.model import Box, BoxId, ContractCode, DatabaseUuid, TenantId
from lancert.service.store.schema import boxes, contracts


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxRow:
    """A box with what only the rules of the counter look at: the last request accepted."""

    box: Box
    last: LastAccepted


def insert_box(connection: Connection, values: Mapping[str, Any]) -> None:
    """Add a box; ``number`` is given by the database."""
    connection.execute(boxes.insert(), values)


def update_box(connection: Connection, box: BoxId, values: Mapping[str, Any]) -> None:
    """Change columns of one box."""
    connection.execute(boxes.update().where(boxes.c.id == box), values)


def counter_columns(last: LastAccepted) -> dict[str, Any]:
    """Give the columns that hold the last request accepted."""
    return {
        "boot": last.counter.boot,
        "count": last.counter.count,
        "body_hash": last.body_hash,
        "former_boot": last.former.boot,
        "former_count": last.former.count,
        "conflict_signs": last.signs,
    }


_SIGN_OF_CONFLICT = (
    boxes.update()
    .where(boxes.c.number == bindparam("of_box"))
    .values(
        {
            boxes.c.conflict_signs: boxes.c.conflict_signs + 1,
            # The request that was a sign is no other one when it is repeated.
            boxes.c.former_count: case(
                (boxes.c.former_boot == bindparam("seen_boot"), bindparam("seen_count")), else_=boxes.c.former_count
            ),
        }
    )
)


def add_conflict_sign(connection: Connection, box: int, seen: Counter) -> None:
    """Count one more sign that two IoT systems use the identity of this box."""
    connection.execute(_SIGN_OF_CONFLICT, {"of_box": box, "seen_boot": seen.boot, "seen_count": seen.count})


def find_box(connection: Connection, box: BoxId) -> Box | None:
    """Give a box by its id or its label, withdrawn or not, if it exists."""
    row = connection.execute(select(boxes).where(or_(boxes.c.id == box, boxes.c.label == box))).one_or_none()
    return None if row is None else box_of(row)


def live_box(connection: Connection, identity: Identity) -> BoxRow | None:
    """Give the live box of an identity, if there is one."""
    query = select(boxes).where(boxes.c.identity == identity, boxes.c.withdrawn_at.is_(None))
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    box, former = box_of(row), Counter(boot=row.former_boot, count=row.former_count)
    return BoxRow(box=box, last=LastAccepted(box.counter, row.body_hash, former, box.conflict_signs))


def last_withdrawn(connection: Connection, identity: Identity) -> Box | None:
    """Give the box of an identity that was withdrawn last, if there is one."""
    query = (
        select(boxes)
        .where(boxes.c.identity == identity, boxes.c.withdrawn_at.is_not(None))
        .order_by(boxes.c.number.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else box_of(row)


def list_boxes(
    connection: Connection,
    *,
    tenant: TenantId | None = None,
    contract: ContractCode | None = None,
    withdrawn: bool = False,
) -> Sequence[Box]:
    """Give boxes in order of enrolment: of a tenant, of a contract or all; withdrawn ones only when asked for."""
    query = select(boxes).order_by(boxes.c.number)
    if tenant is not None:
        query = query.join(contracts, contracts.c.code == boxes.c.contract).where(contracts.c.tenant == tenant)
    if contract is not None:
        query = query.where(boxes.c.contract == contract)
    if not withdrawn:
        query = query.where(boxes.c.withdrawn_at.is_(None))
    return [box_of(row) for row in connection.execute(query)]


def count_active(connection: Connection, contract: ContractCode) -> int:
    """Count the boxes of a contract that take a seat: neither withdrawn nor suspended."""
    query = select(func.count()).where(
        boxes.c.contract == contract, boxes.c.withdrawn_at.is_(None), boxes.c.suspended_at.is_(None)
    )
    return connection.execute(query).scalar_one()


def label_exists(connection: Connection, label: Label) -> bool:
    """Say whether a label was ever given."""
    return connection.execute(select(boxes.c.number).where(boxes.c.label == label)).first() is not None


def box_of(row: Row[Any]) -> Box:
    """Read a box out of a full row."""
    return Box(
        id=BoxId(row.id),
        number=row.number,
        label=Label(row.label),
        identity=Identity(row.identity),
        kind=Kind(row.kind),
        name=row.name,
        version=row.version,
        contract=ContractCode(row.contract),
        database=DatabaseUuid(row.database),
        enrolled_at=_known(row.enrolled_at),
        counter=Counter(boot=row.boot, count=row._mapping["count"]),
        suspended_at=row.suspended_at,
        withdrawn_at=row.withdrawn_at,
        conflict_signs=row.conflict_signs,
        addresses=tuple(ip_address(text) for text in row.addresses),
        problems=tuple(row.problems),
        diagnosis=_diagnosis_of(row.diagnosis),
        certificate_serial=row.certificate_serial,
        certificate_not_after=row.certificate_not_after,
        seen_at=row.seen_at,
    )


def _diagnosis_of(read: Any) -> ReportedDiagnosis | None:
    if read is None:
        return None
    checks = [
        ReportedCheck(check=one["check"], verdict=CheckVerdict(one["verdict"]), because=one["because"])
        for one in read["checks"]
    ]
    return ReportedDiagnosis(at=read["at"], checks=checks)


def _known(moment: datetime | None) -> datetime:
    assert moment is not None
    return moment
