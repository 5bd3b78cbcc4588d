"""Sentences for people: marked where they are written, translated where they are shown.

``N_`` marks a sentence for the catalogue and returns it unchanged; a ``Translate`` function, made once per reader,
turns it into the reader's language. English is the source and always complete; a language is offered when its
catalogue is.
"""

import gettext
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Translate = Callable[[str], str]

LOCALE_DIRECTORY = Path(__file__).parent.parent / "locale"
_DOMAIN = "lancert"


def N_(sentence: str) -> str:
    """Mark a sentence for translation."""
    return sentence


def translation(languages: Sequence[str] = ()) -> gettext.NullTranslations:
    """Give the first complete catalogue among the reader's languages, English otherwise.

    English needs no catalogue, so what a reader ranks below it is not looked at.
    """
    before_english = list(itertools.takewhile(lambda language: not language.lower().startswith("en"), languages))
    return gettext.translation(_DOMAIN, LOCALE_DIRECTORY, languages=[*before_english, "en"], fallback=True)


def fill(sentence: str, values: Mapping[str, object]) -> str:
    """Put values into a translated sentence; a placeholder without a value stays readable as its name."""
    return sentence.format_map(_Named({name: str(value) for name, value in values.items()}))


class _Named(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return name
