"""Does the HTTPS door of this box answer with the stored certificate?"""

import asyncio
import hashlib
import ssl

from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.facts import BoxFacts
from lancert.kit.language import N_
from lancert.protocol.names import stable_name

ID = "own-https"
_TITLE = N_("HTTPS of this IoT system")
_SECONDS = 5.0


async def check(facts: BoxFacts, host: str) -> Finding:
    """Connect to the door and compare what it shows with what is stored."""
    installed = facts.stored.usable
    if installed is None or not facts.name_spaces:
        return _finding(Verdict.NOT_TRIED, N_("Not tried, because there is no certificate yet."))
    words = {"port": str(facts.ports.https)}
    try:
        space = facts.name_spaces[0]
        name = stable_name(space.label, space.zone)
        served = await asyncio.wait_for(_served_certificate(host, facts.ports.https, name), _SECONDS)
    except (OSError, TimeoutError):
        return _finding(
            Verdict.WRONG,
            N_("Nothing answers on the HTTPS port {port} of this IoT system."),
            words,
            (N_("Check that the agent is running: lancert box run."),),
        )
    if hashlib.sha256(served).hexdigest() != installed.facts.fingerprint:
        return _finding(
            Verdict.WRONG,
            N_("The HTTPS port {port} shows another certificate than the stored one."),
            words,
            (N_("Restart the agent, and check that no other program answers on that port."),),
        )
    return _finding(Verdict.FINE, N_("The HTTPS port {port} answers with the stored certificate."), words)


async def _served_certificate(host: str, port: int, name: str) -> bytes:
    # What is shown is compared with the stored certificate byte by byte, which says more than a verification.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _reader, writer = await asyncio.open_connection(host, port)
    try:
        await writer.start_tls(context, server_hostname=name)
        served: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return served or b""
    finally:
        writer.transport.abort()


def _finding(
    verdict: Verdict, sentence: str, words: dict[str, str] | None = None, remedy: tuple[str, ...] = ()
) -> Finding:
    return Finding(check=ID, title=_TITLE, verdict=verdict, sentence=sentence, facts=words or {}, remedy=remedy)
