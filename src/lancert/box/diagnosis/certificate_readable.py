"""Is the stored certificate readable, valid and for this box?"""

from datetime import datetime

from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.facts import BoxFacts, Outcome
from lancert.kit.language import N_
from lancert.protocol.names import certificate_names
from lancert.protocol.problems import CHECK_CERT_READ_EXCEPTION

ID = "certificate-readable"
_TITLE = N_("Stored certificate")


def check(facts: BoxFacts, now: datetime) -> Finding:
    """Say what is stored; key and certificate were compared when it was read."""
    installed = facts.stored.usable
    if facts.stored.damage is not None:
        cause = CHECK_CERT_READ_EXCEPTION.cause(facts.stored.damage)
        remedy = (*cause.remedy, *CHECK_CERT_READ_EXCEPTION.remedy)
        return Finding(
            check=ID,
            title=_TITLE,
            verdict=Verdict.WRONG,
            sentence=cause.meaning,
            remedy=remedy,
            because=facts.stored.damage,
        )
    if installed is None and facts.last_try is not None and facts.last_try.outcome is Outcome.REFUSED:
        return Finding(
            check=ID,
            title=_TITLE,
            verdict=Verdict.WRONG,
            sentence=N_("There is no certificate yet, because the server refused to give one."),
            remedy=(N_("Read the reasons on the homepage, or with “lancert box status”."),),
            because="refused",
        )
    if installed is None:
        return Finding(check=ID, title=_TITLE, verdict=Verdict.NOT_TRIED, sentence=N_("There is no certificate yet."))
    dates = {
        "start": f"{installed.facts.not_before:%Y-%m-%d}",
        "end": f"{installed.facts.not_after:%Y-%m-%d}",
    }
    if not installed.facts.is_valid_at(now):
        return Finding(
            check=ID,
            title=_TITLE,
            verdict=Verdict.WRONG,
            sentence=N_("The certificate is valid from {start} to {end}, which is not now."),
            remedy=(N_("Check the date and time of this IoT system."),),
            facts=dates,
            because="not-valid-now",
        )
    if facts.enrolment is not None and set(installed.facts.names) != set(
        certificate_names(facts.enrolment.label, facts.enrolment.zone)
    ):
        sentence = N_("The certificate is for other names than those of this IoT system; a new one is asked for.")
        return Finding(check=ID, title=_TITLE, verdict=Verdict.WRONG, sentence=sentence, because="other-names")
    return Finding(
        check=ID,
        title=_TITLE,
        verdict=Verdict.FINE,
        sentence=N_("Readable, with its own key, valid from {start} to {end}."),
        facts=dates,
    )
