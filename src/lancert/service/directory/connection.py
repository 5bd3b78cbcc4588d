"""The connection token an owner pastes into an IoT system: server, root, contract and database in one text."""

from lancert.kit.secret import Secret
from lancert.protocol.credential import ConnectionToken
from lancert.service.directory.errors import NotUsable
from lancert.service.directory.tenants import show_contract, show_database
from lancert.service.model import ContractCode, DatabaseUuid
from lancert.service.store import Connection


def connection_token(
    connection: Connection,
    *,
    contract: ContractCode,
    database: DatabaseUuid,
    server: str,
    root_fingerprint: str | None,
) -> ConnectionToken:
    """Give the token for a contract and a database of one tenant. Raises Unknown, NotUsable.

    ``server`` is the public URL of the service, ``root_fingerprint`` the SHA-256 of its root when boxes do not
    trust it already.
    """
    agreed, instance = show_contract(connection, contract), show_database(connection, database)
    if agreed.tenant != instance.tenant:
        raise NotUsable(f"The contract {contract} and the database {database} belong to different tenants.")
    return ConnectionToken(
        server=server,
        root_fingerprint=root_fingerprint,
        contract=Secret(agreed.code),
        database=Secret(instance.uuid),
    )
