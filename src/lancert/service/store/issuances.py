"""Issuances and the decisions before them, as rows; read and written for many boxes at once.

A row of ``issuances`` is the intent: it is committed before anything is signed, and the certificate is filled in
afterwards. A row without certificate is an intent that a crash left unfinished.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select

from lancert.protocol.messages import Counter
from lancert.protocol.names import Label
from lancert.protocol.signatures import Identity
from lancert.service.counter import LastAccepted
from lancert.service.model import Candidate, ContractCode, Environment, Issuance, KeyHash
from lancert.service.store.engine import among
from lancert.service.store.many import ForMany
from lancert.service.store.schema import blocked_keys, boxes, databases, issuances, refusals, seconds

# The boxes of the same contract that came before or with this one and take a seat.
_EARLIER = boxes.alias("earlier")
_SEAT = (
    select(func.count())
    .where(
        _EARLIER.c.contract == boxes.c.contract,
        _EARLIER.c.withdrawn_at.is_(None),
        _EARLIER.c.suspended_at.is_(None),
        _EARLIER.c.joined <= boxes.c.joined,
    )
    .scalar_subquery()
)
_CANDIDATES = (
    select(
        boxes.c.number,
        boxes.c.identity,
        boxes.c.label,
        boxes.c.contract,
        databases.c.environment,
        databases.c.is_duplicated,
        boxes.c.suspended_at.is_not(None),
        case((boxes.c.suspended_at.is_(None), _SEAT)),
        boxes.c.conflict_signs,
        boxes.c.boot,
        boxes.c.count,
        boxes.c.body_hash,
        boxes.c.former_boot,
        boxes.c.former_count,
    )
    .join_from(boxes, databases)
    .where(among(boxes.c.identity, "identities"), boxes.c.withdrawn_at.is_(None))
)


def candidates(connection: Connection, identities: Sequence[Identity]) -> dict[Identity, Candidate]:
    """Give the live boxes of these identities; unknown and withdrawn ones are not in the answer."""
    rows = connection.execute(_CANDIDATES, {"identities": identities}).all()
    return {row[1]: _candidate_of(*row) for row in rows}


def _candidate_of(
    number: int,
    identity: Identity,
    label: Label,
    contract: ContractCode,
    environment: str,
    is_duplicated: bool,
    is_suspended: bool,
    seat: int | None,
    conflict_signs: int,
    boot: int,
    count: int,
    body_hash: str,
    former_boot: int,
    former_count: int,
) -> Candidate:
    return Candidate(
        number=number,
        identity=identity,
        label=label,
        contract=contract,
        environment=Environment(environment),
        is_duplicated=is_duplicated,
        is_suspended=is_suspended,
        seat=seat,
        last=LastAccepted(
            Counter(boot=boot, count=count), body_hash, Counter(boot=former_boot, count=former_count), conflict_signs
        ),
    )


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
    .where(among(issuances.c.key_hash, "keys"))
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


_INTEND = ForMany(
    issuances.insert(),
    "serial",
    "box",
    "key_hash",
    "public_key",
    "names",
    "facts",
    "not_before",
    "not_after",
    "issuer",
    "intended_at",
)


def insert_intents(connection: Connection, intents: Iterable[tuple[Issuance, str]], at: datetime) -> None:
    """Record what is about to be signed, each with what was judged."""
    intended_at = seconds(at)
    rows = [
        (
            intent.serial,
            intent.box,
            intent.key_hash,
            intent.public_key,
            " ".join(intent.names),
            facts,
            seconds(intent.not_before),
            seconds(intent.not_after),
            intent.issuer,
            intended_at,
        )
        for intent, facts in intents
    ]
    _INTEND.run(connection, rows)


_FINISH = ForMany(
    issuances.update()
    .where(issuances.c.serial == bindparam("of_serial"), issuances.c.certificate.is_(None))
    .values(certificate=bindparam("certificate"), issued_at=bindparam("issued_at")),
    "of_serial",
    "certificate",
    "issued_at",
)


def finish_intents(connection: Connection, certificates: Mapping[str, bytes], at: datetime) -> None:
    """Record signed certificates (DER, by serial) with their intents; one that is finished already stays."""
    issued_at = seconds(at)
    _FINISH.run(connection, [(serial, certificate, issued_at) for serial, certificate in certificates.items()])


_BLOCKED = select(blocked_keys.c.key_hash).where(among(blocked_keys.c.key_hash, "keys"))


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


_ACCEPT = ForMany(
    boxes.update()
    .where(boxes.c.number == bindparam("of_box"))
    .values(
        {
            boxes.c.boot: bindparam("new_boot"),
            boxes.c.count: bindparam("new_count"),
            boxes.c.body_hash: bindparam("new_body_hash"),
            boxes.c.former_boot: bindparam("new_former_boot"),
            boxes.c.former_count: bindparam("new_former_count"),
            boxes.c.conflict_signs: bindparam("new_signs"),
            boxes.c.seen_at: bindparam("new_seen_at"),
        }
    ),
    "of_box",
    "new_boot",
    "new_count",
    "new_body_hash",
    "new_former_boot",
    "new_former_count",
    "new_signs",
    "new_seen_at",
)


def accept_counters(connection: Connection, accepted: Iterable[tuple[int, LastAccepted]], at: datetime) -> None:
    """Record the counter each box is known by from now on, and the SHA-256 of the body that carried it."""
    seen_at = seconds(at)
    _ACCEPT.run(
        connection,
        [
            (box, counter.boot, counter.count, body_hash, former.boot, former.count, signs, seen_at)
            for box, (counter, body_hash, former, signs) in accepted
        ],
    )


_REFUSE = ForMany(refusals.insert(), "box", "at", "facts")


def insert_refusals(connection: Connection, refused: Iterable[tuple[int, str]], at: datetime) -> None:
    """Record the boxes that were refused, each with what was judged."""
    refused_at = seconds(at)
    _REFUSE.run(connection, [(box, refused_at, facts) for box, facts in refused])
