"""The reset to factory settings: the PIN and a word nobody types by mistake, and then the only look at the new PIN.

The answer is drawn before anything is removed, since afterwards this box knows neither the visitor nor the certificate.
"""

from lancert.box import urls
from lancert.box.homepage.exchange import Answer
from lancert.box.homepage.forms import NO_MISTAKES, PIN, Mistakes, draw_form, judge_pin, read_form
from lancert.box.homepage.settings import over_https_only
from lancert.box.homepage.visit import Visit
from lancert.box.pin import shown
from lancert.kit.language import N_

WORD = "RESET"
"""What is typed to confirm; the same in every language."""

_FIELDS = frozenset({"word", PIN})


async def show_reset(visit: Visit) -> Answer:
    """Draw the form, which says what is removed and what is kept."""
    return over_https_only(visit) or _page(visit, NO_MISTAKES)


async def reset(visit: Visit) -> Answer:
    """Have the agent reset the box, and show the PIN it has from now on."""
    if (elsewhere := over_https_only(visit)) is not None:
        return elsewhere
    form = await read_form(visit.request, _FIELDS)
    if form["word"].strip().upper() != WORD:
        sentence = visit.speech.say(N_("Type the word {word} here if you mean it."), word=WORD)
        return _page(visit, Mistakes(beside={"word": sentence}))
    if (mistakes := await judge_pin(visit, form[PIN])) is not None:
        return _page(visit, mistakes, typed=WORD)
    return _page(visit, NO_MISTAKES, new_pin=shown(visit.agent.reset()))


def _page(visit: Visit, mistakes: Mistakes, *, typed: str = "", new_pin: str | None = None) -> Answer:
    return draw_form(
        "reset.html",
        visit,
        mistakes,
        word=WORD,
        typed=typed,
        new_pin=new_pin,
        links=[urls.http_url(address, visit.facts) for address in visit.facts.addresses],
        label=visit.facts.enrolment.label if visit.facts.enrolment else None,
    )
