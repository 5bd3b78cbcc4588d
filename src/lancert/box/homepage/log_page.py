"""The page of the log: the last lines to read, the whole log or all for support to take along, with the PIN.

The log is redacted where it is written and once more where it is read, and downloaded under a fixed name (S-35).
"""

import asyncio
import json

from lancert.box.homepage.exchange import Answer
from lancert.box.homepage.forms import NO_MISTAKES, PIN, Mistakes, draw_form, judge_pin, read_form
from lancert.box.homepage.settings import over_https_only
from lancert.box.homepage.visit import Visit

LINES_SHOWN = 200
_LINES_DOWNLOADED = 20_000
_FILE_NAME = "lancert-box.log"
BUNDLE_NAME = "lancert-box-logs.zip"
_PATIENCE = 25.0
"""How many seconds a download waits for the doctor; without it the rest is given."""


async def show_log_form(visit: Visit) -> Answer:
    """Draw the form that opens the log."""
    return over_https_only(visit) or _log_page(visit, NO_MISTAKES, None)


async def show_log(visit: Visit) -> Answer:
    """Show the last lines of the log to whoever has the PIN."""
    lines = await _lines(visit, LINES_SHOWN)
    if isinstance(lines, Answer):
        return lines
    return _log_page(visit, NO_MISTAKES, [line_view(line) for line in reversed(lines)])


async def download_log(visit: Visit) -> Answer:
    """Give the log as a file to whoever has the PIN."""
    lines = await _lines(visit, _LINES_DOWNLOADED)
    if isinstance(lines, Answer):
        return lines
    return Answer(
        body="".join(f"{line}\n" for line in lines).encode("utf-8", errors="replace"),
        media_type="text/plain; charset=utf-8",
        headers=(("content-disposition", f'attachment; filename="{_FILE_NAME}"'),),
    )


async def download_bundle(visit: Visit) -> Answer:
    """Give everything that helps to find a cause as one file to whoever has the PIN, with a run of the doctor."""
    if (refused := await _refused(visit)) is not None:
        return refused
    await visit.checkup.ask(_PATIENCE)
    last = None if visit.checkup.is_running else visit.checkup.last
    findings = None if last is None or last.reference else last.findings
    return Answer(
        body=await asyncio.to_thread(visit.agent.log_bundle, findings),
        media_type="application/zip",
        headers=(("content-disposition", f'attachment; filename="{BUNDLE_NAME}"'),),
    )


async def _lines(visit: Visit, most: int) -> list[str] | Answer:
    """Read the last lines for whoever has the PIN; everybody else gets the answer that says why not."""
    if (refused := await _refused(visit)) is not None:
        return refused
    return await asyncio.to_thread(visit.agent.log_lines, most)


async def _refused(visit: Visit) -> Answer | None:
    """Give the answer for whoever has not the PIN, or asks over HTTP where HTTPS works."""
    if (elsewhere := over_https_only(visit)) is not None:
        return elsewhere
    form = await read_form(visit.request, frozenset({PIN}))
    mistakes = await judge_pin(visit, form[PIN])
    return None if mistakes is None else _log_page(visit, mistakes, None)


def _log_page(visit: Visit, mistakes: Mistakes, lines: list[dict[str, str]] | None) -> Answer:
    return draw_form(
        "log.html",
        visit,
        mistakes,
        lines=lines,
        most=LINES_SHOWN,
    )


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def line_view(line: str) -> dict[str, str]:
    """Take a line of the log apart for reading; one that is not ours is shown as it is."""
    try:
        parts = json.loads(line)
        moment, level, event = (str(parts.pop(name)) for name in ("time", "level", "event"))
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return {"time": "", "level": "", "event": line, "rest": ""}
    rest = "  ".join(f"{name}={_value(value)}" for name, value in parts.items())
    return {"time": moment[:19].replace("T", " "), "level": level, "event": event, "rest": rest}
