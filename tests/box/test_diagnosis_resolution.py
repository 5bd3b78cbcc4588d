"""What several name servers say of one name, compared: every combination, and the rows that matter by name."""

import itertools

import pytest

from lancert.box.diagnosis.resolution import NOT_HEARD, Heard, Resolution, Said, judge

RIGHT, OTHER, EMPTY, UNKNOWN = Said.RIGHT, Said.OTHER, Said.EMPTY, Said.UNKNOWN
FAILED, SILENT, NOT_ASKED = Said.FAILED, Said.SILENT, Said.NOT_ASKED
MISSING = (EMPTY, UNKNOWN, FAILED, SILENT)
ALL = tuple(Said)
KNOWN = Heard(own=RIGHT, canary=RIGHT)


def heard(own: Said, canary: Said = NOT_ASKED, sibling: Said = NOT_ASKED, root: Said = NOT_ASKED) -> Heard:
    return Heard(own=own, canary=canary, sibling=sibling, root=root)


@pytest.mark.promise("M10")
@pytest.mark.parametrize(
    ("here", "zone", "public", "expected"),
    [
        (heard(RIGHT), NOT_HEARD, NOT_HEARD, Resolution.FINE),
        (heard(EMPTY, RIGHT), KNOWN, KNOWN, Resolution.FILTERED),
        (heard(UNKNOWN, RIGHT), KNOWN, NOT_HEARD, Resolution.FILTERED),
        (heard(UNKNOWN, RIGHT), NOT_HEARD, KNOWN, Resolution.FILTERED),
        (heard(SILENT, RIGHT), KNOWN, KNOWN, Resolution.FILTERED),
        (heard(EMPTY, RIGHT), heard(SILENT, SILENT), heard(EMPTY, RIGHT), Resolution.FILTERED),
        (heard(EMPTY, UNKNOWN), heard(RIGHT, UNKNOWN), heard(RIGHT, UNKNOWN), Resolution.FILTERED),
        (heard(UNKNOWN, UNKNOWN), KNOWN, KNOWN, Resolution.BLOCKED),
        (heard(EMPTY, EMPTY), KNOWN, NOT_HEARD, Resolution.BLOCKED),
        (heard(UNKNOWN, RIGHT), heard(UNKNOWN, RIGHT), heard(UNKNOWN, RIGHT), Resolution.UNKNOWN),
        (heard(EMPTY, RIGHT), heard(UNKNOWN, RIGHT), KNOWN, Resolution.UNKNOWN),
        (heard(UNKNOWN, RIGHT), NOT_HEARD, heard(SILENT, SILENT), Resolution.UNKNOWN),
        (heard(UNKNOWN, UNKNOWN), NOT_HEARD, heard(UNKNOWN, UNKNOWN), Resolution.NO_ZONE),
        (heard(UNKNOWN, SILENT), NOT_HEARD, heard(UNKNOWN, RIGHT), Resolution.UNKNOWN),
        (heard(OTHER, RIGHT), KNOWN, KNOWN, Resolution.WRONG_ADDRESS),
        (heard(OTHER, OTHER), NOT_HEARD, NOT_HEARD, Resolution.ALL_REWRITTEN),
        (heard(EMPTY, OTHER), NOT_HEARD, NOT_HEARD, Resolution.ALL_REWRITTEN),
        (heard(UNKNOWN, RIGHT, sibling=RIGHT), KNOWN, KNOWN, Resolution.STALE),
        (heard(UNKNOWN, RIGHT, sibling=RIGHT), heard(UNKNOWN, RIGHT), KNOWN, Resolution.UNKNOWN),
        (heard(SILENT, SILENT), KNOWN, NOT_HEARD, Resolution.RESOLVER_DOWN),
        (heard(SILENT, SILENT), NOT_HEARD, KNOWN, Resolution.RESOLVER_DOWN),
        (heard(FAILED, FAILED), KNOWN, KNOWN, Resolution.RESOLVER_DOWN),
        (heard(SILENT, SILENT), heard(FAILED, FAILED), NOT_HEARD, Resolution.RESOLVER_DOWN),
        (heard(SILENT, SILENT, root=RIGHT), heard(SILENT, SILENT), heard(SILENT, SILENT), Resolution.ZONE_DOWN),
        (heard(FAILED, FAILED), heard(SILENT, SILENT), heard(FAILED, FAILED), Resolution.ZONE_DOWN),
        (heard(SILENT, SILENT), heard(SILENT, SILENT), heard(SILENT, SILENT), Resolution.ALL_DOWN),
        (heard(FAILED, FAILED), NOT_HEARD, heard(SILENT, SILENT), Resolution.ALL_DOWN),
    ],
)
def test_verdict(here: Heard, zone: Heard, public: Heard, expected: Resolution) -> None:
    """M10: a filter, an unknown name, another address and silence are told apart, with and without witnesses."""
    assert judge(here, zone, public) is expected


def _combinations() -> list[tuple[Heard, Heard, Heard]]:
    here = [heard(*said) for said in itertools.product(ALL, ALL, (NOT_ASKED, RIGHT, UNKNOWN), (NOT_ASKED, RIGHT))]
    others = [heard(own, canary) for own in ALL for canary in (NOT_ASKED, RIGHT, UNKNOWN, SILENT)]
    return list(itertools.product(here, others, others))


@pytest.mark.promise("M10")
def test_every_combination_keeps_the_rules() -> None:
    """Fine means found; filtered never contradicts the zone, nor a resolver that says nothing at all."""
    seen = set()
    for here, zone, public in _combinations():
        said = judge(here, zone, public)
        seen.add(said)
        assert (said is Resolution.FINE) is (here.own is RIGHT)
        assert (said in (Resolution.WRONG_ADDRESS, Resolution.ALL_REWRITTEN)) or here.own is not OTHER
        if said in (Resolution.FILTERED, Resolution.BLOCKED):
            assert here.own in (*MISSING, NOT_ASKED)
            assert not zone.own.is_denied
            assert not here.is_down
            assert here.canary is RIGHT or RIGHT in (zone.own, public.own)
        if here.own in MISSING and zone.own.is_denied:
            assert said is Resolution.UNKNOWN
        if said is Resolution.ALL_DOWN:
            assert not (zone.is_awake or public.is_awake)

    assert seen == set(Resolution)


def test_more_witnesses_never_turn_a_filter_into_something_else() -> None:
    """What is recognised alone stays recognised when the zone's own servers confirm that they know the name."""
    for own, canary, public in itertools.product(MISSING, ALL, ALL):
        here = heard(own, canary)
        if judge(here, NOT_HEARD, heard(public, SILENT)) is Resolution.FILTERED:
            assert judge(here, KNOWN, heard(public, SILENT)) in (Resolution.FILTERED, Resolution.BLOCKED)
