"""Reading forms: urlencoded, small, strict, every field known and given once; and what to say about a mistake.

Bodies of another type are refused with 415, since ``text/plain`` and ``multipart/form-data`` are what a stranger's
page can send without asking. A mistake names its field; what was typed stays, the PIN excepted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from lancert.box.homepage.drawing import draw
from lancert.box.homepage.exchange import Answer, NotAcceptable, Request, read_body
from lancert.box.homepage.moments import span_words
from lancert.box.homepage.visit import Visit
from lancert.box.pin import PinVerdict
from lancert.kit.language import N_

_URLENCODED = "application/x-www-form-urlencoded"
_MOST_FIELDS = 8

PIN = "pin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistakes:
    """Why a form changed nothing: sentences beside fields, or one above the form with steps; already translated."""

    status: int = 422
    beside: Mapping[str, str] = field(default_factory=dict)
    above: str | None = None
    steps: tuple[str, ...] = ()
    code: str | None = None
    retry_after: int | None = None

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Give the headers that say the same to programs."""
        return () if self.retry_after is None else (("retry-after", str(self.retry_after)),)


NO_MISTAKES = Mistakes(status=200)


async def read_form(request: Request, *sets: frozenset[str]) -> dict[str, str]:
    """Read a form with exactly the fields of one of the sets. Raises NotAcceptable or Gone."""
    media_type, _, parameter = (request.header("content-type") or "").lower().partition(";")
    if media_type.strip() != _URLENCODED or parameter.strip() not in ("", "charset=utf-8"):
        raise NotAcceptable(415, N_("Forms are read as application/x-www-form-urlencoded only."))
    if request.all_of("content-encoding"):
        raise NotAcceptable(415, N_("Forms are read as application/x-www-form-urlencoded only."))
    return parse_form(await read_body(request), *sets)


def parse_form(body: bytes, *sets: frozenset[str]) -> dict[str, str]:
    """Parse the body of a form. Raises NotAcceptable (400) unless it has exactly the fields of one of the sets."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise NotAcceptable(400, N_("The form could not be read.")) from None
    form = dict(pairs)
    if len(form) != len(pairs) or frozenset(form) not in sets:
        raise NotAcceptable(400, N_("The form does not have the fields this page knows. Open the page again."))
    return form


def plain_pin(typed: str) -> str | None:
    """Read a PIN as people type it, in groups with spaces or hyphens; None unless that leaves ten digits."""
    digits = "".join(sign for sign in typed if not sign.isspace() and sign not in "-\u2010\u2011\u2013.")
    return digits if len(digits) == 10 and digits.isascii() and digits.isdigit() else None


async def judge_pin(visit: Visit, typed: str) -> Mistakes | None:
    """Have the PIN judged; None when it is right. A slip that is no PIN at all does not count as a try."""
    speech = visit.speech
    pin = plain_pin(typed)
    if pin is None:
        return Mistakes(beside={PIN: speech.say(N_("The PIN has 10 digits, such as 123 456 7890."))})
    verdict, seconds = await visit.agent.check_pin(pin, visit.request.source)
    match verdict:
        case PinVerdict.RIGHT:
            return None
        case PinVerdict.WRONG:
            return Mistakes(status=403, beside={PIN: speech.say(N_("This is not the PIN of this IoT system."))})
        case PinVerdict.TOO_MANY:
            return too_many(visit, seconds)


def too_many(visit: Visit, seconds: int) -> Mistakes:
    """Say how long to wait."""
    wait = max(1, seconds)
    span = span_words(timedelta(seconds=wait), visit.speech)
    return Mistakes(
        status=429,
        beside={PIN: visit.speech.say(N_("Too many tries. Wait {span}, then enter the PIN again."), span=span)},
        retry_after=wait,
    )


def draw_form(template: str, visit: Visit, mistakes: Mistakes, **values: Any) -> Answer:
    """Draw a page with a form, as it was sent if something in it was wrong."""
    return draw(
        template,
        visit.speech,
        status=mistakes.status,
        has_form=True,
        headers=mistakes.headers,
        name=visit.facts.name,
        mistakes=mistakes,
        **values,
    )
