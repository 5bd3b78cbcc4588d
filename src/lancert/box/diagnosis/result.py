"""What a check of the doctor found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lancert.kit.language import Translate, fill


class Verdict(StrEnum):
    """How a check ended."""

    FINE = "fine"
    WRONG = "wrong"
    NOT_TRIED = "not-tried"
    """Something that comes before it is missing, so the check would say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor's table. ``check`` is public and permanent; the sentences are marked for translation."""

    check: str
    title: str
    verdict: Verdict
    sentence: str
    cause: str = ""
    """Why, when what was found is where."""
    remedy: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    def words(self, translate: Translate) -> str:
        """Say what was found, in the reader's language."""
        sentences = [self.sentence, *((self.cause,) if self.cause else ())]
        return " ".join(fill(translate(sentence), self.facts) for sentence in sentences)

    def steps(self, translate: Translate) -> list[str]:
        """Say what to do, in the reader's language."""
        return [fill(translate(step), self.facts) for step in self.remedy]
