"""What a check of the doctor found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lancert.kit.language import N_, Translate, fill

DEPENDS_ON_ROUTER = N_("Which of these, depends on the router:")
"""What stands above several recipes."""


class Verdict(StrEnum):
    """How a check ended."""

    FINE = "fine"
    WRONG = "wrong"
    NOT_TRIED = "not-tried"
    """Something that comes before it is missing, so the check would say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to change on one family of routers: steps to translate, and lines to type as they stand."""

    id: str
    name: str
    steps: tuple[str, ...]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor's table; the sentences are marked for translation.

    ``check`` and ``because`` are public and permanent: the service is told them and nothing else.
    """

    check: str
    title: str
    verdict: Verdict
    sentence: str
    cause: str = ""
    """Why, when what was found is where."""
    remedy: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    because: str = ""
    """The reason in one word, such as ``filtered``; empty where the check itself says it all."""
    recipes: tuple[Recipe, ...] = ()
    """What to change on which router."""

    def words(self, translate: Translate) -> str:
        """Say what was found, in the reader's language."""
        sentences = [self.sentence, *((self.cause,) if self.cause else ())]
        return " ".join(fill(translate(sentence), self.facts) for sentence in sentences)

    def steps(self, translate: Translate) -> list[str]:
        """Say what to do, in the reader's language."""
        return [fill(translate(step), self.facts) for step in self.remedy]

    def document(self, translate: Translate) -> dict[str, Any]:
        """Give the finding as plain JSON values, in the reader's language."""
        return {
            "check": self.check,
            "title": translate(self.title),
            "verdict": self.verdict.value,
            "because": self.because or None,
            "sentence": self.words(translate),
            "remedy": self.steps(translate),
            "facts": dict(self.facts),
            "recipes": [
                {
                    "router": recipe.id,
                    "name": recipe.name,
                    "steps": self.instructions(recipe, translate),
                    "lines": list(recipe.lines),
                }
                for recipe in self.recipes
            ],
        }

    def instructions(self, recipe: Recipe, translate: Translate) -> list[str]:
        """Say the steps of a recipe, in the reader's language."""
        return [fill(translate(step), self.facts) for step in recipe.steps]


@dataclass(frozen=True, slots=True)
class Check:
    """One question of the doctor, as its findings name it."""

    id: str
    title: str

    def found(
        self,
        verdict: Verdict,
        sentence: str,
        words: Mapping[str, str] | None = None,
        *,
        because: str = "",
        cause: str = "",
        remedy: tuple[str, ...] = (),
        recipes: tuple[Recipe, ...] = (),
    ) -> Finding:
        """Give what was found."""
        return Finding(
            check=self.id,
            title=self.title,
            verdict=verdict,
            sentence=sentence,
            cause=cause,
            facts=words or {},
            remedy=remedy,
            because=because,
            recipes=recipes,
        )
