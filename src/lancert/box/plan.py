"""What the box does next and what is wrong with it: pure decisions over ``BoxFacts`` and the time.

The agent carries out what ``next_step`` says. A refusal stops renewals, it never takes a working certificate away.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lancert.box.facts import BoxFacts, InstalledCertificate, Outcome
from lancert.protocol import problems
from lancert.protocol.names import certificate_names
from lancert.protocol.problems import Occurrence

BETWEEN_ASKED_TRIES = timedelta(seconds=60)
"""Opening the homepage starts a try at most this often (S-26)."""

BETWEEN_TOLD_TRIES = timedelta(seconds=10)
"""Whoever may change settings can have a try this often."""

LOOK_AGAIN = timedelta(hours=1)
"""The longest the box goes without looking at what it has."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing can be done until a person changes something."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done before this moment; ``because`` says what for when a try is due later."""

    until: datetime
    because: str | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """Ask the service for a certificate now."""

    because: str


Step = Rest | Wait | Load


def next_step(facts: BoxFacts, now: datetime) -> Step:
    """Say what the box does next; the agent carries it out."""
    if facts.server is None or not facts.credential.is_complete:
        return Rest()
    need = reason_to_load(facts, now)
    if need is None:
        return Wait(until=_next_look(facts, now))
    earliest = earliest_try(facts, now)
    return Load(because=need) if earliest <= now else Wait(until=earliest, because=need)


def reason_to_load(facts: BoxFacts, now: datetime) -> str | None:
    """Say why a certificate is needed, or None when the one there is will do for now."""
    installed = facts.stored.usable
    if facts.stored.damage is not None:
        return "the stored certificate cannot be read"
    if installed is None:
        return "there is no certificate yet"
    if facts.enrolment is None:
        return "the server or the credential changed"
    if set(installed.facts.names) != set(certificate_names(facts.enrolment.label, facts.enrolment.zone)):
        return "the certificate is for another name space"
    if installed.facts.not_after <= now:
        return "the certificate has expired"
    if renewal_begins(installed) <= now:
        return "the certificate is due for renewal"
    if facts.renewal_asked:
        return "a new certificate was asked for"
    if facts.last_try is not None and facts.last_try.outcome is not Outcome.INSTALLED:
        return "the last try did not succeed"
    return None


def renewal_begins(installed: InstalledCertificate) -> datetime:
    """Give the moment from which a certificate is due.

    The window of the service counts when it lies inside the life of the certificate; otherwise a third of the life
    is left for renewing, or half of it for a life under ten days.
    """
    facts = installed.facts
    if facts.not_before < installed.renewal_start < facts.not_after:
        return installed.renewal_start
    left = facts.life / 2 if facts.life < timedelta(days=10) else facts.life / 3
    return facts.not_after - left


def earliest_try(facts: BoxFacts, now: datetime) -> datetime:
    """Give the earliest moment of the next try: at once at first, else as the last one said.

    A person who asks does not wait for the backoff, only for the distance between two tries. A last try in
    the future means that the clock was set back: its waits say nothing any more.
    """
    last = facts.last_try
    if last is None or last.at > now:
        return now
    if facts.renewal_asked:
        return last.at + BETWEEN_TOLD_TRIES
    if facts.was_asked:
        return last.at + BETWEEN_ASKED_TRIES
    # However soon the service would like to be asked again, tries stay apart (S-26).
    return max(last.next_at, last.at + BETWEEN_ASKED_TRIES) if last.next_at else now


def _next_look(facts: BoxFacts, now: datetime) -> datetime:
    installed = facts.stored.usable
    assert installed is not None
    return min(now + LOOK_AGAIN, max(renewal_begins(installed), now))


def problems_of(facts: BoxFacts, now: datetime) -> tuple[Occurrence, ...]:
    """Name what is wrong, causes before consequences; nothing when all is well.

    A box that is not connected lacks everything else too: only the cause is named.
    """
    if facts.server is None:
        return (Occurrence(problem=problems.CHECK_NO_SERVER),)
    found: list[Occurrence] = []
    if facts.stored.damage is not None:
        found.append(
            Occurrence(problem=problems.CHECK_CERT_READ_EXCEPTION, cause_id=facts.stored.damage),
        )
    if not facts.credential.is_complete:
        found.append(_no_credential(facts))
    elif (last := facts.last_try) is not None and last.outcome is not Outcome.INSTALLED and last.problem is not None:
        found.append(last.problem)
    return tuple(found)


def _no_credential(facts: BoxFacts) -> Occurrence:
    match facts.credential.missing:
        case ("contract",):
            cause = "contract"
        case ("database",):
            cause = "database-uuid"
        case _:
            cause = "both"
    return Occurrence(problem=problems.LOAD_NO_CREDENTIAL, cause_id=cause)


def serves_https(facts: BoxFacts, now: datetime) -> bool:
    """Say whether a certificate that browsers accept is being served."""
    installed = facts.stored.usable
    return installed is not None and installed.facts.is_valid_at(now)
