"""``lancert admin database``: the tenants' instances, whose UUIDs are the other half of a credential."""

import click

from lancert.cli.admin.options import Chosen, Suggesting, admin_command, changing, looking
from lancert.cli.admin.printing import print_change, print_list, print_one
from lancert.service.directory.tenants import (
    add_database,
    change_database,
    list_contracts,
    list_databases,
    show_database,
)
from lancert.service.model import Database, DatabaseUuid, Environment, TenantId

_ENVIRONMENT = click.Choice([environment.value for environment in Environment])


@click.group(cls=Suggesting)
def database() -> None:
    """Instances of tenants, and what each is: production, staging, development, copy, duplicate.

    \b
    Examples:
      lancert admin database add 0f8fad5b-d9cb-469f-a165-70867728950e --tenant bakery-rossi --name rossi \\
          --environment production
      lancert admin database set 0f8fad5b-d9cb-469f-a165-70867728950e --environment staging
      lancert admin database list
    """


@admin_command(database, "add", changes=True)
@click.argument("uuid")
@click.option("--tenant", "tenant_id", required=True, help="Whose database it is.")
@click.option("--name", required=True, help="Its name, for people.")
@click.option("--environment", type=_ENVIRONMENT, required=True, help="What it is; only production is eligible.")
def add(chosen: Chosen, uuid: str, tenant_id: str, name: str, environment: str) -> None:
    """Add a database of a tenant.

    \b
    Example:
      lancert admin database add 0f8fad5b-d9cb-469f-a165-70867728950e --tenant bakery-rossi --name rossi
    """
    with changing(chosen, tenant=tenant_id) as connection:
        made = add_database(
            connection,
            DatabaseUuid(uuid),
            TenantId(tenant_id),
            chosen.by,
            name=name,
            environment=Environment(environment),
        )
        contracts = list_contracts(connection, made.tenant)
    code = contracts[0].code if len(contracts) == 1 else "CODE"
    print_change(
        chosen,
        made,
        f"Added the database {made.name} ({made.uuid}) of {made.tenant} as {made.environment}.",
        f"Next: {chosen.next('connection-token', code, made.uuid)}",
        *_warning(made),
    )


@admin_command(database, "list")
@click.option("--tenant", "tenant_id", help="Those of one tenant only.")
def list_(chosen: Chosen, tenant_id: str | None) -> None:
    """List databases."""
    with looking(chosen, tenant=tenant_id) as connection:
        found = list_databases(connection, None if tenant_id is None else TenantId(tenant_id))
    add_one = ("database", "add", "UUID", "--tenant", tenant_id or "TENANT", "--name", "NAME")
    print_list(
        chosen,
        found,
        [
            ("UUID", "NAME", "TENANT", "ENVIRONMENT"),
            *((one.uuid, one.name, one.tenant, _described(one)) for one in found),
        ],
        ["There is no database yet.", f"Next: {chosen.next(*add_one)}"],
    )


@admin_command(database, "show")
@click.argument("uuid")
def show(chosen: Chosen, uuid: str) -> None:
    """Show a database."""
    with looking(chosen, database=uuid) as connection:
        found = show_database(connection, DatabaseUuid(uuid))
    print_one(
        chosen,
        found,
        [
            ("database", found.uuid),
            ("name", found.name),
            ("tenant", found.tenant),
            ("environment", _described(found)),
        ],
    )


@admin_command(database, "set", changes=True)
@click.argument("uuid")
@click.option("--environment", type=_ENVIRONMENT, help="What it is now.")
@click.option("--name", help="Its new name.")
@click.option("--duplicated/--not-duplicated", default=None, help="Whether its UUID is in use in two places.")
def set_(chosen: Chosen, uuid: str, environment: str | None, name: str | None, duplicated: bool | None) -> None:
    """Change what a database is, its name, or whether its UUID is in use twice.

    \b
    Examples:
      lancert admin database set 0f8fad5b-d9cb-469f-a165-70867728950e --environment staging
      lancert admin database set 0f8fad5b-d9cb-469f-a165-70867728950e --not-duplicated
    """
    if environment is None and name is None and duplicated is None:
        raise click.UsageError("Say what to change: --environment, --name or --duplicated.")
    wanted = DatabaseUuid(uuid)
    with changing(chosen, database=uuid) as connection:
        old = show_database(connection, wanted)
        changed = change_database(
            connection,
            wanted,
            chosen.by,
            name=name,
            environment=None if environment is None else Environment(environment),
            is_duplicated=duplicated,
        )
    did = "is now" if changed != old else "already was"
    print_change(
        chosen,
        changed,
        f"The database {changed.name} ({changed.uuid}) {did}: {_described(changed)}.",
        *(_warning(changed) or ["IoT systems notice at their next try; opening their homepage makes them try now."]),
    )


def _described(database: Database) -> str:
    return f"{database.environment}, UUID in use twice" if database.is_duplicated else database.environment.value


def _warning(database: Database) -> list[str]:
    if database.environment is Environment.PRODUCTION and not database.is_duplicated:
        return []
    return ["Its IoT systems get no new certificate; the ones they have work until they end."]
