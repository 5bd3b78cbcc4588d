"""Moments, spans and languages, as people read and ask for them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from lancert.box.homepage.moments import left_words, moment_words, near_words, span_words
from lancert.box.homepage.speech import languages_of, speech_for

NOW = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)
ENGLISH = speech_for(None)


def test_a_moment_is_readable() -> None:
    """The month is a word, so that nobody confuses day and month; the zone is named."""
    assert moment_words(NOW, ENGLISH) == "20 November 2026, 14:05 UTC"
    assert moment_words(NOW.astimezone(timezone(timedelta(hours=8))), ENGLISH) == "20 November 2026, 14:05 UTC"


def test_a_near_moment_is_a_time_alone() -> None:
    """The day is named when it is another one."""
    assert near_words(NOW + timedelta(minutes=4), NOW, ENGLISH) == "14:09 UTC"
    assert near_words(NOW + timedelta(days=1), NOW, ENGLISH) == "21 November 2026, 14:05 UTC"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "1 second"),
        (0, "1 second"),
        (1, "1 second"),
        (42.2, "43 seconds"),
        (90, "2 minutes"),
        (240, "4 minutes"),
        (3600, "60 minutes"),
        (7200, "2 hours"),
        (86_400, "24 hours"),
        (3 * 86_400, "3 days"),
    ],
)
def test_a_wait_is_rounded_up_to_a_sensible_unit(seconds: float, words: str) -> None:
    """Who waits as long as it says does not come too early."""
    assert span_words(timedelta(seconds=seconds), ENGLISH) == words


@pytest.mark.parametrize(("hours", "words"), [(1, "60 minutes"), (47, "47 hours"), (48, "2 days"), (71, "2 days")])
def test_what_is_left_is_rounded_down(hours: int, words: str) -> None:
    """Nobody is promised a day that is not there."""
    assert left_words(timedelta(hours=hours), ENGLISH) == words


@pytest.mark.parametrize(
    ("header", "languages"),
    [
        ("", ()),
        ("es", ("es",)),
        ("es-MX,es;q=0.9,en;q=0.8", ("es_MX", "es")),
        ("en-US,en;q=0.9,es;q=0.8", ()),
        ("it;q=0.5, id;q=0.9, en;q=0.1", ("id", "it")),
        ("es;q=0, it", ("it",)),
        ("zh-Hant-TW", ("zh_TW",)),
        ("*", ()),
        ("../../etc", ()),
        ("es;q=2", ()),
        ("es;q=0.1;x=y", ()),
    ],
)
def test_the_readers_languages_are_taken_in_their_order(header: str, languages: tuple[str, ...]) -> None:
    """Up to English, which is always there; what is not a language tag is left out (RFC 9110, 12.5.4)."""
    assert languages_of(header) == languages
