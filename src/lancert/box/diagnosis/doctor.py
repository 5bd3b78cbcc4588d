"""Runs every check, causes before consequences, and gives one table.

A new check is one file with an ``ID``, a ``check`` and a line here.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from lancert.box.client import Client
from lancert.box.diagnosis import (
    certificate_readable,
    credential_complete,
    name_resolves,
    own_https,
    server_configured,
    service_reachable,
)
from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.facts import BoxFacts


async def diagnose(facts: BoxFacts, client: Client | None, now: datetime, *, own_host: str) -> Sequence[Finding]:
    """Give the findings of all checks. ``own_host`` is an address on which this box listens."""
    reachable, resolves, https = await asyncio.gather(
        service_reachable.check(facts, client),
        name_resolves.check(facts),
        own_https.check(facts, own_host),
    )
    return (
        server_configured.check(facts),
        credential_complete.check(facts),
        reachable,
        certificate_readable.check(facts, now),
        resolves,
        https,
    )


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Say whether every check that could be tried is fine, and each was tried."""
    return all(finding.verdict is Verdict.FINE for finding in findings)
