"""The homepage as one ASGI application for both doors: guard, route table, pages, in that order.

Looking is free and changes nothing; every change is a form with the PIN in it. There are no sessions, no cookies and
no answers for other origins. What goes wrong unexpectedly is shown as a reference into the log, never as its text.
"""

import socket
from collections.abc import Awaitable, Callable, Mapping

from lancert.box import disk
from lancert.box.homepage import (
    browser,
    cogs,
    diagnosis_page,
    front,
    guard,
    log_page,
    renewal,
    reset_page,
    routers_page,
    settings,
)
from lancert.box.homepage.agent import HomepageAgent
from lancert.box.homepage.checkup import PATIENCE, Checkup
from lancert.box.homepage.drawing import draw, picture
from lancert.box.homepage.exchange import (
    Answer,
    AsgiApp,
    Gone,
    NotAcceptable,
    Receive,
    Request,
    Scope,
    Send,
    read_request,
    send_answer,
)
from lancert.box.homepage.speech import Speech, speech_for
from lancert.box.homepage.visit import Visit
from lancert.box.knocks import Knocks
from lancert.kit.language import N_
from lancert.kit.logs import Log
from lancert.protocol.problems import LOAD_REQUEST_EXCEPTION

Page = Callable[[Visit], Awaitable[Answer]]

_log = Log("homepage")


async def _style(_visit: Visit) -> Answer:
    return picture("style.css")


async def _script(_visit: Visit) -> Answer:
    return picture("browser.js")


async def _icon(_visit: Visit) -> Answer:
    return picture("favicon.svg")


ROUTES: Mapping[str, Mapping[str, Page]] = {
    "/": {"GET": front.front},
    "/status.json": {"GET": front.status},
    "/qr.svg": {"GET": front.qr},
    "/style.css": {"GET": _style},
    "/browser.js": {"GET": _script},
    browser.QUESTION: {"GET": browser.door},
    "/favicon.svg": {"GET": _icon},
    "/cogs": {"GET": cogs.cogs},
    "/cogs/credential": {"GET": settings.show_credential, "POST": settings.change_credential},
    "/cogs/server": {"GET": settings.show_server, "POST": settings.change_server},
    "/cogs/renewal": {"GET": renewal.show_renewal, "POST": renewal.renew},
    "/cogs/log-level": {"GET": settings.show_log_level, "POST": settings.change_log_level},
    "/cogs/diagnosis": {"GET": diagnosis_page.show_diagnosis, "POST": diagnosis_page.run_diagnosis},
    "/cogs/routers": {"GET": routers_page.show_routers},
    "/cogs/log": {"GET": log_page.show_log_form, "POST": log_page.show_log},
    "/cogs/log/download": {"POST": log_page.download_log},
    "/cogs/log/bundle": {"POST": log_page.download_bundle},
    "/cogs/reset": {"GET": reset_page.show_reset, "POST": reset_page.reset},
}

_TURNED_AWAY = {
    400: N_("The request could not be read."),
    403: N_("This form was not sent from a page of this IoT system, so nothing was changed."),
    404: N_("There is no page at this address."),
    405: N_("This page cannot be used in this way."),
    408: N_("The form took too long to arrive, so nothing was changed. Send it again."),
    413: N_("The form is too large, so nothing was changed."),
    415: N_("The form was sent in a way this page does not read."),
}


def homepage_app(
    agent: HomepageAgent,
    *,
    machine_name: str | None = None,
    patience: float = PATIENCE,
    knocks: Knocks | None = None,
) -> AsgiApp:
    """Give the application for both doors.

    ``<machine_name>.local`` is one of the names it answers to; ``patience`` is how many seconds the form that starts a
    diagnosis waits for its end, ``knocks`` is what the HTTPS door saw of those who did not get in.
    """
    label = guard.machine_label(socket.gethostname() if machine_name is None else machine_name)
    checkup, seen = Checkup(agent, patience), knocks or Knocks()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"the homepage speaks HTTP only, not {scope['type']}")
        request = read_request(scope, receive)
        try:
            answer = await _answer(request, agent, checkup, seen, label)
        except Gone:
            return
        await send_answer(guard.with_guards(answer), send)

    return app


async def _answer(request: Request, agent: HomepageAgent, checkup: Checkup, knocks: Knocks, label: str) -> Answer:
    speech = speech_for(request.header("accept-language"))
    try:
        facts = agent.facts()
        if (refused := guard.turned_away(request, facts, label)) is not None:
            return refused
        visit = Visit(
            request=request,
            agent=agent,
            checkup=checkup,
            knocks=knocks,
            machine_name=label,
            facts=facts,
            now=agent.now(),
            speech=speech,
        )
        return await _page(request, visit)
    except NotAcceptable as turned_away:
        return _explained(turned_away, speech)
    except Gone:
        raise
    except Exception as error:
        reference = _log.exception("a page could not be drawn", method=request.method)
        return _refused_by_disk(error, reference, speech) or _broken(reference, speech)


async def _page(request: Request, visit: Visit) -> Answer:
    methods = ROUTES.get(request.path)
    if methods is None:
        raise NotAcceptable(404, _TURNED_AWAY[404])
    page = methods.get("GET" if request.method == "HEAD" else request.method)
    if page is None:
        allowed = ", ".join([*methods, *(("HEAD",) if "GET" in methods else ())])
        return _explained(NotAcceptable(405, _TURNED_AWAY[405]), visit.speech).with_headers(("allow", allowed))
    if request.method == "POST" and not guard.comes_from_our_page(request):
        raise NotAcceptable(403, _TURNED_AWAY[403])
    return await page(visit)


def _explained(turned_away: NotAcceptable, speech: Speech) -> Answer:
    sentence = turned_away.sentence or _TURNED_AWAY[turned_away.status]
    # The rest of a body that is not read must not be taken for the next request.
    headers = (("connection", "close"),) if turned_away.status in (400, 403, 405, 408, 413, 415) else ()
    return draw(
        "turned_away.html",
        speech,
        status=turned_away.status,
        headers=headers,
        sentence=speech.say(sentence),
        reference=None,
    )


def _refused_by_disk(error: Exception, reference: str, speech: Speech) -> Answer | None:
    """Say that a change could not be kept, and why: the owner can do something about a full disk."""
    cause = disk.cause_of(error) if isinstance(error, OSError) else None
    if cause is None:
        return None
    why = speech.say(LOAD_REQUEST_EXCEPTION.cause(cause).title or "")
    sentence = speech.say(N_("Nothing was changed. {why}."), why=why)
    return draw("turned_away.html", speech, status=507, sentence=sentence, reference=reference)


def _broken(reference: str, speech: Speech) -> Answer:
    try:
        return draw(
            "turned_away.html",
            speech,
            status=500,
            sentence=speech.say(N_("Something unexpected went wrong while this page was made.")),
            reference=reference,
        )
    except Exception:
        _log.exception("not even the page that says so could be drawn")
        return Answer(status=500, body=f"Reference: {reference}\n".encode(), media_type="text/plain; charset=utf-8")
