"""Does HTTPS answer at each address of this box, by the name of that address, as a strict client sees it?

The connection is made from this machine, so a firewall between it and the shop is not met on the way; what listens
where, and what it shows for which name, is.
"""

import asyncio
import ssl
from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lancert.box import urls
from lancert.box.diagnosis.result import Check, Finding, Verdict
from lancert.box.facts import BoxFacts
from lancert.kit.language import N_
from lancert.kit.lean import plain_host
from lancert.protocol.names import Address

ID = "https-at-addresses"
_TITLE = N_("HTTPS at each address")
_finding = Check(ID, _TITLE).found
_SECONDS = 5.0
_WRONG_NAME = 62  # X509_V_ERR_HOSTNAME_MISMATCH
_NOT_NOW = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


class Door(StrEnum):
    """What a strict client met at one address."""

    FINE = "fine"
    CLOSED = "closed"
    NOT_TLS = "not-tls"
    WRONG_NAME = "wrong-name"
    NOT_NOW = "not-valid-now"
    UNTRUSTED = "untrusted"


_LISTEN = N_("Let the agent listen on this address too, or on all: take “listen” out of its settings.")
_OTHER_PROGRAM = N_("Restart the agent, and check that no other program answers on port {port}.")
_WORDS = {
    Door.CLOSED: (N_("Nothing answers on port {port} of {address}."), (_LISTEN, _OTHER_PROGRAM)),
    Door.NOT_TLS: (N_("What answers on port {port} of {address} does not speak HTTPS."), (_OTHER_PROGRAM,)),
    Door.WRONG_NAME: (
        N_("At {address} a certificate is shown that is not for {name}."),
        (N_("Ask for a new certificate: lancert box renew, or Certificate behind the cogs."),),
    ),
    Door.NOT_NOW: (
        N_("At {address} a certificate is shown that is not valid now."),
        (N_("Check the date and time of this IoT system."), _OTHER_PROGRAM),
    ),
    Door.UNTRUSTED: (
        N_("At {address} a certificate is shown that does not lead to a root this IoT system knows."),
        (_OTHER_PROGRAM,),
    ),
}


async def check(facts: BoxFacts, roots: Sequence[x509.Certificate]) -> Finding:
    """Connect to every address by its name, and say which of them a strict client does not accept."""
    names = {address: urlsplit(url).hostname or "" for address, url in urls.https_urls(facts).items()}
    if facts.stored.usable is None or not names:
        return _finding(Verdict.NOT_TRIED, N_("Not tried, because there is no certificate or no address yet."))
    port = facts.ports.https
    context = _strict(roots)
    met = await asyncio.gather(*(_knock(address, port, name, context) for address, name in names.items()))
    return told(dict(zip(names, met, strict=True)), {address: names[address] for address in names}, port)


def told(met: dict[Address, Door], names: dict[Address, str], port: int) -> Finding:
    """Put what was met into words; of several that fail the first one is told, with the others named."""
    failed = [address for address, door in met.items() if door is not Door.FINE]
    addresses = ", ".join(str(address) for address in met)
    words = {"addresses": addresses, "port": str(port)}
    if not failed:
        sentence = N_("At {addresses}, each by its name, the certificate is accepted by a strict client.")
        return _finding(Verdict.FINE, sentence, words)
    first = failed[0]
    sentence, remedy = _WORDS[met[first]]
    return _finding(
        Verdict.WRONG,
        sentence,
        {**words, "address": str(first), "name": names[first], "others": ", ".join(str(one) for one in failed[1:])},
        because=met[first],
        cause=N_("These addresses fail too: {others}") if failed[1:] else "",
        remedy=remedy,
    )


async def _knock(address: Address, port: int, name: str, context: ssl.SSLContext) -> Door:
    writer = None
    try:
        async with asyncio.timeout(_SECONDS):
            _reader, writer = await asyncio.open_connection(str(address), port)
            await writer.start_tls(context, server_hostname=plain_host(name))
            return Door.FINE
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == _WRONG_NAME:
            return Door.WRONG_NAME
        return Door.NOT_NOW if error.verify_code in _NOT_NOW else Door.UNTRUSTED
    except (OSError, TimeoutError):
        return Door.CLOSED if writer is None else Door.NOT_TLS
    finally:
        if writer is not None:
            writer.transport.abort()


def _strict(roots: Sequence[x509.Certificate]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if roots:
        pem = "".join(root.public_bytes(serialization.Encoding.PEM).decode() for root in roots)
        context.load_verify_locations(cadata=pem)
    return context


NO_DOOR = _finding(Verdict.NOT_TRIED, N_("Not tried, because HTTPS of this IoT system does not answer as it should."))
"""What is said when the door itself is not fine."""
