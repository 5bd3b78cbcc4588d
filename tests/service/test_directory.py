"""The directory: operators add, change, show and list; every change is recorded, every mistake is a sentence."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.service.harness import NOON, Credentials, add_customer, by

from lancert.protocol.credential import parse_token
from lancert.protocol.messages import Counter, EnrolmentRequest, Kind
from lancert.protocol.signatures import Identity
from lancert.service.directory.boxes import list_boxes, resume_box, show_box, suspend_box, withdraw_box
from lancert.service.directory.connection import connection_token
from lancert.service.directory.errors import AlreadyThere, DirectoryError, NotUsable, Unknown
from lancert.service.directory.subscriptions import (
    add_subscription,
    change_subscription,
    list_subscriptions,
    new_subscription_id,
    show_subscription,
)
from lancert.service.directory.tenants import (
    add_contract,
    add_database,
    add_tenant,
    change_database,
    change_tenant,
    list_contracts,
    list_databases,
    list_tenants,
    show_contract,
    show_database,
    show_tenant,
)
from lancert.service.enrolment import Enrolled, NotRecognised, Repeated, enrol
from lancert.service.model import (
    IOT_BOX_PRODUCT,
    BoxId,
    ContractCode,
    DatabaseUuid,
    Environment,
    Line,
    SubscriptionId,
    SubscriptionStatus,
    TenantId,
)
from lancert.service.store import Connection
from lancert.service.store.engine import open_engine, writing
from lancert.service.store.events import last_events
from lancert.service.store.issuances import candidates
from lancert.service.store.zone import zone_changes


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A transaction on a fresh database."""
    engine = open_engine(tmp_path)
    with writing(engine) as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def shop(connection: Connection) -> Credentials:
    """A customer with five seats."""
    return add_customer(connection)


def actions(connection: Connection, subject: str) -> list[str]:
    """What was recorded about a subject, oldest first."""
    return [event.action for event in last_events(connection, subject=subject)][::-1]


def enrolled(
    connection: Connection, credentials: Credentials, identity: str = "A", boot: int = 1, count: int = 1
) -> Enrolled | NotRecognised | Repeated:
    """Enrol a box by its identity."""
    request = EnrolmentRequest(
        counter=Counter(boot=boot, count=count),
        contract=credentials.contract,
        database=credentials.database,
        kind=Kind.BOX,
        name=f"Box {identity}",
        version="0.1.0",
    )
    body_hash = sha256(repr(request).encode()).hexdigest()
    return enrol(connection, request, identity=Identity(identity * 43), body_hash=body_hash, now=NOON)


def box_of(connection: Connection, credentials: Credentials, identity: str = "A") -> BoxId:
    """Enrol a box and give its id."""
    outcome = enrolled(connection, credentials, identity)
    assert isinstance(outcome, Enrolled)
    return outcome.box


def test_what_was_added_is_shown_and_listed(connection: Connection, shop: Credentials) -> None:
    """A customer with everything, and each part of it by its own key."""
    assert show_tenant(connection, shop.tenant).name == "The shop"
    assert show_contract(connection, shop.contract).tenant == shop.tenant
    assert show_subscription(connection, shop.subscription).lines == (Line(product=IOT_BOX_PRODUCT, quantity=5),)
    assert show_database(connection, shop.database).environment is Environment.PRODUCTION
    assert [one.id for one in list_tenants(connection)] == [shop.tenant]
    assert [one.code for one in list_contracts(connection, shop.tenant)] == [shop.contract]
    assert [one.id for one in list_subscriptions(connection, shop.contract)] == [shop.subscription]
    assert [one.uuid for one in list_databases(connection, shop.tenant)] == [shop.database]


def test_every_change_is_recorded_with_who_and_when(connection: Connection, shop: Credentials) -> None:
    """The record says what was changed from what to what; a change that changes nothing leaves no line."""
    later = by(NOON + timedelta(hours=1))
    change_database(connection, shop.database, later, environment=Environment.STAGING)
    change_database(connection, shop.database, later, environment=Environment.STAGING, name="shop")
    change_database(connection, shop.database, later, is_duplicated=True)
    change_subscription(connection, shop.subscription, later, status=SubscriptionStatus.PAUSED)
    change_subscription(connection, shop.subscription, later, status=SubscriptionStatus.PAUSED)
    change_tenant(connection, shop.tenant, later, name="The other shop")

    assert actions(connection, f"database {shop.database}") == [
        "database added as production",
        "database changed from production to staging",
        "database marked as duplicated",
    ]
    assert actions(connection, f"subscription {shop.subscription}") == [
        "subscription added: in-progress, iot-box=5",
        "subscription changed: paused, iot-box=5",
    ]
    newest = last_events(connection, subject=f"tenant {shop.tenant}")[0]
    assert (newest.action, newest.actor, newest.at) == ("tenant renamed", "test", later.at)


def test_lines_are_replaced_as_a_whole(connection: Connection, shop: Credentials) -> None:
    """Setting the lines says what there is, not what to add; the status stays."""
    lines = (Line(product="point-of-sale", quantity=1), Line(product=IOT_BOX_PRODUCT, quantity=2))
    change_subscription(connection, shop.subscription, by(), lines=lines)

    found = show_subscription(connection, shop.subscription)
    assert found.lines == lines
    assert found.status is SubscriptionStatus.IN_PROGRESS


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda c, s: add_tenant(c, s.tenant, "Again", by()), AlreadyThere),
        (lambda c, s: add_tenant(c, TenantId("no spaces"), "X", by()), NotUsable),
        (lambda c, s: add_tenant(c, TenantId("-x"), "X", by()), NotUsable),
        (lambda c, s: add_tenant(c, TenantId("x"), "", by()), NotUsable),
        (lambda c, s: add_tenant(c, TenantId("x"), "a\x1b[31mb", by()), NotUsable),
        (lambda c, s: change_tenant(c, TenantId("nobody"), by(), name="X"), Unknown),
        (lambda c, s: show_tenant(c, TenantId("nobody")), Unknown),
        (lambda c, s: add_contract(c, s.contract, s.tenant, by()), AlreadyThere),
        (lambda c, s: add_contract(c, ContractCode("C-2"), TenantId("nobody"), by()), Unknown),
        (lambda c, s: add_contract(c, ContractCode("C"), s.tenant, by()), NotUsable),
        (lambda c, s: list_contracts(c, TenantId("nobody")), Unknown),
        (lambda c, s: add_subscription(c, s.subscription, s.contract, by()), AlreadyThere),
        (lambda c, s: add_subscription(c, new_subscription_id(), ContractCode("C-9"), by()), Unknown),
        (lambda c, s: change_subscription(c, s.subscription, by(), lines=[Line(product="", quantity=1)]), NotUsable),
        (lambda c, s: change_subscription(c, s.subscription, by(), lines=[Line(product="x", quantity=-1)]), NotUsable),
        (lambda c, s: change_subscription(c, SubscriptionId("S-9"), by()), Unknown),
        (lambda c, s: list_subscriptions(c, ContractCode("C-9")), Unknown),
        (lambda c, s: add_database(c, s.database, s.tenant, by(), name="x"), AlreadyThere),
        (lambda c, s: add_database(c, DatabaseUuid(s.database.upper()), s.tenant, by(), name="x"), AlreadyThere),
        (lambda c, s: add_database(c, DatabaseUuid("1234"), s.tenant, by(), name="x"), NotUsable),
        (lambda c, s: add_database(c, DatabaseUuid(str(uuid4())), TenantId("nobody"), by(), name="x"), Unknown),
        (lambda c, s: change_database(c, DatabaseUuid(str(uuid4())), by(), name="x"), Unknown),
        (lambda c, s: list_databases(c, TenantId("nobody")), Unknown),
        (lambda c, s: show_box(c, BoxId("box-9")), Unknown),
        (lambda c, s: suspend_box(c, BoxId("box-9"), by()), Unknown),
        (lambda c, s: list_boxes(c, tenant=TenantId("nobody")), Unknown),
        (lambda c, s: list_boxes(c, contract=ContractCode("C-9")), Unknown),
    ],
)
def test_a_mistake_is_a_sentence_and_changes_nothing(
    connection: Connection,
    shop: Credentials,
    change: Callable[[Connection, Credentials], Any],
    error: type[DirectoryError],
) -> None:
    """Unknown ids, things that are there already, values that cannot be: each is told as what it is."""
    before = len(last_events(connection))

    with pytest.raises(error) as mistake:
        change(connection, shop)

    assert str(mistake.value).endswith(".")
    assert len(last_events(connection)) == before


def test_the_connection_token_connects_a_contract_with_a_database(connection: Connection, shop: Credentials) -> None:
    """What the owner pastes into the IoT system holds server, root, contract and database."""
    token = connection_token(
        connection,
        contract=shop.contract,
        database=shop.database,
        server="https://service.lancert.localhost:8443",
        root_fingerprint="0" * 64,
    )

    assert parse_token(token.write().reveal()) == token
    assert token.contract.reveal() == shop.contract


def test_a_token_for_two_tenants_is_refused(connection: Connection, shop: Credentials) -> None:
    """A credential is of one tenant."""
    other = add_customer(connection, "other")

    with pytest.raises(NotUsable, match="different tenants"):
        connection_token(
            connection, contract=shop.contract, database=other.database, server="https://x", root_fingerprint=None
        )


def test_a_box_is_found_by_its_id_and_by_its_label(connection: Connection, shop: Credentials) -> None:
    """Operators see the label in a URL and type that."""
    box = show_box(connection, box_of(connection, shop))

    assert show_box(connection, BoxId(box.label)) == box
    assert list_boxes(connection, tenant=shop.tenant) == [box] == list_boxes(connection, contract=shop.contract)


def seat_of(connection: Connection, credentials: Credentials, identity: str) -> int | None:
    """The seat of a box."""
    box = candidates(connection, [Identity(identity * 43)])[Identity(identity * 43)]
    return box.seat


def test_seats_are_given_in_order_of_enrolment(connection: Connection, shop: Credentials) -> None:
    """Suspending or removing a box moves the later ones up; resuming gives its old place back."""
    first, second = box_of(connection, shop, "A"), box_of(connection, shop, "B")
    box_of(connection, shop, "C")
    suspend_box(connection, first, by())

    assert [seat_of(connection, shop, name) for name in "ABC"] == [None, 1, 2]
    resume_box(connection, first, by())
    assert [seat_of(connection, shop, name) for name in "ABC"] == [1, 2, 3]
    withdraw_box(connection, second, by())
    assert [seat_of(connection, shop, name) for name in "AC"] == [1, 2]


def test_a_box_that_moves_to_another_contract_comes_last_there(connection: Connection, shop: Credentials) -> None:
    """An old box cannot take the seat of those that are there already."""
    other = add_customer(connection, "other")
    moving = box_of(connection, shop, "A")
    box_of(connection, other, "B")
    outcome = enrolled(connection, other, "A", count=2)

    assert outcome == Enrolled(box=moving, label=show_box(connection, moving).label)
    assert seat_of(connection, other, "B") == 1
    assert seat_of(connection, other, "A") == 2
    assert actions(connection, f"box {moving}")[-1] == "box connected to another database"


def test_a_removed_box_is_gone_and_its_label_never_comes_back(connection: Connection, shop: Credentials) -> None:
    """It is no candidate, no name of the zone; enrolling again makes a new box with another label."""
    box = box_of(connection, shop)
    before = zone_changes(connection, since=0)
    label = show_box(connection, box).label
    withdraw_box(connection, box, by())
    changes = zone_changes(connection, since=before.generation)

    assert label in before.changed
    assert changes.changed == {label: None}
    assert candidates(connection, [Identity("A" * 43)]) == {}
    assert list_boxes(connection) == []
    assert [one.id for one in list_boxes(connection, withdrawn=True)] == [box]
    with pytest.raises(NotUsable):
        suspend_box(connection, box, by())

    assert isinstance(enrolled(connection, shop), Repeated)
    again = enrolled(connection, shop, count=2)
    assert isinstance(again, Enrolled)
    assert again.label != label


def test_enrolling_again_is_the_same_box(connection: Connection, shop: Credentials) -> None:
    """The same identity gets the same id and label, whether the request is repeated or new."""
    first = enrolled(connection, shop)
    assert isinstance(first, Enrolled)

    assert enrolled(connection, shop) == Enrolled(box=first.box, label=first.label)
    assert enrolled(connection, shop, boot=2) == Enrolled(box=first.box, label=first.label)
    assert show_box(connection, first.box).counter == Counter(boot=2, count=1)


def test_a_repeated_enrolment_cannot_move_a_box_back(connection: Connection, shop: Credentials) -> None:
    """Whoever recorded an old enrolment cannot undo a move with it."""
    other = add_customer(connection, "other")
    box = box_of(connection, shop)
    enrolled(connection, other, count=2)

    assert enrolled(connection, shop, count=1) == Repeated()
    assert show_box(connection, box).contract == other.contract


@pytest.mark.parametrize("half", ["contract", "database", "both", "mixed", "no uuid"])
def test_a_credential_that_is_not_known_together_is_not_recognised(
    connection: Connection, shop: Credentials, half: str
) -> None:
    """Whatever is wrong with it, the answer is one (S-39, S-41)."""
    other = add_customer(connection, "other")
    contract = {"contract": "C-9", "both": "C-9"}.get(half, shop.contract)
    database = {"database": str(uuid4()), "both": str(uuid4()), "mixed": other.database, "no uuid": "x" * 36}.get(
        half, shop.database
    )
    wrong = Credentials(
        tenant=shop.tenant,
        contract=ContractCode(contract),
        subscription=shop.subscription,
        database=DatabaseUuid(database),
    )

    assert enrolled(connection, wrong) == NotRecognised()
    assert list_boxes(connection) == []


def test_two_boxes_that_use_one_identity_are_noticed(connection: Connection, shop: Credentials) -> None:
    """The same counter in two different requests, twice: the box counts as two until it is resumed (F-60)."""
    other = add_customer(connection, "other")
    box = box_of(connection, shop)
    for _ in range(2):
        assert enrolled(connection, other) == Repeated()

    assert show_box(connection, box).has_conflict
    assert not resume_box(connection, box, by()).has_conflict
    assert not show_box(connection, box).has_conflict
