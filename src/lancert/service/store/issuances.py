"""Issuances and the decisions before them, as rows; read and written for many boxes at once.

A row of ``issuances`` is the intent: it is committed before anything is signed, and the certificate is filled in
afterwards. A row without certificate is an intent that a crash left unfinished.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from lancert.protocol.messages import Counter
from lancert.protocol.signatures import Identity
from lancert.service.model import Candidate, ContractCode, Environment, Issuance, KeyHash
from lancert.service.store.schema import blocked_keys, boxes, databases, issuances, refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The counter a box is known by from now on, and the SHA-256 of the body that carried it."""

    box: int
    boot: int
    count: int
    body_hash: str
    at: datetime


_CANDIDATES = (
    select(
        boxes.c.number,
        boxes.c.id,
        boxes.c.identity,
        boxes.c.label,
        boxes.c.contract,
        databases.c.environment,
        databases.c.is_duplicated,
        boxes.c.suspended_at.is_not(None).label("is_suspended"),
        boxes.c.conflict_signs,
        boxes.c.boot,
        boxes.c.count.label("last_count"),
        boxes.c.body_hash,
    )
    .join_from(boxes, databases)
    .where(boxes.c.identity.in_(bindparam("identities", expanding=True)), boxes.c.withdrawn_at.is_(None))
)


def candidates(connection: Connection, identities: Sequence[Identity]) -> dict[Identity, Candidate]:
    """Give the live boxes of these identities; unknown and withdrawn ones are not in the answer."""
    rows = connection.execute(_CANDIDATES, {"identities": identities})
    return {row.identity: _candidate_of(row) for row in rows}


def _candidate_of(row: Any) -> Candidate:
    return Candidate(
        number=row.number,
        id=row.id,
        identity=row.identity,
        label=row.label,
        contract=row.contract,
        environment=Environment(row.environment),
        is_duplicated=row.is_duplicated,
        is_suspended=bool(row.is_suspended),
        conflict_signs=row.conflict_signs,
        counter=Counter(boot=row.boot, count=row.last_count),
        body_hash=row.body_hash,
    )


_RANKED = (
    select(
        boxes.c.number,
        func.row_number().over(partition_by=boxes.c.contract, order_by=boxes.c.joined).label("seat"),
    )
    .where(
        boxes.c.contract.in_(bindparam("contracts", expanding=True)),
        boxes.c.withdrawn_at.is_(None),
        boxes.c.suspended_at.is_(None),
    )
    .subquery()
)
_SEATS = select(_RANKED.c.number, _RANKED.c.seat).where(_RANKED.c.number.in_(bindparam("numbers", expanding=True)))


def seats(connection: Connection, contracts: Sequence[ContractCode], numbers: Sequence[int]) -> dict[int, int]:
    """Give the positions of boxes among those of their contract that take a seat, from 1; suspended ones have none."""
    rows = connection.execute(_SEATS, {"contracts": contracts, "numbers": numbers})
    return {row.number: row.seat for row in rows}


_COLUMNS = (
    issuances.c.serial,
    issuances.c.box,
    issuances.c.key_hash,
    issuances.c.public_key,
    issuances.c.names,
    issuances.c.not_before,
    issuances.c.not_after,
    issuances.c.issuer,
    issuances.c.certificate,
    boxes.c.identity,
)
_OF_KEYS = (
    select(*_COLUMNS)
    .outerjoin_from(issuances, boxes)
    .where(issuances.c.key_hash.in_(bindparam("keys", expanding=True)))
    .order_by(issuances.c.number.desc())
)


def issuances_of_keys(connection: Connection, keys: Sequence[KeyHash]) -> dict[KeyHash, tuple[Issuance, ...]]:
    """Give every issuance of these keys, newest first, finished or not."""
    found: dict[KeyHash, tuple[Issuance, ...]] = {}
    for row in connection.execute(_OF_KEYS, {"keys": keys}):
        issuance = _issuance_of(row)
        found[issuance.key_hash] = (*found.get(issuance.key_hash, ()), issuance)
    return found


def _issuance_of(row: Any) -> Issuance:
    return Issuance(
        serial=row.serial,
        box=row.box,
        key_hash=row.key_hash,
        public_key=row.public_key,
        names=tuple(row.names.split(" ")),
        not_before=row.not_before,
        not_after=row.not_after,
        issuer=row.issuer,
        certificate=row.certificate,
        identity=row.identity,
    )


def insert_intents(connection: Connection, intents: Iterable[tuple[Issuance, str]], at: datetime) -> None:
    """Record what is about to be signed, each with what was judged."""
    rows = [
        {
            "serial": intent.serial,
            "box": intent.box,
            "key_hash": intent.key_hash,
            "public_key": intent.public_key,
            "names": " ".join(intent.names),
            "facts": facts,
            "not_before": intent.not_before,
            "not_after": intent.not_after,
            "issuer": intent.issuer,
            "intended_at": at,
        }
        for intent, facts in intents
    ]
    if rows:
        connection.execute(issuances.insert(), rows)


_FINISH = (
    issuances.update()
    .where(issuances.c.serial == bindparam("of_serial"), issuances.c.certificate.is_(None))
    .values(certificate=bindparam("certificate"), issued_at=bindparam("issued_at"))
)


def finish_intents(connection: Connection, certificates: Mapping[str, bytes], at: datetime) -> None:
    """Record signed certificates (DER, by serial) with their intents; one that is finished already stays."""
    rows = [
        {"of_serial": serial, "certificate": certificate, "issued_at": at}
        for serial, certificate in certificates.items()
    ]
    if rows:
        connection.execute(_FINISH, rows)


_BLOCKED = select(blocked_keys.c.key_hash).where(blocked_keys.c.key_hash.in_(bindparam("keys", expanding=True)))


def blocked_among(connection: Connection, keys: Sequence[KeyHash]) -> frozenset[KeyHash]:
    """Give those of the keys that are blocked."""
    return frozenset(map(KeyHash, connection.execute(_BLOCKED, {"keys": keys}).scalars()))


def block_keys(connection: Connection, keys: Iterable[KeyHash], *, at: datetime, why: str) -> None:
    """Block keys for ever; those that are blocked already stay as they are."""
    wanted = sorted(keys)
    known = blocked_among(connection, wanted)
    rows = [{"key_hash": key, "at": at, "why": why} for key in wanted if key not in known]
    if rows:
        connection.execute(blocked_keys.insert(), rows)


_ACCEPT = (
    boxes.update()
    .where(boxes.c.number == bindparam("of_box"))
    .values(
        {
            boxes.c.boot: bindparam("new_boot"),
            boxes.c.count: bindparam("new_count"),
            boxes.c.body_hash: bindparam("new_body_hash"),
            boxes.c.seen_at: bindparam("new_seen_at"),
        }
    )
)


def accept_counters(connection: Connection, accepted: Iterable[Accepted]) -> None:
    """Record the counters that were accepted."""
    rows = [
        {
            "of_box": one.box,
            "new_boot": one.boot,
            "new_count": one.count,
            "new_body_hash": one.body_hash,
            "new_seen_at": one.at,
        }
        for one in accepted
    ]
    if rows:
        connection.execute(_ACCEPT, rows)


_SIGN_OF_CONFLICT = (
    boxes.update()
    .where(boxes.c.number == bindparam("of_box"))
    .values({boxes.c.conflict_signs: boxes.c.conflict_signs + 1})
)


def add_conflict_sign(connection: Connection, box: int) -> None:
    """Count one more sign that two IoT systems use the identity of this box."""
    connection.execute(_SIGN_OF_CONFLICT, {"of_box": box})


def insert_refusals(connection: Connection, refused: Iterable[tuple[int, str]], at: datetime) -> None:
    """Record the boxes that were refused, each with what was judged."""
    rows = [{"box": box, "at": at, "facts": facts} for box, facts in refused]
    if rows:
        connection.execute(refusals.insert(), rows)
