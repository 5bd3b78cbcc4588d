"""``lancert admin contract``: the agreements, whose codes are one half of a credential."""

import click

from lancert.cli.admin.options import Chosen, Suggesting, admin_command, changing, looking
from lancert.cli.admin.printing import document, print_change, print_json, print_list, print_one
from lancert.cli.admin.subscriptions import lines_of, seats_of
from lancert.service.directory.boxes import list_boxes
from lancert.service.directory.subscriptions import list_subscriptions
from lancert.service.directory.tenants import add_contract, change_contract, list_contracts, show_contract
from lancert.service.model import ContractCode, SubscriptionStatus, TenantId


@click.group(cls=Suggesting)
def contract() -> None:
    """Agreements with tenants.

    \b
    Examples:
      lancert admin contract add M240401 --tenant bakery-rossi
      lancert admin contract list --tenant bakery-rossi
    """


@admin_command(contract, "add", changes=True)
@click.argument("code")
@click.option("--tenant", "tenant_id", required=True, help="Whose contract it is.")
def add(chosen: Chosen, code: str, tenant_id: str) -> None:
    """Add a contract of a tenant.

    \b
    Example:
      lancert admin contract add M240401 --tenant bakery-rossi
    """
    with changing(chosen, tenant=tenant_id) as connection:
        made = add_contract(connection, ContractCode(code), TenantId(tenant_id), chosen.by)
    follow = ("subscription", "add", "--contract", made.code, "--status", "in-progress", "--line", "iot-box=1")
    print_change(chosen, made, f"Added the contract {made.code} of {made.tenant}.", f"Next: {chosen.next(*follow)}")


@admin_command(contract, "set", changes=True)
@click.argument("code")
@click.option("--tenant", "tenant_id", required=True, help="Whose contract it is from now on.")
def set_(chosen: Chosen, code: str, tenant_id: str) -> None:
    """Give a contract to another tenant, as long as no IoT system uses it.

    \b
    Example:
      lancert admin contract set M240401 --tenant bakery-bianchi
    """
    wanted = ContractCode(code)
    with changing(chosen, contract=wanted, tenant=tenant_id) as connection:
        made = change_contract(connection, wanted, chosen.by, tenant=TenantId(tenant_id))
    print_change(chosen, made, f"The contract {made.code} is one of {made.tenant} now.")


@admin_command(contract, "list")
@click.option("--tenant", "tenant_id", help="Those of one tenant only.")
def list_(chosen: Chosen, tenant_id: str | None) -> None:
    """List contracts."""
    with looking(chosen, tenant=tenant_id) as connection:
        contracts = list_contracts(connection, None if tenant_id is None else TenantId(tenant_id))
    print_list(
        chosen,
        contracts,
        [("CONTRACT", "TENANT"), *((one.code, one.tenant) for one in contracts)],
        [
            "There is no contract yet.",
            f"Next: {chosen.next('contract', 'add', 'CODE', '--tenant', tenant_id or 'TENANT')}",
        ],
    )


@admin_command(contract, "show")
@click.argument("code")
def show(chosen: Chosen, code: str) -> None:
    """Show a contract with its subscriptions and boxes."""
    wanted = ContractCode(code)
    with looking(chosen, contract=wanted) as connection:
        found = show_contract(connection, wanted)
        subscriptions = list_subscriptions(connection, wanted)
        boxes = list_boxes(connection, contract=wanted)
    if chosen.as_json:
        more = {"subscriptions": [document(one) for one in subscriptions], "boxes": [one.id for one in boxes]}
        print_json(document(found) | more)
        return
    seats = sum(seats_of(one) for one in subscriptions if one.status is SubscriptionStatus.IN_PROGRESS)
    print_one(
        chosen,
        found,
        [
            ("contract", found.code),
            ("tenant", found.tenant),
            *(("subscription", f"{one.id}, {one.status}, {lines_of(one)}") for one in subscriptions),
            *([] if subscriptions else [("subscription", "none")]),
            ("seats", f"{seats}, {sum(not one.is_suspended for one in boxes)} in use"),
            ("boxes", ", ".join(f"{one.name} ({one.label})" for one in boxes) or "none"),
        ],
    )
