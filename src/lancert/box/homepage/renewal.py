"""Asking for a new certificate although the old one will do: to see now whether what was mended works."""

from lancert.box.homepage.exchange import Answer, see_other
from lancert.box.homepage.forms import NO_MISTAKES, PIN, Mistakes, draw_form, judge_pin, read_form
from lancert.box.homepage.settings import over_https_only
from lancert.box.homepage.visit import Visit

_FIELDS = frozenset({PIN})


async def show_renewal(visit: Visit) -> Answer:
    """Draw the form."""
    return over_https_only(visit) or _form(visit, NO_MISTAKES)


async def renew(visit: Visit) -> Answer:
    """Have the agent ask; the front page shows what came of it."""
    if (elsewhere := over_https_only(visit)) is not None:
        return elsewhere
    form = await read_form(visit.request, _FIELDS)
    if (mistakes := await judge_pin(visit, form[PIN])) is not None:
        return _form(visit, mistakes)
    visit.agent.renew()
    return see_other("/?saved=renewal")


def _form(visit: Visit, mistakes: Mistakes) -> Answer:
    return draw_form(
        "renewal.html",
        visit,
        mistakes,
        is_possible=visit.facts.server is not None and visit.facts.credential.is_complete,
    )
