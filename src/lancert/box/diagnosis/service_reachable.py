"""Does the certificate service answer, and if not, at which hop does it fail? A firewall is named as such (M9).

Where a proxy is set, asking it for a way through is a hop of its own; look-up and connection are the proxy's then.
"""

from dataclasses import replace

from lancert.box.client import Client, Hop, Unreachable
from lancert.box.connecting import unreachable
from lancert.box.conversation import problem_of
from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.facts import BoxFacts
from lancert.kit.language import N_
from lancert.kit.logs import Log
from lancert.protocol.problems import LOAD_REQUEST_EXCEPTION, Occurrence

ID = "service-reachable"
_TITLE = N_("Certificate service")
_FAILED_WITH_PROXY_AT = {
    Hop.LOOKUP: N_("Failed at the address look-up of the proxy (step 1 of 5)."),
    Hop.CONNECT: N_("Failed at the TCP connection to the proxy (step 2 of 5)."),
    Hop.PROXY: N_("Failed at the proxy (step 3 of 5)."),
    Hop.TLS: N_("Failed at the TLS handshake, through the proxy (step 4 of 5)."),
    Hop.HTTP: N_("Failed at the HTTP request, through the proxy (step 5 of 5)."),
}
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
        return _failed(error.hop, unreachable(error, facts.server), client)
    if answered.status != 200 or answered.media_type not in ("application/json", "text/plain"):
        return _failed(Hop.HTTP, problem_of(answered, facts.server), client)
    sentence = N_("{server} answers: address look-up, TCP, TLS and HTTP are fine.")
    if client.proxy is not None:
        sentence = N_("{server} answers through the proxy {proxy}: look-up, TCP, proxy, TLS and HTTP are fine.")
    return Finding(check=ID, title=_TITLE, verdict=Verdict.FINE, sentence=sentence, facts=server | _way(client))


def _way(client: Client) -> dict[str, str]:
    """Give the hops that were taken, for those who read more than sentences."""
    hops = "; ".join(f"{one.hop.value} {one.where} {one.seconds * 1000:.0f} ms" for one in client.taken)
    return {"hops": hops, **({"proxy": client.proxy} if client.proxy else {})}


def because_of_the_clock(finding: Finding) -> Finding:
    """Say of a server that seemed not to be trusted that the clock is to blame."""
    cause = LOAD_REQUEST_EXCEPTION.cause("clock")
    return replace(finding, cause=cause.meaning, remedy=cause.remedy, because=cause.id)


def _failed(hop: Hop, why: Occurrence, client: Client) -> Finding:
    cause = why.cause
    sentences = _FAILED_AT if client.proxy is None and hop is not Hop.PROXY else _FAILED_WITH_PROXY_AT
    return Finding(
        check=ID,
        title=_TITLE,
        verdict=Verdict.WRONG,
        sentence=sentences[hop],
        cause=cause.meaning if cause else why.problem.meaning,
        remedy=cause.remedy if cause and cause.remedy else why.problem.remedy,
        facts={**_way(client), **why.facts},
        because=cause.id if cause else "",
    )
