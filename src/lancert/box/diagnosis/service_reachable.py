"""Does the certificate service answer, and if not, at which hop does it fail? A firewall is named as such (M9)."""

from lancert.box.client import Client, Hop, Unreachable
from lancert.box.connecting import unreachable
from lancert.box.conversation import problem_of
from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.facts import BoxFacts
from lancert.kit.language import N_
from lancert.kit.logs import Log
from lancert.protocol.problems import Occurrence

ID = "service-reachable"
_TITLE = N_("Certificate service")
_FAILED_AT = {
    Hop.LOOKUP: N_("Failed at the address look-up (step 1 of 4)."),
    Hop.CONNECT: N_("Failed at the TCP connection (step 2 of 4)."),
    Hop.TLS: N_("Failed at the TLS handshake (step 3 of 4)."),
    Hop.HTTP: N_("Failed at the HTTP request (step 4 of 4)."),
}

log = Log("box.diagnosis")


async def check(facts: BoxFacts, client: Client | None) -> Finding:
    """Say whether the service answers, and when it does not, where it failed and why."""
    if facts.server is None or client is None:
        sentence = N_("Not tried, because no server is configured.")
        return Finding(check=ID, title=_TITLE, verdict=Verdict.NOT_TRIED, sentence=sentence)
    server = {"server": facts.server.url}
    try:
        answered = await client.get("/healthz")
    except Unreachable as error:
        log.warning(
            "the doctor did not reach the server",
            cause=error.cause,
            hop=error.hop,
            detail=str(error),
            reference=error.reference,
        )
        return _failed(error.hop, unreachable(error, facts.server))
    if answered.status != 200 or answered.media_type not in ("application/json", "text/plain"):
        return _failed(Hop.HTTP, problem_of(answered, facts.server))
    sentence = N_("{server} answers: address look-up, TCP, TLS and HTTP are fine.")
    return Finding(check=ID, title=_TITLE, verdict=Verdict.FINE, sentence=sentence, facts=server)


def _failed(hop: Hop, why: Occurrence) -> Finding:
    cause = why.cause
    return Finding(
        check=ID,
        title=_TITLE,
        verdict=Verdict.WRONG,
        sentence=_FAILED_AT[hop],
        cause=cause.meaning if cause else why.problem.meaning,
        remedy=cause.remedy if cause and cause.remedy else why.problem.remedy,
        facts=why.facts,
    )
