"""Does the HTTPS door of this box answer with the stored certificate?"""

import asyncio

from lancert.box.diagnosis.result import Check, Finding, Verdict
from lancert.box.facts import BoxFacts
from lancert.box.own_door import served_fingerprint
from lancert.kit.language import N_
from lancert.protocol.names import stable_name

ID = "own-https"
_TITLE = N_("HTTPS of this IoT system")
_finding = Check(ID, _TITLE).found
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
        served = await asyncio.wait_for(served_fingerprint(host, facts.ports.https, name), _SECONDS)
    except (OSError, TimeoutError):
        return _finding(
            Verdict.WRONG,
            N_("Nothing answers on the HTTPS port {port} of this IoT system."),
            words,
            remedy=(N_("Check that the agent is running: lancert box run."),),
            because="closed",
        )
    if served != installed.facts.fingerprint:
        return _finding(
            Verdict.WRONG,
            N_("The HTTPS port {port} shows another certificate than the stored one."),
            words,
            remedy=(N_("Restart the agent, and check that no other program answers on that port."),),
            because="other-certificate",
        )
    return _finding(Verdict.FINE, N_("The HTTPS port {port} answers with the stored certificate."), words)
