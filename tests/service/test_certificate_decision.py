"""What becomes of a request for a certificate: each question of the decision, and their order."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lancert.protocol.messages import Counter
from lancert.protocol.names import DEMO_ZONE, Label, certificate_names
from lancert.protocol.signatures import Identity
from lancert.service.counter import LastAccepted
from lancert.service.decision import (
    UNKNOWN,
    Asked,
    Complete,
    GiveAgain,
    Intend,
    Known,
    Objection,
    Refuse,
    Reject,
    decide,
)
from lancert.service.eligibility import EligibilityFacts
from lancert.service.model import (
    IOT_BOX_PRODUCT,
    Candidate,
    ContractCode,
    Environment,
    Issuance,
    KeyHash,
    Line,
    Subscription,
    SubscriptionId,
    SubscriptionStatus,
)
from lancert.service.signing_request import SigningRequest

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LABEL = Label("k3v7q2m4x5a6b7c2")
NAMES = certificate_names(LABEL, DEMO_ZONE)
ME, SOMEBODY = Identity("M" * 43), Identity("S" * 43)
ISSUER = "f" * 64

REQUEST = SigningRequest(public_key=b"key", key_hash=KeyHash("k"))
NEW, REPEATED = Counter(boot=3, count=8), Counter(boot=3, count=7)
ASKED = Asked(identity=ME, counter=NEW, body_hash="new", request=REQUEST)
GOOD = EligibilityFacts(
    environment=Environment.PRODUCTION,
    is_duplicated=False,
    subscriptions=(
        Subscription(
            id=SubscriptionId("S"),
            contract=ContractCode("C"),
            status=SubscriptionStatus.IN_PROGRESS,
            lines=(Line(product=IOT_BOX_PRODUCT, quantity=1),),
        ),
    ),
    seat=1,
    is_suspended=False,
    has_conflict=False,
)
BAD = GOOD._replace(environment=Environment.STAGING)
BOX = Candidate(
    number=1,
    identity=ME,
    label=LABEL,
    contract=ContractCode("C"),
    environment=Environment.PRODUCTION,
    is_duplicated=False,
    is_suspended=False,
    seat=1,
    last=LastAccepted(REPEATED, "old"),
)
KNOWN = Known(candidate=BOX, facts=GOOD)
INTENT = Issuance(
    serial="4c01",
    box=1,
    key_hash=KeyHash("k"),
    public_key=b"key",
    names=NAMES,
    not_before=NOW - timedelta(days=1),
    not_after=NOW + timedelta(days=44),
    issuer=ISSUER,
    identity=ME,
)
ISSUED = INTENT._replace(certificate=b"der")


def decided(asked: Asked = ASKED, known: Known | None = KNOWN, now: datetime = NOW) -> Any:
    """Decide in the demo zone."""
    return decide(asked, known, zone=DEMO_ZONE, issuer=ISSUER, now=now)


def repeated(body_hash: str = "new") -> Asked:
    """A request whose counter was used before."""
    return ASKED._replace(counter=REPEATED, body_hash=body_hash)


def test_the_first_request_gets_a_new_certificate_for_the_names_of_the_box() -> None:
    """The names come from the service's record, whatever the request says (S-46)."""
    assert decided() == Intend(names=NAMES)


def test_an_unknown_identity_is_told_nothing() -> None:
    """Unknown, foreign and withdrawn are one answer (S-39)."""
    assert decided(known=None) == UNKNOWN


def test_an_ineligible_box_is_refused_with_its_reasons() -> None:
    """A refusal is an answer to a new request, and carries all reasons."""
    assert isinstance(decided(known=KNOWN._replace(facts=BAD)), Refuse)


def test_a_young_certificate_for_the_same_key_is_given_again() -> None:
    """A lost answer costs nothing: the same certificate comes again (S-48)."""
    assert decided(known=KNOWN._replace(issuances=(ISSUED,))) == GiveAgain(issuance=ISSUED)


def test_a_young_certificate_is_given_again_even_to_a_replay() -> None:
    """It changes nothing and tells only what is public."""
    assert decided(repeated(), KNOWN._replace(issuances=(ISSUED,))) == GiveAgain(issuance=ISSUED)


def test_a_young_certificate_is_not_given_again_to_a_box_that_is_not_eligible_any_more() -> None:
    """Who looks whether everything is in order learns that it is not (S-40)."""
    assert isinstance(decided(known=KNOWN._replace(facts=BAD, issuances=(ISSUED,))), Refuse)


def test_a_replay_never_shows_why_a_box_is_refused() -> None:
    """The criteria are for the holder of the identity key alone (S-41)."""
    rejected = decided(repeated(), KNOWN._replace(facts=BAD, issuances=(ISSUED,)))

    assert isinstance(rejected, Reject)
    assert rejected.objection is Objection.REPLAYED


@pytest.mark.parametrize("days", [29.1, 44, 60])
def test_a_certificate_that_is_not_young_any_more_is_renewed(days: float) -> None:
    """From its window on, asking with the same key gives a new certificate."""
    assert decided(known=KNOWN._replace(issuances=(ISSUED,)), now=NOW + timedelta(days=days)) == Intend(names=NAMES)


@pytest.mark.parametrize("is_new", [True, False])
def test_an_unfinished_intent_for_the_same_key_is_completed(is_new: bool) -> None:
    """After a crash the same serial is signed, for a new request and for the same one sent again (F-53)."""
    asked = ASKED if is_new else repeated()

    assert decided(asked, KNOWN._replace(issuances=(INTENT,))) == Complete(issuance=INTENT, is_new=is_new)


@pytest.mark.parametrize("other", [INTENT._replace(issuer="0" * 64), INTENT._replace(names=("x.lancert.localhost",))])
def test_an_intent_of_another_issuer_or_for_other_names_is_left_alone(other: Issuance) -> None:
    """What cannot be signed as it was meant is not signed; a new intent takes its place."""
    assert decided(known=KNOWN._replace(issuances=(other,))) == Intend(names=NAMES)


def test_a_repeated_counter_is_refused() -> None:
    """A request counts once (F-59)."""
    rejected = decided(repeated("old"))

    assert isinstance(rejected, Reject)
    assert (rejected.objection, rejected.is_fork) == (Objection.REPLAYED, False)


def test_the_same_counter_with_another_body_is_a_sign_of_a_second_box() -> None:
    """Only two holders of one identity key can do that; a network that repeats requests cannot (F-60)."""
    rejected = decided(repeated("another"))

    assert isinstance(rejected, Reject)
    assert rejected.is_fork


@pytest.mark.parametrize(
    ("asked", "known", "objection"),
    [
        (
            ASKED._replace(request=REQUEST._replace(names=frozenset({"shop.example.com"}))),
            KNOWN,
            Objection.NAMES_DIFFER,
        ),
        (ASKED._replace(request=REQUEST._replace(common_name="shop.example.com")), KNOWN, Objection.NAMES_DIFFER),
        (ASKED, KNOWN._replace(is_blocked=True), Objection.KEY_BLOCKED),
        (ASKED, KNOWN._replace(issuances=(ISSUED._replace(identity=SOMEBODY),)), Objection.KEY_TAKEN),
        (ASKED, KNOWN._replace(issuances=(INTENT._replace(identity=None),)), Objection.KEY_TAKEN),
    ],
)
def test_a_key_or_name_that_is_not_the_boxs_own_is_rejected(asked: Asked, known: Known, objection: Objection) -> None:
    """Other names, a blocked key, the key of another box, the key of the service itself (S-46, S-47)."""
    rejected = decided(asked, known)

    assert isinstance(rejected, Reject)
    assert rejected.objection is objection


def test_the_key_of_an_earlier_life_of_the_same_box_is_its_own() -> None:
    """A box that was removed and enrolled again may keep its key."""
    earlier = ISSUED._replace(box=99, names=certificate_names(Label("aaaaaaaaaaaaaaaa"), DEMO_ZONE))

    assert decided(known=KNOWN._replace(issuances=(earlier,))) == Intend(names=NAMES)
