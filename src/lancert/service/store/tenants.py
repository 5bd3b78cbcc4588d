"""Tenants and their contracts and databases, as rows."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from lancert.service.model import Contract, ContractCode, Database, DatabaseUuid, Environment, Tenant, TenantId
from lancert.service.store.schema import contracts, databases, tenants


def insert_tenant(connection: Connection, tenant: Tenant) -> None:
    """Add a tenant."""
    connection.execute(tenants.insert(), {"id": tenant.id, "name": tenant.name})


def update_tenant(connection: Connection, tenant: Tenant) -> None:
    """Give a tenant another name."""
    connection.execute(tenants.update().where(tenants.c.id == tenant.id), {"name": tenant.name})


def find_tenant(connection: Connection, tenant: TenantId) -> Tenant | None:
    """Give a tenant, if it exists."""
    row = connection.execute(select(tenants).where(tenants.c.id == tenant)).one_or_none()
    return None if row is None else Tenant(id=TenantId(row.id), name=row.name)


def list_tenants(connection: Connection) -> Sequence[Tenant]:
    """Give all tenants by id."""
    rows = connection.execute(select(tenants).order_by(tenants.c.id))
    return [Tenant(id=TenantId(row.id), name=row.name) for row in rows]


def insert_contract(connection: Connection, contract: Contract) -> None:
    """Add a contract."""
    connection.execute(contracts.insert(), {"code": contract.code, "tenant": contract.tenant})


def update_contract(connection: Connection, contract: Contract) -> None:
    """Give a contract to another tenant."""
    connection.execute(contracts.update().where(contracts.c.code == contract.code), {"tenant": contract.tenant})


def find_contract(connection: Connection, code: ContractCode) -> Contract | None:
    """Give a contract, if it exists."""
    row = connection.execute(select(contracts).where(contracts.c.code == code)).one_or_none()
    return None if row is None else Contract(code=ContractCode(row.code), tenant=TenantId(row.tenant))


def list_contracts(connection: Connection, tenant: TenantId | None = None) -> Sequence[Contract]:
    """Give the contracts of a tenant, or all of them, by code."""
    query = select(contracts).order_by(contracts.c.code)
    if tenant is not None:
        query = query.where(contracts.c.tenant == tenant)
    return [Contract(code=ContractCode(row.code), tenant=TenantId(row.tenant)) for row in connection.execute(query)]


def insert_database(connection: Connection, database: Database) -> None:
    """Add a database."""
    connection.execute(databases.insert(), _row_of(database))


def update_database(connection: Connection, database: Database) -> None:
    """Replace what is known of a database; its UUID and tenant stay."""
    connection.execute(databases.update().where(databases.c.uuid == database.uuid), _row_of(database))


def find_database(connection: Connection, uuid: DatabaseUuid) -> Database | None:
    """Give a database, if it exists."""
    row = connection.execute(select(databases).where(databases.c.uuid == uuid)).one_or_none()
    return None if row is None else _database_of(row)


def list_databases(connection: Connection, tenant: TenantId | None = None) -> Sequence[Database]:
    """Give the databases of a tenant, or all of them, by name."""
    query = select(databases).order_by(databases.c.name, databases.c.uuid)
    if tenant is not None:
        query = query.where(databases.c.tenant == tenant)
    return [_database_of(row) for row in connection.execute(query)]


def _row_of(database: Database) -> dict[str, Any]:
    return {
        "uuid": database.uuid,
        "tenant": database.tenant,
        "name": database.name,
        "environment": database.environment.value,
        "is_duplicated": database.is_duplicated,
    }


def _database_of(row: Any) -> Database:
    return Database(
        uuid=DatabaseUuid(row.uuid),
        tenant=TenantId(row.tenant),
        name=row.name,
        environment=Environment(row.environment),
        is_duplicated=row.is_duplicated,
    )
