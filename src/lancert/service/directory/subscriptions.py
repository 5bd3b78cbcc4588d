"""Subscriptions and their lines: add, change, show, list."""

import secrets
from collections.abc import Sequence
from dataclasses import replace

from lancert.service.directory.errors import AlreadyThere, NotUsable, Unknown
from lancert.service.directory.record import By, check_key, record
from lancert.service.directory.tenants import show_contract
from lancert.service.model import ContractCode, Line, Subscription, SubscriptionId, SubscriptionStatus
from lancert.service.store import Connection
from lancert.service.store import subscriptions as rows

_MOST_LINES = 100
_MOST_QUANTITY = 1_000_000


def new_subscription_id() -> SubscriptionId:
    """Draw an id for a subscription that no other system has named."""
    return SubscriptionId(f"S-{secrets.token_hex(4)}")


def add_subscription(
    connection: Connection,
    subscription: SubscriptionId,
    contract: ContractCode,
    by: By,
    *,
    status: SubscriptionStatus = SubscriptionStatus.DRAFT,
    lines: Sequence[Line] = (),
) -> Subscription:
    """Add a subscription to a contract. Raises AlreadyThere, NotUsable, Unknown."""
    check_key(subscription, "id of a subscription")
    _check_lines(lines)
    tenant = show_contract(connection, contract).tenant
    if rows.find_subscription(connection, subscription) is not None:
        raise AlreadyThere(f"There is a subscription {subscription} already.")
    made = Subscription(id=subscription, contract=contract, status=status, lines=tuple(lines))
    rows.insert_subscription(connection, made)
    record(connection, by, f"subscription added: {_described(made)}", f"subscription {subscription}", tenant)
    return made


def change_subscription(
    connection: Connection,
    subscription: SubscriptionId,
    by: By,
    *,
    status: SubscriptionStatus | None = None,
    lines: Sequence[Line] | None = None,
) -> Subscription:
    """Change the status, replace all lines, or both. Raises NotUsable, Unknown."""
    old = show_subscription(connection, subscription)
    changed = replace(
        old,
        status=old.status if status is None else status,
        lines=old.lines if lines is None else tuple(lines),
    )
    _check_lines(changed.lines)
    if changed != old:
        rows.update_subscription(connection, changed)
        tenant = show_contract(connection, changed.contract).tenant
        record(connection, by, f"subscription changed: {_described(changed)}", f"subscription {subscription}", tenant)
    return changed


def show_subscription(connection: Connection, subscription: SubscriptionId) -> Subscription:
    """Give a subscription. Raises Unknown."""
    found = rows.find_subscription(connection, subscription)
    if found is None:
        raise Unknown(f"There is no subscription {subscription}.")
    return found


def list_subscriptions(connection: Connection, contract: ContractCode | None = None) -> Sequence[Subscription]:
    """Give the subscriptions of a contract, or all of them, by id. Raises Unknown."""
    if contract is not None:
        show_contract(connection, contract)
    return rows.list_subscriptions(connection, contract)


def _check_lines(lines: Sequence[Line]) -> None:
    if len(lines) > _MOST_LINES:
        raise NotUsable(f"A subscription has at most {_MOST_LINES} lines.")
    for line in lines:
        check_key(line.product, "product of a line")
        if not 0 <= line.quantity <= _MOST_QUANTITY:
            raise NotUsable(f"The quantity of a line is a number from 0 to {_MOST_QUANTITY}.")


def _described(subscription: Subscription) -> str:
    lines = ", ".join(f"{line.product}={line.quantity}" for line in subscription.lines)
    return f"{subscription.status}, {lines or 'no lines'}"[:60]
