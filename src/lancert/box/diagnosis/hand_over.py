"""Have the other programs that are given the certificate got it, and do they serve it at this moment?"""

import asyncio
from hashlib import sha256

from lancert.box.deploy.outcome import HandedOver
from lancert.box.diagnosis.result import Check, Finding, Verdict
from lancert.box.facts import BoxFacts
from lancert.kit.language import N_

ID = "hand-over"
_TITLE = N_("Other programs")
_finding = Check(ID, _TITLE).found
_SECONDS = 5.0


async def check(facts: BoxFacts) -> Finding:
    """Look at each target; the first that has not got the certificate, or does not show it, is named."""
    for handed in facts.handed_over:
        if handed.failure is not None:
            return _failed(handed)
    if unusable := [notice for notice in facts.notices if notice.id == "deploy-setting"]:
        notice = unusable[0]
        return _finding(Verdict.WRONG, notice.meaning, dict(notice.facts), remedy=notice.remedy)
    if not facts.handed_over:
        return _finding(Verdict.FINE, N_("No other program is given the certificate."))
    installed = facts.stored.usable
    fingerprint = installed.facts.fingerprint if installed else None
    looked = await asyncio.gather(*(_look(handed, fingerprint) for handed in facts.handed_over))
    for wrong in looked:
        if wrong is not None:
            return wrong
    names = ", ".join(handed.target for handed in facts.handed_over)
    return _finding(Verdict.FINE, N_("These have the certificate: {targets}."), {"targets": names})


def _failed(handed: HandedOver) -> Finding:
    assert handed.failure is not None
    why, ended = handed.sentences()
    said = handed.failure.said
    return Finding(
        check=ID,
        title=_TITLE,
        verdict=Verdict.WRONG,
        sentence=why,
        cause=N_("It printed: {said}") if said else ended,
        remedy=handed.remedy(),
        facts={**handed.facts(), "said": said},
    )


async def _look(handed: HandedOver, fingerprint: str | None) -> Finding | None:
    """Connect to a target that has the certificate; gives what is wrong with what it shows."""
    if handed.address is None or fingerprint is None:
        return None
    from lancert.box.deploy.verifying import address_of, shown_at

    words = {"target": handed.target, "address": handed.address}
    try:
        shown = await asyncio.to_thread(shown_at, address_of(handed.address), handed.server_name or "", _SECONDS)
    except (OSError, ValueError):
        sentence = N_("{target} does not answer at {address}; it has the files of the certificate.")
        return _finding(Verdict.WRONG, sentence, words, remedy=(N_("Start {target}, or look at why it does not run."),))
    if not shown or sha256(shown[0]).hexdigest() != fingerprint:
        sentence = N_("{target} shows another certificate at {address} than the one it was given.")
        return _finding(Verdict.WRONG, sentence, words, remedy=(N_("Have it done again: lancert box deploy."),))
    return None
