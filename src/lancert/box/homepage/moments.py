"""Moments and spans as people read them: ``20 November 2026, 14:05 UTC``, ``4 minutes``.

The order of the parts is itself a sentence of the catalogue, so that a language can have its own.
"""

from datetime import UTC, datetime, timedelta
from math import ceil

from lancert.box.homepage.speech import Speech
from lancert.kit.language import N_

_MONTHS = (
    N_("January"),
    N_("February"),
    N_("March"),
    N_("April"),
    N_("May"),
    N_("June"),
    N_("July"),
    N_("August"),
    N_("September"),
    N_("October"),
    N_("November"),
    N_("December"),
)


def date_words(moment: datetime, speech: Speech) -> str:
    """Give the day: ``20 November 2026``."""
    day = moment.astimezone(UTC)
    month = speech.gettext(_MONTHS[day.month - 1])
    return speech.say(N_("{day} {month} {year}"), day=day.day, month=month, year=day.year)


def time_words(moment: datetime) -> str:
    """Give the time of day: ``14:05 UTC``."""
    return moment.astimezone(UTC).strftime("%H:%M UTC")


def moment_words(moment: datetime, speech: Speech) -> str:
    """Give day and time."""
    return speech.say(N_("{date}, {time}"), date=date_words(moment, speech), time=time_words(moment))


def near_words(moment: datetime, now: datetime, speech: Speech) -> str:
    """Give the time alone when it is within a day of now, day and time otherwise."""
    return time_words(moment) if abs(moment - now) < timedelta(hours=18) else moment_words(moment, speech)


def span_words(span: timedelta, speech: Speech) -> str:
    """Give a wait in its largest sensible unit, rounded up, never less than a second."""
    seconds = max(1, ceil(span.total_seconds()))
    if seconds < 90:
        return _counted(seconds, speech, speech.ngettext("{count} second", "{count} seconds", seconds))
    if seconds < 90 * 60:
        minutes = ceil(seconds / 60)
        return _counted(minutes, speech, speech.ngettext("{count} minute", "{count} minutes", minutes))
    if seconds < 48 * 3600:
        hours = ceil(seconds / 3600)
        return _counted(hours, speech, speech.ngettext("{count} hour", "{count} hours", hours))
    return days_words(ceil(seconds / 86_400), speech)


def left_words(span: timedelta, speech: Speech) -> str:
    """Give what is left of a life: whole days, and the smaller units under two days."""
    return days_words(span.days, speech) if span >= timedelta(days=2) else span_words(span, speech)


def days_words(days: int, speech: Speech) -> str:
    """Give a number of days."""
    return _counted(days, speech, speech.ngettext("{count} day", "{count} days", days))


def _counted(count: int, speech: Speech, sentence: str) -> str:
    return speech.say(sentence, count=count)
