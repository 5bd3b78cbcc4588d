"""What becomes of a request for a certificate: a pure decision over everything that is known when it is made.

The order of the questions is the order of the code: who is it, is the key its own, is it eligible, is there a
certificate or an unfinished intent for the same key already, is the request new. A certificate that is still young is
given again without looking at the counter: nothing changes, and a replay learns only what is public. An intent
that a crash left unfinished was authorised by the request that made it, so it is completed the same way.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from lancert.protocol.messages import Counter
from lancert.protocol.names import Zone, certificate_names
from lancert.protocol.problems import Reason
from lancert.protocol.signatures import Identity
from lancert.service.counter import CounterVerdict, check_counter
from lancert.service.eligibility import EligibilityFacts, Ineligible, judge
from lancert.service.model import Candidate, Issuance
from lancert.service.policy import is_young
from lancert.service.signing_request import SigningRequest, names_differ


class Asked(NamedTuple):
    """A request for a certificate whose signature was verified; ``body_hash`` is the SHA-256 of its body."""

    identity: Identity
    counter: Counter
    body_hash: str
    request: SigningRequest


class Known(NamedTuple):
    """What is known of the box that asks and of the key it asks for; ``issuances`` of the key, newest first."""

    candidate: Candidate
    facts: EligibilityFacts
    issuances: tuple[Issuance, ...] = ()
    is_blocked: bool = False


class Objection(StrEnum):
    """Why a request is not even judged; the box or its owner did nothing that a criterion names."""

    NOT_RECOGNISED = "not-recognised"
    REPLAYED = "replayed"
    NAMES_DIFFER = "names-differ"
    KEY_BLOCKED = "key-blocked"
    KEY_TAKEN = "key-taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """The request is not acceptable; ``is_fork`` counts as a sign of two IoT systems with one identity."""

    objection: Objection
    detail: str
    is_fork: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """The IoT system is not eligible; all unmet criteria are there."""

    reasons: tuple[Reason, ...]
    is_new: bool = True


class GiveAgain(NamedTuple):
    """There is a young certificate for this key: the same one is given."""

    issuance: Issuance


class Complete(NamedTuple):
    """There is an unfinished intent for this key: exactly that one is signed."""

    issuance: Issuance
    is_new: bool


class Intend(NamedTuple):
    """A new certificate for these names is to be planned, recorded and signed."""

    names: tuple[str, ...]


Decision = Reject | Refuse | GiveAgain | Complete | Intend

UNKNOWN = Reject(objection=Objection.NOT_RECOGNISED, detail="")
"""The one answer to unknown, foreign and withdrawn identities (S-39)."""

_REPLAYED = "The counter of the request is not greater than the last one; sign the next request with a greater one."


def replayed(verdict: CounterVerdict) -> Reject:
    """Give the answer to a counter that was used before."""
    return Reject(objection=Objection.REPLAYED, detail=_REPLAYED, is_fork=verdict is CounterVerdict.FORKED)


def decide(asked: Asked, known: Known | None, *, zone: Zone, issuer: str, now: datetime) -> Decision:
    """Decide over one request; ``issuer`` is the fingerprint of the issuing certificate in use."""
    if known is None:
        return UNKNOWN
    box = known.candidate
    names = certificate_names(box.label, zone)
    counter = check_counter(asked.counter, asked.body_hash, box.last)
    is_new = counter is CounterVerdict.NEW
    objection = _objection(asked, known, names)
    if objection is None:
        verdict = judge(known.facts)
        if isinstance(verdict, Ineligible) and is_new:
            return Refuse(reasons=verdict.reasons)
        existing = _usable(known, names, issuer, now)
        if existing is not None and not isinstance(verdict, Ineligible):
            return (
                GiveAgain(issuance=existing)
                if existing.certificate is not None
                else Complete(issuance=existing, is_new=is_new)
            )
    if not is_new:
        return replayed(counter)
    return objection or Intend(names=names)


def _objection(asked: Asked, known: Known, names: tuple[str, ...]) -> Reject | None:
    if (text := names_differ(asked.request, names)) is not None:
        return Reject(objection=Objection.NAMES_DIFFER, detail=text)
    if known.is_blocked:
        text = "This key must not be used: its private key became known. Make a new key."
        return Reject(objection=Objection.KEY_BLOCKED, detail=text)
    if any(issuance.identity != asked.identity for issuance in known.issuances):
        text = "This key belongs to another system. Make a new key."
        return Reject(objection=Objection.KEY_TAKEN, detail=text)
    return None


def _usable(known: Known, names: tuple[str, ...], issuer: str, now: datetime) -> Issuance | None:
    """Find the newest issuance that can be given or completed: young, for these names, from this issuer."""
    return next(
        (
            one
            for one in known.issuances
            if one.names == names and one.issuer == issuer and is_young(one.not_before, one.not_after, now)
        ),
        None,
    )
