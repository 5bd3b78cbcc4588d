"""``lancert admin subscription``: what contracts contain, and whether they run."""

import difflib
from collections.abc import Sequence

import click

from lancert.cli.admin.options import Chosen, Suggesting, admin_command, changing, looking
from lancert.cli.admin.printing import print_change, print_list, print_one
from lancert.service.directory.subscriptions import (
    add_subscription,
    change_subscription,
    list_subscriptions,
    new_subscription_id,
    show_subscription,
)
from lancert.service.model import (
    IOT_BOX_PRODUCT,
    ContractCode,
    Line,
    Subscription,
    SubscriptionId,
    SubscriptionStatus,
)

_STATUS = click.Choice([status.value for status in SubscriptionStatus])


class _LineType(click.ParamType[Line]):
    """``product=quantity``."""

    name = "product=quantity"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Line:
        if isinstance(value, Line):
            return value
        product, _, quantity = str(value).partition("=")
        if not product or not (quantity.isascii() and quantity.isdigit() and len(quantity) < 10):
            self.fail(f"“{value}” is not a line: write a product and a quantity, such as iot-box=2.", param, ctx)
        near = difflib.get_close_matches(product.lower().replace("_", "-"), [IOT_BOX_PRODUCT], 1, 0.75)
        if near and product != IOT_BOX_PRODUCT:
            self.fail(f"“{product}” gives no IoT box a certificate: write {near[0]}={quantity}.", param, ctx)
        return Line(product=product, quantity=int(quantity))


@click.group(cls=Suggesting)
def subscription() -> None:
    """What contracts contain, and whether they run.

    \b
    Examples:
      lancert admin subscription add --contract M240401 --status in-progress --line iot-box=2
      lancert admin subscription set S-1a2b3c4d --status paused
      lancert admin subscription list --contract M240401
    """


@admin_command(subscription, "add", changes=True)
@click.argument("subscription_id", metavar="[ID]", required=False)
@click.option("--contract", "code", required=True, help="The contract it belongs to.")
@click.option("--status", type=_STATUS, default="draft", show_default=True, help="Where it stands.")
@click.option(
    "--line", "lines", type=_LineType(), multiple=True, help="What it contains; iot-box gives seats to boxes."
)
def add(chosen: Chosen, subscription_id: str | None, code: str, status: str, lines: tuple[Line, ...]) -> None:
    """Add a subscription to a contract; the id is drawn if none is given.

    \b
    Example:
      lancert admin subscription add --contract M240401 --status in-progress --line iot-box=2
    """
    wanted = SubscriptionId(subscription_id) if subscription_id else new_subscription_id()
    with changing(chosen, contract=code) as connection:
        made = add_subscription(
            connection,
            wanted,
            ContractCode(code),
            chosen.by,
            status=SubscriptionStatus(status),
            lines=_merged((), lines),
        )
    print_change(
        chosen, made, f"Added the subscription {made.id} to {made.contract}: {_described(made)}.", _then(chosen, made)
    )


@admin_command(subscription, "list")
@click.option("--contract", "code", help="Those of one contract only.")
def list_(chosen: Chosen, code: str | None) -> None:
    """List subscriptions."""
    with looking(chosen, contract=code) as connection:
        found = list_subscriptions(connection, None if code is None else ContractCode(code))
    print_list(
        chosen,
        found,
        [
            ("SUBSCRIPTION", "CONTRACT", "STATUS", "LINES"),
            *((one.id, one.contract, one.status.value, lines_of(one)) for one in found),
        ],
        [
            "There is no subscription yet.",
            f"Next: {chosen.next('subscription', 'add', '--contract', code or 'CODE', '--line', 'iot-box=1')}",
        ],
    )


@admin_command(subscription, "show")
@click.argument("subscription_id", metavar="ID")
def show(chosen: Chosen, subscription_id: str) -> None:
    """Show a subscription."""
    with looking(chosen, subscription=subscription_id) as connection:
        found = show_subscription(connection, SubscriptionId(subscription_id))
    print_one(
        chosen,
        found,
        [
            ("subscription", found.id),
            ("contract", found.contract),
            ("status", found.status.value),
            ("lines", lines_of(found)),
        ],
    )


@admin_command(subscription, "set", changes=True)
@click.argument("subscription_id", metavar="ID")
@click.option("--status", type=_STATUS, help="Where it stands now.")
@click.option("--line", "lines", type=_LineType(), multiple=True, help="A line to add or change; product=0 removes it.")
def set_(chosen: Chosen, subscription_id: str, status: str | None, lines: tuple[Line, ...]) -> None:
    """Change the status of a subscription, some of its lines, or both; the other lines stay.

    \b
    Examples:
      lancert admin subscription set S-1a2b3c4d --status paused
      lancert admin subscription set S-1a2b3c4d --line iot-box=3
      lancert admin subscription set S-1a2b3c4d --line iot-box=0         takes the line out
    """
    if status is None and not lines:
        raise click.UsageError("Say what to change: --status, --line or both.")
    wanted = SubscriptionId(subscription_id)
    with changing(chosen, subscription=wanted) as connection:
        old = show_subscription(connection, wanted)
        changed = change_subscription(
            connection,
            wanted,
            chosen.by,
            status=None if status is None else SubscriptionStatus(status),
            lines=_merged(old.lines, lines) if lines else None,
        )
    did = "is now" if changed != old else "already was"
    print_change(
        chosen, changed, f"The subscription {changed.id} {did}: {_described(changed)}.", _then(chosen, changed)
    )


def lines_of(subscription: Subscription) -> str:
    """Write the lines of a subscription as they are given on the command line."""
    return ", ".join(f"{line.product}={line.quantity}" for line in subscription.lines) or "no lines"


def seats_of(subscription: Subscription) -> int:
    """Count the IoT boxes a subscription is for, while it is in progress."""
    return sum(line.quantity for line in subscription.lines if line.product == IOT_BOX_PRODUCT)


def _merged(old: Sequence[Line], named: Sequence[Line]) -> tuple[Line, ...]:
    quantities = {line.product: line.quantity for line in (*old, *named)}
    return tuple(Line(product=product, quantity=quantity) for product, quantity in quantities.items() if quantity)


def _described(subscription: Subscription) -> str:
    return f"{subscription.status}, {lines_of(subscription)}"


def _then(chosen: Chosen, subscription: Subscription) -> str:
    seats = seats_of(subscription)
    if subscription.status is not SubscriptionStatus.IN_PROGRESS:
        how = chosen.next("subscription", "set", subscription.id, "--status", "in-progress")
        return f"Only a subscription in progress gives certificates: {how}"
    if not seats:
        how = chosen.next("subscription", "set", subscription.id, "--line", f"{IOT_BOX_PRODUCT}=1")
        return f"It has no IoT box line, so no IoT box gets a certificate: {how}"
    return f"Certificates for {seats} IoT box{'es' if seats > 1 else ''}. IoT systems notice at their next try."
