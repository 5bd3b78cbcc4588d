"""Tenants, their contracts and their databases: add, change, show, list."""

from collections.abc import Sequence
from dataclasses import replace

from lancert.protocol.credential import NotACredential, parse_contract, parse_database_uuid
from lancert.service.directory.errors import AlreadyThere, NotUsable, Unknown
from lancert.service.directory.record import By, check_key, check_name, record
from lancert.service.model import Contract, ContractCode, Database, DatabaseUuid, Environment, Tenant, TenantId
from lancert.service.store import Connection
from lancert.service.store import boxes as box_rows
from lancert.service.store import tenants as rows


def add_tenant(connection: Connection, tenant: TenantId, name: str, by: By) -> Tenant:
    """Add a tenant. Raises AlreadyThere, NotUsable."""
    check_key(tenant, "id of a tenant")
    check_name(name, "name of a tenant")
    if rows.find_tenant(connection, tenant) is not None:
        raise AlreadyThere(f"There is a tenant {tenant} already.")
    made = Tenant(id=tenant, name=name)
    rows.insert_tenant(connection, made)
    record(connection, by, "tenant added", f"tenant {tenant}", tenant)
    return made


def change_tenant(connection: Connection, tenant: TenantId, by: By, *, name: str) -> Tenant:
    """Give a tenant another name. Raises Unknown, NotUsable."""
    check_name(name, "name of a tenant")
    changed = replace(show_tenant(connection, tenant), name=name)
    rows.update_tenant(connection, changed)
    record(connection, by, "tenant renamed", f"tenant {tenant}", tenant)
    return changed


def show_tenant(connection: Connection, tenant: TenantId) -> Tenant:
    """Give a tenant. Raises Unknown."""
    found = rows.find_tenant(connection, tenant)
    if found is None:
        raise Unknown(f"There is no tenant {tenant}.")
    return found


def list_tenants(connection: Connection) -> Sequence[Tenant]:
    """Give all tenants by id."""
    return rows.list_tenants(connection)


def add_contract(connection: Connection, code: ContractCode, tenant: TenantId, by: By) -> Contract:
    """Add a contract of a tenant. Raises AlreadyThere, NotUsable, Unknown."""
    try:
        parse_contract(code)
    except NotACredential as error:
        raise NotUsable(str(error)) from error
    show_tenant(connection, tenant)
    if rows.find_contract(connection, code) is not None:
        raise AlreadyThere(f"There is a contract {code} already.")
    made = Contract(code=code, tenant=tenant)
    rows.insert_contract(connection, made)
    record(connection, by, "contract added", f"contract {code}", tenant)
    return made


def change_contract(connection: Connection, code: ContractCode, by: By, *, tenant: TenantId) -> Contract:
    """Give a contract to another tenant, as long as no box uses it: a box and its database have one tenant.

    Raises Unknown, NotUsable.
    """
    old = show_contract(connection, code)
    show_tenant(connection, tenant)
    used = len(box_rows.list_boxes(connection, tenant=None, contract=code, withdrawn=False))
    if used and tenant != old.tenant:
        raise NotUsable(f"The contract {code} is in use: remove its IoT systems first (there are {used}).")
    changed = replace(old, tenant=tenant)
    rows.update_contract(connection, changed)
    if changed != old:
        record(connection, by, f"contract moved from {old.tenant} to {tenant}", f"contract {code}", tenant)
    return changed


def show_contract(connection: Connection, code: ContractCode) -> Contract:
    """Give a contract. Raises Unknown."""
    found = rows.find_contract(connection, code)
    if found is None:
        raise Unknown(f"There is no contract {code}.")
    return found


def list_contracts(connection: Connection, tenant: TenantId | None = None) -> Sequence[Contract]:
    """Give the contracts of a tenant, or all of them, by code. Raises Unknown."""
    if tenant is not None:
        show_tenant(connection, tenant)
    return rows.list_contracts(connection, tenant)


def add_database(
    connection: Connection,
    uuid: DatabaseUuid,
    tenant: TenantId,
    by: By,
    *,
    name: str,
    environment: Environment = Environment.PRODUCTION,
) -> Database:
    """Add a database of a tenant. Raises AlreadyThere, NotUsable, Unknown."""
    plain = _uuid(uuid)
    check_name(name, "name of a database")
    show_tenant(connection, tenant)
    if rows.find_database(connection, plain) is not None:
        raise AlreadyThere(f"There is a database {plain} already.")
    made = Database(uuid=plain, tenant=tenant, name=name, environment=environment)
    rows.insert_database(connection, made)
    record(connection, by, f"database added as {environment}", f"database {plain}", tenant)
    return made


def change_database(
    connection: Connection,
    uuid: DatabaseUuid,
    by: By,
    *,
    name: str | None = None,
    environment: Environment | None = None,
    is_duplicated: bool | None = None,
) -> Database:
    """Change what is given, keep the rest. Raises Unknown, NotUsable."""
    old = show_database(connection, uuid)
    if name is not None:
        check_name(name, "name of a database")
    changed = replace(
        old,
        name=old.name if name is None else name,
        environment=old.environment if environment is None else environment,
        is_duplicated=old.is_duplicated if is_duplicated is None else is_duplicated,
    )
    rows.update_database(connection, changed)
    for action, differs in (
        (f"database renamed to {changed.name}", changed.name != old.name),
        (f"database changed from {old.environment} to {changed.environment}", changed.environment != old.environment),
        (
            "database marked as duplicated" if changed.is_duplicated else "database no longer marked as duplicated",
            changed.is_duplicated != old.is_duplicated,
        ),
    ):
        if differs:
            record(connection, by, action, f"database {changed.uuid}", changed.tenant)
    return changed


def show_database(connection: Connection, uuid: DatabaseUuid) -> Database:
    """Give a database. Raises Unknown, NotUsable."""
    found = rows.find_database(connection, _uuid(uuid))
    if found is None:
        raise Unknown(f"There is no database {uuid}.")
    return found


def list_databases(connection: Connection, tenant: TenantId | None = None) -> Sequence[Database]:
    """Give the databases of a tenant, or all of them, by name. Raises Unknown."""
    if tenant is not None:
        show_tenant(connection, tenant)
    return rows.list_databases(connection, tenant)


def _uuid(text: str) -> DatabaseUuid:
    try:
        return DatabaseUuid(parse_database_uuid(text).reveal())
    except NotACredential as error:
        raise NotUsable(str(error)) from error
