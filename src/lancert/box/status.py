"""The status document: what ``/status.json`` and ``lancert box status --json`` say, and the state in one word.

It is open to anybody on the network, so it holds no contract, no UUID, no serial number and no version.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from lancert.box import plan, urls
from lancert.box.deploy.telling import targets_document
from lancert.box.facts import BoxFacts, Outcome
from lancert.box.interfaces import Interface
from lancert.kit.clock import to_text
from lancert.kit.language import Translate
from lancert.protocol.problems import Occurrence


class State(StrEnum):
    """The state of HTTPS on this box."""

    SECURE = "secure"
    """A valid certificate is served and nothing is wrong."""

    ATTENTION = "attention"
    """A valid certificate is served, and something is wrong that will matter later."""

    LOADING = "loading"
    """There is no valid certificate yet and one is being asked for."""

    BLOCKED = "blocked"
    """There is no valid certificate, and something has to be mended first."""

    NOT_CONNECTED = "not-connected"
    """Nobody has connected this box to a server yet."""


def state_of(facts: BoxFacts, now: datetime) -> State:
    """Say the state in one word."""
    if facts.server is None and facts.stored.usable is None:
        return State.NOT_CONNECTED
    wrong = plan.problems_of(facts, now)
    if plan.serves_https(facts, now):
        return State.ATTENTION if wrong else State.SECURE
    if facts.is_loading or not wrong:
        return State.LOADING
    return State.BLOCKED


def status_document(facts: BoxFacts, now: datetime, translate: Translate) -> dict[str, Any]:
    """Give the document as plain JSON values; moments are RFC 3339 in UTC."""
    return {
        "name": facts.name,
        "kind": facts.kind.value,
        "state": state_of(facts, now).value,
        "now": to_text(now),
        "url": urls.https_url(facts),
        "stable_url": urls.stable_url(facts),
        "urls": [_way(way) for way in urls.ways(facts)],
        "interfaces": [_interface(one) for one in facts.interfaces],
        "server": facts.server.url if facts.server else None,
        "credential": {
            "contract": "missing" if facts.credential.contract is None else "set",
            "database_uuid": "missing" if facts.credential.database is None else "set",
        },
        "certificate": _certificate(facts, now),
        "last_try": _last_try(facts),
        "next_try": _next_try(facts, now),
        "maintenance": _maintenance(facts, now),
        "is_loading": facts.is_loading,
        "log_level": {
            "level": facts.log_level,
            "until": to_text(facts.log_level_until) if facts.log_level_until else None,
        },
        "problems": [problem_document(problem, translate) for problem in plan.problems_of(facts, now)],
        "notices": [notice.document(translate) for notice in facts.notices],
        "hand_over": targets_document(facts.handed_over, translate),
    }


def _way(way: urls.Way) -> dict[str, Any]:
    return {
        "address": str(way.address),
        "interface": way.interface.name if way.interface else None,
        "has_link": way.has_link,
        "https_answers": way.answers,
        "http": way.http,
        "https": way.https,
    }


def _interface(one: Interface) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind.value,
        "has_link": one.has_link,
        "has_default_route": one.has_default_route,
    }


def problem_document(problem: Occurrence, translate: Translate) -> dict[str, Any]:
    """Give a problem as its row of the catalogue says it."""
    return {
        "code": problem.code,
        "title": problem.title(translate),
        "meaning": problem.meaning(translate),
        "cause": None
        if problem.cause is None
        else {"id": problem.cause.id, "meaning": problem.cause_meaning(translate)},
        "reasons": [
            {"criterion": reason.criterion.value, "facts": dict(reason.facts), "meaning": reason.meaning(translate)}
            for reason in problem.reasons
        ],
        "remedy": problem.remedy(translate),
    }


def _certificate(facts: BoxFacts, now: datetime) -> dict[str, Any] | None:
    installed = facts.stored.usable
    if installed is None:
        return None
    return {
        "names": list(installed.facts.names),
        "not_before": to_text(installed.facts.not_before),
        "not_after": to_text(installed.facts.not_after),
        "is_valid": installed.facts.is_valid_at(now),
        "renewal_from": to_text(plan.renewal_begins(installed)),
    }


def _last_try(facts: BoxFacts) -> dict[str, Any] | None:
    last = facts.last_try
    if last is None:
        return None
    return {
        "at": to_text(last.at),
        "outcome": last.outcome.value,
        "code": last.problem.code if last.problem and last.outcome is not Outcome.INSTALLED else None,
    }


def maintenance_wait(facts: BoxFacts, now: datetime) -> datetime | None:
    """Give the moment in the time for maintenance that a renewal waits for; None when it waits for nothing such."""
    step = plan.next_step(facts, now)
    if facts.maintenance is None or not isinstance(step, plan.Wait) or step.because != plan.DUE:
        return None
    # A wait that ends outside is one that the emergency ends.
    return step.until if facts.maintenance.opening(step.until).begin <= step.until else None


def _maintenance(facts: BoxFacts, now: datetime) -> dict[str, Any] | None:
    if facts.maintenance is None:
        return None
    waits = maintenance_wait(facts, now)
    return {
        "begin": f"{facts.maintenance.begin:%H:%M}",
        "end": f"{facts.maintenance.end:%H:%M}",
        "waits_until": to_text(waits) if waits else None,
    }


def _next_try(facts: BoxFacts, now: datetime) -> str | None:
    match plan.next_step(facts, now):
        case plan.Load():
            return to_text(now)
        case plan.Wait(until=until, because=because) if because is not None:
            return to_text(until)
        case plan.Wait() if facts.stored.usable is not None:
            return to_text(plan.renewal_begins(facts.stored.usable))
        case _:
            return None
