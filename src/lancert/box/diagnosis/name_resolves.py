"""Does the name of the homepage lead to this box?

Asked of the resolver of this machine. Which of several resolvers hides private answers, and what to change on which
router, needs more than one question and is not told here.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from lancert.box import urls
from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.facts import BoxFacts
from lancert.kit.language import N_
from lancert.protocol.names import is_localhost_zone

ID = "name-resolves"
_TITLE = N_("Name of this IoT system")
_SECONDS = 6.0

LookUp = Callable[[str], Awaitable[set[str]]]
"""Gives the addresses of a name, as the resolver of this machine does. Raises OSError."""


async def check(facts: BoxFacts, look_up: LookUp | None = None) -> Finding:
    """Say whether the name is known and leads here."""
    url = urls.https_url(facts)
    if url is None:
        return _finding(Verdict.NOT_TRIED, N_("Not tried, because this IoT system has no name yet."))
    name = urlsplit(url).hostname or ""
    words = {"name": name}
    if is_localhost_zone(facts.name_spaces[0].zone):
        return _finding(
            Verdict.FINE, N_("{name} is a name for this machine only; browsers know it by themselves."), words
        )
    try:
        found = await asyncio.wait_for((look_up or _look_up)(name), _SECONDS)
    except (TimeoutError, OSError) as error:
        if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
            return _unknown(words)
        sentence = N_("The name server of this network did not answer for {name}.")
        return _finding(Verdict.WRONG, sentence, words, (N_("Check the DNS server that the router hands out."),))
    if found & {str(address) for address in facts.addresses}:
        return _finding(Verdict.FINE, N_("{name} leads to this IoT system."), words)
    return _finding(
        Verdict.WRONG,
        N_("{name} leads to {found}, which is not this IoT system."),
        {**words, "found": ", ".join(sorted(found))},
        (N_("Check whether the router or a filter rewrites DNS answers."),),
    )


async def _look_up(name: str) -> set[str]:
    entries = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return {str(entry[4][0]) for entry in entries}


def _unknown(words: dict[str, str]) -> Finding:
    return _finding(
        Verdict.WRONG,
        N_("{name} is not known here. Many routers hide names that lead to private addresses."),
        words,
        (
            N_("In the router, allow private answers for this domain (DNS rebinding protection, exception list)."),
            N_("Or have the devices use a public DNS server, for instance 8.8.8.8 or 9.9.9.9."),
            N_("Until then the homepage works by its IP address."),
        ),
    )


def _finding(
    verdict: Verdict, sentence: str, words: dict[str, str] | None = None, remedy: tuple[str, ...] = ()
) -> Finding:
    return Finding(check=ID, title=_TITLE, verdict=verdict, sentence=sentence, facts=words or {}, remedy=remedy)
