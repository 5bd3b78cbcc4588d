"""The page of the diagnosis: what the last run of the doctor found.

Looking needs no PIN; a run needs a form, since it talks to the outside.
"""

from typing import Any

from lancert.box.diagnosis.result import DEPENDS_ON_ROUTER, Finding, Verdict
from lancert.box.homepage.drawing import draw
from lancert.box.homepage.exchange import Answer, see_other
from lancert.box.homepage.forms import read_form
from lancert.box.homepage.moments import moment_words
from lancert.box.homepage.speech import Speech
from lancert.box.homepage.visit import Visit
from lancert.kit.language import N_

_RELOAD_SECONDS = 2

VERDICTS = {
    Verdict.FINE: (N_("Fine"), "check"),
    Verdict.WRONG: (N_("Wrong"), "blocked"),
    Verdict.NOT_TRIED: (N_("Not tried"), "skipped"),
}


async def show_diagnosis(visit: Visit) -> Answer:
    """Draw what the last run found; while one is under way the page reloads itself."""
    last = visit.checkup.last
    findings = () if last is None else last.findings
    return draw(
        "diagnosis.html",
        visit.speech,
        has_form=True,
        refresh=_RELOAD_SECONDS if visit.checkup.is_running else None,
        name=visit.facts.name,
        is_running=visit.checkup.is_running,
        at=moment_words(last.at, visit.speech) if last else None,
        reference=last.reference if last else None,
        findings=[finding_view(finding, visit.speech) for finding in findings],
        depends_on_router=visit.speech.say(DEPENDS_ON_ROUTER),
        wrong=sum(finding.verdict is Verdict.WRONG for finding in findings),
        fine=sum(finding.verdict is Verdict.FINE for finding in findings),
    )


async def run_diagnosis(visit: Visit) -> Answer:
    """Start a run and lead back to the page, which shows how it goes."""
    await read_form(visit.request, frozenset({"run"}))
    await visit.checkup.ask()
    return see_other("/cogs/diagnosis")


def finding_view(finding: Finding, speech: Speech) -> dict[str, Any]:
    """Give one line of the doctor's table."""
    word, icon = VERDICTS[finding.verdict]
    return {
        "check": finding.check,
        "title": speech.say(finding.title),
        "verdict": finding.verdict.value,
        "word": speech.say(word),
        "icon": icon,
        "sentence": finding.words(speech.gettext),
        "remedy": finding.steps(speech.gettext),
        "recipes": [
            {"name": recipe.name, "steps": finding.instructions(recipe, speech.gettext), "lines": list(recipe.lines)}
            for recipe in finding.recipes
        ],
    }
