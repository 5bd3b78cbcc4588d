"""The facts the service keeps, as frozen values: tenants, contracts, subscriptions, databases and boxes.

A credential is a contract and a database of the same tenant. Subscriptions belong to a contract and say how many
IoT boxes it may have; a box belongs to the contract and the database it was enrolled with. How they are stored is
the business of ``service.store``; what follows from them is decided in ``service.eligibility``.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, NewType

from lancert.protocol.messages import Counter, Kind, ReportedDiagnosis
from lancert.protocol.names import Address, Label
from lancert.protocol.signatures import Identity
from lancert.service.counter import CONFLICT_SIGNS, LastAccepted

TenantId = NewType("TenantId", str)
ContractCode = NewType("ContractCode", str)
SubscriptionId = NewType("SubscriptionId", str)
DatabaseUuid = NewType("DatabaseUuid", str)
BoxId = NewType("BoxId", str)

Actor = NewType("Actor", str)
"""Who changes something, as the record of events names it: ``cli:root``, ``box:<id>``, ``service``."""

KeyHash = NewType("KeyHash", str)
"""SHA-256 of a SubjectPublicKeyInfo in lower-case hexadecimal: how keys are compared and blocked."""

IOT_BOX_PRODUCT: Final = "iot-box"
"""The product of a subscription line that gives seats to IoT boxes."""


class SubscriptionStatus(StrEnum):
    """Where a subscription stands; only one in progress gives seats."""

    DRAFT = "draft"
    IN_PROGRESS = "in-progress"
    PAUSED = "paused"
    CLOSED = "closed"


class Environment(StrEnum):
    """What a database is; only a production database is eligible."""

    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"
    COPY = "copy"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A customer account; ``id`` is chosen by the operator or the ERP system, ``name`` is for people."""

    id: TenantId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The agreement with a tenant; its code is one half of a credential."""

    code: ContractCode
    tenant: TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a subscription: a product and how many of it."""

    product: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a contract contains, and whether it runs."""

    id: SubscriptionId
    contract: ContractCode
    status: SubscriptionStatus
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A tenant's instance; its UUID is the other half of a credential."""

    uuid: DatabaseUuid
    tenant: TenantId
    name: str
    environment: Environment
    is_duplicated: bool = False
    """The same UUID is announced from two places; until databases announce themselves an operator sets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An IoT system as the service knows it; ``number`` is the order of enrolment."""

    id: BoxId
    number: int
    label: Label
    identity: Identity
    kind: Kind
    name: str
    version: str
    contract: ContractCode
    database: DatabaseUuid
    enrolled_at: datetime
    counter: Counter
    suspended_at: datetime | None = None
    withdrawn_at: datetime | None = None
    conflict_signs: int = 0
    addresses: tuple[Address, ...] = ()
    problems: tuple[str, ...] = ()
    diagnosis: ReportedDiagnosis | None = None
    """What its doctor found last."""

    certificate_serial: str | None = None
    """The serial of the certificate the box said it serves, and its end."""

    certificate_not_after: datetime | None = None
    seen_at: datetime | None = None
    """When the box last sent a request that was accepted and recorded."""

    @property
    def is_suspended(self) -> bool:
        """Say whether an operator suspended the box."""
        return self.suspended_at is not None

    @property
    def has_conflict(self) -> bool:
        """Say whether two IoT systems were seen to use this identity."""
        return self.conflict_signs >= CONFLICT_SIGNS


class Candidate(NamedTuple):
    """What a decision over a certificate looks at of one live box and its database.

    ``seat`` is the position of the box among those of its contract that take a seat, counted from 1; a suspended
    box has none.
    """

    number: int
    identity: Identity
    label: Label
    contract: ContractCode
    environment: Environment
    is_duplicated: bool
    is_suspended: bool
    seat: int | None
    last: LastAccepted


class Issuance(NamedTuple):
    """What is or was about to be signed; finished when there is a certificate (DER).

    ``serial`` is lower-case hexadecimal, ``issuer`` the SHA-256 fingerprint of the issuing certificate; ``box`` and
    its ``identity`` are None when the certificate is the service's own.
    """

    serial: str
    box: int | None
    key_hash: KeyHash
    public_key: bytes
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    issuer: str
    certificate: bytes | None = None
    identity: Identity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the record of changes: who did what to what, when and why."""

    at: datetime
    actor: Actor
    action: str
    subject: str
    why: str
