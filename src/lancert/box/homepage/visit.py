"""One visit: the request, the facts of the box gathered once for it, and the reader's language."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs

from lancert.box.facts import BoxFacts
from lancert.box.homepage.agent import HomepageAgent
from lancert.box.homepage.checkup import Checkup
from lancert.box.homepage.exchange import Request
from lancert.box.homepage.speech import Speech
from lancert.box.knocks import Knocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a page is made from; ``<machine_name>.local`` is one of the names of the box."""

    request: Request
    agent: HomepageAgent
    checkup: Checkup
    knocks: Knocks
    machine_name: str
    facts: BoxFacts
    now: datetime
    speech: Speech

    def asked(self, name: str) -> str | None:
        """Give a value of the query that is there exactly once."""
        values = parse_qs(self.request.query.decode("latin-1")[:400], max_num_fields=8).get(name, [])
        return values[0] if len(values) == 1 else None
