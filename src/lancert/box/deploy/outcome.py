"""How a hand-over ended, as values and in words: for the homepage, the doctor, the status document and the terminal.

A record is kept for each target, so that a start knows what was done before; see ``plan`` for what follows from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from lancert.kit.clock import from_text, to_text
from lancert.kit.language import N_, Translate, fill
from lancert.kit.logs import redact

_SAID_CHARACTERS = 600


class Outcome(StrEnum):
    """Which files a target has after a hand-over."""

    DONE = "done"
    """The new ones, and as far as it was asked, they are served."""

    ROLLED_BACK = "rolled-back"
    """The old ones again, and as far as it was asked, they are served."""

    KEPT = "kept"
    """The new ones, although something failed: there was nothing older that worked."""

    STUCK = "stuck"
    """The old ones again, and they are not served either."""

    UNTOUCHED = "untouched"
    """Those it had: nothing could be written."""


class Why(StrEnum):
    """What failed."""

    PLACE = "place"
    COMMAND_FAILED = "command-failed"
    COMMAND_SLOW = "command-slow"
    COMMAND_MISSING = "command-missing"
    SIGNAL = "signal"
    NOT_TAKEN_UP = "not-taken-up"
    REQUEST_FAILED = "request-failed"
    NO_ANSWER = "no-answer"
    OTHER_SERVED = "other-served"
    CHAIN_MISSING = "chain-missing"
    INTERRUPTED = "interrupted"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What failed, with the values its sentence needs, and what a program printed."""

    why: Why
    facts: Mapping[str, str] = field(default_factory=dict)
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """The last hand-over to one target.

    ``mark`` is the target's own, ``fingerprint`` that of the certificate it was to get; another of either is another
    hand-over. ``address`` and ``server_name`` are where it can be looked at.
    """

    target: str
    outcome: Outcome
    mark: str
    fingerprint: str
    at: datetime
    failure: Failure | None = None
    failures: int = 0
    next_at: datetime | None = None
    address: str | None = None
    server_name: str | None = None

    @property
    def is_fine(self) -> bool:
        """Say whether the target has what it should have."""
        return self.outcome is Outcome.DONE

    @property
    def of(self) -> tuple[str, str]:
        """Give what it was about: the target as it stood in the settings, and the certificate."""
        return self.mark, self.fingerprint

    def facts(self) -> dict[str, str]:
        """Give the values its sentences need."""
        found = {"target": self.target, "address": self.address or ""}
        return {**found, **self.failure.facts} if self.failure else found

    def sentences(self) -> tuple[str, str]:
        """Give what happened and what the target has now, marked for translation; the second may be empty."""
        if self.failure is None:
            return _FINE[self.address is not None], ""
        return _WHY[self.failure.why], _OUTCOME[self.outcome]

    def remedy(self) -> tuple[str, ...]:
        """Give what to do, marked for translation."""
        return (*_STEPS[self.failure.why], _AGAIN) if self.failure else ()

    def words(self, translate: Translate) -> str:
        """Say how it ended, in the reader's language."""
        return " ".join(fill(translate(one), self.facts()) for one in self.sentences() if one)

    def steps(self, translate: Translate) -> list[str]:
        """Say what to do, in the reader's language."""
        return [fill(translate(step), self.facts()) for step in self.remedy()]


_FINE = {
    True: N_("{target} serves the certificate at {address}."),
    False: N_("{target} has the files of the certificate."),
}
_WHY = {
    Why.PLACE: N_("The files for {target} could not be written: {detail}."),
    Why.COMMAND_FAILED: N_("{target} did not reload: {program} ended with status {status}."),
    Why.COMMAND_SLOW: N_("{target} did not reload: {program} took longer than {seconds} seconds and was ended."),
    Why.COMMAND_MISSING: N_("{target} did not reload: {program} could not be started ({detail})."),
    Why.SIGNAL: N_("{target} did not reload: no signal could be sent by {file} ({detail})."),
    Why.NOT_TAKEN_UP: N_("{target} did not reload: nobody took away {file} within {seconds} seconds."),
    Why.REQUEST_FAILED: N_("{target} did not reload: its unit ended with “{result}”."),
    Why.NO_ANSWER: N_("{target} does not answer at {address} ({detail})."),
    Why.OTHER_SERVED: N_("{target} was given the new certificate, and {address} goes on showing another one."),
    Why.CHAIN_MISSING: N_("{target} shows the new certificate at {address} without the chain that belongs to it."),
    Why.INTERRUPTED: N_("The hand-over to {target} was interrupted, because the agent was stopped."),
    Why.UNEXPECTED: N_("The hand-over to {target} failed unexpectedly; the log has more under {reference}."),
}
_OUTCOME = {
    Outcome.DONE: "",
    Outcome.ROLLED_BACK: N_("It has its old files back and goes on with the old certificate."),
    Outcome.KEPT: N_("The new files stay, because there are no older ones that worked."),
    Outcome.STUCK: N_("It has its old files back and does not serve them either."),
    Outcome.UNTOUCHED: N_("Its files are as they were."),
}
_SETTING = N_("Check its [[deploy]] table in box.toml; lancert box deploy --check shows what is expected.")
_ITSELF = N_("Check {target} by itself: its configuration, and whether it runs.")
_STEPS: dict[Why, tuple[str, ...]] = {
    Why.PLACE: (N_("Give the agent's account a folder of its own to write in, as the guide of the program says."),),
    Why.COMMAND_FAILED: (_ITSELF,),
    Why.COMMAND_SLOW: (_ITSELF,),
    Why.COMMAND_MISSING: (_SETTING,),
    Why.SIGNAL: (_ITSELF, _SETTING),
    Why.NOT_TAKEN_UP: (
        N_("Check that the unit that watches the file is enabled: systemctl status “lancert-deploy@*.path”."),
    ),
    Why.REQUEST_FAILED: (
        N_("Read why: journalctl -u {target} -u lancert-deploy@{target}"),
        _ITSELF,
    ),
    Why.NO_ANSWER: (_ITSELF, _SETTING),
    Why.OTHER_SERVED: (N_("Check that {target} reads the files that its [[deploy]] table names."), _ITSELF),
    Why.CHAIN_MISSING: (N_("Have {target} read the file of full_chain or combined, not that of certificate."),),
    Why.INTERRUPTED: (),
    Why.UNEXPECTED: (),
}
_AGAIN = N_("It is tried again by itself; lancert box deploy does it now.")


def bounded(said: str) -> str:
    """Give the end of what a program printed: no secrets, no control characters, a few lines (S-97)."""
    kept = redact(said).strip()
    text = "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in kept)
    return text if len(text) <= _SAID_CHARACTERS else f"… {text[2 - _SAID_CHARACTERS :]}"


def to_record(handed: HandedOver) -> dict[str, Any]:
    """Write it for the folder."""
    return {
        "target": handed.target,
        "outcome": handed.outcome.value,
        "mark": handed.mark,
        "fingerprint": handed.fingerprint,
        "at": to_text(handed.at),
        "why": handed.failure.why.value if handed.failure else None,
        "facts": dict(handed.failure.facts) if handed.failure else {},
        "said": handed.failure.said if handed.failure else "",
        "failures": handed.failures,
        "next_at": to_text(handed.next_at) if handed.next_at else None,
        "address": handed.address,
        "server_name": handed.server_name,
    }


def from_records(read: Mapping[str, Any] | None) -> tuple[HandedOver, ...]:
    """Read what ``to_record`` wrote, as a list under ``targets``; what cannot be read was never there."""
    rows = (read or {}).get("targets")
    found = [_from_record(row) for row in rows] if isinstance(rows, list) else []
    return tuple(one for one in found if one is not None)


def _from_record(row: Any) -> HandedOver | None:
    try:
        facts = {str(name): str(value) for name, value in row["facts"].items()}
        failure = Failure(why=Why(row["why"]), facts=facts, said=bounded(str(row["said"]))) if row["why"] else None
        return HandedOver(
            target=str(row["target"]),
            outcome=Outcome(row["outcome"]),
            mark=str(row["mark"]),
            fingerprint=str(row["fingerprint"]),
            at=from_text(row["at"]),
            failure=failure,
            failures=int(row["failures"]),
            next_at=from_text(row["next_at"]) if row["next_at"] else None,
            address=None if row["address"] is None else str(row["address"]),
            server_name=None if row["server_name"] is None else str(row["server_name"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
