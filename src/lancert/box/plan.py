"""What the box does next and what is wrong with it: pure decisions over ``BoxFacts`` and the time.

The agent carries out what ``next_step`` says. A refusal stops renewals, it never takes a working certificate away.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lancert.box.facts import BoxFacts, InstalledCertificate, LastTry, Outcome
from lancert.protocol import problems
from lancert.protocol.names import certificate_names
from lancert.protocol.problems import Occurrence

BETWEEN_ASKED_TRIES = timedelta(seconds=60)
"""Opening the homepage starts a try at most this often (S-26)."""

BETWEEN_TOLD_TRIES = timedelta(seconds=10)
"""Whoever may change settings can have a try this often."""

BETWEEN_EMERGENCY_TRIES = timedelta(minutes=5)
"""The longest wait when a certificate is about to expire."""

BETWEEN_TOLD_EMERGENCY_TRIES = timedelta(minutes=15)
"""The longest wait then when the service said how long."""

BETWEEN_REFUSED_EMERGENCY_TRIES = timedelta(hours=1)
"""The longest wait then when the service refused: a person has to do something first."""

LOOK_AGAIN = timedelta(hours=1)
"""The longest the box goes without looking at what it has."""

DUE = "the certificate is due for renewal"
"""The one reason that waits for the time of maintenance."""

EXPIRED = "the certificate has expired"

_LONGEST_SPREAD = timedelta(hours=12)
"""How far into the last third of its life the renewal of a certificate may be put off to spread a fleet."""


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
    if need == DUE and not facts.renewal_asked:
        earliest = _in_maintenance(facts, max(earliest, now))
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
        return EXPIRED
    if _due_from(facts, installed) <= now:
        return DUE
    if facts.renewal_asked:
        return "a new certificate was asked for"
    # A try that failed by a wrong clock says nothing about the certificate once the clock is right.
    if facts.last_try is not None and facts.last_try.outcome is not Outcome.INSTALLED and not facts.clock_was_set:
        return "the last try did not succeed"
    return None


def renewal_begins(installed: InstalledCertificate) -> datetime:
    """Give the moment from which a certificate is due.

    It lies in the window of the service, at a place that is drawn with the certificate itself (its fingerprint) and so
    never changes: a fleet spreads, and nothing has to be remembered. It is not put off far into the last third of the
    life, however long the window: one day on which the service can be reached must do.
    """
    begin, end = _renewal_window(installed)
    return begin + (end - begin) * _share(installed)


def emergency_begins(installed: InstalledCertificate) -> datetime:
    """Give the moment from which a certificate is renewed at any hour, and a try follows the other within minutes."""
    return installed.facts.not_after - installed.facts.life / 20


def _renewal_window(installed: InstalledCertificate) -> tuple[datetime, datetime]:
    """Give when to renew: the window of the service if it makes sense, else from a third of the life left.

    A life under ten days is renewed from half of it on.
    """
    facts = installed.facts
    if facts.not_before < installed.renewal_start < emergency_begins(installed):
        latest = facts.not_after - facts.life / 3 + min(_LONGEST_SPREAD, facts.life / 60)
        return installed.renewal_start, max(installed.renewal_start, min(installed.renewal_end, latest))
    begin = facts.not_after - (facts.life / 2 if facts.life < timedelta(days=10) else facts.life / 3)
    return begin, begin


def _share(installed: InstalledCertificate) -> float:
    """Give a number from 0 to 1 that belongs to this certificate."""
    return int(installed.facts.fingerprint[:8], 16) / 0xFFFFFFFF


def _due_from(facts: BoxFacts, installed: InstalledCertificate) -> datetime:
    # Where there is a time for maintenance, the fleet spreads within that, and no night is given away.
    return renewal_begins(installed) if facts.maintenance is None else _renewal_window(installed)[0]


def _in_maintenance(facts: BoxFacts, earliest: datetime) -> datetime:
    """Put a renewal off to the next time for maintenance, but not beyond the emergency."""
    installed = facts.stored.usable
    if facts.maintenance is None or installed is None:
        return earliest
    opening = facts.maintenance.opening(earliest)
    begin = opening.begin + (opening.end - opening.begin) / 2 * _share(installed)
    return max(earliest, min(begin, emergency_begins(installed)))


def earliest_try(facts: BoxFacts, now: datetime) -> datetime:
    """Give the earliest moment of the next try: at once at first, else as the last one said.

    A person who asks does not wait for the backoff, only for the distance between two tries. A last try in
    the future means that the clock was set back: its waits say nothing any more.
    """
    last = facts.last_try
    if last is None or last.at > now:
        return now
    if facts.renewal_asked or facts.clock_was_set or facts.disk_takes_writes_again:
        return last.at + BETWEEN_TOLD_TRIES
    if facts.was_asked:
        return last.at + BETWEEN_ASKED_TRIES
    if last.next_at is None:
        return now
    # However soon the service would like to be asked again, tries stay apart (S-26).
    return max(min(last.next_at, _in_emergency(facts, last)), last.at + BETWEEN_ASKED_TRIES)


def _in_emergency(facts: BoxFacts, last: LastTry) -> datetime:
    """Give the moment at which the emergency has the next try made, whatever wait was said before."""
    installed = facts.stored.usable
    if installed is None or last.next_at is None or last.outcome is Outcome.INSTALLED:
        return last.next_at or last.at
    if last.outcome is Outcome.REFUSED:
        longest = BETWEEN_REFUSED_EMERGENCY_TRIES
    else:
        longest = BETWEEN_TOLD_EMERGENCY_TRIES if last.is_told else BETWEEN_EMERGENCY_TRIES
    return max(last.at + longest, emergency_begins(installed))


def _next_look(facts: BoxFacts, now: datetime) -> datetime:
    installed = facts.stored.usable
    assert installed is not None
    return min(now + LOOK_AGAIN, max(_due_from(facts, installed), now))


def problems_of(facts: BoxFacts, now: datetime) -> tuple[Occurrence, ...]:
    """Name what is wrong, causes before consequences; nothing when all is well.

    A box that is not connected lacks everything else too: only the cause is named.
    """
    if facts.server is None:
        return (Occurrence(problem=problems.CHECK_NO_SERVER),)
    found: list[Occurrence] = []
    if facts.clock_is_wrong:
        clock = {"server": facts.server.url}
        found.append(Occurrence(problem=problems.LOAD_REQUEST_EXCEPTION, cause_id="clock", facts=clock))
    if facts.stored.damage is not None:
        found.append(
            Occurrence(problem=problems.CHECK_CERT_READ_EXCEPTION, cause_id=facts.stored.damage),
        )
    if not facts.credential.is_complete:
        found.append(_no_credential(facts))
    elif (last := facts.last_try) is not None and last.outcome is not Outcome.INSTALLED and last.problem is not None:
        shown = facts.clock_is_wrong and last.problem.cause_id == "clock"
        found += () if shown or facts.clock_was_set else (last.problem,)
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
