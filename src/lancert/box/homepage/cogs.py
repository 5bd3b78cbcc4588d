"""Behind the cogs: the banner of the HTTPS certificate, the settings, and at the foot the log level."""

from datetime import datetime
from typing import Any

from lancert.box import plan
from lancert.box.facts import BoxFacts, Outcome
from lancert.box.homepage.drawing import draw
from lancert.box.homepage.exchange import Answer
from lancert.box.homepage.forms import NO_MISTAKES
from lancert.box.homepage.front import SAVED, is_loading_now, next_words
from lancert.box.homepage.moments import left_words, moment_words
from lancert.box.homepage.settings import https_only_links, log_level_values
from lancert.box.homepage.speech import Speech
from lancert.box.homepage.visit import Visit
from lancert.box.status import maintenance_wait
from lancert.kit.language import N_


async def cogs(visit: Visit) -> Answer:
    """Draw the page behind the cogs button."""
    facts, now, speech = visit.facts, visit.now, visit.speech
    return draw(
        "cogs.html",
        speech,
        has_form=True,
        saved=speech.say(SAVED[visit.asked("saved") or ""]) if visit.asked("saved") in SAVED else None,
        name=facts.name,
        banner=banner(facts, now, speech),
        contract_is_set=facts.credential.contract is not None,
        database_is_set=facts.credential.database is not None,
        server=facts.server.url if facts.server else None,
        https_only=https_only_links(visit, "/cogs/log-level"),
        **log_level_values(visit),
        log_level=facts.log_level,
        mistakes=NO_MISTAKES,
    )


def banner(facts: BoxFacts, now: datetime, speech: Speech) -> dict[str, Any]:
    """Give what the banner says: the validity period, what is left of it, the renewal, the last try, the names."""
    installed = facts.stored.usable
    return {
        "certificate": None if installed is None else _certificate(facts, now, speech),
        "last_try": _last_try(facts, speech),
        "next": next_words(facts, now, speech),
        "is_loading": is_loading_now(facts, now),
        "waits_for_maintenance": maintenance_wait(facts, now) is not None,
    }


def _certificate(facts: BoxFacts, now: datetime, speech: Speech) -> dict[str, Any]:
    installed = facts.stored.usable
    assert installed is not None
    certificate, due = installed.facts, plan.renewal_begins(installed)
    if now < certificate.not_before:
        left = speech.say(N_("Not valid yet: check the clock of this IoT system."))
    elif now > certificate.not_after:
        left = speech.say(N_("Expired {span} ago"), span=left_words(now - certificate.not_after, speech))
    else:
        left = speech.say(N_("{span} left"), span=left_words(certificate.not_after - now, speech))
    return {
        "is_valid": certificate.is_valid_at(now),
        "not_before": moment_words(certificate.not_before, speech),
        "not_after": moment_words(certificate.not_after, speech),
        "left": left,
        "renewal": moment_words(due, speech),
        "names": certificate.names,
        "spent": _part(now, certificate.not_before, certificate.not_after),
        "due": _part(due, certificate.not_before, certificate.not_after),
    }


def _part(moment: datetime, start: datetime, end: datetime) -> int:
    """Give where a moment lies in a period, in thousandths."""
    life = max((end - start).total_seconds(), 1.0)
    return round(1000 * min(max((moment - start).total_seconds() / life, 0.0), 1.0))


def _last_try(facts: BoxFacts, speech: Speech) -> dict[str, str | None] | None:
    last = facts.last_try
    if last is None:
        return None
    ended = {
        Outcome.INSTALLED: N_("A certificate was installed."),
        Outcome.REFUSED: N_("The server refused to give a certificate."),
        Outcome.FAILED: N_("The try failed."),
    }
    return {
        "at": moment_words(last.at, speech),
        "ended": speech.say(ended[last.outcome]),
        "code": last.problem.code if last.problem and last.outcome is not Outcome.INSTALLED else None,
    }
