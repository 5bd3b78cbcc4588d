"""The diagnosis and the log: what helps to find a cause.

A run of the doctor needs no PIN but a form, since it talks to the outside. The log needs the PIN; it is redacted
where it is written and once more where it is read, and downloaded under a fixed name (S-35).
"""

import asyncio
import json
from typing import Any

from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.homepage.drawing import draw
from lancert.box.homepage.exchange import Answer, see_other
from lancert.box.homepage.forms import NO_MISTAKES, PIN, Mistakes, judge_pin, read_form
from lancert.box.homepage.moments import moment_words
from lancert.box.homepage.settings import over_https_only
from lancert.box.homepage.speech import Speech
from lancert.box.homepage.visit import Visit
from lancert.kit.language import N_

LINES_SHOWN = 200
_LINES_DOWNLOADED = 20_000
_RELOAD_SECONDS = 2
_FILE_NAME = "lancert-box.log"

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
        wrong=sum(finding.verdict is Verdict.WRONG for finding in findings),
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
    }


async def show_log_form(visit: Visit) -> Answer:
    """Draw the form that opens the log."""
    return over_https_only(visit) or _log_page(visit, NO_MISTAKES, None)


async def show_log(visit: Visit) -> Answer:
    """Show the last lines of the log to whoever has the PIN."""
    if (elsewhere := over_https_only(visit)) is not None:
        return elsewhere
    form = await read_form(visit.request, frozenset({PIN}))
    mistakes = await judge_pin(visit, form[PIN])
    if mistakes is not None:
        return _log_page(visit, mistakes, None)
    lines = await asyncio.to_thread(visit.agent.log_lines, LINES_SHOWN)
    return _log_page(visit, NO_MISTAKES, [line_view(line) for line in reversed(lines)])


async def download_log(visit: Visit) -> Answer:
    """Give the log as a file to whoever has the PIN."""
    if (elsewhere := over_https_only(visit)) is not None:
        return elsewhere
    form = await read_form(visit.request, frozenset({PIN}))
    mistakes = await judge_pin(visit, form[PIN])
    if mistakes is not None:
        return _log_page(visit, mistakes, None)
    lines = await asyncio.to_thread(visit.agent.log_lines, _LINES_DOWNLOADED)
    return Answer(
        body="".join(f"{line}\n" for line in lines).encode("utf-8", errors="replace"),
        media_type="text/plain; charset=utf-8",
        headers=(("content-disposition", f'attachment; filename="{_FILE_NAME}"'),),
    )


def _log_page(visit: Visit, mistakes: Mistakes, lines: list[dict[str, str]] | None) -> Answer:
    return draw(
        "log.html",
        visit.speech,
        status=mistakes.status,
        has_form=True,
        headers=mistakes.headers,
        name=visit.facts.name,
        mistakes=mistakes,
        lines=lines,
        most=LINES_SHOWN,
    )


def line_view(line: str) -> dict[str, str]:
    """Take a line of the log apart for reading; one that is not ours is shown as it is."""
    try:
        parts = json.loads(line)
        moment, level, event = (str(parts.pop(name)) for name in ("time", "level", "event"))
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return {"time": "", "level": "", "event": line, "rest": ""}
    rest = "  ".join(f"{name}={value}" for name, value in parts.items())
    return {"time": moment[:19].replace("T", " "), "level": level, "event": event, "rest": rest}
