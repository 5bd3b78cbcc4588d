"""Can the settings of this box, and the files it keeps, be used as they stand? One finding for each that cannot."""

from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.facts import BoxFacts
from lancert.kit.language import N_

ID = "settings-readable"
_TITLE = N_("Settings and files")
_OURS = ("settings-", "environment-", "file-")


def check(facts: BoxFacts) -> tuple[Finding, ...]:
    """Say what the notices of the box say; other parts of it have checks of their own."""
    found = [notice for notice in facts.notices if notice.id.startswith(_OURS)]
    if not found:
        sentence = N_("Every setting and every file can be used as it stands.")
        return (Finding(check=ID, title=_TITLE, verdict=Verdict.FINE, sentence=sentence),)
    return tuple(
        Finding(
            check=ID,
            title=_TITLE,
            verdict=Verdict.WRONG,
            because=notice.id,
            sentence=notice.meaning,
            remedy=notice.remedy,
            facts=notice.facts,
        )
        for notice in found
    )
