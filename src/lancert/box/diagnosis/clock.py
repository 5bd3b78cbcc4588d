"""Is the clock of this machine right?

It is compared with the time of a server that proved itself, and where none answers with moments that are known to be
past. Certificates are judged by this clock, so a wrong one is its own cause and never "network error" (F-20).
"""

import contextlib
from datetime import datetime

from lancert.box.client import Client, Unreachable
from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.time import OFF_BY
from lancert.kit.clock import to_words
from lancert.kit.language import N_

ID = "clock"
_TITLE = N_("Clock")
_REMEDY = (
    N_("Set the date and time of this IoT system, and switch on that it takes the time from the network (NTP)."),
    N_("If it is wrong again after each start, its battery is empty or it has none."),
)


async def ask_the_time(client: Client | None) -> datetime | None:
    """Give the time a server tells that proved itself; None when none answers.

    By a clock that is wrong enough its certificate has expired or does not exist yet, so its dates are left out.
    """
    if client is not None:
        with contextlib.suppress(Unreachable):
            return (await client.get_at_any_time("/healthz")).server_time
    return None


def check(shown: datetime, told: datetime | None, known_past: datetime) -> Finding:
    """Compare what the clock shows with what a server told, or with the last moment that is known to be past."""
    words = {"shown": to_words(shown)}
    if shown < known_past - OFF_BY:
        return _finding(
            Verdict.WRONG,
            N_("The clock shows {shown}, and it is known that {past} is past."),
            {**words, "past": to_words(known_past)},
            because="behind",
        )
    if told is None:
        return _finding(
            Verdict.NOT_TRIED,
            N_("The clock shows {shown}, which can be right. It was not compared, because no server told the time."),
            words,
        )
    if is_off(shown, told):
        return _finding(
            Verdict.WRONG,
            N_("The clock shows {shown}, and the server says it is {told}."),
            {**words, "told": to_words(told)},
            because="ahead" if shown > told else "behind",
        )
    return _finding(Verdict.FINE, N_("The clock shows {shown}, as the server says."), words)


def is_off(shown: datetime, told: datetime) -> bool:
    """Say whether the clock differs from the time of the server by more than may be."""
    return abs(shown - told) > OFF_BY


def _finding(verdict: Verdict, sentence: str, words: dict[str, str], *, because: str = "") -> Finding:
    remedy = _REMEDY if verdict is Verdict.WRONG else ()
    return Finding(
        check=ID, title=_TITLE, verdict=verdict, sentence=sentence, facts=words, remedy=remedy, because=because
    )
