"""Runs every check, causes before consequences, and gives one table.

A new check is one file with an ``ID``, a ``check`` and a line here.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from lancert.box.client import Client, Unreachable, system_roots
from lancert.box.connecting import offered_roots
from lancert.box.diagnosis import (
    certificate_chain,
    certificate_readable,
    clock,
    credential_complete,
    hand_over,
    https_at_addresses,
    name_resolves,
    own_https,
    private_files,
    server_configured,
    service_reachable,
    settings_readable,
    storage,
)
from lancert.box.diagnosis.resolvers import Resolvers, resolvers_of_this_machine
from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.facts import BoxFacts
from lancert.box.folder import Folder
from lancert.box.time import RELEASED


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Whom the doctor looks at.

    ``own_host`` is an address on which the box listens, ``shown`` what the clock of the machine shows and ``now`` the
    time the box goes by. ``writes`` allows the disk to be tried by writing to it. ``public_resolvers`` are asked beside
    the ``resolvers`` of this machine; without any the usual ones are.
    """

    facts: BoxFacts
    folder: Folder
    client: Client | None
    now: datetime
    shown: datetime
    own_host: str
    writes: bool = True
    public_resolvers: list[str] | None = None
    resolvers: Resolvers | None = None


async def diagnose(patient: Patient) -> Sequence[Finding]:
    """Give the findings of all checks."""
    facts, folder = patient.facts, patient.folder
    (reachable, told, roots), door, resolves = await asyncio.gather(
        _meet_the_server(patient),
        own_https.check(facts, patient.own_host),
        name_resolves.check(facts, patient.resolvers or resolvers_of_this_machine(patient.public_resolvers)),
    )
    # Where the door does not show what is stored, what it shows at which address says nothing.
    is_wrong = door.verdict is Verdict.WRONG
    doors = https_at_addresses.NO_DOOR if is_wrong else await https_at_addresses.check(facts, roots)
    return (
        clock.check(patient.shown, told, _known_past(patient)),
        storage.check(folder.path, await asyncio.to_thread(storage.look, folder.path, writes=patient.writes)),
        private_files.check(folder.path, private_files.look(folder.path)),
        *settings_readable.check(facts),
        server_configured.check(facts),
        credential_complete.check(facts),
        reachable,
        certificate_readable.check(facts, patient.now),
        certificate_chain.check(certificate_chain.stored_chain(folder.certificates), roots, patient.now),
        door,
        doors,
        resolves,
        await hand_over.check(facts),
    )


async def _meet_the_server(patient: Patient) -> tuple[Finding, datetime | None, Sequence[x509.Certificate]]:
    """Say whether the server is reached, what time it tells and which roots count, one request after the other."""
    reachable = await service_reachable.check(patient.facts, patient.client)
    told = await clock.ask_the_time(patient.client) if _proved_itself_but_for_dates(reachable) else None
    if reachable.because == "untrusted" and told is not None and clock.is_off(patient.shown, told):
        reachable = service_reachable.because_of_the_clock(reachable)
    return reachable, told, await _roots(patient, is_reachable=reachable.verdict is Verdict.FINE)


def _proved_itself_but_for_dates(reachable: Finding) -> bool:
    return reachable.verdict is Verdict.FINE or reachable.because in ("clock", "untrusted")


def _known_past(patient: Patient) -> datetime:
    usable, proven = patient.facts.stored.usable, patient.folder.proven_moment()
    return max(RELEASED, proven or RELEASED, usable.facts.not_before if usable else RELEASED)


async def _roots(patient: Patient, *, is_reachable: bool) -> Sequence[x509.Certificate]:
    """Give what a certificate of this box may lead to, as when it was installed."""
    if pinned := patient.folder.roots():
        return pinned
    offered: Sequence[x509.Certificate] = ()
    if patient.client is not None and is_reachable:
        with contextlib.suppress(Unreachable):
            offered = await offered_roots(patient.client)
    return [*system_roots(), *offered]


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Say whether every check that could be tried is fine, and each was tried."""
    return all(finding.verdict is Verdict.FINE for finding in findings)
