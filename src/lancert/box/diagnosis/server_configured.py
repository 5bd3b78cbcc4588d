"""Is this box connected to a server?"""

from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.facts import BoxFacts
from lancert.kit.language import N_
from lancert.protocol.problems import CHECK_NO_SERVER

ID = "server-configured"
_TITLE = N_("Server")


def check(facts: BoxFacts) -> Finding:
    """Say whether a server is configured."""
    if facts.server is None:
        return Finding(
            check=ID,
            title=_TITLE,
            verdict=Verdict.WRONG,
            sentence=N_("No server is configured."),
            remedy=CHECK_NO_SERVER.remedy,
        )
    return Finding(
        check=ID,
        title=_TITLE,
        verdict=Verdict.FINE,
        sentence=N_("Connected to {server}."),
        facts={"server": facts.server.url},
    )
