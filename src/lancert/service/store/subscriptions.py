"""Subscriptions with their lines, as rows."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Select, select

from lancert.service.model import ContractCode, Line, Subscription, SubscriptionId, SubscriptionStatus
from lancert.service.store.engine import among
from lancert.service.store.schema import subscription_lines, subscriptions


def insert_subscription(connection: Connection, subscription: Subscription) -> None:
    """Add a subscription with its lines."""
    connection.execute(
        subscriptions.insert(),
        {"id": subscription.id, "contract": subscription.contract, "status": subscription.status.value},
    )
    _insert_lines(connection, subscription)


def update_subscription(connection: Connection, subscription: Subscription) -> None:
    """Replace status and lines of a subscription; its contract stays."""
    connection.execute(
        subscriptions.update().where(subscriptions.c.id == subscription.id), {"status": subscription.status.value}
    )
    connection.execute(subscription_lines.delete().where(subscription_lines.c.subscription == subscription.id))
    _insert_lines(connection, subscription)


def _insert_lines(connection: Connection, subscription: Subscription) -> None:
    rows = [
        {"subscription": subscription.id, "position": position, "product": line.product, "quantity": line.quantity}
        for position, line in enumerate(subscription.lines)
    ]
    if rows:
        connection.execute(subscription_lines.insert(), rows)


_ALL = (
    select(
        subscriptions.c.id,
        subscriptions.c.contract,
        subscriptions.c.status,
        subscription_lines.c.product,
        subscription_lines.c.quantity,
    )
    .outerjoin_from(subscriptions, subscription_lines)
    .order_by(subscriptions.c.id, subscription_lines.c.position)
)
_OF_CONTRACTS = _ALL.where(among(subscriptions.c.contract, "contracts"))


def find_subscription(connection: Connection, subscription: SubscriptionId) -> Subscription | None:
    """Give a subscription, if it exists."""
    return next(iter(_read(connection, _ALL.where(subscriptions.c.id == subscription))), None)


def list_subscriptions(connection: Connection, contract: ContractCode | None = None) -> Sequence[Subscription]:
    """Give the subscriptions of a contract, or all of them, by id."""
    return _read(connection, _ALL if contract is None else _ALL.where(subscriptions.c.contract == contract))


def subscriptions_of(
    connection: Connection, contracts: Sequence[ContractCode]
) -> dict[ContractCode, tuple[Subscription, ...]]:
    """Give the subscriptions of many contracts in one query; a contract without any is not in the answer."""
    found: dict[ContractCode, tuple[Subscription, ...]] = {}
    for subscription in _read(connection, _OF_CONTRACTS, {"contracts": contracts}):
        found[subscription.contract] = (*found.get(subscription.contract, ()), subscription)
    return found


def _read(
    connection: Connection, query: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None = None
) -> list[Subscription]:
    found = []
    rows = connection.execute(query, values)
    for (subscription, contract, status), its in groupby(rows, key=lambda row: row[:3]):
        lines = tuple(Line(product=product, quantity=quantity) for *_, product, quantity in its if product is not None)
        found.append(Subscription(id=subscription, contract=contract, status=SubscriptionStatus(status), lines=lines))
    return found
