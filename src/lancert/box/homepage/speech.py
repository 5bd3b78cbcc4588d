"""The reader's language: chosen from Accept-Language (RFC 9110, 12.5.4), English when nothing better is complete."""

import gettext
import re
from functools import lru_cache

from lancert.kit.language import fill, translation

_TAG = re.compile(r"([a-z]{2,3})(?:-[a-z]{4})?(?:-([a-z]{2}))?", re.I)
_QUALITY = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_MOST_LANGUAGES = 12


class Speech:
    """Sentences in one language."""

    __slots__ = ("_translations", "gettext", "language", "ngettext")

    def __init__(self, translations: gettext.NullTranslations) -> None:
        self._translations = translations
        self.gettext = translations.gettext
        self.ngettext = translations.ngettext
        self.language = translations.info().get("language", "en").replace("_", "-")

    def say(self, sentence: str, **values: object) -> str:
        """Translate a marked sentence and put its values in."""
        return fill(self.gettext(sentence), values)


def speech_for(accept_language: str | None) -> Speech:
    """Give the speech for a visitor."""
    return _speech(languages_of(accept_language or ""))


@lru_cache(maxsize=16)
def _speech(languages: tuple[str, ...]) -> Speech:
    return Speech(translation(languages))


def languages_of(accept_language: str) -> tuple[str, ...]:
    """Read the languages a visitor prefers to English, best first, as gettext names them: ``es_MX``."""
    wanted: list[tuple[float, str]] = []
    for part in accept_language[:400].split(",")[:_MOST_LANGUAGES]:
        tag, _, parameter = part.replace(" ", "").partition(";")
        named = _TAG.fullmatch(tag)
        quality = _QUALITY.fullmatch(parameter) if parameter else None
        if named is None or (parameter and quality is None):
            continue
        language, region = named.groups()
        weight = float(quality[1]) if quality else 1.0
        if weight > 0:
            wanted.append((weight, language.lower() + (f"_{region.upper()}" if region else "")))
    ordered = [language for _, language in sorted(wanted, key=lambda item: -item[0])]
    english = next((place for place, name in enumerate(ordered) if name.partition("_")[0] == "en"), len(ordered))
    return tuple(ordered[:english])
