"""``lancert admin tenant``: the customer accounts."""

import re
import unicodedata

import click

from lancert.cli.admin.options import Chosen, Suggesting, admin_command, changing, looking
from lancert.cli.admin.printing import document, print_change, print_json, print_list, print_one
from lancert.service.directory.boxes import list_boxes
from lancert.service.directory.tenants import (
    add_tenant,
    change_tenant,
    list_contracts,
    list_databases,
    list_tenants,
    show_tenant,
)
from lancert.service.model import TenantId


@click.group(cls=Suggesting)
def tenant() -> None:
    """Customer accounts.

    \b
    Examples:
      lancert admin tenant add "Bakery Rossi"
      lancert admin tenant list
      lancert admin tenant set bakery-rossi --name "Rossi and Sons"
    """


@admin_command(tenant, "add", changes=True)
@click.argument("name")
@click.option("--id", "tenant_id", help="Its id; made from the name otherwise.")
def add(chosen: Chosen, name: str, tenant_id: str | None) -> None:
    """Add a tenant.

    \b
    Examples:
      lancert admin tenant add "Bakery Rossi"
      lancert admin tenant add "Bakery Rossi" --id C-1042
    """
    wanted = TenantId(tenant_id or _id_from(name))
    with changing(chosen) as connection:
        made = add_tenant(connection, wanted, name, chosen.by)
    print_change(
        chosen,
        made,
        f"Added the tenant {made.id} ({made.name}).",
        f"Next: {chosen.next('contract', 'add', 'CODE', '--tenant', made.id)}",
    )


@admin_command(tenant, "list")
def list_(chosen: Chosen) -> None:
    """List all tenants."""
    with looking(chosen) as connection:
        tenants = list_tenants(connection)
    print_list(
        chosen,
        tenants,
        [("TENANT", "NAME"), *((one.id, one.name) for one in tenants)],
        ["There is no tenant yet.", f"Next: {chosen.next('tenant', 'add', 'NAME')}"],
    )


@admin_command(tenant, "show")
@click.argument("tenant_id", metavar="TENANT")
def show(chosen: Chosen, tenant_id: str) -> None:
    """Show a tenant with its contracts, databases and boxes."""
    wanted = TenantId(tenant_id)
    with looking(chosen, tenant=wanted) as connection:
        found = show_tenant(connection, wanted)
        contracts = list_contracts(connection, wanted)
        databases = list_databases(connection, wanted)
        boxes = list_boxes(connection, tenant=wanted)
    if chosen.as_json:
        print_json(
            document(found)
            | {"contracts": [one.code for one in contracts], "databases": [one.uuid for one in databases]}
            | {"boxes": [one.id for one in boxes]}
        )
        return
    print_one(
        chosen,
        found,
        [
            ("tenant", found.id),
            ("name", found.name),
            ("contracts", ", ".join(one.code for one in contracts) or "none"),
            ("databases", ", ".join(f"{one.name} ({one.uuid})" for one in databases) or "none"),
            ("boxes", str(len(boxes))),
        ],
    )


@admin_command(tenant, "set", changes=True)
@click.argument("tenant_id", metavar="TENANT")
@click.option("--name", required=True, help="Its new name.")
def set_(chosen: Chosen, tenant_id: str, name: str) -> None:
    """Give a tenant another name."""
    with changing(chosen, tenant=tenant_id) as connection:
        changed = change_tenant(connection, TenantId(tenant_id), chosen.by, name=name)
    print_change(chosen, changed, f"The tenant {changed.id} is now called {changed.name}.")


def _id_from(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    made = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64].strip("-")
    if not made:
        raise click.UsageError("No id can be made from this name: choose one with --id, such as --id C-1042.")
    return made
