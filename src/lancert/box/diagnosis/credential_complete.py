"""Does this box have both halves of its credential?"""

from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.facts import BoxFacts
from lancert.kit.language import N_
from lancert.protocol.problems import LOAD_NO_CREDENTIAL

ID = "credential-complete"
_TITLE = N_("Credential")
_MISSING = {
    ("contract",): N_("The contract is missing."),
    ("database",): N_("The database UUID is missing."),
    ("contract", "database"): N_("The contract and the database UUID are missing."),
}


def check(facts: BoxFacts) -> Finding:
    """Say whether contract and database UUID are there."""
    if facts.credential.is_complete:
        sentence = N_("Contract and database UUID are set.")
        return Finding(check=ID, title=_TITLE, verdict=Verdict.FINE, sentence=sentence)
    return Finding(
        check=ID,
        title=_TITLE,
        verdict=Verdict.WRONG,
        sentence=_MISSING[facts.credential.missing],
        remedy=LOAD_NO_CREDENTIAL.remedy,
        because="incomplete",
    )
