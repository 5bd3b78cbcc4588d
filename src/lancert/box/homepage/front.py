"""The front page: what this system is, whether HTTPS works, what is wrong and what to do, and how to get here.

Opening it asks the agent for a check and never waits for one (S-23, S-26); while a certificate is being asked for,
the page reloads itself.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lancert.box import plan, urls
from lancert.box.facts import BoxFacts
from lancert.box.homepage.browser import is_name, trial_for
from lancert.box.homepage.drawing import draw
from lancert.box.homepage.exchange import Answer, NotAcceptable
from lancert.box.homepage.moments import date_words, moment_words, near_words, span_words
from lancert.box.homepage.qr import qr_code
from lancert.box.homepage.speech import Speech
from lancert.box.homepage.visit import Visit
from lancert.box.homepage.ways import groups_of
from lancert.box.status import State, maintenance_wait, problem_document, state_of, status_document
from lancert.kit.language import N_
from lancert.protocol import problems
from lancert.protocol.messages import Kind
from lancert.protocol.problems import Criterion, Occurrence

RELOAD_SECONDS = 3

KINDS = {Kind.BOX: N_("IoT box"), Kind.VIRTUAL: N_("Virtual IoT system")}

SAVED = {
    "credential": N_("The credential is saved."),
    "server": N_("The server is saved."),
    "log-level": N_("The log level is saved."),
    "renewal": N_("A new certificate is asked for."),
}
"""What the query may say after a change; everything else in it is ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """How a state shows: a word, a sentence, and an icon of ``icons.html`` so that colour is never the only sign."""

    word: str
    sentence: str
    icon: str


SIGNS = {
    State.SECURE: Sign(
        word=N_("Secure"),
        sentence=N_("HTTPS works. Payment terminals and other devices can connect to this IoT system."),
        icon="lock",
    ),
    State.ATTENTION: Sign(
        word=N_("Works, but needs attention"),
        sentence=N_("HTTPS works until {until}. Mend what is named below before then."),
        icon="warning",
    ),
    State.LOADING: Sign(
        word=N_("Getting the certificate"),
        sentence=N_("This IoT system asks its server for a certificate. That takes a few seconds."),
        icon="hourglass",
    ),
    State.BLOCKED: Sign(
        word=N_("HTTPS does not work"),
        sentence=N_("There is no valid certificate. What to do is written below."),
        icon="blocked",
    ),
    State.NOT_CONNECTED: Sign(
        word=N_("Not connected"),
        sentence=N_("Once this IoT system is connected to a server, it gets its certificate by itself."),
        icon="plug",
    ),
}


async def front(visit: Visit) -> Answer:
    """Draw the front page and have a check scheduled, if it was really opened."""
    if visit.request.method == "GET":
        visit.agent.homepage_opened()
        visit = replace(visit, facts=visit.agent.facts())
    facts, now, speech = visit.facts, visit.now, visit.speech
    is_loading = is_loading_now(facts, now)
    # A page that reloads itself would start over again and again.
    trial = None if is_loading else trial_for(visit)
    return draw(
        "front.html",
        speech,
        script_asks=trial.origins if trial else (),
        trial=trial,
        is_there=visit.request.secure and is_name(visit.request),
        zone=facts.name_spaces[0].zone if facts.name_spaces else None,
        server=facts.server.url if facts.server else None,
        refresh=RELOAD_SECONDS if is_loading else None,
        saved=speech.say(SAVED[visit.asked("saved") or ""]) if visit.asked("saved") in SAVED else None,
        name=facts.name,
        kind=speech.say(KINDS[facts.kind]),
        state=state_view(facts, now, speech),
        url=urls.https_url(facts) if plan.serves_https(facts, now) else None,
        stable_url=urls.stable_url(facts) if plan.serves_https(facts, now) else None,
        problems=[problem_view(problem, speech) for problem in plan.problems_of(facts, now)],
        notices=[notice.document(speech.gettext) for notice in facts.notices],
        next_words=_reload_words(facts, now, speech) or next_words(facts, now, speech),
        last_words=last_words(facts, speech),
        groups=groups_of(facts, now, speech),
        log_level_words=log_level_words(facts, now, speech),
    )


async def status(visit: Visit) -> Answer:
    """Give the status document for programs; asking for it schedules nothing."""
    import json  # what a page does not need

    document = status_document(visit.facts, visit.now, visit.speech.gettext)
    return Answer(body=json.dumps(document).encode("ascii"), media_type="application/json")


async def qr(visit: Visit) -> Answer:
    """Give the HTTPS URL as a QR code."""
    url = urls.https_url(visit.facts)
    if url is None or not plan.serves_https(visit.facts, visit.now):
        raise NotAcceptable(404, "")
    return Answer(body=qr_code(url), media_type="image/svg+xml")


def is_loading_now(facts: BoxFacts, now: datetime) -> bool:
    """Say whether a certificate is being asked for, or will be at once."""
    return facts.is_loading or isinstance(plan.next_step(facts, now), plan.Load)


def state_view(facts: BoxFacts, now: datetime, speech: Speech) -> dict[str, str]:
    """Give the state at a glance."""
    state = state_of(facts, now)
    sign = SIGNS[state]
    usable = facts.stored.usable
    until = date_words(usable.facts.not_after, speech) if usable else ""
    return {
        "id": state.value,
        "word": speech.say(sign.word),
        "sentence": speech.say(sign.sentence, until=until),
        "icon": sign.icon,
    }


def problem_view(problem: Occurrence, speech: Speech) -> dict[str, Any]:
    """Give a problem as its row of the catalogue says it, and the page that mends it."""
    action = _action(problem)
    document = problem_document(problem, speech.gettext)
    return {**document, "action": None if action is None else {"path": action[0], "word": speech.say(action[1])}}


def _action(problem: Occurrence) -> tuple[str, str] | None:
    criteria = {reason.criterion for reason in problem.reasons}
    if problem.problem is problems.CHECK_NO_SERVER:
        return "/cogs/server", N_("Connect to a server")
    if problem.problem is problems.LOAD_NO_CREDENTIAL or Criterion.CREDENTIAL_NOT_RECOGNISED in criteria:
        return "/cogs/credential", N_("Enter the credential")
    if problem.problem in (problems.LOAD_REQUEST_EXCEPTION, problems.LOAD_REQUEST_STATUS):
        return "/cogs/diagnosis", N_("Open the diagnosis")
    return None


def _reload_words(facts: BoxFacts, now: datetime, speech: Speech) -> str | None:
    if not is_loading_now(facts, now):
        return None
    if state_of(facts, now) is State.LOADING:
        return speech.say(N_("This page reloads itself until it is done."))
    return speech.say(N_("A certificate is being asked for now. This page reloads itself."))


def next_words(facts: BoxFacts, now: datetime, speech: Speech) -> str | None:
    """Say what happens next by itself; None when it is up to a person."""
    if is_loading_now(facts, now):
        return speech.say(N_("A certificate is being asked for now."))
    match plan.next_step(facts, now):
        case plan.Wait() if (moment := maintenance_wait(facts, now)) is not None:
            return speech.say(
                N_(
                    "A new certificate is put in at the time for maintenance, between {begin} and {end} local time: "
                    "in {span}."
                ),
                **_hours(facts),
                span=span_words(moment - now, speech),
            )
        case plan.Wait(until=until, because=because) if because is not None:
            return speech.say(
                N_("Tries again by itself in {span}, at {moment}."),
                span=span_words(until - now, speech),
                moment=near_words(until, now, speech),
            )
        case plan.Wait() if facts.stored.usable is not None:
            due = date_words(plan.renewal_begins(facts.stored.usable), speech)
            if facts.maintenance is None:
                return speech.say(N_("The certificate is renewed by itself from {date}."), date=due)
            return speech.say(
                N_("The certificate is renewed by itself from {date}, between {begin} and {end} local time."),
                date=due,
                **_hours(facts),
            )
        case _:
            return None


def _hours(facts: BoxFacts) -> dict[str, str]:
    """Give the time for maintenance as it was set, on the clock of the wall."""
    assert facts.maintenance is not None
    return {"begin": f"{facts.maintenance.begin:%H:%M}", "end": f"{facts.maintenance.end:%H:%M}"}


def log_level_words(facts: BoxFacts, now: datetime, speech: Speech) -> str | None:
    """Say that more or less than usual is recorded, and until when."""
    if facts.log_level_until is None:
        return None
    until = near_words(facts.log_level_until, now, speech)
    return speech.say(N_("The log level is {level} until {moment}."), level=facts.log_level.title(), moment=until)


def last_words(facts: BoxFacts, speech: Speech) -> str | None:
    """Say when the last try was."""
    if facts.last_try is None:
        return None
    return speech.say(N_("Last try: {moment}."), moment=moment_words(facts.last_try.at, speech))
