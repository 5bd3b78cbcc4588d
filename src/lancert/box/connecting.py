"""Connecting a box to a server: the root is fetched by its fingerprint, then everything is remembered.

The homepage and the command line both come through here.
"""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from lancert.box.client import Client, Hop, Unreachable
from lancert.box.conversation import Answered
from lancert.box.facts import Server, parse_server
from lancert.box.folder import Folder
from lancert.box.proxies import Proxies
from lancert.kit.clock import SystemClock
from lancert.kit.logs import Log
from lancert.protocol import problems
from lancert.protocol.credential import ConnectionToken, Credential
from lancert.protocol.problems import Occurrence

log = Log("box.connecting")


class ConnectRefused(Exception):
    """The box could not be connected and nothing was changed; the problem says why."""

    def __init__(self, problem: Occurrence) -> None:
        super().__init__(problem.code)
        self.problem = problem


async def connect(
    folder: Folder,
    server: Server,
    credential: Credential | None,
    roots: Sequence[x509.Certificate] = (),
    proxies: Proxies | None = None,
) -> None:
    """Connect to a server that is trusted by these roots, or by the root with the fingerprint it names.

    Raises ConnectRefused when that root cannot be had, OSError when the folder cannot be written.
    """
    trusted = list(roots)
    if not trusted and server.root_fingerprint is not None:
        try:
            trusted = [await fetch_root(server, server.root_fingerprint, proxies)]
        except Unreachable as error:
            log.warning(
                "the root could not be fetched",
                cause=error.cause,
                hop=error.hop,
                detail=str(error),
                reference=error.reference,
            )
            raise ConnectRefused(unreachable(error, server)) from error
    folder.connect(server, trusted, credential)


async def fetch_root(server: Server, fingerprint: str, proxies: Proxies | None = None) -> x509.Certificate:
    """Fetch the root of a server by its fingerprint (SHA-256). Raises Unreachable.

    Nothing but the certificate with exactly this fingerprint is taken from that connection (docs/decisions/0006).
    """
    answered = await Client(server, [], SystemClock(), proxies=proxies).get_unverified("/root.pem")
    for root in _certificates(answered):
        if root.fingerprint(hashes.SHA256()).hex() == fingerprint:
            return root
    raise Unreachable("untrusted", Hop.HTTP, f"no root with this fingerprint is offered, status {answered.status}")


async def offered_roots(client: Client) -> list[x509.Certificate]:
    """Give the roots a verified server offers for its boxes' certificates; none if it offers none. Raises Unreachable.

    A service may prove itself by a publicly trusted certificate and still have its own authority sign for the boxes.
    """
    answered = await client.get("/root.pem")
    return _certificates(answered)


def _certificates(answered: Answered) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(answered.body) if answered.status == 200 else []
    except ValueError:
        return []


def server_of(token: ConnectionToken) -> Server:
    """Give the server a connection token names. Raises NotAServer."""
    return parse_server(token.server, token.root_fingerprint)


def credential_of(token: ConnectionToken) -> Credential:
    """Give the credential a connection token carries."""
    return Credential(contract=token.contract, database=token.database)


def unreachable(error: Unreachable, server: Server) -> Occurrence:
    """Give the problem that belongs to a server that could not be reached."""
    return Occurrence(
        problem=problems.LOAD_REQUEST_EXCEPTION,
        cause_id=error.cause,
        facts={**error.facts, "server": server.url, "reference": error.reference},
    )
